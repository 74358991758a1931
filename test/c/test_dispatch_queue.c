#include "check.h"
#include "dispatch_queue.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "stream_consumer.h"

#include "dispatch_queue.c"

static raaf_stream_t *stream_new(void) {
    return raaf_stream_new(script_new(), 1, NULL);
}

static unsigned references(const raaf_stream_t *stream) {
    return atomic_load(&stream->references);
}

/* A process has one for its whole life, so the core never frees it. */
static void queue_free(raaf_dispatch_queue_t *queue) {
    CHECK_EQ_UINT(queue->count, 0);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

TEST(dispatch_serves_the_one_that_waited_longest) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *streams[3];

    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL);
    for (int i = 0; i < 3; i++) {
        streams[i] = stream_new();
        raaf_dispatch_queue_ready(queue, streams[i]);
        CHECK_EQ_UINT(references(streams[i]), 2);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), streams[i]);
        raaf_dispatch_queue_done(queue, streams[i], false);
        CHECK_EQ_UINT(references(streams[i]), 1);
        raaf_stream_release(streams[i]);
    }
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL);
    queue_free(queue);
}

TEST(dispatch_has_a_stream_at_most_once) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *stream = stream_new();

    raaf_dispatch_queue_ready(queue, stream);
    raaf_dispatch_queue_ready(queue, stream);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), stream);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL);
    raaf_dispatch_queue_done(queue, stream, false);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL);
    CHECK_EQ_UINT(references(stream), 1);
    raaf_stream_release(stream);
    queue_free(queue);
}

TEST(dispatch_serves_again_what_became_ready_while_it_was_served) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *stream = stream_new();

    raaf_dispatch_queue_ready(queue, stream);
    raaf_dispatch_queue_next(queue);
    raaf_dispatch_queue_ready(queue, stream);
    raaf_dispatch_queue_ready(queue, stream);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL); /* not by two at a time */
    raaf_dispatch_queue_done(queue, stream, false);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), stream);
    raaf_dispatch_queue_done(queue, stream, false);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), NULL);
    CHECK_EQ_UINT(references(stream), 1);
    raaf_stream_release(stream);
    queue_free(queue);
}

TEST(dispatch_puts_one_with_more_to_do_behind_the_others) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *busy = stream_new(), *other = stream_new();

    raaf_dispatch_queue_ready(queue, busy);
    raaf_dispatch_queue_ready(queue, other);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), busy);
    raaf_dispatch_queue_done(queue, busy, true);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), other);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), busy);
    raaf_dispatch_queue_done(queue, busy, false);
    raaf_dispatch_queue_done(queue, other, false);
    raaf_stream_release(busy);
    raaf_stream_release(other);
    queue_free(queue);
}

TEST(dispatch_keeps_a_stream_that_nobody_else_holds) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    const size_t before = raaf_stream_live_count();
    raaf_stream_t *stream = stream_new();

    raaf_dispatch_queue_ready(queue, stream);
    raaf_stream_release(stream);
    CHECK_EQ_UINT(raaf_stream_live_count(), before + 1);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), stream);
    raaf_dispatch_queue_done(queue, stream, false);
    CHECK_EQ_UINT(raaf_stream_live_count(), before);
    queue_free(queue);
}

static bool is_awake(const raaf_waker_t *waker) {
    struct pollfd watched = {.fd = waker->read_fd, .events = POLLIN};

    return poll(&watched, 1, 0) == 1;
}

TEST(dispatch_wakes_one_sleeper_for_each_stream) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *streams[2] = {stream_new(), stream_new()};
    raaf_waker_t wakers[3];

    for (int i = 0; i < 3; i++) {
        raaf_waker_open(&wakers[i], i == 1);
        CHECK(raaf_dispatch_queue_arm(queue, wakers[i].write_fd));
    }
    raaf_dispatch_queue_ready(queue, streams[0]);
    CHECK_EQ_INT(is_awake(&wakers[0]) + is_awake(&wakers[1]) + is_awake(&wakers[2]), 1);
    raaf_dispatch_queue_ready(queue, streams[0]);
    CHECK_EQ_INT(is_awake(&wakers[0]) + is_awake(&wakers[1]) + is_awake(&wakers[2]), 1);
    raaf_dispatch_queue_ready(queue, streams[1]);
    CHECK_EQ_INT(is_awake(&wakers[0]) + is_awake(&wakers[1]) + is_awake(&wakers[2]), 2);
    CHECK(!raaf_dispatch_queue_arm(queue, wakers[2].write_fd)); /* there is something to do */
    for (int i = 0; i < 3; i++) {
        raaf_dispatch_queue_disarm(queue, wakers[i].write_fd);
    }
    CHECK_EQ_UINT(queue->sleeper_count, 0);
    for (int i = 0; i < 2; i++) {
        raaf_dispatch_queue_done(queue, raaf_dispatch_queue_next(queue), false);
        raaf_stream_release(streams[i]);
    }
    for (int i = 0; i < 3; i++) {
        raaf_waker_close(&wakers[i]);
    }
    queue_free(queue);
}

TEST(dispatch_writes_to_nobody_who_has_disarmed) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *stream = stream_new();
    raaf_waker_t gone, here;

    raaf_waker_open(&gone, false);
    raaf_waker_open(&here, false);
    CHECK(raaf_dispatch_queue_arm(queue, gone.write_fd));
    CHECK(raaf_dispatch_queue_arm(queue, here.write_fd));
    raaf_dispatch_queue_disarm(queue, gone.write_fd);
    raaf_dispatch_queue_disarm(queue, gone.write_fd);
    raaf_dispatch_queue_ready(queue, stream);
    CHECK(!is_awake(&gone));
    CHECK(is_awake(&here));
    raaf_dispatch_queue_done(queue, raaf_dispatch_queue_next(queue), false);
    raaf_stream_release(stream);
    raaf_waker_close(&gone);
    raaf_waker_close(&here);
    queue_free(queue);
}

TEST(dispatch_lets_only_so_many_sleep) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();

    for (int fd = 0; fd < RAAF_DISPATCH_MAX_SLEEPERS; fd++) {
        CHECK(raaf_dispatch_queue_arm(queue, 1000000 + fd));
    }
    CHECK(!raaf_dispatch_queue_arm(queue, 2000000));
    raaf_dispatch_queue_disarm(queue, 1000007);
    CHECK(raaf_dispatch_queue_arm(queue, 2000000));
    queue_free(queue);
}

TEST(dispatch_tells_how_long_the_first_has_been_waiting) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    raaf_stream_t *stream = stream_new();
    const uint64_t before = raaf_clock_now();

    CHECK_EQ_UINT(raaf_dispatch_queue_lag(queue), 0);
    raaf_dispatch_queue_ready(queue, stream);
    while (raaf_dispatch_queue_lag(queue) == 0)
        continue;
    CHECK(raaf_dispatch_queue_lag(queue) <= raaf_clock_now() - before);
    raaf_dispatch_queue_done(queue, raaf_dispatch_queue_next(queue), false);
    CHECK_EQ_UINT(raaf_dispatch_queue_lag(queue), 0);
    raaf_stream_release(stream);
    queue_free(queue);
}

TEST(dispatch_says_when_there_is_no_memory_for_it) {
    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_dispatch_queue_new(), NULL);
    memory_is_back();
}

/*
 * Producers announce work, servers do it: each piece exactly once, never two servers at one
 * stream, and nobody sleeps while there is work.
 */
enum { SERVERS = 3, PRODUCERS = 2, STREAMS = 8, PIECES = 6000 };

typedef struct hall {
    raaf_dispatch_queue_t *queue;
    raaf_stream_t *streams[STREAMS];
    atomic_uint announced[STREAMS];
    unsigned done[STREAMS]; /* by whoever has claimed the stream: no lock of their own */
    atomic_uint all_done;
    atomic_uint producer;
    atomic_uint server;
    raaf_waker_t wakers[SERVERS];
} hall_t;

static void *produce(void *argument) {
    hall_t *hall = argument;
    uint64_t state = atomic_fetch_add(&hall->producer, 1) + 1;

    for (int i = 0; i < PIECES; i++) {
        size_t place = random_below(&state, STREAMS);
        atomic_fetch_add(&hall->announced[place], 1);
        raaf_dispatch_queue_ready(hall->queue, hall->streams[place]);
    }
    return NULL;
}

static void serve_one(hall_t *hall, raaf_stream_t *stream) {
    size_t place = 0;

    while (hall->streams[place] != stream)
        place++;
    const unsigned announced = atomic_load(&hall->announced[place]);
    const unsigned left = announced - hall->done[place];
    const unsigned now = left > 3 ? 3 : left;
    hall->done[place] += now;
    raaf_dispatch_queue_done(hall->queue, stream, left > now);
    if (atomic_fetch_add(&hall->all_done, now) + now < PRODUCERS * PIECES) return;
    for (int i = 0; i < SERVERS; i++)
        raaf_waker_wake(&hall->wakers[i]);
}

static void *serve(void *argument) {
    hall_t *hall = argument;
    const raaf_waker_t *waker = &hall->wakers[atomic_fetch_add(&hall->server, 1)];

    while (atomic_load(&hall->all_done) < PRODUCERS * PIECES) {
        raaf_stream_t *stream = raaf_dispatch_queue_next(hall->queue);
        if (stream) {
            serve_one(hall, stream);
            continue;
        }
        struct pollfd watched = {.fd = waker->read_fd, .events = POLLIN};
        if (raaf_dispatch_queue_arm(hall->queue, waker->write_fd) &&
            !CHECK(poll(&watched, 1, CONSUMER_PATIENCE_MS) == 1))
            break;
        raaf_dispatch_queue_disarm(hall->queue, waker->write_fd);
        raaf_waker_drain(waker);
    }
    return NULL;
}

TEST(dispatch_gives_each_piece_of_work_to_one_server) {
    hall_t hall = {.queue = raaf_dispatch_queue_new()};
    pthread_t threads[SERVERS + PRODUCERS];

    for (int i = 0; i < STREAMS; i++)
        hall.streams[i] = stream_new();
    for (int i = 0; i < SERVERS; i++)
        raaf_waker_open(&hall.wakers[i], false);
    for (int i = 0; i < SERVERS + PRODUCERS; i++)
        pthread_create(&threads[i], NULL, i < SERVERS ? serve : produce, &hall);
    for (int i = 0; i < SERVERS + PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ_UINT(atomic_load(&hall.all_done), PRODUCERS * PIECES);
    for (raaf_stream_t *left; (left = raaf_dispatch_queue_next(hall.queue));)
        raaf_dispatch_queue_done(hall.queue, left, false);
    for (int i = 0; i < STREAMS; i++) {
        CHECK_EQ_UINT(hall.done[i], atomic_load(&hall.announced[i]));
        CHECK_EQ_UINT(references(hall.streams[i]), 1);
        raaf_stream_release(hall.streams[i]);
    }
    for (int i = 0; i < SERVERS; i++)
        raaf_waker_close(&hall.wakers[i]);
    queue_free(hall.queue);
}
