/*
 * Runs a stream through a dialect, whole and in pieces, and compares what it hands over:
 *
 *     CHECK_LINES(&raaf_dialect_x, "{…}\n{…}", "content 0: a\n", RAAF_OK);
 *
 * The stream is given as one event a line; a line that begins with "@name " is an event so named.
 * Of a dialect that is framed by lines it is the lines as they stand. What is expected is written
 * as in transcript.h. CHECK_KNOWN_LINES does the same, without the events that the dialect does not
 * know, which are handed over as RAW otherwise.
 */
#ifndef RAAF_TEST_DIALECT_LINES_H
#define RAAF_TEST_DIALECT_LINES_H

#include "check.h"
#include "decoder.h"
#include "random_numbers.h"
#include "transcript.h"

#include <stdlib.h>
#include <string.h>

#define FFFD "\xEF\xBF\xBD"

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

static inline void lines_make_stream(const raaf_dialect_t *dialect, raaf_buffer_t *stream,
                                     const char *lines, size_t len) {
    const char *end = lines + len;

    raaf_buffer_init(stream, (size_t)1 << 28);
    if (dialect->framing == RAAF_FRAMING_NDJSON) {
        raaf_buffer_append(stream, lines, len);
        lines_add(stream, "\n");
        return;
    }
    for (const char *at = lines; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));

        if (line_end == NULL) line_end = end;
        lines_add_event(stream, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
}

/* One event: [times] times [element], with commas between, and what stands before and behind. */
static inline void lines_add_list(raaf_buffer_t *stream, const char *before, const char *element,
                                  size_t times, const char *behind) {
    lines_add(stream, "data: ");
    lines_add(stream, before);
    for (size_t i = 0; i < times; i++) {
        if (i > 0) lines_add(stream, ",");
        lines_add(stream, element);
    }
    lines_add(stream, behind);
    lines_add(stream, "\n\n");
}

/* As long as [len] says; to be freed. */
static inline char *lines_long_text(size_t len) {
    char *text = malloc(len + 1);

    memset(text, 'x', len);
    text[len] = '\0';
    return text;
}

/* [step] bytes a feed; 0: whole; below 0: random pieces. Returns why the stream ended. */
static inline int lines_decode_as(const raaf_dialect_t *dialect, const raaf_buffer_t *stream,
                                  int step, bool raw_events, transcript_t *transcript) {
    uint64_t random = 4242 - (uint64_t)step;
    raaf_decoder_t decoder;
    int rc = RAAF_OK;

    CHECK_EQ_INT(raaf_decoder_init(&decoder, dialect, transcript_delta, transcript, 0, 0), RAAF_OK);
    decoder.raw_events = raw_events;
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

static inline int lines_decode(const raaf_dialect_t *dialect, const raaf_buffer_t *stream, int step,
                               transcript_t *transcript) {
    return lines_decode_as(dialect, stream, step, true, transcript);
}

static inline int lines_decode_known(const raaf_dialect_t *dialect, const raaf_buffer_t *stream,
                                     int step, transcript_t *transcript) {
    return lines_decode_as(dialect, stream, step, false, transcript);
}

/* Why the stream ends, which is freed. */
static inline int lines_end_of(const raaf_dialect_t *dialect, raaf_buffer_t *stream) {
    transcript_t transcript;
    int rc;

    transcript_init(&transcript);
    rc = lines_decode_known(dialect, stream, 0, &transcript);
    transcript_free(&transcript);
    raaf_buffer_free(stream);
    return rc;
}

static inline void lines_check_as(const raaf_dialect_t *dialect, bool raw_events, const char *lines,
                                  size_t len, const char *expected, size_t expected_len,
                                  int expected_rc) {
    raaf_buffer_t stream;

    lines_make_stream(dialect, &stream, lines, len);
    for (int step = -4; step <= 3; step++) {
        transcript_t transcript;

        transcript_init(&transcript);
        CHECK_EQ_INT(lines_decode_as(dialect, &stream, step, raw_events, &transcript), expected_rc);
        CHECK_EQ_BYTES(transcript.text.bytes, transcript.text.len, expected, expected_len);
        CHECK(!transcript.invalid);
        transcript_free(&transcript);
    }
    raaf_buffer_free(&stream);
}

static inline void lines_check(const raaf_dialect_t *dialect, const char *lines, size_t len,
                               const char *expected, size_t expected_len, int expected_rc) {
    lines_check_as(dialect, true, lines, len, expected, expected_len, expected_rc);
}

static inline void lines_check_known(const raaf_dialect_t *dialect, const char *lines, size_t len,
                                     const char *expected, size_t expected_len, int expected_rc) {
    lines_check_as(dialect, false, lines, len, expected, expected_len, expected_rc);
}

#define CHECK_LINES(dialect, lines, expected, rc)                                                  \
    lines_check((dialect), (lines), sizeof(lines) - 1, (expected), sizeof(expected) - 1, (rc))

#define CHECK_KNOWN_LINES(dialect, lines, expected, rc)                                            \
    lines_check_known((dialect), (lines), sizeof(lines) - 1, (expected), sizeof(expected) - 1, (rc))

/* How far the answer has come behind these lines. */
static inline raaf_progress_t lines_progress(const raaf_dialect_t *dialect, const char *lines) {
    raaf_buffer_t stream;
    transcript_t transcript;
    raaf_decoder_t decoder;
    raaf_progress_t progress;

    lines_make_stream(dialect, &stream, lines, strlen(lines));
    transcript_init(&transcript);
    raaf_decoder_init(&decoder, dialect, transcript_delta, &transcript, 0, 0);
    if (stream.len > 0) raaf_decoder_feed(&decoder, stream.bytes, stream.len);
    progress = raaf_decoder_progress(&decoder);
    raaf_decoder_free(&decoder);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
    return progress;
}

/* The events with malformed ones skipped; [skipped] must be how many there were. */
static inline void lines_check_skipping(const raaf_dialect_t *dialect, const char *lines,
                                        const char *expected, int expected_rc, uint64_t skipped) {
    raaf_buffer_t stream;
    transcript_t transcript;
    raaf_decoder_t decoder;

    lines_make_stream(dialect, &stream, lines, strlen(lines));
    transcript_init(&transcript);
    raaf_decoder_init(&decoder, dialect, transcript_delta, &transcript, 0, 0);
    decoder.skip_malformed = true;
    raaf_decoder_feed(&decoder, stream.bytes, stream.len);
    CHECK_EQ_INT(raaf_decoder_finish(&decoder, true), expected_rc);
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
static inline void lines_check_truncations(const raaf_dialect_t *dialect, const char *lines,
                                           size_t from) {
    const char *at = lines;
    size_t events = 0;

    while ((at = strchr(at, '\n')) != NULL && at[1] != '\0') {
        raaf_buffer_t stream;
        transcript_t transcript;

        at++;
        if (++events < from) continue;
        lines_make_stream(dialect, &stream, lines, (size_t)(at - lines));
        transcript_init(&transcript);
        if (!CHECK_EQ_INT(lines_decode(dialect, &stream, 0, &transcript), RAAF_TRUNCATED)) {
            check_print_bytes("of", lines, (size_t)(at - lines));
        }
        transcript_free(&transcript);
        raaf_buffer_free(&stream);
    }
    CHECK(events >= from);
}

/* The receiver stops at each delta in turn, and gets none after it. */
static inline void lines_check_stops(const raaf_dialect_t *dialect, const char *lines,
                                     size_t deltas) {
    raaf_buffer_t stream;
    transcript_t whole;

    lines_make_stream(dialect, &stream, lines, strlen(lines));
    transcript_init(&whole);
    CHECK_EQ_INT(lines_decode_known(dialect, &stream, 0, &whole), RAAF_OK);
    CHECK_EQ_UINT(whole.deltas, deltas);
    for (size_t stop = 1; stop <= whole.deltas; stop++) {
        transcript_t transcript;

        transcript_init(&transcript);
        transcript.stop_after = stop;
        CHECK_EQ_INT(lines_decode_known(dialect, &stream, (int)stop % 3, &transcript), RAAF_STOP);
        CHECK_EQ_UINT(transcript.deltas, stop);
        CHECK_EQ_BYTES(transcript.text.bytes, transcript.text.len, whole.text.bytes,
                       transcript.text.len);
        transcript_free(&transcript);
    }
    transcript_free(&whole);
    raaf_buffer_free(&stream);
}

/* [lines] are an error, and the receiver stops at it. */
static inline void lines_check_stop_at_error(const raaf_dialect_t *dialect, const char *lines) {
    raaf_buffer_t stream;
    transcript_t transcript;

    lines_make_stream(dialect, &stream, lines, strlen(lines));
    transcript_init(&transcript);
    transcript.stop_after = 1;
    CHECK_EQ_INT(lines_decode_known(dialect, &stream, 0, &transcript), RAAF_STOP);
    transcript_free(&transcript);
    raaf_buffer_free(&stream);
}

static inline int lines_note_message(void *context, const raaf_delta_t *delta) {
    CHECK_EQ_INT(delta->type, RAAF_CHUNK_ERROR);
    CHECK(raaf_utf8_valid(delta->error_message.bytes, delta->error_message.len));
    *(size_t *)context = delta->error_message.len;
    return RAAF_OK;
}

/* Of an event named "error" that is an x and many of [unit], [expected] bytes are the message. */
static inline void lines_check_raw_error(const raaf_dialect_t *dialect, const char *unit,
                                         size_t expected) {
    raaf_buffer_t stream;
    raaf_decoder_t decoder;
    size_t len = 0;

    raaf_buffer_init(&stream, 1 << 20);
    lines_add(&stream, "event: error\ndata: x");
    for (int i = 0; i < 5000; i++)
        lines_add(&stream, unit);
    lines_add(&stream, "\n\n");
    raaf_decoder_init(&decoder, dialect, lines_note_message, &len, 0, 0);
    CHECK_EQ_INT(raaf_decoder_feed(&decoder, stream.bytes, stream.len), RAAF_PROVIDER_ERROR);
    CHECK_EQ_UINT(len, expected);
    raaf_decoder_free(&decoder);
    raaf_buffer_free(&stream);
}

#ifdef RAAF_TEST_FAILING_MALLOC_H
static inline int lines_count_deltas(void *context, const raaf_delta_t *delta) {
    ++*(int *)context;
    return RAAF_OK;
}

/* Memory runs out at each of more than [at_least] allocations in turn: the stream says so, or is
 * whole. */
static inline void lines_check_memory(const raaf_dialect_t *dialect, const char *lines,
                                      int expected_rc, int deltas, long at_least) {
    raaf_buffer_t stream;
    int rc = RAAF_NO_MEMORY;
    long allowed;

    lines_make_stream(dialect, &stream, lines, strlen(lines));
    for (allowed = 0; rc == RAAF_NO_MEMORY && allowed < 1000; allowed++) {
        raaf_decoder_t decoder;
        int counted = 0;

        raaf_decoder_init(&decoder, dialect, lines_count_deltas, &counted, 0, 0);
        memory_runs_out_after(allowed);
        raaf_decoder_feed(&decoder, stream.bytes, stream.len);
        rc = raaf_decoder_finish(&decoder, true);
        memory_is_back();
        CHECK(rc == RAAF_NO_MEMORY || (rc == expected_rc && counted == deltas));
        raaf_decoder_free(&decoder);
    }
    CHECK_EQ_INT(rc, expected_rc);
    CHECK(allowed > at_least);
    raaf_buffer_free(&stream);
}
#endif

#endif
