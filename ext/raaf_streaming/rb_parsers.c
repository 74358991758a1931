/*
 * The parsers by themselves, for tests and tools: bytes in, events or chunks out.
 *
 *   RAAF::Streaming::SSEParser   bytes → events
 *   RAAF::Streaming::Decoder     bytes → Chunks, through a dialect: the very path of a stream
 *
 * The core's parsers call back while they read, and Ruby may raise at any allocation. So the
 * callbacks only note what they are given; Ruby objects are made when the parser has returned.
 */
#include "rb_raaf.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/decoder.h"
#include "core/delivery.h"
#include "core/result_code.h"
#include "core/sse_parser.h"

/* ---- SSEParser ---- */

/* An event as noted: four lengths, then its bytes, behind one another in a buffer. */
typedef struct noted_event {
    size_t type_len, data_len, id_len;
    int64_t retry_ms;
} noted_event_t;

typedef struct sse {
    raaf_sse_parser_t parser;
    raaf_buffer_t noted;
    size_t read; /* bytes of [noted] that are Ruby objects already */
} sse_t;

static VALUE cSSEParser, cEvent;

static void sse_free(void *data) {
    sse_t *sse = data;
    raaf_sse_parser_free(&sse->parser);
    raaf_buffer_free(&sse->noted);
    xfree(sse);
}

static size_t sse_size(const void *data) {
    const sse_t *sse = data;
    return sizeof *sse + sse->noted.capacity + sse->parser.line.capacity +
           sse->parser.data.capacity;
}

static const rb_data_type_t sse_type = {
    .wrap_struct_name = "RAAF::Streaming::SSEParser",
    .function = {NULL, sse_free, sse_size, NULL},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static sse_t *sse_get(VALUE self) {
    sse_t *sse;
    TypedData_Get_Struct(self, sse_t, &sse_type, sse);
    return sse;
}

static int note_event(void *context, const raaf_sse_event_t *event) {
    raaf_buffer_t *noted = context;
    noted_event_t head = {event->type_len, event->data_len, event->id_len, event->retry_ms};
    size_t before = noted->len;
    int result = raaf_buffer_append(noted, (const char *)&head, sizeof head);
    if (result == RAAF_OK) result = raaf_buffer_append(noted, event->type, event->type_len);
    if (result == RAAF_OK) result = raaf_buffer_append(noted, event->data, event->data_len);
    if (result == RAAF_OK) result = raaf_buffer_append(noted, event->id, event->id_len);
    if (result != RAAF_OK) noted->len = before;
    return result;
}

static VALUE sse_alloc(VALUE class) {
    sse_t *sse;
    VALUE self = TypedData_Make_Struct(class, sse_t, &sse_type, sse);
    raaf_buffer_init(&sse->noted, (size_t)256 << 20);
    raaf_sse_parser_init(&sse->parser, note_event, &sse->noted, 0, 0);
    return self;
}

/*
 * @overload initialize(max_line: 8388608, max_event: 16777216)
 *   @param max_line [Integer] bytes of one line; more is a ProtocolError
 *   @param max_event [Integer] bytes of one event's data; more is a ProtocolError
 */
static VALUE sse_initialize(int argc, VALUE *argv, VALUE self) {
    static ID keywords[2];
    if (!keywords[0]) {
        keywords[0] = rb_intern("max_line");
        keywords[1] = rb_intern("max_event");
    }
    VALUE options, values[2];
    rb_scan_args(argc, argv, ":", &options);
    rb_get_kwargs(options, keywords, 0, 2, values);
    sse_t *sse = sse_get(self);
    size_t max_line = values[0] == Qundef ? 0 : NUM2SIZET(values[0]);
    size_t max_event = values[1] == Qundef ? 0 : NUM2SIZET(values[1]);
    raaf_sse_parser_free(&sse->parser);
    raaf_sse_parser_init(&sse->parser, note_event, &sse->noted, max_line, max_event);
    return self;
}

static VALUE text(const char *bytes, size_t len) {
    return rb_enc_str_new(bytes, (long)len, rb_utf8_encoding());
}

static VALUE read_event(sse_t *sse) {
    noted_event_t head;
    const char *at = sse->noted.bytes + sse->read;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    VALUE type = head.type_len ? text(at, head.type_len) : text("message", 7);
    at += head.type_len;
    VALUE data = text(at, head.data_len);
    at += head.data_len;
    VALUE id = text(at, head.id_len);
    at += head.id_len;
    sse->read = (size_t)(at - sse->noted.bytes);
    return rb_struct_new(cEvent, type, data, id, head.retry_ms < 0 ? Qnil : LL2NUM(head.retry_ms));
}

static VALUE read_events(VALUE self) {
    sse_t *sse = sse_get(self);
    VALUE events = rb_ary_new();
    while (sse->read < sse->noted.len)
        rb_ary_push(events, read_event(sse));
    sse->read = 0;
    raaf_buffer_clear(&sse->noted, (size_t)1 << 20);
    return events;
}

/*
 * Takes the next bytes of the stream.
 *
 * @param bytes [String]
 * @return [Array<Event>] the events they complete
 * @raise [Errors::ProtocolError] over a limit; nothing can be fed afterwards
 */
static VALUE sse_feed(VALUE self, VALUE bytes) {
    StringValue(bytes);
    int result =
        raaf_sse_parser_feed(&sse_get(self)->parser, RSTRING_PTR(bytes), RSTRING_LEN(bytes));
    RB_GC_GUARD(bytes);
    if (result < 0) rb_raaf_raise_code(result, "the event stream");
    return read_events(self);
}

/*
 * The input has ended.
 *
 * @return [Array<Event>] the last event, if its blank line is missing
 * @raise [Errors::ProtocolError] over a limit
 */
static VALUE sse_finish(VALUE self) {
    int result = raaf_sse_parser_finish(&sse_get(self)->parser);
    if (result < 0) rb_raaf_raise_code(result, "the event stream");
    return read_events(self);
}

/* ---- Decoder ---- */

typedef struct decoder {
    VALUE native; /* NativeStream that nobody runs: its queue and texts hold the chunks */
    raaf_delivery_t delivery;
    raaf_decoder_t decoder;
    bool ready;
    bool ended;
} decoder_t;

static VALUE cDecoder;

static void decoder_mark(void *data) {
    rb_gc_mark_movable(((decoder_t *)data)->native);
}

static void decoder_compact(void *data) {
    decoder_t *decoder = data;
    decoder->native = rb_gc_location(decoder->native);
}

static void decoder_free(void *data) {
    decoder_t *decoder = data;
    if (decoder->ready) {
        raaf_decoder_free(&decoder->decoder);
        raaf_delivery_free(&decoder->delivery);
    }
    xfree(decoder);
}

static const rb_data_type_t decoder_type = {
    .wrap_struct_name = "RAAF::Streaming::Decoder",
    .function = {decoder_mark, decoder_free, NULL, decoder_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static decoder_t *decoder_get(VALUE self) {
    decoder_t *decoder;
    TypedData_Get_Struct(self, decoder_t, &decoder_type, decoder);
    return decoder;
}

static VALUE decoder_alloc(VALUE class) {
    decoder_t *decoder;
    VALUE self = TypedData_Make_Struct(class, decoder_t, &decoder_type, decoder);
    decoder->native = Qnil;
    return self;
}

static raaf_request_limits_t decoder_limits(bool skip_malformed) {
    return (raaf_request_limits_t){
        .coalesce_ns = RAAF_NEVER,
        .queue_items = SIZE_MAX,
        .queue_bytes = SIZE_MAX,
        .max_text = (size_t)64 << 20,
        .retain_text = true,
        .skip_malformed = skip_malformed,
    };
}

static bool is_set(VALUE flag) {
    return flag != Qundef && RTEST(flag);
}

static void raise_unknown(VALUE name) {
    VALUE known = rb_ary_new();
    for (size_t i = 0; raaf_dialect_name_at(i); i++)
        rb_ary_push(known, rb_str_new_cstr(raaf_dialect_name_at(i)));
    rb_raise(rb_eArgError, "unknown dialect: %" PRIsVALUE " (known: %" PRIsVALUE ")", name,
             rb_ary_join(known, rb_str_new_cstr(", ")));
}

/*
 * @overload initialize(dialect = :openai_chat, skip_malformed: false, raw_events: false)
 *   @param dialect [Symbol]
 *   @param skip_malformed [Boolean] count events that are malformed, instead of failing
 *   @param raw_events [Boolean] hand over events that the dialect does not know, as :raw chunks
 *   @raise [ArgumentError] for an unknown dialect
 */
static VALUE decoder_initialize(int argc, VALUE *argv, VALUE self) {
    static ID keywords[2];
    if (!keywords[0]) {
        keywords[0] = rb_intern("skip_malformed");
        keywords[1] = rb_intern("raw_events");
    }
    VALUE name, options, flags[2];
    rb_scan_args(argc, argv, "01:", &name, &options);
    rb_get_kwargs(options, keywords, 0, 2, flags);
    name = NIL_P(name) ? rb_str_new_cstr("openai_chat") : rb_String(name);
    const raaf_dialect_t *dialect = raaf_dialect_find(StringValueCStr(name));
    if (!dialect) raise_unknown(name);
    decoder_t *decoder = decoder_get(self);
    if (decoder->ready) rb_raise(rb_eArgError, "a decoder is made once");
    raaf_request_t *request = raaf_request_new(dialect);
    if (!request) rb_raaf_raise_code(RAAF_NO_MEMORY, "a decoder");
    request->limits = decoder_limits(is_set(flags[0]));
    RB_OBJ_WRITE(self, &decoder->native, rb_raaf_stream_detached(request, Qnil));
    raaf_delivery_init(&decoder->delivery, rb_raaf_stream_get(decoder->native));
    int result = raaf_decoder_init(&decoder->decoder, dialect, raaf_delivery_delta,
                                   &decoder->delivery, 0, 0);
    if (result != RAAF_OK) rb_raaf_raise_code(result, "a decoder");
    decoder->decoder.skip_malformed = request->limits.skip_malformed;
    decoder->decoder.raw_events = is_set(flags[1]);
    decoder->ready = true;
    return self;
}

static void decoder_end(decoder_t *decoder, int code) {
    raaf_stream_t *stream = decoder->delivery.stream;
    stream->outcome.events = decoder->decoder.events;
    stream->outcome.malformed_events = decoder->decoder.malformed_events;
    decoder->ended = true;
    raaf_delivery_end(&decoder->delivery, code);
}

static decoder_t *decoder_open(VALUE self) {
    decoder_t *decoder = decoder_get(self);
    if (!decoder->ready) rb_raise(rb_eArgError, "the decoder was not initialized");
    return decoder;
}

/*
 * Takes the next bytes of the body. After the provider's terminal mark, or an error, the last chunk
 * is the terminal one, and later bytes are ignored.
 *
 * @param bytes [String]
 * @return [Array<Chunk>]
 */
static VALUE decoder_feed(VALUE self, VALUE bytes) {
    decoder_t *decoder = decoder_open(self);
    StringValue(bytes);
    if (decoder->ended) return rb_ary_new();
    int result = raaf_decoder_feed(&decoder->decoder, RSTRING_PTR(bytes), RSTRING_LEN(bytes));
    RB_GC_GUARD(bytes);
    if (result == RAAF_STOP)
        result = raaf_decoder_finish(&decoder->decoder, false);
    else if (result == RAAF_OK)
        return rb_raaf_stream_take_all(decoder->native);
    decoder_end(decoder, result);
    return rb_raaf_stream_take_all(decoder->native);
}

/*
 * The input has ended.
 *
 * @return [Array<Chunk>] what was kept back, and the terminal chunk; [] if that came before
 */
static VALUE decoder_finish(VALUE self) {
    decoder_t *decoder = decoder_open(self);
    if (decoder->ended) return rb_ary_new();
    decoder_end(decoder, raaf_decoder_finish(&decoder->decoder, true));
    return rb_raaf_stream_take_all(decoder->native);
}

/* @return [Hash, nil] what happened (see NativeStream#outcome); nil before the terminal chunk */
static VALUE decoder_outcome(VALUE self) {
    return rb_funcall(decoder_open(self)->native, rb_intern("outcome"), 0);
}

/* @return [Symbol] how far the answer is: :open, :finished, :settled (usage came too) or :done */
static VALUE decoder_progress(VALUE self) {
    static const char *const names[] = {"open", "finished", "settled", "done"};
    return ID2SYM(rb_intern(names[raaf_decoder_progress(&decoder_open(self)->decoder)]));
}

void rb_raaf_init_parsers(void) {
    /*
     * Document-class: RAAF::Streaming::SSEParser
     * Server-sent events as the WHATWG HTML standard defines them, fed in any pieces: the native
     * parser by itself, for tests and tools. One thread at a time.
     *
     * @example
     *   parser = RAAF::Streaming::SSEParser.new
     *   parser.feed("data: hel")     # => []
     *   parser.feed("lo\n\n")        # => [#<struct … type="message", data="hello", …>]
     */
    cSSEParser = rb_define_class_under(mStreaming, "SSEParser", rb_cObject);
    rb_gc_register_mark_object(cSSEParser);
    rb_define_alloc_func(cSSEParser, sse_alloc);
    rb_define_method(cSSEParser, "initialize", sse_initialize, -1);
    rb_define_method(cSSEParser, "feed", sse_feed, 1);
    rb_define_method(cSSEParser, "finish", sse_finish, 0);
    cEvent = rb_struct_define_under(cSSEParser, "Event", "type", "data", "id", "retry_ms", NULL);
    rb_gc_register_mark_object(cEvent);
    /*
     * Document-class: RAAF::Streaming::Decoder
     * A response body through a dialect to chunks: the very path of a stream, without a socket. For
     * tests and tools. One thread at a time.
     *
     * @example
     *   decoder = RAAF::Streaming::Decoder.new(:openai_chat)
     *   decoder.feed(File.binread("recorded.sse")).map(&:delta).join
     *   decoder.finish
     *   decoder.outcome[:code]       # => :ok, :truncated …
     */
    cDecoder = rb_define_class_under(mStreaming, "Decoder", rb_cObject);
    rb_gc_register_mark_object(cDecoder);
    rb_define_alloc_func(cDecoder, decoder_alloc);
    rb_define_method(cDecoder, "initialize", decoder_initialize, -1);
    rb_define_method(cDecoder, "feed", decoder_feed, 1);
    rb_define_method(cDecoder, "finish", decoder_finish, 0);
    rb_define_method(cDecoder, "outcome", decoder_outcome, 0);
    rb_define_method(cDecoder, "progress", decoder_progress, 0);
}
