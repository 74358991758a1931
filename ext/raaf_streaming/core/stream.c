#include "stream.h"

#include "admission.h"
#include "reactor.h"
#include "result_code.h"

#include <stdlib.h>

static atomic_uint_fast64_t last_id;
static atomic_size_t live;
static atomic_size_t active;

/* Takes [content] (also when it fails); NULL: a new one. */
static raaf_choice_t *add_choice(raaf_stream_t *stream, uint32_t index, raaf_text_t *content) {
    if (!content) content = raaf_text_new(stream->request->limits.max_text);
    if (!content) return NULL;
    size_t size = (stream->choice_count + 1) * sizeof *stream->choices;
    raaf_choice_t *choices = realloc(stream->choices, size);
    if (!choices) {
        raaf_text_release(content);
        return NULL;
    }
    stream->choices = choices;
    raaf_choice_t *choice = &choices[stream->choice_count++];
    *choice = (raaf_choice_t){.index = index, .content = content};
    raaf_buffer_init(&choice->finish_reason, RAAF_CHOICE_MAX_REASON);
    return choice;
}

raaf_stream_t *raaf_stream_new(raaf_request_t *request, uint64_t first_seq, raaf_text_t *content) {
    raaf_stream_t *stream = calloc(1, sizeof *stream);
    if (!stream) goto fail_request;
    const raaf_request_limits_t *limits = &request->limits;
    if (raaf_stream_queue_init(&stream->queue, limits->queue_items, limits->queue_bytes) != RAAF_OK)
        goto fail_stream;
    atomic_init(&stream->references, 1);
    atomic_init(&stream->stage, RAAF_STAGE_NEW);
    atomic_init(&stream->commands, 0);
    atomic_init(&stream->bytes_received, 0);
    atomic_init(&stream->last_byte_at, 0);
    atomic_init(&stream->deltas, 0);
    atomic_init(&stream->text_bytes, 0);
    atomic_init(&stream->dispatch, NULL);
    atomic_init(&stream->active, false);
    atomic_init(&stream->keep_place, false);
    stream->request = request;
    stream->seq = first_seq - 1;
    stream->id = atomic_fetch_add(&last_id, 1) + 1;
    raaf_outcome_init(&stream->outcome);
    if (content) raaf_text_retain(content);
    if (!add_choice(stream, 0, content)) goto fail_queue;
    stream->content = stream->choices[0].content;
    stream->content_start = raaf_text_len(stream->content);
    atomic_fetch_add(&live, 1);
    return stream;

fail_queue:
    raaf_stream_queue_free(&stream->queue);
fail_stream:
    free(stream);
fail_request:
    raaf_request_free(request);
    return NULL;
}

void raaf_stream_set_place(raaf_stream_t *stream, raaf_place_t *place) {
    raaf_place_retain(place);
    stream->place = place;
}

void raaf_stream_retain(raaf_stream_t *stream) {
    atomic_fetch_add_explicit(&stream->references, 1, memory_order_relaxed);
}

static void destroy(raaf_stream_t *stream) {
    raaf_stream_queue_free(&stream->queue);
    raaf_outcome_free(&stream->outcome);
    for (size_t i = 0; i < stream->choice_count; i++) {
        raaf_text_release(stream->choices[i].content);
        raaf_text_release(stream->choices[i].reasoning);
        raaf_text_release(stream->choices[i].refusal);
        raaf_buffer_free(&stream->choices[i].finish_reason);
    }
    free(stream->choices);
    raaf_request_free(stream->request);
    if (stream->reactor) raaf_reactor_release(stream->reactor);
    if (stream->place) raaf_place_release(stream->place);
    free(stream);
    atomic_fetch_sub(&live, 1);
}

void raaf_stream_release(raaf_stream_t *stream) {
    if (atomic_fetch_sub_explicit(&stream->references, 1, memory_order_acq_rel) == 1)
        destroy(stream);
}

static raaf_choice_t *find(raaf_stream_t *stream, uint32_t index) {
    for (size_t i = 0; i < stream->choice_count; i++)
        if (stream->choices[i].index == index) return &stream->choices[i];
    return NULL;
}

raaf_choice_t *raaf_stream_choice(raaf_stream_t *stream, uint32_t index) {
    raaf_choice_t *found = find(stream, index);
    return found ? found : add_choice(stream, index, NULL);
}

void raaf_stream_new_attempt(raaf_stream_t *stream) {
    raaf_outcome_new_attempt(&stream->outcome);
    for (size_t i = 0; i < stream->choice_count; i++)
        stream->choices[i].finish_reason.len = 0;
}

void raaf_stream_progress_add(raaf_stream_progress_t *progress, const raaf_stream_t *stream) {
    uint64_t at = atomic_load_explicit(&stream->last_byte_at, memory_order_relaxed);
    progress->bytes += atomic_load_explicit(&stream->bytes_received, memory_order_relaxed);
    progress->deltas += atomic_load_explicit(&stream->deltas, memory_order_relaxed);
    progress->text_bytes += atomic_load_explicit(&stream->text_bytes, memory_order_relaxed);
    if (at > progress->last_byte_at) progress->last_byte_at = at;
}

size_t raaf_stream_memory(const raaf_stream_t *stream) {
    size_t size = sizeof *stream + stream->request->body_len;
    /* Other choices are rare, and their array may move while the reactor works. */
    return size + raaf_text_memory(stream->content);
}

size_t raaf_stream_live_count(void) {
    return atomic_load(&live);
}

size_t raaf_stream_active_count(void) {
    return atomic_load(&active);
}

void raaf_stream_submitted(raaf_stream_t *stream) {
    atomic_store(&stream->active, true);
    atomic_fetch_add(&active, 1);
}

void raaf_stream_ended(raaf_stream_t *stream, bool keep_place) {
    if (atomic_exchange(&stream->active, false)) atomic_fetch_sub(&active, 1);
    if (stream->place && !keep_place) raaf_place_leave(stream->place, stream);
}

void raaf_stream_forget_counts(void) {
    atomic_store(&active, 0);
    atomic_store(&live, 0);
}
