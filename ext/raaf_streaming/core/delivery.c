#include "delivery.h"

#include "clock.h"
#include "result_code.h"

#include <string.h>

void raaf_delivery_init(raaf_delivery_t *delivery, raaf_stream_t *stream) {
    const raaf_request_limits_t *limits = &stream->request->limits;
    delivery->stream = stream;
    delivery->called = false;
    delivery->said = false;
    delivery->ended = false;
    delivery->pending_type = RAAF_CHUNK_CONTENT;
    delivery->pending_choice = 0;
    raaf_overlap_init(&delivery->overlap, stream->request->said, stream->request->said_len);
    raaf_coalescer_init(&delivery->coalescer, limits->coalesce_chars, limits->coalesce_ns,
                        limits->coalesce_cut);
    raaf_tally_init(&delivery->tally, stream->request->series);
}

/* It counts when it comes, not when the coalescer lets it go. */
static void note_first_token(raaf_delivery_t *delivery) {
    raaf_stream_t *stream = delivery->stream;
    if (stream->outcome.first_token_at) return;
    stream->outcome.first_token_at = raaf_clock_now();
    raaf_tally_first_token(&delivery->tally, &stream->outcome);
    atomic_store_explicit(&stream->stage, RAAF_STAGE_STREAMING, memory_order_relaxed);
}

/* Only the reactor counts, so it need not be one step. */
static void count(raaf_stream_t *stream, const raaf_delta_t *delta) {
    uint64_t deltas = atomic_load_explicit(&stream->deltas, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&stream->text_bytes, memory_order_relaxed);
    if (!delta->text.len) return;
    atomic_store_explicit(&stream->deltas, deltas + 1, memory_order_relaxed);
    if (delta->type == RAAF_CHUNK_TOOL_CALL_DELTA) return;
    atomic_store_explicit(&stream->text_bytes, bytes + delta->text.len, memory_order_relaxed);
}

/* Numbers the chunk and queues it; the queue has its payload afterwards, or nobody. */
static int push(raaf_stream_t *stream, raaf_chunk_t *chunk) {
    chunk->seq = stream->seq + 1;
    int result = raaf_stream_queue_push(&stream->queue, chunk);
    if (result == RAAF_OK)
        stream->seq++;
    else
        raaf_chunk_free(chunk);
    return result;
}

/* As push, for a chunk of the answer. */
static int push_counted(raaf_delivery_t *delivery, raaf_chunk_t *chunk) {
    const raaf_chunk_type_t type = (raaf_chunk_type_t)chunk->type;
    const size_t len = chunk->len;
    int result = push(delivery->stream, chunk);
    if (result == RAAF_OK) raaf_tally_chunk(&delivery->tally, type, len);
    return result;
}

static raaf_text_t **text_of(raaf_choice_t *choice, raaf_chunk_type_t type) {
    if (type == RAAF_CHUNK_CONTENT) return &choice->content;
    return type == RAAF_CHUNK_REASONING ? &choice->reasoning : &choice->refusal;
}

/* Keeps the piece in its text; [chunk] gets where it stands. */
static int retain(raaf_stream_t *stream, raaf_choice_t *choice, raaf_slice_t piece,
                  raaf_chunk_t *chunk) {
    raaf_text_t **text = text_of(choice, (raaf_chunk_type_t)chunk->type);
    if (!*text && !(*text = raaf_text_new(stream->request->limits.max_text))) return RAAF_NO_MEMORY;
    int result = raaf_text_append(*text, piece.bytes, piece.len, &chunk->bytes);
    if (result != RAAF_OK) return result;
    chunk->len = piece.len;
    chunk->text = choice->content;
    chunk->text_len = raaf_text_len(choice->content);
    return RAAF_OK;
}

static int carry(raaf_chunk_t *chunk, const raaf_delta_t *delta) {
    chunk->payload = raaf_chunk_payload_new(delta);
    if (!chunk->payload) return RAAF_NO_MEMORY;
    chunk->bytes = chunk->payload->text.bytes;
    chunk->len = chunk->payload->text.len;
    return RAAF_OK;
}

static int push_text(raaf_delivery_t *delivery, raaf_chunk_type_t type, uint32_t index,
                     raaf_slice_t piece) {
    raaf_stream_t *stream = delivery->stream;
    raaf_choice_t *choice = raaf_stream_choice(stream, index);
    if (!choice) return RAAF_NO_MEMORY;
    raaf_chunk_t chunk = {.type = (uint8_t)type, .choice = index};
    int result;
    if (stream->request->limits.retain_text) {
        result = retain(stream, choice, piece, &chunk);
    } else {
        raaf_delta_t delta = {.type = type, .text = piece};
        result = carry(&chunk, &delta);
    }
    return result == RAAF_OK ? push_counted(delivery, &chunk) : result;
}

/* A chunk of the first [len] bytes in the coalescer. They are gone from it in any case. */
static int hand_over(raaf_delivery_t *delivery, size_t len, uint64_t now) {
    const raaf_slice_t piece = {delivery->coalescer.pending.bytes, len};
    int result = push_text(delivery, delivery->pending_type, delivery->pending_choice, piece);
    raaf_coalescer_taken(&delivery->coalescer, len, now);
    return result;
}

int raaf_delivery_flush(raaf_delivery_t *delivery) {
    size_t len = delivery->coalescer.pending.len;
    int result = len > 0 ? hand_over(delivery, len, 0) : RAAF_OK;
    raaf_coalescer_flushed(&delivery->coalescer);
    return result;
}

int raaf_delivery_due(raaf_delivery_t *delivery, uint64_t now) {
    size_t len = raaf_coalescer_ready(&delivery->coalescer, now);
    return len > 0 ? hand_over(delivery, len, now) : RAAF_OK;
}

static int coalesce(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    bool same = delta->type == delivery->pending_type && delta->choice == delivery->pending_choice;
    int result = same ? RAAF_OK : raaf_delivery_flush(delivery);
    if (result != RAAF_OK) return result;
    delivery->pending_type = delta->type;
    delivery->pending_choice = delta->choice;
    const uint64_t now = raaf_clock_now();
    size_t ready = 0;
    result =
        raaf_coalescer_add(&delivery->coalescer, delta->text.bytes, delta->text.len, now, &ready);
    if (result != RAAF_OK) return result;
    return ready > 0 ? hand_over(delivery, ready, now) : RAAF_OK;
}

static int pass_on(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    if (!delta->text.len) return RAAF_OK;
    if (delivery->coalescer.size) return coalesce(delivery, delta);
    return push_text(delivery, delta->type, delta->choice, delta->text);
}

/* What the overlap holds back is no repetition any longer: something else has come. */
static int release_held(raaf_delivery_t *delivery) {
    raaf_delta_t delta = {.type = RAAF_CHUNK_CONTENT};
    raaf_overlap_finish(&delivery->overlap, &delta.text);
    return pass_on(delivery, &delta);
}

static int deliver_content(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    raaf_delta_t rest = *delta;
    int result = raaf_overlap_add(&delivery->overlap, delta->text, &rest.text);
    return result == RAAF_OK ? pass_on(delivery, &rest) : result;
}

static int deliver_text(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    if (!delta->text.len) return RAAF_OK;
    count(delivery->stream, delta);
    delivery->said = true;
    note_first_token(delivery);
    if (delta->type == RAAF_CHUNK_CONTENT && delta->choice == 0)
        return deliver_content(delivery, delta);
    int result = release_held(delivery);
    return result == RAAF_OK ? pass_on(delivery, delta) : result;
}

/* [piece]: whether the payload's text is a new piece, and so the chunk's delta. */
static int push_payload(raaf_delivery_t *delivery, const raaf_delta_t *delta, bool piece) {
    raaf_stream_t *stream = delivery->stream;
    delivery->said = true;
    raaf_choice_t *choice = raaf_stream_choice(stream, delta->choice);
    if (!choice) return RAAF_NO_MEMORY;
    raaf_chunk_t chunk = {.type = (uint8_t)delta->type, .choice = delta->choice};
    int result = carry(&chunk, delta);
    if (result != RAAF_OK) return result;
    if (!piece) chunk.len = 0;
    chunk.text = stream->request->limits.retain_text ? choice->content : NULL;
    chunk.text_len = chunk.text ? raaf_text_len(chunk.text) : 0;
    return push_counted(delivery, &chunk);
}

/* A whole call brings no new piece: its arguments came in deltas before. */
static int deliver_tool_call(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    const bool piece = delta->type == RAAF_CHUNK_TOOL_CALL_DELTA;
    note_first_token(delivery);
    if (piece) count(delivery->stream, delta);
    if (!piece && delta->choice == 0) delivery->called = true;
    return push_payload(delivery, delta, piece);
}

/* Not text, and not of a tool call: a chunk that brings no new piece. */
static int deliver_fact(raaf_delivery_t *delivery, const raaf_delta_t *delta) {
    if (delta->type == RAAF_CHUNK_CITATION) note_first_token(delivery);
    return push_payload(delivery, delta, false);
}

static int keep_finish_reason(raaf_stream_t *stream, const raaf_delta_t *delta) {
    raaf_choice_t *choice = raaf_stream_choice(stream, delta->choice);
    if (!choice) return RAAF_NO_MEMORY;
    raaf_outcome_keep(&choice->finish_reason, delta->text);
    return RAAF_OK;
}

static int keep_part(raaf_stream_t *stream, const raaf_delta_t *delta) {
    if (delta->choice != 0) return RAAF_OK;
    size_t at = raaf_text_len(stream->content) - stream->content_start;
    return raaf_outcome_part(&stream->outcome, delta, at);
}

int raaf_delivery_delta(void *context, const raaf_delta_t *delta) {
    raaf_delivery_t *delivery = context;
    switch (delta->type) {
    case RAAF_CHUNK_CONTENT:
    case RAAF_CHUNK_REASONING:
    case RAAF_CHUNK_REFUSAL:
        return deliver_text(delivery, delta);
    default:
        break;
    }
    int result = release_held(delivery);
    if (result == RAAF_OK) result = raaf_delivery_flush(delivery);
    if (result != RAAF_OK) return result;
    switch (delta->type) {
    case RAAF_CHUNK_TOOL_CALL_DELTA:
    case RAAF_CHUNK_TOOL_CALL:
        return deliver_tool_call(delivery, delta);
    case RAAF_CHUNK_CITATION:
    case RAAF_CHUNK_RAW:
        return deliver_fact(delivery, delta);
    case RAAF_CHUNK_PART:
        return keep_part(delivery->stream, delta);
    case RAAF_CHUNK_USAGE:
        raaf_outcome_usage(&delivery->stream->outcome, delta);
        break;
    case RAAF_CHUNK_FINISH:
        return keep_finish_reason(delivery->stream, delta);
    case RAAF_CHUNK_ERROR:
        raaf_outcome_error(&delivery->stream->outcome, delta);
        break;
    default:
        break;
    }
    return RAAF_OK;
}

uint64_t raaf_delivery_deadline(const raaf_delivery_t *delivery) {
    return delivery->coalescer.pending.len ? delivery->coalescer.deadline : RAAF_NEVER;
}

int raaf_delivery_retry(raaf_delivery_t *delivery, const raaf_retry_t *retry) {
    raaf_stream_t *stream = delivery->stream;
    const raaf_delta_t delta = {.text = {retry->reason, strlen(retry->reason)}};
    raaf_chunk_t chunk = {.type = RAAF_CHUNK_STATUS};
    int result = carry(&chunk, &delta);
    if (result != RAAF_OK) return result;
    chunk.payload->retry = retry->notice;
    chunk.len = 0; /* the reason is no piece of the answer */
    chunk.text = stream->request->limits.retain_text ? stream->content : NULL;
    chunk.text_len = chunk.text ? raaf_text_len(chunk.text) : 0;
    result = push(stream, &chunk);
    if (result == RAAF_OK) raaf_tally_retry(&delivery->tally);
    return result;
}

/*
 * Whether the run asks again after this, as far as it can be said here: the answer calls tools, its
 * model pauses (Anthropic's API reference, stop reason "pause_turn"), or it has failed and may be
 * asked for once more.
 */
static bool run_goes_on(const raaf_delivery_t *delivery, int code) {
    static const char pause[] = "pause_turn";
    const raaf_buffer_t *reason = &delivery->stream->choices[0].finish_reason;
    if (atomic_load(&delivery->stream->keep_place)) return true;
    if (code != RAAF_OK) return delivery->stream->request->limits.recovers && code != RAAF_SHUTDOWN;
    return delivery->called ||
           (reason->len == strlen(pause) && memcmp(reason->bytes, pause, reason->len) == 0);
}

void raaf_delivery_end(raaf_delivery_t *delivery, int code) {
    if (delivery->ended) return;
    delivery->ended = true;
    raaf_stream_t *stream = delivery->stream;
    int flushed = release_held(delivery);
    if (flushed == RAAF_OK) flushed = raaf_delivery_flush(delivery);
    if (code == RAAF_OK) code = flushed; /* a whole answer that lost its last words is not whole */
    stream->outcome.code = code;
    stream->outcome.ended_at = raaf_clock_now();
    raaf_tally_count(&delivery->tally);
    raaf_tally_ended(&delivery->tally, &stream->outcome); /* who has seen the end may ask for it */
    raaf_chunk_t terminal = {
        .seq = ++stream->seq,
        .type = (uint8_t)(code == RAAF_OK ? RAAF_CHUNK_COMPLETE : RAAF_CHUNK_ERROR),
        .bytes = "",
    };
    if (stream->request->limits.retain_text) {
        terminal.text = stream->content;
        terminal.text_len = raaf_text_len(stream->content);
    }
    atomic_store_explicit(&stream->stage, RAAF_STAGE_ENDED, memory_order_release);
    /* First: who has seen the end may start another in its place. */
    raaf_stream_ended(stream, run_goes_on(delivery, code));
    raaf_stream_queue_end(&stream->queue, &terminal);
}

void raaf_delivery_free(raaf_delivery_t *delivery) {
    raaf_overlap_free(&delivery->overlap);
    raaf_coalescer_free(&delivery->coalescer);
}
