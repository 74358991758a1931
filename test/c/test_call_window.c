#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"

#include "call_window.c"

static const uint64_t second = 1000000000u;

static void check_counts(raaf_call_counts_t counts, uint32_t calls, uint32_t failures,
                         uint32_t slow) {
    CHECK_EQ_UINT(counts.calls, calls);
    CHECK_EQ_UINT(counts.failures, failures);
    CHECK_EQ_UINT(counts.slow, slow);
}

TEST(window_by_number_holds_the_last_calls) {
    raaf_call_window_t *window = raaf_call_window_new(3, 0);
    raaf_call_counts_t counts;

    CHECK(raaf_call_window_add(window, 0, 0, true, false, &counts));
    check_counts(counts, 1, 1, 0);
    CHECK(raaf_call_window_add(window, 0, 0, false, true, &counts));
    CHECK(raaf_call_window_add(window, 0, 0, true, true, &counts));
    check_counts(counts, 3, 2, 2);
    CHECK(raaf_call_window_add(window, 0, 0, false, false, &counts)); /* the first one goes */
    check_counts(counts, 3, 1, 2);
    CHECK(raaf_call_window_add(window, 0, 0, false, false, &counts));
    CHECK(raaf_call_window_add(window, 0, 0, false, false, &counts));
    check_counts(counts, 3, 0, 0);
    raaf_call_window_free(window);
}

TEST(window_by_time_lets_calls_go_in_parts) {
    raaf_call_window_t *window = raaf_call_window_new(0, 20 * second);
    raaf_call_counts_t counts;

    CHECK_EQ_UINT(window->width, second);
    CHECK(raaf_call_window_add(window, 0, 100 * second, true, false, &counts));
    CHECK(raaf_call_window_add(window, 0, 101 * second, false, true, &counts));
    check_counts(raaf_call_window_counts(window, 0, 120 * second - 1), 2, 1, 1);
    check_counts(raaf_call_window_counts(window, 0, 120 * second), 1, 0, 1);
    check_counts(raaf_call_window_counts(window, 0, 121 * second), 0, 0, 0);
    CHECK(raaf_call_window_add(window, 0, 999 * second, false, false, &counts));
    check_counts(counts, 1, 0, 0);
    raaf_call_window_free(window);
}

TEST(window_by_time_bears_a_clock_that_goes_back) {
    raaf_call_window_t *window = raaf_call_window_new(0, 20 * second);
    raaf_call_counts_t counts;

    CHECK(raaf_call_window_add(window, 0, 50 * second, true, false, &counts));
    CHECK(raaf_call_window_add(window, 0, 3 * second, true, false, &counts));
    check_counts(counts, 2, 2, 0);
    check_counts(raaf_call_window_counts(window, 0, 69 * second), 2, 2, 0);
    check_counts(raaf_call_window_counts(window, 0, 70 * second), 0, 0, 0);
    raaf_call_window_free(window);
}

TEST(window_of_next_to_no_time_works) {
    raaf_call_window_t *window = raaf_call_window_new(0, 1);
    raaf_call_counts_t counts;

    CHECK(raaf_call_window_add(window, 0, UINT64_MAX - 1, true, false, &counts));
    check_counts(counts, 1, 1, 0);
    CHECK(raaf_call_window_add(window, 0, UINT64_MAX, true, false, &counts));
    check_counts(counts, 2, 2, 0);
    raaf_call_window_free(window);
}

TEST(window_holds_one_generation) {
    raaf_call_window_t *window = raaf_call_window_new(10, 0);
    raaf_call_counts_t counts = {7, 7, 7};

    CHECK(raaf_call_window_add(window, 5, 0, true, false, &counts));
    CHECK(!raaf_call_window_add(window, 4, 0, true, false, &counts));
    check_counts(counts, 1, 1, 0); /* untouched */
    check_counts(raaf_call_window_counts(window, 4, 0), 0, 0, 0);
    CHECK(raaf_call_window_add(window, 6, 0, false, true, &counts));
    check_counts(counts, 1, 0, 1);
    check_counts(raaf_call_window_counts(window, 5, 0), 0, 0, 0);
    raaf_call_window_free(window);
}

TEST(window_knows_the_next_generation_where_they_begin_anew) {
    raaf_call_window_t *window = raaf_call_window_new(10, 0);
    const uint32_t last = RAAF_GENERATION_MASK;
    raaf_call_counts_t counts;

    CHECK(raaf_call_window_add(window, last / 2, 0, true, false, &counts));
    CHECK(raaf_call_window_add(window, last, 0, true, false, &counts));
    CHECK(raaf_call_window_add(window, 0, 0, false, false, &counts));
    check_counts(counts, 1, 0, 0);
    CHECK(!raaf_call_window_add(window, last, 0, true, false, &counts));
    raaf_call_window_free(window);
}

TEST(window_takes_up_after_any_number_of_generations) {
    static const uint32_t steps[] = {1, 5000, 1u << 22, 1u << 23, RAAF_GENERATION_MASK - 5000};
    raaf_call_window_t *window = raaf_call_window_new(10, 0);
    raaf_call_counts_t counts;
    uint32_t generation = 0;

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        generation = (generation + steps[i]) & RAAF_GENERATION_MASK;
        CHECK(raaf_call_window_add(window, generation, 0, true, false, &counts));
        check_counts(counts, 1, 1, 0);
    }
    raaf_call_window_free(window);
}

/* Against a list of all calls that ever were. */
enum { ALL = 3000 };

typedef struct call_record {
    uint64_t at;
    bool failed, slow;
} call_record_t;

static raaf_call_counts_t counted(const call_record_t *calls, size_t count, size_t size,
                                  uint64_t width, uint64_t now) {
    raaf_call_counts_t counts = {0};
    for (size_t i = 0; i < count; i++) {
        if (size && i + size < count) continue;
        if (!size && calls[i].at / width + RAAF_CALL_WINDOW_PARTS <= now / width) continue;
        counts.calls++;
        counts.failures += calls[i].failed;
        counts.slow += calls[i].slow;
    }
    return counts;
}

static void compare_with_a_list(uint64_t seed) {
    static call_record_t calls[ALL];
    const size_t size = random_below(&seed, 2) ? 1 + random_below(&seed, 40) : 0;
    const uint64_t duration = 1 + random_below(&seed, 5000);
    raaf_call_window_t *window = raaf_call_window_new(size, duration);
    uint64_t now = random_below(&seed, 100000);

    for (size_t i = 0; i < ALL && atomic_load(&check_failures) == 0; i++) {
        raaf_call_counts_t counts, expected;
        now += random_below(&seed, 20) ? random_below(&seed, 300) : random_below(&seed, 12000);
        calls[i] = (call_record_t){now, random_below(&seed, 2), random_below(&seed, 3) == 0};
        CHECK(raaf_call_window_add(window, 0, now, calls[i].failed, calls[i].slow, &counts));
        expected = counted(calls, i + 1, size, window->width, now);
        check_counts(counts, expected.calls, expected.failures, expected.slow);
    }
    raaf_call_window_free(window);
}

TEST(window_counts_as_a_list_of_all_calls_does) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        compare_with_a_list(seed);
        if (atomic_load(&check_failures)) {
            fprintf(stderr, "    seed %llu\n", (unsigned long long)seed);
            return;
        }
    }
}

TEST(window_says_when_there_is_no_memory_for_it) {
    for (long left = 0; left < 2; left++) {
        memory_runs_out_after(left);
        CHECK_EQ_PTR(raaf_call_window_new(10, 0), NULL);
    }
    memory_is_back();
    raaf_call_window_free(NULL);
}

TEST(window_says_how_large_it_is) {
    raaf_call_window_t *window = raaf_call_window_new(1000, 0);

    CHECK_EQ_UINT(raaf_call_window_bytes(window), sizeof *window + 1000);
    raaf_call_window_free(window);
}

enum { THREADS = 8, EACH = 20000 };

static void *add_calls(void *argument) {
    raaf_call_counts_t counts;
    for (int i = 0; i < EACH; i++)
        raaf_call_window_add(argument, 0, (uint64_t)i, i % 2 == 0, i % 4 == 0, &counts);
    return NULL;
}

TEST(window_loses_no_call_of_many_threads) {
    raaf_call_window_t *window = raaf_call_window_new(0, 1000 * second);
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_calls, window);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    check_counts(raaf_call_window_counts(window, 0, 0), THREADS * EACH, THREADS * EACH / 2,
                 THREADS * EACH / 4);
    raaf_call_window_free(window);
}
