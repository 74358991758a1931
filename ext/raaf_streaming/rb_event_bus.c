/*
 * RAAF::Streaming::EventBus, the hot part: from an emit to the handlers' queues.
 *
 * Which handlers an event has is worked out in Ruby, once a type, and kept as a frozen Array (a
 * snapshot): an emit runs through the one it found, whatever `on` and `off` do meanwhile.
 */
#include "rb_event_bus.h"

#include "core/result_code.h"
#include "core/rounds.h"

#include <pthread.h>

#define MOST_SNAPSHOTS 1000 /* types of events an application has; more are made up, and forgotten */

typedef struct bus {
    VALUE snapshots;  /* {type => frozen Array of Subscriptions} */
    VALUE middleware; /* frozen Array of callables */
    raaf_rounds_t rounds;
    rb_raaf_bus_counts_t counts;
    unsigned generation;
    long drainers; /* threads and fibers that wait for a round */
    bool closed;
} bus_t;

unsigned rb_raaf_generation;
static VALUE cBus;
static ID id_call, id_find_handlers, id_deliver_late;

static void bus_mark(void *data) {
    bus_t *bus = data;
    rb_gc_mark_movable(bus->snapshots);
    rb_gc_mark_movable(bus->middleware);
}

static void bus_compact(void *data) {
    bus_t *bus = data;
    bus->snapshots = rb_gc_location(bus->snapshots);
    bus->middleware = rb_gc_location(bus->middleware);
}

static void bus_free(void *data) {
    bus_t *bus = data;
    raaf_rounds_free(&bus->rounds);
    xfree(bus);
}

static size_t bus_size(const void *data) {
    const bus_t *bus = data;
    return sizeof *bus + raaf_rounds_memory(&bus->rounds);
}

static const rb_data_type_t bus_type = {
    .wrap_struct_name = "RAAF::Streaming::EventBus",
    .function = {bus_mark, bus_free, bus_size, bus_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static bus_t *get(VALUE self) {
    bus_t *bus = rb_check_typeddata(self, &bus_type);
    if (bus->generation != rb_raaf_generation) { /* what is on its way is the parent's */
        raaf_rounds_reset(&bus->rounds);
        bus->counts.queued = 0;
        bus->drainers = 0;
        bus->generation = rb_raaf_generation;
    }
    return bus;
}

static VALUE bus_alloc(VALUE class) {
    bus_t *bus;
    VALUE self = TypedData_Make_Struct(class, bus_t, &bus_type, bus);
    bus->generation = rb_raaf_generation;
    bus->snapshots = bus->middleware = Qnil;
    if (raaf_rounds_init(&bus->rounds) != RAAF_OK) rb_raaf_raise_code(RAAF_NO_MEMORY, "a bus");
    RB_OBJ_WRITE(self, &bus->snapshots, rb_hash_new());
    RB_OBJ_WRITE(self, &bus->middleware, rb_obj_freeze(rb_ary_new()));
    return self;
}

rb_raaf_bus_counts_t *rb_raaf_bus_counts(VALUE self) {
    return &get(self)->counts;
}

void rb_raaf_bus_enter(VALUE self, VALUE event) {
    bus_t *bus = get(self);
    bus->counts.queued++;
    raaf_rounds_enter(&bus->rounds, rb_raaf_event_get(event)->round);
}

bool rb_raaf_bus_leave(VALUE self, VALUE event) {
    bus_t *bus = get(self);
    bus->counts.queued--;
    return raaf_rounds_leave(&bus->rounds, rb_raaf_event_get(event)->round) && bus->drainers > 0;
}

/*
 * What is found is kept in the Hash that was there before the search: one that `on` has put aside
 * meanwhile may get what is out of date.
 */
static VALUE find_handlers(VALUE self, VALUE snapshots, VALUE type) {
    VALUE handlers = rb_funcall(self, id_find_handlers, 1, type);
    Check_Type(handlers, T_ARRAY);
    if (RHASH_SIZE(snapshots) >= MOST_SNAPSHOTS) rb_hash_clear(snapshots);
    rb_hash_aset(snapshots, type, handlers);
    return handlers;
}

static VALUE handlers_for(VALUE self, VALUE type) {
    VALUE snapshots = get(self)->snapshots;
    VALUE handlers = rb_hash_lookup2(snapshots, type, Qundef);
    return handlers == Qundef ? find_handlers(self, snapshots, type) : handlers;
}

/* Returns whether the event may go on. */
static bool pass_middleware(VALUE middleware, VALUE event) {
    for (long i = 0; i < RARRAY_LEN(middleware); i++) {
        rb_funcallv(RARRAY_AREF(middleware, i), id_call, 1, &event);
        if (rb_raaf_event_get(event)->stopped) return false;
    }
    RB_GC_GUARD(middleware);
    return true;
}

/*
 * Who has a full queue comes last, so that nobody else has to wait for that one. What happened to be
 * known here when an event was emitted, and has to be known where it is handled, would be taken
 * along in the event, and put in place round call_handler (rb_subscription.c).
 */
static void deliver(VALUE self, VALUE event) {
    VALUE handlers = handlers_for(self, rb_raaf_event_get(event)->type);
    VALUE late = Qnil;
    for (long i = 0; i < RARRAY_LEN(handlers); i++) {
        VALUE subscription = RARRAY_AREF(handlers, i);
        if (rb_raaf_subscription_offer(subscription, event)) continue;
        if (NIL_P(late)) late = rb_ary_new();
        rb_ary_push(late, subscription);
    }
    if (!NIL_P(late)) rb_funcall(self, id_deliver_late, 2, event, late);
    RB_GC_GUARD(handlers);
}

/* emit(type, payload = {}), or with keywords as the payload. Returns the Event. */
static VALUE bus_emit(int argc, VALUE *argv, VALUE self) {
    rb_check_arity(argc, 1, 2);
    bus_t *bus = get(self);
    if (bus->closed) rb_raaf_raise("BusClosedError", "the event bus is closed");
    VALUE type = rb_raaf_event_type(argv[0]);
    VALUE event = rb_raaf_event_new(type, argc > 1 ? argv[1] : Qnil);
    if (RARRAY_LEN(bus->middleware) && !pass_middleware(bus->middleware, event)) {
        rb_obj_freeze(event);
        return event;
    }
    rb_obj_freeze(event);
    bus->counts.emitted++;
    uint64_t round = rb_raaf_job_round(self);
    rb_raaf_event_get(event)->round = round ? round : get(self)->rounds.current;
    deliver(self, event);
    return event;
}

/* handlers_changed: what was found out is out of date. */
static VALUE bus_handlers_changed(VALUE self) {
    RB_OBJ_WRITE(self, &get(self)->snapshots, rb_hash_new());
    return self;
}

static VALUE bus_add_middleware(VALUE self, VALUE callable) {
    VALUE middleware = rb_ary_dup(get(self)->middleware);
    rb_ary_push(middleware, callable);
    RB_OBJ_WRITE(self, &get(self)->middleware, rb_obj_freeze(middleware));
    return self;
}

/* close_round: a round that is over when all is handled that was emitted so far, or nil: it is. */
static VALUE bus_close_round(VALUE self) {
    bus_t *bus = get(self);
    uint64_t round;
    if (raaf_rounds_close(&bus->rounds, &round) != RAAF_OK)
        rb_raaf_raise_code(RAAF_NO_MEMORY, "a drain");
    return raaf_rounds_over(&bus->rounds, round) ? Qnil : ULL2NUM(round);
}

static VALUE bus_round_over_p(VALUE self, VALUE round) {
    return raaf_rounds_over(&get(self)->rounds, NUM2ULL(round)) ? Qtrue : Qfalse;
}

static VALUE bus_drainers(VALUE self) {
    return LONG2NUM(get(self)->drainers);
}

static VALUE bus_count_drainer(VALUE self, VALUE by) {
    get(self)->drainers += NUM2LONG(by);
    return self;
}

static VALUE bus_end(VALUE self) {
    get(self)->closed = true;
    return self;
}

static VALUE bus_closed_p(VALUE self) {
    return get(self)->closed ? Qtrue : Qfalse;
}

/* counts: [emitted, queued, handled, failed, dropped] */
static VALUE bus_counts(VALUE self) {
    const rb_raaf_bus_counts_t *counts = rb_raaf_bus_counts(self);
    return rb_ary_new_from_args(5, ULL2NUM(counts->emitted), ULL2NUM(counts->queued),
                                ULL2NUM(counts->handled), ULL2NUM(counts->failed),
                                ULL2NUM(counts->dropped));
}

static void after_fork_in_child(void) {
    rb_raaf_generation++;
}

void rb_raaf_init_event_bus(void) {
    if (pthread_atfork(NULL, NULL, after_fork_in_child) != 0)
        rb_raaf_raise_code(RAAF_SYSTEM, "pthread_atfork");
    id_call = rb_intern("call");
    id_find_handlers = rb_intern("find_handlers");
    id_deliver_late = rb_intern("deliver_late");
    cBus = rb_define_class_under(mStreaming, "EventBus", rb_cObject);
    rb_gc_register_mark_object(cBus);
    rb_define_alloc_func(cBus, bus_alloc);
    rb_undef_method(cBus, "initialize_copy");
    rb_define_method(cBus, "emit", bus_emit, -1);
    rb_define_method(cBus, "closed?", bus_closed_p, 0);
    rb_define_private_method(cBus, "handlers_changed", bus_handlers_changed, 0);
    rb_define_private_method(cBus, "add_middleware", bus_add_middleware, 1);
    rb_define_private_method(cBus, "close_round", bus_close_round, 0);
    rb_define_private_method(cBus, "round_over?", bus_round_over_p, 1);
    rb_define_private_method(cBus, "drainers", bus_drainers, 0);
    rb_define_private_method(cBus, "count_drainer", bus_count_drainer, 1);
    rb_define_private_method(cBus, "end_it", bus_end, 0);
    rb_define_private_method(cBus, "counts", bus_counts, 0);
    rb_raaf_init_event(cBus);
    rb_raaf_init_subscription(cBus);
}
