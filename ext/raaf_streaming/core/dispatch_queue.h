/*
 * The streams whose callbacks have something to do, for a few threads that serve many streams.
 *
 * A stream stands in the queue at most once and is served by one thread at a time: claimed by
 * raaf_dispatch_queue_next, given back by raaf_dispatch_queue_done, behind all others that wait.
 * The queue holds a reference to each stream that stands in it; the claim takes that reference.
 */
#ifndef RAAF_DISPATCH_QUEUE_H
#define RAAF_DISPATCH_QUEUE_H

#include "stream.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_DISPATCH_MAX_SLEEPERS 64 /* threads that may sleep on one queue */

typedef struct raaf_dispatch_queue {
    pthread_mutex_t mutex; /* covers all below, and dispatch_* of each stream */
    raaf_stream_t *first;
    raaf_stream_t *last;
    size_t count;
    uint64_t oldest_at; /* when the first came to stand first; RAAF_NEVER: none */
    int sleepers[RAAF_DISPATCH_MAX_SLEEPERS]; /* write ends of those who sleep */
    size_t sleeper_count;
} raaf_dispatch_queue_t;

/* NULL: out of memory. */
raaf_dispatch_queue_t *raaf_dispatch_queue_new(void);

/* The stream has something for its callbacks. Any thread. */
void raaf_dispatch_queue_ready(raaf_dispatch_queue_t *queue, raaf_stream_t *stream);

/* Claims the stream that has waited longest, with a reference; NULL if none waits. Any thread. */
raaf_stream_t *raaf_dispatch_queue_next(raaf_dispatch_queue_t *queue);

/* Gives a claimed stream back, and its reference. [more]: it has more to do. Any thread. */
void raaf_dispatch_queue_done(raaf_dispatch_queue_t *queue, raaf_stream_t *stream, bool more);

/*
 * Before a thread sleeps: asks for one write to [fd] when a stream is ready. Returns false, and
 * arms nothing, if one is (or if RAAF_DISPATCH_MAX_SLEEPERS sleep already: then poll).
 */
bool raaf_dispatch_queue_arm(raaf_dispatch_queue_t *queue, int fd);

/* After it slept, however it woke: nobody writes to [fd] once this has returned. */
void raaf_dispatch_queue_disarm(raaf_dispatch_queue_t *queue, int fd);

/* For how long the first has been waiting, in ns; 0 if none waits. */
uint64_t raaf_dispatch_queue_lag(raaf_dispatch_queue_t *queue);

#endif
