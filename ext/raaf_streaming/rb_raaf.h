/*
 * What the binding files share. The only header of the extension that includes ruby.h.
 *
 * All functions here are called with the GVL held, by a Ruby thread.
 */
#ifndef RB_RAAF_H
#define RB_RAAF_H

#include <ruby.h>
#include <ruby/encoding.h>

#include "core/analytics.h"
#include "core/admission.h"
#include "core/chunk.h"
#include "core/cutter.h"
#include "core/reactor.h"
#include "core/stream.h"
#include "core/stream_queue.h"

#include <stdbool.h>

/* rb_init.c */
extern VALUE mRAAF, mStreaming;

/* rb_error.c: the one place that raises for the core */

/* Raises the error class for [code] (raaf_result_code_t) with the code's text and [detail]. */
RBIMPL_ATTR_NORETURN()
void rb_raaf_raise_code(int code, const char *detail);

/* Raises RAAF::Errors::[name]. */
RBIMPL_ATTR_NORETURN()
void rb_raaf_raise(const char *name, const char *message);

/* rb_reactor.c */
void rb_raaf_init_reactor(void);

/* In a forked child that has not noticed yet: gives up what belongs to the parent. */
void rb_raaf_check_fork(void);

/* The reactor of this process, started if there is none. Raises if it cannot be started. */
raaf_reactor_t *rb_raaf_reactor(void);

/* rb_waiter.c */
void rb_raaf_init_waiter(void);

/*
 * What a thread or fiber sleeps for. Neither function calls Ruby. Once arm has returned true the
 * context must live until disarm is called, once, by whoever: also by the garbage collector.
 */
typedef struct rb_raaf_sleep {
    bool (*arm)(void *context, int fd); /* false: there is something already, do not sleep */
    void (*disarm)(void *context, int fd);
    void *context;
} rb_raaf_sleep_t;

/*
 * Sleeps until something is written to the leased descriptor, at most [seconds]; may wake for
 * nothing. Serves threads and fibers (rb_io_wait). Interrupts are raised from here, with the
 * descriptor disarmed and given back.
 */
void rb_raaf_sleep(const rb_raaf_sleep_t *sleep, double seconds);

/* In a forked child: the descriptors of the pool are shared with the parent and not used again. */
void rb_raaf_waiter_after_fork(void);

/* Another number in each process of a line of forks; costs nothing to ask for. */
unsigned rb_raaf_fork_number(void);

/* rb_chunk.c */
void rb_raaf_init_chunk(void);

/*
 * A Chunk for [item]; takes its payload. [owner] is the source of the NativeStream whose texts it
 * points into.
 */
VALUE rb_raaf_chunk_new(VALUE owner, raaf_chunk_t *item);

/* What a chunk says, read without making an object. */
typedef struct rb_raaf_piece {
    bool content;
    raaf_slice_t text; /* of a chunk from a stream; borrowed from it */
    VALUE string;      /* of a chunk made in Ruby; else Qundef */
} rb_raaf_piece_t;

/*
 * Reads a Chunk. Returns false for any other object, and for a subclass: their methods have to be
 * asked.
 */
bool rb_raaf_chunk_read(VALUE object, rb_raaf_piece_t *piece);

VALUE rb_raaf_usage_hash(const raaf_usage_t *usage);

/* rb_stream.c */
void rb_raaf_init_stream(void);

/* The stream of a NativeStream; raises ForkedError in another process than its own. */
raaf_stream_t *rb_raaf_stream_get(VALUE native);

/* The RunContext of a NativeStream's source, or nil. */
VALUE rb_raaf_stream_context(VALUE source);

/* A NativeStream that nobody runs, with a stream for [request], which it takes. */
VALUE rb_raaf_stream_detached(raaf_request_t *request, VALUE context);

/* Takes what is in the queue as Chunks. */
VALUE rb_raaf_stream_take_all(VALUE native);

/* Symbol: :new, :queued, :connecting, :waiting, :streaming, :ended */
VALUE rb_raaf_stage_symbol(raaf_stage_t stage);

/* rb_place.c */
void rb_raaf_init_place(void);

/* The place of a Place; NULL in another process than its own. */
raaf_place_t *rb_raaf_place_get(VALUE place);

/* rb_parsers.c */
void rb_raaf_init_parsers(void);

/* rb_partial_json.c */
void rb_raaf_init_partial_json(void);

/* rb_chunk_buffer.c */
void rb_raaf_init_chunk_buffer(void);

/* :grapheme (also nil), :word or :sentence; raises ArgumentError for anything else. */
raaf_cut_t rb_raaf_cut(VALUE name);

/* rb_dispatch_queue.c */
void rb_raaf_init_dispatch_queue(void);

/* rb_event_bus.c */
void rb_raaf_init_event_bus(void);

/* rb_circuit_breaker.c */
void rb_raaf_init_circuit_breaker(void);

/* rb_analytics.c */
void rb_raaf_init_analytics(void);

/* Who counts for that provider and model; NULL: out of memory, and nobody. */
raaf_series_t *rb_raaf_series(VALUE provider, VALUE model);

/* rb_request.c */

/* The request that a Hash describes (see there). Raises ArgumentError; nothing leaks. */
raaf_request_t *rb_raaf_request_new(VALUE hash);

#endif
