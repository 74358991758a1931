/*
 * Reads one JSON object and reports only the fields that were asked for.
 *
 * A table says which fields: each row names a parent field, a key and the number the value gets. A
 * value that no row names is skipped with all below it (it must still be valid JSON). The elements
 * of an array carry the number of the array itself.
 *
 *     enum { CHOICES = 2, DELTA, CONTENT };
 *     static const raaf_json_field_t rows[] = {
 *         RAAF_JSON_FIELD(RAAF_JSON_ROOT, CHOICES, "choices"),
 *         RAAF_JSON_FIELD(CHOICES, DELTA, "delta"),
 *         RAAF_JSON_FIELD(DELTA, CONTENT, "content")};
 *
 * {"choices":[{"delta":{"content":"Hi"}}]} then reports: open object ROOT, open array CHOICES, open
 * object CHOICES, open object DELTA, string CONTENT "Hi", close object DELTA, close object CHOICES,
 * close array CHOICES, close object ROOT.
 *
 * json_reader.c is the only file that includes yajl, and knows what is wrong with it (see there).
 */
#ifndef RAAF_JSON_READER_H
#define RAAF_JSON_READER_H

#include "buffer.h"

#include <stddef.h>
#include <stdint.h>

#define RAAF_JSON_SKIP 0 /* the number of what nobody asked for */
#define RAAF_JSON_ROOT 1 /* the number of the top-level object */
#define RAAF_JSON_MAX_PARENT 62
#define RAAF_JSON_MAX_DEPTH 128

typedef enum raaf_json_type {
    RAAF_JSON_NULL,
    RAAF_JSON_FALSE,
    RAAF_JSON_TRUE,
    RAAF_JSON_NUMBER,
    RAAF_JSON_STRING,
    RAAF_JSON_OPEN_OBJECT,
    RAAF_JSON_CLOSE_OBJECT,
    RAAF_JSON_OPEN_ARRAY,
    RAAF_JSON_CLOSE_ARRAY
} raaf_json_type_t;

/*
 * [bytes] is borrowed, valid until the callback returns:
 *   STRING   decoded. May hold invalid UTF-8 that the sender wrote, and a lone surrogate as its
 *            three-byte form: raaf_utf8_repair makes it fit to leave the core
 *   NUMBER   as written ("1e400", twenty digits: both are fine here)
 *   CLOSE_*  the source text of the whole object or array, from its opening bracket on (the same
 *            reservations as for STRING)
 *   others   NULL
 */
typedef struct raaf_json_value {
    raaf_json_type_t type;
    const char *bytes;
    size_t len;
} raaf_json_value_t;

typedef struct raaf_json_field {
    const char *key;
    uint16_t key_len;
    uint8_t parent; /* 1..RAAF_JSON_MAX_PARENT */
    uint8_t field;  /* 2..255; the same number may stand in several rows */
} raaf_json_field_t;

/* One row; [text] is a string literal, not empty. */
#define RAAF_JSON_FIELD(parent_field, number, text)                                                \
    { .key = (text), .key_len = sizeof(text) - 1, .parent = (parent_field), .field = (number) }

/* The rows, at most 255, stand in the order of their parents, lowest number first. */
typedef struct raaf_json_table {
    const raaf_json_field_t *rows;
    size_t count;
} raaf_json_table_t;

/* Returns RAAF_OK to go on; anything else ends the reading, which returns it. */
typedef int (*raaf_json_value_fn)(void *context, uint8_t field, const raaf_json_value_t *value);

/* Reused from event to event so that reading allocates little; holds no state between events. */
typedef struct raaf_json_reader {
    const raaf_json_table_t *table;              /* borrowed; NULL: not as it must be */
    uint8_t first_row[RAAF_JSON_MAX_PARENT + 2]; /* of each parent; the next one's ends them */
    raaf_buffer_t scratch;                       /* the text with surrogate escapes rewritten */
} raaf_json_reader_t;

/* Allocates nothing. */
void raaf_json_reader_init(raaf_json_reader_t *reader, const raaf_json_table_t *table);

/*
 * Reads [bytes], which must be exactly one JSON object with nothing but white space around it.
 *
 * Return values:
 *   RAAF_OK
 *   RAAF_INVALID_JSON  not JSON, or more than one value
 *   RAAF_INVALID_EVENT JSON, but not an object
 *   RAAF_TOO_DEEP      nested deeper than RAAF_JSON_MAX_DEPTH
 *   RAAF_NO_MEMORY
 *   RAAF_INVALID_REQUEST the table is not as it must be
 *   anything else      what the callback returned
 * Values reported before a failure was found have been reported: keep them aside until RAAF_OK.
 */
int raaf_json_read(raaf_json_reader_t *reader, const char *bytes, size_t len,
                   raaf_json_value_fn on_value, void *context);

/*
 * Whether [bytes] are one JSON object, as above. Return values: RAAF_OK; RAAF_INVALID_JSON,
 * RAAF_INVALID_EVENT, RAAF_TOO_DEEP: no; RAAF_NO_MEMORY.
 */
int raaf_json_check(const char *bytes, size_t len);

void raaf_json_reader_free(raaf_json_reader_t *reader);

/*
 * A NUMBER as an integer: "12" is 12, "12.0" and "1.2e1" are 12 too; anything that is not a whole
 * number that fits, or [value] is not a NUMBER, is [otherwise].
 */
int64_t raaf_json_integer(const raaf_json_value_t *value, int64_t otherwise);

#endif
