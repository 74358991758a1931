#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "chat_stream.h"
#include "dialect_lines.h"

/* ---- text ---- */

TEST(chat_hands_over_content_as_it_comes) {
    CHECK_CHAT(DELTA("\"role\":\"assistant\",\"content\":\"\"") DELTA("\"content\":\"Hel\"")
                   DELTA("\"content\":\"lo\"") FINISH("stop") "[DONE]",
               "content 0: Hel\ncontent 0: lo\n" STOPPED, RAAF_OK);
}

TEST(chat_reads_an_event_with_all_its_usual_fields) {
    CHECK_CHAT("{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
               "\"model\":\"m\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp\","
               "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\",\"refusal\":null},"
               "\"logprobs\":null,\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"xx\"}"
               "\n" FINISH("stop"),
               "content 0: Hi\n" STOPPED, RAAF_OK);
}

TEST(chat_hands_over_no_empty_text) {
    CHECK_CHAT(DELTA("\"content\":null") DELTA("\"content\":\"\"") DELTA("\"reasoning\":\"\"")
                   DELTA("\"refusal\":null") DELTA("\"content\":[]") FINISH("stop"),
               STOPPED, RAAF_OK);
}

TEST(chat_content_may_be_a_list_of_parts) {
    CHECK_CHAT(
        DELTA("\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]")
            DELTA("\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
                  "\"text\":\"hm\"},{\"type\":\"text\",\"text\":\", so\"}],\"closed\":true},"
                  "{\"type\":\"text\",\"text\":\"c\"}]")
                DELTA("\"content\":[{\"type\":\"reference\",\"reference_ids\":[1]},\"d\"]")
                    FINISH("stop"),
        "content 0: ab\nreasoning 0: hm, so\ncontent 0: c\ncontent 0: d\n"
        "citation 0: {\"type\":\"reference\",\"reference_ids\":[1]}\n" STOPPED,
        RAAF_OK);
}

TEST(chat_text_of_a_repeated_key_is_the_last_one) {
    CHECK_CHAT(DELTA("\"content\":\"no\",\"content\":\"yes\"")
                   DELTA("\"content\":[{\"text\":\"no\"}],\"content\":\"yes\"")
                       DELTA("\"content\":\"no\",\"content\":[{\"text\":\"yes\"}]") FINISH("stop"),
               "content 0: yes\ncontent 0: yes\ncontent 0: yes\n" STOPPED, RAAF_OK);
}

TEST(chat_refusal_is_handed_over_as_such) {
    CHECK_CHAT(DELTA("\"refusal\":\"I can\"") DELTA("\"refusal\":\"not\"") FINISH("stop"),
               "refusal 0: I can\nrefusal 0: not\n" STOPPED, RAAF_OK);
}

TEST(chat_reasoning_is_read_in_each_of_its_spellings) {
    CHECK_CHAT(DELTA("\"reasoning_content\":\"a\"") DELTA("\"reasoning\":\"b\"")
                   DELTA("\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"c\"},"
                         "{\"type\":\"reasoning.summary\",\"summary\":\"d\"},"
                         "{\"type\":\"reasoning.encrypted\",\"data\":\"xyz\"}]") FINISH("stop"),
               "reasoning 0: a\nreasoning 0: b\nreasoning 0: cd\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"c\"}\n"
               "part 0: {\"type\":\"reasoning.summary\",\"summary\":\"d\"}\n"
               "part 0: {\"type\":\"reasoning.encrypted\",\"data\":\"xyz\"}\n" STOPPED,
               RAAF_OK);
}

TEST(chat_reasoning_that_comes_in_two_spellings_is_handed_over_once) {
    CHECK_CHAT(DELTA("\"reasoning_details\":[{\"text\":\"c\"}],\"reasoning\":\"b\","
                     "\"reasoning_content\":\"a\"")
                   DELTA("\"reasoning\":\"b\",\"reasoning_details\":[{\"text\":\"c\"}]")
                       DELTA("\"reasoning_content\":\"\",\"reasoning\":\"b\"")
                           DELTA("\"reasoning\":null,\"reasoning_content\":\"a\"") FINISH("stop"),
               "reasoning 0: a\nreasoning 0: b\nreasoning 0: b\nreasoning 0: a\n"
               "part 0: {\"text\":\"c\"}\npart 0: {\"text\":\"c\"}\n" STOPPED,
               RAAF_OK);
}

TEST(chat_what_one_event_says_comes_in_a_fixed_order) {
    CHECK_CHAT(
        "{\"usage\":{\"total_tokens\":1},\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{"
        "\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"{}\"}}],\"refusal\":\"r\",\"content\":\"c\",\"reasoning\":\"t\"},"
        "\"index\":1},{\"delta\":{\"content\":\"d\"},\"index\":0,\"finish_reason\":\"length\"}]}",
        "reasoning 1: t\ncontent 1: c\nrefusal 1: r\ntool_call_delta 1 #0 a f: {}\n"
        "content 0: d\ntool_call 1 #0 a f: {}\nfinish 1: stop\nfinish 0: length\n"
        "usage total=1: {\"total_tokens\":1}\n",
        RAAF_OK);
}

/* ---- `message` instead of `delta` ---- */

#define CHOICE(fields) "{\"choices\":[{\"index\":0," fields "}]}\n"
#define MESSAGE(fields) "\"message\":{\"role\":\"assistant\"," fields "}"

TEST(chat_message_beside_deltas_is_passed_over) {
    CHECK_CHAT(CHOICE(MESSAGE("\"content\":\"a\"") ",\"delta\":{\"content\":\"a\"}")
                   CHOICE("\"delta\":{\"content\":\"b\"}," MESSAGE("\"content\":\"ab\""))
                       CHOICE(MESSAGE("\"content\":\"ab\"") ",\"delta\":{\"content\":\"\"}")
                           CHOICE(MESSAGE("\"content\":\"ab\"") ",\"finish_reason\":\"stop\""),
               "content 0: a\ncontent 0: b\n" STOPPED, RAAF_OK);
    CHECK_CHAT(
        CHOICE("\"delta\":{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\"}}]}," MESSAGE(
            "\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\"}}]")) FINISH("stop"),
        "tool_call_delta 0 #0 a f: \ntool_call 0 #0 a f: \n" STOPPED, RAAF_OK);
}

TEST(chat_message_that_says_nothing_is_passed_over) {
    CHECK_CHAT(CHOICE(MESSAGE("\"content\":\"\",\"refusal\":null,\"tool_calls\":[]"))
                   CHOICE("\"message\":null") CHOICE(MESSAGE("\"content\":null,\"x\":\"y\""))
                       CHOICE("\"message\":\"no\"") DELTA("\"content\":\"a\"") FINISH("stop"),
               "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(chat_message_that_no_delta_has_said_ends_the_stream) {
    static const char *const messages[] = {
        MESSAGE("\"content\":\"a\""),
        MESSAGE("\"content\":[{\"type\":\"text\",\"text\":\"a\"}]"),
        MESSAGE("\"content\":[\"a\"]"),
        MESSAGE("\"refusal\":\"no\""),
        MESSAGE("\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\"}}]"),
        MESSAGE("\"content\":null,\"function_call\":{\"name\":\"f\"}"),
        MESSAGE("\"content\":\"a\"") ",\"finish_reason\":\"stop\"",
        MESSAGE("\"content\":\"a\"") ",\"delta\":{\"role\":\"assistant\",\"content\":\"\"}",
        "\"delta\":null," MESSAGE("\"content\":\"a\""),
    };

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        char lines[512];

        snprintf(lines, sizeof lines, "%s{\"choices\":[{%s}]}\n[DONE]",
                 DELTA("\"role\":\"assistant\""), messages[i]);
        lines_check_known(CHAT, lines, strlen(lines), "", 0, RAAF_WHOLE_MESSAGE);
    }
}

TEST(chat_message_is_measured_by_the_deltas_of_its_own_choice) {
    CHECK_CHAT(
        DELTA("\"content\":\"a\"") "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}},"
                                   "{\"index\":1," MESSAGE("\"content\":\"c\"") "}]}\n[DONE]",
        "content 0: a\n", RAAF_WHOLE_MESSAGE);
}

/* ---- characters ---- */

TEST(chat_text_with_escapes_is_decoded) {
    CHECK_CHAT(DELTA("\"content\":\"a\\n\\\"b\\\"\\u0000\\u00e9\xE2\x82\xAC\"") FINISH("stop"),
               "content 0: a\\n\"b\"\\0\xC3\xA9\xE2\x82\xAC\n" STOPPED, RAAF_OK);
}

TEST(chat_surrogates_of_two_events_make_one_character) {
    CHECK_CHAT(DELTA("\"content\":\"a\\ud83d\"") DELTA("\"content\":\"\\ude00b\"") FINISH("stop"),
               "content 0: a\ncontent 0: \xF0\x9F\x98\x80"
               "b\n" STOPPED,
               RAAF_OK);
    CHECK_CHAT(DELTA("\"content\":\"\\ud83d\"") DELTA("\"content\":\"\"") DELTA("\"refusal\":\"x\"")
                   DELTA("\"content\":\"\\ude00\"") FINISH("stop"),
               "refusal 0: x\ncontent 0: \xF0\x9F\x98\x80\n" STOPPED, RAAF_OK);
}

TEST(chat_bytes_of_one_character_may_come_in_two_events) {
    CHECK_CHAT(DELTA("\"reasoning\":\"a\xE2\x82\"") DELTA("\"reasoning\":\"\xAC!\"") FINISH("stop"),
               "reasoning 0: a\nreasoning 0: \xE2\x82\xAC!\n" STOPPED, RAAF_OK);
}

TEST(chat_what_cannot_become_a_character_is_replaced) {
    CHECK_CHAT(DELTA("\"content\":\"a\xFF\"") DELTA("\"content\":\"\\ude00\"")
                   DELTA("\"content\":\"\\ud83dx\"") FINISH("stop"),
               "content 0: a" FFFD "\ncontent 0: " FFFD "\ncontent 0: " FFFD "x\n" STOPPED,
               RAAF_OK);
}

TEST(chat_open_character_is_replaced_when_its_choice_finishes) {
    CHECK_CHAT(DELTA("\"content\":\"a\\ud83d\",\"reasoning\":\"\\ud83d\",\"refusal\":\"\xC3\"")
                   FINISH("stop"),
               "content 0: a\nreasoning 0: " FFFD "\ncontent 0: " FFFD "\nrefusal 0: " FFFD
               "\n" STOPPED,
               RAAF_OK);
}

TEST(chat_open_character_is_replaced_at_the_end_of_the_answer) {
    CHECK_CHAT(DELTA("\"content\":\"a\\ud83d\"") "[DONE]", "content 0: a\ncontent 0: " FFFD "\n",
               RAAF_OK);
    CHECK_CHAT(DELTA("\"content\":\"a\\ud83d\""), "content 0: a\ncontent 0: " FFFD "\n",
               RAAF_TRUNCATED);
}

TEST(chat_open_characters_are_kept_for_each_choice_and_kind_of_text) {
    CHECK_CHAT(
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\\ud83d\",\"reasoning\":\"\\ud83c\"}},"
        "{\"index\":1,\"delta\":{\"content\":\"\\ud83e\"}}]}\n"
        "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"\\udd23\"}},"
        "{\"index\":0,\"delta\":{\"content\":\"\\ude00\",\"reasoning\":\"\\udf89\"}}]}\n"
        "[DONE]",
        "content 1: \xF0\x9F\xA4\xA3\nreasoning 0: \xF0\x9F\x8E\x89\n"
        "content 0: \xF0\x9F\x98\x80\n",
        RAAF_OK);
}

/* ---- tool calls ---- */

TEST(chat_tool_call_is_joined_from_its_fragments) {
    CHECK_CHAT(CALLS("{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":"
                     "\"get_weather\",\"arguments\":\"\"}}")
                   CALLS("{\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}}")
                       CALLS("{\"index\":0,\"function\":{\"arguments\":\"\\\"Rome\\\"}\"}}")
                           FINISH("tool_calls") "[DONE]",
               "tool_call_delta 0 #0 call_1 get_weather: \n"
               "tool_call_delta 0 #0 call_1 get_weather: {\"city\":\n"
               "tool_call_delta 0 #0 call_1 get_weather: \"Rome\"}\n"
               "tool_call 0 #0 call_1 get_weather: {\"city\":\"Rome\"}\n"
               "finish 0: tool_calls\n",
               RAAF_OK);
}

TEST(chat_tool_calls_may_run_side_by_side) {
    CHECK_CHAT(
        CALLS("{\"index\":1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"[\"}}")
            CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}")
                CALLS("{\"index\":1,\"function\":{\"arguments\":\"]\"}},"
                      "{\"index\":0,\"function\":{\"arguments\":\"}\"}}") FINISH("tool_calls"),
        "tool_call_delta 0 #1 b g: [\ntool_call_delta 0 #0 a f: {\n"
        "tool_call_delta 0 #1 b g: ]\ntool_call_delta 0 #0 a f: }\n"
        "tool_call 0 #1 b g: []\ntool_call 0 #0 a f: {}\nfinish 0: tool_calls\n",
        RAAF_OK);
}

TEST(chat_tool_index_is_a_key_of_any_size) {
    CHECK_CHAT(CALLS("{\"index\":2000000000,\"id\":\"a\",\"function\":{\"name\":\"f\"}}")
                   CALLS("{\"index\":-1,\"id\":\"b\",\"function\":{\"name\":\"g\"}}")
                       CALLS("{\"index\":2e9,\"function\":{\"arguments\":\"1\"}}") FINISH("stop"),
               "tool_call_delta 0 #2000000000 a f: \ntool_call_delta 0 #-1 b g: \n"
               "tool_call_delta 0 #2000000000 a f: 1\n"
               "tool_call 0 #2000000000 a f: 1\ntool_call 0 #-1 b g: \n" STOPPED,
               RAAF_OK);
    CHECK_CHAT(CALLS("{\"index\":\"7\",\"id\":\"a\",\"function\":{\"name\":\"f\"}}")
                   CALLS("{\"index\":7,\"function\":{\"arguments\":\"{}\"}}") FINISH("stop"),
               "tool_call_delta 0 #7 a f: \ntool_call_delta 0 #7 a f: {}\n"
               "tool_call 0 #7 a f: {}\n" STOPPED,
               RAAF_OK);
}

TEST(chat_tool_index_that_is_no_whole_number_is_refused) {
    CHECK_CHAT(CALLS("{\"index\":1.5}"), "", RAAF_INVALID_EVENT);
    CHECK_CHAT(CALLS("{\"index\":\"first\"}"), "", RAAF_INVALID_EVENT);
    CHECK_CHAT(CALLS("{\"index\":\"-1\"}"), "", RAAF_INVALID_EVENT);
    CHECK_CHAT(CALLS("{\"index\":\"\"}"), "", RAAF_INVALID_EVENT);
    CHECK_CHAT(CALLS("{\"index\":99999999999999999999}"), "", RAAF_INVALID_EVENT);
    CHECK_CHAT(CALLS("{\"index\":true}"), "", RAAF_INVALID_EVENT);
}

TEST(chat_without_a_tool_index_a_new_id_begins_a_call) {
    CHECK_CHAT(CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}")
                   CALLS("{\"function\":{\"arguments\":\"}\"}}")
                       CALLS("{\"id\":\"b\",\"index\":null,\"function\":{\"name\":\"f\"}}")
                           CALLS("{\"function\":{\"arguments\":\"[]\"}}")
                               CALLS("{\"id\":\"a\",\"function\":{\"arguments\":\" \"}}")
                                   CALLS("{\"function\":{\"arguments\":\"!\"}}") FINISH("stop"),
               "tool_call_delta 0 #0 a f: {\ntool_call_delta 0 #0 a f: }\n"
               "tool_call_delta 0 #1 b f: \ntool_call_delta 0 #1 b f: []\n"
               "tool_call_delta 0 #0 a f:  \ntool_call_delta 0 #0 a f: !\n"
               "tool_call 0 #0 a f: {} !\ntool_call 0 #1 b f: []\n" STOPPED,
               RAAF_OK);
}

TEST(chat_without_index_and_id_a_second_name_begins_a_call) {
    CHECK_CHAT(CALLS("{\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
                     "{\"function\":{\"name\":\"f\",\"arguments\":\"[]\"}}")
                   CALLS("{\"id\":\"\",\"function\":{\"name\":\"g\"}}") FINISH("stop"),
               "tool_call_delta 0 #0  f: {}\ntool_call_delta 0 #1  f: []\n"
               "tool_call_delta 0 #2  g: \n"
               "tool_call 0 #0  f: {}\ntool_call 0 #1  f: []\ntool_call 0 #2  g: \n" STOPPED,
               RAAF_OK);
}

TEST(chat_without_index_and_id_a_name_may_follow_the_arguments) {
    CHECK_CHAT(CALLS("{\"function\":{\"arguments\":\"{}\"}}")
                   CALLS("{\"function\":{\"name\":\"f\"}}") FINISH("stop"),
               "tool_call_delta 0 #0  : {}\ntool_call_delta 0 #0  f: \n"
               "tool_call 0 #0  f: {}\n" STOPPED,
               RAAF_OK);
}

TEST(chat_made_tool_index_is_one_that_was_not_sent) {
    CHECK_CHAT(CALLS("{\"index\":1,\"id\":\"a\",\"function\":{\"name\":\"f\"}}")
                   CALLS("{\"id\":\"b\",\"function\":{\"name\":\"g\"}}") FINISH("stop"),
               "tool_call_delta 0 #1 a f: \ntool_call_delta 0 #2 b g: \n"
               "tool_call 0 #1 a f: \ntool_call 0 #2 b g: \n" STOPPED,
               RAAF_OK);
}

TEST(chat_new_id_and_name_under_one_index_begin_a_call) {
    CHECK_CHAT(
        CALLS("{\"index\":-1,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}")
            CALLS("{\"index\":-1,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}")
                CALLS("{\"index\":-1,\"function\":{\"arguments\":\"3\"}}") FINISH("stop"),
        "tool_call_delta 0 #-1 a f: 1\ntool_call_delta 0 #-1 b g: 2\n"
        "tool_call_delta 0 #-1 b g: 3\n"
        "tool_call 0 #-1 a f: 1\ntool_call 0 #-1 b g: 23\n" STOPPED,
        RAAF_OK);
}

TEST(chat_labels_that_come_with_each_fragment_change_nothing) {
    CHECK_CHAT(
        CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}")
            CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"2\"}}")
                CALLS("{\"index\":0,\"id\":\"other\",\"function\":{\"name\":null,"
                      "\"arguments\":\"3\"}}")
                    CALLS("{\"index\":0,\"id\":\"\",\"function\":{\"name\":\"\"}}") FINISH("stop"),
        "tool_call_delta 0 #0 a f: 1\ntool_call_delta 0 #0 a f: 2\n"
        "tool_call_delta 0 #0 a f: 3\ntool_call_delta 0 #0 a f: \n"
        "tool_call 0 #0 a f: 123\n" STOPPED,
        RAAF_OK);
}

TEST(chat_id_and_name_may_come_late_or_in_pieces) {
    CHECK_CHAT(CALLS("{\"index\":0}") CALLS("{\"index\":0,\"function\":{\"name\":\"get_\"}}")
                   CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"time\"}}")
                       FINISH("stop"),
               "tool_call_delta 0 #0  : \ntool_call_delta 0 #0  get_: \n"
               "tool_call_delta 0 #0 a get_time: \ntool_call 0 #0 a get_time: \n" STOPPED,
               RAAF_OK);
}

TEST(chat_arguments_may_be_an_object) {
    CHECK_CHAT(CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":"
                     "{ \"arguments\": [1, {\"x\":\"\\u00e9\\ud83d\"}]}}}") FINISH("stop"),
               "tool_call_delta 0 #0 a f: { \"arguments\": [1, {\"x\":\"\\u00e9" FFFD "\"}]}\n"
               "tool_call 0 #0 a f: { \"arguments\": [1, {\"x\":\"\\u00e9" FFFD "\"}]}\n" STOPPED,
               RAAF_OK);
    CHECK_CHAT(
        CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":[\"a\",[{},2],{\"b\":1}]}}")
            FINISH("stop"),
        "tool_call_delta 0 #0 a f: [\"a\",[{},2],{\"b\":1}]\n"
        "tool_call 0 #0 a f: [\"a\",[{},2],{\"b\":1}]\n" STOPPED,
        RAAF_OK);
    CHECK_CHAT(CALLS("{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":null}}")
                   FINISH("stop"),
               "tool_call_delta 0 #0 a f: \ntool_call 0 #0 a f: \n" STOPPED, RAAF_OK);
}

TEST(chat_character_split_over_two_fragments_is_joined) {
    CHECK_CHAT(CALLS("{\"index\":0,\"function\":{\"arguments\":\"\\\"\\ud83d\"}},"
                     "{\"index\":1,\"function\":{\"arguments\":\"\xE2\x82\"}}")
                   CALLS("{\"index\":1,\"function\":{\"arguments\":\"\xAC\"}},"
                         "{\"index\":0,\"function\":{\"arguments\":\"\\ude00\\\"\"}}")
                       FINISH("stop"),
               "tool_call_delta 0 #0  : \"\ntool_call_delta 0 #1  : \n"
               "tool_call_delta 0 #1  : \xE2\x82\xAC\n"
               "tool_call_delta 0 #0  : \xF0\x9F\x98\x80\"\n"
               "tool_call 0 #0  : \"\xF0\x9F\x98\x80\"\ntool_call 0 #1  : \xE2\x82\xAC\n" STOPPED,
               RAAF_OK);
}

TEST(chat_character_left_open_in_arguments_is_replaced_in_a_delta_too) {
    CHECK_CHAT(CALLS("{\"index\":0,\"function\":{\"arguments\":\"a\\ud83d\"}}") FINISH("stop"),
               "tool_call_delta 0 #0  : a\ntool_call_delta 0 #0  : " FFFD "\n"
               "tool_call 0 #0  : a" FFFD "\n" STOPPED,
               RAAF_OK);
}

TEST(chat_old_function_call_is_a_call_with_index_0) {
    CHECK_CHAT(DELTA("\"function_call\":{\"name\":\"f\",\"arguments\":\"{\"}")
                   DELTA("\"function_call\":{\"arguments\":\"}\"}") FINISH("function_call"),
               "tool_call_delta 0 #0  f: {\ntool_call_delta 0 #0  f: }\n"
               "tool_call 0 #0  f: {}\nfinish 0: function_call\n",
               RAAF_OK);
}

TEST(chat_tool_calls_belong_to_their_choices) {
    CHECK_CHAT(
        "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\"}]}},"
        "{\"index\":1,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"b\"}]}}]}\n"
        "{\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n"
        "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n",
        "tool_call_delta 0 #0 a : \ntool_call_delta 1 #0 b : \n"
        "tool_call 1 #0 b : \nfinish 1: tool_calls\n"
        "tool_call 0 #0 a : \nfinish 0: tool_calls\n",
        RAAF_OK);
}

TEST(chat_tool_calls_that_no_finish_reason_closed_come_at_the_end) {
    CHECK_CHAT(CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}"
                     "}") "[DONE]",
               "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n", RAAF_OK);
}

TEST(chat_tool_call_of_an_answer_that_was_cut_off_is_not_handed_over) {
    CHECK_CHAT(
        CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
        "tool_call_delta 0 #0 a f: {}\n", RAAF_TRUNCATED);
    CHECK_CHAT(FINISH("stop") CALLS(
                   "{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}"),
               STOPPED "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\n", RAAF_OK);
}

#define CALL(index, id, arguments)                                                                 \
    DELTA("\"tool_calls\":[{\"index\":" index ",\"id\":\"" id                                      \
          "\",\"function\":{\"name\":\"f\",\"arguments\":\"" arguments "\"}}]")

TEST(chat_tool_call_that_a_finish_reason_cut_off_is_not_handed_over) {
    CHECK_CHAT(CALL("0", "a", "{}") CALL("1", "b", "{\\\"x\\\":[1") FINISH("length"),
               "tool_call_delta 0 #0 a f: {}\ntool_call_delta 0 #1 b f: {\"x\":[1\n"
               "tool_call 0 #0 a f: {}\nfinish 0: length\n",
               RAAF_OK);
    CHECK_CHAT(CALL("0", "a", "") FINISH("content_filter"),
               "tool_call_delta 0 #0 a f: \nfinish 0: content_filter\n", RAAF_OK);
    CHECK_CHAT(FINISH("stop") CALL("0", "a", "{") CALL("1", "b", "{}"),
               STOPPED "tool_call_delta 0 #0 a f: {\ntool_call_delta 0 #1 b f: {}\n"
                       "tool_call 0 #1 b f: {}\n",
               RAAF_OK);
}

TEST(chat_tool_call_of_a_whole_answer_is_handed_over_whatever_its_arguments_are) {
    CHECK_CHAT(CALL("0", "a", "") CALL("1", "b", "{\\\"x") FINISH("tool_calls"),
               "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #1 b f: {\"x\n"
               "tool_call 0 #0 a f: \ntool_call 0 #1 b f: {\"x\nfinish 0: tool_calls\n",
               RAAF_OK);
    CHECK_CHAT(CALL("0", "a", "") FINISH("STOP"),
               "tool_call_delta 0 #0 a f: \ntool_call 0 #0 a f: \nfinish 0: STOP\n", RAAF_OK);
}

TEST(chat_tool_call_that_may_have_lost_a_piece_is_not_handed_over) {
    lines_check_skipping(&raaf_dialect_openai_chat,
                         CALL("0", "a", "{\\\"x\\\":\\\"/tmp") "{\"choices\n" CALL(
                             "0", "a", "\\\"}") CALL("1", "b", "{}") FINISH("tool_calls"),
                         "tool_call_delta 0 #0 a f: {\"x\":\"/tmp\ntool_call_delta 0 #0 a f: \"}\n"
                         "tool_call_delta 0 #1 b f: {}\ntool_call 0 #1 b f: {}\n"
                         "finish 0: tool_calls\n",
                         RAAF_OK, 1);
}

TEST(chat_tool_call_is_handed_over_once) {
    CHECK_CHAT(
        CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}")
            FINISH("tool_calls") FINISH("tool_calls")
                CALLS("{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\"}}")
                    FINISH("tool_calls") "[DONE]",
        "tool_call_delta 0 #0 a f: {}\ntool_call 0 #0 a f: {}\nfinish 0: tool_calls\n"
        "tool_call_delta 0 #0 a f: \n",
        RAAF_OK);
}

/* ---- finish, usage, progress ---- */

TEST(chat_finish_reason_that_is_empty_is_none) {
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"\"}]}\n"
               "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":null}]}\n"
               "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}",
               "content 0: a\ncontent 0: b\nfinish 0: length\n", RAAF_OK);
}

TEST(chat_finish_reason_counts_once) {
    CHECK_CHAT(FINISH("stop") FINISH("stop") FINISH("length"), STOPPED, RAAF_OK);
}

TEST(chat_text_behind_a_finish_reason_is_still_handed_over) {
    CHECK_CHAT(FINISH("stop") DELTA("\"content\":\"more\""), STOPPED "content 0: more\n", RAAF_OK);
}

TEST(chat_choice_index_that_is_missing_is_0) {
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n"
               "{\"choices\":[{\"delta\":{\"content\":\"b\"},\"index\":null}]}\n"
               "{\"choices\":[{\"delta\":{\"content\":\"c\"},\"index\":\"0\"}]}\n" FINISH("stop"),
               "content 0: a\ncontent 0: b\ncontent 0: c\n" STOPPED, RAAF_OK);
}

TEST(chat_choice_index_must_fit) {
    CHECK_CHAT("{\"choices\":[{\"index\":4294967295,\"finish_reason\":\"stop\"}]}",
               "finish 4294967295: stop\n", RAAF_OK);
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":4294967296}]}", "",
               RAAF_INVALID_EVENT);
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":-1}]}", "",
               RAAF_INVALID_EVENT);
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":0.5}]}", "",
               RAAF_INVALID_EVENT);
}

TEST(chat_usage_is_handed_over_with_its_counts_and_its_source) {
    CHECK_CHAT(
        FINISH(
            "stop") "{\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
                    "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4,"
                    "\"cache_write_tokens\":3,\"audio_tokens\":2},\"completion_tokens_details\":{"
                    "\"reasoning_tokens\":1,\"audio_tokens\":0,\"accepted_prediction_tokens\":9},"
                    "\"cost\":0.5}}\n[DONE]",
        STOPPED "usage prompt=10 completion=5 total=15 cached=4 cache_write=3 reasoning=1 "
                "audio_prompt=2 audio_completion=0: {\"prompt_tokens\":10,\"completion_tokens\":5,"
                "\"total_tokens\":15,\"prompt_tokens_details\":{\"cached_tokens\":4,"
                "\"cache_write_tokens\":3,\"audio_tokens\":2},\"completion_tokens_details\":{"
                "\"reasoning_tokens\":1,\"audio_tokens\":0,\"accepted_prediction_tokens\":9},"
                "\"cost\":0.5}\n",
        RAAF_OK);
}

TEST(chat_usage_that_is_null_is_none) {
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":null}\n" FINISH("stop"),
               "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(chat_each_usage_is_handed_over) {
    CHECK_CHAT(
        "{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"total_tokens\":1}}\n"
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":2}}\n"
        "{\"choices\":null,\"usage\":{\"total_tokens\":3}}\n",
        "content 0: a\nusage total=1: {\"total_tokens\":1}\n" STOPPED
        "usage total=2: {\"total_tokens\":2}\nusage total=3: {\"total_tokens\":3}\n",
        RAAF_OK);
}

TEST(chat_counts_that_are_not_counts_are_unknown) {
    CHECK_CHAT("{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":-5,"
               "\"completion_tokens\":1.5,\"total_tokens\":\"7\",\"prompt_tokens_details\":null}}",
               STOPPED
               "usage: {\"prompt_tokens\":-5,\"completion_tokens\":1.5,\"total_tokens\":\"7\","
               "\"prompt_tokens_details\":null}\n",
               RAAF_OK);
}

TEST(chat_usage_may_stand_in_the_field_of_a_vendor) {
    CHECK_CHAT("{\"choices\":[{\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"usage\":{"
               "\"prompt_tokens\":3,\"completion_tokens\":4}}}",
               STOPPED
               "usage prompt=3 completion=4: {\"prompt_tokens\":3,\"completion_tokens\":4}\n",
               RAAF_OK);
    CHECK_CHAT("{\"usage\":{\"total_tokens\":1},\"choices\":[{\"finish_reason\":\"stop\"}],"
               "\"x_groq\":{\"usage\":{\"total_tokens\":2,\"prompt_tokens\":1}}}",
               STOPPED "usage total=1: {\"total_tokens\":1}\n", RAAF_OK);
}

TEST(chat_cached_tokens_have_two_spellings) {
    CHECK_CHAT(
        "{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_cache_hit_tokens\":64,"
        "\"prompt_cache_miss_tokens\":1}}",
        STOPPED "usage cached=64: {\"prompt_cache_hit_tokens\":64,"
                "\"prompt_cache_miss_tokens\":1}\n",
        RAAF_OK);
}

#define USAGE "{\"choices\":[],\"usage\":{}}\n"
#define TWO_CHOICES "{\"choices\":[{\"index\":0,\"delta\":{}},{\"index\":1,\"delta\":{}}]}\n"
#define FINISH_1 "{\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"stop\"}]}\n"

TEST(chat_answer_is_open_until_every_choice_has_its_finish_reason) {
    CHECK_EQ_INT(lines_progress(CHAT, ""), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, "{\"choices\":[]}"), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, USAGE), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, DELTA("\"content\":\"a\"")), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, TWO_CHOICES FINISH("stop")), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, TWO_CHOICES FINISH("stop") USAGE), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop") TWO_CHOICES), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop") USAGE TWO_CHOICES), RAAF_PROGRESS_OPEN);
}

TEST(chat_answer_is_finished_with_its_last_finish_reason) {
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(CHAT, TWO_CHOICES FINISH_1 FINISH("stop")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(CHAT, TWO_CHOICES FINISH_1 USAGE FINISH("stop")),
                 RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(CHAT, USAGE FINISH("stop")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop") USAGE FINISH_1), RAAF_PROGRESS_FINISHED);
}

TEST(chat_answer_is_settled_with_usage_behind_its_last_finish_reason) {
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop") USAGE), RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(CHAT, TWO_CHOICES FINISH("stop") FINISH_1 USAGE),
                 RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(CHAT, "{\"usage\":{},\"choices\":[{\"finish_reason\":\"stop\"}]}"),
                 RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(CHAT, FINISH("stop") USAGE FINISH("stop")), RAAF_PROGRESS_SETTLED);
}

TEST(chat_answer_is_done_with_its_terminal_mark) {
    CHECK_EQ_INT(lines_progress(CHAT, "[DONE]"), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(CHAT, " [DONE]\t "), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(CHAT, DELTA("\"content\":\"a\"") "[DONE]"), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(CHAT, "{\"error\":\"x\"}"), RAAF_PROGRESS_DONE);
}

TEST(chat_answer_needs_a_finish_reason_or_the_terminal_mark) {
    CHECK_CHAT(DELTA("\"content\":\"a\"") "[DONE]", "content 0: a\n", RAAF_OK);
    CHECK_CHAT(DELTA("\"content\":\"a\""), "content 0: a\n", RAAF_TRUNCATED);
    CHECK_CHAT("", "", RAAF_TRUNCATED);
    CHECK_CHAT(TWO_CHOICES FINISH("stop"), STOPPED, RAAF_TRUNCATED);
}

TEST(chat_nothing_behind_the_terminal_mark_counts) {
    CHECK_CHAT("[DONE]\n" DELTA("\"content\":\"late\""), "", RAAF_OK);
}

/* ---- errors ---- */

TEST(chat_error_object_is_handed_over_with_its_fields) {
    CHECK_CHAT(
        DELTA("\"content\":\"a\"") "{\"error\":{\"message\":\"Slow "
                                   "down\",\"type\":\"rate_limit\",\"code\":\"too_many\","
                                   "\"param\":\"model\",\"metadata\":{\"raw\":\"x\"}}}\n" DELTA(
                                       "\"content\":\"late\""),
        "content 0: a\n"
        "error message=Slow down type=rate_limit code=too_many param=model: "
        "{\"message\":\"Slow down\",\"type\":\"rate_limit\",\"code\":\"too_many\","
        "\"param\":\"model\",\"metadata\":{\"raw\":\"x\"}}\n",
        RAAF_PROVIDER_ERROR);
}

TEST(chat_error_code_may_be_a_number) {
    CHECK_CHAT("{\"error\":{\"code\":429,\"message\":\"m\",\"type\":null,\"param\":null}}",
               "error message=m code=429: {\"code\":429,\"message\":\"m\",\"type\":null,"
               "\"param\":null}\n",
               RAAF_PROVIDER_ERROR);
}

TEST(chat_error_may_be_a_string) {
    CHECK_CHAT("{\"error\":\"model not found\"}",
               "error message=model not found: {\"error\":\"model not found\"}\n",
               RAAF_PROVIDER_ERROR);
}

TEST(chat_error_that_is_null_or_empty_is_none) {
    CHECK_CHAT("{\"error\":null,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n"
               "{\"error\":\"\",\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n" FINISH("stop"),
               "content 0: a\ncontent 0: b\n" STOPPED, RAAF_OK);
}

TEST(chat_error_wins_over_all_else_in_its_event) {
    CHECK_CHAT(
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no\"},\"finish_reason\":\"error\"}],"
        "\"usage\":{\"total_tokens\":1},\"error\":{\"message\":\"m\",\"code\":502}}",
        "error message=m code=502: {\"message\":\"m\",\"code\":502}\n", RAAF_PROVIDER_ERROR);
}

TEST(chat_error_is_the_last_that_is_handed_over) {
    CHECK_CHAT(
        CALLS("{\"index\":0,\"id\":\"a\"}") DELTA("\"content\":\"\\ud83d\"") "{\"error\":\"x\"}",
        "tool_call_delta 0 #0 a : \nerror message=x: {\"error\":\"x\"}\n", RAAF_PROVIDER_ERROR);
}

TEST(chat_event_named_error_is_an_error_whatever_it_holds) {
    CHECK_CHAT("@error {\"error\":{\"message\":\"m\",\"code\":\"tool_use_failed\"}}",
               "error message=m code=tool_use_failed: {\"message\":\"m\","
               "\"code\":\"tool_use_failed\"}\n",
               RAAF_PROVIDER_ERROR);
    CHECK_CHAT(
        "@error {\"message\":\"m\",\"type\":\"t\",\"code\":5,\"param\":\"p\"}",
        "error message=m type=t code=5 param=p: {\"message\":\"m\",\"type\":\"t\",\"code\":5,"
        "\"param\":\"p\"}\n",
        RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error {\"error\":null}", "error: {\"error\":null}\n", RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error upstream timed out", "error message=upstream timed out: \n",
               RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error [1,2]", "error message=[1,2]: \n", RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error ", "error: \n", RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error [DONE]", "error message=[DONE]: \n", RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error {\"message\":\"cut", "error message={\"message\":\"cut: \n",
               RAAF_PROVIDER_ERROR);
}

TEST(chat_object_that_calls_itself_an_error_is_one) {
    CHECK_CHAT(
        "{\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequest\",\"code\":400}",
        "error message=too long type=BadRequest code=400: {\"object\":\"error\","
        "\"message\":\"too long\",\"type\":\"BadRequest\",\"code\":400}\n",
        RAAF_PROVIDER_ERROR);
}

TEST(chat_error_is_valid_utf8) {
    CHECK_CHAT("{\"error\":{\"message\":\"a\xFF\\ud83d\"}}",
               "error message=a" FFFD FFFD ": {\"message\":\"a" FFFD FFFD "\"}\n",
               RAAF_PROVIDER_ERROR);
    CHECK_CHAT("@error a\xFF\xC3", "error message=a" FFFD FFFD ": \n", RAAF_PROVIDER_ERROR);
}

TEST(chat_raw_error_is_cut_between_two_characters) {
    lines_check_raw_error(CHAT, "y", 4096);
    lines_check_raw_error(CHAT, "\xFF", 4096);
    lines_check_raw_error(CHAT, "\xC3\xA9", 4095);
    lines_check_raw_error(CHAT, "\xF0\x9F\x98\x80", 4093);
}

/* ---- what is malformed hands over nothing ---- */

TEST(chat_malformed_event_hands_over_nothing) {
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"}}]", "", RAAF_INVALID_JSON);
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"}}]} x", "", RAAF_INVALID_JSON);
    CHECK_CHAT("hello", "", RAAF_INVALID_JSON);
    CHECK_CHAT("[{\"choices\":[]}]", "", RAAF_INVALID_EVENT);
    CHECK_CHAT("[DONE] [DONE]", "", RAAF_INVALID_JSON);
}

TEST(chat_answer_of_a_wrong_type_is_malformed) {
    static const char *const events[] = {
        "{\"choices\":5}",
        "{\"choices\":\"none\"}",
        "{\"choices\":[1]}",
        "{\"choices\":[{\"delta\":\"text\"}]}",
        "{\"choices\":[{\"delta\":{\"content\":5}}]}",
        "{\"choices\":[{\"delta\":{\"content\":true}}]}",
        "{\"choices\":[{\"delta\":{\"content\":[5]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":\"f\"}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":\"f\"}]}}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"arguments\":5}}]}}]}",
        "{\"choices\":[{\"delta\":{\"function_call\":\"f\"}}]}",
    };

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        lines_check_known(CHAT, events[i], strlen(events[i]), "", 0, RAAF_INVALID_EVENT);
    }
}

TEST(chat_unknown_events_and_fields_pass) {
    CHECK_CHAT(
        "{}\n{\"type\":\"ping\"}\n{\"choices\":null}\n{\"choices\":[null]}\n"
        "{\"object\":\"\",\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n"
        "{\"choices\":[{\"index\":0,\"delta\":null}]}\n"
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\",\"tool_calls\":null,"
        "\"function_call\":null,\"audio\":{\"data\":\"x\"}},\"message\":{\"content\":\"no\"}}],"
        "\"related_questions\":[\"u\"]}\n" FINISH("stop"),
        "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(chat_event_without_any_data_passes) {
    CHECK_CHAT("\n \n" DELTA("\"content\":\"a\"") FINISH("stop"), "content 0: a\n" STOPPED,
               RAAF_OK);
}

/* ---- caps ---- */

static void repeat_choices(raaf_buffer_t *stream, int from, int to) {
    char text[80];

    lines_add(stream, "data: {\"choices\":[");
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%s{\"index\":%d}", i > from ? "," : "", i);
        lines_add(stream, text);
    }
    lines_add(stream, "]}\n\n");
}

TEST(chat_response_may_have_128_choices) {
    raaf_buffer_t stream;
    transcript_t transcript;

    raaf_buffer_init(&stream, 1 << 20);
    transcript_init(&transcript);
    repeat_choices(&stream, 0, 128);
    repeat_choices(&stream, 0, 128);
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_TRUNCATED);
    repeat_choices(&stream, 128, 129);
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_EVENT_TOO_LARGE);
    stream.len = 0;
    repeat_choices(&stream, 0, 129);
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_EVENT_TOO_LARGE);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

static void repeat_calls(raaf_buffer_t *stream, int from, int to) {
    char text[80];

    lines_add(stream, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[");
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof text, "%s{\"index\":%d}", i > from ? "," : "", i * 1000003);
        lines_add(stream, text);
    }
    lines_add(stream, "]}}]}\n\n");
}

TEST(chat_response_may_have_1024_tool_calls) {
    raaf_buffer_t stream;
    transcript_t transcript;

    raaf_buffer_init(&stream, 1 << 20);
    transcript_init(&transcript);
    repeat_calls(&stream, 0, 1024);
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_TRUNCATED);
    CHECK_EQ_UINT(transcript.deltas, 1024);
    repeat_calls(&stream, 1024, 1025);
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_EVENT_TOO_LARGE);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

static int decode_call_with(const char *key, size_t len, size_t repeats) {
    const char *const call = "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,";
    raaf_buffer_t stream;
    char *text = lines_long_text(len);

    raaf_buffer_init(&stream, (size_t)1 << 30);
    for (size_t i = 0; i < repeats; i++) {
        lines_add(&stream, "data: ");
        lines_add(&stream, call);
        lines_add(&stream, key);
        lines_add(&stream, text);
        lines_add(&stream, "\"}}]}}]}\n\n");
    }
    free(text);
    return lines_end_of(CHAT, &stream);
}

TEST(chat_labels_and_arguments_of_a_call_are_capped) {
    CHECK_EQ_INT(decode_call_with("\"function\":{\"name\":\"", 65536, 1), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_call_with("\"function\":{\"name\":\"", 65537, 1), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_call_with("\"function\":{\"x\":\"y\"},\"z\":{\"id\":\"", 9, 1),
                 RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_call_with("\"function\":{\"arguments\":\"", 1 << 20, 4), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_call_with("\"function\":{\"arguments\":\"", 4 << 20, 5),
                 RAAF_EVENT_TOO_LARGE);
}

TEST(chat_id_of_a_call_is_capped) {
    for (size_t len = 65536; len <= 65537; len++) {
        raaf_buffer_t stream;
        char *id = lines_long_text(len);

        raaf_buffer_init(&stream, 1 << 20);
        lines_add_list(&stream, "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"", id, 1,
                       "\"}]}}]}");
        CHECK_EQ_INT(lines_end_of(CHAT, &stream),
                     len > 65536 ? RAAF_EVENT_TOO_LARGE : RAAF_TRUNCATED);
        free(id);
    }
}

/* ---- the receiver, memory ---- */

#define FULL                                                                                       \
    "{\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"r\",\"content\":\"c\\ud83d\","          \
    "\"refusal\":\"n\",\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\","    \
    "\"arguments\":\"{\\\"x\\\":\\\"\\ud83d\"}}]}},{\"index\":1,\"delta\":{\"content\":\"d\"}}]}"  \
    "\n"                                                                                           \
    "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"},{\"index\":1,\"delta\":{" \
    "},"                                                                                           \
    "\"finish_reason\":\"length\"}],\"usage\":{\"total_tokens\":5}}\n[DONE]"

TEST(chat_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(CHAT, FULL, 11);
}

TEST(chat_receiver_that_stops_at_an_error_is_obeyed) {
    lines_check_stop_at_error(CHAT, "{\"error\":\"x\"}");
}

TEST(chat_reports_that_memory_ran_out) {
    lines_check_memory(CHAT, FULL, RAAF_OK, 11, 10);
}
