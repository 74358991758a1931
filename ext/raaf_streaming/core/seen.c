#include "seen.h"

#include "result_code.h"

#include <string.h>

/* Places in the table at first, a power of two; it is at most half full. */
#define FIRST_PLACES 64

void raaf_seen_init(raaf_seen_t *seen) {
    raaf_buffer_init(&seen->table, SIZE_MAX);
    seen->count = 0;
}

uint64_t raaf_hash(uint64_t hash, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

static size_t places_of(const raaf_buffer_t *table) {
    return table->len / sizeof(uint64_t);
}

static uint64_t *place_at(const raaf_buffer_t *table, size_t i) {
    return (uint64_t *)(void *)table->bytes + i;
}

/* Where [hash] stands, or would. */
static uint64_t *find_place(const raaf_buffer_t *table, uint64_t hash) {
    const size_t last = places_of(table) - 1;
    size_t at = (size_t)(hash ^ hash >> 32) & last;

    while (*place_at(table, at) != 0 && *place_at(table, at) != hash)
        at = (at + 1) & last;
    return place_at(table, at);
}

/* Room for one more. */
static int make_room(raaf_seen_t *seen) {
    const size_t places = places_of(&seen->table);
    const size_t size = (places > 0 ? places * 2 : FIRST_PLACES) * sizeof(uint64_t);
    raaf_buffer_t larger;
    int rc;

    if (seen->count < places / 2) return RAAF_OK;
    raaf_buffer_init(&larger, SIZE_MAX);
    if ((rc = raaf_buffer_reserve(&larger, size)) != RAAF_OK) return rc;
    memset(larger.bytes, 0, size);
    larger.len = size;
    for (size_t i = 0; i < places; i++) {
        const uint64_t hash = *place_at(&seen->table, i);

        if (hash != 0) *find_place(&larger, hash) = hash;
    }
    raaf_buffer_free(&seen->table);
    seen->table = larger;
    return RAAF_OK;
}

int raaf_seen_note(raaf_seen_t *seen, uint32_t choice, raaf_slice_t text, bool *is_new) {
    const uint64_t start = raaf_hash(RAAF_HASH_START, (const char *)&choice, sizeof choice);
    uint64_t hash = raaf_hash(start, text.bytes, text.len);
    uint64_t *place;
    int rc;

    if (hash == 0) hash = 1;
    *is_new = false;
    if ((rc = make_room(seen)) != RAAF_OK) return rc;
    place = find_place(&seen->table, hash);
    if (*place != 0) return RAAF_OK;
    *is_new = true;
    if (seen->count == RAAF_SEEN_MAX) return RAAF_OK;
    *place = hash;
    seen->count++;
    return RAAF_OK;
}

void raaf_seen_free(raaf_seen_t *seen) {
    raaf_buffer_free(&seen->table);
    seen->count = 0;
}
