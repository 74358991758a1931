/*
 * Writes deltas down, one a line, so that a test compares what a stream says as one text:
 *
 *     content 0: Hello
 *     tool_call_delta 0 #1 call_a get_weather: {"city"
 *     tool_call 0 #1 call_a get_weather: {"city":"Rome"}
 *     finish 0: stop
 *     usage prompt=3 completion=2 total=5: {"prompt_tokens":3,…}
 *     error message=Too fast type=rate_limit code=429: {"message":…}
 *
 * The number behind the type is the choice. A line end in a text is written \n, a NUL \0. Counts
 * and error fields that were not sent are left out.
 */
#ifndef RAAF_TEST_TRANSCRIPT_H
#define RAAF_TEST_TRANSCRIPT_H

#include "buffer.h"
#include "delta.h"
#include "result_code.h"
#include "utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct transcript {
    raaf_buffer_t text;
    size_t deltas;
    size_t stop_after; /* the receiver stops at this many deltas; 0: never */
    bool invalid;      /* a string was not valid UTF-8, or a text that is never empty was */
} transcript_t;

static inline void transcript_init(transcript_t *transcript) {
    memset(transcript, 0, sizeof *transcript);
    raaf_buffer_init(&transcript->text, (size_t)1 << 30);
}

static inline void transcript_free(transcript_t *transcript) {
    raaf_buffer_free(&transcript->text);
}

static inline void transcript_bytes(transcript_t *transcript, const char *bytes, size_t len) {
    raaf_buffer_append(&transcript->text, bytes, len);
}

static inline void transcript_text(transcript_t *transcript, const char *text) {
    transcript_bytes(transcript, text, strlen(text));
}

static inline void transcript_slice(transcript_t *transcript, raaf_slice_t slice) {
    if (slice.bytes == NULL && slice.len > 0) transcript->invalid = true;
    if (slice.len == 0) return;
    if (!raaf_utf8_valid(slice.bytes, slice.len)) transcript->invalid = true;
    for (size_t i = 0; i < slice.len; i++) {
        if (slice.bytes[i] == '\n')
            transcript_text(transcript, "\\n");
        else if (slice.bytes[i] == '\0')
            transcript_text(transcript, "\\0");
        else
            transcript_bytes(transcript, slice.bytes + i, 1);
    }
}

static inline void transcript_count(transcript_t *transcript, const char *name, int64_t count) {
    char text[64];

    if (count == -1) return;
    snprintf(text, sizeof text, " %s=%lld", name, (long long)count);
    transcript_text(transcript, text);
}

static inline void transcript_field(transcript_t *transcript, const char *name,
                                    raaf_slice_t slice) {
    if (slice.len == 0) return;
    transcript_text(transcript, " ");
    transcript_text(transcript, name);
    transcript_text(transcript, "=");
    transcript_slice(transcript, slice);
}

static inline void transcript_call(transcript_t *transcript, const raaf_delta_t *delta) {
    char text[32];

    snprintf(text, sizeof text, " #%lld ", (long long)delta->tool_index);
    transcript_text(transcript, text);
    transcript_slice(transcript, delta->tool_id);
    transcript_text(transcript, " ");
    transcript_slice(transcript, delta->tool_name);
}

static inline void transcript_usage(transcript_t *transcript, const raaf_usage_t *usage) {
    transcript_count(transcript, "prompt", usage->prompt_tokens);
    transcript_count(transcript, "completion", usage->completion_tokens);
    transcript_count(transcript, "total", usage->total_tokens);
    transcript_count(transcript, "cached", usage->cached_tokens);
    transcript_count(transcript, "cache_write", usage->cache_write_tokens);
    transcript_count(transcript, "reasoning", usage->reasoning_tokens);
    transcript_count(transcript, "audio_prompt", usage->audio_prompt_tokens);
    transcript_count(transcript, "audio_completion", usage->audio_completion_tokens);
}

/* A raaf_delta_fn; [context] is the transcript. */
static inline int transcript_delta(void *context, const raaf_delta_t *delta) {
    transcript_t *transcript = context;
    char choice[16];

    transcript_text(transcript, raaf_chunk_type_name(delta->type));
    switch (delta->type) {
    case RAAF_CHUNK_USAGE:
        transcript_usage(transcript, &delta->usage);
        break;
    case RAAF_CHUNK_ERROR:
        transcript_field(transcript, "message", delta->error_message);
        transcript_field(transcript, "type", delta->error_type);
        transcript_field(transcript, "code", delta->error_code);
        transcript_field(transcript, "param", delta->error_param);
        break;
    default:
        snprintf(choice, sizeof choice, " %u", (unsigned)delta->choice);
        transcript_text(transcript, choice);
    }
    switch (delta->type) {
    case RAAF_CHUNK_TOOL_CALL:
    case RAAF_CHUNK_TOOL_CALL_DELTA:
        transcript_call(transcript, delta);
        break;
    case RAAF_CHUNK_CONTENT:
    case RAAF_CHUNK_REASONING:
    case RAAF_CHUNK_REFUSAL:
        if (delta->text.len == 0) transcript->invalid = true;
        break;
    default:
        break;
    }
    transcript_text(transcript, ": ");
    transcript_slice(transcript, delta->text);
    transcript_text(transcript, "\n");
    return ++transcript->deltas == transcript->stop_after ? RAAF_STOP : RAAF_OK;
}

#endif
