#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "json_reader.c"

enum { LIST = 2, ITEM, INNER, TEXT, NUMBER, SHARED };

static const raaf_json_field_t fields[] = {
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, LIST, "list"),
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, ITEM, "item"),
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, TEXT, "text"),
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, NUMBER, "n"),
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, SHARED, "this"),
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, SHARED, "that"),
    RAAF_JSON_FIELD(LIST, TEXT, "text"),
    RAAF_JSON_FIELD(LIST, INNER, "inner"),
    RAAF_JSON_FIELD(ITEM, INNER, "inner"),
    RAAF_JSON_FIELD(ITEM, TEXT, "text"),
    RAAF_JSON_FIELD(INNER, TEXT, "text"),
};

static const raaf_json_table_t fields_table = {fields, sizeof fields / sizeof fields[0]};

/* What the reader reported, as text: "{1 s5=Hi }1={"text":"Hi"} " and so on. */
typedef struct report_text {
    raaf_buffer_t text;
    int values;
    int stop_at; /* the value at which the receiver ends the reading; 0: none */
} report_text_t;

static void write_text(report_text_t *report, const char *bytes, size_t len) {
    raaf_buffer_append(&report->text, bytes, len);
}

static int write_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    static const char signs[] = {'z', 'f', 't', '#', 's', '{', '}', '[', ']'};
    report_text_t *report = context;
    char head[16];

    snprintf(head, sizeof head, "%c%u", signs[value->type], field);
    write_text(report, head, strlen(head));
    if (value->bytes != NULL) {
        write_text(report, "=", 1);
        write_text(report, value->bytes, value->len);
    } else {
        CHECK_EQ_UINT(value->len, 0);
        CHECK(value->type != RAAF_JSON_STRING && value->type != RAAF_JSON_NUMBER);
    }
    write_text(report, " ", 1);
    return ++report->values == report->stop_at ? RAAF_CANCELLED : RAAF_OK;
}

/* The text is read from a copy of its own length, so that a sanitizer sees a read behind its end. */
static int read_copy(raaf_json_reader_t *reader, const char *bytes, size_t len,
                     report_text_t *report) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_json_read(reader, copy, len, write_value, report);
    free(copy);
    return rc;
}

static int read_with(const raaf_json_table_t *rows, const char *bytes, size_t len,
                     report_text_t *report) {
    raaf_json_reader_t reader;
    int rc;

    memset(report, 0, sizeof *report);
    raaf_buffer_init(&report->text, (size_t)1 << 30);
    raaf_json_reader_init(&reader, rows);
    rc = read_copy(&reader, bytes, len, report);
    raaf_json_reader_free(&reader);
    return rc;
}

static void check_read(const char *bytes, size_t len, const char *expected, size_t expected_len) {
    report_text_t report;

    CHECK_EQ_INT(read_with(&fields_table, bytes, len, &report), RAAF_OK);
    CHECK_EQ_BYTES(report.text.bytes, report.text.len, expected, expected_len);
    raaf_buffer_free(&report.text);
}

static void check_refused(const char *bytes, size_t len, int expected) {
    report_text_t report;

    if (!CHECK_EQ_INT(read_with(&fields_table, bytes, len, &report), expected)) {
        check_print_bytes("of", bytes, len);
    }
    raaf_buffer_free(&report.text);
}

#define CHECK_READ(input, expected)                                                                \
    check_read((input), sizeof(input) - 1, (expected), sizeof(expected) - 1)
#define CHECK_REFUSED(input, rc) check_refused((input), sizeof(input) - 1, (rc))

/* {"text":"…"} must report the one string [expected]. */
#define CHECK_STRING(escaped, expected)                                                            \
    CHECK_READ("{\"text\":\"" escaped "\"}", "{1 s5=" expected " }1={\"text\":\"" escaped "\"} ")

/* ---- which values are reported ---- */

TEST(json_reports_the_fields_that_were_asked_for) {
    CHECK_READ("{\"text\":\"Hi\"}", "{1 s5=Hi }1={\"text\":\"Hi\"} ");
    CHECK_READ("{}", "{1 }1={} ");
    CHECK_READ(" \t\r\n{ } \n", "{1 }1={ } ");
}

TEST(json_skips_what_nobody_asked_for_with_all_below_it) {
    CHECK_READ("{\"other\":{\"text\":\"no\",\"list\":[{\"text\":\"no\"}]},\"x\":[[1],{\"text\":2}],"
               "\"n\":1}",
               "{1 #6=1 }1={\"other\":{\"text\":\"no\",\"list\":[{\"text\":\"no\"}]},"
               "\"x\":[[1],{\"text\":2}],\"n\":1} ");
    CHECK_READ("{\"y\":null,\"z\":true,\"w\":[],\"v\":\"text\"}",
               "{1 }1={\"y\":null,\"z\":true,\"w\":[],\"v\":\"text\"} ");
}

TEST(json_tells_keys_apart_by_their_parents) {
    CHECK_READ("{\"item\":{\"inner\":{\"text\":1,\"inner\":2,\"n\":3},\"list\":4}}",
               "{1 {3 {4 #5=1 }4={\"text\":1,\"inner\":2,\"n\":3} "
               "}3={\"inner\":{\"text\":1,\"inner\":2,\"n\":3},\"list\":4} "
               "}1={\"item\":{\"inner\":{\"text\":1,\"inner\":2,\"n\":3},\"list\":4}} ");
}

TEST(json_compares_keys_whole) {
    CHECK_READ("{\"tex\":1,\"text2\":1,\"\":1,\"Text\":1,\"text\\u0000\":1,\"t\\u0065xt\":2}",
               "{1 #5=2 }1={\"tex\":1,\"text2\":1,\"\":1,\"Text\":1,\"text\\u0000\":1,"
               "\"t\\u0065xt\":2} ");
}

TEST(json_may_give_one_number_to_several_keys) {
    CHECK_READ("{\"this\":1,\"that\":2}", "{1 #7=1 #7=2 }1={\"this\":1,\"that\":2} ");
}

TEST(json_elements_of_an_array_carry_the_number_of_the_array) {
    CHECK_READ("{\"list\":[1,\"a\",null,[true,{\"text\":\"b\"}],{\"text\":\"c\"}]}",
               "{1 [2 #2=1 s2=a z2 [2 t2 {2 s5=b }2={\"text\":\"b\"} ]2=[true,{\"text\":\"b\"}] "
               "{2 s5=c }2={\"text\":\"c\"} "
               "]2=[1,\"a\",null,[true,{\"text\":\"b\"}],{\"text\":\"c\"}] "
               "}1={\"list\":[1,\"a\",null,[true,{\"text\":\"b\"}],{\"text\":\"c\"}]} ");
}

TEST(json_reports_every_kind_of_value) {
    CHECK_READ("{\"n\":null,\"n\":false,\"n\":true,\"n\":-1,\"n\":\"\",\"n\":{},\"n\":[]}",
               "{1 z6 f6 t6 #6=-1 s6= {6 }6={} [6 ]6=[] "
               "}1={\"n\":null,\"n\":false,\"n\":true,\"n\":-1,\"n\":\"\",\"n\":{},\"n\":[]} ");
}

TEST(json_reports_a_repeated_key_each_time) {
    CHECK_READ("{\"text\":\"a\",\"text\":\"b\"}",
               "{1 s5=a s5=b }1={\"text\":\"a\",\"text\":\"b\"} ");
}

TEST(json_gives_the_source_of_an_object_as_it_was_written) {
    CHECK_READ("{ \"item\" : { \"inner\" :\t{ \"x\" : [ 1 , 2 ] }\n} }",
               "{1 {3 {4 }4={ \"x\" : [ 1 , 2 ] } }3={ \"inner\" :\t{ \"x\" : [ 1 , 2 ] }\n} "
               "}1={ \"item\" : { \"inner\" :\t{ \"x\" : [ 1 , 2 ] }\n} } ");
}

TEST(json_gives_numbers_as_they_are_written) {
    CHECK_READ("{\"n\":1e400,\"n\":123456789012345678901234567890,\"n\":-0.50E+1}",
               "{1 #6=1e400 #6=123456789012345678901234567890 #6=-0.50E+1 "
               "}1={\"n\":1e400,\"n\":123456789012345678901234567890,\"n\":-0.50E+1} ");
}

TEST(json_reads_a_number_of_400_digits) {
    char input[500];
    report_text_t report;

    snprintf(input, sizeof input, "{\"n\":%0400d}", 7);
    input[5] = '1';
    CHECK_EQ_INT(read_with(&fields_table, input, strlen(input), &report), RAAF_OK);
    CHECK_EQ_BYTES(report.text.bytes + 6, 400, input + 5, 400);
    raaf_buffer_free(&report.text);
}

/* ---- strings ---- */

TEST(json_decodes_escapes) {
    CHECK_STRING("a\\\"b\\\\c\\/d", "a\"b\\c/d");
    CHECK_STRING("\\b\\f\\n\\r\\t", "\b\f\n\r\t");
    CHECK_STRING("\\u0041\\u00e9\\u20AC\\uffff", "A\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBF");
    CHECK_STRING("\xC3\xA9\xF0\x9F\x98\x80", "\xC3\xA9\xF0\x9F\x98\x80");
}

TEST(json_decodes_an_escaped_nul_as_a_byte_of_the_text) {
    CHECK_STRING("a\\u0000b\\u0000", "a\0b\0");
    CHECK_STRING("\\u0000", "\0");
}

TEST(json_passes_invalid_utf8_on) {
    CHECK_STRING("a\xFF\xC3", "a\xFF\xC3");
}

TEST(json_takes_escaped_surrogates_that_lie_behind_an_escaped_backslash_for_text) {
    CHECK_STRING("\\\\ud83d", "\\ud83d");
    CHECK_STRING("\\\\\\\\ud83d\\\\ude00", "\\\\ud83d\\ude00");
}

/* Strings with surrogates: the source that is reported has them rewritten too, so look at it only
 * where it is no longer than the text. */
static void check_surrogates(const char *escaped, const char *expected, size_t expected_len) {
    char input[200];
    report_text_t report;

    snprintf(input, sizeof input, "{\"text\":\"%s\"}", escaped);
    CHECK_EQ_INT(read_with(&fields_table, input, strlen(input), &report), RAAF_OK);
    if (CHECK(report.text.len >= 6 + expected_len)) {
        CHECK_EQ_BYTES(report.text.bytes, 6, "{1 s5=", 6);
        CHECK_EQ_BYTES(report.text.bytes + 6, expected_len, expected, expected_len);
        CHECK_EQ_BYTES(report.text.bytes + 6 + expected_len, 4, " }1=", 4);
    }
    raaf_buffer_free(&report.text);
}

#define CHECK_SURROGATES(escaped, expected)                                                        \
    check_surrogates((escaped), (expected), sizeof(expected) - 1)

TEST(json_makes_one_character_of_a_pair_of_surrogates) {
    CHECK_SURROGATES("\\ud83d\\ude00", "\xF0\x9F\x98\x80");
    CHECK_SURROGATES("a\\uD83D\\uDE00b\\n", "a\xF0\x9F\x98\x80"
                                            "b\n");
    CHECK_SURROGATES("\\ud800\\udc00\\udbff\\udfff", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF");
}

TEST(json_keeps_a_lone_surrogate_in_three_bytes_and_what_follows_it) {
    CHECK_SURROGATES("\\ud83d", "\xED\xA0\xBD");
    CHECK_SURROGATES("\\ude00", "\xED\xB8\x80");
    CHECK_SURROGATES("\\ud83dabc", "\xED\xA0\xBD"
                                   "abc");
    CHECK_SURROGATES("\\ud83d\\u0041", "\xED\xA0\xBD"
                                       "A");
    CHECK_SURROGATES("\\ud83d\\n", "\xED\xA0\xBD\n");
    CHECK_SURROGATES("\\ud83d\\\\ude00", "\xED\xA0\xBD\\ude00");
    CHECK_SURROGATES("\\ud83d\\ud83d\\ude00", "\xED\xA0\xBD\xF0\x9F\x98\x80");
    CHECK_SURROGATES("\\ude00\\ud83d", "\xED\xB8\x80\xED\xA0\xBD");
}

TEST(json_reads_surrogates_in_keys) {
    CHECK_READ("{\"\\ud83d\\ude00\":1,\"\\ud83d\":{\"text\":1},\"n\":2}",
               "{1 #6=2 }1={\"\xF0\x9F\x98\x80\":1,\"\xED\xA0\xBD\":{\"text\":1},\"n\":2} ");
}

/* Texts around the sizes at which the parser's own buffers grow. */
static void check_long_string(size_t len, const char *unit, size_t decoded_len) {
    const size_t unit_len = strlen(unit);
    char *input = malloc(len * unit_len + 32);
    raaf_json_reader_t reader;
    report_text_t report = {0};
    size_t n = 0;
    long before;

    n += (size_t)sprintf(input, "{\"text\":\"");
    for (size_t i = 0; i < len; i++) {
        memcpy(input + n, unit, unit_len);
        n += unit_len;
    }
    memcpy(input + n, "\"}", 2);
    n += 2;

    raaf_buffer_init(&report.text, (size_t)1 << 30);
    raaf_json_reader_init(&reader, &fields_table);
    CHECK_EQ_INT(read_copy(&reader, input, n, &report), RAAF_OK);
    CHECK_EQ_UINT(report.text.len > 6 + len * decoded_len, true);
    CHECK_EQ_BYTES(report.text.bytes + 6 + len * decoded_len, 4, " }1=", 4);

    /* Without its end: the parser copies the string that the end of the text cuts off. */
    CHECK_EQ_INT(read_copy(&reader, input, n - 2, &report), RAAF_INVALID_JSON);
    CHECK_EQ_INT(read_copy(&reader, input, n - 1, &report), RAAF_INVALID_JSON);

    /* All that is needed is set aside at once, or nothing is needed. */
    raaf_buffer_reserve(&report.text, 3 * n);
    before = memory_calls();
    CHECK_EQ_INT(raaf_json_read(&reader, input, n, write_value, &report), RAAF_OK);
    CHECK(memory_calls() - before <= (n < 2048 ? 0 : 1));
    before = memory_calls();
    CHECK_EQ_INT(raaf_json_read(&reader, input, n - 2, write_value, &report), RAAF_INVALID_JSON);
    CHECK(memory_calls() - before <= (n < 2048 ? 0 : 1));
    raaf_json_reader_free(&reader);
    raaf_buffer_free(&report.text);
    free(input);
}

TEST(json_reads_strings_of_any_length) {
    static const size_t lengths[] = {1,    100,  1000, 1010, 1018, 1019, 1020, 1024, 2030,  2034,
                                     2035, 2036, 2037, 2038, 2040, 2048, 4096, 8191, 100000};

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        check_long_string(lengths[i], "x", 1);
        check_long_string(lengths[i], "\\n", 1);
        check_long_string(lengths[i], "\\u00e9", 2);
    }
}

TEST(json_needs_no_more_memory_for_deep_nesting_around_long_strings) {
    raaf_buffer_t input;
    raaf_json_reader_t reader;
    report_text_t report = {0};
    long before;

    raaf_buffer_init(&input, 1 << 20);
    raaf_buffer_append(&input, "{\"a\":[\"", 7);
    for (int i = 0; i < 1500; i++)
        raaf_buffer_append(&input, "\\n", 2);
    raaf_buffer_append(&input, "\"", 1);
    for (int i = 0; i < 126; i++)
        raaf_buffer_append(&input, ",[1", 3);
    raaf_buffer_append(&input, ",\"", 2);
    for (int i = 0; i < 9000; i++)
        raaf_buffer_append(&input, "\\t", 2);
    raaf_buffer_append(&input, "\"", 1);

    raaf_buffer_init(&report.text, (size_t)1 << 30);
    raaf_buffer_reserve(&report.text, 1 << 20);
    raaf_json_reader_init(&reader, &fields_table);
    before = memory_calls();
    CHECK_EQ_INT(raaf_json_read(&reader, input.bytes, input.len - 1, write_value, &report),
                 RAAF_INVALID_JSON);
    CHECK_EQ_INT(memory_calls() - before, 1);
    for (int i = 0; i < 127; i++)
        raaf_buffer_append(&input, "]", 1);
    raaf_buffer_append(&input, "}", 1);
    before = memory_calls();
    CHECK_EQ_INT(raaf_json_read(&reader, input.bytes, input.len, write_value, &report), RAAF_OK);
    CHECK_EQ_INT(memory_calls() - before, 1);
    raaf_json_reader_free(&reader);
    raaf_buffer_free(&report.text);
    raaf_buffer_free(&input);
}

/* ---- what is refused ---- */

TEST(json_refuses_what_is_not_json) {
    static const char *const texts[] = {"",
                                        " ",
                                        "\n",
                                        "{",
                                        "}",
                                        "{\"",
                                        "{\"a",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\":1,",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{\"a\"}",
                                        "{\"a\":}",
                                        "{\"a\" 1}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{1:1}",
                                        "{\"a\":1 \"b\":2}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":[,1]}",
                                        "{\"a\":[1 2]}",
                                        "{\"a\":[1}",
                                        "{]",
                                        "{\"a\":tru}",
                                        "{\"a\":True}",
                                        "{\"a\":nul}",
                                        "{\"a\":nulll}",
                                        "{\"a\":NaN}",
                                        "{\"a\":Infinity}",
                                        "{\"a\":undefined}",
                                        "{\"a\":01}",
                                        "{\"a\":1.}",
                                        "{\"a\":.5}",
                                        "{\"a\":+1}",
                                        "{\"a\":-}",
                                        "{\"a\":1e}",
                                        "{\"a\":0x1}",
                                        "{\"a\":1e+}",
                                        "{\"a\":--1}",
                                        "{\"a\":\"\\x\"}",
                                        "{\"a\":\"\\u12\"}",
                                        "{\"a\":\"\\u12g4\"}",
                                        "{\"a\":\"\\ud83\"}",
                                        "{\"a\":\"\\",
                                        "{\"a\":\"\\u",
                                        "{\"a\":\"\\ud83d",
                                        "{\"a\":\"\\ud83d\\",
                                        "{\"a\":\"\\\"}",
                                        "{\"a\":\"tab\there\"}",
                                        "{\"a\":\"line\nend\"}",
                                        "{\"a\":\"\x01\"}",
                                        "{\"a\":\"\x1F\"}",
                                        "{\"a\":1}x",
                                        "{\"a\":1}{}",
                                        "{} {}",
                                        "{},",
                                        "{}]",
                                        "{}\"",
                                        "{} \"unfinished",
                                        "{}1",
                                        "{}t",
                                        "{}\\",
                                        "/* c */{}",
                                        "{/* c */}",
                                        "{}// c",
                                        "\xEF\xBB\xBF{}",
                                        "hello",
                                        "<html>",
                                        "nope",
                                        "{\v}",
                                        "{\f}",
                                        "\v{}",
                                        "{}\f",
                                        "{\"a\":\v1}",
                                        "\\ud83d",
                                        "{\\ud83d:1}",
                                        "{\"a\":\\ud83d}",
                                        "[DONE]"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_refused(texts[i], strlen(texts[i]), RAAF_INVALID_JSON);
    }
}

TEST(json_refuses_nul_bytes_wherever_they_stand) {
    CHECK_REFUSED("\0", RAAF_INVALID_JSON);
    CHECK_REFUSED("{}\0", RAAF_INVALID_JSON);
    CHECK_REFUSED("\0{}", RAAF_INVALID_JSON);
    CHECK_REFUSED("{\"text\":\"a\0b\"}", RAAF_INVALID_JSON);
    CHECK_REFUSED("{\"text\0\":1}", RAAF_INVALID_JSON);
    CHECK_REFUSED("{\0\"text\":1}", RAAF_INVALID_JSON);
}

TEST(json_refuses_whatever_is_no_object) {
    static const char *const texts[] = {
        "[]",   "[1,2]",   " [{\"text\":\"no\"}] ", "1",     "-1.5e3", "\"a\"", "true", "false",
        "null", " null\n", "\"\\ud83d\"",           "[[[]]]"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_refused(texts[i], strlen(texts[i]), RAAF_INVALID_EVENT);
    }
}

TEST(json_tells_what_is_no_object_from_what_is_no_json) {
    static const char *const texts[] = {
        "[",   "[1",    "]",   "1 2",         "1,2", "[] []", "[] \"unfinished",
        "tru", "nulll", "\"a", "1],\"v\":[2", "]}",  "1]}",   ",",
        "-",   "1]",    "[]]"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check_refused(texts[i], strlen(texts[i]), RAAF_INVALID_JSON);
    }
}

/* ---- depth ---- */

static void check_depth(const char *unit, size_t levels, const char *close, int expected) {
    raaf_buffer_t input;
    report_text_t report;
    const size_t unit_len = strlen(unit);

    raaf_buffer_init(&input, (size_t)1 << 30);
    raaf_buffer_reserve(&input, (levels + 2) * (unit_len + 1));
    raaf_buffer_append(&input, "{\"list\":", 8);
    for (size_t i = 1; i < levels; i++)
        raaf_buffer_append(&input, unit, unit_len);
    raaf_buffer_append(&input, "1", 1);
    for (size_t i = 1; close != NULL && i < levels; i++)
        raaf_buffer_append(&input, close, 1);
    raaf_buffer_append(&input, "}", close != NULL);
    CHECK_EQ_INT(read_with(&fields_table, input.bytes, input.len, &report), expected);
    raaf_buffer_free(&report.text);
    raaf_buffer_free(&input);
}

TEST(json_may_be_nested_as_deep_as_the_limit) {
    check_depth("[", RAAF_JSON_MAX_DEPTH, "]", RAAF_OK);
    check_depth("{\"x\":", RAAF_JSON_MAX_DEPTH, "}", RAAF_OK);
    check_depth("[", RAAF_JSON_MAX_DEPTH + 1, "]", RAAF_TOO_DEEP);
    check_depth("{\"x\":", RAAF_JSON_MAX_DEPTH + 1, "}", RAAF_TOO_DEEP);
}

TEST(json_nested_ten_million_deep_is_refused) {
    check_depth("[", 10000000, NULL, RAAF_TOO_DEEP);
    check_depth("{\"x\":", 10000000, NULL, RAAF_TOO_DEEP);
}

TEST(json_that_begins_with_ten_million_brackets_is_refused) {
    const size_t len = 10000000;
    char *input = malloc(len);

    memset(input, '[', len);
    check_refused(input, len, RAAF_TOO_DEEP);
    free(input);
}

/* ---- the receiver, the reader, the table ---- */

TEST(json_receiver_ends_the_reading_at_any_value) {
    static const char input[] = "{\"list\":[1,{\"text\":\"a\"}],\"n\":null}x";
    report_text_t whole;

    CHECK_EQ_INT(read_with(&fields_table, input, sizeof input - 2, &whole), RAAF_OK);
    for (int stop_at = 1; stop_at <= whole.values; stop_at++) {
        raaf_json_reader_t reader;
        report_text_t report = {.stop_at = stop_at};

        raaf_buffer_init(&report.text, 1 << 20);
        raaf_json_reader_init(&reader, &fields_table);
        CHECK_EQ_INT(read_copy(&reader, input, sizeof input - 1, &report), RAAF_CANCELLED);
        CHECK_EQ_INT(report.values, stop_at);
        CHECK_EQ_BYTES(report.text.bytes, report.text.len, whole.text.bytes, report.text.len);
        raaf_json_reader_free(&reader);
        raaf_buffer_free(&report.text);
    }
    raaf_buffer_free(&whole.text);
}

TEST(json_reader_remembers_nothing_of_a_broken_event) {
    static const char *const broken[] = {"{\"text\":\"half", "{\"list\":[{", "[1,", "{\"text\":tr",
                                         "{\"text\":\"\\ud83d"};
    raaf_json_reader_t reader;
    report_text_t report = {0};

    raaf_buffer_init(&report.text, 1 << 20);
    raaf_json_reader_init(&reader, &fields_table);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        CHECK_EQ_INT(read_copy(&reader, broken[i], strlen(broken[i]), &report), RAAF_INVALID_JSON);
        report.text.len = 0;
        CHECK_EQ_INT(read_copy(&reader, "{\"n\":1}", 7, &report), RAAF_OK);
        CHECK_EQ_STR(report.text.bytes, report.text.len, "{1 #6=1 }1={\"n\":1} ");
    }
    raaf_json_reader_free(&reader);
    raaf_buffer_free(&report.text);
}

TEST(json_table_that_is_not_in_order_is_refused) {
    static const raaf_json_field_t mixed[] = {RAAF_JSON_FIELD(2, 3, "b"),
                                              RAAF_JSON_FIELD(1, 2, "a")};
    static const raaf_json_field_t high[] = {RAAF_JSON_FIELD(RAAF_JSON_MAX_PARENT + 1, 3, "b")};
    report_text_t report;

    CHECK_EQ_INT(read_with(&(raaf_json_table_t){mixed, 2}, "{}", 2, &report), RAAF_INVALID_REQUEST);
    CHECK_EQ_INT(read_with(&(raaf_json_table_t){high, 1}, "{}", 2, &report), RAAF_INVALID_REQUEST);
    CHECK_EQ_INT(read_with(&(raaf_json_table_t){high, 0}, "{\"a\":[{}]}", 10, &report), RAAF_OK);
    raaf_buffer_free(&report.text);
}

TEST(json_field_with_a_high_number_has_no_keys) {
    static const raaf_json_field_t rows[] = {RAAF_JSON_FIELD(1, 255, "a"),
                                             RAAF_JSON_FIELD(1, 63, "b")};
    static const raaf_json_table_t table = {rows, 2};
    static const char input[] = "{\"a\":{\"a\":1},\"b\":{\"a\":1}}";
    report_text_t report;

    CHECK_EQ_INT(read_with(&table, input, sizeof input - 1, &report), RAAF_OK);
    CHECK_EQ_STR(report.text.bytes, report.text.len,
                 "{1 {255 }255={\"a\":1} {63 }63={\"a\":1} }1={\"a\":{\"a\":1},\"b\":{\"a\":1}} ");
    raaf_buffer_free(&report.text);
}

TEST(json_reading_reports_that_memory_ran_out) {
    raaf_buffer_t input;
    raaf_json_reader_t reader;
    report_text_t report = {0};

    raaf_buffer_init(&input, 1 << 20);
    raaf_buffer_append(&input, "{\"other\":\"\\ud83d", 16);
    for (int i = 0; i < 3000; i++)
        raaf_buffer_append(&input, "\\n", 2);
    raaf_buffer_append(&input, "\"}", 2);
    raaf_buffer_init(&report.text, 1 << 20);
    raaf_buffer_reserve(&report.text, 1 << 15);
    raaf_json_reader_init(&reader, &fields_table);
    for (long allowed = 0; allowed < 2; allowed++) {
        memory_runs_out_after(allowed);
        CHECK_EQ_INT(raaf_json_read(&reader, input.bytes, input.len, write_value, &report),
                     RAAF_NO_MEMORY);
        memory_is_back();
    }
    CHECK_EQ_INT(raaf_json_read(&reader, input.bytes, input.len, write_value, &report), RAAF_OK);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_json_read(&reader, "[]", 2, write_value, &report), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_json_reader_free(&reader);
    raaf_buffer_free(&report.text);
    raaf_buffer_free(&input);
}

/* ---- integers ---- */

static int64_t integer(const char *digits) {
    const raaf_json_value_t value = {RAAF_JSON_NUMBER, digits, strlen(digits)};

    return raaf_json_integer(&value, -99);
}

TEST(json_integer_is_a_whole_number_however_it_is_written) {
    CHECK_EQ_INT(integer("0"), 0);
    CHECK_EQ_INT(integer("-0"), 0);
    CHECK_EQ_INT(integer("12"), 12);
    CHECK_EQ_INT(integer("-12"), -12);
    CHECK_EQ_INT(integer("12.0"), 12);
    CHECK_EQ_INT(integer("1.2e1"), 12);
    CHECK_EQ_INT(integer("1200E-2"), 12);
    CHECK_EQ_INT(integer("0.012e+3"), 12);
    CHECK_EQ_INT(integer("10203000"), 10203000);
    CHECK_EQ_INT(integer("0.000"), 0);
    CHECK_EQ_INT(integer("0e99999999999999999999"), 0);
    CHECK_EQ_INT(integer("1000000000000000000000e-21"), 1);
}

TEST(json_integer_reaches_to_both_ends_of_its_range) {
    CHECK_EQ_INT(integer("9223372036854775807"), INT64_MAX);
    CHECK_EQ_INT(integer("-9223372036854775808"), INT64_MIN);
    CHECK_EQ_INT(integer("9223372036854775808"), -99);
    CHECK_EQ_INT(integer("-9223372036854775809"), -99);
    CHECK_EQ_INT(integer("922337203685477580700e-2"), INT64_MAX);
    CHECK_EQ_INT(integer("1e18"), INT64_C(1000000000000000000));
    CHECK_EQ_INT(integer("1e19"), -99);
    CHECK_EQ_INT(integer("18446744073709551616"), -99);
}

TEST(json_integer_is_not_made_of_anything_else) {
    const raaf_json_value_t text = {RAAF_JSON_STRING, "12", 2};
    const raaf_json_value_t nothing = {RAAF_JSON_NULL, NULL, 0};

    CHECK_EQ_INT(raaf_json_integer(&text, -99), -99);
    CHECK_EQ_INT(raaf_json_integer(&nothing, -99), -99);
    CHECK_EQ_INT(integer("1.5"), -99);
    CHECK_EQ_INT(integer("12e-1"), -99);
    CHECK_EQ_INT(integer("1e400"), -99);
    CHECK_EQ_INT(integer("1e-400"), -99);
    CHECK_EQ_INT(integer("1e99999999999999999999"), -99);
    CHECK_EQ_INT(integer("1e-99999999999999999999"), -99);
    CHECK_EQ_INT(integer("123456789012345678901234567890"), -99);
}
