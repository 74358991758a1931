/*
 * Streams of OpenAI chat events for tests, and what must come of them in every split.
 *
 *     CHECK_CHAT(DELTA("\"content\":\"a\"") FINISH("stop") "[DONE]",
 *                "content 0: a\n" STOPPED, RAAF_OK);
 *
 * One event a line, without "data: "; a line that begins with "@name " is an event so named. What
 * must come is a transcript (transcript.h).
 */
#ifndef RAAF_TEST_CHAT_STREAM_H
#define RAAF_TEST_CHAT_STREAM_H

#include "buffer.h"
#include "check.h"
#include "decoder.h"
#include "dialect_openai_chat.h"
#include "random_numbers.h"
#include "transcript.h"

#define FFFD "\xEF\xBF\xBD"

static inline void add_text(raaf_buffer_t *stream, const char *text) {
    raaf_buffer_append(stream, text, strlen(text));
}

static inline void add_event(raaf_buffer_t *stream, const char *line, size_t len) {
    const char *space = len > 0 && line[0] == '@' ? memchr(line, ' ', len) : NULL;

    if (space != NULL) {
        add_text(stream, "event: ");
        raaf_buffer_append(stream, line + 1, (size_t)(space - line - 1));
        add_text(stream, "\n");
        len -= (size_t)(space + 1 - line);
        line = space + 1;
    }
    add_text(stream, "data: ");
    raaf_buffer_append(stream, line, len);
    add_text(stream, "\n\n");
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

/* Whether what the dialect does not know is handed over, as RAW. */
static bool show_unknown_events;

/* [step] bytes a feed; 0: whole; below 0: random pieces. Returns why the stream ended. */
static inline int decode(const raaf_buffer_t *stream, int step, transcript_t *transcript) {
    uint64_t random = 4242 - (uint64_t)step;
    raaf_decoder_t decoder;
    int rc = RAAF_OK;

    CHECK_EQ_INT(
        raaf_decoder_init(&decoder, &raaf_dialect_openai_chat, transcript_delta, transcript, 0, 0),
        RAAF_OK);
    decoder.raw_events = show_unknown_events;
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

#define CHECK_CHAT(lines, expected, rc)                                                            \
    check_lines((lines), sizeof(lines) - 1, (expected), sizeof(expected) - 1, (rc))

/* The same, with the events that the dialect does not know. */
#define CHECK_CHAT_ALL(lines, expected, rc)                                                        \
    do {                                                                                           \
        show_unknown_events = true;                                                                \
        CHECK_CHAT(lines, expected, rc);                                                           \
        show_unknown_events = false;                                                               \
    } while (0)

/* One choice with this delta, and no more. */
#define DELTA(delta) "{\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n"
#define FINISH(reason)                                                                             \
    "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n"
#define CALLS(fragments) DELTA("\"tool_calls\":[" fragments "]")
#define STOPPED "finish 0: stop\n"

#endif
