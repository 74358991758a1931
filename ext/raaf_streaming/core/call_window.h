/*
 * How the last calls went: so many of them, or those of so much time, in memory that is fixed.
 *
 * A window holds the calls of one generation (circuit_breaker.h). The first call of a newer one
 * empties it; a call of an older one is not taken. Any thread; the mutex covers the arithmetic of
 * one call.
 */
#ifndef RAAF_CALL_WINDOW_H
#define RAAF_CALL_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_CALL_WINDOW_MOST_CALLS 100000 /* of a window by number: a byte each */

/*
 * Parts of a window by time. The oldest part goes as a whole, so that a call counts for the whole
 * duration or for up to one part less.
 */
#define RAAF_CALL_WINDOW_PARTS 20

/* Of a generation: they begin anew after 16 million. */
#define RAAF_GENERATION_BITS 24
#define RAAF_GENERATION_MASK (((uint32_t)1 << RAAF_GENERATION_BITS) - 1)

typedef struct raaf_call_counts {
    uint32_t calls;
    uint32_t failures;
    uint32_t slow;
} raaf_call_counts_t;

typedef struct raaf_call_window {
    pthread_mutex_t mutex; /* covers what follows but size and width */
    uint32_t generation;
    raaf_call_counts_t total;
    size_t size;       /* by number: calls; 0: by time */
    size_t next;       /* by number: where the next call goes */
    uint64_t width;    /* by time: nanoseconds of a part */
    uint64_t newest;   /* by time: number of the part that is open */
    uint8_t *outcomes; /* by number: OUTCOME_… bits of each */
    raaf_call_counts_t parts[RAAF_CALL_WINDOW_PARTS];
} raaf_call_window_t;

/*
 * Of the last [calls] (1 to RAAF_CALL_WINDOW_MOST_CALLS), or, with [calls] 0, of the last
 * [duration] nanoseconds. NULL: out of memory.
 */
raaf_call_window_t *raaf_call_window_new(size_t calls, uint64_t duration);

/* [window] may be NULL. */
void raaf_call_window_free(raaf_call_window_t *window);

/*
 * Adds a call that ended at [now], in nanoseconds; [counts] gets what the window holds then.
 * Returns false, and does nothing, for a generation that is over.
 */
bool raaf_call_window_add(raaf_call_window_t *window, uint32_t generation, uint64_t now,
                          bool failed, bool slow, raaf_call_counts_t *counts);

/* What the window holds of [generation] at [now]. */
raaf_call_counts_t raaf_call_window_counts(raaf_call_window_t *window, uint32_t generation,
                                           uint64_t now);

/* Bytes that it takes. */
size_t raaf_call_window_bytes(const raaf_call_window_t *window);

#endif
