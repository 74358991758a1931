/*
 * Figures about streams: counters and histograms by time, and by who was asked. Fixed memory.
 *
 * Time is divided into slots of a minute of the day's clock. A ring of them is kept for each label
 * (a provider and a model): a cell holds what happened in one slot under one label, and is used
 * again once its slot has left the ring. So RAAF_ANALYTICS_SLOTS minutes are known, of at most
 * RAAF_ANALYTICS_LABELS labels; further labels share the first, "other". A cell has about 11 KB and
 * is got when something happens in it: 1.3 MB for a model that is asked all the time, 22 MB at
 * the very most.
 *
 * Any thread may count, and any may read meanwhile: the figures are atomics. Only a new label, or a
 * cell that begins another slot, takes the mutex, for the time of writing some kilobytes. Where the
 * clock is set back, what follows counts for the slots it says; what was counted in those that are
 * still to come stays until they come again.
 */
#ifndef RAAF_ANALYTICS_H
#define RAAF_ANALYTICS_H

#include "delta.h"
#include "histogram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_ANALYTICS_SLOT_SECONDS 60
#define RAAF_ANALYTICS_SLOTS 120
#define RAAF_ANALYTICS_LABELS 16                          /* "other" included */
#define RAAF_ANALYTICS_FAILURES 32                        /* kinds of them, "other" included */
#define RAAF_ANALYTICS_CHUNKS (RAAF_CHUNK_TYPE_COUNT + 1) /* types; the last: not ours */
#define RAAF_ANALYTICS_MAX_LABEL 127 /* bytes of each part of one; the rest is cut */

/* What is counted. The names are those of the snapshot in Ruby. */
#define RAAF_COUNTERS(X)                                                                           \
    X(RAAF_COUNT_STREAMS_STARTED, "streams_started") /* runs, which make one call or several */    \
    X(RAAF_COUNT_STREAMS_COMPLETED, "streams_completed")                                           \
    X(RAAF_COUNT_STREAMS_FAILED, "streams_failed")                                                 \
    X(RAAF_COUNT_STREAMS_CANCELLED, "streams_cancelled")                                           \
    X(RAAF_COUNT_CALLS_COMPLETED, "calls_completed") /* of models */                               \
    X(RAAF_COUNT_CALLS_FAILED, "calls_failed")                                                     \
    X(RAAF_COUNT_CALLS_CANCELLED, "calls_cancelled")                                               \
    X(RAAF_COUNT_CALLS_WITH_USAGE, "calls_with_usage")                                             \
    X(RAAF_COUNT_RETRIES, "retries")                                                               \
    X(RAAF_COUNT_PROMPT_TOKENS, "prompt_tokens")                                                   \
    X(RAAF_COUNT_COMPLETION_TOKENS, "completion_tokens")                                           \
    X(RAAF_COUNT_TOTAL_TOKENS, "total_tokens")                                                     \
    X(RAAF_COUNT_CACHED_TOKENS, "cached_tokens")                                                   \
    X(RAAF_COUNT_REASONING_TOKENS, "reasoning_tokens")

typedef enum raaf_counter {
#define RAAF_COUNTER_ENUM(name, text) name,
    RAAF_COUNTERS(RAAF_COUNTER_ENUM)
#undef RAAF_COUNTER_ENUM
        RAAF_COUNTER_COUNT
} raaf_counter_t;

/* What is measured, and in what a histogram has it. */
#define RAAF_MEASURES(X)                                                                           \
    X(RAAF_MEASURE_FIRST_TOKEN, "first_token", 1e6)      /* microseconds */                        \
    X(RAAF_MEASURE_TOKEN_RATE, "tokens_per_second", 1e3) /* thousandths */                         \
    X(RAAF_MEASURE_GAP, "gaps", 1e6)                                                               \
    X(RAAF_MEASURE_SIZE, "chunk_sizes", 1) /* bytes */                                             \
    X(RAAF_MEASURE_DURATION, "duration", 1e6)

typedef enum raaf_measure {
#define RAAF_MEASURE_ENUM(name, text, unit) name,
    RAAF_MEASURES(RAAF_MEASURE_ENUM)
#undef RAAF_MEASURE_ENUM
        RAAF_MEASURE_COUNT
} raaf_measure_t;

/* How a stream ended. */
typedef enum raaf_stream_end {
    RAAF_STREAM_COMPLETED,
    RAAF_STREAM_FAILED,
    RAAF_STREAM_CANCELLED
} raaf_stream_end_t;

typedef struct raaf_cell {
    _Atomic int64_t slot; /* INT64_MIN: none, what is in it says nothing */
    _Atomic uint64_t counters[RAAF_COUNTER_COUNT];
    _Atomic uint64_t chunks[RAAF_ANALYTICS_CHUNKS];
    _Atomic uint64_t failures[RAAF_ANALYTICS_FAILURES];
    raaf_histogram_t histograms[RAAF_MEASURE_COUNT];
} raaf_cell_t;

/* What is counted under one label. Lives as long as its analytics. */
typedef struct raaf_series {
    struct raaf_analytics *analytics;
    char provider[RAAF_ANALYTICS_MAX_LABEL + 1];
    char model[RAAF_ANALYTICS_MAX_LABEL + 1];
    _Atomic int64_t running;  /* streams that were started and have not ended */
    _Atomic uint64_t dropped; /* ended without a word, and not yet counted as cancelled */
    _Atomic(raaf_cell_t *) cells[RAAF_ANALYTICS_SLOTS];
} raaf_series_t;

/* Seconds since 1970, as the day's clock has them. Any thread. */
typedef int64_t (*raaf_day_clock_fn)(void);

typedef struct raaf_analytics {
    pthread_mutex_t mutex; /* covers what is added: labels, kinds of failures, slots of cells */
    raaf_day_clock_fn clock;
    _Atomic uint64_t lost; /* not counted, without memory for a cell */
    atomic_size_t series_count;
    raaf_series_t *series[RAAF_ANALYTICS_LABELS]; /* those below the count never change */
    atomic_size_t failure_count;
    char failures[RAAF_ANALYTICS_FAILURES][RAAF_ANALYTICS_MAX_LABEL + 1];
} raaf_analytics_t;

/* [clock] NULL: the system's. NULL: out of memory. */
raaf_analytics_t *raaf_analytics_new(raaf_day_clock_fn clock);

/* Nobody may use it, or one of its series, any longer. NULL is allowed. */
void raaf_analytics_free(raaf_analytics_t *analytics);

/* The process's own, which is never freed; made with the first call. NULL: out of memory. GVL held. */
raaf_analytics_t *raaf_analytics_process(void);

/* In a forked child: what was counted is the parent's; the child begins at zero. GVL held. */
void raaf_analytics_forget(void);

/*
 * The series of a label, a new one where there is room; else, or without memory, that of "other".
 * Any thread.
 */
raaf_series_t *raaf_analytics_series(raaf_analytics_t *analytics, raaf_slice_t provider,
                                     raaf_slice_t model);

/* Forgets all that was counted. What runs is still running; the labels stay. Any thread. */
void raaf_analytics_reset(raaf_analytics_t *analytics);

/* Bytes it holds. Any thread. */
size_t raaf_analytics_memory(raaf_analytics_t *analytics);

/* ---- counting; any thread. A series that is NULL counts nothing ---- */

/*
 * The cell of now, for several figures at once; not kept for long. NULL (out of memory, which is
 * counted) is allowed in what follows.
 */
raaf_cell_t *raaf_series_cell(raaf_series_t *series);

void raaf_cell_count(raaf_cell_t *cell, raaf_counter_t counter, uint64_t more);
void raaf_cell_chunks(raaf_cell_t *cell, size_t type, uint64_t more); /* raaf_chunk_type_t */
void raaf_cell_measure(raaf_cell_t *cell, raaf_measure_t measure, uint64_t value);

/* Sizes of pieces, as raaf_histogram_add_counts. */
void raaf_cell_sizes(raaf_cell_t *cell, const uint32_t *counts, size_t len, uint64_t sum);

void raaf_series_count(raaf_series_t *series, raaf_counter_t counter, uint64_t more);
void raaf_series_measure(raaf_series_t *series, raaf_measure_t measure, uint64_t value);

/* A stream begins. */
void raaf_series_stream_started(raaf_series_t *series);

/*
 * A stream that began here has ended. [failure]: why it failed, the name of a class say; of more
 * than RAAF_ANALYTICS_FAILURES kinds the last ones are "other". [duration_us] counts where it
 * completed.
 */
void raaf_series_stream_ended(raaf_series_t *series, raaf_stream_end_t end, raaf_slice_t failure,
                              uint64_t duration_us);

/*
 * As that, cancelled, for the garbage collector: neither lock nor memory. It is counted with the
 * next stream that begins, or the next summary.
 */
void raaf_series_stream_dropped(raaf_series_t *series);

/* ---- reading ---- */

typedef struct raaf_measured {
    uint64_t count, sum;             /* the sum in what the histogram has it in */
    double mean, p50, p95, p99, max; /* in that too; 0 where there are none */
} raaf_measured_t;

typedef struct raaf_figures {
    const char *label; /* borrowed from the analytics; NULL: of all */
    int64_t running;
    uint64_t counters[RAAF_COUNTER_COUNT];
    uint64_t chunks[RAAF_ANALYTICS_CHUNKS];
    uint64_t failures[RAAF_ANALYTICS_FAILURES]; /* in the order of the analytics' */
    raaf_measured_t measured[RAAF_MEASURE_COUNT];
} raaf_figures_t;

typedef enum raaf_grouping { RAAF_BY_NOTHING, RAAF_BY_PROVIDER, RAAF_BY_MODEL } raaf_grouping_t;

/* The slot that a time belongs to. */
int64_t raaf_analytics_slot(int64_t seconds);

/*
 * What was counted in the slots [first] to [last]. [figures] has room for RAAF_ANALYTICS_LABELS, of
 * which the first few are written: one of all, or one a provider or model for which there is
 * anything. Returns how many; RAAF_NO_MEMORY. Any thread.
 */
int raaf_analytics_summarise(raaf_analytics_t *analytics, int64_t first, int64_t last,
                             raaf_grouping_t grouping, raaf_figures_t *figures);

#endif
