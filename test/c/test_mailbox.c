#include "check.h"
#include "mailbox.h"
#include "random_numbers.h"
#include "result_code.h"
#include "stream_consumer.h"

#include <pthread.h>

static raaf_stream_t *stream_new(void) {
    return raaf_stream_new(script_new(), 1, NULL);
}

static bool is_awake(const raaf_mailbox_t *mailbox) {
    struct pollfd watched = {.fd = mailbox->waker.read_fd, .events = POLLIN};

    return poll(&watched, 1, 0) == 1;
}

static unsigned references(const raaf_stream_t *stream) {
    return atomic_load(&stream->references);
}

static void with_both(void (*test)(raaf_mailbox_t *mailbox)) {
    for (int pipe = 0; pipe <= 1; pipe++) {
        raaf_mailbox_t mailbox;
        if (!CHECK_EQ_INT(raaf_mailbox_open(&mailbox, pipe), RAAF_OK)) return;
        test(&mailbox);
        raaf_mailbox_close(&mailbox);
    }
}

static void empty(raaf_mailbox_t *mailbox) {
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), NULL);
    CHECK(!is_awake(mailbox));
}

TEST(mailbox_is_empty_at_first) {
    with_both(empty);
}

static void hand_over_in_order(raaf_mailbox_t *mailbox) {
    raaf_stream_t *streams[5];

    for (unsigned i = 0; i < 5; i++) {
        streams[i] = stream_new();
        raaf_mailbox_post(mailbox, streams[i], 1u << i);
        CHECK(is_awake(mailbox));
        CHECK_EQ_UINT(references(streams[i]), 2);
    }
    raaf_waker_drain(&mailbox->waker);
    raaf_stream_t *stream = raaf_mailbox_take(mailbox);
    for (unsigned i = 0; i < 5; i++) {
        if (!CHECK_EQ_PTR(stream, streams[i])) return;
        raaf_stream_t *next = stream->mail_next;
        CHECK_EQ_UINT(raaf_mailbox_commands(stream), 1u << i);
        raaf_stream_release(stream);
        CHECK_EQ_UINT(references(stream), 1);
        raaf_stream_release(stream);
        stream = next;
    }
    CHECK_EQ_PTR(stream, NULL);
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), NULL);
    CHECK(!is_awake(mailbox));
}

TEST(mailbox_hands_over_oldest_first_with_a_reference_each) {
    with_both(hand_over_in_order);
}

/* Also between the take and the reading of the commands: then too its reader sees them all. */
static void join_commands(raaf_mailbox_t *mailbox) {
    raaf_stream_t *stream = stream_new();

    raaf_mailbox_post(mailbox, stream, RAAF_COMMAND_START);
    raaf_mailbox_post(mailbox, stream, RAAF_COMMAND_RESUME);
    CHECK_EQ_UINT(references(stream), 2);
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), stream);
    CHECK_EQ_PTR(stream->mail_next, NULL);
    raaf_mailbox_post(mailbox, stream, RAAF_COMMAND_CANCEL);
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), NULL);
    CHECK_EQ_UINT(raaf_mailbox_commands(stream),
                  RAAF_COMMAND_START | RAAF_COMMAND_RESUME | RAAF_COMMAND_CANCEL);
    raaf_stream_release(stream);
    raaf_mailbox_post(mailbox, stream, RAAF_COMMAND_RESUME);
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), stream);
    CHECK_EQ_UINT(raaf_mailbox_commands(stream), RAAF_COMMAND_RESUME);
    raaf_stream_release(stream);
    raaf_stream_release(stream);
}

TEST(mailbox_joins_the_commands_of_one_stream) {
    with_both(join_commands);
}

/*
 * Several threads post the same streams while one reads: what was said before a post is known to
 * the reader after it, no wake-up is lost, and every reference is given back.
 */
enum { POSTERS = 4, STREAMS = 6, POSTS = 4000 };

typedef struct said {
    raaf_stream_t *stream;
    atomic_uint number; /* raised before each post */
    unsigned plain;     /* written by whoever holds the stream: the reader, or poster 0 before */
} said_t;

typedef struct office {
    raaf_mailbox_t *mailbox;
    said_t said[STREAMS];
    atomic_uint poster;
} office_t;

static void *post_at_random(void *argument) {
    office_t *office = argument;
    uint64_t state = atomic_fetch_add(&office->poster, 1) + 1;

    for (int i = 0; i < POSTS; i++) {
        said_t *said = &office->said[random_below(&state, STREAMS)];
        atomic_fetch_add_explicit(&said->number, 1, memory_order_relaxed);
        raaf_mailbox_post(office->mailbox, said->stream, 1u << random_below(&state, 3));
    }
    return NULL;
}

static unsigned read_all(office_t *office) {
    unsigned known = 0;
    raaf_stream_t *stream = raaf_mailbox_take(office->mailbox);

    while (stream) {
        raaf_stream_t *next = stream->mail_next;
        CHECK(raaf_mailbox_commands(stream) != 0);
        for (int i = 0; i < STREAMS; i++) {
            said_t *said = &office->said[i];
            if (said->stream == stream)
                said->plain = atomic_load_explicit(&said->number, memory_order_relaxed);
        }
        raaf_stream_release(stream);
        stream = next;
    }
    for (int i = 0; i < STREAMS; i++)
        known += office->said[i].plain;
    return known;
}

static void post_from_many_threads(raaf_mailbox_t *mailbox) {
    office_t office = {.mailbox = mailbox};
    pthread_t threads[POSTERS];

    for (int i = 0; i < STREAMS; i++)
        office.said[i].stream = stream_new();
    for (int i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_at_random, &office);
    while (read_all(&office) < POSTERS * POSTS) {
        struct pollfd watched = {.fd = mailbox->waker.read_fd, .events = POLLIN};
        if (!CHECK(poll(&watched, 1, CONSUMER_PATIENCE_MS) == 1)) break;
        raaf_waker_drain(&mailbox->waker);
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    read_all(&office);
    for (int i = 0; i < STREAMS; i++) {
        CHECK_EQ_UINT(references(office.said[i].stream), 1);
        raaf_stream_release(office.said[i].stream);
    }
}

TEST(mailbox_loses_nothing_that_many_threads_post) {
    with_both(post_from_many_threads);
}

/* As two threads do that post to a reactor which has stopped: each takes all or nothing. */
static void *take_and_count(void *argument) {
    office_t *office = argument;
    uintptr_t taken = 0;

    for (int i = 0; i < POSTS; i++) {
        raaf_mailbox_post(office->mailbox, office->said[i % STREAMS].stream, 1);
        raaf_stream_t *stream = raaf_mailbox_take(office->mailbox);
        while (stream) {
            raaf_stream_t *next = stream->mail_next;
            taken += raaf_mailbox_commands(stream);
            raaf_stream_release(stream);
            stream = next;
        }
    }
    return (void *)taken;
}

static void take_from_two_threads(raaf_mailbox_t *mailbox) {
    office_t office = {.mailbox = mailbox};
    pthread_t threads[2];

    for (int i = 0; i < STREAMS; i++)
        office.said[i].stream = stream_new();
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, take_and_count, &office);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ_PTR(raaf_mailbox_take(mailbox), NULL);
    for (int i = 0; i < STREAMS; i++) {
        CHECK_EQ_UINT(atomic_load(&office.said[i].stream->commands), 0);
        CHECK_EQ_UINT(references(office.said[i].stream), 1);
        raaf_stream_release(office.said[i].stream);
    }
}

TEST(mailbox_can_be_emptied_by_two_threads) {
    with_both(take_from_two_threads);
}
