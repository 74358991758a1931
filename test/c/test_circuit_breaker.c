#include "check.h"
#include "clock.h"
#include "failing_malloc.h"
#include "random_numbers.h"

#include <pthread.h>

#include "call_window.c"
#include "circuit_breaker.c"

static const uint64_t second = 1000000000u;

static raaf_breaker_settings_t usual(void) {
    return (raaf_breaker_settings_t){
        .timeout = 60 * second, .failure_threshold = 5, .permits = 1, .success_threshold = 1};
}

static raaf_breaker_permit_t acquired(raaf_breaker_t *breaker, uint64_t now) {
    raaf_breaker_permit_t permit = {0};
    raaf_breaker_change_t change;
    CHECK(raaf_breaker_acquire(breaker, now, &permit, &change));
    return permit;
}

static bool refuses(raaf_breaker_t *breaker, uint64_t now) {
    raaf_breaker_permit_t permit;
    raaf_breaker_change_t change;
    if (raaf_breaker_acquire(breaker, now, &permit, &change)) return false;
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_UNCHANGED);
    return true;
}

static raaf_breaker_reason_t fail(raaf_breaker_t *breaker, raaf_breaker_permit_t permit,
                                  uint64_t now) {
    raaf_breaker_change_t change;
    raaf_breaker_failure(breaker, &permit, now, &change);
    return change.reason;
}

static raaf_breaker_reason_t succeed(raaf_breaker_t *breaker, raaf_breaker_permit_t permit,
                                     uint64_t now) {
    raaf_breaker_change_t change;
    raaf_breaker_success(breaker, &permit, now, &change);
    return change.reason;
}

static void fail_times(raaf_breaker_t *breaker, int times, uint64_t now) {
    for (int i = 0; i < times; i++)
        fail(breaker, acquired(breaker, now), now);
}

static void trip(raaf_breaker_t *breaker, uint64_t now) {
    raaf_breaker_change_t change;
    raaf_breaker_trip(breaker, now, breaker->settings.timeout, RAAF_BREAKER_BY_HAND, &change);
}

#define CHECK_STATE(breaker, expected)                                                             \
    CHECK_EQ_INT(raaf_breaker_state(breaker), RAAF_BREAKER_##expected)

TEST(breaker_opens_at_so_many_failures_in_a_row) {
    const raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 7);

    fail_times(breaker, 4, 8);
    CHECK_STATE(breaker, CLOSED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 8).failures, 4);
    CHECK_EQ_INT(succeed(breaker, acquired(breaker, 9), 9), RAAF_BREAKER_UNCHANGED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 9).failures, 0);
    fail_times(breaker, 4, 10);
    CHECK_EQ_INT(fail(breaker, acquired(breaker, 11), 11), RAAF_BREAKER_FAILURES);
    CHECK_STATE(breaker, OPEN);
    raaf_breaker_release(breaker);
}

TEST(breaker_lets_the_first_call_after_the_timeout_through) {
    const raaf_breaker_settings_t settings = usual();
    const uint64_t born = 12345 * second;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, born);
    raaf_breaker_permit_t permit;
    raaf_breaker_change_t change;

    fail_times(breaker, 5, born);
    CHECK(refuses(breaker, born));
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, born).wait, 60 * second);
    CHECK(!raaf_breaker_probe_due(breaker, born + 60 * second - 1));
    CHECK(refuses(breaker, born + 60 * second - 1));
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, born + 60 * second - 1).wait, 1);
    CHECK(raaf_breaker_probe_due(breaker, born + 60 * second));
    CHECK_STATE(breaker, OPEN); /* nobody has called */
    CHECK(raaf_breaker_acquire(breaker, born + 60 * second, &permit, &change));
    CHECK_EQ_INT(change.from, RAAF_BREAKER_OPEN);
    CHECK_EQ_INT(change.to, RAAF_BREAKER_HALF_OPEN);
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_TIMEOUT);
    CHECK(permit.probe);
    CHECK(!raaf_breaker_probe_due(breaker, born + 60 * second));
    CHECK(refuses(breaker, born + 600 * second)); /* the one probe is under way */
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, born + 600 * second).wait, RAAF_NEVER);
    CHECK_EQ_INT(succeed(breaker, permit, born + 601 * second), RAAF_BREAKER_PROBE_SUCCEEDED);
    CHECK_STATE(breaker, CLOSED);
    raaf_breaker_release(breaker);
}

TEST(breaker_lets_nobody_through_a_fraction_of_a_millisecond_too_early) {
    raaf_breaker_settings_t settings = usual();
    settings.timeout = 1;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 500);

    fail_times(breaker, 5, 600);
    CHECK(refuses(breaker, 600));
    CHECK(refuses(breaker, 601));
    CHECK(!refuses(breaker, 500 + 1000000)); /* milliseconds are what it counts in */
    raaf_breaker_release(breaker);
}

TEST(breaker_is_open_for_no_time_where_that_is_its_timeout) {
    raaf_breaker_settings_t settings = usual();
    settings.timeout = 0;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 500);

    fail_times(breaker, 5, 600);
    CHECK_STATE(breaker, OPEN);
    CHECK(!refuses(breaker, 600));
    raaf_breaker_release(breaker);
}

TEST(breaker_opens_again_after_a_failed_probe) {
    const raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);

    fail_times(breaker, 5, 0);
    CHECK_EQ_INT(fail(breaker, acquired(breaker, 60 * second), 61 * second),
                 RAAF_BREAKER_PROBE_FAILED);
    CHECK(refuses(breaker, 121 * second - 1));
    CHECK(!refuses(breaker, 121 * second));
    raaf_breaker_release(breaker);
}

TEST(breaker_has_a_number_of_permits_and_takes_them_back) {
    raaf_breaker_settings_t settings = usual();
    settings.permits = 2;
    settings.success_threshold = 3;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);

    trip(breaker, 0);
    raaf_breaker_permit_t first = acquired(breaker, 60 * second);
    raaf_breaker_permit_t other = acquired(breaker, 60 * second);
    CHECK(refuses(breaker, 60 * second));
    raaf_breaker_cancel(breaker, &first);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 60 * second).probes, 1);
    first = acquired(breaker, 60 * second);
    CHECK_EQ_INT(succeed(breaker, first, 60 * second), RAAF_BREAKER_UNCHANGED);
    CHECK_EQ_INT(succeed(breaker, other, 60 * second), RAAF_BREAKER_UNCHANGED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 60 * second).probes, 0);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 60 * second).successes, 2);
    CHECK_STATE(breaker, HALF_OPEN);
    first = acquired(breaker, 60 * second);
    CHECK_EQ_INT(succeed(breaker, first, 60 * second), RAAF_BREAKER_PROBE_SUCCEEDED);
    raaf_breaker_release(breaker);
}

TEST(breaker_takes_as_many_probes_as_there_may_be) {
    raaf_breaker_settings_t settings = usual();
    settings.permits = settings.success_threshold = RAAF_BREAKER_MOST_PROBES;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);
    raaf_breaker_permit_t permit;

    trip(breaker, 0);
    for (int i = 0; i < RAAF_BREAKER_MOST_PROBES; i++)
        permit = acquired(breaker, 60 * second);
    CHECK(refuses(breaker, 60 * second));
    for (int i = 1; i < RAAF_BREAKER_MOST_PROBES; i++)
        succeed(breaker, permit, 60 * second);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).successes, RAAF_BREAKER_MOST_PROBES - 1);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).probes, 1);
    CHECK_EQ_INT(succeed(breaker, permit, 60 * second), RAAF_BREAKER_PROBE_SUCCEEDED);
    raaf_breaker_release(breaker);
}

TEST(breaker_ignores_what_began_before_its_state) {
    const raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);
    const raaf_breaker_permit_t late = acquired(breaker, 0);
    raaf_breaker_change_t change;

    trip(breaker, 0);
    CHECK_EQ_INT(succeed(breaker, late, 1), RAAF_BREAKER_UNCHANGED);
    CHECK_STATE(breaker, OPEN);
    raaf_breaker_permit_t probe = acquired(breaker, 60 * second);
    CHECK_EQ_INT(succeed(breaker, late, 60 * second), RAAF_BREAKER_UNCHANGED);
    CHECK_EQ_INT(fail(breaker, late, 60 * second), RAAF_BREAKER_UNCHANGED);
    CHECK_STATE(breaker, HALF_OPEN);
    raaf_breaker_reset(breaker, RAAF_BREAKER_BY_HAND, &change);
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_BY_HAND);
    for (int i = 0; i < 10; i++) {
        fail(breaker, late, 60 * second);
        fail(breaker, probe, 60 * second);
        raaf_breaker_cancel(breaker, &probe);
    }
    CHECK_STATE(breaker, CLOSED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 60 * second).failures, 0);
    raaf_breaker_release(breaker);
}

TEST(breaker_enters_and_leaves_without_a_clock_where_nothing_is_to_be_counted) {
    raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);
    raaf_breaker_permit_t permit;

    CHECK(raaf_breaker_enter(breaker, &permit));
    CHECK(raaf_breaker_leave(breaker, &permit));
    fail(breaker, permit, 0);
    CHECK(raaf_breaker_enter(breaker, &permit));
    CHECK(!raaf_breaker_leave(breaker, &permit)); /* a failure is to be forgotten */
    succeed(breaker, permit, 0);
    CHECK(raaf_breaker_leave(breaker, &permit));
    trip(breaker, 0);
    CHECK(!raaf_breaker_leave(breaker, &permit));
    CHECK(!raaf_breaker_enter(breaker, &permit));
    raaf_breaker_release(breaker);

    settings.window_calls = 10;
    settings.failure_rate = RAAF_BREAKER_WHOLE / 2;
    breaker = raaf_breaker_new(&settings, 0);
    CHECK(raaf_breaker_enter(breaker, &permit));
    CHECK(!raaf_breaker_leave(breaker, &permit)); /* the window wants to know */
    raaf_breaker_release(breaker);

    settings.slow_call = second;
    breaker = raaf_breaker_new(&settings, 0);
    CHECK(!raaf_breaker_enter(breaker, &permit)); /* when it began */
    raaf_breaker_release(breaker);
}

static raaf_breaker_t *with_rates(uint32_t failure_rate, uint32_t slow_call_rate) {
    const raaf_breaker_settings_t settings = {
        .timeout = 60 * second,
        .permits = 1,
        .success_threshold = 1,
        .failure_rate = failure_rate,
        .slow_call_rate = slow_call_rate,
        .slow_call = slow_call_rate ? second : 0,
        .minimum_calls = 4,
        .window_calls = 10,
    };
    return raaf_breaker_new(&settings, 0);
}

TEST(breaker_opens_at_a_rate_of_failures) {
    raaf_breaker_t *breaker = with_rates(RAAF_BREAKER_WHOLE / 2, 0);

    fail_times(breaker, 3, 0); /* too few calls to say anything */
    CHECK_STATE(breaker, CLOSED);
    CHECK_EQ_INT(succeed(breaker, acquired(breaker, 0), 0), RAAF_BREAKER_FAILURE_RATE);
    CHECK_STATE(breaker, OPEN);
    raaf_breaker_release(breaker);
}

TEST(breaker_begins_with_an_empty_window_when_it_closes) {
    raaf_breaker_t *breaker = with_rates(RAAF_BREAKER_WHOLE / 2, 0);
    raaf_breaker_change_t change;

    fail_times(breaker, 3, 0);
    raaf_breaker_reset(breaker, RAAF_BREAKER_BY_HAND, &change);
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_UNCHANGED); /* it was closed */
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).counts.calls, 0);
    fail_times(breaker, 3, 0);
    CHECK_STATE(breaker, CLOSED);
    fail_times(breaker, 1, 0);
    CHECK_STATE(breaker, OPEN);
    raaf_breaker_release(breaker);
}

/* 0.07 of 100 is 7.000000000000001 in floating point. */
TEST(breaker_reckons_a_rate_exactly) {
    raaf_breaker_settings_t settings = usual();
    settings.failure_threshold = 0;
    settings.failure_rate = RAAF_BREAKER_WHOLE / 100 * 7;
    settings.minimum_calls = settings.window_calls = 100;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);

    for (int i = 0; i < 93; i++)
        succeed(breaker, acquired(breaker, 0), 0);
    fail_times(breaker, 6, 0);
    CHECK_STATE(breaker, CLOSED);
    CHECK_EQ_INT(fail(breaker, acquired(breaker, 0), 0), RAAF_BREAKER_FAILURE_RATE);
    raaf_breaker_release(breaker);
}

TEST(breaker_opens_at_a_rate_of_slow_calls) {
    raaf_breaker_t *breaker = with_rates(0, RAAF_BREAKER_WHOLE / 2);

    for (int i = 0; i < 2; i++) {
        succeed(breaker, acquired(breaker, 10 * second), 11 * second - 1);
        succeed(breaker, acquired(breaker, 10 * second), 11 * second);
    }
    CHECK_STATE(breaker, OPEN);
    /* A probe has to be quick too. */
    CHECK_EQ_INT(succeed(breaker, acquired(breaker, 100 * second), 101 * second),
                 RAAF_BREAKER_PROBE_FAILED);
    CHECK_EQ_INT(succeed(breaker, acquired(breaker, 200 * second), 200 * second),
                 RAAF_BREAKER_PROBE_SUCCEEDED);
    raaf_breaker_release(breaker);
}

TEST(breaker_is_opened_and_closed_by_hand) {
    const raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);
    raaf_breaker_change_t change;

    raaf_breaker_trip(breaker, 0, 5 * second, RAAF_BREAKER_SHARED, &change);
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_SHARED);
    CHECK_EQ_INT(change.from, RAAF_BREAKER_CLOSED);
    raaf_breaker_trip(breaker, 1 * second, 9 * second, RAAF_BREAKER_SHARED, &change);
    CHECK_EQ_INT(change.reason, RAAF_BREAKER_UNCHANGED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 4 * second).wait, 6 * second);
    raaf_breaker_postpone(breaker, 4 * second, 1 * second);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 4 * second).wait, 1 * second);
    raaf_breaker_reset(breaker, RAAF_BREAKER_BY_HAND, &change);
    CHECK_EQ_INT(change.to, RAAF_BREAKER_CLOSED);
    raaf_breaker_postpone(breaker, 4 * second, 1 * second);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 4 * second).wait, 0);
    raaf_breaker_release(breaker);
}

TEST(breaker_bears_times_that_are_far_away) {
    raaf_breaker_settings_t settings = usual();
    settings.timeout = UINT64_MAX;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 10 * second);
    const uint64_t years = 200 * 365 * (86400 * second);

    trip(breaker, 3 * second); /* before it was made */
    CHECK(refuses(breaker, 2 * second));
    CHECK(refuses(breaker, years / 40));
    CHECK(!refuses(breaker, years));
    trip(breaker, UINT64_MAX - 1);
    raaf_breaker_release(breaker);
}

TEST(breaker_begins_its_generations_anew) {
    const raaf_breaker_settings_t settings = usual();
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);
    raaf_breaker_change_t change;

    atomic_store(&breaker->word, word_of(RAAF_BREAKER_CLOSED, RAAF_GENERATION_MASK, 0));
    const raaf_breaker_permit_t late = acquired(breaker, 0);
    fail_times(breaker, 5, 0);
    CHECK_STATE(breaker, OPEN);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).generation, 0);
    raaf_breaker_reset(breaker, RAAF_BREAKER_BY_HAND, &change);
    fail(breaker, late, 0);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).failures, 0);
    raaf_breaker_release(breaker);
}

TEST(breaker_counts_failures_that_open_nothing_up_to_a_limit) {
    raaf_breaker_settings_t settings = usual();
    settings.failure_threshold = 0;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);

    atomic_store(&breaker->word, word_of(RAAF_BREAKER_CLOSED, 0, RAAF_BREAKER_MOST_FAILURES - 1));
    fail_times(breaker, 3, 0);
    CHECK_STATE(breaker, CLOSED);
    CHECK_EQ_UINT(raaf_breaker_snapshot(breaker, 0).failures, RAAF_BREAKER_MOST_FAILURES);
    raaf_breaker_release(breaker);
}

TEST(breaker_says_when_there_is_no_memory_for_it) {
    raaf_breaker_settings_t settings = usual();
    settings.window_calls = 10;

    for (long left = 0; left < 3; left++) {
        memory_runs_out_after(left);
        CHECK_EQ_PTR(raaf_breaker_new(&settings, 0), NULL);
    }
    memory_is_back();
}

TEST(breaker_is_freed_with_its_last_reference) {
    raaf_breaker_settings_t settings = usual();
    settings.window_calls = 10;
    raaf_breaker_t *breaker = raaf_breaker_new(&settings, 0);

    CHECK_EQ_UINT(raaf_breaker_bytes(breaker), sizeof *breaker + sizeof *breaker->window + 10);
    CHECK_EQ_PTR(raaf_breaker_retain(breaker), breaker);
    raaf_breaker_release(breaker);
    CHECK_STATE(breaker, CLOSED);
    raaf_breaker_release(breaker);
}

/*
 * The same steps by the breaker and by a plain reference: eras that never begin anew, a list of all
 * calls of an era, no words and no bits.
 */
enum { STEPS = 4000, HELD = 12 };

typedef struct reference_permit {
    bool held;
    unsigned era;
    uint64_t begun_at;
    raaf_breaker_permit_t of_breaker;
} reference_permit_t;

typedef struct reference {
    raaf_breaker_settings_t settings;
    raaf_breaker_state_t state;
    unsigned era, failures, probes, successes;
    uint64_t open_until;
    struct {
        uint64_t at;
        bool failed, slow;
    } calls[STEPS];
    size_t call_count;
} reference_t;

static void reference_enter(reference_t *reference, raaf_breaker_state_t state, uint64_t until) {
    reference->state = state;
    reference->era++;
    reference->failures = reference->probes = reference->successes = 0;
    reference->open_until = until;
    reference->call_count = 0;
}

static bool reference_acquire(reference_t *reference, uint64_t now) {
    if (reference->state == RAAF_BREAKER_CLOSED) return true;
    if (reference->state == RAAF_BREAKER_OPEN) {
        if (now < reference->open_until) return false;
        reference_enter(reference, RAAF_BREAKER_HALF_OPEN, 0);
    }
    if (reference->probes == reference->settings.permits) return false;
    reference->probes++;
    return true;
}

static bool reference_rate(const reference_t *reference, uint64_t now) {
    const raaf_breaker_settings_t *settings = &reference->settings;
    const uint64_t width =
        (settings->window_duration + RAAF_CALL_WINDOW_PARTS - 1) / RAAF_CALL_WINDOW_PARTS;
    double calls = 0, failures = 0, slow = 0;
    for (size_t i = 0; i < reference->call_count; i++) {
        if (settings->window_calls && i + settings->window_calls < reference->call_count) continue;
        if (!settings->window_calls &&
            reference->calls[i].at / width + RAAF_CALL_WINDOW_PARTS <= now / width)
            continue;
        calls++;
        failures += reference->calls[i].failed;
        slow += reference->calls[i].slow;
    }
    if (calls < settings->minimum_calls) return false;
    if (settings->failure_rate && failures / calls >= settings->failure_rate / 1e6) return true;
    return settings->slow_call_rate && slow / calls >= settings->slow_call_rate / 1e6;
}

static void reference_end(reference_t *reference, const reference_permit_t *permit, uint64_t now,
                          bool failed) {
    const raaf_breaker_settings_t *settings = &reference->settings;
    const bool slow = settings->slow_call && now - permit->begun_at >= settings->slow_call;
    if (permit->era != reference->era) return;
    if (reference->state == RAAF_BREAKER_HALF_OPEN) {
        reference->probes--;
        if (failed || (slow && settings->slow_call_rate))
            reference_enter(reference, RAAF_BREAKER_OPEN, now + settings->timeout);
        else if (++reference->successes == settings->success_threshold)
            reference_enter(reference, RAAF_BREAKER_CLOSED, 0);
        return;
    }
    reference->failures = failed ? reference->failures + 1 : 0;
    if (settings->failure_threshold && reference->failures == settings->failure_threshold) {
        reference_enter(reference, RAAF_BREAKER_OPEN, now + settings->timeout);
        return;
    }
    if (!settings->window_calls && !settings->window_duration) return;
    reference->calls[reference->call_count].at = now;
    reference->calls[reference->call_count].failed = failed;
    reference->calls[reference->call_count++].slow = slow;
    if (reference_rate(reference, now))
        reference_enter(reference, RAAF_BREAKER_OPEN, now + settings->timeout);
}

static raaf_breaker_settings_t random_settings(uint64_t *seed) {
    raaf_breaker_settings_t settings = {
        .timeout = random_below(seed, 50) * 1000000,
        .failure_threshold = (uint32_t)random_below(seed, 6),
        .permits = 1 + (uint32_t)random_below(seed, 4),
        .success_threshold = 1 + (uint32_t)random_below(seed, 4),
    };
    if (random_below(seed, 2)) {
        settings.failure_rate = (uint32_t)random_below(seed, 5) * (RAAF_BREAKER_WHOLE / 4);
        settings.slow_call_rate = (uint32_t)random_below(seed, 5) * (RAAF_BREAKER_WHOLE / 4);
        settings.slow_call = settings.slow_call_rate ? 1 + random_below(seed, 30) * 1000000 : 0;
        settings.minimum_calls = 1 + (uint32_t)random_below(seed, 10);
        settings.window_calls = random_below(seed, 2) ? 10 + random_below(seed, 20) : 0;
        settings.window_duration =
            settings.window_calls ? 0 : 1 + random_below(seed, 300) * 1000000;
    }
    return settings;
}

typedef struct comparison {
    raaf_breaker_t *breaker;
    reference_t *reference;
    reference_permit_t permits[HELD];
    uint64_t seed, now;
} comparison_t;

static void compare_acquire(comparison_t *run, reference_permit_t *permit) {
    const raaf_breaker_state_t before = run->reference->state;
    raaf_breaker_change_t change;
    permit->held = raaf_breaker_acquire(run->breaker, run->now, &permit->of_breaker, &change);
    CHECK_EQ_INT(permit->held, reference_acquire(run->reference, run->now));
    CHECK_EQ_INT(change.from, before);
    CHECK_EQ_INT(change.to, run->reference->state);
    permit->era = run->reference->era;
    permit->begun_at = run->now;
}

static void compare_end(comparison_t *run, reference_permit_t *permit) {
    const raaf_breaker_state_t before = run->reference->state;
    raaf_breaker_change_t change = {before, before, RAAF_BREAKER_UNCHANGED};
    const size_t what = random_below(&run->seed, 5);
    permit->held = false;
    if (what == 0) {
        raaf_breaker_cancel(run->breaker, &permit->of_breaker);
        if (permit->era == run->reference->era && before == RAAF_BREAKER_HALF_OPEN)
            run->reference->probes--;
    } else {
        const bool failed = what < 3;
        if (failed)
            raaf_breaker_failure(run->breaker, &permit->of_breaker, run->now, &change);
        else
            raaf_breaker_success(run->breaker, &permit->of_breaker, run->now, &change);
        reference_end(run->reference, permit, run->now, failed);
    }
    CHECK_EQ_INT(change.from, before);
    CHECK_EQ_INT(change.to, run->reference->state);
    CHECK_EQ_INT(change.reason != RAAF_BREAKER_UNCHANGED, before != run->reference->state);
}

static void compare_by_hand(comparison_t *run) {
    const uint64_t wait = random_below(&run->seed, 60) * 1000000;
    raaf_breaker_change_t change;
    switch (random_below(&run->seed, 3)) {
    case 0:
        raaf_breaker_trip(run->breaker, run->now, wait, RAAF_BREAKER_BY_HAND, &change);
        reference_enter(run->reference, RAAF_BREAKER_OPEN, run->now + wait);
        break;
    case 1:
        raaf_breaker_reset(run->breaker, RAAF_BREAKER_BY_HAND, &change);
        reference_enter(run->reference, RAAF_BREAKER_CLOSED, 0);
        break;
    default:
        raaf_breaker_postpone(run->breaker, run->now, wait);
        if (run->reference->state == RAAF_BREAKER_OPEN)
            run->reference->open_until = run->now + wait;
    }
}

static void compare_states(comparison_t *run) {
    const raaf_breaker_snapshot_t breaker = raaf_breaker_snapshot(run->breaker, run->now);
    CHECK_EQ_INT(breaker.state, run->reference->state);
    CHECK_EQ_UINT(breaker.failures, run->reference->failures);
    CHECK_EQ_UINT(breaker.probes, run->reference->probes);
    CHECK_EQ_UINT(breaker.successes, run->reference->successes);
    if (breaker.state == RAAF_BREAKER_OPEN)
        CHECK_EQ_UINT(breaker.wait, run->reference->open_until > run->now
                                        ? run->reference->open_until - run->now
                                        : 0);
}

static void compare_with_reference(uint64_t seed) {
    static reference_t reference;
    comparison_t run = {.reference = &reference, .seed = seed};
    memset(&reference, 0, sizeof reference);
    reference.settings = random_settings(&run.seed);
    run.now = random_below(&run.seed, 1000) * 1000000;
    run.breaker = raaf_breaker_new(&reference.settings, run.now);
    for (int i = 0; i < STEPS && atomic_load(&check_failures) == 0; i++) {
        reference_permit_t *permit = &run.permits[random_below(&run.seed, HELD)];
        run.now += random_below(&run.seed, 3) ? 0 : random_below(&run.seed, 20) * 1000000;
        if (random_below(&run.seed, 40) == 0)
            compare_by_hand(&run);
        else if (permit->held)
            compare_end(&run, permit);
        else
            compare_acquire(&run, permit);
        compare_states(&run);
    }
    raaf_breaker_release(run.breaker);
}

TEST(breaker_does_what_a_plain_reference_does) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        compare_with_reference(seed);
        if (atomic_load(&check_failures)) {
            fprintf(stderr, "    seed %llu\n", (unsigned long long)seed);
            return;
        }
    }
}

/*
 * Many threads at one breaker. What no interleaving may break: probes under way never exceed the
 * permits, each is given back, and every change is told to exactly one. How soon the breaker has
 * been through all its states is the scheduler's choice, so the crowd calls until it has.
 */
enum { THREADS = 8, CALLS = 20000, MOST_CALLS = 100 * CALLS, PERMITS = 3 };

typedef struct crowd {
    raaf_breaker_t *breaker;
    atomic_uint seed;
    atomic_long entered[3], left[3]; /* of each state */
} crowd_t;

static void tell_crowd(crowd_t *crowd, raaf_breaker_change_t change) {
    if (change.reason == RAAF_BREAKER_UNCHANGED) return;
    CHECK(change.from != change.to);
    atomic_fetch_add(&crowd->left[change.from], 1);
    atomic_fetch_add(&crowd->entered[change.to], 1);
}

static void call_in_crowd(crowd_t *crowd, uint64_t *seed) {
    raaf_breaker_change_t change;
    raaf_breaker_permit_t permit;
    const bool entered = raaf_breaker_enter(crowd->breaker, &permit);
    if (!entered) {
        const bool let = raaf_breaker_acquire(crowd->breaker, raaf_clock_now(), &permit, &change);
        tell_crowd(crowd, change);
        if (!let) return;
    }
    CHECK(raaf_breaker_snapshot(crowd->breaker, 0).probes <= PERMITS);
    const size_t what = random_below(seed, 8);
    if (what == 0) {
        raaf_breaker_cancel(crowd->breaker, &permit);
    } else if (what < 4) {
        raaf_breaker_failure(crowd->breaker, &permit, raaf_clock_now(), &change);
        tell_crowd(crowd, change);
    } else if (!raaf_breaker_leave(crowd->breaker, &permit)) {
        raaf_breaker_success(crowd->breaker, &permit, raaf_clock_now(), &change);
        tell_crowd(crowd, change);
    }
}

static bool seen_half_open(crowd_t *crowd) {
    return atomic_load(&crowd->entered[RAAF_BREAKER_HALF_OPEN]) > 0;
}

static void *call_many_times(void *argument) {
    crowd_t *crowd = argument;
    uint64_t seed = atomic_fetch_add(&crowd->seed, 1) + 1;
    raaf_breaker_change_t change;

    for (int i = 0; i < CALLS || (i < MOST_CALLS && !seen_half_open(crowd)); i++) {
        if (i % 1000 == 999) {
            raaf_breaker_reset(crowd->breaker, RAAF_BREAKER_BY_HAND, &change);
            tell_crowd(crowd, change);
        }
        call_in_crowd(crowd, &seed);
    }
    return NULL;
}

static void hold_in_a_crowd(raaf_breaker_settings_t settings) {
    crowd_t crowd = {.breaker = raaf_breaker_new(&settings, raaf_clock_now())};
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, call_many_times, &crowd);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const raaf_breaker_snapshot_t end = raaf_breaker_snapshot(crowd.breaker, raaf_clock_now());
    CHECK_EQ_UINT(end.probes, 0);
    atomic_fetch_add(&crowd.entered[RAAF_BREAKER_CLOSED], 1); /* it began there */
    for (int state = 0; state < 3; state++)
        CHECK_EQ_INT(atomic_load(&crowd.entered[state]) - atomic_load(&crowd.left[state]),
                     end.state == (raaf_breaker_state_t)state);
    CHECK(atomic_load(&crowd.entered[RAAF_BREAKER_OPEN]) > 0);
    CHECK(seen_half_open(&crowd));
    raaf_breaker_release(crowd.breaker);
}

TEST(breaker_holds_in_a_crowd) {
    hold_in_a_crowd((raaf_breaker_settings_t){
        .timeout = 10000, .failure_threshold = 4, .permits = PERMITS, .success_threshold = 2});
}

TEST(breaker_with_rates_holds_in_a_crowd) {
    hold_in_a_crowd((raaf_breaker_settings_t){.timeout = 10000,
                                              .permits = PERMITS,
                                              .success_threshold = 2,
                                              .failure_rate = RAAF_BREAKER_WHOLE / 2,
                                              .slow_call_rate = RAAF_BREAKER_WHOLE,
                                              .slow_call = 1000,
                                              .minimum_calls = 5,
                                              .window_duration = 1000000});
}
