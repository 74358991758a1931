/*
 * RAAF::Streaming::PartialJSON: JSON as it is written, as a Ruby object that grows.
 *
 * The core's reader calls back while it reads, and Ruby may raise at any allocation. So the
 * callback only notes tokens; Ruby objects are made when the reader has returned, a slice of the
 * text at a time. Objects, arrays and strings are built in place: what a token costs does not
 * depend on what came before it.
 */
#include "rb_raaf.h"

#include "core/buffer.h"
#include "core/partial_json.h"
#include "core/result_code.h"

#include <string.h>

/* Bytes of text that are read before objects are made of them: bounds the memory for tokens. */
#define SLICE_BYTES ((long)64 << 10)

/* Memory for tokens that a silent reader may hold on to. */
#define KEEP_BYTES 4096

typedef struct partial {
    raaf_partial_json_t json;
    raaf_buffer_t noted; /* tokens: each a noted_token_t, its bytes and a NUL */
    size_t read;         /* bytes of [noted] that are Ruby objects already */
    VALUE root;          /* nil until it has begun */
    VALUE open;          /* Array of the open objects and arrays, the innermost last */
    VALUE key;           /* of the value that comes next, in the innermost object */
    VALUE string;        /* the one that grows, or nil */
    bool symbolize_names;
    bool changed;  /* the last feed changed the value */
    bool building; /* objects are being made, or an exception has ended that */
} partial_t;

typedef struct noted_token {
    raaf_partial_json_type_t type;
    size_t len;
} noted_token_t;

static VALUE cPartialJSON;
static rb_encoding *utf8;

static void partial_mark(void *data) {
    partial_t *partial = data;
    rb_gc_mark_movable(partial->root);
    rb_gc_mark_movable(partial->open);
    rb_gc_mark_movable(partial->key);
    rb_gc_mark_movable(partial->string);
}

static void partial_compact(void *data) {
    partial_t *partial = data;
    partial->root = rb_gc_location(partial->root);
    partial->open = rb_gc_location(partial->open);
    partial->key = rb_gc_location(partial->key);
    partial->string = rb_gc_location(partial->string);
}

static void partial_free(void *data) {
    partial_t *partial = data;
    raaf_partial_json_free(&partial->json);
    raaf_buffer_free(&partial->noted);
    xfree(partial);
}

static size_t partial_size(const void *data) {
    const partial_t *partial = data;
    return sizeof *partial + partial->noted.capacity + partial->json.text.capacity;
}

static const rb_data_type_t partial_type = {
    .wrap_struct_name = "RAAF::Streaming::PartialJSON",
    .function = {partial_mark, partial_free, partial_size, partial_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static partial_t *get(VALUE self) {
    partial_t *partial;
    TypedData_Get_Struct(self, partial_t, &partial_type, partial);
    return partial;
}

/* ---- tokens ---- */

static int note_token(void *context, const raaf_partial_json_token_t *token) {
    raaf_buffer_t *noted = context;
    noted_token_t head = {token->type, token->len};
    size_t before = noted->len;
    int result = raaf_buffer_append(noted, (const char *)&head, sizeof head);
    if (result == RAAF_OK) result = raaf_buffer_append(noted, token->bytes, token->len);
    if (result == RAAF_OK) result = raaf_buffer_append(noted, "", 1);
    if (result != RAAF_OK) noted->len = before;
    return result;
}

/* Makes [value] part of the innermost open object or array, or the whole value. */
static void add_value(VALUE self, partial_t *partial, VALUE value) {
    VALUE container = rb_ary_entry(partial->open, -1);
    if (NIL_P(container))
        RB_OBJ_WRITE(self, &partial->root, value);
    else if (RB_TYPE_P(container, T_ARRAY))
        rb_ary_push(container, value);
    else
        rb_hash_aset(container, partial->key, value);
    partial->changed = true;
}

static void open_container(VALUE self, partial_t *partial, VALUE container) {
    add_value(self, partial, container);
    rb_ary_push(partial->open, container);
}

static void open_string(VALUE self, partial_t *partial) {
    RB_OBJ_WRITE(self, &partial->string, rb_enc_str_new("", 0, utf8));
    add_value(self, partial, partial->string);
}

static void grow_string(partial_t *partial, const char *bytes, size_t len) {
    rb_str_cat(partial->string, bytes, (long)len);
    partial->changed = true;
}

static void set_key(VALUE self, partial_t *partial, const char *bytes, size_t len) {
    VALUE key = partial->symbolize_names ? rb_str_intern(rb_enc_str_new(bytes, (long)len, utf8))
                                         : rb_enc_interned_str(bytes, (long)len, utf8);
    RB_OBJ_WRITE(self, &partial->key, key);
}

/* By the functions that the json gem uses, so that the numbers are the same. */
static VALUE number(const char *digits) {
    if (strpbrk(digits, ".eE")) return DBL2NUM(rb_cstr_to_dbl(digits, 0));
    return rb_cstr_to_inum(digits, 10, 0);
}

/* [bytes] end in a NUL, which is not counted. */
static void take_token(VALUE self, partial_t *partial, raaf_partial_json_type_t type,
                       const char *bytes, size_t len) {
    switch (type) {
    case RAAF_PARTIAL_JSON_NULL:
        add_value(self, partial, Qnil);
        break;
    case RAAF_PARTIAL_JSON_FALSE:
        add_value(self, partial, Qfalse);
        break;
    case RAAF_PARTIAL_JSON_TRUE:
        add_value(self, partial, Qtrue);
        break;
    case RAAF_PARTIAL_JSON_NUMBER:
        add_value(self, partial, number(bytes));
        break;
    case RAAF_PARTIAL_JSON_KEY:
        set_key(self, partial, bytes, len);
        break;
    case RAAF_PARTIAL_JSON_OPEN_STRING:
        open_string(self, partial);
        break;
    case RAAF_PARTIAL_JSON_STRING:
        grow_string(partial, bytes, len);
        break;
    case RAAF_PARTIAL_JSON_CLOSE_STRING:
        partial->string = Qnil;
        break;
    case RAAF_PARTIAL_JSON_OPEN_OBJECT:
        open_container(self, partial, rb_hash_new());
        break;
    case RAAF_PARTIAL_JSON_OPEN_ARRAY:
        open_container(self, partial, rb_ary_new());
        break;
    case RAAF_PARTIAL_JSON_CLOSE_OBJECT:
    case RAAF_PARTIAL_JSON_CLOSE_ARRAY:
        rb_ary_pop(partial->open);
        break;
    }
}

/* Makes Ruby objects of what was noted. May raise, and [building] stays set then. */
static void build(VALUE self, partial_t *partial) {
    partial->building = true;
    while (partial->read < partial->noted.len) {
        noted_token_t head;
        const char *at = partial->noted.bytes + partial->read;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        partial->read += sizeof head + head.len + 1;
        take_token(self, partial, head.type, at, head.len);
    }
    partial->building = false;
    partial->read = 0;
    raaf_buffer_clear(&partial->noted, KEEP_BYTES);
}

/* ---- methods ---- */

static VALUE partial_alloc(VALUE class) {
    partial_t *partial;
    VALUE self = TypedData_Make_Struct(class, partial_t, &partial_type, partial);
    partial->root = partial->open = partial->key = partial->string = Qnil;
    partial->symbolize_names = true;
    raaf_buffer_init(&partial->noted, SIZE_MAX);
    raaf_partial_json_init(&partial->json, note_token, &partial->noted, 0, 0);
    RB_OBJ_WRITE(self, &partial->open, rb_ary_new());
    return self;
}

static size_t nesting(VALUE given) {
    if (given == Qundef) return RAAF_PARTIAL_JSON_DEPTH;
    long depth = NUM2LONG(given);
    if (depth < 1 || depth > RAAF_PARTIAL_JSON_MOST_DEPTH)
        rb_raise(rb_eArgError, "max_nesting must be from 1 to %d, not %ld",
                 RAAF_PARTIAL_JSON_MOST_DEPTH, depth);
    return (size_t)depth;
}

/*
 * @overload initialize(symbolize_names: true, max_nesting: 100)
 *   @param symbolize_names [Boolean] whether keys are Symbols; else frozen Strings
 *   @param max_nesting [Integer] objects and arrays within one another, 1 to 1024
 *   @raise [ArgumentError] for another max_nesting
 */
static VALUE partial_initialize(int argc, VALUE *argv, VALUE self) {
    static ID keywords[2];
    if (!keywords[0]) {
        keywords[0] = rb_intern("symbolize_names");
        keywords[1] = rb_intern("max_nesting");
    }
    VALUE options, values[2];
    rb_scan_args(argc, argv, ":", &options);
    rb_get_kwargs(options, keywords, 0, 2, values);
    partial_t *partial = get(self);
    if (partial->json.offset > 0) rb_raise(rb_eArgError, "a reader is made once");
    partial->json.max_depth = nesting(values[1]);
    partial->symbolize_names = values[0] == Qundef || RTEST(values[0]);
    return self;
}

static void check_whole(const partial_t *partial) {
    if (partial->building)
        rb_raaf_raise("Error", "the value cannot be built any further: a feed was broken off by an "
                               "exception, or is still running");
}

/*
 * Takes the next piece of the text, in UTF-8. What is no JSON raises nothing here: the value stays
 * as it is, {#failed?} and {#error} tell, and everything fed afterwards is ignored.
 *
 * @param text [String]
 * @return [self]
 * @raise [FrozenError] where somebody has frozen a part of the value that has to grow
 * @raise [Errors::Error] after an exception has broken a feed off: the value lacks something then
 */
static VALUE partial_feed(VALUE self, VALUE text) {
    partial_t *partial = get(self);
    StringValue(text);
    rb_check_frozen(self);
    check_whole(partial);
    partial->changed = false;
    /* Looked at anew in each round: Ruby may move a String, and others may change it. */
    for (long at = 0; at < RSTRING_LEN(text) && partial->json.result == RAAF_OK;) {
        long left = RSTRING_LEN(text) - at;
        long len = left < SLICE_BYTES ? left : SLICE_BYTES;
        raaf_partial_json_feed(&partial->json, RSTRING_PTR(text) + at, (size_t)len);
        at += len;
        build(self, partial);
    }
    RB_GC_GUARD(text);
    if (partial->json.result == RAAF_NO_MEMORY) rb_raaf_raise_code(RAAF_NO_MEMORY, "JSON");
    return self;
}

/*
 * What the text says so far. It is built in place: an object is the same Hash, an array the same
 * Array and a string the same String every time, and grows while text is fed. So it is for
 * reading; whoever wants to keep or change it makes a copy.
 *
 * A key is there once its value begins; a string grows by whole characters; a number, true, false
 * and null are there once they are whole. Of a key that comes twice the last value is kept.
 *
 * @return [Hash, Array, String, Integer, Float, Boolean, nil] nil before the value begins
 */
static VALUE partial_value(VALUE self) {
    return get(self)->root;
}

/* @return [Boolean] whether the last feed changed {#value}; half a key, or white space, does not */
static VALUE partial_changed_p(VALUE self) {
    return get(self)->changed ? Qtrue : Qfalse;
}

/*
 * @return [Boolean] whether the value is whole. A number that is not in an object or array is whole
 *   only at the {#finish}, or with white space behind it
 */
static VALUE partial_complete_p(VALUE self) {
    const partial_t *partial = get(self);
    return raaf_partial_json_complete(&partial->json) && !partial->building ? Qtrue : Qfalse;
}

/* @return [Boolean] whether what came is no JSON, or over a limit, or has ended too early */
static VALUE partial_failed_p(VALUE self) {
    const partial_t *partial = get(self);
    return partial->json.result != RAAF_OK || partial->building ? Qtrue : Qfalse;
}

/*
 * @return [String, nil] what is wrong, and at which byte of the text; nothing of the text itself.
 *   nil: nothing is
 */
static VALUE partial_error(VALUE self) {
    const partial_t *partial = get(self);
    const raaf_partial_json_t *json = &partial->json;
    if (partial->building) return rb_utf8_str_new_cstr("the value could not be built");
    switch (json->result) {
    case RAAF_OK:
        return Qnil;
    case RAAF_INVALID_JSON:
        return rb_sprintf("not valid JSON at byte %" PRIuSIZE ": expected %s", json->offset,
                          raaf_partial_json_expected(json));
    case RAAF_TRUNCATED:
        return rb_sprintf("the JSON ends too early, at byte %" PRIuSIZE ": expected %s",
                          json->offset, raaf_partial_json_expected(json));
    case RAAF_TOO_DEEP:
        return rb_sprintf("the JSON is nested deeper than %" PRIuSIZE " at byte %" PRIuSIZE,
                          json->max_depth, json->offset);
    case RAAF_EVENT_TOO_LARGE:
        return rb_sprintf("a key or number of the JSON is longer than %" PRIuSIZE
                          " bytes, at byte %" PRIuSIZE,
                          json->max_token, json->offset);
    default:
        return rb_utf8_str_new_cstr(raaf_result_code_text(json->result));
    }
}

/*
 * The text has ended.
 *
 * @return [Hash, Array, String, Integer, Float, Boolean, nil] the whole value
 * @raise [Errors::ProtocolError] where it is not whole, or what came is no JSON; {#value} is as far
 *   as it went
 */
static VALUE partial_finish(VALUE self) {
    partial_t *partial = get(self);
    check_whole(partial);
    partial->changed = false;
    raaf_partial_json_finish(&partial->json);
    build(self, partial);
    if (partial->json.result != RAAF_OK) {
        VALUE message = partial_error(self);
        rb_raaf_raise("ProtocolError", StringValueCStr(message));
    }
    return partial->root;
}

void rb_raaf_init_partial_json(void) {
    utf8 = rb_utf8_encoding();
    /*
     * Document-class: RAAF::Streaming::PartialJSON
     * JSON as it is written: fed in any pieces, it is a Ruby object at any time, which grows. For
     * the arguments of a tool call, or an answer in JSON, that shall be shown before they are
     * whole. The cost is that of reading the text once, however many pieces it comes in.
     *
     * The whole value is what `JSON.parse(text, symbolize_names: true)` makes of the same text,
     * also of 1e400, which is Infinity. It is stricter where RFC 8259 is (no comments, no unknown
     * escapes), and more patient with what models and networks do: of a key that comes twice the
     * last value is kept, a byte order mark at the start is skipped, and half a surrogate pair, or
     * bytes that are no UTF-8, are U+FFFD. A key or a number may have 64 KiB; strings have no limit
     * of their own.
     *
     * One thread at a time.
     *
     * @example
     *   json = RAAF::Streaming::PartialJSON.new
     *   json << '{"city":"Ro'
     *   json.value                   # => {city: "Ro"}
     *   json << 'me","days":1'
     *   json.value                   # => {city: "Rome"}, the same Hash
     *   json << "2}"
     *   json.finish                  # => {city: "Rome", days: 12}
     */
    cPartialJSON = rb_define_class_under(mStreaming, "PartialJSON", rb_cObject);
    rb_gc_register_mark_object(cPartialJSON);
    rb_define_alloc_func(cPartialJSON, partial_alloc);
    rb_undef_method(cPartialJSON, "initialize_copy");
    rb_define_method(cPartialJSON, "initialize", partial_initialize, -1);
    rb_define_method(cPartialJSON, "feed", partial_feed, 1);
    rb_define_method(cPartialJSON, "<<", partial_feed, 1);
    rb_define_method(cPartialJSON, "value", partial_value, 0);
    rb_define_method(cPartialJSON, "changed?", partial_changed_p, 0);
    rb_define_method(cPartialJSON, "complete?", partial_complete_p, 0);
    rb_define_method(cPartialJSON, "failed?", partial_failed_p, 0);
    rb_define_method(cPartialJSON, "error", partial_error, 0);
    rb_define_method(cPartialJSON, "finish", partial_finish, 0);
}
