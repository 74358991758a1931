#include "gemini_said.h"

#include "result_code.h"

#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

/* ---- the fields that are read ---- */

enum {
    ROOT = RAAF_JSON_ROOT,
    CANDIDATES,
    CONTENT,
    PARTS,
    CALL,
    PIECES,
    GROUNDING,
    CITATIONS,
    URL_CONTEXT,
    USAGE,
    PROMPT_DETAILS,
    CANDIDATE_DETAILS,
    FEEDBACK,
    FAULT,

    INDEX,
    FINISH_REASON,
    TEXT,
    THOUGHT,
    SIGNATURE,
    CALL_ID,
    CALL_NAME,
    CALL_ARGS,
    CALL_CONTINUES,
    PIECE_PATH,
    PIECE_STRING,
    PIECE_NUMBER,
    PIECE_BOOLEAN,
    PIECE_NULL,
    PIECE_CONTINUES,
    SOURCE,

    PROMPT_TOKENS,
    TOOL_TOKENS,
    CANDIDATE_TOKENS,
    THOUGHT_TOKENS,
    CACHED_TOKENS,
    TOTAL_TOKENS,
    MODALITY,
    MODALITY_TOKENS,

    BLOCK_REASON,
    FAULT_MESSAGE,
    FAULT_STATUS,
    FAULT_CODE
};

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(ROOT, CANDIDATES, "candidates"),
    RAAF_JSON_FIELD(ROOT, USAGE, "usageMetadata"),
    RAAF_JSON_FIELD(ROOT, FEEDBACK, "promptFeedback"),
    RAAF_JSON_FIELD(ROOT, FAULT, "error"),

    RAAF_JSON_FIELD(CANDIDATES, INDEX, "index"),
    RAAF_JSON_FIELD(CANDIDATES, CONTENT, "content"),
    RAAF_JSON_FIELD(CANDIDATES, FINISH_REASON, "finishReason"),
    RAAF_JSON_FIELD(CANDIDATES, GROUNDING, "groundingMetadata"),
    RAAF_JSON_FIELD(CANDIDATES, CITATIONS, "citationMetadata"),
    RAAF_JSON_FIELD(CANDIDATES, URL_CONTEXT, "urlContextMetadata"),

    RAAF_JSON_FIELD(CONTENT, PARTS, "parts"),

    RAAF_JSON_FIELD(PARTS, TEXT, "text"),
    RAAF_JSON_FIELD(PARTS, THOUGHT, "thought"),
    RAAF_JSON_FIELD(PARTS, SIGNATURE, "thoughtSignature"),
    RAAF_JSON_FIELD(PARTS, CALL, "functionCall"),

    RAAF_JSON_FIELD(CALL, CALL_ID, "id"),
    RAAF_JSON_FIELD(CALL, CALL_NAME, "name"),
    RAAF_JSON_FIELD(CALL, CALL_ARGS, "args"),
    RAAF_JSON_FIELD(CALL, PIECES, "partialArgs"),
    RAAF_JSON_FIELD(CALL, CALL_CONTINUES, "willContinue"),

    RAAF_JSON_FIELD(PIECES, PIECE_PATH, "jsonPath"),
    RAAF_JSON_FIELD(PIECES, PIECE_STRING, "stringValue"),
    RAAF_JSON_FIELD(PIECES, PIECE_NUMBER, "numberValue"),
    RAAF_JSON_FIELD(PIECES, PIECE_BOOLEAN, "boolValue"),
    RAAF_JSON_FIELD(PIECES, PIECE_NULL, "nullValue"),
    RAAF_JSON_FIELD(PIECES, PIECE_CONTINUES, "willContinue"),

    RAAF_JSON_FIELD(GROUNDING, SOURCE, "groundingChunks"),
    RAAF_JSON_FIELD(GROUNDING, SOURCE, "groundingSupports"),
    RAAF_JSON_FIELD(CITATIONS, SOURCE, "citationSources"),
    RAAF_JSON_FIELD(CITATIONS, SOURCE, "citations"),
    RAAF_JSON_FIELD(URL_CONTEXT, SOURCE, "urlMetadata"),

    RAAF_JSON_FIELD(USAGE, PROMPT_TOKENS, "promptTokenCount"),
    RAAF_JSON_FIELD(USAGE, TOOL_TOKENS, "toolUsePromptTokenCount"),
    RAAF_JSON_FIELD(USAGE, CANDIDATE_TOKENS, "candidatesTokenCount"),
    RAAF_JSON_FIELD(USAGE, THOUGHT_TOKENS, "thoughtsTokenCount"),
    RAAF_JSON_FIELD(USAGE, CACHED_TOKENS, "cachedContentTokenCount"),
    RAAF_JSON_FIELD(USAGE, TOTAL_TOKENS, "totalTokenCount"),
    RAAF_JSON_FIELD(USAGE, PROMPT_DETAILS, "promptTokensDetails"),
    RAAF_JSON_FIELD(USAGE, CANDIDATE_DETAILS, "candidatesTokensDetails"),

    RAAF_JSON_FIELD(PROMPT_DETAILS, MODALITY, "modality"),
    RAAF_JSON_FIELD(PROMPT_DETAILS, MODALITY_TOKENS, "tokenCount"),

    RAAF_JSON_FIELD(CANDIDATE_DETAILS, MODALITY, "modality"),
    RAAF_JSON_FIELD(CANDIDATE_DETAILS, MODALITY_TOKENS, "tokenCount"),

    RAAF_JSON_FIELD(FEEDBACK, BLOCK_REASON, "blockReason"),

    RAAF_JSON_FIELD(FAULT, FAULT_MESSAGE, "message"),
    RAAF_JSON_FIELD(FAULT, FAULT_STATUS, "status"),
    RAAF_JSON_FIELD(FAULT, FAULT_CODE, "code"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

/* ---- the buffers ---- */

void raaf_gemini_said_init(raaf_gemini_said_t *said) {
    memset(said, 0, sizeof *said);
    raaf_json_reader_init(&said->reader, &table);
    raaf_notes_init(&said->notes);
    raaf_buffer_init(&said->candidates,
                     RAAF_GEMINI_MAX_CANDIDATES * sizeof(raaf_gemini_candidate_t));
    raaf_buffer_init(&said->parts, RAAF_GEMINI_MAX_PARTS * sizeof(raaf_gemini_part_t));
    raaf_buffer_init(&said->pieces, RAAF_GEMINI_MAX_PIECES * sizeof(raaf_gemini_said_piece_t));
    raaf_buffer_init(&said->sources, RAAF_GEMINI_MAX_SOURCES * sizeof(raaf_range_t));
}

void raaf_gemini_said_free(raaf_gemini_said_t *said) {
    raaf_buffer_free(&said->candidates);
    raaf_buffer_free(&said->parts);
    raaf_buffer_free(&said->pieces);
    raaf_buffer_free(&said->sources);
    raaf_notes_free(&said->notes);
    raaf_json_reader_free(&said->reader);
}

static void forget(raaf_gemini_said_t *said) {
    raaf_buffer_clear(&said->candidates, KEEP_BYTES);
    raaf_buffer_clear(&said->parts, KEEP_BYTES);
    raaf_buffer_clear(&said->pieces, KEEP_BYTES);
    raaf_buffer_clear(&said->sources, KEEP_BYTES);
    raaf_notes_forget(&said->notes);
    said->known = false;
    said->call_continues = false;
    said->has_usage = false;
    said->usage_json = (raaf_range_t){0};
    said->block_reason = (raaf_range_t){0};
    said->fault = (raaf_said_fault_t){0};
}

size_t raaf_gemini_said_count(const raaf_gemini_said_t *said) {
    return said->candidates.len / sizeof(raaf_gemini_candidate_t);
}

raaf_gemini_candidate_t *raaf_gemini_said_candidate(const raaf_gemini_said_t *said, size_t i) {
    return (raaf_gemini_candidate_t *)(void *)said->candidates.bytes + i;
}

static size_t part_count(const raaf_gemini_said_t *said) {
    return said->parts.len / sizeof(raaf_gemini_part_t);
}

static raaf_gemini_part_t *part_at(const raaf_gemini_said_t *said, size_t i) {
    return (raaf_gemini_part_t *)(void *)said->parts.bytes + i;
}

const raaf_gemini_part_t *raaf_gemini_said_part(const raaf_gemini_said_t *said, size_t i) {
    return part_at(said, i);
}

static size_t piece_count(const raaf_gemini_said_t *said) {
    return said->pieces.len / sizeof(raaf_gemini_said_piece_t);
}

static raaf_gemini_said_piece_t *piece_at(const raaf_gemini_said_t *said, size_t i) {
    return (raaf_gemini_said_piece_t *)(void *)said->pieces.bytes + i;
}

raaf_gemini_piece_t raaf_gemini_said_piece(const raaf_gemini_said_t *said, size_t i) {
    const raaf_gemini_said_piece_t *piece = piece_at(said, i);

    return (raaf_gemini_piece_t){
        .path = raaf_notes_get(&said->notes, piece->path),
        .type = piece->type,
        .bytes = raaf_notes_get(&said->notes, piece->bytes),
        .will_continue = piece->will_continue,
    };
}

static size_t source_count(const raaf_gemini_said_t *said) {
    return said->sources.len / sizeof(raaf_range_t);
}

raaf_slice_t raaf_gemini_said_source(const raaf_gemini_said_t *said, size_t i) {
    return raaf_notes_get(&said->notes,
                          ((const raaf_range_t *)(const void *)said->sources.bytes)[i]);
}

/* The newest ones: what a value belongs to, because candidates, parts and pieces do not nest. */
static raaf_gemini_candidate_t *candidate_now(const raaf_gemini_said_t *said) {
    return raaf_gemini_said_candidate(said, raaf_gemini_said_count(said) - 1);
}

static raaf_gemini_part_t *part_now(const raaf_gemini_said_t *said) {
    return part_at(said, part_count(said) - 1);
}

static raaf_gemini_said_piece_t *piece_now(const raaf_gemini_said_t *said) {
    return piece_at(said, piece_count(said) - 1);
}

/* ---- reading: what stands where ---- */

static int on_candidate(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    const raaf_gemini_candidate_t candidate = {.first_part = part_count(said),
                                               .first_source = source_count(said)};

    if (value->type != RAAF_JSON_OPEN_OBJECT) return raaf_said_only_structure(value);
    return raaf_buffer_push(&said->candidates, &candidate, sizeof candidate);
}

static int on_index(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    const int64_t index = value->type == RAAF_JSON_NULL ? 0 : raaf_json_integer(value, -1);

    if (index < 0 || index > UINT32_MAX) return RAAF_INVALID_EVENT;
    candidate_now(said)->index = (uint32_t)index;
    return RAAF_OK;
}

static bool is_empty_object(const raaf_json_value_t *value) {
    for (size_t i = 1; i + 1 < value->len; i++) {
        if (strchr(" \t\r\n", value->bytes[i]) == NULL) return false;
    }
    return true;
}

/* Kept is what is neither text nor a call, and what has a signature. */
static int end_part(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    raaf_gemini_part_t *part = part_now(said);
    const bool is_known = part->has_text || part->has_call || is_empty_object(value);

    if (is_known && part->signature.len == 0) return RAAF_OK;
    return raaf_notes_set(&said->notes, &part->json, value->bytes, value->len);
}

static int on_part(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    const raaf_gemini_part_t part = {.first_piece = piece_count(said)};
    int rc;

    if (value->type == RAAF_JSON_CLOSE_OBJECT) return end_part(said, value);
    if (value->type != RAAF_JSON_OPEN_OBJECT) return raaf_said_only_structure(value);
    rc = raaf_buffer_push(&said->parts, &part, sizeof part);
    if (rc == RAAF_OK) candidate_now(said)->part_count++;
    return rc;
}

static int on_text(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    raaf_gemini_part_t *part = part_now(said);

    part->has_text = true;
    if (value->type == RAAF_JSON_NULL) return RAAF_OK;
    if (value->type != RAAF_JSON_STRING) return RAAF_INVALID_EVENT;
    return raaf_notes_set_raw(&said->notes, &part->text, value->bytes, value->len);
}

/* ---- reading: calls ---- */

static int on_call(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_ARRAY) return RAAF_INVALID_EVENT;
    if (value->type == RAAF_JSON_OPEN_OBJECT) part_now(said)->has_call = true;
    return raaf_said_only_structure(value);
}

static int on_args(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    raaf_gemini_part_t *part = part_now(said);

    if (value->type == RAAF_JSON_OPEN_ARRAY) return RAAF_INVALID_EVENT;
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return raaf_said_only_structure(value);
    part->has_args = true;
    return raaf_notes_set_raw(&said->notes, &part->args, value->bytes, value->len);
}

static int on_piece(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    const raaf_gemini_said_piece_t piece = {0};
    int rc;

    if (value->type != RAAF_JSON_OPEN_OBJECT) return raaf_said_only_structure(value);
    rc = raaf_buffer_push(&said->pieces, &piece, sizeof piece);
    if (rc == RAAF_OK) part_now(said)->piece_count++;
    return rc;
}

static int set_piece(raaf_gemini_said_t *said, raaf_gemini_value_t type, const char *bytes,
                     size_t len) {
    raaf_gemini_said_piece_t *piece = piece_now(said);

    piece->type = type;
    return raaf_notes_set_raw(&said->notes, &piece->bytes, bytes, len);
}

/* A null stands as null or as the name "NULL_VALUE". */
static int on_piece_value(raaf_gemini_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_NULL:
        return field == PIECE_NULL ? set_piece(said, RAAF_GEMINI_LITERAL, "null", 4) : RAAF_OK;
    case RAAF_JSON_TRUE:
        if (field == PIECE_BOOLEAN) return set_piece(said, RAAF_GEMINI_LITERAL, "true", 4);
        return RAAF_INVALID_EVENT;
    case RAAF_JSON_FALSE:
        if (field == PIECE_BOOLEAN) return set_piece(said, RAAF_GEMINI_LITERAL, "false", 5);
        return RAAF_INVALID_EVENT;
    case RAAF_JSON_NUMBER:
        if (field != PIECE_NUMBER) return RAAF_INVALID_EVENT;
        return set_piece(said, RAAF_GEMINI_LITERAL, value->bytes, value->len);
    case RAAF_JSON_STRING:
        if (field == PIECE_NULL) return set_piece(said, RAAF_GEMINI_LITERAL, "null", 4);
        if (field != PIECE_STRING) return RAAF_INVALID_EVENT;
        return set_piece(said, RAAF_GEMINI_STRING, value->bytes, value->len);
    default:
        return RAAF_INVALID_EVENT;
    }
}

static int on_call_value(raaf_gemini_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (field) {
    case CALL_ID:
        return raaf_said_label(&said->notes, &part_now(said)->id, value);
    case CALL_NAME:
        return raaf_said_label(&said->notes, &part_now(said)->name, value);
    case CALL_ARGS:
        return on_args(said, value);
    case CALL_CONTINUES:
        part_now(said)->will_continue = value->type == RAAF_JSON_TRUE;
        said->call_continues |= part_now(said)->will_continue;
        return RAAF_OK;
    case PIECES:
        return on_piece(said, value);
    case PIECE_PATH:
        return raaf_said_label(&said->notes, &piece_now(said)->path, value);
    case PIECE_CONTINUES:
        piece_now(said)->will_continue = value->type == RAAF_JSON_TRUE;
        return RAAF_OK;
    default:
        return on_piece_value(said, field, value);
    }
}

/* ---- reading: usage, sources, errors ---- */

static int on_source(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    raaf_range_t source = {0};
    int rc;

    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    rc = raaf_notes_set(&said->notes, &source, value->bytes, value->len);
    if (rc == RAAF_OK) rc = raaf_buffer_push(&said->sources, &source, sizeof source);
    if (rc == RAAF_OK) candidate_now(said)->source_count++;
    return rc;
}

/* Counts that are 0 are left out, so one that is missing counts as 0 where any is there. */
static void add_up(raaf_gemini_said_t *said) {
    raaf_usage_t *usage = &said->usage;
    const int64_t prompt = usage->prompt_tokens > 0 ? usage->prompt_tokens : 0;
    const int64_t tools = said->tool_tokens > 0 ? said->tool_tokens : 0;
    const int64_t candidates = said->candidate_tokens > 0 ? said->candidate_tokens : 0;
    const int64_t thoughts = said->thought_tokens > 0 ? said->thought_tokens : 0;

    said->has_usage = usage->prompt_tokens >= 0 || usage->total_tokens >= 0 ||
                      said->candidate_tokens >= 0 || said->thought_tokens >= 0;
    usage->prompt_tokens = prompt > INT64_MAX - tools ? INT64_MAX : prompt + tools;
    usage->completion_tokens =
        candidates > INT64_MAX - thoughts ? INT64_MAX : candidates + thoughts;
    usage->reasoning_tokens = said->thought_tokens;
}

static int on_usage(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_OBJECT) {
        said->usage = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
        said->candidate_tokens = said->thought_tokens = said->tool_tokens = -1;
    }
    if (value->type != RAAF_JSON_CLOSE_OBJECT) return RAAF_OK;
    add_up(said);
    return raaf_notes_set(&said->notes, &said->usage_json, value->bytes, value->len);
}

/* An entry for each kind of tokens; sound is counted apart. */
static void on_detail(raaf_gemini_said_t *said, int64_t *audio, const raaf_json_value_t *value) {
    if (value->type == RAAF_JSON_OPEN_OBJECT) {
        said->detail_is_audio = false;
        said->detail_count = 0;
    } else if (value->type == RAAF_JSON_CLOSE_OBJECT && said->detail_is_audio) {
        *audio = said->detail_count;
    }
}

static void on_modality(raaf_gemini_said_t *said, const raaf_json_value_t *value) {
    said->detail_is_audio = raaf_said_is(value, "AUDIO");
}

static void on_count(raaf_gemini_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    int64_t *const places[] = {&said->usage.prompt_tokens, &said->tool_tokens,
                               &said->candidate_tokens,    &said->thought_tokens,
                               &said->usage.cached_tokens, &said->usage.total_tokens};

    raaf_said_count(places[field - PROMPT_TOKENS], value);
}

static int on_usage_value(raaf_gemini_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (field) {
    case USAGE:
        return on_usage(said, value);
    case PROMPT_DETAILS:
        on_detail(said, &said->usage.audio_prompt_tokens, value);
        return RAAF_OK;
    case CANDIDATE_DETAILS:
        on_detail(said, &said->usage.audio_completion_tokens, value);
        return RAAF_OK;
    case MODALITY:
        on_modality(said, value);
        return RAAF_OK;
    case MODALITY_TOKENS:
        raaf_said_count(&said->detail_count, value);
        return RAAF_OK;
    default:
        on_count(said, field, value);
        return RAAF_OK;
    }
}

static int on_rare_value(raaf_gemini_said_t *said, uint8_t field, const raaf_json_value_t *value) {
    switch (field) {
    case SOURCE:
        return on_source(said, value);
    case BLOCK_REASON:
        return raaf_said_label(&said->notes, &said->block_reason, value);
    case FAULT:
        return raaf_said_fault(&said->notes, &said->fault, value);
    case FAULT_MESSAGE:
        return raaf_said_label_or_number(&said->notes, &said->fault.message, value);
    case FAULT_STATUS:
        return raaf_said_label(&said->notes, &said->fault.type, value);
    case FAULT_CODE:
        return raaf_said_label_or_number(&said->notes, &said->fault.code, value);
    default:
        return RAAF_OK;
    }
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    raaf_gemini_said_t *said = context;

    if (field != ROOT) said->known = true;
    switch (field) {
    case CANDIDATES:
        return on_candidate(said, value);
    case CONTENT:
        return raaf_said_only_structure(value);
    case INDEX:
        return on_index(said, value);
    case FINISH_REASON:
        return raaf_said_label(&said->notes, &candidate_now(said)->finish_reason, value);
    case PARTS:
        return on_part(said, value);
    case TEXT:
        return on_text(said, value);
    case THOUGHT:
        part_now(said)->thought = value->type == RAAF_JSON_TRUE;
        return RAAF_OK;
    case SIGNATURE:
        return raaf_said_label(&said->notes, &part_now(said)->signature, value);
    case CALL:
        return on_call(said, value);
    default:
        break;
    }
    if (field == PIECES || (field >= CALL_ID && field <= PIECE_CONTINUES)) {
        return on_call_value(said, field, value);
    }
    if ((field >= USAGE && field <= CANDIDATE_DETAILS) ||
        (field >= PROMPT_TOKENS && field <= MODALITY_TOKENS)) {
        return on_usage_value(said, field, value);
    }
    return on_rare_value(said, field, value);
}

int raaf_gemini_said_read(raaf_gemini_said_t *said, const char *bytes, size_t len) {
    forget(said);
    return raaf_json_read(&said->reader, bytes, len, on_value, said);
}
