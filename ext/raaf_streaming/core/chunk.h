/*
 * A chunk: a delta on its way to its consumer, as it lies in a stream's queue.
 *
 * Plain pieces of text cost no allocation: [bytes] points into one of the stream's texts, which
 * outlive the chunk because its consumer holds the stream. Anything else has a payload, which the
 * chunk owns.
 */
#ifndef RAAF_CHUNK_H
#define RAAF_CHUNK_H

#include "delta.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>

/* Of a STATUS chunk: another attempt begins after a wait. Its reason is the payload's text. */
typedef struct raaf_retry_notice {
    size_t number; /* of the retry: 1, 2, … */
    size_t most;   /* retries that are made at most */
    uint64_t delay_ns;
    long http_status; /* of the attempt that failed; 0: none came */
} raaf_retry_notice_t;

typedef struct raaf_chunk_payload {
    int64_t tool_index;
    raaf_usage_t usage;
    raaf_retry_notice_t retry;
    raaf_slice_t tool_id; /* these three point behind the struct, into the same allocation */
    raaf_slice_t tool_name;
    raaf_slice_t text;
} raaf_chunk_payload_t;

typedef struct raaf_chunk {
    uint64_t seq;      /* 1, 2, 3 … within a run; gaps never */
    const char *bytes; /* the delta; borrowed from a text or from the payload */
    size_t len;
    raaf_text_t *text; /* the answer of this choice; borrowed from the stream; may be NULL */
    size_t text_len;   /* how much of it there was with this chunk: its cumulative */
    raaf_chunk_payload_t *payload; /* owned; NULL for a plain piece of text */
    uint32_t choice;
    uint8_t type; /* raaf_chunk_type_t */
} raaf_chunk_t;

/*
 * Copies what of [delta] a payload holds: text, tool_id, tool_name, tool_index, usage.
 * NULL: out of memory.
 */
raaf_chunk_payload_t *raaf_chunk_payload_new(const raaf_delta_t *delta);

/* NULL: out of memory. */
raaf_chunk_payload_t *raaf_chunk_payload_copy(const raaf_chunk_payload_t *payload);

/* Bytes of memory the chunk itself holds (its payload), for the queue's bound and for dsize. */
size_t raaf_chunk_memory(const raaf_chunk_t *chunk);

/* Frees the payload. The chunk is empty afterwards; freeing it again does nothing. */
void raaf_chunk_free(raaf_chunk_t *chunk);

#endif
