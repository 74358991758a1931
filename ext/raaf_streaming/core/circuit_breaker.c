#include "circuit_breaker.h"

#include "clock.h"

#include <stdlib.h>

/*
 * The word, from the top: 2 bits of state, 24 of generation, 38 that depend on the state:
 *
 *     CLOSED      failures in a row
 *     OPEN        until when, in milliseconds since the breaker was made (8 years of them)
 *     HALF_OPEN   16 bits of probes under way, 16 bits of probes that have succeeded
 */
enum { DETAIL_BITS = 38, PROBE_BITS = 16, STATE_SHIFT = DETAIL_BITS + RAAF_GENERATION_BITS };

#define DETAIL_MASK (((uint64_t)1 << DETAIL_BITS) - 1)
#define PROBE_MASK (((uint32_t)1 << PROBE_BITS) - 1)
#define NS_PER_MS 1000000u

static uint64_t word_of(raaf_breaker_state_t state, uint32_t generation, uint64_t detail) {
    return (uint64_t)state << STATE_SHIFT |
           (uint64_t)(generation & RAAF_GENERATION_MASK) << DETAIL_BITS | (detail & DETAIL_MASK);
}

static raaf_breaker_state_t state_of(uint64_t word) {
    return (raaf_breaker_state_t)(word >> STATE_SHIFT);
}

static uint32_t generation_of(uint64_t word) {
    return (uint32_t)(word >> DETAIL_BITS) & RAAF_GENERATION_MASK;
}

static uint64_t detail_of(uint64_t word) {
    return word & DETAIL_MASK;
}

static uint64_t half_open_word(uint32_t generation, uint32_t probes, uint32_t successes) {
    return word_of(RAAF_BREAKER_HALF_OPEN, generation, (uint64_t)successes << PROBE_BITS | probes);
}

static uint32_t probes_of(uint64_t word) {
    return (uint32_t)word & PROBE_MASK;
}

static uint32_t successes_of(uint64_t word) {
    return (uint32_t)(detail_of(word) >> PROBE_BITS);
}

/* ---- time ---- */

static uint64_t age(const raaf_breaker_t *breaker, uint64_t now) {
    return now > breaker->born_at ? now - breaker->born_at : 0;
}

/* The detail of an OPEN word. Rounded up, so that nobody is let through too early; no wait is none. */
static uint64_t deadline(const raaf_breaker_t *breaker, uint64_t now, uint64_t wait) {
    uint64_t ns = age(breaker, now);
    ns = ns > UINT64_MAX - wait ? UINT64_MAX : ns + wait;
    const uint64_t ms = ns / NS_PER_MS + (wait && ns % NS_PER_MS != 0);
    return ms < DETAIL_MASK ? ms : DETAIL_MASK;
}

/* Nanoseconds for which an OPEN word still holds. */
static uint64_t time_left(const raaf_breaker_t *breaker, uint64_t word, uint64_t now) {
    const uint64_t end = detail_of(word) * NS_PER_MS, at = age(breaker, now);
    return end > at ? end - at : 0;
}

/* ---- steps ---- */

/* One compare-and-swap; [word] gets what is there if it fails. */
static bool step(raaf_breaker_t *breaker, uint64_t *word, uint64_t next) {
    return atomic_compare_exchange_weak(&breaker->word, word, next);
}

static void note(raaf_breaker_change_t *change, uint64_t from, raaf_breaker_state_t to,
                 raaf_breaker_reason_t reason) {
    *change = (raaf_breaker_change_t){state_of(from), to, reason};
}

static void note_nothing(raaf_breaker_change_t *change, uint64_t word) {
    note(change, word, state_of(word), RAAF_BREAKER_UNCHANGED);
}

static uint64_t next_open(const raaf_breaker_t *breaker, uint64_t word, uint64_t now,
                          uint64_t wait) {
    return word_of(RAAF_BREAKER_OPEN, generation_of(word) + 1, deadline(breaker, now, wait));
}

static uint64_t next_closed(uint64_t word) {
    return word_of(RAAF_BREAKER_CLOSED, generation_of(word) + 1, 0);
}

/* ---- life ---- */

raaf_breaker_t *raaf_breaker_new(const raaf_breaker_settings_t *settings, uint64_t now) {
    raaf_breaker_t *breaker = calloc(1, sizeof *breaker);
    if (!breaker) return NULL;
    breaker->settings = *settings;
    breaker->born_at = now;
    atomic_init(&breaker->word, word_of(RAAF_BREAKER_CLOSED, 0, 0));
    atomic_init(&breaker->references, 1);
    if (!settings->window_calls && !settings->window_duration) return breaker;
    breaker->window = raaf_call_window_new(settings->window_calls, settings->window_duration);
    if (!breaker->window) {
        free(breaker);
        return NULL;
    }
    return breaker;
}

raaf_breaker_t *raaf_breaker_retain(raaf_breaker_t *breaker) {
    atomic_fetch_add(&breaker->references, 1);
    return breaker;
}

void raaf_breaker_release(raaf_breaker_t *breaker) {
    if (atomic_fetch_sub(&breaker->references, 1) != 1) return;
    raaf_call_window_free(breaker->window);
    free(breaker);
}

size_t raaf_breaker_bytes(const raaf_breaker_t *breaker) {
    return sizeof *breaker + (breaker->window ? raaf_call_window_bytes(breaker->window) : 0);
}

raaf_breaker_state_t raaf_breaker_state(const raaf_breaker_t *breaker) {
    return state_of(atomic_load(&breaker->word));
}

/* ---- before a call ---- */

bool raaf_breaker_enter(const raaf_breaker_t *breaker, raaf_breaker_permit_t *permit) {
    const uint64_t word = atomic_load(&breaker->word);
    if (state_of(word) != RAAF_BREAKER_CLOSED || breaker->settings.slow_call) return false;
    *permit = (raaf_breaker_permit_t){.generation = generation_of(word)};
    return true;
}

/* What follows [word] when a probe begins; [word] itself where none may. */
static uint64_t with_a_probe(const raaf_breaker_t *breaker, uint64_t word, uint64_t now) {
    if (state_of(word) == RAAF_BREAKER_OPEN)
        return time_left(breaker, word, now) ? word : half_open_word(generation_of(word) + 1, 1, 0);
    if (probes_of(word) >= breaker->settings.permits) return word;
    return half_open_word(generation_of(word), probes_of(word) + 1, successes_of(word));
}

bool raaf_breaker_acquire(raaf_breaker_t *breaker, uint64_t now, raaf_breaker_permit_t *permit,
                          raaf_breaker_change_t *change) {
    uint64_t word = atomic_load(&breaker->word), next;
    do {
        note_nothing(change, word);
        next = word;
        if (state_of(word) == RAAF_BREAKER_CLOSED) break;
        next = with_a_probe(breaker, word, now);
        if (next == word) return false;
    } while (!step(breaker, &word, next));
    if (state_of(word) != state_of(next)) note(change, word, state_of(next), RAAF_BREAKER_TIMEOUT);
    *permit = (raaf_breaker_permit_t){
        .begun_at = now,
        .generation = generation_of(next),
        .probe = state_of(next) == RAAF_BREAKER_HALF_OPEN,
    };
    return true;
}

bool raaf_breaker_probe_due(const raaf_breaker_t *breaker, uint64_t now) {
    const uint64_t word = atomic_load(&breaker->word);
    return state_of(word) == RAAF_BREAKER_OPEN && !time_left(breaker, word, now);
}

/* ---- after a call ---- */

bool raaf_breaker_leave(const raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit) {
    return !breaker->window &&
           atomic_load(&breaker->word) == word_of(RAAF_BREAKER_CLOSED, permit->generation, 0);
}

/* Opens it, if it is still in the permit's generation. */
static void open_from(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit, uint64_t now,
                      raaf_breaker_reason_t reason, raaf_breaker_change_t *change) {
    uint64_t word = atomic_load(&breaker->word), next;
    do {
        if (generation_of(word) != permit->generation) return;
        next = next_open(breaker, word, now, breaker->settings.timeout);
    } while (!step(breaker, &word, next));
    note(change, word, RAAF_BREAKER_OPEN, reason);
}

static void succeed_probe(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          raaf_breaker_change_t *change) {
    uint64_t word = atomic_load(&breaker->word), next;
    do {
        if (generation_of(word) != permit->generation) return;
        const uint32_t successes = successes_of(word) + 1;
        next = successes >= breaker->settings.success_threshold
                   ? next_closed(word)
                   : half_open_word(permit->generation, probes_of(word) - 1, successes);
    } while (!step(breaker, &word, next));
    if (state_of(next) == RAAF_BREAKER_CLOSED)
        note(change, word, RAAF_BREAKER_CLOSED, RAAF_BREAKER_PROBE_SUCCEEDED);
}

static void count_failure(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, raaf_breaker_change_t *change) {
    const uint64_t threshold = breaker->settings.failure_threshold;
    uint64_t word = atomic_load(&breaker->word), next;
    do {
        if (generation_of(word) != permit->generation) return;
        const uint64_t failures = detail_of(word) + 1;
        if (threshold && failures >= threshold)
            next = next_open(breaker, word, now, breaker->settings.timeout);
        else
            next = failures > RAAF_BREAKER_MOST_FAILURES
                       ? word
                       : word_of(RAAF_BREAKER_CLOSED, permit->generation, failures);
    } while (!step(breaker, &word, next));
    if (state_of(next) == RAAF_BREAKER_OPEN)
        note(change, word, RAAF_BREAKER_OPEN, RAAF_BREAKER_FAILURES);
}

static void forget_failures(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit) {
    uint64_t word = atomic_load(&breaker->word);
    while (generation_of(word) == permit->generation && detail_of(word) != 0 &&
           !step(breaker, &word, word_of(RAAF_BREAKER_CLOSED, permit->generation, 0)))
        continue;
}

static bool reaches(uint32_t part, uint32_t whole, uint32_t rate) {
    return rate && (uint64_t)part * RAAF_BREAKER_WHOLE >= (uint64_t)whole * rate;
}

/* Adds a call to the window, and opens where a rate is reached. */
static void look_at_rates(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, bool failed, bool slow, raaf_breaker_change_t *change) {
    const raaf_breaker_settings_t *settings = &breaker->settings;
    raaf_call_counts_t counts;
    if (generation_of(atomic_load(&breaker->word)) != permit->generation) return;
    if (!raaf_call_window_add(breaker->window, permit->generation, now, failed, slow, &counts))
        return;
    if (counts.calls < settings->minimum_calls) return;
    if (reaches(counts.failures, counts.calls, settings->failure_rate))
        open_from(breaker, permit, now, RAAF_BREAKER_FAILURE_RATE, change);
    else if (reaches(counts.slow, counts.calls, settings->slow_call_rate))
        open_from(breaker, permit, now, RAAF_BREAKER_SLOW_CALL_RATE, change);
}

static bool was_slow(const raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                     uint64_t now) {
    const uint64_t limit = breaker->settings.slow_call;
    return limit && now >= permit->begun_at && now - permit->begun_at >= limit;
}

static void end_call(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit, uint64_t now,
                     bool failed, raaf_breaker_change_t *change) {
    const bool slow = was_slow(breaker, permit, now);
    note_nothing(change, atomic_load(&breaker->word));
    if (permit->probe) {
        if (failed || (slow && breaker->settings.slow_call_rate))
            open_from(breaker, permit, now, RAAF_BREAKER_PROBE_FAILED, change);
        else
            succeed_probe(breaker, permit, change);
        return;
    }
    if (failed)
        count_failure(breaker, permit, now, change);
    else
        forget_failures(breaker, permit);
    if (breaker->window) look_at_rates(breaker, permit, now, failed, slow, change);
}

void raaf_breaker_success(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, raaf_breaker_change_t *change) {
    end_call(breaker, permit, now, false, change);
}

void raaf_breaker_failure(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, raaf_breaker_change_t *change) {
    end_call(breaker, permit, now, true, change);
}

void raaf_breaker_cancel(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit) {
    if (!permit->probe) return;
    uint64_t word = atomic_load(&breaker->word), next;
    do {
        if (generation_of(word) != permit->generation) return;
        next = half_open_word(permit->generation, probes_of(word) - 1, successes_of(word));
    } while (!step(breaker, &word, next));
}

/* ---- from outside ---- */

void raaf_breaker_trip(raaf_breaker_t *breaker, uint64_t now, uint64_t wait,
                       raaf_breaker_reason_t reason, raaf_breaker_change_t *change) {
    uint64_t word = atomic_load(&breaker->word);
    while (!step(breaker, &word, next_open(breaker, word, now, wait)))
        continue;
    if (state_of(word) == RAAF_BREAKER_OPEN) reason = RAAF_BREAKER_UNCHANGED;
    note(change, word, RAAF_BREAKER_OPEN, reason);
}

void raaf_breaker_reset(raaf_breaker_t *breaker, raaf_breaker_reason_t reason,
                        raaf_breaker_change_t *change) {
    uint64_t word = atomic_load(&breaker->word);
    while (!step(breaker, &word, next_closed(word)))
        continue;
    if (state_of(word) == RAAF_BREAKER_CLOSED) reason = RAAF_BREAKER_UNCHANGED;
    note(change, word, RAAF_BREAKER_CLOSED, reason);
}

void raaf_breaker_postpone(raaf_breaker_t *breaker, uint64_t now, uint64_t wait) {
    const uint64_t detail = deadline(breaker, now, wait);
    uint64_t word = atomic_load(&breaker->word);
    while (state_of(word) == RAAF_BREAKER_OPEN &&
           !step(breaker, &word, word_of(RAAF_BREAKER_OPEN, generation_of(word), detail)))
        continue;
}

static uint64_t wait_of(const raaf_breaker_t *breaker, uint64_t word, uint64_t now) {
    if (state_of(word) == RAAF_BREAKER_OPEN) return time_left(breaker, word, now);
    if (state_of(word) == RAAF_BREAKER_CLOSED) return 0;
    return probes_of(word) < breaker->settings.permits ? 0 : RAAF_NEVER;
}

raaf_breaker_snapshot_t raaf_breaker_snapshot(raaf_breaker_t *breaker, uint64_t now) {
    const uint64_t word = atomic_load(&breaker->word);
    raaf_breaker_snapshot_t snapshot = {
        .state = state_of(word),
        .generation = generation_of(word),
        .wait = wait_of(breaker, word, now),
    };
    if (snapshot.state == RAAF_BREAKER_HALF_OPEN) {
        snapshot.probes = probes_of(word);
        snapshot.successes = successes_of(word);
    } else if (snapshot.state == RAAF_BREAKER_CLOSED) {
        snapshot.failures = (uint32_t)detail_of(word);
        if (breaker->window)
            snapshot.counts = raaf_call_window_counts(breaker->window, snapshot.generation, now);
    }
    return snapshot;
}
