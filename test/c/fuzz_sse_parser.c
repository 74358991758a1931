/*
 * The oracle: an input fed whole, byte by byte, and cut at places that the input itself chooses,
 * hands over the same events and returns the same code.
 *
 * The first two bytes choose the limits and how the input is cut; the rest is the stream.
 */
#include "buffer.h"
#include "random_numbers.h"
#include "result_code.h"
#include "sse_parser.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(raaf_buffer_t *out, const char *bytes, size_t len) {
    if (bytes == NULL) abort();
    raaf_buffer_append(out, (const char *)&len, sizeof len);
    raaf_buffer_append(out, bytes, len);
}

static int on_event(void *context, const raaf_sse_event_t *event) {
    raaf_buffer_t *out = context;

    record(out, event->type, event->type_len);
    record(out, event->data, event->data_len);
    record(out, event->id, event->id_len);
    raaf_buffer_append(out, (const char *)&event->retry_ms, sizeof event->retry_ms);
    return event->data_len == 4 && memcmp(event->data, "stop", 4) == 0 ? RAAF_CANCELLED : RAAF_OK;
}

/* Each part is a block of its own: a pointer that is kept too long is found. */
static int feed_copy(raaf_sse_parser_t *parser, const uint8_t *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_sse_parser_feed(parser, copy, len);
    free(copy);
    return rc;
}

/* [seed] 0: whole; 1: byte by byte; else at random places. */
static int parse(uint8_t limits, uint64_t seed, const uint8_t *bytes, size_t len,
                 raaf_buffer_t *out) {
    const size_t max_line = limits & 1 ? 24 : 0;
    const size_t max_event = limits & 2 ? 16 : 0;
    uint64_t random = seed;
    raaf_sse_parser_t parser;
    int rc = RAAF_OK;

    raaf_buffer_init(out, (size_t)1 << 30);
    raaf_sse_parser_init(&parser, on_event, out, max_line, max_event);
    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        size_t part = seed == 0 ? len : seed == 1 ? 1 : random_below(&random, 12);

        if (part > len - at) part = len - at;
        rc = feed_copy(&parser, bytes + at, part);
        at += part;
    }
    if (rc == RAAF_OK) rc = raaf_sse_parser_finish(&parser);
    if (raaf_sse_parser_pending(&parser)) abort();
    raaf_sse_parser_free(&parser);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    raaf_buffer_t whole, pieces;
    int rc;

    if (size < 2) return 0;
    rc = parse(data[0], 0, data + 2, size - 2, &whole);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const uint64_t cut = seed == 1 ? 1 : seed * 0x9E3779B97F4A7C15u + data[1];

        if (parse(data[0], cut, data + 2, size - 2, &pieces) != rc) abort();
        if (pieces.len != whole.len) abort();
        if (whole.len > 0 && memcmp(pieces.bytes, whole.bytes, whole.len) != 0) abort();
        raaf_buffer_free(&pieces);
    }
    raaf_buffer_free(&whole);
    return 0;
}
