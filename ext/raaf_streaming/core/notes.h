/*
 * Notes: the strings that one event of a stream says, kept aside until all of it was read.
 *
 * An event that turns out to be malformed must hand over nothing, so a dialect hands nothing over
 * while it reads. What it reads stands here, behind one another, and is found by range: the bytes
 * move when there are more. The memory is used again for the next event. Not shared.
 */
#ifndef RAAF_NOTES_H
#define RAAF_NOTES_H

#include "buffer.h"
#include "delta.h"

#include <stddef.h>

/* A part of the notes; all zero: nothing was said. */
typedef struct raaf_range {
    size_t start;
    size_t len;
} raaf_range_t;

typedef struct raaf_notes {
    raaf_buffer_t bytes;
} raaf_notes_t;

/* Allocates nothing. */
void raaf_notes_init(raaf_notes_t *notes);

/* Another event begins. Ranges of the one before mean nothing from now on. */
void raaf_notes_forget(raaf_notes_t *notes);

/* Borrowed: valid until the next note is set. Never NULL. */
raaf_slice_t raaf_notes_get(const raaf_notes_t *notes, raaf_range_t range);

/*
 * Each keeps bytes in place of what [range] held. Return values: RAAF_OK, RAAF_NO_MEMORY.
 *   set     as valid UTF-8: what is whole here
 *   set_raw as they are: a piece whose last character may go on in the next event
 *   add_raw behind what [range] holds, which must be the newest note or empty
 *   set_start as set, but no more than [most] bytes, cut between two characters
 */
int raaf_notes_set(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len);
int raaf_notes_set_raw(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len);
int raaf_notes_add_raw(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len);
int raaf_notes_set_start(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len,
                         size_t most);

void raaf_notes_free(raaf_notes_t *notes);

#endif
