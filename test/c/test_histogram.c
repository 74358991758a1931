#include "check.h"
#include "histogram.h"
#include "random_numbers.h"

#include <math.h>
#include <pthread.h>

static raaf_histogram_t *histogram_new(void) {
    return calloc(1, sizeof(raaf_histogram_t));
}

static raaf_distribution_t *distribution_of(raaf_histogram_t *histogram) {
    raaf_distribution_t *distribution = calloc(1, sizeof *distribution);

    raaf_histogram_merge(histogram, distribution);
    return distribution;
}

TEST(histogram_has_a_bucket_for_each_small_value) {
    for (uint64_t value = 0; value < 32; value++) {
        const size_t bucket = raaf_histogram_bucket(value);
        CHECK_EQ_UINT(bucket, value);
        CHECK_EQ_UINT(raaf_histogram_low(bucket), value);
        CHECK_EQ_UINT(raaf_histogram_high(bucket), value);
    }
}

TEST(histogram_leaves_no_gap_between_buckets) {
    CHECK_EQ_UINT(raaf_histogram_low(0), 0);
    for (size_t bucket = 0; bucket < RAAF_HISTOGRAM_BUCKETS; bucket++) {
        const uint64_t low = raaf_histogram_low(bucket), high = raaf_histogram_high(bucket);
        CHECK_EQ_UINT(raaf_histogram_bucket(low), bucket);
        CHECK_EQ_UINT(raaf_histogram_bucket(high), bucket);
        if (bucket + 1 < RAAF_HISTOGRAM_BUCKETS)
            CHECK_EQ_UINT(high + 1, raaf_histogram_low(bucket + 1));
    }
    CHECK_EQ_UINT(raaf_histogram_high(RAAF_HISTOGRAM_BUCKETS - 1), RAAF_HISTOGRAM_MAX);
}

TEST(histogram_has_buckets_of_a_sixteenth_at_most) {
    for (size_t bucket = 16; bucket < RAAF_HISTOGRAM_BUCKETS; bucket++) {
        const uint64_t low = raaf_histogram_low(bucket);
        CHECK((raaf_histogram_high(bucket) - low + 1) * 16 <= low);
    }
}

TEST(histogram_takes_what_is_too_large_for_its_largest) {
    raaf_histogram_t *histogram = histogram_new();

    raaf_histogram_add(histogram, RAAF_HISTOGRAM_MAX + 1);
    raaf_histogram_add(histogram, UINT64_MAX);
    raaf_distribution_t *all = distribution_of(histogram);
    CHECK_EQ_UINT(all->buckets[RAAF_HISTOGRAM_BUCKETS - 1], 2);
    CHECK_EQ_UINT(all->sum, 2 * RAAF_HISTOGRAM_MAX);
    CHECK_EQ_UINT(raaf_histogram_bucket(UINT64_MAX), RAAF_HISTOGRAM_BUCKETS - 1);
    free(all);
    free(histogram);
}

TEST(histogram_of_nothing_is_zero) {
    raaf_histogram_t *histogram = histogram_new();
    raaf_distribution_t *all = distribution_of(histogram);

    CHECK_EQ_UINT(all->count, 0);
    CHECK(raaf_distribution_quantile(all, 0.5) == 0);
    CHECK(raaf_distribution_mean(all) == 0);
    free(all);
    free(histogram);
}

TEST(histogram_gives_small_values_and_means_exactly) {
    raaf_histogram_t *histogram = histogram_new();

    for (uint64_t value = 1; value <= 10; value++)
        raaf_histogram_add(histogram, value);
    raaf_distribution_t *all = distribution_of(histogram);
    CHECK_EQ_UINT(all->count, 10);
    CHECK(raaf_distribution_mean(all) == 5.5);
    CHECK(raaf_distribution_quantile(all, 0) == 1);
    CHECK(raaf_distribution_quantile(all, 0.5) == 5);
    CHECK(raaf_distribution_quantile(all, 0.51) == 6);
    CHECK(raaf_distribution_quantile(all, 0.9) == 9);
    CHECK(raaf_distribution_quantile(all, 1) == 10);
    CHECK(raaf_distribution_quantile(all, 2) == 10);
    free(all);
    free(histogram);
}

TEST(histogram_adds_many_at_once) {
    raaf_histogram_t *one_by_one = histogram_new(), *at_once = histogram_new();
    uint32_t counts[64] = {0};
    uint64_t sum = 0;

    for (uint64_t value = 0; value < 128; value += 3) {
        raaf_histogram_add(one_by_one, value);
        counts[raaf_histogram_bucket(value)]++;
        sum += value;
    }
    raaf_histogram_add_counts(at_once, counts, 64, sum);
    raaf_distribution_t *a = distribution_of(one_by_one), *b = distribution_of(at_once);
    CHECK_EQ_BYTES(a, sizeof *a, b, sizeof *b);
    free(a);
    free(b);
    free(one_by_one);
    free(at_once);
}

TEST(histogram_merges_as_if_all_had_gone_into_one) {
    raaf_histogram_t *parts[3] = {histogram_new(), histogram_new(), histogram_new()};
    raaf_histogram_t *whole = histogram_new();
    raaf_distribution_t *merged = calloc(1, sizeof *merged);
    uint64_t random = 7;

    for (int i = 0; i < 10000; i++) {
        const uint64_t value = random_next(&random) >> random_below(&random, 64);
        raaf_histogram_add(parts[i % 3], value);
        raaf_histogram_add(whole, value);
    }
    for (int i = 0; i < 3; i++) {
        raaf_histogram_merge(parts[i], merged);
        free(parts[i]);
    }
    raaf_distribution_t *all = distribution_of(whole);
    CHECK_EQ_BYTES(merged, sizeof *merged, all, sizeof *all);
    free(merged);
    free(all);
    free(whole);
}

TEST(histogram_forgets) {
    raaf_histogram_t *histogram = histogram_new();

    raaf_histogram_add(histogram, 5);
    raaf_histogram_add(histogram, 500000);
    raaf_histogram_clear(histogram);
    raaf_distribution_t *all = distribution_of(histogram);
    CHECK_EQ_UINT(all->count, 0);
    CHECK_EQ_UINT(all->sum, 0);
    free(all);
    free(histogram);
}

/* ---- quantiles against a sorted array ---- */

#define VALUES 5000

static int by_size(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Of many kinds: even, skewed, all the same, few different ones, both ends. */
static uint64_t value_of(int kind, uint64_t *random) {
    switch (kind) {
    case 0:
        return random_below(random, 1000000);
    case 1:
        return (random_next(random) & RAAF_HISTOGRAM_MAX) >> random_below(random, 37);
    case 2:
        return 123457;
    case 3:
        return (uint64_t)1 << random_below(random, 36);
    case 4:
        return random_below(random, 2) ? RAAF_HISTOGRAM_MAX - random_below(random, 9) : 0;
    default:
        return random_below(random, 40);
    }
}

static void check_quantile(const raaf_distribution_t *all, const uint64_t *sorted, size_t count,
                           double quantile) {
    const double wanted = ceil(quantile * (double)count);
    const size_t rank = wanted < 1 ? 1 : (size_t)wanted;
    const double exact = (double)sorted[rank - 1];
    const double found = raaf_distribution_quantile(all, quantile);

    if (!CHECK(fabs(found - exact) <= exact / 32))
        fprintf(stderr, "    quantile %g of %zu: %g, exactly %g\n", quantile, count, found, exact);
}

TEST(histogram_is_off_by_a_thirty_second_at_most) {
    static uint64_t values[VALUES];
    static const double quantiles[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
    uint64_t random = 42;

    for (int round = 0; round < 60; round++) {
        raaf_histogram_t *histogram = histogram_new();
        const size_t count = 1 + random_below(&random, VALUES);
        for (size_t i = 0; i < count; i++) {
            values[i] = value_of(round % 6, &random);
            raaf_histogram_add(histogram, values[i]);
        }
        qsort(values, count, sizeof values[0], by_size);
        raaf_distribution_t *all = distribution_of(histogram);
        CHECK_EQ_UINT(all->count, count);
        for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
            check_quantile(all, values, count, quantiles[i]);
        for (int i = 0; i < 20; i++)
            check_quantile(all, values, count, (double)random_below(&random, 1001) / 1000);
        free(all);
        free(histogram);
    }
}

/* ---- threads ---- */

#define THREADS 8
#define EACH 20000

static void *add_many(void *histogram) {
    for (uint64_t i = 0; i < EACH; i++)
        raaf_histogram_add(histogram, i);
    return NULL;
}

TEST(histogram_loses_nothing_between_threads) {
    raaf_histogram_t *histogram = histogram_new();
    pthread_t threads[THREADS];
    uint64_t before = 0;

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_many, histogram);
    while (before < THREADS * EACH) {
        raaf_distribution_t *now = distribution_of(histogram);
        CHECK(now->count >= before);
        before = now->count;
        free(now);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    raaf_distribution_t *all = distribution_of(histogram);
    CHECK_EQ_UINT(all->count, THREADS * EACH);
    CHECK_EQ_UINT(all->sum, (uint64_t)THREADS * EACH * (EACH - 1) / 2);
    free(all);
    free(histogram);
}
