/*
 * A histogram in fixed memory: how many values fell where, for quantiles that are nearly right.
 *
 * The buckets are log-linear, as those of HDR histograms: values below 16 have a bucket each, and
 * every power of two above is divided into 16 of the same width. So a bucket is at most a
 * sixteenth as wide as the values in it are large, and its middle is off by at most a thirty-second
 * of the value (3.1 %). Values are whole numbers; the user of a histogram chooses their unit.
 *
 * Any thread may add and merge at any time, without a lock. A histogram is all zero at first.
 */
#ifndef RAAF_HISTOGRAM_H
#define RAAF_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_HISTOGRAM_BITS 4  /* a power of two has 1 << BITS buckets */
#define RAAF_HISTOGRAM_TOP 36u /* bits of the largest value that is told apart */
#define RAAF_HISTOGRAM_MAX                                                                         \
    (((uint64_t)1 << RAAF_HISTOGRAM_TOP) - 1) /* what is larger counts as it */
#define RAAF_HISTOGRAM_BUCKETS                                                                     \
    ((RAAF_HISTOGRAM_TOP - RAAF_HISTOGRAM_BITS + 1) << RAAF_HISTOGRAM_BITS)

typedef struct raaf_histogram {
    _Atomic uint32_t buckets[RAAF_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum;
} raaf_histogram_t;

/* What one histogram, or several together, hold; owned by one thread. All zero at first. */
typedef struct raaf_distribution {
    uint64_t buckets[RAAF_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t sum;
} raaf_distribution_t;

/* The bucket of [value], from 0 to RAAF_HISTOGRAM_BUCKETS - 1. */
static inline size_t raaf_histogram_bucket(uint64_t value) {
    if (value >> RAAF_HISTOGRAM_BITS == 0) return (size_t)value;
    if (value > RAAF_HISTOGRAM_MAX) value = RAAF_HISTOGRAM_MAX;
    /* The bits below the leading ones that tell the bucket. */
    const unsigned below = 63u - RAAF_HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
    return ((size_t)below << RAAF_HISTOGRAM_BITS) + (size_t)(value >> below);
}

/* The smallest and the largest value of a bucket. */
uint64_t raaf_histogram_low(size_t bucket);
uint64_t raaf_histogram_high(size_t bucket);

/* Adds one value. */
void raaf_histogram_add(raaf_histogram_t *histogram, uint64_t value);

/*
 * Adds [counts] values at once, whose buckets are [counts][0] to [counts][len - 1] and whose sum is
 * [sum].
 */
void raaf_histogram_add_counts(raaf_histogram_t *histogram, const uint32_t *counts, size_t len,
                               uint64_t sum);

/*
 * Forgets all values. Each store releases what was written before it, and each load of a merge
 * acquires: who merges and sees part of it also sees what announced it (see analytics.c).
 */
void raaf_histogram_clear(raaf_histogram_t *histogram);

/* Adds what is in it to [distribution]. */
void raaf_histogram_merge(raaf_histogram_t *histogram, raaf_distribution_t *distribution);

/*
 * The value that [quantile] (0 to 1) of all do not exceed: that of rank quantile · count, rounded up,
 * in order of size; off by at most a thirty-second of it. 0 where there are none.
 */
double raaf_distribution_quantile(const raaf_distribution_t *distribution, double quantile);

/* The sum of all by their number, exactly. 0 where there are none. */
double raaf_distribution_mean(const raaf_distribution_t *distribution);

#endif
