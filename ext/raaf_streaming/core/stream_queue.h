/*
 * The queue between the reactor and the consumer of one stream.
 *
 * Bounded in items and bytes. The bound is asked for by the producer before it takes more input
 * (raaf_stream_queue_full) and not enforced in push: one read may overshoot it, and no chunk is
 * ever refused for it. The mutex covers pointer moves only; nobody allocates, frees or makes a
 * system call under it, save the write to the armed descriptor.
 *
 * Producer: the reactor thread. Consumer: one thread at a time, whoever has claimed the stream.
 */
#ifndef RAAF_STREAM_QUEUE_H
#define RAAF_STREAM_QUEUE_H

#include "chunk.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * An array of chunks that the consumer has taken and works off. Owned by the consumer. It stays
 * where it is while it holds chunks.
 */
typedef struct raaf_batch {
    raaf_chunk_t *chunks;
    size_t capacity; /* of an array of its own; 0: it has none */
    size_t count;
    size_t next;         /* the first that has not been worked off */
    raaf_chunk_t single; /* stands for the array where there was no memory for one */
} raaf_batch_t;

typedef struct raaf_stream_queue {
    pthread_mutex_t mutex; /* covers all below but the two limits */
    raaf_chunk_t *chunks;
    size_t capacity;
    size_t count;
    size_t bytes; /* deltas and payloads of the chunks above */
    int armed_fd; /* write end the consumer sleeps on; -1: it does not sleep */
    bool starved; /* the producer found it full and waits to be told of room */
    bool ended;   /* the terminal chunk is in, or was */
    size_t max_items;
    size_t max_bytes;
} raaf_stream_queue_t;

/*
 * Allocates room for the terminal chunk, so that its push cannot fail.
 * Return values: RAAF_OK, RAAF_NO_MEMORY.
 */
int raaf_stream_queue_init(raaf_stream_queue_t *queue, size_t max_items, size_t max_bytes);

/* Frees the chunks still in it. Nobody else may hold the queue. */
void raaf_stream_queue_free(raaf_stream_queue_t *queue);

/*
 * Whether it is at a bound; an empty queue never is. If so it is marked starved: the take that
 * makes room says so, and the consumer must wake the producer. Producer only.
 */
bool raaf_stream_queue_full(raaf_stream_queue_t *queue);

/*
 * Takes the chunk (with its payload) into the queue. The array grows in time to keep a place for
 * the terminal chunk; its memory is got and given back without the mutex. Producer only.
 * Return values: RAAF_OK; RAAF_NO_MEMORY (the chunk stays the caller's); RAAF_STOP (the terminal
 * chunk is in already: the chunk was freed). Unless it stays the caller's, its [payload] is NULL
 * afterwards.
 */
int raaf_stream_queue_push(raaf_stream_queue_t *queue, raaf_chunk_t *chunk);

/*
 * As push, for the terminal chunk: cannot fail, and only the first counts (a later one is freed).
 * Producer only.
 */
void raaf_stream_queue_end(raaf_stream_queue_t *queue, raaf_chunk_t *chunk);

/*
 * Swaps all chunks in the queue for the worked-off [batch], whose memory the queue takes over.
 * The batch must be empty (next == count). Allocates only for a batch's first array, and in
 * exchange for an array of more than 4,096 chunks that was not filled; where that fails, chunks
 * are taken one by one. Consumer only.
 * Returns the number of chunks; [wake_producer] is set if the producer waits for room.
 */
size_t raaf_stream_queue_take(raaf_stream_queue_t *queue, raaf_batch_t *batch, bool *wake_producer);

/*
 * Before the consumer sleeps: asks for one write to [fd] when there is something to take.
 * Returns false, and arms nothing, if there is something already. Consumer only.
 */
bool raaf_stream_queue_arm(raaf_stream_queue_t *queue, int fd);

/*
 * After it slept, however it woke: nobody writes to the descriptor once this has returned (a write
 * may have happened before: drain it). Consumer only.
 */
void raaf_stream_queue_disarm(raaf_stream_queue_t *queue);

/*
 * Writes to the armed descriptor, if there is one and something to take, and disarms. Done under
 * the mutex, so that the descriptor cannot have been handed back meanwhile. Producer only, once a
 * turn of its loop.
 */
void raaf_stream_queue_signal(raaf_stream_queue_t *queue);

/* Whether there is something to take. Consumer only. */
bool raaf_stream_queue_ready(raaf_stream_queue_t *queue);

void raaf_batch_init(raaf_batch_t *batch);

/* Frees the chunks that were not worked off, and the array. */
void raaf_batch_free(raaf_batch_t *batch);

#endif
