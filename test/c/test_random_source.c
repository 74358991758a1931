#include "check.h"
#include "random_source.h"

TEST(random_numbers_of_one_seed_are_always_the_same) {
    raaf_random_t one = {0}, other = {0};

    for (int i = 0; i < 100; i++)
        CHECK_EQ_UINT(raaf_random_next(&one), raaf_random_next(&other));
    one.state = 0;
    CHECK_EQ_UINT(raaf_random_next(&one), UINT64_C(0xE220A8397B1DCDAF)); /* SplitMix64's first */
}

TEST(random_sources_are_not_in_step) {
    raaf_random_t one, other;

    raaf_random_seed(&one);
    raaf_random_seed(&other);
    CHECK(one.state != other.state);
    CHECK(raaf_random_next(&one) != raaf_random_next(&other));
}

TEST(random_numbers_are_spread_over_their_range) {
    raaf_random_t random = {42};
    int low = 0, odd = 0;

    for (int i = 0; i < 10000; i++) {
        const uint64_t number = raaf_random_next(&random);
        low += number < UINT64_MAX / 4;
        odd += number & 1;
    }
    CHECK(low > 2300 && low < 2700);
    CHECK(odd > 4800 && odd < 5200);
}
