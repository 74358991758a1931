#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "gemini_args.h"
#include "result_code.h"

typedef struct test_piece {
    const char *path;
    raaf_gemini_value_t type;
    const char *text;
    bool will_continue;
} test_piece_t;

#define STRING(path, text)                                                                         \
    { path, RAAF_GEMINI_STRING, text, false }
#define BEGUN(path, text)                                                                          \
    { path, RAAF_GEMINI_STRING, text, true }
#define LITERAL(path, text)                                                                        \
    { path, RAAF_GEMINI_LITERAL, text, false }

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

/* Adds pieces until one is refused. */
static int add(raaf_gemini_args_t *args, const test_piece_t *pieces, size_t count,
               raaf_buffer_t *json) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        const raaf_gemini_piece_t piece = {.path = slice(pieces[i].path),
                                           .type = pieces[i].type,
                                           .bytes = slice(pieces[i].text),
                                           .will_continue = pieces[i].will_continue};

        rc = raaf_gemini_args_add(args, &piece, json);
    }
    return rc;
}

static void check_args(const test_piece_t *pieces, size_t count, const char *expected) {
    raaf_gemini_args_t args;
    raaf_buffer_t json;

    raaf_gemini_args_init(&args);
    raaf_buffer_init(&json, 10000);
    CHECK_EQ_INT(add(&args, pieces, count, &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_end(&args, &json), RAAF_OK);
    CHECK_EQ_STR(json.bytes, json.len, expected);
    raaf_buffer_free(&json);
    raaf_gemini_args_free(&args);
}

/* All but the last are taken. */
static void check_refused(const test_piece_t *pieces, size_t count, int expected) {
    raaf_gemini_args_t args;
    raaf_buffer_t json;

    raaf_gemini_args_init(&args);
    raaf_buffer_init(&json, 10000);
    CHECK_EQ_INT(add(&args, pieces, count - 1, &json), RAAF_OK);
    if (!CHECK_EQ_INT(add(&args, pieces + count - 1, 1, &json), expected)) {
        check_print_bytes("at", pieces[count - 1].path, strlen(pieces[count - 1].path));
    }
    raaf_buffer_free(&json);
    raaf_gemini_args_free(&args);
}

#define PIECES(...)                                                                                \
    (const test_piece_t[]){__VA_ARGS__},                                                           \
        sizeof((test_piece_t[]){__VA_ARGS__}) / sizeof(test_piece_t)
#define CHECK_ARGS(expected, ...) check_args(PIECES(__VA_ARGS__), (expected))
#define CHECK_REFUSED(...) check_refused(PIECES(__VA_ARGS__), RAAF_INVALID_EVENT)

TEST(gemini_args_are_written_value_by_value) {
    CHECK_ARGS("{\"city\":\"Rome\",\"days\":3,\"wind\":true,\"unit\":null}",
               STRING("$.city", "Rome"), LITERAL("$.days", "3"), LITERAL("$.wind", "true"),
               LITERAL("$.unit", "null"));
}

TEST(gemini_args_join_a_string_from_its_pieces) {
    CHECK_ARGS("{\"a\":\"Hello!\"}", BEGUN("$.a", "Hel"), BEGUN("$.a", "lo"), STRING("$.a", "!"));
    CHECK_ARGS("{\"a\":\"Hello\",\"b\":\"\"}", BEGUN("$.a", "Hello"), STRING("$.a", ""),
               STRING("$.b", ""));
}

TEST(gemini_args_close_a_string_that_says_it_goes_on_and_does_not) {
    CHECK_ARGS("{\"a\":\"x\",\"b\":1}", BEGUN("$.a", "x"), LITERAL("$.b", "1"));
    CHECK_ARGS("{\"a\":{\"b\":\"x\"}}", BEGUN("$.a.b", "x"));
}

TEST(gemini_args_escape_strings_and_names) {
    CHECK_ARGS("{\"a\":\"say \\\"\\u000a\\\"\"}", BEGUN("$.a", "say \""), STRING("$.a", "\n\""));
    CHECK_ARGS("{\"a \\\"b\\\"\":1}", LITERAL("$['a \\\"b\\\"']", "1"));
}

TEST(gemini_args_nest) {
    CHECK_ARGS("{\"a\":{\"b\":{\"c\":1,\"d\":2},\"e\":3},\"f\":4}", LITERAL("$.a.b.c", "1"),
               LITERAL("$.a.b.d", "2"), LITERAL("$.a.e", "3"), LITERAL("$.f", "4"));
    CHECK_ARGS("{\"l\":[1,[2,3],{\"x\":4,\"y\":[5]}],\"m\":6}", LITERAL("$.l[0]", "1"),
               LITERAL("$.l[1][0]", "2"), LITERAL("$.l[1][1]", "3"), LITERAL("$.l[2].x", "4"),
               LITERAL("$.l[2].y[0]", "5"), LITERAL("$.m", "6"));
    CHECK_ARGS("{\"i\":[{\"n\":\"a\",\"q\":1},{\"n\":\"b\",\"q\":2}]}", STRING("$.i[0].n", "a"),
               LITERAL("$.i[0].q", "1"), STRING("$.i[1].n", "b"), LITERAL("$.i[1].q", "2"));
}

TEST(gemini_args_take_names_in_dots_and_in_brackets_for_the_same) {
    CHECK_ARGS("{\"a\":{\"b\":1,\"c\":2}}", LITERAL("$.a.b", "1"), LITERAL("$['a'][\"c\"]", "2"));
    CHECK_ARGS("{\"\":{\"it's\":1}}", LITERAL("$[''][\"it's\"]", "1"));
}

TEST(gemini_args_without_a_piece_are_an_empty_object) {
    raaf_gemini_args_t args;
    raaf_buffer_t json;

    raaf_gemini_args_init(&args);
    raaf_buffer_init(&json, 100);
    CHECK_EQ_INT(raaf_gemini_args_end(&args, &json), RAAF_OK);
    CHECK_EQ_STR(json.bytes, json.len, "{}");
    raaf_buffer_free(&json);
    raaf_gemini_args_free(&args);
}

TEST(gemini_args_may_come_whole) {
    raaf_gemini_args_t args;
    raaf_buffer_t json;
    const test_piece_t piece = LITERAL("$.a", "1");

    raaf_gemini_args_init(&args);
    raaf_buffer_init(&json, 100);
    CHECK_EQ_INT(raaf_gemini_args_set(&args, slice("{ \"a\": 1 }"), &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_set(&args, slice("{}"), &json), RAAF_INVALID_EVENT);
    CHECK_EQ_INT(add(&args, &piece, 1, &json), RAAF_INVALID_EVENT);
    CHECK_EQ_INT(raaf_gemini_args_end(&args, &json), RAAF_OK);
    CHECK_EQ_STR(json.bytes, json.len, "{ \"a\": 1 }");
    CHECK_EQ_INT(add(&args, &piece, 1, &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_set(&args, slice("{}"), &json), RAAF_INVALID_EVENT);
    raaf_buffer_free(&json);
    raaf_gemini_args_free(&args);
}

TEST(gemini_args_of_another_call_begin_anew) {
    raaf_gemini_args_t args;
    raaf_buffer_t json;
    const test_piece_t begun = BEGUN("$.a[0].b", "x");
    const test_piece_t piece = LITERAL("$.a", "1");

    raaf_gemini_args_init(&args);
    raaf_buffer_init(&json, 100);
    CHECK_EQ_INT(add(&args, &begun, 1, &json), RAAF_OK);
    raaf_gemini_args_reset(&args);
    json.len = 0;
    CHECK_EQ_INT(add(&args, &piece, 1, &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_end(&args, &json), RAAF_OK);
    CHECK_EQ_STR(json.bytes, json.len, "{\"a\":1}");
    raaf_buffer_free(&json);
    raaf_gemini_args_free(&args);
}

TEST(gemini_args_refuse_what_belongs_further_up) {
    CHECK_REFUSED(LITERAL("$.a", "1"), LITERAL("$.b", "2"), LITERAL("$.a", "3"));
    CHECK_REFUSED(LITERAL("$.a.b", "1"), LITERAL("$.c", "2"), LITERAL("$.a.d", "3"));
    CHECK_REFUSED(LITERAL("$.a[0].x", "1"), LITERAL("$.a[1].x", "2"), LITERAL("$.a[0].y", "3"));
    CHECK_REFUSED(LITERAL("$.a.x", "1"), LITERAL("$.a.y", "2"), LITERAL("$.a.x", "3"));
}

TEST(gemini_args_let_names_be_used_in_each_object) {
    CHECK_ARGS("{\"x\":{\"x\":{\"x\":1}},\"y\":{\"x\":2}}", LITERAL("$.x.x.x", "1"),
               LITERAL("$.y.x", "2"));
}

TEST(gemini_args_refuse_an_index_out_of_turn) {
    CHECK_REFUSED(LITERAL("$.a[1]", "1"));
    CHECK_REFUSED(LITERAL("$.a[0]", "1"), LITERAL("$.a[2]", "1"));
    CHECK_REFUSED(LITERAL("$.a[0]", "1"), LITERAL("$.a[1]", "1"), LITERAL("$.a[0]", "1"));
    CHECK_REFUSED(LITERAL("$[0]", "1"));
}

TEST(gemini_args_refuse_a_value_where_one_is) {
    CHECK_REFUSED(LITERAL("$.a", "1"), LITERAL("$.a", "1"));
    CHECK_REFUSED(STRING("$.a", "x"), STRING("$.a", ""));
    CHECK_REFUSED(BEGUN("$.a", "x"), LITERAL("$.a", "1"));
    CHECK_REFUSED(LITERAL("$.a", "1"), LITERAL("$.a.b", "1"));
    CHECK_REFUSED(LITERAL("$.a.b", "1"), LITERAL("$.a", "1"));
    CHECK_REFUSED(LITERAL("$.a.b", "1"), LITERAL("$.a[0]", "1"));
    CHECK_REFUSED(LITERAL("$.a[0]", "1"), LITERAL("$.a.b", "1"));
    CHECK_REFUSED({"$.a", RAAF_GEMINI_NO_VALUE, "", false});
}

TEST(gemini_args_refuse_what_is_no_place) {
    static const char *const paths[] = {
        "",
        "$",
        "$.",
        "a",
        "$a",
        "$..a",
        "$.a[",
        "$.a[]",
        "$.a[0",
        "$.a[-1]",
        "$.a[*]",
        "$.a.*.",
        "$['a",
        "$['a'",
        "$['a\\",
        "$['a\\n']",
        "$.a[0:1]",
        "$.a[?]",
        "$.a[x]",
        "$.a[0]b",
        "$.a['b'",
        "$.a['b'c]",
        "$.a[99999999999]",
    };

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        CHECK_REFUSED(LITERAL(paths[i], "1"));
    }
}

TEST(gemini_args_nest_as_deep_as_they_may) {
    char path[2 * (RAAF_GEMINI_ARGS_MAX_DEPTH + 1) + 2] = "$";
    test_piece_t piece = LITERAL(path, "1");

    for (int i = 0; i < RAAF_GEMINI_ARGS_MAX_DEPTH; i++)
        strcat(path, ".a");
    CHECK_EQ_UINT(strlen(path), 2 * RAAF_GEMINI_ARGS_MAX_DEPTH + 1);
    check_refused(&piece, 1, RAAF_OK);
    strcat(path, ".a");
    check_refused(&piece, 1, RAAF_TOO_DEEP);
}

TEST(gemini_args_can_be_tried_on_a_copy) {
    raaf_gemini_args_t args, copy;
    raaf_buffer_t json, tried;
    const test_piece_t pieces[] = {BEGUN("$.a[0].b", "x"), STRING("$.a[0].b", "y"),
                                   LITERAL("$.a[1].b", "1")};

    raaf_gemini_args_init(&args);
    raaf_gemini_args_init(&copy);
    raaf_buffer_init(&json, 1000);
    raaf_buffer_init(&tried, 1000);
    CHECK_EQ_INT(add(&args, pieces, 1, &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_copy(&copy, &args), RAAF_OK);
    CHECK_EQ_INT(add(&copy, pieces + 1, 2, &tried), RAAF_OK);
    CHECK_EQ_STR(tried.bytes, tried.len, "y\"},{\"b\":1");
    CHECK_EQ_INT(add(&args, pieces + 1, 2, &json), RAAF_OK);
    CHECK_EQ_INT(raaf_gemini_args_end(&args, &json), RAAF_OK);
    CHECK_EQ_STR(json.bytes, json.len, "{\"a\":[{\"b\":\"xy\"},{\"b\":1}]}");
    raaf_buffer_free(&json);
    raaf_buffer_free(&tried);
    raaf_gemini_args_free(&args);
    raaf_gemini_args_free(&copy);
}

TEST(gemini_args_report_that_memory_ran_out) {
    const test_piece_t pieces[] = {BEGUN("$['a']", "x\n"), LITERAL("$.b[0].c", "1")};
    int rc = RAAF_NO_MEMORY;
    long allowed;

    for (allowed = 0; rc == RAAF_NO_MEMORY && allowed < 100; allowed++) {
        raaf_gemini_args_t args, copy;
        raaf_buffer_t json;

        raaf_gemini_args_init(&args);
        raaf_gemini_args_init(&copy);
        raaf_buffer_init(&json, 1000);
        memory_runs_out_after(allowed);
        rc = add(&args, pieces, 2, &json);
        if (rc == RAAF_OK) rc = raaf_gemini_args_copy(&copy, &args);
        if (rc == RAAF_OK) rc = raaf_gemini_args_end(&args, &json);
        memory_is_back();
        CHECK(rc == RAAF_OK || rc == RAAF_NO_MEMORY);
        raaf_buffer_free(&json);
        raaf_gemini_args_free(&args);
        raaf_gemini_args_free(&copy);
    }
    CHECK_EQ_INT(rc, RAAF_OK);
    CHECK(allowed > 5);
}
