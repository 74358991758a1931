/*
 * A stream: what the reactor and its consumer share about one model call.
 *
 * Reference-counted. References are held by the Ruby object, by the reactor from start to end of
 * the transfer, by the mailbox and by a dispatch queue while the stream stands in them. Whoever
 * drops the last one frees it, on whatever thread that is.
 */
#ifndef RAAF_STREAM_H
#define RAAF_STREAM_H

#include "outcome.h"
#include "request.h"
#include "stream_queue.h"
#include "text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct raaf_reactor;
struct raaf_transfer;
struct raaf_dispatch_queue;
struct raaf_place;

/* How far a stream has come; for Stream#status. */
typedef enum raaf_stage {
    RAAF_STAGE_NEW,
    RAAF_STAGE_QUEUED,     /* waits for its place */
    RAAF_STAGE_CONNECTING, /* also: waits for its host's name */
    RAAF_STAGE_WAITING,    /* connected, request on its way, no delta yet */
    RAAF_STAGE_STREAMING,
    RAAF_STAGE_ENDED
} raaf_stage_t;

/* Commands to the reactor; bits, so that several are one message. */
#define RAAF_COMMAND_START 1u
#define RAAF_COMMAND_CANCEL 2u
#define RAAF_COMMAND_RESUME 4u /* the consumer has made room */
#define RAAF_COMMAND_GRANT 8u  /* it has got the place that it waited for */

#define RAAF_CHOICE_MAX_REASON ((size_t)1 << 10) /* bytes kept of a finish reason */

/* What one choice came to. Each text but the content is made when its first piece comes. */
typedef struct raaf_choice {
    uint32_t index;
    raaf_text_t *content;
    raaf_text_t *reasoning;
    raaf_text_t *refusal;
    raaf_buffer_t finish_reason; /* the provider's word */
} raaf_choice_t;

typedef struct raaf_stream {
    atomic_uint references;
    struct raaf_reactor *reactor; /* holds a reference to it; set once, before the start */
    raaf_request_t *request;      /* owned; read-only from the start on */
    raaf_text_t *content;         /* the answer: choices[0].content, borrowed from there */
    size_t content_start;         /* bytes of it that are not of this model call, but before it */
    uint64_t id;                  /* unique in the process */
    raaf_stream_queue_t queue;

    atomic_int stage;                    /* raaf_stage_t; written by the reactor */
    atomic_uint_fast64_t bytes_received; /* of the body; written by the reactor, as those below */
    atomic_uint_fast64_t last_byte_at;   /* 0: none has come */
    atomic_uint_fast64_t deltas;         /* pieces of text, reasoning, refusals and arguments */
    atomic_uint_fast64_t text_bytes;     /* of text, reasoning and refusals */

    /* mailbox */
    atomic_uint commands;          /* posted and not yet seen */
    struct raaf_stream *mail_next; /* the mailbox's */

    /* dispatch queue; all covered by its mutex */
    _Atomic(struct raaf_dispatch_queue *) dispatch; /* NULL: pulled by a consumer */
    struct raaf_stream *dispatch_next;
    int dispatch_state;

    atomic_bool active;       /* counted by raaf_stream_active_count */
    struct raaf_place *place; /* its run's, one reference; NULL: it needs none. Set once, before
                                 the start */
    atomic_bool keep_place;   /* its end does not give the place back: the run goes on */

    /* written by the reactor; read by others once they have the terminal chunk */
    raaf_outcome_t outcome;
    raaf_choice_t *choices; /* choices[0] has index 0 and its content text from the beginning */
    size_t choice_count;
    uint64_t seq; /* of the last chunk */

    /* reactor thread only */
    struct raaf_transfer *transfer;
} raaf_stream_t;

/*
 * Takes [request] (also when it fails). [first_seq] is the number of the first chunk. [content]:
 * the text that the answer goes on with, for another turn of the same run; a reference is taken,
 * and nobody may write it any longer; NULL: the answer begins anew.
 * NULL: out of memory. One reference.
 */
raaf_stream_t *raaf_stream_new(raaf_request_t *request, uint64_t first_seq, raaf_text_t *content);

/* Before the start: it is one of the run that has [place]; a reference is taken. */
void raaf_stream_set_place(raaf_stream_t *stream, struct raaf_place *place);

void raaf_stream_retain(raaf_stream_t *stream);  /* any thread */
void raaf_stream_release(raaf_stream_t *stream); /* any thread */

/* The texts of choice [index]; makes them if they are new. NULL: out of memory. Reactor thread. */
raaf_choice_t *raaf_stream_choice(raaf_stream_t *stream, uint32_t index);

/* Another attempt begins: forgets what the one before learnt, which said nothing. Reactor thread. */
void raaf_stream_new_attempt(raaf_stream_t *stream);

/* What was counted of it so far. */
typedef struct raaf_stream_progress {
    uint64_t bytes;
    uint64_t deltas;
    uint64_t text_bytes;
    uint64_t last_byte_at; /* 0: none has come */
} raaf_stream_progress_t;

/* Adds what was counted of [stream]. Any thread. */
void raaf_stream_progress_add(raaf_stream_progress_t *progress, const raaf_stream_t *stream);

/* Bytes of native memory, for dsize. Any thread; an estimate while the stream runs. */
size_t raaf_stream_memory(const raaf_stream_t *stream);

/* Streams of this process that have not been freed. Any thread. */
size_t raaf_stream_live_count(void);

/*
 * Streams that were submitted to a reactor, have no terminal chunk yet and were not cancelled. Any
 * thread. A stream has ended for whoever says so first: who cancels it, or puts in the terminal
 * chunk.
 */
size_t raaf_stream_active_count(void);
void raaf_stream_submitted(raaf_stream_t *stream);

/* As above. Its place is free at once, unless it is to be kept. */
void raaf_stream_ended(raaf_stream_t *stream, bool keep_place);

/* In a forked child: the streams of the parent are none of its own. */
void raaf_stream_forget_counts(void);

#endif
