#include "check.h"
#include "delivery.h"
#include "reactor_world.h"

static int64_t day_clock(void) {
    return 1700000000;
}

/* A delivery without a reactor, and who counts what it hands over. */
typedef struct desk {
    raaf_analytics_t *analytics;
    consumer_t consumer;
    raaf_delivery_t delivery;
} desk_t;

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

static raaf_series_t *series_of(raaf_analytics_t *analytics) {
    return raaf_analytics_series(analytics, slice("openai"), slice("gpt-4o"));
}

static void desk_open(desk_t *desk, raaf_request_t *request) {
    desk->analytics = raaf_analytics_new(day_clock);
    request->series = series_of(desk->analytics);
    desk->consumer = consumer_of(raaf_stream_new(request, 1, NULL));
    raaf_delivery_init(&desk->delivery, desk->consumer.stream);
    desk->consumer.stream->outcome.started_at = raaf_clock_now();
}

static void desk_close(desk_t *desk) {
    raaf_delivery_free(&desk->delivery);
    consumer_free(&desk->consumer);
    raaf_analytics_free(desk->analytics);
}

static void say_as(desk_t *desk, raaf_chunk_type_t type, const char *text) {
    const raaf_delta_t delta = {.type = type, .text = slice(text), .usage = RAAF_USAGE_UNKNOWN};

    CHECK_EQ_INT(raaf_delivery_delta(&desk->delivery, &delta), RAAF_OK);
}

static void say(desk_t *desk, const char *text) {
    say_as(desk, RAAF_CHUNK_CONTENT, text);
}

static void use_tokens(desk_t *desk, int64_t completion, int64_t reasoning) {
    raaf_delta_t delta = {.type = RAAF_CHUNK_USAGE, .usage = RAAF_USAGE_UNKNOWN};

    delta.usage.prompt_tokens = 100;
    delta.usage.completion_tokens = completion;
    delta.usage.total_tokens = 100 + completion;
    delta.usage.reasoning_tokens = reasoning;
    CHECK_EQ_INT(raaf_delivery_delta(&desk->delivery, &delta), RAAF_OK);
}

static void arrived(desk_t *desk, uint64_t ms) {
    raaf_tally_read(&desk->delivery.tally, RAAF_MS(ms));
    raaf_tally_count(&desk->delivery.tally);
}

static raaf_figures_t figures_of(raaf_analytics_t *analytics) {
    raaf_figures_t figures[RAAF_ANALYTICS_LABELS];

    CHECK_EQ_INT(
        raaf_analytics_summarise(analytics, INT64_MIN, INT64_MAX, RAAF_BY_NOTHING, figures), 1);
    return figures[0];
}

static raaf_measured_t measured(const desk_t *desk, raaf_measure_t measure) {
    return figures_of(desk->analytics).measured[measure];
}

TEST(tally_counts_chunks_once_they_have_arrived) {
    desk_t desk;

    desk_open(&desk, request_new());
    say(&desk, "four");
    say(&desk, "seven77");
    say_as(&desk, RAAF_CHUNK_REASONING, "hm");
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_CONTENT], 0);
    arrived(&desk, 1000);
    raaf_figures_t figures = figures_of(desk.analytics);
    CHECK_EQ_UINT(figures.chunks[RAAF_CHUNK_CONTENT], 2);
    CHECK_EQ_UINT(figures.chunks[RAAF_CHUNK_REASONING], 1);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_SIZE].count, 3);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_SIZE].sum, 13);
    CHECK(figures.measured[RAAF_MEASURE_SIZE].max == 7);
    arrived(&desk, 2000); /* nothing more has come */
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_CONTENT], 2);
    desk_close(&desk);
}

TEST(tally_measures_pieces_of_every_size) {
    desk_t desk;
    uint64_t sum = 0;
    char text[1001];

    desk_open(&desk, request_new());
    memset(text, 'a', sizeof text);
    for (size_t len = 1; len <= 1000; len++) {
        const raaf_delta_t delta = {.type = RAAF_CHUNK_CONTENT, .text = {text, len}};
        CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &delta), RAAF_OK);
        sum += len;
    }
    arrived(&desk, 1);
    raaf_measured_t sizes = measured(&desk, RAAF_MEASURE_SIZE);
    CHECK_EQ_UINT(sizes.count, 1000);
    CHECK_EQ_UINT(sizes.sum, sum);
    CHECK(sizes.p50 >= 500 - 500 / 32 && sizes.p50 <= 500 + 500 / 32);
    CHECK(sizes.p99 >= 990 - 990 / 32 && sizes.p99 <= 990 + 990 / 32);
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_CONTENT], 1000);
    desk_close(&desk);
}

TEST(tally_measures_no_size_where_there_is_no_piece) {
    desk_t desk;

    desk_open(&desk, request_new());
    say_as(&desk, RAAF_CHUNK_TOOL_CALL, "{\"city\":\"Rome\"}");
    arrived(&desk, 1);
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_TOOL_CALL], 1);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_SIZE).count, 0);
    desk_close(&desk);
}

TEST(tally_measures_gaps_between_arrivals) {
    desk_t desk;

    desk_open(&desk, request_new());
    say(&desk, "a");
    arrived(&desk, 1000);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_GAP).count, 0);
    say(&desk, "b");
    say(&desk, "c");
    arrived(&desk, 1010);
    arrived(&desk, 1500); /* without a chunk it is none */
    say(&desk, "d");
    arrived(&desk, 1030);
    raaf_measured_t gaps = measured(&desk, RAAF_MEASURE_GAP);
    CHECK_EQ_UINT(gaps.count, 2);
    CHECK_EQ_UINT(gaps.sum, 10000 + 20000); /* microseconds */
    desk_close(&desk);
}

TEST(tally_blames_no_gap_on_a_provider_that_was_held_up) {
    desk_t desk;

    desk_open(&desk, request_new());
    say(&desk, "a");
    arrived(&desk, 1000);
    raaf_tally_held_up(&desk.delivery.tally);
    say(&desk, "b");
    arrived(&desk, 9000);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_GAP).count, 0);
    say(&desk, "c");
    arrived(&desk, 9001);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_GAP).sum, 1000);
    desk_close(&desk);
}

TEST(tally_measures_the_first_token_when_it_comes_and_not_when_it_is_let_go) {
    raaf_request_t *request = request_new();
    desk_t desk;

    request->limits.coalesce_chars = 100;
    desk_open(&desk, request);
    desk.consumer.stream->outcome.started_at = raaf_clock_now() - RAAF_MS(2000);
    say(&desk, "a");
    say(&desk, "b");
    raaf_measured_t first = measured(&desk, RAAF_MEASURE_FIRST_TOKEN);
    CHECK_EQ_UINT(first.count, 1);
    CHECK(first.mean >= 2000000);
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_CONTENT], 0);
    raaf_delivery_end(&desk.delivery, RAAF_OK); /* which flushes */
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_CONTENT], 1);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_SIZE).sum, 2);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_FIRST_TOKEN).count, 1);
    desk_close(&desk);
}

static raaf_counter_t ended_as(int code) {
    desk_t desk;
    raaf_counter_t found = RAAF_COUNTER_COUNT;

    desk_open(&desk, request_new());
    raaf_delivery_end(&desk.delivery, code);
    raaf_delivery_end(&desk.delivery, RAAF_OK); /* only the first counts */
    raaf_figures_t figures = figures_of(desk.analytics);
    for (int i = 0; i < RAAF_COUNTER_COUNT; i++) {
        if (!figures.counters[i]) continue;
        CHECK_EQ_UINT(figures.counters[i], 1);
        CHECK_EQ_INT(found, RAAF_COUNTER_COUNT);
        found = (raaf_counter_t)i;
    }
    desk_close(&desk);
    return found;
}

TEST(tally_counts_how_calls_end) {
    CHECK_EQ_INT(ended_as(RAAF_OK), RAAF_COUNT_CALLS_COMPLETED);
    CHECK_EQ_INT(ended_as(RAAF_TRUNCATED), RAAF_COUNT_CALLS_FAILED);
    CHECK_EQ_INT(ended_as(RAAF_HTTP_STATUS), RAAF_COUNT_CALLS_FAILED);
    CHECK_EQ_INT(ended_as(RAAF_CANCELLED), RAAF_COUNT_CALLS_CANCELLED);
    CHECK_EQ_INT(ended_as(RAAF_SHUTDOWN), RAAF_COUNT_CALLS_CANCELLED);
}

TEST(tally_counts_retries_as_no_chunk) {
    const raaf_retry_t retry = {.notice = {.number = 1, .most = 2}, .reason = "429"};
    desk_t desk;

    desk_open(&desk, request_new());
    CHECK_EQ_INT(raaf_delivery_retry(&desk.delivery, &retry), RAAF_OK);
    arrived(&desk, 1);
    CHECK_EQ_UINT(figures_of(desk.analytics).counters[RAAF_COUNT_RETRIES], 1);
    CHECK_EQ_UINT(figures_of(desk.analytics).chunks[RAAF_CHUNK_STATUS], 0);
    desk_close(&desk);
}

/* ---- tokens ---- */

/* A call whose first token came 2 s before the last of its chunks. */
static raaf_figures_t figures_with_usage(int64_t completion, int64_t reasoning, bool reasoned) {
    desk_t desk;

    desk_open(&desk, request_new());
    if (reasoned) say_as(&desk, RAAF_CHUNK_REASONING, "hm");
    say(&desk, "a");
    const uint64_t now = desk.consumer.stream->outcome.first_token_at;
    raaf_tally_read(&desk.delivery.tally, now);
    raaf_tally_count(&desk.delivery.tally);
    say(&desk, "b");
    raaf_tally_read(&desk.delivery.tally, now + RAAF_MS(2000));
    raaf_tally_count(&desk.delivery.tally);
    use_tokens(&desk, completion, reasoning);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    const raaf_figures_t figures = figures_of(desk.analytics);
    desk_close(&desk);
    return figures;
}

/* In thousandths; 0: none. */
static uint64_t rate_of(int64_t completion, int64_t reasoning, bool reasoned) {
    raaf_figures_t figures = figures_with_usage(completion, reasoning, reasoned);

    return figures.measured[RAAF_MEASURE_TOKEN_RATE].sum;
}

TEST(tally_counts_tokens_as_the_provider_says) {
    raaf_figures_t figures = figures_with_usage(41, 30, false);

    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_CALLS_WITH_USAGE], 1);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_PROMPT_TOKENS], 100);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_COMPLETION_TOKENS], 41);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_TOTAL_TOKENS], 141);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_CACHED_TOKENS], 0); /* it did not say */
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_REASONING_TOKENS], 30);
}

TEST(tally_measures_the_tokens_that_came_after_the_first) {
    CHECK_EQ_UINT(rate_of(41, -1, false), 20000);
    CHECK_EQ_UINT(rate_of(2, -1, false), 500);
    CHECK_EQ_UINT(rate_of(1, -1, false), 0);
    CHECK_EQ_UINT(rate_of(-1, -1, false), 0);
    CHECK_EQ_UINT(rate_of(INT64_MAX - 100, -1, false), RAAF_HISTOGRAM_MAX);
}

TEST(tally_leaves_out_the_tokens_of_reasoning_that_nobody_saw) {
    CHECK_EQ_UINT(rate_of(1041, 1000, false), 20000);
    CHECK_EQ_UINT(rate_of(1041, 1000, true), 520000);
    CHECK_EQ_UINT(rate_of(10, 1000, false), 0);
}

TEST(tally_measures_no_rate_of_an_answer_that_came_at_once) {
    desk_t desk;

    desk_open(&desk, request_new());
    const uint64_t before = raaf_clock_now();
    say(&desk, "all of it");
    raaf_tally_read(&desk.delivery.tally, before);
    raaf_tally_count(&desk.delivery.tally);
    use_tokens(&desk, 41, -1);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    CHECK_EQ_UINT(measured(&desk, RAAF_MEASURE_TOKEN_RATE).count, 0);
    CHECK_EQ_UINT(figures_of(desk.analytics).counters[RAAF_COUNT_COMPLETION_TOKENS], 41);
    desk_close(&desk);
}

TEST(tally_counts_nothing_where_nobody_counts) {
    desk_t desk = {.consumer = consumer_of(raaf_stream_new(request_new(), 1, NULL))};

    raaf_delivery_init(&desk.delivery, desk.consumer.stream);
    say(&desk, "a");
    use_tokens(&desk, 3, 0);
    arrived(&desk, 1);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    CHECK_EQ_PTR(desk.delivery.tally.series, NULL);
    CHECK_EQ_UINT(desk.delivery.tally.pieces, 0);
    raaf_delivery_free(&desk.delivery);
    consumer_free(&desk.consumer);
}

/* ---- with a reactor ---- */

WORLD_TEST(tally_of_a_transfer_has_all_of_it_when_its_end_is_seen) {
    raaf_analytics_t *analytics = raaf_analytics_new(day_clock);
    raaf_request_t *request = request_here(world);

    request->series = series_of(analytics);
    request->limits.max_retries = 1;
    request->limits.max_retry_delay_ns = RAAF_MS(1000);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_answer(world, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    peer_close(&peer);
    peer = peer_begin(world);
    peer_event(&peer, CONTENT("one"));
    CHECK_EQ_INT(consumer_next(&consumer)->type, RAAF_CHUNK_STATUS);
    consumer_gets(&consumer, "one");
    peer_event(&peer, CONTENT("and") CONTENT("two"));
    consumer_gets(&consumer, "and");
    consumer_gets(&consumer, "two");
    CHECK_EQ_UINT(figures_of(analytics).counters[RAAF_COUNT_CALLS_COMPLETED], 0);
    peer_event(&peer, FINISH USAGE DONE);
    consumer_ends(&consumer, RAAF_OK);
    raaf_figures_t figures = figures_of(analytics);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_RETRIES], 1);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_CALLS_COMPLETED], 1);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_CALLS_FAILED], 0);
    CHECK_EQ_UINT(figures.counters[RAAF_COUNT_COMPLETION_TOKENS], 2);
    CHECK_EQ_UINT(figures.chunks[RAAF_CHUNK_CONTENT], 3);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_SIZE].sum, 9);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_FIRST_TOKEN].count, 1);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_GAP].count, 1);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_TOKEN_RATE].count, 1);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_OK);
    raaf_analytics_free(analytics);
}

WORLD_TEST(tally_of_a_coalescing_transfer_counts_what_a_timer_lets_go) {
    raaf_analytics_t *analytics = raaf_analytics_new(day_clock);
    raaf_request_t *request = request_here(world);

    request->series = series_of(analytics);
    request->limits.coalesce_chars = 1000;
    request->limits.coalesce_ns = RAAF_MS(1);
    consumer_t consumer = consumer_start(world->reactor, request);
    peer_t peer = peer_begin(world);
    peer_event(&peer, CONTENT("one") CONTENT("two"));
    consumer_gets(&consumer, "onetwo");
    CHECK_SOON(figures_of(analytics).chunks[RAAF_CHUNK_CONTENT] == 1);
    consumer_cancel(&consumer);
    consumer_ends(&consumer, RAAF_CANCELLED);
    CHECK_EQ_UINT(figures_of(analytics).counters[RAAF_COUNT_CALLS_CANCELLED], 1);
    peer_close(&peer);
    ends_and_leaves(world, &consumer, RAAF_CANCELLED);
    raaf_analytics_free(analytics);
}

/* Whether the reactor waits for the consumer to make room. */
static bool held_up(const consumer_t *consumer) {
    raaf_stream_queue_t *queue = &consumer->stream->queue;

    pthread_mutex_lock(&queue->mutex);
    const bool starved = queue->starved;
    pthread_mutex_unlock(&queue->mutex);
    return starved;
}

WORLD_TEST(tally_of_a_transfer_that_its_consumer_held_up_has_no_gap) {
    raaf_analytics_t *analytics = raaf_analytics_new(day_clock);
    raaf_request_t *request = script_new();

    request->series = series_of(analytics);
    request->limits.queue_items = 1;
    script_add(request, 0, CONTENT("a"));
    script_add(request, 0, CONTENT("b"));
    script_add(request, 0, CONTENT("c") FINISH DONE);
    consumer_t consumer = consumer_start(world->reactor, request);
    CHECK_SOON(held_up(&consumer));
    consumer_gets(&consumer, "a");
    CHECK_SOON(held_up(&consumer));
    consumer_gets(&consumer, "b");
    consumer_gets(&consumer, "c");
    consumer_ends(&consumer, RAAF_OK);
    raaf_figures_t figures = figures_of(analytics);
    CHECK_EQ_UINT(figures.chunks[RAAF_CHUNK_CONTENT], 3);
    CHECK_EQ_UINT(figures.measured[RAAF_MEASURE_GAP].count, 0);
    ends_and_leaves(world, &consumer, RAAF_OK);
    raaf_analytics_free(analytics);
}
