/*
 * A reactor of every kind there is, with a server to talk to: each back-end with each waker.
 *
 *     WORLD_TEST(stream_does_this) {          // runs once a kind, with [world]
 *         consumer_t consumer = consumer_start(world->reactor, request_here(world));
 *         peer_t peer = peer_begin(world);    // accepts, reads the request, sends the header
 *         peer_event(&peer, CONTENT("a") DONE);
 *         consumer_gets(&consumer, "a");
 *         …
 *     }
 *
 * Afterwards the reactor is stopped, and no stream may be left.
 */
#ifndef RAAF_TEST_REACTOR_WORLD_H
#define RAAF_TEST_REACTOR_WORLD_H

#include "http_peer.h"
#include "stream_consumer.h"

#include <dirent.h>
#include <pthread.h>

typedef struct world {
    raaf_reactor_t *reactor;
    server_t server;
} world_t;

static const raaf_reactor_options_t world_kinds[] = {
    {.backend = RAAF_BACKEND_EPOLL, .pipe = false, .idle_connections = 10},
    {.backend = RAAF_BACKEND_EPOLL, .pipe = true, .idle_connections = 10},
    {.backend = RAAF_BACKEND_POLL, .pipe = false, .idle_connections = 10},
    {.backend = RAAF_BACKEND_POLL, .pipe = true, .idle_connections = 10},
};

#define EVENT_STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

/* For what happens on another thread and is announced to nobody. */
#define CHECK_SOON(condition)                                                                      \
    do {                                                                                           \
        const uint64_t give_up = raaf_clock_now() + RAAF_MS(CONSUMER_PATIENCE_MS);                 \
        while (!(condition) && raaf_clock_now() < give_up)                                         \
            usleep(500);                                                                           \
        CHECK(condition);                                                                          \
    } while (0)

static inline void world_set_up_curl(void) {
    static bool done;

    if (!done) CHECK_EQ_INT(raaf_reactor_global_init(), RAAF_OK);
    done = true;
}

/* Returns false for a back-end that this system has not. */
static inline bool world_open(world_t *world, const raaf_reactor_options_t *options) {
    int result;

    world_set_up_curl();
    world->reactor = raaf_reactor_start(options, &result);
    if (!world->reactor && options->backend == RAAF_BACKEND_EPOLL) {
        CHECK_EQ_INT(result, RAAF_INVALID_REQUEST);
        return false;
    }
    if (!CHECK_EQ_INT(result, RAAF_OK)) return false;
    world->server = server_open(512);
    return true;
}

/* Whether a thread of that name is left, as far as this system tells. */
static inline bool has_thread(const char *name) {
    DIR *threads = opendir("/proc/self/task");
    const struct dirent *thread;
    char path[300], comm[64];
    bool found = false;

    while (threads != NULL && !found && (thread = readdir(threads)) != NULL) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread->d_name);
        FILE *file = fopen(path, "r");
        if (file == NULL) continue;
        found = fgets(comm, sizeof comm, file) != NULL && strncmp(comm, name, strlen(name)) == 0;
        fclose(file);
    }
    if (threads != NULL) closedir(threads);
    return found;
}

/*
 * OpenSSL frees what it has for a thread as the last thing in it. To a program that ends before,
 * that looks like a leak. (libcurl's resolver threads have the name of the one that made them.)
 */
static inline void wait_for_thread(const char *name) {
    const uint64_t give_up = raaf_clock_now() + RAAF_MS(CONSUMER_PATIENCE_MS);

    while (has_thread(name) && raaf_clock_now() < give_up)
        usleep(500);
}

static inline void world_close(world_t *world, size_t live_before) {
    CHECK(raaf_reactor_stop(world->reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    CHECK(raaf_reactor_stopped(world->reactor));
    CHECK_EQ_UINT(raaf_reactor_stats(world->reactor).running, 0);
    raaf_reactor_release(world->reactor);
    server_close(&world->server);
    /* Its thread may still be dropping what came too late. */
    CHECK_SOON(raaf_stream_live_count() == live_before);
    CHECK_EQ_UINT(raaf_stream_active_count(), 0);
    wait_for_thread("raaf-reactor");
}

static inline void in_world(void (*test)(world_t *world), const raaf_reactor_options_t *options) {
    const size_t live = raaf_stream_live_count();
    world_t world;

    if (!world_open(&world, options)) return;
    test(&world);
    world_close(&world, live);
}

static inline void in_each_world(void (*test)(world_t *world)) {
    for (size_t i = 0; i < sizeof world_kinds / sizeof world_kinds[0]; i++)
        in_world(test, &world_kinds[i]);
}

/* For tests that take long: each back-end once. */
static inline void in_one_world_each(void (*test)(world_t *world)) {
    in_world(test, &world_kinds[0]);
    in_world(test, &world_kinds[2]);
}

#define WORLD_TEST(name)                                                                           \
    static void name##_there(world_t *world);                                                      \
    TEST(name) {                                                                                   \
        in_each_world(name##_there);                                                               \
    }                                                                                              \
    static void name##_there(world_t *world)

static inline raaf_request_t *request_here(const world_t *world) {
    return request_to("127.0.0.1", world->server.port);
}

/* Accepts a connection, reads its request and begins an answer with [head]. */
static inline peer_t peer_answer(const world_t *world, const char *head) {
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    CHECK(peer_send(&peer, head));
    return peer;
}

static inline peer_t peer_begin(const world_t *world) {
    return peer_answer(world, EVENT_STREAM CHUNKED);
}

static inline bool peer_event(const peer_t *peer, const char *text) {
    return peer_send_chunk(peer, text, strlen(text));
}

/* How often the loop has turned. */
static inline uint64_t turns(const world_t *world) {
    return raaf_reactor_stats(world->reactor).turns;
}

/* The reactor must sleep while there is nothing to do: a loop that spins turns a thousand times. */
static inline void check_rests(const world_t *world) {
    uint64_t before;

    usleep(20000); /* for what was still on its way */
    before = turns(world);
    usleep(30000);
    CHECK(turns(world) - before < 50);
}

/* The stream ends in [code], and its transfer is taken down. */
static inline void ends_and_leaves(world_t *world, consumer_t *consumer, int code) {
    consumer_ends(consumer, code);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    consumer_free(consumer);
}

#endif
