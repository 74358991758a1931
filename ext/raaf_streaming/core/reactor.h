/*
 * The reactor: one native thread that does all streaming of a process.
 *
 * It never calls Ruby and never takes the GVL. Other threads reach it by its mailbox alone; what it
 * has to say it puts into the streams' queues, and once a turn of its loop it wakes the consumers
 * that sleep. A turn:
 *
 *     wait (epoll or curl_multi_poll) → sockets → mailbox → timers → finished transfers
 *          → settle every touched transfer: wake its consumer, set its timer, take it down if over
 *
 * Nothing here needs curl's header: reactor.c and transfer.* are the only files that include it.
 */
#ifndef RAAF_REACTOR_H
#define RAAF_REACTOR_H

#include "admission.h"
#include "stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct raaf_reactor raaf_reactor_t;

typedef enum raaf_backend {
    RAAF_BACKEND_DEFAULT, /* epoll where there is one */
    RAAF_BACKEND_EPOLL,
    RAAF_BACKEND_POLL /* curl_multi_poll */
} raaf_backend_t;

typedef struct raaf_reactor_options {
    raaf_backend_t backend;
    bool pipe;               /* a pipe instead of an eventfd */
    size_t idle_connections; /* kept for reuse, over all hosts */
} raaf_reactor_options_t;

typedef struct raaf_reactor_stats {
    uint64_t turns;
    uint64_t transfers; /* begun so far */
    size_t running;     /* transfers now, draining ones included */
} raaf_reactor_stats_t;

/*
 * Once a process, before any thread: libcurl's global set-up. Return values: RAAF_OK,
 * RAAF_SYSTEM (libcurl could not be set up).
 */
int raaf_reactor_global_init(void);

/*
 * Starts a reactor and its thread (named "raaf-reactor", all signals blocked in it). NULL: see
 * [result]: RAAF_NO_MEMORY, RAAF_SYSTEM (errno), RAAF_INVALID_REQUEST (no such back-end here).
 * One reference, the caller's; each stream holds another.
 */
raaf_reactor_t *raaf_reactor_start(const raaf_reactor_options_t *options, int *result);

/*
 * Begins [stream], which must be new, or has it wait for its place, where it needs one. Any thread
 * of the process that started the reactor. Unless RAAF_ENTRY_GRANTED or RAAF_ENTRY_WAITS is
 * returned, nothing has begun.
 */
raaf_entry_t raaf_reactor_submit(raaf_reactor_t *reactor, raaf_stream_t *stream);

/* Posts RAAF_COMMAND_* bits. Allocates nothing, takes no lock. Any thread of that process. */
void raaf_reactor_post(raaf_stream_t *stream, unsigned commands);

/* Whether the thread has ended. Any thread. */
bool raaf_reactor_stopped(const raaf_reactor_t *reactor);

/*
 * Asks the thread to end all streams (RAAF_SHUTDOWN) and itself, and waits for it at most
 * [timeout_ns]. Returns whether it has ended; if not, nothing was freed and it may still end.
 * Any thread, never the reactor's; blocks, so not with the GVL held.
 */
bool raaf_reactor_stop(raaf_reactor_t *reactor, uint64_t timeout_ns);

/*
 * Around a fork: has the thread pause at the top of its loop, where it holds no lock of anybody's
 * (OpenSSL's and libc's would stay locked in the child for ever), and waits for that at most
 * [timeout_ns]. Not the reactor's thread. libcurl's resolver threads cannot be paused.
 */
void raaf_reactor_pause(raaf_reactor_t *reactor, uint64_t timeout_ns);

/* In the parent after the fork: lets the thread go on. */
void raaf_reactor_unpause(raaf_reactor_t *reactor);

/*
 * In a forked child, for the reactor of its parent: closes the child's copies of its descriptors.
 * Takes no lock and frees nothing; the memory is given up.
 */
void raaf_reactor_abandon(raaf_reactor_t *reactor);

raaf_reactor_stats_t raaf_reactor_stats(const raaf_reactor_t *reactor);

/* Names of what was chosen: "epoll" or "poll". Any thread. */
const char *raaf_reactor_backend_name(const raaf_reactor_t *reactor);

void raaf_reactor_retain(raaf_reactor_t *reactor);
void raaf_reactor_release(raaf_reactor_t *reactor);

#endif
