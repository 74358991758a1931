/*
 * Gathers small pieces of text into larger ones, so that less is sent (the guide's
 * chunk_buffer_size and chunk_buffer_timeout), and cuts them where a reader would not notice.
 *
 * It holds text only; its owner hands it over: what raaf_coalescer_add says is ready, what is due
 * when the deadline is reached, and all of it before anything that is not text, and at the end.
 * Pieces are whole UTF-8 strings.
 *
 * Where it cuts:
 *
 *   enough text   Up to the last end that is certain, whatever comes next: of a grapheme cluster,
 *                 word or sentence (see cutter.h). So a letter at the end waits for the next
 *                 piece: "cafe" may go on with an accent, and a browser that gets the two apart may
 *                 show them apart. (What need not wait, see cutter.h.) Where no end comes for long (see below), a coarse
 *                 cut becomes a finer one.
 *   deadline      All of it, since a reader who waits sees a missing letter but no missing accent;
 *                 except for a cluster that is certainly unfinished (half a flag, an emoji that
 *                 another will be joined to), which waits once more for as long, and no longer.
 *   other type, end   All of it.
 *
 * Not shared: one thread at a time.
 */
#ifndef RAAF_COALESCER_H
#define RAAF_COALESCER_H

#include "buffer.h"
#include "cutter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Characters beyond the size after which an end is given up: a text without white space, or one
 * letter with thousands of accents, is not held for ever. Then the next finer cut is made.
 */
#define RAAF_COALESCER_LONGEST_CLUSTER 64
#define RAAF_COALESCER_LONGEST_WORD 128
#define RAAF_COALESCER_LONGEST_SENTENCE 1024

typedef struct raaf_coalescer {
    raaf_buffer_t pending;
    raaf_cutter_t cutter;
    size_t size;         /* characters; 0: off, every piece is ready at once */
    uint64_t timeout_ns; /* longest a piece waits; RAAF_NEVER: for ever */
    size_t chars;        /* characters (code points) pending */
    size_t piece;        /* where the last piece begins in [pending] */
    uint64_t deadline;   /* when the oldest pending piece has waited long enough; RAAF_NEVER */
    bool overdue;        /* what waits was held back at its deadline once */
} raaf_coalescer_t;

void raaf_coalescer_init(raaf_coalescer_t *coalescer, size_t size, uint64_t timeout_ns,
                         raaf_cut_t cut);

/*
 * Adds a piece of valid UTF-8. [ready] gets the bytes of [pending] that are to be handed over now;
 * 0: none. Return values: RAAF_OK, RAAF_NO_MEMORY (nothing changed).
 */
int raaf_coalescer_add(raaf_coalescer_t *coalescer, const char *bytes, size_t len, uint64_t now,
                       size_t *ready);

/* The bytes to hand over now, because there are enough or their deadline has come; 0: none. */
size_t raaf_coalescer_ready(raaf_coalescer_t *coalescer, uint64_t now);

/* Forgets the first [len] bytes, which are handed over; the text goes on. */
void raaf_coalescer_taken(raaf_coalescer_t *coalescer, size_t len, uint64_t now);

/* Forgets all pending text, which is handed over; what comes next is another text. */
void raaf_coalescer_flushed(raaf_coalescer_t *coalescer);

void raaf_coalescer_free(raaf_coalescer_t *coalescer);

#endif
