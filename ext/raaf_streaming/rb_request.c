/*
 * From the Hash that lib/raaf/streaming/model_call.rb builds to a request of the core.
 *
 *   url:, host:, headers: {name => value}, body:, dialect: Symbol, proxy: String or nil,
 *   ca_file: String or nil, script: [[seconds, bytes], …] or nil, script_fails: Boolean,
 *   said: String or nil (what the answer goes on with, and perhaps repeats),
 *   counted_as: [provider, model] or nil,
 *   limits: {connect:, first_token:, idle:, total:, grace:, coalesce: (seconds or nil: none),
 *            retry_delay:, max_retry_delay: (the same), start_delay: (seconds or nil: none),
 *            queue: (seconds that it waits for its place), recovers:,
 *            coalesce_chars:, coalesce_cut: Symbol or nil, queue_items:, queue_bytes:,
 *            max_line:, max_event:, max_text:, max_retries:, retain_text:, skip_malformed:,
 *            raw_events:}
 *
 * Ruby may raise at any step, so the request under construction belongs to a Ruby object.
 */
#include "rb_raaf.h"

#include "core/clock.h"
#include "core/result_code.h"

#include <string.h>

static void holder_free(void *data) {
    raaf_request_free(data);
}

static const rb_data_type_t holder_type = {
    .wrap_struct_name = "RAAF::Streaming::RequestHolder",
    .function = {NULL, holder_free, NULL, NULL},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

static VALUE fetch(VALUE hash, const char *key) {
    return rb_hash_lookup2(hash, ID2SYM(rb_intern(key)), Qnil);
}

static void check(int result) {
    if (result != RAAF_OK) rb_raaf_raise_code(result, "the request");
}

static void set_string(char **field, VALUE hash, const char *key) {
    VALUE value = fetch(hash, key);
    if (NIL_P(value)) return;
    const char *bytes = StringValueCStr(value); /* raises at a NUL */
    check(raaf_request_set(field, bytes, strlen(bytes)));
    RB_GC_GUARD(value);
}

static uint64_t nanoseconds(VALUE seconds) {
    if (NIL_P(seconds)) return RAAF_NEVER;
    double value = NUM2DBL(seconds);
    if (!(value >= 0)) rb_raise(rb_eArgError, "a time must not be negative");
    return value > 1e9 ? RAAF_NEVER : (uint64_t)(value * 1e9);
}

static size_t size(VALUE hash, const char *key) {
    VALUE value = fetch(hash, key);
    return NIL_P(value) ? 0 : NUM2SIZET(value);
}

static void set_limits(raaf_request_limits_t *limits, VALUE hash) {
    Check_Type(hash, T_HASH);
    limits->connect_ns = nanoseconds(fetch(hash, "connect"));
    limits->first_token_ns = nanoseconds(fetch(hash, "first_token"));
    limits->idle_ns = nanoseconds(fetch(hash, "idle"));
    limits->total_ns = nanoseconds(fetch(hash, "total"));
    limits->grace_ns = nanoseconds(fetch(hash, "grace"));
    VALUE delay = fetch(hash, "start_delay");
    limits->queue_ns = nanoseconds(fetch(hash, "queue"));
    limits->start_delay_ns = NIL_P(delay) ? 0 : nanoseconds(delay);
    limits->coalesce_ns = nanoseconds(fetch(hash, "coalesce"));
    limits->retry_delay_ns = nanoseconds(fetch(hash, "retry_delay"));
    limits->max_retry_delay_ns = nanoseconds(fetch(hash, "max_retry_delay"));
    limits->max_retries = size(hash, "max_retries");
    limits->coalesce_chars = size(hash, "coalesce_chars");
    limits->coalesce_cut = rb_raaf_cut(fetch(hash, "coalesce_cut"));
    limits->queue_items = size(hash, "queue_items");
    limits->queue_bytes = size(hash, "queue_bytes");
    limits->max_line = size(hash, "max_line");
    limits->max_event = size(hash, "max_event");
    limits->max_text = size(hash, "max_text");
    limits->recovers = RTEST(fetch(hash, "recovers"));
    limits->retain_text = RTEST(fetch(hash, "retain_text"));
    limits->raw_events = RTEST(fetch(hash, "raw_events"));
    limits->skip_malformed = RTEST(fetch(hash, "skip_malformed"));
    if (!limits->queue_items || !limits->queue_bytes || !limits->max_text)
        rb_raise(rb_eArgError, "queue_items, queue_bytes and max_text must be positive");
}

/* The last guard against a header that breaks out of its line; never shows the value. */
static int add_header(VALUE name, VALUE value, VALUE holder) {
    VALUE line = rb_str_plus(rb_str_plus(rb_String(name), rb_str_new_cstr(": ")), rb_String(value));
    const char *bytes = RSTRING_PTR(line);
    size_t len = RSTRING_LEN(line);
    if (memchr(bytes, '\r', len) || memchr(bytes, '\n', len) || memchr(bytes, '\0', len))
        rb_raise(rb_eArgError, "header %" PRIsVALUE " holds a line break or a NUL",
                 rb_inspect(name));
    check(raaf_request_add_header(RTYPEDDATA_DATA(holder), bytes, len));
    RB_GC_GUARD(line);
    return ST_CONTINUE;
}

static void set_script(raaf_request_t *request, VALUE steps, VALUE fails) {
    Check_Type(steps, T_ARRAY);
    request->scripted = true;
    request->script_fails = RTEST(fails);
    for (long i = 0; i < RARRAY_LEN(steps); i++) {
        VALUE step = rb_ary_to_ary(rb_ary_entry(steps, i));
        uint64_t delay = nanoseconds(rb_ary_entry(step, 0));
        VALUE bytes = rb_ary_entry(step, 1);
        StringValue(bytes);
        check(raaf_request_add_step(request, delay, RSTRING_PTR(bytes), RSTRING_LEN(bytes)));
        RB_GC_GUARD(bytes);
    }
}

static void set_said(raaf_request_t *request, VALUE said) {
    if (NIL_P(said)) return;
    StringValue(said);
    check(raaf_request_set_said(request, RSTRING_PTR(said), RSTRING_LEN(said)));
    RB_GC_GUARD(said);
}

static const raaf_dialect_t *dialect(VALUE hash) {
    VALUE name = rb_String(fetch(hash, "dialect"));
    const raaf_dialect_t *found = raaf_dialect_find(StringValueCStr(name));
    if (!found) rb_raise(rb_eArgError, "unknown dialect: %" PRIsVALUE, name);
    return found;
}

raaf_request_t *rb_raaf_request_new(VALUE hash) {
    Check_Type(hash, T_HASH);
    VALUE holder = TypedData_Wrap_Struct(rb_cObject, &holder_type, NULL);
    raaf_request_t *request = raaf_request_new(dialect(hash));
    if (!request) check(RAAF_NO_MEMORY);
    RTYPEDDATA_DATA(holder) = request;
    set_limits(&request->limits, fetch(hash, "limits"));
    set_said(request, fetch(hash, "said"));
    VALUE label = fetch(hash, "counted_as");
    if (!NIL_P(label))
        request->series = rb_raaf_series(rb_ary_entry(label, 0), rb_ary_entry(label, 1));
    VALUE script = fetch(hash, "script");
    if (!NIL_P(script)) {
        set_script(request, script, fetch(hash, "script_fails"));
    } else {
        set_string(&request->url, hash, "url");
        set_string(&request->host, hash, "host");
        set_string(&request->proxy, hash, "proxy");
        set_string(&request->ca_file, hash, "ca_file");
        if (!request->url || !request->host) rb_raise(rb_eArgError, "url and host are missing");
        VALUE body = rb_String(fetch(hash, "body"));
        check(raaf_request_set_body(request, RSTRING_PTR(body), RSTRING_LEN(body)));
        VALUE headers = fetch(hash, "headers");
        Check_Type(headers, T_HASH);
        rb_hash_foreach(headers, add_header, holder);
        RB_GC_GUARD(body);
    }
    RTYPEDDATA_DATA(holder) = NULL;
    RB_GC_GUARD(holder);
    return request;
}
