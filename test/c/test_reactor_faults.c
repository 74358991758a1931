/*
 * A whole stream, again and again, with memory running out at every single allocation there is: the
 * core's and libcurl's. However early, the stream gets its one terminal chunk, the reactor goes on,
 * and nothing is left behind. The same for system calls that fail.
 *
 * The core's files are included, so that they take their memory and make their calls here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static atomic_long memory_left = -1; /* allocations that succeed; negative: all */
static atomic_bool memory_fails_once;
static atomic_bool memory_failed; /* at least once, in this run */

/* With one failure alone, the next allocation finds memory again. */
static bool memory_given(void) {
    if (atomic_load(&memory_left) < 0) return true;
    if (atomic_fetch_sub(&memory_left, 1) > 0) return true;
    atomic_store(&memory_left, atomic_load(&memory_fails_once) ? -1 : 0);
    atomic_store(&memory_failed, true);
    return false;
}

static void *scarce_malloc(size_t size) {
    return memory_given() ? malloc(size) : NULL;
}

static void *scarce_calloc(size_t count, size_t size) {
    return memory_given() ? calloc(count, size) : NULL;
}

static void *scarce_realloc(void *old, size_t size) {
    return memory_given() ? realloc(old, size) : NULL;
}

static char *scarce_strdup(const char *text) {
    return memory_given() ? strdup(text) : NULL;
}

static atomic_int calls_fail_with; /* errno of the call below; 0: it succeeds */
static const char *volatile failing_call = "";

static bool call_fails(const char *name) {
    if (strcmp(failing_call, name) != 0 || atomic_load(&calls_fail_with) == 0) return false;
    errno = atomic_load(&calls_fail_with);
    return true;
}

static void make_fail(const char *name, int error) {
    atomic_store(&calls_fail_with, 0);
    failing_call = name;
    atomic_store(&calls_fail_with, error);
}

#define malloc(size) scarce_malloc(size)
#define calloc(count, size) scarce_calloc(count, size)
#define realloc(old, size) scarce_realloc(old, size)

#if __has_include(<sys/epoll.h>)
#include <sys/epoll.h>
#define epoll_create1(flags) (call_fails("epoll_create1") ? -1 : epoll_create1(flags))
#define epoll_ctl(epoll, operation, fd, event)                                                     \
    (call_fails("epoll_ctl") ? -1 : epoll_ctl(epoll, operation, fd, event))
#endif
#include <sys/socket.h>
#define socket(family, type, protocol) (call_fails("socket") ? -1 : socket(family, type, protocol))
#define pthread_create(thread, attributes, body, argument)                                         \
    (call_fails("pthread_create") ? errno : pthread_create(thread, attributes, body, argument))

#include "buffer.c"
#include "chunk.c"
#include "decoder.c"
#include "delivery.c"
#include "host_gate.c"
#include "mailbox.c"
#include "request.c"
#include "stream.c"
#include "stream_queue.c"
#include "text.c"
#include "transfer.c"

/* Helpers of the same name in several files. */
#define grow table_grow
#include "socket_table.c"
#undef grow
#define settle timers_settle
#include "timers.c"
#undef settle
#define on_connected reactor_on_connected
#include "reactor.c"
#undef on_connected

#undef malloc
#undef calloc
#undef realloc
#undef socket
#undef pthread_create

#include "reactor_world.h"

/* ---- a server that answers everybody the same, and is not surprised by anything ---- */

typedef struct waiter {
    server_t server;
    raaf_waker_t leave;
    pthread_t thread;
} waiter_t;

#define CALL                                                                                       \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","       \
    "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n"

#define BUSY "HTTP/1.1 503 Busy\r\nX-Request-Id: b\r\nContent-Length: 4\r\n\r\nbusy"

/* The first request of each run in which they may begin again. Only the server's thread. */
static bool is_to_begin_again(const char *request) {
    static char last[32];
    const char *run = strstr(request, "?again=");

    if (!run || strncmp(run, last, sizeof last - 1) == 0) return false;
    strncpy(last, run, sizeof last - 1);
    return true;
}

static void wait_on(const peer_t *peer) {
    char space[4096];
    const ssize_t got = recv(peer->fd, space, sizeof space - 1, 0);

    if (got <= 0) return;
    space[got] = '\0';
    if (is_to_begin_again(space)) {
        peer_send(peer, BUSY);
        return;
    }
    peer_send(peer, EVENT_STREAM "X-Request-Id: r\r\n" CHUNKED);
    for (int i = 0; i < 20 && peer_event(peer, CONTENT("some text")); i++)
        continue;
    peer_event(peer, CALL FINISH USAGE DONE);
    peer_send_last_chunk(peer);
}

static void *wait_on_all(void *argument) {
    const waiter_t *waiter = argument;

    for (;;) {
        struct pollfd watched[] = {{.fd = waiter->leave.read_fd, .events = POLLIN},
                                   {.fd = waiter->server.fd, .events = POLLIN}};
        poll(watched, 2, -1);
        if (watched[0].revents) return NULL;
        const peer_t peer = {.fd = accept4(waiter->server.fd, NULL, NULL, SOCK_CLOEXEC)};
        wait_on(&peer);
        close(peer.fd);
    }
}

/* ---- one run ---- */

typedef enum source { SCRIPT, ANSWER, SECOND_ANSWER } source_t;

/* Each has an address of its own: a server may still be busy with the one before. */
static void may_begin_again(raaf_request_t *request, const waiter_t *waiter) {
    static int number;
    char url[128];

    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1?again=%020d", waiter->server.port, ++number);
    raaf_request_set(&request->url, url, strlen(url));
    request->limits.max_retries = 1;
    request->limits.retry_delay_ns = RAAF_MS(1);
    request->limits.max_retry_delay_ns = RAAF_MS(1000);
}

static raaf_request_t *large_enough_request(const waiter_t *waiter, source_t source) {
    const bool scripted = source == SCRIPT;
    raaf_request_t *request =
        scripted ? script_new() : request_to("127.0.0.1", waiter->server.port);

    if (source == SECOND_ANSWER) may_begin_again(request, waiter);

    for (int i = 0; scripted && i < 5; i++)
        script_add(request, 0, CONTENT("some text"));
    if (scripted) script_add(request, 0, CALL FINISH USAGE DONE);
    request->limits.queue_items = 3;
    request->limits.coalesce_chars = scripted ? 15 : 0;
    /* A transfer that libcurl forgets without memory still ends. */
    request->limits.total_ns = RAAF_MS(2000);
    return request;
}

/* A stream whose first [left] allocations succeed. Returns its result. */
static int run_with(const waiter_t *waiter, raaf_backend_t backend, source_t source, long left) {
    const raaf_reactor_options_t options = {.backend = backend, .idle_connections = 2};
    consumer_t consumer =
        consumer_of(raaf_stream_new(large_enough_request(waiter, source), 1, NULL));
    int result;

    atomic_store(&memory_left, left);
    raaf_reactor_t *reactor = raaf_reactor_start(&options, &result);
    if (!reactor) {
        atomic_store(&memory_left, -1);
        CHECK_EQ_INT(result, RAAF_NO_MEMORY);
        consumer_free(&consumer);
        return result;
    }
    raaf_reactor_submit(reactor, consumer.stream);
    while (consumer.terminals == 0 && consumer_next(&consumer) != NULL)
        continue;
    atomic_store(&memory_left, -1);
    result = consumer.stream->outcome.code;
    CHECK_EQ_UINT(consumer.terminals, 1);
    if (!atomic_load(&memory_failed)) /* libcurl too sends again what it could not send whole */
        CHECK_EQ_UINT(consumer.stream->outcome.attempts, source == SECOND_ANSWER ? 2 : 1);
    consumer_free(&consumer);
    CHECK(raaf_reactor_stop(reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    raaf_reactor_release(reactor);
    return result;
}

/* With one more allocation that succeeds each time, until all do. */
static void run_out_everywhere(const waiter_t *waiter, raaf_backend_t backend, source_t source) {
    const size_t live = raaf_stream_live_count();
    bool reached = false;

    for (long left = 0; !reached && left < 5000; left++) {
        const int before = atomic_load(&check_failures);
        atomic_store(&memory_failed, false);
        const int result = run_with(waiter, backend, source, left);
        CHECK(result != RAAF_SYSTEM && result != RAAF_INVALID_REQUEST);
        reached = !atomic_load(&memory_failed);
        if (reached) CHECK_EQ_INT(result, RAAF_OK);
        CHECK_SOON(raaf_stream_live_count() == live);
        if (atomic_load(&check_failures) == before) continue;
        fprintf(stderr, "    with %ld allocations, result %s\n", left,
                raaf_result_code_name(result));
        return;
    }
    CHECK(reached);
}

static void in_all_ways(bool once) {
    waiter_t waiter = {.server = server_open(16)};

    atomic_store(&memory_fails_once, once);
    if (!CHECK_EQ_INT(curl_global_init_mem(CURL_GLOBAL_DEFAULT, scarce_malloc, free, scarce_realloc,
                                           scarce_strdup, scarce_calloc),
                      CURLE_OK))
        return;
    raaf_waker_open(&waiter.leave, true);
    pthread_create(&waiter.thread, NULL, wait_on_all, &waiter);
    run_out_everywhere(&waiter, RAAF_BACKEND_DEFAULT, SCRIPT);
    run_out_everywhere(&waiter, RAAF_BACKEND_DEFAULT, ANSWER);
    run_out_everywhere(&waiter, RAAF_BACKEND_POLL, ANSWER);
    run_out_everywhere(&waiter, RAAF_BACKEND_DEFAULT, SECOND_ANSWER);
    run_out_everywhere(&waiter, RAAF_BACKEND_POLL, SECOND_ANSWER);
    raaf_waker_wake(&waiter.leave);
    pthread_join(waiter.thread, NULL);
    raaf_waker_close(&waiter.leave);
    server_close(&waiter.server);
    curl_global_cleanup();
}

TEST(memory_runs_out_for_good) {
    in_all_ways(false);
}

TEST(memory_runs_out_once) {
    in_all_ways(true);
}

/* ---- system calls ---- */

static void start_fails(const char *call, int error) {
    const raaf_reactor_options_t options = {.idle_connections = 1};
    const int next_fd = dup(0);
    int result = RAAF_OK;

    close(next_fd);
    world_set_up_curl();
    make_fail(call, error);
    errno = 0;
    CHECK_EQ_PTR(raaf_reactor_start(&options, &result), NULL);
    CHECK_EQ_INT(result, RAAF_SYSTEM);
    CHECK_EQ_INT(errno, error);
    make_fail("", 0);
    CHECK_EQ_INT(dup(0), next_fd); /* no descriptor was left open */
    close(next_fd);
}

TEST(reactor_without_a_thread_does_not_start) {
    start_fails("pthread_create", EAGAIN);
}

#if RAAF_EPOLL
TEST(reactor_without_epoll_does_not_start) {
    start_fails("epoll_create1", EMFILE);
}

/* libcurl would give up every transfer: the one that cannot be watched has to end alone. */
static void fail_to_watch(world_t *world) {
    consumer_t steady = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a"));
    consumer_gets(&steady, "a");
    make_fail("epoll_ctl", ENOSPC);
    consumer_t other = consumer_start(world->reactor, request_here(world));
    consumer_ends(&other, RAAF_SYSTEM);
    make_fail("", 0);
    consumer_free(&other);
    peer_event(&peer, CONTENT("b"));
    consumer_gets(&steady, "b");
    peer_event(&peer, DONE);
    peer_close(&peer);
    ends_and_leaves(world, &steady, RAAF_OK);
    other = consumer_start(world->reactor, request_here(world));
    peer = peer_accept(&world->server);
    while (peer.fd >= 0 && !peer_read_request(&peer)) { /* the one that was given up */
        peer_close(&peer);
        peer = peer_accept(&world->server);
    }
    peer_send(&peer, EVENT_STREAM "\r\n" CONTENT("c") DONE);
    consumer_gets(&other, "c");
    peer_close(&peer);
    ends_and_leaves(world, &other, RAAF_OK);
}

TEST(transfer_that_cannot_be_watched_ends_alone) {
    in_world(fail_to_watch, &world_kinds[0]);
}
#endif

WORLD_TEST(transfer_without_a_socket_ends_alone) {
    consumer_t consumer;

    make_fail("socket", EMFILE);
    consumer = consumer_start(world->reactor, request_here(world));
    ends_and_leaves(world, &consumer, RAAF_CONNECT_FAILED);
    make_fail("", 0);
}
