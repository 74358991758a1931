/*
 * RAAF::Streaming::EventBus::Event: made by each emit, so with what most handlers never ask for (a
 * time, an id, an empty payload) left until somebody does.
 */
#include "rb_event_bus.h"

#include <ruby/ractor.h>
#include <time.h>

static VALUE cEvent, mSecureRandom;
static VALUE carrier; /* who knows what is to be carried; nil: nobody asked for it */
static ID id_uuid, id_aref, id_for_event;

static void event_mark(void *data) {
    rb_raaf_event_t *event = data;
    rb_gc_mark_movable(event->type);
    rb_gc_mark_movable(event->payload);
    rb_gc_mark_movable(event->id);
    rb_gc_mark_movable(event->carried);
}

static void event_compact(void *data) {
    rb_raaf_event_t *event = data;
    event->type = rb_gc_location(event->type);
    event->payload = rb_gc_location(event->payload);
    event->id = rb_gc_location(event->id);
    event->carried = rb_gc_location(event->carried);
}

/*
 * The memory of events that are gone serves for those to come: most live for a moment, and malloc
 * and free were a fifth of what an emit costs. The garbage collector frees some 2,000 at once.
 *
 * Events are made in the main Ractor only, but the garbage collector may free them in another one,
 * without the GVL of those who emit: what it frees there is not kept.
 */
#ifdef __SANITIZE_ADDRESS__
#define MOST_SPARE 0 /* so that it sees what is used after it was freed */
#else
#define MOST_SPARE 4096
#endif

static const struct rb_ractor_local_storage_type nothing_to_free = {NULL, NULL};
static rb_raaf_event_t *spare[MOST_SPARE + 1];
static size_t spares;
static rb_ractor_local_key_t in_main_ractor; /* NULL in any other */

static rb_raaf_event_t *take_memory(void) {
    return spares ? spare[--spares] : ALLOC(rb_raaf_event_t);
}

static void event_free(void *data) {
    if (rb_ractor_local_storage_ptr(in_main_ractor) && spares != MOST_SPARE)
        spare[spares++] = data;
    else
        xfree(data);
}

static size_t event_size(const void *data) {
    return sizeof(rb_raaf_event_t);
}

static const rb_data_type_t event_type = {
    .wrap_struct_name = "RAAF::Streaming::EventBus::Event",
    .function = {event_mark, event_free, event_size, event_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static VALUE make(VALUE class, VALUE type, VALUE payload) {
    rb_raaf_event_t *event = take_memory();
    *event = (rb_raaf_event_t){
        .type = type, .payload = payload, .id = Qnil, .carried = Qundef, .at = now()};
    VALUE self = rb_data_typed_object_wrap(class, event, &event_type);
    RB_GC_GUARD(type); /* only now does anybody mark what the memory points to */
    RB_GC_GUARD(payload);
    return self;
}

static VALUE event_alloc(VALUE class) {
    return make(class, Qnil, Qnil);
}

VALUE rb_raaf_event_new(VALUE type, VALUE payload) {
    return make(cEvent, type, payload);
}

void rb_raaf_event_carry(VALUE event) {
    if (NIL_P(carrier) || rb_raaf_event_get(event)->carried != Qundef) return;
    VALUE carried = rb_funcall(carrier, id_for_event, 0);
    RB_OBJ_WRITE(event, &rb_raaf_event_get(event)->carried, carried);
}

void rb_raaf_event_carry_by(VALUE new_carrier) {
    carrier = new_carrier;
}

VALUE rb_raaf_event_type(VALUE type) {
    if (SYMBOL_P(type)) return type;
    if (RB_TYPE_P(type, T_STRING)) return rb_str_intern(type); /* whatever its class makes of it */
    rb_raise(rb_eTypeError, "the type of an event is a Symbol or a String, not %" PRIsVALUE,
             rb_obj_class(type));
}

/* Event.new(type, payload = {}): as emit makes it, for tests of handlers. */
static VALUE event_initialize(int argc, VALUE *argv, VALUE self) {
    rb_check_arity(argc, 1, 2);
    VALUE type = rb_raaf_event_type(argv[0]);
    rb_check_frozen(self);
    rb_raaf_event_t *event = rb_raaf_event_get(self);
    RB_OBJ_WRITE(self, &event->type, type);
    RB_OBJ_WRITE(self, &event->payload, argc > 1 ? argv[1] : Qnil);
    return self;
}

static VALUE event_get_type(VALUE self) {
    return rb_raaf_event_get(self)->type;
}

static VALUE event_set_type(VALUE self, VALUE type) {
    rb_check_frozen(self);
    VALUE symbol = rb_raaf_event_type(type);
    RB_OBJ_WRITE(self, &rb_raaf_event_get(self)->type, symbol);
    return type;
}

static VALUE event_get_payload(VALUE self) {
    rb_raaf_event_t *event = rb_raaf_event_get(self);
    if (NIL_P(event->payload)) RB_OBJ_WRITE(self, &event->payload, rb_hash_new());
    return event->payload;
}

static VALUE event_set_payload(VALUE self, VALUE payload) {
    rb_check_frozen(self);
    RB_OBJ_WRITE(self, &rb_raaf_event_get(self)->payload, payload);
    return payload;
}

static VALUE event_aref(VALUE self, VALUE key) {
    VALUE payload = rb_raaf_event_get(self)->payload;
    if (NIL_P(payload)) return Qnil;
    if (RB_TYPE_P(payload, T_HASH)) return rb_hash_aref(payload, key);
    return rb_funcall(payload, id_aref, 1, key);
}

/* The time zone is the process's; event_bus/event.rb turns it to Rails' where there is one. */
static VALUE event_native_time(VALUE self) {
    int64_t at = rb_raaf_event_get(self)->at;
    return rb_time_nano_new((time_t)(at / 1000000000), (long)(at % 1000000000));
}

/* Several handlers may ask at once; making it runs Ruby, so another thread may be first. */
static VALUE event_get_id(VALUE self) {
    rb_raaf_event_t *event = rb_raaf_event_get(self);
    if (NIL_P(event->id)) {
        VALUE id = rb_obj_freeze(rb_funcall(mSecureRandom, id_uuid, 0));
        if (NIL_P(event->id)) RB_OBJ_WRITE(self, &event->id, id);
    }
    return event->id;
}

static VALUE event_stop(VALUE self) {
    rb_check_frozen(self);
    rb_raaf_event_get(self)->stopped = true;
    return self;
}

static VALUE event_stopped_p(VALUE self) {
    return rb_raaf_event_get(self)->stopped ? Qtrue : Qfalse;
}

void rb_raaf_init_event(VALUE cBus) {
    rb_require("securerandom");
    in_main_ractor = rb_ractor_local_storage_ptr_newkey(&nothing_to_free);
    rb_ractor_local_storage_ptr_set(in_main_ractor, spare);
    mSecureRandom = rb_const_get(rb_cObject, rb_intern("SecureRandom"));
    rb_gc_register_mark_object(mSecureRandom);
    id_uuid = rb_intern("uuid");
    id_aref = rb_intern("[]");
    id_for_event = rb_intern("for_event");
    carrier = Qnil;
    rb_gc_register_address(&carrier);
    cEvent = rb_define_class_under(cBus, "Event", rb_cObject);
    rb_gc_register_mark_object(cEvent);
    rb_define_alloc_func(cEvent, event_alloc);
    rb_undef_method(cEvent, "initialize_copy");
    rb_define_method(cEvent, "initialize", event_initialize, -1);
    rb_define_method(cEvent, "type", event_get_type, 0);
    rb_define_method(cEvent, "type=", event_set_type, 1);
    rb_define_method(cEvent, "payload", event_get_payload, 0);
    rb_define_method(cEvent, "payload=", event_set_payload, 1);
    rb_define_method(cEvent, "[]", event_aref, 1);
    rb_define_method(cEvent, "id", event_get_id, 0);
    rb_define_method(cEvent, "stop!", event_stop, 0);
    rb_define_method(cEvent, "stopped?", event_stopped_p, 0);
    rb_define_private_method(cEvent, "native_time", event_native_time, 0);
}
