#include "check.h"
#include "delta.h"

TEST(chunk_types_are_named_as_in_ruby) {
    CHECK_EQ_CSTR(raaf_chunk_type_name(RAAF_CHUNK_CONTENT), "content");
    CHECK_EQ_CSTR(raaf_chunk_type_name(RAAF_CHUNK_TOOL_CALL_DELTA), "tool_call_delta");
    CHECK_EQ_CSTR(raaf_chunk_type_name(RAAF_CHUNK_ERROR), "error");
}

TEST(chunk_types_each_have_a_name_of_their_own) {
    for (int i = 0; i < RAAF_CHUNK_TYPE_COUNT; i++) {
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(raaf_chunk_type_name((raaf_chunk_type_t)i),
                         raaf_chunk_type_name((raaf_chunk_type_t)k)) != 0);
        }
    }
    CHECK_EQ_CSTR(raaf_chunk_type_name(RAAF_CHUNK_TYPE_COUNT), "unknown");
}
