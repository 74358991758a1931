/*
 * RAAF::Streaming::EventBus::Subscription: a handler, its queue, and the jobs that take events from
 * it on the threads of a pool.
 *
 * A handler with :ordered has one job, with :parallel several. A job is out (posted, or running) as
 * long as there is something in the queue, and rests otherwise.
 */
#include "rb_event_bus.h"

#include "core/clock.h"

#define FAST_EVENTS 16 /* handled between two looks at a clock that does not move */

enum delivery { INLINE, QUEUED };
enum state {
    ACTIVE,
    SPENT, /* takes no more events, but handles those it has: `once` */
    OFF    /* handles none any longer */
};

typedef struct subscription {
    VALUE bus;
    VALUE callable;
    VALUE queue;     /* Array of Events */
    VALUE resting;   /* Array of Jobs */
    uint64_t pushed; /* events that ever stood in the queue; the n-th one is number n */
    long limit;      /* of the queue */
    long most_jobs;  /* at once */
    long jobs_out;
    long waiters; /* threads and fibers that wait for room */
    bool told;    /* that there is some, since the last of them found none */
    enum delivery delivery;
    enum state state;
    unsigned generation;
    bool is_proc;
    bool once;
    bool drop_oldest; /* when full */
    uint64_t handled; /* also those that failed */
    uint64_t failed;
    uint64_t dropped;
} subscription_t;

typedef struct job {
    VALUE subscription;
    VALUE thread;    /* that runs it; nil: none */
    VALUE event;     /* whose handler has raised, or ended the thread; nil: none */
    uint64_t number; /* of the event that is being handled; 0: none */
    unsigned generation;
} job_t;

static VALUE cSubscription, cJob;
static VALUE running; /* Array of the Jobs that threads run */
static unsigned running_generation;
static ID id_call, id_schedule, id_report, id_spent, id_announce, id_follow, id_hand_over;

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
    subscription_t *subscription = RTYPEDDATA_DATA(self);
    if (subscription->generation != rb_raaf_generation) reset(self, subscription);
    return subscription;
}

static VALUE subscription_alloc(VALUE class) {
    subscription_t *subscription;
    VALUE self = TypedData_Make_Struct(class, subscription_t, &subscription_type, subscription);
    subscription->bus = subscription->callable = subscription->queue = subscription->resting = Qnil;
    subscription->state = OFF;
    reset(self, subscription);
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
    subscription->is_proc = RTEST(rb_obj_is_proc(callable));
    RB_OBJ_WRITE(self, &subscription->bus, bus);
    RB_OBJ_WRITE(self, &subscription->callable, callable);
    subscription->state = ACTIVE;
    return self;
}

static void count_handled(subscription_t *subscription) {
    subscription->handled++;
    rb_raaf_bus_get(subscription->bus)->handled++;
}

static void count_failed(subscription_t *subscription) {
    subscription->failed++;
    rb_raaf_bus_get(subscription->bus)->failed++;
}

static void count_dropped(subscription_t *subscription) {
    subscription->dropped++;
    rb_raaf_bus_get(subscription->bus)->dropped++;
}

/* Events that were taken out of the queue; the last one's number. */
static uint64_t taken(const subscription_t *subscription) {
    return subscription->pushed - (uint64_t)RARRAY_LEN(subscription->queue);
}

static void call_plainly(const subscription_t *subscription, VALUE event) {
    if (subscription->is_proc)
        rb_proc_call_with_block(subscription->callable, 1, &event, Qnil);
    else
        rb_funcallv(subscription->callable, id_call, 1, &event);
}

/* Every call of a handler on a thread of the pool passes here, with what was carried there. */
static void call_handler(const subscription_t *subscription, VALUE event) {
    VALUE carried = rb_raaf_event_get(event)->carried;
    if (RB_TEST(carried) && carried != Qundef)
        rb_funcall(carried, id_hand_over, 2, subscription->callable, event);
    else
        call_plainly(subscription, event);
}

static VALUE call_inline(VALUE arguments) {
    VALUE *pair = (VALUE *)arguments;
    call_plainly(get(pair[0]), pair[1]);
    return Qnil;
}

static VALUE inline_failed(VALUE arguments, VALUE error) {
    VALUE *pair = (VALUE *)arguments;
    count_failed(get(pair[0]));
    return rb_funcall(get(pair[0])->bus, id_report, 3, error, pair[1], pair[0]);
}

/* What is no failure of the handler's (throw, a killed thread, Timeout) goes on to who emits. */
static void handle_inline(VALUE self, VALUE event) {
    VALUE pair[] = {self, event};
    count_handled(get(self));
    rb_rescue2(call_inline, (VALUE)pair, inline_failed, (VALUE)pair, rb_eStandardError,
               rb_eScriptError, rb_eSysStackError, (VALUE)0);
}

/*
 * The job is posted first, and the event follows: who is interrupted in between has emitted nothing,
 * and the job finds nothing to do. It may have done so before we come to the event, and rest again.
 */
static void have_job_out(VALUE self, const subscription_t *subscription) {
    if (subscription->jobs_out == subscription->most_jobs) return;
    do
        rb_funcall(self, id_schedule, 0);
    while (subscription->jobs_out == 0);
}

static void drop_first(subscription_t *subscription) {
    rb_ary_shift(subscription->queue);
    count_dropped(subscription);
}

static VALUE follow(VALUE self) {
    return rb_funcall(get(self)->bus, id_follow, 1, self);
}

static VALUE followed(VALUE self) {
    rb_raaf_bus_get(get(self)->bus)->following--;
    return Qnil;
}

/* Drains learn of it only now, when it may have been handled already: see EventBus#follow. */
static void tell_drains(VALUE self, const subscription_t *subscription) {
    rb_raaf_bus_t *bus = rb_raaf_bus_get(subscription->bus);
    if (bus->drainers == 0) return;
    bus->following++;
    rb_ensure(follow, self, followed, self);
}

/* False: the queue is full. [edge]: an Array whose third element gets true with the event; or nil. */
static bool enqueue(VALUE self, VALUE event, long limit, VALUE edge) {
    subscription_t *subscription = get(self);
    have_job_out(self, subscription);
    if (subscription->state == OFF) return true;
    bool full = RARRAY_LEN(subscription->queue) >= limit;
    subscription->told &= !full;
    if (full && !subscription->drop_oldest) return false;
    if (full) drop_first(subscription);
    rb_ary_push(subscription->queue, event);
    subscription->pushed++;
    if (!NIL_P(edge)) rb_ary_store(edge, 2, Qtrue);
    tell_drains(self, subscription);
    return true;
}

static bool hand_over(VALUE self, subscription_t *subscription, VALUE event) {
    if (subscription->delivery == QUEUED) {
        rb_raaf_event_carry(event);
        return enqueue(self, event, subscription->limit, Qnil);
    }
    handle_inline(self, event);
    return true;
}

bool rb_raaf_subscription_offer(VALUE self, VALUE event) {
    subscription_t *subscription = get(self);
    if (subscription->state != ACTIVE) return true;
    if (!subscription->once) return hand_over(self, subscription, event);
    subscription->state = SPENT; /* first, since it may be emitted to meanwhile */
    hand_over(self, subscription, event);
    rb_funcall(subscription->bus, id_spent, 0);
    return true;
}

/* offer(event, limit, edge or nil): puts it into the queue, unless that has [limit] events. */
static VALUE subscription_offer(VALUE self, VALUE event, VALUE limit, VALUE edge) {
    return enqueue(self, event, NUM2LONG(limit), edge) ? Qtrue : Qfalse;
}

/* refuse: an event did not get in. */
static VALUE subscription_refuse(VALUE self) {
    count_dropped(get(self));
    return self;
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

/* Whether it gets no event any longer, and is through with those it got. */
static VALUE subscription_over_p(VALUE self) {
    const subscription_t *subscription = get(self);
    return subscription->state != ACTIVE && subscription->jobs_out == 0 ? Qtrue : Qfalse;
}

static VALUE subscription_queued(VALUE self) {
    return LONG2NUM(RARRAY_LEN(get(self)->queue));
}

/*
 * @return [Integer] events that were put into its queue
 * @api private
 */
static VALUE subscription_pushed(VALUE self) {
    return ULL2NUM(get(self)->pushed);
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

static VALUE subscription_waiters(VALUE self) {
    return LONG2NUM(get(self)->waiters);
}

/* A waiter that comes to itself in a forked child has been forgotten already. */
static VALUE subscription_count_waiter(VALUE self, VALUE by) {
    subscription_t *subscription = get(self);
    subscription->waiters += NUM2LONG(by);
    if (subscription->waiters < 0) subscription->waiters = 0;
    return self;
}

static job_t *get_job(VALUE self) {
    return RTYPEDDATA_DATA(self);
}

static bool here(const job_t *job) {
    return job->generation == rb_raaf_generation;
}

/* settled?(number): whether the events up to this one are handled, or dropped. */
static VALUE subscription_settled_p(VALUE self, VALUE last) {
    uint64_t number = NUM2ULL(last);
    if (taken(get(self)) < number) return Qfalse;
    for (long i = 0; i < RARRAY_LEN(running); i++) {
        const job_t *job = get_job(RARRAY_AREF(running, i));
        if (!here(job) || job->subscription != self || job->number == 0) continue;
        if (job->number <= number) return Qfalse;
    }
    return Qtrue;
}

static VALUE job_new(VALUE of) {
    job_t *job;
    VALUE self = TypedData_Make_Struct(cJob, job_t, &job_type, job);
    job->thread = job->event = Qnil;
    RB_OBJ_WRITE(self, &job->subscription, of);
    return self;
}

/* A job for the pool to run; nil: enough of them are out. */
static VALUE subscription_take_job(VALUE self) {
    subscription_t *subscription = get(self);
    if (subscription->jobs_out == subscription->most_jobs) return Qnil;
    VALUE job = rb_ary_pop(subscription->resting);
    if (NIL_P(job)) job = job_new(self);
    get_job(job)->generation = rb_raaf_generation;
    subscription->jobs_out++;
    return job;
}

/* Job.current: the one that the calling thread runs, or nil. */
static VALUE job_current(VALUE class) {
    VALUE thread = rb_thread_current();
    for (long i = 0; i < RARRAY_LEN(running); i++) {
        VALUE job = RARRAY_AREF(running, i);
        if (get_job(job)->thread == thread && here(get_job(job))) return job;
    }
    return Qnil;
}

/* start: the calling thread runs it from now on. False: it is another process's. */
static VALUE job_start(VALUE self) {
    job_t *job = get_job(self);
    if (!here(job)) return Qfalse;
    if (running_generation != rb_raaf_generation) rb_ary_clear(running);
    running_generation = rb_raaf_generation;
    rb_ary_push(running, self);
    RB_OBJ_WRITE(self, &job->thread, rb_thread_current());
    return Qtrue;
}

/* The event is done with, well or not. */
static void finish(job_t *job) {
    if (job->number == 0) return;
    job->number = 0;
    job->event = Qnil;
    count_handled(get(job->subscription));
}

/* A number of events, handled one after another. */
typedef struct turn {
    VALUE job;
    VALUE event; /* that is being handled; Qundef: none */
    long left;   /* events it may still take */
    uint64_t until;
    uint64_t seen; /* when the clock was last looked at */
    int unseen;    /* events until it is looked at again */
} turn_t;

/* Looks at the clock after each event; less often while it does not move, and nobody waits. */
static bool time_is_up(turn_t *turn, const subscription_t *subscription) {
    if (--turn->unseen > 0 && rb_raaf_bus_get(subscription->bus)->drainers == 0) return false;
    uint64_t now = raaf_clock_coarse();
    turn->unseen = now == turn->seen ? FAST_EVENTS : 1;
    turn->seen = now;
    return now >= turn->until;
}

static VALUE announce(VALUE self) {
    return rb_funcall(self, id_announce, 0);
}

/*
 * An event was taken, so there is room. Who is interrupted here has not begun with it: it stands first
 * again, unless the handler was taken off meanwhile.
 */
static void tell_waiters(turn_t *turn, job_t *job, subscription_t *subscription) {
    int interrupted = 0;
    subscription->told = true;
    rb_protect(announce, job->subscription, &interrupted);
    if (!interrupted) return;
    if (subscription->state == OFF)
        count_dropped(subscription);
    else
        rb_ary_unshift(subscription->queue, turn->event);
    turn->event = Qundef;
    job->number = 0;
    rb_jump_tag(interrupted);
}

/* False: the handler was taken off meanwhile. */
static bool take_event(turn_t *turn, job_t *job, subscription_t *subscription) {
    turn->event = rb_ary_shift(subscription->queue);
    job->number = taken(subscription);
    if (subscription->waiters == 0 || subscription->told) return true;
    tell_waiters(turn, job, subscription);
    if (subscription->state != OFF) return true;
    turn->event = Qundef;
    job->number = 0;
    count_dropped(subscription);
    return false;
}

static VALUE take_turn(VALUE data) {
    turn_t *turn = (turn_t *)data;
    job_t *job = get_job(turn->job);
    subscription_t *subscription = get(job->subscription);
    while (turn->left-- > 0 && RARRAY_LEN(subscription->queue)) {
        if (!take_event(turn, job, subscription)) break;
        call_handler(subscription, turn->event);
        if (!here(job)) return Qfalse; /* it has forked, and this is the child */
        turn->event = Qundef;
        finish(job);
        if (time_is_up(turn, subscription)) break;
    }
    return RARRAY_LEN(subscription->queue) ? Qtrue : Qfalse;
}

/* On the stack an event costs no write barrier; here it is left to the job. */
static VALUE end_turn(VALUE data) {
    const turn_t *turn = (turn_t *)data;
    if (turn->event != Qundef) RB_OBJ_WRITE(turn->job, &get_job(turn->job)->event, turn->event);
    return Qnil;
}

/*
 * serve(most events, nanoseconds): handles what is in the queue, and returns whether there is more.
 * Where a handler raises, so does this, and the event stays the job's until it goes on.
 */
static VALUE job_serve(VALUE self, VALUE most, VALUE nanoseconds) {
    uint64_t now = raaf_clock_coarse();
    turn_t turn = {.job = self,
                   .event = Qundef,
                   .left = NUM2LONG(most),
                   .seen = now,
                   .until = now + NUM2ULL(nanoseconds),
                   .unseen = 1};
    finish(get_job(self));
    return rb_ensure(take_turn, (VALUE)&turn, end_turn, (VALUE)&turn);
}

/* failed: counts it, and returns the event whose handler raised; nil: none was being handled. */
static VALUE job_failed(VALUE self) {
    job_t *job = get_job(self);
    if (!here(job) || NIL_P(job->event)) return Qnil;
    count_failed(get(job->subscription));
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
    if (!here(job)) return Qnil;
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
    if (!here(job)) return Qfalse;
    finish(job);
    if (RARRAY_LEN(get(job->subscription)->queue)) return Qtrue;
    job_rest(self);
    return Qfalse;
}

static VALUE job_subscription(VALUE self) {
    return get_job(self)->subscription;
}

/* @return [Integer] of the event that it handles, among all that its handler has got; 0: none */
static VALUE job_number(VALUE self) {
    return ULL2NUM(get_job(self)->number);
}

static void define_subscription(VALUE cBus) {
    cSubscription = rb_define_class_under(cBus, "Subscription", rb_cObject);
    rb_gc_register_mark_object(cSubscription);
    rb_define_alloc_func(cSubscription, subscription_alloc);
    rb_undef_method(cSubscription, "initialize_copy");
    rb_define_method(cSubscription, "active?", subscription_active_p, 0);
    rb_define_method(cSubscription, "over?", subscription_over_p, 0);
    rb_define_method(cSubscription, "settled?", subscription_settled_p, 1);
    rb_define_method(cSubscription, "queued", subscription_queued, 0);
    rb_define_method(cSubscription, "pushed", subscription_pushed, 0);
    rb_define_method(cSubscription, "handled", subscription_handled, 0);
    rb_define_method(cSubscription, "failed", subscription_failed, 0);
    rb_define_method(cSubscription, "dropped", subscription_dropped, 0);
    rb_define_private_method(cSubscription, "set_up", subscription_set_up, 7);
    rb_define_private_method(cSubscription, "offer", subscription_offer, 3);
    rb_define_private_method(cSubscription, "refuse", subscription_refuse, 0);
    rb_define_private_method(cSubscription, "take_job", subscription_take_job, 0);
    rb_define_private_method(cSubscription, "waiters", subscription_waiters, 0);
    rb_define_private_method(cSubscription, "count_waiter", subscription_count_waiter, 1);
    rb_define_private_method(cSubscription, "end_it", subscription_end, 0);
}

static void define_job(VALUE cBus) {
    cJob = rb_define_class_under(cBus, "Job", rb_cObject);
    rb_gc_register_mark_object(cJob);
    rb_undef_alloc_func(cJob);
    rb_define_singleton_method(cJob, "current", job_current, 0);
    rb_define_method(cJob, "subscription", job_subscription, 0);
    rb_define_method(cJob, "number", job_number, 0);
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
    id_follow = rb_intern("follow");
    id_hand_over = rb_intern("hand_over");
    running = rb_ary_new();
    rb_gc_register_mark_object(running);
    define_subscription(cBus);
    define_job(cBus);
}
