#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "json_quote.h"
#include "result_code.h"

static void check_quoted(const char *text, size_t len, const char *expected) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1000);
    CHECK_EQ_INT(raaf_json_quote_string(&out, (raaf_slice_t){text, len}), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, expected);
    raaf_buffer_free(&out);
}

#define CHECK_QUOTED(text, expected) check_quoted((text), sizeof(text) - 1, (expected))

TEST(json_quote_puts_a_text_in_quotes) {
    CHECK_QUOTED("", "\"\"");
    CHECK_QUOTED("plain", "\"plain\"");
    CHECK_QUOTED("\xC3\xA9\xF0\x9F\x98\x80/", "\"\xC3\xA9\xF0\x9F\x98\x80/\"");
}

TEST(json_quote_escapes_what_must_be_escaped) {
    CHECK_QUOTED("a\"b\\c", "\"a\\\"b\\\\c\"");
    CHECK_QUOTED("\"", "\"\\\"\"");
    CHECK_QUOTED("\n\t\x01\0\x1f\x7f", "\"\\u000a\\u0009\\u0001\\u0000\\u001f\x7f\"");
}

TEST(json_quote_writes_a_piece_without_quotes) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1000);
    CHECK_EQ_INT(raaf_json_quote_escaped(&out, (raaf_slice_t){"a\nb", 3}), RAAF_OK);
    CHECK_EQ_INT(raaf_json_quote_escaped(&out, (raaf_slice_t){"\"", 1}), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, "a\\u000ab\\\"");
    raaf_buffer_free(&out);
}

TEST(json_quote_keeps_to_the_limit) {
    for (size_t limit = 0; limit < 9; limit++) {
        raaf_buffer_t out;

        raaf_buffer_init(&out, limit);
        CHECK_EQ_INT(raaf_json_quote_string(&out, (raaf_slice_t){"a\n", 2}), RAAF_BODY_TOO_LARGE);
        raaf_buffer_free(&out);
    }
}

TEST(json_quote_reports_that_memory_ran_out) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1000);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_json_quote_string(&out, (raaf_slice_t){"a", 1}), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_buffer_free(&out);
}
