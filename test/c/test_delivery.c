#include "check.h"
#include "failing_malloc.h"
#include "stream_consumer.h"

#include "chunk.c"
#include "delivery.c"
#include "stream.c"
#include "stream_queue.c"
#include "text.c"

/* A stream and its delivery, without reactor. */
typedef struct desk {
    raaf_delivery_t delivery;
    consumer_t consumer;
} desk_t;

static void desk_open(desk_t *desk, raaf_request_t *request) {
    desk->consumer = consumer_of(raaf_stream_new(request, 1, NULL));
    raaf_delivery_init(&desk->delivery, desk->consumer.stream);
}

static void desk_close(desk_t *desk) {
    raaf_delivery_free(&desk->delivery);
    consumer_free(&desk->consumer);
}

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

static int say_as(desk_t *desk, raaf_chunk_type_t type, uint32_t choice, const char *text) {
    const raaf_delta_t delta = {.type = type, .choice = choice, .text = slice(text)};

    return raaf_delivery_delta(&desk->delivery, &delta);
}

static int say(desk_t *desk, const char *text) {
    return say_as(desk, RAAF_CHUNK_CONTENT, 0, text);
}

/* The next chunk that is there already. */
static const raaf_chunk_t *next(desk_t *desk) {
    static const raaf_chunk_t none = {.type = RAAF_CHUNK_TYPE_COUNT, .bytes = ""};
    const raaf_chunk_t *chunk;

    if (!CHECK(consumer_fill(&desk->consumer))) return &none;
    chunk = consumer_next(&desk->consumer);
    return chunk ? chunk : &none;
}

static bool is_next(desk_t *desk, raaf_chunk_type_t type, const char *text) {
    const raaf_chunk_t *chunk = next(desk);

    return CHECK_EQ_INT(chunk->type, type) && CHECK_EQ_STR(chunk->bytes, chunk->len, text);
}

static bool nothing_there(desk_t *desk) {
    return !consumer_fill(&desk->consumer);
}

static bool cumulative_is(const raaf_chunk_t *chunk, const char *text) {
    char copy[256] = "";

    if (!CHECK(chunk->text != NULL && chunk->text_len < sizeof copy)) return false;
    raaf_text_copy(chunk->text, copy, chunk->text_len);
    return CHECK_EQ_STR(copy, chunk->text_len, text);
}

TEST(delivery_makes_a_chunk_of_each_piece_of_text) {
    desk_t desk;
    const raaf_chunk_t *chunk;

    desk_open(&desk, request_new());
    CHECK_EQ_INT(say(&desk, "Hel"), RAAF_OK);
    CHECK_EQ_INT(say(&desk, ""), RAAF_OK);
    CHECK_EQ_INT(say(&desk, "lo"), RAAF_OK);
    chunk = next(&desk);
    CHECK_EQ_STR(chunk->bytes, chunk->len, "Hel");
    cumulative_is(chunk, "Hel");
    chunk = next(&desk);
    CHECK_EQ_STR(chunk->bytes, chunk->len, "lo");
    cumulative_is(chunk, "Hello");
    CHECK_EQ_PTR(chunk->payload, NULL);
    CHECK(nothing_there(&desk));
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    chunk = next(&desk);
    CHECK_EQ_INT(chunk->type, RAAF_CHUNK_COMPLETE);
    cumulative_is(chunk, "Hello");
    desk_close(&desk);
}

TEST(delivery_numbers_on_from_where_it_is_told) {
    desk_t desk = {.consumer = consumer_of(raaf_stream_new(request_new(), 41, NULL))};

    raaf_delivery_init(&desk.delivery, desk.consumer.stream);
    desk.consumer.seq = 40;
    say(&desk, "a");
    CHECK_EQ_UINT(next(&desk)->seq, 41);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    CHECK_EQ_UINT(next(&desk)->seq, 42);
    desk_close(&desk);
}

TEST(delivery_keeps_the_texts_of_types_and_choices_apart) {
    desk_t desk;

    desk_open(&desk, request_new());
    say_as(&desk, RAAF_CHUNK_REASONING, 0, "hm");
    say_as(&desk, RAAF_CHUNK_CONTENT, 0, "one");
    say_as(&desk, RAAF_CHUNK_CONTENT, 4000000000u, "two");
    say_as(&desk, RAAF_CHUNK_REFUSAL, 0, "no");
    cumulative_is(next(&desk), "");
    cumulative_is(next(&desk), "one");
    const raaf_chunk_t *other = next(&desk);
    CHECK_EQ_UINT(other->choice, 4000000000u);
    cumulative_is(other, "two");
    const raaf_chunk_t *refusal = next(&desk);
    CHECK_EQ_STR(refusal->bytes, refusal->len, "no");
    cumulative_is(refusal, "one");
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    cumulative_is(next(&desk), "one");
    desk_close(&desk);
}

TEST(delivery_copies_the_text_where_none_is_retained) {
    desk_t desk;
    raaf_request_t *request = request_new();
    char text[] = "gone";

    request->limits.retain_text = false;
    desk_open(&desk, request);
    say(&desk, text);
    memset(text, 'x', sizeof text);
    const raaf_chunk_t *chunk = next(&desk);
    CHECK_EQ_STR(chunk->bytes, chunk->len, "gone");
    CHECK(chunk->payload != NULL);
    CHECK_EQ_PTR(chunk->text, NULL);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    CHECK_EQ_PTR(next(&desk)->text, NULL);
    desk_close(&desk);
}

static raaf_request_t *coalescing(size_t chars) {
    raaf_request_t *request = request_new();

    request->limits.coalesce_chars = chars;
    request->limits.coalesce_ns = RAAF_MS(50);
    return request;
}

TEST(delivery_coalesces_up_to_a_number_of_characters) {
    desk_t desk;

    desk_open(&desk, coalescing(4));
    say(&desk, "\xC3\xA9");
    say(&desk, "\xC3\xA8");
    say(&desk, "x");
    CHECK(nothing_there(&desk));
    say(&desk, "yz");
    is_next(&desk, RAAF_CHUNK_CONTENT, "\xC3\xA9\xC3\xA8xy");
    CHECK(raaf_delivery_deadline(&desk.delivery) != RAAF_NEVER);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "z");
    cumulative_is(next(&desk), "\xC3\xA9\xC3\xA8xyz");
    desk_close(&desk);
}

TEST(delivery_keeps_a_character_whole_that_comes_in_two_deltas) {
    desk_t desk;

    desk_open(&desk, coalescing(1));
    say(&desk, "e");
    CHECK(nothing_there(&desk));
    say(&desk, "\xCC\x81t");
    is_next(&desk, RAAF_CHUNK_CONTENT, "e\xCC\x81");
    desk_close(&desk);
}

TEST(delivery_cuts_where_it_is_asked_to) {
    desk_t desk;
    raaf_request_t *request = coalescing(1);

    request->limits.coalesce_cut = RAAF_CUT_WORD;
    desk_open(&desk, request);
    say(&desk, "two wor");
    is_next(&desk, RAAF_CHUNK_CONTENT, "two ");
    say(&desk, "ds");
    CHECK(nothing_there(&desk));
    say_as(&desk, RAAF_CHUNK_FINISH, 0, "stop");
    is_next(&desk, RAAF_CHUNK_CONTENT, "words");
    desk_close(&desk);
}

TEST(delivery_holds_half_a_flag_back_when_it_is_due_and_then_no_longer) {
    desk_t desk;

    desk_open(&desk, coalescing(100));
    say(&desk, "a\xF0\x9F\x87\xA9");
    const uint64_t due = raaf_delivery_deadline(&desk.delivery);
    CHECK_EQ_INT(raaf_delivery_due(&desk.delivery, due - 1), RAAF_OK);
    CHECK(nothing_there(&desk));
    CHECK_EQ_INT(raaf_delivery_due(&desk.delivery, due), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "a");
    CHECK_EQ_UINT(raaf_delivery_deadline(&desk.delivery), due + RAAF_MS(50));
    CHECK_EQ_INT(raaf_delivery_due(&desk.delivery, due + RAAF_MS(50)), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "\xF0\x9F\x87\xA9");
    CHECK_EQ_UINT(raaf_delivery_deadline(&desk.delivery), RAAF_NEVER);
    desk_close(&desk);
}

TEST(delivery_tells_when_coalesced_text_is_due) {
    desk_t desk;
    const uint64_t before = raaf_clock_now();

    desk_open(&desk, coalescing(100));
    CHECK_EQ_UINT(raaf_delivery_deadline(&desk.delivery), RAAF_NEVER);
    say(&desk, "a");
    const uint64_t due = raaf_delivery_deadline(&desk.delivery);
    CHECK(due >= before + RAAF_MS(50) && due <= raaf_clock_now() + RAAF_MS(50));
    CHECK_EQ_INT(raaf_delivery_flush(&desk.delivery), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "a");
    CHECK_EQ_UINT(raaf_delivery_deadline(&desk.delivery), RAAF_NEVER);
    CHECK_EQ_INT(raaf_delivery_flush(&desk.delivery), RAAF_OK);
    CHECK(nothing_there(&desk));
    desk_close(&desk);
}

/* The coalescer keeps it, but the provider has begun: the first token timeout is over. */
TEST(delivery_counts_the_first_token_when_it_comes) {
    desk_t desk;

    desk_open(&desk, coalescing(100));
    const raaf_stream_t *stream = desk.consumer.stream;
    say(&desk, "");
    CHECK_EQ_UINT(stream->outcome.first_token_at, 0);
    say(&desk, "a");
    CHECK(nothing_there(&desk));
    const uint64_t first = stream->outcome.first_token_at;
    CHECK(first != 0);
    CHECK_EQ_INT(atomic_load(&stream->stage), RAAF_STAGE_STREAMING);
    say(&desk, "b");
    CHECK_EQ_UINT(stream->outcome.first_token_at, first);
    desk_close(&desk);
}

TEST(delivery_flushes_before_another_type_or_choice) {
    desk_t desk;

    desk_open(&desk, coalescing(100));
    say_as(&desk, RAAF_CHUNK_REASONING, 0, "h");
    say_as(&desk, RAAF_CHUNK_REASONING, 0, "m");
    say_as(&desk, RAAF_CHUNK_CONTENT, 0, "a");
    is_next(&desk, RAAF_CHUNK_REASONING, "hm");
    say_as(&desk, RAAF_CHUNK_CONTENT, 1, "b");
    is_next(&desk, RAAF_CHUNK_CONTENT, "a");
    say_as(&desk, RAAF_CHUNK_FINISH, 1, "stop");
    CHECK_EQ_UINT(next(&desk)->choice, 1);
    CHECK(nothing_there(&desk));
    desk_close(&desk);
}

TEST(delivery_flushes_before_the_end) {
    desk_t desk;

    desk_open(&desk, coalescing(100));
    say(&desk, "last words");
    raaf_delivery_end(&desk.delivery, RAAF_TRUNCATED);
    is_next(&desk, RAAF_CHUNK_CONTENT, "last words");
    cumulative_is(next(&desk), "last words");
    CHECK_EQ_INT(desk.consumer.stream->outcome.code, RAAF_TRUNCATED);
    desk_close(&desk);
}

TEST(delivery_carries_tool_calls) {
    desk_t desk;
    const raaf_delta_t delta = {
        .type = RAAF_CHUNK_TOOL_CALL,
        .text = slice("{\"city\":\"Rome\"}"),
        .tool_index = 2000000000,
        .tool_id = slice("call_a"),
        .tool_name = slice("weather"),
    };

    desk_open(&desk, coalescing(100));
    say(&desk, "I look");
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &delta), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "I look");
    const raaf_chunk_t *chunk = next(&desk);
    CHECK_EQ_UINT(chunk->len, 0); /* the pieces came before; the whole is in the payload */
    CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, "{\"city\":\"Rome\"}");
    CHECK_EQ_INT(chunk->payload->tool_index, 2000000000);
    CHECK_EQ_STR(chunk->payload->tool_name.bytes, chunk->payload->tool_name.len, "weather");
    cumulative_is(chunk, "I look");
    desk_close(&desk);
}

TEST(delivery_makes_no_chunk_of_what_is_kept_in_the_outcome) {
    desk_t desk;
    const raaf_delta_t usage = {
        .type = RAAF_CHUNK_USAGE, .text = slice("{}"), .usage = {.total_tokens = 5}};
    const raaf_delta_t error = {.type = RAAF_CHUNK_ERROR, .error_message = slice("Too fast")};

    desk_open(&desk, request_new());
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &usage), RAAF_OK);
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &error), RAAF_OK);
    CHECK_EQ_INT(say_as(&desk, RAAF_CHUNK_FINISH, 0, "stop"), RAAF_OK);
    CHECK_EQ_INT(say_as(&desk, RAAF_CHUNK_STATUS, 0, "unknown to us"), RAAF_OK);
    CHECK(nothing_there(&desk));
    const raaf_outcome_t *outcome = &desk.consumer.stream->outcome;
    CHECK_EQ_INT(outcome->usage.total_tokens, 5);
    CHECK_EQ_UINT(outcome->first_token_at, 0);
    CHECK_EQ_STR(desk.consumer.stream->choices[0].finish_reason.bytes,
                 desk.consumer.stream->choices[0].finish_reason.len, "stop");
    CHECK_EQ_STR(outcome->error_message.bytes, outcome->error_message.len, "Too fast");
    desk_close(&desk);
}

TEST(delivery_makes_a_chunk_of_a_citation_and_of_a_raw_event) {
    desk_t desk;
    const raaf_delta_t citation = {.type = RAAF_CHUNK_CITATION, .text = slice("{\"url\":\"u\"}")};
    const raaf_delta_t raw = {
        .type = RAAF_CHUNK_RAW, .text = slice("{}"), .tool_name = slice("keepalive")};

    desk_open(&desk, coalescing(100));
    say(&desk, "So it is");
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &raw), RAAF_OK);
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &citation), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "So it is");
    const raaf_chunk_t *chunk = next(&desk);
    CHECK_EQ_INT(chunk->type, RAAF_CHUNK_RAW);
    CHECK_EQ_UINT(chunk->len, 0);
    CHECK_EQ_STR(chunk->payload->tool_name.bytes, chunk->payload->tool_name.len, "keepalive");
    chunk = next(&desk);
    CHECK_EQ_INT(chunk->type, RAAF_CHUNK_CITATION);
    CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, "{\"url\":\"u\"}");
    cumulative_is(chunk, "So it is");
    desk_close(&desk);
}

TEST(delivery_keeps_a_raw_event_from_counting_as_the_first_token) {
    desk_t desk;
    const raaf_delta_t raw = {.type = RAAF_CHUNK_RAW, .text = slice("{}")};

    desk_open(&desk, request_new());
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &raw), RAAF_OK);
    CHECK_EQ_UINT(desk.consumer.stream->outcome.first_token_at, 0);
    desk_close(&desk);
}

TEST(delivery_keeps_parts_of_the_first_choice_with_their_place_in_the_answer) {
    desk_t desk;
    const raaf_delta_t part = {.type = RAAF_CHUNK_PART, .text = slice("{}")};
    const raaf_delta_t other = {.type = RAAF_CHUNK_PART, .choice = 1, .text = slice("{}")};

    desk_open(&desk, coalescing(100));
    say(&desk, "four");
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &part), RAAF_OK);
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &other), RAAF_OK);
    const raaf_buffer_t *parts = &desk.consumer.stream->outcome.parts;
    CHECK_EQ_STR(parts->bytes, parts->len, "{\"at\":4,\"part\":{}}");
    desk_close(&desk);
}

TEST(delivery_keeps_the_finish_reason_of_each_choice) {
    desk_t desk;

    desk_open(&desk, request_new());
    CHECK_EQ_INT(say_as(&desk, RAAF_CHUNK_FINISH, 3, "length"), RAAF_OK);
    const raaf_choice_t *choices = desk.consumer.stream->choices;
    CHECK_EQ_UINT(choices[0].finish_reason.len, 0);
    CHECK_EQ_UINT(choices[1].index, 3);
    CHECK_EQ_STR(choices[1].finish_reason.bytes, choices[1].finish_reason.len, "length");
    desk_close(&desk);
}

static raaf_request_t *going_on_with(raaf_request_t *request, const char *said) {
    CHECK_EQ_INT(raaf_request_set_said(request, said, strlen(said)), RAAF_OK);
    return request;
}

TEST(delivery_leaves_out_what_repeats_the_answer_that_it_goes_on_with) {
    desk_t desk;

    desk_open(&desk, going_on_with(coalescing(100), "It was a bright cold day"));
    say_as(&desk, RAAF_CHUNK_REASONING, 0, "hm");
    say(&desk, "a bright ");
    CHECK(desk.delivery.said);
    CHECK(desk.consumer.stream->outcome.first_token_at != 0);
    say(&desk, "cold day in");
    say(&desk, " April");
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    is_next(&desk, RAAF_CHUNK_REASONING, "hm");
    is_next(&desk, RAAF_CHUNK_CONTENT, " in April");
    cumulative_is(next(&desk), " in April");
    desk_close(&desk);
}

TEST(delivery_holds_nothing_back_before_another_type_choice_or_the_end) {
    desk_t desk;
    const raaf_delta_t call = {.type = RAAF_CHUNK_TOOL_CALL, .tool_name = slice("weather")};

    desk_open(&desk, going_on_with(request_new(), "It was a bright"));
    say(&desk, "a");
    CHECK(nothing_there(&desk));
    CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &call), RAAF_OK);
    is_next(&desk, RAAF_CHUNK_CONTENT, "a");
    CHECK_EQ_INT(next(&desk)->type, RAAF_CHUNK_TOOL_CALL);
    desk_close(&desk);

    desk_open(&desk, going_on_with(request_new(), "It was a bright"));
    say(&desk, "a");
    say_as(&desk, RAAF_CHUNK_CONTENT, 1, "was");
    is_next(&desk, RAAF_CHUNK_CONTENT, "a");
    is_next(&desk, RAAF_CHUNK_CONTENT, "was");
    desk_close(&desk);

    desk_open(&desk, going_on_with(request_new(), "It was a bright"));
    say(&desk, "a bri");
    raaf_delivery_end(&desk.delivery, RAAF_TRUNCATED);
    is_next(&desk, RAAF_CHUNK_CONTENT, "a bri");
    cumulative_is(next(&desk), "a bri");
    desk_close(&desk);
}

TEST(delivery_of_another_turn_goes_on_with_the_text_of_the_one_before) {
    desk_t first, second;

    desk_open(&first, request_new());
    say(&first, "Let me look. ");
    is_next(&first, RAAF_CHUNK_CONTENT, "Let me look. ");
    second.consumer =
        consumer_of(raaf_stream_new(request_new(), 1, first.consumer.stream->content));
    raaf_delivery_init(&second.delivery, second.consumer.stream);
    desk_close(&first);
    CHECK_EQ_UINT(second.consumer.stream->content_start, 13);
    say(&second, "Rain.");
    const raaf_chunk_t *chunk = next(&second);
    CHECK_EQ_UINT(chunk->len, 5);
    cumulative_is(chunk, "Let me look. Rain.");
    const raaf_delta_t part = {.type = RAAF_CHUNK_PART, .text = slice("{}")};
    CHECK_EQ_INT(raaf_delivery_delta(&second.delivery, &part), RAAF_OK);
    const raaf_buffer_t *parts = &second.consumer.stream->outcome.parts;
    CHECK_EQ_STR(parts->bytes, parts->len, "{\"at\":5,\"part\":{}}");
    desk_close(&second);
}

TEST(delivery_ends_once) {
    desk_t desk;

    desk_open(&desk, request_new());
    raaf_stream_submitted(desk.consumer.stream);
    CHECK_EQ_UINT(raaf_stream_active_count(), 1);
    raaf_delivery_end(&desk.delivery, RAAF_CANCELLED);
    CHECK_EQ_UINT(raaf_stream_active_count(), 0);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    consumer_ends(&desk.consumer, RAAF_CANCELLED);
    CHECK_EQ_UINT(raaf_stream_active_count(), 0);
    CHECK(nothing_there(&desk));
    desk_close(&desk);
}

TEST(delivery_says_when_the_text_is_too_large) {
    desk_t desk;
    raaf_request_t *request = request_new();

    request->limits.max_text = 5;
    desk_open(&desk, request);
    CHECK_EQ_INT(say(&desk, "12345"), RAAF_OK);
    CHECK_EQ_INT(say(&desk, "6"), RAAF_TEXT_TOO_LARGE);
    raaf_delivery_end(&desk.delivery, RAAF_TEXT_TOO_LARGE);
    is_next(&desk, RAAF_CHUNK_CONTENT, "12345");
    consumer_ends(&desk.consumer, RAAF_TEXT_TOO_LARGE);
    desk_close(&desk);
}

/* A whole answer that lost its last words is not whole. */
TEST(delivery_does_not_call_an_answer_whole_whose_end_it_lost) {
    desk_t desk;
    raaf_request_t *request = coalescing(100);

    request->limits.max_text = 5;
    desk_open(&desk, request);
    CHECK_EQ_INT(say(&desk, "123456"), RAAF_OK);
    raaf_delivery_end(&desk.delivery, RAAF_OK);
    consumer_ends(&desk.consumer, RAAF_TEXT_TOO_LARGE);
    desk_close(&desk);
}

/* ---- out of memory ---- */

static const raaf_delta_t call = {.type = RAAF_CHUNK_TOOL_CALL_DELTA, .text = {"{", 1}};

/* Everything that allocates; the first failure ends it, as the transfer does. */
static int say_all(desk_t *desk) {
    int result = say(desk, "a");

    for (int i = 0; i < 20 && result == RAAF_OK; i++)
        result = say_as(desk, RAAF_CHUNK_REASONING, 0, "b");
    if (result == RAAF_OK) result = say_as(desk, RAAF_CHUNK_REFUSAL, 0, "c");
    if (result == RAAF_OK) result = say_as(desk, RAAF_CHUNK_CONTENT, 7, "d");
    if (result == RAAF_OK) result = raaf_delivery_delta(&desk->delivery, &call);
    return result;
}

static void run_out_of_memory(bool retain) {
    int result = RAAF_NO_MEMORY;
    long left = 0;

    for (; result != RAAF_OK && left < 200; left++) {
        desk_t desk;
        raaf_request_t *request = request_new();
        request->limits.retain_text = retain;
        desk_open(&desk, request);
        memory_runs_out_after(left);
        result = say_all(&desk);
        raaf_delivery_end(&desk.delivery, result);
        memory_is_back();
        CHECK(result == RAAF_OK || result == RAAF_NO_MEMORY);
        consumer_ends(&desk.consumer, result);
        desk_close(&desk);
    }
    CHECK_EQ_INT(result, RAAF_OK);
    CHECK(left > 5);
}

TEST(delivery_ends_in_an_error_without_memory) {
    run_out_of_memory(true);
    run_out_of_memory(false);
}

TEST(stream_is_not_made_without_memory) {
    raaf_stream_t *stream = NULL;
    long left = 0;

    for (; !stream && left < 20; left++) {
        raaf_request_t *request = request_new();
        memory_runs_out_after(left);
        stream = raaf_stream_new(request, 1, NULL);
        memory_is_back();
    }
    CHECK_EQ_INT(left, 5); /* itself, its queue, the choices and the first one's text */
    raaf_stream_release(stream);
}

/* ---- the stream itself ---- */

TEST(stream_counts_those_that_live) {
    const size_t before = raaf_stream_live_count();
    raaf_stream_t *one = raaf_stream_new(request_new(), 1, NULL);
    raaf_stream_t *two = raaf_stream_new(request_new(), 1, NULL);

    CHECK(one->id != two->id);
    CHECK_EQ_UINT(raaf_stream_live_count(), before + 2);
    raaf_stream_retain(one);
    raaf_stream_release(one);
    CHECK_EQ_UINT(raaf_stream_live_count(), before + 2);
    raaf_stream_release(one);
    raaf_stream_release(two);
    CHECK_EQ_UINT(raaf_stream_live_count(), before);
}

TEST(stream_knows_its_size) {
    raaf_request_t *request = request_new();
    const size_t large = 100000;
    char *body = calloc(1, large);

    raaf_request_set_body(request, body, large);
    raaf_stream_t *stream = raaf_stream_new(request, 1, NULL);
    CHECK(raaf_stream_memory(stream) > large + sizeof *stream);
    CHECK(raaf_stream_memory(stream) < large + 10000);
    raaf_stream_release(stream);
    free(body);
}

/* ---- another attempt ---- */

static const raaf_retry_t retry = {
    .notice = {.number = 1, .most = 2, .delay_ns = RAAF_MS(1500), .http_status = 429},
    .reason = "429",
};

TEST(delivery_announces_another_attempt_without_a_word_of_an_answer) {
    desk_t desk;
    const raaf_chunk_t *chunk;

    desk_open(&desk, request_new());
    CHECK_EQ_INT(raaf_delivery_retry(&desk.delivery, &retry), RAAF_OK);
    CHECK_EQ_UINT(desk.consumer.stream->outcome.first_token_at, 0);
    CHECK(!desk.delivery.said);
    chunk = next(&desk);
    CHECK_EQ_INT(chunk->type, RAAF_CHUNK_STATUS);
    CHECK_EQ_UINT(chunk->len, 0);
    cumulative_is(chunk, "");
    if (CHECK(chunk->payload != NULL)) {
        CHECK_EQ_STR(chunk->payload->text.bytes, chunk->payload->text.len, "429");
        CHECK_EQ_UINT(chunk->payload->retry.number, 1);
        CHECK_EQ_UINT(chunk->payload->retry.most, 2);
        CHECK_EQ_UINT(chunk->payload->retry.delay_ns, RAAF_MS(1500));
        CHECK_EQ_INT(chunk->payload->retry.http_status, 429);
    }
    say(&desk, "a");
    CHECK_EQ_UINT(next(&desk)->seq, 2);
    CHECK(desk.consumer.stream->outcome.first_token_at != 0);
    desk_close(&desk);
}

TEST(delivery_announces_it_where_no_text_is_retained) {
    desk_t desk;
    raaf_request_t *request = request_new();

    request->limits.retain_text = false;
    desk_open(&desk, request);
    CHECK_EQ_INT(raaf_delivery_retry(&desk.delivery, &retry), RAAF_OK);
    CHECK_EQ_PTR(next(&desk)->text, NULL);
    desk_close(&desk);
}

TEST(delivery_without_memory_announces_nothing) {
    desk_t desk;

    desk_open(&desk, request_new());
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_delivery_retry(&desk.delivery, &retry), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK(nothing_there(&desk));
    CHECK_EQ_INT(say(&desk, "a"), RAAF_OK);
    CHECK_EQ_UINT(next(&desk)->seq, 1);
    desk_close(&desk);
}

/* In another turn of a run, the words of the turns before are there already. */
TEST(delivery_announces_it_with_the_text_so_far) {
    raaf_text_t *before = raaf_text_new(100);
    const char *stored;

    raaf_text_append(before, "Hello", 5, &stored);
    desk_t desk = {.consumer = consumer_of(raaf_stream_new(request_new(), 1, before))};
    raaf_delivery_init(&desk.delivery, desk.consumer.stream);
    CHECK_EQ_INT(raaf_delivery_retry(&desk.delivery, &retry), RAAF_OK);
    cumulative_is(next(&desk), "Hello");
    desk_close(&desk);
    raaf_text_release(before);
}

/* What would be told twice by another attempt. */
TEST(delivery_knows_whether_anything_was_said) {
    static const struct {
        raaf_delta_t delta;
        bool said;
    } table[] = {
        {{.type = RAAF_CHUNK_CONTENT, .text = {"", 0}}, false},
        {{.type = RAAF_CHUNK_USAGE, .text = {"{}", 2}}, false},
        {{.type = RAAF_CHUNK_FINISH, .text = {"stop", 4}}, false},
        {{.type = RAAF_CHUNK_ERROR, .text = {"{}", 2}}, false},
        {{.type = RAAF_CHUNK_PART, .text = {"{}", 2}}, false},
        {{.type = RAAF_CHUNK_CONTENT, .text = {"a", 1}}, true},
        {{.type = RAAF_CHUNK_REASONING, .text = {"a", 1}}, true},
        {{.type = RAAF_CHUNK_REFUSAL, .text = {"a", 1}}, true},
        {{.type = RAAF_CHUNK_TOOL_CALL_DELTA}, true},
        {{.type = RAAF_CHUNK_TOOL_CALL}, true},
        {{.type = RAAF_CHUNK_CITATION, .text = {"{}", 2}}, true},
        {{.type = RAAF_CHUNK_RAW, .text = {"{}", 2}}, true},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        raaf_request_t *request = request_new();
        desk_t desk;
        request->limits.coalesce_chars = i % 2 * 100;
        desk_open(&desk, request);
        CHECK_EQ_INT(raaf_delivery_delta(&desk.delivery, &table[i].delta), RAAF_OK);
        CHECK_EQ_INT(desk.delivery.said, table[i].said);
        desk_close(&desk);
    }
}
