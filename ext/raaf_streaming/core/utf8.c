#include "utf8.h"

#include "result_code.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)
#define LOW_BITS UINT64_C(0x0101010101010101)

static const char REPLACEMENT[3] = {'\xEF', '\xBF', '\xBD'};

static uint64_t load_8(const char *at) {
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Bytes of the character that [lead] begins; 0 where no character begins with it. */
static unsigned char_len(uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead < 0xC2) return 0;
    if (lead < 0xE0) return 2;
    if (lead < 0xF0) return 3;
    return lead < 0xF5 ? 4 : 0;
}

/* The second byte alone decides about overlong forms and the end of the range. */
static bool second_fits(uint8_t lead, uint8_t second) {
    switch (lead) {
    case 0xE0:
        return second >= 0xA0 && second <= 0xBF;
    case 0xF0:
        return second >= 0x90 && second <= 0xBF;
    case 0xF4:
        return second >= 0x80 && second <= 0x8F;
    default:
        return second >= 0x80 && second <= 0xBF;
    }
}

static bool surrogate_half(uint8_t lead, uint8_t second) {
    return lead == 0xED && second >= 0xA0;
}

/* Length of the valid character at [at], of which [left] bytes are there; 0 where there is none. */
static unsigned valid_char(const uint8_t *at, size_t left) {
    const unsigned len = char_len(at[0]);

    if (len <= 1) return len;
    if (len > left || !second_fits(at[0], at[1]) || surrogate_half(at[0], at[1])) return 0;
    for (unsigned i = 2; i < len; i++) {
        if ((at[i] & 0xC0) != 0x80) return 0;
    }
    return len;
}

/* Number of bytes at the start that are whole, valid characters. */
static size_t valid_prefix(const char *bytes, size_t len) {
    size_t at = 0;

    while (at < len) {
        unsigned step;

        while (len - at >= 8 && (load_8(bytes + at) & HIGH_BITS) == 0)
            at += 8;
        if (at == len) break;
        step = valid_char((const uint8_t *)bytes + at, len - at);
        if (step == 0) break;
        at += step;
    }
    return at;
}

bool raaf_utf8_valid(const char *bytes, size_t len) {
    return valid_prefix(bytes, len) == len;
}

size_t raaf_utf8_count(const char *bytes, size_t len) {
    size_t continuations = 0;
    size_t at = 0;

    for (; len - at >= 8; at += 8) {
        const uint64_t word = load_8(bytes + at);
        const uint64_t marks = (word >> 7) & (~word >> 6) & LOW_BITS;

        continuations += (size_t)((marks * LOW_BITS) >> 56);
    }
    for (; at < len; at++)
        continuations += ((uint8_t)bytes[at] & 0xC0) == 0x80;
    return len - continuations;
}

uint32_t raaf_utf8_next(const char *bytes, size_t *at) {
    const uint8_t *b = (const uint8_t *)bytes + *at;
    const unsigned len = char_len(b[0]);

    *at += len;
    switch (len) {
    case 1:
        return b[0];
    case 2:
        return (uint32_t)(b[0] & 0x1F) << 6 | (b[1] & 0x3F);
    case 3:
        return (uint32_t)(b[0] & 0x0F) << 12 | (uint32_t)(b[1] & 0x3F) << 6 | (b[2] & 0x3F);
    default:
        return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3F) << 12 |
               (uint32_t)(b[2] & 0x3F) << 6 | (b[3] & 0x3F);
    }
}

/* What stands open and can no longer become a character: one U+FFFD for each maximal subpart. */
static int replace_open(raaf_utf8_carry_t *carry, unsigned len, raaf_buffer_t *out) {
    const bool half_surrogate =
        len == 2 && surrogate_half((uint8_t)carry->bytes[0], (uint8_t)carry->bytes[1]);
    int rc = raaf_buffer_append(out, REPLACEMENT, sizeof REPLACEMENT);

    /* No character begins with ED A0..BF: each of the two bytes is a subpart of its own. */
    if (rc == RAAF_OK && half_surrogate) {
        rc = raaf_buffer_append(out, REPLACEMENT, sizeof REPLACEMENT);
    }
    carry->len = (uint8_t)(carry->len - len);
    memmove(carry->bytes, carry->bytes + len, carry->len);
    return rc;
}

static int join_pair(raaf_utf8_carry_t *carry, raaf_buffer_t *out) {
    const uint8_t *pair = (const uint8_t *)carry->bytes;
    const uint32_t high = (uint32_t)((pair[1] & 0x0F) << 6 | (pair[2] & 0x3F));
    const uint32_t low = (uint32_t)((pair[4] & 0x0F) << 6 | (pair[5] & 0x3F));
    const uint32_t c = 0x10000 + (high << 10 | low);
    const char bytes[4] = {(char)(0xF0 | c >> 18), (char)(0x80 | (c >> 12 & 0x3F)),
                           (char)(0x80 | (c >> 6 & 0x3F)), (char)(0x80 | (c & 0x3F))};

    carry->len = 0;
    return raaf_buffer_append(out, bytes, sizeof bytes);
}

static bool high_surrogate(const raaf_utf8_carry_t *carry) {
    return carry->len >= 3 && (uint8_t)carry->bytes[0] == 0xED &&
           ((uint8_t)carry->bytes[1] & 0xF0) == 0xA0;
}

/* Whether [byte] goes on with what stands open: a character, or a low half behind a high one. */
static bool continues(const raaf_utf8_carry_t *carry, uint8_t byte) {
    switch (carry->len) {
    case 1:
        return second_fits((uint8_t)carry->bytes[0], byte);
    case 3:
        return high_surrogate(carry) ? byte == 0xED : (byte & 0xC0) == 0x80;
    case 4:
        return byte >= 0xB0 && byte <= 0xBF;
    default:
        return (byte & 0xC0) == 0x80;
    }
}

/* The carry has grown by a byte: hands over what is whole now. A high surrogate stays open. */
static int settle(raaf_utf8_carry_t *carry, raaf_buffer_t *out) {
    const unsigned want = char_len((uint8_t)carry->bytes[0]);
    int rc;

    if (carry->len == 6) return join_pair(carry, out);
    if (carry->len != want || high_surrogate(carry)) return RAAF_OK;
    if (surrogate_half((uint8_t)carry->bytes[0], (uint8_t)carry->bytes[1])) {
        return replace_open(carry, want, out);
    }
    rc = raaf_buffer_append(out, carry->bytes, want);
    carry->len = 0;
    return rc;
}

static int take_byte(raaf_utf8_carry_t *carry, char byte, raaf_buffer_t *out) {
    int rc = RAAF_OK;

    while (carry->len > 0 && !continues(carry, (uint8_t)byte)) {
        rc = replace_open(carry, high_surrogate(carry) ? 3 : carry->len, out);
        if (rc != RAAF_OK) return rc;
    }
    if (carry->len == 0 && char_len((uint8_t)byte) == 0) {
        return raaf_buffer_append(out, REPLACEMENT, sizeof REPLACEMENT);
    }
    carry->bytes[carry->len++] = byte;
    return settle(carry, out);
}

int raaf_utf8_repair(raaf_utf8_carry_t *carry, const char *bytes, size_t len, raaf_buffer_t *out) {
    raaf_utf8_carry_t own = {0};
    raaf_utf8_carry_t *open = carry != NULL ? carry : &own;
    size_t at = 0;
    int rc = RAAF_OK;

    while (at < len && rc == RAAF_OK) {
        const size_t good = open->len == 0 ? valid_prefix(bytes + at, len - at) : 0;

        rc = raaf_buffer_append(out, bytes + at, good);
        at += good;
        if (rc == RAAF_OK && at < len) rc = take_byte(open, bytes[at++], out);
    }
    if (rc == RAAF_OK && carry == NULL) rc = raaf_utf8_finish(&own, out);
    return rc;
}

int raaf_utf8_finish(raaf_utf8_carry_t *carry, raaf_buffer_t *out) {
    int rc = RAAF_OK;

    while (carry->len > 0 && rc == RAAF_OK) {
        rc = replace_open(carry, high_surrogate(carry) ? 3 : carry->len, out);
    }
    carry->len = 0;
    return rc;
}
