#include "check.h"
#include "delta_sink.h"
#include "transcript.h"

typedef struct bench {
    raaf_delta_sink_t sink;
    raaf_utf8_carry_t carry;
    transcript_t transcript;
} bench_t;

static void begin(bench_t *bench) {
    memset(bench, 0, sizeof *bench);
    transcript_init(&bench->transcript);
    raaf_delta_sink_init(&bench->sink, transcript_delta, &bench->transcript);
}

static int text(bench_t *bench, const char *piece) {
    return raaf_delta_sink_text(&bench->sink, RAAF_CHUNK_CONTENT, 0, &bench->carry, piece,
                                strlen(piece));
}

static void end(bench_t *bench, const char *said) {
    CHECK_EQ_STR(bench->transcript.text.bytes, bench->transcript.text.len, said);
    CHECK(!bench->transcript.invalid);
    raaf_delta_sink_free(&bench->sink);
    transcript_free(&bench->transcript);
}

TEST(delta_sink_hands_text_over_as_it_was_read) {
    bench_t bench;

    begin(&bench);
    CHECK_EQ_INT(text(&bench, "Hel"), RAAF_OK);
    CHECK_EQ_INT(text(&bench, ""), RAAF_OK);
    CHECK_EQ_INT(text(&bench, "lo"), RAAF_OK);
    end(&bench, "content 0: Hel\ncontent 0: lo\n");
}

TEST(delta_sink_keeps_an_open_character_for_the_next_piece) {
    bench_t bench;

    begin(&bench);
    CHECK_EQ_INT(text(&bench, "gr\xC3"), RAAF_OK);
    CHECK_EQ_INT(text(&bench, "\xBCn"), RAAF_OK);
    CHECK_EQ_INT(text(&bench, "\xED\xA0\xBD"), RAAF_OK); /* half of a surrogate pair */
    CHECK_EQ_INT(text(&bench, "\xED\xB8\x80"), RAAF_OK);
    end(&bench, "content 0: gr\ncontent 0: \xC3\xBCn\ncontent 0: \xF0\x9F\x98\x80\n");
}

TEST(delta_sink_replaces_what_is_open_at_the_end_of_a_text) {
    bench_t bench;

    begin(&bench);
    CHECK_EQ_INT(text(&bench, "a\xC3"), RAAF_OK);
    CHECK_EQ_INT(raaf_delta_sink_end_text(&bench.sink, RAAF_CHUNK_CONTENT, 0, &bench.carry),
                 RAAF_OK);
    CHECK_EQ_INT(raaf_delta_sink_end_text(&bench.sink, RAAF_CHUNK_CONTENT, 0, &bench.carry),
                 RAAF_OK);
    end(&bench, "content 0: a\ncontent 0: \xEF\xBF\xBD\n");
}

TEST(delta_sink_returns_what_the_receiver_returns) {
    bench_t bench;

    begin(&bench);
    bench.transcript.stop_after = 1;
    CHECK_EQ_INT(text(&bench, "a"), RAAF_STOP);
    end(&bench, "content 0: a\n");
}

TEST(delta_sink_hands_over_a_fault_with_all_it_says) {
    bench_t bench;
    const raaf_fault_t fault = {
        .json = {"{}", 2}, .message = {"busy", 4}, .type = {"overloaded", 10}};

    begin(&bench);
    CHECK_EQ_INT(raaf_delta_sink_fault(&bench.sink, &fault), RAAF_PROVIDER_ERROR);
    end(&bench, "error message=busy type=overloaded: {}\n");
}

TEST(delta_sink_hands_over_json) {
    bench_t bench;

    begin(&bench);
    CHECK_EQ_INT(raaf_delta_sink_json(&bench.sink, RAAF_CHUNK_CITATION, 2, (raaf_slice_t){"{}", 2}),
                 RAAF_OK);
    end(&bench, "citation 2: {}\n");
}
