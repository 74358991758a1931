/*
 * All timers of a reactor: one binary heap, one node a stream.
 *
 * A node is embedded in its owner. To put a deadline off costs nothing: leave the node where it
 * is; when it comes up, its owner looks whether anything is due and schedules it again. Reactor
 * thread only.
 */
#ifndef RAAF_TIMERS_H
#define RAAF_TIMERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct raaf_timer {
    uint64_t deadline; /* raaf_clock_now() nanoseconds */
    size_t position;   /* 1-based place in the heap; 0: not scheduled */
} raaf_timer_t;

typedef struct raaf_timers {
    raaf_timer_t **heap; /* borrowed nodes */
    size_t count;
    size_t capacity;
} raaf_timers_t;

void raaf_timers_init(raaf_timers_t *timers);
void raaf_timers_free(raaf_timers_t *timers);

/*
 * Makes room for [count] nodes in all, so that scheduling cannot fail.
 * Return values: RAAF_OK, RAAF_NO_MEMORY.
 */
int raaf_timers_reserve(raaf_timers_t *timers, size_t count);

/* Schedules [timer], or moves it if it is scheduled. RAAF_NEVER takes it out. Room is reserved. */
void raaf_timers_schedule(raaf_timers_t *timers, raaf_timer_t *timer, uint64_t deadline);

/* Takes [timer] out, if it is in. */
void raaf_timers_cancel(raaf_timers_t *timers, raaf_timer_t *timer);

/* Takes out and returns the node with the earliest deadline, if that is not after [now]. */
raaf_timer_t *raaf_timers_pop_due(raaf_timers_t *timers, uint64_t now);

/* The earliest deadline; RAAF_NEVER if there is none. */
uint64_t raaf_timers_next(const raaf_timers_t *timers);

#endif
