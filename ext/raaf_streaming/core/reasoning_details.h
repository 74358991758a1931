/*
 * The reasoning of one response in the form in which its provider wants it back.
 *
 * It comes in pieces, and the next turn must send it whole: a text with the signature that belongs
 * to it, or something encrypted. Each whole detail is handed over as a PART. Not shared.
 */
#ifndef RAAF_REASONING_DETAILS_H
#define RAAF_REASONING_DETAILS_H

#include "buffer.h"
#include "delta_sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of a response. */
#define RAAF_REASONING_DETAILS_MAX 4096
#define RAAF_REASONING_DETAILS_MAX_BYTES ((size_t)16 << 20)

typedef enum raaf_detail_kind {
    RAAF_DETAIL_WHOLE,   /* a detail that is not joined: as it came */
    RAAF_DETAIL_TEXT,    /* {"type":"reasoning.text","text":…,"signature":…} */
    RAAF_DETAIL_SUMMARY, /* {"type":"reasoning.summary","summary":…} */
    RAAF_DETAIL_THINKING /* {"type":"thinking","thinking":[{"type":"text","text":…}],"signature":…};
                            without a signature there is nothing to give back */
} raaf_detail_kind_t;

/* What one event says of a detail. All borrowed; valid UTF-8, but for [text]. */
typedef struct raaf_detail_piece {
    raaf_detail_kind_t kind;
    bool has_index;
    int64_t index;
    raaf_slice_t id; /* this and the next two: empty where nothing was said */
    raaf_slice_t format;
    raaf_slice_t signature;
    raaf_slice_t text; /* as it was read, a character may go on in the next piece; WHOLE: JSON */
} raaf_detail_piece_t;

typedef struct raaf_reasoning_details {
    raaf_buffer_t list; /* of details, in the order in which they began */
    raaf_buffer_t json; /* one on its way out */
    size_t bytes;       /* taken in so far */
} raaf_reasoning_details_t;

/* Allocates nothing. */
void raaf_reasoning_details_init(raaf_reasoning_details_t *details);

/*
 * Each returns RAAF_OK, RAAF_NO_MEMORY, RAAF_EVENT_TOO_LARGE (a cap), or what the receiver of the
 * deltas returned.
 */

/*
 * The next piece of [choice]. It goes on with that choice's newest detail where that has the same
 * kind, and no other index or id; else it begins one.
 */
int raaf_reasoning_details_add(raaf_reasoning_details_t *details, uint32_t choice,
                               const raaf_detail_piece_t *piece);

/* The details of [choice] are whole: hands them over and forgets them. */
int raaf_reasoning_details_close(raaf_reasoning_details_t *details, uint32_t choice,
                                 raaf_delta_sink_t *sink);

void raaf_reasoning_details_free(raaf_reasoning_details_t *details);

#endif
