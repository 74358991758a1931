/*
 * Runs a stream through a dialect, whole and in pieces, and compares what it hands over:
 *
 *     CHECK_LINES(&raaf_dialect_x, "{…}\n{…}", "content 0: a\n", RAAF_OK);
 *
 * The stream is given as one event a line; a line that begins with "@name " is an event so named.
 * What is expected is written as in transcript.h.
 */
#ifndef RAAF_TEST_DIALECT_LINES_H
#define RAAF_TEST_DIALECT_LINES_H

#include "check.h"
#include "decoder.h"
#include "random_numbers.h"
#include "transcript.h"

#include <string.h>

static inline void lines_add(raaf_buffer_t *stream, const char *text) {
    raaf_buffer_append(stream, text, strlen(text));
}

static inline void lines_add_event(raaf_buffer_t *stream, const char *line, size_t len) {
    const char *space = len > 0 && line[0] == '@' ? memchr(line, ' ', len) : NULL;

    if (space != NULL) {
        lines_add(stream, "event: ");
        raaf_buffer_append(stream, line + 1, (size_t)(space - line - 1));
        lines_add(stream, "\n");
        len -= (size_t)(space + 1 - line);
        line = space + 1;
    }
    lines_add(stream, "data: ");
    raaf_buffer_append(stream, line, len);
    lines_add(stream, "\n\n");
}

static inline void lines_make_stream(raaf_buffer_t *stream, const char *lines, size_t len) {
    const char *end = lines + len;

    raaf_buffer_init(stream, (size_t)1 << 28);
    for (const char *at = lines; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (line_end == NULL) line_end = end;
        lines_add_event(stream, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
}

/* [step] bytes a feed; 0: whole; below 0: random pieces. Returns why the stream ended. */
static inline int lines_decode(const raaf_dialect_t *dialect, const raaf_buffer_t *stream, int step,
                               transcript_t *transcript) {
    uint64_t random = 4242 - (uint64_t)step;
    raaf_decoder_t decoder;
    int rc = RAAF_OK;

    CHECK_EQ_INT(raaf_decoder_init(&decoder, dialect, transcript_delta, transcript, 0, 0), RAAF_OK);
    decoder.raw_events = true;
    for (size_t at = 0; at < stream->len && rc == RAAF_OK;) {
        size_t part = stream->len - at;

        if (step > 0 && (size_t)step < part) part = (size_t)step;
        if (step < 0) part = random_below(&random, part < 40 ? part + 1 : 40);
        rc = raaf_decoder_feed(&decoder, stream->bytes + at, part);
        at += part;
    }
    rc = raaf_decoder_finish(&decoder, true);
    raaf_decoder_free(&decoder);
    return rc;
}

static inline void lines_check(const raaf_dialect_t *dialect, const char *lines, size_t len,
                               const char *expected, size_t expected_len, int expected_rc) {
    raaf_buffer_t stream;

    lines_make_stream(&stream, lines, len);
    for (int step = -4; step <= 3; step++) {
        transcript_t transcript;

        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode(dialect, &stream, step, &transcript), expected_rc);
        CHECK_EQ_BYTES(transcript.text.bytes, transcript.text.len, expected, expected_len);
        CHECK(!transcript.invalid);
        transcript_free(&transcript);
    }
    raaf_buffer_free(&stream);
}

#define CHECK_LINES(dialect, lines, expected, rc)                                                  \
    lines_check((dialect), (lines), sizeof(lines) - 1, (expected), sizeof(expected) - 1, (rc))

/* How far the answer has come behind these lines. */
static inline raaf_progress_t lines_progress(const raaf_dialect_t *dialect, const char *lines) {
    raaf_buffer_t stream;
    transcript_t transcript;
    raaf_decoder_t decoder;
    raaf_progress_t progress;

    lines_make_stream(&stream, lines, strlen(lines));
    transcript_init(&transcript);
    raaf_decoder_init(&decoder, dialect, transcript_delta, &transcript, 0, 0);
    if (stream.len > 0) raaf_decoder_feed(&decoder, stream.bytes, stream.len);
    progress = raaf_decoder_progress(&decoder);
    raaf_decoder_free(&decoder);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
    return progress;
}

#endif
