/*
 * RAAF::Streaming::ChunkBuffer: gathers what chunks say, and hands it to a block.
 *
 * What is native here runs without giving the GVL up, so it needs no lock; Ruby code runs while a
 * text is handed over, and only then. Meanwhile the buffer belongs to a fiber (`fiber`): others add
 * to it, and wait where they have something to hand over themselves. The text is taken out before
 * the block is called, so it is never handed over twice; what a block that raises was called with is
 * handed over.
 *
 * A block is made a Proc for the timer: who adds a piece has his block at hand. That costs as much as
 * all the rest (rb_block_proc on 3.1: 105 ns), so it is not done without end in a tight loop.
 */
#include "rb_raaf.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/coalescer.h"
#include "core/result_code.h"
#include "core/utf8.h"

/* Blocks that are made Procs within one tick of the clock (4 to 10 ms). */
#define MOST_BLOCKS 256

typedef struct chunk_buffer {
    raaf_coalescer_t coalescer;
    raaf_utf8_carry_t carry; /* the open end of a String that was cut within a character */
    raaf_buffer_t repaired;  /* a String that was no valid UTF-8, made valid */
    VALUE block;             /* Proc; nil where nothing is pending */
    VALUE fiber;             /* which hands text over; nil: none */
    VALUE thread;            /* its thread */
    VALUE waiting;           /* Array of Queues, one for each who waits for his turn */
    uint64_t block_tick;     /* when [block] was made */
    unsigned blocks;         /* that were made in this tick */
    unsigned timer;          /* number of the process in which a timer runs, and 1; 0: none */
    bool flush_wanted;       /* by the block itself: once it is through */
    bool closed;
} chunk_buffer_t;

static VALUE cQueue;
static VALUE sym_content;
static ID id_type, id_delta, id_call, id_pop, id_push, id_arm, id_alive;
static rb_encoding *utf8;
static int utf8_index;

static void buffer_mark(void *data) {
    chunk_buffer_t *buffer = data;
    rb_gc_mark_movable(buffer->block);
    rb_gc_mark_movable(buffer->fiber);
    rb_gc_mark_movable(buffer->thread);
    rb_gc_mark_movable(buffer->waiting);
}

static void buffer_compact(void *data) {
    chunk_buffer_t *buffer = data;
    buffer->block = rb_gc_location(buffer->block);
    buffer->fiber = rb_gc_location(buffer->fiber);
    buffer->thread = rb_gc_location(buffer->thread);
    buffer->waiting = rb_gc_location(buffer->waiting);
}

static void buffer_free(void *data) {
    chunk_buffer_t *buffer = data;
    raaf_coalescer_free(&buffer->coalescer);
    raaf_buffer_free(&buffer->repaired);
    xfree(buffer);
}

static size_t buffer_size(const void *data) {
    const chunk_buffer_t *buffer = data;
    return sizeof *buffer + buffer->coalescer.pending.capacity + buffer->repaired.capacity;
}

static const rb_data_type_t buffer_type = {
    .wrap_struct_name = "RAAF::Streaming::ChunkBuffer",
    .function = {buffer_mark, buffer_free, buffer_size, buffer_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static chunk_buffer_t *get(VALUE self) {
    chunk_buffer_t *buffer;
    TypedData_Get_Struct(self, chunk_buffer_t, &buffer_type, buffer);
    return buffer;
}

static VALUE buffer_alloc(VALUE class) {
    chunk_buffer_t *buffer;
    VALUE self = TypedData_Make_Struct(class, chunk_buffer_t, &buffer_type, buffer);
    buffer->block = buffer->fiber = buffer->thread = buffer->waiting = Qnil;
    raaf_coalescer_init(&buffer->coalescer, 1, RAAF_NEVER, RAAF_CUT_GRAPHEME);
    raaf_buffer_init(&buffer->repaired, SIZE_MAX);
    RB_OBJ_WRITE(self, &buffer->waiting, rb_ary_new());
    return self;
}

raaf_cut_t rb_raaf_cut(VALUE name) {
    if (NIL_P(name)) return RAAF_CUT_GRAPHEME;
    for (raaf_cut_t cut = 0; cut < RAAF_CUT_COUNT; cut++)
        if (name == ID2SYM(rb_intern(raaf_cut_name(cut)))) return cut;
    rb_raise(rb_eArgError, "unknown cut: %" PRIsVALUE, rb_inspect(name));
}

/* configure(size, seconds or nil, cut): by initialize, which has checked them. */
static VALUE buffer_configure(VALUE self, VALUE size, VALUE seconds, VALUE cut) {
    raaf_coalescer_t *coalescer = &get(self)->coalescer;
    const size_t chars = NUM2SIZET(size);
    const double timeout = NIL_P(seconds) ? 0 : NUM2DBL(seconds);
    const raaf_cut_t wanted = rb_raaf_cut(cut);
    if (coalescer->pending.len > 0) rb_raise(rb_eArgError, "a buffer is made once");
    coalescer->size = chars;
    coalescer->timeout_ns = NIL_P(seconds) ? RAAF_NEVER : (uint64_t)(timeout * 1e9);
    raaf_cutter_init(&coalescer->cutter, wanted);
    return self;
}

static void check(int result) {
    if (result != RAAF_OK) rb_raaf_raise_code(result, "the text of a ChunkBuffer");
}

/*
 * Whether somebody hands text over. A thread of the parent's does not, in a child. While Ruby answers
 * that, another thread may have begun; where the answer is no, nobody else runs after the last look.
 */
static bool in_turn(const chunk_buffer_t *buffer) {
    if (NIL_P(buffer->fiber)) return false;
    const VALUE thread = buffer->thread;
    const bool alive = RTEST(rb_funcallv(thread, id_alive, 0, NULL));
    return !NIL_P(buffer->fiber) && (alive || buffer->thread != thread);
}

/* ---- the timer ---- */

static bool timer_runs(const chunk_buffer_t *buffer) {
    return buffer->timer == rb_raaf_fork_number() + 1;
}

/* Seconds until something is due, or nil where there is nothing to wait for. */
static VALUE seconds_left(const chunk_buffer_t *buffer) {
    const raaf_coalescer_t *coalescer = &buffer->coalescer;
    if (coalescer->pending.len == 0 || coalescer->deadline == RAAF_NEVER) return Qnil;
    const uint64_t now = raaf_clock_now();
    return DBL2NUM(coalescer->deadline > now ? (double)(coalescer->deadline - now) / 1e9 : 0);
}

/*
 * For who is about to start a timer: the seconds it shall wait; from now on it counts as running.
 * nil: there shall be none, or one runs.
 */
static VALUE buffer_claim_timer(VALUE self) {
    chunk_buffer_t *buffer = get(self);
    const VALUE seconds = timer_runs(buffer) ? Qnil : seconds_left(buffer);
    if (!NIL_P(seconds)) buffer->timer = rb_raaf_fork_number() + 1;
    return seconds;
}

static VALUE buffer_release_timer(VALUE self) {
    get(self)->timer = 0;
    return Qnil;
}

/*
 * For a timer that is over: the seconds until something is due, 0: now. nil: it ends. Who hands text
 * over at this moment starts another one where something is left.
 */
static VALUE buffer_due_in(VALUE self) {
    chunk_buffer_t *buffer = get(self);
    const VALUE seconds = in_turn(buffer) ? Qnil : seconds_left(buffer);
    if (NIL_P(seconds)) buffer->timer = 0;
    return seconds;
}

static void arm(VALUE self, const chunk_buffer_t *buffer) {
    if (buffer->coalescer.pending.len == 0 || buffer->coalescer.deadline == RAAF_NEVER) return;
    if (!timer_runs(buffer)) rb_funcallv(self, id_arm, 0, NULL);
}

/* ---- handing over ---- */

typedef struct delivery {
    VALUE self;
    chunk_buffer_t *buffer;
    uint64_t now;
    bool all;     /* not only what is ready */
    bool yields;  /* the first text, to the block of the method that runs; else to the one kept */
    bool through; /* no block was left by an exception, or the like */
} delivery_t;

static void append(raaf_coalescer_t *coalescer, const char *bytes, size_t len, uint64_t now) {
    size_t ready;
    check(raaf_coalescer_add(coalescer, bytes, len, now, &ready));
}

/* The text ends: an open character is closed by a replacement. */
static void close_character(chunk_buffer_t *buffer) {
    if (buffer->carry.len == 0) return;
    buffer->repaired.len = 0;
    check(raaf_utf8_finish(&buffer->carry, &buffer->repaired));
    append(&buffer->coalescer, buffer->repaired.bytes, buffer->repaired.len, raaf_clock_now());
}

/* Takes the next text out of the buffer; nil: none is to be handed over. */
static VALUE take_text(chunk_buffer_t *buffer, bool all, uint64_t now) {
    raaf_coalescer_t *coalescer = &buffer->coalescer;
    if (all) close_character(buffer);
    const size_t len = all ? coalescer->pending.len : raaf_coalescer_ready(coalescer, now);
    const VALUE text = len > 0 ? rb_enc_str_new(coalescer->pending.bytes, (long)len, utf8) : Qnil;
    if (all)
        raaf_coalescer_flushed(coalescer);
    else if (len > 0)
        raaf_coalescer_taken(coalescer, len, now);
    return text;
}

static void call_block(delivery_t *delivery, VALUE block, VALUE text) {
    if (delivery->yields)
        rb_yield(text);
    else
        rb_funcallv(block, id_call, 1, &text);
    delivery->yields = false;
}

/* Until nothing is ready: while the block runs, more may come. */
static VALUE hand_over(VALUE argument) {
    delivery_t *delivery = (delivery_t *)argument;
    chunk_buffer_t *buffer = delivery->buffer;
    const raaf_buffer_t *pending = &buffer->coalescer.pending;
    for (;;) {
        const VALUE text = take_text(buffer, delivery->all, delivery->now);
        const size_t left = pending->len;
        VALUE block = buffer->block;
        if (left == 0 && buffer->carry.len == 0) buffer->block = Qnil;
        if (!NIL_P(text)) call_block(delivery, block, text);
        RB_GC_GUARD(block);
        delivery->through = pending->len == left && !buffer->flush_wanted;
        if (delivery->through) return Qnil;
        delivery->all = buffer->flush_wanted;
        delivery->now = raaf_clock_now();
        buffer->flush_wanted = false;
    }
}

static VALUE wake(VALUE queue) {
    return rb_funcall(queue, id_push, 1, Qtrue);
}

static VALUE arm_self(VALUE self) {
    arm(self, get(self));
    return Qnil;
}

/* Whoever is interrupted here has woken everybody, and left a timer, all the same. */
static VALUE end_turn(VALUE argument) {
    const delivery_t *delivery = (delivery_t *)argument;
    chunk_buffer_t *buffer = delivery->buffer;
    int state, last = 0; /* the last, since Ruby keeps only the reason for that */
    buffer->fiber = buffer->thread = Qnil;
    if (!delivery->through) buffer->blocks = 0; /* rather another block than one that fails */
    while (RARRAY_LEN(buffer->waiting) > 0) {
        rb_protect(wake, rb_ary_shift(buffer->waiting), &state);
        if (state) last = state;
    }
    rb_protect(arm_self, delivery->self, &state);
    if (state) last = state;
    if (last) rb_jump_tag(last);
    return Qnil;
}

/* Queues serve fibers and threads alike. Who ends his turn after the push wakes this one. */
static void wait_for_turn(chunk_buffer_t *buffer) {
    while (in_turn(buffer)) {
        VALUE queue = rb_class_new_instance(0, NULL, cQueue);
        rb_ary_push(buffer->waiting, queue);
        if (in_turn(buffer)) rb_funcallv(queue, id_pop, 0, NULL);
    }
}

static void deliver(VALUE self, chunk_buffer_t *buffer, uint64_t now, bool all, bool yields) {
    const VALUE fiber = rb_fiber_current();
    if (buffer->fiber == fiber) { /* called by the block: never two texts at once */
        buffer->flush_wanted |= all;
        return;
    }
    wait_for_turn(buffer);
    RB_OBJ_WRITE(self, &buffer->fiber, fiber);
    RB_OBJ_WRITE(self, &buffer->thread, rb_thread_current());
    delivery_t delivery = {self, buffer, now, all || buffer->flush_wanted, yields, false};
    buffer->flush_wanted = false;
    rb_ensure(hand_over, (VALUE)&delivery, end_turn, (VALUE)&delivery);
}

/* ---- adding ---- */

/* Asks any object with `type` and `delta`. */
static void ask(VALUE chunk, rb_raaf_piece_t *piece) {
    piece->content = rb_funcallv(chunk, id_type, 0, NULL) == sym_content;
    piece->string = piece->content ? rb_funcallv(chunk, id_delta, 0, NULL) : Qnil;
}

/* Bytes that are no valid UTF-8, or go on with a character that was cut. */
static raaf_slice_t repair(chunk_buffer_t *buffer, VALUE string) {
    raaf_buffer_t *repaired = &buffer->repaired;
    repaired->len = 0;
    check(raaf_utf8_repair(&buffer->carry, RSTRING_PTR(string), (size_t)RSTRING_LEN(string),
                           repaired));
    return (raaf_slice_t){repaired->bytes, repaired->len};
}

/* A String of ours, as most are: looked at without a call. */
static bool plain_utf8(VALUE string) {
    if (!RB_TYPE_P(string, T_STRING) || RB_ENCODING_GET_INLINED(string) != utf8_index) return false;
    int range = ENC_CODERANGE(string);
    if (range == ENC_CODERANGE_UNKNOWN) range = rb_enc_str_coderange(string);
    return range != ENC_CODERANGE_BROKEN;
}

/* Any other, in UTF-8. Bytes without an encoding are taken for that. */
static VALUE in_utf8(VALUE string) {
    StringValue(string);
    const rb_encoding *encoding = rb_enc_get(string);
    if (encoding == utf8 || encoding == rb_ascii8bit_encoding()) return string;
    return rb_str_encode(string, rb_enc_from_encoding(utf8),
                         ECONV_INVALID_REPLACE | ECONV_UNDEF_REPLACE, Qnil);
}

/* [*string] is kept alive by who calls. */
static raaf_slice_t utf8_text(chunk_buffer_t *buffer, VALUE *string) {
    if (NIL_P(*string)) return (raaf_slice_t){NULL, 0};
    const bool plain = plain_utf8(*string);
    if (!plain) *string = in_utf8(*string);
    if (!plain || buffer->carry.len > 0) return repair(buffer, *string);
    return (raaf_slice_t){RSTRING_PTR(*string), (size_t)RSTRING_LEN(*string)};
}

/*
 * The block for what waits. Who gives more than so many within one tick of the clock is in a loop of
 * his own, and not somebody who gets chunks from a model.
 */
static void keep_block(VALUE self, chunk_buffer_t *buffer, uint64_t tick) {
    if (buffer->block_tick != tick) buffer->blocks = 0;
    buffer->block_tick = tick;
    if (buffer->blocks >= MOST_BLOCKS && !NIL_P(buffer->block) && !in_turn(buffer)) return;
    buffer->blocks++;
    RB_OBJ_WRITE(self, &buffer->block, rb_block_proc());
}

/* Whether somebody else may hand over what there is: the timer, or who is doing so now. */
static bool waits(const chunk_buffer_t *buffer, size_t ready) {
    return ready < buffer->coalescer.pending.len || buffer->carry.len > 0 || !NIL_P(buffer->fiber);
}

static void add_text(VALUE self, chunk_buffer_t *buffer, raaf_slice_t text) {
    raaf_coalescer_t *coalescer = &buffer->coalescer;
    const uint64_t tick = raaf_clock_coarse();
    const uint64_t now = coalescer->pending.len == 0 ? raaf_clock_now() : tick;
    size_t ready;
    check(raaf_coalescer_add(coalescer, text.bytes, text.len, now, &ready));
    if (waits(buffer, ready)) keep_block(self, buffer, tick);
    if (ready > 0)
        deliver(self, buffer, now, false, true);
    else
        arm(self, buffer);
}

static VALUE buffer_add_chunk(VALUE self, VALUE chunk) {
    chunk_buffer_t *buffer = RTYPEDDATA_DATA(self); /* the method is called on nothing else */
    rb_raaf_piece_t piece;
    if (!rb_block_given_p()) rb_raise(rb_eArgError, "add_chunk wants a block, which gets the text");
    if (!rb_raaf_chunk_read(chunk, &piece)) ask(chunk, &piece);
    if (!piece.content) {
        deliver(self, buffer, raaf_clock_coarse(), true, true);
        return chunk;
    }
    VALUE string = piece.string;
    if (buffer->closed) rb_raise(rb_eIOError, "the ChunkBuffer is closed");
    const raaf_slice_t text = string == Qundef ? piece.text : utf8_text(buffer, &string);
    if (text.len > 0 || buffer->carry.len > 0) add_text(self, buffer, text);
    RB_GC_GUARD(string);
    RB_GC_GUARD(chunk);
    return Qnil;
}

static VALUE buffer_flush(VALUE self) {
    deliver(self, get(self), raaf_clock_coarse(), true, rb_block_given_p());
    return self;
}

static VALUE buffer_close(VALUE self) {
    get(self)->closed = true;
    return buffer_flush(self);
}

static VALUE buffer_closed_p(VALUE self) {
    return get(self)->closed ? Qtrue : Qfalse;
}

/* By the timer: hands over what is due, unless somebody does so anyway. */
static VALUE buffer_flush_due(VALUE self) {
    chunk_buffer_t *buffer = get(self);
    if (!in_turn(buffer)) deliver(self, buffer, raaf_clock_now(), false, false);
    return Qnil;
}

static void define_names(void) {
    utf8 = rb_utf8_encoding();
    utf8_index = rb_utf8_encindex();
    cQueue = rb_path2class("Thread::Queue");
    rb_gc_register_mark_object(cQueue);
    sym_content = ID2SYM(rb_intern("content"));
    id_type = rb_intern("type");
    id_delta = rb_intern("delta");
    id_call = rb_intern("call");
    id_pop = rb_intern("pop");
    id_push = rb_intern("push");
    id_arm = rb_intern("arm");
    id_alive = rb_intern("alive?");
}

void rb_raaf_init_chunk_buffer(void) {
    define_names();
    VALUE cBuffer = rb_define_class_under(mStreaming, "ChunkBuffer", rb_cObject);
    rb_define_alloc_func(cBuffer, buffer_alloc);
    rb_undef_method(cBuffer, "initialize_copy");
    rb_define_method(cBuffer, "add_chunk", buffer_add_chunk, 1);
    rb_define_method(cBuffer, "flush", buffer_flush, 0);
    rb_define_method(cBuffer, "close", buffer_close, 0);
    rb_define_method(cBuffer, "closed?", buffer_closed_p, 0);
    rb_define_private_method(cBuffer, "configure", buffer_configure, 3);
    rb_define_private_method(cBuffer, "claim_timer", buffer_claim_timer, 0);
    rb_define_private_method(cBuffer, "release_timer", buffer_release_timer, 0);
    rb_define_private_method(cBuffer, "due_in", buffer_due_in, 0);
    rb_define_private_method(cBuffer, "flush_due", buffer_flush_due, 0);
}
