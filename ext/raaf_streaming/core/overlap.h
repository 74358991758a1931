/*
 * Cuts off what an answer that goes on with an interrupted one repeats of it.
 *
 * A model that is asked to go on exactly where a text stops may begin with words that were there
 * already. The longest text that is both the end of what was said and the beginning of what comes
 * is cut off, if it can hardly be the answer's own repetition:
 *
 *   - it has at least RAAF_OVERLAP_MIN characters that are not blank, or
 *   - it is all that was said, and has RAAF_OVERLAP_MIN_WHOLE of them, or
 *   - it is nothing but letters and spaces, RAAF_OVERLAP_MIN_WORD letters or more, from the
 *     beginning of a word on: the last words, or the one that was cut in two, or
 *   - it is a name that was cut in two, with digits in it perhaps, and the name goes on, or
 *   - all that was said is blank: whoever had to leave out the blanks at the end of a text gives
 *     those alone as what was said.
 *
 * So "because air " loses nothing to a second "air scatters", and code keeps its second "end" on a
 * line of its own, a table its second "| yes", a laugh its second "ha".
 *
 * What comes is held back only as long as it may still be such a repetition: as a rule up to the
 * first piece that is not. Pieces are whole UTF-8 strings. Not shared: one thread at a time.
 */
#ifndef RAAF_OVERLAP_H
#define RAAF_OVERLAP_H

#include "buffer.h"
#include "delta.h"

#include <stdbool.h>
#include <stddef.h>

#define RAAF_OVERLAP_MIN 12
#define RAAF_OVERLAP_MIN_WHOLE 4
#define RAAF_OVERLAP_MIN_WORD 3
#define RAAF_OVERLAP_MAX                                                                           \
    ((size_t)16 << 10) /* bytes: no more of the end of what was said is looked at */

typedef struct raaf_overlap {
    const char *said; /* borrowed */
    size_t said_len;
    size_t at;          /* no place in it before this one holds what is held */
    bool whole;         /* [said] is all that was said */
    bool open;          /* it is not decided yet */
    raaf_buffer_t held; /* what came, while it is open */
} raaf_overlap_t;

/* Borrows [said], until it is decided or finished; with none everything passes. Allocates nothing. */
void raaf_overlap_init(raaf_overlap_t *overlap, const char *said, size_t len);

/*
 * Adds a piece. [out] is what can be handed over now: the piece itself, text that was held back
 * with it, or nothing. It is valid until the next call.
 * Return values: RAAF_OK, RAAF_NO_MEMORY.
 */
int raaf_overlap_add(raaf_overlap_t *overlap, raaf_slice_t piece, raaf_slice_t *out);

/* Nothing more comes, or something else than text: [out] as above. Nothing happens before the first
 * piece, and nothing once it is decided. */
void raaf_overlap_finish(raaf_overlap_t *overlap, raaf_slice_t *out);

void raaf_overlap_free(raaf_overlap_t *overlap);

#endif
