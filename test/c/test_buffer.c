#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"

TEST(buffer_holds_what_is_appended) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 1000);
    CHECK_EQ_PTR(buffer.bytes, NULL);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "ab", 2), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "\0c", 2), RAAF_OK);
    CHECK_EQ_BYTES(buffer.bytes, buffer.len, "ab\0c", 4);
    raaf_buffer_free(&buffer);
}

TEST(buffer_takes_nothing_from_nowhere) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 10);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, NULL, 0), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_reserve(&buffer, 0), RAAF_OK);
    CHECK_EQ_PTR(buffer.bytes, NULL);
    raaf_buffer_free(&buffer);
}

TEST(buffer_grows_to_its_limit_and_not_beyond) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 100);
    for (int i = 0; i < 100; i++)
        CHECK_EQ_INT(raaf_buffer_append(&buffer, "x", 1), RAAF_OK);
    CHECK_EQ_UINT(buffer.capacity, 100);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "y", 1), RAAF_BODY_TOO_LARGE);
    CHECK_EQ_UINT(buffer.len, 100);
    CHECK(memchr(buffer.bytes, 'y', 100) == NULL);
    raaf_buffer_free(&buffer);
}

TEST(buffer_with_a_limit_of_nothing_holds_nothing) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 0);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "x", 1), RAAF_BODY_TOO_LARGE);
    raaf_buffer_free(&buffer);
}

TEST(buffer_refuses_sizes_that_would_overflow) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, SIZE_MAX - 1);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "x", 1), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_reserve(&buffer, SIZE_MAX), RAAF_BODY_TOO_LARGE);
    CHECK_EQ_INT(raaf_buffer_reserve(&buffer, SIZE_MAX - 1), RAAF_BODY_TOO_LARGE);
    CHECK_EQ_STR(buffer.bytes, buffer.len, "x");
    raaf_buffer_free(&buffer);
}

TEST(buffer_reserves_room_without_changing_its_length) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 4096);
    CHECK_EQ_INT(raaf_buffer_reserve(&buffer, 1000), RAAF_OK);
    CHECK_EQ_UINT(buffer.len, 0);
    CHECK(buffer.capacity >= 1000);
    raaf_buffer_free(&buffer);
}

TEST(buffer_keeps_its_memory_when_cleared_unless_it_is_large) {
    raaf_buffer_t buffer;
    char *bytes;

    raaf_buffer_init(&buffer, 4096);
    raaf_buffer_append(&buffer, "abc", 3);
    bytes = buffer.bytes;
    raaf_buffer_clear(&buffer, buffer.capacity);
    CHECK_EQ_UINT(buffer.len, 0);
    CHECK_EQ_PTR(buffer.bytes, bytes);

    raaf_buffer_append(&buffer, "abc", 3);
    raaf_buffer_clear(&buffer, buffer.capacity - 1);
    CHECK_EQ_UINT(buffer.len, 0);
    CHECK_EQ_UINT(buffer.capacity, 0);
    CHECK_EQ_PTR(buffer.bytes, NULL);
}

TEST(buffer_moves_what_is_left_to_the_front) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 1000);
    raaf_buffer_append(&buffer, "abcdef", 6);
    raaf_buffer_shift(&buffer, 0, 100);
    CHECK_EQ_STR(buffer.bytes, buffer.len, "abcdef");
    raaf_buffer_shift(&buffer, 4, 100);
    CHECK_EQ_STR(buffer.bytes, buffer.len, "ef");
    raaf_buffer_shift(&buffer, 2, 100);
    CHECK_EQ_UINT(buffer.len, 0);
    raaf_buffer_free(&buffer);
}

TEST(buffer_gives_memory_back_for_what_is_left) {
    static const char large[5000];
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 10000);
    raaf_buffer_append(&buffer, large, sizeof large);
    raaf_buffer_shift(&buffer, 1000, 100);
    CHECK(buffer.capacity >= 4000); /* it does not fit into less */
    memory_runs_out_after(0);
    raaf_buffer_shift(&buffer, 3950, 100);
    memory_is_back();
    CHECK(buffer.capacity >= 4000);
    raaf_buffer_shift(&buffer, 1, 100);
    CHECK_EQ_UINT(buffer.capacity, 100);
    CHECK_EQ_UINT(buffer.len, 49);
    raaf_buffer_free(&buffer);
}

TEST(buffer_can_be_used_again_after_it_was_freed) {
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 5);
    raaf_buffer_append(&buffer, "abc", 3);
    raaf_buffer_free(&buffer);
    raaf_buffer_free(&buffer);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "defgh", 5), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "i", 1), RAAF_BODY_TOO_LARGE);
    CHECK_EQ_STR(buffer.bytes, buffer.len, "defgh");
    raaf_buffer_free(&buffer);
}

TEST(buffer_is_unchanged_when_memory_runs_out) {
    raaf_buffer_t buffer;
    char large[1000];

    memset(large, 'z', sizeof large);
    raaf_buffer_init(&buffer, 4096);
    raaf_buffer_append(&buffer, "abc", 3);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, large, sizeof large), RAAF_NO_MEMORY);
    CHECK_EQ_INT(raaf_buffer_append(&buffer, "def", 3), RAAF_OK);
    memory_is_back();
    CHECK_EQ_STR(buffer.bytes, buffer.len, "abcdef");
    raaf_buffer_free(&buffer);
}

TEST(buffer_of_elements_is_full_at_its_limit) {
    const int element = 4711;
    raaf_buffer_t buffer;

    raaf_buffer_init(&buffer, 2 * sizeof element);
    CHECK_EQ_INT(raaf_buffer_push(&buffer, &element, sizeof element), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_push(&buffer, &element, sizeof element), RAAF_OK);
    CHECK_EQ_INT(raaf_buffer_push(&buffer, &element, sizeof element), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_BYTES(buffer.bytes + sizeof element, sizeof element, &element, sizeof element);
    raaf_buffer_free(&buffer);
}
