#include "dialect_openai_responses.h"

#include "delta_sink.h"
#include "openai_responses_said.h"
#include "result_code.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <string.h>

/* Between two parts of reasoning. */
#define PARAGRAPH "\n\n"

/* ---- what the response has said so far ---- */

#define KIND(kind) (1u << (kind))
#define MESSAGE_KINDS (KIND(RAAF_RESPONSES_CONTENT) | KIND(RAAF_RESPONSES_REFUSAL))
#define REASONING_KINDS (KIND(RAAF_RESPONSES_SUMMARY) | KIND(RAAF_RESPONSES_REASONING))

typedef struct item {
    int64_t index;    /* the output_index, or one made here */
    raaf_buffer_t id; /* as it was sent first; may be empty */
    unsigned told;    /* kinds of text that were handed over, as KIND() */
    bool done;        /* all of it came */
    bool has_call;
    size_t call; /* position of its call */
} item_t;

/* A text that comes in pieces. */
typedef struct part {
    size_t item; /* position of its item */
    int64_t place;
    raaf_responses_kind_t kind;
    raaf_utf8_carry_t open;
} part_t;

typedef struct responses {
    raaf_delta_sink_t sink;
    raaf_responses_said_t said;
    raaf_buffer_t items; /* of item_t, in the order in which they were first heard of */
    raaf_buffer_t parts; /* of part_t */
    raaf_tool_calls_t calls;
    unsigned told; /* as in the items, over all */
    bool item_done;
    bool kept;   /* a PART was handed over */
    bool failed; /* an error was handed over */
    bool done;
} responses_t;

static bool is(raaf_slice_t slice, const char *text) {
    return slice.len == strlen(text) && memcmp(slice.bytes, text, slice.len) == 0;
}

static raaf_slice_t note(const responses_t *responses, raaf_range_t range) {
    return raaf_notes_get(&responses->said.notes, range);
}

/* ---- buffers of structs ---- */

static size_t item_count(const responses_t *responses) {
    return responses->items.len / sizeof(item_t);
}

static item_t *item_at(const responses_t *responses, size_t i) {
    return (item_t *)(void *)responses->items.bytes + i;
}

static size_t part_count(const responses_t *responses) {
    return responses->parts.len / sizeof(part_t);
}

static part_t *part_at(const responses_t *responses, size_t i) {
    return (part_t *)(void *)responses->parts.bytes + i;
}

static item_t *item_by_index(const responses_t *responses, int64_t index) {
    for (size_t i = item_count(responses); i > 0; i--) {
        if (item_at(responses, i - 1)->index == index) return item_at(responses, i - 1);
    }
    return NULL;
}

static bool has_id(const item_t *item, raaf_slice_t id) {
    return item->id.len == id.len && (id.len == 0 || memcmp(item->id.bytes, id.bytes, id.len) == 0);
}

static item_t *item_by_id(const responses_t *responses, raaf_slice_t id) {
    for (size_t i = item_count(responses); i > 0; i--) {
        if (has_id(item_at(responses, i - 1), id)) return item_at(responses, i - 1);
    }
    return NULL;
}

static size_t position_of(const responses_t *responses, const item_t *item) {
    return (size_t)(item - item_at(responses, 0));
}

static int64_t free_index(const responses_t *responses) {
    int64_t index = (int64_t)item_count(responses);

    while (item_by_index(responses, index) != NULL) {
        index++;
    }
    return index;
}

/* [added] gets the new item; borrowed, until the next one is made. */
static int add_item(responses_t *responses, int64_t index, raaf_slice_t id, item_t **added) {
    item_t item = {.index = index};
    int rc;

    raaf_buffer_init(&item.id, RAAF_TOOL_CALLS_MAX_LABEL);
    rc = raaf_capped(raaf_buffer_append(&item.id, id.bytes, id.len));
    if (rc == RAAF_OK) {
        rc = raaf_buffer_push(&responses->items, &item, sizeof item);
    }
    if (rc != RAAF_OK) {
        raaf_buffer_free(&item.id);
        return rc;
    }
    *added = item_at(responses, item_count(responses) - 1);
    return RAAF_OK;
}

/* The id of the item that the event is about. */
static raaf_slice_t said_id(const responses_t *responses) {
    const raaf_responses_said_t *said = &responses->said;

    if (said->item_id.len > 0 || raaf_responses_said_item_count(said) == 0) {
        return note(responses, said->item_id);
    }
    return note(responses, raaf_responses_said_item(said, 0)->id);
}

/* The item that the event is about, or NULL where nothing was heard of it. */
static item_t *known_item(const responses_t *responses, raaf_slice_t id) {
    const raaf_responses_said_t *said = &responses->said;
    const bool is_item =
        said->event == RAAF_RESPONSES_ITEM_ADDED || said->event == RAAF_RESPONSES_ITEM_DONE;
    item_t *item = NULL;

    if (said->has_index) {
        item = item_by_index(responses, said->index);
    } else if (id.len > 0) {
        item = item_by_id(responses, id);
    } else if (item_count(responses) > 0 && said->event != RAAF_RESPONSES_ITEM_ADDED) {
        item = item_at(responses, item_count(responses) - 1);
    }
    /* Some servers give every item the same index. */
    if (item != NULL && item->done && is_item && id.len > 0 && !has_id(item, id)) return NULL;
    return item;
}

/* The same, and a new one in the place of NULL. */
static int find_item(responses_t *responses, item_t **found) {
    const raaf_responses_said_t *said = &responses->said;
    const raaf_slice_t id = said_id(responses);

    *found = known_item(responses, id);
    if (*found != NULL) return RAAF_OK;
    return add_item(responses, said->has_index ? said->index : free_index(responses), id, found);
}

static part_t *find_part(const responses_t *responses, const item_t *item,
                         raaf_responses_kind_t kind, int64_t place) {
    for (size_t i = part_count(responses); i > 0; i--) {
        part_t *part = part_at(responses, i - 1);

        if (part->item == position_of(responses, item) && part->place == place &&
            part->kind == kind) {
            return part;
        }
    }
    return NULL;
}

/* ---- handing over: text ---- */

static raaf_chunk_type_t type_of(raaf_responses_kind_t kind) {
    switch (kind) {
    case RAAF_RESPONSES_CONTENT:
        return RAAF_CHUNK_CONTENT;
    case RAAF_RESPONSES_REFUSAL:
        return RAAF_CHUNK_REFUSAL;
    default:
        return RAAF_CHUNK_REASONING;
    }
}

static int begin_part(responses_t *responses, item_t *item, raaf_responses_kind_t kind,
                      int64_t place, part_t **begun) {
    const part_t part = {.item = position_of(responses, item), .place = place, .kind = kind};
    const bool between = (KIND(kind) & REASONING_KINDS) && (responses->told & REASONING_KINDS);
    raaf_utf8_carry_t none = {0};
    int rc;

    rc = raaf_buffer_push(&responses->parts, &part, sizeof part);
    if (rc != RAAF_OK) return rc;
    *begun = part_at(responses, part_count(responses) - 1);
    item->told |= KIND(kind);
    responses->told |= KIND(kind);
    if (!between) return RAAF_OK;
    return raaf_delta_sink_text(&responses->sink, type_of(kind), 0, &none, PARAGRAPH,
                                sizeof PARAGRAPH - 1);
}

/* The next piece of a text. */
static int put_text(responses_t *responses, item_t *item, raaf_responses_kind_t kind, int64_t place,
                    raaf_slice_t text) {
    part_t *part = find_part(responses, item, kind, place);
    int rc;

    if (text.len == 0) return RAAF_OK;
    if (part == NULL && (rc = begin_part(responses, item, kind, place, &part)) != RAAF_OK)
        return rc;
    return raaf_delta_sink_text(&responses->sink, type_of(kind), 0, &part->open, text.bytes,
                                text.len);
}

/* The text is over; [text] is all of it, and is handed over if nothing of it was. */
static int end_text(responses_t *responses, item_t *item, raaf_responses_kind_t kind, int64_t place,
                    raaf_slice_t text) {
    part_t *part = find_part(responses, item, kind, place);
    int rc = RAAF_OK;

    if (part == NULL) {
        rc = put_text(responses, item, kind, place, text);
        part = find_part(responses, item, kind, place);
    }
    if (rc != RAAF_OK || part == NULL) return rc;
    return raaf_delta_sink_end_text(&responses->sink, type_of(kind), 0, &part->open);
}

/* Of [item], or of all where that is NULL. */
static int close_texts(responses_t *responses, const item_t *item) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < part_count(responses) && rc == RAAF_OK; i++) {
        part_t *part = part_at(responses, i);

        if (item != NULL && part->item != position_of(responses, item)) continue;
        rc = raaf_delta_sink_end_text(&responses->sink, type_of(part->kind), 0, &part->open);
    }
    return rc;
}

static int put_citation(responses_t *responses, item_t *item, raaf_range_t json) {
    item->told |= KIND(RAAF_RESPONSES_CITATION);
    responses->told |= KIND(RAAF_RESPONSES_CITATION);
    return raaf_delta_sink_json(&responses->sink, RAAF_CHUNK_CITATION, 0, note(responses, json));
}

static unsigned kinds_of(raaf_slice_t item_type) {
    if (is(item_type, "message")) return MESSAGE_KINDS | KIND(RAAF_RESPONSES_CITATION);
    return is(item_type, "reasoning") ? REASONING_KINDS : 0;
}

/*
 * The texts and citations of a whole item, in their order. [told] are the kinds that are not to be
 * handed over again.
 */
static int put_pieces(responses_t *responses, item_t *item, const raaf_responses_item_t *said_item,
                      unsigned told) {
    const unsigned kinds = kinds_of(note(responses, said_item->type));
    int rc = RAAF_OK;

    for (size_t i = 0; i < said_item->piece_count && rc == RAAF_OK; i++) {
        const raaf_responses_piece_t *piece =
            raaf_responses_said_piece(&responses->said, said_item->first_piece + i);

        if (!(KIND(piece->kind) & kinds & ~told) || piece->text.len == 0) continue;
        if (piece->kind == RAAF_RESPONSES_CITATION) {
            rc = put_citation(responses, item, piece->text);
        } else {
            rc = end_text(responses, item, piece->kind, (int64_t)i, note(responses, piece->text));
        }
    }
    return rc;
}

/* ---- handing over: tool calls ---- */

/* The call of [item], begun where there is none. */
static int find_call(responses_t *responses, item_t *item, raaf_tool_call_t **call) {
    int rc = RAAF_OK;

    if (!item->has_call) {
        rc = raaf_tool_calls_begin(&responses->calls, 0, item->index, call);
        if (rc != RAAF_OK) return rc;
        item->has_call = true;
        item->call = raaf_tool_calls_count(&responses->calls) - 1;
    }
    *call = raaf_tool_calls_at(&responses->calls, item->call);
    return rc;
}

/* An id and a name count once: they are repeated in several events. */
static int label_call(responses_t *responses, raaf_tool_call_t *call, raaf_range_t id,
                      raaf_range_t name) {
    const raaf_range_t none = {0};

    return raaf_tool_call_label(call, note(responses, id),
                                note(responses, call->name.len > 0 ? none : name));
}

/*
 * [whole] is all of the arguments: hands over what had not come, unless something else had. Of a
 * call that may have lost a piece they are what counts.
 */
static int complete_call(responses_t *responses, raaf_tool_call_t *call, raaf_range_t whole) {
    const raaf_slice_t all = note(responses, whole);
    const size_t known = call->arguments.len;

    if (call->whole || all.len == 0) return RAAF_OK;
    if (call->torn) return raaf_tool_call_mend(call, all);
    if (all.len <= known) return RAAF_OK;
    if (known > 0 && memcmp(call->arguments.bytes, all.bytes, known) != 0) return RAAF_OK;
    call->open = (raaf_utf8_carry_t){0};
    return raaf_tool_call_add(call, (raaf_slice_t){all.bytes + known, all.len - known},
                              &responses->sink);
}

/* A call as it stands in a whole item. */
static int put_call(responses_t *responses, raaf_tool_call_t *call,
                    const raaf_responses_item_t *said_item, bool whole) {
    int rc = label_call(responses, call, said_item->call_id, said_item->name);

    if (rc == RAAF_OK) rc = complete_call(responses, call, said_item->arguments);
    return rc == RAAF_OK && whole ? raaf_tool_call_close(call, &responses->sink) : rc;
}

/* ---- handing over: items ---- */

static bool is_whole(const responses_t *responses, const raaf_responses_item_t *said_item) {
    return !is(note(responses, said_item->status), "incomplete");
}

/* What the next turn must have besides the text and the calls, and the calls in their places. */
static int keep_item(responses_t *responses, const raaf_responses_item_t *said_item) {
    const raaf_slice_t type = note(responses, said_item->type);

    if (type.len == 0 || !is_whole(responses, said_item)) return RAAF_OK;
    if (is(type, "message") && said_item->phase.len == 0) return RAAF_OK;
    if (is(type, "function_call") && !responses->kept) return RAAF_OK;
    responses->kept = true;
    return raaf_delta_sink_json(&responses->sink, RAAF_CHUNK_PART, 0,
                                note(responses, said_item->json));
}

static int on_item_added(responses_t *responses) {
    const raaf_responses_item_t *said_item;
    raaf_tool_call_t *call;
    item_t *item;
    int rc;

    if (raaf_responses_said_item_count(&responses->said) == 0) return RAAF_OK;
    if ((rc = find_item(responses, &item)) != RAAF_OK) return rc;
    said_item = raaf_responses_said_item(&responses->said, 0);
    if (!is(note(responses, said_item->type), "function_call")) return RAAF_OK;
    if (item->has_call) return RAAF_OK;

    if ((rc = find_call(responses, item, &call)) != RAAF_OK) return rc;
    rc = label_call(responses, call, said_item->call_id, said_item->name);
    return rc == RAAF_OK ? raaf_tool_call_add(call, (raaf_slice_t){"", 0}, &responses->sink) : rc;
}

static int on_item_done(responses_t *responses) {
    const raaf_responses_item_t *said_item;
    raaf_tool_call_t *call;
    item_t *item;
    int rc;

    if (raaf_responses_said_item_count(&responses->said) == 0) return RAAF_OK;
    if ((rc = find_item(responses, &item)) != RAAF_OK) return rc;
    if (item->done) return RAAF_OK;
    item->done = true;
    responses->item_done = true;

    said_item = raaf_responses_said_item(&responses->said, 0);
    if ((rc = close_texts(responses, item)) != RAAF_OK) return rc;
    if ((rc = put_pieces(responses, item, said_item, item->told)) != RAAF_OK) return rc;
    if (is(note(responses, said_item->type), "function_call")) {
        if ((rc = find_call(responses, item, &call)) != RAAF_OK) return rc;
        rc = put_call(responses, call, said_item, is_whole(responses, said_item));
    }
    return rc == RAAF_OK ? keep_item(responses, said_item) : rc;
}

/* ---- handing over: the end ---- */

/* The item with the call of that id, or NULL. */
static item_t *item_by_call_id(const responses_t *responses, raaf_slice_t id) {
    for (size_t i = item_count(responses); i > 0; i--) {
        item_t *item = item_at(responses, i - 1);
        const raaf_buffer_t *known;

        if (!item->has_call) continue;
        known = &raaf_tool_calls_at(&responses->calls, item->call)->id;
        if (known->len == id.len && memcmp(known->bytes, id.bytes, id.len) == 0) return item;
    }
    return NULL;
}

/* A call of the last event: known by its call_id, because its place in the output may differ. */
static int put_last_call(responses_t *responses, const raaf_responses_item_t *said_item,
                         bool completed) {
    const raaf_slice_t id = note(responses, said_item->call_id);
    const bool whole = completed ? is_whole(responses, said_item)
                                 : is(note(responses, said_item->status), "completed");
    item_t *item = id.len > 0 ? item_by_call_id(responses, id) : NULL;
    raaf_tool_call_t *call;
    int rc = RAAF_OK;

    if (id.len == 0 && raaf_tool_calls_count(&responses->calls) > 0) return RAAF_OK;
    if (item == NULL) rc = add_item(responses, free_index(responses), id, &item);
    if (rc == RAAF_OK) rc = find_call(responses, item, &call);
    if (rc != RAAF_OK) return rc;
    item->done = true;
    return put_call(responses, call, said_item, whole);
}

/* What stands in the last event's output and had not come before. */
static int put_output(responses_t *responses, bool completed) {
    const unsigned told = responses->told;
    int rc = RAAF_OK;

    for (size_t i = 0; i < raaf_responses_said_item_count(&responses->said) && rc == RAAF_OK; i++) {
        const raaf_responses_item_t *said_item = raaf_responses_said_item(&responses->said, i);
        item_t *item;

        if (is(note(responses, said_item->type), "function_call")) {
            rc = put_last_call(responses, said_item, completed);
        } else {
            rc = add_item(responses, free_index(responses), (raaf_slice_t){"", 0}, &item);
            if (rc == RAAF_OK) rc = put_pieces(responses, item, said_item, told);
        }
        if (rc == RAAF_OK && !responses->item_done) rc = keep_item(responses, said_item);
    }
    return rc;
}

/* Calls whose whole item never came, of a response that says it is whole. */
static int close_calls(responses_t *responses) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < item_count(responses) && rc == RAAF_OK; i++) {
        const item_t *item = item_at(responses, i);

        if (item->has_call && !item->done) {
            rc = raaf_tool_call_close(raaf_tool_calls_at(&responses->calls, item->call),
                                      &responses->sink);
        }
    }
    return rc;
}

static int put_usage(responses_t *responses) {
    const raaf_responses_said_t *said = &responses->said;
    const raaf_delta_t delta = {
        .type = RAAF_CHUNK_USAGE, .text = note(responses, said->usage_json), .usage = said->usage};

    return said->has_usage ? raaf_delta_sink_put(&responses->sink, &delta) : RAAF_OK;
}

static int put_finish(responses_t *responses, bool completed) {
    const raaf_slice_t reason = note(responses, responses->said.reason);
    const raaf_slice_t word = {completed ? "completed" : "incomplete", completed ? 9 : 10};
    const raaf_delta_t delta = {.type = RAAF_CHUNK_FINISH,
                                .text = !completed && reason.len > 0 ? reason : word};

    return raaf_delta_sink_put(&responses->sink, &delta);
}

static int on_end(responses_t *responses, bool completed) {
    int rc = close_texts(responses, NULL);

    if (rc == RAAF_OK) rc = put_output(responses, completed);
    if (rc == RAAF_OK && completed) rc = close_calls(responses);
    if (rc == RAAF_OK) rc = put_finish(responses, completed);
    if (rc == RAAF_OK) rc = put_usage(responses);
    if (rc == RAAF_OK) responses->done = true;
    return rc;
}

static int put_fault(responses_t *responses, const raaf_said_fault_t *fault) {
    const int rc = raaf_said_put_fault(&responses->said.notes, fault, &responses->sink);

    if (rc != RAAF_PROVIDER_ERROR) return rc;
    responses->failed = true;
    responses->done = true;
    return rc;
}

static int on_failed(responses_t *responses) {
    raaf_responses_said_t *said = &responses->said;
    int rc = close_texts(responses, NULL);

    /* "failed" or "cancelled", where nothing else is said. */
    if (!said->fault.given) said->fault.type = said->status;
    if (rc == RAAF_OK) rc = put_usage(responses);
    return rc == RAAF_OK ? put_fault(responses, &said->fault) : rc;
}

/* An event that is an error, with its fields at the top or under `error`. */
static int on_error(responses_t *responses, const raaf_sse_event_t *event) {
    raaf_responses_said_t *said = &responses->said;
    raaf_said_fault_t *fault = said->fault.given ? &said->fault : &said->root;
    int rc = close_texts(responses, NULL);

    if (rc == RAAF_OK && fault->json.len == 0) {
        rc = raaf_notes_set(&said->notes, &fault->json, event->data, event->data_len);
    }
    return rc == RAAF_OK ? put_fault(responses, fault) : rc;
}

/* An event named "error" that is not an object: what it says is the message. */
static int on_raw_error(responses_t *responses, const raaf_sse_event_t *event) {
    raaf_said_fault_t fault = {0};
    int rc = close_texts(responses, NULL);

    raaf_responses_said_forget(&responses->said);
    if (rc == RAAF_OK) {
        rc = raaf_said_raw_fault(&responses->said.notes, &fault, event->data, event->data_len);
    }
    return rc == RAAF_OK ? put_fault(responses, &fault) : rc;
}

/* ---- the events ---- */

static int on_text(responses_t *responses, bool whole) {
    const raaf_responses_said_t *said = &responses->said;
    item_t *item;
    const int rc = find_item(responses, &item);

    if (rc != RAAF_OK) return rc;
    return whole ? end_text(responses, item, said->kind, said->place, note(responses, said->whole))
                 : put_text(responses, item, said->kind, said->place, note(responses, said->delta));
}

static int on_call(responses_t *responses, bool whole) {
    const raaf_responses_said_t *said = &responses->said;
    raaf_tool_call_t *call;
    item_t *item;
    int rc;

    if ((rc = find_item(responses, &item)) != RAAF_OK) return rc;
    if ((rc = find_call(responses, item, &call)) != RAAF_OK) return rc;
    if (call->whole) return RAAF_OK;
    if (!whole) return raaf_tool_call_add(call, note(responses, said->delta), &responses->sink);
    rc = label_call(responses, call, (raaf_range_t){0}, said->name);
    return rc == RAAF_OK ? complete_call(responses, call, said->whole) : rc;
}

/* The pieces of an event that is about one part, and not about a whole item. */
static int on_part(responses_t *responses) {
    const raaf_responses_said_t *said = &responses->said;
    const raaf_responses_piece_t *piece;
    item_t *item;
    int rc;

    if (raaf_responses_said_piece_count(said) == 0) return RAAF_OK;
    if ((rc = find_item(responses, &item)) != RAAF_OK) return rc;
    piece = raaf_responses_said_piece(said, 0);
    if (piece->kind == RAAF_RESPONSES_CITATION) return put_citation(responses, item, piece->text);
    return end_text(responses, item, piece->kind, said->place, note(responses, piece->text));
}

/* What the response says of itself counts more than the name of its last event. */
static int on_last(responses_t *responses) {
    const raaf_responses_said_t *said = &responses->said;
    const raaf_slice_t status = note(responses, said->status);
    raaf_responses_event_t event = said->event;

    if (is(status, "incomplete")) event = RAAF_RESPONSES_INCOMPLETE;
    if (is(status, "failed") || is(status, "cancelled")) event = RAAF_RESPONSES_FAILED;
    if (said->fault.given && status.len == 0) event = RAAF_RESPONSES_FAILED;
    if (event == RAAF_RESPONSES_FAILED) return on_failed(responses);
    return on_end(responses, event == RAAF_RESPONSES_COMPLETED);
}

static int hand_over_said(responses_t *responses, const raaf_sse_event_t *event) {
    switch (responses->said.event) {
    case RAAF_RESPONSES_TEXT_DELTA:
        return on_text(responses, false);
    case RAAF_RESPONSES_TEXT_DONE:
        return on_text(responses, true);
    case RAAF_RESPONSES_PART_DONE:
    case RAAF_RESPONSES_ANNOTATION:
        return on_part(responses);
    case RAAF_RESPONSES_CALL_DELTA:
        return on_call(responses, false);
    case RAAF_RESPONSES_CALL_DONE:
        return on_call(responses, true);
    case RAAF_RESPONSES_ITEM_ADDED:
        return on_item_added(responses);
    case RAAF_RESPONSES_ITEM_DONE:
        return on_item_done(responses);
    case RAAF_RESPONSES_COMPLETED:
    case RAAF_RESPONSES_INCOMPLETE:
    case RAAF_RESPONSES_FAILED:
        return on_last(responses);
    case RAAF_RESPONSES_ERROR:
        return on_error(responses, event);
    default:
        return RAAF_UNKNOWN_EVENT;
    }
}

/* ---- the dialect ---- */

static void responses_init(void *state, raaf_delta_fn emit, void *context) {
    responses_t *responses = state;

    memset(responses, 0, sizeof *responses);
    raaf_delta_sink_init(&responses->sink, emit, context);
    raaf_responses_said_init(&responses->said);
    raaf_buffer_init(&responses->items, RAAF_RESPONSES_MAX_ITEMS * sizeof(item_t));
    raaf_buffer_init(&responses->parts, RAAF_RESPONSES_MAX_PARTS * sizeof(part_t));
    raaf_tool_calls_init(&responses->calls);
}

static int responses_event(void *state, const raaf_sse_event_t *event) {
    responses_t *responses = state;
    const raaf_slice_t name = {event->type, event->type_len};
    const bool is_error = raaf_dialect_is_named(event, "error");
    int rc;

    if (responses->done || (!is_error && raaf_dialect_is_mark(event))) return RAAF_OK;

    rc = raaf_responses_said_read(&responses->said, name, event->data, event->data_len);
    if (is_error && raaf_dialect_malformed(rc)) return on_raw_error(responses, event);
    if (raaf_dialect_malformed(rc)) raaf_tool_calls_tear(&responses->calls);
    return rc == RAAF_OK ? hand_over_said(responses, event) : rc;
}

static raaf_progress_t responses_progress(const void *state) {
    const responses_t *responses = state;

    return responses->done ? RAAF_PROGRESS_DONE : RAAF_PROGRESS_OPEN;
}

/* A call that was cut off is not a call: somebody might run it. */
static int responses_finish(void *state) {
    responses_t *responses = state;

    return responses->failed ? RAAF_OK : close_texts(responses, NULL);
}

static void responses_free(void *state) {
    responses_t *responses = state;

    for (size_t i = 0; i < item_count(responses); i++) {
        raaf_buffer_free(&item_at(responses, i)->id);
    }
    raaf_buffer_free(&responses->items);
    raaf_buffer_free(&responses->parts);
    raaf_tool_calls_free(&responses->calls);
    raaf_delta_sink_free(&responses->sink);
    raaf_responses_said_free(&responses->said);
}

const raaf_dialect_t raaf_dialect_openai_responses = {
    .name = "openai_responses",
    .framing = RAAF_FRAMING_SSE,
    .state_size = sizeof(responses_t),
    .init = responses_init,
    .event = responses_event,
    .finish = responses_finish,
    .progress = responses_progress,
    .free = responses_free,
};
