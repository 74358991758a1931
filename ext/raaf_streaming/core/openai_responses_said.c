#include "openai_responses_said.h"

#include "result_code.h"

#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    ITEM, /* `item`, or one of a response's `output` */
    PART, /* `part`, or one of an item's `content` or `summary` */
    RESPONSE,
    INCOMPLETE_DETAILS,
    USAGE,
    INPUT_DETAILS,
    OUTPUT_DETAILS,
    FAULT, /* `error` */

    TYPE,
    DELTA,
    WHOLE,
    ARGUMENTS,
    NAME,
    OUTPUT_INDEX,
    PLACE,
    ITEM_ID,
    CITATION, /* `annotation`, or one of a part's `annotations` */

    ITEM_TYPE,
    ID,
    CALL_ID,
    ITEM_NAME,
    ITEM_ARGUMENTS,
    ITEM_STATUS,
    PHASE,

    PART_TYPE,
    PART_TEXT,

    STATUS,
    REASON,

    PROMPT_TOKENS,
    COMPLETION_TOKENS,
    TOTAL_TOKENS,
    CACHED_TOKENS,
    CACHE_WRITE_TOKENS,
    REASONING_TOKENS,
    AUDIO_PROMPT_TOKENS,
    AUDIO_COMPLETION_TOKENS,

    FAULT_MESSAGE,
    FAULT_TYPE,
    FAULT_CODE,
    FAULT_PARAM,
    ROOT_MESSAGE,
    ROOT_CODE,
    ROOT_PARAM
};

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(ROOT, TYPE, "type"),
    RAAF_JSON_FIELD(ROOT, DELTA, "delta"),
    RAAF_JSON_FIELD(ROOT, WHOLE, "text"),
    RAAF_JSON_FIELD(ROOT, WHOLE, "refusal"),
    RAAF_JSON_FIELD(ROOT, ARGUMENTS, "arguments"),
    RAAF_JSON_FIELD(ROOT, NAME, "name"),
    RAAF_JSON_FIELD(ROOT, OUTPUT_INDEX, "output_index"),
    RAAF_JSON_FIELD(ROOT, PLACE, "content_index"),
    RAAF_JSON_FIELD(ROOT, PLACE, "summary_index"),
    RAAF_JSON_FIELD(ROOT, ITEM_ID, "item_id"),
    RAAF_JSON_FIELD(ROOT, ITEM, "item"),
    RAAF_JSON_FIELD(ROOT, PART, "part"),
    RAAF_JSON_FIELD(ROOT, CITATION, "annotation"),
    RAAF_JSON_FIELD(ROOT, RESPONSE, "response"),
    RAAF_JSON_FIELD(ROOT, FAULT, "error"),
    RAAF_JSON_FIELD(ROOT, ROOT_MESSAGE, "message"),
    RAAF_JSON_FIELD(ROOT, ROOT_CODE, "code"),
    RAAF_JSON_FIELD(ROOT, ROOT_PARAM, "param"),

    RAAF_JSON_FIELD(ITEM, ITEM_TYPE, "type"),
    RAAF_JSON_FIELD(ITEM, ID, "id"),
    RAAF_JSON_FIELD(ITEM, CALL_ID, "call_id"),
    RAAF_JSON_FIELD(ITEM, ITEM_NAME, "name"),
    RAAF_JSON_FIELD(ITEM, ITEM_ARGUMENTS, "arguments"),
    RAAF_JSON_FIELD(ITEM, ITEM_STATUS, "status"),
    RAAF_JSON_FIELD(ITEM, PHASE, "phase"),
    RAAF_JSON_FIELD(ITEM, PART, "content"),
    RAAF_JSON_FIELD(ITEM, PART, "summary"),

    RAAF_JSON_FIELD(PART, PART_TYPE, "type"),
    RAAF_JSON_FIELD(PART, PART_TEXT, "text"),
    RAAF_JSON_FIELD(PART, PART_TEXT, "refusal"),
    RAAF_JSON_FIELD(PART, CITATION, "annotations"),

    RAAF_JSON_FIELD(RESPONSE, STATUS, "status"),
    RAAF_JSON_FIELD(RESPONSE, ITEM, "output"),
    RAAF_JSON_FIELD(RESPONSE, USAGE, "usage"),
    RAAF_JSON_FIELD(RESPONSE, FAULT, "error"),
    RAAF_JSON_FIELD(RESPONSE, INCOMPLETE_DETAILS, "incomplete_details"),

    RAAF_JSON_FIELD(INCOMPLETE_DETAILS, REASON, "reason"),

    RAAF_JSON_FIELD(USAGE, PROMPT_TOKENS, "input_tokens"),
    RAAF_JSON_FIELD(USAGE, COMPLETION_TOKENS, "output_tokens"),
    RAAF_JSON_FIELD(USAGE, TOTAL_TOKENS, "total_tokens"),
    RAAF_JSON_FIELD(USAGE, INPUT_DETAILS, "input_tokens_details"),
    RAAF_JSON_FIELD(USAGE, OUTPUT_DETAILS, "output_tokens_details"),

    RAAF_JSON_FIELD(INPUT_DETAILS, CACHED_TOKENS, "cached_tokens"),
    RAAF_JSON_FIELD(INPUT_DETAILS, CACHE_WRITE_TOKENS, "cache_write_tokens"),
    RAAF_JSON_FIELD(INPUT_DETAILS, AUDIO_PROMPT_TOKENS, "audio_tokens"),

    RAAF_JSON_FIELD(OUTPUT_DETAILS, REASONING_TOKENS, "reasoning_tokens"),
    RAAF_JSON_FIELD(OUTPUT_DETAILS, AUDIO_COMPLETION_TOKENS, "audio_tokens"),

    RAAF_JSON_FIELD(FAULT, FAULT_MESSAGE, "message"),
    RAAF_JSON_FIELD(FAULT, FAULT_TYPE, "type"),
    RAAF_JSON_FIELD(FAULT, FAULT_CODE, "code"),
    RAAF_JSON_FIELD(FAULT, FAULT_PARAM, "param"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- the events that are known ---- */

typedef struct known_event {
    const char *name;
    raaf_responses_event_t event;
    raaf_responses_kind_t kind;
} known_event_t;

static const known_event_t known_events[] = {
    {"response.output_text.delta", RAAF_RESPONSES_TEXT_DELTA, RAAF_RESPONSES_CONTENT},
    {"response.function_call_arguments.delta", RAAF_RESPONSES_CALL_DELTA, 0},
    {"response.reasoning_summary_text.delta", RAAF_RESPONSES_TEXT_DELTA, RAAF_RESPONSES_SUMMARY},
    {"response.reasoning_text.delta", RAAF_RESPONSES_TEXT_DELTA, RAAF_RESPONSES_REASONING},
    {"response.refusal.delta", RAAF_RESPONSES_TEXT_DELTA, RAAF_RESPONSES_REFUSAL},
    {"response.output_text.done", RAAF_RESPONSES_TEXT_DONE, RAAF_RESPONSES_CONTENT},
    {"response.function_call_arguments.done", RAAF_RESPONSES_CALL_DONE, 0},
    {"response.reasoning_summary_text.done", RAAF_RESPONSES_TEXT_DONE, RAAF_RESPONSES_SUMMARY},
    {"response.reasoning_text.done", RAAF_RESPONSES_TEXT_DONE, RAAF_RESPONSES_REASONING},
    {"response.refusal.done", RAAF_RESPONSES_TEXT_DONE, RAAF_RESPONSES_REFUSAL},
    {"response.output_text.annotation.added", RAAF_RESPONSES_ANNOTATION, 0},
    {"response.output_text_annotation.added", RAAF_RESPONSES_ANNOTATION, 0},
    {"response.content_part.done", RAAF_RESPONSES_PART_DONE, 0},
    {"response.reasoning_summary_part.done", RAAF_RESPONSES_PART_DONE, 0},
    {"response.reasoning_part.done", RAAF_RESPONSES_PART_DONE, 0},
    {"response.output_item.added", RAAF_RESPONSES_ITEM_ADDED, 0},
    {"response.output_item.done", RAAF_RESPONSES_ITEM_DONE, 0},
    {"response.completed", RAAF_RESPONSES_COMPLETED, 0},
    {"response.incomplete", RAAF_RESPONSES_INCOMPLETE, 0},
    {"response.failed", RAAF_RESPONSES_FAILED, 0},
    {"response.cancelled", RAAF_RESPONSES_FAILED, 0},
    {"error", RAAF_RESPONSES_ERROR, 0},
};

static bool is(raaf_slice_t slice, const char *text) {
    return slice.len == strlen(text) && memcmp(slice.bytes, text, slice.len) == 0;
}

static void recognize(raaf_responses_said_t *said, raaf_slice_t name) {
    const raaf_slice_t type = raaf_notes_get(&said->notes, said->type);

    said->event = RAAF_RESPONSES_OTHER;
    /* In an event of that name `type` may be the error's own. */
    if (is(name, "error") && !is(type, "error"))
        said->root.type = said->type;
    else if (type.len > 0)
        name = type;
    for (size_t i = 0; i < sizeof known_events / sizeof known_events[0]; i++) {
        if (!is(name, known_events[i].name)) continue;
        said->event = known_events[i].event;
        said->kind = known_events[i].kind;
        return;
    }
    /* Gateways write an error between the events as if it were a response's body. */
    if (name.len == 0 && said->fault.given) said->event = RAAF_RESPONSES_ERROR;
}

/* ---- the buffers ---- */

void raaf_responses_said_init(raaf_responses_said_t *said) {
    memset(said, 0, sizeof *said);
    raaf_json_reader_init(&said->reader, &table);
    raaf_buffer_init(&said->items, RAAF_RESPONSES_MAX_ITEMS * sizeof(raaf_responses_item_t));
    raaf_buffer_init(&said->pieces, RAAF_RESPONSES_MAX_PIECES * sizeof(raaf_responses_piece_t));
    raaf_notes_init(&said->notes);
}

void raaf_responses_said_free(raaf_responses_said_t *said) {
    raaf_buffer_free(&said->items);
    raaf_buffer_free(&said->pieces);
    raaf_notes_free(&said->notes);
    raaf_json_reader_free(&said->reader);
}

void raaf_responses_said_forget(raaf_responses_said_t *said) {
    const raaf_responses_said_t before = *said;

    *said = (raaf_responses_said_t){.reader = before.reader,
                                    .items = before.items,
                                    .pieces = before.pieces,
                                    .notes = before.notes};
    raaf_buffer_clear(&said->items, KEEP_BYTES);
    raaf_buffer_clear(&said->pieces, KEEP_BYTES);
    raaf_notes_forget(&said->notes);
}

size_t raaf_responses_said_item_count(const raaf_responses_said_t *said) {
    return said->items.len / sizeof(raaf_responses_item_t);
}

static raaf_responses_item_t *item_at(const raaf_responses_said_t *said, size_t i) {
    return (raaf_responses_item_t *)(void *)said->items.bytes + i;
}

const raaf_responses_item_t *raaf_responses_said_item(const raaf_responses_said_t *said, size_t i) {
    return item_at(said, i);
}

size_t raaf_responses_said_piece_count(const raaf_responses_said_t *said) {
    return said->pieces.len / sizeof(raaf_responses_piece_t);
}

static raaf_responses_piece_t *piece_at(const raaf_responses_said_t *said, size_t i) {
    return (raaf_responses_piece_t *)(void *)said->pieces.bytes + i;
}

const raaf_responses_piece_t *raaf_responses_said_piece(const raaf_responses_said_t *said,
                                                        size_t i) {
    return piece_at(said, i);
}

/* The newest one: what a value belongs to, because items do not nest. */
static raaf_responses_item_t *item_now(const raaf_responses_said_t *said) {
    return item_at(said, raaf_responses_said_item_count(said) - 1);
}

/* ---- reading ---- */

static int begin_item(raaf_responses_said_t *said) {
    const raaf_responses_item_t item = {.first_piece = raaf_responses_said_piece_count(said)};

    return raaf_buffer_push(&said->items, &item, sizeof item);
}

/* What stands in the event itself, and in no item, belongs to an item that says nothing else. */
static int begin_piece(raaf_responses_said_t *said, raaf_responses_kind_t kind) {
    const raaf_responses_piece_t piece = {.kind = kind};
    int rc = raaf_responses_said_item_count(said) == 0 ? begin_item(said) : RAAF_OK;

    if (rc == RAAF_OK) rc = raaf_buffer_push(&said->pieces, &piece, sizeof piece);
    if (rc != RAAF_OK) return rc;
    item_now(said)->piece_count++;
    if (kind != RAAF_RESPONSES_CITATION) said->part = raaf_responses_said_piece_count(said) - 1;
    return RAAF_OK;
}

/* The part that is read now. */
static raaf_responses_piece_t *part_now(const raaf_responses_said_t *said) {
    return piece_at(said, said->part);
}

/* What carries the answer must not be dropped in silence: there a wrong type is an error. */
static int set_text(raaf_responses_said_t *said, raaf_range_t *range,
                    const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_STRING)
        return raaf_notes_set_raw(&said->notes, range, value->bytes, value->len);
    if (value->type != RAAF_JSON_NULL) said->wrong_type = true;
    return RAAF_OK;
}

/* An object or array counts as a whole: what stands in it is reported before it, and replaced. */
static int set_arguments(raaf_responses_said_t *said, raaf_range_t *range,
                         const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_STRING:
    case RAAF_JSON_CLOSE_OBJECT:
    case RAAF_JSON_CLOSE_ARRAY:
        return raaf_notes_set(&said->notes, range, value->bytes, value->len);
    default:
        return RAAF_OK;
    }
}

static int on_item(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_OPEN_OBJECT:
        return begin_item(said);
    case RAAF_JSON_CLOSE_OBJECT:
        return raaf_notes_set(&said->notes, &item_now(said)->json, value->bytes, value->len);
    default:
        return RAAF_OK;
    }
}

static int set_part_text(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    return raaf_notes_set_raw(&said->notes, &part_now(said)->text, value->bytes, value->len);
}

/* Some servers write the content of a message as one String. */
static int on_part(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    int rc;

    switch (value->type) {
    case RAAF_JSON_OPEN_OBJECT:
        return begin_piece(said, RAAF_RESPONSES_CONTENT);
    case RAAF_JSON_STRING:
        rc = begin_piece(said, RAAF_RESPONSES_CONTENT);
        return rc == RAAF_OK ? set_part_text(said, value) : rc;
    default:
        return RAAF_OK;
    }
}

static void on_part_type(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    raaf_responses_piece_t *part = part_now(said);

    if (raaf_said_is(value, "refusal")) part->kind = RAAF_RESPONSES_REFUSAL;
    if (raaf_said_is(value, "summary_text")) part->kind = RAAF_RESPONSES_SUMMARY;
    if (raaf_said_is(value, "reasoning_text")) part->kind = RAAF_RESPONSES_REASONING;
}

static int on_citation(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    int rc;

    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    rc = begin_piece(said, RAAF_RESPONSES_CITATION);
    if (rc != RAAF_OK) return rc;
    return raaf_notes_set(&said->notes,
                          &piece_at(said, raaf_responses_said_piece_count(said) - 1)->text,
                          value->bytes, value->len);
}

static void on_output_index(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    said->has_index = value->type != RAAF_JSON_NULL;
    if (!said->has_index) return;
    said->index = raaf_json_integer(value, INT64_MIN);
    if (said->index == INT64_MIN) said->wrong_type = true;
}

static int on_usage(raaf_responses_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_OBJECT) said->usage = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    said->has_usage = true;
    return raaf_notes_set(&said->notes, &said->usage_json, value->bytes, value->len);
}

static void on_count(raaf_responses_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    raaf_usage_t *counts = &said->usage;
    int64_t *const places[] = {&counts->prompt_tokens,       &counts->completion_tokens,
                               &counts->total_tokens,        &counts->cached_tokens,
                               &counts->cache_write_tokens,  &counts->reasoning_tokens,
                               &counts->audio_prompt_tokens, &counts->audio_completion_tokens};

    raaf_said_count(places[field - PROMPT_TOKENS], value);
}

/* Values that come once in a response, or only where something went wrong. */
static int on_rare_value(raaf_responses_said_t *said, uint8_t field,
                         const raaf_json_value_t *value) {
    switch (field) {
    case STATUS:
        return raaf_said_label(&said->notes, &said->status, value);
    case REASON:
        return raaf_said_label(&said->notes, &said->reason, value);
    case USAGE:
        return on_usage(said, value);
    case PROMPT_TOKENS:
    case COMPLETION_TOKENS:
    case TOTAL_TOKENS:
    case CACHED_TOKENS:
    case CACHE_WRITE_TOKENS:
    case REASONING_TOKENS:
    case AUDIO_PROMPT_TOKENS:
    case AUDIO_COMPLETION_TOKENS:
        on_count(said, field, value);
        return RAAF_OK;
    case FAULT:
        return raaf_said_fault(&said->notes, &said->fault, value);
    case FAULT_MESSAGE:
        return raaf_said_label_or_number(&said->notes, &said->fault.message, value);
    case FAULT_TYPE:
        return raaf_said_label(&said->notes, &said->fault.type, value);
    case FAULT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->fault.code, value);
    case FAULT_PARAM:
        return raaf_said_label(&said->notes, &said->fault.param, value);
    case ROOT_MESSAGE:
        return raaf_said_label_or_number(&said->notes, &said->root.message, value);
    case ROOT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->root.code, value);
    case ROOT_PARAM:
        return raaf_said_label(&said->notes, &said->root.param, value);
    default:
        return RAAF_OK;
    }
}

static int on_item_value(raaf_responses_said_t *said, uint8_t field,
                         const raaf_json_value_t *value) {
    switch (field) {
    case ITEM:
        return on_item(said, value);
    case ITEM_TYPE:
        return raaf_said_label(&said->notes, &item_now(said)->type, value);
    case ID:
        return raaf_said_label(&said->notes, &item_now(said)->id, value);
    case CALL_ID:
        return raaf_said_label(&said->notes, &item_now(said)->call_id, value);
    case ITEM_NAME:
        return raaf_said_label(&said->notes, &item_now(said)->name, value);
    case ITEM_ARGUMENTS:
        return set_arguments(said, &item_now(said)->arguments, value);
    case ITEM_STATUS:
        return raaf_said_label(&said->notes, &item_now(said)->status, value);
    case PHASE:
        return raaf_said_label(&said->notes, &item_now(said)->phase, value);
    case PART:
        return on_part(said, value);
    case PART_TYPE:
        on_part_type(said, value);
        return RAAF_OK;
    case PART_TEXT:
        return set_part_text(said, value);
    case CITATION:
        return on_citation(said, value);
    default:
        return on_rare_value(said, field, value);
    }
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    raaf_responses_said_t *said = context;

    switch (field) {
    case TYPE:
        return raaf_said_label(&said->notes, &said->type, value);
    case DELTA:
        return set_text(said, &said->delta, value);
    case WHOLE:
        return set_text(said, &said->whole, value);
    case ARGUMENTS:
        return set_arguments(said, &said->whole, value);
    case NAME:
        return raaf_said_label(&said->notes, &said->name, value);
    case OUTPUT_INDEX:
        on_output_index(said, value);
        return RAAF_OK;
    case PLACE:
        said->place = raaf_json_integer(value, 0);
        return RAAF_OK;
    case ITEM_ID:
        return raaf_said_label(&said->notes, &said->item_id, value);
    default:
        return on_item_value(said, field, value);
    }
}

int raaf_responses_said_read(raaf_responses_said_t *said, raaf_slice_t name, const char *bytes,
                             size_t len) {
    int rc;

    raaf_responses_said_forget(said);
    rc = raaf_json_read(&said->reader, bytes, len, on_value, said);
    if (rc != RAAF_OK) return rc;
    recognize(said, name);
    return said->wrong_type && said->event != RAAF_RESPONSES_OTHER ? RAAF_INVALID_EVENT : RAAF_OK;
}
