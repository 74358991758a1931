/*
 * What one transfer hands over, gathered until it is counted: once a turn of the reactor's loop, so
 * that a chunk costs neither clock nor atomic.
 *
 * Chunks that are counted together have arrived together, when the last byte before was read: a gap
 * is the time between two arrivals. Reactor thread only, but for the series, which others count in
 * too.
 */
#ifndef RAAF_TALLY_H
#define RAAF_TALLY_H

#include "analytics.h"
#include "outcome.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_TALLY_SIZES 64 /* buckets: sizes below 128 bytes */

typedef struct raaf_tally {
    raaf_series_t *series; /* borrowed; NULL: nobody counts */
    uint64_t read_at;      /* when bytes came last */
    uint64_t arrived_at;   /* last; 0: nothing has */
    uint64_t gap_from;     /* 0: what comes next has no gap before it */
    uint64_t bytes;        /* from here on: since it was counted last */
    uint32_t pieces;
    uint32_t chunks[RAAF_CHUNK_TYPE_COUNT];
    uint32_t sizes[RAAF_TALLY_SIZES];
    bool reasoned; /* reasoning has been handed over, and its tokens are seen */
} raaf_tally_t;

void raaf_tally_init(raaf_tally_t *tally, raaf_series_t *series);

/* A piece of more bytes than the tally's sizes. */
void raaf_tally_large(raaf_tally_t *tally, size_t len);

/* A chunk with a piece of [len] bytes was handed over; 0: none. */
static inline void raaf_tally_chunk(raaf_tally_t *tally, raaf_chunk_type_t type, size_t len) {
    if (!tally->series) return;
    tally->chunks[type]++;
    tally->pieces++;
    if (!len) return;
    const size_t bucket = raaf_histogram_bucket(len);
    if (bucket < RAAF_TALLY_SIZES) {
        tally->sizes[bucket]++;
        tally->bytes += len;
    } else {
        raaf_tally_large(tally, len);
    }
}

/* Bytes have come, of which chunks may. */
static inline void raaf_tally_read(raaf_tally_t *tally, uint64_t now) {
    tally->read_at = now;
}

/* Counts what was handed over since the last time; it arrived with the last bytes. */
void raaf_tally_count(raaf_tally_t *tally);

/* The consumer held it up: the gap before what comes next is not the provider's. */
void raaf_tally_held_up(raaf_tally_t *tally);

/* The first token has come. */
void raaf_tally_first_token(raaf_tally_t *tally, const raaf_outcome_t *outcome);

/* Another attempt is announced. */
void raaf_tally_retry(raaf_tally_t *tally);

/* The call has ended, with that outcome; all was counted. */
void raaf_tally_ended(raaf_tally_t *tally, const raaf_outcome_t *outcome);

#endif
