/*
 * The consumer's side of a stream, as Ruby does it: requests with generous limits, taking chunks,
 * sleeping on a descriptor, telling the reactor that there is room again.
 */
#ifndef RAAF_TEST_STREAM_CONSUMER_H
#define RAAF_TEST_STREAM_CONSUMER_H

#include "check.h"
#include "clock.h"
#include "dialect_openai_chat.h"
#include "reactor.h"
#include "result_code.h"
#include "waker.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CONSUMER_PATIENCE_MS 30000
#define CONTENT(text) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE                                                                                      \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,"                \
    "\"total_tokens\":5}}\n\n"
#define DONE "data: [DONE]\n\n"

/* No limit that a test has to think of, and the defaults of Ruby's side elsewhere. */
static inline raaf_request_t *request_new(void) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);

    request->limits = (raaf_request_limits_t){
        .connect_ns = RAAF_NEVER,
        .first_token_ns = RAAF_NEVER,
        .idle_ns = RAAF_NEVER,
        .total_ns = RAAF_NEVER,
        .grace_ns = RAAF_NEVER,
        .coalesce_ns = RAAF_NEVER,
        .queue_items = 1000,
        .queue_bytes = (size_t)1 << 20,
        .max_text = (size_t)64 << 20,
        .retain_text = true,
    };
    return request;
}

/* A POST with a small body to [host], of which [port] is open here. */
static inline raaf_request_t *request_to(const char *host, int port) {
    static const char body[] = "{\"stream\":true}";
    raaf_request_t *request = request_new();
    char url[256];

    snprintf(url, sizeof url, "http://%s:%d/v1/chat/completions", host, port);
    raaf_request_set(&request->url, url, strlen(url));
    raaf_request_set(&request->host, host, strlen(host));
    raaf_request_set_body(request, body, strlen(body));
    raaf_request_add_header(request, "Content-Type: application/json", 30);
    return request;
}

static inline raaf_request_t *script_new(void) {
    raaf_request_t *request = request_new();

    request->scripted = true;
    return request;
}

static inline void script_add(raaf_request_t *request, uint64_t delay_ns, const char *text) {
    CHECK_EQ_INT(raaf_request_add_step(request, delay_ns, text, strlen(text)), RAAF_OK);
}

typedef struct consumer {
    raaf_stream_t *stream; /* one reference */
    raaf_batch_t batch;
    raaf_waker_t waker;
    uint64_t seq;       /* of the last chunk */
    size_t terminals;   /* chunks that were terminal */
    int ended_as;       /* type of the last of them */
    size_t ended_at;    /* its cumulative's length, where it has one */
    raaf_buffer_t text; /* all content deltas, one behind the other */
} consumer_t;

static inline consumer_t consumer_of(raaf_stream_t *stream) {
    consumer_t consumer = {.stream = stream};

    raaf_batch_init(&consumer.batch);
    raaf_waker_open(&consumer.waker, false);
    raaf_buffer_init(&consumer.text, (size_t)64 << 20);
    return consumer;
}

/* Gives back the chunk that was handed out last. */
static inline void consumer_drop(consumer_t *consumer) {
    const size_t next = consumer->batch.next;

    if (next > 0 && next <= consumer->batch.count)
        raaf_chunk_free(&consumer->batch.chunks[next - 1]);
}

/* Submits a new stream for [request], which it takes. */
static inline consumer_t consumer_start(raaf_reactor_t *reactor, raaf_request_t *request) {
    consumer_t consumer = consumer_of(raaf_stream_new(request, 1, NULL));

    raaf_reactor_submit(reactor, consumer.stream);
    return consumer;
}

static inline void consumer_free(consumer_t *consumer) {
    consumer_drop(consumer);
    raaf_batch_free(&consumer->batch);
    raaf_buffer_free(&consumer->text);
    raaf_waker_close(&consumer->waker);
    raaf_stream_release(consumer->stream);
}

static inline void consumer_cancel(const consumer_t *consumer) {
    raaf_reactor_post(consumer->stream, RAAF_COMMAND_CANCEL);
}

/* Takes what is there; returns whether there is a chunk to work off. */
static inline bool consumer_fill(consumer_t *consumer) {
    bool wake_producer = false;

    if (consumer->batch.next < consumer->batch.count) return true;
    consumer_drop(consumer);
    raaf_stream_queue_take(&consumer->stream->queue, &consumer->batch, &wake_producer);
    if (wake_producer) raaf_reactor_post(consumer->stream, RAAF_COMMAND_RESUME);
    return consumer->batch.count > 0;
}

/* Waits for a chunk. Returns false when none has come in 30 s. */
static inline bool consumer_wait(consumer_t *consumer) {
    while (!consumer_fill(consumer)) {
        struct pollfd watched = {.fd = consumer->waker.read_fd, .events = POLLIN};
        int woken = 1;

        if (raaf_stream_queue_arm(&consumer->stream->queue, consumer->waker.write_fd))
            woken = poll(&watched, 1, CONSUMER_PATIENCE_MS);
        raaf_stream_queue_disarm(&consumer->stream->queue);
        raaf_waker_drain(&consumer->waker);
        if (woken == 0) return CHECK(!"no chunk came");
    }
    return true;
}

static inline bool is_terminal(const raaf_chunk_t *chunk) {
    return chunk->type == RAAF_CHUNK_COMPLETE || chunk->type == RAAF_CHUNK_ERROR;
}

/*
 * The next chunk, waited for; NULL if none came. It is the consumer's, until the next call: its
 * number is checked, and that its cumulative ends in its delta.
 */
static inline raaf_chunk_t *consumer_next(consumer_t *consumer) {
    raaf_chunk_t *chunk;

    consumer_drop(consumer);
    if (!consumer_wait(consumer)) return NULL;
    chunk = &consumer->batch.chunks[consumer->batch.next++];
    CHECK_EQ_UINT(chunk->seq, consumer->seq + 1);
    CHECK_EQ_UINT(consumer->terminals, 0); /* nothing comes behind a terminal chunk */
    consumer->seq = chunk->seq;
    if (is_terminal(chunk)) {
        consumer->terminals++;
        consumer->ended_as = chunk->type;
        consumer->ended_at = chunk->text ? chunk->text_len : consumer->text.len;
    }
    if (chunk->type == RAAF_CHUNK_CONTENT && chunk->choice == 0)
        raaf_buffer_append(&consumer->text, chunk->bytes, chunk->len);
    return chunk;
}

static inline bool consumer_gets(consumer_t *consumer, const char *text) {
    const raaf_chunk_t *chunk = consumer_next(consumer);

    return chunk != NULL && CHECK_EQ_INT(chunk->type, RAAF_CHUNK_CONTENT) &&
           CHECK_EQ_STR(chunk->bytes, chunk->len, text);
}

/*
 * Takes all that is left, if anything; checks that the stream ended in [code], once, with the whole
 * text, and says nothing more. May be asked again.
 */
static inline void consumer_ends(consumer_t *consumer, int code) {
    while (consumer->terminals == 0) {
        if (consumer_next(consumer) == NULL) return;
    }
    CHECK_EQ_CSTR(raaf_result_code_name(consumer->stream->outcome.code),
                  raaf_result_code_name(code));
    CHECK_EQ_INT(consumer->ended_as, code == RAAF_OK ? RAAF_CHUNK_COMPLETE : RAAF_CHUNK_ERROR);
    CHECK_EQ_UINT(consumer->ended_at, consumer->text.len);
    CHECK_EQ_INT(atomic_load(&consumer->stream->stage), RAAF_STAGE_ENDED);
    CHECK(!raaf_stream_queue_ready(&consumer->stream->queue));
}

#endif
