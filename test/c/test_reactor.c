#include "reactor_world.h"

static bool outcome_says(const raaf_buffer_t *buffer, const char *text) {
    return CHECK_EQ_STR(buffer->bytes, buffer->len, text);
}

/* Starts a stream, and answers it with a status line, headers and a body; nothing follows. */
static consumer_t exchange(world_t *world, raaf_request_t *request, const char *answer) {
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_answer(world, answer);

    peer_close(&peer);
    return consumer;
}

/* ---- a whole stream ---- */

WORLD_TEST(stream_arrives_in_order_and_ends_once) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_answer(world, EVENT_STREAM "X-Request-Id: req_1\r\n" CHUNKED);

    CHECK(peer_request_has(&peer, "POST /v1/chat/completions HTTP/1.1\r\n"));
    CHECK(peer_request_has(&peer, "Accept-Encoding: identity\r\n"));
    CHECK(peer_request_has(&peer, "\r\n\r\n{\"stream\":true}"));
    CHECK(!peer_request_has(&peer, "Expect:"));
    peer_event(&peer, CONTENT("Hel"));
    consumer_gets(&consumer, "Hel"); /* at once, before anything else comes */
    CHECK_EQ_INT(atomic_load(&consumer.stream->stage), RAAF_STAGE_STREAMING);
    peer_event(&peer, CONTENT("lo") FINISH);
    consumer_gets(&consumer, "lo");
    peer_event(&peer, USAGE);
    peer_event(&peer, DONE);
    consumer_ends(&consumer, RAAF_OK);

    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    outcome_says(&consumer.text, "Hello");
    outcome_says(&consumer.stream->choices[0].finish_reason, "stop");
    outcome_says(&outcome->headers, "content-type: text/event-stream\nx-request-id: req_1\n");
    CHECK_EQ_INT(outcome->http_status, 200);
    CHECK_EQ_INT(outcome->usage.total_tokens, 5);
    CHECK_EQ_UINT(outcome->events, 5);
    CHECK(outcome->started_at <= outcome->connected_at);
    CHECK(outcome->connected_at <= outcome->first_byte_at);
    CHECK(outcome->first_byte_at <= outcome->first_token_at);
    CHECK(outcome->first_token_at <= outcome->ended_at);
    CHECK(atomic_load(&consumer.stream->bytes_received) > strlen(USAGE DONE));
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(silent_stream_costs_nothing) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    check_rests(world);
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

/* A stream that is split in the worst places. */
WORLD_TEST(stream_may_come_byte_by_byte) {
    static const char text[] = CONTENT("\xC3\xA9\\u00e8") FINISH DONE;
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    for (size_t i = 0; i < sizeof text - 1; i++)
        peer_send_chunk(&peer, text + i, 1);
    peer_close(&peer);
    consumer_gets(&consumer, "\xC3\xA9\xC3\xA8");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(finish_reason_is_enough_where_the_body_ends) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") FINISH);
    peer_send_last_chunk(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
    peer_close(&peer);
}

/* ---- truncation ---- */

WORLD_TEST(stream_that_is_cut_is_an_error) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("Hel") CONTENT("lo"));
    consumer_gets(&consumer, "Hel");
    peer_close(&peer);
    consumer_gets(&consumer, "lo");
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
}

WORLD_TEST(stream_that_is_reset_is_an_error) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("Hel"));
    consumer_gets(&consumer, "Hel");
    peer_reset(&peer);
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
}

WORLD_TEST(body_that_ends_in_time_but_without_a_finish_reason_is_an_error) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("Hel"));
    peer_send_last_chunk(&peer);
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
    peer_close(&peer);
}

WORLD_TEST(body_without_an_event_is_an_error) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_send_last_chunk(&peer);
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
    peer_close(&peer);
}

/* ---- answers that are no event stream ---- */

WORLD_TEST(error_status_keeps_body_and_headers) {
    static const char body[] = "{\"error\":{\"message\":\"Too fast\"}}";
    consumer_t consumer =
        exchange(world, request_here(world),
                 "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
                 "Retry-After: 7\r\nX-Request-Id: req_2\r\nContent-Length: 32\r\n\r\n"
                 "{\"error\":{\"message\":\"Too fast\"}}");

    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 429);
    CHECK_EQ_INT(consumer.stream->outcome.retry_after_ms, 7000);
    outcome_says(&consumer.stream->outcome.body, body);
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
}

WORLD_TEST(body_of_an_error_status_is_cut_at_its_limit) {
    const size_t size = RAAF_OUTCOME_MAX_BODY * 3;
    char *body = malloc(size);
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_answer(world, "HTTP/1.1 500 No\r\n\r\n");

    memset(body, 'x', size);
    peer_send_bytes(&peer, body, size);
    CHECK(peer_sees_close(&peer));
    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    CHECK_EQ_UINT(consumer.stream->outcome.body.len, RAAF_OUTCOME_MAX_BODY);
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
    peer_close(&peer);
    free(body);
}

WORLD_TEST(error_status_without_a_body_is_one_too) {
    consumer_t consumer = exchange(world, request_here(world), "HTTP/1.1 503 No\r\n\r\n");

    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
}

WORLD_TEST(redirect_is_not_followed) {
    consumer_t consumer =
        exchange(world, request_here(world),
                 "HTTP/1.1 307 Elsewhere\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n");

    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 307);
    CHECK(!server_has_visitor(&world->server));
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
}

WORLD_TEST(error_event_in_a_stream_is_the_provider_s) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer,
               CONTENT("a") "data: {\"error\":{\"message\":\"Overloaded\",\"code\":529}}\n\n");
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_PROVIDER_ERROR);
    outcome_says(&consumer.stream->outcome.error_message, "Overloaded");
    outcome_says(&consumer.stream->outcome.error_code, "529");
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_PROVIDER_ERROR);
    peer_close(&peer);
}

WORLD_TEST(error_object_with_status_200_is_the_provider_s) {
    consumer_t consumer = exchange(world, request_here(world),
                                   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
                                   " \n{\"error\":{\"message\":\"Overloaded\"}}");

    consumer_ends(&consumer, RAAF_PROVIDER_ERROR);
    outcome_says(&consumer.stream->outcome.error_message, "Overloaded");
    ends_and_leaves(world, &consumer, RAAF_PROVIDER_ERROR);
}

WORLD_TEST(answer_in_one_object_is_no_event_stream) {
    static const char *const bodies[] = {
        "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"all at once\"}}]}",
        "[{\"error\":1}]", "{\"error\":{\"mess", "{"};

    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char answer[512];
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n%s", bodies[i]);
        consumer_t consumer = exchange(world, request_here(world), answer);
        consumer_ends(&consumer, RAAF_NOT_EVENT_STREAM);
        outcome_says(&consumer.stream->outcome.body, bodies[i]);
        ends_and_leaves(world, &consumer, RAAF_NOT_EVENT_STREAM);
    }
}

WORLD_TEST(page_with_status_200_is_no_event_stream) {
    consumer_t consumer = exchange(world, request_here(world),
                                   "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n"
                                   "<html>Please log in</html>");

    consumer_ends(&consumer, RAAF_NOT_EVENT_STREAM);
    outcome_says(&consumer.stream->outcome.body, "<html>Please log in</html>");
    ends_and_leaves(world, &consumer, RAAF_NOT_EVENT_STREAM);
}

WORLD_TEST(events_under_another_content_type_are_taken) {
    consumer_t consumer = exchange(world, request_here(world),
                                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
                                   "\n\n" CONTENT("a") FINISH DONE);

    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(malformed_event_is_an_error) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") "data: {\"choices\":[{]\n\n" CONTENT("b"));
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_INVALID_JSON);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_INVALID_JSON);
    peer_close(&peer);
}

WORLD_TEST(malformed_event_is_skipped_where_that_is_asked_for) {
    raaf_request_t *request = request_here(world);

    request->limits.skip_malformed = true;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") "data: {\"choices\":[{]\n\n" CONTENT("b") DONE);
    consumer_gets(&consumer, "a");
    consumer_gets(&consumer, "b");
    consumer_ends(&consumer, RAAF_OK);
    CHECK_EQ_UINT(consumer.stream->outcome.malformed_events, 1);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(text_over_its_limit_is_an_error) {
    raaf_request_t *request = request_here(world);

    request->limits.max_text = 3;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("abc") CONTENT("d"));
    consumer_gets(&consumer, "abc");
    consumer_ends(&consumer, RAAF_TEXT_TOO_LARGE);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_TEXT_TOO_LARGE);
    peer_close(&peer);
}

WORLD_TEST(endless_line_is_an_error) {
    raaf_request_t *request = request_here(world);
    char space[4096];

    memset(space, 'x', sizeof space);
    request->limits.max_line = 100000;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    while (peer_send_chunk(&peer, space, sizeof space))
        continue;
    ends_and_leaves(world, &consumer, RAAF_LINE_TOO_LONG);
    peer_close(&peer);
}

/* ---- connections that are not made ---- */

WORLD_TEST(refused_connection_is_an_error) {
    server_t gone = server_open(1);

    server_close(&gone);
    consumer_t consumer = consumer_start(world->reactor, request_to("127.0.0.1", gone.port));
    consumer_ends(&consumer, RAAF_CONNECT_FAILED);
    CHECK(consumer.stream->outcome.detail[0] != '\0');
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 0);
    ends_and_leaves(world, &consumer, RAAF_CONNECT_FAILED);
}

WORLD_TEST(connection_that_breaks_before_an_answer_is_lost) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    peer_reset(&peer);
    ends_and_leaves(world, &consumer, RAAF_CONNECTION_LOST);
}

WORLD_TEST(request_that_cannot_be_sent_is_refused) {
    static const char *const urls[] = {"http://127.0.0.1:99999/", "ftp://127.0.0.1/", "file:///etc",
                                       "http://", ""};

    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        raaf_request_t *request = request_here(world);
        raaf_request_set(&request->url, urls[i], strlen(urls[i]));
        consumer_t consumer = consumer_start(world->reactor, request);
        ends_and_leaves(world, &consumer, RAAF_INVALID_REQUEST);
    }
}

/* ---- cancel, in each phase ---- */

WORLD_TEST(cancel_before_the_reactor_has_looked) {
    for (int i = 0; i < 20; i++) {
        consumer_t consumer = consumer_start(world->reactor, request_here(world));
        consumer_cancel(&consumer);
        consumer_ends(&consumer, RAAF_CANCELLED);
        CHECK_EQ_UINT(consumer.seq, 1);
        consumer_free(&consumer);
    }
}

WORLD_TEST(cancel_while_connecting) {
    int visitor;
    server_t full = server_open_full(&visitor);
    consumer_t consumer = consumer_start(world->reactor, request_to("127.0.0.1", full.port));

    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 1);
    check_rests(world);
    CHECK_EQ_INT(atomic_load(&consumer.stream->stage), RAAF_STAGE_CONNECTING);
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    close(visitor);
    server_close(&full);
}

WORLD_TEST(cancel_before_the_header) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    CHECK_EQ_INT(atomic_load(&consumer.stream->stage), RAAF_STAGE_WAITING);
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

WORLD_TEST(cancel_before_the_first_event) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, ": wait\n\n");
    CHECK_SOON(atomic_load(&consumer.stream->bytes_received) > 0);
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

WORLD_TEST(cancel_in_the_middle_keeps_what_came) {
    raaf_request_t *request = request_here(world);

    request->limits.coalesce_chars = 1000;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") CONTENT("b"));
    CHECK_SOON(atomic_load(&consumer.stream->stage) == RAAF_STAGE_STREAMING);
    CHECK_SOON(atomic_load(&consumer.stream->bytes_received) == 2 * strlen(CONTENT("a")));
    consumer_cancel(&consumer);
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    consumer_gets(&consumer, "ab");
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

WORLD_TEST(cancel_after_the_end_changes_nothing) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") FINISH DONE);
    consumer_ends(&consumer, RAAF_OK);
    const uint64_t before = turns(world);
    consumer_cancel(&consumer);
    consumer_free(&consumer);
    CHECK_SOON(turns(world) > before + 1 || raaf_reactor_stats(world->reactor).running == 0);
    /* Not even the connection is closed: what follows is drained, and it serves again. */
    peer_send_last_chunk(&peer);
    CHECK_SOON(raaf_reactor_stats(world->reactor).running == 0);
    consumer = consumer_start(world->reactor, request_here(world));
    CHECK(peer_read_request(&peer));
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

/* ---- timeouts ---- */

WORLD_TEST(connect_timeout) {
    int visitor;
    server_t full = server_open_full(&visitor);
    raaf_request_t *request = request_to("127.0.0.1", full.port);

    request->limits.connect_ns = RAAF_MS(40);
    consumer_t consumer = consumer_start(world->reactor, request);
    ends_and_leaves(world, &consumer, RAAF_CONNECT_TIMEOUT);
    close(visitor);
    server_close(&full);
}

WORLD_TEST(first_token_timeout_counts_from_the_connection_and_past_comments) {
    raaf_request_t *request = request_here(world);

    request->limits.first_token_ns = RAAF_MS(60);
    request->limits.idle_ns = RAAF_MS(1);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    while (peer_event(&peer, ": processing\n\n"))
        usleep(2000);
    ends_and_leaves(world, &consumer, RAAF_FIRST_TOKEN_TIMEOUT);
    peer_close(&peer);
}

WORLD_TEST(idle_timeout) {
    raaf_request_t *request = request_here(world);

    request->limits.idle_ns = RAAF_MS(40);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_IDLE_TIMEOUT);
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_IDLE_TIMEOUT);
    peer_close(&peer);
}

WORLD_TEST(idle_timeout_runs_while_the_coalescer_holds_the_first_token) {
    raaf_request_t *request = request_here(world);

    request->limits.first_token_ns = RAAF_MS(CONSUMER_PATIENCE_MS);
    request->limits.idle_ns = RAAF_MS(40);
    request->limits.coalesce_chars = 1000;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_IDLE_TIMEOUT);
    peer_close(&peer);
}

WORLD_TEST(total_timeout_ends_a_lively_stream) {
    raaf_request_t *request = request_here(world);

    request->limits.total_ns = RAAF_MS(60);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    while (peer_event(&peer, CONTENT("a")))
        usleep(2000);
    ends_and_leaves(world, &consumer, RAAF_TOTAL_TIMEOUT);
    peer_close(&peer);
}

WORLD_TEST(error_status_is_told_although_its_body_does_not_end) {
    raaf_request_t *request = request_here(world);

    request->limits.first_token_ns = RAAF_MS(60);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_answer(world, "HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nbad key");
    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    outcome_says(&consumer.stream->outcome.body, "bad key");
    CHECK(peer_sees_close(&peer));
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
    peer_close(&peer);
}

/* ---- the end of an answer: grace, terminal mark, draining ---- */

WORLD_TEST(grace_after_the_finish_reason_completes) {
    raaf_request_t *request = request_here(world);

    request->limits.grace_ns = RAAF_MS(30);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") FINISH);
    consumer_gets(&consumer, "a");
    consumer_ends(&consumer, RAAF_OK);
    outcome_says(&consumer.stream->choices[0].finish_reason, "stop");
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(grace_is_not_put_off_by_comments) {
    raaf_request_t *request = request_here(world);
    int sent = 0;

    request->limits.grace_ns = RAAF_MS(60);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") FINISH);
    consumer_gets(&consumer, "a");
    while (!raaf_stream_queue_ready(&consumer.stream->queue) && sent++ < 15000) {
        peer_event(&peer, ": ping\n\n");
        usleep(2000);
    }
    CHECK(sent < 15000);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* The grace is long; once usage has come there is next to nothing to wait for. */
WORLD_TEST(usage_after_the_finish_reason_shortens_the_grace) {
    raaf_request_t *request = request_here(world);

    request->limits.grace_ns = RAAF_MS(600000);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") FINISH USAGE);
    consumer_ends(&consumer, RAAF_OK);
    CHECK_EQ_INT(consumer.stream->outcome.usage.total_tokens, 5);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* An answer with its finish reason is whole: no timeout makes an error of it. */
WORLD_TEST(timeout_during_the_grace_completes) {
    for (int which = 0; which < 2; which++) {
        raaf_request_t *request = request_here(world);
        request->limits.grace_ns = RAAF_MS(600000);
        *(which ? &request->limits.total_ns : &request->limits.idle_ns) = RAAF_MS(60);
        consumer_t consumer = consumer_start(world->reactor, request);
        peer_t peer = peer_begin(world);
        peer_event(&peer, CONTENT("a") FINISH);
        consumer_ends(&consumer, RAAF_OK);
        peer_close(&peer);
        ends_and_leaves(world, &consumer, RAAF_OK);
    }
}

WORLD_TEST(connection_is_used_again_after_the_terminal_mark) {
    consumer_t first = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") FINISH DONE);
    consumer_ends(&first, RAAF_OK); /* although the body has not ended */
    peer_send_last_chunk(&peer);
    ends_and_leaves(world, &first, RAAF_OK);
    for (int i = 0; i < 3; i++) {
        consumer_t next = consumer_start(world->reactor, request_here(world));
        CHECK(peer_read_request(&peer));
        CHECK(!server_has_visitor(&world->server));
        peer_send(&peer, EVENT_STREAM CHUNKED);
        peer_event(&peer, CONTENT("b") DONE);
        peer_send_last_chunk(&peer);
        consumer_gets(&next, "b");
        ends_and_leaves(world, &next, RAAF_OK);
    }
    peer_close(&peer);
}

/* libcurl sends the request again over a new connection, as it may: nothing had come. */
WORLD_TEST(request_is_repeated_when_a_kept_connection_has_died) {
    consumer_t first = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") DONE);
    peer_send_last_chunk(&peer);
    ends_and_leaves(world, &first, RAAF_OK);
    consumer_t second = consumer_start(world->reactor, request_here(world));
    CHECK(peer_read_request(&peer));
    peer_close(&peer);
    peer = peer_begin(world);
    peer_event(&peer, CONTENT("b") DONE);
    consumer_gets(&second, "b");
    consumer_ends(&second, RAAF_OK);
    peer_close(&peer);
    ends_and_leaves(world, &second, RAAF_OK);
}

WORLD_TEST(draining_ends_at_its_limit_of_bytes) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") DONE);
    consumer_ends(&consumer, RAAF_OK);
    for (int i = 0; i < 100000 && peer_event(&peer, CONTENT("more and more")); i++)
        continue;
    CHECK(peer_sees_close(&peer));
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

static void drain_in_time(world_t *world) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") DONE);
    consumer_ends(&consumer, RAAF_OK);
    CHECK(peer_sees_close(&peer));
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* It takes that second, so for one kind of each back-end only. */
TEST(draining_ends_at_its_limit_of_time) {
    in_one_world_each(drain_in_time);
}

/* ---- a slow consumer ---- */

enum { PIECES = 3000, PIECE = 500 };

typedef enum framing { BY_CHUNKS, BY_LENGTH, BY_CLOSE } framing_t;

typedef struct speaker {
    peer_t *peer;
    framing_t framing;
    pthread_t thread;
} speaker_t;

static void fill_piece(char *to, int number) {
    for (int i = 0; i < PIECE; i++)
        to[i] = (char)('a' + (number + i) % 26);
    to[PIECE] = '\0';
}

static size_t write_event(char *to, size_t size, int number) {
    char piece[PIECE + 1];

    fill_piece(piece, number);
    return (size_t)snprintf(to, size, CONTENT("%s"), piece);
}

/* Sends a large answer as fast as it is taken, and ends the connection. */
static void *speak(void *argument) {
    speaker_t *speaker = argument;
    char event[PIECE + 200], head[200];
    size_t len = write_event(event, sizeof event, 0);

    snprintf(head, sizeof head, EVENT_STREAM "Content-Length: %zu\r\n\r\n",
             PIECES * len + strlen(FINISH DONE));
    if (speaker->framing == BY_LENGTH) CHECK(peer_send(speaker->peer, head));
    if (speaker->framing == BY_CHUNKS) CHECK(peer_send(speaker->peer, EVENT_STREAM CHUNKED));
    if (speaker->framing == BY_CLOSE)
        CHECK(
            peer_send(speaker->peer, "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    for (int i = 0; i < PIECES; i++) {
        len = write_event(event, sizeof event, i);
        CHECK(speaker->framing == BY_CHUNKS ? peer_send_chunk(speaker->peer, event, len)
                                            : peer_send_bytes(speaker->peer, event, len));
    }
    if (speaker->framing == BY_CHUNKS) {
        peer_event(speaker->peer, FINISH DONE);
        peer_send_last_chunk(speaker->peer);
    } else {
        peer_send(speaker->peer, FINISH DONE);
    }
    peer_close(speaker->peer);
    return NULL;
}

static size_t queued_bytes(raaf_stream_t *stream) {
    pthread_mutex_lock(&stream->queue.mutex);
    const size_t bytes = stream->queue.bytes;
    pthread_mutex_unlock(&stream->queue.mutex);
    return bytes;
}

static void listen_slowly(world_t *world, framing_t framing, size_t items, size_t bytes) {
    raaf_request_t *request = request_here(world);
    char piece[PIECE + 1];

    request->limits.queue_items = items;
    request->limits.queue_bytes = bytes;
    request->limits.idle_ns = RAAF_MS(10000); /* does not run while the consumer is slow */
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_accept(&world->server);
    CHECK(peer_read_request(&peer));
    speaker_t speaker = {.peer = &peer, .framing = framing};
    pthread_create(&speaker.thread, NULL, speak, &speaker);
    for (int i = 0; i < PIECES; i++) {
        fill_piece(piece, i);
        if (i % 1000 == 500) usleep(5000); /* time enough to go over any bound */
        /* What one read can bring on top. */
        CHECK(queued_bytes(consumer.stream) < bytes + 2 * 16384);
        if (!consumer_gets(&consumer, piece)) break;
    }
    consumer_ends(&consumer, RAAF_OK);
    pthread_join(speaker.thread, NULL);
    CHECK_EQ_UINT(consumer.text.len, (size_t)PIECES * PIECE);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(slow_consumer_gets_every_byte_and_the_queue_stays_small) {
    for (framing_t framing = BY_CHUNKS; framing <= BY_CLOSE; framing++) {
        listen_slowly(world, framing, 2, 1 << 20);
        listen_slowly(world, framing, 100000, 3000);
    }
}

static bool is_starved(raaf_stream_t *stream) {
    pthread_mutex_lock(&stream->queue.mutex);
    const bool starved = stream->queue.starved;
    pthread_mutex_unlock(&stream->queue.mutex);
    return starved;
}

/* Pauses a stream: reads until the queue is full, with [last] as the bytes that libcurl holds. */
static consumer_t paused_stream(world_t *world, peer_t *peer, raaf_request_t *request,
                                const char *last) {
    request->limits.queue_items = 1;
    consumer_t consumer = consumer_start(world->reactor, request);
    *peer = peer_begin(world);
    peer_event(peer, CONTENT("a"));
    CHECK_SOON(raaf_stream_queue_ready(&consumer.stream->queue));
    peer_event(peer, last);
    CHECK_SOON(is_starved(consumer.stream));
    return consumer;
}

WORLD_TEST(paused_stream_rests_whatever_its_server_does) {
    peer_t peer;
    consumer_t consumer = paused_stream(world, &peer, request_here(world), CONTENT("b"));
    check_rests(world);
    for (int i = 0; i < 20; i++)
        peer_event(&peer, CONTENT("c"));
    check_rests(world);
    peer_reset(&peer);
    check_rests(world);
    consumer_gets(&consumer, "a");
    consumer_gets(&consumer, "b");
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
}

/* The timer may have found out about a place before the grant comes, and then both at once do. */
WORLD_TEST(late_grant_does_not_swallow_that_there_is_room) {
    peer_t peer;
    consumer_t consumer = paused_stream(world, &peer, request_here(world), CONTENT("b"));
    bool wake_producer = false;

    CHECK_EQ_UINT(raaf_stream_queue_take(&consumer.stream->queue, &consumer.batch, &wake_producer),
                  1);
    CHECK(wake_producer);
    raaf_reactor_post(consumer.stream, RAAF_COMMAND_GRANT | RAAF_COMMAND_RESUME);
    consumer_gets(&consumer, "a");
    CHECK_SOON(raaf_stream_queue_ready(&consumer.stream->queue));
    consumer_gets(&consumer, "b");
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

WORLD_TEST(cancel_while_paused) {
    peer_t peer;
    consumer_t consumer = paused_stream(world, &peer, request_here(world), CONTENT("b"));
    consumer_cancel(&consumer);
    CHECK(peer_sees_close(&peer));
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

WORLD_TEST(timeouts_of_a_paused_stream) {
    peer_t peer;
    raaf_request_t *request = request_here(world);

    request->limits.idle_ns = RAAF_MS(100); /* the consumer's slowness is not the provider's */
    request->limits.total_ns = RAAF_MS(300);
    consumer_t consumer = paused_stream(world, &peer, request, CONTENT("b"));
    CHECK(peer_sees_close(&peer));
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_TOTAL_TIMEOUT);
    peer_close(&peer);
}

/* libcurl hands over what it held from within curl_easy_pause, and reports a failure there only. */
WORLD_TEST(failure_in_the_bytes_that_were_held_ends_the_stream) {
    static const struct {
        const char *held;
        int code;
    } cases[] = {
        {"data: {\"choices\":[{]\n\n", RAAF_INVALID_JSON},
        {"data: {\"error\":{\"message\":\"no\"}}\n\n", RAAF_PROVIDER_ERROR},
        {FINISH DONE, RAAF_OK},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        peer_t peer;
        consumer_t consumer = paused_stream(world, &peer, request_here(world), cases[i].held);
        consumer_gets(&consumer, "a");
        consumer_ends(&consumer, cases[i].code);
        if (cases[i].code == RAAF_OK)
            peer_send_last_chunk(&peer);
        else
            CHECK(peer_sees_close(&peer));
        ends_and_leaves(world, &consumer, cases[i].code);
        peer_close(&peer);
        check_rests(world);
    }
}

WORLD_TEST(end_of_the_body_while_paused_is_found_afterwards) {
    peer_t peer;
    consumer_t consumer = paused_stream(world, &peer, request_here(world), CONTENT("b") FINISH);
    peer_send_last_chunk(&peer);
    peer_close(&peer);
    check_rests(world);
    consumer_gets(&consumer, "a");
    consumer_gets(&consumer, "b");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* ---- coalescing ---- */

WORLD_TEST(text_is_coalesced_by_size) {
    raaf_request_t *request = request_here(world);

    request->limits.coalesce_chars = 3;
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") CONTENT("b") CONTENT("c") CONTENT("d") CONTENT("efg"));
    consumer_gets(&consumer, "ab");
    consumer_gets(&consumer, "cdef");
    peer_event(&peer, CONTENT("h") FINISH DONE);
    consumer_gets(&consumer, "gh");
    consumer_ends(&consumer, RAAF_OK);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(text_is_coalesced_by_a_timer) {
    raaf_request_t *request = request_here(world);

    request->limits.coalesce_chars = 1000;
    request->limits.coalesce_ns = RAAF_MS(20);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("a") CONTENT("b"));
    consumer_gets(&consumer, "ab");
    check_rests(world);
    peer_event(&peer, CONTENT("c"));
    consumer_gets(&consumer, "c");
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    peer_close(&peer);
}

/* ---- scripts ---- */

WORLD_TEST(script_is_played_like_a_stream) {
    raaf_request_t *script = script_new();

    script_add(script, 0, CONTENT("a") "data: {\"cho");
    script_add(script, RAAF_MS(5), "ices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n");
    script_add(script, 0, "");
    script_add(script, RAAF_MS(5), FINISH);
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_gets(&consumer, "a");
    consumer_gets(&consumer, "b");
    consumer_ends(&consumer, RAAF_OK);
    outcome_says(&consumer.stream->choices[0].finish_reason, "stop");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(script_that_stops_short_is_truncated) {
    raaf_request_t *script = script_new(), *empty = script_new();

    script_add(script, 0, CONTENT("a"));
    consumer_t consumer = consumer_start(world->reactor, script);
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
    consumer = consumer_start(world->reactor, empty);
    ends_and_leaves(world, &consumer, RAAF_TRUNCATED);
}

WORLD_TEST(script_may_go_on_after_its_end) {
    raaf_request_t *script = script_new();

    script_add(script, 0, CONTENT("a") DONE);
    script_add(script, RAAF_NEVER, CONTENT("b"));
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(script_may_fail) {
    raaf_request_t *script = script_new();

    script->script_fails = true;
    script_add(script, 0, CONTENT("a"));
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_SCRIPTED);
}

WORLD_TEST(script_may_be_malformed) {
    raaf_request_t *script = script_new();

    script_add(script, 0, CONTENT("a") "data: {\n\n");
    script_add(script, 0, CONTENT("b"));
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_INVALID_JSON);
}

WORLD_TEST(script_waits_for_its_consumer) {
    raaf_request_t *script = script_new();

    script->limits.queue_items = 1;
    script->limits.idle_ns = RAAF_MS(10000);
    for (int i = 0; i < 50; i++)
        script_add(script, 0, CONTENT("a"));
    script_add(script, 0, FINISH DONE);
    consumer_t consumer = consumer_start(world->reactor, script);
    CHECK_SOON(raaf_stream_queue_ready(&consumer.stream->queue));
    check_rests(world);
    for (int i = 0; i < 50; i++)
        consumer_gets(&consumer, "a");
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(script_is_cancelled_during_a_delay) {
    raaf_request_t *script = script_new();

    script_add(script, 0, CONTENT("a"));
    script_add(script, RAAF_NEVER, CONTENT("b"));
    consumer_t consumer = consumer_start(world->reactor, script);
    consumer_gets(&consumer, "a");
    check_rests(world);
    consumer_cancel(&consumer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
}

WORLD_TEST(script_has_timeouts_too) {
    raaf_request_t *slow = script_new(), *slower = script_new();

    script_add(slow, 0, CONTENT("a"));
    script_add(slow, RAAF_NEVER, CONTENT("b"));
    slow->limits.idle_ns = RAAF_MS(20);
    consumer_t consumer = consumer_start(world->reactor, slow);
    ends_and_leaves(world, &consumer, RAAF_IDLE_TIMEOUT);
    script_add(slower, RAAF_NEVER, CONTENT("a"));
    slower->limits.first_token_ns = RAAF_MS(20);
    consumer = consumer_start(world->reactor, slower);
    ends_and_leaves(world, &consumer, RAAF_FIRST_TOKEN_TIMEOUT);
}
