/*
 * What the files of the event bus share. All with the GVL held, by a Ruby thread: it is the lock of
 * everything here, and nothing between two calls of Ruby can be interrupted.
 */
#ifndef RB_EVENT_BUS_H
#define RB_EVENT_BUS_H

#include "rb_raaf.h"

/* rb_event.c */

/* Frozen once the middleware has seen it. */
typedef struct rb_raaf_event {
    VALUE type;     /* Symbol */
    VALUE payload;  /* nil: made when asked for */
    VALUE id;       /* nil: made when asked for */
    int64_t at;     /* nanoseconds since the epoch */
    uint64_t round; /* of the bus's rounds */
    bool stopped;
} rb_raaf_event_t;

void rb_raaf_init_event(VALUE cBus);
VALUE rb_raaf_event_new(VALUE type, VALUE payload);
rb_raaf_event_t *rb_raaf_event_get(VALUE event);

/* A Symbol for a Symbol or String; raises TypeError for anything else. */
VALUE rb_raaf_event_type(VALUE type);

/* rb_subscription.c */
void rb_raaf_init_subscription(VALUE cBus);

/*
 * Hands [event] to the handler of [subscription]: calls it, or puts the event into its queue. False:
 * the queue is full, and the event is not taken. Where the handler is off, nothing is to be done.
 */
bool rb_raaf_subscription_offer(VALUE subscription, VALUE event);

/*
 * The round of the event that the calling thread handles for [bus], on the pool; 0: it handles none.
 * What a handler emits is part of the round of what it handles.
 */
uint64_t rb_raaf_job_round(VALUE bus);

/* rb_event_bus.c */

/* Other than it was: this is a forked child, and what waits or runs is the parent's. */
extern unsigned rb_raaf_generation;

/* Of all handlers, those included that are gone. */
typedef struct rb_raaf_bus_counts {
    uint64_t emitted; /* events that no middleware has stopped */
    uint64_t handled; /* handlers' calls, also those that failed */
    uint64_t failed;
    uint64_t dropped;
    uint64_t queued; /* now, the running ones included */
} rb_raaf_bus_counts_t;

rb_raaf_bus_counts_t *rb_raaf_bus_counts(VALUE bus);

/* An event stands in one more queue. */
void rb_raaf_bus_enter(VALUE bus, VALUE event);

/* It was handled there, or dropped. Returns whether somebody waits for what is over with that. */
bool rb_raaf_bus_leave(VALUE bus, VALUE event);

#endif
