/* What the servers of the family send that OpenAI does not. */
#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "chat_stream.h"
#include "reasoning_details.h"
#include "sources.h"

/* ---- events that nobody knows ---- */

TEST(family_events_that_say_nothing_known_are_unknown) {
    CHECK_CHAT_ALL(
        "{}\n{\"type\":\"ping\"}\n"
        "{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
        "\"prompt_filter_results\":[{\"prompt_index\":0}]}\n"
        "{\"choices\":[{\"index\":0,\"finish_reason\":null,\"content_filter_results\":{},"
        "\"content_filter_offsets\":{\"check_offset\":5}}],\"object\":\"\"}\n"
        "{\"choices\":[],\"usage\":null}\n" DELTA("\"content\":\"a\"") FINISH("stop"),
        "raw 0: {}\nraw 0: {\"type\":\"ping\"}\n"
        "raw 0: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
        "\"prompt_filter_results\":[{\"prompt_index\":0}]}\n"
        "raw 0: {\"choices\":[{\"index\":0,\"finish_reason\":null,"
        "\"content_filter_results\":{},\"content_filter_offsets\":{\"check_offset\":5}}],"
        "\"object\":\"\"}\n"
        "raw 0: {\"choices\":[],\"usage\":null}\ncontent 0: a\n" STOPPED,
        RAAF_OK);
}

TEST(family_events_with_a_delta_are_known_also_where_it_is_empty) {
    CHECK_CHAT_ALL("{\"choices\":[{\"index\":0,\"delta\":{}}]}\n" DELTA("\"role\":\"assistant\"")
                       DELTA("\"content\":\"\",\"channel\":\"analysis\"") FINISH("stop") " \n"
                                                                                         "[DONE]",
                   STOPPED, RAAF_OK);
}

TEST(family_events_with_a_message_beside_the_deltas_are_known) {
    CHECK_CHAT_ALL(
        DELTA("\"content\":\"a\"") "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}\n" FINISH(
            "stop"),
        "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(family_named_events_that_hold_no_object_are_some_others) {
    CHECK_CHAT_ALL("@ping 2026-06-08 18:49:47\n@keepalive [1]\n" DELTA("\"content\":\"a\"")
                       FINISH("stop"),
                   "raw 0: 2026-06-08 18:49:47\nraw 0: [1]\ncontent 0: a\n" STOPPED, RAAF_OK);
    CHECK_CHAT("@ping x\n" FINISH("stop"), STOPPED, RAAF_OK);
}

TEST(family_named_events_that_hold_an_object_are_read_as_any) {
    CHECK_CHAT_ALL(
        "@keepalive {}\n"
        "@chunk {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n@message " FINISH("stop"),
        "raw 0: {}\ncontent 0: a\n" STOPPED, RAAF_OK);
    CHECK_CHAT("@chunk {\"choices\":[", "", RAAF_INVALID_JSON);
    CHECK_CHAT("@message x", "", RAAF_INVALID_JSON);
}

TEST(family_named_terminal_mark_counts) {
    CHECK_CHAT("@done [DONE]\n" DELTA("\"content\":\"late\""), "", RAAF_OK);
}

/* ---- reasoning that goes back ---- */

#define DETAIL(fields) DELTA("\"reasoning_details\":[{" fields "}]")
#define TEXT "\"type\":\"reasoning.text\","
#define SUMMARY "\"type\":\"reasoning.summary\","

TEST(family_reasoning_detail_is_joined_with_its_signature) {
    CHECK_CHAT(DELTA("\"reasoning\":\"Let me\",\"reasoning_details\":[{" TEXT
                     "\"text\":\"Let me\",\"format\":\"f-1\",\"index\":0}]")
                   DELTA("\"reasoning\":\" \\\"see\\\"\\n\",\"reasoning_details\":[{" TEXT
                         "\"text\":\" \\\"see\\\"\\n\",\"index\":0}]") DELTA("\"content\":\"Yes\"")
                       DETAIL(TEXT "\"signature\":\"c2ln\",\"index\":0,"
                                   "\"id\":\"r\",\"format\":\"f-2\"") FINISH("stop"),
               "reasoning 0: Let me\nreasoning 0:  \"see\"\\n\ncontent 0: Yes\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"Let me \\\"see\\\"\\u000a\","
               "\"signature\":\"c2ln\",\"format\":\"f-1\",\"id\":\"r\",\"index\":0}\n" STOPPED,
               RAAF_OK);
}

TEST(family_reasoning_details_are_kept_apart_by_index_and_id) {
    CHECK_CHAT(DETAIL(TEXT "\"text\":\"a\",\"index\":0") DETAIL(TEXT "\"text\":\"b\",\"index\":0")
                   DETAIL(TEXT "\"text\":\"c\",\"index\":2000000000") DETAIL(TEXT "\"text\":\"d\"")
                       DETAIL(SUMMARY "\"summary\":\"e\"")
                           DETAIL(SUMMARY "\"summary\":\"f\",\"id\":\"x\"")
                               DETAIL(SUMMARY "\"summary\":\"g\",\"id\":\"y\"") FINISH("stop"),
               "reasoning 0: a\nreasoning 0: b\nreasoning 0: c\nreasoning 0: d\nreasoning 0: e\n"
               "reasoning 0: f\nreasoning 0: g\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"ab\",\"index\":0}\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"cd\",\"index\":2000000000}\n"
               "part 0: {\"type\":\"reasoning.summary\",\"summary\":\"ef\",\"id\":\"x\"}\n"
               "part 0: {\"type\":\"reasoning.summary\",\"summary\":\"g\",\"id\":\"y\"}\n" STOPPED,
               RAAF_OK);
}

TEST(family_reasoning_details_of_other_types_go_back_as_they_came) {
    CHECK_CHAT(
        DETAIL("\"type\":\"reasoning.encrypted\",\"data\":\"AB/+\\u0041\",\"id\":null, \"x\":[1]")
            DETAIL("\"data\":\"CD\",\"type\":\"reasoning.encrypted\"")
                DETAIL("\"type\":\"reasoning.server_tool_call\",\"result\":\"\\ud83d\"")
                    FINISH("stop"),
        "part 0: {\"type\":\"reasoning.encrypted\",\"data\":\"AB/+\\u0041\",\"id\":null, "
        "\"x\":[1]}\n"
        "part 0: {\"data\":\"CD\",\"type\":\"reasoning.encrypted\"}\n"
        "part 0: {\"type\":\"reasoning.server_tool_call\",\"result\":\"" FFFD "\"}\n" STOPPED,
        RAAF_OK);
}

TEST(family_reasoning_detail_keeps_a_character_that_was_cut) {
    CHECK_CHAT(DETAIL(TEXT "\"text\":\"\\ud83d\"") DETAIL(TEXT "\"text\":\"\\ude00\xE2\"")
                   DETAIL(TEXT "\"text\":\"\x82\xAC\\ud83d\"") FINISH("stop"),
               "reasoning 0: \xF0\x9F\x98\x80\nreasoning 0: \xE2\x82\xAC\nreasoning 0: " FFFD "\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"\xF0\x9F\x98\x80\xE2\x82\xAC" FFFD
               "\"}\n" STOPPED,
               RAAF_OK);
}

TEST(family_reasoning_details_belong_to_their_choices) {
    CHECK_CHAT("{\"choices\":[{\"index\":1,\"delta\":{\"reasoning_details\":[{" TEXT
               "\"text\":\"b\"}]}},{\"index\":0,\"delta\":{\"reasoning_details\":[{" TEXT
               "\"text\":\"a\"}]}}]}\n"
               "{\"choices\":[{\"index\":1,\"delta\":{\"reasoning_details\":[{" TEXT
               "\"text\":\"c\"}]},\"finish_reason\":\"stop\"}]}\n" FINISH("stop"),
               "reasoning 1: b\nreasoning 0: a\nreasoning 1: c\n"
               "part 1: {\"type\":\"reasoning.text\",\"text\":\"bc\"}\nfinish 1: stop\n"
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"a\"}\n" STOPPED,
               RAAF_OK);
}

TEST(family_reasoning_detail_of_an_answer_that_was_cut_off_does_not_go_back) {
    CHECK_CHAT(DETAIL(TEXT "\"text\":\"a\""), "reasoning 0: a\n", RAAF_TRUNCATED);
    CHECK_CHAT(DETAIL(TEXT "\"text\":\"a\"") "{\"error\":\"x\"}",
               "reasoning 0: a\nerror message=x: {\"error\":\"x\"}\n", RAAF_PROVIDER_ERROR);
}

TEST(family_reasoning_detail_may_come_behind_the_finish_reason) {
    CHECK_CHAT(DETAIL(TEXT "\"text\":\"a\"") FINISH("stop")
                   DETAIL(TEXT "\"signature\":\"s\"") "[DONE]",
               "reasoning 0: a\npart 0: {\"type\":\"reasoning.text\",\"text\":\"a\"}\n" STOPPED
               "part 0: {\"type\":\"reasoning.text\",\"text\":\"\",\"signature\":\"s\"}\n",
               RAAF_OK);
}

TEST(family_reasoning_details_of_odd_types_are_no_failure) {
    CHECK_CHAT(DELTA("\"reasoning_details\":null") DELTA("\"reasoning_details\":[]")
                   DELTA("\"reasoning_details\":\"x\"") DELTA("\"reasoning_details\":[1,null]")
                       DELTA("\"reasoning_details\":[{}]")
                           DETAIL(TEXT "\"text\":5,\"index\":1.5,\"signature\":{}") FINISH("stop"),
               "part 0: {}\npart 0: {\"type\":\"reasoning.text\",\"text\":\"\"}\n" STOPPED,
               RAAF_OK);
}

TEST(family_repeated_key_of_reasoning_details_is_the_last_one) {
    CHECK_CHAT(DELTA("\"reasoning_details\":[{" TEXT "\"text\":\"no\"}],"
                     "\"reasoning_details\":[{" TEXT "\"text\":\"yes\"}]") FINISH("stop"),
               "reasoning 0: yes\npart 0: {\"type\":\"reasoning.text\",\"text\":\"yes\"}\n" STOPPED,
               RAAF_OK);
}

#define THINK(text, more)                                                                          \
    "{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"" text "\"}]" more "}"

TEST(family_thinking_in_content_goes_back_where_it_is_signed) {
    CHECK_CHAT(DELTA("\"content\":[" THINK("Hm", "") "]")
                   DELTA("\"content\":[" THINK("m", ",\"signature\":\"s\",\"closed\":true") "]")
                       DELTA("\"content\":[{\"type\":\"text\",\"text\":\"Yes\"}]") FINISH("stop"),
               "reasoning 0: Hm\nreasoning 0: m\ncontent 0: Yes\n"
               "part 0: {\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"Hmm\"}],"
               "\"signature\":\"s\"}\n" STOPPED,
               RAAF_OK);
    CHECK_CHAT(DELTA("\"content\":[" THINK("Hm", ",\"closed\":true") "]") FINISH("stop"),
               "reasoning 0: Hm\n" STOPPED, RAAF_OK);
}

TEST(family_content_may_change_between_string_and_list) {
    CHECK_CHAT(DELTA("\"content\":\"\"") DELTA("\"content\":[" THINK("a", "") "]")
                   DELTA("\"content\":[" THINK("b", "") ",{\"type\":\"text\",\"text\":\"c\"}]")
                       DELTA("\"content\":\"d\"") FINISH("stop"),
               "reasoning 0: a\nreasoning 0: b\ncontent 0: c\ncontent 0: d\n" STOPPED, RAAF_OK);
}

/* ---- what else goes back ---- */

TEST(family_extra_content_of_a_tool_call_goes_back_with_its_id) {
    CHECK_CHAT(
        CALLS(
            "{\"id\":\"f\\\"1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
            "\"arguments\":\"{}\"},\"extra_content\":{\"google\":{\"thought_signature\":\"Cr/\"}}}")
            CALLS("{\"id\":\"f2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"},"
                  "\"extra_content\":null}") FINISH("stop"),
        "tool_call_delta 0 #0 f\"1 f: {}\n"
        "part 0: {\"tool_call_id\":\"f\\\"1\","
        "\"extra_content\":{\"google\":{\"thought_signature\":\"Cr/\"}}}\n"
        "tool_call_delta 0 #1 f2 g: {}\ntool_call 0 #0 f\"1 f: {}\ntool_call 0 #1 f2 g: "
        "{}\n" STOPPED,
        RAAF_OK);
}

TEST(family_extra_content_of_a_delta_goes_back) {
    CHECK_CHAT(
        DELTA("\"content\":\"a\",\"extra_content\":{\"google\":{\"thought_signature\":\"C\"}}")
            DELTA("\"extra_content\":\"x\"") FINISH("stop"),
        "content 0: a\n"
        "part 0: {\"extra_content\":{\"google\":{\"thought_signature\":\"C\"}}}\n" STOPPED,
        RAAF_OK);
}

TEST(family_tools_that_the_server_ran_are_parts) {
    CHECK_CHAT(
        DELTA("\"executed_tools\":[{\"index\":0,\"type\":\"search\",\"arguments\":\"{}\"},"
              "{\"index\":1}]") FINISH("stop"),
        "part 0: {\"executed_tool\":{\"index\":0,\"type\":\"search\",\"arguments\":\"{}\"}}\n"
        "part 0: {\"executed_tool\":{\"index\":1}}\n" STOPPED,
        RAAF_OK);
}

TEST(family_transcript_of_speech_is_content) {
    CHECK_CHAT(DELTA("\"content\":null,\"audio\":{\"id\":\"a\",\"transcript\":\"Hel\"}")
                   DELTA("\"audio\":{\"data\":\"UklG\"},\"content\":\"\"")
                       DELTA("\"audio\":{\"transcript\":\"lo\"},\"content\":\"\"")
                           DELTA("\"audio\":{\"expires_at\":1}") FINISH("stop"),
               "content 0: Hel\ncontent 0: lo\n" STOPPED, RAAF_OK);
}

/* ---- sources ---- */

#define RESULT(name) "{\"title\":\"" name "\",\"url\":\"https://" name ".example/\"}"
#define CHUNK(text, sources) "{\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]," sources "}\n"

TEST(family_source_that_every_event_lists_is_handed_over_once) {
    CHECK_CHAT(
        CHUNK("x", "\"search_results\":[" RESULT("a") "," RESULT(
                       "b") "],"
                            "\"citations\":[\"https://a.example/\",\"https://b.example/\"]")
            CHUNK("y", "\"search_results\":[" RESULT("a") "," RESULT(
                           "b") "],"
                                "\"citations\":[\"https://a.example/\",\"https://b.example/\"]")
                CHUNK("z", "\"citations\":[\"https://b.example/\",\"https://c.example/\"],"
                           "\"search_results\":[" RESULT("b") "," RESULT("d") "," RESULT("d") "]")
                    FINISH("stop"),
        "content 0: x\ncitation 0: " RESULT("a") "\ncitation 0: " RESULT(
            "b") "\n"
                 "content 0: y\ncontent 0: z\ncitation 0: " RESULT(
                     "d") "\n"
                          "citation 0: {\"url\":\"https://c.example/\"}\n" STOPPED,
        RAAF_OK);
}

TEST(family_sources_may_come_alone) {
    CHECK_CHAT_ALL(FINISH("stop") "{\"choices\":[],\"citations\":[\"u\\\"\\ud83d\"]}\n",
                   STOPPED "citation 0: {\"url\":\"u\\\"" FFFD "\"}\n", RAAF_OK);
}

TEST(family_source_without_a_url_is_known_by_all_it_says) {
    CHECK_CHAT(
        "{\"search_results\":[{\"id\":1},{\"id\":1},{\"id\":2},{\"url\":null},{\"url\":\"\"}]}"
        "\n{\"search_results\":[{\"id\":2},{\"id\":3}]}\n" FINISH("stop"),
        "citation 0: {\"id\":1}\ncitation 0: {\"id\":2}\ncitation 0: {\"url\":null}\n"
        "citation 0: {\"url\":\"\"}\ncitation 0: {\"id\":3}\n" STOPPED,
        RAAF_OK);
}

TEST(family_lists_of_sources_of_odd_types_are_no_failure) {
    CHECK_CHAT("{\"citations\":null}\n{\"citations\":{\"url\":\"x\"}}\n{\"citations\":\"x\"}\n"
               "{\"citations\":[]}\n{\"citations\":[5,null,\"\",[\"in\"],true]}\n" FINISH("stop"),
               "citation 0: {\"url\":\"in\"}\n" STOPPED, RAAF_OK);
}

TEST(family_annotations_are_citations) {
    CHECK_CHAT(
        DELTA("\"content\":\"a\",\"annotations\":[{\"type\":\"url_citation\",\"url_citation\":{"
              "\"url\":\"u\",\"title\":\"\\ud83d\",\"start_index\":0}},{\"type\":\"file\"}]")
            DELTA("\"annotations\":null") DELTA("\"annotations\":[\"x\"]") FINISH("stop"),
        "content 0: a\n"
        "citation 0: {\"type\":\"url_citation\",\"url_citation\":{\"url\":\"u\",\"title\":\"" FFFD
        "\",\"start_index\":0}}\ncitation 0: {\"type\":\"file\"}\n" STOPPED,
        RAAF_OK);
}

TEST(family_references_in_content_are_citations) {
    CHECK_CHAT(
        DELTA("\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"reference\","
              "\"reference_ids\":[0,2]},{\"type\":\"text\",\"text\":\"b\"}]") FINISH("stop"),
        "content 0: ab\ncitation 0: {\"type\":\"reference\",\"reference_ids\":[0,2]}\n" STOPPED,
        RAAF_OK);
}

/* ---- usage ---- */

TEST(family_reasoning_that_is_counted_beside_the_answer_is_counted_in) {
    CHECK_CHAT(FINISH("stop") "{\"choices\":[],\"usage\":{\"prompt_tokens\":888,"
                              "\"completion_tokens\":24,\"total_tokens\":1229,"
                              "\"completion_tokens_details\":{\"reasoning_tokens\":317}}}",
               STOPPED "usage prompt=888 completion=341 total=1229 reasoning=317: "
                       "{\"prompt_tokens\":888,\"completion_tokens\":24,\"total_tokens\":1229,"
                       "\"completion_tokens_details\":{\"reasoning_tokens\":317}}\n",
               RAAF_OK);
}

TEST(family_reasoning_that_outnumbers_the_answer_is_counted_in_and_into_the_total) {
    CHECK_CHAT(FINISH("stop") "{\"choices\":[],\"usage\":{\"prompt_tokens\":33,"
                              "\"completion_tokens\":10,\"total_tokens\":43,"
                              "\"reasoning_tokens\":90}}\n"
                              "{\"usage\":{\"completion_tokens\":1,\"reasoning_tokens\":2}}",
               STOPPED "usage prompt=33 completion=100 total=133 reasoning=90: "
                       "{\"prompt_tokens\":33,\"completion_tokens\":10,\"total_tokens\":43,"
                       "\"reasoning_tokens\":90}\n"
                       "usage completion=3 reasoning=2: {\"completion_tokens\":1,"
                       "\"reasoning_tokens\":2}\n",
               RAAF_OK);
}

TEST(family_reasoning_that_is_counted_within_the_answer_stays_so) {
    static const char *const usages[] = {
        "{\"prompt_tokens\":5,\"completion_tokens\":9,\"total_tokens\":14,"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}",
        "{\"prompt_tokens\":9223372036854775807,\"completion_tokens\":9,\"total_tokens\":0,"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}",
        "{\"prompt_tokens\":0,\"completion_tokens\":9,\"total_tokens\":9223372036854775807,"
        "\"completion_tokens_details\":{\"reasoning_tokens\":4}}",
        "{\"completion_tokens\":9,\"completion_tokens_details\":{\"reasoning_tokens\":4}}",
        "{\"completion_tokens\":9,\"reasoning_tokens\":9223372036854775807}",
    };

    for (size_t i = 0; i < sizeof usages / sizeof usages[0]; i++) {
        char lines[400];
        raaf_buffer_t stream;
        transcript_t transcript;

        snprintf(lines, sizeof lines, "%s{\"usage\":%s}\n", FINISH("stop"), usages[i]);
        lines_make_stream(CHAT, &stream, lines, strlen(lines));
        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_OK);
        raaf_buffer_append(&transcript.text, "", 1);
        CHECK(strstr(transcript.text.bytes, " completion=9") != NULL);
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
    }
}

TEST(family_cached_tokens_may_stand_beside_the_others) {
    CHECK_CHAT("{\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"cached_tokens\":7}}",
               STOPPED "usage cached=7: {\"cached_tokens\":7}\n", RAAF_OK);
}

/* ---- errors ---- */

TEST(family_error_chunk_ends_the_stream_with_what_had_come) {
    CHECK_CHAT(
        DELTA("\"content\":\"Hel\"") "{\"id\":\"gen-1\",\"object\":\"chat.completion.chunk\","
                                     "\"error\":{\"code\":502,\"message\":\"Upstream failed\","
                                     "\"metadata\":{\"error_type\":\"provider_unavailable\"}},"
                                     "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},"
                                     "\"finish_reason\":\"error\"}]}\n[DONE]",
        "content 0: Hel\n"
        "error message=Upstream failed type=provider_unavailable code=502: {\"code\":502,"
        "\"message\":\"Upstream failed\",\"metadata\":{\"error_type\":\"provider_unavailable\"}}\n",
        RAAF_PROVIDER_ERROR);
}

TEST(family_error_may_stand_in_its_choice) {
    CHECK_CHAT(DELTA("\"content\":\"a\"") "{\"choices\":[{\"index\":0,\"delta\":{},"
                                          "\"finish_reason\":\"error\",\"error\":{\"code\":429,"
                                          "\"message\":\"Slow down\"}}]}\n",
               "content 0: a\nerror message=Slow down code=429: {\"code\":429,"
               "\"message\":\"Slow down\"}\n",
               RAAF_PROVIDER_ERROR);
    CHECK_CHAT("{\"choices\":[{\"delta\":{\"content\":\"a\"},\"error\":null}]}\n" FINISH("stop"),
               "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(family_error_may_stand_in_the_field_of_a_vendor) {
    CHECK_CHAT(
        DELTA("\"content\":\"a\"") "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],"
                                   "\"x_groq\":{\"id\":\"r\",\"error\":\"over capacity\"}}\n",
        "content 0: a\nerror message=over capacity: {\"choices\":[{\"delta\":{},"
        "\"finish_reason\":\"stop\"}],\"x_groq\":{\"id\":\"r\",\"error\":\"over capacity\"}}\n",
        RAAF_PROVIDER_ERROR);
}

TEST(family_error_event_keeps_what_the_model_had_written) {
    CHECK_CHAT("@error {\"error\":{\"message\":\"Failed to call a function\","
               "\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\","
               "\"failed_generation\":\"<f>{</f>\",\"status_code\":400}}",
               "error message=Failed to call a function type=invalid_request_error "
               "code=tool_use_failed: {\"message\":\"Failed to call a function\","
               "\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\","
               "\"failed_generation\":\"<f>{</f>\",\"status_code\":400}\n",
               RAAF_PROVIDER_ERROR);
}

/* ---- ends ---- */

TEST(family_log_probabilities_are_passed_over) {
    CHECK_CHAT(
        "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"logprobs\":{\"content\":["
        "{\"token\":\"a\",\"logprob\":-0.1,\"bytes\":[97],\"top_logprobs\":[]}]}}]}\n" FINISH(
            "stop"),
        "content 0: a\n" STOPPED, RAAF_OK);
}

TEST(family_answer_may_end_with_the_mark_alone_or_with_the_reason_alone) {
    CHECK_CHAT(DELTA("\"content\":\"a\"") "[DONE]", "content 0: a\n", RAAF_OK);
    CHECK_CHAT(
        "{\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"\"}]}\n" FINISH("stop"),
        "content 0: a\n" STOPPED, RAAF_OK);
}

/* ---- caps, the receiver, memory ---- */

static int decode_repeated(const char *head, const char *element, size_t times, const char *tail,
                           size_t events) {
    raaf_buffer_t stream;

    raaf_buffer_init(&stream, (size_t)1 << 30);
    for (size_t i = 0; i < events; i++)
        lines_add_list(&stream, head, element, times, tail);
    return lines_end_of(CHAT, &stream);
}

#define IN_DELTA(name) "{\"choices\":[{\"delta\":{\"" name "\":["

TEST(family_elements_of_one_event_are_capped) {
    CHECK_EQ_INT(decode_repeated(IN_DELTA("annotations"), "{}", 1024, "]}}]}", 2), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_repeated(IN_DELTA("annotations"), "{}", 1025, "]}}]}", 1),
                 RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(decode_repeated(IN_DELTA("reasoning_details"), "{}", 1024, "]}}]}", 4),
                 RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_repeated(IN_DELTA("reasoning_details"), "{}", 1025, "]}}]}", 1),
                 RAAF_EVENT_TOO_LARGE);
}

TEST(family_reasoning_details_of_a_response_are_capped) {
    CHECK_EQ_INT(decode_repeated(IN_DELTA("reasoning_details"), "{}", 1024, "]}}]}", 5),
                 RAAF_EVENT_TOO_LARGE);
}

static int decode_long(const char *head, size_t len, const char *tail, size_t events) {
    char *text = lines_long_text(len);
    const int rc = decode_repeated(head, text, 1, tail, events);

    free(text);
    return rc;
}

TEST(family_bytes_of_reasoning_details_are_capped) {
    const char *head = "{\"choices\":[{\"delta\":{\"reasoning_details\":[{" TEXT "\"text\":\"";

    CHECK_EQ_INT(decode_long(head, 1 << 20, "\"}]}}]}", 16), RAAF_TRUNCATED);
    CHECK_EQ_INT(decode_long(head, 1 << 20, "\"}]}}]}", 17), RAAF_EVENT_TOO_LARGE);
}

TEST(family_sources_of_a_response_are_capped) {
    for (size_t count = 1024; count <= 1025; count++) {
        raaf_buffer_t list, stream;
        transcript_t transcript;
        char source[32];

        raaf_buffer_init(&list, 1 << 20);
        raaf_buffer_init(&stream, 1 << 20);
        transcript_init(&transcript);
        for (size_t i = 0; i < count; i++) {
            snprintf(source, sizeof source, "%s\"https://%zu\"", i > 0 ? "," : "", i);
            lines_add(&list, source);
        }
        raaf_buffer_append(&list, "", 1);
        lines_add_list(&stream, "{\"citations\":[", list.bytes, 1, "]}");
        lines_add_list(&stream, "{\"citations\":[", list.bytes, 2, "]}");
        CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript),
                     count > 1024 ? RAAF_EVENT_TOO_LARGE : RAAF_TRUNCATED);
        CHECK_EQ_UINT(transcript.deltas, 1024);
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
        raaf_buffer_free(&list);
    }
}

TEST(family_source_of_a_list_that_is_too_long_to_be_kept_is_handed_over_once) {
    const size_t len = (size_t)300 << 10;
    char *url = lines_long_text(len);
    raaf_buffer_t stream;
    transcript_t transcript;

    raaf_buffer_init(&stream, 1 << 20);
    transcript_init(&transcript);
    for (int i = 0; i < 3; i++)
        lines_add_list(&stream, "{\"citations\":[\"", url, 1, "\"]}");
    CHECK_EQ_INT(lines_decode_known(CHAT, &stream, 0, &transcript), RAAF_TRUNCATED);
    CHECK_EQ_UINT(transcript.deltas, 1);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
    free(url);
}

#define FULL                                                                                       \
    DELTA("\"content\":[" THINK(                                                                   \
        "t",                                                                                       \
        ",\"signature\":\"s\"") ",{\"type\":\"text\",\"text\":\"c\"},"                             \
                                "{\"type\":\"reference\",\"reference_ids\":[1]}],\"executed_"      \
                                "tools\":[{\"type\":\"x\"}],"                                      \
                                "\"extra_content\":{\"g\":1},\"annotations\":[{\"type\":\"y\"}],"  \
                                "\"reasoning_details\":["                                          \
                                "{\"type\":\"reasoning.text\",\"text\":\"r\\ud83d\",\"id\":\"i\"," \
                                "\"format\":\"f\","                                                \
                                "\"signature\":\"s\",\"index\":1},{\"type\":\"reasoning."          \
                                "encrypted\",\"data\":\"d\"}],"                                    \
                                "\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\","      \
                                "\"arguments\":\"{}\"},"                                           \
                                "\"extra_content\":{\"g\":2}}],\"audio\":{\"transcript\":\"w\"}")  \
    "{\"choices\":[],\"search_results\":[{\"url\":\"u\"}],\"citations\":[\"u\",\"v\"]}\n" FINISH(  \
        "stop") "[DONE]"

/*
 * reasoning, twice content, a call's piece and its part, reference, executed tool, extra content,
 * annotation, two sources; at the end the open character, three details, the call, the reason
 */
#define FULL_DELTAS 17

TEST(family_receiver_stops_the_stream_at_any_delta) {
    lines_check_stops(CHAT, FULL, FULL_DELTAS);
}

TEST(family_reports_that_memory_ran_out) {
    lines_check_memory(CHAT, FULL, RAAF_OK, FULL_DELTAS, 20);
}
