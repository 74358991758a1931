#include "buffer.h"

#include "result_code.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

void raaf_buffer_init(raaf_buffer_t *buffer, size_t limit) {
    *buffer = (raaf_buffer_t){.limit = limit};
}

/* Doubling keeps appending linear; the limit is the last capacity there can be. */
static size_t next_capacity(const raaf_buffer_t *buffer, size_t need) {
    size_t capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;

    if (capacity < FIRST_CAPACITY) capacity = FIRST_CAPACITY;
    if (capacity < need) capacity = need;
    return capacity > buffer->limit ? buffer->limit : capacity;
}

int raaf_buffer_reserve(raaf_buffer_t *buffer, size_t more) {
    size_t capacity;
    char *bytes;

    if (more <= buffer->capacity - buffer->len) return RAAF_OK;
    if (more > buffer->limit - buffer->len) return RAAF_BODY_TOO_LARGE;

    capacity = next_capacity(buffer, buffer->len + more);
    bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL) return RAAF_NO_MEMORY;

    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return RAAF_OK;
}

int raaf_buffer_append(raaf_buffer_t *buffer, const char *bytes, size_t len) {
    int rc;

    if (len == 0) return RAAF_OK;
    if ((rc = raaf_buffer_reserve(buffer, len)) != RAAF_OK) return rc;

    memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
    return RAAF_OK;
}

int raaf_buffer_push(raaf_buffer_t *buffer, const void *element, size_t size) {
    return raaf_capped(raaf_buffer_append(buffer, element, size));
}

void raaf_buffer_clear(raaf_buffer_t *buffer, size_t keep) {
    buffer->len = 0;
    if (buffer->capacity > keep) raaf_buffer_free(buffer);
}

void raaf_buffer_shift(raaf_buffer_t *buffer, size_t len, size_t keep) {
    char *less;

    buffer->len -= len;
    memmove(buffer->bytes, buffer->bytes + len, buffer->len);
    if (buffer->capacity <= keep || buffer->len > keep) return;
    less = realloc(buffer->bytes, keep);
    if (less == NULL) return; /* then it keeps what it has */
    buffer->bytes = less;
    buffer->capacity = keep;
}

void raaf_buffer_free(raaf_buffer_t *buffer) {
    free(buffer->bytes);
    raaf_buffer_init(buffer, buffer->limit);
}
