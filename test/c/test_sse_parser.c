#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "random_numbers.h"
#include "sse_parser.h"

#define BOM "\xEF\xBB\xBF"

/* What the parser handed over, as text: [type|data|id] or [type|data|id|retry] for each event. */
typedef struct record {
    raaf_buffer_t text;
    int events;
    int stop_at; /* the event that the receiver ends the feed with; 0: none */
    int stop_with;
} record_t;

static void record_init(record_t *record) {
    memset(record, 0, sizeof *record);
    raaf_buffer_init(&record->text, (size_t)1 << 30);
}

static void record_bytes(record_t *record, const char *bytes, size_t len) {
    CHECK(bytes != NULL);
    raaf_buffer_append(&record->text, bytes, len);
}

static int on_event(void *context, const raaf_sse_event_t *event) {
    record_t *record = context;
    char retry[32] = "";

    if (event->retry_ms != -1) snprintf(retry, sizeof retry, "|%lld", (long long)event->retry_ms);
    record_bytes(record, "[", 1);
    record_bytes(record, event->type, event->type_len);
    record_bytes(record, "|", 1);
    record_bytes(record, event->data, event->data_len);
    record_bytes(record, "|", 1);
    record_bytes(record, event->id, event->id_len);
    record_bytes(record, retry, strlen(retry));
    record_bytes(record, "]", 1);
    return ++record->events == record->stop_at ? record->stop_with : RAAF_OK;
}

/* How an input is cut: 0 whole, n bytes a feed, or below 0 at random places. */
typedef struct cut {
    int step;
    uint64_t random;
} cut_t;

static size_t next_part(cut_t *cut, size_t left) {
    size_t part = left;

    if (cut->step > 0) part = (size_t)cut->step;
    if (cut->step < 0) part = random_below(&cut->random, 9);
    return part > left ? left : part;
}

/* Each part is a copy of its own, so that a sanitizer sees a pointer kept too long. */
static int feed_copy(raaf_sse_parser_t *parser, const char *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_sse_parser_feed(parser, copy, len);
    free(copy);
    return rc;
}

/* Returns what the first call that was not OK returned. */
static int run(raaf_sse_parser_t *parser, cut_t cut, const char *bytes, size_t len) {
    int rc = RAAF_OK;

    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        const size_t part = next_part(&cut, len - at);

        rc = feed_copy(parser, bytes + at, part);
        at += part;
    }
    return rc == RAAF_OK ? raaf_sse_parser_finish(parser) : rc;
}

typedef struct limits {
    size_t max_line;
    size_t max_event;
} limits_t;

static void check_cut(cut_t cut, limits_t limits, const char *bytes, size_t len,
                      const char *expected, size_t expected_len, int expected_rc) {
    raaf_sse_parser_t parser;
    record_t record;

    record_init(&record);
    raaf_sse_parser_init(&parser, on_event, &record, limits.max_line, limits.max_event);
    CHECK_EQ_INT(run(&parser, cut, bytes, len), expected_rc);
    if (!CHECK_EQ_BYTES(record.text.bytes, record.text.len, expected, expected_len)) {
        check_print_bytes("of", bytes, len);
    }
    CHECK_EQ_INT(raaf_sse_parser_feed(&parser, "data: late\n\n", 12), RAAF_STOP);
    CHECK_EQ_INT(raaf_sse_parser_finish(&parser), RAAF_STOP);
    CHECK(!raaf_sse_parser_pending(&parser));
    CHECK_EQ_UINT(record.text.len, expected_len);
    raaf_buffer_free(&record.text);
    raaf_sse_parser_free(&parser);
}

static void check_bytes_cut_anyhow(limits_t limits, const char *bytes, size_t len,
                                   const char *expected, size_t expected_len, int expected_rc) {
    for (int step = 0; step <= 7; step++) {
        check_cut((cut_t){.step = step}, limits, bytes, len, expected, expected_len, expected_rc);
    }
    for (uint64_t seed = 1; seed <= 12; seed++) {
        check_cut((cut_t){.step = -1, .random = seed * 7919}, limits, bytes, len, expected,
                  expected_len, expected_rc);
    }
}

/* Writes LF in [bytes] as [kind] says: 0 LF, 1 CRLF, 2 CR, 3 now this and now that. */
static size_t with_line_ends(const char *bytes, size_t len, int kind, char *out) {
    uint64_t random = 99;
    size_t n = 0;
    bool after_cr = false;

    for (size_t i = 0; i < len; i++) {
        int this_kind = kind;

        if (bytes[i] != '\n') {
            out[n++] = bytes[i];
            after_cr = false;
            continue;
        }
        if (kind == 3) this_kind = (int)random_below(&random, 3);
        if (this_kind == 0 && after_cr) this_kind = 1; /* an LF would belong to the CR before */
        if (this_kind > 0) out[n++] = '\r';
        if (this_kind < 2) out[n++] = '\n';
        after_cr = this_kind == 2;
    }
    return n;
}

/* The input holds LF only; what comes of it must not depend on line ends and cuts. */
static void check_stream(const char *bytes, size_t len, const char *expected, size_t expected_len) {
    char *variant = malloc(2 * len + 1);

    for (int kind = 0; kind < 4; kind++) {
        const size_t variant_len = with_line_ends(bytes, len, kind, variant);

        check_bytes_cut_anyhow((limits_t){0}, variant, variant_len, expected, expected_len,
                               RAAF_OK);
    }
    free(variant);
}

#define CHECK_STREAM(input, expected)                                                              \
    check_stream((input), sizeof(input) - 1, (expected), sizeof(expected) - 1)

/* The input is taken as it stands, with its own line ends. */
#define CHECK_RAW(input, expected)                                                                 \
    check_bytes_cut_anyhow((limits_t){0}, (input), sizeof(input) - 1, (expected),                  \
                           sizeof(expected) - 1, RAAF_OK)

#define CHECK_LIMITED(line, event, input, expected, rc)                                            \
    check_bytes_cut_anyhow((limits_t){(line), (event)}, (input), sizeof(input) - 1, (expected),    \
                           sizeof(expected) - 1, (rc))

/* ---- fields ---- */

TEST(sse_event_is_handed_over_at_its_blank_line) {
    CHECK_STREAM("data: one\n\n", "[|one|]");
    CHECK_STREAM("data: one\n\ndata: two\n\n", "[|one|][|two|]");
    CHECK_STREAM("\n\n\ndata: one\n\n\n\ndata: two\n\n\n", "[|one|][|two|]");
    CHECK_STREAM("", "");
}

TEST(sse_data_lines_are_joined_with_a_line_feed) {
    CHECK_STREAM("data: first\ndata: second\ndata: third\n\n", "[|first\nsecond\nthird|]");
    CHECK_STREAM("data: a\ndata:\ndata: b\n\n", "[|a\n\nb|]");
    CHECK_STREAM("data: a\nevent: e\ndata: b\n: comment\ndata: c\n\n", "[e|a\nb\nc|]");
}

TEST(sse_value_loses_one_space_and_no_more) {
    CHECK_STREAM("data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\n", "[|a|][|a|][| a|][|\ta|]");
    CHECK_STREAM("data: a \n\n", "[|a |]");
    CHECK_STREAM("data: \n\n", "[||]");
    CHECK_STREAM("data:{\"x\":1}\n\n", "[|{\"x\":1}|]");
}

TEST(sse_value_begins_behind_the_first_colon) {
    CHECK_STREAM("data: a: b:c\n\n", "[|a: b:c|]");
    CHECK_STREAM("data::\n\n", "[|:|]");
}

TEST(sse_line_without_a_colon_is_a_field_without_a_value) {
    CHECK_STREAM("data\n\n", "[||]");
    CHECK_STREAM("data\ndata\n\n", "[|\n|]");
    CHECK_STREAM("data\n\ndata\ndata\n\ndata:", "[||][|\n|][||]");
    CHECK_STREAM("event: e\nevent\ndata: x\n\n", "[|x|]");
}

TEST(sse_comments_are_ignored) {
    CHECK_STREAM(": hello\n\n:\n::\ndata: x\n: PROCESSING\n\n: bye", "[|x|]");
    CHECK_STREAM(":data: no\n\n", "");
}

TEST(sse_unknown_fields_are_ignored) {
    CHECK_STREAM("foo: 1\nbar\ndata: x\n\n", "[|x|]");
    CHECK_STREAM("Data: x\nDATA: x\n data: x\ndata : x\ndataset: x\ndat: x\n\n", "");
    CHECK_STREAM("events: a\nids: 1\nretrys: 3\nidx\nretr: 1\ni\nr\ne\nd\ndata: x\n\n", "[|x|]");
}

TEST(sse_event_type_is_that_of_its_own_event) {
    CHECK_STREAM("event: add\ndata: 1\n\nevent: remove\ndata: 2\n\ndata: 3\n\n",
                 "[add|1|][remove|2|][|3|]");
    CHECK_STREAM("data: 1\nevent: late\n\n", "[late|1|]");
    CHECK_STREAM("event: a\nevent: b\ndata: 1\n\n", "[b|1|]");
}

TEST(sse_event_without_data_is_dropped_with_its_type) {
    CHECK_STREAM("event: lost\n\ndata: x\n\n", "[|x|]");
    CHECK_STREAM("event: lost\nid: 7\n\n: ping\n\n", "");
}

TEST(sse_id_is_kept_until_another_comes) {
    CHECK_STREAM("data: a\nid: 1\n\ndata: b\n\nid: 22\n\ndata: c\n\n", "[|a|1][|b|1][|c|22]");
    CHECK_STREAM("id: 1\ndata: a\n\nid\ndata: b\n\ndata: c\n\n", "[|a|1][|b|][|c|]");
    CHECK_STREAM("id: 1\nid: 2\ndata: a\n\n", "[|a|2]");
}

TEST(sse_id_with_a_nul_is_ignored) {
    CHECK_STREAM("id: 1\ndata: a\n\nid: 2\0003\ndata: b\n\n", "[|a|1][|b|1]");
}

TEST(sse_nul_in_data_is_data) {
    CHECK_STREAM("data: a\0b\n\n", "[|a\0b|]");
}

TEST(sse_retry_counts_if_it_is_all_digits) {
    CHECK_STREAM("retry: 1500\ndata: a\n\ndata: b\n\n", "[|a||1500][|b|]");
    CHECK_STREAM("retry: 0\ndata: a\n\n", "[|a||0]");
    CHECK_STREAM("retry: 1.5\ndata: a\n\nretry: -1\ndata: b\n\nretry: 5s\ndata: c\n\n",
                 "[|a|][|b|][|c|]");
    CHECK_STREAM("retry:\ndata: a\n\nretry\ndata: b\n\nretry:  5\ndata: c\n\n", "[|a|][|b|][|c|]");
    CHECK_STREAM("retry: 1\nretry: x\ndata: a\n\n", "[|a||1]");
}

TEST(sse_retry_that_is_too_large_stays_large) {
    CHECK_STREAM("retry: 99999999999999999999999999\ndata: a\n\n", "[|a||9223372036854775798]");
}

/* ---- line ends, BOM ---- */

TEST(sse_line_ends_may_be_mixed) {
    CHECK_RAW("data: a\r\rdata: b\n\ndata: c\r\n\r\ndata: d\n\r\n", "[|a|][|b|][|c|][|d|]");
    CHECK_RAW("data: a\rdata: b\ndata: c\r\n\n", "[|a\nb\nc|]");
    CHECK_RAW("data: a\n\rdata: b\r\n\r", "[|a|][|b|]");
    CHECK_RAW("\r\n\r\ndata: a\r\r\n", "[|a|]");
}

TEST(sse_event_is_handed_over_at_the_cr_without_waiting_for_an_lf) {
    raaf_sse_parser_t parser;
    record_t record;

    record_init(&record);
    raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
    raaf_sse_parser_feed(&parser, "data: a\r\n\r", 10);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "[|a|]");
    CHECK(!raaf_sse_parser_pending(&parser));
    raaf_sse_parser_feed(&parser, "\n", 1);
    raaf_sse_parser_feed(&parser, "data: b\n\n", 9);
    CHECK_EQ_STR(record.text.bytes, record.text.len, "[|a|][|b|]");
    raaf_buffer_free(&record.text);
    raaf_sse_parser_free(&parser);
}

TEST(sse_bom_at_the_start_is_dropped) {
    CHECK_STREAM(BOM "data: x\n\n", "[|x|]");
    CHECK_STREAM(BOM "\ndata: x\n\n", "[|x|]");
    CHECK_STREAM(BOM, "");
}

TEST(sse_bom_is_dropped_once_and_only_at_the_start) {
    CHECK_STREAM(BOM BOM "data: x\n\n", "");
    CHECK_STREAM("\n" BOM "data: x\n\n", "");
    CHECK_STREAM("data: " BOM "x\n\n", "[|" BOM "x|]");
}

TEST(sse_part_of_a_bom_is_part_of_the_line) {
    CHECK_STREAM("\xEF\xBB"
                 "data: x\n\ndata: y\n\n",
                 "[|y|]");
    CHECK_STREAM("\xEF"
                 "data: x\n\ndata: y\n\n",
                 "[|y|]");
    CHECK_STREAM("\xEF\xBB", "");
    CHECK_STREAM("\xEF\xBB\n\ndata: y\n\n", "[|y|]");
}

/* ---- the end ---- */

TEST(sse_finish_hands_over_an_event_without_its_blank_line) {
    CHECK_STREAM("data: a\n\ndata: b\n", "[|a|][|b|]");
    CHECK_STREAM("data: a\n\nevent: e\nid: 3\nretry: 4\ndata: b", "[|a|][e|b|3|4]");
    CHECK_STREAM("data: a\ndata: b", "[|a\nb|]");
    CHECK_STREAM("data: [DONE]", "[|[DONE]|]");
}

TEST(sse_finish_hands_over_nothing_where_there_is_no_data) {
    CHECK_STREAM("event: e", "");
    CHECK_STREAM("data: a\n\n: comment", "[|a|]");
    CHECK_STREAM("data: a\n\nid: 9\n", "[|a|]");
    CHECK_STREAM("data: a\n\ndat", "[|a|]");
}

TEST(sse_pending_tells_whether_something_is_unfinished) {
    static const struct {
        const char *fed;
        bool pending;
    } cases[] = {{"", false},          {"data: a\n\n", false},  {"d", true},
                 {"data: a\n", true},  {": comment", true},     {": comment\n", false},
                 {"event: e\n", true}, {"id: 1\n", false},      {"\xEF", true},
                 {BOM, false},         {"data: a\r\n\r", false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        raaf_sse_parser_t parser;
        record_t record;

        record_init(&record);
        raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
        raaf_sse_parser_feed(&parser, cases[i].fed, strlen(cases[i].fed));
        if (!CHECK_EQ_INT(raaf_sse_parser_pending(&parser), cases[i].pending)) FAIL(cases[i].fed);
        raaf_buffer_free(&record.text);
        raaf_sse_parser_free(&parser);
    }
}

/* ---- limits ---- */

TEST(sse_line_may_be_as_long_as_the_limit) {
    CHECK_LIMITED(10, 0, "data: 5678\n\n", "[|5678|]", RAAF_OK);
    CHECK_LIMITED(10, 0, "data: 5678\r\n\r\n", "[|5678|]", RAAF_OK);
    CHECK_LIMITED(10, 0, "data: 56789\n\n", "", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(10, 0, BOM "data: 5678\n\n", "[|5678|]", RAAF_OK);
}

TEST(sse_line_of_any_kind_ends_the_stream_when_it_is_too_long) {
    CHECK_LIMITED(10, 0, "data: a\n\ndata: endless, without an end", "[|a|]", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(10, 0, "data: a\n\n: endless, without an end", "[|a|]", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(10, 0, "data: a\n\n: too long, with an end\n", "[|a|]", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(10, 0, "data: a\n\nfoobarfoobarfoobar", "[|a|]", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(10, 0, "id: 123456789\n", "", RAAF_LINE_TOO_LONG);
    CHECK_LIMITED(1, 0, "\xEF\xBBx\n", "", RAAF_LINE_TOO_LONG);
}

TEST(sse_event_may_be_as_large_as_the_limit) {
    CHECK_LIMITED(0, 4, "data: 1234\n\n", "[|1234|]", RAAF_OK);
    CHECK_LIMITED(0, 4, "data: 12345\n\n", "", RAAF_EVENT_TOO_LARGE);
    CHECK_LIMITED(0, 4, "data: 1\ndata: 34\n\n", "[|1\n34|]", RAAF_OK);
    CHECK_LIMITED(0, 4, "data: 1\ndata: 345\n\n", "", RAAF_EVENT_TOO_LARGE);
    CHECK_LIMITED(0, 4, "data\ndata\ndata\ndata\ndata\n\n", "[|\n\n\n\n|]", RAAF_OK);
    CHECK_LIMITED(0, 4, "data\ndata\ndata\ndata\ndata\ndata\n\n", "", RAAF_EVENT_TOO_LARGE);
    CHECK_LIMITED(0, 4, "data: 1234\n\ndata: 1\ndata: 2345", "[|1234|]", RAAF_EVENT_TOO_LARGE);
}

TEST(sse_endless_comment_takes_no_memory) {
    raaf_sse_parser_t parser;
    char bytes[1000];
    long before;

    memset(bytes, ':', sizeof bytes);
    raaf_sse_parser_init(&parser, on_event, NULL, 1000000, 0);
    before = memory_calls();
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ_INT(raaf_sse_parser_feed(&parser, bytes, sizeof bytes), RAAF_OK);
    }
    CHECK_EQ_INT(memory_calls(), before);
    CHECK_EQ_INT(raaf_sse_parser_feed(&parser, bytes, 1), RAAF_LINE_TOO_LONG);
    raaf_sse_parser_free(&parser);
}

TEST(sse_default_limits_let_large_events_pass) {
    const size_t len = 3 << 20;
    char *input = malloc(len);
    raaf_sse_parser_t parser;
    record_t record;

    memset(input, 'x', len);
    memcpy(input, "data: ", 6);
    record_init(&record);
    raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
    CHECK_EQ_INT(run(&parser, (cut_t){.step = 4096}, input, len), RAAF_OK);
    CHECK_EQ_UINT(record.text.len, len - 6 + 4);
    raaf_buffer_free(&record.text);
    raaf_sse_parser_free(&parser);
    free(input);
}

/* ---- the receiver ---- */

TEST(sse_receiver_ends_the_feed_with_a_value_of_its_own) {
    static const char input[] = "data: a\n\ndata: b\n\ndata: c\n\n";
    static const int values[] = {RAAF_STOP, RAAF_CANCELLED, 4711};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (int step = 0; step < 4; step++) {
            raaf_sse_parser_t parser;
            record_t record;

            record_init(&record);
            record.stop_at = 2;
            record.stop_with = values[i];
            raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
            CHECK_EQ_INT(run(&parser, (cut_t){.step = step}, input, sizeof input - 1), values[i]);
            CHECK_EQ_STR(record.text.bytes, record.text.len, "[|a|][|b|]");
            CHECK_EQ_INT(raaf_sse_parser_feed(&parser, "data: d\n\n", 9), RAAF_STOP);
            CHECK_EQ_INT(raaf_sse_parser_finish(&parser), RAAF_STOP);
            CHECK_EQ_INT(record.events, 2);
            raaf_buffer_free(&record.text);
            raaf_sse_parser_free(&parser);
        }
    }
}

TEST(sse_receiver_may_end_the_stream_at_its_finish) {
    raaf_sse_parser_t parser;
    record_t record;

    record_init(&record);
    record.stop_at = 1;
    record.stop_with = RAAF_CANCELLED;
    raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
    CHECK_EQ_INT(raaf_sse_parser_feed(&parser, "data: a", 7), RAAF_OK);
    CHECK_EQ_INT(raaf_sse_parser_finish(&parser), RAAF_CANCELLED);
    raaf_buffer_free(&record.text);
    raaf_sse_parser_free(&parser);
}

static int remember_data(void *context, const raaf_sse_event_t *event) {
    *(const char **)context = event->data;
    return RAAF_OK;
}

TEST(sse_event_that_lies_whole_in_one_feed_is_not_copied) {
    static const char input[] = ": hi\nevent: e\nid: 1\ndata: payload\n\n";
    const char *data = NULL;
    raaf_sse_parser_t parser;

    raaf_sse_parser_init(&parser, remember_data, &data, 0, 0);
    CHECK_EQ_INT(raaf_sse_parser_feed(&parser, input, sizeof input - 1), RAAF_OK);
    CHECK_EQ_PTR(data, strstr(input, "payload"));
    raaf_sse_parser_free(&parser);
}

/* ---- memory ---- */

TEST(sse_feed_reports_that_memory_ran_out) {
    static const char input[] = "id: 1\nevent: e\ndata: a\ndata: b\n\nid: 2\ndata: c\n\n";
    int failures = 0;
    int rc = RAAF_NO_MEMORY;

    for (int step = 1; step <= 9; step++) {
        for (long allowed = 0; allowed < 20; allowed++) {
            raaf_sse_parser_t parser;
            record_t record;

            record_init(&record);
            raaf_buffer_reserve(&record.text, 1000);
            raaf_sse_parser_init(&parser, on_event, &record, 0, 0);
            memory_runs_out_after(allowed);
            rc = RAAF_OK;
            for (size_t at = 0; at < sizeof input - 1 && rc == RAAF_OK; at += (size_t)step) {
                const size_t left = sizeof input - 1 - at;

                rc = raaf_sse_parser_feed(&parser, input + at,
                                          left < (size_t)step ? left : (size_t)step);
            }
            memory_is_back();
            CHECK(rc == RAAF_OK || rc == RAAF_NO_MEMORY);
            CHECK_EQ_INT(raaf_sse_parser_finish(&parser), rc == RAAF_OK ? RAAF_OK : RAAF_STOP);
            if (rc == RAAF_OK) {
                CHECK_EQ_STR(record.text.bytes, record.text.len, "[e|a\nb|1][|c|2]");
            }
            failures += rc != RAAF_OK;
            raaf_buffer_free(&record.text);
            raaf_sse_parser_free(&parser);
        }
    }
    CHECK(failures > 0);
    CHECK_EQ_INT(rc, RAAF_OK);
}

/* ---- anything ---- */

TEST(sse_random_streams_say_the_same_in_any_pieces) {
    static const char *const words[] = {
        "data", "data:", "data: ", "event: ", "id: ", "retry: ", ":",    "\n",   "\r",  "\r\n",
        "\n\n", " ",     "x",      "7",       "\0",   BOM,       "\xEF", "\r\r", "abc", "\n"};
    uint64_t random = 31337;

    for (int round = 0; round < 1500; round++) {
        const limits_t limits = {round % 3 ? 0 : 12, round % 4 ? 0 : 8};
        char input[200];
        size_t len = 0;
        raaf_sse_parser_t parser;
        record_t record;
        int rc;

        while (len < 100) {
            const char *word = words[random_below(&random, sizeof words / sizeof words[0])];
            const size_t n = *word == '\0' ? 1 : strlen(word);

            memcpy(input + len, word, n);
            len += n;
        }
        record_init(&record);
        raaf_sse_parser_init(&parser, on_event, &record, limits.max_line, limits.max_event);
        rc = run(&parser, (cut_t){0}, input, len);
        for (int step = 1; step <= 3; step++) {
            check_cut((cut_t){.step = step}, limits, input, len, record.text.bytes, record.text.len,
                      rc);
        }
        check_cut((cut_t){.step = -1, .random = random}, limits, input, len, record.text.bytes,
                  record.text.len, rc);
        raaf_buffer_free(&record.text);
        raaf_sse_parser_free(&parser);
    }
}
