#include "check.h"
#include "failing_malloc.h"
#include "decoder.c"
#include "dialect_ollama.h"
#include "dialect_openai_chat.h"
#include "transcript.h"

#define CONTENT(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"total_tokens\":7}}\n\n"
#define DONE "data: [DONE]\n\n"
#define BROKEN "data: {\"choices\":[{\"delta\":{\"content\":\"lost\n\n"

typedef struct outcome {
    raaf_decoder_t decoder;
    transcript_t transcript;
    int fed;
    int finished;
} outcome_t;

static void begin(outcome_t *outcome) {
    transcript_init(&outcome->transcript);
    CHECK_EQ_INT(raaf_decoder_init(&outcome->decoder, &raaf_dialect_openai_chat, transcript_delta,
                                   &outcome->transcript, 0, 0),
                 RAAF_OK);
}

static int feed(outcome_t *outcome, const char *bytes) {
    return raaf_decoder_feed(&outcome->decoder, bytes, strlen(bytes));
}

static void end(outcome_t *outcome, bool eof) {
    outcome->finished = raaf_decoder_finish(&outcome->decoder, eof);
}

static void clean_up(outcome_t *outcome) {
    raaf_decoder_free(&outcome->decoder);
    transcript_free(&outcome->transcript);
}

#define CHECK_SAID(outcome, expected)                                                              \
    CHECK_EQ_STR((outcome).transcript.text.bytes, (outcome).transcript.text.len, (expected))

TEST(decoder_makes_deltas_of_bytes) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("Hi") STOP USAGE), RAAF_OK);
    CHECK_EQ_INT(feed(&outcome, DONE), RAAF_STOP);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_EQ_UINT(outcome.decoder.events, 4);
    CHECK_SAID(outcome, "content 0: Hi\nfinish 0: stop\nusage total=7: {\"total_tokens\":7}\n");
    clean_up(&outcome);
}

TEST(decoder_tells_how_far_the_answer_has_come) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_OPEN);
    feed(&outcome, CONTENT("Hi"));
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_OPEN);
    feed(&outcome, STOP);
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_FINISHED);
    feed(&outcome, USAGE);
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_SETTLED);
    feed(&outcome, DONE);
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_DONE);
    clean_up(&outcome);
}

TEST(decoder_drops_what_follows_the_terminal_mark) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") DONE CONTENT("late") BROKEN), RAAF_STOP);
    CHECK_EQ_INT(feed(&outcome, CONTENT("late")), RAAF_STOP);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_SAID(outcome, "content 0: a\n");
    clean_up(&outcome);
}

TEST(decoder_reports_an_answer_that_ends_without_its_terminal_mark) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a")), RAAF_OK);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    clean_up(&outcome);

    begin(&outcome);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    clean_up(&outcome);
}

TEST(decoder_takes_a_finish_reason_for_the_end_where_no_terminal_mark_comes) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") STOP), RAAF_OK);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    clean_up(&outcome);
}

TEST(decoder_reads_a_last_event_that_lacks_its_blank_line) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") "data: [DONE]"), RAAF_OK);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_EQ_INT(raaf_decoder_progress(&outcome.decoder), RAAF_PROGRESS_DONE);
    clean_up(&outcome);

    begin(&outcome);
    feed(&outcome, CONTENT("a") "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}");
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_SAID(outcome, "content 0: a\nfinish 0: stop\n");
    clean_up(&outcome);
}

TEST(decoder_reports_an_error_in_a_last_event_that_lacks_its_blank_line) {
    outcome_t outcome;

    begin(&outcome);
    feed(&outcome, CONTENT("a") "data: {\"error\":\"x\"}");
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_PROVIDER_ERROR);
    CHECK_SAID(outcome, "content 0: a\nerror message=x: {\"error\":\"x\"}\n");
    clean_up(&outcome);
}

TEST(decoder_takes_a_last_event_that_is_cut_off_for_a_truncation) {
    static const char *const cut[] = {"data: {\"choices\":[{\"del", "data: {", "data: hel",
                                      "data: {\"choices\":[1]}"};

    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        outcome_t outcome;

        begin(&outcome);
        CHECK_EQ_INT(feed(&outcome, CONTENT("a")), RAAF_OK);
        CHECK_EQ_INT(feed(&outcome, cut[i]), RAAF_OK);
        end(&outcome, true);
        CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
        CHECK_EQ_UINT(outcome.decoder.malformed_events, 1);
        clean_up(&outcome);

        begin(&outcome);
        CHECK_EQ_INT(feed(&outcome, CONTENT("a") STOP), RAAF_OK);
        CHECK_EQ_INT(feed(&outcome, cut[i]), RAAF_OK);
        end(&outcome, true);
        CHECK_EQ_INT(outcome.finished, RAAF_OK);
        CHECK_SAID(outcome, "content 0: a\nfinish 0: stop\n");
        clean_up(&outcome);
    }
}

TEST(decoder_leaves_an_unfinished_event_alone_unless_the_input_ended) {
    outcome_t outcome;

    begin(&outcome);
    feed(&outcome, CONTENT("a") STOP "data: {\"error\":\"x\"}");
    end(&outcome, false);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_SAID(outcome, "content 0: a\nfinish 0: stop\n");
    clean_up(&outcome);

    begin(&outcome);
    feed(&outcome, CONTENT("a"));
    end(&outcome, false);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    clean_up(&outcome);
}

TEST(decoder_hands_over_what_was_kept_back_also_when_the_answer_is_cut_off) {
    outcome_t outcome;

    begin(&outcome);
    feed(&outcome, CONTENT("a\\ud83d"));
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    CHECK_SAID(outcome, "content 0: a\ncontent 0: \xEF\xBF\xBD\n");
    clean_up(&outcome);
}

TEST(decoder_ends_at_a_malformed_event) {
    outcome_t outcome;

    begin(&outcome);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") BROKEN CONTENT("b")), RAAF_INVALID_JSON);
    CHECK_EQ_INT(feed(&outcome, CONTENT("c")), RAAF_INVALID_JSON);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_INVALID_JSON);
    CHECK_EQ_UINT(outcome.decoder.malformed_events, 0);
    CHECK_SAID(outcome, "content 0: a\n");
    clean_up(&outcome);
}

TEST(decoder_counts_malformed_events_and_goes_on_where_asked) {
    outcome_t outcome;

    begin(&outcome);
    outcome.decoder.skip_malformed = true;
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") BROKEN "data: [1]\n\n" CONTENT("b") STOP), RAAF_OK);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_EQ_UINT(outcome.decoder.malformed_events, 2);
    CHECK_EQ_UINT(outcome.decoder.events, 5);
    CHECK_SAID(outcome, "content 0: a\ncontent 0: b\nfinish 0: stop\n");
    clean_up(&outcome);
}

TEST(decoder_does_not_skip_an_error_of_the_provider) {
    outcome_t outcome;

    begin(&outcome);
    outcome.decoder.skip_malformed = true;
    CHECK_EQ_INT(feed(&outcome, "data: {\"error\":\"x\"}\n\n" CONTENT("late")),
                 RAAF_PROVIDER_ERROR);
    CHECK_EQ_INT(feed(&outcome, CONTENT("late")), RAAF_PROVIDER_ERROR);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_PROVIDER_ERROR);
    CHECK_SAID(outcome, "error message=x: {\"error\":\"x\"}\n");
    clean_up(&outcome);
}

TEST(decoder_can_be_finished_only_once) {
    outcome_t outcome;

    begin(&outcome);
    feed(&outcome, CONTENT("a\\ud83d"));
    end(&outcome, true);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    CHECK_EQ_INT(feed(&outcome, CONTENT("late")), RAAF_TRUNCATED);
    CHECK_EQ_UINT(outcome.transcript.deltas, 2);
    clean_up(&outcome);

    begin(&outcome);
    feed(&outcome, STOP);
    end(&outcome, false);
    CHECK_EQ_INT(feed(&outcome, CONTENT("late")), RAAF_STOP);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_EQ_UINT(outcome.transcript.deltas, 1);
    clean_up(&outcome);
}

TEST(decoder_obeys_a_receiver_that_stops) {
    outcome_t outcome;

    begin(&outcome);
    outcome.transcript.stop_after = 1;
    CHECK_EQ_INT(feed(&outcome, CONTENT("a") CONTENT("b") STOP DONE), RAAF_STOP);
    CHECK_EQ_INT(feed(&outcome, CONTENT("c")), RAAF_STOP);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_STOP);
    CHECK_SAID(outcome, "content 0: a\n");
    clean_up(&outcome);
}

TEST(decoder_holds_lines_and_events_to_their_limits) {
    outcome_t outcome;

    transcript_init(&outcome.transcript);
    raaf_decoder_init(&outcome.decoder, &raaf_dialect_openai_chat, transcript_delta,
                      &outcome.transcript, 100, 60);
    CHECK_EQ_INT(feed(&outcome, CONTENT("a")), RAAF_OK);
    CHECK_EQ_INT(feed(&outcome, CONTENT("aaaaaaaaaaaaaaaaaaaaaaaaaaaa")), RAAF_EVENT_TOO_LARGE);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_EVENT_TOO_LARGE);
    clean_up(&outcome);

    transcript_init(&outcome.transcript);
    raaf_decoder_init(&outcome.decoder, &raaf_dialect_openai_chat, transcript_delta,
                      &outcome.transcript, 100, 60);
    for (int i = 0; i < 10; i++)
        feed(&outcome, ": an endless");
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_LINE_TOO_LONG);
    clean_up(&outcome);
}

#define LINE(text) "{\"message\":{\"content\":\"" text "\"},\"done\":false}\n"

static void begin_lines(outcome_t *outcome, size_t max_line, size_t max_event) {
    transcript_init(&outcome->transcript);
    CHECK_EQ_INT(raaf_decoder_init(&outcome->decoder, &raaf_dialect_ollama, transcript_delta,
                                   &outcome->transcript, max_line, max_event),
                 RAAF_OK);
}

TEST(decoder_reads_lines_where_its_dialect_has_them) {
    outcome_t outcome;

    begin_lines(&outcome, 0, 0);
    CHECK_EQ_INT(feed(&outcome, LINE("Hi")), RAAF_OK);
    CHECK_EQ_INT(feed(&outcome, "{\"done\":true}\n" LINE("late")), RAAF_STOP);
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    CHECK_EQ_UINT(outcome.decoder.events, 2);
    CHECK_SAID(outcome, "content 0: Hi\nfinish 0: stop\n");
    clean_up(&outcome);
}

TEST(decoder_tries_a_last_line_that_lacks_its_end) {
    outcome_t outcome;

    begin_lines(&outcome, 0, 0);
    feed(&outcome, LINE("a") "{\"done\":true}");
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_OK);
    clean_up(&outcome);

    begin_lines(&outcome, 0, 0);
    feed(&outcome, LINE("a") "{\"done\":tr");
    end(&outcome, true);
    CHECK_EQ_INT(outcome.finished, RAAF_TRUNCATED);
    CHECK_EQ_UINT(outcome.decoder.malformed_events, 1);
    clean_up(&outcome);
}

TEST(decoder_holds_lines_of_json_to_both_limits) {
    outcome_t outcome;

    begin_lines(&outcome, 30, 60);
    CHECK_EQ_INT(feed(&outcome, LINE("a")), RAAF_LINE_TOO_LONG);
    clean_up(&outcome);

    begin_lines(&outcome, 60, 30);
    CHECK_EQ_INT(feed(&outcome, LINE("a")), RAAF_EVENT_TOO_LARGE);
    clean_up(&outcome);
}

TEST(decoder_reports_that_memory_ran_out) {
    raaf_decoder_t decoder;

    memory_runs_out_after(0);
    CHECK_EQ_INT(
        raaf_decoder_init(&decoder, &raaf_dialect_openai_chat, transcript_delta, NULL, 0, 0),
        RAAF_NO_MEMORY);
    memory_is_back();
    raaf_decoder_free(&decoder);
    raaf_decoder_free(&decoder);
}
