#include "check.h"
#include "dialect.h"
#include "dialect_openai_chat.h"

TEST(dialect_is_found_by_its_name) {
    CHECK_EQ_PTR(raaf_dialect_find("openai_chat"), &raaf_dialect_openai_chat);
}

TEST(dialect_of_another_name_is_not_found) {
    CHECK_EQ_PTR(raaf_dialect_find("openai"), NULL);
    CHECK_EQ_PTR(raaf_dialect_find(""), NULL);
    CHECK_EQ_PTR(raaf_dialect_find(NULL), NULL);
}
