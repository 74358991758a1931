#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "dialect_anthropic.h"
#include "dialect_lines.h"
#include "tool_calls.h"

#define ANTHROPIC (&raaf_dialect_anthropic)
#define CHECK_ANTHROPIC(lines, expected, rc) CHECK_LINES(ANTHROPIC, lines, expected, rc)

/* ---- events, a line each ---- */

#define MESSAGE_START                                                                              \
    "@message_start {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"role\":"           \
    "\"assistant\",\"content\":[],\"stop_reason\":null}}\n"
#define START(index, block)                                                                        \
    "@content_block_start {\"type\":\"content_block_start\",\"index\":" index                      \
    ",\"content_block\":{" block "}}\n"
#define PIECE(index, delta)                                                                        \
    "@content_block_delta {\"type\":\"content_block_delta\",\"index\":" index ",\"delta\":{" delta \
    "}}\n"
#define STOP(index) "@content_block_stop {\"type\":\"content_block_stop\",\"index\":" index "}\n"
#define FINISH(reason)                                                                             \
    "@message_delta {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\"}}\n"
#define MESSAGE_STOP "@message_stop {\"type\":\"message_stop\"}"

#define TEXT_START(index) START(index, "\"type\":\"text\",\"text\":\"\"")
#define TEXT(index, text) PIECE(index, "\"type\":\"text_delta\",\"text\":\"" text "\"")
#define THINK_START(index)                                                                         \
    START(index, "\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"")
#define THINK(index, text) PIECE(index, "\"type\":\"thinking_delta\",\"thinking\":\"" text "\"")
#define SIGN(index, text) PIECE(index, "\"type\":\"signature_delta\",\"signature\":\"" text "\"")
#define CALL_START(index, id, name)                                                                \
    START(index, "\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"" name "\",\"input\":{}")
#define INPUT(index, json)                                                                         \
    PIECE(index, "\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"")
#define CITE(index, json) PIECE(index, "\"type\":\"citations_delta\",\"citation\":" json)
#define ENDED FINISH("end_turn") MESSAGE_STOP
#define END_TURN "finish 0: end_turn\n"

/* ---- text ---- */

TEST(anthropic_hands_over_text_as_it_comes) {
    CHECK_ANTHROPIC(MESSAGE_START TEXT_START("0") "@ping {\"type\": \"ping\"}\n" TEXT("0", "Hel")
                        TEXT("0", "") TEXT("0", "lo") STOP("0") ENDED,
                    "content 0: Hel\ncontent 0: lo\n" END_TURN, RAAF_OK);
}

TEST(anthropic_goes_by_the_type_and_not_by_the_name_of_an_event) {
    CHECK_ANTHROPIC("{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
                    "\"text_delta\",\"text\":\"a\"}}\n"
                    "@ping {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
                    "\"text_delta\",\"text\":\"b\"}}\n"
                    "{\"type\":\"message_stop\"}",
                    "content 0: a\ncontent 0: b\n", RAAF_OK);
}

TEST(anthropic_text_may_stand_in_the_start_of_its_block) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"text\",\"text\":\"Hel\"") TEXT("0", "lo") STOP("0")
                        START("1", "\"type\":\"text\"") TEXT("1", "!") STOP("1") ENDED,
                    "content 0: Hel\ncontent 0: lo\ncontent 0: !\n" END_TURN, RAAF_OK);
}

TEST(anthropic_text_counts_though_its_block_never_began) {
    CHECK_ANTHROPIC(TEXT("3", "a") TEXT("3", "b") STOP("3") ENDED,
                    "content 0: a\ncontent 0: b\n" END_TURN, RAAF_OK);
    CHECK_ANTHROPIC(
        THINK("0", "a") SIGN("0", "s") ENDED,
        "reasoning 0: a\n"
        "part 0: {\"type\":\"thinking\",\"signature\":\"s\",\"thinking\":\"a\"}\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_piece_of_another_kind_ends_the_block_it_came_in) {
    CHECK_ANTHROPIC(THINK_START("0") THINK("0", "a") TEXT("0", "b") STOP("0") ENDED,
                    "reasoning 0: a\n"
                    "part 0: {\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"\"}\n"
                    "content 0: b\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_block_that_begins_anew_ends_the_one_before) {
    CHECK_ANTHROPIC(TEXT_START("0") TEXT("0", "a\\ud83d") TEXT_START("0") TEXT("0", "b") ENDED,
                    "content 0: a\ncontent 0: " FFFD "\ncontent 0: b\n" END_TURN, RAAF_OK);
}

TEST(anthropic_blocks_may_run_side_by_side) {
    CHECK_ANTHROPIC(TEXT_START("0") THINK_START("7") TEXT("0", "a\\ud83d") THINK("7", "x\\ud83c")
                        TEXT("0", "\\ude00") THINK("7", "\\udf89") STOP("0") STOP("7") ENDED,
                    "content 0: a\nreasoning 0: x\ncontent 0: \xF0\x9F\x98\x80\n"
                    "reasoning 0: \xF0\x9F\x8E\x89\n"
                    "part 0: {\"type\":\"thinking\",\"thinking\":\"x\xF0\x9F\x8E\x89\","
                    "\"signature\":\"\"}\n" END_TURN,
                    RAAF_OK);
}

/* ---- characters ---- */

TEST(anthropic_character_split_over_two_pieces_is_joined) {
    CHECK_ANTHROPIC(
        TEXT_START("0") TEXT("0", "a\\ud83d") TEXT("0", "\\ude00") TEXT("0", "\xE2\x82")
            TEXT("0", "\xAC!") STOP("0") ENDED,
        "content 0: a\ncontent 0: \xF0\x9F\x98\x80\ncontent 0: \xE2\x82\xAC!\n" END_TURN, RAAF_OK);
}

TEST(anthropic_open_character_is_replaced_at_the_end_of_its_block) {
    CHECK_ANTHROPIC(
        TEXT_START("0") TEXT("0", "a\xC3") STOP("0") TEXT_START("1") TEXT("1", "\xA9") STOP("1")
            THINK_START("2") THINK("2", "\\ud83d") STOP("2") ENDED,
        "content 0: a\ncontent 0: " FFFD "\ncontent 0: " FFFD "\nreasoning 0: " FFFD "\n"
        "part 0: {\"type\":\"thinking\",\"thinking\":\"" FFFD "\",\"signature\":\"\"}\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_open_character_of_an_answer_that_was_cut_off_is_replaced) {
    CHECK_ANTHROPIC(TEXT_START("0") TEXT("0", "a\\ud83d") THINK_START("1") THINK("1", "b\\ud83d"),
                    "content 0: a\nreasoning 0: b\ncontent 0: " FFFD "\nreasoning 0: " FFFD "\n",
                    RAAF_TRUNCATED);
}

/* ---- thinking ---- */

TEST(anthropic_thinking_is_reasoning_and_a_part_with_its_signature) {
    CHECK_ANTHROPIC(THINK_START("0") THINK("0", "Let \\\"me\\\"\\n") THINK("0", "see")
                        SIGN("0", "EqQB+/=") STOP("0") TEXT_START("1") TEXT("1", "42") STOP("1")
                            ENDED,
                    "reasoning 0: Let \"me\"\\n\nreasoning 0: see\n"
                    "part 0: {\"type\":\"thinking\",\"thinking\":\"Let \\\"me\\\"\\u000asee\","
                    "\"signature\":\"EqQB+/=\"}\n"
                    "content 0: 42\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_thinking_that_is_not_shown_is_still_a_part) {
    CHECK_ANTHROPIC(
        THINK_START("0") SIGN("0", "first") SIGN("0", "Sig") STOP("0") ENDED,
        "part 0: {\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"Sig\"}\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_signature_alone_of_a_block_that_never_began_is_a_part) {
    CHECK_ANTHROPIC(SIGN("0", "s") MESSAGE_STOP,
                    "part 0: {\"type\":\"thinking\",\"signature\":\"s\",\"thinking\":\"\"}\n",
                    RAAF_OK);
}

TEST(anthropic_thinking_may_stand_in_the_start_of_its_block) {
    CHECK_ANTHROPIC(
        START("0", "\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"s\",\"x\":[1]")
            THINK("0", "b") STOP("0") ENDED,
        "reasoning 0: a\nreasoning 0: b\n"
        "part 0: "
        "{\"type\":\"thinking\",\"thinking\":\"ab\",\"signature\":\"s\",\"x\":[1]}\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_redacted_thinking_is_a_part_as_it_was_sent) {
    CHECK_ANTHROPIC(
        START("0", "\"type\":\"redacted_thinking\", \"data\":\"Enc\\u00e9\\/x\"") STOP("0") ENDED,
        "part 0: {\"type\":\"redacted_thinking\",\"data\":\"Enc\\u00e9\\/x\"}\n" END_TURN, RAAF_OK);
}

/* ---- tool calls ---- */

TEST(anthropic_tool_call_is_joined_from_its_pieces) {
    CHECK_ANTHROPIC(TEXT_START("0") TEXT("0", "I look.") STOP("0")
                        CALL_START("1", "toolu_1", "get_weather") INPUT("1", "")
                            INPUT("1", "{\\\"city\\\":") INPUT("1", " \\\"Rome\\\"}") STOP("1")
                                FINISH("tool_use") MESSAGE_STOP,
                    "content 0: I look.\n"
                    "tool_call_delta 0 #1 toolu_1 get_weather: \n"
                    "tool_call_delta 0 #1 toolu_1 get_weather: {\"city\":\n"
                    "tool_call_delta 0 #1 toolu_1 get_weather:  \"Rome\"}\n"
                    "tool_call 0 #1 toolu_1 get_weather: {\"city\": \"Rome\"}\n"
                    "finish 0: tool_use\n",
                    RAAF_OK);
}

TEST(anthropic_tool_call_without_arguments_has_an_empty_object) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "now") INPUT("0", "") STOP("0") CALL_START("1", "b", "now")
                        STOP("1") FINISH("tool_use"),
                    "tool_call_delta 0 #0 a now: \ntool_call_delta 0 #0 a now: {}\n"
                    "tool_call 0 #0 a now: {}\n"
                    "tool_call_delta 0 #1 b now: \ntool_call_delta 0 #1 b now: {}\n"
                    "tool_call 0 #1 b now: {}\nfinish 0: tool_use\n",
                    RAAF_OK);
}

TEST(anthropic_arguments_may_stand_in_the_start_of_a_call) {
    CHECK_ANTHROPIC(
        START("0", "\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\": [1, {}]}")
            STOP("0") FINISH("tool_use"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\": [1, {}]}\n"
        "tool_call 0 #0 a f: {\"x\": [1, {}]}\nfinish 0: tool_use\n",
        RAAF_OK);
    CHECK_ANTHROPIC(
        START("0", "\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1}")
            INPUT("0", "{\\\"x\\\":2}") STOP("0") FINISH("tool_use"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\":2}\n"
        "tool_call 0 #0 a f: {\"x\":2}\nfinish 0: tool_use\n",
        RAAF_OK);
}

TEST(anthropic_index_is_a_key_of_any_size) {
    CHECK_ANTHROPIC(
        CALL_START("2000000000", "a", "f") CALL_START("-1", "b", "g") INPUT("2e9", "{}")
            INPUT("-1", "[]") STOP("-1") STOP("2000000000") FINISH("tool_use"),
        "tool_call_delta 0 #2000000000 a f: \ntool_call_delta 0 #-1 b g: \n"
        "tool_call_delta 0 #2000000000 a f: {}\ntool_call_delta 0 #-1 b g: []\n"
        "tool_call 0 #-1 b g: []\ntool_call 0 #2000000000 a f: {}\nfinish 0: tool_use\n",
        RAAF_OK);
}

TEST(anthropic_calls_may_share_an_index_one_after_the_other) {
    CHECK_ANTHROPIC(
        CALL_START("0", "a", "f") INPUT("0", "1") STOP("0") CALL_START("0", "b", "g")
            INPUT("0", "2") STOP("0") FINISH("tool_use"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: 1\ntool_call 0 #0 a f: 1\n"
        "tool_call_delta 0 #0 b g: \ntool_call_delta 0 #0 b g: 2\ntool_call 0 #0 b g: 2\n"
        "finish 0: tool_use\n",
        RAAF_OK);
}

TEST(anthropic_character_split_over_two_pieces_of_arguments_is_joined) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "\\\"\\ud83d") INPUT("0", "\\ude00\\\"")
                        STOP("0") CALL_START("1", "b", "f") INPUT("1", "\\ud83d") STOP("1")
                            FINISH("tool_use"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: \"\n"
                    "tool_call_delta 0 #0 a f: \xF0\x9F\x98\x80\"\n"
                    "tool_call 0 #0 a f: \"\xF0\x9F\x98\x80\"\n"
                    "tool_call_delta 0 #1 b f: \ntool_call_delta 0 #1 b f: \n"
                    "tool_call_delta 0 #1 b f: " FFFD "\ntool_call 0 #1 b f: " FFFD "\n"
                    "finish 0: tool_use\n",
                    RAAF_OK);
}

TEST(anthropic_call_that_no_stop_closed_is_whole_with_the_stop_reason) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{}") FINISH("tool_use"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\nfinish 0: tool_use\n",
                    RAAF_OK);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{}") MESSAGE_STOP,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\n",
                    RAAF_OK);
}

TEST(anthropic_call_of_an_answer_that_was_cut_off_is_not_handed_over) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{}"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n", RAAF_TRUNCATED);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f")
                        INPUT("0", "{}") "@error {\"type\":\"error\",\"error\":{"
                                         "\"type\":\"api_error\",\"message\":\"m\"}}",
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "error message=m type=api_error: {\"type\":\"api_error\",\"message\":\"m\"}\n",
                    RAAF_PROVIDER_ERROR);
}

TEST(anthropic_call_of_a_caller_or_toolset_is_a_part_too) {
    CHECK_ANTHROPIC(
        START("0", "\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{},\"caller\":{"
                   "\"type\":\"code_execution_20250825\",\"tool_id\":\"srv\"}") INPUT("0", "{\\\"x")
            INPUT("0", "\\\":1}") STOP("0") START("1", "\"type\":\"tool_use\",\"id\":\"b\","
                                                       "\"name\":\"g\",\"input\":{},"
                                                       "\"toolset_name\":\"browser\"") STOP("1")
                FINISH("tool_use"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\ntool_call_delta 0 #0 a f: "
        "\":1}\ntool_call 0 #0 a f: {\"x\":1}\n"
        "part 0: {\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":1},"
        "\"caller\":{\"type\":\"code_execution_20250825\",\"tool_id\":\"srv\"}}\n"
        "tool_call_delta 0 #1 b g: \ntool_call_delta 0 #1 b g: {}\ntool_call 0 #1 b g: {}\n"
        "part 0: {\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{},"
        "\"toolset_name\":\"browser\"}\n"
        "finish 0: tool_use\n",
        RAAF_OK);
}

TEST(anthropic_call_of_the_model_itself_is_no_part) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{},"
                               "\"caller\":{\"type\":\"direct\"},\"toolset_name\":null") STOP("0")
                        FINISH("tool_use"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\nfinish 0: tool_use\n",
                    RAAF_OK);
}

/* ---- blocks that go back as they came ---- */

TEST(anthropic_call_that_was_cut_off_is_not_handed_over) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{\\\"path\\\":\\\"/ho") STOP("0")
                        FINISH("max_tokens") MESSAGE_STOP,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"path\":\"/ho\n"
                    "finish 0: max_tokens\n",
                    RAAF_OK);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") STOP("0") CALL_START("1", "b", "g") STOP("1")
                        FINISH("max_tokens"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\ntool_call_delta 0 #1 b g: \nfinish 0: max_tokens\n",
                    RAAF_OK);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{}") FINISH("refusal"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\nfinish 0: refusal\n",
                    RAAF_OK);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") STOP("0"), "tool_call_delta 0 #0 a f: \n",
                    RAAF_TRUNCATED);
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") STOP("0") TEXT("0", "b") STOP("0") STOP("0") ENDED,
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {}\n"
                    "tool_call 0 #0 a f: {}\ncontent 0: b\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_call_of_a_whole_answer_is_handed_over_whatever_its_arguments_are) {
    CHECK_ANTHROPIC(CALL_START("0", "a", "f") INPUT("0", "{\\\"x") STOP("0") FINISH("tool_use"),
                    "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\n"
                    "tool_call 0 #0 a f: {\"x\nfinish 0: tool_use\n",
                    RAAF_OK);
}

TEST(anthropic_call_that_may_have_lost_a_piece_is_not_handed_over) {
    lines_check_skipping(
        &raaf_dialect_anthropic,
        CALL_START("0", "a", "f") INPUT("0", "{\\\"x\\\":\\\"/tmp") "{\"type\n" INPUT("0", "\\\"}")
            STOP("0") CALL_START("1", "b", "g") INPUT("1", "{}") STOP("1") FINISH("tool_use"),
        "tool_call_delta 0 #0 a f: \ntool_call_delta 0 #0 a f: {\"x\":\"/tmp\n"
        "tool_call_delta 0 #0 a f: \"}\ntool_call_delta 0 #1 b g: \n"
        "tool_call_delta 0 #1 b g: {}\ntool_call 0 #1 b g: {}\n"
        "finish 0: tool_use\n",
        RAAF_OK, 1);
}

#define SEARCH_START                                                                               \
    START("0", "\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\","       \
               "\"input\":{},\"caller\":{\"type\":\"direct\"}")
#define RESULT                                                                                     \
    "\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srvtoolu_1\",\"content\":[{\"type\":"   \
    "\"web_search_result\",\"url\":\"u\",\"title\":\"t\",\"encrypted_content\":\"E\"}]"

TEST(anthropic_server_tools_blocks_are_parts_with_their_input_joined) {
    CHECK_ANTHROPIC(
        SEARCH_START INPUT("0", "") INPUT("0", "{\\\"query\\\"") INPUT("0", ": \\\"\\ud83d")
            INPUT("0", "\\ude00\\\"}") STOP("0") START("1", RESULT) STOP("1") TEXT_START("2")
                TEXT("2", "So.") STOP("2") ENDED,
        "part 0: {\"type\":\"server_tool_use\",\"id\":\"srvtoolu_1\",\"name\":\"web_search\","
        "\"input\":{\"query\": \"\xF0\x9F\x98\x80\"},\"caller\":{\"type\":\"direct\"}}\n"
        "part 0: {" RESULT "}\ncontent 0: So.\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_server_tools_input_may_stand_in_its_start) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"mcp_tool_use\",\"input\":{\"q\":1}") STOP("0") ENDED,
                    "part 0: {\"type\":\"mcp_tool_use\",\"input\":{\"q\":1}}\n" END_TURN, RAAF_OK);
}

TEST(anthropic_server_tools_block_that_was_cut_off_is_left_out) {
    CHECK_ANTHROPIC(SEARCH_START INPUT("0", "{\\\"query\\\": \\\"cu") STOP("0")
                        FINISH("max_tokens"),
                    "finish 0: max_tokens\n", RAAF_OK);
    CHECK_ANTHROPIC(SEARCH_START INPUT("0", "[1]") STOP("0") ENDED, END_TURN, RAAF_OK);
    CHECK_ANTHROPIC(SEARCH_START INPUT("0", "{}"), "", RAAF_TRUNCATED);
}

TEST(anthropic_block_nobody_knows_is_a_part) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"hologram\",\"text\":5,\"thinking\":{},\"a\":\"\\ud83d\"")
                        STOP("0") ENDED,
                    "part 0: {\"type\":\"hologram\",\"text\":5,\"thinking\":{},\"a\":\"" FFFD
                    "\"}\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_compaction_is_a_part_with_what_it_came_to) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"compaction\",\"content\":null")
                        PIECE("0", "\"type\":\"compaction_delta\",\"content\":\"Sum\\\"mary\","
                                   "\"encrypted_content\":\"E\"") STOP("0") ENDED,
                    "part 0: "
                    "{\"type\":\"compaction\",\"content\":\"Sum\\\"mary\",\"encrypted_content\":"
                    "\"E\"}\n" END_TURN,
                    RAAF_OK);
    CHECK_ANTHROPIC(PIECE("0", "\"type\":\"compaction_delta\",\"content\":null") STOP("0") ENDED,
                    "part 0: {\"type\":\"compaction\"}\n" END_TURN, RAAF_OK);
}

/* ---- citations ---- */

#define PAGE "{\"type\":\"page_location\",\"cited_text\":\"c\\u00e9\",\"start_page_number\":1}"
#define WEB "{\"type\":\"web_search_result_location\",\"url\":\"u\",\"encrypted_index\":\"E\"}"

TEST(anthropic_citation_is_handed_over_as_it_was_sent) {
    CHECK_ANTHROPIC(TEXT_START("0") TEXT("0", "a") CITE("0", PAGE) STOP("0") ENDED,
                    "content 0: a\ncitation 0: " PAGE "\n" END_TURN, RAAF_OK);
}

TEST(anthropic_text_with_citations_is_a_part_too) {
    CHECK_ANTHROPIC(
        START("0", "\"citations\":[],\"type\":\"text\",\"text\":\"\"") CITE("0", WEB)
            TEXT("0", "It \\\"is\\ud83d") TEXT("0", "\\ude00") CITE("0", PAGE) STOP("0") ENDED,
        "citation 0: " WEB "\ncontent 0: It \"is\ncontent 0: \xF0\x9F\x98\x80\ncitation 0: " PAGE
        "\npart 0: {\"citations\":[" WEB "," PAGE "],\"type\":\"text\",\"text\":\"It \\\"is"
        "\xF0\x9F\x98\x80\"}\n" END_TURN,
        RAAF_OK);
    CHECK_ANTHROPIC(TEXT_START("0") CITE("0", WEB) TEXT("0", "a") STOP("0") ENDED,
                    "citation 0: " WEB "\ncontent 0: a\n"
                    "part 0: {\"type\":\"text\",\"text\":\"a\",\"citations\":[" WEB "]}\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_text_that_had_room_for_citations_and_has_none_is_no_part) {
    CHECK_ANTHROPIC(START("0", "\"type\":\"text\",\"text\":\"\",\"citations\":[]")
                        TEXT("0", "a\xC3") STOP("0")
                            START("1", "\"type\":\"text\",\"text\":\"\",\"citations\":null")
                                TEXT("1", "b") STOP("1") ENDED,
                    "content 0: a\ncontent 0: " FFFD "\ncontent 0: b\n" END_TURN, RAAF_OK);
}

/* ---- usage ---- */

#define USAGE_START(usage)                                                                         \
    "{\"type\":\"message_start\",\"message\":{\"content\":[],\"usage\":" usage "}}\n"
#define USAGE(usage) "{\"type\":\"message_delta\",\"delta\":{},\"usage\":" usage "}\n"

TEST(anthropic_usage_of_the_end_is_laid_over_that_of_the_start) {
    CHECK_ANTHROPIC(
        USAGE_START("{\"input_tokens\":10,\"cache_creation_input_tokens\":5,"
                    "\"cache_read_input_tokens\":100,\"cache_creation\":{\"ephemeral_5m_input_"
                    "tokens\":5},\"output_tokens\":1,\"service_tier\":\"standard\"}")
            USAGE("{\"output_tokens\":20,\"output_tokens_details\":{\"thinking_tokens\":7},"
                  "\"cache_read_input_tokens\":null}") ENDED,
        "usage prompt=115 completion=1 total=116 cached=100 cache_write=5: {\"input_tokens\":10,"
        "\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":100,\"cache_creation\":{"
        "\"ephemeral_5m_input_tokens\":5},\"output_tokens\":1,\"service_tier\":\"standard\"}\n"
        "usage prompt=115 completion=20 total=135 cached=100 cache_write=5 reasoning=7: "
        "{\"input_tokens\":10,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":100,"
        "\"cache_creation\":{\"ephemeral_5m_input_tokens\":5},\"output_tokens\":20,"
        "\"service_tier\":\"standard\",\"output_tokens_details\":{\"thinking_tokens\":7}}"
        "\n" END_TURN,
        RAAF_OK);
}

TEST(anthropic_usage_of_the_end_is_authoritative) {
    CHECK_ANTHROPIC(USAGE_START("{\"input_tokens\":10,\"output_tokens\":1}")
                        USAGE("{\"input_tokens\":25,\"output_tokens\":5}") ENDED,
                    "usage prompt=10 completion=1 total=11: {\"input_tokens\":10,"
                    "\"output_tokens\":1}\n"
                    "usage prompt=25 completion=5 total=30: {\"input_tokens\":25,"
                    "\"output_tokens\":5}\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_counts_that_are_not_counts_are_unknown) {
    CHECK_ANTHROPIC(USAGE("{\"input_tokens\":-1,\"output_tokens\":\"5\"}") USAGE("null") USAGE("{}")
                        ENDED,
                    "usage: {\"input_tokens\":-1,\"output_tokens\":\"5\"}\n"
                    "usage: {\"input_tokens\":-1,\"output_tokens\":\"5\"}\n" END_TURN,
                    RAAF_OK);
    CHECK_ANTHROPIC(USAGE("{\"input_tokens\":9223372036854775807,\"cache_read_input_tokens\":1,"
                          "\"output_tokens\":2}") ENDED,
                    "usage completion=2 cached=1: {\"input_tokens\":9223372036854775807,"
                    "\"cache_read_input_tokens\":1,\"output_tokens\":2}\n" END_TURN,
                    RAAF_OK);
}

/* ---- the end ---- */

TEST(anthropic_stop_reason_is_handed_over_once_in_the_providers_word) {
    CHECK_ANTHROPIC(FINISH("stop_sequence") FINISH("end_turn") MESSAGE_STOP,
                    "finish 0: stop_sequence\n", RAAF_OK);
    CHECK_ANTHROPIC("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":null}}\n" FINISH(
                        "model_context_window_exceeded"),
                    "finish 0: model_context_window_exceeded\n", RAAF_OK);
}

TEST(anthropic_refusal_is_handed_over_with_its_explanation) {
    CHECK_ANTHROPIC(
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","
        "\"stop_details\":{\"type\":\"refusal\",\"category\":\"cyber\","
        "\"explanation\":\"Not this.\"}},\"usage\":{\"output_tokens\":3}}\n" MESSAGE_STOP,
        "refusal 0: Not this.\nfinish 0: refusal\n"
        "usage completion=3: {\"output_tokens\":3}\n",
        RAAF_OK);
    CHECK_ANTHROPIC("{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","
                    "\"stop_details\":{\"type\":\"refusal\",\"explanation\":null}}}",
                    "finish 0: refusal\n", RAAF_OK);
}

TEST(anthropic_answer_is_open_until_its_stop_reason) {
    CHECK_EQ_INT(lines_progress(ANTHROPIC, ""), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, USAGE_START("{}")), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, TEXT_START("0") TEXT("0", "a") STOP("0")),
                 RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, USAGE("{}")), RAAF_PROGRESS_OPEN);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, "[DONE]"), RAAF_PROGRESS_OPEN);
}

TEST(anthropic_answer_is_finished_then_settled_then_done) {
    CHECK_EQ_INT(lines_progress(ANTHROPIC, USAGE("{}") FINISH("end_turn")), RAAF_PROGRESS_FINISHED);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, FINISH("end_turn") USAGE("{}")), RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(ANTHROPIC,
                                "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"x\"},"
                                "\"usage\":{}}"),
                 RAAF_PROGRESS_SETTLED);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, ENDED), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, MESSAGE_STOP), RAAF_PROGRESS_DONE);
    CHECK_EQ_INT(lines_progress(ANTHROPIC, "@error x"), RAAF_PROGRESS_DONE);
}

TEST(anthropic_nothing_behind_the_terminal_mark_counts) {
    CHECK_ANTHROPIC(MESSAGE_STOP "\n" TEXT("0", "late") "[DONE]\n@error late", "", RAAF_OK);
}

TEST(anthropic_done_is_no_terminal_mark) {
    CHECK_ANTHROPIC(TEXT("0", "a") "[DONE]\n" TEXT("0", "b") "[DONE]",
                    "content 0: a\ncontent 0: b\n", RAAF_TRUNCATED);
}

#define WHOLE                                                                                      \
    USAGE_START("{\"input_tokens\":1}")                                                            \
    THINK_START("0")                                                                               \
    THINK("0", "t")                                                                                \
    SIGN("0", "s")                                                                                 \
    STOP("0")                                                                                      \
    TEXT_START("1") TEXT("1", "a") STOP("1") CALL_START("2", "c", "f") INPUT("2", "{}") STOP("2")

TEST(anthropic_answer_cut_off_after_any_event_before_its_stop_reason_is_truncated) {
    const char *end = WHOLE;
    raaf_buffer_t stream;
    transcript_t transcript;
    size_t events = 0;

    while ((end = strchr(end, '\n')) != NULL) {
        const char *const start = WHOLE;

        end++;
        lines_make_stream(ANTHROPIC, &stream, start, (size_t)(end - start));
        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode(ANTHROPIC, &stream, 0, &transcript), RAAF_TRUNCATED);
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
        events++;
    }
    CHECK_EQ_UINT(events, 11);
}

/* ---- errors ---- */

TEST(anthropic_error_is_handed_over_with_its_fields) {
    CHECK_ANTHROPIC(
        TEXT("0", "a\\ud83d") "@error {\"type\":\"error\",\"error\":{\"details\":null,\"type\":"
                              "\"overloaded_error\",\"message\":\"Overloaded\"},"
                              "\"request_id\":\"req_1\"}\n" TEXT("0", "late"),
        "content 0: a\nerror message=Overloaded type=overloaded_error: {\"details\":null,\"type\":"
        "\"overloaded_error\",\"message\":\"Overloaded\"}\n",
        RAAF_PROVIDER_ERROR);
}

TEST(anthropic_error_of_a_gateway_is_one_too) {
    CHECK_ANTHROPIC("{\"error\":{\"message\":\"m\",\"type\":\"t\",\"code\":502}}",
                    "error message=m type=t code=502: {\"message\":\"m\",\"type\":\"t\","
                    "\"code\":502}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_ANTHROPIC("{\"type\":\"error\",\"error\":\"gone\"}",
                    "error message=gone: {\"type\":\"error\",\"error\":\"gone\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_ANTHROPIC("{\"type\":\"error\",\"message\":\"m\"}",
                    "error message=m: {\"type\":\"error\",\"message\":\"m\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_ANTHROPIC("@error {\"type\":\"ping\"}", "error: {\"type\":\"ping\"}\n",
                    RAAF_PROVIDER_ERROR);
    CHECK_ANTHROPIC("@error upstream \xFFtimed out", "error message=upstream " FFFD "timed out: \n",
                    RAAF_PROVIDER_ERROR);
    CHECK_ANTHROPIC("@error ", "error: \n", RAAF_PROVIDER_ERROR);
}

TEST(anthropic_error_field_of_an_event_that_is_none_is_passed_over) {
    CHECK_ANTHROPIC("{\"type\":\"content_block_delta\",\"index\":0,\"error\":null,\"delta\":{"
                    "\"type\":\"text_delta\",\"text\":\"a\"}}\n" MESSAGE_STOP,
                    "content 0: a\n", RAAF_OK);
}

TEST(anthropic_raw_error_is_cut_between_two_characters) {
    lines_check_raw_error(ANTHROPIC, "y", 4096);
    lines_check_raw_error(ANTHROPIC, "\xC3\xA9", 4095);
    lines_check_raw_error(ANTHROPIC, "\xF0\x9F\x98\x80", 4093);
}

/* ---- what is malformed hands over nothing; what is unknown is no failure ---- */

TEST(anthropic_malformed_event_hands_over_nothing) {
    static const struct {
        const char *line;
        int rc;
    } events[] = {
        {"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
         "\"text\":\"a\"}",
         RAAF_INVALID_JSON},
        {"hello", RAAF_INVALID_JSON},
        {"[1]", RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"text_delta\",\"text\":5"), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"text_delta\",\"text\":{}"), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"thinking_delta\",\"thinking\":[\"a\"],\"x\":1"),
         RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"thinking_delta\",\"thinking\":false"), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"signature_delta\",\"signature\":1"), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"input_json_delta\",\"partial_json\":{}"), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"input_json_delta\",\"partial_json\":\"{}\""), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"citations_delta\",\"citation\":\"u\""), RAAF_INVALID_EVENT},
        {PIECE("0", "\"type\":\"citations_delta\""), RAAF_INVALID_EVENT},
        {PIECE("\"x\"", "\"type\":\"text_delta\",\"text\":\"a\""), RAAF_INVALID_EVENT},
        {PIECE("0.5", "\"type\":\"text_delta\",\"text\":\"a\""), RAAF_INVALID_EVENT},
        {PIECE("null", "\"type\":\"text_delta\",\"text\":\"a\""), RAAF_INVALID_EVENT},
        {START("0", ""), RAAF_INVALID_EVENT},
        {START("0", "\"type\":5"), RAAF_INVALID_EVENT},
        {START("0", "\"type\":\"text\",\"text\":1"), RAAF_INVALID_EVENT},
        {START("0", "\"type\":\"thinking\",\"thinking\":1"), RAAF_INVALID_EVENT},
        {START("0", "\"type\":\"thinking\",\"signature\":1"), RAAF_INVALID_EVENT},
        {"{\"type\":\"content_block_start\",\"index\":0,\"content_block\":\"text\"}",
         RAAF_INVALID_EVENT},
        {"{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\"}}",
         RAAF_INVALID_EVENT},
        {"{\"type\":\"content_block_stop\"}", RAAF_INVALID_EVENT},
    };

    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        lines_check(ANTHROPIC, events[i].line, strcspn(events[i].line, "\n"), "", 0, events[i].rc);
    }
}

TEST(anthropic_piece_of_input_for_a_block_without_any_is_malformed) {
    CHECK_ANTHROPIC(TEXT_START("0") TEXT("0", "a") INPUT("0", "{}"), "content 0: a\n",
                    RAAF_INVALID_EVENT);
}

TEST(anthropic_text_that_is_null_is_none) {
    CHECK_ANTHROPIC(PIECE("0", "\"type\":\"text_delta\",\"text\":null")
                        START("1", "\"type\":\"text\",\"text\":null") STOP("1") ENDED,
                    END_TURN, RAAF_OK);
}

TEST(anthropic_unknown_events_are_handed_over_raw) {
    CHECK_ANTHROPIC("{\"type\":\"brand_new\",\"text\":1}\n" PIECE(
                        "0", "\"type\":\"new_delta\",\"x\":1") "{}\n{\"type\":5}\n"
                                                               "{\"type\":\"content_block_delta\","
                                                               "\"index\":0}\n" ENDED,
                    "raw 0: {\"type\":\"brand_new\",\"text\":1}\n"
                    "raw 0: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
                    "\"new_delta\",\"x\":1}}\n"
                    "raw 0: {}\nraw 0: {\"type\":5}\n"
                    "raw 0: {\"type\":\"content_block_delta\",\"index\":0}\n" END_TURN,
                    RAAF_OK);
}

TEST(anthropic_event_without_any_data_and_a_stop_of_nothing_pass) {
    CHECK_ANTHROPIC("\n \n" STOP("5") ENDED, END_TURN, RAAF_OK);
}

/* ---- caps ---- */

TEST(anthropic_answer_may_have_64_open_blocks) {
    raaf_buffer_t stream;
    transcript_t transcript;
    char line[128];

    raaf_buffer_init(&stream, 1 << 20);
    for (int i = 0; i < 65; i++) {
        snprintf(line, sizeof line,
                 "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":{\"type\":"
                 "\"text\"}}",
                 i);
        lines_add_event(&stream, line, strlen(line));
        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode(ANTHROPIC, &stream, 0, &transcript),
                     i < RAAF_ANTHROPIC_MAX_OPEN_BLOCKS ? RAAF_TRUNCATED : RAAF_EVENT_TOO_LARGE);
        transcript_free(&transcript);
    }
    raaf_buffer_free(&stream);
}

TEST(anthropic_answer_may_have_1024_tool_calls) {
    raaf_buffer_t stream;
    transcript_t transcript;
    const char *const start = CALL_START("0", "a", "f");

    raaf_buffer_init(&stream, 1 << 20);
    transcript_init(&transcript);
    for (int i = 0; i < RAAF_TOOL_CALLS_MAX; i++)
        lines_add_event(&stream, start, strlen(start) - 1);
    CHECK_EQ_INT(lines_decode(ANTHROPIC, &stream, 0, &transcript), RAAF_TRUNCATED);
    lines_add_event(&stream, start, strlen(start) - 1);
    CHECK_EQ_INT(lines_decode(ANTHROPIC, &stream, 0, &transcript), RAAF_EVENT_TOO_LARGE);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

/* [before] and [after] around 5 MB of "x", [times] times. */
static int decode_large(const char *first, const char *before, const char *after, int times) {
    char *text = lines_long_text((size_t)5 << 20);
    raaf_buffer_t stream;

    raaf_buffer_init(&stream, (size_t)1 << 30);
    lines_add_event(&stream, first, strcspn(first, "\n"));
    for (int i = 0; i < times; i++)
        lines_add_list(&stream, before, text, 1, after);
    free(text);
    return lines_end_of(ANTHROPIC, &stream);
}

#define LARGE(delta, key)                                                                          \
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"" delta "\",\"" key "\":" \
    "\""

TEST(anthropic_what_is_kept_of_a_block_is_capped) {
    CHECK_EQ_INT(decode_large(THINK_START("0"), LARGE("thinking_delta", "thinking"), "\"}}", 3),
                 RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_large(THINK_START("0"), LARGE("thinking_delta", "thinking"), "\"}}", 4),
                 RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_large(SEARCH_START, LARGE("input_json_delta", "partial_json"), "\"}}", 4),
                 RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_large(CALL_START("0", "a", "f"), LARGE("input_json_delta", "partial_json"),
                              "\"}}", 4),
                 RAAF_EVENT_TOO_LARGE);
}

/* So many blocks of 6 MB that never end. */
static int decode_open_blocks(int blocks) {
    const size_t large = (size_t)6 << 20;
    char *text = malloc(large), head[128];
    raaf_buffer_t stream;
    transcript_t transcript;
    int rc;

    memset(text, 'x', large);
    raaf_buffer_init(&stream, (size_t)1 << 28);
    transcript_init(&transcript);
    for (int i = 0; i < blocks; i++) {
        snprintf(head, sizeof head,
                 "data: {\"type\":\"content_block_start\",\"index\":%d,"
                 "\"content_block\":{\"type\":\"x\",\"data\":\"",
                 i);
        lines_add(&stream, head);
        raaf_buffer_append(&stream, text, large);
        lines_add(&stream, "\"}}\n\n");
    }
    rc = lines_decode(&raaf_dialect_anthropic, &stream, 0, &transcript);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
    free(text);
    return rc;
}

TEST(anthropic_what_is_kept_of_all_open_blocks_is_capped) {
    CHECK_EQ_INT(decode_open_blocks(10), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_open_blocks(11), RAAF_EVENT_TOO_LARGE);
}

TEST(anthropic_text_of_any_length_passes) {
    CHECK_EQ_INT(decode_large(TEXT_START("0"), LARGE("text_delta", "text"), "\"}}", 8),
                 RAAF_TRUNCATED);
}

TEST(anthropic_usage_that_gets_too_large_stands_alone) {
    raaf_buffer_t stream;
    transcript_t transcript;
    char line[9000];

    raaf_buffer_init(&stream, 1 << 20);
    transcript_init(&transcript);
    for (int i = 0; i < 3; i++) {
        const int len = snprintf(line, sizeof line,
                                 "{\"type\":\"message_delta\",\"usage\":{\"k%d\":"
                                 "\"",
                                 i);

        memset(line + len, 'x', 7000);
        memcpy(line + len + 7000, "\"}}", 3);
        lines_add_event(&stream, line, (size_t)len + 7003);
    }
    CHECK_EQ_INT(lines_decode(ANTHROPIC, &stream, 0, &transcript), RAAF_TRUNCATED);
    CHECK_EQ_UINT(transcript.deltas, 3);
    CHECK(!transcript.invalid);
    CHECK(transcript.text.len > 28000 && transcript.text.len < 28200);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

/* ---- the receiver, memory ---- */

#define FULL                                                                                       \
    USAGE_START("{\"input_tokens\":1}")                                                            \
    THINK_START("0")                                                                               \
    THINK("0", "t\\ud83d")                                                                         \
    SIGN("0", "s")                                                                                 \
    STOP("0")                                                                                      \
    START("1", "\"type\":\"text\",\"text\":\"\",\"citations\":[]")                                 \
    CITE("1", WEB)                                                                                 \
    TEXT("1", "a\\ud83d")                                                                          \
    STOP("1")                                                                                      \
    TEXT_START("2")                                                                                \
    TEXT("2", "b\\ud83d")                                                                          \
    STOP("2")                                                                                      \
    CALL_START("3", "c", "f")                                                                      \
    INPUT("3", "{\\\"x\\\":\\\"\\ud83d")                                                           \
    STOP("3")                                                                                      \
    SEARCH_START INPUT("0", "{}") STOP("0")                                                        \
        PIECE("5", "\"type\":\"compaction_delta\",\"content\":\"s\"")                              \
            STOP("5") "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\","        \
                      "\"stop_details\":{\"explanation\":\"no\"}},\"usage\":{"                     \
                      "\"output_tokens\":5}}\n" MESSAGE_STOP

TEST(anthropic_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(ANTHROPIC, FULL, 19);
}

TEST(anthropic_reports_that_memory_ran_out) {
    lines_check_memory(ANTHROPIC, FULL, RAAF_OK, 19, 30);
}
