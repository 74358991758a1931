#include "call_window.h"

#include <stdlib.h>
#include <string.h>

enum { OUTCOME_FAILED = 1, OUTCOME_SLOW = 2 };

/*
 * A call comes late if its generation is one of so many before the window's. All others are newer:
 * a breaker may go through millions while nothing is added.
 */
#define LATE_GENERATIONS 4096

raaf_call_window_t *raaf_call_window_new(size_t calls, uint64_t duration) {
    raaf_call_window_t *window = calloc(1, sizeof *window);
    if (!window) return NULL;
    window->size = calls;
    window->width = duration / RAAF_CALL_WINDOW_PARTS + (duration % RAAF_CALL_WINDOW_PARTS != 0);
    if (window->width == 0) window->width = 1;
    if (calls) window->outcomes = malloc(calls);
    if ((calls && !window->outcomes) || pthread_mutex_init(&window->mutex, NULL) != 0) {
        free(window->outcomes);
        free(window);
        return NULL;
    }
    return window;
}

void raaf_call_window_free(raaf_call_window_t *window) {
    if (!window) return;
    pthread_mutex_destroy(&window->mutex);
    free(window->outcomes);
    free(window);
}

static void add(raaf_call_counts_t *counts, uint8_t outcome) {
    counts->calls++;
    counts->failures += (outcome & OUTCOME_FAILED) != 0;
    counts->slow += (outcome & OUTCOME_SLOW) != 0;
}

static void subtract(raaf_call_counts_t *counts, raaf_call_counts_t other) {
    counts->calls -= other.calls;
    counts->failures -= other.failures;
    counts->slow -= other.slow;
}

/* Mutex held. */
static void add_by_number(raaf_call_window_t *window, uint8_t outcome) {
    if (window->total.calls == window->size) {
        raaf_call_counts_t oldest = {0};
        add(&oldest, window->outcomes[window->next]);
        subtract(&window->total, oldest);
    }
    window->outcomes[window->next] = outcome;
    window->next = (window->next + 1) % window->size;
    add(&window->total, outcome);
}

/* Mutex held. Empties the parts that are too old at [now]; a clock that goes back moves nothing. */
static void let_time_pass(raaf_call_window_t *window, uint64_t now) {
    uint64_t part = now / window->width;
    if (part <= window->newest) return;
    uint64_t passed = part - window->newest;
    if (passed > RAAF_CALL_WINDOW_PARTS) passed = RAAF_CALL_WINDOW_PARTS;
    for (uint64_t i = 0; i < passed; i++) {
        raaf_call_counts_t *oldest = &window->parts[(part - i) % RAAF_CALL_WINDOW_PARTS];
        subtract(&window->total, *oldest);
        memset(oldest, 0, sizeof *oldest);
    }
    window->newest = part;
}

/* Mutex held. */
static void add_by_time(raaf_call_window_t *window, uint64_t now, uint8_t outcome) {
    let_time_pass(window, now);
    add(&window->parts[window->newest % RAAF_CALL_WINDOW_PARTS], outcome);
    add(&window->total, outcome);
}

/* Mutex held. */
static void empty(raaf_call_window_t *window, uint32_t generation) {
    window->generation = generation;
    memset(&window->total, 0, sizeof window->total);
    memset(window->parts, 0, sizeof window->parts);
    window->next = 0;
}

static bool is_late(const raaf_call_window_t *window, uint32_t generation) {
    const uint32_t behind = (window->generation - generation) & RAAF_GENERATION_MASK;
    return behind != 0 && behind <= LATE_GENERATIONS;
}

bool raaf_call_window_add(raaf_call_window_t *window, uint32_t generation, uint64_t now,
                          bool failed, bool slow, raaf_call_counts_t *counts) {
    const uint8_t outcome = (failed ? OUTCOME_FAILED : 0) | (slow ? OUTCOME_SLOW : 0);
    pthread_mutex_lock(&window->mutex);
    const bool taken = !is_late(window, generation);
    if (taken) {
        if (generation != window->generation) empty(window, generation);
        if (window->size)
            add_by_number(window, outcome);
        else
            add_by_time(window, now, outcome);
        *counts = window->total;
    }
    pthread_mutex_unlock(&window->mutex);
    return taken;
}

raaf_call_counts_t raaf_call_window_counts(raaf_call_window_t *window, uint32_t generation,
                                           uint64_t now) {
    raaf_call_counts_t counts = {0};
    pthread_mutex_lock(&window->mutex);
    if (generation == window->generation) {
        if (!window->size) let_time_pass(window, now);
        counts = window->total;
    }
    pthread_mutex_unlock(&window->mutex);
    return counts;
}

size_t raaf_call_window_bytes(const raaf_call_window_t *window) {
    return sizeof *window + window->size;
}
