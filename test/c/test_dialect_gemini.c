#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "dialect_gemini.h"
#include "dialect_lines.h"

#define GEMINI (&raaf_dialect_gemini)
#define CHECK_EVENTS(lines, expected, rc) CHECK_LINES(GEMINI, lines, expected, rc)

/* One candidate with these parts, and no more. */
#define PARTS(parts) "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}}]}\n"
#define TEXT(text) PARTS("{\"text\":\"" text "\"}")
#define THOUGHT(text) PARTS("{\"text\":\"" text "\",\"thought\":true}")
#define CALL(call) PARTS("{\"functionCall\":{" call "}}")
#define FINISH(reason) "{\"candidates\":[{\"finishReason\":\"" reason "\",\"index\":0}]}\n"
#define STOPPED "finish 0: STOP\n"

/* ---- text ---- */

TEST(gemini_hands_over_content_as_it_comes) {
    CHECK_EVENTS(TEXT("Hel") TEXT("lo") FINISH("STOP"), "content 0: Hel\ncontent 0: lo\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_reads_an_event_with_all_its_usual_fields) {
    CHECK_EVENTS(
        "{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"5\\n10\"}],\"role\": "
        "\"model\"},\"finishReason\": \"STOP\",\"index\": 0,\"finishMessage\": "
        "\"done\",\"safetyRatings\": [{\"category\": \"C\",\"probability\": "
        "\"NEGLIGIBLE\"}],\"avgLogprobs\": -0.1}],\"usageMetadata\": {\"promptTokenCount\": "
        "64,\"candidatesTokenCount\": 7,\"totalTokenCount\": 149,\"promptTokensDetails\": "
        "[{\"modality\": \"TEXT\",\"tokenCount\": 64}],\"thoughtsTokenCount\": "
        "78},\"modelVersion\": \"gemini-2.5-flash\",\"responseId\": \"x\"}",
        "content 0: 5\\n10\n" STOPPED
        "usage prompt=64 completion=85 total=149 reasoning=78: {\"promptTokenCount\": "
        "64,\"candidatesTokenCount\": 7,\"totalTokenCount\": 149,\"promptTokensDetails\": "
        "[{\"modality\": \"TEXT\",\"tokenCount\": 64}],\"thoughtsTokenCount\": 78}\n",
        RAAF_OK);
}

TEST(gemini_hands_over_no_empty_text) {
    CHECK_EVENTS(TEXT("") THOUGHT("") PARTS("") PARTS("{}") PARTS("{ }") PARTS("{\"text\":null}")
                     FINISH("STOP"),
                 STOPPED, RAAF_OK);
}

TEST(gemini_thoughts_are_reasoning) {
    CHECK_EVENTS(THOUGHT("Hm") THOUGHT(", so") TEXT("Yes")
                     PARTS("{\"thought\":true,\"text\":\"a\"},{\"text\":\"b\",\"thought\":false}")
                         FINISH("STOP"),
                 "reasoning 0: Hm\nreasoning 0: , so\ncontent 0: Yes\nreasoning 0: a\n"
                 "content 0: b\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_parts_of_one_event_keep_their_order) {
    CHECK_EVENTS(
        PARTS("{\"text\":\"a\"},{\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}},"
              "{\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\"}},{\"text\":\"b\"},"
              "{\"functionCall\":{\"name\":\"f\"}},{\"text\":\"c\"}") FINISH("STOP"),
        "content 0: a\npart 0: {\"executableCode\":{\"language\":\"PYTHON\",\"code\":\"1\"}}\n"
        "part 0: {\"codeExecutionResult\":{\"outcome\":\"OUTCOME_OK\"}}\ncontent 0: b\n"
        "tool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\ncontent 0: c\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_candidates_are_choices_by_their_index) {
    CHECK_EVENTS("{\"candidates\":[{\"index\":1,\"content\":{\"parts\":[{\"text\":\"b\"}]}},"
                 "{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n"
                 "{\"candidates\":[{\"index\":0,\"finishReason\":\"STOP\"},"
                 "{\"index\":1,\"finishReason\":\"MAX_TOKENS\"}]}",
                 "content 1: b\ncontent 0: a\n" STOPPED "finish 1: MAX_TOKENS\n", RAAF_OK);
}

/* ---- characters ---- */

TEST(gemini_surrogates_of_two_events_make_one_character) {
    CHECK_EVENTS(
        TEXT("a\\ud83d") TEXT("\\ude00") THOUGHT("\xE2\x82") THOUGHT("\xAC") FINISH("STOP"),
        "content 0: a\ncontent 0: \xF0\x9F\x98\x80\nreasoning 0: \xE2\x82\xAC\n" STOPPED, RAAF_OK);
}

TEST(gemini_what_cannot_become_a_character_is_replaced) {
    CHECK_EVENTS(TEXT("a\xFF") TEXT("\\ude00") TEXT("\\ud83dx") FINISH("STOP"),
                 "content 0: a" FFFD "\ncontent 0: " FFFD "\ncontent 0: " FFFD "x\n" STOPPED,
                 RAAF_OK);
    CHECK_EVENTS(TEXT("a\\ud83d") THOUGHT("\xC3") FINISH("STOP"),
                 "content 0: a\nreasoning 0: " FFFD "\ncontent 0: " FFFD "\n" STOPPED, RAAF_OK);
    CHECK_EVENTS(TEXT("a\\ud83d"), "content 0: a\ncontent 0: " FFFD "\n", RAAF_TRUNCATED);
}

TEST(gemini_parts_arguments_and_sources_are_valid_utf8) {
    CHECK_EVENTS(
        PARTS("{\"inlineData\":{\"data\":\"\\ud83d\xFF\"}}")
            CALL("\"name\":\"\xFF\",\"args\":{\"a\":\"\\ud83d\",\"b\":"
                 "\"\\ud83d\\ude00\\u00e9\"}") "{\"candidates\":[{\"groundingMetadata\":{"
                                               "\"groundingChunks\":[{\"u\":\"\xC3\"}]},"
                                               "\"finishReason\":\"STOP\"}]}",
        "part 0: {\"inlineData\":{\"data\":\"" FFFD FFFD "\"}}\n"
        "tool_call_delta 0 #0  " FFFD ": {\"a\":\"" FFFD "\",\"b\":\"\xF0\x9F\x98\x80\\u00e9\"}\n"
        "tool_call 0 #0  " FFFD ": {\"a\":\"" FFFD "\",\"b\":\"\xF0\x9F\x98\x80\\u00e9\"}\n"
        "citation 0: {\"u\":\"" FFFD "\"}\n" STOPPED,
        RAAF_OK);
}

/* ---- tool calls ---- */

TEST(gemini_tool_call_comes_whole) {
    CHECK_EVENTS(CALL("\"name\":\"weather\",\"args\":{ \"city\": \"Rome\", \"days\": [1, {}] }")
                     CALL("\"id\":\"g1\",\"name\":\"time\",\"args\":{}") FINISH("STOP"),
                 "tool_call_delta 0 #0  weather: { \"city\": \"Rome\", \"days\": [1, {}] }\n"
                 "tool_call 0 #0  weather: { \"city\": \"Rome\", \"days\": [1, {}] }\n"
                 "tool_call_delta 0 #1 g1 time: {}\ntool_call 0 #1 g1 time: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_tool_call_without_arguments_has_an_empty_object) {
    CHECK_EVENTS(CALL("\"name\":\"f\"") CALL("\"name\":\"f\",\"args\":null") FINISH("STOP"),
                 "tool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\n"
                 "tool_call_delta 0 #1  f: {}\ntool_call 0 #1  f: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_calls_are_counted_for_each_candidate) {
    CHECK_EVENTS(
        "{\"candidates\":[{\"index\":1,\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\"}}]"
        "}"
        ",\"finishReason\":\"STOP\"},{\"index\":0,\"content\":{\"parts\":[{\"functionCall\":{"
        "\"name\":\"g\"}}]},\"finishReason\":\"STOP\"}]}",
        "tool_call_delta 1 #0  f: {}\ntool_call 1 #0  f: {}\n"
        "tool_call_delta 0 #0  g: {}\ntool_call 0 #0  g: {}\nfinish 1: STOP\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_end_of_a_call_that_has_ended_says_nothing) {
    CHECK_EVENTS(CALL("") CALL("\"willContinue\":true") CALL("\"name\":\"f\"") CALL("")
                     FINISH("STOP"),
                 "tool_call_delta 0 #0  f: {}\ntool_call 0 #0  f: {}\n" STOPPED, RAAF_OK);
}

/* ---- arguments value by value ---- */

#define BEGIN(name) CALL("\"name\":\"" name "\",\"willContinue\":true")
#define PIECE(path, value) "{\"jsonPath\":\"" path "\"," value "}"
#define MORE(pieces) CALL("\"partialArgs\":[" pieces "],\"willContinue\":true")
#define LAST(pieces) CALL("\"partialArgs\":[" pieces "]")

TEST(gemini_arguments_may_be_streamed) {
    CHECK_EVENTS(
        BEGIN("weather") MORE(PIECE("$.city", "\"stringValue\":\"Bos\",\"willContinue\":true"))
            MORE(PIECE("$.city", "\"stringValue\":\"ton\"")) MORE(
                PIECE("$.days", "\"numberValue\":1.50") "," PIECE("$.wind", "\"boolValue\":false"))
                CALL("\"willContinue\":true") CALL("") BEGIN("time") CALL("") FINISH("STOP"),
        "tool_call_delta 0 #0  weather: \n"
        "tool_call_delta 0 #0  weather: {\"city\":\"Bos\n"
        "tool_call_delta 0 #0  weather: ton\"\n"
        "tool_call_delta 0 #0  weather: ,\"days\":1.50,\"wind\":false\n"
        "tool_call_delta 0 #0  weather: }\n"
        "tool_call 0 #0  weather: {\"city\":\"Boston\",\"days\":1.50,\"wind\":false}\n"
        "tool_call_delta 0 #1  time: \ntool_call_delta 0 #1  time: {}\n"
        "tool_call 0 #1  time: {}\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_streamed_arguments_may_hold_every_kind_of_value) {
    CHECK_EVENTS(
        BEGIN("f") MORE(PIECE("$.a[0]", "\"boolValue\":true") "," PIECE(
            "$.a[1]", "\"nullValue\":null") "," PIECE("$.a[2]", "\"nullValue\":\"NULL_VALUE\""))
            LAST(PIECE("$.b", "\"numberValue\":-1e400")) FINISH("STOP"),
        "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":[true,null,null\n"
        "tool_call_delta 0 #0  f: ],\"b\":-1e400\ntool_call_delta 0 #0  f: }\n"
        "tool_call 0 #0  f: {\"a\":[true,null,null],\"b\":-1e400}\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_streamed_call_ends_with_its_last_piece_the_next_name_or_the_finish_reason) {
    CHECK_EVENTS(BEGIN("f") LAST(PIECE("$.a", "\"numberValue\":1")) BEGIN("g")
                     MORE(PIECE("$.a", "\"numberValue\":2")) BEGIN("h") FINISH("STOP"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":1\n"
                 "tool_call_delta 0 #0  f: }\ntool_call 0 #0  f: {\"a\":1}\n"
                 "tool_call_delta 0 #1  g: \ntool_call_delta 0 #1  g: {\"a\":2\n"
                 "tool_call_delta 0 #1  g: }\ntool_call 0 #1  g: {\"a\":2}\n"
                 "tool_call_delta 0 #2  h: \ntool_call_delta 0 #2  h: {}\n"
                 "tool_call 0 #2  h: {}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_call_may_be_begun_and_ended_in_one_part) {
    CHECK_EVENTS(CALL("\"id\":\"a\",\"name\":\"f\",\"partialArgs\":[" PIECE(
                     "$.a", "\"numberValue\":1") "]") FINISH("STOP"),
                 "tool_call_delta 0 #0 a f: {\"a\":1\ntool_call_delta 0 #0 a f: }\n"
                 "tool_call 0 #0 a f: {\"a\":1}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_arguments_of_a_call_that_goes_on_may_come_as_an_object) {
    CHECK_EVENTS(BEGIN("f") CALL("\"args\":{\"a\":1}") FINISH("STOP"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":1}\n"
                 "tool_call 0 #0  f: {\"a\":1}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_character_split_over_two_pieces_is_joined) {
    CHECK_EVENTS(BEGIN("f") MORE(PIECE("$.a", "\"stringValue\":\"x\\ud83d\",\"willContinue\":true"))
                     MORE(PIECE("$.a", "\"stringValue\":\"\\ude00\\n\"")) CALL("") FINISH("STOP"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":\"x\n"
                 "tool_call_delta 0 #0  f: \xF0\x9F\x98\x80\\u000a\"\ntool_call_delta 0 #0  f: }\n"
                 "tool_call 0 #0  f: {\"a\":\"x\xF0\x9F\x98\x80\\u000a\"}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_call_that_a_finish_reason_cut_off_is_not_handed_over) {
    CHECK_EVENTS(BEGIN("f") MORE(PIECE("$.path", "\"stringValue\":\"/ho\",\"willContinue\":true"))
                     FINISH("MAX_TOKENS"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"path\":\"/ho\n"
                 "finish 0: MAX_TOKENS\n",
                 RAAF_OK);
    CHECK_EVENTS(BEGIN("f") "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n",
                 "tool_call_delta 0 #0  f: \nfinish 0: BLOCK_REASON_SAFETY\n", RAAF_OK);
    CHECK_EVENTS(BEGIN("f") MORE(PIECE("$.a", "\"stringValue\":\"x\",\"willContinue\":true"))
                     BEGIN("g") CALL("") FINISH("STOP"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":\"x\n"
                 "tool_call_delta 0 #1  g: \ntool_call_delta 0 #1  g: {}\n"
                 "tool_call 0 #1  g: {}\n" STOPPED,
                 RAAF_OK);
    CHECK_EVENTS(BEGIN("f") FINISH("SAFETY") CALL(""),
                 "tool_call_delta 0 #0  f: \nfinish 0: SAFETY\n", RAAF_OK);
}

TEST(gemini_call_that_was_cut_off_is_not_handed_over) {
    CHECK_EVENTS(BEGIN("f") MORE(PIECE("$.a", "\"numberValue\":1")),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":1\n", RAAF_TRUNCATED);
    CHECK_EVENTS(FINISH("STOP") BEGIN("f") MORE(PIECE("$.a", "\"numberValue\":1")),
                 STOPPED "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":1\n", RAAF_OK);
}

TEST(gemini_piece_without_a_place_is_malformed_and_its_event_hands_over_nothing) {
    CHECK_EVENTS(BEGIN("f") PARTS("{\"text\":\"lost\"},{\"functionCall\":{\"partialArgs\":[" PIECE(
                     "$.a[1]", "\"numberValue\":1") "]}}"),
                 "tool_call_delta 0 #0  f: \n", RAAF_INVALID_EVENT);
    CHECK_EVENTS(BEGIN("f") MORE(PIECE("$.a", "\"numberValue\":1"))
                     PARTS("{\"text\":\"lost\"},{\"functionCall\":{\"args\":{}}}"),
                 "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":1\n",
                 RAAF_INVALID_EVENT);
    CHECK_EVENTS(PARTS("{\"text\":\"lost\"},{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[{}]"
                       "}}"),
                 "", RAAF_INVALID_EVENT);
    CHECK_EVENTS(
        CALL("\"name\":\"f\",\"args\":{},\"partialArgs\":[" PIECE("$.a", "\"numberValue\":1") "]"),
        "", RAAF_INVALID_EVENT);
}

#define TWICE(parts)                                                                               \
    "{\"candidates\":[{\"content\":{\"parts\":[" parts "]}},{\"content\":{\"parts\":[" parts       \
    "]}}]}\n"

TEST(gemini_arguments_that_come_twice_are_malformed_wherever_they_stand) {
    CHECK_EVENTS(BEGIN("f") TWICE("{\"functionCall\":{\"partialArgs\":[" PIECE(
                     "$.a", "\"numberValue\":1") "],\"willContinue\":true}}"),
                 "tool_call_delta 0 #0  f: \n", RAAF_INVALID_EVENT);
    CHECK_EVENTS(PARTS("{\"functionCall\":{\"name\":\"f\",\"args\":{},\"willContinue\":true}},"
                       "{\"functionCall\":{\"args\":{}}}"),
                 "", RAAF_INVALID_EVENT);
}

TEST(gemini_call_that_may_have_lost_a_piece_is_never_whole) {
    lines_check_skipping(GEMINI,
                         BEGIN("f") MORE(PIECE("$.a[1]", "\"numberValue\":1"))
                             MORE(PIECE("$.b", "\"numberValue\":2")) BEGIN("g") FINISH("STOP"),
                         "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"b\":2\n"
                         "tool_call_delta 0 #1  g: \ntool_call_delta 0 #1  g: {}\n"
                         "tool_call 0 #1  g: {}\n" STOPPED,
                         RAAF_OK, 1);
    lines_check_skipping(
        GEMINI, BEGIN("f") "{\"cand\nnonsense\n" CALL("") CALL("\"name\":\"g\"") FINISH("STOP"),
        "tool_call_delta 0 #0  f: \ntool_call_delta 0 #1  g: {}\n"
        "tool_call 0 #1  g: {}\n" STOPPED,
        RAAF_OK, 2);
}

/* ---- what the next turn sends back ---- */

#define SIGNED(part) PARTS("{" part ",\"thoughtSignature\":\"c2ln\"}")

TEST(gemini_part_with_a_signature_is_kept_behind_what_it_says) {
    CHECK_EVENTS(
        TEXT("a") SIGNED("\"text\":\"b\"") SIGNED("\"text\":\"\"")
            SIGNED("\"text\":\"t\",\"thought\":true") SIGNED("\"functionCall\":{\"name\":\"f\","
                                                             "\"args\":{\"x\":1}}")
                CALL("\"name\":\"g\"") PARTS("{\"thoughtSignature\":\"YQ==\"}") FINISH("STOP"),
        "content 0: a\ncontent 0: b\npart 0: {\"text\":\"b\",\"thoughtSignature\":\"c2ln\"}\n"
        "part 0: {\"text\":\"\",\"thoughtSignature\":\"c2ln\"}\nreasoning 0: t\n"
        "part 0: {\"text\":\"t\",\"thought\":true,\"thoughtSignature\":\"c2ln\"}\n"
        "tool_call_delta 0 #0  f: {\"x\":1}\n"
        "part 0: {\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}},"
        "\"thoughtSignature\":\"c2ln\"}\ntool_call 0 #0  f: {\"x\":1}\n"
        "tool_call_delta 0 #1  g: {}\ntool_call 0 #1  g: {}\n"
        "part 0: {\"thoughtSignature\":\"YQ==\"}\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_signature_that_is_empty_or_null_is_none) {
    CHECK_EVENTS(PARTS("{\"text\":\"a\",\"thoughtSignature\":\"\"}")
                     PARTS("{\"text\":\"b\",\"thoughtSignature\":null}") FINISH("STOP"),
                 "content 0: a\ncontent 0: b\n" STOPPED, RAAF_OK);
}

TEST(gemini_part_of_a_streamed_call_is_put_together) {
    CHECK_EVENTS(
        SIGNED("\"functionCall\":{\"name\":\"f\",\"willContinue\":true}")
            LAST(PIECE("$.a", "\"stringValue\":\"x\\\"\"")) SIGNED(
                "\"functionCall\":{\"id\":\"i\\n\",\"name\":\"g\\\"\",\"willContinue\":true}")
                CALL("") BEGIN("h") FINISH("STOP"),
        "tool_call_delta 0 #0  f: \ntool_call_delta 0 #0  f: {\"a\":\"x\\\"\"\n"
        "tool_call_delta 0 #0  f: }\n"
        "part 0: {\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":\"x\\\"\"}},"
        "\"thoughtSignature\":\"c2ln\"}\ntool_call 0 #0  f: {\"a\":\"x\\\"\"}\n"
        "tool_call_delta 0 #1 i\\n g\": \ntool_call_delta 0 #1 i\\n g\": {}\n"
        "part 0: {\"functionCall\":{\"id\":\"i\\u000a\",\"name\":\"g\\\"\",\"args\":{}},"
        "\"thoughtSignature\":\"c2ln\"}\ntool_call 0 #1 i\\n g\": {}\n"
        "tool_call_delta 0 #2  h: \ntool_call_delta 0 #2  h: {}\ntool_call 0 #2  h: {}\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_parts_nobody_knows_are_kept) {
    CHECK_EVENTS(PARTS("{\"toolCall\":{\"id\":\"1\"}},{\"fileData\":{\"fileUri\":\"u\"}}")
                     FINISH("STOP"),
                 "part 0: {\"toolCall\":{\"id\":\"1\"}}\n"
                 "part 0: {\"fileData\":{\"fileUri\":\"u\"}}\n" STOPPED,
                 RAAF_OK);
}

/* ---- sources ---- */

TEST(gemini_sources_are_citations_once) {
    CHECK_EVENTS(
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"groundingMetadata\":{"
        "\"webSearchQueries\":[\"q\"],\"searchEntryPoint\":{\"renderedContent\":\"<p>\"},"
        "\"groundingChunks\":[{\"web\":{\"uri\":\"u1\"}},{\"web\":{\"uri\":\"u2\"}}]}}]}\n"
        "{\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"u1\"}},"
        "{\"web\":{\"uri\":\"u3\"}}],\"groundingSupports\":[{\"segment\":{\"endIndex\":1},"
        "\"groundingChunkIndices\":[0]}]},\"citationMetadata\":{\"citationSources\":[{\"uri\":"
        "\"c\"}],\"citations\":[{\"uri\":\"d\"}]},\"urlContextMetadata\":{\"urlMetadata\":[{"
        "\"retrievedUrl\":\"e\"}]},\"finishReason\":\"STOP\"}]}",
        "content 0: a\ncitation 0: {\"web\":{\"uri\":\"u1\"}}\n"
        "citation 0: {\"web\":{\"uri\":\"u2\"}}\ncitation 0: {\"web\":{\"uri\":\"u3\"}}\n"
        "citation 0: {\"segment\":{\"endIndex\":1},\"groundingChunkIndices\":[0]}\n"
        "citation 0: {\"uri\":\"c\"}\ncitation 0: {\"uri\":\"d\"}\n"
        "citation 0: {\"retrievedUrl\":\"e\"}\n" STOPPED,
        RAAF_OK);
}

TEST(gemini_sources_of_another_type_pass) {
    CHECK_EVENTS("{\"candidates\":[{\"groundingMetadata\":null,\"citationMetadata\":5,"
                 "\"urlContextMetadata\":{\"urlMetadata\":\"x\"}},{\"groundingMetadata\":{"
                 "\"groundingChunks\":[null,1,[]]},\"finishReason\":\"STOP\"}]}",
                 STOPPED, RAAF_OK);
}

/* ---- finish, usage, progress ---- */

TEST(gemini_finish_reason_counts_once) {
    CHECK_EVENTS(FINISH("MAX_TOKENS") FINISH("STOP") FINISH("MAX_TOKENS"), "finish 0: MAX_TOKENS\n",
                 RAAF_OK);
}

TEST(gemini_finish_reason_that_is_empty_is_none) {
    CHECK_EVENTS("{\"candidates\":[{\"finishReason\":\"\"}]}\n"
                 "{\"candidates\":[{\"finishReason\":null}]}\n" FINISH("SAFETY"),
                 "finish 0: SAFETY\n", RAAF_OK);
}

TEST(gemini_text_behind_a_finish_reason_is_still_handed_over) {
    CHECK_EVENTS(FINISH("STOP") TEXT("more"), STOPPED "content 0: more\n", RAAF_OK);
}

TEST(gemini_prompt_that_is_blocked_finishes_the_answer) {
    CHECK_EVENTS("{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{"
                 "\"promptTokenCount\":9,\"totalTokenCount\":9}}",
                 "finish 0: BLOCK_REASON_PROHIBITED_CONTENT\nusage prompt=9 completion=0 total=9: "
                 "{\"promptTokenCount\":9,\"totalTokenCount\":9}\n",
                 RAAF_OK);
    CHECK_EVENTS("{\"candidates\":[],\"promptFeedback\":{\"blockReason\":"
                 "\"BLOCK_REASON_UNSPECIFIED\"}}",
                 "finish 0: BLOCK_REASON_UNSPECIFIED\n", RAAF_OK);
}

TEST(gemini_feedback_that_blocks_nothing_says_nothing) {
    CHECK_EVENTS("{\"promptFeedback\":{\"safetyRatings\":[]}}\n" TEXT("a")
                     FINISH("STOP") "{\"promptFeedback\":{\"blockReason\":\"OTHER\"}}\n",
                 "content 0: a\n" STOPPED, RAAF_OK);
    CHECK_EVENTS("{\"promptFeedback\":{\"blockReason\":\"OTHER\"},\"candidates\":[{"
                 "\"finishReason\":\"STOP\"}]}",
                 STOPPED, RAAF_OK);
}

TEST(gemini_usage_is_handed_over_with_its_counts_and_its_source) {
    CHECK_EVENTS(
        FINISH("STOP") "{\"usageMetadata\":{\"promptTokenCount\":17,\"candidatesTokenCount\":37,"
                       "\"totalTokenCount\":695,\"toolUsePromptTokenCount\":308,"
                       "\"thoughtsTokenCount\":333,\"cachedContentTokenCount\":5,"
                       "\"promptTokensDetails\":[{\"modality\":\"TEXT\",\"tokenCount\":10},{"
                       "\"tokenCount\":7,\"modality\":\"AUDIO\"}],\"candidatesTokensDetails\":[{"
                       "\"modality\":\"AUDIO\",\"tokenCount\":2},{\"modality\":\"TEXT\","
                       "\"tokenCount\":35}]}}",
        STOPPED
        "usage prompt=325 completion=370 total=695 cached=5 reasoning=333 audio_prompt=7 "
        "audio_completion=2: {\"promptTokenCount\":17,\"candidatesTokenCount\":37,"
        "\"totalTokenCount\":695,\"toolUsePromptTokenCount\":308,\"thoughtsTokenCount\":333,"
        "\"cachedContentTokenCount\":5,\"promptTokensDetails\":[{\"modality\":\"TEXT\","
        "\"tokenCount\":10},{\"tokenCount\":7,\"modality\":\"AUDIO\"}],"
        "\"candidatesTokensDetails\":[{\"modality\":\"AUDIO\",\"tokenCount\":2},{\"modality\":"
        "\"TEXT\",\"tokenCount\":35}]}\n",
        RAAF_OK);
}

TEST(gemini_counts_that_are_left_out_are_0_where_any_is_there) {
    CHECK_EVENTS("{\"usageMetadata\":{\"totalTokenCount\":20,\"thoughtsTokenCount\":14}}\n"
                 "{\"usageMetadata\":{\"promptTokenCount\":6}}\n"
                 "{\"usageMetadata\":{\"trafficType\":\"ON_DEMAND\"}}\n"
                 "{\"usageMetadata\":null}\n" FINISH("STOP"),
                 "usage prompt=0 completion=14 total=20 reasoning=14: {\"totalTokenCount\":20,"
                 "\"thoughtsTokenCount\":14}\nusage prompt=6 completion=0: "
                 "{\"promptTokenCount\":6}\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_counts_that_are_not_counts_are_not_taken) {
    CHECK_EVENTS("{\"usageMetadata\":{\"promptTokenCount\":-5,\"candidatesTokenCount\":1.5,"
                 "\"totalTokenCount\":\"7\",\"promptTokensDetails\":null}}\n"
                 "{\"usageMetadata\":{\"promptTokenCount\":9223372036854775807,"
                 "\"toolUsePromptTokenCount\":1}}\n" FINISH("STOP"),
                 "usage prompt=9223372036854775807 completion=0: {\"promptTokenCount\":"
                 "9223372036854775807,\"toolUsePromptTokenCount\":1}\n" STOPPED,
                 RAAF_OK);
}

#define USAGE "{\"usageMetadata\":{\"totalTokenCount\":1}}\n"
#define TWO "{\"candidates\":[{\"index\":0},{\"index\":1}]}\n"
#define FINISH_1 "{\"candidates\":[{\"index\":1,\"finishReason\":\"STOP\"}]}\n"

TEST(gemini_answer_is_open_until_every_candidate_has_its_finish_reason) {
    CHECK_EQ_INT(lines_progress(GEMINI, ""), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, "{\"candidates\":[]}\n"), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, USAGE), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, TEXT("a") USAGE), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, TWO FINISH("STOP") USAGE), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, FINISH("STOP") USAGE TWO), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(GEMINI, "[DONE]\n"), RAAF_PROGRESS_OPEN);
}

TEST(gemini_answer_is_finished_with_its_reasons_and_settled_with_usage) {
    CHECK_EQ_INT(lines_progress(GEMINI, FINISH("STOP")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(GEMINI, USAGE FINISH("STOP")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(GEMINI, TWO FINISH("STOP") FINISH_1), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(GEMINI, FINISH("STOP") USAGE), RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(GEMINI,
                                "{\"usageMetadata\":{\"totalTokenCount\":1},\"candidates\":[{"
                                "\"finishReason\":\"STOP\"}]}\n"),
                 RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(GEMINI, FINISH("STOP") USAGE TEXT("more")), RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(GEMINI, "{\"error\":\"x\"}\n"), RAAF_PROGRESS_DONE);
}

TEST(gemini_answer_cut_off_at_any_event_is_truncated) {
    lines_check_truncations(GEMINI,
                            THOUGHT("t") TEXT("a") USAGE CALL("\"name\":\"f\"") BEGIN("g")
                                MORE(PIECE("$.a", "\"numberValue\":1")) CALL("") FINISH("STOP"),
                            7);
    lines_check_truncations(GEMINI, TWO FINISH("STOP") USAGE FINISH_1, 3);
}

/* ---- errors ---- */

TEST(gemini_error_is_handed_over_with_its_fields) {
    CHECK_EVENTS(TEXT("a") "{\"error\":{\"code\":503,\"message\":\"Overloaded\",\"status\":"
                           "\"UNAVAILABLE\",\"details\":[{\"code\":7}]}}\n" TEXT("late"),
                 "content 0: a\nerror message=Overloaded type=UNAVAILABLE code=503: "
                 "{\"code\":503,\"message\":\"Overloaded\",\"status\":\"UNAVAILABLE\","
                 "\"details\":[{\"code\":7}]}\n",
                 RAAF_PROVIDER_ERROR);
}

TEST(gemini_error_may_be_a_string) {
    CHECK_EVENTS("{\"error\":\"no model\"}", "error message=no model: {\"error\":\"no model\"}\n",
                 RAAF_PROVIDER_ERROR);
}

TEST(gemini_error_that_is_null_or_empty_is_none) {
    CHECK_EVENTS("{\"error\":null,\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}\n"
                 "{\"error\":\"\"}\n" FINISH("STOP"),
                 "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(gemini_error_wins_over_all_else_in_its_event) {
    CHECK_EVENTS("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"no\"}]},\"finishReason\":"
                 "\"STOP\"}],\"error\":{\"message\":\"m\"}}",
                 "error message=m: {\"message\":\"m\"}\n", RAAF_PROVIDER_ERROR);
}

TEST(gemini_error_is_the_last_that_is_handed_over) {
    CHECK_EVENTS(BEGIN("f") TEXT("\\ud83d") "{\"error\":\"x\xFF\"}",
                 "tool_call_delta 0 #0  f: \nerror message=x" FFFD ": {\"error\":\"x" FFFD "\"}\n",
                 RAAF_PROVIDER_ERROR);
}

/* ---- what is malformed, what is unknown ---- */

TEST(gemini_malformed_event_hands_over_nothing) {
    CHECK_EVENTS("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]", "",
                 RAAF_INVALID_JSON);
    CHECK_EVENTS("hello", "", RAAF_INVALID_JSON);
    CHECK_EVENTS("[{\"candidates\":[]}]", "", RAAF_INVALID_EVENT);
}

TEST(gemini_answer_of_a_wrong_type_is_malformed) {
    static const char *const events[] = {
        "{\"candidates\":5}",
        "{\"candidates\":[\"x\"]}",
        "{\"candidates\":[{\"content\":\"x\"}]}",
        "{\"candidates\":[{\"content\":{\"parts\":\"x\"}}]}",
        "{\"candidates\":[{\"content\":{\"parts\":[\"x\"]}}]}",
        PARTS("{\"text\":5}"),
        PARTS("{\"text\":{}}"),
        PARTS("{\"text\":[\"x\"]}"),
        PARTS("{\"functionCall\":\"f\"}"),
        PARTS("{\"functionCall\":[]}"),
        CALL("\"name\":\"f\",\"args\":\"x\""),
        CALL("\"name\":\"f\",\"args\":[]"),
        CALL("\"name\":\"f\",\"partialArgs\":\"x\""),
        CALL("\"name\":\"f\",\"partialArgs\":[1]"),
        LAST(PIECE("$.a", "\"stringValue\":1")),
        LAST(PIECE("$.a", "\"numberValue\":\"1\"")),
        LAST(PIECE("$.a", "\"numberValue\":true")),
        LAST(PIECE("$.a", "\"stringValue\":false")),
        LAST(PIECE("$.a", "\"boolValue\":{}")),
        "{\"candidates\":[{\"index\":-1}]}",
        "{\"candidates\":[{\"index\":4294967296}]}",
        "{\"candidates\":[{\"index\":\"x\"}]}",
    };

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (!CHECK_EQ_INT(lines_progress(GEMINI, events[i]), RAAF_PROGRESS_OPEN)) continue;
        lines_check(GEMINI, events[i], strlen(events[i]), "", 0, RAAF_INVALID_EVENT);
    }
}

TEST(gemini_malformed_event_leaves_no_candidate_behind) {
    lines_check_skipping(
        GEMINI,
        "{\"candidates\":[{\"index\":7},{\"index\":0,\"content\":{\"parts\":[{"
        "\"functionCall\":{\"partialArgs\":[{}],\"name\":\"f\"}}]}}]}\n" FINISH("STOP"),
        STOPPED, RAAF_OK, 1);
}

TEST(gemini_fields_nobody_knows_pass) {
    CHECK_EVENTS("{\"candidates\":[null,{\"content\":null,\"index\":null},{\"content\":{\"parts\":"
                 "null}},{\"content\":{\"parts\":[null,{\"text\":\"a\",\"videoMetadata\":{}}]}}],"
                 "\"modelStatus\":{\"modelStage\":\"STABLE\"}}\n" FINISH("STOP"),
                 "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(gemini_events_without_data_and_other_providers_marks_pass) {
    CHECK_EVENTS("\n \n" TEXT("a") FINISH("STOP") "[DONE]\n [DONE] \n", "content 0: a\n" STOPPED,
                 RAAF_OK);
}

TEST(gemini_event_nobody_knows_is_handed_over_raw_where_asked) {
    CHECK_EVENTS("{\"modelVersion\":\"m\"}\n{}\n" FINISH("STOP"),
                 "raw 0: {\"modelVersion\":\"m\"}\nraw 0: {}\n" STOPPED, RAAF_OK);
}

/* ---- caps ---- */

/* [count] times [item], between what stands before and behind; in the one event. */
static int decode_many(const char *before, const char *item, int count, const char *behind) {
    raaf_buffer_t stream;
    char text[160];

    raaf_buffer_init(&stream, (size_t)1 << 28);
    lines_add(&stream, "data: ");
    lines_add(&stream, before);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, item, i > 0 ? "," : "", i);
        lines_add(&stream, text);
    }
    lines_add(&stream, behind);
    lines_add(&stream, "\n\n");
    return lines_end_of(GEMINI, &stream);
}

/* The reason is longer than what is kept of the memory in which both are put together. */
TEST(gemini_prompt_that_is_blocked_in_a_call_keeps_its_reason) {
    static const char before[] = BEGIN("f") "{\"promptFeedback\":{\"blockReason\":\"BLOCK_REASON_";
    static const char begun[] = "tool_call_delta 0 #0  f: \nfinish 0: BLOCK_REASON_";
    raaf_buffer_t lines, expected;

    raaf_buffer_init(&lines, 1 << 16);
    raaf_buffer_init(&expected, 1 << 16);
    lines_add(&lines, before);
    lines_add(&expected, begun);
    for (int i = 0; i < 2000; i++) {
        lines_add(&lines, "Q");
        lines_add(&expected, "Q");
    }
    lines_add(&lines, "\"}}");
    lines_add(&expected, "\n");
    lines_check(GEMINI, lines.bytes, lines.len, expected.bytes, expected.len, RAAF_OK);
    raaf_buffer_free(&lines);
    raaf_buffer_free(&expected);
}

TEST(gemini_response_may_have_128_candidates) {
    CHECK_EQ_INT(decode_many("{\"candidates\":[", "%s{\"index\":%d}", 128, "]}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_many("{\"candidates\":[", "%s{\"index\":%d}", 129, "]}"),
                 RAAF_EVENT_TOO_LARGE);
}

#define OPEN_PARTS "{\"candidates\":[{\"content\":{\"parts\":["

TEST(gemini_response_may_have_1024_tool_calls) {
    CHECK_EQ_INT(decode_many(OPEN_PARTS, "%s{\"functionCall\":{\"name\":\"f%d\"}}", 1024, "]}}]}"),
                 RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_many(OPEN_PARTS, "%s{\"functionCall\":{\"name\":\"f%d\"}}", 1025, "]}}]}"),
                 RAAF_EVENT_TOO_LARGE);
}

TEST(gemini_event_may_have_4096_parts_and_sources) {
    CHECK_EQ_INT(decode_many(OPEN_PARTS, "%s{\"text\":\"%d\"}", 4096, "]}}]}"), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_many(OPEN_PARTS, "%s{\"text\":\"%d\"}", 4097, "]}}]}"),
                 RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_many("{\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[",
                             "%s{\"a\":%d}", 4097, "]}}]}"),
                 RAAF_EVENT_TOO_LARGE);
}

TEST(gemini_call_may_have_1024_names_in_objects_that_are_open) {
    const char *before = OPEN_PARTS "{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[";

    CHECK_EQ_INT(
        decode_many(before, "%s{\"jsonPath\":\"$.a%d\",\"numberValue\":1}", 1024, "]}}]}}]}"),
        RAAF_TRUNCATED);
    CHECK_EQ_INT(
        decode_many(before, "%s{\"jsonPath\":\"$.a%d\",\"numberValue\":1}", 1025, "]}}]}}]}"),
        RAAF_EVENT_TOO_LARGE);
}

TEST(gemini_call_may_have_65536_pieces_an_event) {
    const char *before = OPEN_PARTS "{\"functionCall\":{\"name\":\"f\",\"partialArgs\":[";

    CHECK_EQ_INT(
        decode_many(before, "%s{\"jsonPath\":\"$.a[%d]\",\"numberValue\":1}", 65536, "]}}]}}]}"),
        RAAF_TRUNCATED);
    CHECK_EQ_INT(
        decode_many(before, "%s{\"jsonPath\":\"$.a[%d]\",\"numberValue\":1}", 65537, "]}}]}}]}"),
        RAAF_EVENT_TOO_LARGE);
}

/* ---- the receiver, memory ---- */

#define FULL                                                                                       \
    THOUGHT("t\\ud83d")                                                                            \
    SIGNED("\"text\":\"c\\ud83d\"")                                                                \
    SIGNED("\"functionCall\":{\"name\":\"f\",\"args\":{\"x\":1}}")                                 \
    SIGNED("\"functionCall\":{\"name\":\"g\",\"willContinue\":true}")                              \
    LAST(PIECE("$['a'][0]", "\"stringValue\":\"x\\n\""))                                           \
    PARTS("{\"executableCode\":{}}")                                                               \
    "{\"candidates\":[{\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{}}]},"                \
    "\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"totalTokenCount\":5}}\n"
#define FULL_DELTAS 17

TEST(gemini_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(GEMINI, FULL, FULL_DELTAS);
    lines_check_stops(GEMINI, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n", 1);
}

TEST(gemini_receiver_that_stops_at_an_error_is_obeyed) {
    lines_check_stop_at_error(GEMINI, "{\"error\":\"x\"}");
}

TEST(gemini_reports_that_memory_ran_out) {
    lines_check_memory(GEMINI, FULL, RAAF_OK, FULL_DELTAS, 20);
    lines_check_memory(GEMINI, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}\n", RAAF_OK, 1,
                       2);
}
