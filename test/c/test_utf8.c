#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "random_numbers.h"
#include "utf8.h"

#define FFFD "\xEF\xBF\xBD"
#define HIGH "\xED\xA0\xBD" /* d83d */
#define LOW "\xED\xB8\x80"  /* de00 */
#define SMILE "\xF0\x9F\x98\x80"

/* ---- a plain decoder to compare with: the code point and its length, or no length ---- */

static size_t plain_decode(const uint8_t *at, size_t left, uint32_t *code) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = at[0] < 0x80       ? 1
                 : at[0] >> 5 == 6  ? 2
                 : at[0] >> 4 == 14 ? 3
                 : at[0] >> 3 == 30 ? 4
                                    : 0;

    if (len == 0 || len > left) return 0;
    *code = len == 1 ? at[0] : at[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (at[i] >> 6 != 2) return 0;
        *code = *code << 6 | (at[i] & 0x3F);
    }
    if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF)) return 0;
    return len;
}

static bool plain_valid(const char *bytes, size_t len, size_t *count) {
    size_t at = 0;

    for (*count = 0; at < len; (*count)++) {
        uint32_t code;
        const size_t step = plain_decode((const uint8_t *)bytes + at, len - at, &code);

        if (step == 0) return false;
        at += step;
    }
    return true;
}

static void check_same_as_plain(const char *bytes, size_t len) {
    size_t count;
    const bool valid = plain_valid(bytes, len, &count);

    if (!CHECK_EQ_INT(raaf_utf8_valid(bytes, len), valid)) check_print_bytes("input", bytes, len);
    if (valid) CHECK_EQ_UINT(raaf_utf8_count(bytes, len), count);
}

TEST(utf8_reads_every_character_there_is) {
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        uint8_t bytes[4];
        uint32_t code;
        size_t at = 0;

        if (c >= 0xD800 && c <= 0xDFFF) continue;
        const size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = len; i-- > 1;)
            bytes[i] = (uint8_t)(0x80 | (c >> 6 * (len - 1 - i) & 0x3F));
        bytes[0] = (uint8_t)(len == 1 ? c : (0xF00u >> len & 0xFF) | c >> 6 * (len - 1));
        if (plain_decode(bytes, len, &code) != len || code != c) FAIL("the test is wrong");
        if (raaf_utf8_next((const char *)bytes, &at) != c || at != len) FAIL("another character");
    }
}

TEST(utf8_is_judged_as_a_plain_decoder_does_on_every_short_sequence) {
    static const uint8_t third[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0, 0xED, 0xFF};
    char bytes[4];

    for (int a = 0; a < 256; a++) {
        bytes[0] = (char)a;
        check_same_as_plain(bytes, 1);
        for (int b = 0; b < 256; b++) {
            bytes[1] = (char)b;
            check_same_as_plain(bytes, 2);
            for (size_t c = 0; c < sizeof third; c++) {
                bytes[2] = (char)third[c];
                check_same_as_plain(bytes, 3);
                bytes[3] = (char)(a < 0xF0 ? 'x' : 0x80 + b % 64);
                check_same_as_plain(bytes, 4);
            }
        }
    }
}

TEST(utf8_is_judged_as_a_plain_decoder_does_at_every_position_of_a_long_text) {
    static const char *const pieces[] = {
        "a",        "\x7F", "\xC3\xA9",         "\xE2\x82\xAC", SMILE, "\x80",
        "\xC0\x80", HIGH,   "\xF4\x90\x80\x80", "\xE2\x82",     ""};
    char text[64];

    for (size_t piece = 0; piece < sizeof pieces / sizeof pieces[0]; piece++) {
        const size_t len = strlen(pieces[piece]);

        for (size_t at = 0; at + len <= sizeof text; at++) {
            memset(text, 'a', sizeof text);
            memcpy(text + at, pieces[piece], len);
            check_same_as_plain(text, sizeof text);
            check_same_as_plain(text, at + len);
        }
    }
}

TEST(utf8_of_no_bytes_is_valid) {
    CHECK(raaf_utf8_valid("", 0));
    CHECK_EQ_UINT(raaf_utf8_count("", 0), 0);
}

/* ---- repair ---- */

static void repair_in_pieces(const char *bytes, size_t len, size_t step, raaf_buffer_t *out) {
    raaf_utf8_carry_t carry = {0};

    raaf_buffer_init(out, 1 << 20);
    for (size_t at = 0; at < len; at += step) {
        const size_t part = len - at < step ? len - at : step;

        CHECK_EQ_INT(raaf_utf8_repair(&carry, bytes + at, part, out), RAAF_OK);
        CHECK(carry.len <= 5);
        CHECK(raaf_utf8_valid(out->bytes, out->len));
    }
    CHECK_EQ_INT(raaf_utf8_finish(&carry, out), RAAF_OK);
    CHECK_EQ_INT(carry.len, 0);
}

static void check_repair(const char *bytes, size_t len, const char *expected, size_t expected_len) {
    raaf_buffer_t out;

    for (size_t step = 1; step <= len; step++) {
        repair_in_pieces(bytes, len, step, &out);
        CHECK_EQ_BYTES(out.bytes, out.len, expected, expected_len);
        raaf_buffer_free(&out);
    }
    raaf_buffer_init(&out, 1 << 20);
    CHECK_EQ_INT(raaf_utf8_repair(NULL, bytes, len, &out), RAAF_OK);
    CHECK_EQ_BYTES(out.bytes, out.len, expected, expected_len);
    raaf_buffer_free(&out);
}

#define CHECK_REPAIR(bytes, expected)                                                              \
    check_repair((bytes), sizeof(bytes) - 1, (expected), sizeof(expected) - 1)

TEST(utf8_repair_leaves_valid_text_as_it_is) {
    CHECK_REPAIR("plain", "plain");
    CHECK_REPAIR("a\0b", "a\0b");
    CHECK_REPAIR("caf\xC3\xA9 \xE2\x82\xAC " SMILE "!", "caf\xC3\xA9 \xE2\x82\xAC " SMILE "!");
    CHECK_REPAIR("\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80",
                 "\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF\xEE\x80\x80");
}

TEST(utf8_repair_joins_a_pair_of_surrogates) {
    CHECK_REPAIR(HIGH LOW, SMILE);
    CHECK_REPAIR("a" HIGH LOW "b", "a" SMILE "b");
    CHECK_REPAIR("\xED\xA0\x80\xED\xB0\x80", "\xF0\x90\x80\x80");
    CHECK_REPAIR("\xED\xAF\xBF\xED\xBF\xBF", "\xF4\x8F\xBF\xBF");
}

TEST(utf8_repair_replaces_a_lone_surrogate_by_one_character) {
    CHECK_REPAIR(HIGH, FFFD);
    CHECK_REPAIR(LOW, FFFD);
    CHECK_REPAIR(HIGH "x", FFFD "x");
    CHECK_REPAIR(HIGH HIGH LOW, FFFD SMILE);
    CHECK_REPAIR(LOW HIGH, FFFD FFFD);
    CHECK_REPAIR(HIGH "\xED\x9F\xBF", FFFD "\xED\x9F\xBF");
    CHECK_REPAIR(HIGH SMILE, FFFD SMILE);
}

TEST(utf8_repair_replaces_half_surrogates_byte_by_byte) {
    CHECK_REPAIR("\xED\xA0", FFFD FFFD);
    CHECK_REPAIR("\xED\xA0x", FFFD FFFD "x");
    CHECK_REPAIR(HIGH "\xED", FFFD FFFD);
    CHECK_REPAIR(HIGH "\xED\xB8", FFFD FFFD FFFD);
    CHECK_REPAIR(HIGH "\xED\xB8x", FFFD FFFD FFFD "x");
}

TEST(utf8_repair_replaces_each_maximal_subpart_by_one_character) {
    CHECK_REPAIR("\x80", FFFD);
    CHECK_REPAIR("\xFF\xFE", FFFD FFFD);
    CHECK_REPAIR("\xC0\xAF", FFFD FFFD);
    CHECK_REPAIR("\xE0\x80\xAF", FFFD FFFD FFFD);
    CHECK_REPAIR("\xE2\x82", FFFD);
    CHECK_REPAIR("\xE2\x82x", FFFD "x");
    CHECK_REPAIR("\xE2\x82\xC3\xA9", FFFD "\xC3\xA9");
    CHECK_REPAIR("\xF0\x9F\x98x", FFFD "x");
    CHECK_REPAIR("\xF0\x80\x80\x80", FFFD FFFD FFFD FFFD);
    CHECK_REPAIR("\xF4\x90\x80\x80", FFFD FFFD FFFD FFFD);
    CHECK_REPAIR("\xF1\x80\x80\xE1\x80\xC2", FFFD FFFD FFFD);
}

TEST(utf8_repair_keeps_an_open_character_for_the_next_piece) {
    raaf_utf8_carry_t carry = {0};
    raaf_buffer_t out;

    raaf_buffer_init(&out, 100);
    CHECK_EQ_INT(raaf_utf8_repair(&carry, "a\xE2\x82", 3, &out), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, "a");
    CHECK_EQ_INT(raaf_utf8_repair(&carry, "", 0, &out), RAAF_OK);
    CHECK_EQ_INT(raaf_utf8_repair(&carry, "\xACz" HIGH, 5, &out), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, "a\xE2\x82\xACz");
    CHECK_EQ_INT(raaf_utf8_repair(&carry, LOW, 3, &out), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, "a\xE2\x82\xACz" SMILE);
    CHECK_EQ_INT(carry.len, 0);
    raaf_buffer_free(&out);
}

TEST(utf8_repair_gives_the_same_in_any_pieces_for_random_bytes) {
    static const char alphabet[] = "a\x80\x90\xA0\xB0\xBF\xC3\xE0\xE2\xED\xED\xF0\xF4\xFF";
    uint64_t random = 4711;
    char bytes[24];

    for (int round = 0; round < 2000; round++) {
        const size_t len = 1 + random_below(&random, sizeof bytes);
        raaf_buffer_t whole, pieces;

        for (size_t i = 0; i < len; i++) {
            bytes[i] = alphabet[random_below(&random, sizeof alphabet - 1)];
        }
        repair_in_pieces(bytes, len, len, &whole);
        for (size_t step = 1; step <= 5; step++) {
            repair_in_pieces(bytes, len, step, &pieces);
            CHECK_EQ_BYTES(pieces.bytes, pieces.len, whole.bytes, whole.len);
            raaf_buffer_free(&pieces);
        }
        raaf_buffer_free(&whole);
    }
}

TEST(utf8_repair_ends_at_the_limit_of_the_buffer) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 2);
    CHECK_EQ_INT(raaf_utf8_repair(NULL, "abc", 3, &out), RAAF_BODY_TOO_LARGE);
    CHECK_EQ_INT(raaf_utf8_repair(NULL, "\xFF", 1, &out), RAAF_BODY_TOO_LARGE);
    raaf_buffer_free(&out);
}

TEST(utf8_repair_reports_that_memory_ran_out) {
    static const char *const texts[] = {"abc", "\xFF", HIGH LOW, HIGH "x", "\xE2\x82"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        raaf_buffer_t out;

        raaf_buffer_init(&out, 100);
        memory_runs_out_after(0);
        CHECK_EQ_INT(raaf_utf8_repair(NULL, texts[i], strlen(texts[i]), &out), RAAF_NO_MEMORY);
        memory_is_back();
        raaf_buffer_free(&out);
    }
}
