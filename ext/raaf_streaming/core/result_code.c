#include "result_code.h"

const char *raaf_result_code_name(int code) {
    switch (code) {
#define RAAF_RESULT_CODE_NAME(name, value, text)                                                   \
    case (value):                                                                                  \
        return #name;
        RAAF_RESULT_CODES(RAAF_RESULT_CODE_NAME)
#undef RAAF_RESULT_CODE_NAME
    default:
        return "RAAF_UNKNOWN";
    }
}

const char *raaf_result_code_text(int code) {
    switch (code) {
#define RAAF_RESULT_CODE_TEXT(name, value, text)                                                   \
    case (value):                                                                                  \
        return text;
        RAAF_RESULT_CODES(RAAF_RESULT_CODE_TEXT)
#undef RAAF_RESULT_CODE_TEXT
    default:
        return "an unknown failure";
    }
}

int raaf_capped(int code) {
    return code == RAAF_BODY_TOO_LARGE ? RAAF_EVENT_TOO_LARGE : code;
}
