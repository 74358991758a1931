/*
 * Arguments of a call that come value by value (`partialArgs`), as the JSON text they amount to.
 *
 * Gemini on Vertex can stream a call's arguments: each piece names a place ("$.items[0].name") and
 * a value, or a part of a string. Pieces come in the order in which the arguments would be written,
 * so the JSON only ever grows at its end. A piece that belongs further up (a place in an object
 * that is closed, a name that was used, an index out of turn) is refused: the JSON could not hold
 * it. An object or array that is empty has no piece and is not there. Source of the form: Google's
 * reference of Vertex AI (PartialArg) and recorded streams.
 *
 * Part of dialect_gemini. Not shared.
 */
#ifndef RAAF_GEMINI_ARGS_H
#define RAAF_GEMINI_ARGS_H

#include "buffer.h"
#include "delta.h"

#include <stdbool.h>

#define RAAF_GEMINI_ARGS_MAX_DEPTH 64
#define RAAF_GEMINI_ARGS_MAX_NAMES 1024 /* in all objects that are open at a time */

typedef enum raaf_gemini_value {
    RAAF_GEMINI_NO_VALUE,
    RAAF_GEMINI_STRING,  /* [bytes] decoded; may be a part of it */
    RAAF_GEMINI_LITERAL, /* [bytes] as it stands in JSON: a number, true, false, null */
} raaf_gemini_value_t;

typedef struct raaf_gemini_piece {
    raaf_slice_t path; /* JSONPath (RFC 9535): names and indexes only */
    raaf_gemini_value_t type;
    raaf_slice_t bytes;
    bool will_continue; /* the string goes on in the next piece */
} raaf_gemini_piece_t;

typedef struct raaf_gemini_args {
    raaf_buffer_t steps; /* to the newest value, from outside in */
    raaf_buffer_t names; /* that are used in objects that are open */
    bool in_string;
    bool whole; /* they came as one object */
} raaf_gemini_args_t;

/* Allocates nothing. */
void raaf_gemini_args_init(raaf_gemini_args_t *args);

/*
 * Each of these appends to [json] what it adds to the text. Return values: RAAF_OK; RAAF_NO_MEMORY;
 * RAAF_INVALID_EVENT, RAAF_TOO_DEEP: the piece has no place here; RAAF_BODY_TOO_LARGE: more names
 * than there may be, or the limit of [json]. After these [args] and [json] are of no more use.
 */
int raaf_gemini_args_add(raaf_gemini_args_t *args, const raaf_gemini_piece_t *piece,
                         raaf_buffer_t *json);

/* The whole of the arguments as one JSON object. */
int raaf_gemini_args_set(raaf_gemini_args_t *args, raaf_slice_t object, raaf_buffer_t *json);

/* Nothing more comes: closes what is open. Arguments without any piece are {}. Another call can
 * begin. */
int raaf_gemini_args_end(raaf_gemini_args_t *args, raaf_buffer_t *json);

/* Another call begins, whatever became of this one. */
void raaf_gemini_args_reset(raaf_gemini_args_t *args);

/* Makes [copy], which was initialized, the same. Return values: RAAF_OK, RAAF_NO_MEMORY. */
int raaf_gemini_args_copy(raaf_gemini_args_t *copy, const raaf_gemini_args_t *args);

void raaf_gemini_args_free(raaf_gemini_args_t *args);

#endif
