/*
 * The tool calls of one response, as their fragments come.
 *
 * A dialect says which call a fragment belongs to; what a call has said so far is kept here, and
 * handed over: a TOOL_CALL_DELTA for every fragment, one TOOL_CALL for each whole call. Not shared.
 */
#ifndef RAAF_TOOL_CALLS_H
#define RAAF_TOOL_CALLS_H

#include "buffer.h"
#include "delta_sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of a response. */
#define RAAF_TOOL_CALLS_MAX 1024
#define RAAF_TOOL_CALLS_MAX_LABEL ((size_t)64 << 10) /* bytes of one id or name */
#define RAAF_TOOL_CALLS_MAX_ARGUMENTS ((size_t)16 << 20)
#define RAAF_TOOL_CALLS_MAX_OPEN ((size_t)64 << 20) /* bytes of arguments of all that are open */

struct raaf_tool_calls;

typedef struct raaf_tool_call {
    struct raaf_tool_calls *calls; /* those that it is one of; borrowed */
    uint32_t choice;
    bool whole;    /* was handed over */
    bool torn;     /* something of it may be missing: it is never handed over */
    int64_t index; /* the provider's key of it; any number */
    raaf_utf8_carry_t open;
    raaf_buffer_t id;
    raaf_buffer_t name;
    raaf_buffer_t arguments;
} raaf_tool_call_t;

typedef struct raaf_tool_calls {
    raaf_buffer_t list; /* of raaf_tool_call_t, in the order in which they began */
    size_t open;        /* bytes of arguments that are kept */
} raaf_tool_calls_t;

/* Allocates nothing. [calls] must stay where they are: each call points back to them. */
void raaf_tool_calls_init(raaf_tool_calls_t *calls);

size_t raaf_tool_calls_count(const raaf_tool_calls_t *calls);

/* Borrowed: until the next call begins. */
raaf_tool_call_t *raaf_tool_calls_at(const raaf_tool_calls_t *calls, size_t i);

/* The newest call of [choice] with that index or id, or NULL. */
raaf_tool_call_t *raaf_tool_calls_by_index(const raaf_tool_calls_t *calls, uint32_t choice,
                                           int64_t index);
raaf_tool_call_t *raaf_tool_calls_by_id(const raaf_tool_calls_t *calls, uint32_t choice,
                                        raaf_slice_t id);

/* An index that no call of [choice] has: for providers that number nothing. */
int64_t raaf_tool_calls_free_index(const raaf_tool_calls_t *calls, uint32_t choice);

/*
 * Each of these returns RAAF_OK, RAAF_NO_MEMORY, RAAF_EVENT_TOO_LARGE (a cap), or what the receiver
 * of the deltas returned.
 */

/* Begins a call; [begun] gets it, borrowed as above. */
int raaf_tool_calls_begin(raaf_tool_calls_t *calls, uint32_t choice, int64_t index,
                          raaf_tool_call_t **begun);

/* An id stays the first one; a name may be repeated whole, or come in pieces. */
int raaf_tool_call_label(raaf_tool_call_t *call, raaf_slice_t id, raaf_slice_t name);

/* The next piece of the arguments' JSON, as it was read; may be empty. */
int raaf_tool_call_add(raaf_tool_call_t *call, raaf_slice_t arguments, raaf_delta_sink_t *sink);

/* The call is whole. Its arguments are forgotten. A second time, or torn: nothing happens. */
int raaf_tool_call_close(raaf_tool_call_t *call, raaf_delta_sink_t *sink);

/* The same for all calls of [choice], in their order. */
int raaf_tool_calls_close(raaf_tool_calls_t *calls, uint32_t choice, raaf_delta_sink_t *sink);

/*
 * A call that was cut off, or has lost a piece, is no call: somebody might run it.
 *
 *   tear          an event was malformed, and may have held a piece of any call that is not whole
 *   tear_cut_off  the answer of [choice] ended before it was whole: of its calls that were not
 *                 handed over those are torn whose arguments are not one JSON object. Returns
 *                 RAAF_OK or RAAF_NO_MEMORY
 */
void raaf_tool_calls_tear(raaf_tool_calls_t *calls);
int raaf_tool_calls_tear_cut_off(raaf_tool_calls_t *calls, uint32_t choice);

/* The whole of the arguments, as valid UTF-8: takes the place of pieces some of which are lost. */
int raaf_tool_call_mend(raaf_tool_call_t *call, raaf_slice_t arguments);

void raaf_tool_calls_free(raaf_tool_calls_t *calls);

#endif
