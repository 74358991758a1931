/*
 * The server's side of an HTTP exchange, in the hands of a test: it accepts, reads the request and
 * sends whatever bytes it likes, whenever it likes. Blocking sockets on the loopback; whatever does
 * not happen within 30 s is a failed check and not a hang.
 *
 *     server_t server = server_open(8);
 *     peer_t peer = peer_accept(&server);        // a client has connected
 *     peer_read_request(&peer);                  // head and body; peer.request holds them
 *     peer_send(&peer, "HTTP/1.1 200 OK\r\n…");
 *     CHECK(peer_sees_close(&peer));             // the client has closed the connection
 *     peer_close(&peer);
 *     server_close(&server);
 */
#ifndef RAAF_TEST_HTTP_PEER_H
#define RAAF_TEST_HTTP_PEER_H

#include "buffer.h"
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PEER_PATIENCE_MS 30000

typedef struct server {
    int fd;
    int port;
} server_t;

typedef struct peer {
    int fd;
    raaf_buffer_t request; /* the last one that was read */
    size_t head_len;       /* of it, with the blank line */
} peer_t;

static inline server_t server_open(int backlog) {
    server_t server = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(server.fd, (struct sockaddr *)&address, len) == 0);
    CHECK(listen(server.fd, backlog) == 0);
    CHECK(getsockname(server.fd, (struct sockaddr *)&address, &len) == 0);
    server.port = ntohs(address.sin_port);
    return server;
}

/*
 * A server whose backlog is full, with [visitor] in it: a handshake with it goes unanswered. (Linux
 * does it that way.)
 */
static inline server_t server_open_full(int *visitor) {
    server_t server = server_open(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server.port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *visitor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(*visitor, (struct sockaddr *)&address, sizeof address) == 0);
    return server;
}

static inline void server_close(server_t *server) {
    close(server->fd);
    server->fd = -1;
}

/* Whether there is something to read (or an end) within [ms]. */
static inline bool readable(int fd, int ms) {
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    int got;

    do {
        got = poll(&watched, 1, ms);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

static inline peer_t peer_accept(const server_t *server) {
    peer_t peer = {.fd = -1};
    const int one = 1;

    raaf_buffer_init(&peer.request, (size_t)64 << 20);
    if (!CHECK(readable(server->fd, PEER_PATIENCE_MS))) return peer;
    peer.fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    CHECK(peer.fd >= 0);
    setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return peer;
}

/* Whether a client has come that was not accepted yet. */
static inline bool server_has_visitor(const server_t *server) {
    return readable(server->fd, 0);
}

static inline void peer_close(peer_t *peer) {
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
    raaf_buffer_free(&peer->request);
}

/* The other side gets a reset instead of an end. */
static inline void peer_reset(peer_t *peer) {
    const struct linger none = {.l_onoff = 1, .l_linger = 0};

    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    peer_close(peer);
}

static inline size_t request_head_len(const raaf_buffer_t *request) {
    const char *end = request->len ? memmem(request->bytes, request->len, "\r\n\r\n", 4) : NULL;

    return end ? (size_t)(end - request->bytes) + 4 : 0;
}

static inline size_t request_body_len(const raaf_buffer_t *request, size_t head_len) {
    static const char name[] = "Content-Length:";

    for (size_t at = 0; at + sizeof name < head_len; at++) {
        if (strncasecmp(request->bytes + at, name, sizeof name - 1) == 0)
            return strtoul(request->bytes + at + sizeof name - 1, NULL, 10);
    }
    return 0;
}

static inline bool peer_read_some(peer_t *peer) {
    char space[16384];
    ssize_t got;

    if (!readable(peer->fd, PEER_PATIENCE_MS)) return false;
    got = recv(peer->fd, space, sizeof space, 0);
    return got > 0 && raaf_buffer_append(&peer->request, space, (size_t)got) == 0;
}

/* Reads until the blank line; some of the body may have come with it. */
static inline bool peer_read_head(peer_t *peer) {
    raaf_buffer_clear(&peer->request, 65536);
    peer->head_len = 0;
    while ((peer->head_len = request_head_len(&peer->request)) == 0) {
        if (!peer_read_some(peer)) return false;
    }
    return true;
}

/* Returns false if the connection ended before. */
static inline bool peer_read_request(peer_t *peer) {
    if (!peer_read_head(peer)) return false;
    const size_t all = peer->head_len + request_body_len(&peer->request, peer->head_len);
    while (peer->request.len < all) {
        if (!peer_read_some(peer)) return false;
    }
    return true;
}

static inline bool peer_request_has(const peer_t *peer, const char *text) {
    return memmem(peer->request.bytes, peer->request.len, text, strlen(text)) != NULL;
}

/* Returns false if the other side is gone. */
static inline bool peer_send_bytes(const peer_t *peer, const char *bytes, size_t len) {
    while (len > 0) {
        const ssize_t sent = send(peer->fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static inline bool peer_send(const peer_t *peer, const char *text) {
    return peer_send_bytes(peer, text, strlen(text));
}

/* One chunk of a body with Transfer-Encoding: chunked. */
static inline bool peer_send_chunk(const peer_t *peer, const char *bytes, size_t len) {
    char size[32];

    snprintf(size, sizeof size, "%zx\r\n", len);
    return peer_send(peer, size) && peer_send_bytes(peer, bytes, len) && peer_send(peer, "\r\n");
}

/* The body's end; the connection stays. */
static inline bool peer_send_last_chunk(const peer_t *peer) {
    return peer_send(peer, "0\r\n\r\n");
}

/* Waits until the other side has closed; what it still sends is dropped. */
static inline bool peer_sees_close(const peer_t *peer) {
    char space[16384];
    ssize_t got = 1;

    while (got > 0) {
        if (!readable(peer->fd, PEER_PATIENCE_MS)) return false;
        got = recv(peer->fd, space, sizeof space, 0);
    }
    return got == 0 || errno == ECONNRESET;
}

/* Whether the connection still stands, and nothing was sent on it, as far as can be seen now. */
static inline bool peer_is_quiet(const peer_t *peer) {
    return !readable(peer->fd, 0);
}

#endif
