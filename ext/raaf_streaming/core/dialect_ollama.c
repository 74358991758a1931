#include "dialect_ollama.h"

#include "delta_sink.h"
#include "json_reader.h"
#include "notes.h"
#include "result_code.h"
#include "said.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    MESSAGE,
    TOOL_CALLS,
    FUNCTION,
    FAULT,

    DONE,
    DONE_REASON,
    THINKING,
    CONTENT,
    CALL_ID,
    CALL_INDEX,
    CALL_NAME,
    CALL_ARGUMENTS,
    FAULT_MESSAGE,
    FAULT_TYPE,
    FAULT_CODE,

    PROMPT_COUNT,
    PROMPT_DURATION,
    ANSWER_COUNT,
    ANSWER_DURATION,
    LOAD_DURATION,
    TOTAL_DURATION
};

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(ROOT, MESSAGE, "message"),
    RAAF_JSON_FIELD(ROOT, DONE, "done"),
    RAAF_JSON_FIELD(ROOT, DONE_REASON, "done_reason"),
    RAAF_JSON_FIELD(ROOT, FAULT, "error"),
    RAAF_JSON_FIELD(ROOT, PROMPT_COUNT, "prompt_eval_count"),
    RAAF_JSON_FIELD(ROOT, PROMPT_DURATION, "prompt_eval_duration"),
    RAAF_JSON_FIELD(ROOT, ANSWER_COUNT, "eval_count"),
    RAAF_JSON_FIELD(ROOT, ANSWER_DURATION, "eval_duration"),
    RAAF_JSON_FIELD(ROOT, LOAD_DURATION, "load_duration"),
    RAAF_JSON_FIELD(ROOT, TOTAL_DURATION, "total_duration"),

    RAAF_JSON_FIELD(MESSAGE, THINKING, "thinking"),
    RAAF_JSON_FIELD(MESSAGE, CONTENT, "content"),
    RAAF_JSON_FIELD(MESSAGE, TOOL_CALLS, "tool_calls"),

    RAAF_JSON_FIELD(TOOL_CALLS, CALL_ID, "id"),
    RAAF_JSON_FIELD(TOOL_CALLS, FUNCTION, "function"),

    RAAF_JSON_FIELD(FUNCTION, CALL_INDEX, "index"),
    RAAF_JSON_FIELD(FUNCTION, CALL_NAME, "name"),
    RAAF_JSON_FIELD(FUNCTION, CALL_ARGUMENTS, "arguments"),

    RAAF_JSON_FIELD(FAULT, FAULT_MESSAGE, "message"),
    RAAF_JSON_FIELD(FAULT, FAULT_TYPE, "type"),
    RAAF_JSON_FIELD(FAULT, FAULT_CODE, "code"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- what a line says, and what the response has said so far ---- */

/* All ranges lie in the notes. */
typedef struct call {
    bool has_index;
    int64_t index;
    raaf_range_t id;
    raaf_range_t name;
    raaf_range_t arguments; /* as read */
} call_t;

typedef struct said {
    bool known; /* there was a field that the dialect knows */
    bool done;
    raaf_range_t thinking; /* as read, like the content: a character may go on in the next line */
    raaf_range_t content;
    raaf_range_t done_reason;
    raaf_said_fault_t fault;
    int64_t prompt_tokens; /* -1: not sent */
    int64_t answer_tokens;
} said_t;

typedef struct ollama {
    raaf_delta_sink_t sink;
    raaf_json_reader_t reader;
    raaf_notes_t notes;
    raaf_buffer_t said_calls; /* of call_t */
    raaf_buffer_t usage_json; /* its opening brace and fields */
    said_t said;
    raaf_tool_calls_t calls;
    raaf_utf8_carry_t open_thinking;
    raaf_utf8_carry_t open_content;
    bool failed; /* an error was handed over */
    bool done;
} ollama_t;

static size_t call_count(const ollama_t *ollama) {
    return ollama->said_calls.len / sizeof(call_t);
}

static call_t *call_at(const ollama_t *ollama, size_t i) {
    return (call_t *)(void *)ollama->said_calls.bytes + i;
}

/* The newest one: what a value belongs to, because calls do not nest. */
static call_t *call_now(const ollama_t *ollama) {
    return call_at(ollama, call_count(ollama) - 1);
}

/* ---- reading ---- */

static void forget(ollama_t *ollama) {
    raaf_notes_forget(&ollama->notes);
    raaf_buffer_clear(&ollama->said_calls, KEEP_BYTES);
    raaf_buffer_clear(&ollama->usage_json, KEEP_BYTES);
    ollama->said = (said_t){.prompt_tokens = -1, .answer_tokens = -1};
}

static int set_text(ollama_t *ollama, raaf_range_t *range, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_NULL) return RAAF_OK;
    if (value->type != RAAF_JSON_STRING) return RAAF_INVALID_EVENT;
    return raaf_notes_set_raw(&ollama->notes, range, value->bytes, value->len);
}

static int on_call(ollama_t *ollama, const raaf_json_value_t *value) {
    const call_t call = {0};

    if (value->type != RAAF_JSON_OPEN_OBJECT) return raaf_said_only_structure(value);
    return raaf_buffer_push(&ollama->said_calls, &call, sizeof call);
}

static int on_index(ollama_t *ollama, const raaf_json_value_t *value) {
    call_t *call = call_now(ollama);

    call->has_index = value->type != RAAF_JSON_NULL;
    if (!call->has_index) return RAAF_OK;
    call->index = raaf_json_integer(value, INT64_MIN);
    return call->index == INT64_MIN ? RAAF_INVALID_EVENT : RAAF_OK;
}

static int on_arguments(ollama_t *ollama, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_NULL:
    case RAAF_JSON_OPEN_OBJECT:
        return RAAF_OK;
    case RAAF_JSON_STRING:
    case RAAF_JSON_CLOSE_OBJECT:
        return raaf_notes_set_raw(&ollama->notes, &call_now(ollama)->arguments, value->bytes,
                                  value->len);
    default:
        return RAAF_INVALID_EVENT;
    }
}

/* Counts and durations are kept as they are written. */
static int on_measure(ollama_t *ollama, uint8_t field, const raaf_json_value_t *value) {
    static const char *const names[] = {"prompt_eval_count", "prompt_eval_duration",
                                        "eval_count",        "eval_duration",
                                        "load_duration",     "total_duration"};
    const char *name = names[field - PROMPT_COUNT];
    raaf_buffer_t *json = &ollama->usage_json;
    int rc;

    if (value->type != RAAF_JSON_NUMBER) return RAAF_OK;
    if (field == PROMPT_COUNT) raaf_said_count(&ollama->said.prompt_tokens, value);
    if (field == ANSWER_COUNT) raaf_said_count(&ollama->said.answer_tokens, value);
    rc = raaf_buffer_append(json, json->len > 0 ? ",\"" : "{\"", 2);
    if (rc == RAAF_OK) rc = raaf_buffer_append(json, name, strlen(name));
    if (rc == RAAF_OK) rc = raaf_buffer_append(json, "\":", 2);
    return rc == RAAF_OK ? raaf_buffer_append(json, value->bytes, value->len) : rc;
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    ollama_t *ollama = context;
    said_t *said = &ollama->said;

    if (field != ROOT) said->known = true;
    switch (field) {
    case MESSAGE:
    case FUNCTION:
        return raaf_said_only_structure(value);
    case THINKING:
        return set_text(ollama, &said->thinking, value);
    case CONTENT:
        return set_text(ollama, &said->content, value);
    case TOOL_CALLS:
        return on_call(ollama, value);
    case CALL_ID:
        return raaf_said_label_or_number(&ollama->notes, &call_now(ollama)->id, value);
    case CALL_INDEX:
        return on_index(ollama, value);
    case CALL_NAME:
        return raaf_said_label_or_number(&ollama->notes, &call_now(ollama)->name, value);
    case CALL_ARGUMENTS:
        return on_arguments(ollama, value);
    case DONE:
        said->done = value->type == RAAF_JSON_TRUE;
        return RAAF_OK;
    case DONE_REASON:
        return raaf_said_label_or_number(&ollama->notes, &said->done_reason, value);
    case FAULT:
        return raaf_said_fault(&ollama->notes, &said->fault, value);
    case FAULT_MESSAGE:
        return raaf_said_label_or_number(&ollama->notes, &said->fault.message, value);
    case FAULT_TYPE:
        return raaf_said_label_or_number(&ollama->notes, &said->fault.type, value);
    case FAULT_CODE:
        return raaf_said_label_or_number(&ollama->notes, &said->fault.code, value);
    default:
        return field == ROOT ? RAAF_OK : on_measure(ollama, field, value);
    }
}

/* ---- handing over ---- */

static int hand_over_text(ollama_t *ollama, raaf_chunk_type_t type, raaf_utf8_carry_t *open,
                          raaf_range_t range) {
    const raaf_slice_t text = raaf_notes_get(&ollama->notes, range);

    return raaf_delta_sink_text(&ollama->sink, type, 0, open, text.bytes, text.len);
}

static int close_texts(ollama_t *ollama) {
    const int rc =
        raaf_delta_sink_end_text(&ollama->sink, RAAF_CHUNK_REASONING, 0, &ollama->open_thinking);

    if (rc != RAAF_OK) return rc;
    return raaf_delta_sink_end_text(&ollama->sink, RAAF_CHUNK_CONTENT, 0, &ollama->open_content);
}

static int hand_over_call(ollama_t *ollama, const call_t *said) {
    const bool is_free =
        said->has_index && raaf_tool_calls_by_index(&ollama->calls, 0, said->index) == NULL;
    const int64_t index = is_free ? said->index : raaf_tool_calls_free_index(&ollama->calls, 0);
    raaf_slice_t arguments = raaf_notes_get(&ollama->notes, said->arguments);
    raaf_tool_call_t *call;
    int rc = raaf_tool_calls_begin(&ollama->calls, 0, index, &call);

    if (rc != RAAF_OK) return rc;
    if (arguments.len == 0) arguments = (raaf_slice_t){"{}", 2};
    rc = raaf_tool_call_label(call, raaf_notes_get(&ollama->notes, said->id),
                              raaf_notes_get(&ollama->notes, said->name));
    if (rc == RAAF_OK) rc = raaf_tool_call_add(call, arguments, &ollama->sink);
    return rc == RAAF_OK ? raaf_tool_call_close(call, &ollama->sink) : rc;
}

static int hand_over_usage(ollama_t *ollama) {
    const int64_t prompt = ollama->said.prompt_tokens, answer = ollama->said.answer_tokens;
    const bool adds_up = prompt >= 0 && answer >= 0 && prompt <= INT64_MAX - answer;
    raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE, .usage = RAAF_USAGE_UNKNOWN};
    int rc;

    if (prompt < 0 && answer < 0) return RAAF_OK;
    if ((rc = raaf_buffer_append(&ollama->usage_json, "}", 1)) != RAAF_OK) return rc;
    delta.text = (raaf_slice_t){ollama->usage_json.bytes, ollama->usage_json.len};
    delta.usage.prompt_tokens = prompt;
    delta.usage.completion_tokens = answer;
    delta.usage.total_tokens = adds_up ? prompt + answer : -1;
    return raaf_delta_sink_put(&ollama->sink, &delta);
}

static int hand_over_end(ollama_t *ollama) {
    raaf_delta_t delta = {.type = RAAF_CHUNK_FINISH,
                          .text = raaf_notes_get(&ollama->notes, ollama->said.done_reason)};
    int rc = close_texts(ollama);

    if (delta.text.len == 0) delta.text = (raaf_slice_t){"stop", 4};
    if (rc == RAAF_OK) rc = raaf_delta_sink_put(&ollama->sink, &delta);
    if (rc == RAAF_OK) rc = hand_over_usage(ollama);
    ollama->done = rc == RAAF_OK;
    return rc;
}

static int hand_over_said(ollama_t *ollama) {
    const said_t *said = &ollama->said;
    int rc = hand_over_text(ollama, RAAF_CHUNK_REASONING, &ollama->open_thinking, said->thinking);

    if (rc == RAAF_OK) {
        rc = hand_over_text(ollama, RAAF_CHUNK_CONTENT, &ollama->open_content, said->content);
    }
    for (size_t i = 0; i < call_count(ollama) && rc == RAAF_OK; i++) {
        rc = hand_over_call(ollama, call_at(ollama, i));
    }
    return rc == RAAF_OK && said->done ? hand_over_end(ollama) : rc;
}

static int hand_over_fault(ollama_t *ollama, const raaf_sse_event_t *event) {
    raaf_said_fault_t *fault = &ollama->said.fault;
    int rc = RAAF_OK;

    if (fault->json.len == 0) {
        rc = raaf_notes_set(&ollama->notes, &fault->json, event->data, event->data_len);
    }
    if (rc != RAAF_OK) return rc;
    rc = raaf_said_put_fault(&ollama->notes, fault, &ollama->sink);
    ollama->failed = ollama->done = rc == RAAF_PROVIDER_ERROR;
    return rc;
}

/* ---- the dialect ---- */

static void ollama_init(void *state, raaf_delta_fn emit, void *context) {
    ollama_t *ollama = state;

    memset(ollama, 0, sizeof *ollama);
    raaf_delta_sink_init(&ollama->sink, emit, context);
    raaf_json_reader_init(&ollama->reader, &table);
    raaf_notes_init(&ollama->notes);
    raaf_buffer_init(&ollama->said_calls, RAAF_TOOL_CALLS_MAX * sizeof(call_t));
    raaf_buffer_init(&ollama->usage_json, SIZE_MAX);
    raaf_tool_calls_init(&ollama->calls);
}

static int ollama_event(void *state, const raaf_sse_event_t *event) {
    ollama_t *ollama = state;
    int rc;

    if (ollama->done) return RAAF_OK;
    forget(ollama);
    rc = raaf_json_read(&ollama->reader, event->data, event->data_len, on_value, ollama);
    if (rc != RAAF_OK) return rc;
    if (ollama->said.fault.given) return hand_over_fault(ollama, event);
    return ollama->said.known ? hand_over_said(ollama) : RAAF_UNKNOWN_EVENT;
}

static raaf_progress_t ollama_progress(const void *state) {
    return ((const ollama_t *)state)->done ? RAAF_PROGRESS_DONE : RAAF_PROGRESS_OPEN;
}

static int ollama_finish(void *state) {
    ollama_t *ollama = state;

    return ollama->failed ? RAAF_OK : close_texts(ollama);
}

static void ollama_free(void *state) {
    ollama_t *ollama = state;

    raaf_tool_calls_free(&ollama->calls);
    raaf_buffer_free(&ollama->usage_json);
    raaf_buffer_free(&ollama->said_calls);
    raaf_notes_free(&ollama->notes);
    raaf_json_reader_free(&ollama->reader);
    raaf_delta_sink_free(&ollama->sink);
}

const raaf_dialect_t raaf_dialect_ollama = {
    .name = "ollama",
    .framing = RAAF_FRAMING_NDJSON,
    .state_size = sizeof(ollama_t),
    .init = ollama_init,
    .event = ollama_event,
    .finish = ollama_finish,
    .progress = ollama_progress,
    .free = ollama_free,
};
