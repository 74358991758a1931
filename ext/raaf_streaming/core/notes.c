#include "notes.h"

#include "result_code.h"
#include "utf8.h"

#include <stdint.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

void raaf_notes_init(raaf_notes_t *notes) {
    raaf_buffer_init(&notes->bytes, SIZE_MAX);
}

void raaf_notes_forget(raaf_notes_t *notes) {
    raaf_buffer_clear(&notes->bytes, KEEP_BYTES);
}

raaf_slice_t raaf_notes_get(const raaf_notes_t *notes, raaf_range_t range) {
    if (range.len == 0) return (raaf_slice_t){"", 0};
    return (raaf_slice_t){notes->bytes.bytes + range.start, range.len};
}

/* An earlier note of the same field is taken back where it was the last one. */
static void begin(raaf_notes_t *notes, raaf_range_t *range) {
    if (range->start + range->len == notes->bytes.len) notes->bytes.len -= range->len;
    *range = (raaf_range_t){.start = notes->bytes.len};
}

int raaf_notes_set(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len) {
    int rc;

    begin(notes, range);
    rc = raaf_utf8_repair(NULL, bytes, len, &notes->bytes);
    range->len = notes->bytes.len - range->start;
    return rc;
}

int raaf_notes_set_raw(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len) {
    begin(notes, range);
    return raaf_notes_add_raw(notes, range, bytes, len);
}

int raaf_notes_add_raw(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len) {
    int rc;

    if (range->len == 0) range->start = notes->bytes.len;
    rc = raaf_buffer_append(&notes->bytes, bytes, len);
    if (rc == RAAF_OK) range->len += len;
    return rc;
}

int raaf_notes_set_start(raaf_notes_t *notes, raaf_range_t *range, const char *bytes, size_t len,
                         size_t most) {
    /* Three bytes more than can stay: a character that the cut goes through is seen as one. */
    const int rc = raaf_notes_set(notes, range, bytes, len < most + 3 ? len : most + 3);

    if (rc != RAAF_OK || range->len <= most) return rc;
    bytes = notes->bytes.bytes + range->start;
    range->len = most;
    while (((uint8_t)bytes[range->len] & 0xC0) == 0x80) {
        range->len--;
    }
    return RAAF_OK;
}

void raaf_notes_free(raaf_notes_t *notes) {
    raaf_buffer_free(&notes->bytes);
}
