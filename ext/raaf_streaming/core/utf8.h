/*
 * UTF-8: every string that leaves the core is valid, and no character is lost to a split.
 *
 * Providers cut text anywhere: between the bytes of a character, and between the two halves of a
 * surrogate pair ("\ud83d" in one delta, "\ude00" in the next). A carry keeps the open end of one
 * delta until the next one comes. What can never become a character is replaced by U+FFFD, as the
 * WHATWG encoding standard has it (one U+FFFD for each maximal subpart).
 */
#ifndef RAAF_UTF8_H
#define RAAF_UTF8_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The open end of a text: the first bytes of a character, or a high surrogate as three bytes with
 * or without the first bytes of a low one. All zero at the start of a text.
 */
typedef struct raaf_utf8_carry {
    uint8_t len; /* between two calls at most 5 */
    char bytes[6];
} raaf_utf8_carry_t;

/* Whether the bytes are valid UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF). */
bool raaf_utf8_valid(const char *bytes, size_t len);

/* Number of characters (code points) in valid UTF-8. */
size_t raaf_utf8_count(const char *bytes, size_t len);

/* The character at [*at] in valid UTF-8; moves [*at] behind it. */
uint32_t raaf_utf8_next(const char *bytes, size_t *at);

/*
 * Appends [bytes] to [out] as valid UTF-8. Input is UTF-8 in which a surrogate may stand as its
 * three-byte form (ED A0..BF xx): a high one followed by a low one becomes the character of the
 * pair, a lone one becomes U+FFFD. An open end goes into [carry] and comes first in the next call.
 * [carry] may be NULL: then an open end is replaced at once.
 *
 * Return values: RAAF_OK, RAAF_NO_MEMORY, RAAF_BODY_TOO_LARGE (the limit of [out]).
 */
int raaf_utf8_repair(raaf_utf8_carry_t *carry, const char *bytes, size_t len, raaf_buffer_t *out);

/* At the end of a text: appends U+FFFD for an open end, if there is one, and clears the carry. */
int raaf_utf8_finish(raaf_utf8_carry_t *carry, raaf_buffer_t *out);

#endif
