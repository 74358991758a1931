/*
 * Writes JSON: for what a dialect has joined from several events, and hands over as one JSON text.
 */
#ifndef RAAF_JSON_WRITER_H
#define RAAF_JSON_WRITER_H

#include "buffer.h"
#include "delta.h"

/*
 * Each appends to [out]; texts must be valid UTF-8. Return values: RAAF_OK, RAAF_NO_MEMORY,
 * RAAF_BODY_TOO_LARGE (the limit of [out]).
 *   raw    the C string as it is
 *   slice  as it is: what is JSON already
 *   string in quotes, with what JSON wants escaped
 */
int raaf_json_write_raw(raaf_buffer_t *out, const char *json);
int raaf_json_write_slice(raaf_buffer_t *out, raaf_slice_t json);
int raaf_json_write_string(raaf_buffer_t *out, raaf_slice_t text);

#endif
