#include "reasoning_details.h"

#include "json_text.h"
#include "result_code.h"

#include <stdio.h>
#include <string.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

typedef struct detail {
    uint32_t choice;
    raaf_detail_kind_t kind;
    bool closed; /* was handed over */
    bool has_index;
    int64_t index;
    raaf_utf8_carry_t open; /* of the text */
    raaf_buffer_t id;
    raaf_buffer_t format;
    raaf_buffer_t signature;
    raaf_buffer_t text;
} detail_t;

static raaf_slice_t slice_of(const raaf_buffer_t *buffer) {
    return (raaf_slice_t){buffer->bytes != NULL ? buffer->bytes : "", buffer->len};
}

static size_t count(const raaf_reasoning_details_t *details) {
    return details->list.len / sizeof(detail_t);
}

static detail_t *detail_at(const raaf_reasoning_details_t *details, size_t i) {
    return (detail_t *)(void *)details->list.bytes + i;
}

void raaf_reasoning_details_init(raaf_reasoning_details_t *details) {
    raaf_buffer_init(&details->list, RAAF_REASONING_DETAILS_MAX * sizeof(detail_t));
    raaf_buffer_init(&details->json, SIZE_MAX);
    details->bytes = 0;
}

/* ---- pieces in ---- */

static bool same_or_unsaid(const raaf_buffer_t *known, raaf_slice_t said) {
    return known->len == 0 || said.len == 0 ||
           (known->len == said.len && memcmp(known->bytes, said.bytes, said.len) == 0);
}

static bool goes_on(const detail_t *detail, const raaf_detail_piece_t *piece) {
    if (detail->closed || piece->kind == RAAF_DETAIL_WHOLE || detail->kind != piece->kind)
        return false;
    if (detail->has_index && piece->has_index && detail->index != piece->index) return false;
    return same_or_unsaid(&detail->id, piece->id);
}

static detail_t *newest(const raaf_reasoning_details_t *details, uint32_t choice) {
    for (size_t i = count(details); i > 0; i--) {
        if (detail_at(details, i - 1)->choice == choice) return detail_at(details, i - 1);
    }
    return NULL;
}

static int begin(raaf_reasoning_details_t *details, uint32_t choice, raaf_detail_kind_t kind,
                 detail_t **begun) {
    detail_t detail = {.choice = choice, .kind = kind};
    int rc;

    raaf_buffer_init(&detail.id, SIZE_MAX);
    raaf_buffer_init(&detail.format, SIZE_MAX);
    raaf_buffer_init(&detail.signature, SIZE_MAX);
    raaf_buffer_init(&detail.text, SIZE_MAX);
    rc = raaf_buffer_append(&details->list, (const char *)&detail, sizeof detail);
    if (rc == RAAF_OK) *begun = detail_at(details, count(details) - 1);
    return raaf_capped(rc);
}

/* The first that was said counts. */
static int set_once(raaf_buffer_t *buffer, raaf_slice_t said) {
    return buffer->len > 0 ? RAAF_OK : raaf_buffer_append(buffer, said.bytes, said.len);
}

static int take(detail_t *detail, const raaf_detail_piece_t *piece) {
    int rc = set_once(&detail->id, piece->id);

    if (rc == RAAF_OK) rc = set_once(&detail->format, piece->format);
    if (rc == RAAF_OK) rc = set_once(&detail->signature, piece->signature);
    if (piece->has_index && !detail->has_index) {
        detail->has_index = true;
        detail->index = piece->index;
    }
    if (rc != RAAF_OK) return rc;
    return raaf_utf8_repair(&detail->open, piece->text.bytes, piece->text.len, &detail->text);
}

int raaf_reasoning_details_add(raaf_reasoning_details_t *details, uint32_t choice,
                               const raaf_detail_piece_t *piece) {
    const size_t len = piece->id.len + piece->format.len + piece->signature.len + piece->text.len;
    detail_t *detail = newest(details, choice);
    int rc = RAAF_OK;

    if (len > RAAF_REASONING_DETAILS_MAX_BYTES - details->bytes) return RAAF_EVENT_TOO_LARGE;
    details->bytes += len;
    if (detail == NULL || !goes_on(detail, piece))
        rc = begin(details, choice, piece->kind, &detail);
    return rc == RAAF_OK ? take(detail, piece) : rc;
}

/* ---- whole details out ---- */

static int put(raaf_buffer_t *json, const char *text) {
    return raaf_buffer_append(json, text, strlen(text));
}

static int write_field(raaf_buffer_t *json, const char *name, const raaf_buffer_t *value) {
    int rc = put(json, name);

    return rc == RAAF_OK ? raaf_json_text_string(json, slice_of(value)) : rc;
}

static int write_optional(raaf_buffer_t *json, const char *name, const raaf_buffer_t *value) {
    return value->len > 0 ? write_field(json, name, value) : RAAF_OK;
}

static int write_index(raaf_buffer_t *json, const detail_t *detail) {
    char text[48];

    if (!detail->has_index) return RAAF_OK;
    snprintf(text, sizeof text, ",\"index\":%lld", (long long)detail->index);
    return put(json, text);
}

static const char *head_of(raaf_detail_kind_t kind) {
    switch (kind) {
    case RAAF_DETAIL_TEXT:
        return "{\"type\":\"reasoning.text\",\"text\":";
    case RAAF_DETAIL_SUMMARY:
        return "{\"type\":\"reasoning.summary\",\"summary\":";
    default:
        return "{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":";
    }
}

static int write_detail(raaf_buffer_t *json, const detail_t *detail) {
    int rc;

    if (detail->kind == RAAF_DETAIL_WHOLE)
        return raaf_buffer_append(json, detail->text.bytes, detail->text.len);
    rc = write_field(json, head_of(detail->kind), &detail->text);
    if (rc == RAAF_OK && detail->kind == RAAF_DETAIL_THINKING) rc = put(json, "}]");
    if (rc == RAAF_OK) rc = write_optional(json, ",\"signature\":", &detail->signature);
    if (rc == RAAF_OK) rc = write_optional(json, ",\"format\":", &detail->format);
    if (rc == RAAF_OK) rc = write_optional(json, ",\"id\":", &detail->id);
    if (rc == RAAF_OK) rc = write_index(json, detail);
    return rc == RAAF_OK ? put(json, "}") : rc;
}

static void free_detail(detail_t *detail) {
    raaf_buffer_free(&detail->id);
    raaf_buffer_free(&detail->format);
    raaf_buffer_free(&detail->signature);
    raaf_buffer_free(&detail->text);
}

static int close_detail(raaf_reasoning_details_t *details, detail_t *detail,
                        raaf_delta_sink_t *sink) {
    const uint32_t choice = detail->choice;
    int rc = RAAF_OK;

    detail->closed = true;
    raaf_buffer_clear(&details->json, KEEP_BYTES);
    if (detail->kind != RAAF_DETAIL_THINKING || detail->signature.len > 0) {
        rc = raaf_utf8_finish(&detail->open, &detail->text);
        if (rc == RAAF_OK) rc = write_detail(&details->json, detail);
    }
    free_detail(detail);
    if (rc != RAAF_OK) return rc;
    return raaf_delta_sink_json(sink, RAAF_CHUNK_PART, choice, slice_of(&details->json));
}

int raaf_reasoning_details_close(raaf_reasoning_details_t *details, uint32_t choice,
                                 raaf_delta_sink_t *sink) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < count(details) && rc == RAAF_OK; i++) {
        detail_t *detail = detail_at(details, i);

        if (detail->choice == choice && !detail->closed) rc = close_detail(details, detail, sink);
    }
    return rc;
}

void raaf_reasoning_details_free(raaf_reasoning_details_t *details) {
    for (size_t i = 0; i < count(details); i++)
        free_detail(detail_at(details, i));
    raaf_buffer_free(&details->list);
    raaf_buffer_free(&details->json);
}
