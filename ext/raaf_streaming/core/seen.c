#include "seen.h"

#include "result_code.h"

void raaf_seen_init(raaf_seen_t *seen) {
    raaf_buffer_init(&seen->hashes, RAAF_SEEN_MAX * sizeof(uint64_t));
}

uint64_t raaf_hash(uint64_t hash, const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

int raaf_seen_note(raaf_seen_t *seen, uint32_t choice, raaf_slice_t text, bool *is_new) {
    const uint64_t start = raaf_hash(RAAF_HASH_START, (const char *)&choice, sizeof choice);
    const uint64_t hash = raaf_hash(start, text.bytes, text.len);
    const uint64_t *hashes = (const uint64_t *)(const void *)seen->hashes.bytes;
    const size_t count = seen->hashes.len / sizeof hash;

    *is_new = false;
    for (size_t i = 0; i < count; i++) {
        if (hashes[i] == hash) return RAAF_OK;
    }
    *is_new = true;
    if (count == RAAF_SEEN_MAX) return RAAF_OK;
    return raaf_buffer_append(&seen->hashes, (const char *)&hash, sizeof hash);
}

void raaf_seen_free(raaf_seen_t *seen) {
    raaf_buffer_free(&seen->hashes);
}
