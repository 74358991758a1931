/*
 * Gathers small pieces of text into larger ones, so that less is sent (the guide's
 * chunk_buffer_size and chunk_buffer_timeout).
 *
 * It holds text only; its owner flushes it: when raaf_coalescer_add says so, when the deadline is
 * reached, before anything that is not text, and at the end. Pieces are whole UTF-8 strings, so a
 * flush never cuts a character. Not shared: one thread at a time.
 */
#ifndef RAAF_COALESCER_H
#define RAAF_COALESCER_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct raaf_coalescer {
    raaf_buffer_t pending;
    size_t size;         /* characters; 0: off, every piece is to be flushed at once */
    uint64_t timeout_ns; /* longest a piece waits; RAAF_NEVER: for ever */
    size_t chars;        /* characters pending */
    uint64_t deadline;   /* when the oldest pending piece has waited long enough; RAAF_NEVER */
} raaf_coalescer_t;

void raaf_coalescer_init(raaf_coalescer_t *coalescer, size_t size, uint64_t timeout_ns);

/*
 * Adds a piece of valid UTF-8. [flush] is set when there is enough to flush.
 * Return values: RAAF_OK, RAAF_NO_MEMORY.
 */
int raaf_coalescer_add(raaf_coalescer_t *coalescer, const char *bytes, size_t len, uint64_t now,
                       bool *flush);

/* Whether text is pending and its deadline has come. */
bool raaf_coalescer_due(const raaf_coalescer_t *coalescer, uint64_t now);

/* Forgets the pending text, once it was taken from [pending]. */
void raaf_coalescer_flushed(raaf_coalescer_t *coalescer);

void raaf_coalescer_free(raaf_coalescer_t *coalescer);

#endif
