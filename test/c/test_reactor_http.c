/* What HTTP servers do besides the plain thing, and what becomes of it. */
#include "reactor_world.h"

/* Answers one request with these bytes and closes; the stream must end in [code]. */
static void answer_is(world_t *world, const char *answer, size_t len, int code, long status,
                      const char *text) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_request(&peer));
    peer_send_bytes(&peer, answer, len);
    peer_close(&peer);
    consumer_ends(&consumer, code);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, status);
    CHECK_EQ_STR(consumer.text.bytes, consumer.text.len, text);
    ends_and_leaves(world, &consumer, code);
}

typedef struct expectation {
    const char *answer;
    int code;
    long status;
    const char *text;
} expectation_t;

static void answers_are(world_t *world, const expectation_t *expectations, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const expectation_t *one = &expectations[i];
        const int before = atomic_load(&check_failures);
        answer_is(world, one->answer, strlen(one->answer), one->code, one->status, one->text);
        if (atomic_load(&check_failures) != before)
            check_print_bytes("answer:", one->answer, strlen(one->answer));
    }
}

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define EVENTS CONTENT("a") FINISH DONE

WORLD_TEST(provisional_responses_are_passed_over) {
    static const expectation_t table[] = {
        {"HTTP/1.1 100 Continue\r\n\r\n" EVENT_STREAM "\r\n" EVENTS, RAAF_OK, 200, "a"},
        {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Busy\r\n\r\n" EVENT_STREAM
         "\r\n" EVENTS,
         RAAF_OK, 200, "a"},
        {"HTTP/1.1 103 Early Hints\r\nRetry-After: 7\r\n\r\nHTTP/1.1 500 No\r\n\r\n",
         RAAF_HTTP_STATUS, 500, ""},
        {"HTTP/1.1 100 Continue\r\n\r\n", RAAF_CONNECTION_LOST, 0, ""},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" EVENTS, RAAF_HTTP_STATUS, 101,
         ""},
    };

    answers_are(world, table, COUNT(table));
}

WORLD_TEST(response_s_headers_are_those_of_the_last) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer =
        peer_answer(world, "HTTP/1.1 103 Hints\r\nRetry-After: 7\r\nX-Request-Id: a\r\n\r\n"
                           "HTTP/1.1 429 No\r\nX-Request-Id: b\r\n\r\n");

    peer_close(&peer);
    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    CHECK_EQ_INT(outcome->retry_after_ms, -1);
    CHECK_EQ_STR(outcome->headers.bytes, outcome->headers.len, "x-request-id: b\n");
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
}

WORLD_TEST(statuses_without_a_body_are_no_answers) {
    static const expectation_t table[] = {
        {"HTTP/1.1 204 No Content\r\n\r\n", RAAF_NOT_EVENT_STREAM, 204, ""},
        {"HTTP/1.1 204 No\r\nContent-Type: text/event-stream\r\n\r\n", RAAF_TRUNCATED, 204, ""},
        {"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", RAAF_NOT_EVENT_STREAM, 205, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RAAF_NOT_EVENT_STREAM, 200, ""},
        {"HTTP/1.1 304 Not Modified\r\n\r\n", RAAF_HTTP_STATUS, 304, ""},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", RAAF_HTTP_STATUS, 302, ""},
    };

    answers_are(world, table, COUNT(table));
}

WORLD_TEST(bodies_may_be_framed_in_any_way) {
    static const expectation_t table[] = {
        {"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" EVENTS, RAAF_OK, 200, "a"},
        {"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" CONTENT("a"), RAAF_TRUNCATED,
         200, "a"},
        {EVENT_STREAM "Connection: close\r\n\r\n" EVENTS, RAAF_OK, 200, "a"},
        {EVENT_STREAM "Content-Length: 999\r\n\r\n" EVENTS, RAAF_OK, 200, "a"},
        {EVENT_STREAM "Content-Length: 999\r\n\r\n" CONTENT("a"), RAAF_TRUNCATED, 200, "a"},
        {EVENT_STREAM "Content-Length: 999\r\n\r\n" CONTENT("a") FINISH, RAAF_OK, 200, "a"},
        {"HTTP/1.1 200 OK\r\nCONTENT-TYPE:TEXT/EVENT-STREAM\r\n\r\n" EVENTS, RAAF_OK, 200, "a"},
    };

    answers_are(world, table, COUNT(table));
}

WORLD_TEST(content_length_ends_the_body) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    char head[128];

    snprintf(head, sizeof head, EVENT_STREAM "Content-Length: %zu\r\n\r\n",
             strlen(CONTENT("a") FINISH));
    peer_t peer = peer_answer(world, head);
    peer_send(&peer, CONTENT("a") FINISH);
    consumer_ends(&consumer, RAAF_OK); /* the connection stays */
    CHECK(peer_is_quiet(&peer));
    ends_and_leaves(world, &consumer, RAAF_OK);
    peer_close(&peer);
}

WORLD_TEST(broken_chunks_are_a_truncation) {
    static const expectation_t table[] = {
        {EVENT_STREAM CHUNKED "zz\r\n", RAAF_TRUNCATED, 200, ""},
        {EVENT_STREAM CHUNKED "ffffffffffffffffffff\r\n", RAAF_TRUNCATED, 200, ""},
        {EVENT_STREAM CHUNKED "5\r\n: ab\n5\r\n", RAAF_TRUNCATED, 200, ""},
    };

    answers_are(world, table, COUNT(table));
}

WORLD_TEST(what_is_not_http_is_said_to_be_so) {
    static const expectation_t table[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n", RAAF_HTTP_PROTOCOL, 0, ""},
        {"<html>hello</html>", RAAF_HTTP_PROTOCOL, 0, ""},
        {"HTTP/7.7 200 OK\r\n\r\n", RAAF_HTTP_PROTOCOL, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", RAAF_HTTP_PROTOCOL, 0, ""},
        {"HTTP/1.1 200 OK\r\nContent-Ty", RAAF_CONNECTION_LOST, 0, ""},
        {"", RAAF_CONNECTION_LOST, 0, ""},
    };

    answers_are(world, table, COUNT(table));
}

WORLD_TEST(trailers_are_ignored) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_begin(world);

    peer_event(&peer, CONTENT("a") FINISH);
    peer_send(&peer, "0\r\nX-Request-Id: late\r\nHTTP/1.1 500 No\r\nRetry-After: 7\r\n\r\n");
    consumer_ends(&consumer, RAAF_OK);
    const raaf_outcome_t *outcome = &consumer.stream->outcome;
    CHECK_EQ_INT(outcome->http_status, 200);
    CHECK_EQ_INT(outcome->retry_after_ms, -1);
    CHECK_EQ_STR(outcome->headers.bytes, outcome->headers.len, "content-type: text/event-stream\n");
    ends_and_leaves(world, &consumer, RAAF_OK);
    peer_close(&peer);
}

/* ---- headers without end ---- */

static void endless_header(world_t *world, const char *again) {
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_answer(world, "HTTP/1.1 100 Continue\r\nX-Long: ");
    size_t sent = 0;

    while (sent < (size_t)8 << 20 && peer_send(&peer, again))
        sent += strlen(again);
    CHECK(sent < (size_t)8 << 20);
    ends_and_leaves(world, &consumer, RAAF_HEADERS_TOO_LARGE);
    peer_close(&peer);
}

WORLD_TEST(header_without_end_is_an_error) {
    endless_header(world, "0123456789012345678901234567890123456789012345678901234567890123456789");
    endless_header(world, "0123456789\r\nX-More: 012345678901234567890123456789012345678901234567");
    endless_header(world, "0\r\n\r\nHTTP/1.1 100 Continue\r\nX-More: 012345678901234567890123456");
}

/* ---- encodings ---- */

static uint32_t crc32_of(const unsigned char *bytes, size_t len) {
    uint32_t crc = 0xFFFFFFFFu;

    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void put_little(unsigned char *to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++)
        to[i] = (unsigned char)(value >> (8 * i));
}

/* A gzip file with its content stored as it is. Returns its length. */
static size_t gzip_stored(unsigned char *to, const char *text) {
    static const unsigned char head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1};
    const size_t len = strlen(text);

    memcpy(to, head, sizeof head);
    put_little(to + sizeof head, (uint32_t)len, 2);
    put_little(to + sizeof head + 2, ~(uint32_t)len, 2);
    memcpy(to + sizeof head + 4, text, len);
    put_little(to + sizeof head + 4 + len, crc32_of((const unsigned char *)text, len), 4);
    put_little(to + sizeof head + 8 + len, (uint32_t)len, 4);
    return sizeof head + 12 + len;
}

WORLD_TEST(gzip_that_was_not_asked_for_is_understood) {
    unsigned char zipped[1024];
    const size_t len = gzip_stored(zipped, CONTENT("a") FINISH DONE);
    consumer_t consumer = consumer_start(world->reactor, request_here(world));
    peer_t peer = peer_answer(world, EVENT_STREAM "Content-Encoding: gzip\r\n" CHUNKED);

    for (size_t i = 0; i < len; i++)
        peer_send_chunk(&peer, (char *)zipped + i, 1);
    consumer_gets(&consumer, "a");
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(encoding_that_nobody_knows_is_an_error) {
    static const expectation_t table[] = {
        {EVENT_STREAM "Content-Encoding: gzip\r\n\r\nnot gzip at all", RAAF_TRUNCATED, 200, ""},
        {EVENT_STREAM "Content-Encoding: rot13\r\n\r\n" EVENTS, RAAF_TRUNCATED, 200, ""},
    };

    answers_are(world, table, COUNT(table));
}

/* ---- answers that come too early ---- */

static raaf_request_t *large_request(const world_t *world, size_t size) {
    raaf_request_t *request = request_here(world);
    char *body = calloc(1, size);

    memset(body, ' ', size);
    raaf_request_set_body(request, body, size);
    free(body);
    return request;
}

/* The server has read the header only; it says so, ends its side and drops the rest. */
WORLD_TEST(error_before_the_body_was_sent_is_told) {
    consumer_t consumer = consumer_start(world->reactor, large_request(world, (size_t)16 << 20));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_head(&peer));
    peer_send(&peer, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    shutdown(peer.fd, SHUT_WR);
    CHECK(peer_sees_close(&peer));
    consumer_ends(&consumer, RAAF_HTTP_STATUS);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 413);
    CHECK_EQ_STR(consumer.stream->outcome.body.bytes, consumer.stream->outcome.body.len, "big");
    ends_and_leaves(world, &consumer, RAAF_HTTP_STATUS);
    peer_close(&peer);
}

WORLD_TEST(answer_before_the_body_was_sent_is_taken) {
    consumer_t consumer = consumer_start(world->reactor, large_request(world, (size_t)16 << 20));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_head(&peer));
    peer_send(&peer, EVENT_STREAM CHUNKED);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&consumer, "a");
    peer_event(&peer, FINISH DONE);
    consumer_ends(&consumer, RAAF_OK);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(connection_that_breaks_while_the_body_is_sent_is_lost) {
    consumer_t consumer = consumer_start(world->reactor, large_request(world, (size_t)16 << 20));
    peer_t peer = peer_accept(&world->server);

    CHECK(peer_read_head(&peer));
    peer_reset(&peer);
    ends_and_leaves(world, &consumer, RAAF_CONNECTION_LOST);
}

WORLD_TEST(large_body_arrives_whole) {
    consumer_t consumer = consumer_start(world->reactor, large_request(world, (size_t)4 << 20));
    peer_t peer = peer_begin(world);

    CHECK_EQ_UINT(peer.request.len - peer.head_len, (size_t)4 << 20);
    peer_event(&peer, EVENTS);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* ---- what is sent ---- */

WORLD_TEST(headers_are_sent_as_given) {
    raaf_request_t *request = request_here(world);

    raaf_request_add_header(request, "Authorization: Bearer sk-1", 26);
    raaf_request_add_header(request, "Accept: text/event-stream", 25);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    CHECK(peer_request_has(&peer, "\r\nAuthorization: Bearer sk-1\r\n"));
    CHECK(peer_request_has(&peer, "\r\nAccept: text/event-stream\r\n"));
    CHECK(!peer_request_has(&peer, "\r\nAccept: */*\r\n"));
    CHECK(!peer_request_has(&peer, "Cookie"));
    peer_event(&peer, EVENTS);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

WORLD_TEST(body_may_be_empty) {
    raaf_request_t *request = request_here(world);

    raaf_request_set_body(request, "", 0);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    CHECK(peer_request_has(&peer, "\r\nContent-Length: 0\r\n"));
    peer_event(&peer, EVENTS);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
}

/* Through a proxy, plain http is asked for by its whole address; nothing comes from the environment. */
WORLD_TEST(proxy_is_the_request_s_own) {
    char proxy[64];
    raaf_request_t *request = request_to("provider.invalid", 80);

    setenv("http_proxy", "http://127.0.0.1:1", 1);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", world->server.port);
    raaf_request_set(&request->proxy, proxy, strlen(proxy));
    raaf_request_set(&request->host, "127.0.0.1", 9);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    CHECK(peer_request_has(&peer, "POST http://provider.invalid/v1/chat/completions HTTP/1.1"));
    peer_event(&peer, EVENTS);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);

    consumer = consumer_start(world->reactor, request_here(world));
    peer = peer_begin(world);
    CHECK(peer_request_has(&peer, "POST /v1/chat/completions HTTP/1.1"));
    peer_event(&peer, EVENTS);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
    unsetenv("http_proxy");
}

/* The header of a proxy's answer to CONNECT is not the provider's. */
WORLD_TEST(refusal_of_a_proxy_is_no_answer_of_the_provider) {
    char proxy[64];
    raaf_request_t *request = request_to("provider.invalid", 443);
    static const char url[] = "https://provider.invalid/";

    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", world->server.port);
    raaf_request_set(&request->url, url, strlen(url));
    raaf_request_set(&request->proxy, proxy, strlen(proxy));
    raaf_request_set(&request->host, "127.0.0.1", 9);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_accept(&world->server);
    CHECK(peer_read_head(&peer));
    CHECK(peer_request_has(&peer, "CONNECT provider.invalid:443 HTTP/1.1"));
    peer_send(&peer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nlogin");
    consumer_ends(&consumer, RAAF_CONNECT_FAILED);
    CHECK_EQ_INT(consumer.stream->outcome.http_status, 0);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_CONNECT_FAILED);
}

WORLD_TEST(tls_that_is_none_is_an_error) {
    char url[64];
    raaf_request_t *request = request_here(world);

    snprintf(url, sizeof url, "https://127.0.0.1:%d/", world->server.port);
    raaf_request_set(&request->url, url, strlen(url));
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_accept(&world->server);
    peer_send(&peer, "HTTP/1.1 400 plain text on a TLS port\r\n\r\n");
    consumer_ends(&consumer, RAAF_TLS_FAILED);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_TLS_FAILED);
}
