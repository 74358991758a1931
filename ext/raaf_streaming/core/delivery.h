/*
 * Delivery: deltas become numbered chunks in the stream's queue.
 *
 *     delta → overlap → coalescer → text → chunk → queue
 *
 * Text passes through the coalescer where one is asked for and is kept in the stream's texts, after
 * the beginning of an answer that goes on with another has lost what it repeats (overlap.h); usage
 * and finish reasons are kept in the stream's outcome and make no chunk; anything else flushes the
 * coalescer and becomes a chunk with a payload. What has made a chunk is not asked for again (see
 * `said`). All of it is told to the tally. Reactor thread only.
 */
#ifndef RAAF_DELIVERY_H
#define RAAF_DELIVERY_H

#include "coalescer.h"
#include "delta.h"
#include "overlap.h"
#include "retry.h"
#include "stream.h"
#include "tally.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct raaf_delivery {
    raaf_stream_t *stream;  /* borrowed from the transfer */
    raaf_overlap_t overlap; /* of choice 0's content */
    raaf_coalescer_t coalescer;
    raaf_tally_t tally;
    raaf_chunk_type_t pending_type; /* of the text in the coalescer */
    uint32_t pending_choice;
    bool called; /* a tool call of the answer was handed over */
    bool said;   /* something was handed over, or is held back; notices do not count */
    bool ended;
} raaf_delivery_t;

void raaf_delivery_init(raaf_delivery_t *delivery, raaf_stream_t *stream);

/* A raaf_delta_fn; [context] is the delivery. RAAF_OK, RAAF_NO_MEMORY, RAAF_TEXT_TOO_LARGE. */
int raaf_delivery_delta(void *context, const raaf_delta_t *delta);

/* Makes a chunk of all the text in the coalescer, if any. Return values as above. */
int raaf_delivery_flush(raaf_delivery_t *delivery);

/* Makes a chunk of the text in the coalescer that is due, if any. Return values as above. */
int raaf_delivery_due(raaf_delivery_t *delivery, uint64_t now);

/* When text in the coalescer has to be flushed; RAAF_NEVER: none waits. */
uint64_t raaf_delivery_deadline(const raaf_delivery_t *delivery);

/*
 * Announces another attempt by a STATUS chunk. Nothing may have been delivered before. RAAF_OK,
 * RAAF_NO_MEMORY.
 */
int raaf_delivery_retry(raaf_delivery_t *delivery, const raaf_retry_t *retry);

/*
 * The stream is over with [code]: flushes, and puts the terminal chunk into the queue. Only the
 * first call counts. The outcome is not touched afterwards.
 */
void raaf_delivery_end(raaf_delivery_t *delivery, int code);

void raaf_delivery_free(raaf_delivery_t *delivery);

#endif
