/*
 * The oracle of every dialect's fuzzer: a stream fed whole, byte by byte, and cut at places that
 * the input itself chooses, hands over the same deltas and ends with the same code; every string
 * that is handed over is valid UTF-8; and a part is a JSON object, as are a whole call's arguments
 * where ARGUMENTS_ARE_JSON was defined before.
 *
 * The first two bytes choose what happens to malformed and unknown events, where the receiver
 * stops, and how the stream is cut; the rest is the stream.
 */
#ifndef RAAF_TEST_FUZZ_DIALECT_H
#define RAAF_TEST_FUZZ_DIALECT_H

#include "decoder.h"
#include "json_reader.h"
#include "random_numbers.h"
#include "transcript.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARGUMENTS_ARE_JSON
#define ARGUMENTS_ARE_JSON 0
#endif

static inline int fuzz_ignore(void *context, uint8_t field, const raaf_json_value_t *value) {
    return RAAF_OK;
}

static inline void fuzz_check_object(raaf_slice_t json) {
    static const raaf_json_field_t rows[] = {RAAF_JSON_FIELD(RAAF_JSON_ROOT, 2, "x")};
    static const raaf_json_table_t table = {.rows = rows, .count = 1};
    raaf_json_reader_t reader;

    raaf_json_reader_init(&reader, &table);
    if (raaf_json_read(&reader, json.bytes, json.len, fuzz_ignore, NULL) != RAAF_OK) abort();
    raaf_json_reader_free(&reader);
}

static inline int fuzz_delta(void *context, const raaf_delta_t *delta) {
    if (delta->type == RAAF_CHUNK_PART) fuzz_check_object(delta->text);
    if (ARGUMENTS_ARE_JSON && delta->type == RAAF_CHUNK_TOOL_CALL) fuzz_check_object(delta->text);
    return transcript_delta(context, delta);
}

static inline int fuzz_feed_copy(raaf_decoder_t *decoder, const uint8_t *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_decoder_feed(decoder, copy, len);
    free(copy);
    return rc;
}

/* [seed] 0: whole; 1: byte by byte; else at random places. */
static inline int fuzz_decode(const raaf_dialect_t *dialect, uint8_t choice, uint64_t seed,
                              const uint8_t *bytes, size_t len, transcript_t *transcript) {
    uint64_t random = seed;
    raaf_decoder_t decoder;
    int rc = RAAF_OK;

    transcript_init(transcript);
    transcript->stop_after = choice & 2 ? choice >> 4 : 0;
    if (raaf_decoder_init(&decoder, dialect, fuzz_delta, transcript, choice & 4 ? 256 : 0,
                          choice & 8 ? 128 : 0) != RAAF_OK) {
        abort();
    }
    decoder.skip_malformed = choice & 1;
    decoder.raw_events = !(choice & 2) && choice & 16;
    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        size_t part = seed == 0 ? len : seed == 1 ? 1 : random_below(&random, 40);

        if (part > len - at) part = len - at;
        rc = fuzz_feed_copy(&decoder, bytes + at, part);
        at += part;
    }
    rc = raaf_decoder_finish(&decoder, true);
    if (raaf_decoder_finish(&decoder, true) != rc) abort();
    raaf_decoder_free(&decoder);
    if (transcript->invalid) abort();
    return rc;
}

static inline int fuzz_dialect(const raaf_dialect_t *dialect, const uint8_t *data, size_t size) {
    transcript_t whole, pieces;
    int rc;

    if (size < 2) return 0;
    rc = fuzz_decode(dialect, data[0], 0, data + 2, size - 2, &whole);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        const uint64_t cut = seed == 1 ? 1 : seed * 0x9E3779B97F4A7C15u + data[1];

        if (fuzz_decode(dialect, data[0], cut, data + 2, size - 2, &pieces) != rc) abort();
        if (pieces.text.len != whole.text.len) abort();
        if (whole.text.len > 0 && memcmp(pieces.text.bytes, whole.text.bytes, whole.text.len)) {
            abort();
        }
        transcript_free(&pieces);
    }
    transcript_free(&whole);
    return 0;
}

#endif
