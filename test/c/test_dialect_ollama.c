#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "dialect_ollama.h"
#include "dialect_lines.h"

#define OLLAMA (&raaf_dialect_ollama)
#define CHECK_EVENTS(lines, expected, rc) CHECK_LINES(OLLAMA, lines, expected, rc)

/* A line with this message, and no more. */
#define MESSAGE(fields)                                                                            \
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\"," fields "},\"done\":false}\n"
#define TEXT(text) MESSAGE("\"content\":\"" text "\"")
#define CALLS(calls) MESSAGE("\"content\":\"\",\"tool_calls\":[" calls "]")
#define CALL(function) CALLS("{\"function\":{" function "}}")
#define DONE "{\"message\":{\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true}\n"
#define STOPPED "finish 0: stop\n"

/* ---- text ---- */

TEST(ollama_hands_over_content_as_it_comes) {
    CHECK_EVENTS(TEXT("Hel") TEXT("lo") DONE, "content 0: Hel\ncontent 0: lo\n" STOPPED, RAAF_OK);
}

TEST(ollama_thinking_is_reasoning_and_comes_before_the_content) {
    CHECK_EVENTS(MESSAGE("\"content\":\"\",\"thinking\":\"Hm\"")
                     MESSAGE("\"content\":\"Yes\",\"thinking\":\", so\"") DONE,
                 "reasoning 0: Hm\nreasoning 0: , so\ncontent 0: Yes\n" STOPPED, RAAF_OK);
}

TEST(ollama_hands_over_no_empty_text) {
    CHECK_EVENTS(TEXT("") MESSAGE("\"content\":null,\"thinking\":null,\"images\":null") DONE,
                 STOPPED, RAAF_OK);
}

TEST(ollama_last_line_may_hold_the_whole_answer) {
    CHECK_EVENTS("{\"message\":{\"content\":\"All\",\"tool_calls\":[{\"function\":{\"name\":\"f\"}}"
                 "]},\"done\":true,\"done_reason\":\"length\"}",
                 "content 0: All\ntool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\n"
                 "finish 0: length\n",
                 RAAF_OK);
}

TEST(ollama_characters_may_be_split_over_lines) {
    CHECK_EVENTS(TEXT("a\\ud83d") MESSAGE("\"thinking\":\"\xE2\x82\"") TEXT("\\ude00")
                     MESSAGE("\"thinking\":\"\xAC\"") DONE,
                 "content 0: a\ncontent 0: \xF0\x9F\x98\x80\nreasoning 0: \xE2\x82\xAC\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_what_cannot_become_a_character_is_replaced) {
    CHECK_EVENTS(TEXT("a\xFF\\ud83d") MESSAGE("\"thinking\":\"\xC3\"") DONE,
                 "content 0: a" FFFD "\nreasoning 0: " FFFD "\ncontent 0: " FFFD "\n" STOPPED,
                 RAAF_OK);
    CHECK_EVENTS(TEXT("a\\ud83d"), "content 0: a\ncontent 0: " FFFD "\n", RAAF_TRUNCATED);
}

/* ---- tool calls ---- */

TEST(ollama_tool_call_comes_whole) {
    CHECK_EVENTS(CALL("\"name\":\"system\",\"arguments\":{ \"command\": \"date\", \"n\":[1,{}] }")
                     DONE,
                 "tool_call_delta 0 #0  system: { \"command\": \"date\", \"n\":[1,{}] }\n"
                 "tool_call 0 #0  system: { \"command\": \"date\", \"n\":[1,{}] }\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_tool_calls_may_be_numbered_and_have_ids) {
    CHECK_EVENTS(CALLS("{\"id\":\"a\",\"function\":{\"index\":0,\"name\":\"f\",\"arguments\":{}}},"
                       "{\"id\":\"b\",\"function\":{\"index\":2000000000,\"name\":\"g\","
                       "\"arguments\":{}}}") DONE,
                 "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n"
                 "tool_call_delta 0 #2000000000 b g: {}\n"
                 "tool_call 0 #2000000000 b g: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_call_without_an_index_gets_one) {
    CHECK_EVENTS(CALL("\"name\":\"f\",\"arguments\":{}")
                     CALL("\"index\":1,\"name\":\"g\",\"arguments\":{}")
                         CALL("\"index\":null,\"name\":"
                              "\"h\"") DONE,
                 "tool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\n"
                 "tool_call_delta 0 #1  g: {}\ntool_call 0 #1  g: {}\n"
                 "tool_call_delta 0 #2  h: {}\ntool_call 0 #2  h: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_calls_that_all_have_the_same_index_are_told_apart) {
    CHECK_EVENTS(CALL("\"index\":0,\"name\":\"f\"") CALL("\"index\":0,\"name\":\"f\"") DONE,
                 "tool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\n"
                 "tool_call_delta 0 #1  f: {}\ntool_call 0 #1  f: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_arguments_may_be_a_string_or_missing) {
    CHECK_EVENTS(CALL("\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"")
                     CALL("\"name\":\"g\",\"arguments\":null") CALLS("{}") DONE,
                 "tool_call_delta 0 #0  f: {\"a\":1}\ntool_call 0 #0  f: {\"a\":1}\n"
                 "tool_call_delta 0 #1  g: {}\ntool_call 0 #1  g: {}\n"
                 "tool_call_delta 0 #2  : {}\ntool_call 0 #2  : {}\n" STOPPED,
                 RAAF_OK);
}

TEST(ollama_arguments_are_valid_utf8) {
    CHECK_EVENTS(CALL("\"name\":\"\xFF\",\"arguments\":{\"a\":\"\\ud83d\"}") DONE,
                 "tool_call_delta 0 #0  " FFFD ": {\"a\":\"" FFFD "\"}\n"
                 "tool_call 0 #0  " FFFD ": {\"a\":\"" FFFD "\"}\n" STOPPED,
                 RAAF_OK);
}

/* ---- the end, usage ---- */

TEST(ollama_answer_is_done_with_its_terminal_mark) {
    CHECK_EQ_INT(lines_progress(OLLAMA, ""), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(OLLAMA, TEXT("a")), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(OLLAMA, "{\"done_reason\":\"stop\",\"done\":false}\n"),
                 RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(OLLAMA, "{\"done\":\"true\"}\n"), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(OLLAMA, TEXT("a") "{\"done\":true}\n"), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(OLLAMA, "{\"error\":\"x\"}\n"), RAAF_PROGRESS_DONE);
}

TEST(ollama_answer_without_a_reason_has_stopped) {
    CHECK_EVENTS("{\"done\":true}", STOPPED, RAAF_OK);
    CHECK_EVENTS("{\"done\":true,\"done_reason\":\"load\"}", "finish 0: load\n", RAAF_OK);
}

TEST(ollama_nothing_behind_the_terminal_mark_counts) {
    CHECK_EVENTS(DONE TEXT("late") "nonsense", STOPPED, RAAF_OK);
}

TEST(ollama_answer_cut_off_at_any_line_is_truncated) {
    lines_check_truncations(
        OLLAMA, MESSAGE("\"thinking\":\"t\"") TEXT("a") CALL("\"name\":\"f\"") TEXT("b") DONE, 4);
    CHECK_EVENTS("", "", RAAF_TRUNCATED);
}

TEST(ollama_usage_is_handed_over_with_its_counts_and_durations) {
    CHECK_EVENTS("{\"message\":{\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,"
                 "\"total_duration\":9,\"load_duration\":1,\"prompt_eval_count\":66,"
                 "\"prompt_eval_duration\":2.5,\"eval_count\":189,\"eval_duration\":3}",
                 STOPPED "usage prompt=66 completion=189 total=255: {\"total_duration\":9,"
                         "\"load_duration\":1,\"prompt_eval_count\":66,"
                         "\"prompt_eval_duration\":2.5,\"eval_count\":189,\"eval_duration\":3}\n",
                 RAAF_OK);
}

TEST(ollama_counts_that_are_not_sent_are_unknown) {
    CHECK_EVENTS("{\"done\":true,\"eval_count\":3}",
                 STOPPED "usage completion=3: {\"eval_count\":3}\n", RAAF_OK);
    CHECK_EVENTS("{\"done\":true,\"prompt_eval_count\":9223372036854775807,\"eval_count\":1}",
                 STOPPED "usage prompt=9223372036854775807 completion=1: "
                         "{\"prompt_eval_count\":9223372036854775807,\"eval_count\":1}\n",
                 RAAF_OK);
    CHECK_EVENTS("{\"done\":true,\"total_duration\":3,\"eval_count\":\"3\",\"prompt_eval_count\":-1"
                 "}",
                 STOPPED, RAAF_OK);
}

TEST(ollama_counts_before_the_end_say_nothing) {
    CHECK_EVENTS("{\"message\":{\"content\":\"a\"},\"done\":false,\"eval_count\":1}\n" DONE,
                 "content 0: a\n" STOPPED, RAAF_OK);
}

/* ---- errors ---- */

TEST(ollama_error_line_is_handed_over) {
    CHECK_EVENTS(TEXT("a") "{\"error\":\"an error was encountered\"}\n" TEXT("late"),
                 "content 0: a\nerror message=an error was encountered: "
                 "{\"error\":\"an error was encountered\"}\n",
                 RAAF_PROVIDER_ERROR);
}

TEST(ollama_error_may_be_an_object) {
    CHECK_EVENTS("{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":500}}",
                 "error message=m type=t code=500: {\"message\":\"m\",\"type\":\"t\","
                 "\"code\":500}\n",
                 RAAF_PROVIDER_ERROR);
}

TEST(ollama_error_that_is_null_or_empty_is_none) {
    CHECK_EVENTS("{\"error\":null,\"message\":{\"content\":\"a\"}}\n{\"error\":\"\"}\n" DONE,
                 "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(ollama_error_wins_over_all_else_in_its_line_and_is_the_last) {
    CHECK_EVENTS(TEXT("\\ud83d") "{\"message\":{\"content\":\"no\"},\"done\":true,\"error\":\"x\xFF"
                                 "\"}",
                 "error message=x" FFFD ": {\"message\":{\"content\":\"no\"},\"done\":true,"
                 "\"error\":\"x" FFFD "\"}\n",
                 RAAF_PROVIDER_ERROR);
}

/* ---- what is malformed, what is unknown ---- */

TEST(ollama_malformed_line_hands_over_nothing) {
    CHECK_EVENTS("{\"message\":{\"content\":\"a\"}", "", RAAF_INVALID_JSON);
    CHECK_EVENTS("data: {}", "", RAAF_INVALID_JSON);
    CHECK_EVENTS("<html>", "", RAAF_INVALID_JSON);
    CHECK_EVENTS("[]", "", RAAF_INVALID_EVENT);
}

TEST(ollama_answer_of_a_wrong_type_is_malformed) {
    static const char *const lines[] = {
        "{\"message\":\"x\"}",
        MESSAGE("\"content\":5"),
        MESSAGE("\"content\":{}"),
        MESSAGE("\"thinking\":[]"),
        MESSAGE("\"thinking\":true"),
        MESSAGE("\"tool_calls\":\"f\""),
        CALLS("5"),
        CALLS("{\"function\":\"f\"}"),
        CALL("\"arguments\":5"),
        CALL("\"arguments\":[]"),
        CALL("\"index\":1.5"),
        CALL("\"index\":\"x\""),
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        lines_check(OLLAMA, lines[i], strlen(lines[i]), "", 0, RAAF_INVALID_EVENT);
    }
}

TEST(ollama_malformed_lines_are_counted_where_they_are_skipped) {
    lines_check_skipping(
        OLLAMA, TEXT("a") "nonsense\n" CALL("\"name\":\"f\",\"arguments\":5") TEXT("b") DONE,
        "content 0: a\ncontent 0: b\n" STOPPED, RAAF_OK, 2);
}

TEST(ollama_line_nobody_knows_is_handed_over_raw_where_asked) {
    CHECK_EVENTS("{\"status\":\"loading\"}\n" DONE, "raw 0: {\"status\":\"loading\"}\n" STOPPED,
                 RAAF_OK);
}

/* ---- caps, the receiver, memory ---- */

static int decode_calls(int count) {
    raaf_buffer_t stream;

    raaf_buffer_init(&stream, 1 << 20);
    lines_add(&stream, "{\"message\":{\"tool_calls\":[");
    for (int i = 0; i < count; i++)
        lines_add(&stream, i > 0 ? ",{}" : "{}");
    lines_add(&stream, "]}}\n");
    return lines_end_of(OLLAMA, &stream);
}

TEST(ollama_response_may_have_1024_tool_calls) {
    CHECK_EQ_INT(decode_calls(1024), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_calls(1025), RAAF_EVENT_TOO_LARGE);
}

#define FULL                                                                                       \
    MESSAGE("\"thinking\":\"t\\ud83d\",\"content\":\"c\\ud83d\"")                                  \
    CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}")                  \
    "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"eval_count\":3}\n"
#define FULL_DELTAS 8

TEST(ollama_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(OLLAMA, FULL, FULL_DELTAS);
}

TEST(ollama_receiver_that_stops_at_an_error_is_obeyed) {
    lines_check_stop_at_error(OLLAMA, "{\"error\":\"x\"}");
}

TEST(ollama_reports_that_memory_ran_out) {
    lines_check_memory(OLLAMA, FULL, RAAF_OK, FULL_DELTAS, 5);
    lines_check_memory(OLLAMA, "{\"message\":{\"content\":\"a\"},\"done\":true}\n", RAAF_OK, 2, 1);
}
