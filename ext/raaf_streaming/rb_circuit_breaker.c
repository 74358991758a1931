/*
 * RAAF::Streaming::CircuitBreaker and its Permit: the core's breaker round a Ruby block.
 *
 * What a call needs while all is well is here. What is rare is Ruby's (circuit_breaker.rb): the
 * private methods changed, refused, counts?, synchronize and may_probe? are called from here.
 *
 * The outcome of a call is open until it is known: a value is a success, a StandardError a failure.
 * What leaves the block in any other way (break, throw, Thread#kill, Interrupt, Timeout) is seen by
 * the ensure alone, where the permit goes back.
 *
 * Everything here runs with the GVL held, so a fork never finds the mutex of a window locked.
 */
#include "rb_raaf.h"

#include "core/circuit_breaker.h"
#include "core/clock.h"
#include "core/result_code.h"

#include <math.h>

/* Seconds: what is longer is this long. More than a breaker's own clock can count. */
#define LONGEST 1e9

/* Seconds after which to ask again where probes are under way: nobody knows when they will end. */
#define PROBE_PATIENCE 1.0

typedef struct breaker {
    raaf_breaker_t *core; /* NULL before setup */
    VALUE clock;          /* answers to call with seconds; nil: the core's own */
    bool filtered;        /* Ruby says which errors count */
    bool shared;          /* there is a store */
    uint64_t refresh_every, refresh_at;
} breaker_t;

typedef struct permit {
    raaf_breaker_permit_t native;
    raaf_breaker_t *core; /* a reference, so that the collector may free both in any order */
    VALUE breaker;
    bool settled;
} permit_t;

static VALUE cBreaker, cPermit;
static ID id_call, id_changed, id_refused, id_counts, id_synchronize, id_may_probe, id_probes;
static VALUE state_names[3], reason_names[RAAF_BREAKER_SHARED + 1];

/* ---- the breaker as an object ---- */

static void breaker_mark(void *data) {
    rb_gc_mark_movable(((breaker_t *)data)->clock);
}

static void breaker_compact(void *data) {
    breaker_t *breaker = data;
    breaker->clock = rb_gc_location(breaker->clock);
}

static void breaker_free(void *data) {
    breaker_t *breaker = data;
    if (breaker->core) raaf_breaker_release(breaker->core);
    xfree(breaker);
}

static size_t breaker_size(const void *data) {
    const breaker_t *breaker = data;
    return sizeof *breaker + (breaker->core ? raaf_breaker_bytes(breaker->core) : 0);
}

static const rb_data_type_t breaker_type = {
    .wrap_struct_name = "RAAF::Streaming::CircuitBreaker",
    .function = {breaker_mark, breaker_free, breaker_size, breaker_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE breaker_alloc(VALUE class) {
    breaker_t *breaker;
    VALUE self = TypedData_Make_Struct(class, breaker_t, &breaker_type, breaker);
    breaker->clock = Qnil;
    return self;
}

static breaker_t *get(VALUE self) {
    breaker_t *breaker;
    TypedData_Get_Struct(self, breaker_t, &breaker_type, breaker);
    if (!breaker->core)
        rb_raise(rb_eTypeError, "a circuit breaker is made by new: it cannot be copied, and "
                                "initialize must call super");
    return breaker;
}

static uint64_t nanoseconds(double seconds) {
    if (!(seconds > 0)) return 0;
    return (uint64_t)llround((seconds < LONGEST ? seconds : LONGEST) * 1e9);
}

static VALUE fetch(VALUE hash, const char *key) {
    return rb_hash_lookup2(hash, ID2SYM(rb_intern(key)), Qnil);
}

static uint32_t number(VALUE hash, const char *key) {
    VALUE value = fetch(hash, key);
    return NIL_P(value) ? 0 : NUM2UINT(value);
}

static uint64_t seconds(VALUE hash, const char *key) {
    VALUE value = fetch(hash, key);
    return NIL_P(value) ? 0 : nanoseconds(NUM2DBL(value));
}

static uint32_t rate(VALUE hash, const char *key) {
    VALUE value = fetch(hash, key);
    if (NIL_P(value)) return 0;
    uint32_t parts = (uint32_t)lround(NUM2DBL(value) * RAAF_BREAKER_WHOLE);
    return parts ? parts : 1;
}

static uint64_t read_clock(VALUE clock) {
    if (NIL_P(clock)) return raaf_clock_now();
    return nanoseconds(NUM2DBL(rb_funcall(clock, id_call, 0)));
}

/*
 * setup(settings, clock, filtered, refresh): for initialize, which has checked the settings: those
 * of raaf_breaker_settings_t by name, times in seconds, rates from 0 to 1, nil for none. [refresh]:
 * seconds between two looks at the store; nil: there is none.
 */
static VALUE breaker_setup(VALUE self, VALUE hash, VALUE clock, VALUE filtered, VALUE refresh) {
    breaker_t *breaker;
    TypedData_Get_Struct(self, breaker_t, &breaker_type, breaker);
    if (breaker->core) rb_raise(rb_eArgError, "a circuit breaker is made once");
    Check_Type(hash, T_HASH);
    raaf_breaker_settings_t settings = {
        .timeout = seconds(hash, "timeout"),
        .failure_threshold = number(hash, "failure_threshold"),
        .permits = number(hash, "half_open_permits"),
        .success_threshold = number(hash, "success_threshold"),
        .failure_rate = rate(hash, "failure_rate"),
        .slow_call_rate = rate(hash, "slow_call_rate"),
        .slow_call = seconds(hash, "slow_call_duration"),
        .minimum_calls = number(hash, "minimum_calls"),
        .window_calls = number(hash, "window_size"),
        .window_duration = seconds(hash, "window_duration"),
    };
    uint64_t refresh_every = NIL_P(refresh) ? 0 : nanoseconds(NUM2DBL(refresh));
    uint64_t now = read_clock(clock);
    breaker->core = raaf_breaker_new(&settings, now);
    if (!breaker->core) rb_raaf_raise_code(RAAF_NO_MEMORY, "the circuit breaker");
    RB_OBJ_WRITE(self, &breaker->clock, clock);
    breaker->filtered = RTEST(filtered);
    breaker->shared = !NIL_P(refresh);
    breaker->refresh_every = refresh_every;
    return self;
}

/* ---- what both ways of calling share ---- */

static uint64_t now_of(const breaker_t *breaker) {
    return read_clock(breaker->clock);
}

/* Tells Ruby what has changed: listeners, notifications, the store. Nothing of ours is held. */
static void tell(VALUE self, const raaf_breaker_change_t *change) {
    if (change->reason == RAAF_BREAKER_UNCHANGED) return;
    rb_funcall(self, id_changed, 3, state_names[change->from], state_names[change->to],
               reason_names[change->reason]);
}

/* Has Ruby look at the store where it is time for that. */
static void refresh(VALUE self, breaker_t *breaker) {
    if (!breaker->shared) return;
    const uint64_t now = now_of(breaker);
    if (now < breaker->refresh_at) return;
    breaker->refresh_at = now + breaker->refresh_every;
    rb_funcall(self, id_synchronize, 0);
}

static double wait_in_seconds(const breaker_t *breaker, uint64_t wait) {
    const double timeout = (double)breaker->core->settings.timeout / 1e9;
    if (wait == RAAF_NEVER) return timeout < PROBE_PATIENCE ? timeout : PROBE_PATIENCE;
    return (double)wait / 1e9;
}

RBIMPL_ATTR_NORETURN()
static void refuse(VALUE self, const breaker_t *breaker, uint64_t now) {
    const uint64_t wait = raaf_breaker_snapshot(breaker->core, now).wait;
    rb_funcall(self, id_refused, 1, DBL2NUM(wait_in_seconds(breaker, wait)));
    rb_raaf_raise("CircuitOpenError", "Circuit breaker is open");
}

/* Takes a permit, or raises. [change] is to be told once the permit is sure to go back. */
static void acquire(VALUE self, breaker_t *breaker, raaf_breaker_permit_t *permit,
                    raaf_breaker_change_t *change) {
    uint64_t now = now_of(breaker);
    /* Another process may be the one that probes. Then Ruby has put the next probe off. */
    if (breaker->shared && raaf_breaker_probe_due(breaker->core, now)) {
        rb_funcall(self, id_may_probe, 0);
        now = now_of(breaker);
    }
    if (!raaf_breaker_acquire(breaker->core, now, permit, change)) refuse(self, breaker, now);
}

/*
 * Reports an outcome. The clock may be Ruby's: it is read before [settled] is set, since it may raise,
 * and somebody else may report meanwhile. Returns false where he did.
 */
static bool settle(VALUE self, breaker_t *breaker, const raaf_breaker_permit_t *permit,
                   bool *settled, bool failed) {
    raaf_breaker_change_t change;
    const uint64_t now = now_of(breaker);
    if (*settled) return false;
    *settled = true;
    if (failed)
        raaf_breaker_failure(breaker->core, permit, now, &change);
    else
        raaf_breaker_success(breaker->core, permit, now, &change);
    tell(self, &change);
    return true;
}

static bool counts(VALUE self, const breaker_t *breaker, VALUE error) {
    return !breaker->filtered || RTEST(rb_funcall(self, id_counts, 1, error));
}

/* ---- permits ---- */

static void permit_mark(void *data) {
    rb_gc_mark_movable(((permit_t *)data)->breaker);
}

static void permit_compact(void *data) {
    permit_t *permit = data;
    permit->breaker = rb_gc_location(permit->breaker);
}

/* Nobody can report its outcome any more: also where a fiber was dropped in the middle of a call. */
static void permit_free(void *data) {
    permit_t *permit = data;
    if (permit->core) {
        if (!permit->settled) raaf_breaker_cancel(permit->core, &permit->native);
        raaf_breaker_release(permit->core);
    }
    xfree(permit);
}

static size_t permit_size(const void *data) {
    return sizeof(permit_t);
}

static const rb_data_type_t permit_type = {
    .wrap_struct_name = "RAAF::Streaming::CircuitBreaker::Permit",
    .function = {permit_mark, permit_free, permit_size, permit_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static permit_t *get_permit(VALUE self) {
    permit_t *permit;
    TypedData_Get_Struct(self, permit_t, &permit_type, permit);
    return permit;
}

/* One that holds nothing yet: settled. */
static VALUE permit_new(VALUE breaker) {
    permit_t *permit;
    VALUE self = TypedData_Make_Struct(cPermit, permit_t, &permit_type, permit);
    permit->settled = true;
    RB_OBJ_WRITE(self, &permit->breaker, breaker);
    permit->core = raaf_breaker_retain(get(breaker)->core);
    return self;
}

static VALUE permit_settle(VALUE self, bool failed) {
    permit_t *permit = get_permit(self);
    if (permit->settled) return Qfalse;
    const bool first =
        settle(permit->breaker, get(permit->breaker), &permit->native, &permit->settled, failed);
    RB_GC_GUARD(self);
    return first ? Qtrue : Qfalse;
}

/*
 * The call went well. Whatever has changed by that is told in this thread.
 *
 * @return [Boolean] whether it was the first word about this permit; all others change nothing
 */
static VALUE permit_success(VALUE self) {
    return permit_settle(self, false);
}

/*
 * Gives the permit back without an outcome: the call was cancelled, or says nothing about what is
 * called.
 *
 * @return [Boolean] (see #success)
 */
static VALUE permit_cancel(VALUE self) {
    permit_t *permit = get_permit(self);
    if (permit->settled) return Qfalse;
    permit->settled = true;
    raaf_breaker_cancel(permit->core, &permit->native);
    return Qtrue;
}

/*
 * The call failed. An error that does not count (see {CircuitBreaker#initialize}) is as a {#cancel}.
 *
 * @overload failure(error = nil)
 *   @param error [Exception, nil] nil: a failure in any case
 *   @return [Boolean] (see #success)
 */
static VALUE permit_failure(int argc, VALUE *argv, VALUE self) {
    VALUE error;
    rb_scan_args(argc, argv, "01", &error);
    permit_t *permit = get_permit(self);
    if (permit->settled) return Qfalse;
    if (!NIL_P(error) && !counts(permit->breaker, get(permit->breaker), error))
        return permit_cancel(self);
    return permit_settle(self, true);
}

/* @return [Boolean] whether the outcome was reported, or the permit given back */
static VALUE permit_settled_p(VALUE self) {
    return get_permit(self)->settled ? Qtrue : Qfalse;
}

/* @return [Boolean] whether the call is a probe of a half-open breaker */
static VALUE permit_probe_p(VALUE self) {
    return get_permit(self)->native.probe ? Qtrue : Qfalse;
}

/* @return [CircuitBreaker] whose it is */
static VALUE permit_breaker(VALUE self) {
    return get_permit(self)->breaker;
}

/* ---- a call with a block ---- */

typedef struct call {
    VALUE self;
    breaker_t *breaker;
    raaf_breaker_permit_t own;
    raaf_breaker_permit_t *permit; /* own, or that of object */
    VALUE object;                  /* the Permit of a probe, else nil */
    bool own_settled;
    bool *settled;
    raaf_breaker_change_t change; /* by the permit */
} call_t;

/* The breakers of which this fiber is inside a probe; nil: none. */
static VALUE probes_of_fiber(void) {
    return rb_thread_local_aref(rb_thread_current(), id_probes);
}

static void enter_probe(VALUE self) {
    VALUE probes = probes_of_fiber();
    if (NIL_P(probes)) {
        probes = rb_ary_new();
        rb_thread_local_aset(rb_thread_current(), id_probes, probes);
    }
    rb_ary_push(probes, self);
}

static void leave_probe(VALUE self) {
    VALUE probes = probes_of_fiber();
    if (!NIL_P(probes)) rb_ary_delete(probes, self);
}

static VALUE call_block(VALUE argument) {
    call_t *call = (call_t *)argument;
    tell(call->self, &call->change);
    if (call->permit->probe) enter_probe(call->self);
    return rb_yield_values(0);
}

static VALUE call_failed(VALUE argument, VALUE error) {
    call_t *call = (call_t *)argument;
    if (counts(call->self, call->breaker, error))
        settle(call->self, call->breaker, call->permit, call->settled, true);
    rb_exc_raise(error);
}

static VALUE call_run(VALUE argument) {
    call_t *call = (call_t *)argument;
    VALUE value =
        rb_rescue2(call_block, argument, call_failed, argument, rb_eStandardError, (VALUE)0);
    if (raaf_breaker_leave(call->breaker->core, call->permit))
        *call->settled = true;
    else
        settle(call->self, call->breaker, call->permit, call->settled, false);
    return value;
}

static VALUE call_ended(VALUE argument) {
    call_t *call = (call_t *)argument;
    if (!*call->settled) {
        *call->settled = true;
        raaf_breaker_cancel(call->breaker->core, call->permit);
    }
    if (call->permit->probe) leave_probe(call->self);
    return Qnil;
}

/*
 * A call that is not simply let through. The permit of a probe is an object: a fiber that is
 * dropped in its sleep runs no ensure, but the collector finds what it held. Whether it is one is not
 * known yet where a clock of Ruby's lets others run before it is taken.
 */
static void call_acquire(call_t *call) {
    const breaker_t *breaker = call->breaker;
    if (raaf_breaker_state(breaker->core) != RAAF_BREAKER_CLOSED || !NIL_P(breaker->clock)) {
        call->object = permit_new(call->self);
        call->permit = &get_permit(call->object)->native;
        call->settled = &get_permit(call->object)->settled;
    }
    acquire(call->self, call->breaker, call->permit, &call->change);
    *call->settled = false;
}

static bool inside_probe(VALUE self, const breaker_t *breaker) {
    if (raaf_breaker_state(breaker->core) != RAAF_BREAKER_HALF_OPEN) return false;
    VALUE probes = probes_of_fiber();
    return !NIL_P(probes) && RTEST(rb_ary_includes(probes, self));
}

/*
 * Runs the block if the breaker lets it, and returns its value. A value is a success; a
 * StandardError that counts is a failure, and is raised again. A block that is left in any other
 * way (break, return, throw, Thread#kill, Interrupt, a Timeout round the call) says nothing.
 *
 * No lock is held meanwhile: any number of threads may be inside, and a block may call any breaker,
 * also this one. What it calls of this one while it is a probe is part of the probe.
 *
 * @yieldreturn [Object]
 * @return [Object] the block's value
 * @raise [Errors::CircuitOpenError] without running the block: the breaker is open. `retry_after`
 *   are the seconds until the next call is let through; while probes are under way, when nobody
 *   knows, the smaller of the timeout and 1 second
 * @raise [LocalJumpError] without a block
 */
static VALUE breaker_call(VALUE self) {
    call_t call = {.self = self, .breaker = get(self), .object = Qnil};
    rb_need_block();
    call.permit = &call.own;
    call.settled = &call.own_settled;
    refresh(self, call.breaker);
    /* Without an ensure, which would have nothing to give back. */
    if (raaf_breaker_enter(call.breaker->core, call.permit)) return call_run((VALUE)&call);
    if (inside_probe(self, call.breaker)) return rb_yield_values(0);
    call_acquire(&call);
    VALUE value = rb_ensure(call_run, (VALUE)&call, call_ended, (VALUE)&call);
    RB_GC_GUARD(call.object);
    return value;
}

/* ---- a call without a block ---- */

typedef struct announcement {
    VALUE breaker;
    VALUE permit;
    const raaf_breaker_change_t *change;
    bool done;
} announcement_t;

static VALUE announce(VALUE argument) {
    announcement_t *announcement = (announcement_t *)argument;
    tell(announcement->breaker, announcement->change);
    announcement->done = true;
    return announcement->permit;
}

static VALUE announced(VALUE argument) {
    announcement_t *announcement = (announcement_t *)argument;
    if (!announcement->done) permit_cancel(announcement->permit);
    return Qnil;
}

/*
 * Takes a permit for a call whose outcome is reported later, from any thread: exactly one of the
 * permit's `success`, `failure` and `cancel`. One that is dropped without a word is cancelled when
 * the garbage collector finds it.
 *
 * @return [Permit]
 * @raise [Errors::CircuitOpenError] (see #call)
 */
static VALUE breaker_acquire(VALUE self) {
    breaker_t *breaker = get(self);
    raaf_breaker_change_t change;
    VALUE object = permit_new(self);
    permit_t *permit = get_permit(object);
    refresh(self, breaker);
    acquire(self, breaker, &permit->native, &change);
    permit->settled = false;
    if (change.reason == RAAF_BREAKER_UNCHANGED) return object;
    announcement_t announcement = {self, object, &change, false};
    return rb_ensure(announce, (VALUE)&announcement, announced, (VALUE)&announcement);
}

/* ---- what it is like ---- */

/* The state as it is here, without a look at the store. */
static raaf_breaker_snapshot_t snapshot(const breaker_t *breaker) {
    return raaf_breaker_snapshot(breaker->core, now_of(breaker));
}

static raaf_breaker_snapshot_t fresh_snapshot(VALUE self) {
    breaker_t *breaker = get(self);
    refresh(self, breaker);
    return snapshot(breaker);
}

/*
 * An open breaker is :open until somebody calls: the first call after the timeout makes it
 * :half_open.
 *
 * @return [Symbol] one of {STATES}
 */
static VALUE breaker_state(VALUE self) {
    breaker_t *breaker = get(self);
    refresh(self, breaker);
    return state_names[raaf_breaker_state(breaker->core)];
}

/* @return [Boolean] whether a call would be let through now; takes nothing and changes nothing */
static VALUE breaker_allow_p(VALUE self) {
    return fresh_snapshot(self).wait == 0 ? Qtrue : Qfalse;
}

/*
 * @return [Float] seconds until a call is let through, as in a CircuitOpenError; 0.0 where one is
 *   let through now
 */
static VALUE breaker_retry_after(VALUE self) {
    raaf_breaker_snapshot_t now = fresh_snapshot(self);
    return DBL2NUM(wait_in_seconds(get(self), now.wait));
}

/* @return [Integer] failures in a row since the last success; 0 unless the breaker is closed */
static VALUE breaker_failure_count(VALUE self) {
    return UINT2NUM(fresh_snapshot(self).failures);
}

/* local_state: the state here, for what must not look at the store. */
static VALUE breaker_local_state(VALUE self) {
    return state_names[raaf_breaker_state(get(self)->core)];
}

static void put(VALUE hash, const char *key, VALUE value) {
    rb_hash_aset(hash, ID2SYM(rb_intern(key)), value);
}

/* local_figures: {state:, failures:, probes:, successes:, wait:, calls:, …} here and now. */
static VALUE breaker_local_figures(VALUE self) {
    breaker_t *breaker = get(self);
    raaf_breaker_snapshot_t now = snapshot(breaker);
    VALUE hash = rb_hash_new();
    put(hash, "state", state_names[now.state]);
    put(hash, "failures", UINT2NUM(now.failures));
    put(hash, "probes", UINT2NUM(now.probes));
    put(hash, "successes", UINT2NUM(now.successes));
    put(hash, "retry_after", DBL2NUM(wait_in_seconds(breaker, now.wait)));
    if (!breaker->core->window) return hash;
    put(hash, "window_calls", UINT2NUM(now.counts.calls));
    put(hash, "window_failures", UINT2NUM(now.counts.failures));
    put(hash, "window_slow_calls", UINT2NUM(now.counts.slow));
    return hash;
}

/* ---- from outside ---- */

/* open_for(seconds, by_hand): opens it, also where it is open. */
static VALUE breaker_open_for(VALUE self, VALUE seconds, VALUE by_hand) {
    breaker_t *breaker = get(self);
    raaf_breaker_change_t change;
    const uint64_t wait = nanoseconds(NUM2DBL(seconds)), now = now_of(breaker);
    raaf_breaker_trip(breaker->core, now, wait,
                      RTEST(by_hand) ? RAAF_BREAKER_BY_HAND : RAAF_BREAKER_SHARED, &change);
    tell(self, &change);
    return self;
}

/* close_now(by_hand): closes it and forgets all failures. */
static VALUE breaker_close_now(VALUE self, VALUE by_hand) {
    raaf_breaker_change_t change;
    raaf_breaker_reset(get(self)->core, RTEST(by_hand) ? RAAF_BREAKER_BY_HAND : RAAF_BREAKER_SHARED,
                       &change);
    tell(self, &change);
    return self;
}

/* postpone(seconds): where it is open, the next probe is let through so much later. */
static VALUE breaker_postpone(VALUE self, VALUE seconds) {
    breaker_t *breaker = get(self);
    const uint64_t wait = nanoseconds(NUM2DBL(seconds)), now = now_of(breaker);
    raaf_breaker_postpone(breaker->core, now, wait);
    return self;
}

/* refresh_soon: whoever calls next looks at the store. */
static VALUE breaker_refresh_soon(VALUE self) {
    get(self)->refresh_at = 0;
    return self;
}

/* A copy would share nothing with the original, and its permits would go nowhere. */
static VALUE breaker_initialize_copy(VALUE self, VALUE other) {
    rb_raise(rb_eTypeError, "a circuit breaker cannot be copied");
}

static void define_names(void) {
    static const char *const states[] = {"closed", "open", "half_open"};
    static const char *const reasons[] = {"unchanged",       "failures", "failure_rate",
                                          "slow_call_rate",  "timeout",  "probe_failed",
                                          "probe_succeeded", "by_hand",  "shared"};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        state_names[i] = ID2SYM(rb_intern(states[i]));
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        reason_names[i] = ID2SYM(rb_intern(reasons[i]));
    id_call = rb_intern("call");
    id_changed = rb_intern("changed");
    id_refused = rb_intern("refused");
    id_counts = rb_intern("counts?");
    id_synchronize = rb_intern("synchronize");
    id_may_probe = rb_intern("may_probe?");
    id_probes = rb_intern("__raaf_circuit_probes__");
}

static void define_private(void) {
    rb_define_private_method(cBreaker, "setup", breaker_setup, 4);
    rb_define_private_method(cBreaker, "initialize_copy", breaker_initialize_copy, 1);
    rb_define_private_method(cBreaker, "local_state", breaker_local_state, 0);
    rb_define_private_method(cBreaker, "local_figures", breaker_local_figures, 0);
    rb_define_private_method(cBreaker, "open_for", breaker_open_for, 2);
    rb_define_private_method(cBreaker, "close_now", breaker_close_now, 1);
    rb_define_private_method(cBreaker, "postpone", breaker_postpone, 1);
    rb_define_private_method(cBreaker, "refresh_soon", breaker_refresh_soon, 0);
}

static void define_breaker(void) {
    cBreaker = rb_define_class_under(mStreaming, "CircuitBreaker", rb_cObject);
    rb_define_alloc_func(cBreaker, breaker_alloc);
    rb_define_method(cBreaker, "call", breaker_call, 0);
    rb_define_method(cBreaker, "acquire", breaker_acquire, 0);
    rb_define_method(cBreaker, "allow?", breaker_allow_p, 0);
    rb_define_method(cBreaker, "state", breaker_state, 0);
    rb_define_method(cBreaker, "retry_after", breaker_retry_after, 0);
    rb_define_method(cBreaker, "failure_count", breaker_failure_count, 0);
}

static void define_permit(void) {
    /*
     * Document-class: RAAF::Streaming::CircuitBreaker::Permit
     * The right to one call, from {CircuitBreaker#acquire}.
     */
    cPermit = rb_define_class_under(cBreaker, "Permit", rb_cObject);
    rb_undef_alloc_func(cPermit);
    rb_define_method(cPermit, "success", permit_success, 0);
    rb_define_method(cPermit, "failure", permit_failure, -1);
    rb_define_method(cPermit, "cancel", permit_cancel, 0);
    rb_define_method(cPermit, "settled?", permit_settled_p, 0);
    rb_define_method(cPermit, "probe?", permit_probe_p, 0);
    rb_define_method(cPermit, "breaker", permit_breaker, 0);
}

void rb_raaf_init_circuit_breaker(void) {
    define_names();
    define_breaker();
    define_private();
    define_permit();
}
