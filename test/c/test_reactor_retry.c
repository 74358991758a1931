/* Requests that fail before anything was delivered, and begin again: over real sockets. */
#include "random_numbers.h"
#include "reactor_world.h"

#include <dirent.h>
#include <pthread.h>

#define EVENTS CONTENT("a") FINISH DONE
#define LOGGED_OUT "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"
#define BUSY "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
#define ERROR_EVENT(type) "data: {\"error\":{\"message\":\"m\",\"type\":\"" type "\"}}\n\n"
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static raaf_request_t *patient(raaf_request_t *request) {
    request->limits.max_retries = 2;
    request->limits.retry_delay_ns = RAAF_MS(1);
    request->limits.max_retry_delay_ns = RAAF_MS(60000);
    return request;
}

static raaf_request_t *patient_here(const world_t *world) {
    return patient(request_here(world));
}

/* The next chunk announces retry [number], for that reason. Returns the delay. */
static uint64_t retries(consumer_t *consumer, size_t number, const char *reason, long status) {
    const raaf_chunk_t *chunk = consumer_next(consumer);

    if (!CHECK(chunk != NULL) || !CHECK_EQ_INT(chunk->type, RAAF_CHUNK_STATUS)) return 0;
    CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, reason);
    CHECK_EQ_UINT(chunk->payload->retry.number, number);
    CHECK_EQ_UINT(chunk->payload->retry.most, consumer->stream->request->limits.max_retries);
    CHECK_EQ_INT(chunk->payload->retry.http_status, status);
    CHECK_EQ_UINT(chunk->len, 0);
    return chunk->payload->retry.delay_ns;
}

/* As consumer_ends, without another retry. */
static void runs_out(consumer_t *consumer, int code) {
    const raaf_chunk_t *chunk;

    while (consumer->terminals == 0 && (chunk = consumer_next(consumer)) != NULL)
        CHECK(chunk->type != RAAF_CHUNK_STATUS);
    consumer_ends(consumer, code);
}

/* As ends_and_leaves, without another retry, after so many attempts. */
static void ends_after(world_t *world, consumer_t *consumer, size_t attempts, int code) {
    runs_out(consumer, code);
    CHECK_EQ_UINT(consumer->stream->outcome.attempts, attempts);
    ends_and_leaves(world, consumer, code);
}

static void answer_and_close(peer_t *peer, const char *answer) {
    CHECK(peer_send(peer, answer));
    peer_close(peer);
}

/* Accepts, reads the request, sends [answer] and closes. */
static void serve(const world_t *world, const char *answer) {
    peer_t peer = peer_answer(world, answer);

    peer_close(&peer);
}

/* ---- the plain thing ---- */

WORLD_TEST(request_that_failed_is_sent_again_as_it_was) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));
    peer_t peer = peer_answer(world, BUSY);
    char before[1024];
    const size_t len = peer.request.len;

    if (!CHECK(len < sizeof before)) return;
    memcpy(before, peer.request.bytes, len);
    CHECK(retries(&consumer, 1, "503", 503) <= RAAF_MS(1));
    CHECK(peer_read_request(&peer)); /* the body was read whole: the same connection serves again */
    CHECK_EQ_BYTES(peer.request.bytes, peer.request.len, before, len);
    peer_send(&peer, EVENT_STREAM CHUNKED);
    peer_event(&peer, EVENTS);
    peer_send_last_chunk(&peer);
    consumer_gets(&consumer, "a");
    runs_out(&consumer, RAAF_OK);
    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    CHECK_EQ_INT(outcome->http_status, 200);
    CHECK_EQ_UINT(outcome->body.len, 0);
    CHECK_EQ_STR(outcome->headers.bytes, outcome->headers.len, "content-type: text/event-stream\n");
    ends_after(world, &consumer, 2, RAAF_OK);
    CHECK(!server_has_visitor(&world->server));
    peer_close(&peer);
}

WORLD_TEST(last_failure_is_the_one_that_is_told) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, "HTTP/1.1 500 No\r\nX-Request-Id: a\r\nContent-Length: 5\r\n\r\nfirst");
    serve(world, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
                 "data: {\"choices\":[],\"usage\":{\"total_tokens\":5}}\n\n");
    retries(&consumer, 1, "500", 500);
    retries(&consumer, 2, "stream ended early", 200);
    serve(world, "HTTP/1.1 503 No\r\nX-Request-Id: c\r\nContent-Length: 4\r\n\r\nlast");
    runs_out(&consumer, RAAF_HTTP_STATUS);
    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    CHECK_EQ_INT(outcome->http_status, 503);
    CHECK_EQ_STR(outcome->body.bytes, outcome->body.len, "last");
    CHECK_EQ_STR(outcome->headers.bytes, outcome->headers.len, "x-request-id: c\n");
    CHECK(!outcome->has_usage);
    ends_after(world, &consumer, 3, RAAF_HTTP_STATUS);
}

WORLD_TEST(request_may_be_forbidden_to_begin_again) {
    raaf_request_t *request = patient_here(world);

    request->limits.max_retries = 0;
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, BUSY);
    ends_after(world, &consumer, 1, RAAF_HTTP_STATUS);
}

/* ---- what is repeated, and what is not ---- */

typedef struct refusal {
    const char *answer;
    const char *reason; /* NULL: it is not repeated, and */
    int code;           /* ends so */
} refusal_t;

static void refusal_is(world_t *world, const refusal_t *one) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    answer_and_close(&peer, one->answer);
    if (one->reason == NULL) {
        ends_after(world, &consumer, 1, one->code);
        CHECK(!server_has_visitor(&world->server));
        return;
    }
    const raaf_chunk_t *chunk = consumer_next(&consumer);
    if (chunk != NULL && CHECK_EQ_INT(chunk->type, RAAF_CHUNK_STATUS))
        CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, one->reason);
    serve(world, EVENT_STREAM "\r\n" EVENTS);
    ends_after(world, &consumer, 2, RAAF_OK);
}

WORLD_TEST(passing_trouble_is_repeated_and_no_other) {
    static const refusal_t table[] = {
        {"HTTP/1.1 429 No\r\n\r\n", "429", 0},
        {"HTTP/1.1 529 No\r\n\r\nbusy", "529", 0},
        {"HTTP/1.1 408 No\r\nContent-Type: text/event-stream\r\n\r\n" EVENTS, "408", 0},
        {"HTTP/1.1 422 No\r\nX-Should-Retry: true\r\n\r\n", "422", 0},
        {"HTTP/1.1 500 No\r\nContent-Length: 999\r\n\r\ncut off", "500", 0},
        {"HTTP/1.1 500 No\r\nX-Should-Retry: false\r\n\r\n", NULL, RAAF_HTTP_STATUS},
        {"HTTP/1.1 400 No\r\n\r\n", NULL, RAAF_HTTP_STATUS},
        {LOGGED_OUT, NULL, RAAF_HTTP_STATUS},
        {"HTTP/1.1 401 No\r\nX-Should-Retry: true\r\n\r\n", NULL, RAAF_HTTP_STATUS},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", NULL, RAAF_HTTP_STATUS},
        {"", "connection lost", 0},
        {"HTTP/1.1 200 OK\r\nContent-Ty", "connection lost", 0},
        {"SSH-2.0-OpenSSH_9.2\r\n", NULL, RAAF_HTTP_PROTOCOL},
        {"HTTP/1.1 200 OK\r\n\r\n<html>", NULL, RAAF_NOT_EVENT_STREAM},
        {EVENT_STREAM "\r\n", "stream ended early", 0},
        {EVENT_STREAM "\r\n: only a comment\n\n", "stream ended early", 0},
        {EVENT_STREAM "\r\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}\n\n",
         "stream ended early", 0},
        {EVENT_STREAM "\r\ndata: nonsense\n\n", NULL, RAAF_INVALID_JSON},
        {EVENT_STREAM "\r\n" ERROR_EVENT("server_error"), "server_error", 0},
        {EVENT_STREAM "\r\n" ERROR_EVENT("invalid_request_error"), NULL, RAAF_PROVIDER_ERROR},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
         "{\"error\":{\"message\":\"m\",\"code\":503}}",
         "503", 0},
    };

    for (size_t i = 0; i < COUNT(table); i++) {
        const int before = atomic_load(&check_failures);
        refusal_is(world, &table[i]);
        if (atomic_load(&check_failures) != before)
            check_print_bytes("answer:", table[i].answer, strlen(table[i].answer));
    }
}

/* Every kind of delta: nobody is told the same twice. */
WORLD_TEST(nothing_is_repeated_once_something_was_delivered) {
    static const char *const said[] = {
        CONTENT("a"),
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","
        "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\n",
    };
    static const refusal_t ends[] = {
        {"", NULL, RAAF_TRUNCATED},
        {ERROR_EVENT("server_error"), NULL, RAAF_PROVIDER_ERROR},
    };

    for (size_t i = 0; i < COUNT(said); i++) {
        for (size_t end = 0; end < COUNT(ends); end++) {
            consumer_t consumer = consumer_start(world->reactor, patient_here(world));
            peer_t peer = peer_answer(world, EVENT_STREAM "\r\n");
            CHECK(peer_send(&peer, said[i]));
            answer_and_close(&peer, ends[end].answer);
            ends_after(world, &consumer, 1, ends[end].code);
        }
    }
}

/* A choice that is done for had a reason; the one that is answered then has its own, or none. */
WORLD_TEST(finish_reason_of_a_failed_attempt_is_forgotten) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, EVENT_STREAM "\r\n" FINISH USAGE ERROR_EVENT("server_error"));
    retries(&consumer, 1, "server_error", 200);
    serve(world, EVENT_STREAM "\r\n" CONTENT("a") DONE);
    runs_out(&consumer, RAAF_OK);
    CHECK_EQ_UINT(consumer.stream->choices[0].finish_reason.len, 0);
    CHECK(!consumer.stream->outcome.has_usage);
    ends_after(world, &consumer, 2, RAAF_OK);
}

/* It waits for more of its kind, and would be said twice all the same. */
WORLD_TEST(gathered_text_counts_as_delivered) {
    raaf_request_t *request = patient_here(world);

    request->limits.coalesce_chars = 1000;
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, EVENT_STREAM "\r\n" CONTENT("a") ERROR_EVENT("server_error"));
    consumer_gets(&consumer, "a");
    ends_after(world, &consumer, 1, RAAF_PROVIDER_ERROR);
}

/* The last character was cut: what can be read of it is a delta too. */
WORLD_TEST(open_character_counts_as_delivered) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, EVENT_STREAM "\r\n" CONTENT("\\ud83d"));
    consumer_gets(&consumer, "\xef\xbf\xbd");
    ends_after(world, &consumer, 1, RAAF_TRUNCATED);
}

WORLD_TEST(scripts_are_played_once) {
    raaf_request_t *request = patient(script_new());

    script_add(request, 0, ERROR_EVENT("server_error"));
    consumer_t consumer = consumer_start(world->reactor, request);
    ends_after(world, &consumer, 1, RAAF_PROVIDER_ERROR);
}

/* ---- connections ---- */

WORLD_TEST(connection_that_is_refused_is_tried_again) {
    server_t gone = server_open(1);
    const int port = gone.port;

    server_close(&gone);
    consumer_t consumer = consumer_start(world->reactor, patient(request_to("127.0.0.1", port)));
    retries(&consumer, 1, "connection refused", 0);
    retries(&consumer, 2, "connection refused", 0);
    ends_after(world, &consumer, 3, RAAF_CONNECT_FAILED);
}

WORLD_TEST(connection_that_is_reset_is_tried_again) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    peer_reset(&peer);
    retries(&consumer, 1, "connection lost", 0);
    serve(world, EVENT_STREAM "\r\n" EVENTS);
    ends_after(world, &consumer, 2, RAAF_OK);
}

/* The connect timeout is each attempt's own. */
WORLD_TEST(connection_that_takes_too_long_is_tried_again) {
    int visitor;
    server_t full = server_open_full(&visitor);
    raaf_request_t *request = patient(request_to("127.0.0.1", full.port));

    request->limits.connect_ns = RAAF_MS(60);
    consumer_t consumer = consumer_start(world->reactor, request);
    retries(&consumer, 1, "connect timeout", 0);
    retries(&consumer, 2, "connect timeout", 0);
    runs_out(&consumer, RAAF_CONNECT_TIMEOUT);
    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    CHECK(outcome->ended_at - outcome->started_at >= 3 * RAAF_MS(60));
    ends_after(world, &consumer, 3, RAAF_CONNECT_TIMEOUT);
    close(visitor);
    server_close(&full);
}

WORLD_TEST(handshake_that_is_cut_is_tried_again) {
    char url[64];
    raaf_request_t *request = patient_here(world);

    snprintf(url, sizeof url, "https://127.0.0.1:%d/", world->server.port);
    raaf_request_set(&request->url, url, strlen(url));
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_accept(&world->server);
    CHECK(peer_read_some(&peer));
    peer_close(&peer);
    retries(&consumer, 1, "connection lost", 0);
    peer = peer_accept(&world->server);
    CHECK(peer_read_some(&peer));
    peer_reset(&peer);
    retries(&consumer, 2, "connection lost", 0);
    peer = peer_accept(&world->server);
    peer_send(&peer, "HTTP/1.1 400 plain text on a TLS port\r\n\r\n");
    runs_out(&consumer, RAAF_TLS_FAILED); /* nothing that passes by itself */
    peer_close(&peer);
    ends_after(world, &consumer, 3, RAAF_TLS_FAILED);
}

WORLD_TEST(timeouts_of_a_silent_provider_are_final) {
    raaf_request_t *request = patient_here(world);

    request->limits.first_token_ns = RAAF_MS(50);
    consumer_t consumer = consumer_start(world->reactor, request);
    ends_after(world, &consumer, 1, RAAF_FIRST_TOKEN_TIMEOUT); /* of a server that says nothing */
}

/* ---- the wait ---- */

WORLD_TEST(server_s_time_is_waited_for) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));
    peer_t peer = peer_answer(world, "HTTP/1.1 429 No\r\nRetry-After-Ms: 60\r\n"
                                     "Retry-After: 0\r\nContent-Length: 0\r\n\r\n");
    const uint64_t asked = raaf_clock_now();

    CHECK(retries(&consumer, 1, "429", 429) >= RAAF_MS(60));
    CHECK_EQ_INT(atomic_load(&consumer.stream->stage), RAAF_STAGE_CONNECTING);
    CHECK(peer_read_request(&peer));
    CHECK(raaf_clock_now() - asked >= RAAF_MS(60));
    answer_and_close(&peer, EVENT_STREAM "\r\n" EVENTS);
    ends_after(world, &consumer, 2, RAAF_OK);
}

WORLD_TEST(rate_limit_s_reset_is_waited_for) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));
    peer_t peer = peer_answer(world, "HTTP/1.1 429 No\r\nX-RateLimit-Reset-Requests: 60ms\r\n"
                                     "Content-Length: 0\r\n\r\n");
    const uint64_t asked = raaf_clock_now();

    CHECK(retries(&consumer, 1, "429", 429) >= RAAF_MS(60));
    CHECK(peer_read_request(&peer));
    CHECK(raaf_clock_now() - asked >= RAAF_MS(60));
    /* A success, or another failure, has the same headers, which ask for nothing. */
    peer_send(&peer, "HTTP/1.1 500 No\r\nX-RateLimit-Reset-Requests: 10m\r\n"
                     "Content-Length: 0\r\n\r\n");
    CHECK(retries(&consumer, 2, "500", 500) <= RAAF_MS(2));
    CHECK(peer_read_request(&peer));
    answer_and_close(&peer, EVENT_STREAM "\r\n" EVENTS);
    ends_after(world, &consumer, 3, RAAF_OK);
}

WORLD_TEST(server_that_asks_for_too_much_is_not_asked_again) {
    raaf_request_t *request = patient_here(world);

    request->limits.max_retry_delay_ns = RAAF_MS(1000);
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, "HTTP/1.1 429 No\r\nRetry-After: 2\r\n\r\n");
    runs_out(&consumer, RAAF_HTTP_STATUS);
    CHECK_EQ_INT(consumer.stream->outcome.retry_after_ms, 2000);
    ends_after(world, &consumer, 1, RAAF_HTTP_STATUS);
}

/* The error says more than a timeout would, and comes at once. */
WORLD_TEST(wait_beyond_the_end_of_the_run_is_not_begun) {
    raaf_request_t *request = patient_here(world);

    request->limits.total_ns = RAAF_MS(30000);
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, "HTTP/1.1 503 No\r\nRetry-After: 40\r\n\r\n");
    ends_after(world, &consumer, 1, RAAF_HTTP_STATUS);
}

/* The time of the run is counted from its start, the first attempt's. */
static void stay_silent_after_the_first(world_t *world) {
    raaf_request_t *request = patient_here(world);

    request->limits.total_ns = RAAF_MS(1000);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_answer(world, "HTTP/1.1 503 No\r\nRetry-After-Ms: 100\r\n"
                                     "Content-Length: 0\r\n\r\n");
    retries(&consumer, 1, "503", 503);
    runs_out(&consumer, RAAF_TOTAL_TIMEOUT);
    ends_after(world, &consumer, 2, RAAF_TOTAL_TIMEOUT);
    peer_close(&peer);
}

TEST(total_limit_covers_all_attempts) {
    in_one_world_each(stay_silent_after_the_first);
}

/* What is left after the first wait is not enough for a second one. */
static void wait_for_too_long(world_t *world) {
    static const char again[] = "HTTP/1.1 503 No\r\nRetry-After-Ms: 1100\r\n\r\n";
    raaf_request_t *request = patient_here(world);

    request->limits.total_ns = RAAF_MS(2000);
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, again);
    retries(&consumer, 1, "503", 503);
    serve(world, again);
    ends_after(world, &consumer, 2, RAAF_HTTP_STATUS);
}

TEST(total_limit_covers_all_waits) {
    in_one_world_each(wait_for_too_long);
}

/* Its time begins with the start, so that a limit shorter than the delay cuts nothing. */
static void wait_before_the_start(world_t *world) {
    raaf_request_t *request = request_here(world);

    request->limits.start_delay_ns = RAAF_MS(150);
    request->limits.total_ns = request->limits.connect_ns = RAAF_MS(CONSUMER_PATIENCE_MS) / 2;
    const uint64_t asked = raaf_clock_now();
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    CHECK(raaf_clock_now() - asked >= RAAF_MS(150));
    peer_event(&peer, CONTENT("a") DONE);
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_OK);
    CHECK_EQ_UINT(consumer.stream->outcome.attempts, 1);
    CHECK(consumer.stream->outcome.started_at - asked >= RAAF_MS(150));
    consumer_free(&consumer);
    peer_close(&peer);
}

TEST(start_waits_for_its_delay) {
    in_one_world_each(wait_before_the_start);
}

static void give_up_before_the_start(world_t *world) {
    raaf_request_t *request = request_here(world);

    request->limits.start_delay_ns = RAAF_MS(60000);
    consumer_t consumer = consumer_start(world->reactor, request);
    consumer_cancel(&consumer);
    consumer_ends(&consumer, RAAF_CANCELLED);
    CHECK_EQ_UINT(consumer.stream->outcome.attempts, 0);
    consumer_free(&consumer);

    request = request_here(world);
    request->limits.start_delay_ns = RAAF_MS(60000);
    consumer = consumer_start(world->reactor, request);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    consumer_ends(&consumer, RAAF_SHUTDOWN);
    consumer_free(&consumer);
}

TEST(stream_can_be_given_up_before_its_start) {
    in_one_world_each(give_up_before_the_start);
}

static size_t descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder) closedir(folder);
    return count;
}

/* Nothing is open during the wait, nothing turns, and the reactor is there for others. */
WORLD_TEST(wait_costs_nothing_but_a_timer) {
    raaf_request_t *request = patient_here(world);
    const size_t before = descriptors();

    consumer_t consumer = consumer_start(world->reactor, request);
    const size_t own = descriptors() - before; /* the consumer's */
    serve(world, "HTTP/1.1 503 No\r\nRetry-After: 30\r\n\r\n");
    retries(&consumer, 1, "503", 503);
    CHECK_SOON(descriptors() <= before + own);
    check_rests(world);
    consumer_t other = consumer_start(world->reactor, request_here(world));
    serve(world, EVENT_STREAM "\r\n" EVENTS);
    runs_out(&other, RAAF_OK);
    consumer_free(&other);
    consumer_cancel(&consumer);
    ends_after(world, &consumer, 1, RAAF_CANCELLED);
    CHECK(!server_has_visitor(&world->server));
}

WORLD_TEST(cancel_ends_the_wait_at_once) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, "HTTP/1.1 503 No\r\nRetry-After: 30\r\n\r\n");
    retries(&consumer, 1, "503", 503);
    consumer_cancel(&consumer);
    runs_out(&consumer, RAAF_CANCELLED);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 503); /* of the last attempt that was made */
    ends_after(world, &consumer, 1, RAAF_CANCELLED);
    CHECK(!server_has_visitor(&world->server));
}

/* Whenever it comes: before the wait, in it, after it. */
WORLD_TEST(cancel_at_any_time_is_the_end) {
    uint64_t random = 11;

    for (int i = 0; i < 20; i++) {
        consumer_t consumer = consumer_start(world->reactor, patient_here(world));
        peer_t peer = peer_answer(world, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
        usleep((useconds_t)random_below(&random, 1500));
        consumer_cancel(&consumer);
        while (consumer.terminals == 0 && consumer_next(&consumer) != NULL)
            continue;
        ends_and_leaves(world, &consumer, RAAF_CANCELLED);
        peer_close(&peer);
    }
}

WORLD_TEST(stop_ends_the_wait_at_once) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, "HTTP/1.1 503 No\r\nRetry-After: 30\r\n\r\n");
    retries(&consumer, 1, "503", 503);
    CHECK(raaf_reactor_stop(world->reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    ends_after(world, &consumer, 1, RAAF_SHUTDOWN);
}

/* ---- what is shared with others ---- */

/* The notice fills the queue: the answer waits until it was taken. */
WORLD_TEST(notice_that_nobody_takes_holds_the_answer_back) {
    raaf_request_t *request = patient_here(world);

    request->limits.queue_items = 1;
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, "HTTP/1.1 503 No\r\n\r\n");
    peer_t peer = peer_begin(world);
    for (int i = 0; i < 50; i++)
        peer_event(&peer, CONTENT("a"));
    peer_event(&peer, FINISH DONE);
    peer_send_last_chunk(&peer);
    retries(&consumer, 1, "503", 503);
    runs_out(&consumer, RAAF_OK);
    CHECK_EQ_UINT(consumer.text.len, 50);
    ends_after(world, &consumer, 2, RAAF_OK);
    peer_close(&peer);
}

/* A connection that cannot be read of any more while the queue is full fails only then. */
WORLD_TEST(attempt_that_fails_behind_a_full_queue_is_repeated) {
    raaf_request_t *request = patient_here(world);

    request->limits.queue_items = 1;
    consumer_t consumer = consumer_start(world->reactor, request);
    serve(world, "HTTP/1.1 503 No\r\n\r\n");
    serve(world, EVENT_STREAM "\r\n" ERROR_EVENT("overloaded_error"));
    retries(&consumer, 1, "503", 503);
    retries(&consumer, 2, "overloaded_error", 200);
    serve(world, EVENT_STREAM "\r\n" EVENTS);
    ends_after(world, &consumer, 3, RAAF_OK);
}

/* The connection of the first attempt serves another stream when the second attempt is given up. */
static void lend_a_connection(world_t *world) {
    server_t server = server_open(0);
    raaf_request_t *request = patient(request_to("127.0.0.1", server.port));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};
    int visitor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    request->limits.max_retries = 1;
    request->limits.connect_ns = RAAF_MS(200);
    consumer_t first = consumer_start(world->reactor, request);
    peer_t peer = peer_accept(&server);
    CHECK(peer_read_request(&peer));
    CHECK(connect(visitor, (struct sockaddr *)&address, sizeof address) == 0); /* now it is full */
    peer_send(&peer, "HTTP/1.1 503 No\r\nRetry-After-Ms: 1500\r\nContent-Length: 0\r\n\r\n");
    retries(&first, 1, "503", 503);
    consumer_t other = consumer_start(world->reactor, request_to("127.0.0.1", server.port));
    CHECK(peer_read_request(&peer));
    peer_send(&peer, EVENT_STREAM CHUNKED);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&other, "a");
    runs_out(&first, RAAF_CONNECT_TIMEOUT);
    CHECK_EQ_UINT(first.stream->outcome.attempts, 2);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 1);
    consumer_free(&first);
    peer_event(&peer, CONTENT("b"));
    consumer_gets(&other, "b");
    peer_event(&peer, DONE);
    peer_close(&peer);
    ends_and_leaves(world, &other, RAAF_OK);
    close(visitor);
    server_close(&server);
}

/* Sockets are watched by number with epoll alone. */
TEST(connection_of_an_earlier_attempt_belongs_to_whoever_has_it) {
    in_world(lend_a_connection, &world_kinds[0]);
}

WORLD_TEST(request_is_kept_until_the_run_is_over) {
    consumer_t consumer = consumer_start(world->reactor, patient_here(world));

    serve(world, "HTTP/1.1 503 No\r\nRetry-After: 30\r\n\r\n");
    retries(&consumer, 1, "503", 503);
    CHECK(consumer.stream->request->body_len > 0);
    consumer_cancel(&consumer);
    runs_out(&consumer, RAAF_CANCELLED);
    CHECK_SOON(consumer.stream->request->body_len == 0);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
}

/* ---- a crowd ---- */

typedef struct host {
    server_t server;
    raaf_waker_t leave;
    pthread_t thread;
} host_t;

/* Every other request is turned away, in one of several ways. */
static void answer_request(peer_t *peer, unsigned number) {
    static const char *const answers[] = {
        "HTTP/1.1 503 No\r\nConnection: close\r\n\r\n",
        EVENT_STREAM "\r\n" EVENTS,
        "HTTP/1.1 429 No\r\nRetry-After-Ms: 1\r\nContent-Length: 0\r\n\r\n",
        EVENT_STREAM "\r\n" EVENTS,
        EVENT_STREAM "\r\n" ERROR_EVENT("overloaded_error"),
        EVENT_STREAM "\r\n" EVENTS,
        "",
        EVENT_STREAM "\r\n" EVENTS,
    };

    peer_send(peer, answers[number % COUNT(answers)]);
}

static void *serve_all(void *argument) {
    const host_t *host = argument;

    for (unsigned number = 0;; number++) {
        struct pollfd watched[] = {{.fd = host->leave.read_fd, .events = POLLIN},
                                   {.fd = host->server.fd, .events = POLLIN}};
        poll(watched, 2, -1);
        if (watched[0].revents) return NULL;
        peer_t peer = peer_accept(&host->server);
        if (peer_read_request(&peer)) answer_request(&peer, number);
        peer_close(&peer);
    }
}

#define CROWD 60

/* Some are cancelled in between. */
static void crowd(world_t *world) {
    host_t host = {.server = server_open(512)};
    consumer_t consumers[CROWD];
    size_t whole = 0;

    raaf_waker_open(&host.leave, true);
    pthread_create(&host.thread, NULL, serve_all, &host);
    for (int i = 0; i < CROWD; i++) {
        raaf_request_t *request = patient(request_to("127.0.0.1", host.server.port));
        request->limits.max_retries = 1000;
        consumers[i] = consumer_start(world->reactor, request);
    }
    for (int i = 0; i < CROWD; i += 6)
        consumer_cancel(&consumers[i]);
    for (int i = 0; i < CROWD; i++) {
        while (consumers[i].terminals == 0 && consumer_next(&consumers[i]) != NULL)
            continue;
        const int code = consumers[i].stream->outcome.code;
        whole += code == RAAF_OK;
        CHECK(code == RAAF_OK || (code == RAAF_CANCELLED && i % 6 == 0));
    }
    CHECK(whole >= CROWD - CROWD / 6);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    for (int i = 0; i < CROWD; i++)
        consumer_free(&consumers[i]);
    raaf_waker_wake(&host.leave);
    pthread_join(host.thread, NULL);
    raaf_waker_close(&host.leave);
    server_close(&host.server);
}

TEST(crowd_begins_again_until_all_have_their_answer) {
    in_one_world_each(crowd);
}
