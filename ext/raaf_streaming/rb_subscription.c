/*
 * RAAF::Streaming::EventBus::Subscription: a handler, its queue, and the jobs that take events from
 * it on the threads of a pool.
 *
 * A handler with :ordered has one job, with :parallel several. A job is out (posted, or running) as
 * long as there is something in the queue, and rests otherwise.
 */
#include "rb_event_bus.h"

#include "core/clock.h"

enum delivery { INLINE, QUEUED };
enum state {
    ACTIVE,
    SPENT, /* takes no more events, but handles those it has: `once` */
    OFF    /* handles none any longer */
};

typedef struct subscription {
    VALUE bus;
    VALUE callable;
    VALUE queue;    /* Array of Events */
    VALUE resting;  /* Array of Jobs */
    long limit;     /* of the queue */
    long most_jobs; /* at once */
    long jobs_out;
    unsigned generation;
    enum delivery delivery;
    enum state state;
    bool once;
    bool drop_oldest; /* when full */
    long waiters;     /* threads and fibers that wait for room */
    uint64_t handled; /* also those that failed */
    uint64_t failed;
    uint64_t dropped;
} subscription_t;

typedef struct job {
    VALUE subscription;
    VALUE thread; /* that runs it; nil: none */
    VALUE event;  /* that is being handled; nil: none */
    unsigned generation;
} job_t;

static VALUE cSubscription, cJob;
static VALUE running; /* Array of all Jobs that a thread runs; in a forked child also the parent's */
static unsigned running_generation;
static ID id_call, id_schedule, id_report, id_spent, id_announce;

static void subscription_mark(void *data) {
    subscription_t *subscription = data;
    rb_gc_mark_movable(subscription->bus);
    rb_gc_mark_movable(subscription->callable);
    rb_gc_mark_movable(subscription->queue);
    rb_gc_mark_movable(subscription->resting);
}

static void subscription_compact(void *data) {
    subscription_t *subscription = data;
    subscription->bus = rb_gc_location(subscription->bus);
    subscription->callable = rb_gc_location(subscription->callable);
    subscription->queue = rb_gc_location(subscription->queue);
    subscription->resting = rb_gc_location(subscription->resting);
}

static size_t subscription_size(const void *data) {
    return sizeof(subscription_t);
}

static const rb_data_type_t subscription_type = {
    .wrap_struct_name = "RAAF::Streaming::EventBus::Subscription",
    .function = {subscription_mark, RUBY_TYPED_DEFAULT_FREE, subscription_size,
                 subscription_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static void job_mark(void *data) {
    job_t *job = data;
    rb_gc_mark_movable(job->subscription);
    rb_gc_mark_movable(job->thread);
    rb_gc_mark_movable(job->event);
}

static void job_compact(void *data) {
    job_t *job = data;
    job->subscription = rb_gc_location(job->subscription);
    job->thread = rb_gc_location(job->thread);
    job->event = rb_gc_location(job->event);
}

static size_t job_size(const void *data) {
    return sizeof(job_t);
}

static const rb_data_type_t job_type = {
    .wrap_struct_name = "RAAF::Streaming::EventBus::Job",
    .function = {job_mark, RUBY_TYPED_DEFAULT_FREE, job_size, job_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

/* In a forked child: what is in the queue is the parent's to handle, and no job is out. */
static void reset(VALUE self, subscription_t *subscription) {
    VALUE queue = rb_ary_new(), resting = rb_ary_new();
    RB_OBJ_WRITE(self, &subscription->queue, queue);
    RB_OBJ_WRITE(self, &subscription->resting, resting);
    subscription->jobs_out = subscription->waiters = 0;
    subscription->generation = rb_raaf_generation;
}

static subscription_t *get(VALUE self) {
    subscription_t *subscription = rb_check_typeddata(self, &subscription_type);
    if (subscription->generation != rb_raaf_generation) reset(self, subscription);
    return subscription;
}

static job_t *get_job(VALUE self) {
    return rb_check_typeddata(self, &job_type);
}

static VALUE subscription_alloc(VALUE class) {
    subscription_t *subscription;
    VALUE self =
        TypedData_Make_Struct(class, subscription_t, &subscription_type, subscription);
    subscription->bus = subscription->callable = subscription->queue = subscription->resting = Qnil;
    subscription->state = OFF;
    reset(self, subscription);
    return self;
}

static VALUE job_new(VALUE of) {
    job_t *job;
    VALUE self = TypedData_Make_Struct(cJob, job_t, &job_type, job);
    job->thread = job->event = Qnil;
    RB_OBJ_WRITE(self, &job->subscription, of);
    return self;
}

/* set_up(bus, callable, inline, limit, most jobs, once, drop oldest) */
static VALUE subscription_set_up(VALUE self, VALUE bus, VALUE callable, VALUE is_inline,
                                 VALUE limit, VALUE most_jobs, VALUE once, VALUE drop_oldest) {
    subscription_t *subscription = get(self);
    subscription->limit = NUM2LONG(limit);
    subscription->most_jobs = NUM2LONG(most_jobs);
    subscription->delivery = RTEST(is_inline) ? INLINE : QUEUED;
    subscription->once = RTEST(once);
    subscription->drop_oldest = RTEST(drop_oldest);
    RB_OBJ_WRITE(self, &subscription->bus, bus);
    RB_OBJ_WRITE(self, &subscription->callable, callable);
    subscription->state = ACTIVE;
    return self;
}

/* Every call of a handler passes here. */
static void call_handler(const subscription_t *subscription, VALUE event) {
    if (rb_obj_is_proc(subscription->callable))
        rb_proc_call_with_block(subscription->callable, 1, &event, Qnil);
    else
        rb_funcallv(subscription->callable, id_call, 1, &event);
}

static VALUE call_inline(VALUE arguments) {
    VALUE *pair = (VALUE *)arguments;
    call_handler(get(pair[0]), pair[1]);
    return Qnil;
}

static VALUE inline_failed(VALUE arguments, VALUE error) {
    VALUE *pair = (VALUE *)arguments;
    subscription_t *subscription = get(pair[0]);
    subscription->failed++;
    rb_raaf_bus_counts(subscription->bus)->failed++;
    return rb_funcall(subscription->bus, id_report, 3, error, pair[1], pair[0]);
}

/* What is no failure of the handler's (throw, a killed thread, Timeout) goes on to who emits. */
static void handle_inline(VALUE self, VALUE event) {
    VALUE pair[] = {self, event};
    subscription_t *subscription = get(self);
    subscription->handled++;
    rb_raaf_bus_counts(subscription->bus)->handled++;
    rb_rescue2(call_inline, (VALUE)pair, inline_failed, (VALUE)pair, rb_eStandardError,
               rb_eScriptError, rb_eSysStackError, (VALUE)0);
}

static void count_dropped(subscription_t *subscription) {
    subscription->dropped++;
    rb_raaf_bus_counts(subscription->bus)->dropped++;
}

/* Returns whether somebody waits for what is over with this. */
static bool drop_first(subscription_t *subscription) {
    VALUE event = rb_ary_shift(subscription->queue);
    count_dropped(subscription);
    return rb_raaf_bus_leave(subscription->bus, event);
}

/*
 * The job is posted first, and the event follows: whoever is interrupted in between has emitted
 * nothing, and the job finds nothing to do. (It may have done so before we come to the event, so it
 * is looked at again.)
 */
static bool enqueue(VALUE self, VALUE event, long limit) {
    subscription_t *subscription = get(self);
    if (subscription->jobs_out < subscription->most_jobs)
        do
            rb_funcall(self, id_schedule, 0);
        while (subscription->jobs_out == 0);
    if (subscription->state == OFF) return true;
    bool full = RARRAY_LEN(subscription->queue) >= limit;
    if (full && !subscription->drop_oldest) return false;
    bool awaited = full && drop_first(subscription);
    rb_ary_push(subscription->queue, event);
    rb_raaf_bus_enter(subscription->bus, event);
    if (awaited) rb_funcall(subscription->bus, id_announce, 0);
    return true;
}

bool rb_raaf_subscription_offer(VALUE self, VALUE event) {
    subscription_t *subscription = get(self);
    if (subscription->state != ACTIVE) return true;
    if (subscription->once) {
        subscription->state = SPENT;
        rb_funcall(subscription->bus, id_spent, 1, self);
    }
    if (subscription->delivery == QUEUED) return enqueue(self, event, subscription->limit);
    handle_inline(self, event);
    return true;
}

/* offer(event, limit): puts it into the queue, unless that has [limit] events. */
static VALUE subscription_offer(VALUE self, VALUE event, VALUE limit) {
    return enqueue(self, event, NUM2LONG(limit)) ? Qtrue : Qfalse;
}

/* A job for the pool to run; nil: enough of them are out. */
static VALUE subscription_take_job(VALUE self) {
    subscription_t *subscription = get(self);
    if (subscription->jobs_out >= subscription->most_jobs) return Qnil;
    VALUE job = rb_ary_pop(subscription->resting);
    if (NIL_P(job)) job = job_new(self);
    get_job(job)->generation = rb_raaf_generation;
    subscription->jobs_out++;
    return job;
}

/* end_it: no event is handed to it any longer, and what is in its queue is dropped. */
static VALUE subscription_end(VALUE self) {
    subscription_t *subscription = get(self);
    subscription->state = OFF;
    while (RARRAY_LEN(subscription->queue))
        drop_first(subscription);
    return self;
}

static VALUE subscription_active_p(VALUE self) {
    return get(self)->state == ACTIVE ? Qtrue : Qfalse;
}

static VALUE subscription_queued(VALUE self) {
    return LONG2NUM(RARRAY_LEN(get(self)->queue));
}

static VALUE subscription_handled(VALUE self) {
    return ULL2NUM(get(self)->handled);
}

static VALUE subscription_failed(VALUE self) {
    return ULL2NUM(get(self)->failed);
}

static VALUE subscription_dropped(VALUE self) {
    return ULL2NUM(get(self)->dropped);
}

/* refuse: an event did not get in. */
static VALUE subscription_refuse(VALUE self) {
    count_dropped(get(self));
    return self;
}

static VALUE subscription_waiters(VALUE self) {
    return LONG2NUM(get(self)->waiters);
}

static VALUE subscription_count_waiter(VALUE self, VALUE by) {
    get(self)->waiters += NUM2LONG(by);
    return self;
}

/* Jobs that the calling thread runs: one, or none. */
static job_t *current_job(void) {
    long len = RARRAY_LEN(running);
    if (len == 0) return NULL;
    VALUE thread = rb_thread_current();
    for (long i = 0; i < len; i++) {
        job_t *job = get_job(RARRAY_AREF(running, i));
        if (job->thread == thread && job->generation == rb_raaf_generation) return job;
    }
    return NULL;
}

uint64_t rb_raaf_job_round(VALUE bus) {
    job_t *job = current_job();
    if (!job || NIL_P(job->event) || get(job->subscription)->bus != bus) return 0;
    return rb_raaf_event_get(job->event)->round;
}

/* Subscription.current: the one whose event the calling thread handles, on the pool; or nil. */
static VALUE subscription_current(VALUE class) {
    job_t *job = current_job();
    return job ? job->subscription : Qnil;
}

/* Its event is done with, well or not. */
static void finish(job_t *job) {
    subscription_t *subscription = get(job->subscription);
    VALUE event = job->event;
    if (NIL_P(event)) return;
    job->event = Qnil;
    subscription->handled++;
    rb_raaf_bus_counts(subscription->bus)->handled++;
    rb_raaf_bus_leave(subscription->bus, event);
}

/* start: the calling thread runs it from now on. False: it is another process's. */
static VALUE job_start(VALUE self) {
    job_t *job = get_job(self);
    if (job->generation != rb_raaf_generation) return Qfalse;
    if (running_generation != rb_raaf_generation) rb_ary_clear(running);
    running_generation = rb_raaf_generation;
    rb_ary_push(running, self);
    RB_OBJ_WRITE(self, &job->thread, rb_thread_current());
    return Qtrue;
}

/*
 * serve(most events, nanoseconds): handles what is in the queue, and returns whether there is more.
 * Where a handler raises, so does this, and the event stays the job's until it goes on.
 */
static VALUE job_serve(VALUE self, VALUE most, VALUE nanoseconds) {
    job_t *job = get_job(self);
    subscription_t *subscription = get(job->subscription);
    uint64_t until = raaf_clock_now() + NUM2ULL(nanoseconds);
    finish(job);
    for (long left = NUM2LONG(most); left > 0 && RARRAY_LEN(subscription->queue); left--) {
        RB_OBJ_WRITE(self, &job->event, rb_ary_shift(subscription->queue));
        call_handler(subscription, job->event);
        if (job->generation != rb_raaf_generation) return Qfalse; /* it has forked: the child */
        finish(job);
        if (raaf_clock_now() >= until) break;
    }
    VALUE more = RARRAY_LEN(subscription->queue) ? Qtrue : Qfalse;
    RB_GC_GUARD(self);
    return more;
}

/* failed: counts it, and returns the event whose handler raised; nil: none was being handled. */
static VALUE job_failed(VALUE self) {
    job_t *job = get_job(self);
    if (job->generation != rb_raaf_generation || NIL_P(job->event)) return Qnil;
    subscription_t *subscription = get(job->subscription);
    subscription->failed++;
    rb_raaf_bus_counts(subscription->bus)->failed++;
    return job->event;
}

static void stop_running(VALUE self) {
    long last = RARRAY_LEN(running) - 1;
    for (long i = 0; i <= last; i++) {
        if (RARRAY_AREF(running, i) != self) continue;
        rb_ary_store(running, i, RARRAY_AREF(running, last));
        rb_ary_pop(running);
        return;
    }
}

/* rest: it is not out any longer; take_job may take it again. */
static VALUE job_rest(VALUE self) {
    job_t *job = get_job(self);
    if (job->generation != rb_raaf_generation) return Qnil;
    subscription_t *subscription = get(job->subscription);
    rb_ary_push(subscription->resting, self);
    subscription->jobs_out--;
    return Qnil;
}

/* leave: the thread goes. True: there is more to do, and the job has to be posted again. */
static VALUE job_leave(VALUE self) {
    job_t *job = get_job(self);
    stop_running(self);
    job->thread = Qnil;
    if (job->generation != rb_raaf_generation) return Qfalse;
    finish(job);
    if (RARRAY_LEN(get(job->subscription)->queue)) return Qtrue;
    job_rest(self);
    return Qfalse;
}

static VALUE job_subscription(VALUE self) {
    return get_job(self)->subscription;
}

static void define_subscription(VALUE cBus) {
    cSubscription = rb_define_class_under(cBus, "Subscription", rb_cObject);
    rb_gc_register_mark_object(cSubscription);
    rb_define_alloc_func(cSubscription, subscription_alloc);
    rb_undef_method(cSubscription, "initialize_copy");
    rb_define_singleton_method(cSubscription, "current", subscription_current, 0);
    rb_define_method(cSubscription, "active?", subscription_active_p, 0);
    rb_define_method(cSubscription, "queued", subscription_queued, 0);
    rb_define_method(cSubscription, "handled", subscription_handled, 0);
    rb_define_method(cSubscription, "failed", subscription_failed, 0);
    rb_define_method(cSubscription, "dropped", subscription_dropped, 0);
    rb_define_private_method(cSubscription, "set_up", subscription_set_up, 7);
    rb_define_private_method(cSubscription, "offer", subscription_offer, 2);
    rb_define_private_method(cSubscription, "take_job", subscription_take_job, 0);
    rb_define_private_method(cSubscription, "refuse", subscription_refuse, 0);
    rb_define_private_method(cSubscription, "waiters", subscription_waiters, 0);
    rb_define_private_method(cSubscription, "count_waiter", subscription_count_waiter, 1);
    rb_define_private_method(cSubscription, "end_it", subscription_end, 0);
}

static void define_job(VALUE cBus) {
    cJob = rb_define_class_under(cBus, "Job", rb_cObject);
    rb_gc_register_mark_object(cJob);
    rb_undef_alloc_func(cJob);
    rb_define_method(cJob, "subscription", job_subscription, 0);
    rb_define_method(cJob, "rest", job_rest, 0);
    rb_define_private_method(cJob, "start", job_start, 0);
    rb_define_private_method(cJob, "serve", job_serve, 2);
    rb_define_private_method(cJob, "failed", job_failed, 0);
    rb_define_private_method(cJob, "leave", job_leave, 0);
}

void rb_raaf_init_subscription(VALUE cBus) {
    id_call = rb_intern("call");
    id_schedule = rb_intern("schedule");
    id_report = rb_intern("report");
    id_spent = rb_intern("spent");
    id_announce = rb_intern("announce");
    running = rb_ary_new();
    rb_gc_register_mark_object(running);
    define_subscription(cBus);
    define_job(cBus);
}
