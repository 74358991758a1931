#include "dialect_gemini.h"

#include "delta_sink.h"
#include "gemini_args.h"
#include "gemini_said.h"
#include "json_text.h"
#include "result_code.h"
#include "seen.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <string.h>

/* The prefix of the API's names for why a prompt was blocked. */
#define BLOCKED "BLOCK_REASON_"

#define MAX_SIGNATURE ((size_t)4 << 20)

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

/* ---- what the response has said so far ---- */

typedef enum open_text { OPEN_REASONING, OPEN_CONTENT, OPEN_COUNT } open_text_t;

typedef struct choice {
    uint32_t index;
    bool finished;
    raaf_utf8_carry_t open[OPEN_COUNT];
    bool in_call; /* a call whose arguments are streamed is open */
    bool torn;    /* a piece of it may be lost */
    size_t call;  /* its position among the calls */
    raaf_gemini_args_t args;
    raaf_buffer_t signature; /* of that call */
} choice_t;

typedef struct gemini {
    raaf_delta_sink_t sink;
    raaf_gemini_said_t said;
    raaf_buffer_t choices; /* of choice_t */
    raaf_tool_calls_t calls;
    raaf_seen_t sources;
    raaf_buffer_t json; /* what is put together here, on its way out */
    size_t finished_choices;
    bool settled; /* usage came with or after the last finish reason */
    bool done;    /* an error was handed over */
} gemini_t;

static size_t choice_count(const gemini_t *gemini) {
    return gemini->choices.len / sizeof(choice_t);
}

static choice_t *choice_at(const gemini_t *gemini, size_t i) {
    return (choice_t *)(void *)gemini->choices.bytes + i;
}

static raaf_slice_t slice_of(const raaf_buffer_t *buffer) {
    return (raaf_slice_t){buffer->bytes != NULL ? buffer->bytes : "", buffer->len};
}

static raaf_buffer_t *empty_json(gemini_t *gemini) {
    raaf_buffer_clear(&gemini->json, KEEP_BYTES);
    return &gemini->json;
}

/* ---- handing over: text ---- */

static int close_texts(gemini_t *gemini, size_t slot) {
    choice_t *choice = choice_at(gemini, slot);
    const int rc = raaf_delta_sink_end_text(&gemini->sink, RAAF_CHUNK_REASONING, choice->index,
                                            &choice->open[OPEN_REASONING]);

    if (rc != RAAF_OK) return rc;
    return raaf_delta_sink_end_text(&gemini->sink, RAAF_CHUNK_CONTENT, choice->index,
                                    &choice->open[OPEN_CONTENT]);
}

static int hand_over_text(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part) {
    const raaf_slice_t text = raaf_notes_get(&gemini->said.notes, part->text);
    const raaf_chunk_type_t type = part->thought ? RAAF_CHUNK_REASONING : RAAF_CHUNK_CONTENT;

    return raaf_delta_sink_text(&gemini->sink, type, choice->index,
                                &choice->open[part->thought ? OPEN_REASONING : OPEN_CONTENT],
                                text.bytes, text.len);
}

/* ---- handing over: tool calls ---- */

static int begin_call(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part) {
    const int64_t index = raaf_tool_calls_free_index(&gemini->calls, choice->index);
    raaf_tool_call_t *call;
    int rc = raaf_tool_calls_begin(&gemini->calls, choice->index, index, &call);

    if (rc != RAAF_OK) return rc;
    choice->in_call = true;
    choice->torn = false;
    choice->call = raaf_tool_calls_count(&gemini->calls) - 1;
    raaf_gemini_args_reset(&choice->args);
    raaf_buffer_clear(&choice->signature, KEEP_BYTES);
    return raaf_tool_call_label(call, raaf_notes_get(&gemini->said.notes, part->id),
                                raaf_notes_get(&gemini->said.notes, part->name));
}

/* Writes to [json] what the part adds to the text of the arguments. */
static int write_args(const raaf_gemini_said_t *said, const raaf_gemini_part_t *part,
                      raaf_gemini_args_t *args, raaf_buffer_t *json) {
    int rc = RAAF_OK;

    if (part->has_args) {
        rc = raaf_gemini_args_set(args, raaf_notes_get(&said->notes, part->args), json);
    }
    for (size_t i = 0; i < part->piece_count && rc == RAAF_OK; i++) {
        const raaf_gemini_piece_t piece = raaf_gemini_said_piece(said, part->first_piece + i);

        rc = raaf_gemini_args_add(args, &piece, json);
    }
    return raaf_capped(rc);
}

/* {"functionCall":{"id":…,"name":…,"args":…},"thoughtSignature":…} of a call that was streamed. */
static int write_part(const raaf_tool_call_t *call, const raaf_buffer_t *signature,
                      raaf_buffer_t *json) {
    const struct {
        const char *before;
        const raaf_buffer_t *text;
        bool quoted;
    } fields[] = {
        {call->id.len > 0 ? "{\"functionCall\":{\"id\":" : "", &call->id, call->id.len > 0},
        {call->id.len > 0 ? ",\"name\":" : "{\"functionCall\":{\"name\":", &call->name, true},
        {",\"args\":", &call->arguments, false},
        {"},\"thoughtSignature\":", signature, true},
    };
    int rc = RAAF_OK;

    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && rc == RAAF_OK; i++) {
        const raaf_slice_t text = slice_of(fields[i].text);

        rc = raaf_buffer_append(json, fields[i].before, strlen(fields[i].before));
        if (rc != RAAF_OK) break;
        rc = fields[i].quoted ? raaf_json_text_string(json, text)
                              : raaf_buffer_append(json, text.bytes, text.len);
    }
    return rc == RAAF_OK ? raaf_buffer_append(json, "}", 1) : rc;
}

static int hand_over_call_part(gemini_t *gemini, const choice_t *choice,
                               const raaf_tool_call_t *call) {
    raaf_buffer_t *json = empty_json(gemini);
    const int rc = write_part(call, &choice->signature, json);

    if (rc != RAAF_OK) return raaf_capped(rc);
    return raaf_delta_sink_json(&gemini->sink, RAAF_CHUNK_PART, choice->index, slice_of(json));
}

/* The open call is at its end. [part]: it came whole in this one; NULL: it was streamed. */
static int end_call(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part) {
    raaf_tool_call_t *call = raaf_tool_calls_at(&gemini->calls, choice->call);
    raaf_buffer_t *json = empty_json(gemini);
    int rc = RAAF_OK;

    choice->in_call = false;
    if (choice->torn) return RAAF_OK;
    if ((rc = raaf_capped(raaf_gemini_args_end(&choice->args, json))) != RAAF_OK) return rc;
    if (json->len > 0) rc = raaf_tool_call_add(call, slice_of(json), &gemini->sink);
    if (rc == RAAF_OK && part != NULL) {
        rc = raaf_delta_sink_json(&gemini->sink, RAAF_CHUNK_PART, choice->index,
                                  raaf_notes_get(&gemini->said.notes, part->json));
    } else if (rc == RAAF_OK && choice->signature.len > 0) {
        rc = hand_over_call_part(gemini, choice, call);
    }
    return rc == RAAF_OK ? raaf_tool_call_close(call, &gemini->sink) : rc;
}

/* The same for one of which more was to come, and nothing said that it is whole. */
static int leave_call(gemini_t *gemini, choice_t *choice, bool cut_off) {
    if (cut_off || choice->args.in_string) choice->torn = true;
    return end_call(gemini, choice, NULL);
}

static int keep_signature(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part) {
    const raaf_slice_t signature = raaf_notes_get(&gemini->said.notes, part->signature);

    if (signature.len == 0) return RAAF_OK;
    choice->signature.len = 0;
    return raaf_capped(raaf_buffer_append(&choice->signature, signature.bytes, signature.len));
}

/* What the part says of the open call; [is_new]: nothing was said of it before. */
static int go_on_with_call(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part,
                           bool is_new) {
    const bool whole = is_new && !part->will_continue && part->piece_count == 0;
    raaf_tool_call_t *call = raaf_tool_calls_at(&gemini->calls, choice->call);
    raaf_buffer_t *json = empty_json(gemini);
    int rc = write_args(&gemini->said, part, &choice->args, json);

    /* An empty one announces the call. */
    if (rc == RAAF_OK && (json->len > 0 || (is_new && !whole))) {
        rc = raaf_tool_call_add(call, slice_of(json), &gemini->sink);
    }
    if (rc == RAAF_OK && !whole) rc = keep_signature(gemini, choice, part);
    if (rc != RAAF_OK || part->will_continue) return rc;
    return end_call(gemini, choice, whole ? part : NULL);
}

static int hand_over_call(gemini_t *gemini, choice_t *choice, const raaf_gemini_part_t *part) {
    const bool begins = !choice->in_call || part->name.len > 0;
    const bool says_nothing = part->name.len == 0 && !part->has_args && part->piece_count == 0;
    int rc = RAAF_OK;

    if (begins && says_nothing) return RAAF_OK; /* the end of a call that has ended already */
    if (begins && choice->in_call) rc = leave_call(gemini, choice, false);
    if (begins && rc == RAAF_OK) rc = begin_call(gemini, choice, part);
    return rc == RAAF_OK ? go_on_with_call(gemini, choice, part, begins) : rc;
}

/* ---- handing over: parts ---- */

static int hand_over_part(gemini_t *gemini, size_t slot, const raaf_gemini_part_t *part) {
    choice_t *choice = choice_at(gemini, slot);
    int rc = RAAF_OK;

    if (part->has_text) rc = hand_over_text(gemini, choice, part);
    if (rc == RAAF_OK && part->has_call) return hand_over_call(gemini, choice, part);
    if (rc != RAAF_OK) return rc;
    return raaf_delta_sink_json(&gemini->sink, RAAF_CHUNK_PART, choice->index,
                                raaf_notes_get(&gemini->said.notes, part->json));
}

static int hand_over_source(gemini_t *gemini, uint32_t choice, raaf_slice_t source) {
    bool is_new;
    const int rc = raaf_seen_note(&gemini->sources, choice, source, &is_new);

    if (rc != RAAF_OK || !is_new) return rc;
    return raaf_delta_sink_json(&gemini->sink, RAAF_CHUNK_CITATION, choice, source);
}

static int hand_over_candidate(gemini_t *gemini, const raaf_gemini_candidate_t *candidate) {
    const raaf_gemini_said_t *said = &gemini->said;
    int rc = RAAF_OK;

    for (size_t i = 0; i < candidate->part_count && rc == RAAF_OK; i++) {
        rc = hand_over_part(gemini, candidate->slot,
                            raaf_gemini_said_part(said, candidate->first_part + i));
    }
    for (size_t i = 0; i < candidate->source_count && rc == RAAF_OK; i++) {
        rc = hand_over_source(gemini, candidate->index,
                              raaf_gemini_said_source(said, candidate->first_source + i));
    }
    return rc;
}

/* ---- handing over: the rest ---- */

/* Any other reason is one to end an answer that is not whole. */
static bool is_stop(raaf_slice_t reason) {
    return reason.len == 4 && memcmp(reason.bytes, "STOP", 4) == 0;
}

static int finish_choice(gemini_t *gemini, size_t slot, raaf_slice_t reason) {
    choice_t *choice = choice_at(gemini, slot);
    const raaf_delta_t delta = {.type = RAAF_CHUNK_FINISH, .choice = choice->index, .text = reason};
    int rc = close_texts(gemini, slot);

    if (rc == RAAF_OK && choice->in_call) rc = leave_call(gemini, choice, !is_stop(reason));
    if (rc != RAAF_OK || choice->finished) return rc;

    choice->finished = true;
    gemini->finished_choices++;
    gemini->settled = false;
    return raaf_delta_sink_put(&gemini->sink, &delta);
}

/* The choice of that index, or NULL. */
static choice_t *find_choice(const gemini_t *gemini, uint32_t index) {
    for (size_t i = 0; i < choice_count(gemini); i++) {
        if (choice_at(gemini, i)->index == index) return choice_at(gemini, i);
    }
    return NULL;
}

static int find_slot(gemini_t *gemini, uint32_t index, size_t *slot) {
    const choice_t *known = find_choice(gemini, index);
    choice_t choice = {.index = index};
    int rc;

    *slot = known != NULL ? (size_t)(known - choice_at(gemini, 0)) : choice_count(gemini);
    if (known != NULL) return RAAF_OK;
    raaf_gemini_args_init(&choice.args);
    raaf_buffer_init(&choice.signature, MAX_SIGNATURE);
    rc = raaf_buffer_push(&gemini->choices, &choice, sizeof choice);
    if (rc == RAAF_OK) gemini->settled = false;
    return rc;
}

static int hand_over_block(gemini_t *gemini) {
    const raaf_slice_t reason = raaf_notes_get(&gemini->said.notes, gemini->said.block_reason);
    const bool is_named =
        reason.len >= sizeof BLOCKED - 1 && memcmp(reason.bytes, BLOCKED, sizeof BLOCKED - 1) == 0;
    raaf_buffer_t *word;
    size_t slot;
    int rc = find_slot(gemini, 0, &slot);

    /* Before the word is put together: the end of a call does that in the same place. */
    if (rc == RAAF_OK && choice_at(gemini, slot)->in_call)
        rc = leave_call(gemini, choice_at(gemini, slot), true);
    word = empty_json(gemini);
    if (rc == RAAF_OK && !is_named) rc = raaf_buffer_append(word, BLOCKED, sizeof BLOCKED - 1);
    if (rc == RAAF_OK) rc = raaf_buffer_append(word, reason.bytes, reason.len);
    return rc == RAAF_OK ? finish_choice(gemini, slot, slice_of(word)) : rc;
}

static int hand_over_usage(gemini_t *gemini) {
    const raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE,
                                .text =
                                    raaf_notes_get(&gemini->said.notes, gemini->said.usage_json),
                                .usage = gemini->said.usage};

    if (!gemini->said.has_usage) return RAAF_OK;
    gemini->settled = choice_count(gemini) > 0 && gemini->finished_choices == choice_count(gemini);
    return raaf_delta_sink_put(&gemini->sink, &delta);
}

static int hand_over_finish(gemini_t *gemini, const raaf_gemini_candidate_t *candidate) {
    if (candidate->finish_reason.len == 0) return RAAF_OK;
    return finish_choice(gemini, candidate->slot,
                         raaf_notes_get(&gemini->said.notes, candidate->finish_reason));
}

/* Each candidate of the event finds its choice. */
static int find_slots(gemini_t *gemini) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < raaf_gemini_said_count(&gemini->said) && rc == RAAF_OK; i++) {
        raaf_gemini_candidate_t *candidate = raaf_gemini_said_candidate(&gemini->said, i);

        rc = find_slot(gemini, candidate->index, &candidate->slot);
    }
    return rc;
}

static int hand_over_said(gemini_t *gemini) {
    const raaf_gemini_said_t *said = &gemini->said;
    const size_t count = raaf_gemini_said_count(said);
    int rc = find_slots(gemini);

    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        rc = hand_over_candidate(gemini, raaf_gemini_said_candidate(said, i));
    }
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        rc = hand_over_finish(gemini, raaf_gemini_said_candidate(said, i));
    }
    if (rc == RAAF_OK && count == 0 && said->block_reason.len > 0) rc = hand_over_block(gemini);
    return rc == RAAF_OK ? hand_over_usage(gemini) : rc;
}

static int hand_over_fault(gemini_t *gemini, const raaf_sse_event_t *event) {
    raaf_said_fault_t *fault = &gemini->said.fault;
    int rc = RAAF_OK;

    if (fault->json.len == 0) {
        rc = raaf_notes_set(&gemini->said.notes, &fault->json, event->data, event->data_len);
    }
    if (rc != RAAF_OK) return rc;
    rc = raaf_said_put_fault(&gemini->said.notes, fault, &gemini->sink);
    gemini->done = rc == RAAF_PROVIDER_ERROR;
    return rc;
}

/* ---- malformed events ---- */

/* Whether the parts of a candidate have a place in its call's arguments. */
static int try_candidate(gemini_t *gemini, const raaf_gemini_candidate_t *candidate,
                         raaf_gemini_args_t *args) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < candidate->part_count && rc == RAAF_OK; i++) {
        const raaf_gemini_part_t *part =
            raaf_gemini_said_part(&gemini->said, candidate->first_part + i);

        if (!part->has_call) continue;
        if (part->name.len > 0) raaf_gemini_args_reset(args);
        rc = write_args(&gemini->said, part, args, empty_json(gemini));
        if (!part->will_continue) raaf_gemini_args_reset(args);
    }
    return rc;
}

/* All candidates of that index from the [first] on, which is one: tried on a copy. */
static int try_choice(gemini_t *gemini, size_t first, raaf_gemini_args_t *args) {
    const uint32_t index = raaf_gemini_said_candidate(&gemini->said, first)->index;
    const choice_t *choice = find_choice(gemini, index);
    int rc = RAAF_OK;

    raaf_gemini_args_reset(args);
    if (choice != NULL && choice->in_call) rc = raaf_gemini_args_copy(args, &choice->args);
    for (size_t i = first; i < raaf_gemini_said_count(&gemini->said) && rc == RAAF_OK; i++) {
        const raaf_gemini_candidate_t *candidate = raaf_gemini_said_candidate(&gemini->said, i);

        if (candidate->index == index) rc = try_candidate(gemini, candidate, args);
    }
    return rc;
}

/* Whether a candidate before it has the same index. */
static bool is_tried(const raaf_gemini_said_t *said, size_t candidate) {
    const uint32_t index = raaf_gemini_said_candidate(said, candidate)->index;

    for (size_t i = 0; i < candidate; i++) {
        if (raaf_gemini_said_candidate(said, i)->index == index) return true;
    }
    return false;
}

static bool is_in_call(const gemini_t *gemini) {
    for (size_t i = 0; i < choice_count(gemini); i++) {
        if (choice_at(gemini, i)->in_call) return true;
    }
    return false;
}

/* Before anything is handed over: an event that is malformed hands over nothing. */
static int try_calls(gemini_t *gemini) {
    const raaf_gemini_said_t *said = &gemini->said;
    raaf_gemini_args_t args;
    int rc = RAAF_OK;

    if (said->pieces.len == 0 && !said->call_continues && !is_in_call(gemini)) return RAAF_OK;
    raaf_gemini_args_init(&args);
    for (size_t i = 0; i < raaf_gemini_said_count(said) && rc == RAAF_OK; i++) {
        if (!is_tried(said, i)) rc = try_choice(gemini, i, &args);
    }
    raaf_gemini_args_free(&args);
    return rc;
}

/* A malformed event may have held a piece of any call that is open. */
static void tear_calls(gemini_t *gemini) {
    for (size_t i = 0; i < choice_count(gemini); i++) {
        choice_at(gemini, i)->torn = true;
    }
}

/* ---- the dialect ---- */

static void gemini_init(void *state, raaf_delta_fn emit, void *context) {
    gemini_t *gemini = state;

    memset(gemini, 0, sizeof *gemini);
    raaf_delta_sink_init(&gemini->sink, emit, context);
    raaf_gemini_said_init(&gemini->said);
    raaf_buffer_init(&gemini->choices, RAAF_GEMINI_MAX_CANDIDATES * sizeof(choice_t));
    raaf_tool_calls_init(&gemini->calls);
    raaf_seen_init(&gemini->sources);
    raaf_buffer_init(&gemini->json, SIZE_MAX);
}

static int read_event(gemini_t *gemini, const raaf_sse_event_t *event) {
    const int rc = raaf_gemini_said_read(&gemini->said, event->data, event->data_len);

    return rc == RAAF_OK && !gemini->said.fault.given ? try_calls(gemini) : rc;
}

static int gemini_event(void *state, const raaf_sse_event_t *event) {
    gemini_t *gemini = state;
    int rc;

    if (gemini->done || raaf_dialect_is_mark(event)) return RAAF_OK;

    rc = read_event(gemini, event);
    if (raaf_dialect_malformed(rc)) tear_calls(gemini);
    if (rc != RAAF_OK) return rc;
    if (gemini->said.fault.given) return hand_over_fault(gemini, event);
    return gemini->said.known ? hand_over_said(gemini) : RAAF_UNKNOWN_EVENT;
}

static raaf_progress_t gemini_progress(const void *state) {
    const gemini_t *gemini = state;

    if (gemini->done) return RAAF_PROGRESS_DONE;
    if (choice_count(gemini) == 0 || gemini->finished_choices < choice_count(gemini)) {
        return RAAF_PROGRESS_OPEN;
    }
    return gemini->settled ? RAAF_PROGRESS_SETTLED : RAAF_PROGRESS_FINISHED;
}

static int gemini_finish(void *state) {
    gemini_t *gemini = state;
    int rc = RAAF_OK;

    if (gemini->done) return RAAF_OK;
    /* A call that is still open was cut off, and is not a call: somebody might run it. */
    for (size_t i = 0; i < choice_count(gemini) && rc == RAAF_OK; i++) {
        rc = close_texts(gemini, i);
    }
    return rc;
}

static void gemini_free(void *state) {
    gemini_t *gemini = state;

    for (size_t i = 0; i < choice_count(gemini); i++) {
        raaf_gemini_args_free(&choice_at(gemini, i)->args);
        raaf_buffer_free(&choice_at(gemini, i)->signature);
    }
    raaf_buffer_free(&gemini->choices);
    raaf_buffer_free(&gemini->json);
    raaf_seen_free(&gemini->sources);
    raaf_tool_calls_free(&gemini->calls);
    raaf_delta_sink_free(&gemini->sink);
    raaf_gemini_said_free(&gemini->said);
}

const raaf_dialect_t raaf_dialect_gemini = {
    .name = "gemini",
    .framing = RAAF_FRAMING_SSE,
    .state_size = sizeof(gemini_t),
    .init = gemini_init,
    .event = gemini_event,
    .finish = gemini_finish,
    .progress = gemini_progress,
    .free = gemini_free,
};
