/*
 * RAAF::Streaming::EventBus, the hot part: from an emit to the handlers' queues.
 *
 * Which handlers a type of event has is worked out in Ruby, once, and kept as a frozen Array (a
 * snapshot): an emit goes through the one it found, whatever `on` and `off` do meanwhile.
 */
#include "rb_event_bus.h"

#include "core/result_code.h"

#include <pthread.h>

#define MOST_SNAPSHOTS                                                                             \
    1000 /* types that an application has; where there are more, they are made up */

unsigned rb_raaf_generation;
static VALUE cBus;
static ID id_call, id_find_handlers, id_deliver_late;

static void bus_mark(void *data) {
    rb_raaf_bus_t *bus = data;
    rb_gc_mark_movable(bus->snapshots);
    rb_gc_mark_movable(bus->last_type);
    rb_gc_mark_movable(bus->last_handlers);
    rb_gc_mark_movable(bus->middleware);
}

static void bus_compact(void *data) {
    rb_raaf_bus_t *bus = data;
    bus->snapshots = rb_gc_location(bus->snapshots);
    bus->last_type = rb_gc_location(bus->last_type);
    bus->last_handlers = rb_gc_location(bus->last_handlers);
    bus->middleware = rb_gc_location(bus->middleware);
}

static size_t bus_size(const void *data) {
    return sizeof(rb_raaf_bus_t);
}

static const rb_data_type_t bus_type = {
    .wrap_struct_name = "RAAF::Streaming::EventBus",
    .function = {bus_mark, RUBY_TYPED_DEFAULT_FREE, bus_size, bus_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

rb_raaf_bus_t *rb_raaf_bus_get(VALUE self) {
    rb_raaf_bus_t *bus = RTYPEDDATA_DATA(self);
    if (bus->generation != rb_raaf_generation) {
        bus->drainers = bus->following = 0;
        bus->generation = rb_raaf_generation;
    }
    return bus;
}

static VALUE bus_alloc(VALUE class) {
    rb_raaf_bus_t *bus;
    VALUE self = TypedData_Make_Struct(class, rb_raaf_bus_t, &bus_type, bus);
    bus->generation = rb_raaf_generation;
    bus->snapshots = bus->last_type = bus->last_handlers = bus->middleware = Qnil;
    RB_OBJ_WRITE(self, &bus->snapshots, rb_hash_new());
    RB_OBJ_WRITE(self, &bus->middleware, rb_obj_freeze(rb_ary_new()));
    return self;
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

static VALUE handlers_for(VALUE self, rb_raaf_bus_t *bus, VALUE type) {
    if (type == bus->last_type) return bus->last_handlers;
    VALUE snapshots = bus->snapshots;
    VALUE handlers = rb_hash_lookup2(snapshots, type, Qundef);
    if (handlers == Qundef) handlers = find_handlers(self, snapshots, type);
    if (snapshots == bus->snapshots) {
        RB_OBJ_WRITE(self, &bus->last_type, type);
        RB_OBJ_WRITE(self, &bus->last_handlers, handlers);
    }
    return handlers;
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

/* Those with full queues come last, so that nobody else has to wait for them. */
static void deliver(VALUE self, rb_raaf_bus_t *bus, VALUE event) {
    VALUE handlers = handlers_for(self, bus, rb_raaf_event_get(event)->type);
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
    rb_raaf_bus_t *bus = rb_raaf_bus_get(self);
    if (bus->closed) rb_raaf_raise("BusClosedError", "the event bus is closed");
    VALUE type = rb_raaf_event_type(argv[0]);
    VALUE event = rb_raaf_event_new(type, argc > 1 ? argv[1] : Qnil);
    bool stopped = RARRAY_LEN(bus->middleware) && !pass_middleware(bus->middleware, event);
    RB_OBJ_FREEZE(event);
    if (stopped) return event;
    bus->emitted++;
    deliver(self, bus, event);
    return event;
}

/* handlers_changed: what was found out is out of date. */
static VALUE bus_handlers_changed(VALUE self) {
    rb_raaf_bus_t *bus = rb_raaf_bus_get(self);
    RB_OBJ_WRITE(self, &bus->snapshots, rb_hash_new());
    bus->last_type = bus->last_handlers = Qnil;
    return self;
}

static VALUE bus_add_middleware(VALUE self, VALUE callable) {
    rb_raaf_bus_t *bus = rb_raaf_bus_get(self);
    VALUE middleware = rb_ary_dup(bus->middleware);
    rb_ary_push(middleware, callable);
    RB_OBJ_WRITE(self, &bus->middleware, rb_obj_freeze(middleware));
    return self;
}

static VALUE bus_drainers(VALUE self) {
    return LONG2NUM(rb_raaf_bus_get(self)->drainers);
}

/* following: events in queues of which drains have still to be told. */
static VALUE bus_following(VALUE self) {
    return LONG2NUM(rb_raaf_bus_get(self)->following);
}

/* A waiter that comes to itself in a forked child has been forgotten already. */
static VALUE bus_count_drainer(VALUE self, VALUE by) {
    rb_raaf_bus_t *bus = rb_raaf_bus_get(self);
    bus->drainers += NUM2LONG(by);
    if (bus->drainers < 0) bus->drainers = 0;
    return self;
}

static VALUE bus_end(VALUE self) {
    rb_raaf_bus_get(self)->closed = true;
    return self;
}

static VALUE bus_closed_p(VALUE self) {
    return rb_raaf_bus_get(self)->closed ? Qtrue : Qfalse;
}

/* counts: [emitted, handled, failed, dropped] */
static VALUE bus_counts(VALUE self) {
    const rb_raaf_bus_t *bus = rb_raaf_bus_get(self);
    return rb_ary_new_from_args(4, ULL2NUM(bus->emitted), ULL2NUM(bus->handled),
                                ULL2NUM(bus->failed), ULL2NUM(bus->dropped));
}

/* EventBus.carrier = who tells what is carried with each event; nil: nothing is. */
static VALUE bus_carry_by(VALUE class, VALUE carrier) {
    rb_raaf_event_carry_by(carrier);
    return carrier;
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
    rb_define_singleton_method(cBus, "carrier=", bus_carry_by, 1);
    rb_define_method(cBus, "emit", bus_emit, -1);
    rb_define_method(cBus, "closed?", bus_closed_p, 0);
    rb_define_private_method(cBus, "handlers_changed", bus_handlers_changed, 0);
    rb_define_private_method(cBus, "add_middleware", bus_add_middleware, 1);
    rb_define_private_method(cBus, "drainers", bus_drainers, 0);
    rb_define_private_method(cBus, "count_drainer", bus_count_drainer, 1);
    rb_define_private_method(cBus, "following", bus_following, 0);
    rb_define_private_method(cBus, "end_it", bus_end, 0);
    rb_define_private_method(cBus, "counts", bus_counts, 0);
    rb_raaf_init_event(cBus);
    rb_raaf_init_subscription(cBus);
}
