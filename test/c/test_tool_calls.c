#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "tool_calls.c"
#include "transcript.h"

typedef struct bench {
    raaf_delta_sink_t sink;
    raaf_tool_calls_t calls;
    transcript_t transcript;
} bench_t;

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

static void begin(bench_t *bench) {
    memset(bench, 0, sizeof *bench);
    transcript_init(&bench->transcript);
    raaf_delta_sink_init(&bench->sink, transcript_delta, &bench->transcript);
    raaf_tool_calls_init(&bench->calls);
}

static raaf_tool_call_t *call_of(bench_t *bench, int64_t index, const char *id, const char *name) {
    raaf_tool_call_t *call = NULL;

    CHECK_EQ_INT(raaf_tool_calls_begin(&bench->calls, 0, index, &call), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_label(call, slice(id), slice(name)), RAAF_OK);
    return call;
}

static void end(bench_t *bench, const char *said) {
    CHECK_EQ_STR(bench->transcript.text.bytes, bench->transcript.text.len, said);
    CHECK(!bench->transcript.invalid);
    raaf_tool_calls_free(&bench->calls);
    raaf_delta_sink_free(&bench->sink);
    transcript_free(&bench->transcript);
}

TEST(tool_calls_join_their_fragments) {
    bench_t bench;

    begin(&bench);
    raaf_tool_call_t *call = call_of(&bench, 0, "call_a", "weather");
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("{\"city\":"), &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("\"Rome\"}"), &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK); /* once */
    end(&bench, "tool_call_delta 0 #0 call_a weather: {\"city\":\n"
                "tool_call_delta 0 #0 call_a weather: \"Rome\"}\n"
                "tool_call 0 #0 call_a weather: {\"city\":\"Rome\"}\n");
}

TEST(tool_calls_that_are_torn_are_not_handed_over) {
    bench_t bench;

    begin(&bench);
    raaf_tool_call_add(call_of(&bench, 0, "a", "f"), slice("{}"), &bench.sink);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK);
    raaf_tool_call_add(call_of(&bench, 1, "b", "f"), slice("{"), &bench.sink);
    raaf_tool_calls_tear(&bench.calls);
    raaf_tool_call_add(call_of(&bench, 2, "c", "f"), slice("{}"), &bench.sink);
    raaf_tool_call_add(call_of(&bench, 3, "d", "f"), slice("{}}"), &bench.sink);
    raaf_tool_call_add(call_of(&bench, 4, "e", "f"), slice(""), &bench.sink);
    CHECK_EQ_INT(raaf_tool_calls_tear_cut_off(&bench.calls, 1), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_tear_cut_off(&bench.calls, 0), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_mend(raaf_tool_calls_at(&bench.calls, 1), slice("[]")), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK);
    end(&bench, "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n"
                "tool_call_delta 0 #1 b f: {\ntool_call_delta 0 #2 c f: {}\n"
                "tool_call_delta 0 #3 d f: {}}\ntool_call_delta 0 #4 e f: \n"
                "tool_call 0 #2 c f: {}\ntool_call 0 #1 b f: []\n");
}

static int count_delta(void *context, const raaf_delta_t *delta) {
    return RAAF_OK;
}

TEST(tool_calls_that_are_open_share_one_cap) {
    const size_t most = RAAF_TOOL_CALLS_MAX_ARGUMENTS, count = RAAF_TOOL_CALLS_MAX_OPEN / most;
    char *text = malloc(most);
    raaf_tool_calls_t calls;
    raaf_delta_sink_t sink;
    raaf_tool_call_t *call;

    memset(text, 'x', most);
    raaf_tool_calls_init(&calls);
    raaf_delta_sink_init(&sink, count_delta, NULL);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_INT(raaf_tool_calls_begin(&calls, 0, (int64_t)i, &call), RAAF_OK);
        CHECK_EQ_INT(raaf_tool_call_add(call, (raaf_slice_t){text, most}, &sink), RAAF_OK);
    }
    CHECK_EQ_INT(raaf_tool_call_close(call, &sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_begin(&calls, 0, 100, &call), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_add(call, (raaf_slice_t){text, most}, &sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_begin(&calls, 0, 101, &call), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("x"), &sink), RAAF_EVENT_TOO_LARGE);
    raaf_tool_calls_free(&calls);
    raaf_delta_sink_free(&sink);
    free(text);
}

TEST(tool_calls_are_closed_in_the_order_in_which_they_began_and_by_choice) {
    bench_t bench;
    raaf_tool_call_t *other;

    begin(&bench);
    call_of(&bench, 5, "b", "second");
    call_of(&bench, 1, "a", "first");
    CHECK_EQ_INT(raaf_tool_calls_begin(&bench.calls, 1, 0, &other), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_close(&bench.calls, 0, &bench.sink), RAAF_OK);
    end(&bench, "tool_call 0 #5 b second: \ntool_call 0 #1 a first: \n");
}

TEST(tool_calls_are_found_by_index_and_id_the_newest_first) {
    bench_t bench;

    begin(&bench);
    call_of(&bench, 2000000000, "a", "one");
    call_of(&bench, 2000000000, "b", "two");
    CHECK_EQ_PTR(raaf_tool_calls_by_index(&bench.calls, 0, 2000000000),
                 raaf_tool_calls_at(&bench.calls, 1));
    CHECK_EQ_PTR(raaf_tool_calls_by_id(&bench.calls, 0, slice("a")),
                 raaf_tool_calls_at(&bench.calls, 0));
    CHECK_EQ_PTR(raaf_tool_calls_by_index(&bench.calls, 0, 0), NULL);
    CHECK_EQ_PTR(raaf_tool_calls_by_index(&bench.calls, 1, 2000000000), NULL);
    CHECK_EQ_PTR(raaf_tool_calls_by_id(&bench.calls, 0, slice("c")), NULL);
    end(&bench, "");
}

TEST(tool_calls_free_index_is_one_that_no_call_has) {
    bench_t bench;

    begin(&bench);
    CHECK_EQ_INT(raaf_tool_calls_free_index(&bench.calls, 0), 0);
    call_of(&bench, 1, "a", "one");
    CHECK_EQ_INT(raaf_tool_calls_free_index(&bench.calls, 0), 2);
    end(&bench, "");
}

TEST(tool_calls_keep_the_first_id_and_take_a_name_in_pieces) {
    bench_t bench;

    begin(&bench);
    raaf_tool_call_t *call = call_of(&bench, 0, "a", "wea");
    CHECK_EQ_INT(raaf_tool_call_label(call, slice("b"), slice("ther")), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_label(call, slice(""), slice("weather")), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_close(call, &bench.sink), RAAF_OK);
    end(&bench, "tool_call 0 #0 a weather: \n");
}

TEST(tool_calls_keep_a_character_that_two_fragments_share) {
    bench_t bench;

    begin(&bench);
    raaf_tool_call_t *call = call_of(&bench, 0, "a", "f");
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("\"\xC3"), &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("\xBC"), &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("\xC3"), &bench.sink), RAAF_OK);
    CHECK_EQ_INT(raaf_tool_call_close(call, &bench.sink), RAAF_OK);
    end(&bench, "tool_call_delta 0 #0 a f: \"\n"
                "tool_call_delta 0 #0 a f: \xC3\xBC\n"
                "tool_call_delta 0 #0 a f: \n"
                "tool_call_delta 0 #0 a f: \xEF\xBF\xBD\n"
                "tool_call 0 #0 a f: \"\xC3\xBC\xEF\xBF\xBD\n");
}

TEST(tool_calls_have_a_limit) {
    bench_t bench;
    raaf_tool_call_t *call;
    int rc = RAAF_OK;

    begin(&bench);
    for (int i = 0; i < RAAF_TOOL_CALLS_MAX; i++)
        rc |= raaf_tool_calls_begin(&bench.calls, 0, i, &call);
    CHECK_EQ_INT(rc, RAAF_OK);
    CHECK_EQ_INT(raaf_tool_calls_begin(&bench.calls, 0, 0, &call), RAAF_EVENT_TOO_LARGE);
    end(&bench, "");
}

TEST(tool_calls_without_memory_say_so) {
    bench_t bench;
    raaf_tool_call_t *call = NULL;

    begin(&bench);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_tool_calls_begin(&bench.calls, 0, 0, &call), RAAF_NO_MEMORY);
    memory_is_back();
    call = call_of(&bench, 0, "a", "f");
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("{}"), &bench.sink), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_INT(raaf_tool_call_add(call, slice("{}"), &bench.sink), RAAF_OK);
    end(&bench, "tool_call_delta 0 #0 a f: {}\n");
}
