#include "sources.h"

#include "json_text.h"
#include "result_code.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 1024

_Static_assert(RAAF_SOURCES_MAX < RAAF_SEEN_MAX, "all of them are remembered");

enum { LIST = 2, URL };

static const raaf_json_field_t rows[] = {
    RAAF_JSON_FIELD(RAAF_JSON_ROOT, LIST, "list"),
    RAAF_JSON_FIELD(LIST, URL, "url"),
};

static const raaf_json_table_t table = {.rows = rows, .count = sizeof rows / sizeof rows[0]};

void raaf_sources_init(raaf_sources_t *sources) {
    memset(sources, 0, sizeof *sources);
    raaf_json_reader_init(&sources->reader, &table);
    for (int i = 0; i < RAAF_SOURCES_LIST_COUNT; i++)
        raaf_buffer_init(&sources->last[i], SIZE_MAX);
    raaf_seen_init(&sources->seen);
    raaf_buffer_init(&sources->wrapped, SIZE_MAX);
    raaf_buffer_init(&sources->json, SIZE_MAX);
    raaf_notes_init(&sources->notes);
}

/* ---- one source ---- */

static int put(raaf_buffer_t *json, const char *text) {
    return raaf_buffer_append(json, text, strlen(text));
}

/* What stands in sources->json. */
static int hand_over(raaf_sources_t *sources, raaf_slice_t key) {
    bool is_new;
    const int rc = raaf_seen_note(&sources->seen, 0, key, &is_new);

    if (rc != RAAF_OK || !is_new) return rc;
    if (sources->seen.count > RAAF_SOURCES_MAX) return RAAF_EVENT_TOO_LARGE;
    return raaf_delta_sink_json(sources->sink, RAAF_CHUNK_CITATION, 0,
                                (raaf_slice_t){sources->json.bytes, sources->json.len});
}

static int on_object(raaf_sources_t *sources, const raaf_json_value_t *value) {
    const raaf_slice_t url = raaf_notes_get(&sources->notes, sources->url);
    int rc = raaf_utf8_repair(NULL, value->bytes, value->len, &sources->json);

    if (rc != RAAF_OK) return rc;
    return hand_over(sources,
                     url.len > 0 ? url : (raaf_slice_t){sources->json.bytes, sources->json.len});
}

static int on_string(raaf_sources_t *sources) {
    const raaf_slice_t url = raaf_notes_get(&sources->notes, sources->url);
    int rc;

    if (url.len == 0) return RAAF_OK;
    rc = put(&sources->json, "{\"url\":");
    if (rc == RAAF_OK) rc = raaf_json_text_string(&sources->json, url);
    if (rc == RAAF_OK) rc = put(&sources->json, "}");
    return rc == RAAF_OK ? hand_over(sources, url) : rc;
}

static int keep_url(raaf_sources_t *sources, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    return raaf_notes_set(&sources->notes, &sources->url, value->bytes, value->len);
}

static void begin_source(raaf_sources_t *sources) {
    raaf_notes_forget(&sources->notes);
    raaf_buffer_clear(&sources->json, KEEP_BYTES);
    sources->url = (raaf_range_t){0};
}

static int on_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    raaf_sources_t *sources = context;
    int rc;

    if (field == URL) return keep_url(sources, value);
    if (field != LIST) return RAAF_OK;
    switch (value->type) {
    case RAAF_JSON_OPEN_OBJECT:
        begin_source(sources);
        return RAAF_OK;
    case RAAF_JSON_CLOSE_OBJECT:
        return on_object(sources, value);
    case RAAF_JSON_STRING:
        begin_source(sources);
        rc = keep_url(sources, value);
        return rc == RAAF_OK ? on_string(sources) : rc;
    default:
        return RAAF_OK;
    }
}

/* ---- a list ---- */

static bool same(const raaf_buffer_t *buffer, raaf_slice_t slice) {
    return buffer->len == slice.len &&
           (slice.len == 0 || memcmp(buffer->bytes, slice.bytes, slice.len) == 0);
}

/* The reader takes objects only. */
static int wrap(raaf_sources_t *sources, raaf_slice_t list) {
    raaf_buffer_t *wrapped = &sources->wrapped;
    int rc;

    raaf_buffer_clear(wrapped, KEEP_BYTES);
    rc = put(wrapped, "{\"list\":");
    if (rc == RAAF_OK) rc = raaf_buffer_append(wrapped, list.bytes, list.len);
    return rc == RAAF_OK ? put(wrapped, "}") : rc;
}

int raaf_sources_take(raaf_sources_t *sources, raaf_source_list_t which, raaf_slice_t list,
                      raaf_delta_sink_t *sink) {
    raaf_buffer_t *last = &sources->last[which];
    int rc = RAAF_OK;

    if (same(last, list)) return RAAF_OK;
    raaf_buffer_clear(last, list.len);
    if (list.len <= RAAF_SOURCES_MAX_LAST) rc = raaf_buffer_append(last, list.bytes, list.len);
    if (rc == RAAF_OK) rc = wrap(sources, list);
    if (rc != RAAF_OK) return rc;

    sources->sink = sink;
    rc = raaf_json_read(&sources->reader, sources->wrapped.bytes, sources->wrapped.len, on_value,
                        sources);
    raaf_buffer_clear(&sources->wrapped, KEEP_BYTES);
    return rc;
}

void raaf_sources_free(raaf_sources_t *sources) {
    raaf_json_reader_free(&sources->reader);
    for (int i = 0; i < RAAF_SOURCES_LIST_COUNT; i++)
        raaf_buffer_free(&sources->last[i]);
    raaf_seen_free(&sources->seen);
    raaf_buffer_free(&sources->wrapped);
    raaf_buffer_free(&sources->json);
    raaf_notes_free(&sources->notes);
}
