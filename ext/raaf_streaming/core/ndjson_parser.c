#include "ndjson_parser.h"

#include "result_code.h"

#include <string.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 2048

void raaf_ndjson_parser_init(raaf_ndjson_parser_t *parser, raaf_sse_event_fn on_event,
                             void *context, size_t max_line, size_t max_event) {
    if (max_line == 0) max_line = RAAF_SSE_MAX_LINE;
    if (max_event == 0) max_event = RAAF_SSE_MAX_EVENT;
    memset(parser, 0, sizeof *parser);
    parser->on_event = on_event;
    parser->context = context;
    parser->too_long = max_line <= max_event ? RAAF_LINE_TOO_LONG : RAAF_EVENT_TOO_LARGE;
    raaf_buffer_init(&parser->line, max_line <= max_event ? max_line : max_event);
}

void raaf_ndjson_parser_free(raaf_ndjson_parser_t *parser) {
    raaf_buffer_free(&parser->line);
}

static bool is_blank(const char *line, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (line[i] != ' ' && line[i] != '\t') return false;
    }
    return true;
}

static int hand_over(raaf_ndjson_parser_t *parser, const char *line, size_t len) {
    const raaf_sse_event_t event = {
        .type = "", .data = line, .data_len = len, .id = "", .retry_ms = -1};

    if (len > parser->line.limit) return parser->too_long;
    return is_blank(line, len) ? RAAF_OK : parser->on_event(parser->context, &event);
}

/* Bytes of a line whose end has not come. */
static int keep(raaf_ndjson_parser_t *parser, const char *bytes, size_t len) {
    const int rc = raaf_buffer_append(&parser->line, bytes, len);

    return rc == RAAF_BODY_TOO_LARGE ? parser->too_long : rc;
}

/* The line that ends behind these bytes; its first part may be waiting from earlier feeds. */
static int end_line(raaf_ndjson_parser_t *parser, const char *bytes, size_t len) {
    int rc;

    if (parser->line.len == 0) return hand_over(parser, bytes, len);
    rc = keep(parser, bytes, len);
    if (rc == RAAF_OK) rc = hand_over(parser, parser->line.bytes, parser->line.len);
    raaf_buffer_clear(&parser->line, KEEP_BYTES);
    return rc;
}

static const char *find(const char *at, const char *end, char byte) {
    const char *found = memchr(at, byte, (size_t)(end - at));

    return found != NULL ? found : end;
}

int raaf_ndjson_parser_feed(raaf_ndjson_parser_t *parser, const char *bytes, size_t len) {
    const char *end = bytes + len;
    const char *lf = bytes; /* the next one, or the end: searched for only once */
    int rc = RAAF_OK;

    if (parser->stopped) return RAAF_STOP;
    while (bytes < end && rc == RAAF_OK) {
        const char *line_end;

        if (lf <= bytes) lf = find(bytes, end, '\n');
        line_end = find(bytes, lf, '\r');
        if (line_end == end) {
            rc = keep(parser, bytes, (size_t)(end - bytes));
        } else {
            rc = end_line(parser, bytes, (size_t)(line_end - bytes));
        }
        bytes = line_end == end ? end : line_end + 1;
    }
    parser->stopped = rc != RAAF_OK;
    return rc;
}

int raaf_ndjson_parser_finish(raaf_ndjson_parser_t *parser) {
    int rc;

    if (parser->stopped) return RAAF_STOP;
    rc = end_line(parser, "", 0);
    parser->stopped = true;
    return rc;
}
