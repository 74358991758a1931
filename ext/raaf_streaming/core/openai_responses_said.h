/*
 * What one event of an OpenAI Responses stream says: its fields, read and kept aside.
 *
 * An event that turns out to be malformed must hand over nothing, so nothing is handed over while
 * it is read. What it said stays here until the next event; the memory is used again.
 *
 * Part of dialect_openai_responses, and included by nothing else.
 */
#ifndef RAAF_OPENAI_RESPONSES_SAID_H
#define RAAF_OPENAI_RESPONSES_SAID_H

#include "buffer.h"
#include "delta.h"
#include "json_reader.h"
#include "notes.h"
#include "said.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of a response; one event is held to them too. */
#define RAAF_RESPONSES_MAX_ITEMS RAAF_TOOL_CALLS_MAX
#define RAAF_RESPONSES_MAX_PARTS 4096        /* texts that came in pieces */
#define RAAF_RESPONSES_MAX_PIECES (64 << 10) /* texts and citations in one event */

typedef enum raaf_responses_kind {
    RAAF_RESPONSES_CONTENT,
    RAAF_RESPONSES_REFUSAL,
    RAAF_RESPONSES_SUMMARY,
    RAAF_RESPONSES_REASONING,
    RAAF_RESPONSES_CITATION
} raaf_responses_kind_t;

typedef enum raaf_responses_event {
    RAAF_RESPONSES_OTHER, /* says nothing that is handed over */
    RAAF_RESPONSES_TEXT_DELTA,
    RAAF_RESPONSES_TEXT_DONE,
    RAAF_RESPONSES_PART_DONE,
    RAAF_RESPONSES_ANNOTATION,
    RAAF_RESPONSES_CALL_DELTA,
    RAAF_RESPONSES_CALL_DONE,
    RAAF_RESPONSES_ITEM_ADDED,
    RAAF_RESPONSES_ITEM_DONE,
    RAAF_RESPONSES_COMPLETED,
    RAAF_RESPONSES_INCOMPLETE,
    RAAF_RESPONSES_FAILED,
    RAAF_RESPONSES_ERROR
} raaf_responses_event_t;

/* A text or a citation that stands whole in an event. */
typedef struct raaf_responses_piece {
    raaf_responses_kind_t kind;
    raaf_range_t text; /* as read; a citation's JSON is valid UTF-8 */
} raaf_responses_piece_t;

/* An output item; all ranges are in the notes. */
typedef struct raaf_responses_item {
    raaf_range_t type;
    raaf_range_t id;
    raaf_range_t call_id;
    raaf_range_t name;
    raaf_range_t arguments; /* valid UTF-8 */
    raaf_range_t status;
    raaf_range_t phase;
    raaf_range_t json;
    size_t first_piece;
    size_t piece_count;
} raaf_responses_item_t;

typedef struct raaf_responses_said {
    raaf_json_reader_t reader;
    raaf_buffer_t items;  /* of raaf_responses_item_t */
    raaf_buffer_t pieces; /* of raaf_responses_piece_t; those of an item stand together */
    size_t part;          /* position of the newest piece that is no citation */
    raaf_notes_t notes;

    raaf_responses_event_t event;
    raaf_responses_kind_t kind; /* of a text's event */
    bool wrong_type;            /* what carries the answer is not what it must be */

    bool has_index;
    int64_t index; /* of the item in the output */
    int64_t place; /* of the text in its item */
    raaf_range_t item_id;
    raaf_range_t type;
    raaf_range_t delta; /* as read: a character may go on in the next event */
    raaf_range_t whole; /* a text, as read, or the arguments of a call, that is whole */
    raaf_range_t name;

    raaf_range_t status;
    raaf_range_t reason;
    bool has_usage;
    raaf_usage_t usage;
    raaf_range_t usage_json;
    raaf_said_fault_t fault; /* `error` */
    raaf_said_fault_t root;  /* the event itself, read as an error */
} raaf_responses_said_t;

/* Allocates nothing. */
void raaf_responses_said_init(raaf_responses_said_t *said);

/*
 * Forgets the event before and reads this one. What it said counts only if all of it was read.
 *
 * [name] is the event's name on the wire, which counts where the data names no type, or where it
 * is "error".
 *
 * Return values: RAAF_OK; RAAF_INVALID_JSON, RAAF_INVALID_EVENT, RAAF_TOO_DEEP (malformed);
 * RAAF_EVENT_TOO_LARGE (more items or texts than a response may have); RAAF_NO_MEMORY.
 */
int raaf_responses_said_read(raaf_responses_said_t *said, raaf_slice_t name, const char *bytes,
                             size_t len);

void raaf_responses_said_forget(raaf_responses_said_t *said);

size_t raaf_responses_said_item_count(const raaf_responses_said_t *said);
size_t raaf_responses_said_piece_count(const raaf_responses_said_t *said);

/* Borrowed from [said], valid until the next event. */
const raaf_responses_item_t *raaf_responses_said_item(const raaf_responses_said_t *said, size_t i);
const raaf_responses_piece_t *raaf_responses_said_piece(const raaf_responses_said_t *said,
                                                        size_t i);

void raaf_responses_said_free(raaf_responses_said_t *said);

#endif
