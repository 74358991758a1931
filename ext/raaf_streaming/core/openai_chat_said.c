#include "openai_chat_said.h"

#include "result_code.h"

#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    CHOICES,
    DELTA,
    MESSAGE,
    CONTENT,
    THINKING,
    DETAILS,
    AUDIO,
    TOOL_CALLS,
    FUNCTION,
    FUNCTION_CALL,
    X_GROQ,
    USAGE,
    PROMPT_DETAILS,
    COMPLETION_DETAILS,
    FAULT, /* `error` */
    FAULT_METADATA,

    OBJECT,
    SEARCH_RESULTS,
    CITATIONS,
    CHOICE_INDEX,
    FINISH_REASON,
    MESSAGE_PART,
    REASONING_CONTENT,
    REASONING,
    REFUSAL,
    ANNOTATIONS,
    EXECUTED_TOOLS,
    EXTRA_CONTENT,
    TRANSCRIPT,
    PART_TEXT,
    PART_SIGNATURE,
    REFERENCE_IDS,
    THINKING_TEXT,
    DETAIL_TYPE,
    DETAIL_TEXT,
    DETAIL_SUMMARY,
    DETAIL_SIGNATURE,
    DETAIL_FORMAT,
    DETAIL_ID,
    DETAIL_INDEX,
    TOOL_INDEX,
    TOOL_ID,
    TOOL_EXTRA,
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
    RAAF_JSON_FIELD(ROOT, SEARCH_RESULTS, "search_results"),
    RAAF_JSON_FIELD(ROOT, CITATIONS, "citations"),
    RAAF_JSON_FIELD(ROOT, ROOT_MESSAGE, "message"),
    RAAF_JSON_FIELD(ROOT, ROOT_TYPE, "type"),
    RAAF_JSON_FIELD(ROOT, ROOT_CODE, "code"),
    RAAF_JSON_FIELD(ROOT, ROOT_PARAM, "param"),

    RAAF_JSON_FIELD(CHOICES, CHOICE_INDEX, "index"),
    RAAF_JSON_FIELD(CHOICES, DELTA, "delta"),
    RAAF_JSON_FIELD(CHOICES, MESSAGE, "message"),
    RAAF_JSON_FIELD(CHOICES, FINISH_REASON, "finish_reason"),
    RAAF_JSON_FIELD(CHOICES, FAULT, "error"),

    RAAF_JSON_FIELD(DELTA, CONTENT, "content"),
    RAAF_JSON_FIELD(DELTA, REASONING_CONTENT, "reasoning_content"),
    RAAF_JSON_FIELD(DELTA, REASONING, "reasoning"),
    RAAF_JSON_FIELD(DELTA, DETAILS, "reasoning_details"),
    RAAF_JSON_FIELD(DELTA, REFUSAL, "refusal"),
    RAAF_JSON_FIELD(DELTA, TOOL_CALLS, "tool_calls"),
    RAAF_JSON_FIELD(DELTA, FUNCTION_CALL, "function_call"),
    RAAF_JSON_FIELD(DELTA, ANNOTATIONS, "annotations"),
    RAAF_JSON_FIELD(DELTA, EXECUTED_TOOLS, "executed_tools"),
    RAAF_JSON_FIELD(DELTA, EXTRA_CONTENT, "extra_content"),
    RAAF_JSON_FIELD(DELTA, AUDIO, "audio"),

    RAAF_JSON_FIELD(MESSAGE, MESSAGE_PART, "content"),
    RAAF_JSON_FIELD(MESSAGE, MESSAGE_PART, "refusal"),
    RAAF_JSON_FIELD(MESSAGE, MESSAGE_PART, "tool_calls"),
    RAAF_JSON_FIELD(MESSAGE, MESSAGE_PART, "function_call"),

    RAAF_JSON_FIELD(CONTENT, PART_TEXT, "text"),
    RAAF_JSON_FIELD(CONTENT, THINKING, "thinking"),
    RAAF_JSON_FIELD(CONTENT, PART_SIGNATURE, "signature"),
    RAAF_JSON_FIELD(CONTENT, REFERENCE_IDS, "reference_ids"),

    RAAF_JSON_FIELD(THINKING, THINKING_TEXT, "text"),

    RAAF_JSON_FIELD(DETAILS, DETAIL_TYPE, "type"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_TEXT, "text"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_SUMMARY, "summary"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_SIGNATURE, "signature"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_FORMAT, "format"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_ID, "id"),
    RAAF_JSON_FIELD(DETAILS, DETAIL_INDEX, "index"),

    RAAF_JSON_FIELD(AUDIO, TRANSCRIPT, "transcript"),

    RAAF_JSON_FIELD(TOOL_CALLS, TOOL_INDEX, "index"),
    RAAF_JSON_FIELD(TOOL_CALLS, TOOL_ID, "id"),
    RAAF_JSON_FIELD(TOOL_CALLS, TOOL_EXTRA, "extra_content"),
    RAAF_JSON_FIELD(TOOL_CALLS, FUNCTION, "function"),

    RAAF_JSON_FIELD(FUNCTION, TOOL_NAME, "name"),
    RAAF_JSON_FIELD(FUNCTION, TOOL_ARGUMENTS, "arguments"),

    RAAF_JSON_FIELD(FUNCTION_CALL, TOOL_NAME, "name"),
    RAAF_JSON_FIELD(FUNCTION_CALL, TOOL_ARGUMENTS, "arguments"),

    RAAF_JSON_FIELD(X_GROQ, USAGE, "usage"),
    RAAF_JSON_FIELD(X_GROQ, FAULT, "error"),

    RAAF_JSON_FIELD(USAGE, PROMPT_TOKENS, "prompt_tokens"),
    RAAF_JSON_FIELD(USAGE, COMPLETION_TOKENS, "completion_tokens"),
    RAAF_JSON_FIELD(USAGE, TOTAL_TOKENS, "total_tokens"),
    RAAF_JSON_FIELD(USAGE, CACHED_TOKENS, "prompt_cache_hit_tokens"),
    RAAF_JSON_FIELD(USAGE, CACHED_TOKENS, "cached_tokens"),
    RAAF_JSON_FIELD(USAGE, REASONING_TOKENS, "reasoning_tokens"),
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
    RAAF_JSON_FIELD(FAULT, FAULT_METADATA, "metadata"),

    RAAF_JSON_FIELD(FAULT_METADATA, FAULT_TYPE, "error_type"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- the buffers ---- */

void raaf_chat_said_init(raaf_chat_said_t *said) {
    memset(said, 0, sizeof *said);
    raaf_json_reader_init(&said->reader, &table);
    raaf_buffer_init(&said->choices, RAAF_CHAT_MAX_CHOICES * sizeof(raaf_chat_said_choice_t));
    raaf_buffer_init(&said->fragments, RAAF_CHAT_MAX_CALLS * sizeof(raaf_chat_fragment_t));
    raaf_buffer_init(&said->details, RAAF_CHAT_MAX_DETAILS * sizeof(raaf_chat_detail_t));
    raaf_buffer_init(&said->extras, RAAF_CHAT_MAX_EXTRAS * sizeof(raaf_chat_extra_t));
    for (int i = 0; i < RAAF_CHAT_CHANNEL_COUNT; i++)
        raaf_buffer_init(&said->texts[i], SIZE_MAX);
    raaf_notes_init(&said->notes);
}

void raaf_chat_said_free(raaf_chat_said_t *said) {
    raaf_buffer_free(&said->choices);
    raaf_buffer_free(&said->fragments);
    raaf_buffer_free(&said->details);
    raaf_buffer_free(&said->extras);
    for (int i = 0; i < RAAF_CHAT_CHANNEL_COUNT; i++)
        raaf_buffer_free(&said->texts[i]);
    raaf_notes_free(&said->notes);
    raaf_json_reader_free(&said->reader);
}

void raaf_chat_said_forget(raaf_chat_said_t *said) {
    raaf_buffer_clear(&said->choices, KEEP_BYTES);
    raaf_buffer_clear(&said->fragments, KEEP_BYTES);
    raaf_buffer_clear(&said->details, KEEP_BYTES);
    raaf_buffer_clear(&said->extras, KEEP_BYTES);
    for (int i = 0; i < RAAF_CHAT_CHANNEL_COUNT; i++)
        raaf_buffer_clear(&said->texts[i], KEEP_BYTES);
    raaf_notes_forget(&said->notes);
    said->array_depth = 0;
    said->in_groq = false;
    said->usage.given = false;
    said->groq_usage.given = false;
    memset(said->sources, 0, sizeof said->sources);
    said->fault = RAAF_CHAT_NO_FAULT;
    said->fault_fields = (raaf_said_fault_t){0};
    said->root_fields = (raaf_said_fault_t){0};
}

size_t raaf_chat_said_choice_count(const raaf_chat_said_t *said) {
    return said->choices.len / sizeof(raaf_chat_said_choice_t);
}

raaf_chat_said_choice_t *raaf_chat_said_choice(const raaf_chat_said_t *said, size_t i) {
    return (raaf_chat_said_choice_t *)(void *)said->choices.bytes + i;
}

static size_t fragment_count(const raaf_chat_said_t *said) {
    return said->fragments.len / sizeof(raaf_chat_fragment_t);
}

static size_t detail_count(const raaf_chat_said_t *said) {
    return said->details.len / sizeof(raaf_chat_detail_t);
}

static size_t extra_count(const raaf_chat_said_t *said) {
    return said->extras.len / sizeof(raaf_chat_extra_t);
}

static raaf_chat_fragment_t *fragment_at(const raaf_chat_said_t *said, size_t i) {
    return (raaf_chat_fragment_t *)(void *)said->fragments.bytes + i;
}

static raaf_chat_detail_t *detail_at(const raaf_chat_said_t *said, size_t i) {
    return (raaf_chat_detail_t *)(void *)said->details.bytes + i;
}

const raaf_chat_fragment_t *raaf_chat_said_fragment(const raaf_chat_said_t *said, size_t i) {
    return fragment_at(said, i);
}

const raaf_chat_detail_t *raaf_chat_said_detail(const raaf_chat_said_t *said, size_t i) {
    return detail_at(said, i);
}

const raaf_chat_extra_t *raaf_chat_said_extra(const raaf_chat_said_t *said, size_t i) {
    return (raaf_chat_extra_t *)(void *)said->extras.bytes + i;
}

bool raaf_chat_said_nothing(const raaf_chat_said_t *said) {
    for (size_t i = 0; i < raaf_chat_said_choice_count(said); i++) {
        const raaf_chat_said_choice_t *choice = raaf_chat_said_choice(said, i);

        if (choice->has_delta || choice->has_message || choice->finish_reason.len > 0) return false;
    }
    for (int i = 0; i < RAAF_SOURCES_LIST_COUNT; i++) {
        if (said->sources[i].len > 0) return false;
    }
    return said->fault == RAAF_CHAT_NO_FAULT && !said->usage.given && !said->groq_usage.given;
}

/* The newest ones: what a value belongs to, because none of them nests in its like. */
static raaf_chat_said_choice_t *choice_now(const raaf_chat_said_t *said) {
    return raaf_chat_said_choice(said, raaf_chat_said_choice_count(said) - 1);
}

static raaf_chat_fragment_t *fragment_now(const raaf_chat_said_t *said) {
    return fragment_at(said, fragment_count(said) - 1);
}

static raaf_chat_detail_t *detail_now(const raaf_chat_said_t *said) {
    return detail_at(said, detail_count(said) - 1);
}

/* ---- reading ---- */

static int begin_choice(raaf_chat_said_t *said) {
    const raaf_chat_said_choice_t choice = {.fragments = {.first = fragment_count(said)},
                                            .details = {.first = detail_count(said)},
                                            .extras = {.first = extra_count(said)}};

    return raaf_buffer_push(&said->choices, &choice, sizeof choice);
}

static int begin_fragment(raaf_chat_said_t *said, bool has_index) {
    const raaf_chat_fragment_t fragment = {.has_index = has_index};
    const int rc = raaf_buffer_push(&said->fragments, &fragment, sizeof fragment);

    if (rc == RAAF_OK) choice_now(said)->fragments.count++;
    return rc;
}

static int begin_detail(raaf_chat_said_t *said) {
    const raaf_chat_detail_t detail = {.kind = RAAF_DETAIL_WHOLE};
    const int rc = raaf_buffer_push(&said->details, &detail, sizeof detail);

    if (rc == RAAF_OK) choice_now(said)->details.count++;
    return rc;
}

static void begin_text(raaf_chat_said_t *said, raaf_chat_channel_t channel) {
    choice_now(said)->texts[channel] = (raaf_range_t){.start = said->texts[channel].len};
}

static int add_text(raaf_chat_said_t *said, raaf_chat_channel_t channel,
                    const raaf_json_value_t *value) {
    raaf_range_t *range = &choice_now(said)->texts[channel];

    if (range->len == 0) range->start = said->texts[channel].len;
    range->len += value->len;
    return raaf_buffer_append(&said->texts[channel], value->bytes, value->len);
}

static int set_text(raaf_chat_said_t *said, raaf_chat_channel_t channel,
                    const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    begin_text(said, channel);
    return add_text(said, channel, value);
}

static int add_extra(raaf_chat_said_t *said, raaf_chat_extra_kind_t kind,
                     const raaf_json_value_t *value) {
    raaf_chat_extra_t extra = {.kind = kind};
    int rc;

    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    rc = raaf_notes_set(&said->notes, &extra.json, value->bytes, value->len);
    if (rc == RAAF_OK) rc = raaf_buffer_push(&said->extras, &extra, sizeof extra);
    if (rc == RAAF_OK) choice_now(said)->extras.count++;
    return rc;
}

static int on_content(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_STRING:
        if (said->array_depth == 0) begin_text(said, RAAF_CHAT_CONTENT);
        return add_text(said, RAAF_CHAT_CONTENT, value);
    case RAAF_JSON_OPEN_ARRAY:
        if (said->array_depth++ > 0) return RAAF_OK;
        begin_text(said, RAAF_CHAT_CONTENT);
        begin_text(said, RAAF_CHAT_THINKING);
        return RAAF_OK;
    case RAAF_JSON_CLOSE_ARRAY:
        said->array_depth--;
        return RAAF_OK;
    case RAAF_JSON_OPEN_OBJECT:
        said->is_reference = false;
        return RAAF_OK;
    case RAAF_JSON_CLOSE_OBJECT:
        return said->is_reference ? add_extra(said, RAAF_CHAT_ANNOTATION, value) : RAAF_OK;
    default:
        return raaf_said_only_structure(value);
    }
}

/* Only whether there is something in it: what a message says, deltas have said or must say. */
static void on_message_part(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_OBJECT || (value->type == RAAF_JSON_STRING && value->len > 0))
        choice_now(said)->has_message = true;
}

/* ---- reading: reasoning_details ---- */

static int on_details(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_OPEN_ARRAY:
        begin_text(said, RAAF_CHAT_DETAILS);
        choice_now(said)->details = (raaf_chat_span_t){.first = detail_count(said)};
        return RAAF_OK;
    case RAAF_JSON_OPEN_OBJECT:
        return begin_detail(said);
    case RAAF_JSON_CLOSE_OBJECT:
        if (detail_now(said)->kind != RAAF_DETAIL_WHOLE) return RAAF_OK;
        return raaf_notes_set(&said->notes, &detail_now(said)->text, value->bytes, value->len);
    default:
        return RAAF_OK;
    }
}

static void on_detail_type(raaf_chat_detail_t *detail, const raaf_json_value_t *value) {
    if (raaf_said_is(value, "reasoning.text")) detail->kind = RAAF_DETAIL_TEXT;
    if (raaf_said_is(value, "reasoning.summary")) detail->kind = RAAF_DETAIL_SUMMARY;
}

static int on_detail_text(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    int rc;

    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    rc = raaf_notes_set_raw(&said->notes, &detail_now(said)->text, value->bytes, value->len);
    return rc == RAAF_OK ? add_text(said, RAAF_CHAT_DETAILS, value) : rc;
}

static void on_detail_index(raaf_chat_detail_t *detail, const raaf_json_value_t *value) {
    detail->index = raaf_json_integer(value, INT64_MIN);
    detail->has_index = detail->index != INT64_MIN;
}

static int on_detail_value(raaf_chat_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    raaf_chat_detail_t *detail = detail_now(said);

    switch (field) {
    case DETAIL_TYPE:
        on_detail_type(detail, value);
        return RAAF_OK;
    case DETAIL_TEXT:
    case DETAIL_SUMMARY:
        return on_detail_text(said, value);
    case DETAIL_SIGNATURE:
        return raaf_said_label(&said->notes, &detail->signature, value);
    case DETAIL_FORMAT:
        return raaf_said_label(&said->notes, &detail->format, value);
    case DETAIL_ID:
        return raaf_said_label(&said->notes, &detail->id, value);
    default:
        on_detail_index(detail, value);
        return RAAF_OK;
    }
}

/* ---- reading: tool calls, usage, errors, sources ---- */

static int set_arguments(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    return raaf_notes_set_raw(&said->notes, &fragment_now(said)->arguments, value->bytes,
                              value->len);
}

/* An array counts as a whole, like an object; what stands in it is reported before it. */
static int on_arguments(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_ARRAY) said->array_depth++;
    if (value->type == RAAF_JSON_CLOSE_ARRAY) said->array_depth--;
    if (said->array_depth > 0) return RAAF_OK;

    switch (value->type) {
    case RAAF_JSON_STRING:
    case RAAF_JSON_CLOSE_OBJECT:
    case RAAF_JSON_CLOSE_ARRAY:
        return set_arguments(said, value);
    default:
        return raaf_said_only_structure(value);
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

static int on_choice_index(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    const int64_t index = value->type == RAAF_JSON_NULL ? 0 : integer_of(value, -1);

    if (index < 0 || index > UINT32_MAX) return RAAF_INVALID_EVENT;
    choice_now(said)->index = (uint32_t)index;
    return RAAF_OK;
}

static int on_tool_index(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    raaf_chat_fragment_t *fragment = fragment_now(said);

    fragment->has_index = value->type != RAAF_JSON_NULL;
    if (!fragment->has_index) return RAAF_OK;
    fragment->index = integer_of(value, INT64_MIN);
    return fragment->index == INT64_MIN ? RAAF_INVALID_EVENT : RAAF_OK;
}

static raaf_chat_usage_t *usage_now(raaf_chat_said_t *said) {
    return said->in_groq ? &said->groq_usage : &said->usage;
}

static void add_reasoning(raaf_usage_t *counts) {
    const int64_t most = INT64_MAX - counts->reasoning_tokens;

    if (counts->completion_tokens > most || counts->total_tokens > most) return;
    counts->completion_tokens += counts->reasoning_tokens;
    if (counts->total_tokens >= 0) counts->total_tokens += counts->reasoning_tokens;
}

/*
 * completion_tokens has reasoning in it, as OpenAI counts. xAI counts it beside: its total is the
 * sum of all three. Perplexity does too, and leaves it out of the total: there it may be the larger
 * number of the two, and only then that is certain.
 */
static void include_reasoning(raaf_usage_t *counts) {
    int64_t output;

    if (counts->completion_tokens < 0 || counts->reasoning_tokens <= 0) return;
    if (counts->prompt_tokens >= 0 && counts->total_tokens >= 0) {
        output = counts->total_tokens - counts->prompt_tokens;
        if (output > counts->completion_tokens &&
            output - counts->completion_tokens == counts->reasoning_tokens) {
            counts->completion_tokens = output;
            return;
        }
    }
    if (counts->reasoning_tokens > counts->completion_tokens) add_reasoning(counts);
}

static int on_usage(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    raaf_chat_usage_t *usage = usage_now(said);

    if (value->type == RAAF_JSON_OPEN_OBJECT) {
        usage->counts = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
        usage->json = (raaf_range_t){0};
    }
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    usage->given = true;
    include_reasoning(&usage->counts);
    return raaf_notes_set(&said->notes, &usage->json, value->bytes, value->len);
}

static int on_count(raaf_chat_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    raaf_usage_t *counts = &usage_now(said)->counts;
    int64_t *const places[] = {&counts->prompt_tokens,       &counts->completion_tokens,
                               &counts->total_tokens,        &counts->cached_tokens,
                               &counts->cache_write_tokens,  &counts->reasoning_tokens,
                               &counts->audio_prompt_tokens, &counts->audio_completion_tokens};

    raaf_said_count(places[field - PROMPT_TOKENS], value);
    return RAAF_OK;
}

static int on_fault(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_STRING && value->len > 0) said->fault = RAAF_CHAT_FAULT_STRING;
    if (value->type == RAAF_JSON_CLOSE_OBJECT) said->fault = RAAF_CHAT_FAULT_OBJECT;
    return raaf_said_fault(&said->notes, &said->fault_fields, value);
}

static void on_object_name(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    if (raaf_said_is(value, "error") && said->fault == RAAF_CHAT_NO_FAULT)
        said->fault = RAAF_CHAT_FAULT_ROOT;
}

static int on_sources(raaf_chat_said_t *said, raaf_source_list_t which,
                      const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_CLOSE_ARRAY) return RAAF_OK;
    return raaf_notes_set_raw(&said->notes, &said->sources[which], value->bytes, value->len);
}

static int on_tool_extra(raaf_chat_said_t *said, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    return raaf_notes_set(&said->notes, &fragment_now(said)->extra, value->bytes, value->len);
}

/* Values that only matter where something went wrong, or once in a response. */
static int on_rare_value(raaf_chat_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (field) {
    case ANNOTATIONS:
        return add_extra(said, RAAF_CHAT_ANNOTATION, value);
    case EXECUTED_TOOLS:
        return add_extra(said, RAAF_CHAT_EXECUTED_TOOL, value);
    case EXTRA_CONTENT:
        return add_extra(said, RAAF_CHAT_EXTRA_CONTENT, value);
    case TOOL_EXTRA:
        return on_tool_extra(said, value);
    case SEARCH_RESULTS:
        return on_sources(said, RAAF_SOURCES_RESULTS, value);
    case CITATIONS:
        return on_sources(said, RAAF_SOURCES_URLS, value);
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
        return raaf_said_label_or_number(&said->notes, &said->fault_fields.message, value);
    case FAULT_TYPE:
        return raaf_said_label(&said->notes, &said->fault_fields.type, value);
    case FAULT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->fault_fields.code, value);
    case FAULT_PARAM:
        return raaf_said_label(&said->notes, &said->fault_fields.param, value);
    case ROOT_MESSAGE:
        return raaf_said_label_or_number(&said->notes, &said->root_fields.message, value);
    case ROOT_TYPE:
        return raaf_said_label(&said->notes, &said->root_fields.type, value);
    case ROOT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->root_fields.code, value);
    case ROOT_PARAM:
        return raaf_said_label(&said->notes, &said->root_fields.param, value);
    default:
        return RAAF_OK;
    }
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    raaf_chat_said_t *said = context;

    switch (field) {
    case OBJECT:
        on_object_name(said, value);
        return RAAF_OK;
    case CHOICES:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_choice(said);
        return raaf_said_only_structure(value);
    case CHOICE_INDEX:
        return on_choice_index(said, value);
    case DELTA:
        if (value->type == RAAF_JSON_OPEN_OBJECT) choice_now(said)->has_delta = true;
        return raaf_said_only_structure(value);
    case FINISH_REASON:
        return raaf_said_label(&said->notes, &choice_now(said)->finish_reason, value);
    case MESSAGE_PART:
        on_message_part(said, value);
        return RAAF_OK;
    case CONTENT:
        return on_content(said, value);
    case PART_TEXT:
        return value->type == RAAF_JSON_STRING ? add_text(said, RAAF_CHAT_CONTENT, value) : RAAF_OK;
    case THINKING:
    case THINKING_TEXT:
        return value->type == RAAF_JSON_STRING ? add_text(said, RAAF_CHAT_THINKING, value)
                                               : RAAF_OK;
    case REASONING_CONTENT:
        return set_text(said, RAAF_CHAT_REASONING_CONTENT, value);
    case REASONING:
        return set_text(said, RAAF_CHAT_REASONING, value);
    case PART_SIGNATURE:
        return raaf_said_label(&said->notes, &choice_now(said)->signature, value);
    case REFERENCE_IDS:
        said->is_reference = true;
        return RAAF_OK;
    case TRANSCRIPT:
        return set_text(said, RAAF_CHAT_TRANSCRIPT, value);
    case DETAILS:
        return on_details(said, value);
    case DETAIL_TYPE:
    case DETAIL_TEXT:
    case DETAIL_SUMMARY:
    case DETAIL_SIGNATURE:
    case DETAIL_FORMAT:
    case DETAIL_ID:
    case DETAIL_INDEX:
        return on_detail_value(said, field, value);
    case REFUSAL:
        return set_text(said, RAAF_CHAT_REFUSAL, value);
    case TOOL_CALLS:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_fragment(said, false);
        return raaf_said_only_structure(value);
    case FUNCTION_CALL:
        if (value->type == RAAF_JSON_OPEN_OBJECT) return begin_fragment(said, true);
        return raaf_said_only_structure(value);
    case FUNCTION:
        return raaf_said_only_structure(value);
    case TOOL_INDEX:
        return on_tool_index(said, value);
    case TOOL_ID:
        return raaf_said_label(&said->notes, &fragment_now(said)->id, value);
    case TOOL_NAME:
        return raaf_said_label(&said->notes, &fragment_now(said)->name, value);
    case TOOL_ARGUMENTS:
        return on_arguments(said, value);
    default:
        return on_rare_value(said, field, value);
    }
}

int raaf_chat_said_read(raaf_chat_said_t *said, const char *bytes, size_t len) {
    raaf_chat_said_forget(said);
    return raaf_json_read(&said->reader, bytes, len, on_value, said);
}
