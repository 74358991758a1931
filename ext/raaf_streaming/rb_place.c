/*
 * RAAF::Streaming::Place: a run's place among those of the process, and how far the run has come.
 *
 * Its Ruby object holds one reference to the core's place, and none to a stream: whoever keeps it
 * keeps no request alive, and can look at the run and cancel it all the same. Who gives the place
 * back are the streams (their end, cancel, the garbage collector) and the run, when it is over.
 */
#include "rb_raaf.h"

#include "core/clock.h"
#include "core/dispatch_queue.h"
#include "core/result_code.h"

#include <unistd.h>

typedef struct place {
    raaf_place_t *place; /* one reference */
    pid_t pid;
} place_t;

static raaf_admission_t *admission; /* of this process; GVL; one reference */
static pid_t admission_pid;

static void place_free(void *data) {
    place_t *place = data;
    if (place->place && place->pid == getpid()) raaf_place_release(place->place);
    xfree(place);
}

static size_t place_size(const void *data) {
    return sizeof(place_t);
}

static const rb_data_type_t place_type = {
    .wrap_struct_name = "RAAF::Streaming::Place",
    .function = {NULL, place_free, place_size, NULL},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE place_alloc(VALUE class) {
    place_t *place;
    VALUE self = TypedData_Make_Struct(class, place_t, &place_type, place);
    place->pid = getpid();
    return self;
}

/* NULL: of another process. */
static raaf_place_t *get(VALUE self) {
    place_t *place;
    TypedData_Get_Struct(self, place_t, &place_type, place);
    if (!place->place) rb_raise(rb_eArgError, "the place is not initialized");
    return place->pid == getpid() ? place->place : NULL;
}

raaf_place_t *rb_raaf_place_get(VALUE self) {
    return get(self);
}

static void on_granted(raaf_stream_t *stream) {
    raaf_reactor_post(stream, RAAF_COMMAND_GRANT);
}

/* A forked child gives its parent's up, whose mutex may be locked for ever. */
static raaf_admission_t *current(void) {
    if (admission && admission_pid == getpid()) return admission;
    admission = raaf_admission_new(on_granted);
    admission_pid = getpid();
    if (!admission) rb_raaf_raise_code(RAAF_NO_MEMORY, "the admission");
    return admission;
}

static size_t limit(VALUE value) {
    return NIL_P(value) ? RAAF_NO_LIMIT : NUM2SIZET(value);
}

/*
 * new(user String or nil, places or nil, places for a user or nil, how many may wait): what a run
 * needs to ask for its place. nil: no limit.
 */
static VALUE place_init(VALUE self, VALUE user, VALUE places, VALUE places_per_user,
                        VALUE waiting) {
    place_t *place;
    TypedData_Get_Struct(self, place_t, &place_type, place);
    const raaf_place_limits_t limits = {limit(places), limit(places_per_user), NUM2SIZET(waiting)};
    if (!NIL_P(user)) StringValue(user);
    if (place->place) rb_raise(rb_eArgError, "the place is initialized already");
    place->place = raaf_place_new(current(), &limits, NIL_P(user) ? NULL : RSTRING_PTR(user),
                                  NIL_P(user) ? 0 : (size_t)RSTRING_LEN(user));
    if (!place->place) rb_raaf_raise_code(RAAF_NO_MEMORY, "a place");
    RB_GC_GUARD(user);
    return self;
}

/* Gives the place back, or leaves the line. Any thread, any number of times. */
static VALUE place_leave(VALUE self) {
    raaf_place_t *place = get(self);
    if (place) raaf_place_leave(place, NULL);
    return Qnil;
}

/*
 * Ends the request of the run that has the place or waits for it, and has its callbacks look.
 * Returns whether there was one. Any thread, also in a signal handler.
 */
static VALUE place_cancel(VALUE self) {
    raaf_place_t *place = get(self);
    raaf_stream_t *stream = place ? raaf_place_stream(place) : NULL;
    if (!stream) return Qfalse;
    raaf_stream_ended(stream, false);
    raaf_reactor_post(stream, RAAF_COMMAND_CANCEL);
    raaf_dispatch_queue_t *dispatch = atomic_load(&stream->dispatch);
    if (dispatch) raaf_dispatch_queue_ready(dispatch, stream);
    raaf_stream_release(stream);
    return Qtrue;
}

/* Whether a stream has the place or waits for it. */
static VALUE place_live_p(VALUE self) {
    raaf_place_t *place = get(self);
    raaf_place_facts_t facts;
    return place && raaf_place_look(place, &facts) ? Qtrue : Qfalse;
}

static VALUE seconds(uint64_t from, uint64_t to) {
    return DBL2NUM(to > from ? (double)(to - from) / 1e9 : 0.0);
}

/*
 * {stage: Symbol, age: and idle: seconds since it was asked for and since the last byte, bytes:
 * received, deltas:, text_bytes:}; nil where no stream has the place or waits for it.
 */
static VALUE place_facts(VALUE self) {
    raaf_place_t *place = get(self);
    raaf_place_facts_t facts;
    if (!place || !raaf_place_look(place, &facts)) return Qnil;
    uint64_t now = raaf_clock_now();
    VALUE hash = rb_hash_new();
    rb_hash_aset(hash, ID2SYM(rb_intern("stage")), rb_raaf_stage_symbol(facts.stage));
    rb_hash_aset(hash, ID2SYM(rb_intern("age")), seconds(facts.made_at, now));
    rb_hash_aset(hash, ID2SYM(rb_intern("idle")), seconds(facts.changed_at, now));
    rb_hash_aset(hash, ID2SYM(rb_intern("bytes")), ULL2NUM(facts.bytes));
    rb_hash_aset(hash, ID2SYM(rb_intern("deltas")), ULL2NUM(facts.deltas));
    rb_hash_aset(hash, ID2SYM(rb_intern("text_bytes")), ULL2NUM(facts.text_bytes));
    return hash;
}

/* [places that are held, runs that wait for one], in this process. */
static VALUE place_counts(VALUE class) {
    size_t held, waiting;
    raaf_admission_counts(current(), &held, &waiting);
    return rb_ary_new_from_args(2, SIZET2NUM(held), SIZET2NUM(waiting));
}

void rb_raaf_init_place(void) {
    /*
     * Document-class: RAAF::Streaming::Place
     * A run's place among those of the process: the native part of max_concurrent_streams and its
     * kin.
     *
     * @api private
     */
    VALUE cPlace = rb_define_class_under(mStreaming, "Place", rb_cObject);
    rb_define_alloc_func(cPlace, place_alloc);
    rb_undef_method(cPlace, "initialize_copy");
    rb_define_method(cPlace, "initialize", place_init, 4);
    rb_define_method(cPlace, "leave", place_leave, 0);
    rb_define_method(cPlace, "cancel", place_cancel, 0);
    rb_define_method(cPlace, "live?", place_live_p, 0);
    rb_define_method(cPlace, "facts", place_facts, 0);
    rb_define_singleton_method(cPlace, "counts", place_counts, 0);
}
