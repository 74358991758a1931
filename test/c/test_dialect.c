#include "check.h"
#include "dialect.h"
#include "dialect_anthropic.h"
#include "dialect_gemini.h"
#include "dialect_ollama.h"
#include "dialect_openai_chat.h"
#include "dialect_openai_responses.h"
#include "result_code.h"

TEST(dialect_is_found_by_its_name) {
    CHECK_EQ_PTR(raaf_dialect_find("openai_chat"), &raaf_dialect_openai_chat);
    CHECK_EQ_PTR(raaf_dialect_find("anthropic"), &raaf_dialect_anthropic);
    CHECK_EQ_PTR(raaf_dialect_find("openai_responses"), &raaf_dialect_openai_responses);
    CHECK_EQ_PTR(raaf_dialect_find("gemini"), &raaf_dialect_gemini);
    CHECK_EQ_PTR(raaf_dialect_find("ollama"), &raaf_dialect_ollama);
}

TEST(dialect_of_another_name_is_not_found) {
    CHECK_EQ_PTR(raaf_dialect_find("openai"), NULL);
    CHECK_EQ_PTR(raaf_dialect_find(""), NULL);
    CHECK_EQ_PTR(raaf_dialect_find(NULL), NULL);
}

TEST(dialect_names_are_listed_to_their_end) {
    size_t count = 0;

    while (raaf_dialect_name_at(count) != NULL) {
        CHECK_EQ_CSTR(raaf_dialect_find(raaf_dialect_name_at(count))->name,
                      raaf_dialect_name_at(count));
        count++;
    }
    CHECK(count > 0);
    CHECK_EQ_PTR(raaf_dialect_name_at(count + 1), NULL);
}

TEST(dialect_tells_a_malformed_event_from_the_end_of_a_stream) {
    CHECK(raaf_dialect_malformed(RAAF_INVALID_JSON));
    CHECK(raaf_dialect_malformed(RAAF_INVALID_EVENT));
    CHECK(raaf_dialect_malformed(RAAF_TOO_DEEP));
    CHECK(!raaf_dialect_malformed(RAAF_OK));
    CHECK(!raaf_dialect_malformed(RAAF_STOP));
    CHECK(!raaf_dialect_malformed(RAAF_PROVIDER_ERROR));
    CHECK(!raaf_dialect_malformed(RAAF_EVENT_TOO_LARGE));
    CHECK(!raaf_dialect_malformed(RAAF_NO_MEMORY));
}

static raaf_sse_event_t event_of(const char *type, const char *data) {
    return (raaf_sse_event_t){
        .type = type, .type_len = strlen(type), .data = data, .data_len = strlen(data)};
}

TEST(dialect_knows_an_event_by_its_whole_name) {
    const raaf_sse_event_t event = event_of("error", "");
    const raaf_sse_event_t unnamed = event_of("", "");

    CHECK(raaf_dialect_is_named(&event, "error"));
    CHECK(!raaf_dialect_is_named(&event, "errors"));
    CHECK(!raaf_dialect_is_named(&event, "ping!"));
    CHECK(!raaf_dialect_is_named(&unnamed, "error"));
}

TEST(dialect_takes_white_space_off_both_ends_of_the_data) {
    static const char *const texts[][2] = {
        {"a b", "a b"}, {" \t\r\na b \n", "a b"}, {"", ""}, {" \n", ""}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const raaf_sse_event_t event = event_of("", texts[i][0]);
        const raaf_slice_t data = raaf_dialect_trimmed(&event);

        CHECK_EQ_STR(data.bytes, data.len, texts[i][1]);
    }
}

TEST(dialect_tells_a_mark_from_data) {
    static const char *const marks[] = {"", " \n", "[DONE]", " [DONE]\r"};
    static const char *const others[] = {"{}", " {} ", "[DONE", "[DONE] [DONE]", "DONE", "[1]"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        const raaf_sse_event_t event = event_of("", marks[i]);

        CHECK(raaf_dialect_is_mark(&event));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const raaf_sse_event_t event = event_of("", others[i]);

        CHECK(!raaf_dialect_is_mark(&event));
    }
}
