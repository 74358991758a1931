/*
 * Runs events through the decoder in every split, and compares what a dialect makes of them.
 *
 *     #define DIALECT (&raaf_dialect_gemini)
 *     #include "dialect_checks.h"
 *
 *     CHECK_EVENTS("{\"a\":1}\n{\"b\":2}\n", "content 0: Hi\n", RAAF_OK);
 *
 * Events stand one a line. For SSE each becomes a data line with its blank line, for NDJSON it is
 * a line as it stands.
 */
#ifndef RAAF_TEST_DIALECT_CHECKS_H
#define RAAF_TEST_DIALECT_CHECKS_H

#include "check.h"
#include "decoder.h"
#include "random_numbers.h"
#include "transcript.h"

static inline void add_text(raaf_buffer_t *stream, const char *text) {
    raaf_buffer_append(stream, text, strlen(text));
}

static inline void add_event(raaf_buffer_t *stream, const char *line, size_t len) {
    const bool is_sse = DIALECT->framing == RAAF_FRAMING_SSE;

    add_text(stream, is_sse ? "data: " : "");
    raaf_buffer_append(stream, line, len);
    add_text(stream, is_sse ? "\n\n" : "\n");
}

static inline void make_stream(raaf_buffer_t *stream, const char *lines, size_t len) {
    const char *end = lines + len;

    raaf_buffer_init(stream, (size_t)1 << 28);
    for (const char *at = lines; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (line_end == NULL) line_end = end;
        add_event(stream, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
}

/* [step] bytes a feed; 0: whole; below 0: random pieces. Returns why the stream ended. */
static inline int decode_with(raaf_decoder_t *decoder, const raaf_buffer_t *stream, int step,
                              transcript_t *transcript) {
    uint64_t random = 4242 - (uint64_t)step;
    int rc = RAAF_OK;

    for (size_t at = 0; at < stream->len && rc == RAAF_OK;) {
        size_t part = stream->len - at;

        if (step > 0 && (size_t)step < part) part = (size_t)step;
        if (step < 0) part = random_below(&random, part < 40 ? part + 1 : 40);
        rc = raaf_decoder_feed(decoder, stream->bytes + at, part);
        at += part;
    }
    return raaf_decoder_finish(decoder, true);
}

static inline int decode(const raaf_buffer_t *stream, int step, transcript_t *transcript) {
    raaf_decoder_t decoder;
    int rc;

    CHECK_EQ_INT(raaf_decoder_init(&decoder, DIALECT, transcript_delta, transcript, 0, 0), RAAF_OK);
    rc = decode_with(&decoder, stream, step, transcript);
    raaf_decoder_free(&decoder);
    return rc;
}

static inline void check_lines(const char *lines, size_t len, const char *expected,
                               size_t expected_len, int expected_rc) {
    raaf_buffer_t stream;

    make_stream(&stream, lines, len);
    for (int step = -4; step <= 3; step++) {
        transcript_t transcript;

        transcript_init(&transcript);
        CHECK_EQ_INT(decode(&stream, step, &transcript), expected_rc);
        CHECK_EQ_BYTES(transcript.text.bytes, transcript.text.len, expected, expected_len);
        CHECK(!transcript.invalid);
        transcript_free(&transcript);
    }
    raaf_buffer_free(&stream);
}

#define CHECK_EVENTS(lines, expected, rc)                                                          \
    check_lines((lines), sizeof(lines) - 1, (expected), sizeof(expected) - 1, (rc))

static inline raaf_progress_t progress_after(const char *lines) {
    raaf_buffer_t stream;
    transcript_t transcript;
    raaf_decoder_t decoder;
    raaf_progress_t progress;

    make_stream(&stream, lines, strlen(lines));
    transcript_init(&transcript);
    raaf_decoder_init(&decoder, DIALECT, transcript_delta, &transcript, 0, 0);
    if (stream.len > 0) raaf_decoder_feed(&decoder, stream.bytes, stream.len);
    progress = raaf_decoder_progress(&decoder);
    raaf_decoder_free(&decoder);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
    return progress;
}

/* The events with malformed ones skipped; [skipped] must be how many there were. */
static inline void check_skipping(const char *lines, const char *expected, int expected_rc,
                                  uint64_t skipped) {
    raaf_buffer_t stream;
    transcript_t transcript;
    raaf_decoder_t decoder;

    make_stream(&stream, lines, strlen(lines));
    transcript_init(&transcript);
    raaf_decoder_init(&decoder, DIALECT, transcript_delta, &transcript, 0, 0);
    decoder.skip_malformed = true;
    CHECK_EQ_INT(decode_with(&decoder, &stream, 0, &transcript), expected_rc);
    CHECK_EQ_STR(transcript.text.bytes, transcript.text.len, expected);
    CHECK_EQ_UINT(decoder.malformed_events, skipped);
    raaf_decoder_free(&decoder);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

/*
 * The stream cut behind each of its events but the last is truncated, and says what the whole says
 * up to there; tool calls that are open are not handed over. [from]: the first place to look at.
 */
static inline void check_truncations(const char *lines, size_t from) {
    const char *at = lines;
    size_t events = 0;

    while ((at = strchr(at, '\n')) != NULL && at[1] != '\0') {
        raaf_buffer_t stream;
        transcript_t transcript;

        at++;
        if (++events < from) continue;
        make_stream(&stream, lines, (size_t)(at - lines));
        transcript_init(&transcript);
        if (!CHECK_EQ_INT(decode(&stream, 0, &transcript), RAAF_TRUNCATED)) {
            check_print_bytes("of", lines, (size_t)(at - lines));
        }
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
    }
    CHECK(events >= from);
}

/* The receiver stops at each delta in turn, and gets none after it. */
static inline void check_stops(const char *lines, size_t deltas) {
    raaf_buffer_t stream;
    transcript_t whole;

    make_stream(&stream, lines, strlen(lines));
    transcript_init(&whole);
    CHECK_EQ_INT(decode(&stream, 0, &whole), RAAF_OK);
    CHECK_EQ_UINT(whole.deltas, deltas);
    for (size_t stop = 1; stop <= whole.deltas; stop++) {
        transcript_t transcript;

        transcript_init(&transcript);
        transcript.stop_after = stop;
        CHECK_EQ_INT(decode(&stream, (int)stop % 3, &transcript), RAAF_STOP);
        CHECK_EQ_UINT(transcript.deltas, stop);
        CHECK_EQ_BYTES(transcript.text.bytes, transcript.text.len, whole.text.bytes,
                       transcript.text.len);
        transcript_free(&transcript);
    }
    transcript_free(&whole);
    raaf_buffer_free(&stream);
}

#ifdef RAAF_TEST_FAILING_MALLOC_H
static inline int count_deltas(void *context, const raaf_delta_t *delta) {
    ++*(int *)context;
    return RAAF_OK;
}

/* Memory runs out at each allocation in turn: the stream says so, or is whole. */
static inline void check_memory(const char *lines, int deltas, long at_least) {
    raaf_buffer_t stream;
    int rc = RAAF_NO_MEMORY;
    long allowed;

    make_stream(&stream, lines, strlen(lines));
    for (allowed = 0; rc == RAAF_NO_MEMORY && allowed < 1000; allowed++) {
        raaf_decoder_t decoder;
        int counted = 0;

        raaf_decoder_init(&decoder, DIALECT, count_deltas, &counted, 0, 0);
        memory_runs_out_after(allowed);
        raaf_decoder_feed(&decoder, stream.bytes, stream.len);
        rc = raaf_decoder_finish(&decoder, true);
        memory_is_back();
        CHECK(rc == RAAF_NO_MEMORY || (rc == RAAF_OK && counted == deltas));
        raaf_decoder_free(&decoder);
    }
    CHECK_EQ_INT(rc, RAAF_OK);
    CHECK(allowed > at_least);
    raaf_buffer_free(&stream);
}
#endif

#endif
