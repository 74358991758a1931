/*
 * RAAF::Streaming::NativeAnalytics: figures about streams, the process's or those that the
 * application counts by itself; and RAAF::Streaming::NativeAnalytics::Record, which tells the
 * process's of one stream.
 *
 * What is counted natively is counted by the reactor thread. In a forked child all figures begin at
 * zero: what was counted in the parent is looked at no longer, and given up.
 */
#include "rb_raaf.h"

#include "core/analytics.h"
#include "core/clock.h"
#include "core/result_code.h"

#include <string.h>
#include <unistd.h>

typedef struct holder {
    raaf_analytics_t *own; /* NULL: the process's */
    pid_t pid;
    bool of_process;
} holder_t;

typedef struct record {
    raaf_series_t *series; /* of the process's analytics, which are never freed; NULL: none */
    uint64_t made_at;
    pid_t pid;
    bool running; /* begun, and not yet over */
} record_t;

static void holder_free(void *data) {
    holder_t *holder = data;
    if (holder->own && holder->pid == getpid()) raaf_analytics_free(holder->own);
    xfree(holder);
}

static size_t holder_size(const void *data) {
    const holder_t *holder = data;
    return sizeof *holder + (holder->own ? raaf_analytics_memory(holder->own) : 0);
}

static const rb_data_type_t holder_type = {
    .wrap_struct_name = "RAAF::Streaming::NativeAnalytics",
    .function = {NULL, holder_free, holder_size, NULL},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

/* Allocates nothing, takes no lock. A run that nobody holds any longer will not be heard of. */
static void record_free(void *data) {
    record_t *record = data;
    if (record->running && record->pid == getpid()) raaf_series_stream_dropped(record->series);
    xfree(record);
}

static size_t record_size(const void *data) {
    return sizeof(record_t);
}

static const rb_data_type_t record_type = {
    .wrap_struct_name = "RAAF::Streaming::NativeAnalytics::Record",
    .function = {NULL, record_free, record_size, NULL},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static raaf_analytics_t *checked(raaf_analytics_t *analytics) {
    if (!analytics) rb_raaf_raise_code(RAAF_NO_MEMORY, "the analytics");
    return analytics;
}

/* Where the object came with a fork, it begins anew. */
static raaf_analytics_t *get(VALUE self) {
    holder_t *holder;
    TypedData_Get_Struct(self, holder_t, &holder_type, holder);
    if (holder->of_process) {
        rb_raaf_check_fork();
        return checked(raaf_analytics_process());
    }
    if (!holder->own || holder->pid != getpid()) {
        holder->own = checked(raaf_analytics_new(NULL));
        holder->pid = getpid();
    }
    return holder->own;
}

static VALUE analytics_alloc(VALUE class) {
    holder_t *holder;
    return TypedData_Make_Struct(class, holder_t, &holder_type, holder);
}

/* NativeAnalytics.process: those of the process */
static VALUE analytics_process(VALUE class) {
    holder_t *holder;
    VALUE self = TypedData_Make_Struct(class, holder_t, &holder_type, holder);
    holder->of_process = true;
    return self;
}

static raaf_slice_t slice(VALUE string) {
    return (raaf_slice_t){RSTRING_PTR(string), (size_t)RSTRING_LEN(string)};
}

raaf_series_t *rb_raaf_series(VALUE provider, VALUE model) {
    raaf_analytics_t *analytics = raaf_analytics_process();
    provider = rb_obj_as_string(provider);
    model = rb_obj_as_string(model);
    raaf_series_t *series =
        analytics ? raaf_analytics_series(analytics, slice(provider), slice(model)) : NULL;
    RB_GC_GUARD(provider);
    RB_GC_GUARD(model);
    return series;
}

/* ---- one stream ---- */

static record_t *get_record(VALUE self) {
    record_t *record;
    TypedData_Get_Struct(self, record_t, &record_type, record);
    return record;
}

/* Record.new(provider, model): from here on its time runs */
static VALUE record_new(VALUE class, VALUE provider, VALUE model) {
    record_t *record;
    VALUE self = TypedData_Make_Struct(class, record_t, &record_type, record);
    rb_raaf_check_fork();
    record->made_at = raaf_clock_now();
    record->pid = getpid();
    record->series = rb_raaf_series(provider, model);
    return self;
}

/* The stream has begun: it is counted. Once. */
static VALUE record_begin(VALUE self) {
    record_t *record = get_record(self);
    record->running = true;
    raaf_series_stream_started(record->series);
    return self;
}

static VALUE end_record(VALUE self, raaf_stream_end_t end, raaf_slice_t failure) {
    record_t *record = get_record(self);
    if (!record->running || record->pid != getpid()) return Qnil;
    record->running = false;
    const uint64_t us = (raaf_clock_now() - record->made_at) / 1000u;
    raaf_series_stream_ended(record->series, end, failure, us);
    return Qnil;
}

/* It has ended. A second end, or one before the beginning or in a forked child, does nothing. */
static VALUE record_completed(VALUE self) {
    return end_record(self, RAAF_STREAM_COMPLETED, (raaf_slice_t){"", 0});
}

/* As completed; it was cancelled. */
static VALUE record_cancelled(VALUE self) {
    return end_record(self, RAAF_STREAM_CANCELLED, (raaf_slice_t){"", 0});
}

/* failed(why): as completed; why is a String, the name of a class say */
static VALUE record_failed(VALUE self, VALUE why) {
    StringValue(why);
    end_record(self, RAAF_STREAM_FAILED, slice(why));
    RB_GC_GUARD(why);
    return Qnil;
}

/* ---- by hand ---- */

static raaf_series_t *series_of_all(VALUE self) {
    return get(self)->series[0];
}

/* count_started(kind): a String */
static VALUE analytics_count_started(VALUE self, VALUE kind) {
    StringValue(kind);
    raaf_series_t *series = raaf_analytics_series(get(self), (raaf_slice_t){"", 0}, slice(kind));
    raaf_series_count(series, RAAF_COUNT_STREAMS_STARTED, 1);
    RB_GC_GUARD(kind);
    return Qnil;
}

/* RAAF_CHUNK_TYPE_COUNT for what is none of ours. */
static size_t chunk_type(const char *name) {
    size_t type = 0;
    while (type < RAAF_CHUNK_TYPE_COUNT &&
           strcmp(raaf_chunk_type_name((raaf_chunk_type_t)type), name) != 0)
        type++;
    return type;
}

/* count_chunk(size, type): an Integer from 0 up, and a String */
static VALUE analytics_count_chunk(VALUE self, VALUE size, VALUE type) {
    const size_t len = NUM2SIZET(size);
    const size_t kind = chunk_type(StringValueCStr(type));
    raaf_cell_t *cell = raaf_series_cell(series_of_all(self));
    raaf_cell_chunks(cell, kind, 1);
    raaf_cell_measure(cell, RAAF_MEASURE_SIZE, len);
    return Qnil;
}

/* count_completed(seconds): a Float from 0 up */
static VALUE analytics_count_completed(VALUE self, VALUE seconds) {
    const double us = NUM2DBL(seconds) * 1e6;
    const bool fits = us < (double)RAAF_HISTOGRAM_MAX;
    raaf_cell_t *cell = raaf_series_cell(series_of_all(self));
    raaf_cell_count(cell, RAAF_COUNT_STREAMS_COMPLETED, 1);
    raaf_cell_measure(cell, RAAF_MEASURE_DURATION, fits ? (uint64_t)us : RAAF_HISTOGRAM_MAX);
    return Qnil;
}

/* ---- reading ---- */

static void set(VALUE hash, const char *key, VALUE value) {
    rb_hash_aset(hash, ID2SYM(rb_intern(key)), value);
}

static VALUE measured_hash(const raaf_measured_t *measured, double unit) {
    VALUE hash = rb_hash_new();
    const bool any = measured->count > 0;
    set(hash, "count", ULL2NUM(measured->count));
    set(hash, "mean", any ? DBL2NUM(measured->mean / unit) : Qnil);
    set(hash, "p50", any ? DBL2NUM(measured->p50 / unit) : Qnil);
    set(hash, "p95", any ? DBL2NUM(measured->p95 / unit) : Qnil);
    set(hash, "p99", any ? DBL2NUM(measured->p99 / unit) : Qnil);
    set(hash, "max", any ? DBL2NUM(measured->max / unit) : Qnil);
    return hash;
}

static VALUE chunks_hash(const raaf_figures_t *figures) {
    VALUE hash = rb_hash_new();
    for (size_t i = 0; i < RAAF_ANALYTICS_CHUNKS; i++) {
        if (!figures->chunks[i]) continue;
        const bool ours = i < RAAF_CHUNK_TYPE_COUNT;
        set(hash, ours ? raaf_chunk_type_name((raaf_chunk_type_t)i) : "other",
            ULL2NUM(figures->chunks[i]));
    }
    return hash;
}

static VALUE failures_hash(const raaf_analytics_t *analytics, const raaf_figures_t *figures) {
    VALUE hash = rb_hash_new();
    for (size_t i = 0; i < RAAF_ANALYTICS_FAILURES; i++)
        if (figures->failures[i])
            rb_hash_aset(hash, rb_utf8_str_new_cstr(analytics->failures[i]),
                         ULL2NUM(figures->failures[i]));
    return hash;
}

static VALUE figures_hash(const raaf_analytics_t *analytics, const raaf_figures_t *figures) {
    VALUE hash = rb_hash_new();
    set(hash, "label", figures->label ? rb_utf8_str_new_cstr(figures->label) : Qnil);
    set(hash, "streams_running", LL2NUM(figures->running));
#define SET_COUNTER(name, text) set(hash, text, ULL2NUM(figures->counters[name]));
    RAAF_COUNTERS(SET_COUNTER)
#undef SET_COUNTER
    set(hash, "bytes", ULL2NUM(figures->measured[RAAF_MEASURE_SIZE].sum));
    set(hash, "chunks", chunks_hash(figures));
    set(hash, "failures", failures_hash(analytics, figures));
#define SET_MEASURE(name, text, unit)                                                              \
    set(hash, text, measured_hash(&figures->measured[name], unit));
    RAAF_MEASURES(SET_MEASURE)
#undef SET_MEASURE
    return hash;
}

static int64_t slot(VALUE seconds, int64_t otherwise) {
    return NIL_P(seconds) ? otherwise : raaf_analytics_slot(NUM2LL(seconds));
}

/*
 * figures(first second or nil, last second or nil, what to group by): an Array of Hashes, one of all
 * for nil, one each for :provider and :model. Seconds are since 1970; each stands for its slot.
 */
static VALUE analytics_figures(VALUE self, VALUE first, VALUE last, VALUE by) {
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];
    raaf_grouping_t grouping = RAAF_BY_NOTHING;
    if (by == ID2SYM(rb_intern("provider"))) grouping = RAAF_BY_PROVIDER;
    if (by == ID2SYM(rb_intern("model"))) grouping = RAAF_BY_MODEL;
    const int64_t from = slot(first, INT64_MIN), to = slot(last, INT64_MAX);
    raaf_analytics_t *analytics = get(self);
    const int count = raaf_analytics_summarise(analytics, from, to, grouping, figures);
    if (count < 0) rb_raaf_raise_code(count, "a summary");
    VALUE all = rb_ary_new();
    for (int i = 0; i < count; i++)
        rb_ary_push(all, figures_hash(analytics, &figures[i]));
    RB_GC_GUARD(self);
    return all;
}

/* Forgets what was counted. */
static VALUE analytics_reset(VALUE self) {
    raaf_analytics_reset(get(self));
    return self;
}

/* @return [Integer] bytes of native memory */
static VALUE analytics_memory(VALUE self) {
    return SIZET2NUM(raaf_analytics_memory(get(self)));
}

void rb_raaf_init_analytics(void) {
    /*
     * Document-class: RAAF::Streaming::NativeAnalytics
     * Figures about streams in fixed memory. Applications use RAAF::Streaming::Analytics.
     *
     * @api private
     */
    VALUE cAnalytics = rb_define_class_under(mStreaming, "NativeAnalytics", rb_cObject);
    rb_define_alloc_func(cAnalytics, analytics_alloc);
    rb_define_singleton_method(cAnalytics, "process", analytics_process, 0);
    rb_define_method(cAnalytics, "count_started", analytics_count_started, 1);
    rb_define_method(cAnalytics, "count_chunk", analytics_count_chunk, 2);
    rb_define_method(cAnalytics, "count_completed", analytics_count_completed, 1);
    rb_define_method(cAnalytics, "figures", analytics_figures, 3);
    rb_define_method(cAnalytics, "reset", analytics_reset, 0);
    rb_define_method(cAnalytics, "memory", analytics_memory, 0);
    /* Seconds of a slot. */
    rb_define_const(cAnalytics, "SLOT_SECONDS", INT2FIX(RAAF_ANALYTICS_SLOT_SECONDS));
    /* Slots that are known, back from now. */
    rb_define_const(cAnalytics, "SLOTS", INT2FIX(RAAF_ANALYTICS_SLOTS));
    /* Labels with figures of their own, "other" included. */
    rb_define_const(cAnalytics, "LABELS", INT2FIX(RAAF_ANALYTICS_LABELS));
    /*
     * Document-class: RAAF::Streaming::NativeAnalytics::Record
     * Tells the process's analytics of one stream: its beginning and its end.
     *
     * @api private
     */
    VALUE cRecord = rb_define_class_under(cAnalytics, "Record", rb_cObject);
    rb_undef_alloc_func(cRecord);
    rb_define_singleton_method(cRecord, "new", record_new, 2);
    rb_define_method(cRecord, "begin", record_begin, 0);
    rb_define_method(cRecord, "completed", record_completed, 0);
    rb_define_method(cRecord, "cancelled", record_cancelled, 0);
    rb_define_method(cRecord, "failed", record_failed, 1);
}
