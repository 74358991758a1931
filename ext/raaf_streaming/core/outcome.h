/*
 * How a stream ended, and what was learnt on the way. Where several attempts were made, what was
 * learnt is the last one's.
 *
 * Written by the reactor until the terminal chunk is in the stream's queue; read by whoever has
 * taken that chunk. The queue's mutex stands between the two.
 */
#ifndef RAAF_OUTCOME_H
#define RAAF_OUTCOME_H

#include "buffer.h"
#include "delta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_OUTCOME_MAX_BODY ((size_t)64 << 10)   /* bytes kept of an error body */
#define RAAF_OUTCOME_MAX_HEADERS ((size_t)8 << 10) /* bytes kept of the response's headers */
#define RAAF_OUTCOME_MAX_PARTS ((size_t)16 << 20)  /* bytes kept of what the next turn sends back */
#define RAAF_OUTCOME_MAX_ERROR ((size_t)64 << 10)  /* bytes kept of an error inside a stream */

typedef struct raaf_outcome {
    int code;               /* raaf_result_code_t; RAAF_OK: the answer is whole */
    char detail[256];       /* libcurl's own words, or "" */
    size_t attempts;        /* begun so far; 0: not even one */
    int os_error;           /* errno of a connection that failed; 0: none is known */
    long http_status;       /* 0: none came */
    raaf_buffer_t headers;  /* of those in raaf_outcome_wants_header: "name: value\n", downcased */
    raaf_buffer_t body;     /* of an error status, or of what was no event stream */
    int64_t retry_after_ms; /* what Retry-After or, with a 429, a rate limit says; -1: nothing */
    bool has_usage;
    raaf_usage_t usage;
    raaf_buffer_t usage_json;
    raaf_buffer_t parts;         /* of choice 0: {"at":N,"part":{…}}, divided by commas */
    raaf_buffer_t error_message; /* these five: of an error inside the stream */
    raaf_buffer_t error_type;
    raaf_buffer_t error_code;
    raaf_buffer_t error_param;
    raaf_buffer_t error_json;
    uint64_t started_at; /* of the first attempt, in raaf_clock_now(); 0: did not happen */
    uint64_t connected_at;
    uint64_t first_byte_at;
    uint64_t first_token_at;
    uint64_t ended_at;
    uint64_t events;
    uint64_t malformed_events;
} raaf_outcome_t;

void raaf_outcome_init(raaf_outcome_t *outcome);
void raaf_outcome_free(raaf_outcome_t *outcome);

/* Counts an attempt, and forgets everything about the one before but when the run started. */
void raaf_outcome_new_attempt(raaf_outcome_t *outcome);

/* Forgets the response read so far (a status line of a later response has come). */
void raaf_outcome_new_response(raaf_outcome_t *outcome);

/*
 * Keeps a header line ("Name: value", without its line end) if it is one that matters: request
 * ids, Retry-After and rate limits, content type. Also works out retry_after_ms.
 */
void raaf_outcome_header(raaf_outcome_t *outcome, const char *line, size_t len);

/*
 * The header of a 429 is complete: where it has no Retry-After, retry_after_ms is when its rate
 * limits are reset. Of several limits those count of which nothing remains, and of them the last
 * to be reset; where none says that, the first to be reset of all.
 */
void raaf_outcome_rate_limits(raaf_outcome_t *outcome);

/* The value of a kept header, by its downcased name; length 0 if it did not come. Borrowed. */
raaf_slice_t raaf_outcome_find_header(const raaf_outcome_t *outcome, const char *name);

/* Keeps bytes in place of what [buffer] holds. What does not fit is cut, between characters. */
void raaf_outcome_keep(raaf_buffer_t *buffer, raaf_slice_t slice);

/* Keeps what a USAGE or ERROR delta says. What does not fit or has no room is cut. */
void raaf_outcome_usage(raaf_outcome_t *outcome, const raaf_delta_t *delta);
void raaf_outcome_error(raaf_outcome_t *outcome, const raaf_delta_t *delta);

/*
 * Keeps a PART; [at]: bytes of the model call's content before it.
 * Return values: RAAF_OK, RAAF_EVENT_TOO_LARGE, RAAF_NO_MEMORY.
 */
int raaf_outcome_part(raaf_outcome_t *outcome, const raaf_delta_t *delta, size_t at);

/* Keeps bytes of a body, as many as fit. */
void raaf_outcome_body(raaf_outcome_t *outcome, const char *bytes, size_t len);

#endif
