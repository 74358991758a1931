#include "check.h"
#include "clock.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "buffer.c"
#include "coalescer.c"

static bool add(raaf_coalescer_t *coalescer, const char *text, uint64_t now) {
    bool flush = true;

    CHECK_EQ_INT(raaf_coalescer_add(coalescer, text, strlen(text), now, &flush), RAAF_OK);
    return flush;
}

TEST(coalescer_flushes_when_there_are_enough_characters) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 5, RAAF_NEVER);
    CHECK(!add(&coalescer, "ab", 0));
    CHECK(!add(&coalescer, "cd", 1));
    CHECK(add(&coalescer, "efg", 2));
    CHECK_EQ_STR(coalescer.pending.bytes, coalescer.pending.len, "abcdefg");
    raaf_coalescer_flushed(&coalescer);
    CHECK_EQ_UINT(coalescer.pending.len, 0);
    CHECK(!add(&coalescer, "hijk", 3));
    CHECK_EQ_STR(coalescer.pending.bytes, coalescer.pending.len, "hijk");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_counts_code_points_and_not_bytes) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 4, RAAF_NEVER);
    CHECK(!add(&coalescer, "\xc3\xa4", 0));         /* a umlaut */
    CHECK(!add(&coalescer, "\xe6\x97\xa5", 0));     /* a CJK sign */
    CHECK(!add(&coalescer, "\xf0\x9f\x98\x80", 0)); /* an emoji */
    CHECK_EQ_UINT(coalescer.chars, 3);
    CHECK(add(&coalescer, "!", 0));
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_that_is_off_flushes_every_piece) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 0, RAAF_NEVER);
    CHECK(!add(&coalescer, "", 0));
    for (int i = 0; i < 3; i++) {
        CHECK(add(&coalescer, "a", 0));
        CHECK_EQ_UINT(coalescer.pending.len, 1);
        raaf_coalescer_flushed(&coalescer);
    }
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_is_due_when_the_oldest_piece_has_waited) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 100, 50);
    CHECK(!raaf_coalescer_due(&coalescer, RAAF_NEVER));
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    add(&coalescer, "a", 1000);
    add(&coalescer, "b", 1040);
    CHECK_EQ_UINT(coalescer.deadline, 1050);
    CHECK(!raaf_coalescer_due(&coalescer, 1049));
    CHECK(raaf_coalescer_due(&coalescer, 1050));
    raaf_coalescer_flushed(&coalescer);
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    CHECK(!raaf_coalescer_due(&coalescer, 2000));
    add(&coalescer, "c", 2000);
    CHECK_EQ_UINT(coalescer.deadline, 2050);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_flushes_with_a_piece_that_comes_after_the_deadline) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 100, 50);
    CHECK(!add(&coalescer, "a", 1000));
    CHECK(add(&coalescer, "b", 1050));
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_with_no_time_to_wait_flushes_at_once) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 100, 0);
    CHECK(add(&coalescer, "a", 1000));
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_starts_no_clock_with_an_empty_piece) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 100, 50);
    CHECK(!add(&coalescer, "", 1000));
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_waits_for_ever_where_the_time_would_overflow) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, 100, RAAF_NEVER - 10);
    add(&coalescer, "a", 1000);
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    CHECK(!raaf_coalescer_due(&coalescer, RAAF_NEVER - 1));
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_stays_as_it_was_without_memory) {
    raaf_coalescer_t coalescer;
    char large[5000];
    bool flush = true;

    memset(large, 'a', sizeof large);
    raaf_coalescer_init(&coalescer, 100, 50);
    add(&coalescer, "a", 1000);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_coalescer_add(&coalescer, large, sizeof large, 1, &flush), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK(!flush);
    CHECK_EQ_UINT(coalescer.chars, 1);
    CHECK_EQ_STR(coalescer.pending.bytes, coalescer.pending.len, "a");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_keeps_little_memory_after_a_large_piece) {
    raaf_coalescer_t coalescer;
    bool flush;
    char *large = calloc(1, 100000);

    raaf_coalescer_init(&coalescer, 1, RAAF_NEVER);
    raaf_coalescer_add(&coalescer, large, 100000, 0, &flush);
    raaf_coalescer_flushed(&coalescer);
    CHECK(coalescer.pending.capacity <= 4096);
    free(large);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_loses_and_changes_nothing) {
    static const char *const pieces[] = {"a", "bc", "\xc3\xa4", "\xf0\x9f\x98\x80", "word ", ""};
    uint64_t random = 17;

    for (size_t size = 0; size < 20; size++) {
        raaf_coalescer_t coalescer;
        char in[4000], out[4000];
        size_t in_len = 0, out_len = 0;

        raaf_coalescer_init(&coalescer, size, 30);
        for (uint64_t now = 0; now < 500; now++) {
            const char *piece = pieces[random_below(&random, sizeof pieces / sizeof pieces[0])];
            memcpy(in + in_len, piece, strlen(piece));
            in_len += strlen(piece);
            if (!add(&coalescer, piece, now) && now < 499) continue;
            if (coalescer.pending.len == 0) continue;
            memcpy(out + out_len, coalescer.pending.bytes, coalescer.pending.len);
            out_len += coalescer.pending.len;
            raaf_coalescer_flushed(&coalescer);
        }
        CHECK_EQ_BYTES(out, out_len, in, in_len);
        raaf_coalescer_free(&coalescer);
    }
}
