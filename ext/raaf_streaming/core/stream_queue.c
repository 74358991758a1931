#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "stream_queue.h"

#include "result_code.h"
#include "waker.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_ARRAY 8
#define LARGE_ARRAY 4096 /* above this an array is given back once it is no longer needed */

static raaf_chunk_t *array_new(size_t capacity) {
    if (capacity > SIZE_MAX / sizeof(raaf_chunk_t)) return NULL;
    return malloc(capacity * sizeof(raaf_chunk_t));
}

int raaf_stream_queue_init(raaf_stream_queue_t *queue, size_t max_items, size_t max_bytes) {
    memset(queue, 0, sizeof *queue);
    queue->armed_fd = -1;
    queue->max_items = max_items;
    queue->max_bytes = max_bytes;
    queue->chunks = array_new(SMALL_ARRAY);
    if (queue->chunks == NULL) return RAAF_NO_MEMORY;
    queue->capacity = SMALL_ARRAY;
    if (pthread_mutex_init(&queue->mutex, NULL) != 0) {
        free(queue->chunks);
        queue->chunks = NULL;
        return RAAF_NO_MEMORY;
    }
    return RAAF_OK;
}

void raaf_stream_queue_free(raaf_stream_queue_t *queue) {
    if (queue->chunks == NULL) return;
    for (size_t i = 0; i < queue->count; i++)
        raaf_chunk_free(&queue->chunks[i]);
    free(queue->chunks);
    queue->chunks = NULL;
    queue->count = 0;
    pthread_mutex_destroy(&queue->mutex);
}

/* An empty queue is never full, whatever its bounds: nothing would ever be taken to make room. */
bool raaf_stream_queue_full(raaf_stream_queue_t *queue) {
    bool full;

    pthread_mutex_lock(&queue->mutex);
    full =
        queue->count > 0 && (queue->count >= queue->max_items || queue->bytes >= queue->max_bytes);
    if (full) queue->starved = true;
    pthread_mutex_unlock(&queue->mutex);
    return full;
}

/* What the chunk counts for; a delta that lies in the payload counts once. */
static size_t chunk_cost(const raaf_chunk_t *chunk) {
    if (chunk->payload == NULL) return chunk->len;
    if (chunk->bytes == chunk->payload->text.bytes) return raaf_chunk_memory(chunk);
    return raaf_chunk_memory(chunk) + chunk->len;
}

/* Mutex held. */
static void put(raaf_stream_queue_t *queue, const raaf_chunk_t *chunk, size_t cost) {
    queue->chunks[queue->count++] = *chunk;
    queue->bytes += cost;
}

/* Mutex held. One place stays free, for the terminal chunk. */
static bool has_room(const raaf_stream_queue_t *queue) {
    return queue->count + 1 < queue->capacity;
}

/*
 * Called and left with the mutex held, which is let go meanwhile: the consumer may take everything
 * and leave an array with room, then the new one is not needed. [unused] is to be freed.
 */
static int grow(raaf_stream_queue_t *queue, raaf_chunk_t **unused) {
    const size_t capacity = queue->capacity > SIZE_MAX / 2 ? SIZE_MAX : queue->capacity * 2;
    raaf_chunk_t *larger;

    pthread_mutex_unlock(&queue->mutex);
    larger = array_new(capacity);
    pthread_mutex_lock(&queue->mutex);
    if (has_room(queue)) {
        *unused = larger;
        return RAAF_OK;
    }
    if (larger == NULL) return RAAF_NO_MEMORY;
    memcpy(larger, queue->chunks, queue->count * sizeof(raaf_chunk_t));
    *unused = queue->chunks;
    queue->chunks = larger;
    queue->capacity = capacity;
    return RAAF_OK;
}

int raaf_stream_queue_push(raaf_stream_queue_t *queue, raaf_chunk_t *chunk) {
    const size_t cost = chunk_cost(chunk);
    raaf_chunk_t *unused = NULL;
    int code = RAAF_OK;

    pthread_mutex_lock(&queue->mutex);
    if (queue->ended)
        code = RAAF_STOP;
    else if (!has_room(queue))
        code = grow(queue, &unused);
    if (code == RAAF_OK) put(queue, chunk, cost);
    pthread_mutex_unlock(&queue->mutex);

    free(unused);
    if (code == RAAF_OK) chunk->payload = NULL;
    if (code == RAAF_STOP) raaf_chunk_free(chunk);
    return code;
}

void raaf_stream_queue_end(raaf_stream_queue_t *queue, raaf_chunk_t *chunk) {
    const size_t cost = chunk_cost(chunk);
    bool first;

    pthread_mutex_lock(&queue->mutex);
    first = !queue->ended;
    if (first) put(queue, chunk, cost);
    queue->ended = true;
    pthread_mutex_unlock(&queue->mutex);

    if (first)
        chunk->payload = NULL;
    else
        raaf_chunk_free(chunk);
}

/*
 * Gives the batch an array to put into the queue: one that can hold at least the terminal chunk.
 * A large one that was not filled in its last round goes.
 */
static void batch_prepare(raaf_batch_t *batch) {
    raaf_chunk_t *small;

    if (batch->capacity > 0 && (batch->capacity <= LARGE_ARRAY || batch->count > LARGE_ARRAY)) {
        return;
    }
    small = array_new(SMALL_ARRAY);
    if (small == NULL) return;
    if (batch->capacity > 0) free(batch->chunks);
    batch->chunks = small;
    batch->capacity = SMALL_ARRAY;
}

/* Mutex held. */
static void swap_arrays(raaf_stream_queue_t *queue, raaf_batch_t *batch) {
    raaf_chunk_t *chunks = queue->chunks;
    const size_t capacity = queue->capacity;

    queue->chunks = batch->chunks;
    queue->capacity = batch->capacity;
    batch->chunks = chunks;
    batch->capacity = capacity;
    batch->count = queue->count;
    queue->count = 0;
    queue->bytes = 0;
}

/* Mutex held. Without memory for a second array the stream goes on, one chunk at a time. */
static void take_one(raaf_stream_queue_t *queue, raaf_batch_t *batch) {
    batch->single = queue->chunks[0];
    batch->chunks = &batch->single;
    batch->count = 1;
    queue->count--;
    queue->bytes -= chunk_cost(&batch->single);
    memmove(queue->chunks, queue->chunks + 1, queue->count * sizeof(raaf_chunk_t));
}

size_t raaf_stream_queue_take(raaf_stream_queue_t *queue, raaf_batch_t *batch,
                              bool *wake_producer) {
    batch_prepare(batch);
    batch->count = 0;
    batch->next = 0;

    pthread_mutex_lock(&queue->mutex);
    *wake_producer = queue->starved;
    queue->starved = false;
    if (queue->count > 0) {
        if (batch->capacity > 0)
            swap_arrays(queue, batch);
        else
            take_one(queue, batch);
    }
    pthread_mutex_unlock(&queue->mutex);
    return batch->count;
}

bool raaf_stream_queue_arm(raaf_stream_queue_t *queue, int fd) {
    bool armed;

    pthread_mutex_lock(&queue->mutex);
    armed = queue->count == 0;
    if (armed) queue->armed_fd = fd;
    pthread_mutex_unlock(&queue->mutex);
    return armed;
}

void raaf_stream_queue_disarm(raaf_stream_queue_t *queue) {
    pthread_mutex_lock(&queue->mutex);
    queue->armed_fd = -1;
    pthread_mutex_unlock(&queue->mutex);
}

void raaf_stream_queue_signal(raaf_stream_queue_t *queue) {
    pthread_mutex_lock(&queue->mutex);
    if (queue->armed_fd >= 0 && queue->count > 0) {
        raaf_wake_fd(queue->armed_fd);
        queue->armed_fd = -1;
    }
    pthread_mutex_unlock(&queue->mutex);
}

bool raaf_stream_queue_ready(raaf_stream_queue_t *queue) {
    bool ready;

    pthread_mutex_lock(&queue->mutex);
    ready = queue->count > 0;
    pthread_mutex_unlock(&queue->mutex);
    return ready;
}

void raaf_batch_init(raaf_batch_t *batch) {
    memset(batch, 0, sizeof *batch);
}

void raaf_batch_free(raaf_batch_t *batch) {
    for (size_t i = batch->next; i < batch->count; i++)
        raaf_chunk_free(&batch->chunks[i]);
    if (batch->capacity > 0) free(batch->chunks);
    raaf_batch_init(batch);
}
