#include "dialect_anthropic.h"

#include "anthropic_block.h"
#include "anthropic_said.h"
#include "delta_sink.h"
#include "json_text.h"
#include "result_code.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <string.h>

/* What is kept of the usage until now. The objects seen have some hundred bytes. */
#define MAX_USAGE ((size_t)16 << 10)

typedef struct anthropic {
    raaf_delta_sink_t sink;
    raaf_anthropic_said_t said;
    raaf_buffer_t blocks; /* of raaf_anthropic_block_t: those that are open */
    raaf_tool_calls_t calls;
    raaf_anthropic_counts_t counts;
    raaf_buffer_t usage; /* the object that the counts are of */
    bool finished;       /* a stop reason was handed over */
    bool settled;        /* usage came with or after it */
    bool failed;         /* an error was handed over */
    bool done;
} anthropic_t;

static raaf_slice_t get(const anthropic_t *answer, raaf_range_t range) {
    return raaf_anthropic_said_get(&answer->said, range);
}

/* ---- open blocks ---- */

static size_t block_count(const anthropic_t *answer) {
    return answer->blocks.len / sizeof(raaf_anthropic_block_t);
}

static raaf_anthropic_block_t *block_at(const anthropic_t *answer, size_t i) {
    return (raaf_anthropic_block_t *)(void *)answer->blocks.bytes + i;
}

static raaf_anthropic_block_t *find_block(const anthropic_t *answer, int64_t index) {
    for (size_t i = 0; i < block_count(answer); i++) {
        raaf_anthropic_block_t *block = block_at(answer, i);

        if (block->index == index && !block->stopped) return block;
    }
    return NULL;
}

static void drop_block(anthropic_t *answer, raaf_anthropic_block_t *block) {
    const size_t behind = (size_t)(block_at(answer, block_count(answer)) - (block + 1));

    raaf_anthropic_block_free(block);
    memmove(block, block + 1, behind * sizeof *block);
    answer->blocks.len -= sizeof *block;
}

/* It is whole, and over. */
static int end_block(anthropic_t *answer, raaf_anthropic_block_t *block) {
    raaf_tool_call_t *call = raaf_tool_calls_by_index(&answer->calls, 0, block->index);
    const int rc = raaf_anthropic_block_end(block, call, &answer->sink);

    drop_block(answer, block);
    return rc;
}

/* The answer goes on: a call that is over was whole. There is one at most. */
static int end_stopped_block(anthropic_t *answer) {
    for (size_t i = 0; i < block_count(answer); i++) {
        if (block_at(answer, i)->stopped) return end_block(answer, block_at(answer, i));
    }
    return RAAF_OK;
}

/* [cut_off]: a call counts only if it is certainly whole: somebody might run it. */
static int end_all_blocks(anthropic_t *answer, bool cut_off) {
    int rc = cut_off ? raaf_tool_calls_tear_cut_off(&answer->calls, 0) : RAAF_OK;

    while (block_count(answer) > 0 && rc == RAAF_OK)
        rc = end_block(answer, block_at(answer, 0));
    return rc;
}

static int open_block(anthropic_t *answer, raaf_anthropic_kind_t kind,
                      raaf_anthropic_block_t **opened) {
    raaf_anthropic_block_t block;
    int rc;

    raaf_anthropic_block_init(&block, answer->said.index, kind);
    rc = raaf_buffer_push(&answer->blocks, &block, sizeof block);
    if (rc == RAAF_OK) *opened = block_at(answer, block_count(answer) - 1);
    return rc;
}

/* ---- blocks ---- */

static int begin_call(anthropic_t *answer) {
    raaf_tool_call_t *call;
    int rc = raaf_tool_calls_begin(&answer->calls, 0, answer->said.index, &call);

    if (rc != RAAF_OK) return rc;
    rc = raaf_tool_call_label(call, get(answer, answer->said.id), get(answer, answer->said.name));
    return rc == RAAF_OK ? raaf_tool_call_add(call, (raaf_slice_t){"", 0}, &answer->sink) : rc;
}

static raaf_slice_t said_text(const anthropic_t *answer, raaf_anthropic_kind_t kind) {
    return get(answer, kind == RAAF_ANTHROPIC_THINKING ? answer->said.thinking : answer->said.text);
}

static int on_block_start(anthropic_t *answer) {
    const raaf_anthropic_kind_t kind = answer->said.kind;
    raaf_anthropic_block_t *block;
    int rc = end_stopped_block(answer);

    block = find_block(answer, answer->said.index);
    if (rc == RAAF_OK && block != NULL) rc = end_block(answer, block);
    /* The call first: an open block of one has it for certain. */
    if (rc == RAAF_OK && kind == RAAF_ANTHROPIC_TOOL_USE) rc = begin_call(answer);
    if (rc == RAAF_OK) rc = open_block(answer, kind, &block);
    if (rc == RAAF_OK) rc = raaf_anthropic_block_begin(block, &answer->said);
    if (rc != RAAF_OK) return rc;
    if (kind != RAAF_ANTHROPIC_TEXT && kind != RAAF_ANTHROPIC_THINKING) return RAAF_OK;
    return raaf_anthropic_block_say(block, said_text(answer, kind), &answer->sink);
}

static int on_input(anthropic_t *answer) {
    const raaf_slice_t piece = get(answer, answer->said.partial);
    raaf_anthropic_block_t *block = find_block(answer, answer->said.index);
    raaf_tool_call_t *call;

    if (block != NULL && block->kind == RAAF_ANTHROPIC_OTHER) {
        return raaf_anthropic_block_input(block, piece);
    }
    if (block == NULL || block->kind != RAAF_ANTHROPIC_TOOL_USE) return RAAF_INVALID_EVENT;
    if (piece.len == 0) return RAAF_OK;
    call = raaf_tool_calls_by_index(&answer->calls, 0, block->index);
    return raaf_tool_call_add(call, piece, &answer->sink);
}

/* Which kind of block a piece belongs to. */
static raaf_anthropic_kind_t kind_of_delta(raaf_anthropic_delta_t delta) {
    switch (delta) {
    case RAAF_ANTHROPIC_TEXT_DELTA:
    case RAAF_ANTHROPIC_CITATIONS_DELTA:
        return RAAF_ANTHROPIC_TEXT;
    case RAAF_ANTHROPIC_THINKING_DELTA:
    case RAAF_ANTHROPIC_SIGNATURE_DELTA:
        return RAAF_ANTHROPIC_THINKING;
    default:
        return RAAF_ANTHROPIC_OTHER;
    }
}

/* The block of a piece. One of another kind, or that never began, does not cost us the piece. */
static int find_or_open_block(anthropic_t *answer, raaf_anthropic_block_t **found) {
    const raaf_anthropic_kind_t kind = kind_of_delta(answer->said.delta);
    int rc = RAAF_OK;

    *found = find_block(answer, answer->said.index);
    if (*found != NULL && (*found)->kind == kind) return RAAF_OK;
    if (*found != NULL) rc = end_block(answer, *found);
    if (rc == RAAF_OK) rc = end_stopped_block(answer);
    if (rc == RAAF_OK) rc = open_block(answer, kind, found);
    return rc == RAAF_OK ? raaf_anthropic_block_begin_bare(*found) : rc;
}

static int on_piece(anthropic_t *answer) {
    raaf_anthropic_block_t *block;
    const int rc = find_or_open_block(answer, &block);

    if (rc != RAAF_OK) return rc;
    switch (answer->said.delta) {
    case RAAF_ANTHROPIC_TEXT_DELTA:
    case RAAF_ANTHROPIC_THINKING_DELTA:
        return raaf_anthropic_block_say(block, said_text(answer, block->kind), &answer->sink);
    case RAAF_ANTHROPIC_CITATIONS_DELTA:
        return raaf_anthropic_block_cite(block, get(answer, answer->said.citation), &answer->sink);
    default:
        return raaf_anthropic_block_note(block, &answer->said);
    }
}

static int on_block_delta(anthropic_t *answer) {
    switch (answer->said.delta) {
    case RAAF_ANTHROPIC_UNKNOWN_DELTA:
        return RAAF_UNKNOWN_EVENT;
    case RAAF_ANTHROPIC_INPUT_JSON_DELTA:
        return on_input(answer);
    default:
        return on_piece(answer);
    }
}

static int on_block_stop(anthropic_t *answer) {
    raaf_anthropic_block_t *block = find_block(answer, answer->said.index);
    int rc = RAAF_OK;

    if (block == NULL) return RAAF_OK;
    if (block->kind == RAAF_ANTHROPIC_TOOL_USE) {
        rc = raaf_anthropic_block_check_call(
            block, raaf_tool_calls_by_index(&answer->calls, 0, block->index));
    }
    if (rc == RAAF_OK) return end_block(answer, block);
    block->stopped = rc == RAAF_STOP;
    return block->stopped ? RAAF_OK : rc;
}

/* ---- usage ---- */

static void merge_count(int64_t *count, int64_t said) {
    if (said >= 0) *count = said;
}

static void merge_counts(raaf_anthropic_counts_t *counts, const raaf_anthropic_counts_t *said) {
    merge_count(&counts->input, said->input);
    merge_count(&counts->output, said->output);
    merge_count(&counts->cache_read, said->cache_read);
    merge_count(&counts->cache_write, said->cache_write);
    merge_count(&counts->thinking, said->thinking);
}

/* What is not known counts nothing, unless the first is not; nor is what does not fit known. */
static int64_t sum(int64_t first, int64_t second) {
    int64_t total;

    if (first < 0 || second < 0) return first;
    return __builtin_add_overflow(first, second, &total) ? -1 : total;
}

static raaf_usage_t usage_of(const raaf_anthropic_counts_t *counts) {
    raaf_usage_t usage = RAAF_USAGE_UNKNOWN;

    usage.prompt_tokens = sum(sum(counts->input, counts->cache_read), counts->cache_write);
    usage.completion_tokens = counts->output;
    if (counts->output >= 0) usage.total_tokens = sum(usage.prompt_tokens, counts->output);
    usage.cached_tokens = counts->cache_read;
    usage.cache_write_tokens = counts->cache_write;
    usage.reasoning_tokens = counts->thinking;
    return usage;
}

/* The newest object over those before. One that gets too large for that stands alone. */
static int merge_usage(anthropic_t *answer, raaf_slice_t *json) {
    const raaf_slice_t before = {answer->usage.bytes, answer->usage.len};
    raaf_buffer_t merged;
    int rc;

    raaf_buffer_init(&merged, MAX_USAGE);
    rc = raaf_json_text_merge(&merged, before.len > 0 ? before : (raaf_slice_t){"{}", 2}, *json);
    if (rc != RAAF_OK) {
        raaf_buffer_free(&merged);
        return rc == RAAF_BODY_TOO_LARGE ? RAAF_OK : rc;
    }
    raaf_buffer_free(&answer->usage);
    answer->usage = merged;
    *json = (raaf_slice_t){merged.bytes, merged.len};
    return RAAF_OK;
}

static int hand_over_usage(anthropic_t *answer) {
    raaf_slice_t json = get(answer, answer->said.usage);
    raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE};
    int rc;

    if (!answer->said.has_usage) return RAAF_OK;
    merge_counts(&answer->counts, &answer->said.counts);
    if ((rc = merge_usage(answer, &json)) != RAAF_OK) return rc;
    answer->settled = answer->finished;
    delta.text = json;
    delta.usage = usage_of(&answer->counts);
    return raaf_delta_sink_put(&answer->sink, &delta);
}

/* ---- the message ---- */

/* Any other reason may have cut the answer off. */
static bool is_whole(raaf_slice_t reason) {
    static const char *const words[] = {"end_turn", "tool_use", "stop_sequence", "pause_turn"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (reason.len == strlen(words[i]) && memcmp(reason.bytes, words[i], reason.len) == 0)
            return true;
    }
    return false;
}

static int hand_over_stop_reason(anthropic_t *answer) {
    const raaf_delta_t refusal = {.type = RAAF_CHUNK_REFUSAL,
                                  .text = get(answer, answer->said.explanation)};
    const raaf_delta_t finish = {.type = RAAF_CHUNK_FINISH,
                                 .text = get(answer, answer->said.stop_reason)};
    int rc = end_all_blocks(answer, !is_whole(finish.text));

    if (rc != RAAF_OK || answer->finished) return rc;
    answer->finished = true;
    if (refusal.text.len > 0) rc = raaf_delta_sink_put(&answer->sink, &refusal);
    return rc == RAAF_OK ? raaf_delta_sink_put(&answer->sink, &finish) : rc;
}

static int on_message_delta(anthropic_t *answer) {
    int rc = RAAF_OK;

    if (answer->said.stop_reason.len > 0) rc = hand_over_stop_reason(answer);
    return rc == RAAF_OK ? hand_over_usage(answer) : rc;
}

static int check_kept(const anthropic_t *answer) {
    size_t kept = 0;

    for (size_t i = 0; i < block_count(answer); i++)
        kept += raaf_anthropic_block_kept(block_at(answer, i));
    return kept > RAAF_ANTHROPIC_MAX_KEPT ? RAAF_EVENT_TOO_LARGE : RAAF_OK;
}

static int hand_over_said(anthropic_t *answer) {
    switch (answer->said.event) {
    case RAAF_ANTHROPIC_BLOCK_DELTA:
        return on_block_delta(answer);
    case RAAF_ANTHROPIC_BLOCK_START:
        return on_block_start(answer);
    case RAAF_ANTHROPIC_BLOCK_STOP:
        return on_block_stop(answer);
    case RAAF_ANTHROPIC_PING:
        return RAAF_OK;
    case RAAF_ANTHROPIC_MESSAGE_START:
        return hand_over_usage(answer);
    case RAAF_ANTHROPIC_MESSAGE_DELTA:
        return on_message_delta(answer);
    case RAAF_ANTHROPIC_MESSAGE_STOP:
        answer->done = true;
        return RAAF_OK;
    default:
        return RAAF_UNKNOWN_EVENT;
    }
}

/* ---- errors ---- */

/* Some gateways leave the type of an error's event out. */
static bool is_fault(const raaf_anthropic_said_t *said) {
    return said->event == RAAF_ANTHROPIC_ERROR ||
           (said->event == RAAF_ANTHROPIC_UNKNOWN && said->fault.given);
}

static int fail(anthropic_t *answer, const raaf_said_fault_t *fault) {
    const int rc = raaf_said_put_fault(&answer->said.notes, fault, &answer->sink);

    if (rc != RAAF_PROVIDER_ERROR) return rc;
    answer->failed = true;
    answer->done = true;
    return rc;
}

static int hand_over_fault(anthropic_t *answer, const raaf_sse_event_t *event) {
    raaf_anthropic_said_t *said = &answer->said;
    raaf_said_fault_t *fault = &said->fault;
    int rc = RAAF_OK;

    if (fault->json.len == 0)
        rc = raaf_notes_set(&said->notes, &fault->json, event->data, event->data_len);
    if (rc != RAAF_OK) return rc;
    if (fault->message.len == 0) fault->message = said->root_message;
    return fail(answer, fault);
}

/* An event named "error" that is no object: what it says is the message. */
static int hand_over_raw_fault(anthropic_t *answer, const raaf_sse_event_t *event) {
    raaf_said_fault_t fault = {0};
    int rc;

    raaf_anthropic_said_forget(&answer->said);
    rc = raaf_said_raw_fault(&answer->said.notes, &fault, event->data, event->data_len);
    return rc == RAAF_OK ? fail(answer, &fault) : rc;
}

/* ---- the dialect ---- */

static void anthropic_init(void *state, raaf_delta_fn emit, void *context) {
    anthropic_t *answer = state;

    memset(answer, 0, sizeof *answer);
    raaf_delta_sink_init(&answer->sink, emit, context);
    raaf_anthropic_said_init(&answer->said);
    raaf_buffer_init(&answer->blocks,
                     RAAF_ANTHROPIC_MAX_OPEN_BLOCKS * sizeof(raaf_anthropic_block_t));
    raaf_tool_calls_init(&answer->calls);
    answer->counts = (raaf_anthropic_counts_t){-1, -1, -1, -1, -1};
    raaf_buffer_init(&answer->usage, MAX_USAGE);
}

static int anthropic_event(void *state, const raaf_sse_event_t *event) {
    anthropic_t *answer = state;
    const bool is_error = raaf_dialect_is_named(event, "error");
    int rc;

    if (answer->done || (!is_error && raaf_dialect_is_mark(event))) return RAAF_OK;

    rc = raaf_anthropic_said_read(&answer->said, event->data, event->data_len);
    if (is_error && raaf_dialect_malformed(rc)) return hand_over_raw_fault(answer, event);
    if (raaf_dialect_malformed(rc)) raaf_tool_calls_tear(&answer->calls);
    if (rc != RAAF_OK) return rc;
    if (is_error || is_fault(&answer->said)) return hand_over_fault(answer, event);
    rc = hand_over_said(answer);
    return rc == RAAF_OK ? check_kept(answer) : rc;
}

static raaf_progress_t anthropic_progress(const void *state) {
    const anthropic_t *answer = state;

    if (answer->done) return RAAF_PROGRESS_DONE;
    if (!answer->finished) return RAAF_PROGRESS_OPEN;
    return answer->settled ? RAAF_PROGRESS_SETTLED : RAAF_PROGRESS_FINISHED;
}

static int anthropic_finish(void *state) {
    anthropic_t *answer = state;
    int rc = RAAF_OK;

    if (answer->failed) return RAAF_OK;
    /* A call that was cut off is not a call: somebody might run it. */
    if (anthropic_progress(answer) != RAAF_PROGRESS_OPEN)
        return end_all_blocks(answer, !answer->done);
    for (size_t i = 0; i < block_count(answer) && rc == RAAF_OK; i++)
        rc = raaf_anthropic_block_end_text(block_at(answer, i), &answer->sink);
    return rc;
}

static void anthropic_free(void *state) {
    anthropic_t *answer = state;

    for (size_t i = 0; i < block_count(answer); i++)
        raaf_anthropic_block_free(block_at(answer, i));
    raaf_buffer_free(&answer->blocks);
    raaf_tool_calls_free(&answer->calls);
    raaf_buffer_free(&answer->usage);
    raaf_delta_sink_free(&answer->sink);
    raaf_anthropic_said_free(&answer->said);
}

const raaf_dialect_t raaf_dialect_anthropic = {
    .name = "anthropic",
    .framing = RAAF_FRAMING_SSE,
    .state_size = sizeof(anthropic_t),
    .init = anthropic_init,
    .event = anthropic_event,
    .finish = anthropic_finish,
    .progress = anthropic_progress,
    .free = anthropic_free,
};
