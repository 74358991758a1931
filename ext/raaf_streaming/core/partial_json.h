/*
 * JSON while it is written: fed in any pieces, each thing is reported as soon as it is there, and a
 * string while it grows.
 *
 *     {"city":"Łó          reports: open object, key "city", open string, string "Łó"
 *     dź","days":1         string "dź", close string, key "days"; the number may go on
 *     2}                   number "12", close object
 *
 * Strict JSON (RFC 8259): one value of any kind, with white space around it and at most one byte
 * order mark before it. Yajl, which reads whole events, does not report a string before its end.
 *
 * Not shared: one thread at a time. Never recurses.
 */
#ifndef RAAF_PARTIAL_JSON_H
#define RAAF_PARTIAL_JSON_H

#include "buffer.h"
#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Open objects and arrays: most that can be asked for, and how many where nobody asks. */
#define RAAF_PARTIAL_JSON_MOST_DEPTH 1024
#define RAAF_PARTIAL_JSON_DEPTH 100

/* Bytes of a key or a number, which are reported whole. A string has no limit. */
#define RAAF_PARTIAL_JSON_MAX_TOKEN ((size_t)64 << 10)

typedef enum raaf_partial_json_type {
    RAAF_PARTIAL_JSON_NULL,
    RAAF_PARTIAL_JSON_FALSE,
    RAAF_PARTIAL_JSON_TRUE,
    RAAF_PARTIAL_JSON_NUMBER,
    RAAF_PARTIAL_JSON_KEY,
    RAAF_PARTIAL_JSON_OPEN_STRING,
    RAAF_PARTIAL_JSON_STRING, /* a piece of the string that is open */
    RAAF_PARTIAL_JSON_CLOSE_STRING,
    RAAF_PARTIAL_JSON_OPEN_OBJECT,
    RAAF_PARTIAL_JSON_CLOSE_OBJECT,
    RAAF_PARTIAL_JSON_OPEN_ARRAY,
    RAAF_PARTIAL_JSON_CLOSE_ARRAY
} raaf_partial_json_type_t;

/*
 * [bytes] is borrowed, valid until the callback returns:
 *   KEY, STRING  decoded, valid UTF-8 (what cannot be a character is U+FFFD); a STRING is never
 *                empty and never ends within a character
 *   NUMBER       as written ("1e400", a hundred digits: both are fine)
 *   others       NULL
 */
typedef struct raaf_partial_json_token {
    raaf_partial_json_type_t type;
    const char *bytes;
    size_t len;
} raaf_partial_json_token_t;

/* Returns RAAF_OK to go on; anything else ends the reading, and is returned by the feed. */
typedef int (*raaf_partial_json_fn)(void *context, const raaf_partial_json_token_t *token);

typedef struct raaf_partial_json {
    raaf_partial_json_fn on_token;
    void *context; /* borrowed */
    size_t max_depth;
    size_t max_token;
    raaf_buffer_t text;      /* a key or number so far; a piece of a string before it is reported */
    raaf_utf8_carry_t carry; /* the open end of a key or string */
    const char *literal;     /* what is missing of true, false or null */
    size_t offset;           /* bytes taken; after an error, where in the input it is */
    size_t token_start;      /* where the key, string or number began */
    size_t depth;            /* open objects and arrays */
    int result;              /* why nothing more is taken; RAAF_OK */
    uint32_t code;           /* an escape's digits so far */
    uint8_t digits;          /* how many of the four digits there are */
    uint8_t bom;             /* bytes of a byte order mark that have come */
    uint8_t state;           /* what comes next: see the .c file */
    uint8_t literal_type;    /* raaf_partial_json_type_t */
    bool is_key;             /* what is read between quotes is a key */
    uint8_t objects[RAAF_PARTIAL_JSON_MOST_DEPTH / 8]; /* a bit a depth: set for an object */
} raaf_partial_json_t;

/*
 * [max_depth] open objects and arrays, at most RAAF_PARTIAL_JSON_MOST_DEPTH; [max_token] bytes of a
 * key or a number. 0 takes the default above. Allocates nothing.
 */
void raaf_partial_json_init(raaf_partial_json_t *json, raaf_partial_json_fn on_token, void *context,
                            size_t max_depth, size_t max_token);

/*
 * Takes the next bytes and reports what they say.
 *
 * Return values:
 *   RAAF_OK              all bytes were taken
 *   RAAF_INVALID_JSON    not JSON, or more than one value; offset is that of the byte
 *   RAAF_TOO_DEEP        offset is that of the bracket
 *   RAAF_EVENT_TOO_LARGE a key or a number is too long; offset is where it begins
 *   RAAF_NO_MEMORY
 *   anything else        what the callback returned
 * After a value other than RAAF_OK nothing more is taken: feed and finish return RAAF_STOP, and
 * [result] keeps the value. What was reported before stays right as far as it goes.
 */
int raaf_partial_json_feed(raaf_partial_json_t *json, const char *bytes, size_t len);

/*
 * The input has ended. Reports a number that nothing ended, where it is the whole value.
 *
 * Return values: RAAF_OK: the value is whole. RAAF_TRUNCATED: it is not, or there is none.
 * RAAF_STOP: a feed or a finish has failed before. Or what the callback returned.
 */
int raaf_partial_json_finish(raaf_partial_json_t *json);

/* Whether the value is whole, and nothing wrong has followed it. A number alone is at the finish. */
bool raaf_partial_json_complete(const raaf_partial_json_t *json);

/*
 * What may come next; after RAAF_INVALID_JSON or RAAF_TRUNCATED, what should have come ("a colon").
 * A text in English that is never freed.
 */
const char *raaf_partial_json_expected(const raaf_partial_json_t *json);

/* Gives the memory back; nothing may be fed afterwards. */
void raaf_partial_json_free(raaf_partial_json_t *json);

#endif
