#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "result_code.h"

#include "analytics.c"

#include <stdio.h>

static _Atomic int64_t seconds; /* what the clock shows */

static int64_t clock_shows(void) {
    return atomic_load(&seconds);
}

static raaf_analytics_t *analytics_at(int64_t time) {
    atomic_store(&seconds, time);
    return raaf_analytics_new(clock_shows);
}

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

static raaf_series_t *series_of(raaf_analytics_t *analytics, const char *provider,
                                const char *model) {
    return raaf_analytics_series(analytics, slice(provider), slice(model));
}

static raaf_figures_t all_between(raaf_analytics_t *analytics, int64_t first, int64_t last) {
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];

    CHECK_EQ_INT(raaf_analytics_summarise(analytics, first, last, RAAF_BY_NOTHING, figures), 1);
    return figures[0];
}

static raaf_figures_t all_of(raaf_analytics_t *analytics) {
    return all_between(analytics, INT64_MIN, INT64_MAX);
}

static uint64_t retries_between(raaf_analytics_t *analytics, int64_t first, int64_t last) {
    return all_between(analytics, first, last).counters[RAAF_COUNT_RETRIES];
}

static uint64_t retries_of(raaf_analytics_t *analytics) {
    return retries_between(analytics, INT64_MIN, INT64_MAX);
}

static void count_retries(raaf_series_t *series, uint64_t more) {
    raaf_series_count(series, RAAF_COUNT_RETRIES, more);
}

TEST(analytics_of_nothing_is_zero) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t none = {0}, figures[RAAF_ANALYTICS_LABELS], all = all_of(analytics);

    CHECK_EQ_BYTES(&all, sizeof all, &none, sizeof none);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, 9, RAAF_BY_MODEL, figures), 0);
    raaf_analytics_free(analytics);
    raaf_analytics_free(NULL);
}

TEST(analytics_counts_and_measures) {
    raaf_analytics_t *analytics = analytics_at(1000);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");
    const uint32_t sizes[] = {0, 2, 0, 1};

    count_retries(series, 2);
    count_retries(series, 3);
    raaf_series_measure(series, RAAF_MEASURE_GAP, 7);
    raaf_cell_chunks(raaf_series_cell(series), RAAF_CHUNK_REASONING, 4);
    raaf_cell_sizes(raaf_series_cell(series), sizes, 4, 5);
    raaf_figures_t all = all_of(analytics);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_RETRIES], 5);
    CHECK_EQ_UINT(all.chunks[RAAF_CHUNK_REASONING], 4);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_GAP].count, 1);
    CHECK(all.measured[RAAF_MEASURE_GAP].p99 == 7);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_SIZE].count, 3);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_SIZE].sum, 5);
    CHECK(all.measured[RAAF_MEASURE_SIZE].p50 == 1);
    CHECK(all.measured[RAAF_MEASURE_SIZE].max == 3);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_DURATION].count, 0);
    raaf_analytics_free(analytics);
}

TEST(analytics_follows_streams_from_beginning_to_end) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    for (int i = 0; i < 6; i++)
        raaf_series_stream_started(series);
    CHECK_EQ_INT(all_of(analytics).running, 6);
    raaf_series_stream_ended(series, RAAF_STREAM_COMPLETED, slice(""), 10);
    raaf_series_stream_ended(series, RAAF_STREAM_COMPLETED, slice(""), 20);
    raaf_series_stream_ended(series, RAAF_STREAM_FAILED, slice("TimeoutError"), 30);
    raaf_series_stream_ended(series, RAAF_STREAM_CANCELLED, slice(""), 40);
    raaf_series_stream_dropped(series);
    raaf_figures_t all = all_of(analytics);
    CHECK_EQ_INT(all.running, 1);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_STARTED], 6);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_COMPLETED], 2);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_FAILED], 1);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_CANCELLED], 2);
    CHECK(all.measured[RAAF_MEASURE_DURATION].mean == 15);
    CHECK_EQ_UINT(all.failures[1], 1);
    CHECK_EQ_CSTR(analytics->failures[1], "TimeoutError");
    all = all_of(analytics); /* one that was dropped is counted once */
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_CANCELLED], 2);
    raaf_analytics_free(analytics);
}

TEST(analytics_counts_what_was_dropped_when_the_next_one_begins) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    raaf_series_stream_started(series);
    raaf_series_stream_dropped(series);
    atomic_store(&seconds, 600);
    raaf_series_stream_started(series);
    CHECK_EQ_UINT(all_between(analytics, 10, 10).counters[RAAF_COUNT_STREAMS_CANCELLED], 1);
    raaf_analytics_free(analytics);
}

/* ---- labels ---- */

TEST(analytics_tells_providers_and_models_apart) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];

    count_retries(series_of(analytics, "openai", "gpt-4o"), 1);
    count_retries(series_of(analytics, "openai", "gpt-4.1"), 2);
    count_retries(series_of(analytics, "azure", "gpt-4o"), 4);
    CHECK_EQ_PTR(series_of(analytics, "azure", "gpt-4o"), series_of(analytics, "azure", "gpt-4o"));
    CHECK_EQ_UINT(retries_of(analytics), 7);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, 0, RAAF_BY_PROVIDER, figures), 2);
    CHECK_EQ_CSTR(figures[0].label, "openai");
    CHECK_EQ_UINT(figures[0].counters[RAAF_COUNT_RETRIES], 3);
    CHECK_EQ_CSTR(figures[1].label, "azure");
    CHECK_EQ_UINT(figures[1].counters[RAAF_COUNT_RETRIES], 4);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, 0, RAAF_BY_MODEL, figures), 2);
    CHECK_EQ_CSTR(figures[0].label, "gpt-4o");
    CHECK_EQ_UINT(figures[0].counters[RAAF_COUNT_RETRIES], 5);
    CHECK_EQ_CSTR(figures[1].label, "gpt-4.1");
    CHECK_EQ_UINT(figures[1].counters[RAAF_COUNT_RETRIES], 2);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 1, 9, RAAF_BY_MODEL, figures), 0);
    raaf_analytics_free(analytics);
}

TEST(analytics_shows_a_label_of_which_one_runs) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];

    raaf_series_stream_started(series_of(analytics, "openai", "gpt-4o"));
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 5, 9, RAAF_BY_PROVIDER, figures), 1);
    CHECK_EQ_INT(figures[0].running, 1);
    CHECK_EQ_UINT(figures[0].counters[RAAF_COUNT_STREAMS_STARTED], 0);
    raaf_analytics_free(analytics);
}

TEST(analytics_calls_further_labels_other) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];
    char model[32];

    for (int i = 1; i < 100; i++) {
        snprintf(model, sizeof model, "model-%d", i);
        count_retries(series_of(analytics, "openai", model), 1);
    }
    CHECK_EQ_UINT(retries_of(analytics), 99);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, 0, RAAF_BY_MODEL, figures),
                 RAAF_ANALYTICS_LABELS);
    CHECK_EQ_CSTR(figures[0].label, "other");
    CHECK_EQ_UINT(figures[0].counters[RAAF_COUNT_RETRIES], 99 - (RAAF_ANALYTICS_LABELS - 1));
    CHECK_EQ_CSTR(figures[1].label, "model-1");
    CHECK_EQ_PTR(series_of(analytics, "openai", "model-15"), analytics->series[15]);
    CHECK_EQ_PTR(series_of(analytics, "openai", "model-16"), analytics->series[0]);
    raaf_analytics_free(analytics);
}

TEST(analytics_calls_further_kinds_of_failures_other) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");
    char name[32];

    for (int i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "Error%d", i);
        raaf_series_stream_ended(series, RAAF_STREAM_FAILED, slice(name), 0);
    }
    raaf_figures_t all = all_of(analytics);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_FAILED], 99);
    CHECK_EQ_UINT(all.failures[0], 99 - (RAAF_ANALYTICS_FAILURES - 1));
    CHECK_EQ_UINT(all.failures[31], 1);
    CHECK_EQ_CSTR(analytics->failures[31], "Error31");
    raaf_analytics_free(analytics);
}

TEST(analytics_cuts_long_labels_between_characters) {
    raaf_analytics_t *analytics = analytics_at(0);
    char model[301];

    memset(model, 'm', sizeof model);
    memcpy(model + 126, "\xC3\xB6", 2); /* its second byte would be the 128th */
    raaf_series_t *series =
        raaf_analytics_series(analytics, slice("p"), (raaf_slice_t){model, 300});
    CHECK_EQ_STR(model, 126, series->model);
    CHECK_EQ_PTR(raaf_analytics_series(analytics, slice("p"), (raaf_slice_t){model, 200}), series);
    raaf_analytics_free(analytics);
}

/* ---- slots ---- */

TEST(analytics_divides_time_into_minutes) {
    raaf_analytics_t *analytics = analytics_at(59);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    CHECK_EQ_INT(raaf_analytics_slot(-1), -1);
    CHECK_EQ_INT(raaf_analytics_slot(-60), -1);
    CHECK_EQ_INT(raaf_analytics_slot(-61), -2);
    count_retries(series, 1);
    atomic_store(&seconds, 60);
    count_retries(series, 2);
    atomic_store(&seconds, 119);
    count_retries(series, 4);
    atomic_store(&seconds, 120);
    count_retries(series, 8);
    CHECK_EQ_UINT(retries_between(analytics, 0, 0), 1);
    CHECK_EQ_UINT(retries_between(analytics, 1, 1), 6);
    CHECK_EQ_UINT(retries_between(analytics, 1, 2), 14);
    CHECK_EQ_UINT(retries_between(analytics, 3, INT64_MAX), 0);
    CHECK_EQ_UINT(retries_between(analytics, 2, 1), 0);
    raaf_analytics_free(analytics);
}

TEST(analytics_uses_a_cell_again_when_its_slot_is_old) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");
    size_t memory = 0;

    for (int64_t minute = 0; minute < 3 * RAAF_ANALYTICS_SLOTS; minute++) {
        atomic_store(&seconds, minute * 60);
        count_retries(series, 1);
        raaf_series_measure(series, RAAF_MEASURE_GAP, 5);
        if (minute % 23 && minute != RAAF_ANALYTICS_SLOTS) continue; /* it takes a sanitizer long */
        const uint64_t known = minute < RAAF_ANALYTICS_SLOTS ? minute + 1 : RAAF_ANALYTICS_SLOTS;
        CHECK_EQ_UINT(retries_of(analytics), known);
        CHECK_EQ_UINT(all_of(analytics).measured[RAAF_MEASURE_GAP].count, known);
        CHECK_EQ_UINT(retries_between(analytics, minute - RAAF_ANALYTICS_SLOTS, minute - 1),
                      known - 1);
        if (minute == RAAF_ANALYTICS_SLOTS) memory = raaf_analytics_memory(analytics);
    }
    CHECK_EQ_UINT(raaf_analytics_memory(analytics), memory);
    CHECK(memory < (size_t)1400 * 1024);
    raaf_analytics_free(analytics);
}

TEST(analytics_forgets_what_is_long_ago_although_nothing_came_since) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    count_retries(series, 1);
    atomic_store(&seconds, (int64_t)60 * 60 * 24 * 365);
    CHECK_EQ_UINT(retries_between(analytics, raaf_analytics_slot(seconds) - 59, INT64_MAX), 0);
    count_retries(series, 2);
    CHECK_EQ_UINT(retries_between(analytics, raaf_analytics_slot(seconds) - 59, INT64_MAX), 2);
    raaf_analytics_free(analytics);
}

TEST(analytics_bears_a_clock_that_is_set) {
    raaf_analytics_t *analytics = analytics_at(10 * 60);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    count_retries(series, 1);
    atomic_store(&seconds, 5 * 60); /* back */
    count_retries(series, 2);
    CHECK_EQ_UINT(retries_between(analytics, 5, 5), 2);
    CHECK_EQ_UINT(retries_between(analytics, 10, 10), 1);
    atomic_store(&seconds, 10 * 60); /* there again */
    count_retries(series, 4);
    CHECK_EQ_UINT(retries_between(analytics, 10, 10), 5);
    atomic_store(&seconds,
                 (10 + RAAF_ANALYTICS_SLOTS) * 60); /* on, to the same place in the ring */
    count_retries(series, 8);
    atomic_store(&seconds, 10 * 60); /* and back to it */
    count_retries(series, 16);
    CHECK_EQ_UINT(retries_between(analytics, 10, 10), 16);
    atomic_store(&seconds, -90); /* before 1970 */
    count_retries(series, 32);
    CHECK_EQ_UINT(retries_between(analytics, -2, -2), 32);
    atomic_store(&seconds, INT64_MAX);
    count_retries(series, 64);
    atomic_store(&seconds, INT64_MIN);
    count_retries(series, 128);
    CHECK_EQ_UINT(retries_of(analytics), 2 + 16 + 32 + 64 + 128);
    raaf_analytics_free(analytics);
}

TEST(analytics_forgets_on_demand) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");

    raaf_series_stream_started(series);
    count_retries(series, 1);
    raaf_series_measure(series, RAAF_MEASURE_GAP, 5);
    raaf_analytics_reset(analytics);
    raaf_figures_t all = all_of(analytics);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_STARTED], 0);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_RETRIES], 0);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_GAP].count, 0);
    CHECK_EQ_INT(all.running, 1);
    count_retries(series, 2);
    CHECK_EQ_UINT(retries_of(analytics), 2);
    raaf_analytics_free(analytics);
}

/* ---- memory, processes ---- */

TEST(analytics_lives_without_memory) {
    for (long allocations = 0; allocations < 2; allocations++) {
        memory_runs_out_after(allocations);
        CHECK_EQ_PTR(raaf_analytics_new(NULL), NULL);
        memory_is_back();
    }
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];
    memory_runs_out_after(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");
    CHECK_EQ_PTR(series, analytics->series[0]);
    count_retries(series, 1);
    raaf_series_measure(series, RAAF_MEASURE_GAP, 1);
    raaf_cell_chunks(NULL, RAAF_CHUNK_CONTENT, 1);
    raaf_cell_sizes(NULL, NULL, 0, 0);
    raaf_series_stream_started(series);
    raaf_series_stream_ended(series, RAAF_STREAM_FAILED, slice("E"), 1);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, 0, RAAF_BY_NOTHING, figures),
                 RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_UINT(atomic_load(&analytics->lost), 4);
    CHECK_EQ_UINT(retries_of(analytics), 0);
    CHECK_EQ_INT(all_of(analytics).running, 0);
    count_retries(series, 1);
    CHECK_EQ_UINT(retries_of(analytics), 1);
    raaf_analytics_free(analytics);
}

TEST(analytics_counts_nothing_for_no_series) {
    CHECK_EQ_PTR(raaf_series_cell(NULL), NULL);
    count_retries(NULL, 1);
    raaf_series_stream_started(NULL);
    raaf_series_stream_ended(NULL, RAAF_STREAM_COMPLETED, slice(""), 1);
    raaf_series_stream_dropped(NULL);
}

TEST(analytics_of_a_process_begin_anew_in_its_child) {
    raaf_analytics_t *parents = raaf_analytics_process();

    CHECK_EQ_PTR(raaf_analytics_process(), parents);
    count_retries(series_of(parents, "openai", "gpt-4o"), 3);
    raaf_analytics_forget();
    raaf_analytics_t *childs = raaf_analytics_process();
    CHECK(childs != parents);
    CHECK_EQ_UINT(retries_of(childs), 0);
    raaf_analytics_forget();
    raaf_analytics_free(parents);
    raaf_analytics_free(childs);
}

/* ---- against a plain account ---- */

TEST(analytics_agree_with_a_plain_account) {
    enum { MINUTES = 1000, LABELS = 4 };
    static uint64_t account[LABELS][MINUTES];
    static const char *const models[LABELS] = {"a", "b", "c", "d"};
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];
    uint64_t random = 99;
    int64_t minute = 0;

    memset(account, 0, sizeof account);
    for (int i = 0; i < 4000; i++) {
        minute += (int64_t)random_below(&random, 4) == 0;
        if (minute == MINUTES) break;
        atomic_store(&seconds, minute * 60 + (int64_t)random_below(&random, 60));
        const size_t label = random_below(&random, LABELS), more = random_below(&random, 9);
        count_retries(series_of(analytics, "p", models[label]), more);
        account[label][minute] += more;
        if (i % 50) continue;
        const int64_t known = minute - (RAAF_ANALYTICS_SLOTS - 1);
        int64_t first = known > 0 ? known : 0;
        first += (int64_t)random_below(&random, (size_t)(minute - first) + 1);
        const int64_t last = first + (int64_t)random_below(&random, (size_t)(minute - first) + 1);
        int found = raaf_analytics_summarise(analytics, first, last, RAAF_BY_MODEL, figures);
        uint64_t sums[LABELS] = {0};
        for (size_t j = 0; j < LABELS; j++)
            for (int64_t at = first; at <= last; at++)
                sums[j] += account[j][at];
        for (int j = 0; j < found; j++) {
            const size_t which = (size_t)(figures[j].label[0] - 'a');
            CHECK_EQ_UINT(figures[j].counters[RAAF_COUNT_RETRIES], sums[which]);
            sums[which] = 0;
        }
        for (size_t j = 0; j < LABELS; j++)
            CHECK_EQ_UINT(sums[j], 0);
    }
    raaf_analytics_free(analytics);
}

/* ---- threads ---- */

#define THREADS 8
#define EACH 2000

/* Each moves the clock on now and then, so that all of them begin slots. */
static void *count_much(void *context) {
    raaf_analytics_t *analytics = context;
    char model[32];

    for (int i = 0; i < EACH; i++) {
        snprintf(model, sizeof model, "model-%d", i % 5);
        raaf_series_t *series = series_of(analytics, "openai", model);
        raaf_series_stream_started(series);
        raaf_series_measure(series, RAAF_MEASURE_GAP, (uint64_t)i);
        if (i % 3)
            raaf_series_stream_ended(series, RAAF_STREAM_FAILED, slice(model), 1);
        else
            raaf_series_stream_dropped(series);
        if (i % 200 == 0) atomic_fetch_add(&seconds, 60);
    }
    return NULL;
}

/* Less than one turn of the ring, so that nothing may be missing. */
TEST(analytics_loses_nothing_between_threads) {
    raaf_analytics_t *analytics = analytics_at(1700000000);
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_much, analytics);
    while (all_of(analytics).counters[RAAF_COUNT_STREAMS_STARTED] < (uint64_t)THREADS * EACH)
        raaf_analytics_summarise(analytics, 0, INT64_MAX, RAAF_BY_MODEL, figures);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    raaf_figures_t all = all_of(analytics);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_GAP].count, THREADS * EACH);
    CHECK_EQ_UINT(all.measured[RAAF_MEASURE_GAP].sum, (uint64_t)THREADS * EACH * (EACH - 1) / 2);
    CHECK_EQ_INT(all.running, 0);
    CHECK_EQ_UINT(all.counters[RAAF_COUNT_STREAMS_FAILED] +
                      all.counters[RAAF_COUNT_STREAMS_CANCELLED],
                  THREADS * EACH);
    CHECK_EQ_INT(raaf_analytics_summarise(analytics, 0, INT64_MAX, RAAF_BY_MODEL, figures), 5);
    raaf_analytics_free(analytics);
}

static void *count_across_turns(void *context) {
    raaf_series_t *series = context;

    for (int i = 0; i < EACH; i++) {
        count_retries(series, 1);
        atomic_fetch_add(&seconds, 20);
    }
    return NULL;
}

/* Slots are begun all the time here, also under who reads: no more than the ring holds is seen. */
TEST(analytics_may_be_read_and_reset_while_slots_begin) {
    raaf_analytics_t *analytics = analytics_at(0);
    raaf_series_t *series = series_of(analytics, "openai", "gpt-4o");
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, count_across_turns, series);
    for (int i = 0; i < 50; i++) {
        CHECK(retries_of(analytics) <= (uint64_t)THREADS * EACH);
        if (i % 10 == 0) raaf_analytics_reset(analytics);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(raaf_analytics_memory(analytics) < sizeof(raaf_analytics_t) + 2 * sizeof(raaf_series_t) +
                                                 (RAAF_ANALYTICS_SLOTS + 1) * sizeof(raaf_cell_t));
    raaf_analytics_reset(analytics);
    CHECK_EQ_UINT(retries_of(analytics), 0);
    raaf_analytics_free(analytics);
}
