/*
 * Which texts an answer has had already: some providers repeat the same sources in every event.
 *
 * A text is known again by a hash of 64 bits. Not shared.
 */
#ifndef RAAF_SEEN_H
#define RAAF_SEEN_H

#include "buffer.h"
#include "delta.h"

#include <stdbool.h>
#include <stdint.h>

/* So many texts are remembered; any further one counts as new however often it comes. */
#define RAAF_SEEN_MAX 4096

typedef struct raaf_seen {
    raaf_buffer_t table; /* of uint64_t, by hash; 0: nothing stands there */
    size_t count;        /* of those that stand in it */
} raaf_seen_t;

/* Allocates nothing. */
void raaf_seen_init(raaf_seen_t *seen);

/*
 * Remembers [text], which belongs to [choice]; [is_new] gets whether it was not remembered before.
 * Return values: RAAF_OK, RAAF_NO_MEMORY.
 */
int raaf_seen_note(raaf_seen_t *seen, uint32_t choice, raaf_slice_t text, bool *is_new);

/* The hash by which it is known (FNV-1a), going on from [hash]; RAAF_HASH_START begins one. */
#define RAAF_HASH_START 0xcbf29ce484222325u
uint64_t raaf_hash(uint64_t hash, const char *bytes, size_t len);

void raaf_seen_free(raaf_seen_t *seen);

#endif
