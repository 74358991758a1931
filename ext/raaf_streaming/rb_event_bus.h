/*
 * What the files of the event bus share. All with the GVL held, by a Ruby thread: it is the lock of
 * everything here, and between two calls of Ruby nothing else happens.
 */
#ifndef RB_EVENT_BUS_H
#define RB_EVENT_BUS_H

#include "rb_raaf.h"

/* rb_event.c */

/*
 * Frozen once the middleware has seen it. 40 bytes: with 48, which go beyond what malloc keeps in 48,
 * an emit took 10 ns more.
 */
typedef struct rb_raaf_event {
    VALUE type;      /* Symbol */
    VALUE payload;   /* nil: made when asked for */
    VALUE id;        /* nil: made when asked for */
    VALUE carried;   /* Carried; nil: nothing is; Qundef: nobody has asked */
    int64_t at : 63; /* nanoseconds since the epoch */
    uint64_t stopped : 1;
} rb_raaf_event_t;

void rb_raaf_init_event(VALUE cBus);
VALUE rb_raaf_event_new(VALUE type, VALUE payload);

/* Of what is known to be one. */
static inline rb_raaf_event_t *rb_raaf_event_get(VALUE event) {
    return RTYPEDDATA_DATA(event);
}

/*
 * The emitter's: takes along what is known where the event is emitted, for handlers on other threads.
 * Once an event; may run Ruby.
 */
void rb_raaf_event_carry(VALUE event);

/* Has the event's carrier be [carrier], which responds to for_event; nil: nothing is carried. */
void rb_raaf_event_carry_by(VALUE carrier);

/* A Symbol for a Symbol or String; raises TypeError for anything else. */
VALUE rb_raaf_event_type(VALUE type);

/* rb_event_bus.c */

/* Other than it was: this is a forked child, and what waits or runs is the parent's. */
extern unsigned rb_raaf_generation;

typedef struct rb_raaf_bus {
    VALUE snapshots;     /* {type => frozen Array of Subscriptions} */
    VALUE last_type;     /* looked up last; nil: none */
    VALUE last_handlers; /* of it */
    VALUE middleware;    /* frozen Array of callables */
    long drainers;       /* threads and fibers that wait in drain */
    long following;      /* events in queues of which drains have still to be told */
    unsigned generation;
    bool closed;
    uint64_t emitted; /* events that no middleware has stopped */
    uint64_t handled; /* by all handlers there have been; also those that failed */
    uint64_t failed;
    uint64_t dropped;
} rb_raaf_bus_t;

/* Of what is known to be one; in a forked child nothing waits any longer. */
rb_raaf_bus_t *rb_raaf_bus_get(VALUE bus);

/* rb_subscription.c */
void rb_raaf_init_subscription(VALUE cBus);

/*
 * Hands [event] to a handler: calls it, or puts the event into its queue. False: the queue is full,
 * and the event is not taken. (Where the handler is off there is nothing to be done.)
 */
bool rb_raaf_subscription_offer(VALUE subscription, VALUE event);

#endif
