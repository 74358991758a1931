/*
 * RAAF::Streaming::Chunk, the native part: where the words are, made into Strings when asked.
 *
 * A chunk from a stream holds the item that lay in the queue and its stream; a chunk made in Ruby
 * holds a Hash of attributes. A copy that was changed holds both, and the Hash wins. Chunks from a
 * stream are frozen (several handlers may see them); dup gives one that is not.
 */
#include "rb_raaf.h"

#include <string.h>

typedef struct chunk {
    raaf_chunk_t item;
    VALUE owner;      /* a NativeStream's source; nil for a chunk made in Ruby */
    VALUE attributes; /* Hash; nil for a chunk nobody changed */
} chunk_t;

static VALUE cChunk;
static VALUE type_symbols[RAAF_CHUNK_TYPE_COUNT];
static VALUE sym_type, sym_delta, sym_cumulative, sym_seq, sym_choice, sym_content;
static VALUE known_attributes; /* frozen Hash: Symbol => true */
static rb_encoding *utf8;

static void chunk_mark(void *data) {
    chunk_t *chunk = data;
    rb_gc_mark_movable(chunk->owner);
    rb_gc_mark_movable(chunk->attributes);
}

static void chunk_compact(void *data) {
    chunk_t *chunk = data;
    chunk->owner = rb_gc_location(chunk->owner);
    chunk->attributes = rb_gc_location(chunk->attributes);
}

static void chunk_free(void *data) {
    chunk_t *chunk = data;
    raaf_chunk_free(&chunk->item);
    xfree(chunk);
}

static size_t chunk_size(const void *data) {
    const chunk_t *chunk = data;
    return sizeof *chunk + raaf_chunk_memory(&chunk->item);
}

static const rb_data_type_t chunk_type = {
    .wrap_struct_name = "RAAF::Streaming::Chunk",
    .function = {chunk_mark, chunk_free, chunk_size, chunk_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static chunk_t *get(VALUE self) {
    chunk_t *chunk;
    TypedData_Get_Struct(self, chunk_t, &chunk_type, chunk);
    return chunk;
}

static VALUE chunk_alloc(VALUE class) {
    chunk_t *chunk;
    VALUE self = TypedData_Make_Struct(class, chunk_t, &chunk_type, chunk);
    chunk->owner = Qnil;
    chunk->attributes = Qnil;
    chunk->item.bytes = "";
    return self;
}

VALUE rb_raaf_chunk_new(VALUE owner, raaf_chunk_t *item) {
    VALUE self = chunk_alloc(cChunk);
    chunk_t *chunk = RTYPEDDATA_DATA(self);
    chunk->item = *item;
    item->payload = NULL;
    RB_OBJ_WRITE(self, &chunk->owner, owner);
    return self;
}

static bool is_chunk(VALUE object) {
    return RB_TYPE_P(object, T_DATA) && RTYPEDDATA_P(object) && RBASIC_CLASS(object) == cChunk;
}

/* The attribute set from Ruby, or Qundef. */
static VALUE attribute(const chunk_t *chunk, VALUE name) {
    return NIL_P(chunk->attributes) ? Qundef : rb_hash_lookup2(chunk->attributes, name, Qundef);
}

static VALUE string(const char *bytes, size_t len) {
    return rb_enc_str_new(bytes, (long)len, utf8);
}

/* @return [Symbol] what the chunk is */
static VALUE chunk_get_type(VALUE self) {
    chunk_t *chunk = get(self);
    VALUE set = attribute(chunk, sym_type);
    return set == Qundef ? type_symbols[chunk->item.type] : set;
}

static VALUE chunk_content_p(VALUE self) {
    return chunk_get_type(self) == sym_content ? Qtrue : Qfalse;
}

/* @return [String] the new piece of text; "" where the chunk brings none */
static VALUE chunk_get_delta(VALUE self) {
    chunk_t *chunk = get(self);
    VALUE set = attribute(chunk, sym_delta);
    if (set != Qundef) return set;
    VALUE delta = string(chunk->item.bytes, chunk->item.len);
    RB_GC_GUARD(self);
    return delta;
}

/* @return [String] the text of the whole answer up to and including this chunk */
static VALUE chunk_get_cumulative(VALUE self) {
    chunk_t *chunk = get(self);
    VALUE set = attribute(chunk, sym_cumulative);
    if (set != Qundef) return set;
    VALUE text = string(NULL, chunk->item.text ? chunk->item.text_len : 0);
    if (chunk->item.text) raaf_text_copy(chunk->item.text, RSTRING_PTR(text), chunk->item.text_len);
    RB_GC_GUARD(self);
    return text;
}

bool rb_raaf_chunk_read(VALUE object, rb_raaf_piece_t *piece) {
    if (!is_chunk(object)) return false;
    const chunk_t *chunk = RTYPEDDATA_DATA(object);
    const VALUE type = attribute(chunk, sym_type);
    piece->content = type == Qundef ? chunk->item.type == RAAF_CHUNK_CONTENT : type == sym_content;
    piece->text = (raaf_slice_t){chunk->item.bytes, chunk->item.len};
    piece->string = piece->content ? attribute(chunk, sym_delta) : Qundef;
    return true;
}

static VALUE chunk_get_seq(VALUE self) {
    chunk_t *chunk = get(self);
    VALUE set = attribute(chunk, sym_seq);
    if (set != Qundef) return set;
    return chunk->item.seq ? ULL2NUM(chunk->item.seq) : Qnil;
}

static VALUE chunk_get_choice(VALUE self) {
    chunk_t *chunk = get(self);
    VALUE set = attribute(chunk, sym_choice);
    return set == Qundef ? UINT2NUM(chunk->item.choice) : set;
}

static VALUE slice_or_nil(raaf_slice_t slice) {
    return slice.len ? string(slice.bytes, slice.len) : Qnil;
}

/* nil, or [index, id or nil, name or nil, arguments as sent] */
static VALUE chunk_native_tool(VALUE self) {
    const raaf_chunk_payload_t *payload = get(self)->item.payload;
    if (!payload) return Qnil;
    VALUE id = slice_or_nil(payload->tool_id), name = slice_or_nil(payload->tool_name);
    VALUE arguments = string(payload->text.bytes, payload->text.len);
    RB_GC_GUARD(self);
    return rb_ary_new_from_args(4, LL2NUM(payload->tool_index), id, name, arguments);
}

/* nil, or [number of the retry, most retries, seconds until then, reason, HTTP status or nil] */
static VALUE chunk_native_retry(VALUE self) {
    const raaf_chunk_t *item = &get(self)->item;
    if (!item->payload || item->type != RAAF_CHUNK_STATUS) return Qnil;
    const raaf_retry_notice_t *retry = &item->payload->retry;
    VALUE reason = string(item->payload->text.bytes, item->payload->text.len);
    VALUE status = retry->http_status ? LONG2NUM(retry->http_status) : Qnil;
    RB_GC_GUARD(self);
    return rb_ary_new_from_args(5, SIZET2NUM(retry->number), SIZET2NUM(retry->most),
                                DBL2NUM((double)retry->delay_ns / 1e9), reason, status);
}

static VALUE chunk_context(VALUE self) {
    chunk_t *chunk = get(self);
    return NIL_P(chunk->owner) ? Qnil : rb_raaf_stream_context(chunk->owner);
}

static VALUE chunk_attributes(VALUE self) {
    return get(self)->attributes;
}

static void check_attribute(VALUE name) {
    if (rb_hash_lookup2(known_attributes, name, Qnil) == Qtrue) return;
    rb_raise(rb_eArgError, "unknown attribute of a chunk: %" PRIsVALUE, rb_inspect(name));
}

static void check_type(VALUE type) {
    for (int i = 0; i < RAAF_CHUNK_TYPE_COUNT; i++)
        if (type_symbols[i] == type) return;
    rb_raise(rb_eArgError, "unknown type of a chunk: %" PRIsVALUE, rb_inspect(type));
}

static VALUE chunk_assign(VALUE self, VALUE name, VALUE value) {
    rb_check_frozen(self);
    check_attribute(name);
    if (name == sym_type) check_type(value);
    chunk_t *chunk = get(self);
    if (NIL_P(chunk->attributes)) RB_OBJ_WRITE(self, &chunk->attributes, rb_hash_new());
    rb_hash_aset(chunk->attributes, name, value);
    return value;
}

static int check_pair(VALUE name, VALUE value, VALUE ignored) {
    check_attribute(name);
    return ST_CONTINUE;
}

/* Chunk.new(type:, delta: "", metadata: {}, …): for chunks that Ruby code makes. */
static VALUE chunk_initialize(int argc, VALUE *argv, VALUE self) {
    VALUE given;
    rb_scan_args(argc, argv, ":", &given);
    if (NIL_P(given) || rb_hash_lookup2(given, sym_type, Qundef) == Qundef)
        rb_raise(rb_eArgError, "missing keyword: :type");
    rb_hash_foreach(given, check_pair, Qnil);
    check_type(rb_hash_lookup2(given, sym_type, Qnil));
    VALUE attributes = rb_hash_dup(given);
    VALUE delta = rb_hash_lookup2(attributes, sym_delta, Qnil);
    rb_hash_aset(attributes, sym_delta, NIL_P(delta) ? string("", 0) : rb_String(delta));
    RB_OBJ_WRITE(self, &get(self)->attributes, attributes);
    return self;
}

/* A copy is never frozen, and keeps its stream. */
static VALUE chunk_initialize_copy(VALUE self, VALUE other) {
    chunk_t *to = get(self), *from = get(other);
    if (to == from) return self;
    raaf_chunk_payload_t *payload = NULL;
    if (from->item.payload && !(payload = raaf_chunk_payload_copy(from->item.payload)))
        rb_raise(rb_eNoMemError, "out of memory");
    raaf_chunk_free(&to->item);
    to->item = from->item;
    to->item.payload = payload;
    if (payload) to->item.bytes = payload->text.bytes;
    RB_OBJ_WRITE(self, &to->owner, from->owner);
    VALUE attributes = NIL_P(from->attributes) ? Qnil : rb_hash_dup(from->attributes);
    RB_OBJ_WRITE(self, &to->attributes, attributes);
    return self;
}

VALUE rb_raaf_usage_hash(const raaf_usage_t *usage) {
    const struct {
        const char *name;
        int64_t count;
    } rows[] = {
        {"prompt_tokens", usage->prompt_tokens},
        {"completion_tokens", usage->completion_tokens},
        {"total_tokens", usage->total_tokens},
        {"cached_tokens", usage->cached_tokens},
        {"cache_write_tokens", usage->cache_write_tokens},
        {"reasoning_tokens", usage->reasoning_tokens},
        {"audio_prompt_tokens", usage->audio_prompt_tokens},
        {"audio_completion_tokens", usage->audio_completion_tokens},
    };
    VALUE hash = rb_hash_new();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].count >= 0)
            rb_hash_aset(hash, ID2SYM(rb_intern(rows[i].name)), LL2NUM(rows[i].count));
    return hash;
}

static void define_symbols(void) {
    static const char *const attributes[] = {
        "type",           "delta",   "cumulative",    "seq",       "choice",        "metadata",
        "tool_name",      "tool_id", "tool_index",    "arguments", "raw_arguments", "result",
        "final_response", "usage",   "finish_reason", "error",     "exception",     "retry_after",
        "session_id",     "user_id", "terminal",      "stream_id", "handoff",       "status",
        "citation",       "raw"};
    for (int i = 0; i < RAAF_CHUNK_TYPE_COUNT; i++)
        type_symbols[i] = ID2SYM(rb_intern(raaf_chunk_type_name((raaf_chunk_type_t)i)));
    known_attributes = rb_hash_new();
    rb_gc_register_mark_object(known_attributes);
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        rb_hash_aset(known_attributes, ID2SYM(rb_intern(attributes[i])), Qtrue);
    rb_obj_freeze(known_attributes);
    sym_type = ID2SYM(rb_intern("type"));
    sym_delta = ID2SYM(rb_intern("delta"));
    sym_cumulative = ID2SYM(rb_intern("cumulative"));
    sym_seq = ID2SYM(rb_intern("seq"));
    sym_choice = ID2SYM(rb_intern("choice"));
    sym_content = ID2SYM(rb_intern("content"));
}

void rb_raaf_init_chunk(void) {
    utf8 = rb_utf8_encoding();
    define_symbols();
    cChunk = rb_define_class_under(mStreaming, "Chunk", rb_cObject);
    rb_gc_register_mark_object(cChunk);
    rb_define_alloc_func(cChunk, chunk_alloc);
    rb_define_method(cChunk, "initialize", chunk_initialize, -1);
    rb_define_method(cChunk, "initialize_copy", chunk_initialize_copy, 1);
    rb_define_method(cChunk, "type", chunk_get_type, 0);
    rb_define_method(cChunk, "delta", chunk_get_delta, 0);
    rb_define_method(cChunk, "cumulative", chunk_get_cumulative, 0);
    rb_define_method(cChunk, "seq", chunk_get_seq, 0);
    rb_define_method(cChunk, "choice", chunk_get_choice, 0);
    rb_define_method(cChunk, "content?", chunk_content_p, 0);
    rb_define_private_method(cChunk, "native_tool", chunk_native_tool, 0);
    rb_define_private_method(cChunk, "native_retry", chunk_native_retry, 0);
    rb_define_private_method(cChunk, "context", chunk_context, 0);
    rb_define_private_method(cChunk, "attributes", chunk_attributes, 0);
    rb_define_private_method(cChunk, "assign", chunk_assign, 2);
}
