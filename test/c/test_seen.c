#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "result_code.h"
#include "seen.h"

static bool is_new(raaf_seen_t *seen, uint32_t choice, const char *text) {
    bool answer = false;

    CHECK_EQ_INT(raaf_seen_note(seen, choice, (raaf_slice_t){text, strlen(text)}, &answer),
                 RAAF_OK);
    return answer;
}

TEST(seen_knows_a_text_again) {
    raaf_seen_t seen;

    raaf_seen_init(&seen);
    CHECK(is_new(&seen, 0, "a"));
    CHECK(is_new(&seen, 0, "b"));
    CHECK(is_new(&seen, 0, ""));
    CHECK(!is_new(&seen, 0, "a"));
    CHECK(!is_new(&seen, 0, "b"));
    CHECK(!is_new(&seen, 0, ""));
    raaf_seen_free(&seen);
}

TEST(seen_keeps_choices_apart) {
    raaf_seen_t seen;

    raaf_seen_init(&seen);
    CHECK(is_new(&seen, 0, "a"));
    CHECK(is_new(&seen, 1, "a"));
    CHECK(!is_new(&seen, 1, "a"));
    raaf_seen_free(&seen);
}

TEST(seen_remembers_no_more_than_it_may) {
    raaf_seen_t seen;
    char text[16];

    raaf_seen_init(&seen);
    for (int i = 0; i < RAAF_SEEN_MAX; i++) {
        snprintf(text, sizeof text, "%d", i);
        CHECK(is_new(&seen, 0, text));
    }
    CHECK(is_new(&seen, 0, "one more"));
    CHECK(is_new(&seen, 0, "one more"));
    CHECK(!is_new(&seen, 0, "4095"));
    raaf_seen_free(&seen);
}

TEST(seen_reports_that_memory_ran_out) {
    raaf_seen_t seen;
    bool answer;

    raaf_seen_init(&seen);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_seen_note(&seen, 0, (raaf_slice_t){"a", 1}, &answer), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK(is_new(&seen, 0, "a"));
    raaf_seen_free(&seen);
}

TEST(hash_goes_on_from_another) {
    const uint64_t whole = raaf_hash(RAAF_HASH_START, "hello", 5);

    CHECK_EQ_UINT(raaf_hash(raaf_hash(RAAF_HASH_START, "he", 2), "llo", 3), whole);
    CHECK_EQ_UINT(raaf_hash(RAAF_HASH_START, "", 0), RAAF_HASH_START);
    CHECK(raaf_hash(RAAF_HASH_START, "hellp", 5) != whole);
}
