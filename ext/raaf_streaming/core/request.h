/*
 * A request: everything the reactor must know to run one transfer. Written by one thread before
 * the stream starts, read by the reactor afterwards, never changed in between.
 */
#ifndef RAAF_REQUEST_H
#define RAAF_REQUEST_H

#include "cutter.h"
#include "dialect.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One step of a script: a stream that comes from memory instead of a socket (mocks). */
typedef struct raaf_script_step {
    uint64_t delay_ns; /* after the step before */
    char *bytes;       /* owned */
    size_t len;
} raaf_script_step_t;

/* Times in nanoseconds; RAAF_NEVER: no such limit. */
typedef struct raaf_request_limits {
    uint64_t connect_ns;     /* start to connection, name look-up and TLS included */
    uint64_t first_token_ns; /* connection to the first delta */
    uint64_t idle_ns;        /* between two reads, after the first delta */
    uint64_t total_ns;       /* start to end */
    uint64_t queue_ns; /* to wait for a place, before all below; where there is one to wait for */
    uint64_t start_delay_ns; /* before the start; 0: none. Nothing is connected or counted in it */
    uint64_t grace_ns;       /* finish reason to the end, if no terminal mark comes */
    uint64_t coalesce_ns;    /* longest a piece of text waits in the coalescer */
    size_t coalesce_chars;   /* 0: no coalescing */
    raaf_cut_t coalesce_cut; /* where the coalescer cuts */
    size_t queue_items;
    size_t queue_bytes;
    size_t max_line;
    size_t max_event;
    size_t max_text;
    size_t max_retries;      /* attempts after the first, before any delta was delivered */
    uint64_t retry_delay_ns; /* before the first retry, at most; doubled with each further one */
    uint64_t max_retry_delay_ns; /* a server that asks for more is not asked again */
    bool retain_text;            /* false: no cumulative, for answers too large for memory */
    bool skip_malformed;
    bool recovers;   /* where it fails its run may go on: the place is kept */
    bool raw_events; /* hand over events that the dialect does not know */
} raaf_request_limits_t;

struct raaf_series;

typedef struct raaf_request {
    const raaf_dialect_t *dialect;
    char *url;     /* owned, like all below; NULL for a script */
    char *host;    /* the name to look up: of the proxy, where there is one */
    char *proxy;   /* "" : none */
    char *ca_file; /* NULL: libcurl's default */
    char *body;
    atomic_size_t body_len;
    char *
        said; /* what the answer goes on with, as far as it may repeat that (see overlap.h); NULL */
    size_t said_len;
    char **headers; /* "Name: value" */
    size_t header_count;
    raaf_script_step_t *steps;
    size_t step_count;
    bool scripted;
    bool script_fails;          /* the script ends in RAAF_SCRIPTED */
    struct raaf_series *series; /* of the analytics that count it; NULL: none does */
    raaf_request_limits_t limits;
} raaf_request_t;

/* An empty request with no limits set. NULL: out of memory. */
raaf_request_t *raaf_request_new(const raaf_dialect_t *dialect);

/* Each copies its bytes. Return values: RAAF_OK, RAAF_NO_MEMORY. */
int raaf_request_set(char **field, const char *bytes, size_t len); /* NUL-terminates */
int raaf_request_set_body(raaf_request_t *request, const char *bytes, size_t len);
int raaf_request_set_said(raaf_request_t *request, const char *bytes, size_t len);
int raaf_request_add_header(raaf_request_t *request, const char *bytes, size_t len);
int raaf_request_add_step(raaf_request_t *request, uint64_t delay_ns, const char *bytes,
                          size_t len);

/*
 * The transfer is over: wipes and frees everything but the limits and the dialect. A chunk that
 * somebody keeps holds its stream, and must not hold a large body or a key.
 */
void raaf_request_forget(raaf_request_t *request);

/* Forgets, then frees all. NULL is allowed. */
void raaf_request_free(raaf_request_t *request);

#endif
