#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "json_text.h"
#include "result_code.h"

static void check_string(const char *text, size_t len, const char *expected) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1 << 10);
    CHECK_EQ_INT(raaf_json_text_string(&out, (raaf_slice_t){text, len}), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, expected);
    raaf_buffer_free(&out);
}

#define CHECK_STRING(text, expected) check_string((text), sizeof(text) - 1, (expected))

TEST(json_text_quotes_text) {
    CHECK_STRING("", "\"\"");
    CHECK_STRING("plain", "\"plain\"");
    CHECK_STRING("caf\xC3\xA9 \xF0\x9F\x98\x80 /", "\"caf\xC3\xA9 \xF0\x9F\x98\x80 /\"");
    check_string(NULL, 0, "\"\"");
}

TEST(json_text_escapes_what_json_wants_escaped) {
    CHECK_STRING("\"\\", "\"\\\"\\\\\"");
    CHECK_STRING("a\nb\0c\x1F\x7F", "\"a\\u000ab\\u0000c\\u001f\x7F\"");
}

TEST(json_text_keeps_to_the_limit) {
    raaf_buffer_t out;

    for (size_t limit = 0; limit < 12; limit++) {
        raaf_buffer_init(&out, limit);
        CHECK_EQ_INT(raaf_json_text_string(&out, (raaf_slice_t){"ab\n\"c", 5}),
                     RAAF_BODY_TOO_LARGE);
        raaf_buffer_free(&out);
    }
    raaf_buffer_init(&out, 13);
    CHECK_EQ_INT(raaf_json_text_string(&out, (raaf_slice_t){"ab\n\"c", 5}), RAAF_OK);
    raaf_buffer_free(&out);
}

TEST(json_text_reports_that_memory_ran_out) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1 << 10);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_json_text_string(&out, (raaf_slice_t){"a", 1}), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_buffer_free(&out);
}
