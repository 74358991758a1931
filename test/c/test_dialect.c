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
