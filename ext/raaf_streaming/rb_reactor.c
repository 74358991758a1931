/*
 * RAAF::Streaming::Reactor: the process's one reactor, as Ruby sees it.
 *
 * Started by the first stream, never at require. A forked child gives the inherited one up and
 * starts its own at need: the pid is compared at each entry, and Process._fork is hooked besides.
 */
#include "rb_raaf.h"

#include "core/result_code.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <ruby/thread.h>
#include <unistd.h>

#define FORK_PAUSE_NS 100000000u /* longest that a fork waits for the reactor to pause */

static raaf_reactor_t *current; /* GVL; one reference */
static raaf_reactor_t *paused;  /* between before_fork and after_fork_in_parent; GVL */
static pid_t own_pid;           /* of the process that all of this belongs to */
static raaf_reactor_options_t options = {.idle_connections = 10};
static unsigned fork_number; /* raised in each child */
static VALUE mReactor;
static ID id_prepare_reactor;

/*
 * Descriptors that came with a fork are the parent's too: each process would take the other's
 * wake-ups. So the pool is given up even where the parent had stopped its reactor.
 */
void rb_raaf_check_fork(void) {
    if (own_pid == getpid()) return;
    own_pid = getpid();
    raaf_stream_forget_counts();
    raaf_analytics_forget();
    rb_raaf_waiter_after_fork();
    if (!current) return;
    raaf_reactor_abandon(
        current); /* its memory too is given up: another thread owned parts of it */
    current = NULL;
}

/*
 * Around every fork, also those that do not pass Process._fork (Process.daemon). The fork may be
 * that of a thread without the GVL: then `current` may change meanwhile, so it is looked at once.
 */
static void before_fork(void) {
    raaf_reactor_t *reactor = current;
    if (!reactor || raaf_reactor_stopped(reactor)) return;
    raaf_reactor_retain(reactor);
    raaf_reactor_pause(reactor, FORK_PAUSE_NS);
    paused = reactor;
}

static void after_fork_in_parent(void) {
    if (!paused) return;
    raaf_reactor_unpause(paused);
    raaf_reactor_release(paused);
    paused = NULL;
}

/* At once: later the child's descriptors may be others under the same numbers. Closes only. */
static void after_fork_in_child(void) {
    fork_number++;
    if (current) raaf_reactor_abandon(current);
    current = paused = NULL;
}

unsigned rb_raaf_fork_number(void) {
    return fork_number;
}

static void drop_stopped(void) {
    if (!current || !raaf_reactor_stopped(current)) return;
    raaf_reactor_release(current);
    current = NULL;
}

raaf_reactor_t *rb_raaf_reactor(void) {
    rb_raaf_check_fork();
    drop_stopped();
    if (current) return current;
    rb_funcall(mStreaming, id_prepare_reactor, 0); /* sets the options below */
    drop_stopped();
    if (current) return current; /* another thread was here meanwhile */
    int result;
    raaf_reactor_t *started = raaf_reactor_start(&options, &result);
    if (!started) rb_raaf_raise_code(result, "the reactor thread");
    return current = started;
}

struct stop_call {
    raaf_reactor_t *reactor;
    uint64_t timeout_ns;
    bool ran;
    bool stopped;
};

static void *stop_without_gvl(void *argument) {
    struct stop_call *call = argument;
    call->ran = true;
    call->stopped = raaf_reactor_stop(call->reactor, call->timeout_ns);
    return NULL;
}

/*
 * Ends all streams of the process and its reactor thread. Returns true once the thread has ended
 * or if there was none; false if it did not end within the timeout (nothing was freed then).
 */
static VALUE reactor_stop(VALUE self, VALUE seconds) {
    double timeout = NUM2DBL(seconds);
    if (isnan(timeout) || timeout < 0) rb_raise(rb_eArgError, "a timeout must not be negative");
    rb_raaf_check_fork();
    if (!current) return Qtrue;
    uint64_t timeout_ns = timeout < 1e9 ? (uint64_t)(timeout * 1e9) : UINT64_MAX;
    struct stop_call call = {current, timeout_ns, false, false};
    raaf_reactor_retain(call.reactor); /* another thread may drop the current one meanwhile */
    rb_nogvl(stop_without_gvl, &call, NULL, NULL, RB_NOGVL_INTR_FAIL);
    if (!call.ran) stop_without_gvl(&call); /* an interrupt was pending: it is raised after this */
    raaf_reactor_release(call.reactor);
    drop_stopped();
    return call.stopped ? Qtrue : Qfalse;
}

/* In a forked child: gives the parent's reactor up. Does nothing in the process that started it. */
static VALUE reactor_after_fork(VALUE self) {
    rb_raaf_check_fork();
    return Qnil;
}

static VALUE reactor_running_p(VALUE self) {
    return current && own_pid == getpid() && !raaf_reactor_stopped(current) ? Qtrue : Qfalse;
}

/* {backend:, turns:, transfers:, running:, streams:, active:}; empty if none runs. */
static VALUE reactor_stats(VALUE self) {
    VALUE hash = rb_hash_new();
    if (!RTEST(reactor_running_p(self))) return hash;
    raaf_reactor_stats_t stats = raaf_reactor_stats(current);
    const char *backend = raaf_reactor_backend_name(current);
    rb_hash_aset(hash, ID2SYM(rb_intern("backend")), ID2SYM(rb_intern(backend)));
    rb_hash_aset(hash, ID2SYM(rb_intern("turns")), ULL2NUM(stats.turns));
    rb_hash_aset(hash, ID2SYM(rb_intern("transfers")), ULL2NUM(stats.transfers));
    rb_hash_aset(hash, ID2SYM(rb_intern("running")), SIZET2NUM(stats.running));
    rb_hash_aset(hash, ID2SYM(rb_intern("streams")), SIZET2NUM(raaf_stream_live_count()));
    rb_hash_aset(hash, ID2SYM(rb_intern("active")), SIZET2NUM(raaf_stream_active_count()));
    return hash;
}

/* Of the next start: (backend Symbol or nil, pipe instead of eventfd, idle connections). */
static VALUE reactor_set_options(VALUE self, VALUE backend, VALUE pipe, VALUE idle) {
    raaf_reactor_options_t wanted = {.pipe = RTEST(pipe), .idle_connections = NUM2SIZET(idle)};
    if (NIL_P(backend))
        wanted.backend = RAAF_BACKEND_DEFAULT;
    else if (backend == ID2SYM(rb_intern("epoll")))
        wanted.backend = RAAF_BACKEND_EPOLL;
    else if (backend == ID2SYM(rb_intern("poll")))
        wanted.backend = RAAF_BACKEND_POLL;
    else
        rb_raise(rb_eArgError, "backend must be :epoll, :poll or nil");
    options = wanted;
    return Qnil;
}

void rb_raaf_init_reactor(void) {
    if (pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) != 0)
        rb_raaf_raise_code(RAAF_SYSTEM, "the fork handlers");
    own_pid = getpid();
    id_prepare_reactor = rb_intern("prepare_reactor");
    /*
     * Document-module: RAAF::Streaming::Reactor
     * The native thread that does all streaming of the process: its numbers, and its end.
     *
     * @api private
     */
    mReactor = rb_define_module_under(mStreaming, "Reactor");
    rb_define_singleton_method(mReactor, "stop", reactor_stop, 1);
    rb_define_singleton_method(mReactor, "after_fork", reactor_after_fork, 0);
    rb_define_singleton_method(mReactor, "running?", reactor_running_p, 0);
    rb_define_singleton_method(mReactor, "stats", reactor_stats, 0);
    rb_define_singleton_method(mReactor, "set_options", reactor_set_options, 3);
}
