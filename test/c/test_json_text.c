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

TEST(json_text_writes_a_piece_without_quotes) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1 << 10);
    CHECK_EQ_INT(raaf_json_text_piece(&out, (raaf_slice_t){"a\nb", 3}), RAAF_OK);
    CHECK_EQ_INT(raaf_json_text_piece(&out, (raaf_slice_t){NULL, 0}), RAAF_OK);
    CHECK_EQ_INT(raaf_json_text_piece(&out, (raaf_slice_t){"\"", 1}), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, "a\\u000ab\\\"");
    raaf_buffer_free(&out);
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

/* ---- two objects made one ---- */

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

static void check_merge(const char *base, const char *over, const char *expected) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, SIZE_MAX);
    CHECK_EQ_INT(raaf_json_text_merge(&out, slice(base), slice(over)), RAAF_OK);
    CHECK_EQ_STR(out.bytes, out.len, expected);
    raaf_buffer_free(&out);
}

TEST(json_text_merge_lays_one_object_over_the_other) {
    check_merge("{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":1,\"b\":3,\"c\":4}");
    check_merge("{}", "{\"a\":1}", "{\"a\":1}");
    check_merge("{\"a\":1}", "{}", "{\"a\":1}");
    check_merge("{}", "{}", "{}");
    check_merge("", "{\"a\":1}", "{\"a\":1}");
}

TEST(json_text_merge_takes_null_for_nothing_said) {
    check_merge("{\"a\":1}", "{\"a\":null,\"b\":null}", "{\"a\":1,\"b\":null}");
    check_merge("{\"a\":null}", "{\"a\":2}", "{\"a\":2}");
}

TEST(json_text_merge_looks_at_the_top_only) {
    check_merge("{\"a\":{\"b\":[1,{\"c\":2}]},\"b\":1}", "{\"b\":{\"a\":[]},\"c\":\"}\"}",
                "{\"a\":{\"b\":[1,{\"c\":2}]},\"b\":{\"a\":[]},\"c\":\"}\"}");
}

TEST(json_text_merge_is_not_fooled_by_strings_and_space) {
    check_merge(" {\n\"a\" : \"x,\\\"}\" ,\t\"b\\\"\":[\"]\" , 2 ] }\r\n", "{ \"a\" :\"\\\\\" }",
                "{\"a\":\"\\\\\",\"b\\\"\":[\"]\" , 2 ]}");
}

TEST(json_text_merge_goes_by_the_last_of_members_with_one_key) {
    check_merge("{\"a\":1}", "{\"a\":2,\"a\":3}", "{\"a\":3}");
}

TEST(json_text_merge_with_many_members_on_top_is_those_alone) {
    raaf_buffer_t over, out;
    char text[32];

    for (int count = 64; count <= 65; count++) {
        raaf_buffer_init(&over, SIZE_MAX);
        raaf_buffer_init(&out, SIZE_MAX);
        for (int i = 0; i < count; i++) {
            snprintf(text, sizeof text, "%s\"%d\":%d", i > 0 ? "," : "{", i, i);
            raaf_buffer_append(&over, text, strlen(text));
        }
        raaf_buffer_append(&over, "}", 1);
        CHECK_EQ_INT(
            raaf_json_text_merge(&out, slice("{\"a\":1}"), (raaf_slice_t){over.bytes, over.len}),
            RAAF_OK);
        CHECK_EQ_UINT(out.len, over.len + (count == 64 ? 6 : 0));
        raaf_buffer_free(&over);
        raaf_buffer_free(&out);
    }
}

TEST(json_text_merge_keeps_to_the_limit) {
    raaf_buffer_t out;

    for (size_t limit = 0; limit < 13; limit++) {
        raaf_buffer_init(&out, limit);
        CHECK_EQ_INT(raaf_json_text_merge(&out, slice("{\"a\":1}"), slice("{\"b\":2}")),
                     RAAF_BODY_TOO_LARGE);
        raaf_buffer_free(&out);
    }
}

TEST(json_text_merge_reports_that_memory_ran_out) {
    raaf_buffer_t out;

    raaf_buffer_init(&out, 1 << 10);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_json_text_merge(&out, slice("{}"), slice("{}")), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_buffer_free(&out);
}
