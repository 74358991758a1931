#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "analytics.h"

#include "result_code.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NO_SLOT INT64_MIN
#define LOOKS 4 /* at cells that begin another slot while they are read */

static const char other[] = "other";
static raaf_analytics_t *process_analytics; /* GVL */

/* Slots are named in people's time, so that they can be asked for by it. */
static int64_t system_clock(void) {
    return (int64_t)time(NULL);
}

int64_t raaf_analytics_slot(int64_t seconds) {
    const int64_t slot = seconds / RAAF_ANALYTICS_SLOT_SECONDS;
    return seconds % RAAF_ANALYTICS_SLOT_SECONDS < 0 ? slot - 1 : slot;
}

/* ---- labels ---- */

/* Cuts what is too long, between characters. [room] has RAAF_ANALYTICS_MAX_LABEL bytes and a NUL's. */
static void keep_label(char *room, raaf_slice_t label) {
    size_t len = label.len;
    if (len > RAAF_ANALYTICS_MAX_LABEL) {
        len = RAAF_ANALYTICS_MAX_LABEL;
        while (len && ((unsigned char)label.bytes[len] & 0xC0) == 0x80)
            len--;
    }
    if (len) memcpy(room, label.bytes, len);
    room[len] = '\0';
}

/* The place of the series of that label; [count] if there is none. */
static size_t find_series(raaf_analytics_t *analytics, const char *provider, const char *model,
                          size_t count) {
    size_t i = 0;
    while (i < count && (strcmp(analytics->series[i]->provider, provider) != 0 ||
                         strcmp(analytics->series[i]->model, model) != 0))
        i++;
    return i;
}

/* Mutex held, or nobody else knows it. Returns false where there is no room or no memory. */
static bool add_series(raaf_analytics_t *analytics, const char *provider, const char *model) {
    const size_t count = atomic_load_explicit(&analytics->series_count, memory_order_relaxed);
    if (count == RAAF_ANALYTICS_LABELS) return false;
    raaf_series_t *series = calloc(1, sizeof *series);
    if (!series) return false;
    series->analytics = analytics;
    strcpy(series->provider, provider);
    strcpy(series->model, model);
    for (size_t i = 0; i < RAAF_ANALYTICS_SLOTS; i++)
        atomic_init(&series->cells[i], NULL);
    atomic_init(&series->running, 0);
    atomic_init(&series->dropped, 0);
    analytics->series[count] = series;
    atomic_store_explicit(&analytics->series_count, count + 1, memory_order_release);
    return true;
}

raaf_series_t *raaf_analytics_series(raaf_analytics_t *analytics, raaf_slice_t provider,
                                     raaf_slice_t model) {
    char own_provider[RAAF_ANALYTICS_MAX_LABEL + 1], own_model[RAAF_ANALYTICS_MAX_LABEL + 1];
    keep_label(own_provider, provider);
    keep_label(own_model, model);
    size_t count = atomic_load_explicit(&analytics->series_count, memory_order_acquire);
    size_t at = find_series(analytics, own_provider, own_model, count);
    if (at < count) return analytics->series[at];
    if (count == RAAF_ANALYTICS_LABELS) return analytics->series[0];
    pthread_mutex_lock(&analytics->mutex);
    count = atomic_load_explicit(&analytics->series_count, memory_order_relaxed);
    at = find_series(analytics, own_provider, own_model, count);
    if (at == count && !add_series(analytics, own_provider, own_model)) at = 0;
    pthread_mutex_unlock(&analytics->mutex);
    return analytics->series[at];
}

/* As for series: the place of that kind of failure, 0 for what has none of its own. */
static size_t failure_of(raaf_analytics_t *analytics, raaf_slice_t failure) {
    char own[RAAF_ANALYTICS_MAX_LABEL + 1];
    keep_label(own, failure);
    pthread_mutex_lock(&analytics->mutex);
    const size_t count = atomic_load_explicit(&analytics->failure_count, memory_order_relaxed);
    size_t at = 0;
    while (at < count && strcmp(analytics->failures[at], own) != 0)
        at++;
    if (at == RAAF_ANALYTICS_FAILURES) {
        at = 0;
    } else if (at == count) {
        strcpy(analytics->failures[at], own);
        atomic_store_explicit(&analytics->failure_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&analytics->mutex);
    return at;
}

/* ---- beginning and end ---- */

raaf_analytics_t *raaf_analytics_new(raaf_day_clock_fn clock) {
    raaf_analytics_t *analytics = calloc(1, sizeof *analytics);
    if (!analytics) return NULL;
    analytics->clock = clock ? clock : system_clock;
    atomic_init(&analytics->lost, 0);
    atomic_init(&analytics->series_count, 0);
    atomic_init(&analytics->failure_count, 1);
    strcpy(analytics->failures[0], other);
    if (!add_series(analytics, other, other)) goto fail;
    if (pthread_mutex_init(&analytics->mutex, NULL) != 0) goto fail;
    return analytics;

fail:
    free(analytics->series[0]);
    free(analytics);
    return NULL;
}

void raaf_analytics_free(raaf_analytics_t *analytics) {
    if (!analytics) return;
    const size_t count = atomic_load(&analytics->series_count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < RAAF_ANALYTICS_SLOTS; j++)
            free(atomic_load(&analytics->series[i]->cells[j]));
        free(analytics->series[i]);
    }
    pthread_mutex_destroy(&analytics->mutex);
    free(analytics);
}

raaf_analytics_t *raaf_analytics_process(void) {
    if (!process_analytics) process_analytics = raaf_analytics_new(NULL);
    return process_analytics;
}

/* Given up, not freed: another thread of the parent may have been writing to it. */
void raaf_analytics_forget(void) {
    process_analytics = NULL;
}

/* ---- cells ---- */

static _Atomic(raaf_cell_t *) *place_of(raaf_series_t *series, int64_t slot) {
    const int64_t rest = slot % RAAF_ANALYTICS_SLOTS;
    return &series->cells[rest < 0 ? rest + RAAF_ANALYTICS_SLOTS : rest];
}

static int64_t slot_of(raaf_cell_t *cell) {
    return atomic_load_explicit(&cell->slot, memory_order_acquire);
}

/* As raaf_histogram_clear. */
static void clear(_Atomic uint64_t *counts, size_t len) {
    for (size_t i = 0; i < len; i++)
        atomic_store_explicit(&counts[i], 0, memory_order_release);
}

/*
 * Mutex held. Whoever reads it meanwhile finds the slot changed afterwards: that it is none is
 * written before the first zero, and each zero releases what was written before it.
 */
static void begin_slot(raaf_cell_t *cell, int64_t slot) {
    atomic_store_explicit(&cell->slot, NO_SLOT, memory_order_relaxed);
    clear(cell->counters, RAAF_COUNTER_COUNT);
    clear(cell->chunks, RAAF_ANALYTICS_CHUNKS);
    clear(cell->failures, RAAF_ANALYTICS_FAILURES);
    for (size_t i = 0; i < RAAF_MEASURE_COUNT; i++)
        raaf_histogram_clear(&cell->histograms[i]);
    atomic_store_explicit(&cell->slot, slot, memory_order_release);
}

/* The first who counts something in a slot gets here. */
static raaf_cell_t *turn_over(raaf_series_t *series, int64_t slot) {
    _Atomic(raaf_cell_t *) *place = place_of(series, slot);
    raaf_analytics_t *analytics = series->analytics;
    pthread_mutex_lock(&analytics->mutex);
    raaf_cell_t *cell = atomic_load_explicit(place, memory_order_relaxed);
    const bool fresh = !cell;
    if (fresh) cell = malloc(sizeof *cell);
    if (!cell)
        atomic_fetch_add_explicit(&analytics->lost, 1, memory_order_relaxed);
    else if (fresh || slot_of(cell) != slot)
        begin_slot(cell, slot);
    if (fresh) atomic_store_explicit(place, cell, memory_order_release);
    pthread_mutex_unlock(&analytics->mutex);
    return cell;
}

raaf_cell_t *raaf_series_cell(raaf_series_t *series) {
    if (!series) return NULL;
    const int64_t slot = raaf_analytics_slot(series->analytics->clock());
    raaf_cell_t *cell = atomic_load_explicit(place_of(series, slot), memory_order_acquire);
    return cell && slot_of(cell) == slot ? cell : turn_over(series, slot);
}

void raaf_analytics_reset(raaf_analytics_t *analytics) {
    pthread_mutex_lock(&analytics->mutex);
    const size_t count = atomic_load_explicit(&analytics->series_count, memory_order_relaxed);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < RAAF_ANALYTICS_SLOTS; j++) {
            raaf_cell_t *cell =
                atomic_load_explicit(&analytics->series[i]->cells[j], memory_order_relaxed);
            if (cell) atomic_store_explicit(&cell->slot, NO_SLOT, memory_order_release);
        }
    }
    pthread_mutex_unlock(&analytics->mutex);
}

size_t raaf_analytics_memory(raaf_analytics_t *analytics) {
    const size_t count = atomic_load_explicit(&analytics->series_count, memory_order_acquire);
    size_t size = sizeof *analytics + count * sizeof(raaf_series_t);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < RAAF_ANALYTICS_SLOTS; j++)
            if (atomic_load_explicit(&analytics->series[i]->cells[j], memory_order_relaxed))
                size += sizeof(raaf_cell_t);
    return size;
}

/* ---- counting ---- */

static void add(_Atomic uint64_t *count, uint64_t more) {
    atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

void raaf_cell_count(raaf_cell_t *cell, raaf_counter_t counter, uint64_t more) {
    if (cell) add(&cell->counters[counter], more);
}

void raaf_cell_chunks(raaf_cell_t *cell, size_t type, uint64_t more) {
    if (cell) add(&cell->chunks[type], more);
}

void raaf_cell_measure(raaf_cell_t *cell, raaf_measure_t measure, uint64_t value) {
    if (cell) raaf_histogram_add(&cell->histograms[measure], value);
}

void raaf_cell_sizes(raaf_cell_t *cell, const uint32_t *counts, size_t len, uint64_t sum) {
    if (cell) raaf_histogram_add_counts(&cell->histograms[RAAF_MEASURE_SIZE], counts, len, sum);
}

void raaf_series_count(raaf_series_t *series, raaf_counter_t counter, uint64_t more) {
    raaf_cell_count(raaf_series_cell(series), counter, more);
}

void raaf_series_measure(raaf_series_t *series, raaf_measure_t measure, uint64_t value) {
    raaf_cell_measure(raaf_series_cell(series), measure, value);
}

/* Counts those of which the garbage collector said that nobody will hear their end. */
static void count_dropped(raaf_series_t *series) {
    if (!atomic_load_explicit(&series->dropped, memory_order_relaxed)) return;
    const uint64_t dropped = atomic_exchange_explicit(&series->dropped, 0, memory_order_relaxed);
    if (dropped) raaf_series_count(series, RAAF_COUNT_STREAMS_CANCELLED, dropped);
}

/* Who reads that there is one of the kind reads its name after that. */
static void count_failure(raaf_cell_t *cell, size_t kind) {
    atomic_fetch_add_explicit(&cell->failures[kind], 1, memory_order_release);
}

void raaf_series_stream_started(raaf_series_t *series) {
    if (!series) return;
    count_dropped(series);
    atomic_fetch_add_explicit(&series->running, 1, memory_order_relaxed);
    raaf_series_count(series, RAAF_COUNT_STREAMS_STARTED, 1);
}

void raaf_series_stream_ended(raaf_series_t *series, raaf_stream_end_t end, raaf_slice_t failure,
                              uint64_t duration_us) {
    if (!series) return;
    atomic_fetch_sub_explicit(&series->running, 1, memory_order_relaxed);
    raaf_cell_t *cell = raaf_series_cell(series);
    switch (end) {
    case RAAF_STREAM_COMPLETED:
        raaf_cell_count(cell, RAAF_COUNT_STREAMS_COMPLETED, 1);
        raaf_cell_measure(cell, RAAF_MEASURE_DURATION, duration_us);
        break;
    case RAAF_STREAM_FAILED:
        raaf_cell_count(cell, RAAF_COUNT_STREAMS_FAILED, 1);
        if (cell) count_failure(cell, failure_of(series->analytics, failure));
        break;
    case RAAF_STREAM_CANCELLED:
        raaf_cell_count(cell, RAAF_COUNT_STREAMS_CANCELLED, 1);
        break;
    }
}

void raaf_series_stream_dropped(raaf_series_t *series) {
    if (!series) return;
    atomic_fetch_sub_explicit(&series->running, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&series->dropped, 1, memory_order_relaxed);
}

/* ---- reading ---- */

typedef struct gathered {
    raaf_distribution_t distributions[RAAF_MEASURE_COUNT];
    bool anything;
    bool torn; /* a cell began another slot while it was read */
} gathered_t;

static void sum_up(uint64_t *sums, _Atomic uint64_t *counts, size_t len) {
    for (size_t i = 0; i < len; i++)
        sums[i] += atomic_load_explicit(&counts[i], memory_order_acquire);
}

static void gather_cell(raaf_cell_t *cell, int64_t slot, gathered_t *gathered,
                        raaf_figures_t *figures) {
    gathered->anything = true;
    sum_up(figures->counters, cell->counters, RAAF_COUNTER_COUNT);
    sum_up(figures->chunks, cell->chunks, RAAF_ANALYTICS_CHUNKS);
    sum_up(figures->failures, cell->failures, RAAF_ANALYTICS_FAILURES);
    for (size_t i = 0; i < RAAF_MEASURE_COUNT; i++)
        raaf_histogram_merge(&cell->histograms[i], &gathered->distributions[i]);
    if (slot_of(cell) != slot) gathered->torn = true;
}

static void gather_series(raaf_series_t *series, int64_t first, int64_t last, gathered_t *gathered,
                          raaf_figures_t *figures) {
    const int64_t running = atomic_load_explicit(&series->running, memory_order_relaxed);
    figures->running += running;
    if (running) gathered->anything = true;
    for (size_t i = 0; i < RAAF_ANALYTICS_SLOTS; i++) {
        raaf_cell_t *cell = atomic_load_explicit(&series->cells[i], memory_order_acquire);
        if (!cell) continue;
        const int64_t slot = slot_of(cell);
        if (slot != NO_SLOT && slot >= first && slot <= last)
            gather_cell(cell, slot, gathered, figures);
    }
}

static const char *label_of(const raaf_series_t *series, raaf_grouping_t grouping) {
    if (grouping == RAAF_BY_NOTHING) return NULL;
    return grouping == RAAF_BY_PROVIDER ? series->provider : series->model;
}

/* Whether a series before this one has the same label. */
static bool is_repeated(raaf_analytics_t *analytics, size_t place, raaf_grouping_t grouping) {
    if (grouping == RAAF_BY_NOTHING) return place > 0;
    const char *label = label_of(analytics->series[place], grouping);
    for (size_t i = 0; i < place; i++)
        if (strcmp(label_of(analytics->series[i], grouping), label) == 0) return true;
    return false;
}

/* All series with the label of that one. */
static void gather_label(raaf_analytics_t *analytics, size_t place, size_t count, int64_t first,
                         int64_t last, raaf_grouping_t grouping, gathered_t *gathered,
                         raaf_figures_t *figures) {
    const char *label = label_of(analytics->series[place], grouping);
    for (int look = 0; look < LOOKS; look++) {
        memset(gathered, 0, sizeof *gathered);
        memset(figures, 0, sizeof *figures);
        figures->label = label;
        for (size_t i = place; i < count; i++)
            if (!label || strcmp(label_of(analytics->series[i], grouping), label) == 0)
                gather_series(analytics->series[i], first, last, gathered, figures);
        if (!gathered->torn) return;
    }
}

static void measure_all(const gathered_t *gathered, raaf_figures_t *figures) {
    for (size_t i = 0; i < RAAF_MEASURE_COUNT; i++) {
        const raaf_distribution_t *found = &gathered->distributions[i];
        figures->measured[i] = (raaf_measured_t){
            .count = found->count,
            .sum = found->sum,
            .mean = raaf_distribution_mean(found),
            .p50 = raaf_distribution_quantile(found, 0.5),
            .p95 = raaf_distribution_quantile(found, 0.95),
            .p99 = raaf_distribution_quantile(found, 0.99),
            .max = raaf_distribution_quantile(found, 1),
        };
    }
}

int raaf_analytics_summarise(raaf_analytics_t *analytics, int64_t first, int64_t last,
                             raaf_grouping_t grouping, raaf_figures_t *figures) {
    gathered_t *gathered = malloc(sizeof *gathered);
    if (!gathered) return RAAF_NO_MEMORY;
    const size_t count = atomic_load_explicit(&analytics->series_count, memory_order_acquire);
    int written = 0;
    for (size_t i = 0; i < count; i++)
        count_dropped(analytics->series[i]);
    for (size_t i = 0; i < count; i++) {
        if (is_repeated(analytics, i, grouping)) continue;
        gather_label(analytics, i, count, first, last, grouping, gathered, &figures[written]);
        if (grouping != RAAF_BY_NOTHING && !gathered->anything) continue;
        measure_all(gathered, &figures[written++]);
    }
    free(gathered);
    return written;
}
