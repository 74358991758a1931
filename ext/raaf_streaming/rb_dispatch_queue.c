/*
 * RAAF::Streaming::DispatchQueue: where the dispatcher's threads find the streams whose callbacks
 * have something to do.
 *
 * One a process, for its whole life: the native queue is never freed, because streams point to it.
 * The handles of attached streams are kept in a Ruby Hash of this object, by stream id, so that a
 * stream with callbacks runs on when nobody else holds its handle.
 */
#include "rb_raaf.h"

#include "core/clock.h"
#include "core/dispatch_queue.h"
#include "core/result_code.h"

typedef struct dispatch {
    raaf_dispatch_queue_t *queue;
    VALUE handles; /* {stream id => handle} */
} dispatch_t;

static void dispatch_mark(void *data) {
    rb_gc_mark_movable(((dispatch_t *)data)->handles);
}

static void dispatch_compact(void *data) {
    dispatch_t *dispatch = data;
    dispatch->handles = rb_gc_location(dispatch->handles);
}

static const rb_data_type_t dispatch_type = {
    .wrap_struct_name = "RAAF::Streaming::DispatchQueue",
    .function = {dispatch_mark, RUBY_TYPED_DEFAULT_FREE, NULL, dispatch_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static dispatch_t *get(VALUE self) {
    dispatch_t *dispatch;
    TypedData_Get_Struct(self, dispatch_t, &dispatch_type, dispatch);
    return dispatch;
}

static VALUE dispatch_alloc(VALUE class) {
    dispatch_t *dispatch;
    VALUE self = TypedData_Make_Struct(class, dispatch_t, &dispatch_type, dispatch);
    dispatch->handles = Qnil;
    RB_OBJ_WRITE(self, &dispatch->handles, rb_hash_new());
    dispatch->queue = raaf_dispatch_queue_new();
    if (!dispatch->queue) rb_raaf_raise_code(RAAF_NO_MEMORY, "the dispatch queue");
    return self;
}

/* attach(native stream, handle): from now on its chunks are announced here. */
static VALUE dispatch_attach(VALUE self, VALUE native, VALUE handle) {
    dispatch_t *dispatch = get(self);
    raaf_stream_t *stream = rb_raaf_stream_get(native);
    rb_hash_aset(dispatch->handles, ULL2NUM(stream->id), handle);
    atomic_store(&stream->dispatch, dispatch->queue);
    raaf_dispatch_queue_ready(dispatch->queue, stream); /* for what came before */
    return self;
}

/* detach(native stream): its handle is not kept any longer. */
static VALUE dispatch_detach(VALUE self, VALUE native) {
    raaf_stream_t *stream = rb_raaf_stream_get(native);
    rb_hash_delete(get(self)->handles, ULL2NUM(stream->id));
    return self;
}

static bool arm(void *context, int fd) {
    return raaf_dispatch_queue_arm(context, fd);
}

static void disarm(void *context, int fd) {
    raaf_dispatch_queue_disarm(context, fd);
}

/* The handle of the claimed stream; nil if it was detached, and is then given back. */
static VALUE claimed_handle(dispatch_t *dispatch, raaf_stream_t *stream) {
    VALUE handle = rb_hash_lookup2(dispatch->handles, ULL2NUM(stream->id), Qnil);
    if (NIL_P(handle)) raaf_dispatch_queue_done(dispatch->queue, stream, false);
    return handle;
}

/*
 * next(seconds): claims a stream that has something to do and returns its handle; nil if there is
 * none within that time (it may also wake for nothing). Give it back with done.
 */
static VALUE dispatch_next(VALUE self, VALUE seconds) {
    dispatch_t *dispatch = get(self);
    double timeout = NUM2DBL(seconds);
    raaf_stream_t *stream = raaf_dispatch_queue_next(dispatch->queue);
    if (!stream && timeout > 0) {
        rb_raaf_sleep_t sleep = {arm, disarm, dispatch->queue};
        rb_raaf_sleep(&sleep, timeout);
        stream = raaf_dispatch_queue_next(dispatch->queue);
    }
    VALUE handle = stream ? claimed_handle(dispatch, stream) : Qnil;
    RB_GC_GUARD(self);
    return handle;
}

/* done(native stream, more): gives a claimed stream back; [more]: it goes to the back of the queue. */
static VALUE dispatch_done(VALUE self, VALUE native, VALUE more) {
    raaf_dispatch_queue_done(get(self)->queue, rb_raaf_stream_get(native), RTEST(more));
    return self;
}

/* poke(native stream): there is something to do for its callbacks besides chunks. */
static VALUE dispatch_poke(VALUE self, VALUE native) {
    raaf_dispatch_queue_ready(get(self)->queue, rb_raaf_stream_get(native));
    return self;
}

/* Seconds for which the first stream in the queue has been waiting for a thread. */
static VALUE dispatch_lag(VALUE self) {
    return DBL2NUM((double)raaf_dispatch_queue_lag(get(self)->queue) / 1e9);
}

/* @return [Integer] handles that are attached */
static VALUE dispatch_size(VALUE self) {
    return SIZET2NUM(RHASH_SIZE(get(self)->handles));
}

/* The handles of all attached streams. */
static VALUE dispatch_handles(VALUE self) {
    return rb_funcall(get(self)->handles, rb_intern("values"), 0);
}

void rb_raaf_init_dispatch_queue(void) {
    /*
     * Document-class: RAAF::Streaming::DispatchQueue
     * Where the dispatcher's threads find the streams whose callbacks have something to do.
     *
     * @api private
     */
    VALUE cDispatch = rb_define_class_under(mStreaming, "DispatchQueue", rb_cObject);
    rb_define_alloc_func(cDispatch, dispatch_alloc);
    rb_define_method(cDispatch, "attach", dispatch_attach, 2);
    rb_define_method(cDispatch, "detach", dispatch_detach, 1);
    rb_define_method(cDispatch, "next", dispatch_next, 1);
    rb_define_method(cDispatch, "done", dispatch_done, 2);
    rb_define_method(cDispatch, "poke", dispatch_poke, 1);
    rb_define_method(cDispatch, "lag", dispatch_lag, 0);
    rb_define_method(cDispatch, "size", dispatch_size, 0);
    rb_define_method(cDispatch, "handles", dispatch_handles, 0);
}
