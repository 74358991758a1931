#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "ndjson_parser.h"
#include "random_numbers.h"
#include "result_code.h"

/* What the parser handed over, each line in brackets. */
typedef struct record {
    raaf_buffer_t text;
    int lines;
    int stop_at; /* the line that the receiver ends the feed with; 0: none */
    int stop_with;
} record_t;

static int on_line(void *context, const raaf_sse_event_t *event) {
    record_t *record = context;

    CHECK(event->type != NULL && event->data != NULL && event->id != NULL);
    CHECK_EQ_UINT(event->type_len + event->id_len, 0);
    CHECK_EQ_INT(event->retry_ms, -1);
    raaf_buffer_append(&record->text, "[", 1);
    raaf_buffer_append(&record->text, event->data, event->data_len);
    raaf_buffer_append(&record->text, "]", 1);
    return ++record->lines == record->stop_at ? record->stop_with : RAAF_OK;
}

/* Each part is a copy of its own, so that a sanitizer sees a pointer kept too long. */
static int feed_copy(raaf_ndjson_parser_t *parser, const char *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_ndjson_parser_feed(parser, copy, len);
    free(copy);
    return rc;
}

/* [step] bytes a feed; 0: whole; below 0: random pieces. */
static int run(raaf_ndjson_parser_t *parser, int step, const char *bytes, size_t len) {
    uint64_t random = 99 - (uint64_t)step;
    int rc = RAAF_OK;

    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        size_t part = step == 0 ? len : step > 0 ? (size_t)step : random_below(&random, 9);

        if (part > len - at) part = len - at;
        rc = feed_copy(parser, bytes + at, part);
        at += part;
    }
    return rc == RAAF_OK ? raaf_ndjson_parser_finish(parser) : rc;
}

typedef struct expectation {
    size_t max_line;
    size_t max_event;
    int stop_at;
    int stop_with;
    int rc;
} expectation_t;

static void check_bytes(const char *bytes, size_t len, const char *expected, size_t expected_len,
                        expectation_t given) {
    for (int step = -12; step <= 7; step++) {
        record_t record = {.stop_at = given.stop_at, .stop_with = given.stop_with};
        raaf_ndjson_parser_t parser;

        raaf_buffer_init(&record.text, 1 << 20);
        raaf_ndjson_parser_init(&parser, on_line, &record, given.max_line, given.max_event);
        CHECK_EQ_INT(run(&parser, step, bytes, len), given.rc);
        if (!CHECK_EQ_BYTES(record.text.bytes, record.text.len, expected, expected_len)) {
            check_print_bytes("of", bytes, len);
        }
        CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, "{}\n", 3), RAAF_STOP);
        CHECK_EQ_INT(raaf_ndjson_parser_finish(&parser), RAAF_STOP);
        CHECK_EQ_UINT(record.text.len, expected_len);
        raaf_buffer_free(&record.text);
        raaf_ndjson_parser_free(&parser);
    }
}

#define CHECK_LINES(bytes, expected)                                                               \
    check_bytes((bytes), sizeof(bytes) - 1, (expected), sizeof(expected) - 1, (expectation_t){0})
#define CHECK_GIVEN(bytes, expected, ...)                                                          \
    check_bytes((bytes), sizeof(bytes) - 1, (expected), sizeof(expected) - 1,                      \
                (expectation_t){__VA_ARGS__})

TEST(ndjson_hands_over_each_line) {
    CHECK_LINES("{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1}][{\"b\":2}]");
    CHECK_LINES("", "");
}

TEST(ndjson_lines_end_in_lf_crlf_or_cr) {
    CHECK_LINES("a\r\nb\rc\nd\r\r\n\n\re\r", "[a][b][c][d][e]");
}

TEST(ndjson_last_line_may_lack_its_end) {
    CHECK_LINES("a\nb", "[a][b]");
    CHECK_LINES("b", "[b]");
}

TEST(ndjson_passes_over_lines_that_say_nothing) {
    CHECK_LINES("\n\r\n \t \na\n\n  \n\tb \n   ", "[a][\tb ]");
}

TEST(ndjson_hands_over_any_bytes_as_they_are) {
    CHECK_LINES("\0\xFF\xEF\xBB\xBF\n\v\n", "[\0\xFF\xEF\xBB\xBF][\v]");
}

TEST(ndjson_holds_a_line_to_both_limits) {
    CHECK_GIVEN("12345678\n123456789\nx\n", "[12345678]", .max_line = 8, .max_event = 8,
                .rc = RAAF_LINE_TOO_LONG);
    CHECK_GIVEN("12345678\n123456789", "[12345678]", .max_line = 8, .rc = RAAF_LINE_TOO_LONG);
    CHECK_GIVEN("12345678\r\n123456789", "[12345678]", .max_line = 100, .max_event = 8,
                .rc = RAAF_EVENT_TOO_LARGE);
    CHECK_GIVEN("12345678", "[12345678]", .max_line = 8, .max_event = 9);
}

TEST(ndjson_takes_the_limits_of_events_by_default) {
    raaf_ndjson_parser_t parser;
    record_t record = {0};
    char *spaces = malloc(RAAF_SSE_MAX_LINE + 1);

    memset(spaces, ' ', RAAF_SSE_MAX_LINE + 1);
    raaf_ndjson_parser_init(&parser, on_line, &record, 0, 0);
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, spaces, RAAF_SSE_MAX_LINE), RAAF_OK);
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, "\n", 1), RAAF_OK);
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, spaces, RAAF_SSE_MAX_LINE + 1),
                 RAAF_LINE_TOO_LONG);
    raaf_ndjson_parser_free(&parser);
    free(spaces);
}

TEST(ndjson_receiver_ends_the_feed) {
    CHECK_GIVEN("a\nb\nc\n", "[a][b]", .stop_at = 2, .stop_with = RAAF_STOP, .rc = RAAF_STOP);
    CHECK_GIVEN("a\nb\nc\n", "[a]", .stop_at = 1, .stop_with = RAAF_INVALID_JSON,
                .rc = RAAF_INVALID_JSON);
    CHECK_GIVEN("a\nb", "[a][b]", .stop_at = 2, .stop_with = RAAF_CANCELLED, .rc = RAAF_CANCELLED);
}

TEST(ndjson_copies_nothing_of_a_line_that_lies_whole_in_one_feed) {
    raaf_ndjson_parser_t parser;
    record_t record = {0};
    long before;

    raaf_buffer_init(&record.text, 100);
    raaf_buffer_reserve(&record.text, 100);
    raaf_ndjson_parser_init(&parser, on_line, &record, 0, 0);
    before = memory_calls();
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, "{\"a\":1}\r\n{\"b\":2}\n", 17), RAAF_OK);
    CHECK_EQ_INT(memory_calls(), before);
    CHECK_EQ_INT(record.lines, 2);
    raaf_buffer_free(&record.text);
    raaf_ndjson_parser_free(&parser);
}

TEST(ndjson_gives_back_the_memory_of_a_long_line) {
    raaf_ndjson_parser_t parser;
    record_t record = {0};

    raaf_buffer_init(&record.text, 1 << 20);
    raaf_ndjson_parser_init(&parser, on_line, &record, 0, 0);
    for (int i = 0; i < 5000; i++)
        raaf_ndjson_parser_feed(&parser, "x", 1);
    CHECK(parser.line.capacity >= 5000);
    raaf_ndjson_parser_feed(&parser, "\n", 1);
    CHECK(parser.line.capacity <= 2048);
    CHECK_EQ_UINT(record.text.len, 5002);
    raaf_buffer_free(&record.text);
    raaf_ndjson_parser_free(&parser);
}

TEST(ndjson_reports_that_memory_ran_out) {
    raaf_ndjson_parser_t parser;
    record_t record = {0};

    raaf_ndjson_parser_init(&parser, on_line, &record, 0, 0);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, "abc", 3), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_INT(raaf_ndjson_parser_feed(&parser, "abc\n", 4), RAAF_STOP);
    raaf_ndjson_parser_free(&parser);
}
