#include "dispatch_queue.h"

#include "clock.h"
#include "waker.h"

#include <stdlib.h>

/* dispatch_state of a stream */
enum { IDLE, READY, CLAIMED, CLAIMED_AND_READY };

raaf_dispatch_queue_t *raaf_dispatch_queue_new(void) {
    raaf_dispatch_queue_t *queue = calloc(1, sizeof *queue);
    if (!queue) return NULL;
    if (pthread_mutex_init(&queue->mutex, NULL) != 0) {
        free(queue);
        return NULL;
    }
    queue->oldest_at = RAAF_NEVER;
    return queue;
}

/* Mutex held. Takes a reference for the queue. */
static void append(raaf_dispatch_queue_t *queue, raaf_stream_t *stream) {
    raaf_stream_retain(stream);
    stream->dispatch_state = READY;
    stream->dispatch_next = NULL;
    if (queue->last) {
        queue->last->dispatch_next = stream;
    } else {
        queue->first = stream;
        queue->oldest_at = raaf_clock_now();
    }
    queue->last = stream;
    queue->count++;
    /* Under the mutex, so that a sleeper cannot have handed its descriptor back. */
    if (queue->sleeper_count) raaf_wake_fd(queue->sleepers[--queue->sleeper_count]);
}

void raaf_dispatch_queue_ready(raaf_dispatch_queue_t *queue, raaf_stream_t *stream) {
    pthread_mutex_lock(&queue->mutex);
    if (stream->dispatch_state == IDLE)
        append(queue, stream);
    else if (stream->dispatch_state == CLAIMED)
        stream->dispatch_state = CLAIMED_AND_READY;
    pthread_mutex_unlock(&queue->mutex);
}

raaf_stream_t *raaf_dispatch_queue_next(raaf_dispatch_queue_t *queue) {
    pthread_mutex_lock(&queue->mutex);
    raaf_stream_t *stream = queue->first;
    if (stream) {
        queue->first = stream->dispatch_next;
        if (!queue->first) queue->last = NULL;
        queue->oldest_at = queue->first ? raaf_clock_now() : RAAF_NEVER;
        queue->count--;
        stream->dispatch_state = CLAIMED;
    }
    pthread_mutex_unlock(&queue->mutex);
    return stream;
}

void raaf_dispatch_queue_done(raaf_dispatch_queue_t *queue, raaf_stream_t *stream, bool more) {
    pthread_mutex_lock(&queue->mutex);
    if (more || stream->dispatch_state == CLAIMED_AND_READY)
        append(queue, stream);
    else
        stream->dispatch_state = IDLE;
    pthread_mutex_unlock(&queue->mutex);
    raaf_stream_release(stream);
}

bool raaf_dispatch_queue_arm(raaf_dispatch_queue_t *queue, int fd) {
    pthread_mutex_lock(&queue->mutex);
    bool armed = !queue->first && queue->sleeper_count < RAAF_DISPATCH_MAX_SLEEPERS;
    if (armed) queue->sleepers[queue->sleeper_count++] = fd;
    pthread_mutex_unlock(&queue->mutex);
    return armed;
}

void raaf_dispatch_queue_disarm(raaf_dispatch_queue_t *queue, int fd) {
    pthread_mutex_lock(&queue->mutex);
    for (size_t i = 0; i < queue->sleeper_count; i++) {
        if (queue->sleepers[i] != fd) continue;
        queue->sleepers[i] = queue->sleepers[--queue->sleeper_count];
        break;
    }
    pthread_mutex_unlock(&queue->mutex);
}

uint64_t raaf_dispatch_queue_lag(raaf_dispatch_queue_t *queue) {
    pthread_mutex_lock(&queue->mutex);
    uint64_t oldest_at = queue->oldest_at;
    pthread_mutex_unlock(&queue->mutex);
    return oldest_at == RAAF_NEVER ? 0 : raaf_clock_now() - oldest_at;
}
