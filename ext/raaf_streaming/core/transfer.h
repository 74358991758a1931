/*
 * A transfer: one HTTP exchange (or one script) on behalf of a stream; where it fails in a way that
 * is worth it (see retry.h) before anything was delivered, another one, after a wait.
 *
 * It owns the libcurl easy handle, reads the response through the decoder into the delivery, and
 * knows all its deadlines. libcurl calls it back from inside curl_multi_*: such a callback only
 * records, and reports the transfer as touched; what follows is done by the reactor from the top
 * of its loop. Reactor thread only.
 */
#ifndef RAAF_TRANSFER_H
#define RAAF_TRANSFER_H

#include "decoder.h"
#include "delivery.h"
#include "host_gate.h"
#include "random_source.h"
#include "socket_table.h"
#include "stream.h"
#include "timers.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <sys/types.h>

/* What a transfer needs of its reactor. */
typedef struct raaf_transfer_host {
    CURLM *multi;
    raaf_socket_table_t *sockets;
    raaf_random_t *random;
    pid_t pid; /* the process the sockets belong to */
    void (*touched)(struct raaf_transfer *transfer, void *context);
    void (*opened)(struct raaf_transfer *transfer, int fd, void *context); /* a new socket */
    void (*connected)(struct raaf_transfer *transfer, void *context);
    void *context;
} raaf_transfer_host_t;

typedef enum raaf_transfer_phase {
    RAAF_PHASE_QUEUED,     /* waits for its place */
    RAAF_PHASE_READY,      /* an attempt can begin: the reactor takes it to the gate */
    RAAF_PHASE_GATED,      /* waits for its host's name to be looked up by another */
    RAAF_PHASE_CONNECTING, /* name, TCP, TLS */
    RAAF_PHASE_SENT,       /* connected; no body yet */
    RAAF_PHASE_BODY,
    RAAF_PHASE_BACKOFF, /* the next attempt is waited for: one has failed, or the first has its time */
    RAAF_PHASE_DRAINING, /* the stream has ended; the rest is read so that the connection lives */
    RAAF_PHASE_OVER      /* nothing left to do: the reactor takes it down */
} raaf_transfer_phase_t;

/* What the body is taken for. */
typedef enum raaf_body {
    RAAF_BODY_UNKNOWN, /* no event stream by its header: its first byte decides */
    RAAF_BODY_EVENTS,
    RAAF_BODY_JSON, /* one JSON object: an error with status 200, most likely */
    RAAF_BODY_ERROR /* of an error status */
} raaf_body_t;

typedef struct raaf_transfer {
    raaf_stream_t *stream;            /* holds a reference */
    const raaf_transfer_host_t *host; /* borrowed from the reactor */
    CURL *easy;                       /* NULL for a script, and between two attempts */
    struct curl_slist *headers;
    bool in_multi;
    raaf_transfer_phase_t phase;
    raaf_body_t body;
    raaf_decoder_t decoder;
    raaf_delivery_t delivery;
    raaf_timer_t timer;
    raaf_host_ticket_t ticket;
    uint64_t attempt_at;  /* when this attempt began */
    uint64_t retry_at;    /* when the next one begins, in RAAF_PHASE_BACKOFF */
    uint64_t queue_until; /* the longest that it waits in RAAF_PHASE_QUEUED */
    bool decoder_finished;
    bool paused; /* the queue was full: libcurl holds the bytes */
    size_t header_bytes;
    size_t drained;   /* bytes read in RAAF_PHASE_DRAINING */
    size_t step;      /* next step of the script */
    uint64_t step_at; /* when it is due */
    uint64_t last_byte_at;
    uint64_t grace_until;      /* RAAF_NEVER: no finish reason yet */
    uint64_t error_body_until; /* RAAF_NEVER: no error status */
    uint64_t drain_until;
    uint64_t nudge_at;                  /* while connecting: when libcurl is made to look again */
    bool touched;                       /* in the reactor's list of those to settle */
    struct raaf_transfer *touched_next; /* the reactor's */
    struct raaf_transfer *next;         /* the reactor's list of all */
    struct raaf_transfer *previous;
    char curl_error[CURL_ERROR_SIZE];
} raaf_transfer_t;

/* Takes a reference to [stream]. NULL: out of memory; the stream has then not been touched. */
raaf_transfer_t *raaf_transfer_new(raaf_stream_t *stream, const raaf_transfer_host_t *host);

/*
 * Begins: hands the easy handle to the multi handle, or sets the first step of the script.
 * A failure ends the stream, and the transfer is over.
 */
void raaf_transfer_start(raaf_transfer_t *transfer);

/*
 * In RAAF_PHASE_BACKOFF: gives back what the failed attempt holds, so that the wait costs a timer
 * alone. Before that no other attempt begins. Never from inside a callback.
 */
void raaf_transfer_rest(raaf_transfer_t *transfer);

/* In RAAF_PHASE_QUEUED: it has its place, and can begin. Elsewhere that is known already. */
void raaf_transfer_grant(raaf_transfer_t *transfer);

/* The consumer has made room: goes on reading. May call the write callback at once. */
void raaf_transfer_resume(raaf_transfer_t *transfer);

/* libcurl is done with the easy handle, with [result]. The attempt is over. */
void raaf_transfer_done(raaf_transfer_t *transfer, CURLcode result);

/*
 * The attempt has failed with [code]: ends the stream (unless it has ended) and the transfer with
 * it, or announces another attempt.
 */
void raaf_transfer_abort(raaf_transfer_t *transfer, int code);

/* The next time something may be due; RAAF_NEVER: nothing will be. */
uint64_t raaf_transfer_deadline(const raaf_transfer_t *transfer);

/* Does what is due at [now]: flush, script step, end of grace, timeout, another attempt. */
void raaf_transfer_expire(raaf_transfer_t *transfer, uint64_t now);

/* Takes the easy handle out of the multi handle and frees all. Never from inside a callback. */
void raaf_transfer_free(raaf_transfer_t *transfer);

#endif
