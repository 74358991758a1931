/*
 * A byte buffer that grows up to a cap and never beyond it.
 *
 * Not shared: one thread at a time. The bytes are not NUL-terminated.
 */
#ifndef RAAF_BUFFER_H
#define RAAF_BUFFER_H

#include <stddef.h>

typedef struct raaf_buffer {
    char *bytes; /* owned; NULL until the first byte */
    size_t len;
    size_t capacity;
    size_t limit; /* most bytes it may ever hold */
} raaf_buffer_t;

/* Makes an empty buffer that holds at most [limit] bytes. Allocates nothing. */
void raaf_buffer_init(raaf_buffer_t *buffer, size_t limit);

/*
 * Makes room for [more] bytes behind the ones it holds, without changing its length.
 *
 * Return values:
 *   RAAF_OK             there is room
 *   RAAF_BODY_TOO_LARGE the limit would be passed; nothing changed
 *   RAAF_NO_MEMORY      nothing changed
 */
int raaf_buffer_reserve(raaf_buffer_t *buffer, size_t more);

/* Appends a copy of [len] bytes. Return values: as raaf_buffer_reserve. */
int raaf_buffer_append(raaf_buffer_t *buffer, const char *bytes, size_t len);

/*
 * Appends an element to a buffer that is a list, whose cap is its limit.
 *
 * Return values: RAAF_OK, RAAF_EVENT_TOO_LARGE (the limit), RAAF_NO_MEMORY.
 */
int raaf_buffer_push(raaf_buffer_t *buffer, const void *element, size_t size);

/* Forgets the bytes and keeps the memory, unless it is larger than [keep] bytes. */
void raaf_buffer_clear(raaf_buffer_t *buffer, size_t keep);

/*
 * Forgets the first [len] bytes; what is left moves to the front. Memory beyond [keep] bytes is given
 * back where what is left fits into less.
 */
void raaf_buffer_shift(raaf_buffer_t *buffer, size_t len, size_t keep);

/* Gives the memory back. The buffer is empty and can be used again. */
void raaf_buffer_free(raaf_buffer_t *buffer);

#endif
