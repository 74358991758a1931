/*
 * Writes JSON: for what a provider sends in pieces and wants back whole. Not shared.
 */
#ifndef RAAF_JSON_TEXT_H
#define RAAF_JSON_TEXT_H

#include "buffer.h"
#include "delta.h"

/*
 * Appends [text], valid UTF-8, to [out] as a JSON string with its quotes.
 * Return values: RAAF_OK, RAAF_NO_MEMORY, RAAF_BODY_TOO_LARGE (the limit of [out]).
 */
int raaf_json_text_string(raaf_buffer_t *out, raaf_slice_t text);

#endif
