#include "overlap.h"

#include "result_code.h"

#include <string.h>

void raaf_overlap_init(raaf_overlap_t *overlap, const char *said, size_t len) {
    const size_t most = len < RAAF_OVERLAP_MAX ? len : RAAF_OVERLAP_MAX;
    overlap->said = most ? said + (len - most) : NULL;
    overlap->said_len = most;
    overlap->at = 0;
    overlap->whole = most == len;
    overlap->open = most > 0;
    raaf_buffer_init(&overlap->held, SIZE_MAX);
}

static bool is_blank(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Of other scripts everything. */
static bool is_letter(char byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte & 0x80);
}

/* Of a word or a name. */
static bool is_word(char byte) {
    return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '_';
}

/* Characters that are not blank. */
static size_t count(const char *bytes, size_t len) {
    size_t characters = 0;
    for (size_t i = 0; i < len; i++)
        characters += !is_blank(bytes[i]) && (bytes[i] & 0xC0) != 0x80;
    return characters;
}

static bool is_letter_or_space(char byte) {
    return is_letter(byte) || byte == ' ';
}

static bool all(bool (*is)(char), const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!is(bytes[i])) return false;
    return true;
}

/* Whether no word goes through the place in what was said where its last [len] bytes begin. */
static bool begins_a_word(const raaf_overlap_t *overlap, size_t len) {
    const size_t before = overlap->said_len - len;
    if (!is_word(overlap->held.bytes[0])) return true;
    return before ? !is_word(overlap->said[before - 1]) : overlap->whole;
}

/* Whether the first [len] bytes held are words, or a name that was cut in two. */
static bool is_words(const raaf_overlap_t *overlap, size_t len) {
    const raaf_buffer_t *held = &overlap->held;
    if (!begins_a_word(overlap, len)) return false;
    if (all(is_letter_or_space, held->bytes, len)) return true;
    return len < held->len && is_word(held->bytes[len]) && all(is_word, held->bytes, len);
}

static bool is_repetition(const raaf_overlap_t *overlap, size_t len) {
    const size_t characters = count(overlap->held.bytes, len);
    if (characters >= RAAF_OVERLAP_MIN) return true;
    if (overlap->whole && len == overlap->said_len)
        if (characters >= RAAF_OVERLAP_MIN_WHOLE) return true;
    if (characters >= RAAF_OVERLAP_MIN_WORD && is_words(overlap, len)) return true;
    return overlap->whole && count(overlap->said, overlap->said_len) == 0;
}

/* Bytes held that repeat the end of what was said. The text is short: see RAAF_OVERLAP_MAX. */
static size_t repeated(const raaf_overlap_t *overlap) {
    const raaf_buffer_t *held = &overlap->held;
    const char *end = overlap->said + overlap->said_len;
    size_t len = held->len < overlap->said_len ? held->len : overlap->said_len;
    for (; len; len--) {
        if (held->bytes[len - 1] != end[-1] || memcmp(end - len, held->bytes, len) != 0) continue;
        if (is_repetition(overlap, len)) return len;
    }
    return 0;
}

/* Whether what is held stands somewhere in what was said, so that it may yet come to its end. */
static bool goes_on(raaf_overlap_t *overlap) {
    const raaf_buffer_t *held = &overlap->held;
    const char *from = overlap->said + overlap->at;
    const char *found = memmem(from, overlap->said_len - overlap->at, held->bytes, held->len);
    if (found) overlap->at = (size_t)(found - overlap->said);
    return found != NULL;
}

static void decide(raaf_overlap_t *overlap, raaf_slice_t *out) {
    const size_t len = repeated(overlap);
    *out = (raaf_slice_t){overlap->held.bytes + len, overlap->held.len - len};
    overlap->open = false;
}

int raaf_overlap_add(raaf_overlap_t *overlap, raaf_slice_t piece, raaf_slice_t *out) {
    *out = piece;
    if (!overlap->open) {
        raaf_buffer_free(&overlap->held); /* it was the last answer */
        return RAAF_OK;
    }
    *out = (raaf_slice_t){"", 0};
    if (!piece.len) return RAAF_OK;
    if (raaf_buffer_append(&overlap->held, piece.bytes, piece.len) != RAAF_OK)
        return RAAF_NO_MEMORY;
    if (!goes_on(overlap)) decide(overlap, out);
    return RAAF_OK;
}

void raaf_overlap_finish(raaf_overlap_t *overlap, raaf_slice_t *out) {
    *out = (raaf_slice_t){"", 0};
    if (overlap->open && overlap->held.len) decide(overlap, out);
}

void raaf_overlap_free(raaf_overlap_t *overlap) {
    raaf_buffer_free(&overlap->held);
    overlap->open = false;
}
