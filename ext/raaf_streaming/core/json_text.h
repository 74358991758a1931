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

/* The same without the quotes: a piece of a string, whose characters may go on in the next one. */
int raaf_json_text_piece(raaf_buffer_t *out, raaf_slice_t text);

/* An object that is laid over another may have so many members. */
#define RAAF_JSON_TEXT_MAX_MEMBERS 64

/*
 * Appends one object made of two: the members of [base], each with the value that [over] has for
 * it, then those that only [over] has. A null in [over] leaves the value of [base] as it is. With
 * more members than RAAF_JSON_TEXT_MAX_MEMBERS in [over] the result is [over] alone.
 *
 * Both are one JSON object each, which somebody has checked; [base] may be empty. Keys are compared
 * as they are written. Return values: as raaf_json_text_string.
 */
int raaf_json_text_merge(raaf_buffer_t *out, raaf_slice_t base, raaf_slice_t over);

#endif
