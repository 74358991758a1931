/*
 * A dialect: how one family of providers writes its streams.
 *
 * A dialect is a table of functions and a size; its state is one per response and lives where its
 * owner puts it. It takes events, hands over deltas, and knows how far the answer has come.
 * Not shared: one thread at a time.
 */
#ifndef RAAF_DIALECT_H
#define RAAF_DIALECT_H

#include "delta.h"
#include "sse_parser.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum raaf_framing { RAAF_FRAMING_SSE, RAAF_FRAMING_NDJSON } raaf_framing_t;

typedef enum raaf_progress {
    RAAF_PROGRESS_OPEN,     /* more must come: an end of the input now is a truncation */
    RAAF_PROGRESS_FINISHED, /* a finish reason came; usage or a terminal mark may follow */
    RAAF_PROGRESS_SETTLED,  /* finish reason and usage came; only a terminal mark may follow */
    RAAF_PROGRESS_DONE      /* the provider's terminal mark (or its error) came: nothing follows */
} raaf_progress_t;

typedef struct raaf_dialect {
    const char *name; /* "openai_chat" */
    raaf_framing_t framing;
    size_t state_size; /* bytes, for the owner to allocate zeroed and aligned for any type */
    void (*init)(void *state, raaf_delta_fn emit, void *context);
    /*
     * One event. An event that is malformed hands over nothing.
     * Return values: RAAF_OK; RAAF_UNKNOWN_EVENT (nothing that this dialect knows: no failure, and
     * nothing was handed over); RAAF_INVALID_JSON, RAAF_INVALID_EVENT, RAAF_TOO_DEEP (the event is
     * malformed; the stream can go on with the next); RAAF_PROVIDER_ERROR (the provider reported
     * an error; an ERROR delta was handed over; progress is DONE); RAAF_WHOLE_MESSAGE (the answer is not
     * in deltas; nothing was handed over); RAAF_NO_MEMORY, or what emit returned.
     */
    int (*event)(void *state, const raaf_sse_event_t *event);
    /*
     * The answer is over (terminal mark, end of input, or the grace after a finish reason has
     * passed): hands over what was kept back: an open character, and, unless progress is OPEN (the
     * answer was cut off), whole tool calls that no finish reason closed. Called at most once.
     * Return values as event.
     */
    int (*finish)(void *state);
    raaf_progress_t (*progress)(const void *state);
    void (*free)(void *state);
} raaf_dialect_t;

/* The dialect of that name, or NULL. */
const raaf_dialect_t *raaf_dialect_find(const char *name);

/* The name of dialect [i], 0, 1 …; NULL behind the last one. */
const char *raaf_dialect_name_at(size_t i);

/* Whether an event() that returned [rc] was malformed, so that the stream can go on. Any thread. */
bool raaf_dialect_malformed(int rc);

/* What dialects ask of an event. Any thread. */

bool raaf_dialect_is_named(const raaf_sse_event_t *event, const char *name);

/* The data without white space around it. Borrowed from [event]. */
raaf_slice_t raaf_dialect_trimmed(const raaf_sse_event_t *event);

/* Whether the data is no JSON and all right: nothing but white space, or [DONE]. */
bool raaf_dialect_is_mark(const raaf_sse_event_t *event);

#endif
