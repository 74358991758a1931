#include "chunk.h"

#include <stdlib.h>
#include <string.h>

static raaf_slice_t copy_slice(char **to, raaf_slice_t from) {
    const raaf_slice_t copy = {*to, from.len};

    if (from.len > 0) memcpy(*to, from.bytes, from.len);
    *to += from.len;
    return copy;
}

static size_t payload_size(raaf_slice_t id, raaf_slice_t name, raaf_slice_t text) {
    size_t size = sizeof(raaf_chunk_payload_t);
    const size_t lens[] = {id.len, name.len, text.len};

    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        if (lens[i] > SIZE_MAX - size) return SIZE_MAX;
        size += lens[i];
    }
    return size;
}

raaf_chunk_payload_t *raaf_chunk_payload_new(const raaf_delta_t *delta) {
    const size_t size = payload_size(delta->tool_id, delta->tool_name, delta->text);
    raaf_chunk_payload_t *payload = size == SIZE_MAX ? NULL : malloc(size);
    char *to;

    if (payload == NULL) return NULL;
    to = (char *)(payload + 1);
    payload->tool_index = delta->tool_index;
    payload->usage = delta->usage;
    payload->retry = (raaf_retry_notice_t){0};
    payload->tool_id = copy_slice(&to, delta->tool_id);
    payload->tool_name = copy_slice(&to, delta->tool_name);
    payload->text = copy_slice(&to, delta->text);
    return payload;
}

raaf_chunk_payload_t *raaf_chunk_payload_copy(const raaf_chunk_payload_t *payload) {
    const raaf_delta_t delta = {
        .tool_index = payload->tool_index,
        .tool_id = payload->tool_id,
        .tool_name = payload->tool_name,
        .usage = payload->usage,
        .text = payload->text,
    };
    raaf_chunk_payload_t *copy = raaf_chunk_payload_new(&delta);

    if (copy != NULL) copy->retry = payload->retry;
    return copy;
}

size_t raaf_chunk_memory(const raaf_chunk_t *chunk) {
    const raaf_chunk_payload_t *payload = chunk->payload;

    if (payload == NULL) return 0;
    return payload_size(payload->tool_id, payload->tool_name, payload->text);
}

void raaf_chunk_free(raaf_chunk_t *chunk) {
    free(chunk->payload);
    memset(chunk, 0, sizeof *chunk);
}
