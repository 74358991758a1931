/*
 * RAAF::Streaming::NativeStream: one model call, from the consumer's side.
 *
 * Its Ruby object holds one reference to the core's stream and the batch of chunks that was taken
 * last. At most one thread or fiber consumes at a time. Whatever ends the consumer early (break,
 * throw, raise, Thread#kill, Timeout) passes an ensure that cancels the transfer. The garbage
 * collector does the same for a stream that nobody holds; in another process than its own the
 * native part is left alone.
 *
 * Chunks do not hold that object but its source, which has another reference: so whoever keeps a
 * chunk and drops the stream keeps the words, and not the request.
 */
#include "rb_raaf.h"

#include "core/clock.h"
#include "core/result_code.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct source {
    raaf_stream_t *stream; /* one reference */
    VALUE context;         /* RunContext, or nil */
    pid_t pid;
} source_t;

typedef struct native {
    raaf_stream_t *stream; /* one reference */
    raaf_batch_t batch;    /* the consumer's; only touched while consuming is set */
    VALUE source;
    VALUE tool_calls; /* Array of the whole tool calls delivered so far, or nil */
    VALUE terminal;   /* the terminal Chunk, once it was taken */
    VALUE arguments;  /* PartialArguments, or nil: nobody asked for them */
    size_t delivered; /* bytes of the answer that were handed to the consumer */
    pid_t pid;
    bool submitted;
    bool consuming;
} native_t;

static VALUE cNative, cSource;
static VALUE sym_more, sym_idle;
static ID id_add_to;

static void source_mark(void *data) {
    rb_gc_mark_movable(((source_t *)data)->context);
}

static void source_compact(void *data) {
    source_t *source = data;
    source->context = rb_gc_location(source->context);
}

/* As native_free. */
static void source_free(void *data) {
    source_t *source = data;
    if (source->stream && source->pid == getpid()) raaf_stream_release(source->stream);
    xfree(source);
}

static size_t source_size(const void *data) {
    const source_t *source = data;
    return sizeof *source + (source->stream ? raaf_stream_memory(source->stream) : 0);
}

static const rb_data_type_t source_type = {
    .wrap_struct_name = "RAAF::Streaming::NativeStream source",
    .function = {source_mark, source_free, source_size, source_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static void native_mark(void *data) {
    native_t *native = data;
    rb_gc_mark_movable(native->source);
    rb_gc_mark_movable(native->tool_calls);
    rb_gc_mark_movable(native->terminal);
    rb_gc_mark_movable(native->arguments);
}

static void native_compact(void *data) {
    native_t *native = data;
    native->source = rb_gc_location(native->source);
    native->tool_calls = rb_gc_location(native->tool_calls);
    native->terminal = rb_gc_location(native->terminal);
    native->arguments = rb_gc_location(native->arguments);
}

/* The place of its run is free at once, whenever the reactor gets to it. */
static void cancel(const native_t *native) {
    if (!native->submitted) return;
    raaf_stream_ended(native->stream, false);
    raaf_reactor_post(native->stream, RAAF_COMMAND_CANCEL);
}

/*
 * Allocates nothing of Ruby's, and takes no lock under which anybody calls Ruby or waits: the
 * admission's covers pointer moves only.
 */
static void native_free(void *data) {
    native_t *native = data;
    if (native->stream && native->pid == getpid()) {
        cancel(native);
        raaf_batch_free(&native->batch);
        raaf_stream_release(native->stream);
    }
    xfree(native);
}

static size_t native_size(const void *data) {
    const native_t *native = data;
    return sizeof *native + native->batch.capacity * sizeof(raaf_chunk_t);
}

static const rb_data_type_t native_type = {
    .wrap_struct_name = "RAAF::Streaming::NativeStream",
    .function = {native_mark, native_free, native_size, native_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static native_t *get(VALUE self) {
    native_t *native;
    TypedData_Get_Struct(self, native_t, &native_type, native);
    return native;
}

/* NULL: it is known that it does not. */
static void check_here(const native_t *native) {
    if (!native || native->pid != getpid())
        rb_raaf_raise("ForkedError", "the stream was started before a fork, in the parent process; "
                                     "start a new one in this process");
}

static native_t *get_here(VALUE self) {
    native_t *native = get(self);
    check_here(native);
    return native;
}

raaf_stream_t *rb_raaf_stream_get(VALUE self) {
    return get_here(self)->stream;
}

VALUE rb_raaf_stream_context(VALUE source) {
    source_t *data;
    TypedData_Get_Struct(source, source_t, &source_type, data);
    return data->context;
}

/* Native memory is got last: nothing that raises comes between it and its owner. */
static VALUE source_new(VALUE context) {
    source_t *source;
    VALUE self = TypedData_Make_Struct(cSource, source_t, &source_type, source);
    source->context = Qnil;
    source->pid = getpid();
    RB_OBJ_WRITE(self, &source->context, context);
    return self;
}

static VALUE native_new(VALUE context) {
    native_t *native;
    rb_raaf_check_fork(); /* before anything is counted */
    VALUE self = TypedData_Make_Struct(cNative, native_t, &native_type, native);
    native->tool_calls = native->terminal = native->source = native->arguments = Qnil;
    native->pid = getpid();
    raaf_batch_init(&native->batch);
    RB_OBJ_WRITE(self, &native->source, source_new(context));
    return self;
}

/* Takes [request]. */
static void native_set_stream(VALUE self, raaf_request_t *request, uint64_t first_seq,
                              const native_t *before) {
    native_t *native = get(self);
    native->stream = raaf_stream_new(request, first_seq, before ? before->stream->content : NULL);
    if (!native->stream) rb_raaf_raise_code(RAAF_NO_MEMORY, "a stream");
    source_t *source = RTYPEDDATA_DATA(native->source);
    raaf_stream_retain(native->stream);
    source->stream = native->stream;
    native->delivered = native->stream->content_start;
}

VALUE rb_raaf_stream_detached(raaf_request_t *request, VALUE context) {
    VALUE self = native_new(context);
    native_set_stream(self, request, 1, NULL);
    return self;
}

/*
 * NativeStream.prepare(request Hash, RunContext, number of the first chunk, NativeStream or nil):
 * everything but the start. The last is one that has ended, and whose answer this one goes on with.
 * Raises ArgumentError for a request that cannot be sent.
 */
static VALUE native_prepare(VALUE class, VALUE hash, VALUE context, VALUE first_seq, VALUE before) {
    uint64_t first = NUM2ULL(first_seq);
    const native_t *ended = NIL_P(before) ? NULL : get_here(before);
    if (ended && NIL_P(ended->terminal)) rb_raise(rb_eArgError, "the stream before has not ended");
    VALUE self = native_new(context);
    native_set_stream(self, rb_raaf_request_new(hash), first, ended);
    RB_GC_GUARD(before);
    return self;
}

/* nil for a stream that has begun, or waits to; else the setting that it was refused for. */
static VALUE refusal(raaf_entry_t entry) {
    switch (entry) {
    case RAAF_ENTRY_GRANTED:
    case RAAF_ENTRY_WAITS:
        return Qnil;
    case RAAF_ENTRY_FULL:
        return ID2SYM(rb_intern("max_concurrent_streams"));
    case RAAF_ENTRY_USER_FULL:
        return ID2SYM(rb_intern("max_concurrent_streams_per_user"));
    case RAAF_ENTRY_QUEUE_FULL:
        return ID2SYM(rb_intern("max_queued_streams"));
    default:
        rb_raaf_raise_code(RAAF_NO_MEMORY, "a place");
    }
}

/*
 * start(Place of its run): begins, or has it wait for the place. Returns nil, or the setting
 * (Symbol) that it was refused for: then nothing has begun. By itself, so that whoever starts it
 * can hold it before, and end it whatever interrupts him. Raises ForkedError.
 */
static VALUE native_start(VALUE self, VALUE place) {
    native_t *native = get_here(self);
    raaf_place_t *own = rb_raaf_place_get(place);
    if (!own) check_here(NULL);
    if (native->submitted) return Qnil;
    raaf_reactor_t *reactor = rb_raaf_reactor();
    /* From here to the submission nobody else has the GVL. */
    if (!native->stream->place) raaf_stream_set_place(native->stream, own);
    raaf_entry_t entry = raaf_reactor_submit(reactor, native->stream);
    native->submitted = entry == RAAF_ENTRY_GRANTED || entry == RAAF_ENTRY_WAITS;
    RB_GC_GUARD(place);
    return refusal(entry);
}

/* ---- taking chunks ---- */

/*
 * Whether there is a chunk to work off now; takes the next batch if need be. The block may have
 * forked since: the batch is the child's to read, but the queue's mutex may be held for ever.
 */
static bool fill(native_t *native) {
    raaf_batch_t *batch = &native->batch;
    if (batch->next < batch->count) return true;
    check_here(native);
    bool wake_producer = false;
    size_t count = raaf_stream_queue_take(&native->stream->queue, batch, &wake_producer);
    if (wake_producer && native->submitted) raaf_reactor_post(native->stream, RAAF_COMMAND_RESUME);
    return count > 0;
}

static bool arm(void *context, int fd) {
    raaf_stream_t *stream = context;
    if (!raaf_stream_queue_arm(&stream->queue, fd)) return false;
    raaf_stream_retain(stream); /* until it is disarmed: the fiber may be dropped before */
    return true;
}

static void disarm(void *context, int fd) {
    raaf_stream_t *stream = context;
    raaf_stream_queue_disarm(&stream->queue);
    raaf_stream_release(stream);
}

/*
 * Finite and uneven: with no timeout async 2.24 on Ruby 3.1 loses the fiber, and many sleepers
 * should not wake in step.
 */
static double sleep_seconds(const native_t *native) {
    return 28.0 + (double)(native->stream->id % 40) / 10.0;
}

static void wait_for_chunks(native_t *native, double most) {
    rb_raaf_sleep_t sleep = {arm, disarm, native->stream};
    double seconds = sleep_seconds(native);
    rb_raaf_sleep(&sleep, most < seconds ? most : seconds);
}

static bool is_terminal(const raaf_chunk_t *item) {
    return item->type == RAAF_CHUNK_COMPLETE || item->type == RAAF_CHUNK_ERROR;
}

static void note_tool_call(VALUE self, native_t *native, VALUE chunk) {
    if (NIL_P(native->tool_calls)) RB_OBJ_WRITE(self, &native->tool_calls, rb_ary_new());
    rb_ary_push(native->tool_calls, chunk);
}

/* Makes the next item of the batch a Chunk. The terminal one stays unfrozen: its owner adds to it. */
static VALUE next_chunk(VALUE self, native_t *native, bool *terminal) {
    raaf_chunk_t *item = &native->batch.chunks[native->batch.next++];
    *terminal = is_terminal(item);
    int type = item->type;
    if (item->choice == 0 && item->text) native->delivered = item->text_len;
    VALUE chunk = rb_raaf_chunk_new(native->source, item);
    if (type == RAAF_CHUNK_TOOL_CALL) note_tool_call(self, native, chunk);
    if (type == RAAF_CHUNK_TOOL_CALL_DELTA && !NIL_P(native->arguments))
        rb_funcall(native->arguments, id_add_to, 1, chunk);
    if (*terminal)
        RB_OBJ_WRITE(self, &native->terminal, chunk);
    else
        RB_OBJ_FREEZE(chunk);
    return chunk;
}

static void claim(native_t *native) {
    if (native->consuming)
        rb_raaf_raise("Error", "the stream is already being consumed, by this or another thread");
    native->consuming = true;
}

/* At most some thirty years. */
static uint64_t nanoseconds(double seconds) {
    if (!(seconds > 0)) return 0;
    return (uint64_t)((seconds < 1e9 ? seconds : 1e9) * 1e9);
}

struct each_call {
    VALUE self;
    uint64_t until; /* RAAF_NEVER: no limit */
    bool late;
};

/* Whether there is something to work off; false once the time is over. */
static bool await(struct each_call *call, native_t *native) {
    while (!fill(native)) {
        uint64_t now = raaf_clock_now();
        call->late = now >= call->until;
        if (call->late) return false;
        wait_for_chunks(native, (double)(call->until - now) / 1e9);
    }
    return true;
}

static VALUE each_body(VALUE argument) {
    struct each_call *call = (struct each_call *)argument;
    native_t *native = get(call->self);
    while (await(call, native)) {
        while (native->batch.next < native->batch.count) {
            bool terminal;
            VALUE chunk = next_chunk(call->self, native, &terminal);
            if (terminal) return chunk;
            rb_yield(chunk);
        }
        rb_thread_check_ints();
    }
    return Qnil;
}

static VALUE each_ensure(VALUE argument) {
    struct each_call *call = (struct each_call *)argument;
    native_t *native = get(call->self);
    native->consuming = false;
    bool here = native->pid == getpid(); /* the block may have forked */
    if (NIL_P(native->terminal) && !call->late && here) cancel(native);
    return Qnil;
}

/*
 * each(seconds or nil) { |chunk| … }: yields every chunk but the terminal one, which it returns;
 * waits for them, and returns nil when the time is over. Leaving early cancels. Raises ForkedError,
 * and Error if another consumes already.
 */
static VALUE native_each(VALUE self, VALUE seconds) {
    native_t *native = get_here(self);
    struct each_call call = {self, RAAF_NEVER, false};
    if (!NIL_P(seconds)) call.until = raaf_clock_now() + nanoseconds(NUM2DBL(seconds));
    if (!NIL_P(native->terminal)) return native->terminal;
    claim(native);
    return rb_ensure(each_body, (VALUE)&call, each_ensure, (VALUE)&call);
}

struct drain_call {
    VALUE self;
    long most;
    uint64_t until;
};

static VALUE drain_body(VALUE argument) {
    struct drain_call *call = (struct drain_call *)argument;
    native_t *native = get(call->self);
    for (long i = 0; i < call->most && fill(native); i++) {
        bool terminal;
        VALUE chunk = next_chunk(call->self, native, &terminal);
        if (terminal) return chunk;
        rb_yield(chunk);
        if (raaf_clock_now() >= call->until) break;
    }
    check_here(native); /* as in fill */
    bool more =
        native->batch.next < native->batch.count || raaf_stream_queue_ready(&native->stream->queue);
    return more ? sym_more : sym_idle;
}

static VALUE drain_ensure(VALUE argument) {
    get(((struct drain_call *)argument)->self)->consuming = false;
    return Qnil;
}

/*
 * drain(most, seconds) { |chunk| … }: yields what is there, at most so many chunks and for so
 * long, without waiting. Returns :more, :idle or the terminal Chunk.
 */
static VALUE native_drain(VALUE self, VALUE most, VALUE seconds) {
    native_t *native = get_here(self);
    if (!NIL_P(native->terminal)) return native->terminal;
    struct drain_call call = {self, NUM2LONG(most), 0};
    call.until = raaf_clock_now() + nanoseconds(NUM2DBL(seconds));
    claim(native);
    return rb_ensure(drain_body, (VALUE)&call, drain_ensure, (VALUE)&call);
}

VALUE rb_raaf_stream_take_all(VALUE self) {
    native_t *native = get_here(self);
    VALUE chunks = rb_ary_new();
    claim(native);
    while (fill(native)) {
        bool terminal;
        rb_ary_push(chunks, next_chunk(self, native, &terminal));
    }
    native->consuming = false;
    return chunks;
}

/* Ends the transfer; the consumer gets its terminal chunk. Any thread, any number of times. */
static VALUE native_cancel(VALUE self) {
    native_t *native = get(self);
    if (native->pid == getpid()) cancel(native);
    return self;
}

/* As cancel, for a run that goes on with another stream: it keeps its place. */
static VALUE native_interrupt(VALUE self) {
    native_t *native = get(self);
    if (native->pid != getpid() || !native->submitted) return self;
    atomic_store(&native->stream->keep_place, true);
    raaf_reactor_post(native->stream, RAAF_COMMAND_CANCEL);
    return self;
}

/* ---- what is known about it ---- */

static VALUE native_id(VALUE self) {
    return ULL2NUM(get(self)->stream->id);
}

VALUE rb_raaf_stage_symbol(raaf_stage_t stage) {
    static const char *const names[] = {"new",     "queued",    "connecting",
                                        "waiting", "streaming", "ended"};
    return ID2SYM(rb_intern(names[stage]));
}

/* Symbol: see rb_raaf_stage_symbol */
static VALUE native_stage(VALUE self) {
    int stage = atomic_load_explicit(&get(self)->stream->stage, memory_order_acquire);
    return rb_raaf_stage_symbol((raaf_stage_t)stage);
}

/* @return [Integer] bytes of the body so far */
static VALUE native_bytes_received(VALUE self) {
    return ULL2NUM(atomic_load(&get(self)->stream->bytes_received));
}

static VALUE copy_text(const raaf_text_t *text, size_t len) {
    VALUE string = rb_enc_str_new(NULL, (long)len, rb_utf8_encoding());
    if (text) raaf_text_copy(text, RSTRING_PTR(string), len);
    return string;
}

/* The answer as far as it was handed to the consumer. */
static VALUE native_delivered_text(VALUE self) {
    native_t *native = get(self);
    VALUE text = copy_text(native->stream->content, native->delivered);
    RB_GC_GUARD(self);
    return text;
}

/* Of that, what belongs to this model call and not to one before it. */
static VALUE native_turn_text(VALUE self) {
    native_t *native = get(self);
    size_t start = native->stream->content_start;
    VALUE text = native_delivered_text(self);
    VALUE own = rb_enc_str_new(RSTRING_PTR(text) + start, RSTRING_LEN(text) - (long)start,
                               rb_utf8_encoding());
    RB_GC_GUARD(text);
    return own;
}

/* @return [Chunk, nil] the terminal chunk, once it was taken */
static VALUE native_terminal(VALUE self) {
    return get(self)->terminal;
}

/* Who sets the arguments of each :tool_call_delta chunk, by add_to(chunk); nil: nobody. */
static VALUE native_set_partial_arguments(VALUE self, VALUE arguments) {
    RB_OBJ_WRITE(self, &get(self)->arguments, arguments);
    return arguments;
}

/* @return [Array<Chunk>] the whole tool calls that were delivered so far */
static VALUE native_tool_calls(VALUE self) {
    VALUE calls = get(self)->tool_calls;
    return NIL_P(calls) ? rb_ary_new() : calls;
}

/* For what a server wrote and the core did not look into: whatever it is, valid UTF-8 comes out. */
static VALUE foreign_string(const char *bytes, size_t len) {
    VALUE string = rb_enc_str_new(bytes, (long)len, rb_utf8_encoding());
    bool broken = rb_enc_str_coderange(string) == ENC_CODERANGE_BROKEN;
    return broken ? rb_funcall(string, rb_intern("scrub"), 0) : string;
}

static VALUE buffer_or_nil(const raaf_buffer_t *buffer) {
    return buffer->len ? foreign_string(buffer->bytes, buffer->len) : Qnil;
}

/* A JSON array, or nil. */
static VALUE parts_json(const raaf_buffer_t *parts) {
    if (!parts->len) return Qnil;
    VALUE json = rb_utf8_str_new_cstr("[");
    rb_str_cat(json, parts->bytes, (long)parts->len);
    return rb_str_cat_cstr(json, "]");
}

static VALUE text_or_nil(const raaf_text_t *text) {
    return text ? copy_text(text, raaf_text_len(text)) : Qnil;
}

static void set(VALUE hash, const char *key, VALUE value) {
    rb_hash_aset(hash, ID2SYM(rb_intern(key)), value);
}

static VALUE headers_hash(const raaf_buffer_t *headers) {
    VALUE hash = rb_hash_new();
    const char *at = headers->bytes, *end = at + headers->len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *colon = memchr(at, ':', (size_t)(line_end - at));
        VALUE name = foreign_string(at, (size_t)(colon - at));
        VALUE value = foreign_string(colon + 2, (size_t)(line_end - colon - 2));
        rb_hash_aset(hash, name, value);
        at = line_end + 1;
    }
    return hash;
}

/* "RAAF_FIRST_TOKEN_TIMEOUT" → :first_token_timeout */
static VALUE code_symbol(int code) {
    const char *name = raaf_result_code_name(code) + strlen("RAAF_");
    char lower[64];
    size_t i = 0;
    for (; name[i] && i < sizeof lower - 1; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + ('a' - 'A')) : name[i];
    return ID2SYM(rb_intern2(lower, (long)i));
}

static VALUE seconds_since(uint64_t from, uint64_t at) {
    return from && at > from ? DBL2NUM((double)(at - from) / 1e9) : Qnil;
}

static void set_timings(VALUE hash, const raaf_outcome_t *outcome) {
    VALUE timings = rb_hash_new();
    set(timings, "connected", seconds_since(outcome->started_at, outcome->connected_at));
    set(timings, "first_byte", seconds_since(outcome->started_at, outcome->first_byte_at));
    set(timings, "first_token", seconds_since(outcome->started_at, outcome->first_token_at));
    set(timings, "total", seconds_since(outcome->started_at, outcome->ended_at));
    set(hash, "timings", timings);
}

static void set_error(VALUE hash, const raaf_outcome_t *outcome) {
    set(hash, "code", code_symbol(outcome->code));
    set(hash, "text", rb_utf8_str_new_cstr(raaf_result_code_text(outcome->code)));
    set(hash, "detail",
        outcome->detail[0] ? foreign_string(outcome->detail, strlen(outcome->detail)) : Qnil);
    set(hash, "http_status", outcome->http_status ? LONG2NUM(outcome->http_status) : Qnil);
    set(hash, "headers", headers_hash(&outcome->headers));
    set(hash, "body", buffer_or_nil(&outcome->body));
    set(hash, "retry_after_ms",
        outcome->retry_after_ms < 0 ? Qnil : LL2NUM(outcome->retry_after_ms));
    set(hash, "error_message", buffer_or_nil(&outcome->error_message));
    set(hash, "error_type", buffer_or_nil(&outcome->error_type));
    set(hash, "error_code", buffer_or_nil(&outcome->error_code));
    set(hash, "error_param", buffer_or_nil(&outcome->error_param));
    set(hash, "error_json", buffer_or_nil(&outcome->error_json));
}

/*
 * What happened, as a Hash (keys: see lib/raaf/streaming/error_factory.rb; besides finish_reason,
 * usage, usage_json, parts, reasoning, refusal, choices, finish_reasons, events, malformed_events,
 * attempts, answered: whether something of the answer came, timings).
 * nil before the terminal chunk was taken.
 */
static VALUE native_outcome(VALUE self) {
    native_t *native = get_here(self);
    if (NIL_P(native->terminal)) return Qnil;
    const raaf_stream_t *stream = native->stream;
    const raaf_outcome_t *outcome = &stream->outcome;
    VALUE hash = rb_hash_new(), choices = rb_hash_new(), reasons = rb_hash_new();
    set_error(hash, outcome);
    set_timings(hash, outcome);
    set(hash, "finish_reason", buffer_or_nil(&stream->choices[0].finish_reason));
    set(hash, "usage", outcome->has_usage ? rb_raaf_usage_hash(&outcome->usage) : Qnil);
    set(hash, "parts", parts_json(&outcome->parts));
    set(hash, "usage_json", buffer_or_nil(&outcome->usage_json));
    set(hash, "reasoning", text_or_nil(stream->choices[0].reasoning));
    set(hash, "refusal", text_or_nil(stream->choices[0].refusal));
    for (size_t i = 0; i < stream->choice_count; i++) {
        const raaf_choice_t *choice = &stream->choices[i];
        rb_hash_aset(choices, UINT2NUM(choice->index), text_or_nil(choice->content));
        rb_hash_aset(reasons, UINT2NUM(choice->index), buffer_or_nil(&choice->finish_reason));
    }
    set(hash, "choices", choices);
    set(hash, "finish_reasons", reasons);
    set(hash, "last_seq", ULL2NUM(stream->seq));
    set(hash, "events", ULL2NUM(outcome->events));
    set(hash, "malformed_events", ULL2NUM(outcome->malformed_events));
    set(hash, "attempts", SIZET2NUM(outcome->attempts));
    set(hash, "answered", outcome->first_token_at ? Qtrue : Qfalse);
    RB_GC_GUARD(self);
    return hash;
}

/* Whether the stream belongs to this process. */
static VALUE native_here_p(VALUE self) {
    return get(self)->pid == getpid() ? Qtrue : Qfalse;
}

void rb_raaf_init_stream(void) {
    sym_more = ID2SYM(rb_intern("more"));
    sym_idle = ID2SYM(rb_intern("idle"));
    id_add_to = rb_intern("add_to");
    /*
     * Document-class: RAAF::Streaming::NativeStream
     * One model call, from the consumer's side. Applications use RAAF::Streaming::Stream.
     *
     * @api private
     */
    cNative = rb_define_class_under(mStreaming, "NativeStream", rb_cObject);
    rb_gc_register_mark_object(cNative);
    rb_undef_alloc_func(cNative);
    cSource = rb_class_new(rb_cObject);
    rb_undef_alloc_func(cSource);
    rb_gc_register_mark_object(cSource);
    rb_define_singleton_method(cNative, "prepare", native_prepare, 4);
    rb_define_method(cNative, "start", native_start, 1);
    rb_define_method(cNative, "each", native_each, 1);
    rb_define_method(cNative, "drain", native_drain, 2);
    rb_define_method(cNative, "cancel", native_cancel, 0);
    rb_define_method(cNative, "interrupt", native_interrupt, 0);
    rb_define_method(cNative, "id", native_id, 0);
    rb_define_method(cNative, "stage", native_stage, 0);
    rb_define_method(cNative, "bytes_received", native_bytes_received, 0);
    rb_define_method(cNative, "delivered_text", native_delivered_text, 0);
    rb_define_method(cNative, "turn_text", native_turn_text, 0);
    rb_define_method(cNative, "terminal", native_terminal, 0);
    rb_define_method(cNative, "tool_calls", native_tool_calls, 0);
    rb_define_method(cNative, "partial_arguments=", native_set_partial_arguments, 1);
    rb_define_method(cNative, "outcome", native_outcome, 0);
    rb_define_method(cNative, "here?", native_here_p, 0);
}
