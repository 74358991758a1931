#include "check.h"
#include "result_code.h"

TEST(result_codes_have_the_name_and_the_text_of_the_table) {
    CHECK_EQ_CSTR(raaf_result_code_name(RAAF_OK), "RAAF_OK");
    CHECK_EQ_CSTR(raaf_result_code_name(RAAF_STOP), "RAAF_STOP");
    CHECK_EQ_CSTR(raaf_result_code_name(RAAF_TRUNCATED), "RAAF_TRUNCATED");
    CHECK_EQ_CSTR(raaf_result_code_text(RAAF_NO_MEMORY), "out of memory");
}

TEST(result_codes_that_do_not_exist_are_unknown) {
    CHECK_EQ_CSTR(raaf_result_code_name(4711), "RAAF_UNKNOWN");
    CHECK_EQ_CSTR(raaf_result_code_name(-999), "RAAF_UNKNOWN");
    CHECK_EQ_CSTR(raaf_result_code_text(4711), "an unknown failure");
}

TEST(result_codes_of_failures_are_negative_and_success_is_zero) {
    static const struct {
        int code;
        const char *name;
        const char *text;
    } codes[] = {
#define ROW(name, value, text) {name, #name, text},
        RAAF_RESULT_CODES(ROW)
#undef ROW
    };
    const size_t count = sizeof codes / sizeof codes[0];

    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_CSTR(raaf_result_code_name(codes[i].code), codes[i].name);
        CHECK_EQ_CSTR(raaf_result_code_text(codes[i].code), codes[i].text);
        CHECK(codes[i].code < 0 || codes[i].code == RAAF_OK || codes[i].code == RAAF_STOP ||
              codes[i].code == RAAF_UNKNOWN_EVENT);
        CHECK(codes[i].text[strlen(codes[i].text) - 1] != '.');
    }
}

TEST(result_code_of_a_cap_is_the_events_and_any_other_stays) {
    CHECK_EQ_INT(raaf_capped(RAAF_BODY_TOO_LARGE), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_INT(raaf_capped(RAAF_NO_MEMORY), RAAF_NO_MEMORY);
    CHECK_EQ_INT(raaf_capped(RAAF_OK), RAAF_OK);
}
