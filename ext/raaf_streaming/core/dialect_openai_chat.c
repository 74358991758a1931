#include "dialect_openai_chat.h"

#include "buffer.h"
#include "json_reader.h"
#include "result_code.h"
#include "utf8.h"

#include <stdbool.h>
#include <string.h>

#define MAX_CHOICES 128
#define MAX_CALLS 1024
#define MAX_LABEL ((size_t)64 << 10) /* bytes of one id or name */
#define MAX_ARGUMENTS ((size_t)16 << 20)
#define MAX_RAW_MESSAGE ((size_t)4 << 10)

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    CHOICES,
    DELTA,
    CONTENT,
    THINKING,
    DETAILS,
    TOOL_CALLS,
    FUNCTION,
    FUNCTION_CALL,
    X_GROQ,
    USAGE,
    PROMPT_DETAILS,
    COMPLETION_DETAILS,
    FAULT, /* `error` */

    OBJECT,
    CHOICE_INDEX,
    FINISH_REASON,
    REASONING_CONTENT,
    REASONING,
    DETAIL_TEXT,
    REFUSAL,
    PART_TEXT,
    THINKING_TEXT,
    TOOL_INDEX,
    TOOL_ID,
    TOOL_NAME,
    TOOL_ARGUMENTS,

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
    ROOT_TYPE,
    ROOT_CODE,
    ROOT_PARAM
};

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(ROOT, CHOICES, "choices"),
    RAAF_JSON_FIELD(ROOT, USAGE, "usage"),
    RAAF_JSON_FIELD(ROOT, FAULT, "error"),
    RAAF_JSON_FIELD(ROOT, X_GROQ, "x_groq"),
    RAAF_JSON_FIELD(ROOT, OBJECT, "object"),
    RAAF_JSON_FIELD(ROOT, ROOT_MESSAGE, "message"),
    RAAF_JSON_FIELD(ROOT, ROOT_TYPE, "type"),
    RAAF_JSON_FIELD(ROOT, ROOT_CODE, "code"),
    RAAF_JSON_FIELD(ROOT, ROOT_PARAM, "param"),

    RAAF_JSON_FIELD(CHOICES, CHOICE_INDEX, "index"),
    RAAF_JSON_FIELD(CHOICES, DELTA, "delta"),
    RAAF_JSON_FIELD(CHOICES, FINISH_REASON, "finish_reason"),

    RAAF_JSON_FIELD(DELTA, CONTENT, "content"),
    RAAF_JSON_FIELD(DELTA, REASONING_CONTENT, "reasoning_content"),
    RAAF_JSON_FIELD(DELTA, REASONING, "reasoning"),
    RAAF_JSON_FIELD(DELTA, DETAILS, "reasoning_details"),
    RAAF_JSON_FIELD(DELTA, REFUSAL, "refusal"),
    RAAF_JSON_FIELD(DELTA, TOOL_CALLS, "tool_calls"),
    RAAF_JSON_FIELD(DELTA, FUNCTION_CALL, "function_call"),

    RAAF_JSON_FIELD(CONTENT, PART_TEXT, "text"),
    RAAF_JSON_FIELD(CONTENT, THINKING, "thinking"),

    RAAF_JSON_FIELD(THINKING, THINKING_TEXT, "text"),

    RAAF_JSON_FIELD(DETAILS, DETAIL_TEXT, "text"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_TEXT, "summary"),

    RAAF_JSON_FIELD(TOOL_CALLS, TOOL_INDEX, "index"),
    RAAF_JSON_FIELD(TOOL_CALLS, TOOL_ID, "id"),
    RAAF_JSON_FIELD(TOOL_CALLS, FUNCTION, "function"),

    RAAF_JSON_FIELD(FUNCTION, TOOL_NAME, "name"),
    RAAF_JSON_FIELD(FUNCTION, TOOL_ARGUMENTS, "arguments"),

    RAAF_JSON_FIELD(FUNCTION_CALL, TOOL_NAME, "name"),
    RAAF_JSON_FIELD(FUNCTION_CALL, TOOL_ARGUMENTS, "arguments"),

    RAAF_JSON_FIELD(X_GROQ, USAGE, "usage"),

    RAAF_JSON_FIELD(USAGE, PROMPT_TOKENS, "prompt_tokens"),
    RAAF_JSON_FIELD(USAGE, COMPLETION_TOKENS, "completion_tokens"),
    RAAF_JSON_FIELD(USAGE, TOTAL_TOKENS, "total_tokens"),
    RAAF_JSON_FIELD(USAGE, CACHED_TOKENS, "prompt_cache_hit_tokens"),
    RAAF_JSON_FIELD(USAGE, PROMPT_DETAILS, "prompt_tokens_details"),
    RAAF_JSON_FIELD(USAGE, COMPLETION_DETAILS, "completion_tokens_details"),

    RAAF_JSON_FIELD(PROMPT_DETAILS, CACHED_TOKENS, "cached_tokens"),
    RAAF_JSON_FIELD(PROMPT_DETAILS, CACHE_WRITE_TOKENS, "cache_write_tokens"),
    RAAF_JSON_FIELD(PROMPT_DETAILS, AUDIO_PROMPT_TOKENS, "audio_tokens"),

    RAAF_JSON_FIELD(COMPLETION_DETAILS, REASONING_TOKENS, "reasoning_tokens"),
    RAAF_JSON_FIELD(COMPLETION_DETAILS, AUDIO_COMPLETION_TOKENS, "audio_tokens"),

    RAAF_JSON_FIELD(FAULT, FAULT_MESSAGE, "message"),
    RAAF_JSON_FIELD(FAULT, FAULT_TYPE, "type"),
    RAAF_JSON_FIELD(FAULT, FAULT_CODE, "code"),
    RAAF_JSON_FIELD(FAULT, FAULT_PARAM, "param"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- what one event says, kept aside until it was read to its end ---- */

/* Kinds of text; reasoning in the order in which one is preferred to the next. */
typedef enum channel {
    AS_REASONING_CONTENT,
    AS_REASONING,
    AS_DETAILS,
    AS_THINKING,
    AS_CONTENT,
    AS_REFUSAL,
    CHANNEL_COUNT
} channel_t;

#define REASONING_CHANNELS AS_CONTENT

/* A part of one of the buffers below. */
typedef struct range {
    size_t start;
    size_t len;
} range_t;

typedef struct fragment {
    bool has_index;
    int64_t index;
    range_t id; /* this and all below: in the notes */
    range_t name;
    range_t arguments; /* not repaired yet: a character may go on in the next fragment */
} fragment_t;

typedef struct said_choice {
    uint32_t index;
    size_t slot; /* position of its choice_t */
    size_t first_fragment;
    size_t fragment_count;
    range_t finish_reason; /* in the notes */
    range_t texts[CHANNEL_COUNT];
} said_choice_t;

typedef struct said_usage {
    bool given;
    range_t json; /* in the notes */
    raaf_usage_t counts;
} said_usage_t;

typedef enum fault {
    NO_FAULT,
    FAULT_OBJECT, /* {"error": {…}} */
    FAULT_STRING, /* {"error": "…"} */
    FAULT_ROOT    /* the event's own object is the error */
} fault_t;

typedef struct fault_fields {
    range_t message;
    range_t type;
    range_t code;
    range_t param;
} fault_fields_t;

typedef struct said {
    raaf_buffer_t choices;              /* of said_choice_t */
    raaf_buffer_t fragments;            /* of fragment_t */
    raaf_buffer_t texts[CHANNEL_COUNT]; /* as read */
    raaf_buffer_t notes;                /* labels, error and usage: valid UTF-8; arguments as read */
    unsigned part_depth;                /* open arrays in `content` */
    bool in_groq;
    said_usage_t usage;
    said_usage_t groq_usage;
    fault_t fault;
    range_t fault_json; /* in the notes */
    fault_fields_t fault_fields;
    fault_fields_t root_fields;
} said_t;

/* ---- what the response has said so far ---- */

typedef enum open_text { OPEN_REASONING, OPEN_CONTENT, OPEN_REFUSAL, OPEN_COUNT } open_text_t;

typedef struct choice {
    uint32_t index;
    bool finished;
    bool has_call;
    size_t last_call; /* position of the call that its newest fragment belongs to */
    raaf_utf8_carry_t open[OPEN_COUNT];
} choice_t;

typedef struct call {
    uint32_t choice;
    bool whole; /* was handed over */
    raaf_utf8_carry_t open;
    int64_t index;
    raaf_buffer_t id;
    raaf_buffer_t name;
    raaf_buffer_t arguments;
} call_t;

typedef struct chat {
    raaf_delta_fn emit;
    void *context;
    raaf_json_reader_t reader;
    said_t said;
    raaf_buffer_t choices;  /* of choice_t */
    raaf_buffer_t calls;    /* of call_t, in the order in which they began */
    raaf_buffer_t repaired; /* a piece of text on its way out */
    size_t finished_choices;
    bool settled; /* usage came with or after the last finish reason */
    bool failed;  /* an error was handed over */
    bool done;
} chat_t;

/* ---- buffers of structs ---- */

static size_t choice_count(const chat_t *chat) {
    return chat->choices.len / sizeof(choice_t);
}

static choice_t *choice_at(const chat_t *chat, size_t i) {
    return (choice_t *)(void *)chat->choices.bytes + i;
}

static size_t call_count(const chat_t *chat) {
    return chat->calls.len / sizeof(call_t);
}

static call_t *call_at(const chat_t *chat, size_t i) {
    return (call_t *)(void *)chat->calls.bytes + i;
}

static size_t said_choice_count(const said_t *said) {
    return said->choices.len / sizeof(said_choice_t);
}

static said_choice_t *said_choice_at(const said_t *said, size_t i) {
    return (said_choice_t *)(void *)said->choices.bytes + i;
}

static fragment_t *fragment_at(const said_t *said, size_t i) {
    return (fragment_t *)(void *)said->fragments.bytes + i;
}

/* The newest ones: what a value belongs to, because choices and fragments do not nest. */
static said_choice_t *said_choice_now(const said_t *said) {
    return said_choice_at(said, said_choice_count(said) - 1);
}

static fragment_t *fragment_now(const said_t *said) {
    return fragment_at(said, said->fragments.len / sizeof(fragment_t) - 1);
}

/* Every cap of this file is a buffer's limit. */
static int capped(int rc) {
    return rc == RAAF_BODY_TOO_LARGE ? RAAF_EVENT_TOO_LARGE : rc;
}

static int push(raaf_buffer_t *buffer, const void *item, size_t size) {
    return capped(raaf_buffer_append(buffer, item, size));
}

static raaf_slice_t note(const said_t *said, range_t range) {
    if (range.len == 0) return (raaf_slice_t){"", 0};
    return (raaf_slice_t){said->notes.bytes + range.start, range.len};
}

static raaf_slice_t slice_of(const raaf_buffer_t *buffer) {
    return (raaf_slice_t){buffer->bytes != NULL ? buffer->bytes : "", buffer->len};
}

/* ---- reading an event ---- */

static void forget_said(said_t *said) {
    raaf_buffer_clear(&said->choices, KEEP_BYTES);
    raaf_buffer_clear(&said->fragments, KEEP_BYTES);
    for (int i = 0; i < CHANNEL_COUNT; i++) raaf_buffer_clear(&said->texts[i], KEEP_BYTES);
    raaf_buffer_clear(&said->notes, KEEP_BYTES);
    said->part_depth = 0;
    said->in_groq = false;
    said->usage.given = false;
    said->groq_usage.given = false;
    said->fault = NO_FAULT;
    said->fault_json = (range_t){0};
    said->fault_fields = (fault_fields_t){0};
    said->root_fields = (fault_fields_t){0};
}

static int begin_choice(said_t *said) {
    const said_choice_t choice = {.first_fragment = said->fragments.len / sizeof(fragment_t)};

    return push(&said->choices, &choice, sizeof choice);
}

static int begin_fragment(said_t *said, bool has_index) {
    const fragment_t fragment = {.has_index = has_index};
    const int rc = push(&said->fragments, &fragment, sizeof fragment);

    if (rc == RAAF_OK) said_choice_now(said)->fragment_count++;
    return rc;
}

static void begin_text(said_t *said, channel_t channel) {
    said_choice_now(said)->texts[channel] = (range_t){.start = said->texts[channel].len};
}

static int add_text(said_t *said, channel_t channel, const raaf_json_value_t *value) {
    range_t *range = &said_choice_now(said)->texts[channel];

    if (range->len == 0) range->start = said->texts[channel].len;
    range->len += value->len;
    return push(&said->texts[channel], value->bytes, value->len);
}

static int set_text(said_t *said, channel_t channel, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    begin_text(said, channel);
    return add_text(said, channel, value);
}

/* An earlier note of the same field is taken back where it was the last one. */
static void begin_note(said_t *said, range_t *range) {
    if (range->start + range->len == said->notes.len) said->notes.len -= range->len;
    *range = (range_t){.start = said->notes.len};
}

static int set_note(said_t *said, range_t *range, const char *bytes, size_t len) {
    int rc;

    begin_note(said, range);
    rc = capped(raaf_utf8_repair(NULL, bytes, len, &said->notes));
    range->len = said->notes.len - range->start;
    return rc;
}

static int set_label(said_t *said, range_t *range, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    return set_note(said, range, value->bytes, value->len);
}

static int set_label_or_number(said_t *said, range_t *range, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING && value->type != RAAF_JSON_NUMBER) return RAAF_OK;
    return set_note(said, range, value->bytes, value->len);
}

/* What carries the answer must not be dropped in silence: there a wrong type is an error. */
static int only_structure(const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_FALSE:
    case RAAF_JSON_TRUE:
    case RAAF_JSON_NUMBER:
    case RAAF_JSON_STRING:
        return RAAF_INVALID_EVENT;
    default:
        return RAAF_OK;
    }
}

static int on_content(said_t *said, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_STRING:
        if (said->part_depth == 0) begin_text(said, AS_CONTENT);
        return add_text(said, AS_CONTENT, value);
    case RAAF_JSON_OPEN_ARRAY:
        if (said->part_depth++ > 0) return RAAF_OK;
        begin_text(said, AS_CONTENT);
        begin_text(said, AS_THINKING);
        return RAAF_OK;
    case RAAF_JSON_CLOSE_ARRAY:
        said->part_depth--;
        return RAAF_OK;
    default:
        return only_structure(value);
    }
}

static int on_arguments(said_t *said, const raaf_json_value_t *value) {
    range_t *range = &fragment_now(said)->arguments;

    switch (value->type) {
    case RAAF_JSON_STRING:
    case RAAF_JSON_CLOSE_OBJECT:
    case RAAF_JSON_CLOSE_ARRAY:
        begin_note(said, range);
        range->len = value->len;
        return push(&said->notes, value->bytes, value->len);
    default:
        return only_structure(value);
    }
}

/* Digits in a string count as the number. [otherwise] stands for what is no whole number. */
static int64_t integer_of(const raaf_json_value_t *value, int64_t otherwise) {
    raaf_json_value_t number = *value;

    if (value->type == RAAF_JSON_STRING && value->len > 0) {
        for (size_t i = 0; i < value->len; i++) {
            if (value->bytes[i] < '0' || value->bytes[i] > '9') return otherwise;
        }
        number.type = RAAF_JSON_NUMBER;
    }
    return raaf_json_integer(&number, otherwise);
}

static int on_choice_index(said_t *said, const raaf_json_value_t *value) {
    const int64_t index = value->type == RAAF_JSON_NULL ? 0 : integer_of(value, -1);

    if (index < 0 || index > UINT32_MAX) return RAAF_INVALID_EVENT;
    said_choice_now(said)->index = (uint32_t)index;
    return RAAF_OK;
}

static int on_tool_index(said_t *said, const raaf_json_value_t *value) {
    fragment_t *fragment = fragment_now(said);

    fragment->has_index = value->type != RAAF_JSON_NULL;
    if (!fragment->has_index) return RAAF_OK;
    fragment->index = integer_of(value, INT64_MIN);
    return fragment->index == INT64_MIN ? RAAF_INVALID_EVENT : RAAF_OK;
}

static said_usage_t *usage_now(said_t *said) {
    return said->in_groq ? &said->groq_usage : &said->usage;
}

static int on_usage(said_t *said, const raaf_json_value_t *value) {
    said_usage_t *usage = usage_now(said);

    if (value->type == RAAF_JSON_OPEN_OBJECT) {
        usage->counts = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
        usage->json = (range_t){0};
    }
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    usage->given = true;
    return set_note(said, &usage->json, value->bytes, value->len);
}

static int on_count(said_t *said, uint8_t field, const raaf_json_value_t *value) {
    raaf_usage_t *counts = &usage_now(said)->counts;
    int64_t *const places[] = {
        &counts->prompt_tokens,      &counts->completion_tokens,   &counts->total_tokens,
        &counts->cached_tokens,      &counts->cache_write_tokens,  &counts->reasoning_tokens,
        &counts->audio_prompt_tokens, &counts->audio_completion_tokens};
    const int64_t count = raaf_json_integer(value, -1);

    if (count >= 0) *places[field - PROMPT_TOKENS] = count;
    return RAAF_OK;
}

static int on_fault(said_t *said, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_STRING:
        if (value->len == 0) return RAAF_OK;
        said->fault = FAULT_STRING;
        return set_note(said, &said->fault_fields.message, value->bytes, value->len);
    case RAAF_JSON_CLOSE_OBJECT:
        said->fault = FAULT_OBJECT;
        return set_note(said, &said->fault_json, value->bytes, value->len);
    default:
        return RAAF_OK;
    }
}

static void on_object_name(said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_STRING && value->len == 5 && said->fault == NO_FAULT &&
        memcmp(value->bytes, "error", 5) == 0) {
        said->fault = FAULT_ROOT;
    }
}

/* Values that only matter where something went wrong, or once in a response. */
static int on_rare_value(said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (field) {
    case X_GROQ:
        said->in_groq = value->type == RAAF_JSON_OPEN_OBJECT;
        return RAAF_OK;
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
        return on_count(said, field, value);
    case FAULT:
        return on_fault(said, value);
    case FAULT_MESSAGE:
        return set_label_or_number(said, &said->fault_fields.message, value);
    case FAULT_TYPE:
        return set_label(said, &said->fault_fields.type, value);
    case FAULT_CODE:
        return set_label_or_number(said, &said->fault_fields.code, value);
    case FAULT_PARAM:
        return set_label(said, &said->fault_fields.param, value);
    case ROOT_MESSAGE:
        return set_label_or_number(said, &said->root_fields.message, value);
    case ROOT_TYPE:
        return set_label(said, &said->root_fields.type, value);
    case ROOT_CODE:
        return set_label_or_number(said, &said->root_fields.code, value);
    case ROOT_PARAM:
        return set_label(said, &said->root_fields.param, value);
    default:
        return RAAF_OK;
    }
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    said_t *said = context;

    switch (field) {
    case OBJECT:
        on_object_name(said, value);
        return RAAF_OK;
    case CHOICES:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_choice(said);
        return only_structure(value);
    case CHOICE_INDEX:
        return on_choice_index(said, value);
    case DELTA:
        return only_structure(value);
    case FINISH_REASON:
        return set_label(said, &said_choice_now(said)->finish_reason, value);
    case CONTENT:
        return on_content(said, value);
    case PART_TEXT:
        return value->type == RAAF_JSON_STRING ? add_text(said, AS_CONTENT, value) : RAAF_OK;
    case THINKING:
    case THINKING_TEXT:
        return value->type == RAAF_JSON_STRING ? add_text(said, AS_THINKING, value) : RAAF_OK;
    case REASONING_CONTENT:
        return set_text(said, AS_REASONING_CONTENT, value);
    case REASONING:
        return set_text(said, AS_REASONING, value);
    case DETAILS:
        if (value->type == RAAF_JSON_OPEN_ARRAY) begin_text(said, AS_DETAILS);
        return RAAF_OK;
    case DETAIL_TEXT:
        return value->type == RAAF_JSON_STRING ? add_text(said, AS_DETAILS, value) : RAAF_OK;
    case REFUSAL:
        return set_text(said, AS_REFUSAL, value);
    case TOOL_CALLS:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_fragment(said, false);
        return only_structure(value);
    case FUNCTION_CALL:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_fragment(said, true);
        return only_structure(value);
    case FUNCTION:
        return only_structure(value);
    case TOOL_INDEX:
        return on_tool_index(said, value);
    case TOOL_ID:
        return set_label(said, &fragment_now(said)->id, value);
    case TOOL_NAME:
        return set_label(said, &fragment_now(said)->name, value);
    case TOOL_ARGUMENTS:
        return on_arguments(said, value);
    default:
        return on_rare_value(said, field, value);
    }
}

/* ---- handing over: text ---- */

static int emit_text(chat_t *chat, raaf_chunk_type_t type, uint32_t choice, const char *bytes,
                     size_t len) {
    const raaf_delta_t delta = {.type = type, .choice = choice, .text = {bytes, len}};

    return len == 0 ? RAAF_OK : chat->emit(chat->context, &delta);
}

/* Hands over a text as it was read where it is whole and valid, which nearly every one is. */
static int hand_over_text(chat_t *chat, raaf_chunk_type_t type, size_t slot, open_text_t which,
                          const char *bytes, size_t len) {
    choice_t *choice = choice_at(chat, slot);
    int rc;

    if (choice->open[which].len == 0 && raaf_utf8_valid(bytes, len)) {
        return emit_text(chat, type, choice->index, bytes, len);
    }
    raaf_buffer_clear(&chat->repaired, KEEP_BYTES);
    rc = capped(raaf_utf8_repair(&choice->open[which], bytes, len, &chat->repaired));
    if (rc != RAAF_OK) return rc;
    return emit_text(chat, type, choice->index, chat->repaired.bytes, chat->repaired.len);
}

static int hand_over_open_text(chat_t *chat, raaf_chunk_type_t type, size_t slot,
                               open_text_t which) {
    choice_t *choice = choice_at(chat, slot);
    int rc;

    if (choice->open[which].len == 0) return RAAF_OK;
    raaf_buffer_clear(&chat->repaired, KEEP_BYTES);
    rc = capped(raaf_utf8_finish(&choice->open[which], &chat->repaired));
    if (rc != RAAF_OK) return rc;
    return emit_text(chat, type, choice->index, chat->repaired.bytes, chat->repaired.len);
}

static int close_texts(chat_t *chat, size_t slot) {
    int rc = hand_over_open_text(chat, RAAF_CHUNK_REASONING, slot, OPEN_REASONING);

    if (rc == RAAF_OK) rc = hand_over_open_text(chat, RAAF_CHUNK_CONTENT, slot, OPEN_CONTENT);
    if (rc == RAAF_OK) rc = hand_over_open_text(chat, RAAF_CHUNK_REFUSAL, slot, OPEN_REFUSAL);
    return rc;
}

static int hand_over_channel(chat_t *chat, const said_choice_t *said_choice, channel_t channel,
                             raaf_chunk_type_t type, open_text_t which) {
    const range_t range = said_choice->texts[channel];

    if (range.len == 0) return RAAF_OK;
    return hand_over_text(chat, type, said_choice->slot, which,
                          chat->said.texts[channel].bytes + range.start, range.len);
}

static int hand_over_texts(chat_t *chat, const said_choice_t *said_choice) {
    channel_t reasoning = 0;
    int rc;

    while (reasoning < REASONING_CHANNELS - 1 && said_choice->texts[reasoning].len == 0) {
        reasoning++;
    }
    rc = hand_over_channel(chat, said_choice, reasoning, RAAF_CHUNK_REASONING, OPEN_REASONING);
    if (rc != RAAF_OK) return rc;
    rc = hand_over_channel(chat, said_choice, AS_CONTENT, RAAF_CHUNK_CONTENT, OPEN_CONTENT);
    if (rc != RAAF_OK) return rc;
    return hand_over_channel(chat, said_choice, AS_REFUSAL, RAAF_CHUNK_REFUSAL, OPEN_REFUSAL);
}

/* ---- handing over: tool calls ---- */

static bool same(const raaf_buffer_t *buffer, raaf_slice_t slice) {
    return buffer->len == slice.len &&
           (slice.len == 0 || memcmp(buffer->bytes, slice.bytes, slice.len) == 0);
}

static call_t *find_call_by_index(const chat_t *chat, uint32_t choice, int64_t index) {
    for (size_t i = call_count(chat); i > 0; i--) {
        call_t *call = call_at(chat, i - 1);

        if (call->choice == choice && call->index == index) return call;
    }
    return NULL;
}

static call_t *find_call_by_id(const chat_t *chat, uint32_t choice, raaf_slice_t id) {
    for (size_t i = call_count(chat); i > 0; i--) {
        call_t *call = call_at(chat, i - 1);

        if (call->choice == choice && same(&call->id, id)) return call;
    }
    return NULL;
}

/* The call that a fragment goes on with, or NULL where it begins one. */
static call_t *find_call(const chat_t *chat, const choice_t *choice, const fragment_t *fragment) {
    const raaf_slice_t id = note(&chat->said, fragment->id);
    const bool has_name = fragment->name.len > 0;
    call_t *call;

    if (fragment->has_index) {
        call = find_call_by_index(chat, choice->index, fragment->index);
        /* Some servers give every call the index 0; a new id alone may come with each fragment. */
        if (call != NULL && has_name && call->name.len > 0 && id.len > 0 && call->id.len > 0 &&
            !same(&call->id, id)) {
            return NULL;
        }
        return call;
    }
    if (id.len > 0) return find_call_by_id(chat, choice->index, id);
    if (!choice->has_call) return NULL;
    call = call_at(chat, choice->last_call);
    return has_name && call->name.len > 0 ? NULL : call;
}

static int64_t free_index(const chat_t *chat, uint32_t choice) {
    int64_t index = 0;

    for (size_t i = 0; i < call_count(chat); i++) index += call_at(chat, i)->choice == choice;
    while (find_call_by_index(chat, choice, index) != NULL) index++;
    return index;
}

static int begin_call(chat_t *chat, const choice_t *choice, const fragment_t *fragment,
                      call_t **begun) {
    call_t call = {.choice = choice->index};
    int rc;

    call.index = fragment->has_index ? fragment->index : free_index(chat, choice->index);
    raaf_buffer_init(&call.id, MAX_LABEL);
    raaf_buffer_init(&call.name, MAX_LABEL);
    raaf_buffer_init(&call.arguments, MAX_ARGUMENTS);
    if ((rc = push(&chat->calls, &call, sizeof call)) != RAAF_OK) return rc;
    *begun = call_at(chat, call_count(chat) - 1);
    return RAAF_OK;
}

/* An id stays the first one; a name may be repeated whole, or come in pieces. */
static int add_labels(call_t *call, raaf_slice_t id, raaf_slice_t name) {
    int rc = RAAF_OK;

    if (call->id.len == 0) rc = capped(raaf_buffer_append(&call->id, id.bytes, id.len));
    if (rc == RAAF_OK && !same(&call->name, name)) {
        rc = capped(raaf_buffer_append(&call->name, name.bytes, name.len));
    }
    return rc;
}

static int emit_call(const chat_t *chat, raaf_chunk_type_t type, const call_t *call,
                     raaf_slice_t text) {
    const raaf_delta_t delta = {
        .type = type,
        .choice = call->choice,
        .text = text,
        .tool_index = call->index,
        .tool_id = slice_of(&call->id),
        .tool_name = slice_of(&call->name),
    };
    return chat->emit(chat->context, &delta);
}

/* The arguments from [start] on. */
static int emit_call_delta(const chat_t *chat, const call_t *call, size_t start) {
    const raaf_slice_t all = slice_of(&call->arguments);

    return emit_call(chat, RAAF_CHUNK_TOOL_CALL_DELTA, call,
                     (raaf_slice_t){all.bytes + start, all.len - start});
}

static int hand_over_fragment(chat_t *chat, size_t slot, const fragment_t *fragment) {
    choice_t *choice = choice_at(chat, slot);
    const raaf_slice_t arguments = note(&chat->said, fragment->arguments);
    call_t *call = find_call(chat, choice, fragment);
    size_t start;
    int rc;

    if (call == NULL && (rc = begin_call(chat, choice, fragment, &call)) != RAAF_OK) return rc;
    choice->has_call = true;
    choice->last_call = (size_t)(call - call_at(chat, 0));

    rc = add_labels(call, note(&chat->said, fragment->id), note(&chat->said, fragment->name));
    if (rc != RAAF_OK) return rc;
    start = call->arguments.len;
    rc = capped(raaf_utf8_repair(&call->open, arguments.bytes, arguments.len, &call->arguments));
    return rc == RAAF_OK ? emit_call_delta(chat, call, start) : rc;
}

static int hand_over_fragments(chat_t *chat, const said_choice_t *said_choice) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < said_choice->fragment_count && rc == RAAF_OK; i++) {
        rc = hand_over_fragment(chat, said_choice->slot,
                                fragment_at(&chat->said, said_choice->first_fragment + i));
    }
    return rc;
}

static int close_call(chat_t *chat, call_t *call) {
    const size_t start = call->arguments.len;
    int rc = capped(raaf_utf8_finish(&call->open, &call->arguments));

    if (rc == RAAF_OK && call->arguments.len > start) rc = emit_call_delta(chat, call, start);
    if (rc != RAAF_OK) return rc;
    call->whole = true;
    rc = emit_call(chat, RAAF_CHUNK_TOOL_CALL, call, slice_of(&call->arguments));
    raaf_buffer_free(&call->arguments);
    return rc;
}

static int close_calls(chat_t *chat, uint32_t choice) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < call_count(chat) && rc == RAAF_OK; i++) {
        call_t *call = call_at(chat, i);

        if (call->choice == choice && !call->whole) rc = close_call(chat, call);
    }
    return rc;
}

/* ---- handing over: the rest ---- */

static int finish_choice(chat_t *chat, const said_choice_t *said_choice) {
    choice_t *choice = choice_at(chat, said_choice->slot);
    const raaf_delta_t delta = {.type = RAAF_CHUNK_FINISH,
                                .choice = choice->index,
                                .text = note(&chat->said, said_choice->finish_reason)};
    int rc;

    if ((rc = close_texts(chat, said_choice->slot)) != RAAF_OK) return rc;
    if ((rc = close_calls(chat, choice->index)) != RAAF_OK) return rc;
    if (choice->finished) return RAAF_OK;

    choice->finished = true;
    chat->finished_choices++;
    chat->settled = false;
    return chat->emit(chat->context, &delta);
}

static int hand_over_usage(chat_t *chat) {
    const said_usage_t *usage =
        chat->said.usage.given ? &chat->said.usage : &chat->said.groq_usage;
    const raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE,
                                .text = note(&chat->said, usage->json),
                                .usage = usage->counts};

    if (!usage->given) return RAAF_OK;
    chat->settled = choice_count(chat) > 0 && chat->finished_choices == choice_count(chat);
    return chat->emit(chat->context, &delta);
}

static int find_slot(chat_t *chat, uint32_t index, size_t *slot) {
    const choice_t choice = {.index = index};
    int rc;

    for (*slot = 0; *slot < choice_count(chat); (*slot)++) {
        if (choice_at(chat, *slot)->index == index) return RAAF_OK;
    }
    rc = push(&chat->choices, &choice, sizeof choice);
    if (rc == RAAF_OK) chat->settled = false;
    return rc;
}

static int hand_over_said(chat_t *chat) {
    const said_t *said = &chat->said;
    const size_t count = said_choice_count(said);
    int rc = RAAF_OK;

    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        said_choice_t *said_choice = said_choice_at(said, i);

        rc = find_slot(chat, said_choice->index, &said_choice->slot);
    }
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        rc = hand_over_texts(chat, said_choice_at(said, i));
        if (rc == RAAF_OK) rc = hand_over_fragments(chat, said_choice_at(said, i));
    }
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        if (said_choice_at(said, i)->finish_reason.len > 0) {
            rc = finish_choice(chat, said_choice_at(said, i));
        }
    }
    return rc == RAAF_OK ? hand_over_usage(chat) : rc;
}

static int emit_fault(chat_t *chat, raaf_slice_t json, const fault_fields_t *fields) {
    const said_t *said = &chat->said;
    const raaf_delta_t delta = {
        .type = RAAF_CHUNK_ERROR,
        .text = json,
        .error_message = note(said, fields->message),
        .error_type = note(said, fields->type),
        .error_code = note(said, fields->code),
        .error_param = note(said, fields->param),
    };
    const int rc = chat->emit(chat->context, &delta);

    if (rc != RAAF_OK) return rc;
    chat->failed = true;
    chat->done = true;
    return RAAF_PROVIDER_ERROR;
}

static int hand_over_fault(chat_t *chat, const raaf_sse_event_t *event) {
    said_t *said = &chat->said;
    int rc;

    if (said->fault != FAULT_OBJECT) {
        rc = set_note(said, &said->fault_json, event->data, event->data_len);
        if (rc != RAAF_OK) return rc;
    }
    return emit_fault(chat, note(said, said->fault_json),
                      said->fault == FAULT_ROOT ? &said->root_fields : &said->fault_fields);
}

/* An event named "error" that is not an object: what it says is the message. */
static int hand_over_raw_fault(chat_t *chat, const raaf_sse_event_t *event) {
    fault_fields_t fields = {0};
    range_t *message = &fields.message;
    const char *bytes;
    int rc;

    forget_said(&chat->said);
    rc = set_note(&chat->said, message, event->data,
                  event->data_len < MAX_RAW_MESSAGE ? event->data_len : MAX_RAW_MESSAGE);
    if (rc != RAAF_OK) return rc;

    /* Repairing may have made it longer. A cut goes between two characters. */
    if (message->len > MAX_RAW_MESSAGE) {
        bytes = chat->said.notes.bytes + message->start;
        message->len = MAX_RAW_MESSAGE;
        while (((uint8_t)bytes[message->len] & 0xC0) == 0x80) message->len--;
    }
    return emit_fault(chat, (raaf_slice_t){"", 0}, &fields);
}

/* ---- the dialect ---- */

static void chat_init(void *state, raaf_delta_fn emit, void *context) {
    chat_t *chat = state;
    said_t *said = &chat->said;

    memset(chat, 0, sizeof *chat);
    chat->emit = emit;
    chat->context = context;
    raaf_json_reader_init(&chat->reader, &table);
    raaf_buffer_init(&said->choices, MAX_CHOICES * sizeof(said_choice_t));
    raaf_buffer_init(&said->fragments, MAX_CALLS * sizeof(fragment_t));
    for (int i = 0; i < CHANNEL_COUNT; i++) raaf_buffer_init(&said->texts[i], SIZE_MAX);
    raaf_buffer_init(&said->notes, SIZE_MAX);
    raaf_buffer_init(&chat->choices, MAX_CHOICES * sizeof(choice_t));
    raaf_buffer_init(&chat->calls, MAX_CALLS * sizeof(call_t));
    raaf_buffer_init(&chat->repaired, SIZE_MAX);
}

static bool is_malformed(int rc) {
    return rc == RAAF_INVALID_JSON || rc == RAAF_INVALID_EVENT || rc == RAAF_TOO_DEEP;
}

static raaf_slice_t trimmed(const char *bytes, size_t len) {
    while (len > 0 && memchr(" \t\r\n", bytes[0], 4) != NULL) {
        bytes++;
        len--;
    }
    while (len > 0 && memchr(" \t\r\n", bytes[len - 1], 4) != NULL) len--;
    return (raaf_slice_t){bytes, len};
}

/* Events that are not JSON, and are all right. Returns whether it was one. */
static bool take_mark(chat_t *chat, const raaf_sse_event_t *event) {
    raaf_slice_t data;

    if (event->data_len > 0 && event->data[0] == '{') return false;
    data = trimmed(event->data, event->data_len);
    if (data.len == 6 && memcmp(data.bytes, "[DONE]", 6) == 0) chat->done = true;
    return data.len == 0 || chat->done;
}

static int chat_event(void *state, const raaf_sse_event_t *event) {
    chat_t *chat = state;
    const bool is_error = event->type_len == 5 && memcmp(event->type, "error", 5) == 0;
    int rc;

    if (chat->done || (!is_error && take_mark(chat, event))) return RAAF_OK;

    forget_said(&chat->said);
    rc = raaf_json_read(&chat->reader, event->data, event->data_len, on_value, &chat->said);
    if (is_error && is_malformed(rc)) return hand_over_raw_fault(chat, event);
    if (rc != RAAF_OK) return rc;

    if (is_error && chat->said.fault == NO_FAULT) chat->said.fault = FAULT_ROOT;
    return chat->said.fault == NO_FAULT ? hand_over_said(chat) : hand_over_fault(chat, event);
}

static raaf_progress_t chat_progress(const void *state) {
    const chat_t *chat = state;

    if (chat->done) return RAAF_PROGRESS_DONE;
    if (choice_count(chat) == 0 || chat->finished_choices < choice_count(chat)) {
        return RAAF_PROGRESS_OPEN;
    }
    return chat->settled ? RAAF_PROGRESS_SETTLED : RAAF_PROGRESS_FINISHED;
}

static int chat_finish(void *state) {
    chat_t *chat = state;
    int rc = RAAF_OK;

    if (chat->failed) return RAAF_OK;
    for (size_t i = 0; i < choice_count(chat) && rc == RAAF_OK; i++) {
        rc = close_texts(chat, i);
    }
    /* A call that was cut off is not a call: somebody might run it. */
    if (chat_progress(chat) == RAAF_PROGRESS_OPEN) return rc;
    for (size_t i = 0; i < choice_count(chat) && rc == RAAF_OK; i++) {
        rc = close_calls(chat, choice_at(chat, i)->index);
    }
    return rc;
}

static void chat_free(void *state) {
    chat_t *chat = state;
    said_t *said = &chat->said;

    for (size_t i = 0; i < call_count(chat); i++) {
        raaf_buffer_free(&call_at(chat, i)->id);
        raaf_buffer_free(&call_at(chat, i)->name);
        raaf_buffer_free(&call_at(chat, i)->arguments);
    }
    raaf_buffer_free(&chat->calls);
    raaf_buffer_free(&chat->choices);
    raaf_buffer_free(&chat->repaired);
    raaf_buffer_free(&said->choices);
    raaf_buffer_free(&said->fragments);
    for (int i = 0; i < CHANNEL_COUNT; i++) raaf_buffer_free(&said->texts[i]);
    raaf_buffer_free(&said->notes);
    raaf_json_reader_free(&chat->reader);
}

const raaf_dialect_t raaf_dialect_openai_chat = {
    .name = "openai_chat",
    .framing = RAAF_FRAMING_SSE,
    .state_size = sizeof(chat_t),
    .init = chat_init,
    .event = chat_event,
    .finish = chat_finish,
    .progress = chat_progress,
    .free = chat_free,
};
