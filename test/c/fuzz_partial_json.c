/*
 * The oracle: a text fed whole, byte by byte, and cut at places that the input itself chooses,
 * reports the same tokens in a possible order, returns the same code and is refused at the same
 * byte. And the reader of whole events, which has its JSON from yajl, takes the same texts for
 * JSON, but for what the two differ in on purpose: a byte order mark, and their limits.
 *
 * The first two bytes choose the limits and how the input is cut; the rest is the text.
 */
#include "json_reader.h"
#include "partial_json_record.h"
#include "random_numbers.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one reading came to. */
typedef struct reading {
    record_t record;
    size_t offset;
    int rc;
} reading_t;

/* Each part is a block of its own: a pointer that is kept too long is found. */
static int feed_copy(raaf_partial_json_t *json, const uint8_t *bytes, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int rc;

    memcpy(copy, bytes, len);
    rc = raaf_partial_json_feed(json, copy, len);
    free(copy);
    return rc;
}

/* [seed] 0: whole; 1: byte by byte; else at random places. */
static void read_text(uint8_t limits, uint64_t seed, const uint8_t *bytes, size_t len,
                      reading_t *reading) {
    uint64_t random = seed;
    raaf_partial_json_t json;
    int rc = RAAF_OK;

    record_init(&reading->record);
    raaf_partial_json_init(&json, record_token, &reading->record,
                           limits & 1 ? 3 : RAAF_JSON_MAX_DEPTH, limits & 2 ? 5 : 0);
    for (size_t at = 0; at < len && rc == RAAF_OK;) {
        size_t part = seed == 0 ? len : seed == 1 ? 1 : random_below(&random, 12);

        if (part > len - at) part = len - at;
        rc = feed_copy(&json, bytes + at, part);
        at += part;
    }
    if (rc == RAAF_OK) rc = raaf_partial_json_finish(&json);
    if (json.result != rc || raaf_partial_json_complete(&json) != (rc == RAAF_OK)) abort();
    if (raaf_partial_json_feed(&json, "x", 1) == RAAF_OK) abort();
    if (reading->record.wrong) abort();
    reading->offset = rc == RAAF_OK ? len : json.offset;
    reading->rc = rc;
    raaf_partial_json_free(&json);
}

static void compare(const reading_t *one, const reading_t *other) {
    const raaf_buffer_t *a = &one->record.text;
    const raaf_buffer_t *b = &other->record.text;

    if (one->rc != other->rc || one->offset != other->offset) abort();
    if (a->len != b->len || (a->len > 0 && memcmp(a->bytes, b->bytes, a->len) != 0)) abort();
}

static int ignore_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    return RAAF_OK;
}

static void compare_with_reader(const uint8_t *bytes, size_t len, int rc) {
    static const raaf_json_field_t rows[] = {RAAF_JSON_FIELD(RAAF_JSON_ROOT, 2, "a")};
    static const raaf_json_table_t table = {rows, 1};
    raaf_json_reader_t reader;
    int other;

    if (rc != RAAF_OK && rc != RAAF_INVALID_JSON && rc != RAAF_TRUNCATED) return;
    if (len > 0 && bytes[0] == 0xEF) return;
    raaf_json_reader_init(&reader, &table);
    other = raaf_json_read(&reader, (const char *)bytes, len, ignore_value, NULL);
    raaf_json_reader_free(&reader);
    if (other == RAAF_TOO_DEEP) return;
    if ((rc == RAAF_OK) != (other == RAAF_OK || other == RAAF_INVALID_EVENT)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    reading_t whole, pieces;

    if (size < 2) return 0;
    read_text(data[0], 0, data + 2, size - 2, &whole);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const uint64_t cut = seed == 1 ? 1 : seed * 0x9E3779B97F4A7C15u + data[1];

        read_text(data[0], cut, data + 2, size - 2, &pieces);
        compare(&whole, &pieces);
        record_free(&pieces.record);
    }
    compare_with_reader(data + 2, size - 2, whole.rc);
    record_free(&whole.record);
    return 0;
}
