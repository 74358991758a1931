#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "dialect_lines.h"
#include "dialect_openai_responses.h"

#define RESPONSES (&raaf_dialect_openai_responses)
#define CHECK_RESPONSES(lines, expected, rc) CHECK_KNOWN_LINES(RESPONSES, lines, expected, rc)

#define EVENT(type, fields) "{\"type\":\"response." type "\"," fields "}\n"
#define TEXT(text) EVENT("output_text.delta", "\"output_index\":0,\"delta\":\"" text "\"")
#define ADDED(index, item) EVENT("output_item.added", "\"output_index\":" index ",\"item\":" item)
#define DONE(index, item) EVENT("output_item.done", "\"output_index\":" index ",\"item\":" item)
#define ARGUMENTS(index, text)                                                                     \
    EVENT("function_call_arguments.delta", "\"output_index\":" index ",\"delta\":\"" text "\"")
#define CALL(id, name, arguments)                                                                  \
    "{\"id\":\"fc_" id "\",\"type\":\"function_call\",\"call_id\":\"" id "\",\"name\":\"" name     \
    "\",\"arguments\":\"" arguments "\"}"
#define MESSAGE(parts)                                                                             \
    "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[" parts "]}"
#define OUTPUT_TEXT(text) "{\"type\":\"output_text\",\"text\":\"" text "\",\"annotations\":[]}"
#define REASONING(id, fields) "{\"type\":\"reasoning\",\"id\":\"" id "\"," fields "}"
#define COMPLETED_WITH(output)                                                                     \
    EVENT("completed", "\"response\":{\"status\":\"completed\",\"error\":null,"                    \
                       "\"incomplete_details\":null,\"output\":[" output "],\"usage\":null}")
#define COMPLETED COMPLETED_WITH("")
#define FINISHED "finish 0: completed\n"

/* ---- text ---- */

TEST(responses_hand_over_text_as_it_comes) {
    CHECK_RESPONSES(TEXT("Hel") TEXT("") TEXT("lo") COMPLETED,
                    "content 0: Hel\ncontent 0: lo\n" FINISHED, RAAF_OK);
}

TEST(responses_read_a_whole_answer_with_all_its_usual_events) {
    CHECK_RESPONSES(
        "@response.created {\"type\":\"response.created\",\"sequence_number\":0,\"response\":"
        "{\"id\":\"resp_1\",\"status\":\"in_progress\",\"error\":null,\"output\":[],"
        "\"text\":{\"format\":{\"type\":\"text\"}},\"usage\":null}}\n"
        "@response.output_item.added " ADDED("0", MESSAGE("")) EVENT(
            "content_part.added", "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
                                  "\"part\":" OUTPUT_TEXT(""))
            EVENT("output_text.delta",
                  "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
                  "\"delta\":\"Hi\",\"logprobs\":[],\"obfuscation\":\"xx\"")
                EVENT("output_text.done",
                      "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
                      "\"text\":\"Hi\",\"logprobs\":[]")
                    EVENT("content_part.done",
                          "\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,"
                          "\"part\":" OUTPUT_TEXT("Hi")) DONE("0", MESSAGE(OUTPUT_TEXT("Hi")))
                        COMPLETED_WITH(MESSAGE(OUTPUT_TEXT("Hi"))),
        "content 0: Hi\n" FINISHED, RAAF_OK);
}

TEST(responses_event_is_known_by_its_name_where_the_data_has_no_type) {
    CHECK_RESPONSES("@response.output_text.delta {\"delta\":\"a\"}\n"
                    "@response.output_text.delta {\"type\":\"response.refusal.delta\","
                    "\"delta\":\"no\"}\n"
                    "@response.completed {\"response\":{\"status\":\"completed\"}}\n",
                    "content 0: a\nrefusal 0: no\n" FINISHED, RAAF_OK);
}

TEST(responses_refusal_is_handed_over_as_such) {
    CHECK_RESPONSES(
        EVENT("refusal.delta", "\"delta\":\"I can\"") EVENT("refusal.delta", "\"delta\":\"not\"")
            EVENT("refusal.done", "\"refusal\":\"I cannot\"")
                DONE("0", MESSAGE("{\"type\":\"refusal\",\"refusal\":\"I cannot\"}")) COMPLETED,
        "refusal 0: I can\nrefusal 0: not\n" FINISHED, RAAF_OK);
}

TEST(responses_texts_of_several_messages_and_parts_follow_one_another) {
    CHECK_RESPONSES(
        EVENT("output_text.delta", "\"output_index\":0,\"content_index\":0,\"delta\":\"a\"")
            EVENT("output_text.done", "\"output_index\":0,\"content_index\":0,\"text\":\"a\"")
                EVENT("output_text.delta", "\"output_index\":0,\"content_index\":1,\"delta\":"
                                           "\"b\"")
                    DONE("0", MESSAGE(OUTPUT_TEXT("a") "," OUTPUT_TEXT("b")))
                        EVENT("output_text.delta",
                              "\"output_index\":1,\"content_index\":0,\"delta\":\"c\"") COMPLETED,
        "content 0: a\ncontent 0: b\ncontent 0: c\n" FINISHED, RAAF_OK);
}

TEST(responses_surrogates_of_two_events_make_one_character) {
    CHECK_RESPONSES(TEXT("a\\ud83d") TEXT("\\ude00b") COMPLETED,
                    "content 0: a\ncontent 0: \xF0\x9F\x98\x80"
                    "b\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_bytes_of_one_character_may_come_in_two_events) {
    CHECK_RESPONSES(TEXT("\xC3") TEXT("\xA9") COMPLETED, "content 0: \xC3\xA9\n" FINISHED, RAAF_OK);
}

TEST(responses_open_character_is_replaced_at_the_end_of_its_text) {
    CHECK_RESPONSES(TEXT("a\\ud83d") EVENT("output_text.done", "\"output_index\":0,\"text\":\"a\"")
                        COMPLETED,
                    "content 0: a\ncontent 0: " FFFD "\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(TEXT("a\xE2\x82") DONE("0", MESSAGE(OUTPUT_TEXT("a"))) COMPLETED,
                    "content 0: a\ncontent 0: " FFFD "\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(TEXT("a\xE2\x82") COMPLETED, "content 0: a\ncontent 0: " FFFD "\n" FINISHED,
                    RAAF_OK);
    CHECK_RESPONSES(TEXT("a\xE2\x82"), "content 0: a\ncontent 0: " FFFD "\n", RAAF_TRUNCATED);
}

TEST(responses_open_characters_are_kept_for_each_text) {
    CHECK_RESPONSES(
        EVENT("output_text.delta", "\"output_index\":0,\"content_index\":0,\"delta\":\"\xC3\"")
            EVENT("output_text.delta", "\"output_index\":0,\"content_index\":1,\"delta\":\"\xC2\"")
                EVENT("reasoning_text.delta", "\"output_index\":0,\"delta\":\"\xC4\"")
                    EVENT("output_text.delta",
                          "\"output_index\":0,\"content_index\":0,\"delta\":\"\xA9\"")
                        EVENT("output_text.delta",
                              "\"output_index\":0,\"content_index\":1,\"delta\":\"\xA3\"")
                            EVENT("reasoning_text.delta", "\"output_index\":0,\"delta\":\"\x80\"")
                                COMPLETED,
        "content 0: \xC3\xA9\ncontent 0: \xC2\xA3\nreasoning 0: \xC4\x80\n" FINISHED, RAAF_OK);
}

TEST(responses_item_that_ends_leaves_open_what_belongs_to_another) {
    CHECK_RESPONSES(TEXT("\xC3") DONE("1", REASONING("rs", "\"status\":\"incomplete\""))
                        TEXT("\xA9") COMPLETED,
                    "content 0: \xC3\xA9\n" FINISHED, RAAF_OK);
}

/* ---- reasoning ---- */

#define SUMMARY(part, text)                                                                        \
    EVENT("reasoning_summary_text.delta",                                                          \
          "\"output_index\":0,\"summary_index\":" part ",\"delta\":\"" text "\"")

TEST(responses_parts_of_reasoning_are_divided_by_an_empty_line) {
    CHECK_RESPONSES(SUMMARY("0", "a") SUMMARY("0", "b")
                        EVENT("reasoning_summary_text.done",
                              "\"output_index\":0,\"summary_index\":0,\"text\":\"ab\"")
                            EVENT("reasoning_summary_part.done",
                                  "\"output_index\":0,\"summary_index\":0,\"part\":{\"type\":"
                                  "\"summary_text\",\"text\":\"ab\"}") SUMMARY("1", "c")
                                EVENT("reasoning_text.delta",
                                      "\"output_index\":2,\"content_index\":0,\"delta\":\"d\"")
                                    COMPLETED,
                    "reasoning 0: a\nreasoning 0: b\nreasoning 0: \\n\\n\nreasoning 0: c\n"
                    "reasoning 0: \\n\\n\nreasoning 0: d\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_reasoning_that_comes_whole_is_handed_over_once) {
    CHECK_RESPONSES(
        EVENT("reasoning_text.done", "\"output_index\":0,\"content_index\":0,\"text\":\"ab\"")
            EVENT("reasoning_part.done", "\"output_index\":0,\"content_index\":0,\"part\":{"
                                         "\"type\":\"reasoning_text\",\"text\":\"ab\"}")
                EVENT("reasoning_summary_part.done",
                      "\"output_index\":0,\"summary_index\":0,\"part\":{\"type\":"
                      "\"summary_text\",\"text\":\"c\"}") COMPLETED,
        "reasoning 0: ab\nreasoning 0: \\n\\n\nreasoning 0: c\n" FINISHED, RAAF_OK);
}

TEST(responses_reasoning_item_is_a_part_of_the_answer_as_it_was_sent) {
    CHECK_RESPONSES(
        DONE("0", REASONING("rs_1", "\"summary\":[{\"type\":\"summary_text\",\"text\":\"a\"},"
                                    "{\"type\":\"summary_text\",\"text\":\"b\"}],"
                                    "\"encrypted_content\":\"gAAA\\u003d=\"")) COMPLETED,
        "reasoning 0: a\nreasoning 0: \\n\\n\nreasoning 0: b\n"
        "part 0: {\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\","
        "\"text\":\"a\"},{\"type\":\"summary_text\",\"text\":\"b\"}],"
        "\"encrypted_content\":\"gAAA\\u003d=\"}\n" FINISHED,
        RAAF_OK);
}

/* ---- text that only comes whole ---- */

TEST(responses_text_that_only_comes_whole_is_handed_over_once) {
    CHECK_RESPONSES(EVENT("output_text.done", "\"output_index\":0,\"text\":\"a\"")
                        EVENT("content_part.done", "\"output_index\":0,\"part\":" OUTPUT_TEXT("a"))
                            DONE("0", MESSAGE(OUTPUT_TEXT("a")))
                                COMPLETED_WITH(MESSAGE(OUTPUT_TEXT("a"))),
                    "content 0: a\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(EVENT("content_part.done", "\"output_index\":0,\"part\":" OUTPUT_TEXT("a"))
                        DONE("0", MESSAGE(OUTPUT_TEXT("a"))) COMPLETED,
                    "content 0: a\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(DONE("0", MESSAGE(OUTPUT_TEXT("a") "," OUTPUT_TEXT("b")))
                        COMPLETED_WITH(MESSAGE(OUTPUT_TEXT("ab"))),
                    "content 0: a\ncontent 0: b\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(
        COMPLETED_WITH(MESSAGE(OUTPUT_TEXT("a") ",{\"type\":\"refusal\",\"refusal\":\"no\"}")),
        "content 0: a\nrefusal 0: no\n" FINISHED, RAAF_OK);
}

TEST(responses_last_output_may_leave_out_items_that_came_before) {
    CHECK_RESPONSES(EVENT("output_text.delta", "\"output_index\":1,\"delta\":\"a\"")
                        DONE("1", MESSAGE(OUTPUT_TEXT("a")))
                            COMPLETED_WITH(MESSAGE(OUTPUT_TEXT("a"))),
                    "content 0: a\n" FINISHED, RAAF_OK);
}

TEST(responses_content_of_a_message_may_be_one_string) {
    CHECK_RESPONSES(DONE("0", "{\"type\":\"message\",\"content\":\"a\"}")
                        COMPLETED_WITH("{\"type\":\"message\",\"content\":\"a\"}"),
                    "content 0: a\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(COMPLETED_WITH("{\"type\":\"message\",\"content\":[\"a\",{\"text\":\"b\"}]}"),
                    "content 0: a\ncontent 0: b\n" FINISHED, RAAF_OK);
}

TEST(responses_text_of_other_items_is_not_the_answer) {
    CHECK_RESPONSES(
        DONE("0", "{\"type\":\"shell_call_output\",\"content\":[{\"type\":\"output_text\","
                  "\"text\":\"no\"}],\"output\":[{\"text\":{\"x\":1}}]}") COMPLETED,
        "part 0: {\"type\":\"shell_call_output\",\"content\":[{\"type\":\"output_text\","
        "\"text\":\"no\"}],\"output\":[{\"text\":{\"x\":1}}]}\n" FINISHED,
        RAAF_OK);
}

/* ---- citations ---- */

#define SOURCE(url) "{\"type\":\"url_citation\",\"url\":\"" url "\",\"start_index\":0}"

TEST(responses_annotation_is_a_citation_and_is_handed_over_once) {
    CHECK_RESPONSES(
        TEXT("a") EVENT("output_text.annotation.added",
                        "\"output_index\":0,\"content_index\":0,\"annotation_index\":0,"
                        "\"annotation\":" SOURCE("u"))
            DONE("0", MESSAGE("{\"type\":\"output_text\",\"annotations\":[" SOURCE(
                          "u") "],\"text\":\"a\"}"))
                COMPLETED_WITH(MESSAGE(
                    "{\"type\":\"output_text\",\"annotations\":[" SOURCE("u") "],\"text\":\"a\"}")),
        "content 0: a\ncitation 0: " SOURCE("u") "\n" FINISHED, RAAF_OK);
}

TEST(responses_annotations_that_only_come_with_the_item_are_citations) {
    CHECK_RESPONSES(
        DONE("0", MESSAGE("{\"type\":\"output_text\",\"annotations\":[" SOURCE("u") "," SOURCE(
                      "v") "],\"text\":\"a\"}")) COMPLETED,
        "content 0: a\ncitation 0: " SOURCE("u") "\ncitation 0: " SOURCE("v") "\n" FINISHED,
        RAAF_OK);
}

/* ---- tool calls ---- */

TEST(responses_tool_call_is_joined_from_its_fragments) {
    CHECK_RESPONSES(
        ADDED("1", CALL("call_a", "weather", "")) ARGUMENTS("1", "{\\\"city\\\"")
            ARGUMENTS("1", ":\\\"Oslo\\\"}") EVENT("function_call_arguments.done",
                                                   "\"output_index\":1,\"name\":\"weather\","
                                                   "\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"")
                DONE("1", CALL("call_a", "weather", "{\\\"city\\\":\\\"Oslo\\\"}"))
                    COMPLETED_WITH(CALL("call_a", "weather", "{\\\"city\\\":\\\"Oslo\\\"}")),
        "tool_call_delta 0 #1 call_a weather: \n"
        "tool_call_delta 0 #1 call_a weather: {\"city\"\n"
        "tool_call_delta 0 #1 call_a weather: :\"Oslo\"}\n"
        "tool_call 0 #1 call_a weather: {\"city\":\"Oslo\"}\n" FINISHED,
        RAAF_OK);
}

TEST(responses_tool_calls_may_run_side_by_side) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ADDED("1", CALL("b", "g", ""))
                        ARGUMENTS("0", "{") ARGUMENTS("1", "[") ARGUMENTS("0", "}")
                            ARGUMENTS("1", "]") DONE("1", CALL("b", "g", "[]"))
                                DONE("0", CALL("a", "f", "{}")) COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #1 b g: \n"
                    "tool_call_delta 0 #0 a f: {\ntool_call_delta 0 #1 b g: [\n"
                    "tool_call_delta 0 #0 a f: }\ntool_call_delta 0 #1 b g: ]\n"
                    "tool_call 0 #1 b g: []\ntool_call 0 #0 a f: {}\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_without_an_output_index_items_are_known_by_their_ids) {
    CHECK_RESPONSES(
        EVENT("output_item.added", "\"item\":" CALL("a", "f", ""))
            EVENT("output_item.added", "\"item\":" CALL("b", "g", "")) EVENT(
                "function_call_arguments.delta", "\"item_id\":\"fc_a\",\"delta\":\"1\"")
                EVENT("function_call_arguments.delta", "\"item_id\":\"fc_b\",\"delta\":\"2\"")
                    EVENT("function_call_arguments.delta", "\"item_id\":\"fc_a\",\"delta\":\"3\"")
                        EVENT("output_item.done", "\"item\":" CALL("a", "f", "13"))
                            EVENT("output_item.done", "\"item\":" CALL("b", "g", "2")) COMPLETED,
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #1 b g: \n"
        "tool_call_delta 0 #0 a f: 1\ntool_call_delta 0 #1 b g: 2\n"
        "tool_call_delta 0 #0 a f: 3\ntool_call 0 #0 a f: 13\ntool_call 0 #1 b g: 2\n" FINISHED,
        RAAF_OK);
}

TEST(responses_without_index_and_id_the_newest_item_goes_on) {
    CHECK_RESPONSES(
        EVENT("output_item.added", "\"item\":{\"type\":\"function_call\",\"name\":\"f\"}")
            EVENT("function_call_arguments.delta", "\"delta\":\"1\"")
                EVENT("output_item.added", "\"item\":{\"type\":\"function_call\",\"name\":\"g\"}")
                    EVENT("function_call_arguments.delta", "\"delta\":\"2\"") COMPLETED,
        "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: 1\n"
        "tool_call_delta 0 #1  g: \ntool_call_delta 0 #1  g: 2\n"
        "tool_call 0 #0  f: 1\ntool_call 0 #1  g: 2\n" FINISHED,
        RAAF_OK);
}

TEST(responses_ids_of_an_item_may_change_from_event_to_event) {
    CHECK_RESPONSES(
        EVENT("output_item.added", "\"output_index\":0,\"item\":{\"id\":\"x\",\"type\":"
                                   "\"function_call\",\"call_id\":\"a\",\"name\":\"f\"}")
            EVENT("function_call_arguments.delta",
                  "\"output_index\":0,\"item_id\":\"y\",\"delta\":\"{}\"")
                EVENT("output_item.done",
                      "\"output_index\":0,\"item\":{\"id\":\"z\",\"type\":\"function_call\","
                      "\"call_id\":\"a\",\"name\":\"f\",\"arguments\":\"{}\"}") COMPLETED,
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
        "tool_call 0 #0 a f: {}\n" FINISHED,
        RAAF_OK);
}

TEST(responses_items_may_all_have_the_same_index) {
    CHECK_RESPONSES(
        ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "1") DONE("0", CALL("a", "f", "1"))
            ADDED("0", CALL("b", "g", "")) ARGUMENTS("0", "2") DONE("0", CALL("b", "g", "2"))
                DONE("0", CALL("c", "h", "3")) DONE("0", MESSAGE(OUTPUT_TEXT("t"))) COMPLETED,
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: 1\n"
        "tool_call 0 #0 a f: 1\n"
        "tool_call_delta 0 #0 b g: \ntool_call_delta 0 #0 b g: 2\n"
        "tool_call 0 #0 b g: 2\n"
        "tool_call_delta 0 #0 c h: 3\ntool_call 0 #0 c h: 3\ncontent 0: t\n" FINISHED,
        RAAF_OK);
}

TEST(responses_item_that_is_repeated_counts_once) {
    CHECK_RESPONSES(DONE("0", CALL("a", "f", "1")) DONE("0", CALL("a", "f", "1"))
                        DONE("1", REASONING("rs", "\"summary\":[]"))
                            DONE("1", REASONING("rs", "\"summary\":[]"))
                                ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "1") COMPLETED,
                    "tool_call_delta 0 #0 a f: 1\ntool_call 0 #0 a f: 1\n"
                    "part 0: " REASONING("rs", "\"summary\":[]") "\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_call_may_come_without_its_beginning) {
    CHECK_RESPONSES(ARGUMENTS("3", "{}")
                        EVENT("function_call_arguments.done",
                              "\"output_index\":3,\"name\":\"f\",\"arguments\":\"{}\"") COMPLETED,
                    "tool_call_delta 0 #3  : {}\ntool_call 0 #3  f: {}\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(DONE("3", CALL("a", "f", "{}")) COMPLETED,
                    "tool_call_delta 0 #3 a f: {}\ntool_call 0 #3 a f: {}\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(DONE("3", CALL("a", "f", "")) COMPLETED, "tool_call 0 #3 a f: \n" FINISHED,
                    RAAF_OK);
}

TEST(responses_arguments_that_did_not_come_in_pieces_are_handed_over_before_the_call) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{\\\"x\\\"")
                        EVENT("function_call_arguments.done",
                              "\"output_index\":0,\"arguments\":\"{\\\"x\\\":1}\"") COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\"\n"
                    "tool_call_delta 0 #0 a f: :1}\ntool_call 0 #0 a f: {\"x\":1}\n" FINISHED,
                    RAAF_OK);
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) COMPLETED_WITH(CALL("a", "f", "{}")),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_arguments_that_came_in_pieces_are_not_replaced) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{\\\"x\\\":1}")
                        DONE("0", CALL("a", "f", "{ \\\"x\\\" : 1 }")) COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\":1}\n"
                    "tool_call 0 #0 a f: {\"x\":1}\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_arguments_may_be_an_object) {
    CHECK_RESPONSES(
        DONE("0", "{\"type\":\"function_call\",\"call_id\":\"a\",\"name\":\"f\",\"arguments\":"
                  "{\"x\":[1,{\"y\":\"z\"}]}}")
            EVENT("function_call_arguments.done", "\"output_index\":1,\"name\":\"g\","
                                                  "\"arguments\":[\"p\",{\"q\":2}]") COMPLETED,
        "tool_call_delta 0 #0 a f: {\"x\":[1,{\"y\":\"z\"}]}\n"
        "tool_call 0 #0 a f: {\"x\":[1,{\"y\":\"z\"}]}\n"
        "tool_call_delta 0 #1  g: [\"p\",{\"q\":2}]\ntool_call 0 #1  g: "
        "[\"p\",{\"q\":2}]\n" FINISHED,
        RAAF_OK);
}

TEST(responses_character_split_over_two_fragments_is_joined) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "\\\"\\ud83d")
                        ARGUMENTS("0", "\\ude00\\\"")
                            DONE("0", CALL("a", "f", "\\\"\xF0\x9F\x98\x80\\\"")) COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: \"\n"
                    "tool_call_delta 0 #0 a f: \xF0\x9F\x98\x80\"\n"
                    "tool_call 0 #0 a f: \"\xF0\x9F\x98\x80\"\n" FINISHED,
                    RAAF_OK);
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "\\\"\xF0\x9F")
                        DONE("0", CALL("a", "f", "\\\"\xF0\x9F\x98\x80\\\"")) COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: \"\n"
                    "tool_call_delta 0 #0 a f: \xF0\x9F\x98\x80\"\n"
                    "tool_call 0 #0 a f: \"\xF0\x9F\x98\x80\"\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_call_of_the_last_event_only_is_handed_over) {
    CHECK_RESPONSES(COMPLETED_WITH(CALL("a", "f", "{}") "," CALL("b", "g", "[]")),
                    "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n"
                    "tool_call_delta 0 #1 b g: []\ntool_call 0 #1 b g: []\n" FINISHED,
                    RAAF_OK);
    CHECK_RESPONSES(DONE("0", CALL("a", "f", "{}"))
                        COMPLETED_WITH(CALL("b", "g", "[]") "," CALL("a", "f", "{}")),
                    "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n"
                    "tool_call_delta 0 #1 b g: []\ntool_call 0 #1 b g: []\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_call_without_a_call_id_is_not_handed_over_twice) {
    const char call[] = DONE("0", "{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"1\"}")
        COMPLETED_WITH("{\"type\":\"function_call\",\"name\":\"f\",\"arguments\":\"1\"}");

    lines_check_known(RESPONSES, call, sizeof call - 1,
                      "tool_call_delta 0 #0  f: 1\ntool_call 0 #0  f: 1\n" FINISHED,
                      sizeof "tool_call_delta 0 #0  f: 1\ntool_call 0 #0  f: 1\n" FINISHED - 1,
                      RAAF_OK);
}

TEST(responses_call_that_was_cut_off_is_no_call) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{}"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n", RAAF_TRUNCATED);
    CHECK_RESPONSES(
        ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{\\\"x")
            DONE("0", "{\"type\":\"function_call\",\"status\":\"incomplete\",\"call_id\":\"a\","
                      "\"name\":\"f\",\"arguments\":\"{\\\"x\"}")
                EVENT("incomplete",
                      "\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
                      "\"max_output_tokens\"},\"output\":[{\"type\":\"function_call\",\"call_id\":"
                      "\"a\",\"name\":\"f\",\"arguments\":\"{\\\"x\",\"status\":\"incomplete\"},"
                      "{\"type\":\"function_call\",\"call_id\":\"b\",\"name\":\"g\"}]}"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\n"
        "finish 0: max_output_tokens\n",
        RAAF_OK);
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{\\\"x") COMPLETED_WITH(
                        "{\"type\":\"function_call\",\"call_id\":\"a\",\"status\":\"incomplete\"}"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_call_that_may_have_lost_a_piece_is_what_its_end_says_or_none) {
    lines_check_skipping(&raaf_dialect_openai_responses,
                         ADDED("0", CALL("a", "rm", "")) ARGUMENTS(
                             "0", "{\\\"path\\\":\\\"a") "{\"type\n" ARGUMENTS("0", "\\\"}")
                             DONE("0", CALL("a", "rm", "{\\\"path\\\":\\\"a/b\\\"}")) COMPLETED,
                         "tool_call_delta 0 #0 a rm: \ntool_call_delta 0 #0 a rm: {\"path\":\"a\n"
                         "tool_call_delta 0 #0 a rm: \"}\n"
                         "tool_call 0 #0 a rm: {\"path\":\"a/b\"}\n" FINISHED,
                         RAAF_OK, 1);
    lines_check_skipping(&raaf_dialect_openai_responses,
                         ADDED("0", CALL("a", "rm", "")) "{\"type\n" ARGUMENTS("0", "{}") COMPLETED,
                         "tool_call_delta 0 #0 a rm: \ntool_call_delta 0 #0 a rm: {}\n" FINISHED,
                         RAAF_OK, 1);
}

TEST(responses_call_without_its_end_is_no_call_of_an_incomplete_response) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) ARGUMENTS("0", "{}")
                        EVENT("incomplete", "\"response\":{\"status\":\"incomplete\"}"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "finish 0: incomplete\n",
                    RAAF_OK);
}

TEST(responses_id_and_name_of_a_call_stay_the_first_ones) {
    CHECK_RESPONSES(ADDED("0", CALL("a", "f", "")) DONE("0", CALL("b", "g", "")) COMPLETED,
                    "tool_call_delta 0 #0 a f: \ntool_call 0 #0 a f: \n" FINISHED, RAAF_OK);
}

TEST(responses_output_index_that_is_no_whole_number_is_refused_where_it_counts) {
    CHECK_RESPONSES(EVENT("output_text.delta", "\"output_index\":1.5,\"delta\":\"a\""), "",
                    RAAF_INVALID_EVENT);
    CHECK_RESPONSES(EVENT("web_search_call.searching", "\"output_index\":\"x\"") TEXT("a")
                        COMPLETED,
                    "content 0: a\n" FINISHED, RAAF_OK);
    CHECK_RESPONSES(ARGUMENTS("2000000000", "1") COMPLETED,
                    "tool_call_delta 0 #2000000000  : 1\ntool_call 0 #2000000000  : 1\n" FINISHED,
                    RAAF_OK);
}

/* ---- items that are kept for the next turn ---- */

#define SEARCH "{\"type\":\"web_search_call\",\"id\":\"ws_1\",\"status\":\"completed\"}"
#define CUSTOM "{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sql\",\"input\":\"x\"}"

TEST(responses_items_that_are_no_text_are_parts_of_the_answer) {
    CHECK_RESPONSES(DONE("0", SEARCH) TEXT("a") DONE("1", CUSTOM) COMPLETED_WITH(SEARCH "," CUSTOM),
                    "part 0: " SEARCH "\ncontent 0: a\npart 0: " CUSTOM "\n" FINISHED, RAAF_OK);
}

TEST(responses_call_behind_a_part_keeps_its_place) {
    CHECK_RESPONSES(DONE("0", CALL("a", "f", "")) DONE("1", SEARCH) DONE("2", CALL("b", "g", ""))
                        COMPLETED,
                    "tool_call 0 #0 a f: \npart 0: " SEARCH
                    "\ntool_call 0 #2 b g: \npart 0: " CALL("b", "g", "") "\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_message_is_a_part_where_it_has_a_phase) {
    CHECK_RESPONSES(
        TEXT("a") DONE(
            "0",
            "{\"type\":\"message\",\"phase\":\"commentary\",\"content\":[" OUTPUT_TEXT("a") "]}")
            DONE("1", "{\"type\":\"message\",\"phase\":null,\"content\":[" OUTPUT_TEXT("b") "]}")
                COMPLETED,
        "content 0: a\npart 0: "
        "{\"type\":\"message\",\"phase\":\"commentary\",\"content\":[" OUTPUT_TEXT(
            "a") "]}\ncontent 0: b\n" FINISHED,
        RAAF_OK);
}

TEST(responses_items_of_the_last_event_are_kept_where_none_came_before) {
    CHECK_RESPONSES(COMPLETED_WITH(SEARCH "," CALL("a", "f", "")),
                    "part 0: " SEARCH
                    "\ntool_call 0 #1 a f: \npart 0: " CALL("a", "f", "") "\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_item_that_is_incomplete_is_not_kept) {
    CHECK_RESPONSES(DONE("0", REASONING("rs", "\"status\":\"incomplete\",\"summary\":[{\"type\":"
                                              "\"summary_text\",\"text\":\"a\"}]")) COMPLETED,
                    "reasoning 0: a\n" FINISHED, RAAF_OK);
}

TEST(responses_part_is_valid_utf8) {
    CHECK_RESPONSES(DONE("0", "{\"type\":\"x\",\"y\":\"\xFF\"}") COMPLETED,
                    "part 0: {\"type\":\"x\",\"y\":\"" FFFD "\"}\n" FINISHED, RAAF_OK);
}

/* ---- the end ---- */

TEST(responses_finish_reason_is_why_the_response_is_incomplete) {
    CHECK_RESPONSES(TEXT("a") EVENT("incomplete", "\"response\":{\"status\":\"incomplete\","
                                                  "\"incomplete_details\":{\"reason\":"
                                                  "\"content_filter\"}}"),
                    "content 0: a\nfinish 0: content_filter\n", RAAF_OK);
    CHECK_RESPONSES(EVENT("incomplete", "\"response\":{}"), "finish 0: incomplete\n", RAAF_OK);
    CHECK_RESPONSES(EVENT("completed",
                          "\"response\":{\"status\":\"incomplete\","
                          "\"incomplete_details\":{\"reason\":\"max_output_tokens\"}}"),
                    "finish 0: max_output_tokens\n", RAAF_OK);
}

TEST(responses_hand_over_text_of_an_incomplete_response) {
    CHECK_RESPONSES(
        EVENT("incomplete", "\"response\":{\"status\":\"incomplete\",\"output\":[" MESSAGE(
                                OUTPUT_TEXT("a")) "]}"),
        "content 0: a\nfinish 0: incomplete\n", RAAF_OK);
}

TEST(responses_usage_is_handed_over_with_its_counts_and_its_source) {
    CHECK_RESPONSES(EVENT("completed",
                          "\"response\":{\"status\":\"completed\",\"usage\":{\"input_tokens\":75,"
                          "\"input_tokens_details\":{\"cached_tokens\":5,\"cache_write_tokens\":6},"
                          "\"output_tokens\":23,\"output_tokens_details\":{\"reasoning_tokens\":7},"
                          "\"total_tokens\":98,\"cost_in_usd_ticks\":1}}"),
                    FINISHED
                    "usage prompt=75 completion=23 total=98 cached=5 cache_write=6 reasoning=7: "
                    "{\"input_tokens\":75,\"input_tokens_details\":{\"cached_tokens\":5,"
                    "\"cache_write_tokens\":6},\"output_tokens\":23,\"output_tokens_details\":"
                    "{\"reasoning_tokens\":7},\"total_tokens\":98,\"cost_in_usd_ticks\":1}\n",
                    RAAF_OK);
}

TEST(responses_counts_that_are_not_counts_are_unknown) {
    CHECK_RESPONSES(EVENT("completed", "\"response\":{\"usage\":{\"input_tokens\":\"x\","
                                       "\"output_tokens\":-1,\"total_tokens\":1e400}}"),
                    FINISHED "usage: {\"input_tokens\":\"x\",\"output_tokens\":-1,"
                             "\"total_tokens\":1e400}\n",
                    RAAF_OK);
}

TEST(responses_nothing_behind_the_last_event_counts) {
    CHECK_RESPONSES(TEXT("a") COMPLETED TEXT("b") "nonsense\n{\"error\":\"x\"}\n",
                    "content 0: a\n" FINISHED, RAAF_OK);
}

TEST(responses_event_behind_the_last_one_is_passed_over) {
    const raaf_dialect_t *dialect = &raaf_dialect_openai_responses;
    const char *const datas[] = {COMPLETED, TEXT("a"), "nonsense"};
    void *state = calloc(1, dialect->state_size);
    transcript_t transcript;

    transcript_init(&transcript);
    dialect->init(state, transcript_delta, &transcript);
    for (size_t i = 0; i < sizeof datas / sizeof datas[0]; i++) {
        const raaf_sse_event_t event = {
            .type = "", .data = datas[i], .data_len = strlen(datas[i]), .id = ""};

        CHECK_EQ_INT(dialect->event(state, &event), RAAF_OK);
    }
    CHECK_EQ_STR(transcript.text.bytes, transcript.text.len, FINISHED);
    dialect->free(state);
    free(state);
    transcript_free(&transcript);
}

TEST(responses_done_mark_means_nothing) {
    CHECK_RESPONSES(TEXT("a") "[DONE]\n \n", "content 0: a\n", RAAF_TRUNCATED);
    CHECK_RESPONSES(TEXT("a") " [DONE] \n" COMPLETED "[DONE]\n", "content 0: a\n" FINISHED,
                    RAAF_OK);
}

TEST(responses_answer_is_open_until_its_last_event) {
    CHECK_EQ_INT(lines_progress(RESPONSES, ""), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(RESPONSES, TEXT("a") DONE("0", MESSAGE(OUTPUT_TEXT("a")))),
                 RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(RESPONSES, TEXT("a") "[DONE]\n"), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(RESPONSES, COMPLETED), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(RESPONSES, EVENT("incomplete", "\"response\":{}")),
                 RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(RESPONSES, EVENT("failed", "\"response\":{}")), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(RESPONSES, "{\"type\":\"error\"}"), RAAF_PROGRESS_DONE);
}

/* ---- errors ---- */

#define FAILED(fields) EVENT("failed", "\"response\":{" fields "}")

TEST(responses_error_of_a_failed_response_is_handed_over) {
    CHECK_RESPONSES(
        TEXT("a") FAILED("\"status\":\"failed\",\"error\":{\"code\":\"server_error\","
                         "\"message\":\"Oh\"},\"usage\":{\"total_tokens\":3}"),
        "content 0: a\nusage total=3: {\"total_tokens\":3}\n"
        "error message=Oh code=server_error: {\"code\":\"server_error\",\"message\":\"Oh\"}\n",
        RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES(FAILED("\"status\":\"failed\",\"error\":null"), "error type=failed: \n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES(EVENT("cancelled", "\"response\":{\"status\":\"cancelled\"}"),
                    "error type=cancelled: \n", RAAF_PROVIDER_ERROR);
}

TEST(responses_status_counts_more_than_the_name_of_the_event) {
    CHECK_RESPONSES(EVENT("completed", "\"response\":{\"status\":\"failed\",\"error\":{\"code\":"
                                       "\"x\"}}"),
                    "error code=x: {\"code\":\"x\"}\n", RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES(EVENT("completed", "\"response\":{\"error\":{\"code\":\"x\"}}"),
                    "error code=x: {\"code\":\"x\"}\n", RAAF_PROVIDER_ERROR);
}

TEST(responses_error_event_has_its_fields_at_the_top_or_below) {
    CHECK_RESPONSES("{\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"Slow\","
                    "\"param\":\"p\",\"sequence_number\":1}\n",
                    "error message=Slow code=rate_limit_exceeded param=p: {\"type\":\"error\","
                    "\"code\":\"rate_limit_exceeded\",\"message\":\"Slow\",\"param\":\"p\","
                    "\"sequence_number\":1}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES("@error {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                    "\"code\":\"context_length_exceeded\",\"message\":\"Long\",\"param\":"
                    "\"input\"}}\n" FAILED("\"status\":\"failed\""),
                    "error message=Long type=invalid_request_error code=context_length_exceeded "
                    "param=input: {\"type\":\"invalid_request_error\",\"code\":"
                    "\"context_length_exceeded\",\"message\":\"Long\",\"param\":\"input\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES("@error {\"type\":\"error\",\"message\":\"Oh\"}\n",
                    "error message=Oh: {\"type\":\"error\",\"message\":\"Oh\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES("@error {\"type\":\"server_error\",\"code\":500,\"message\":\"Oh\"}\n",
                    "error message=Oh type=server_error code=500: {\"type\":\"server_error\","
                    "\"code\":500,\"message\":\"Oh\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES("{\"type\":\"error\",\"error\":\"Oh\"}\n",
                    "error message=Oh: {\"type\":\"error\",\"error\":\"Oh\"}\n",
                    RAAF_PROVIDER_ERROR);
}

TEST(responses_error_without_type_and_name_is_one) {
    CHECK_RESPONSES(TEXT("a\xE2") "{\"error\":{\"message\":\"Oh\",\"type\":\"t\"}}\n",
                    "content 0: a\ncontent 0: " FFFD
                    "\nerror message=Oh type=t: {\"message\":\"Oh\",\"type\":\"t\"}\n",
                    RAAF_PROVIDER_ERROR);
}

TEST(responses_error_that_is_null_or_of_a_tool_is_none) {
    CHECK_RESPONSES(
        "{\"error\":null}\n{\"error\":\"\"}\n" EVENT("created", "\"response\":{\"error\":null}")
            EVENT("mcp_call.failed", "\"error\":{\"message\":\"Oh\"}")
                EVENT("image_generation_call.completed", "\"error\":\"no\"") COMPLETED,
        FINISHED, RAAF_OK);
}

TEST(responses_event_named_error_is_an_error_whatever_it_holds) {
    CHECK_RESPONSES(TEXT("a") "@error Bad gateway\n", "content 0: a\nerror message=Bad gateway: \n",
                    RAAF_PROVIDER_ERROR);
    CHECK_RESPONSES("@error [1]\n", "error message=[1]: \n", RAAF_PROVIDER_ERROR);
}

/* ---- what is malformed, what is unknown ---- */

TEST(responses_malformed_event_hands_over_nothing) {
    CHECK_RESPONSES(TEXT("a") "{\"type\":\"response.output_text.delta\",\"delta\":\"b\"",
                    "content 0: a\n", RAAF_INVALID_JSON);
    CHECK_RESPONSES(DONE("0", MESSAGE(OUTPUT_TEXT("a"))) "[1]", "content 0: a\n",
                    RAAF_INVALID_EVENT);
    CHECK_RESPONSES("{\"type\":\"response.unknown\"", "", RAAF_INVALID_JSON);
}

TEST(responses_answer_of_a_wrong_type_is_malformed) {
    CHECK_RESPONSES(EVENT("output_text.delta", "\"delta\":{\"text\":\"a\"}"), "",
                    RAAF_INVALID_EVENT);
    CHECK_RESPONSES(EVENT("output_text.done", "\"text\":[\"a\"]"), "", RAAF_INVALID_EVENT);
    CHECK_RESPONSES(EVENT("refusal.done", "\"refusal\":true"), "", RAAF_INVALID_EVENT);
    CHECK_RESPONSES(EVENT("function_call_arguments.delta", "\"delta\":1"), "", RAAF_INVALID_EVENT);
    CHECK_RESPONSES(EVENT("output_text.delta", "\"delta\":null")
                        EVENT("output_text.delta", "\"x\":1") COMPLETED,
                    FINISHED, RAAF_OK);
}

TEST(responses_event_may_hold_what_belongs_to_another) {
    CHECK_RESPONSES(EVENT("content_part.done", "\"item\":" CALL("a", "f", ""))
                        EVENT("output_text.annotation.added", "\"item\":{}")
                            EVENT("output_item.done", "\"part\":" OUTPUT_TEXT("a")) COMPLETED,
                    FINISHED, RAAF_OK);
}

TEST(responses_unknown_events_pass) {
    CHECK_RESPONSES(
        "@keepalive {\"type\":\"keepalive\",\"sequence_number\":3}\n"
        "{\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"content\":\"no\"}}]}\n{}\n" EVENT(
            "audio.delta", "\"delta\":\"UklG\"") EVENT("code_interpreter_call_code.delta",
                                                       "\"delta\":{\"x\":1}")
            EVENT("image_generation_call.partial_image", "\"partial_image_b64\":\"x\"")
                EVENT("custom_tool_call_input.delta", "\"delta\":\"x\"")
                    EVENT("mcp_call_arguments.done", "\"arguments\":\"{}\"")
                        EVENT("content_part.added", "\"part\":" OUTPUT_TEXT("")) TEXT("a")
                            EVENT("output_item.added", "\"item\":null")
                                EVENT("output_item.done", "\"output_index\":5")
                                    EVENT("content_part.done", "\"part\":null")
                                        EVENT("output_text.annotation.added", "\"annotation\":null")
                                            COMPLETED,
        "content 0: a\n" FINISHED, RAAF_OK);
}

TEST(responses_events_that_say_nothing_are_raw_where_asked) {
    const char lines[] = EVENT("created", "\"response\":{\"id\":\"resp_1\"}")
        TEXT("a") "@keepalive {\"x\":1}\n[DONE]\n \n" EVENT("web_search_call.searching",
                                                            "\"item_id\":\"ws\"") COMPLETED;
    const char expected[] =
        "raw 0: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\"}}\n"
        "content 0: a\nraw 0: {\"x\":1}\n"
        "raw 0: {\"type\":\"response.web_search_call.searching\",\"item_id\":\"ws\"}\n" FINISHED;

    CHECK_LINES(RESPONSES, lines, expected, RAAF_OK);
}

/* ---- caps ---- */

static int decode_repeated(const char *format, int times) {
    raaf_buffer_t stream;
    char text[200];

    raaf_buffer_init(&stream, (size_t)1 << 28);
    for (int i = 0; i < times; i++) {
        snprintf(text, sizeof text, format, i);
        lines_add_event(&stream, text, strlen(text));
    }
    return lines_end_of(RESPONSES, &stream);
}

TEST(responses_may_have_1024_items) {
    const char *item = "{\"type\":\"response.output_item.added\",\"output_index\":%d,\"item\":{}}";
    const char *call = "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":%d}";

    CHECK_EQ_INT(decode_repeated(item, 1024), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_repeated(item, 1025), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_repeated(call, 1024), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_repeated(call, 1025), RAAF_EVENT_TOO_LARGE);
}

TEST(responses_may_have_4096_texts) {
    const char *text = "{\"type\":\"response.output_text.delta\",\"output_index\":0,"
                       "\"content_index\":%d,\"delta\":\"a\"}";

    CHECK_EQ_INT(decode_repeated(text, 4096), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_repeated(text, 4097), RAAF_EVENT_TOO_LARGE);
}

static int decode_list(const char *before, const char *element, size_t times, const char *behind) {
    raaf_buffer_t stream;

    raaf_buffer_init(&stream, (size_t)1 << 28);
    lines_add_list(&stream, before, element, times, behind);
    return lines_end_of(RESPONSES, &stream);
}

TEST(responses_event_may_have_1024_items_and_65536_pieces) {
    const char *output = "{\"type\":\"response.completed\",\"response\":{\"output\":[";
    const char *content = "{\"type\":\"response.output_item.done\",\"item\":{\"content\":[";

    CHECK_EQ_INT(decode_list(output, "{}", 1024, "]}}"), RAAF_OK);
    CHECK_EQ_INT(decode_list(output, "{}", 1025, "]}}"), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_list(content, "{}", 65536, "]}}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_list(content, "{}", 65537, "]}}"), RAAF_EVENT_TOO_LARGE);
}

static int decode_long(const char *before, size_t len, const char *behind) {
    char *text = lines_long_text(len);
    const int rc = decode_list(before, text, 1, behind);

    free(text);
    return rc;
}

TEST(responses_labels_are_capped) {
    const char *name = "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_"
                       "call\",\"call_id\":\"a\",\"name\":\"";
    const char *call_id = "{\"type\":\"response.output_item.added\",\"item\":{\"type\":\"function_"
                          "call\",\"call_id\":\"";
    const char *id = "{\"type\":\"response.output_item.added\",\"item\":{\"id\":\"";

    CHECK_EQ_INT(decode_long(name, 65536, "\"}}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_long(name, 65537, "\"}}"), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_long(call_id, 65536, "\"}}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_long(call_id, 65537, "\"}}"), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_long(id, 65536, "\"}}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_long(id, 65537, "\"}}"), RAAF_EVENT_TOO_LARGE);
}

/* ---- an answer that has everything: cut after each event, the receiver, memory ---- */

#define FULL                                                                                       \
    EVENT("created", "\"response\":{\"id\":\"resp_1\",\"output\":[]}")                             \
    ADDED("0", REASONING("rs_1", "\"summary\":[]"))                                                \
    SUMMARY("0", "r\\ud83d")                                                                       \
    SUMMARY("1", "s")                                                                              \
    DONE("0", REASONING("rs_1", "\"encrypted_content\":\"x\""))                                    \
    ADDED("1", MESSAGE(""))                                                                        \
    EVENT("output_text.delta", "\"output_index\":1,\"delta\":\"c\\ud83d\"")                        \
    EVENT("output_text.annotation.added", "\"output_index\":1,\"annotation\":" SOURCE("u"))        \
    EVENT("output_text.done", "\"output_index\":1,\"text\":\"c\"")                                 \
    DONE("1", MESSAGE(OUTPUT_TEXT("c")))                                                           \
    ADDED("2", CALL("a", "f", ""))                                                                 \
    ARGUMENTS("2", "{\\\"x\\\":")                                                                  \
    DONE("2", CALL("a", "f", "{\\\"x\\\":1}"))                                                     \
    EVENT("refusal.delta", "\"output_index\":3,\"delta\":\"n\"")                                   \
    ARGUMENTS("4", "{}")                                                                           \
    EVENT("completed", "\"response\":{\"status\":\"completed\",\"output\":[" CALL(                 \
                           "b", "g", "[]") "],\"usage\":{\"total_tokens\":5}}")
#define FULL_EVENTS 16
#define FULL_DELTAS 20

/* Deltas of an answer that ends behind each event. */
static const size_t deltas_after[FULL_EVENTS + 1] = {0, 0, 0, 2,  4,  5,  5,  7,          8,
                                                     8, 8, 9, 10, 13, 14, 15, FULL_DELTAS};

static bool says(const transcript_t *transcript, const char *text) {
    const raaf_buffer_t *all = &transcript->text;

    return all->len > 0 && memmem(all->bytes, all->len, text, strlen(text)) != NULL;
}

static size_t length_of(const char *lines, size_t count) {
    const char *end = lines;

    for (size_t i = 0; i < count; i++)
        end = strchr(end, '\n') + 1;
    return (size_t)(end - lines);
}

TEST(responses_cut_after_any_event_but_the_last_are_truncated) {
    for (size_t events = 0; events <= FULL_EVENTS; events++) {
        raaf_buffer_t stream;
        transcript_t transcript;

        lines_make_stream(RESPONSES, &stream, FULL, length_of(FULL, events));
        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode_known(RESPONSES, &stream, 0, &transcript),
                     events == FULL_EVENTS ? RAAF_OK : RAAF_TRUNCATED);
        CHECK_EQ_INT(says(&transcript, "tool_call 0 "), events >= 13);
        CHECK_EQ_UINT(transcript.deltas, deltas_after[events]);
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
    }
}

TEST(responses_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(RESPONSES, FULL, FULL_DELTAS);
}

TEST(responses_receiver_that_stops_at_an_error_is_obeyed) {
    lines_check_stop_at_error(RESPONSES, "{\"type\":\"error\"}");
    lines_check_stop_at_error(RESPONSES, "@error x");
    lines_check_stop_at_error(RESPONSES, FAILED("\"x\":1"));
}

TEST(responses_report_that_memory_ran_out) {
    lines_check_memory(RESPONSES, FULL, RAAF_OK, FULL_DELTAS, 1);
    lines_check_memory(RESPONSES,
                       COMPLETED_WITH(SEARCH "," CALL("a", "f", "1") "," MESSAGE(OUTPUT_TEXT("x"))),
                       RAAF_OK, 6, 1);
    lines_check_memory(RESPONSES, TEXT("a\xE2") "@error x", RAAF_PROVIDER_ERROR, 3, 1);
    lines_check_memory(RESPONSES, "{\"error\":{\"message\":\"m\"}}", RAAF_PROVIDER_ERROR, 1, 1);
}
