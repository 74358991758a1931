#include "dialect_openai_chat.h"

#include "delta_sink.h"
#include "json_text.h"
#include "openai_chat_said.h"
#include "reasoning_details.h"
#include "result_code.h"
#include "sources.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

/* ---- what the response has said so far ---- */

typedef enum open_text { OPEN_REASONING, OPEN_CONTENT, OPEN_REFUSAL, OPEN_COUNT } open_text_t;

typedef struct choice {
    uint32_t index;
    bool finished;
    bool spoke; /* a delta said something */
    bool has_call;
    size_t last_call; /* position of the call that its newest fragment belongs to */
    raaf_utf8_carry_t open[OPEN_COUNT];
} choice_t;

typedef struct chat {
    raaf_delta_sink_t sink;
    raaf_chat_said_t said;
    raaf_buffer_t choices; /* of choice_t */
    raaf_tool_calls_t calls;
    raaf_reasoning_details_t details;
    raaf_sources_t sources;
    raaf_buffer_t part; /* a PART on its way out */
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

/* ---- handing over: text ---- */

static int hand_over_open_text(chat_t *chat, raaf_chunk_type_t type, size_t slot,
                               open_text_t which) {
    choice_t *choice = choice_at(chat, slot);

    return raaf_delta_sink_end_text(&chat->sink, type, choice->index, &choice->open[which]);
}

static int close_texts(chat_t *chat, size_t slot) {
    int rc = hand_over_open_text(chat, RAAF_CHUNK_REASONING, slot, OPEN_REASONING);

    if (rc == RAAF_OK) rc = hand_over_open_text(chat, RAAF_CHUNK_CONTENT, slot, OPEN_CONTENT);
    if (rc == RAAF_OK) rc = hand_over_open_text(chat, RAAF_CHUNK_REFUSAL, slot, OPEN_REFUSAL);
    return rc;
}

static int hand_over_channel(chat_t *chat, const raaf_chat_said_choice_t *said_choice,
                             raaf_chat_channel_t channel, raaf_chunk_type_t type,
                             open_text_t which) {
    const raaf_range_t range = said_choice->texts[channel];
    choice_t *choice = choice_at(chat, said_choice->slot);

    if (range.len == 0) return RAAF_OK;
    return raaf_delta_sink_text(&chat->sink, type, choice->index, &choice->open[which],
                                chat->said.texts[channel].bytes + range.start, range.len);
}

static int hand_over_texts(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    raaf_chat_channel_t reasoning = 0;
    int rc;

    while (reasoning < RAAF_CHAT_REASONING_CHANNELS - 1 && said_choice->texts[reasoning].len == 0) {
        reasoning++;
    }
    rc = hand_over_channel(chat, said_choice, reasoning, RAAF_CHUNK_REASONING, OPEN_REASONING);
    if (rc != RAAF_OK) return rc;
    rc = hand_over_channel(chat, said_choice, RAAF_CHAT_CONTENT, RAAF_CHUNK_CONTENT, OPEN_CONTENT);
    if (rc == RAAF_OK) {
        rc = hand_over_channel(chat, said_choice, RAAF_CHAT_TRANSCRIPT, RAAF_CHUNK_CONTENT,
                               OPEN_CONTENT);
    }
    if (rc != RAAF_OK) return rc;
    return hand_over_channel(chat, said_choice, RAAF_CHAT_REFUSAL, RAAF_CHUNK_REFUSAL,
                             OPEN_REFUSAL);
}

/* ---- handing over: reasoning that the provider wants back ---- */

static int keep_detail(chat_t *chat, const raaf_chat_said_choice_t *said_choice,
                       const raaf_chat_detail_t *detail) {
    const raaf_notes_t *notes = &chat->said.notes;
    const raaf_detail_piece_t piece = {
        .kind = detail->kind,
        .has_index = detail->has_index,
        .index = detail->index,
        .id = raaf_notes_get(notes, detail->id),
        .format = raaf_notes_get(notes, detail->format),
        .signature = raaf_notes_get(notes, detail->signature),
        .text = raaf_notes_get(notes, detail->text),
    };

    return raaf_reasoning_details_add(&chat->details, said_choice->index, &piece);
}

static int keep_thinking(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    const raaf_range_t range = said_choice->texts[RAAF_CHAT_THINKING];
    const raaf_buffer_t *text = &chat->said.texts[RAAF_CHAT_THINKING];
    raaf_detail_piece_t piece = {
        .kind = RAAF_DETAIL_THINKING,
        .signature = raaf_notes_get(&chat->said.notes, said_choice->signature),
        .text = {"", 0},
    };

    if (range.len > 0) piece.text = (raaf_slice_t){text->bytes + range.start, range.len};
    if (range.len == 0 && piece.signature.len == 0) return RAAF_OK;
    return raaf_reasoning_details_add(&chat->details, said_choice->index, &piece);
}

static int keep_details(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    int rc = keep_thinking(chat, said_choice);

    for (size_t i = 0; i < said_choice->details.count && rc == RAAF_OK; i++) {
        const size_t place = said_choice->details.first + i;

        rc = keep_detail(chat, said_choice, raaf_chat_said_detail(&chat->said, place));
    }
    return rc;
}

/* ---- handing over: what is handed over as it is ---- */

static int put_json(raaf_buffer_t *json, const char *text) {
    return raaf_buffer_append(json, text, strlen(text));
}

/* The PART that was begun in chat->part ends with this value. */
static int hand_over_part(chat_t *chat, uint32_t choice, raaf_slice_t json) {
    raaf_buffer_t *part = &chat->part;
    int rc = raaf_buffer_append(part, json.bytes, json.len);

    if (rc == RAAF_OK) rc = put_json(part, "}");
    if (rc != RAAF_OK) return rc;
    return raaf_delta_sink_json(&chat->sink, RAAF_CHUNK_PART, choice,
                                (raaf_slice_t){part->bytes, part->len});
}

static int hand_over_field(chat_t *chat, uint32_t choice, const char *head, raaf_slice_t json) {
    int rc;

    raaf_buffer_clear(&chat->part, KEEP_BYTES);
    rc = put_json(&chat->part, head);
    return rc == RAAF_OK ? hand_over_part(chat, choice, json) : rc;
}

static int hand_over_call_extra(chat_t *chat, const raaf_tool_call_t *call, raaf_range_t extra) {
    const raaf_slice_t id = {call->id.bytes, call->id.len};
    int rc;

    if (extra.len == 0) return RAAF_OK;
    raaf_buffer_clear(&chat->part, KEEP_BYTES);
    rc = put_json(&chat->part, "{\"tool_call_id\":");
    if (rc == RAAF_OK) rc = raaf_json_text_string(&chat->part, id);
    if (rc == RAAF_OK) rc = put_json(&chat->part, ",\"extra_content\":");
    if (rc != RAAF_OK) return rc;
    return hand_over_part(chat, call->choice, raaf_notes_get(&chat->said.notes, extra));
}

static int hand_over_extra(chat_t *chat, uint32_t choice, const raaf_chat_extra_t *extra) {
    const raaf_slice_t json = raaf_notes_get(&chat->said.notes, extra->json);

    switch (extra->kind) {
    case RAAF_CHAT_EXECUTED_TOOL:
        return hand_over_field(chat, choice, "{\"executed_tool\":", json);
    case RAAF_CHAT_EXTRA_CONTENT:
        return hand_over_field(chat, choice, "{\"extra_content\":", json);
    default:
        return raaf_delta_sink_json(&chat->sink, RAAF_CHUNK_CITATION, choice, json);
    }
}

static int hand_over_extras(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < said_choice->extras.count && rc == RAAF_OK; i++) {
        const size_t place = said_choice->extras.first + i;

        rc = hand_over_extra(chat, said_choice->index, raaf_chat_said_extra(&chat->said, place));
    }
    return rc;
}

static int hand_over_sources(chat_t *chat) {
    int rc = RAAF_OK;

    for (int i = 0; i < RAAF_SOURCES_LIST_COUNT && rc == RAAF_OK; i++) {
        const raaf_slice_t list = raaf_notes_get(&chat->said.notes, chat->said.sources[i]);

        if (list.len > 0)
            rc = raaf_sources_take(&chat->sources, (raaf_source_list_t)i, list, &chat->sink);
    }
    return rc;
}

/* ---- handing over: tool calls ---- */

static bool same(const raaf_buffer_t *buffer, raaf_slice_t slice) {
    return buffer->len == slice.len &&
           (slice.len == 0 || memcmp(buffer->bytes, slice.bytes, slice.len) == 0);
}

/* The call that a fragment goes on with, or NULL where it begins one. */
static raaf_tool_call_t *find_call(const chat_t *chat, const choice_t *choice,
                                   const raaf_chat_fragment_t *fragment) {
    const raaf_slice_t id = raaf_notes_get(&chat->said.notes, fragment->id);
    const bool has_name = fragment->name.len > 0;
    raaf_tool_call_t *call;

    if (fragment->has_index) {
        call = raaf_tool_calls_by_index(&chat->calls, choice->index, fragment->index);
        /* Some servers give every call the index 0; a new id alone may come with each fragment. */
        if (call != NULL && has_name && call->name.len > 0 && id.len > 0 && call->id.len > 0 &&
            !same(&call->id, id)) {
            return NULL;
        }
        return call;
    }
    if (id.len > 0) return raaf_tool_calls_by_id(&chat->calls, choice->index, id);
    if (!choice->has_call) return NULL;
    call = raaf_tool_calls_at(&chat->calls, choice->last_call);
    return has_name && call->name.len > 0 ? NULL : call;
}

static int begin_call(chat_t *chat, const choice_t *choice, const raaf_chat_fragment_t *fragment,
                      raaf_tool_call_t **begun) {
    const int64_t index = fragment->has_index
                              ? fragment->index
                              : raaf_tool_calls_free_index(&chat->calls, choice->index);

    return raaf_tool_calls_begin(&chat->calls, choice->index, index, begun);
}

static int hand_over_fragment(chat_t *chat, size_t slot, const raaf_chat_fragment_t *fragment) {
    choice_t *choice = choice_at(chat, slot);
    const raaf_slice_t arguments = raaf_notes_get(&chat->said.notes, fragment->arguments);
    raaf_tool_call_t *call = find_call(chat, choice, fragment);
    int rc;

    if (call == NULL && (rc = begin_call(chat, choice, fragment, &call)) != RAAF_OK) return rc;
    choice->has_call = true;
    choice->last_call = (size_t)(call - raaf_tool_calls_at(&chat->calls, 0));

    rc = raaf_tool_call_label(call, raaf_notes_get(&chat->said.notes, fragment->id),
                              raaf_notes_get(&chat->said.notes, fragment->name));
    if (rc == RAAF_OK) rc = raaf_tool_call_add(call, arguments, &chat->sink);
    return rc == RAAF_OK ? hand_over_call_extra(chat, call, fragment->extra) : rc;
}

static int hand_over_fragments(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < said_choice->fragments.count && rc == RAAF_OK; i++) {
        const size_t place = said_choice->fragments.first + i;

        rc = hand_over_fragment(chat, said_choice->slot,
                                raaf_chat_said_fragment(&chat->said, place));
    }
    return rc;
}

/* ---- handing over: the rest ---- */

static int hand_over_delta(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    int rc = hand_over_texts(chat, said_choice);

    if (rc == RAAF_OK) rc = keep_details(chat, said_choice);
    if (rc == RAAF_OK) rc = hand_over_fragments(chat, said_choice);
    return rc == RAAF_OK ? hand_over_extras(chat, said_choice) : rc;
}

/*
 * Whether an answer that ends for this reason is whole: only then the model had written its calls
 * to their end, whatever they are.
 */
static bool is_whole(raaf_slice_t reason) {
    static const char *const words[] = {"stop",     "tool_calls", "function_call",
                                        "tool_use", "tool_call",  "stop_sequence",
                                        "end_turn", "complete",   "eos"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (reason.len == strlen(words[i]) && strncasecmp(reason.bytes, words[i], reason.len) == 0)
            return true;
    }
    return false;
}

/* What was kept until the end of a choice. */
static int close_whole(chat_t *chat, uint32_t choice) {
    const int rc = raaf_reasoning_details_close(&chat->details, choice, &chat->sink);

    return rc == RAAF_OK ? raaf_tool_calls_close(&chat->calls, choice, &chat->sink) : rc;
}

static int finish_choice(chat_t *chat, const raaf_chat_said_choice_t *said_choice) {
    choice_t *choice = choice_at(chat, said_choice->slot);
    const raaf_slice_t reason = raaf_notes_get(&chat->said.notes, said_choice->finish_reason);
    const raaf_delta_t delta = {.type = RAAF_CHUNK_FINISH, .choice = choice->index, .text = reason};
    int rc;

    if ((rc = close_texts(chat, said_choice->slot)) != RAAF_OK) return rc;
    if (!is_whole(reason)) rc = raaf_tool_calls_tear_cut_off(&chat->calls, choice->index);
    if (rc != RAAF_OK) return rc;
    if ((rc = close_whole(chat, choice->index)) != RAAF_OK) return rc;
    if (choice->finished) return RAAF_OK;

    choice->finished = true;
    chat->finished_choices++;
    chat->settled = false;
    return raaf_delta_sink_put(&chat->sink, &delta);
}

static int hand_over_usage(chat_t *chat) {
    const raaf_chat_usage_t *usage =
        chat->said.usage.given ? &chat->said.usage : &chat->said.groq_usage;
    const raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE,
                                .text = raaf_notes_get(&chat->said.notes, usage->json),
                                .usage = usage->counts};

    if (!usage->given) return RAAF_OK;
    chat->settled = choice_count(chat) > 0 && chat->finished_choices == choice_count(chat);
    return raaf_delta_sink_put(&chat->sink, &delta);
}

static int find_slot(chat_t *chat, uint32_t index, size_t *slot) {
    const choice_t choice = {.index = index};
    int rc;

    for (*slot = 0; *slot < choice_count(chat); (*slot)++) {
        if (choice_at(chat, *slot)->index == index) return RAAF_OK;
    }
    rc = raaf_buffer_push(&chat->choices, &choice, sizeof choice);
    if (rc == RAAF_OK) chat->settled = false;
    return rc;
}

static bool in_deltas(const raaf_chat_said_choice_t *said_choice) {
    for (int i = 0; i < RAAF_CHAT_CHANNEL_COUNT; i++) {
        if (said_choice->texts[i].len > 0) return true;
    }
    return said_choice->fragments.count > 0;
}

static int find_choice(chat_t *chat, raaf_chat_said_choice_t *said_choice) {
    const int rc = find_slot(chat, said_choice->index, &said_choice->slot);
    choice_t *choice;

    if (rc != RAAF_OK) return rc;
    choice = choice_at(chat, said_choice->slot);
    choice->spoke = choice->spoke || in_deltas(said_choice);
    return said_choice->has_message && !choice->spoke ? RAAF_WHOLE_MESSAGE : RAAF_OK;
}

static int hand_over_said(chat_t *chat) {
    const raaf_chat_said_t *said = &chat->said;
    const size_t count = raaf_chat_said_choice_count(said);
    int rc = RAAF_OK;

    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        rc = find_choice(chat, raaf_chat_said_choice(said, i));
    }
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        rc = hand_over_delta(chat, raaf_chat_said_choice(said, i));
    }
    if (rc == RAAF_OK) rc = hand_over_sources(chat);
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        if (raaf_chat_said_choice(said, i)->finish_reason.len > 0) {
            rc = finish_choice(chat, raaf_chat_said_choice(said, i));
        }
    }
    if (rc == RAAF_OK) rc = hand_over_usage(chat);
    return rc == RAAF_OK && raaf_chat_said_nothing(said) ? RAAF_UNKNOWN_EVENT : rc;
}

static int emit_fault(chat_t *chat, const raaf_said_fault_t *fault) {
    const int rc = raaf_said_put_fault(&chat->said.notes, fault, &chat->sink);

    if (rc != RAAF_PROVIDER_ERROR) return rc;
    chat->failed = true;
    chat->done = true;
    return rc;
}

static int hand_over_fault(chat_t *chat, const raaf_sse_event_t *event) {
    raaf_chat_said_t *said = &chat->said;
    raaf_said_fault_t *fault =
        said->fault == RAAF_CHAT_FAULT_ROOT ? &said->root_fields : &said->fault_fields;
    int rc;

    if (said->fault != RAAF_CHAT_FAULT_OBJECT) {
        rc = raaf_notes_set(&said->notes, &fault->json, event->data, event->data_len);
        if (rc != RAAF_OK) return rc;
    }
    return emit_fault(chat, fault);
}

/* An event named "error" that is not an object: what it says is the message. */
static int hand_over_raw_fault(chat_t *chat, const raaf_sse_event_t *event) {
    raaf_said_fault_t fault = {0};
    int rc;

    raaf_chat_said_forget(&chat->said);
    rc = raaf_said_raw_fault(&chat->said.notes, &fault, event->data, event->data_len);
    return rc == RAAF_OK ? emit_fault(chat, &fault) : rc;
}

/* ---- the dialect ---- */

static void chat_init(void *state, raaf_delta_fn emit, void *context) {
    chat_t *chat = state;

    memset(chat, 0, sizeof *chat);
    raaf_delta_sink_init(&chat->sink, emit, context);
    raaf_chat_said_init(&chat->said);
    raaf_buffer_init(&chat->choices, RAAF_CHAT_MAX_CHOICES * sizeof(choice_t));
    raaf_tool_calls_init(&chat->calls);
    raaf_reasoning_details_init(&chat->details);
    raaf_sources_init(&chat->sources);
    raaf_buffer_init(&chat->part, SIZE_MAX);
}

/* Events that are not JSON, and are all right. Returns whether it was one. */
static bool take_mark(chat_t *chat, const raaf_sse_event_t *event) {
    const bool is_mark = raaf_dialect_is_mark(event);

    if (is_mark && raaf_dialect_trimmed(event).len > 0) chat->done = true;
    return is_mark;
}

/* Events of this dialect have no name. One that has, and holds no object, is some other's. */
static bool is_foreign(const raaf_sse_event_t *event) {
    const raaf_slice_t data = raaf_dialect_trimmed(event);

    return event->type_len > 0 && !raaf_dialect_is_named(event, "message") &&
           (data.len == 0 || data.bytes[0] != '{');
}

static int chat_event(void *state, const raaf_sse_event_t *event) {
    chat_t *chat = state;
    const bool is_error = raaf_dialect_is_named(event, "error");
    int rc;

    if (chat->done || (!is_error && take_mark(chat, event))) return RAAF_OK;
    if (!is_error && is_foreign(event)) return RAAF_UNKNOWN_EVENT;

    rc = raaf_chat_said_read(&chat->said, event->data, event->data_len);
    if (is_error && raaf_dialect_malformed(rc)) return hand_over_raw_fault(chat, event);
    if (raaf_dialect_malformed(rc)) raaf_tool_calls_tear(&chat->calls);
    if (rc != RAAF_OK) return rc;

    if (is_error && chat->said.fault == RAAF_CHAT_NO_FAULT) chat->said.fault = RAAF_CHAT_FAULT_ROOT;
    return chat->said.fault == RAAF_CHAT_NO_FAULT ? hand_over_said(chat)
                                                  : hand_over_fault(chat, event);
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
        const uint32_t choice = choice_at(chat, i)->index;

        if (!chat->done) rc = raaf_tool_calls_tear_cut_off(&chat->calls, choice);
        if (rc == RAAF_OK) rc = close_whole(chat, choice);
    }
    return rc;
}

static void chat_free(void *state) {
    chat_t *chat = state;

    raaf_buffer_free(&chat->part);
    raaf_sources_free(&chat->sources);
    raaf_reasoning_details_free(&chat->details);
    raaf_tool_calls_free(&chat->calls);
    raaf_buffer_free(&chat->choices);
    raaf_delta_sink_free(&chat->sink);
    raaf_chat_said_free(&chat->said);
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
