/*
 * The text of one answer, kept once however many chunks there are.
 *
 * One thread appends (the reactor); any number of threads read what was published to them. Bytes
 * lie in a list of blocks that never move and never change once written, so a reader needs no
 * lock: it must only have learnt a length from the writer through a lock (the stream's queue does
 * that), and may then read every byte below it. A piece that was appended in one call is
 * contiguous. Reference-counted; freed with the last reference.
 */
#ifndef RAAF_TEXT_H
#define RAAF_TEXT_H

#include <stddef.h>

typedef struct raaf_text raaf_text_t;

/* A new empty text with one reference, holding at most [limit] bytes. NULL: out of memory. */
raaf_text_t *raaf_text_new(size_t limit);

void raaf_text_retain(raaf_text_t *text);  /* any thread */
void raaf_text_release(raaf_text_t *text); /* any thread; NULL is allowed */

/*
 * Appends a copy of [len] bytes, contiguous; [stored] gets where they stand, for as long as a
 * reference is held. Writer only.
 * Return values: RAAF_OK, RAAF_TEXT_TOO_LARGE, RAAF_NO_MEMORY.
 */
int raaf_text_append(raaf_text_t *text, const char *bytes, size_t len, const char **stored);

/* Bytes appended so far. Writer only; readers are told a length. */
size_t raaf_text_len(const raaf_text_t *text);

/*
 * Copies the first [len] bytes to [to], which has room for them. Any thread that was told a length
 * of at least [len].
 */
void raaf_text_copy(const raaf_text_t *text, char *to, size_t len);

/* Bytes of memory held, for dsize. Any thread; an estimate while the writer is at work. */
size_t raaf_text_memory(const raaf_text_t *text);

#endif
