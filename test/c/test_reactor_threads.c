/* The reactor among threads, processes and many streams: names, crowds, stops, forks. */
#include "dispatch_queue.h"
#include "random_numbers.h"
#include "reactor_world.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/wait.h>

/* ---- names: libcurl's resolver threads end up here instead of in the C library ---- */

typedef struct names {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char name[64]; /* the one that is held; another for each time, so that no latecomer counts */
    int number;    /* of it */
    bool held;     /* its look-ups wait */
    int waiting;   /* those that do */
    int asked;     /* its look-ups so far */
} names_t;

static names_t names = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);

static int dead_end; /* a port where nobody answers; the first address of "two…" */

/* This machine, at [service]; with another port before it. */
static int two_addresses(getaddrinfo_fn real, const char *service, const struct addrinfo *hints,
                         struct addrinfo **result) {
    struct addrinfo *last;
    char port[16];
    int code;

    snprintf(port, sizeof port, "%d", dead_end);
    if ((code = real("127.0.0.1", port, hints, result)) != 0) return code;
    for (last = *result; last->ai_next;)
        last = last->ai_next;
    return real("127.0.0.1", service, hints, &last->ai_next);
}

/* Mutex held. */
static void wait_to_be_let_go(void) {
    names.asked++;
    names.waiting++;
    while (names.held)
        pthread_cond_wait(&names.changed, &names.mutex);
    names.waiting--;
    pthread_cond_broadcast(&names.changed);
}

/* "missing…" is no name, "two…" has two addresses; everything else is this machine. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result) {
    const getaddrinfo_fn real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");

    pthread_mutex_lock(&names.mutex);
    if (strcmp(name, names.name) == 0) wait_to_be_let_go();
    pthread_mutex_unlock(&names.mutex);
    if (strncmp(name, "missing", 7) == 0) return EAI_NONAME;
    if (strncmp(name, "two", 3) == 0) return two_addresses(real, service, hints, result);
    return real("127.0.0.1", service, hints, result);
}

/* From now on look-ups of the name returned wait. */
static const char *names_hold(void) {
    pthread_mutex_lock(&names.mutex);
    snprintf(names.name, sizeof names.name, "provider-%d.test", ++names.number);
    names.asked = 0;
    names.held = true;
    pthread_mutex_unlock(&names.mutex);
    return names.name;
}

static void names_let_go(void) {
    pthread_mutex_lock(&names.mutex);
    names.held = false;
    pthread_cond_broadcast(&names.changed);
    while (names.waiting > 0)
        pthread_cond_wait(&names.changed, &names.mutex);
    pthread_mutex_unlock(&names.mutex);
}

static int names_asked(void) {
    pthread_mutex_lock(&names.mutex);
    const int asked = names.asked;
    pthread_mutex_unlock(&names.mutex);
    return asked;
}

/* A script is obeyed after everything that was posted before it: then all has been looked at. */
static void reactor_catches_up(world_t *world) {
    raaf_request_t *script = script_new();

    script_add(script, 0, CONTENT("a") DONE);
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_ends(&consumer, RAAF_OK);
    consumer_free(&consumer);
}

static void serve(const world_t *world, int count) {
    for (int i = 0; i < count; i++) {
        peer_t peer = peer_begin(world);
        peer_event(&peer, CONTENT("a") FINISH DONE);
        peer_close(&peer);
    }
}

/*
 * Ends a child. As another program, for a leak checker would find what only those threads had hold
 * of that the child has not got.
 */
static void leave(int status) {
    if (status == 0) execl("/bin/true", "true", (char *)NULL);
    _exit(status);
}

static void check_child(pid_t child) {
    int status = -1;

    CHECK_EQ_INT(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ_INT(WEXITSTATUS(status), 0);
}

enum { SAME = 5 };

static void start_all(world_t *world, consumer_t *consumers, int count, const char *host) {
    for (int i = 0; i < count; i++)
        consumers[i] = consumer_start(world->reactor, request_to(host, world->server.port));
}

static void end_all(world_t *world, consumer_t *consumers, int count, int code) {
    for (int i = 0; i < count; i++) {
        consumer_ends(&consumers[i], code);
        consumer_free(&consumers[i]);
    }
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
}

WORLD_TEST(name_is_looked_up_once_for_all) {
    consumer_t consumers[SAME];

    start_all(world, consumers, SAME, names_hold());
    CHECK_SOON(names_asked() == 1);
    reactor_catches_up(world);
    CHECK_EQ_INT(names_asked(), 1);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == SAME);
    names_let_go();
    serve(world, SAME);
    CHECK_EQ_INT(names_asked(), 1);
    end_all(world, consumers, SAME, RAAF_OK);
}

WORLD_TEST(name_that_is_missing_fails_all) {
    consumer_t consumers[SAME];

    start_all(world, consumers, SAME, "missing.test");
    end_all(world, consumers, SAME, RAAF_RESOLVE_FAILED);
}

/* The second look-up goes through the gate as the first did. */
WORLD_TEST(name_that_is_missing_is_looked_up_again) {
    consumer_t consumers[SAME];

    for (int i = 0; i < SAME; i++) {
        raaf_request_t *request = request_to("missing.test", world->server.port);
        request->limits.max_retries = 1;
        request->limits.retry_delay_ns = RAAF_MS(5);
        request->limits.max_retry_delay_ns = RAAF_MS(1000);
        consumers[i] = consumer_start(world->reactor, request);
    }
    for (int i = 0; i < SAME; i++) {
        const raaf_chunk_t *chunk = consumer_next(&consumers[i]);
        if (chunk != NULL && CHECK_EQ_INT(chunk->type, RAAF_CHUNK_STATUS))
            CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, "name not resolved");
        consumer_ends(&consumers[i], RAAF_RESOLVE_FAILED);
        CHECK_EQ_UINT(consumers[i].stream->outcome.attempts, 2);
    }
    end_all(world, consumers, SAME, RAAF_RESOLVE_FAILED);
}

/* Neither does the reactor wait for the look-up that nobody wants any longer. */
WORLD_TEST(next_one_leads_when_the_leader_is_cancelled) {
    consumer_t consumers[SAME];

    start_all(world, consumers, SAME, names_hold());
    CHECK_SOON(names_asked() == 1);
    consumer_cancel(&consumers[0]);
    consumer_ends(&consumers[0], RAAF_CANCELLED);
    CHECK_SOON(names_asked() == 2);
    reactor_catches_up(world);
    CHECK_EQ_INT(names_asked(), 2);
    consumer_cancel(&consumers[2]); /* one that waits */
    consumer_ends(&consumers[2], RAAF_CANCELLED);
    names_let_go();
    serve(world, SAME - 2);
    consumer_ends(&consumers[1], RAAF_OK);
    consumer_ends(&consumers[3], RAAF_OK);
    consumer_ends(&consumers[4], RAAF_OK);
    for (int i = 0; i < SAME; i++)
        consumer_free(&consumers[i]);
}

/* In one turn: the second is let go by the first's end, and is cancelled before it has begun. */
WORLD_TEST(leader_and_followers_are_cancelled_at_once) {
    consumer_t consumers[SAME];

    start_all(world, consumers, SAME, names_hold());
    CHECK_SOON(names_asked() == 1);
    for (int i = 0; i < SAME - 1; i++)
        consumer_cancel(&consumers[i]);
    for (int i = 0; i < SAME - 1; i++)
        consumer_ends(&consumers[i], RAAF_CANCELLED);
    names_let_go();
    serve(world, 1);
    consumer_ends(&consumers[SAME - 1], RAAF_OK);
    for (int i = 0; i < SAME; i++)
        consumer_free(&consumers[i]);
}

WORLD_TEST(connect_timeout_runs_for_those_who_wait_for_a_name) {
    consumer_t leader, other;
    const char *name = names_hold();
    raaf_request_t *request = request_to(name, world->server.port);

    request->limits.connect_ns = RAAF_MS(50);
    start_all(world, &leader, 1, name);
    CHECK_SOON(names_asked() == 1);
    other = consumer_start(world->reactor, request);
    consumer_ends(&other, RAAF_CONNECT_TIMEOUT);
    consumer_free(&other);
    names_let_go();
    serve(world, 1);
    end_all(world, &leader, 1, RAAF_OK);
}

WORLD_TEST(stop_does_not_wait_for_names) {
    consumer_t consumers[SAME];

    start_all(world, consumers, SAME, names_hold());
    CHECK_SOON(names_asked() == 1);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    end_all(world, consumers, SAME, RAAF_SHUTDOWN);
    names_let_go();
}

WORLD_TEST(name_stays_known_for_a_while) {
    consumer_t first, others[SAME];
    const char *name = names_hold();

    names_let_go();
    start_all(world, &first, 1, name);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") DONE);
    peer_send_last_chunk(&peer);
    end_all(world, &first, 1, RAAF_OK);
    start_all(world, others, SAME, name);
    CHECK(peer_read_request(&peer)); /* one of them has the old connection */
    peer_send(&peer, EVENT_STREAM CHUNKED);
    peer_event(&peer, CONTENT("a") DONE);
    serve(world, SAME - 1);
    CHECK_EQ_INT(names_asked(), 1);
    peer_close(&peer);
    end_all(world, others, SAME, RAAF_OK);
}

/* ---- addresses ---- */

/* The next socket may well get the number of the one that failed: it must be watched none the less. */
static void take_the_second_address(world_t *world) {
    int visitor;
    server_t full = server_open_full(&visitor);
    raaf_request_t *request = request_to("two.test", world->server.port);

    dead_end = full.port;
    consumer_t other = consumer_start(world->reactor, request_here(world));
    peer_t other_peer = peer_begin(world);
    request->limits.connect_ns = RAAF_MS(2000); /* of which the first address gets a part */
    consumer_t consumer = consumer_start(world->reactor, request);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 2);
    check_rests(world);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") DONE);
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_OK);
    peer_close(&peer);
    consumer_free(&consumer);
    peer_event(&other_peer, CONTENT("b") DONE); /* nobody else has noticed */
    peer_close(&other_peer);
    ends_and_leaves(world, &other, RAAF_OK);
    close(visitor);
    server_close(&full);
}

/* It takes that part of the time, so for one kind of each back-end only. */
TEST(second_address_is_tried_when_the_first_does_not_answer) {
    in_one_world_each(take_the_second_address);
}

/* A child must not close what has got the number of a socket that libcurl closed in silence. */
WORLD_TEST(child_leaves_alone_what_only_has_the_number_of_a_socket) {
    int visitor, copies[64];
    server_t full = server_open_full(&visitor);
    consumer_t consumer = consumer_start(world->reactor, request_to("127.0.0.1", full.port));

    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 1);
    check_rests(world);
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    for (int i = 0; i < 64; i++)
        copies[i] = dup(visitor);
    const pid_t child = fork();
    if (child == 0) {
        raaf_reactor_abandon(world->reactor);
        for (int i = 0; i < 64; i++) {
            if (fcntl(copies[i], F_GETFD) < 0) leave(1);
        }
        leave(0);
    }
    check_child(child);
    for (int i = 0; i < 64; i++)
        close(copies[i]);
    close(visitor);
    server_close(&full);
}

/* ---- many at once ---- */

enum { MANY = 200 };

WORLD_TEST(two_hundred_streams_at_once) {
    static consumer_t consumers[MANY];
    static peer_t peers[MANY];

    for (int i = 0; i < MANY; i++) {
        raaf_request_t *request = request_here(world);
        request->limits.coalesce_chars = i % 2 ? 3 : 0;
        request->limits.first_token_ns = request->limits.total_ns = RAAF_MS(60000);
        consumers[i] = consumer_start(world->reactor, request);
    }
    for (int i = 0; i < MANY; i++)
        peers[i] = peer_begin(world);
    CHECK_EQ_UINT(raaf_reactor_stats(world->reactor).running, MANY);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < MANY; i++)
            peer_event(&peers[i], CONTENT("ab"));
    }
    for (int i = 0; i < MANY; i++) {
        peer_event(&peers[i], FINISH DONE);
        peer_send_last_chunk(&peers[i]);
    }
    for (int i = 0; i < MANY; i++) {
        consumer_ends(&consumers[i], RAAF_OK);
        CHECK_EQ_STR(consumers[i].text.bytes, consumers[i].text.len, "ababababab");
    }
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    CHECK_EQ_UINT(raaf_reactor_stats(world->reactor).transfers, MANY);
    for (int i = 0; i < MANY; i++) {
        consumer_free(&consumers[i]);
        peer_close(&peers[i]);
    }
}

/* ---- a server for crowds: answers whoever comes, in moods ---- */

enum { SEATS = 600 };

typedef struct crowd {
    const server_t *server;
    raaf_waker_t leave;
    pthread_t thread;
    uint64_t state;
    struct pollfd seats[2 + SEATS];
    size_t count;
    char read[SEATS][2048];
    size_t read_len[SEATS];
} crowd_t;

/* Returns whether the connection stays. */
static bool answer_in_a_mood(crowd_t *crowd, int fd) {
    const peer_t peer = {.fd = fd};

    switch (random_below(&crowd->state, 8)) {
    case 0:
        return false;
    case 1:
        return true; /* not a word */
    case 2:
        return peer_send(&peer, "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
    case 3:
        return peer_send(&peer, EVENT_STREAM CHUNKED) && peer_event(&peer, CONTENT("a"));
    case 4:
        return peer_send(&peer, EVENT_STREAM "\r\n" CONTENT("a")) && false;
    default:
        return peer_send(&peer, EVENT_STREAM CHUNKED) &&
               peer_event(&peer, CONTENT("a") CONTENT("b") FINISH DONE) &&
               peer_send_last_chunk(&peer);
    }
}

static void seat_empty(crowd_t *crowd, size_t seat) {
    const size_t last = --crowd->count;

    close(crowd->seats[2 + seat].fd);
    if (seat == last) return;
    crowd->seats[2 + seat] = crowd->seats[2 + last];
    memcpy(crowd->read[seat], crowd->read[last], crowd->read_len[last]);
    crowd->read_len[seat] = crowd->read_len[last];
}

/* Returns whether the connection stays. Requests are small, and come one at a time. */
static bool seat_serve(crowd_t *crowd, size_t seat) {
    char *bytes = crowd->read[seat];
    size_t *len = &crowd->read_len[seat];
    const int fd = crowd->seats[2 + seat].fd;
    const ssize_t got = recv(fd, bytes + *len, sizeof crowd->read[0] - *len, 0);

    if (got <= 0) return false;
    *len += (size_t)got;
    const raaf_buffer_t request = {.bytes = bytes, .len = *len};
    const size_t head = request_head_len(&request);
    if (!head || *len < head + request_body_len(&request, head)) return true;
    *len = 0;
    return answer_in_a_mood(crowd, fd);
}

static void crowd_receive(crowd_t *crowd) {
    const int fd = accept4(crowd->server->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0) return;
    crowd->read_len[crowd->count] = 0;
    crowd->seats[2 + crowd->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void *crowd_run(void *argument) {
    crowd_t *crowd = argument;

    crowd->seats[0] = (struct pollfd){.fd = crowd->leave.read_fd, .events = POLLIN};
    for (;;) {
        const bool room = crowd->count < SEATS;
        crowd->seats[1] = (struct pollfd){.fd = crowd->server->fd, .events = room ? POLLIN : 0};
        poll(crowd->seats, 2 + crowd->count, -1);
        if (crowd->seats[0].revents) break;
        for (size_t seat = crowd->count; seat-- > 0;) {
            if (crowd->seats[2 + seat].revents && !seat_serve(crowd, seat)) seat_empty(crowd, seat);
        }
        if (crowd->seats[1].revents) crowd_receive(crowd);
    }
    while (crowd->count > 0)
        seat_empty(crowd, crowd->count - 1);
    return NULL;
}

static crowd_t *crowd_open(const world_t *world) {
    crowd_t *crowd = calloc(1, sizeof *crowd);

    crowd->server = &world->server;
    crowd->state = 4711;
    raaf_waker_open(&crowd->leave, false);
    pthread_create(&crowd->thread, NULL, crowd_run, crowd);
    return crowd;
}

static void crowd_close(crowd_t *crowd) {
    raaf_waker_wake(&crowd->leave);
    pthread_join(crowd->thread, NULL);
    raaf_waker_close(&crowd->leave);
    free(crowd);
}

/* ---- a storm of submits and cancels ---- */

enum { STORMERS = 4, STORM = 250, HANDS = 8 };

typedef struct stormer {
    world_t *world;
    pthread_t thread;
    uint64_t state;
    raaf_dispatch_queue_t *dispatch; /* NULL: streams are pulled */
    size_t started;
} stormer_t;

static raaf_request_t *random_request(stormer_t *stormer) {
    static const char *const hosts[] = {"127.0.0.1", "one.test", "other.test", "missing.test"};
    raaf_request_t *request;

    if (random_below(&stormer->state, 4) == 0) {
        request = script_new();
        for (int i = 0; i < 3; i++)
            script_add(request, RAAF_MS(random_below(&stormer->state, 3)), CONTENT("s"));
        script_add(request, 0, FINISH);
    } else {
        const char *host = hosts[random_below(&stormer->state, 4)];
        request = request_to(host, stormer->world->server.port);
    }
    request->limits.queue_items = 1 + random_below(&stormer->state, 4);
    request->limits.connect_ns = RAAF_MS(5000);
    request->limits.first_token_ns = RAAF_MS(1 + random_below(&stormer->state, 40));
    request->limits.idle_ns = RAAF_MS(1 + random_below(&stormer->state, 40));
    request->limits.coalesce_chars = random_below(&stormer->state, 2) * 10;
    request->limits.coalesce_ns = RAAF_MS(1);
    request->limits.max_retries = random_below(&stormer->state, 3);
    request->limits.retry_delay_ns = RAAF_MS(random_below(&stormer->state, 4));
    request->limits.max_retry_delay_ns = RAAF_MS(1000);
    return request;
}

/* As Ruby's garbage collector does it: cancel, and drop. */
static void throw_away(raaf_stream_t *stream) {
    raaf_reactor_post(stream, RAAF_COMMAND_CANCEL);
    raaf_stream_release(stream);
}

/* Ends one of the streams at hand in one of the ways there are. */
static void finish_one(stormer_t *stormer, consumer_t *consumer) {
    switch (random_below(&stormer->state, 5)) {
    case 0:
        consumer_cancel(consumer);
        break; /* and read on */
    case 1:
        raaf_stream_retain(consumer->stream);
        throw_away(consumer->stream);
        consumer_free(consumer);
        return;
    case 2:
        raaf_stream_retain(consumer->stream);
        consumer_free(consumer); /* not cancelled: the reactor alone brings it to its end */
        throw_away(consumer->stream);
        return;
    case 3:
        raaf_reactor_post(consumer->stream, RAAF_COMMAND_RESUME); /* that nobody waits for */
        break;
    default:
        break;
    }
    while (consumer->terminals == 0 && consumer_next(consumer) != NULL)
        continue;
    CHECK_EQ_UINT(consumer->terminals, 1);
    consumer_free(consumer);
}

static void *storm(void *argument) {
    stormer_t *stormer = argument;
    consumer_t hands[HANDS];
    size_t held = 0;

    for (int i = 0; i < STORM; i++) {
        if (held == HANDS) {
            const size_t place = random_below(&stormer->state, HANDS);
            finish_one(stormer, &hands[place]);
            hands[place] = hands[--held];
        }
        hands[held++] = consumer_start(stormer->world->reactor, random_request(stormer));
        stormer->started++;
    }
    while (held > 0)
        finish_one(stormer, &hands[--held]);
    return NULL;
}

static void storm_with(world_t *world, void *(*body)(void *), raaf_dispatch_queue_t *dispatch,
                       stormer_t *stormers) {
    for (int i = 0; i < STORMERS; i++) {
        stormers[i] = (stormer_t){.world = world, .state = 99 + (uint64_t)i, .dispatch = dispatch};
        pthread_create(&stormers[i].thread, NULL, body, &stormers[i]);
    }
}

WORLD_TEST(thousand_streams_come_and_go_from_four_threads) {
    stormer_t stormers[STORMERS];
    crowd_t *crowd = crowd_open(world);

    storm_with(world, storm, NULL, stormers);
    for (int i = 0; i < STORMERS; i++)
        pthread_join(stormers[i].thread, NULL);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    check_rests(world);
    crowd_close(crowd);
}

/* ---- stop ---- */

WORLD_TEST(stop_ends_what_runs) {
    raaf_request_t *script = script_new();
    consumer_t http = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a"));
    consumer_gets(&http, "a");
    script_add(script, RAAF_NEVER, CONTENT("a"));
    consumer_t mock = consumer_start(world->reactor, script);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 2);
    CHECK(!raaf_reactor_stopped(world->reactor));
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    CHECK(peer_sees_close(&peer));
    consumer_ends(&http, RAAF_SHUTDOWN);
    consumer_ends(&mock, RAAF_SHUTDOWN);
    CHECK(raaf_reactor_stop(world->reactor, 0)); /* again */

    consumer_cancel(&http); /* too late for anything */
    consumer_t late = consumer_start(world->reactor, request_here(world));
    consumer_ends(&late, RAAF_SHUTDOWN);
    CHECK_EQ_UINT(late.seq, 1);
    CHECK(!server_has_visitor(&world->server));
    consumer_free(&http);
    consumer_free(&mock);
    consumer_free(&late);
    peer_close(&peer);
}

WORLD_TEST(streams_outlive_their_reactor) {
    raaf_request_t *script = script_new();

    script_add(script, RAAF_NEVER, CONTENT("a"));
    raaf_reactor_retain(world->reactor); /* the world gives one back later */
    consumer_t consumer = consumer_start(world->reactor, script);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    raaf_reactor_release(world->reactor);
    consumer_ends(&consumer, RAAF_SHUTDOWN);
    consumer_cancel(&consumer);
    consumer_free(&consumer);
}

/* Threads go on submitting while another stops the reactor: every stream still gets its end. */
static void *submit_regardless(void *argument) {
    stormer_t *stormer = argument;

    for (int i = 0; i < STORM; i++) {
        raaf_request_t *script = script_new();
        script_add(script, 0, CONTENT("a") DONE);
        consumer_t consumer = consumer_start(stormer->world->reactor, script);
        if (i % 3 == 0) consumer_cancel(&consumer);
        while (consumer.terminals == 0 && consumer_next(&consumer) != NULL)
            continue;
        const int code = consumer.stream->outcome.code;
        CHECK(code == RAAF_OK || code == RAAF_SHUTDOWN || (code == RAAF_CANCELLED && i % 3 == 0));
        consumer_free(&consumer);
    }
    return NULL;
}

WORLD_TEST(stop_races_with_submits) {
    stormer_t stormers[STORMERS];

    storm_with(world, submit_regardless, NULL, stormers);
    CHECK_SOON(raaf_reactor_stats(world->reactor).transfers > 20);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    for (int i = 0; i < STORMERS; i++)
        pthread_join(stormers[i].thread, NULL);
}

WORLD_TEST(stop_in_a_storm) {
    stormer_t stormers[STORMERS];
    crowd_t *crowd = crowd_open(world);

    storm_with(world, storm, NULL, stormers);
    CHECK_SOON(raaf_reactor_stats(world->reactor).transfers > 50);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    for (int i = 0; i < STORMERS; i++)
        pthread_join(stormers[i].thread, NULL);
    crowd_close(crowd);
}

/* ---- callbacks: streams that are served by a few threads ---- */

enum { SERVED = 40, SERVERS = 2 };

typedef struct hall {
    raaf_dispatch_queue_t *queue;
    consumer_t consumers[SERVED];
    raaf_waker_t wakers[SERVERS];
    atomic_uint server;
    atomic_uint ended;
} hall_t;

static consumer_t *consumer_for(hall_t *hall, const raaf_stream_t *stream) {
    for (int i = 0; i < SERVED; i++) {
        if (hall->consumers[i].stream == stream) return &hall->consumers[i];
    }
    return NULL;
}

/* A few chunks of one stream; no lock but the claim protects its consumer. */
static void serve_stream(hall_t *hall, raaf_stream_t *stream) {
    consumer_t *consumer = consumer_for(hall, stream);
    const bool had_ended = consumer->terminals > 0; /* it may come once more after its end */

    for (int i = 0; i < 3 && consumer->terminals == 0 && consumer_fill(consumer); i++)
        consumer_next(consumer);
    const bool ended = consumer->terminals > 0 && !had_ended;
    const bool more = consumer->terminals == 0 && consumer_fill(consumer);
    raaf_dispatch_queue_done(hall->queue, stream, more);
    if (!ended || atomic_fetch_add(&hall->ended, 1) + 1 < SERVED) return;
    for (int i = 0; i < SERVERS; i++)
        raaf_waker_wake(&hall->wakers[i]);
}

static void *serve_hall(void *argument) {
    hall_t *hall = argument;
    const raaf_waker_t *waker = &hall->wakers[atomic_fetch_add(&hall->server, 1)];

    while (atomic_load(&hall->ended) < SERVED) {
        raaf_stream_t *stream = raaf_dispatch_queue_next(hall->queue);
        if (stream) {
            serve_stream(hall, stream);
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

static raaf_request_t *long_script(int number) {
    raaf_request_t *script = script_new();

    script->limits.queue_items = 2;
    for (int i = 0; i < 30; i++)
        script_add(script, i % 10 == number % 10 ? RAAF_MS(1) : 0, CONTENT("a"));
    script_add(script, 0, DONE);
    return script;
}

WORLD_TEST(dispatched_streams_are_served_by_two_threads) {
    hall_t *hall = calloc(1, sizeof *hall);
    pthread_t threads[SERVERS];

    hall->queue = raaf_dispatch_queue_new();
    for (int i = 0; i < SERVED; i++)
        hall->consumers[i] = consumer_of(raaf_stream_new(long_script(i), 1, NULL));
    for (int i = 0; i < SERVERS; i++) {
        raaf_waker_open(&hall->wakers[i], false);
        pthread_create(&threads[i], NULL, serve_hall, hall);
    }
    for (int i = 0; i < SERVED; i++) {
        raaf_stream_t *stream = hall->consumers[i].stream;
        if (i % 2) atomic_store(&stream->dispatch, hall->queue);
        raaf_reactor_submit(world->reactor, stream);
        if (i % 2) continue;
        /* Attached while it runs, as a callback is that comes late. */
        atomic_store(&stream->dispatch, hall->queue);
        raaf_dispatch_queue_ready(hall->queue, stream);
    }
    for (int i = 0; i < SERVERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    for (raaf_stream_t *left; (left = raaf_dispatch_queue_next(hall->queue));)
        raaf_dispatch_queue_done(hall->queue, left, false);
    for (int i = 0; i < SERVED; i++) {
        CHECK_EQ_UINT(hall->consumers[i].text.len, 30);
        consumer_ends(&hall->consumers[i], RAAF_OK);
        consumer_free(&hall->consumers[i]);
    }
    for (int i = 0; i < SERVERS; i++)
        raaf_waker_close(&hall->wakers[i]);
    pthread_mutex_destroy(&hall->queue->mutex);
    free(hall->queue);
    free(hall);
}

WORLD_TEST(dispatched_stream_that_comes_too_late_is_announced) {
    raaf_dispatch_queue_t *queue = raaf_dispatch_queue_new();
    consumer_t consumer = consumer_of(raaf_stream_new(long_script(0), 1, NULL));

    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    atomic_store(&consumer.stream->dispatch, queue);
    raaf_reactor_submit(world->reactor, consumer.stream);
    CHECK_EQ_PTR(raaf_dispatch_queue_next(queue), consumer.stream);
    consumer_ends(&consumer, RAAF_SHUTDOWN);
    raaf_dispatch_queue_done(queue, consumer.stream, false);
    consumer_free(&consumer);
    pthread_mutex_destroy(&queue->mutex);
    free(queue);
}

/* ---- the thread itself ---- */

#if defined(__linux__)
static bool read_file(const char *task, const char *name, char *to, size_t size) {
    char path[300];
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/%s", task, name);
    file = fopen(path, "r");
    if (!file) return false;
    to[fread(to, 1, size - 1, file)] = '\0';
    fclose(file);
    return true;
}

/* The masks of blocked signals of all threads of that name; how many there are. */
static int reactor_threads(unsigned long long *blocked) {
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    char text[4096];

    for (struct dirent *task; (task = readdir(tasks));) {
        if (!read_file(task->d_name, "comm", text, sizeof text)) continue;
        if (strcmp(text, "raaf-reactor\n") != 0) continue;
        count++;
        read_file(task->d_name, "status", text, sizeof text);
        const char *mask = strstr(text, "SigBlk:");
        if (mask) *blocked = strtoull(mask + 7, NULL, 16);
    }
    closedir(tasks);
    return count;
}

WORLD_TEST(thread_has_a_name_and_takes_no_signals) {
    unsigned long long blocked = 0;

    CHECK_SOON(reactor_threads(&blocked) == 1);
    for (int i = 0; i < 6; i++) {
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGVTALRM};
        CHECK(blocked & 1ull << (signals[i] - 1));
    }
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    CHECK_SOON(reactor_threads(&blocked) == 0);
}
#endif

WORLD_TEST(reactor_knows_its_back_end) {
    const char *name = raaf_reactor_backend_name(world->reactor);

    CHECK(strcmp(name, "epoll") == 0 || strcmp(name, "poll") == 0);
}

TEST(default_back_end_is_there) {
    const raaf_reactor_options_t options = {.idle_connections = 1};
    const size_t live = raaf_stream_live_count();
    world_t world;

    if (!CHECK(world_open(&world, &options))) return;
    reactor_catches_up(&world);
    world_close(&world, live);
}

/* ---- fork ---- */

/* What a child does with its parent's reactor, and then with its own. Returns its exit status. */
static int live_as_child(const world_t *parent, bool own_reactor) {
    const raaf_reactor_options_t options = {.idle_connections = 1};
    int result;

    alarm(60);
    raaf_reactor_abandon(parent->reactor);
    raaf_stream_forget_counts();
    if (!own_reactor) return 0;
    world_t world = {.reactor = raaf_reactor_start(&options, &result)};
    if (!world.reactor) return 1;
    world.server = server_open(8);
    consumer_t consumer = consumer_start(world.reactor, request_here(&world));
    peer_t peer = peer_begin(&world);
    peer_event(&peer, CONTENT("child") DONE);
    peer_send_last_chunk(&peer);
    consumer_gets(&consumer, "child");
    consumer_ends(&consumer, RAAF_OK);
    consumer_free(&consumer);
    if (!raaf_reactor_stop(world.reactor, RAAF_MS(CONSUMER_PATIENCE_MS))) return 2;
    raaf_reactor_release(world.reactor);
    return atomic_load(&check_failures) == 0 ? 0 : 3;
}

/* The thread sanitizer allows no new thread in the child of a process that has several. */
#if defined(__SANITIZE_THREAD__)
#define CHILD_MAY_START_THREADS false
#else
#define CHILD_MAY_START_THREADS true
#endif

WORLD_TEST(child_gives_up_the_reactor_and_starts_its_own) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    const pid_t child = fork();
    if (child == 0) leave(live_as_child(world, CHILD_MAY_START_THREADS));
    peer_event(&peer, CONTENT("b"));
    consumer_gets(&consumer, "b");
    check_child(child);
    peer_event(&peer, CONTENT("c"));
    consumer_gets(&consumer, "c"); /* the parent's stream has noticed nothing */
    peer_event(&peer, DONE);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(reactor_pauses_for_a_fork_and_goes_on) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    for (int i = 0; i < 50; i++) {
        raaf_reactor_pause(world->reactor, RAAF_NEVER);
        const uint64_t before = turns(world);
        peer_event(&peer, CONTENT("b"));
        raaf_reactor_pause(world->reactor, RAAF_NEVER); /* another thread forks as well */
        raaf_reactor_unpause(world->reactor);
        CHECK_EQ_UINT(turns(world), before);
        CHECK(!raaf_stream_queue_ready(&consumer.stream->queue));
        raaf_reactor_unpause(world->reactor);
        consumer_gets(&consumer, "b");
    }
    raaf_reactor_pause(world->reactor, RAAF_NEVER);
    CHECK(!raaf_reactor_stop(world->reactor, RAAF_MS(1)));
    raaf_reactor_unpause(world->reactor);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_NEVER));
    raaf_reactor_pause(world->reactor, RAAF_NEVER); /* there is nothing to wait for */
    raaf_reactor_unpause(world->reactor);
    consumer_ends(&consumer, RAAF_SHUTDOWN);
    consumer_free(&consumer);
    peer_close(&peer);
}

/* A child that never asks for streaming keeps its copies of the sockets; they hold nothing up. */
WORLD_TEST(cancel_closes_the_connection_although_a_child_has_a_copy) {
    raaf_waker_t go;
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    raaf_waker_open(&go, true);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    const pid_t child = fork();
    if (child == 0) {
        leave(readable(go.read_fd, 60000) ? 0 : 1);
    }
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    raaf_waker_wake(&go);
    check_child(child);
    raaf_waker_close(&go);
    peer_close(&peer);
}

WORLD_TEST(fork_in_a_storm) {
    stormer_t stormers[STORMERS];
    crowd_t *crowd = crowd_open(world);

    storm_with(world, storm, NULL, stormers);
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        if (child == 0) leave(live_as_child(world, false));
        check_child(child);
    }
    for (int i = 0; i < STORMERS; i++)
        pthread_join(stormers[i].thread, NULL);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    crowd_close(crowd);
}
