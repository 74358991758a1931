#include "check.h"
#include "clock.h"

#include <time.h>

static uint64_t system_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

TEST(clock_counts_nanoseconds_of_the_monotonic_clock) {
    const uint64_t before = system_now();
    const uint64_t now = raaf_clock_now();
    const uint64_t after = system_now();

    CHECK(before <= now);
    CHECK(now <= after);
}

TEST(coarse_clock_is_the_same_clock_a_few_milliseconds_late) {
    const uint64_t before = system_now();
    const uint64_t now = raaf_clock_coarse();
    const uint64_t after = system_now();

    CHECK(before <= now + RAAF_MS(100));
    CHECK(now <= after);
    CHECK(raaf_clock_coarse() >= now);
}

TEST(clock_never_goes_back) {
    uint64_t last = raaf_clock_now();

    for (int i = 0; i < 100000; i++) {
        const uint64_t now = raaf_clock_now();
        if (!CHECK(now >= last)) return;
        last = now;
    }
}

TEST(milliseconds_become_nanoseconds_without_overflow_of_int) {
    CHECK_EQ_UINT(RAAF_MS(1), 1000000);
    CHECK_EQ_UINT(RAAF_MS(3600000), UINT64_C(3600000000000));
    CHECK(RAAF_MS(INT32_MAX) < RAAF_NEVER);
}
