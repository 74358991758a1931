#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "result_code.h"
#include "stream_queue.c"
#include "waker.h"

#include <poll.h>

static raaf_chunk_t numbered(uint64_t seq) {
    return (raaf_chunk_t){.seq = seq, .bytes = "abc", .len = 3, .type = RAAF_CHUNK_CONTENT};
}

static raaf_chunk_t with_payload(uint64_t seq, const char *text) {
    const raaf_delta_t delta = {.text = {text, strlen(text)}};
    raaf_chunk_t chunk = {.seq = seq, .type = RAAF_CHUNK_TOOL_CALL};

    chunk.payload = raaf_chunk_payload_new(&delta);
    chunk.bytes = chunk.payload->text.bytes;
    chunk.len = chunk.payload->text.len;
    return chunk;
}

static raaf_chunk_t terminal(uint64_t seq) {
    return (raaf_chunk_t){.seq = seq, .type = RAAF_CHUNK_COMPLETE};
}

static void open_queue(raaf_stream_queue_t *queue, size_t max_items, size_t max_bytes) {
    CHECK_EQ_INT(raaf_stream_queue_init(queue, max_items, max_bytes), RAAF_OK);
}

static int push(raaf_stream_queue_t *queue, uint64_t seq) {
    raaf_chunk_t chunk = numbered(seq);

    return raaf_stream_queue_push(queue, &chunk);
}

static void end(raaf_stream_queue_t *queue, uint64_t seq) {
    raaf_chunk_t chunk = terminal(seq);

    raaf_stream_queue_end(queue, &chunk);
}

/* Works off the whole batch, which has the chunks from [seq] on; returns the next number. */
static uint64_t work_off(raaf_batch_t *batch, uint64_t seq) {
    for (; batch->next < batch->count; batch->next++, seq++) {
        if (!CHECK_EQ_UINT(batch->chunks[batch->next].seq, seq)) break;
        raaf_chunk_free(&batch->chunks[batch->next]);
    }
    return seq;
}

TEST(queue_hands_over_all_chunks_at_once_in_order) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    bool wake = true;

    open_queue(&queue, 100, 1000);
    raaf_batch_init(&batch);
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 0);
    CHECK(!wake);
    CHECK(!raaf_stream_queue_ready(&queue));
    for (uint64_t seq = 1; seq <= 50; seq++) {
        CHECK_EQ_INT(push(&queue, seq), RAAF_OK);
    }
    end(&queue, 51);
    CHECK(raaf_stream_queue_ready(&queue));
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 51);
    CHECK(!raaf_stream_queue_ready(&queue));
    CHECK_EQ_INT(batch.chunks[50].type, RAAF_CHUNK_COMPLETE);
    CHECK_EQ_UINT(work_off(&batch, 1), 52);
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 0);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_and_batch_trade_their_arrays_without_allocating) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    uint64_t pushed = 0, taken = 1;
    long calls = 0;
    bool wake;

    open_queue(&queue, 1000, 100000);
    raaf_batch_init(&batch);
    for (int round = 0; round < 100; round++) {
        if (round == 2) calls = memory_calls();
        for (int i = 0; i < 200; i++) {
            push(&queue, ++pushed);
        }
        raaf_stream_queue_take(&queue, &batch, &wake);
        taken = work_off(&batch, taken);
    }
    CHECK_EQ_UINT(taken, pushed + 1);
    CHECK_EQ_INT(memory_calls() - calls, 0);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_gives_a_large_array_back_when_it_is_no_longer_needed) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    uint64_t taken = 1;
    bool wake;

    open_queue(&queue, SIZE_MAX, SIZE_MAX);
    raaf_batch_init(&batch);
    for (uint64_t seq = 1; seq <= 5000; seq++) {
        push(&queue, seq);
    }
    raaf_stream_queue_take(&queue, &batch, &wake);
    CHECK(batch.capacity > 5000);
    taken = work_off(&batch, taken);
    for (int round = 0; round < 4; round++) {
        raaf_stream_queue_take(&queue, &batch, &wake);
        taken = work_off(&batch, taken);
    }
    CHECK(batch.capacity <= 4096);
    CHECK(queue.capacity <= 4096);

    for (uint64_t seq = 5001; seq <= 10000; seq++) {
        push(&queue, seq);
    }
    for (uint64_t seq = 10001; seq <= 10005; seq++) {
        raaf_stream_queue_take(&queue, &batch, &wake);
        taken = work_off(&batch, taken);
        push(&queue, seq);
    }
    CHECK(batch.capacity <= 4096);
    CHECK(queue.capacity <= 4096);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_keeps_large_arrays_that_are_filled_every_time) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    uint64_t pushed = 0, taken = 1;
    long calls = 0;
    bool wake;

    open_queue(&queue, SIZE_MAX, SIZE_MAX);
    raaf_batch_init(&batch);
    for (int round = 0; round < 10; round++) {
        if (round == 2) calls = memory_calls();
        for (int i = 0; i < 5000; i++) {
            push(&queue, ++pushed);
        }
        raaf_stream_queue_take(&queue, &batch, &wake);
        taken = work_off(&batch, taken);
    }
    CHECK_EQ_UINT(taken, pushed + 1);
    CHECK_EQ_INT(memory_calls() - calls, 0);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_takes_nothing_after_the_terminal_chunk) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    raaf_chunk_t late = with_payload(2, "late");
    raaf_chunk_t second = with_payload(3, "second end");
    bool wake;

    open_queue(&queue, 10, 10);
    raaf_batch_init(&batch);
    end(&queue, 1);
    CHECK_EQ_INT(raaf_stream_queue_push(&queue, &late), RAAF_STOP);
    CHECK_EQ_PTR(late.payload, NULL);
    raaf_stream_queue_end(&queue, &second);
    CHECK_EQ_PTR(second.payload, NULL);
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 1);
    work_off(&batch, 1);
    end(&queue, 4);
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 0);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_owns_payloads_until_they_are_taken) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    raaf_chunk_t chunk = with_payload(1, "{}");
    bool wake;

    open_queue(&queue, 10, 1000);
    raaf_batch_init(&batch);
    CHECK_EQ_INT(raaf_stream_queue_push(&queue, &chunk), RAAF_OK);
    CHECK_EQ_PTR(chunk.payload, NULL);
    chunk = with_payload(2, "{}");
    raaf_stream_queue_push(&queue, &chunk);
    raaf_stream_queue_take(&queue, &batch, &wake);
    CHECK_EQ_STR(batch.chunks[0].bytes, batch.chunks[0].len, "{}");
    raaf_chunk_free(&batch.chunks[batch.next++]);
    chunk = with_payload(3, "left in the queue");
    raaf_stream_queue_push(&queue, &chunk);
    raaf_batch_free(&batch); /* with one chunk not worked off */
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
    raaf_stream_queue_free(&queue);
}

TEST(queue_is_full_at_its_bound_of_items_and_says_so_to_the_next_take) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    bool wake = false;

    open_queue(&queue, 2, SIZE_MAX);
    raaf_batch_init(&batch);
    CHECK(!raaf_stream_queue_full(&queue));
    push(&queue, 1);
    CHECK(!raaf_stream_queue_full(&queue));
    push(&queue, 2);
    CHECK_EQ_INT(push(&queue, 3), RAAF_OK); /* a read may overshoot the bound */
    CHECK(raaf_stream_queue_full(&queue));
    CHECK(raaf_stream_queue_full(&queue));
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 3);
    CHECK(wake);
    work_off(&batch, 1);
    CHECK(!raaf_stream_queue_full(&queue));
    raaf_stream_queue_take(&queue, &batch, &wake);
    CHECK(!wake);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_counts_bytes_of_deltas_and_payloads) {
    const size_t payload = sizeof(raaf_chunk_payload_t) + 2;
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    raaf_chunk_t own = with_payload(2, "{}");
    raaf_chunk_t borrowed = with_payload(3, "{}");
    bool wake;

    borrowed.bytes = "12345";
    borrowed.len = 5;
    open_queue(&queue, SIZE_MAX, 3 + payload + payload + 5);
    raaf_batch_init(&batch);
    push(&queue, 1);
    raaf_stream_queue_push(&queue, &own);
    CHECK_EQ_UINT(queue.bytes, 3 + payload);
    CHECK(!raaf_stream_queue_full(&queue));
    raaf_stream_queue_push(&queue, &borrowed);
    CHECK(raaf_stream_queue_full(&queue));
    raaf_stream_queue_take(&queue, &batch, &wake);
    CHECK_EQ_UINT(queue.bytes, 0);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(empty_queue_is_never_full) {
    raaf_stream_queue_t queue;

    open_queue(&queue, 0, 0);
    CHECK(!raaf_stream_queue_full(&queue));
    push(&queue, 1);
    CHECK(raaf_stream_queue_full(&queue));
    raaf_stream_queue_free(&queue);
}

static bool is_awake(const raaf_waker_t *waker, int timeout_ms) {
    struct pollfd watched = {.fd = waker->read_fd, .events = POLLIN};

    return poll(&watched, 1, timeout_ms) == 1;
}

TEST(queue_writes_once_to_a_consumer_that_sleeps) {
    raaf_stream_queue_t queue;
    raaf_waker_t waker;

    open_queue(&queue, 10, 1000);
    raaf_waker_open(&waker, false);
    CHECK(raaf_stream_queue_arm(&queue, waker.write_fd));
    raaf_stream_queue_signal(&queue);
    CHECK(!is_awake(&waker, 0)); /* nothing to take */
    push(&queue, 1);
    CHECK(!is_awake(&waker, 0));
    raaf_stream_queue_signal(&queue);
    CHECK(is_awake(&waker, 0));
    raaf_waker_drain(&waker);
    push(&queue, 2);
    raaf_stream_queue_signal(&queue);
    CHECK(!is_awake(&waker, 0));
    raaf_waker_close(&waker);
    raaf_stream_queue_free(&queue);
}

TEST(queue_arms_nothing_where_something_waits) {
    raaf_stream_queue_t queue;
    raaf_waker_t waker;

    open_queue(&queue, 10, 1000);
    raaf_waker_open(&waker, true);
    push(&queue, 1);
    CHECK(!raaf_stream_queue_arm(&queue, waker.write_fd));
    raaf_stream_queue_signal(&queue);
    CHECK(!is_awake(&waker, 0));
    raaf_waker_close(&waker);
    raaf_stream_queue_free(&queue);
}

TEST(queue_writes_nothing_after_disarm) {
    raaf_stream_queue_t queue;
    raaf_waker_t waker;

    open_queue(&queue, 10, 1000);
    raaf_waker_open(&waker, false);
    raaf_stream_queue_arm(&queue, waker.write_fd);
    raaf_stream_queue_disarm(&queue);
    push(&queue, 1);
    raaf_stream_queue_signal(&queue);
    CHECK(!is_awake(&waker, 0));
    raaf_waker_close(&waker);
    raaf_stream_queue_free(&queue);
}

TEST(queue_wakes_for_the_terminal_chunk) {
    raaf_stream_queue_t queue;
    raaf_waker_t waker;

    open_queue(&queue, 10, 1000);
    raaf_waker_open(&waker, false);
    raaf_stream_queue_arm(&queue, waker.write_fd);
    end(&queue, 1);
    raaf_stream_queue_signal(&queue);
    CHECK(is_awake(&waker, 0));
    raaf_waker_close(&waker);
    raaf_stream_queue_free(&queue);
}

TEST(queue_has_a_place_for_the_terminal_chunk_whenever_memory_runs_out) {
    for (uint64_t before = 0; before < 100; before++) {
        raaf_stream_queue_t queue;
        raaf_batch_t batch;
        uint64_t seq = 0;
        bool wake;

        open_queue(&queue, 1000, 100000);
        raaf_batch_init(&batch);
        while (seq < before) {
            push(&queue, ++seq);
        }
        memory_runs_out_after(0);
        for (int i = 0; i < 300; i++) {
            raaf_chunk_t chunk = numbered(seq + 1);
            if (raaf_stream_queue_push(&queue, &chunk) == RAAF_OK) seq++;
        }
        CHECK_EQ_INT(push(&queue, seq + 1), RAAF_NO_MEMORY);
        end(&queue, seq + 1);
        memory_is_back();
        CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), seq + 1);
        CHECK_EQ_UINT(work_off(&batch, 1), seq + 2);
        raaf_batch_free(&batch);
        raaf_stream_queue_free(&queue);
    }
}

TEST(chunk_stays_the_callers_where_there_is_no_memory) {
    raaf_stream_queue_t queue;
    raaf_chunk_t chunk = with_payload(8, "mine");

    open_queue(&queue, 1000, 100000);
    for (uint64_t seq = 1; seq <= 7; seq++) {
        push(&queue, seq);
    }
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_stream_queue_push(&queue, &chunk), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_STR(chunk.bytes, chunk.len, "mine");
    raaf_chunk_free(&chunk);
    raaf_stream_queue_free(&queue);
}

TEST(consumer_without_memory_takes_one_chunk_after_the_other) {
    raaf_stream_queue_t queue;
    raaf_batch_t batch;
    raaf_chunk_t chunk = with_payload(4, "{}");
    bool wake;

    open_queue(&queue, 1000, 100000);
    raaf_batch_init(&batch);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        push(&queue, seq);
    }
    raaf_stream_queue_push(&queue, &chunk);
    end(&queue, 5);
    memory_runs_out_after(0);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 1);
        CHECK_EQ_UINT(work_off(&batch, seq), seq + 1);
    }
    CHECK_EQ_UINT(queue.bytes, sizeof(raaf_chunk_payload_t) + 2);
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 1);
    CHECK_EQ_UINT(queue.bytes, 0);
    raaf_batch_free(&batch); /* with the payload not worked off */
    memory_is_back();
    CHECK_EQ_UINT(raaf_stream_queue_take(&queue, &batch, &wake), 1);
    CHECK_EQ_UINT(work_off(&batch, 5), 6);
    raaf_batch_free(&batch);
    raaf_stream_queue_free(&queue);
}

TEST(queue_without_memory_is_not_made) {
    raaf_stream_queue_t queue;

    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_stream_queue_init(&queue, 1, 1), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_stream_queue_free(&queue);
}

/* ---- a producer and a consumer, each a thread that sleeps where it has nothing to do ---- */

#define SLEEP_LIMIT_MS 30000 /* a sleep as long as this is a wake that was lost */

typedef struct pair {
    raaf_stream_queue_t queue;
    raaf_text_t *text;
    raaf_waker_t producer_waker;
    raaf_waker_t consumer_waker;
    uint64_t total; /* chunks before the terminal one */
    size_t turn;    /* most chunks the producer makes between two signals */
    size_t longest; /* batch the consumer saw */
} pair_t;

static void fall_asleep(const raaf_waker_t *waker) {
    CHECK(is_awake(waker, SLEEP_LIMIT_MS));
    raaf_waker_drain(waker);
}

static raaf_chunk_t next_chunk(pair_t *pair, uint64_t seq) {
    raaf_chunk_t chunk = {.seq = seq, .text = pair->text};
    char digits[24];
    const int len = snprintf(digits, sizeof digits, "%llu ", (unsigned long long)seq);

    if (seq % 64 == 0) return with_payload(seq, digits);
    CHECK_EQ_INT(raaf_text_append(pair->text, digits, (size_t)len, &chunk.bytes), RAAF_OK);
    chunk.len = (size_t)len;
    chunk.text_len = raaf_text_len(pair->text);
    return chunk;
}

static void *produce(void *context) {
    pair_t *pair = context;
    uint64_t seq = 0, random = 3;

    while (seq < pair->total) {
        size_t left = 1 + random_below(&random, pair->turn);
        while (left-- > 0 && seq < pair->total && !raaf_stream_queue_full(&pair->queue)) {
            raaf_chunk_t chunk = next_chunk(pair, ++seq);
            if (!CHECK_EQ_INT(raaf_stream_queue_push(&pair->queue, &chunk), RAAF_OK)) return NULL;
        }
        raaf_stream_queue_signal(&pair->queue);
        if (seq < pair->total && raaf_stream_queue_full(&pair->queue)) {
            fall_asleep(&pair->producer_waker);
        }
    }
    end(&pair->queue, seq + 1);
    end(&pair->queue, seq + 2);
    raaf_stream_queue_signal(&pair->queue);
    return NULL;
}

static void look_at(const pair_t *pair, const raaf_chunk_t *chunk) {
    char digits[24];

    if (chunk->type == RAAF_CHUNK_COMPLETE) return;
    snprintf(digits, sizeof digits, "%llu ", (unsigned long long)chunk->seq);
    CHECK_EQ_STR(chunk->bytes, chunk->len, digits);
    if (chunk->text != NULL && chunk->seq % 16384 == 1) {
        char *copy = malloc(chunk->text_len);
        raaf_text_copy(pair->text, copy, chunk->text_len);
        CHECK_EQ_STR(copy + chunk->text_len - chunk->len, chunk->len, digits);
        free(copy);
    }
}

static void consume(pair_t *pair) {
    raaf_batch_t batch;
    uint64_t seq = 0;
    bool over = false;

    raaf_batch_init(&batch);
    while (!over && atomic_load(&check_failures) == 0) {
        bool wake = false;
        const size_t count = raaf_stream_queue_take(&pair->queue, &batch, &wake);
        if (wake) raaf_waker_wake(&pair->producer_waker);
        if (count > pair->longest) pair->longest = count;
        for (; batch.next < batch.count; batch.next++) {
            raaf_chunk_t *chunk = &batch.chunks[batch.next];
            CHECK(!over);
            CHECK_EQ_UINT(chunk->seq, ++seq);
            over = chunk->type == RAAF_CHUNK_COMPLETE;
            look_at(pair, chunk);
            raaf_chunk_free(chunk);
        }
        if (count > 0 || over) continue;
        if (!raaf_stream_queue_arm(&pair->queue, pair->consumer_waker.write_fd)) continue;
        fall_asleep(&pair->consumer_waker);
        raaf_stream_queue_disarm(&pair->queue);
    }
    CHECK(over);
    CHECK_EQ_UINT(seq, pair->total + 1);
    raaf_batch_free(&batch);
}

static void run_pair(uint64_t total, size_t turn, size_t max_items, size_t max_bytes, bool pipe) {
    pair_t pair = {.total = total, .turn = turn, .text = raaf_text_new(SIZE_MAX)};
    pthread_t producer;

    open_queue(&pair.queue, max_items, max_bytes);
    raaf_waker_open(&pair.producer_waker, pipe);
    raaf_waker_open(&pair.consumer_waker, pipe);
    pthread_create(&producer, NULL, produce, &pair);
    consume(&pair);
    pthread_join(producer, NULL);
    CHECK(pair.longest <= max_items + 1);
    CHECK_EQ_UINT(pair.queue.count, 0);
    raaf_waker_close(&pair.producer_waker);
    raaf_waker_close(&pair.consumer_waker);
    raaf_stream_queue_free(&pair.queue);
    raaf_text_release(pair.text);
}

TEST(a_million_chunks_pass_in_order_and_end_once) {
    run_pair(1000000, 200, 4000, (size_t)1 << 20, false);
}

TEST(chunks_pass_one_at_a_time) {
    run_pair(20000, 1, 1, SIZE_MAX, false);
}

TEST(chunks_pass_through_small_bounds_with_pipes) {
    run_pair(100000, 50, 5, SIZE_MAX, true);
}

TEST(chunks_pass_through_a_small_bound_of_bytes) {
    run_pair(100000, 50, 1000, 64, false);
}

TEST(chunks_pass_through_arrays_that_come_and_go) {
    run_pair(300000, 20000, 10000, SIZE_MAX, false);
}
