#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "random_numbers.h"
#include "partial_json_record.h"

#define BOM "\xEF\xBB\xBF"
#define FFFD "\xEF\xBF\xBD"

/* How an input is cut: 0 whole, n bytes a feed, or below 0 at random places. */
typedef struct cut {
    int step;
    uint64_t random;
} cut_t;

typedef struct limits {
    size_t depth;
    size_t token;
} limits_t;

static size_t next_part(cut_t *cut, size_t left) {
    size_t part = left;

    if (cut->step > 0) part = (size_t)cut->step;
    if (cut->step < 0) part = random_below(&cut->random, 9);
    return part > left ? left : part;
}

/* Each part is a copy of its own, so that a sanitizer sees a pointer kept too long. */
static int feed_copy(raaf_partial_json_t *json, const char *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_partial_json_feed(json, copy, len);
    free(copy);
    return rc;
}

static int feed_cut(raaf_partial_json_t *json, cut_t cut, const char *bytes, size_t len) {
    int rc = RAAF_OK;

    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        const size_t part = next_part(&cut, len - at);

        rc = feed_copy(json, bytes + at, part);
        at += part;
    }
    return rc;
}

/* What must come of an input, however it is cut. */
typedef struct outcome {
    const char *tokens;
    size_t tokens_len;
    int rc;
    size_t offset;
} outcome_t;

static void check_cut(cut_t cut, limits_t limits, const char *bytes, size_t len,
                      const outcome_t *expected) {
    raaf_partial_json_t json;
    record_t record;
    int rc;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, limits.depth, limits.token);
    rc = feed_cut(&json, cut, bytes, len);
    if (rc == RAAF_OK) rc = raaf_partial_json_finish(&json);
    if (!CHECK_EQ_INT(rc, expected->rc) ||
        !CHECK_EQ_BYTES(record.text.bytes, record.text.len, expected->tokens,
                        expected->tokens_len) ||
        !CHECK_EQ_UINT(json.offset, expected->offset) || !CHECK(!record.wrong)) {
        check_print_bytes("of", bytes, len);
    }
    CHECK_EQ_INT(json.result, expected->rc);
    CHECK_EQ_INT(raaf_partial_json_complete(&json), rc == RAAF_OK);
    if (rc != RAAF_OK) {
        CHECK_EQ_INT(raaf_partial_json_feed(&json, " ", 1), RAAF_STOP);
        CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_STOP);
    }
    CHECK_EQ_UINT(record.text.len, expected->tokens_len);
    raaf_partial_json_free(&json);
    record_free(&record);
}

static void check_anyhow(limits_t limits, const char *bytes, size_t len,
                         const outcome_t *expected) {
    for (int step = 0; step <= 7; step++) {
        check_cut((cut_t){.step = step}, limits, bytes, len, expected);
    }
    for (uint64_t seed = 1; seed <= 12; seed++) {
        check_cut((cut_t){.step = -1, .random = seed * 7919}, limits, bytes, len, expected);
    }
}

static void check_json(limits_t limits, const char *bytes, size_t len, const char *tokens,
                       size_t tokens_len, int rc, size_t offset) {
    const outcome_t expected = {tokens, tokens_len, rc, offset};

    check_anyhow(limits, bytes, len, &expected);
}

#define CHECK_READ(input, tokens)                                                                  \
    check_json((limits_t){0}, (input), sizeof(input) - 1, (tokens), sizeof(tokens) - 1, RAAF_OK,   \
               sizeof(input) - 1)

/* The input is refused at [at]; until there it says [tokens]. */
#define CHECK_REFUSED(input, tokens, at)                                                           \
    check_json((limits_t){0}, (input), sizeof(input) - 1, (tokens), sizeof(tokens) - 1,            \
               RAAF_INVALID_JSON, (at))

/* The input is the beginning of something. */
#define CHECK_UNFINISHED(input, tokens)                                                            \
    check_json((limits_t){0}, (input), sizeof(input) - 1, (tokens), sizeof(tokens) - 1,            \
               RAAF_TRUNCATED, sizeof(input) - 1)

#define CHECK_LIMITED(depth, token, input, tokens, rc, at)                                         \
    check_json((limits_t){(depth), (token)}, (input), sizeof(input) - 1, (tokens),                 \
               sizeof(tokens) - 1, (rc), (at))

/* The string between the quotes is [expected]. */
#define CHECK_STRING(escaped, expected)                                                            \
    CHECK_READ("\"" escaped "\"", "\"" expected "\"");                                             \
    CHECK_READ("{\"" escaped "\":\"" escaped "\"}", "{" expected ":\"" expected "\"}")

/* ---- values ---- */

TEST(partial_json_reports_values_of_every_kind) {
    CHECK_READ("{}", "{}");
    CHECK_READ("[]", "[]");
    CHECK_READ("\"\"", "\"\"");
    CHECK_READ("true", "t");
    CHECK_READ("false", "f");
    CHECK_READ("null", "z");
    CHECK_READ("0", "#0 ");
    CHECK_READ("[{},[],\"\",true,false,null,0]", "[{}[]\"\"tfz#0 ]");
    CHECK_READ("{\"a\":{},\"b\":[],\"c\":\"\",\"d\":true,\"e\":false,\"f\":null,\"g\":0}",
               "{a:{}b:[]c:\"\"d:te:ff:zg:#0 }");
}

TEST(partial_json_reports_what_is_nested) {
    CHECK_READ("{\"a\":{\"b\":[{\"c\":[[1],{\"d\":2}]},3]},\"e\":4}",
               "{a:{b:[{c:[[#1 ]{d:#2 }]}#3 ]}e:#4 }");
    CHECK_READ("[[[],[[]]],[{\"\":{}}]]", "[[[][[]]][{:{}}]]");
}

TEST(partial_json_reports_keys_that_come_twice) {
    CHECK_READ("{\"a\":1,\"a\":2}", "{a:#1 a:#2 }");
}

TEST(partial_json_skips_white_space_between_tokens) {
    CHECK_READ(" \t\r\n{ \"a\" : [ 1 , \"x y\" ] , \"b\" :\n{ } }\n ", "{a:[#1 \"x y\"]b:{}}");
    CHECK_READ("[ ]", "[]");
    CHECK_READ(" 7 ", "#7 ");
    CHECK_READ("\nnull\n", "z");
    CHECK_REFUSED("[\v]", "[", 1);
    CHECK_REFUSED("\f1", "", 0);
    CHECK_REFUSED("[\xC2\xA0]", "[", 1);
    CHECK_REFUSED("[1]\0", "[#1 ]", 3);
}

TEST(partial_json_skips_one_byte_order_mark_at_the_very_start) {
    CHECK_READ(BOM "[1]", "[#1 ]");
    CHECK_READ(BOM " [1]", "[#1 ]");
    CHECK_READ("[\"" BOM "\"]", "[\"" BOM "\"]");
    CHECK_REFUSED(" " BOM "[1]", "", 1);
    CHECK_REFUSED(BOM BOM "[1]", "", 3);
    CHECK_REFUSED("[1]" BOM, "[#1 ]", 3);
    CHECK_REFUSED("\xEF\xBB[1]", "", 2);
    CHECK_REFUSED("\xEF[1]", "", 1);
    CHECK_REFUSED("\xEF \xBB\xBF[1]", "", 1);
    CHECK_UNFINISHED("\xEF\xBB", "");
    CHECK_UNFINISHED(BOM, "");
}

/* ---- numbers ---- */

TEST(partial_json_reports_numbers_as_they_are_written) {
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "7",
                                          "10",
                                          "-123",
                                          "0.5",
                                          "-0.25",
                                          "1.0",
                                          "12.3400",
                                          "1e5",
                                          "1E5",
                                          "1e+5",
                                          "1E-05",
                                          "0e0",
                                          "-0E-0",
                                          "1.5e10",
                                          "1e400",
                                          "-1e-400",
                                          "123456789012345678901234567890",
                                          "0.1234567890123456789012345678901234567890"};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const size_t len = strlen(numbers[i]);
        char input[128], tokens[128];

        snprintf(tokens, sizeof tokens, "#%s ", numbers[i]);
        check_json((limits_t){0}, numbers[i], len, tokens, len + 2, RAAF_OK, len);
        snprintf(input, sizeof input, "[%s,%s]", numbers[i], numbers[i]);
        snprintf(tokens, sizeof tokens, "[#%s #%s ]", numbers[i], numbers[i]);
        check_json((limits_t){0}, input, 2 * len + 3, tokens, 2 * len + 6, RAAF_OK, 2 * len + 3);
        snprintf(input, sizeof input, "{\"n\":%s }", numbers[i]);
        snprintf(tokens, sizeof tokens, "{n:#%s }", numbers[i]);
        check_json((limits_t){0}, input, len + 7, tokens, len + 6, RAAF_OK, len + 7);
    }
}

TEST(partial_json_refuses_what_only_looks_like_a_number) {
    CHECK_REFUSED("[01]", "[#0 ", 2);
    CHECK_REFUSED("[-01]", "[#-0 ", 3);
    CHECK_REFUSED("[+1]", "[", 1);
    CHECK_REFUSED("[.5]", "[", 1);
    CHECK_REFUSED("[1.]", "[", 3);
    CHECK_REFUSED("[1.e5]", "[", 3);
    CHECK_REFUSED("[-]", "[", 2);
    CHECK_REFUSED("[--1]", "[", 2);
    CHECK_REFUSED("[1e]", "[", 3);
    CHECK_REFUSED("[1e+]", "[", 4);
    CHECK_REFUSED("[1e+-1]", "[", 4);
    CHECK_REFUSED("[1.2.3]", "[#1.2 ", 4);
    CHECK_REFUSED("[1e5.5]", "[#1e5 ", 4);
    CHECK_REFUSED("[1 2]", "[#1 ", 3);
    CHECK_REFUSED("[0x10]", "[#0 ", 2);
    CHECK_REFUSED("[1_000]", "[#1 ", 2);
    CHECK_REFUSED("[NaN]", "[", 1);
    CHECK_REFUSED("[Infinity]", "[", 1);
    CHECK_REFUSED("[-Infinity]", "[", 2);
}

TEST(partial_json_does_not_report_a_number_that_may_go_on) {
    raaf_partial_json_t json;
    record_t record;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, 0, 0);
    CHECK_EQ_INT(raaf_partial_json_feed(&json, "[12", 3), RAAF_OK);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "[");
    CHECK_EQ_INT(raaf_partial_json_feed(&json, "3", 1), RAAF_OK);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "[");
    CHECK_EQ_INT(raaf_partial_json_feed(&json, " ", 1), RAAF_OK);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "[#123 ");
    raaf_partial_json_free(&json);
    record_free(&record);
}

TEST(partial_json_number_alone_is_whole_at_the_finish) {
    raaf_partial_json_t json;
    record_t record;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, 0, 0);
    CHECK_EQ_INT(raaf_partial_json_feed(&json, "12", 2), RAAF_OK);
    CHECK(!raaf_partial_json_complete(&json));
    CHECK_EQ_UINT(record.tokens, 0);
    CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_OK);
    CHECK(raaf_partial_json_complete(&json));
    CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_OK);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "#12 ");
    CHECK_EQ_INT(raaf_partial_json_feed(&json, "3", 1), RAAF_INVALID_JSON);
    raaf_partial_json_free(&json);
    record_free(&record);
}

TEST(partial_json_number_in_its_middle_is_no_whole_one) {
    CHECK_UNFINISHED("-", "");
    CHECK_UNFINISHED("1.", "");
    CHECK_UNFINISHED("1e", "");
    CHECK_UNFINISHED("1e-", "");
    CHECK_UNFINISHED("[1", "[");
}

/* ---- true, false, null ---- */

TEST(partial_json_refuses_other_words) {
    CHECK_REFUSED("[tru]", "[", 4);
    CHECK_REFUSED("[truE]", "[", 4);
    CHECK_REFUSED("[TRUE]", "[", 1);
    CHECK_REFUSED("[nul,1]", "[", 4);
    CHECK_REFUSED("[nulll]", "[z", 5);
    CHECK_REFUSED("[truefalse]", "[t", 5);
    CHECK_REFUSED("[fals e]", "[", 5);
    CHECK_REFUSED("undefined", "", 0);
    CHECK_UNFINISHED("tru", "");
    CHECK_UNFINISHED("[n", "[");
}

/* ---- strings ---- */

TEST(partial_json_decodes_every_escape) {
    CHECK_STRING("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t");
    CHECK_STRING("a\\nb", "a\nb");
    CHECK_STRING("\\\\n", "\\n");
    CHECK_STRING("\\\\\\\\", "\\\\");
    CHECK_STRING("\\u0041\\u00e9\\u00E9\\u20AC\\u20ac\\ufffd\\uFFFF",
                 "A\xC3\xA9\xC3\xA9\xE2\x82\xAC"
                 "\xE2\x82\xAC" FFFD "\xEF\xBF\xBF");
    CHECK_STRING("\\u0000", "\0");
    CHECK_STRING("x\\u0000y", "x\0y");
    CHECK_STRING("\\u007f\\u0080\\u07FF\\u0800", "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80");
    CHECK_STRING("\\u000a\\u001F", "\n\x1F");
}

TEST(partial_json_refuses_escapes_that_do_not_exist) {
    CHECK_REFUSED("[\"a\\x\"]", "[\"a", 4);
    CHECK_REFUSED("[\"\\'\"]", "[\"", 3);
    CHECK_REFUSED("[\"\\U0041\"]", "[\"", 3);
    CHECK_REFUSED("[\"\\\0\"]", "[\"", 3);
    CHECK_REFUSED("[\"\\u00g0\"]", "[\"", 6);
    CHECK_REFUSED("[\"\\u00\"]", "[\"", 6);
    CHECK_REFUSED("[\"\\u 041\"]", "[\"", 4);
    CHECK_REFUSED("[\"\\u+041\"]", "[\"", 4);
    CHECK_REFUSED("[\"\\u00`0\"]", "[\"", 6);
    CHECK_REFUSED("[\"\\u00@0\"]", "[\"", 6);
    CHECK_REFUSED("[\"\\\n\"]", "[\"", 3);
}

TEST(partial_json_refuses_control_characters_in_strings) {
    for (int c = 0; c < 0x20; c++) {
        const char input[] = {'[', '"', 'a', (char)c, '"', ']'};

        check_json((limits_t){0}, input, sizeof input, "[\"a", 3, RAAF_INVALID_JSON, 3);
    }
    CHECK_STRING("\x7F", "\x7F");
}

TEST(partial_json_joins_surrogate_escapes) {
    CHECK_STRING("\\ud83d\\ude00", "\xF0\x9F\x98\x80");
    CHECK_STRING("\\uD83D\\uDE00x", "\xF0\x9F\x98\x80x");
    CHECK_STRING("\\ud800\\udc00\\udbff\\udfff", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
}

TEST(partial_json_replaces_halves_of_surrogate_pairs) {
    CHECK_STRING("\\ud83d", FFFD);
    CHECK_STRING("\\ude00", FFFD);
    CHECK_STRING("\\ud83dx", FFFD "x");
    CHECK_STRING("\\ud83d\\n", FFFD "\n");
    CHECK_STRING("\\ud83d\\u0041", FFFD "A");
    CHECK_STRING("\\ud83d\\ud83d\\ude00", FFFD "\xF0\x9F\x98\x80");
    CHECK_STRING("\\ude00\\ud83d", FFFD FFFD);
}

TEST(partial_json_repairs_what_is_no_utf8) {
    CHECK_STRING("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK_STRING("a\xFF"
                 "b",
                 "a" FFFD "b");
    CHECK_STRING("\xE2\x82", FFFD);
    CHECK_STRING("\xE2\x82\\u00ac", FFFD "\xC2\xAC");
    CHECK_STRING("\xC0\x80", FFFD FFFD);
    CHECK_STRING("\xF4\x90\x80\x80", FFFD FFFD FFFD FFFD);
    CHECK_REFUSED("[\xC3\xA9]", "[", 1);
}

TEST(partial_json_keeps_the_open_end_of_one_string_from_the_next) {
    CHECK_READ("[\"\xE2\x82\",\"\xAC\"]", "[\"" FFFD "\"\"" FFFD "\"]");
    CHECK_READ("{\"\\ud83d\":\"\\ude00\"}", "{" FFFD ":\"" FFFD "\"}");
}

TEST(partial_json_reports_a_string_while_it_grows) {
    static const struct {
        const char *fed;
        const char *said;
    } steps[] = {
        {"{\"a\":", "{a:"},
        {"\"", "{a:\""},
        {"x", "{a:\"x"},
        {"y\xE2\x82", "{a:\"xy"},
        {"\xAC", "{a:\"xy\xE2\x82\xAC"},
        {"\\", "{a:\"xy\xE2\x82\xAC"},
        {"n", "{a:\"xy\xE2\x82\xAC\n"},
        {"\\ud83d", "{a:\"xy\xE2\x82\xAC\n"},
        {"\\ude0", "{a:\"xy\xE2\x82\xAC\n"},
        {"0", "{a:\"xy\xE2\x82\xAC\n\xF0\x9F\x98\x80"},
        {"\"", "{a:\"xy\xE2\x82\xAC\n\xF0\x9F\x98\x80\""},
        {"}", "{a:\"xy\xE2\x82\xAC\n\xF0\x9F\x98\x80\"}"},
    };
    raaf_partial_json_t json;
    record_t record;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, 0, 0);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        CHECK_EQ_INT(feed_copy(&json, steps[i].fed, strlen(steps[i].fed)), RAAF_OK);
        CHECK_EQ_STR(record.text.bytes, record.text.len, steps[i].said);
    }
    CHECK(raaf_partial_json_complete(&json));
    CHECK(!record.wrong);
    raaf_partial_json_free(&json);
    record_free(&record);
}

TEST(partial_json_does_not_report_a_key_before_its_end) {
    CHECK_UNFINISHED("{\"ab", "{");
    CHECK_UNFINISHED("{\"ab\"", "{ab:");
    CHECK_UNFINISHED("{\"ab\":", "{ab:");
    CHECK_UNFINISHED("{\"ab\":\"", "{ab:\"");
}

/* ---- what is no JSON ---- */

TEST(partial_json_says_where_the_input_goes_wrong) {
    CHECK_REFUSED("{\"a\" 1}", "{a:", 5);
    CHECK_REFUSED("{\"a\":}", "{a:", 5);
    CHECK_REFUSED("{\"a\":1 \"b\":2}", "{a:#1 ", 7);
    CHECK_REFUSED("{\"a\":1,}", "{a:#1 ", 7);
    CHECK_REFUSED("{,}", "{", 1);
    CHECK_REFUSED("{a:1}", "{", 1);
    CHECK_REFUSED("{'a':1}", "{", 1);
    CHECK_REFUSED("{1:1}", "{", 1);
    CHECK_REFUSED("{\"a\"}", "{a:", 4);
    CHECK_REFUSED("{\"a\":1]", "{a:#1 ", 6);
    CHECK_REFUSED("[1,]", "[#1 ", 3);
    CHECK_REFUSED("[,1]", "[", 1);
    CHECK_REFUSED("[1}", "[#1 ", 2);
    CHECK_REFUSED("[:]", "[", 1);
    CHECK_REFUSED("]", "", 0);
    CHECK_REFUSED("}", "", 0);
    CHECK_REFUSED(",", "", 0);
    CHECK_REFUSED("/* no */ 1", "", 0);
    CHECK_REFUSED("[1 // no\n]", "[#1 ", 3);
    CHECK_REFUSED("Sure! {}", "", 0);
    CHECK_REFUSED("```json\n{}", "", 0);
    CHECK_REFUSED("{\"a\":\0}", "{a:", 5);
}

TEST(partial_json_refuses_text_behind_the_value) {
    CHECK_REFUSED("{}{}", "{}", 2);
    CHECK_REFUSED("[] x", "[]", 3);
    CHECK_REFUSED("1 2", "#1 ", 2);
    CHECK_REFUSED("\"a\"\"b\"", "\"a\"", 3);
    CHECK_REFUSED("true,", "t", 4);
    CHECK_REFUSED("{}}", "{}", 2);
}

TEST(partial_json_is_not_complete_before_its_end) {
    CHECK_UNFINISHED("", "");
    CHECK_UNFINISHED(" \n", "");
    CHECK_UNFINISHED("{", "{");
    CHECK_UNFINISHED("[", "[");
    CHECK_UNFINISHED("[1,", "[#1 ");
    CHECK_UNFINISHED("[[1]", "[[#1 ]");
    CHECK_UNFINISHED("{\"a\":1", "{a:");
    CHECK_UNFINISHED("{\"a\":1,", "{a:#1 ");
    CHECK_UNFINISHED("\"a", "\"a");
    CHECK_UNFINISHED("\"a\\", "\"a");
    CHECK_UNFINISHED("\"a\\u004", "\"a");
    CHECK_UNFINISHED("\"a\\ud83d", "\"a");
    CHECK_UNFINISHED("\"a\xE2\x82", "\"a");
}

static const char *expected_after(const char *input) {
    raaf_partial_json_t json;
    record_t record;
    const char *text;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, 0, 0);
    raaf_partial_json_feed(&json, input, strlen(input));
    text = raaf_partial_json_expected(&json);
    raaf_partial_json_free(&json);
    record_free(&record);
    return text;
}

TEST(partial_json_says_what_it_waits_for) {
    CHECK_EQ_CSTR(expected_after(""), "a value");
    CHECK_EQ_CSTR(expected_after("x"), "a value");
    CHECK_EQ_CSTR(expected_after("["), "a value or ]");
    CHECK_EQ_CSTR(expected_after("[1,]"), "a value");
    CHECK_EQ_CSTR(expected_after("[1 2"), "a comma or ]");
    CHECK_EQ_CSTR(expected_after("{"), "a key or }");
    CHECK_EQ_CSTR(expected_after("{\"a\":1,}"), "a key");
    CHECK_EQ_CSTR(expected_after("{\"a\"="), "a colon");
    CHECK_EQ_CSTR(expected_after("{\"a\":1;"), "a comma or }");
    CHECK_EQ_CSTR(expected_after("{\"a\":[1;"), "a comma or ]");
    CHECK_EQ_CSTR(expected_after("[{\"a\":1;"), "a comma or }");
    CHECK_EQ_CSTR(expected_after("\"\\x"), "an escape that JSON has");
    CHECK_EQ_CSTR(expected_after("1."), "a digit");
    CHECK_EQ_CSTR(expected_after("{} x"), "nothing more");
}

/* ---- limits ---- */

TEST(partial_json_limits_the_depth) {
    CHECK_LIMITED(2, 0, "[[1]]", "[[#1 ]]", RAAF_OK, 5);
    CHECK_LIMITED(2, 0, "[[[", "[[", RAAF_TOO_DEEP, 2);
    CHECK_LIMITED(2, 0, "[[1],{\"a\":{", "[[#1 ]{a:", RAAF_TOO_DEEP, 10);
    CHECK_LIMITED(2, 0, "[[1],{\"a\":\"{\"}]", "[[#1 ]{a:\"{\"}]", RAAF_OK, 15);
    CHECK_LIMITED(1, 0, "[[", "[", RAAF_TOO_DEEP, 1);
}

static void check_depth(size_t limit, size_t depth, int expected) {
    raaf_partial_json_t json;
    record_t record;
    int rc = RAAF_OK;

    record_init(&record);
    raaf_partial_json_init(&json, record_token, &record, limit, 0);
    for (size_t i = 0; i < depth && rc == RAAF_OK; i++) {
        rc = i % 3 == 0 ? raaf_partial_json_feed(&json, "[", 1)
                        : raaf_partial_json_feed(&json, "{\"a\":", 5);
    }
    if (rc == RAAF_OK) rc = raaf_partial_json_feed(&json, "0", 1);
    for (size_t i = depth; i > 0 && rc == RAAF_OK; i--) {
        rc = raaf_partial_json_feed(&json, (i - 1) % 3 == 0 ? "]" : "}", 1);
    }
    CHECK_EQ_INT(rc, expected);
    CHECK_EQ_INT(raaf_partial_json_complete(&json), expected == RAAF_OK);
    CHECK(!record.wrong);
    raaf_partial_json_free(&json);
    record_free(&record);
}

TEST(partial_json_has_a_depth_of_its_own_and_a_greatest_one) {
    check_depth(0, RAAF_PARTIAL_JSON_DEPTH, RAAF_OK);
    check_depth(0, RAAF_PARTIAL_JSON_DEPTH + 1, RAAF_TOO_DEEP);
    check_depth(7, 7, RAAF_OK);
    check_depth(7, 8, RAAF_TOO_DEEP);
    check_depth(RAAF_PARTIAL_JSON_MOST_DEPTH, RAAF_PARTIAL_JSON_MOST_DEPTH, RAAF_OK);
    check_depth(RAAF_PARTIAL_JSON_MOST_DEPTH, RAAF_PARTIAL_JSON_MOST_DEPTH + 1, RAAF_TOO_DEEP);
    check_depth(SIZE_MAX, RAAF_PARTIAL_JSON_MOST_DEPTH + 1, RAAF_TOO_DEEP);
}

TEST(partial_json_limits_keys_and_numbers_and_says_where_they_begin) {
    CHECK_LIMITED(0, 4, "{\"abcd\":1234}", "{abcd:#1234 }", RAAF_OK, 13);
    CHECK_LIMITED(0, 4, "{\"abcde\":1}", "{", RAAF_EVENT_TOO_LARGE, 1);
    CHECK_LIMITED(0, 4, "{\"abcdefgh", "{", RAAF_EVENT_TOO_LARGE, 1);
    CHECK_LIMITED(0, 4, "{\"a\":1,\"\\u20ac\\n\":12345}",
                  "{a:#1 \xE2\x82\xAC\n:", RAAF_EVENT_TOO_LARGE, 18);
    CHECK_LIMITED(0, 4, "{\"ab\\u20ac\":1}", "{", RAAF_EVENT_TOO_LARGE, 1);
    CHECK_LIMITED(0, 4, "{\"abc\xE2\":1}", "{", RAAF_EVENT_TOO_LARGE, 1);
    CHECK_LIMITED(0, 4, "[\"abcdefghijkl\"]", "[\"abcdefghijkl\"]", RAAF_OK, 16);
    CHECK_LIMITED(0, 4, "-1234", "", RAAF_EVENT_TOO_LARGE, 0);
}

TEST(partial_json_takes_keys_and_numbers_up_to_the_limit_of_its_own) {
    for (size_t more = 0; more <= 1; more++) {
        const size_t len = RAAF_PARTIAL_JSON_MAX_TOKEN + more;
        char *input = malloc(len + 2);
        raaf_partial_json_t json;
        record_t record;

        memset(input, '7', len + 2);
        input[0] = '{';
        input[1] = '"';
        record_init(&record);
        raaf_partial_json_init(&json, record_token, &record, 0, 0);
        CHECK_EQ_INT(raaf_partial_json_feed(&json, input, len + 2),
                     more == 0 ? RAAF_OK : RAAF_EVENT_TOO_LARGE);
        raaf_partial_json_free(&json);
        raaf_partial_json_init(&json, record_token, &record, 0, 0);
        CHECK_EQ_INT(raaf_partial_json_feed(&json, input + 2, len),
                     more == 0 ? RAAF_OK : RAAF_EVENT_TOO_LARGE);
        raaf_partial_json_free(&json);
        record_free(&record);
        free(input);
    }
}

/* ---- long strings ---- */

/* A string of about [len] bytes in which a character may lie across any boundary. */
static char *long_string(size_t len, size_t *total) {
    static const char *const parts[] = {"abc", "\\n", "\xE2\x82\xAC", "\\ud83d\\ude00",
                                        "\xF0\x9F\x98\x80"};
    char *input = malloc(len + 32);
    uint64_t random = 17;
    size_t n = 1;

    input[0] = '"';
    while (n < len) {
        const char *part = parts[random_below(&random, 5)];

        memcpy(input + n, part, strlen(part));
        n += strlen(part);
    }
    input[n++] = '"';
    *total = n;
    return input;
}

TEST(partial_json_reports_long_strings_whole_in_any_pieces) {
    static const int steps[] = {0, 1, 3, 1000, 4095, 4096, 4097, 100000, -1};
    raaf_partial_json_t json;
    record_t whole;
    size_t len;
    char *input = long_string(200000, &len);

    record_init(&whole);
    raaf_partial_json_init(&json, record_token, &whole, 0, 0);
    CHECK_EQ_INT(feed_cut(&json, (cut_t){0}, input, len), RAAF_OK);
    CHECK(raaf_partial_json_complete(&json));
    raaf_partial_json_free(&json);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const outcome_t expected = {whole.text.bytes, whole.text.len, RAAF_OK, len};

        check_cut((cut_t){.step = steps[i], .random = 5}, (limits_t){0}, input, len, &expected);
    }
    record_free(&whole);
    free(input);
}

static int count_tokens(void *context, const raaf_partial_json_token_t *token) {
    ++*(size_t *)context;
    return RAAF_OK;
}

static size_t longest_piece;

static int measure_token(void *context, const raaf_partial_json_token_t *token) {
    if (token->len > longest_piece) longest_piece = token->len;
    return RAAF_OK;
}

TEST(partial_json_needs_the_same_memory_for_any_string) {
    size_t len;
    char *input = long_string(1 << 20, &len);
    raaf_partial_json_t json;

    longest_piece = 0;
    raaf_partial_json_init(&json, measure_token, NULL, 0, 0);
    CHECK_EQ_INT(raaf_partial_json_feed(&json, input, len), RAAF_OK);
    CHECK(longest_piece >= 4096);
    CHECK(longest_piece <= 4 * 4096);
    raaf_partial_json_free(&json);
    free(input);
}

/* Allocations while a string of [pieces] pieces is read. */
static long allocations_for(size_t pieces) {
    raaf_partial_json_t json;
    size_t tokens = 0;
    long before;

    raaf_partial_json_init(&json, count_tokens, &tokens, 0, 0);
    raaf_partial_json_feed(&json, "{\"key\":\"", 8);
    before = memory_calls();
    for (size_t i = 0; i < pieces; i++) {
        raaf_partial_json_feed(&json, "a\\n\xE2\x82\xAC", 6);
    }
    CHECK_EQ_UINT(tokens, 3 + pieces);
    raaf_partial_json_free(&json);
    return memory_calls() - before;
}

TEST(partial_json_allocates_nothing_more_for_more_pieces) {
    CHECK(allocations_for(10) <= 1);
    CHECK_EQ_INT(allocations_for(10000), allocations_for(10));
}

/* ---- the receiver ---- */

TEST(partial_json_receiver_ends_the_reading_with_a_value_of_its_own) {
    static const char input[] = "{\"a\":[1,\"x\",true],\"b\":null} ";
    record_t all;
    raaf_partial_json_t json;

    record_init(&all);
    raaf_partial_json_init(&json, record_token, &all, 0, 0);
    raaf_partial_json_feed(&json, input, sizeof input - 1);
    raaf_partial_json_free(&json);
    CHECK_EQ_UINT(all.tokens, 12);
    for (size_t stop = 1; stop <= all.tokens; stop++) {
        for (int step = 0; step < 3; step++) {
            record_t record;

            record_init(&record);
            record.stop_at = stop;
            raaf_partial_json_init(&json, record_token, &record, 0, 0);
            CHECK_EQ_INT(feed_cut(&json, (cut_t){.step = step}, input, sizeof input - 1),
                         RAAF_CANCELLED);
            CHECK_EQ_UINT(record.tokens, stop);
            CHECK_EQ_INT(json.result, RAAF_CANCELLED);
            CHECK(!raaf_partial_json_complete(&json));
            CHECK_EQ_INT(raaf_partial_json_feed(&json, "1", 1), RAAF_STOP);
            CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_STOP);
            CHECK_EQ_UINT(record.tokens, stop);
            raaf_partial_json_free(&json);
            record_free(&record);
        }
    }
    record_free(&all);
}

TEST(partial_json_receiver_may_end_the_reading_at_the_finish) {
    raaf_partial_json_t json;
    record_t record;

    record_init(&record);
    record.stop_at = 1;
    raaf_partial_json_init(&json, record_token, &record, 0, 0);
    CHECK_EQ_INT(raaf_partial_json_feed(&json, "1", 1), RAAF_OK);
    CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_CANCELLED);
    CHECK_EQ_INT(raaf_partial_json_finish(&json), RAAF_STOP);
    raaf_partial_json_free(&json);
    record_free(&record);
}

/* ---- memory ---- */

TEST(partial_json_reports_that_memory_ran_out) {
    static const char input[] = "{\"a key\":\"some text, \\n and more\",\"another\":[1234567890]}";
    static const char tokens[] = "{a key:\"some text, \n and more\"another:[#1234567890 ]}";
    int failures = 0;

    for (int step = 0; step <= 9; step++) {
        int rc = RAAF_NO_MEMORY;

        for (long allowed = 0; allowed < 200 && rc != RAAF_OK; allowed++) {
            raaf_partial_json_t json;
            record_t record;

            record_init(&record);
            raaf_buffer_reserve(&record.text, 1000);
            raaf_buffer_reserve(&record.open, 16);
            raaf_partial_json_init(&json, record_token, &record, 0, 0);
            memory_runs_out_after(allowed);
            rc = RAAF_OK;
            for (size_t at = 0; at < sizeof input - 1 && rc == RAAF_OK;) {
                size_t part = step == 0 ? sizeof input - 1 : (size_t)step;

                if (part > sizeof input - 1 - at) part = sizeof input - 1 - at;
                rc = raaf_partial_json_feed(&json, input + at, part);
                at += part;
            }
            memory_is_back();
            CHECK(rc == RAAF_OK || rc == RAAF_NO_MEMORY);
            CHECK_EQ_INT(json.result, rc);
            CHECK_EQ_INT(raaf_partial_json_finish(&json), rc == RAAF_OK ? RAAF_OK : RAAF_STOP);
            CHECK(!record.wrong);
            if (rc == RAAF_OK) CHECK_EQ_STR(record.text.bytes, record.text.len, tokens);
            failures += rc != RAAF_OK;
            raaf_partial_json_free(&json);
            record_free(&record);
        }
        CHECK_EQ_INT(rc, RAAF_OK);
    }
    CHECK(failures > 0);
}

TEST(partial_json_reports_that_memory_ran_out_in_a_long_string) {
    size_t len;
    char *input = long_string(50000, &len);
    int failures = 0;
    int rc = RAAF_NO_MEMORY;

    for (long allowed = 0; rc != RAAF_OK && allowed < 200; allowed++) {
        raaf_partial_json_t json;
        size_t tokens = 0;

        raaf_partial_json_init(&json, count_tokens, &tokens, 0, 0);
        memory_runs_out_after(allowed);
        rc = raaf_partial_json_feed(&json, input, len);
        memory_is_back();
        CHECK(rc == RAAF_OK || rc == RAAF_NO_MEMORY);
        failures += rc != RAAF_OK;
        raaf_partial_json_free(&json);
    }
    CHECK_EQ_INT(rc, RAAF_OK);
    CHECK(failures > 0);
    free(input);
}

/* ---- anything ---- */

TEST(partial_json_random_texts_say_the_same_in_any_pieces) {
    static const char *const words[] = {
        "{",      "}",  "[",    "]",        ":",       ",",       "\"",       "\"a\"",
        "\"a\":", "1",  "-2.5", "e7",       "0",       "true",    "null",     " ",
        "\n",     "\\", "\\n",  "\\u00e9",  "\\ud83d", "\\ude00", "\xE2\x82", "\xAC",
        "\xFF",   "x",  BOM,    "{\"k\":[", "]}",      "tru"};
    uint64_t random = 4242;

    for (int round = 0; round < 3000; round++) {
        const limits_t limits = {round % 3 ? 0 : 3, round % 4 ? 0 : 3};
        char input[200];
        size_t len = 0;
        raaf_partial_json_t json;
        record_t record;
        outcome_t whole;

        while (len < 20 + (size_t)(round % 60)) {
            const char *word = words[random_below(&random, sizeof words / sizeof words[0])];

            memcpy(input + len, word, strlen(word));
            len += strlen(word);
        }
        record_init(&record);
        raaf_partial_json_init(&json, record_token, &record, limits.depth, limits.token);
        whole.rc = feed_cut(&json, (cut_t){0}, input, len);
        if (whole.rc == RAAF_OK) whole.rc = raaf_partial_json_finish(&json);
        whole.tokens = record.text.bytes;
        whole.tokens_len = record.text.len;
        whole.offset = json.offset;
        check_cut((cut_t){.step = 1}, limits, input, len, &whole);
        check_cut((cut_t){.step = 2}, limits, input, len, &whole);
        check_cut((cut_t){.step = -1, .random = random}, limits, input, len, &whole);
        raaf_partial_json_free(&json);
        record_free(&record);
    }
}
