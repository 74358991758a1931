#include "anthropic_block.h"

#include "dialect_anthropic.h"
#include "json_text.h"
#include "result_code.h"

#include <string.h>

static raaf_slice_t slice_of(const raaf_buffer_t *buffer) {
    return (raaf_slice_t){buffer->bytes != NULL ? buffer->bytes : "", buffer->len};
}

static int append(raaf_buffer_t *buffer, raaf_slice_t slice) {
    return raaf_capped(raaf_buffer_append(buffer, slice.bytes, slice.len));
}

static int append_text(raaf_buffer_t *buffer, const char *text) {
    return append(buffer, (raaf_slice_t){text, strlen(text)});
}

void raaf_anthropic_block_init(raaf_anthropic_block_t *block, int64_t index,
                               raaf_anthropic_kind_t kind) {
    memset(block, 0, sizeof *block);
    block->index = index;
    block->kind = kind;
    block->keeps_text = kind == RAAF_ANTHROPIC_THINKING;
    raaf_buffer_init(&block->start, RAAF_ANTHROPIC_MAX_BLOCK);
    raaf_buffer_init(&block->text, RAAF_ANTHROPIC_MAX_BLOCK);
    raaf_buffer_init(&block->pieces, RAAF_ANTHROPIC_MAX_BLOCK);
    raaf_buffer_init(&block->members, RAAF_ANTHROPIC_MAX_BLOCK);
}

void raaf_anthropic_block_free(raaf_anthropic_block_t *block) {
    raaf_buffer_free(&block->start);
    raaf_buffer_free(&block->text);
    raaf_buffer_free(&block->pieces);
    raaf_buffer_free(&block->members);
}

size_t raaf_anthropic_block_kept(const raaf_anthropic_block_t *block) {
    return block->start.len + block->text.len + block->pieces.len + block->members.len;
}

/* ---- what comes in ---- */

int raaf_anthropic_block_begin(raaf_anthropic_block_t *block, const raaf_anthropic_said_t *said) {
    const raaf_slice_t input = raaf_anthropic_said_get(said, said->input);
    int rc = RAAF_OK;

    block->is_special = said->is_special;
    block->keeps_text |= block->kind == RAAF_ANTHROPIC_TEXT && said->takes_citations;
    if (block->kind == RAAF_ANTHROPIC_TOOL_USE) rc = append(&block->pieces, input);
    return rc == RAAF_OK ? append(&block->start, raaf_anthropic_said_get(said, said->block)) : rc;
}

int raaf_anthropic_block_begin_bare(raaf_anthropic_block_t *block) {
    switch (block->kind) {
    case RAAF_ANTHROPIC_TEXT:
        return append_text(&block->start, "{\"type\":\"text\"}");
    case RAAF_ANTHROPIC_THINKING:
        return append_text(&block->start, "{\"type\":\"thinking\"}");
    default:
        return append_text(&block->start, "{\"type\":\"compaction\"}");
    }
}

static raaf_chunk_type_t chunk_type(const raaf_anthropic_block_t *block) {
    return block->kind == RAAF_ANTHROPIC_THINKING ? RAAF_CHUNK_REASONING : RAAF_CHUNK_CONTENT;
}

/* The kept text from [start] on. */
static int hand_over_text(const raaf_anthropic_block_t *block, size_t start,
                          raaf_delta_sink_t *sink) {
    raaf_delta_t delta = {.type = chunk_type(block)};

    if (block->text.len == start) return RAAF_OK;
    delta.text = (raaf_slice_t){block->text.bytes + start, block->text.len - start};
    return raaf_delta_sink_put(sink, &delta);
}

int raaf_anthropic_block_say(raaf_anthropic_block_t *block, raaf_slice_t text,
                             raaf_delta_sink_t *sink) {
    const size_t start = block->text.len;
    int rc;

    if (text.len == 0) return RAAF_OK;
    block->has_text = true;
    if (!block->keeps_text) {
        return raaf_delta_sink_text(sink, chunk_type(block), 0, &block->open_text, text.bytes,
                                    text.len);
    }
    rc = raaf_capped(raaf_utf8_repair(&block->open_text, text.bytes, text.len, &block->text));
    return rc == RAAF_OK ? hand_over_text(block, start, sink) : rc;
}

int raaf_anthropic_block_cite(raaf_anthropic_block_t *block, raaf_slice_t citation,
                              raaf_delta_sink_t *sink) {
    int rc = RAAF_OK;

    block->keeps_text |= !block->has_text;
    if (block->keeps_text && block->pieces.len > 0) rc = append_text(&block->pieces, ",");
    if (block->keeps_text && rc == RAAF_OK) rc = append(&block->pieces, citation);
    return rc == RAAF_OK ? raaf_delta_sink_json(sink, RAAF_CHUNK_CITATION, 0, citation) : rc;
}

int raaf_anthropic_block_input(raaf_anthropic_block_t *block, raaf_slice_t piece) {
    return raaf_capped(
        raaf_utf8_repair(&block->open_piece, piece.bytes, piece.len, &block->pieces));
}

static int append_member(raaf_buffer_t *members, const char *key) {
    int rc = members->len > 0 ? append_text(members, ",\"") : append_text(members, "\"");

    if (rc == RAAF_OK) rc = append_text(members, key);
    return rc == RAAF_OK ? append_text(members, "\":") : rc;
}

static int append_text_member(raaf_buffer_t *members, const char *key, raaf_slice_t text) {
    const int rc = append_member(members, key);

    return rc == RAAF_OK ? raaf_capped(raaf_json_text_string(members, text)) : rc;
}

static int note_text(raaf_anthropic_block_t *block, const raaf_anthropic_said_t *said,
                     const char *key, raaf_range_t range) {
    if (range.len == 0) return RAAF_OK;
    return append_text_member(&block->members, key, raaf_anthropic_said_get(said, range));
}

int raaf_anthropic_block_note(raaf_anthropic_block_t *block, const raaf_anthropic_said_t *said) {
    int rc;

    block->members.len = 0;
    rc = note_text(block, said, "signature", said->signature);
    if (rc == RAAF_OK) rc = note_text(block, said, "content", said->content);
    return rc == RAAF_OK ? note_text(block, said, "encrypted_content", said->encrypted) : rc;
}

/* ---- the block as a PART ---- */

/* What is said of the block besides its start: the members of an object. */
static int collect_members(raaf_anthropic_block_t *block) {
    raaf_buffer_t *members = &block->members;
    int rc = RAAF_OK;

    if (block->kind == RAAF_ANTHROPIC_THINKING) {
        return append_text_member(members, "thinking", slice_of(&block->text));
    }
    if (block->kind == RAAF_ANTHROPIC_TEXT) {
        rc = append_text_member(members, "text", slice_of(&block->text));
        if (rc == RAAF_OK) rc = append_member(members, "citations");
        if (rc == RAAF_OK) rc = append_text(members, "[");
        if (rc == RAAF_OK) rc = append(members, slice_of(&block->pieces));
        return rc == RAAF_OK ? append_text(members, "]") : rc;
    }
    if (block->pieces.len == 0) return RAAF_OK;
    rc = append_member(members, "input");
    return rc == RAAF_OK ? append(members, slice_of(&block->pieces)) : rc;
}

static int write_part(raaf_anthropic_block_t *block, raaf_buffer_t *over, raaf_buffer_t *part) {
    int rc = collect_members(block);

    if (rc == RAAF_OK) rc = append_text(over, "{");
    if (rc == RAAF_OK) rc = append(over, slice_of(&block->members));
    if (rc == RAAF_OK) rc = append_text(over, "}");
    return rc == RAAF_OK ? raaf_json_text_merge(part, slice_of(&block->start), slice_of(over)) : rc;
}

static int hand_over_part(raaf_anthropic_block_t *block, raaf_delta_sink_t *sink) {
    raaf_buffer_t over, part;
    int rc;

    raaf_buffer_init(&over, SIZE_MAX);
    raaf_buffer_init(&part, SIZE_MAX);
    rc = write_part(block, &over, &part);
    if (rc == RAAF_OK) rc = raaf_delta_sink_json(sink, RAAF_CHUNK_PART, 0, slice_of(&part));
    raaf_buffer_free(&over);
    raaf_buffer_free(&part);
    return rc;
}

/* ---- its end ---- */

int raaf_anthropic_block_end_text(raaf_anthropic_block_t *block, raaf_delta_sink_t *sink) {
    const size_t start = block->text.len;
    int rc;

    if (!block->keeps_text) {
        return raaf_delta_sink_end_text(sink, chunk_type(block), 0, &block->open_text);
    }
    rc = raaf_capped(raaf_utf8_finish(&block->open_text, &block->text));
    return rc == RAAF_OK ? hand_over_text(block, start, sink) : rc;
}

/* A block of a server tool whose input is no object was cut off: nobody could take it back. */
static int end_other(raaf_anthropic_block_t *block, raaf_delta_sink_t *sink) {
    int rc = raaf_capped(raaf_utf8_finish(&block->open_piece, &block->pieces));

    if (rc == RAAF_OK && block->pieces.len > 0) {
        rc = raaf_json_check(block->pieces.bytes, block->pieces.len);
        if (rc != RAAF_OK) return rc == RAAF_NO_MEMORY ? rc : RAAF_OK;
    }
    return rc == RAAF_OK ? hand_over_part(block, sink) : rc;
}

int raaf_anthropic_block_check_call(const raaf_anthropic_block_t *block,
                                    const raaf_tool_call_t *call) {
    const raaf_slice_t arguments = slice_of(&call->arguments);
    int rc;

    if (call->torn) return RAAF_OK; /* nothing can make it whole */
    if (arguments.len == 0) return block->pieces.len > sizeof "{}" - 1 ? RAAF_OK : RAAF_STOP;
    rc = raaf_json_check(arguments.bytes, arguments.len);
    if (rc == RAAF_INVALID_EVENT) return RAAF_OK; /* no object, but whole */
    return rc == RAAF_OK || rc == RAAF_NO_MEMORY ? rc : RAAF_STOP;
}

/* A call without arguments has those of its start; of no start at all, none is {}. */
static int complete_arguments(const raaf_anthropic_block_t *block, raaf_tool_call_t *call,
                              raaf_delta_sink_t *sink) {
    const raaf_slice_t none = {"{}", 2};

    if (call->arguments.len > 0 || call->open.len > 0) return RAAF_OK;
    return raaf_tool_call_add(call, block->pieces.len > 0 ? slice_of(&block->pieces) : none, sink);
}

static int end_tool_use(raaf_anthropic_block_t *block, raaf_tool_call_t *call,
                        raaf_delta_sink_t *sink) {
    int rc;

    if (call->torn) return RAAF_OK;
    rc = complete_arguments(block, call, sink);
    if (rc == RAAF_OK && block->is_special) {
        block->pieces.len = 0;
        rc = append(&block->pieces, slice_of(&call->arguments));
    }
    if (rc == RAAF_OK) rc = raaf_tool_call_close(call, sink);
    return rc == RAAF_OK && block->is_special ? end_other(block, sink) : rc;
}

int raaf_anthropic_block_end(raaf_anthropic_block_t *block, raaf_tool_call_t *call,
                             raaf_delta_sink_t *sink) {
    int rc;

    if (block->kind == RAAF_ANTHROPIC_OTHER) return end_other(block, sink);
    if (block->kind == RAAF_ANTHROPIC_TOOL_USE) return end_tool_use(block, call, sink);

    rc = raaf_anthropic_block_end_text(block, sink);
    if (rc != RAAF_OK) return rc;
    if (block->kind == RAAF_ANTHROPIC_TEXT && block->pieces.len == 0) return RAAF_OK;
    return hand_over_part(block, sink);
}
