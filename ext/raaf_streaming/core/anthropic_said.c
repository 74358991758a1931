#include "anthropic_said.h"

#include "result_code.h"

#include <string.h>

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    MESSAGE,
    BLOCK,
    CALLER,
    DELTA,
    STOP_DETAILS,
    USAGE,
    OUTPUT_DETAILS,
    FAULT, /* `error` */

    TYPE,
    INDEX,

    BLOCK_TYPE,
    BLOCK_ID,
    BLOCK_NAME,
    BLOCK_INPUT,
    BLOCK_CITATIONS,
    CALLER_TYPE,
    TOOLSET_NAME,

    DELTA_TYPE,
    TEXT, /* these four carry the answer */
    THINKING,
    PARTIAL_JSON,
    SIGNATURE,
    CITATION,
    COMPACTED,
    ENCRYPTED,
    STOP_REASON,
    EXPLANATION,

    INPUT_TOKENS,
    OUTPUT_TOKENS,
    CACHE_READ_TOKENS,
    CACHE_WRITE_TOKENS,
    THINKING_TOKENS,

    FAULT_TYPE,
    FAULT_MESSAGE,
    FAULT_CODE
};

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(ROOT, TYPE, "type"),
    RAAF_JSON_FIELD(ROOT, INDEX, "index"),
    RAAF_JSON_FIELD(ROOT, DELTA, "delta"),
    RAAF_JSON_FIELD(ROOT, BLOCK, "content_block"),
    RAAF_JSON_FIELD(ROOT, MESSAGE, "message"),
    RAAF_JSON_FIELD(ROOT, USAGE, "usage"),
    RAAF_JSON_FIELD(ROOT, FAULT, "error"),

    RAAF_JSON_FIELD(MESSAGE, USAGE, "usage"),

    RAAF_JSON_FIELD(BLOCK, BLOCK_TYPE, "type"),
    RAAF_JSON_FIELD(BLOCK, BLOCK_ID, "id"),
    RAAF_JSON_FIELD(BLOCK, BLOCK_NAME, "name"),
    RAAF_JSON_FIELD(BLOCK, BLOCK_INPUT, "input"),
    RAAF_JSON_FIELD(BLOCK, BLOCK_CITATIONS, "citations"),
    RAAF_JSON_FIELD(BLOCK, CALLER, "caller"),
    RAAF_JSON_FIELD(BLOCK, TOOLSET_NAME, "toolset_name"),
    RAAF_JSON_FIELD(BLOCK, TEXT, "text"),
    RAAF_JSON_FIELD(BLOCK, THINKING, "thinking"),
    RAAF_JSON_FIELD(BLOCK, SIGNATURE, "signature"),

    RAAF_JSON_FIELD(CALLER, CALLER_TYPE, "type"),

    RAAF_JSON_FIELD(DELTA, DELTA_TYPE, "type"),
    RAAF_JSON_FIELD(DELTA, TEXT, "text"),
    RAAF_JSON_FIELD(DELTA, PARTIAL_JSON, "partial_json"),
    RAAF_JSON_FIELD(DELTA, THINKING, "thinking"),
    RAAF_JSON_FIELD(DELTA, SIGNATURE, "signature"),
    RAAF_JSON_FIELD(DELTA, CITATION, "citation"),
    RAAF_JSON_FIELD(DELTA, COMPACTED, "content"),
    RAAF_JSON_FIELD(DELTA, ENCRYPTED, "encrypted_content"),
    RAAF_JSON_FIELD(DELTA, STOP_REASON, "stop_reason"),
    RAAF_JSON_FIELD(DELTA, STOP_DETAILS, "stop_details"),

    RAAF_JSON_FIELD(STOP_DETAILS, EXPLANATION, "explanation"),

    RAAF_JSON_FIELD(USAGE, INPUT_TOKENS, "input_tokens"),
    RAAF_JSON_FIELD(USAGE, OUTPUT_TOKENS, "output_tokens"),
    RAAF_JSON_FIELD(USAGE, CACHE_READ_TOKENS, "cache_read_input_tokens"),
    RAAF_JSON_FIELD(USAGE, CACHE_WRITE_TOKENS, "cache_creation_input_tokens"),
    RAAF_JSON_FIELD(USAGE, OUTPUT_DETAILS, "output_tokens_details"),

    RAAF_JSON_FIELD(OUTPUT_DETAILS, THINKING_TOKENS, "thinking_tokens"),

    RAAF_JSON_FIELD(FAULT, FAULT_TYPE, "type"),
    RAAF_JSON_FIELD(FAULT, FAULT_MESSAGE, "message"),
    RAAF_JSON_FIELD(FAULT, FAULT_CODE, "code"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- words ---- */

typedef struct word {
    const char *text;
    int meaning;
} word_t;

static const word_t events[] = {
    {"content_block_delta", RAAF_ANTHROPIC_BLOCK_DELTA},
    {"content_block_start", RAAF_ANTHROPIC_BLOCK_START},
    {"content_block_stop", RAAF_ANTHROPIC_BLOCK_STOP},
    {"ping", RAAF_ANTHROPIC_PING},
    {"message_start", RAAF_ANTHROPIC_MESSAGE_START},
    {"message_delta", RAAF_ANTHROPIC_MESSAGE_DELTA},
    {"message_stop", RAAF_ANTHROPIC_MESSAGE_STOP},
    {"error", RAAF_ANTHROPIC_ERROR},
    {NULL, RAAF_ANTHROPIC_UNKNOWN},
};

static const word_t kinds[] = {
    {"text", RAAF_ANTHROPIC_TEXT},
    {"thinking", RAAF_ANTHROPIC_THINKING},
    {"tool_use", RAAF_ANTHROPIC_TOOL_USE},
    {NULL, RAAF_ANTHROPIC_OTHER},
};

static const word_t deltas[] = {
    {"text_delta", RAAF_ANTHROPIC_TEXT_DELTA},
    {"input_json_delta", RAAF_ANTHROPIC_INPUT_JSON_DELTA},
    {"thinking_delta", RAAF_ANTHROPIC_THINKING_DELTA},
    {"signature_delta", RAAF_ANTHROPIC_SIGNATURE_DELTA},
    {"citations_delta", RAAF_ANTHROPIC_CITATIONS_DELTA},
    {"compaction_delta", RAAF_ANTHROPIC_COMPACTION_DELTA},
    {NULL, RAAF_ANTHROPIC_UNKNOWN_DELTA},
};

static int meaning_of(const word_t *words, const raaf_json_value_t *value) {
    while (words->text != NULL && !raaf_said_is(value, words->text))
        words++;
    return words->meaning;
}

/* ---- the notes ---- */

void raaf_anthropic_said_init(raaf_anthropic_said_t *said) {
    memset(said, 0, sizeof *said);
    raaf_json_reader_init(&said->reader, &table);
    raaf_notes_init(&said->notes);
}

void raaf_anthropic_said_free(raaf_anthropic_said_t *said) {
    raaf_notes_free(&said->notes);
    raaf_json_reader_free(&said->reader);
}

void raaf_anthropic_said_forget(raaf_anthropic_said_t *said) {
    const raaf_json_reader_t reader = said->reader;
    raaf_notes_t notes = said->notes;

    raaf_notes_forget(&notes);
    *said = (raaf_anthropic_said_t){.reader = reader, .notes = notes};
}

raaf_slice_t raaf_anthropic_said_get(const raaf_anthropic_said_t *said, raaf_range_t range) {
    return raaf_notes_get(&said->notes, range);
}

/* ---- reading ---- */

/* An object or an array, in its source text. */
static int set_json(raaf_anthropic_said_t *said, raaf_range_t *range,
                    const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_CLOSE_OBJECT && value->type != RAAF_JSON_CLOSE_ARRAY)
        return RAAF_OK;
    return raaf_notes_set(&said->notes, range, value->bytes, value->len);
}

static int set_object(raaf_anthropic_said_t *said, raaf_range_t *range,
                      const raaf_json_value_t *value) {
    return value->type == RAAF_JSON_CLOSE_OBJECT ? set_json(said, range, value) : RAAF_OK;
}

static uint32_t bit_of(uint8_t field) {
    return (uint32_t)1 << (field - TEXT);
}

/* Whether that matters is known only with the type of the block or the delta it stands in. */
static void note_type(raaf_anthropic_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_STRING)
        said->wrong &= ~bit_of(field);
    else if (value->type != RAAF_JSON_NULL)
        said->wrong |= bit_of(field);
}

static bool is_wrong(const raaf_anthropic_said_t *said, uint8_t field) {
    return (said->wrong & bit_of(field)) != 0;
}

static int set_piece(raaf_anthropic_said_t *said, uint8_t field, raaf_range_t *range,
                     const raaf_json_value_t *value) {
    note_type(said, field, value);
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    return raaf_notes_set_raw(&said->notes, range, value->bytes, value->len);
}

static int set_index(raaf_anthropic_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_NULL) return RAAF_OK;
    said->index = raaf_json_integer(value, INT64_MIN);
    said->has_index = said->index != INT64_MIN;
    return said->has_index ? RAAF_OK : RAAF_INVALID_EVENT;
}

static int on_usage(raaf_anthropic_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_OBJECT) {
        said->counts = (raaf_anthropic_counts_t){-1, -1, -1, -1, -1};
    }
    if (value->type == RAAF_JSON_CLOSE_OBJECT) said->has_usage = true;
    return set_object(said, &said->usage, value);
}

static int on_count(raaf_anthropic_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    raaf_anthropic_counts_t *counts = &said->counts;
    int64_t *const places[] = {&counts->input, &counts->output, &counts->cache_read,
                               &counts->cache_write, &counts->thinking};

    raaf_said_count(places[field - INPUT_TOKENS], value);
    return RAAF_OK;
}

static int on_block_value(raaf_anthropic_said_t *said, uint8_t field,
                          const raaf_json_value_t *value) {
    switch (field) {
    case BLOCK:
        return set_object(said, &said->block, value);
    case BLOCK_TYPE:
        said->has_kind = value->type == RAAF_JSON_STRING;
        said->kind = meaning_of(kinds, value);
        return RAAF_OK;
    case BLOCK_ID:
        return raaf_said_label(&said->notes, &said->id, value);
    case BLOCK_NAME:
        return raaf_said_label(&said->notes, &said->name, value);
    case BLOCK_INPUT:
        return set_json(said, &said->input, value);
    case BLOCK_CITATIONS:
        said->takes_citations |= value->type == RAAF_JSON_OPEN_ARRAY;
        return RAAF_OK;
    case CALLER_TYPE:
        said->is_special |= value->type == RAAF_JSON_STRING && !raaf_said_is(value, "direct");
        return RAAF_OK;
    case TOOLSET_NAME:
        said->is_special |= value->type == RAAF_JSON_STRING;
        return RAAF_OK;
    default:
        return RAAF_OK;
    }
}

/* Values that only matter where something went wrong, or once in a response. */
static int on_rare_value(raaf_anthropic_said_t *said, uint8_t field,
                         const raaf_json_value_t *value) {
    switch (field) {
    case MESSAGE:
        return raaf_said_label(&said->notes, &said->root_message, value);
    case STOP_REASON:
        return raaf_said_label(&said->notes, &said->stop_reason, value);
    case EXPLANATION:
        return raaf_said_label(&said->notes, &said->explanation, value);
    case COMPACTED:
        return raaf_said_label(&said->notes, &said->content, value);
    case ENCRYPTED:
        return raaf_said_label(&said->notes, &said->encrypted, value);
    case USAGE:
        return on_usage(said, value);
    case INPUT_TOKENS:
    case OUTPUT_TOKENS:
    case CACHE_READ_TOKENS:
    case CACHE_WRITE_TOKENS:
    case THINKING_TOKENS:
        return on_count(said, field, value);
    case FAULT:
        return raaf_said_fault(&said->notes, &said->fault, value);
    case FAULT_TYPE:
        return raaf_said_label(&said->notes, &said->fault.type, value);
    case FAULT_MESSAGE:
        return raaf_said_label_or_number(&said->notes, &said->fault.message, value);
    case FAULT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->fault.code, value);
    default:
        return on_block_value(said, field, value);
    }
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    raaf_anthropic_said_t *said = context;

    switch (field) {
    case TYPE:
        said->event = meaning_of(events, value);
        return RAAF_OK;
    case INDEX:
        return set_index(said, value);
    case DELTA_TYPE:
        said->delta = meaning_of(deltas, value);
        return RAAF_OK;
    case TEXT:
        return set_piece(said, field, &said->text, value);
    case THINKING:
        return set_piece(said, field, &said->thinking, value);
    case PARTIAL_JSON:
        return set_piece(said, field, &said->partial, value);
    case SIGNATURE:
        note_type(said, field, value);
        return raaf_said_label(&said->notes, &said->signature, value);
    case CITATION:
        return set_object(said, &said->citation, value);
    default:
        return on_rare_value(said, field, value);
    }
}

/* ---- what an event must have ---- */

/* What carries the answer must not be dropped in silence: there a wrong type is an error. */
static bool delta_is_whole(const raaf_anthropic_said_t *said) {
    switch (said->delta) {
    case RAAF_ANTHROPIC_TEXT_DELTA:
        return !is_wrong(said, TEXT);
    case RAAF_ANTHROPIC_THINKING_DELTA:
        return !is_wrong(said, THINKING);
    case RAAF_ANTHROPIC_INPUT_JSON_DELTA:
        return !is_wrong(said, PARTIAL_JSON);
    case RAAF_ANTHROPIC_SIGNATURE_DELTA:
        return !is_wrong(said, SIGNATURE);
    case RAAF_ANTHROPIC_CITATIONS_DELTA:
        return said->citation.len > 0;
    default:
        return true;
    }
}

static bool start_is_whole(const raaf_anthropic_said_t *said) {
    if (said->block.len == 0 || !said->has_kind) return false;
    if (said->kind == RAAF_ANTHROPIC_TEXT) return !is_wrong(said, TEXT);
    return said->kind != RAAF_ANTHROPIC_THINKING ||
           (!is_wrong(said, THINKING) && !is_wrong(said, SIGNATURE));
}

static bool is_whole(const raaf_anthropic_said_t *said) {
    switch (said->event) {
    case RAAF_ANTHROPIC_BLOCK_START:
        return said->has_index && start_is_whole(said);
    case RAAF_ANTHROPIC_BLOCK_DELTA:
        return said->has_index && delta_is_whole(said);
    case RAAF_ANTHROPIC_BLOCK_STOP:
        return said->has_index;
    default:
        return true;
    }
}

int raaf_anthropic_said_read(raaf_anthropic_said_t *said, const char *bytes, size_t len) {
    int rc;

    raaf_anthropic_said_forget(said);
    rc = raaf_json_read(&said->reader, bytes, len, on_value, said);
    return rc == RAAF_OK && !is_whole(said) ? RAAF_INVALID_EVENT : rc;
}
