#include "histogram.h"

#include <math.h>

#define WIDTH ((size_t)1 << RAAF_HISTOGRAM_BITS)

/* How many values share a bucket, as a power of two. */
static unsigned shift_of(size_t bucket) {
    return bucket < 2 * WIDTH ? 0 : (unsigned)(bucket / WIDTH) - 1;
}

uint64_t raaf_histogram_low(size_t bucket) {
    const unsigned shift = shift_of(bucket);
    return (uint64_t)(bucket - shift * WIDTH) << shift;
}

uint64_t raaf_histogram_high(size_t bucket) {
    return raaf_histogram_low(bucket) + (((uint64_t)1 << shift_of(bucket)) - 1);
}

static void add(raaf_histogram_t *histogram, size_t bucket, uint32_t count) {
    atomic_fetch_add_explicit(&histogram->buckets[bucket], count, memory_order_relaxed);
}

void raaf_histogram_add(raaf_histogram_t *histogram, uint64_t value) {
    if (value > RAAF_HISTOGRAM_MAX) value = RAAF_HISTOGRAM_MAX;
    add(histogram, raaf_histogram_bucket(value), 1);
    atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
}

void raaf_histogram_add_counts(raaf_histogram_t *histogram, const uint32_t *counts, size_t len,
                               uint64_t sum) {
    for (size_t i = 0; i < len; i++)
        if (counts[i]) add(histogram, i, counts[i]);
    atomic_fetch_add_explicit(&histogram->sum, sum, memory_order_relaxed);
}

void raaf_histogram_clear(raaf_histogram_t *histogram) {
    for (size_t i = 0; i < RAAF_HISTOGRAM_BUCKETS; i++)
        atomic_store_explicit(&histogram->buckets[i], 0, memory_order_release);
    atomic_store_explicit(&histogram->sum, 0, memory_order_release);
}

void raaf_histogram_merge(raaf_histogram_t *histogram, raaf_distribution_t *distribution) {
    for (size_t i = 0; i < RAAF_HISTOGRAM_BUCKETS; i++) {
        const uint32_t count = atomic_load_explicit(&histogram->buckets[i], memory_order_acquire);
        distribution->buckets[i] += count;
        distribution->count += count;
    }
    distribution->sum += atomic_load_explicit(&histogram->sum, memory_order_acquire);
}

static double middle(size_t bucket) {
    return ((double)raaf_histogram_low(bucket) + (double)raaf_histogram_high(bucket)) / 2;
}

double raaf_distribution_quantile(const raaf_distribution_t *distribution, double quantile) {
    if (!distribution->count) return 0;
    const double wanted = ceil(quantile * (double)distribution->count);
    uint64_t rank = wanted > 1 ? (uint64_t)wanted : 1;
    if (rank > distribution->count) rank = distribution->count;
    size_t bucket = 0;
    for (uint64_t seen = distribution->buckets[0]; seen < rank;)
        seen += distribution->buckets[++bucket];
    return middle(bucket);
}

double raaf_distribution_mean(const raaf_distribution_t *distribution) {
    return distribution->count ? (double)distribution->sum / (double)distribution->count : 0;
}
