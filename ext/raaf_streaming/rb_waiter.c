/*
 * How a Ruby thread or fiber sleeps until the reactor has something for it.
 *
 * One mechanism for both: an eventfd and rb_io_wait, which goes through the Fiber scheduler where
 * there is one. Descriptors are scarce, so they are leased from a pool for the length of one sleep;
 * a consumer that is busy, and a stream that nobody waits for, have none.
 *
 * The pool is a Ruby Array of Waker objects: only touched with the GVL held, and never across a
 * point where the GVL could be given up.
 *
 * A fiber that is dropped in the middle of its sleep never runs its ensure. So the descriptors
 * belong to the Waker, not to the IO that watches them, and the Waker knows what it is armed for:
 * when it is collected it disarms first and closes then. Else the reactor would write to whatever
 * got the number next.
 */
#include "rb_raaf.h"

#include "core/result_code.h"
#include "core/waker.h"

#include <ruby/io.h>
#include <stdlib.h>
#include <unistd.h>

/* Kept for reuse; what is over is closed. */
#define MOST_IDLE 32

typedef struct waker {
    raaf_waker_t waker;    /* owned */
    VALUE io;              /* of its read end, for rb_io_wait; never closes it */
    rb_raaf_sleep_t armed; /* what may write to it; arm is NULL: nobody */
    pid_t pid;
} waker_t;

static VALUE pool;
static VALUE cWaker;
static ID id_for_fd, id_autoclose;
static bool use_pipe;

static void waker_mark(void *data) {
    rb_gc_mark_movable(((waker_t *)data)->io);
}

static void waker_compact(void *data) {
    waker_t *waker = data;
    waker->io = rb_gc_location(waker->io);
}

static void disarm(waker_t *waker) {
    if (!waker->armed.arm) return;
    waker->armed.arm = NULL;
    /* In a forked child all of it is the parent's. */
    if (waker->pid == getpid()) waker->armed.disarm(waker->armed.context, waker->waker.write_fd);
}

static void waker_free(void *data) {
    waker_t *waker = data;
    disarm(waker);
    raaf_waker_close(&waker->waker);
    xfree(waker);
}

static const rb_data_type_t waker_type = {
    .wrap_struct_name = "RAAF::Streaming::Waker",
    .function = {waker_mark, waker_free, NULL, waker_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE waker_new(void) {
    waker_t *waker;
    VALUE self = TypedData_Make_Struct(cWaker, waker_t, &waker_type, waker);
    waker->io = Qnil;
    waker->waker.read_fd = waker->waker.write_fd = -1;
    waker->pid = getpid();
    if (raaf_waker_open(&waker->waker, use_pipe) != RAAF_OK)
        rb_raaf_raise_code(RAAF_SYSTEM, "a wake-up descriptor");
    rb_update_max_fd(waker->waker.read_fd);
    VALUE io = rb_funcall(rb_cIO, id_for_fd, 1, INT2FIX(waker->waker.read_fd));
    rb_funcall(io, id_autoclose, 1, Qfalse);
    RB_OBJ_WRITE(self, &waker->io, io);
    return self;
}

static VALUE lease(void) {
    rb_raaf_check_fork();
    VALUE waker = rb_ary_pop(pool);
    return NIL_P(waker) ? waker_new() : waker;
}

struct sleep_call {
    const rb_raaf_sleep_t *sleep;
    VALUE waker;
    VALUE seconds;
};

static VALUE sleep_body(VALUE argument) {
    struct sleep_call *call = (struct sleep_call *)argument;
    waker_t *waker = RTYPEDDATA_DATA(call->waker);
    if (!call->sleep->arm(call->sleep->context, waker->waker.write_fd)) return Qnil;
    waker->armed = *call->sleep;
    rb_io_wait(waker->io, INT2FIX(RUBY_IO_READABLE), call->seconds);
    return Qnil;
}

static VALUE sleep_ensure(VALUE argument) {
    struct sleep_call *call = (struct sleep_call *)argument;
    waker_t *waker = RTYPEDDATA_DATA(call->waker);
    disarm(waker);
    if (waker->pid != getpid()) return Qnil; /* another fiber forked, and this is the child */
    if (RARRAY_LEN(pool) >= MOST_IDLE) {
        raaf_waker_close(&waker->waker);
        return Qnil;
    }
    raaf_drain_fd(waker->waker.read_fd);
    rb_ary_push(pool, call->waker);
    return Qnil;
}

void rb_raaf_sleep(const rb_raaf_sleep_t *sleep, double seconds) {
    /* A float this size is an immediate: no object a sleep. */
    struct sleep_call call = {sleep, lease(), DBL2NUM(seconds)};
    rb_ensure(sleep_body, (VALUE)&call, sleep_ensure, (VALUE)&call);
    RB_GC_GUARD(call.waker);
}

void rb_raaf_waiter_after_fork(void) {
    pool = rb_ary_new();
}

/* :nodoc: RAAF::Streaming::Reactor.wake_by_pipe = true: pipes for new descriptors, for tests. */
static VALUE waiter_use_pipe(VALUE self, VALUE value) {
    use_pipe = RTEST(value);
    pool = rb_ary_new();
    return value;
}

/* @return [Integer] wake-up descriptors that nobody leases at the moment */
static VALUE waiter_pool_size(VALUE self) {
    return LONG2NUM(RARRAY_LEN(pool));
}

void rb_raaf_init_waiter(void) {
    id_for_fd = rb_intern("for_fd");
    id_autoclose = rb_intern("autoclose=");
    VALUE mReactor = rb_define_module_under(mStreaming, "Reactor");
    cWaker = rb_class_new(rb_cObject);
    rb_undef_alloc_func(cWaker);
    rb_gc_register_mark_object(cWaker);
    rb_gc_register_address(&pool);
    rb_raaf_waiter_after_fork();
    rb_define_singleton_method(mReactor, "wake_by_pipe=", waiter_use_pipe, 1);
    rb_define_singleton_method(mReactor, "idle_wakers", waiter_pool_size, 0);
}
