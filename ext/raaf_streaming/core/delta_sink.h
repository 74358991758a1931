/*
 * Where a dialect puts its deltas: the receiver, and what every dialect needs on the way to it.
 *
 * Text leaves as valid UTF-8 and in whole characters: the open end of a piece stays in a carry,
 * one for each text that goes on, until the next piece or the end of that text. Not shared.
 */
#ifndef RAAF_DELTA_SINK_H
#define RAAF_DELTA_SINK_H

#include "buffer.h"
#include "delta.h"
#include "utf8.h"

typedef struct raaf_delta_sink {
    raaf_delta_fn emit;
    void *context;          /* borrowed */
    raaf_buffer_t repaired; /* a piece of text on its way out */
} raaf_delta_sink_t;

/* Allocates nothing. */
void raaf_delta_sink_init(raaf_delta_sink_t *sink, raaf_delta_fn emit, void *context);

/* Each returns RAAF_OK, RAAF_NO_MEMORY, or what the receiver returned. */
int raaf_delta_sink_put(raaf_delta_sink_t *sink, const raaf_delta_t *delta);

/* A piece of text, as it was read; nothing is handed over for an empty one. */
int raaf_delta_sink_text(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                         raaf_utf8_carry_t *carry, const char *bytes, size_t len);

/* The text is at its end: what is left open becomes U+FFFD. */
int raaf_delta_sink_end_text(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                             raaf_utf8_carry_t *carry);

/* A delta that is one JSON text of the provider's: CITATION or PART. Valid UTF-8. */
int raaf_delta_sink_json(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                         raaf_slice_t json);

/* What an error says; a field that was not sent is empty. */
typedef struct raaf_fault {
    raaf_slice_t json; /* the provider's own error object */
    raaf_slice_t message;
    raaf_slice_t type;
    raaf_slice_t code;
    raaf_slice_t param;
} raaf_fault_t;

/* Hands over an ERROR. Returns RAAF_PROVIDER_ERROR, or what the receiver returned. */
int raaf_delta_sink_fault(raaf_delta_sink_t *sink, const raaf_fault_t *fault);

void raaf_delta_sink_free(raaf_delta_sink_t *sink);

#endif
