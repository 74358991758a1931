/*
 * A circuit breaker: after too many failures nobody calls for a while; then a few calls, the
 * probes, find out whether things work again.
 *
 *                failures, rates              timeout                successes
 *     CLOSED ─────────────────────▶ OPEN ─────────────────▶ HALF_OPEN ─────────▶ CLOSED
 *                                    ▲                          │
 *                                    └────── a failed probe ────┘
 *
 * Before a call a permit is taken, after it the outcome is reported with it, by whatever thread:
 * success, failure, or cancelled, which says nothing and only gives the permit back. Each state
 * that is entered is a new generation, and an outcome counts only in the generation in which its
 * call began. So what ends late cannot close or open what has changed since.
 *
 * The whole state is one atomic word, and every step one compare-and-swap on it: no lock is ever
 * held over a call, and a step is seen wholly or not at all. Only the window, for those who want
 * rates, has a mutex. All functions may be called from any thread. Time is nanoseconds of a
 * monotonic clock, given by the caller; the core reads none.
 */
#ifndef RAAF_CIRCUIT_BREAKER_H
#define RAAF_CIRCUIT_BREAKER_H

#include "call_window.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_BREAKER_MOST_PROBES 65535     /* permits, and successes that close */
#define RAAF_BREAKER_MOST_FAILURES 1000000 /* in a row */
#define RAAF_BREAKER_WHOLE 1000000         /* rates are parts of a million */

typedef enum raaf_breaker_state {
    RAAF_BREAKER_CLOSED,
    RAAF_BREAKER_OPEN,
    RAAF_BREAKER_HALF_OPEN,
} raaf_breaker_state_t;

typedef enum raaf_breaker_reason {
    RAAF_BREAKER_UNCHANGED,
    RAAF_BREAKER_FAILURES,        /* too many in a row */
    RAAF_BREAKER_FAILURE_RATE,    /* too many of the window's calls failed */
    RAAF_BREAKER_SLOW_CALL_RATE,  /* too many of the window's calls were slow */
    RAAF_BREAKER_TIMEOUT,         /* it has been open long enough */
    RAAF_BREAKER_PROBE_FAILED,    /* or was slow, where that counts */
    RAAF_BREAKER_PROBE_SUCCEEDED, /* enough of them */
    RAAF_BREAKER_BY_HAND,         /* tripped or reset by the application */
    RAAF_BREAKER_SHARED,          /* tripped or reset by what another process knows */
} raaf_breaker_reason_t;

typedef struct raaf_breaker_settings {
    uint64_t timeout;           /* nanoseconds for which it is open */
    uint32_t failure_threshold; /* failures in a row that open it; 0: any number is allowed */
    uint32_t permits;           /* probes at the same time, 1 to RAAF_BREAKER_MOST_PROBES */
    uint32_t success_threshold; /* successful probes that close it, 1 to …_MOST_PROBES */
    uint32_t failure_rate;      /* of RAAF_BREAKER_WHOLE, from which it opens; 0: any */
    uint32_t slow_call_rate;    /* the same for slow calls; 0: any */
    uint64_t slow_call;         /* nanoseconds from which a call is slow; 0: none is */
    uint32_t minimum_calls;     /* in the window before a rate says anything */
    size_t window_calls;        /* as for raaf_call_window_new; both 0: no window, no rates */
    uint64_t window_duration;
} raaf_breaker_settings_t;

typedef struct raaf_breaker {
    _Atomic uint64_t word; /* state, generation and what belongs to the state: see the .c */
    atomic_uint references;
    uint64_t born_at;
    raaf_breaker_settings_t settings; /* read-only */
    raaf_call_window_t *window;       /* NULL: without rates */
} raaf_breaker_t;

/* What a call holds from its begin to its outcome. Plain data: nothing to free. */
typedef struct raaf_breaker_permit {
    uint64_t begun_at; /* 0 where no call is slow */
    uint32_t generation;
    bool probe; /* half-open: must be settled, or the place of the probe stays taken */
} raaf_breaker_permit_t;

/* What a step has changed; [reason] RAAF_BREAKER_UNCHANGED: nothing. */
typedef struct raaf_breaker_change {
    raaf_breaker_state_t from;
    raaf_breaker_state_t to;
    raaf_breaker_reason_t reason;
} raaf_breaker_change_t;

typedef struct raaf_breaker_snapshot {
    raaf_breaker_state_t state;
    uint32_t generation;
    uint32_t failures;  /* closed: in a row so far */
    uint32_t probes;    /* half-open: under way */
    uint32_t successes; /* half-open: so far */
    uint64_t wait;      /* ns until a permit may be had; 0: now; RAAF_NEVER: when a probe ends */
    raaf_call_counts_t counts; /* closed, with a window: its calls */
} raaf_breaker_snapshot_t;

/* A closed breaker with one reference. [settings] are copied, and right. NULL: out of memory. */
raaf_breaker_t *raaf_breaker_new(const raaf_breaker_settings_t *settings, uint64_t now);

raaf_breaker_t *raaf_breaker_retain(raaf_breaker_t *breaker);

/* Frees it with the last reference. */
void raaf_breaker_release(raaf_breaker_t *breaker);

/* Bytes that it takes. */
size_t raaf_breaker_bytes(const raaf_breaker_t *breaker);

raaf_breaker_state_t raaf_breaker_state(const raaf_breaker_t *breaker);

/*
 * raaf_breaker_acquire for the most usual case, which needs no clock: closed, and no call is slow.
 * Returns false, and does nothing, in any other.
 */
bool raaf_breaker_enter(const raaf_breaker_t *breaker, raaf_breaker_permit_t *permit);

/*
 * raaf_breaker_success for the most usual case, which needs no clock: closed, no failures to
 * forget, no window. Returns false, and does nothing, in any other.
 */
bool raaf_breaker_leave(const raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit);

/*
 * Asks for a permit. Returns false where nobody may call: open, or half-open with all probes under
 * way. The first that asks after the timeout makes it half-open and has the first probe.
 */
bool raaf_breaker_acquire(raaf_breaker_t *breaker, uint64_t now, raaf_breaker_permit_t *permit,
                          raaf_breaker_change_t *change);

/* Whether raaf_breaker_acquire would make it half-open. */
bool raaf_breaker_probe_due(const raaf_breaker_t *breaker, uint64_t now);

/*
 * The outcome of a call, once for each permit. A success that was slow is a failed probe where
 * there is a rate for slow calls.
 */
void raaf_breaker_success(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, raaf_breaker_change_t *change);
void raaf_breaker_failure(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit,
                          uint64_t now, raaf_breaker_change_t *change);

/* The call has no outcome. Needs no clock and changes no state. */
void raaf_breaker_cancel(raaf_breaker_t *breaker, const raaf_breaker_permit_t *permit);

/* Opens it for [wait] nanoseconds from [now], also where it is open already. */
void raaf_breaker_trip(raaf_breaker_t *breaker, uint64_t now, uint64_t wait,
                       raaf_breaker_reason_t reason, raaf_breaker_change_t *change);

/* Closes it and forgets all failures, also where it is closed already. */
void raaf_breaker_reset(raaf_breaker_t *breaker, raaf_breaker_reason_t reason,
                        raaf_breaker_change_t *change);

/* Where it is open: lets it be so for [wait] nanoseconds from [now]. Else does nothing. */
void raaf_breaker_postpone(raaf_breaker_t *breaker, uint64_t now, uint64_t wait);

raaf_breaker_snapshot_t raaf_breaker_snapshot(raaf_breaker_t *breaker, uint64_t now);

#endif
