/* Writes JSON strings. */
#ifndef RAAF_JSON_QUOTE_H
#define RAAF_JSON_QUOTE_H

#include "buffer.h"
#include "delta.h"

/*
 * Each appends [text] to [out] with what JSON must have escaped escaped: quote, backslash, control
 * characters. Every other byte stays as it is. Return values: as raaf_buffer_append.
 *   string  with its quotes
 *   escaped without them: a piece of a string
 */
int raaf_json_quote_string(raaf_buffer_t *out, raaf_slice_t text);
int raaf_json_quote_escaped(raaf_buffer_t *out, raaf_slice_t text);

#endif
