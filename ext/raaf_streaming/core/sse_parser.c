#include "sse_parser.h"

#include "result_code.h"

#include <string.h>

/* Memory that a silent stream may hold on to, in each of its buffers. */
#define KEEP_BYTES 2048

#define BOM_LEN 3
#define BOM_PAST 4

static const char BOM[BOM_LEN] = {'\xEF', '\xBB', '\xBF'};

/*
 * What the running feed has said of an event that is not over: still where it was read, in the
 * bytes of the feed or in the parser's line buffer. What is left when the feed ends is copied.
 */
typedef struct pass {
    raaf_sse_parser_t *parser;
    const char *data; /* the only data line so far; NULL: the data is in the parser's buffer */
    size_t data_len;
    const char *type; /* NULL: the type is in the parser's buffer */
    size_t type_len;
} pass_t;

/* The bytes of a feed with the next line end of either kind; both are searched for only once. */
typedef struct scan {
    const char *at;
    const char *end;
    const char *lf;
    const char *cr;
} scan_t;

void raaf_sse_parser_init(raaf_sse_parser_t *parser, raaf_sse_event_fn on_event, void *context,
                          size_t max_line, size_t max_event) {
    memset(parser, 0, sizeof *parser);
    parser->on_event = on_event;
    parser->context = context;
    parser->max_line = max_line > 0 ? max_line : RAAF_SSE_MAX_LINE;
    parser->max_event = max_event > 0 ? max_event : RAAF_SSE_MAX_EVENT;
    parser->retry_ms = -1;
    raaf_buffer_init(&parser->line, parser->max_line);
    raaf_buffer_init(&parser->data, parser->max_event);
    raaf_buffer_init(&parser->type, parser->max_line);
    raaf_buffer_init(&parser->id, parser->max_line);
}

void raaf_sse_parser_free(raaf_sse_parser_t *parser) {
    raaf_buffer_free(&parser->line);
    raaf_buffer_free(&parser->data);
    raaf_buffer_free(&parser->type);
    raaf_buffer_free(&parser->id);
}

static const char *find(const char *at, const char *end, char byte) {
    const char *found = at < end ? memchr(at, byte, (size_t)(end - at)) : NULL;

    return found != NULL ? found : end;
}

static const char *next_line_end(scan_t *scan) {
    if (scan->lf < scan->at) scan->lf = find(scan->at, scan->end, '\n');
    if (scan->cr < scan->at) scan->cr = find(scan->at, scan->end, '\r');
    return scan->lf < scan->cr ? scan->lf : scan->cr;
}

static void forget_event(pass_t *pass) {
    raaf_sse_parser_t *parser = pass->parser;

    if (parser->data.bytes != NULL) raaf_buffer_clear(&parser->data, KEEP_BYTES);
    if (parser->type.bytes != NULL) raaf_buffer_clear(&parser->type, KEEP_BYTES);
    pass->data = NULL;
    pass->type = NULL;
    parser->has_data = false;
    parser->retry_ms = -1;
}

static const char *bytes_of(const raaf_buffer_t *buffer) {
    return buffer->bytes != NULL ? buffer->bytes : "";
}

static int dispatch(pass_t *pass) {
    raaf_sse_parser_t *parser = pass->parser;
    int rc = RAAF_OK;

    if (parser->has_data) {
        const raaf_sse_event_t event = {
            .type = pass->type != NULL ? pass->type : bytes_of(&parser->type),
            .type_len = pass->type != NULL ? pass->type_len : parser->type.len,
            .data = pass->data != NULL ? pass->data : bytes_of(&parser->data),
            .data_len = pass->data != NULL ? pass->data_len : parser->data.len,
            .id = bytes_of(&parser->id),
            .id_len = parser->id.len,
            .retry_ms = parser->retry_ms,
        };
        rc = parser->on_event(parser->context, &event);
    }
    forget_event(pass);
    return rc;
}

/* Copies what the feed's bytes still hold: they are gone once the feed returns. */
static int keep_event(pass_t *pass) {
    raaf_sse_parser_t *parser = pass->parser;
    int rc = RAAF_OK;

    if (pass->data != NULL) {
        rc = raaf_buffer_append(&parser->data, pass->data, pass->data_len);
        pass->data = NULL;
    }
    if (rc == RAAF_OK && pass->type != NULL) {
        parser->type.len = 0;
        rc = raaf_buffer_append(&parser->type, pass->type, pass->type_len);
        pass->type = NULL;
    }
    return rc;
}

static int add_data(pass_t *pass, const char *value, size_t len) {
    raaf_sse_parser_t *parser = pass->parser;
    const size_t held = pass->data != NULL ? pass->data_len : parser->data.len;
    const size_t joint = parser->has_data ? 1 : 0;
    int rc;

    if (len > parser->max_event || held + joint > parser->max_event - len) {
        return RAAF_EVENT_TOO_LARGE;
    }
    if (!parser->has_data) {
        parser->has_data = true;
        pass->data = value;
        pass->data_len = len;
        return RAAF_OK;
    }
    if (pass->data != NULL) {
        rc = raaf_buffer_append(&parser->data, pass->data, pass->data_len);
        pass->data = NULL;
        if (rc != RAAF_OK) return rc;
    }
    if ((rc = raaf_buffer_append(&parser->data, "\n", 1)) != RAAF_OK) return rc;
    return raaf_buffer_append(&parser->data, value, len);
}

static int set_id(raaf_sse_parser_t *parser, const char *value, size_t len) {
    if (len > 0 && memchr(value, '\0', len) != NULL) return RAAF_OK;

    raaf_buffer_clear(&parser->id, KEEP_BYTES);
    return raaf_buffer_append(&parser->id, value, len);
}

static void set_retry(raaf_sse_parser_t *parser, const char *value, size_t len) {
    int64_t ms = 0;

    if (len == 0) return;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') return;
        ms = ms > (INT64_MAX - 9) / 10 ? INT64_MAX - 9 : ms * 10 + (value[i] - '0');
    }
    parser->retry_ms = ms;
}

/* Whether the line's field is [name]; if so [value] becomes what stands behind the colon. */
static bool is_field(const char *line, size_t len, const char *name, size_t name_len,
                     const char **value) {
    if (len < name_len || memcmp(line, name, name_len) != 0) return false;
    if (len == name_len) {
        *value = line + len;
        return true;
    }
    if (line[name_len] != ':') return false;
    *value = line + name_len + 1;
    if (*value < line + len && **value == ' ') (*value)++;
    return true;
}

static int take_line(pass_t *pass, const char *line, size_t len) {
    const char *end = line + len;
    const char *value;

    if (len == 0) return dispatch(pass);
    switch (line[0]) {
    case 'd':
        if (!is_field(line, len, "data", 4, &value)) return RAAF_OK;
        return add_data(pass, value, (size_t)(end - value));
    case 'e':
        if (!is_field(line, len, "event", 5, &value)) return RAAF_OK;
        pass->type = value;
        pass->type_len = (size_t)(end - value);
        return RAAF_OK;
    case 'i':
        if (!is_field(line, len, "id", 2, &value)) return RAAF_OK;
        return set_id(pass->parser, value, (size_t)(end - value));
    case 'r':
        if (is_field(line, len, "retry", 5, &value)) {
            set_retry(pass->parser, value, (size_t)(end - value));
        }
        return RAAF_OK;
    default:
        return RAAF_OK;
    }
}

/* Bytes of a line whose end has not come. */
static int keep_line(raaf_sse_parser_t *parser, const char *bytes, size_t len) {
    int rc = RAAF_OK;

    if (len == 0) return RAAF_OK;
    if (len > parser->max_line - parser->line_len) return RAAF_LINE_TOO_LONG;

    if (parser->line_len == 0) parser->skip_line = bytes[0] == ':';
    if (!parser->skip_line) rc = raaf_buffer_append(&parser->line, bytes, len);
    parser->line_len += len;
    return rc;
}

/* The line that ends before [end]; its first part may be waiting from earlier feeds. */
static int end_line(pass_t *pass, const char *at, const char *end) {
    raaf_sse_parser_t *parser = pass->parser;
    const size_t len = (size_t)(end - at);
    int rc;

    if (parser->line_len == 0) {
        return len > parser->max_line ? RAAF_LINE_TOO_LONG : take_line(pass, at, len);
    }
    if ((rc = keep_line(parser, at, len)) != RAAF_OK) return rc;
    parser->line_len = 0;
    return parser->skip_line ? RAAF_OK : take_line(pass, parser->line.bytes, parser->line.len);
}

static int take_lines(pass_t *pass, scan_t *scan) {
    const char *line_end;

    while ((line_end = next_line_end(scan)) < scan->end) {
        const int rc = end_line(pass, scan->at, line_end);

        if (rc != RAAF_OK) return rc;
        scan->at = line_end + 1;
        if (*line_end == '\r') {
            pass->parser->skip_lf = scan->at == scan->end;
            if (scan->at < scan->end && *scan->at == '\n') scan->at++;
        }
    }
    return RAAF_OK;
}

/* Passes over a BOM; what only began like one is the beginning of a line. */
static int skip_bom(raaf_sse_parser_t *parser, scan_t *scan) {
    while (parser->bom < BOM_LEN && scan->at < scan->end && *scan->at == BOM[parser->bom]) {
        scan->at++;
        parser->bom++;
    }
    if (parser->bom < BOM_LEN && scan->at == scan->end) return RAAF_OK;

    const size_t begun = parser->bom < BOM_LEN ? parser->bom : 0;
    parser->bom = BOM_PAST;
    return keep_line(parser, BOM, begun);
}

static int feed(raaf_sse_parser_t *parser, scan_t *scan) {
    pass_t pass = {.parser = parser};
    int rc;

    if (parser->bom != BOM_PAST && (rc = skip_bom(parser, scan)) != RAAF_OK) return rc;
    if (scan->at == scan->end) return RAAF_OK;
    if (parser->skip_lf && *scan->at == '\n') scan->at++;
    parser->skip_lf = false;

    scan->lf = find(scan->at, scan->end, '\n');
    scan->cr = find(scan->at, scan->end, '\r');
    if ((rc = take_lines(&pass, scan)) != RAAF_OK) return rc;
    if ((rc = keep_event(&pass)) != RAAF_OK) return rc;
    if (parser->line_len == 0) raaf_buffer_clear(&parser->line, KEEP_BYTES);
    return keep_line(parser, scan->at, (size_t)(scan->end - scan->at));
}

int raaf_sse_parser_feed(raaf_sse_parser_t *parser, const char *bytes, size_t len) {
    scan_t scan;
    int rc;

    if (parser->stopped) return RAAF_STOP;
    if (len == 0) return RAAF_OK;

    scan = (scan_t){.at = bytes, .end = bytes + len};
    rc = feed(parser, &scan);
    parser->stopped = rc != RAAF_OK;
    return rc;
}

int raaf_sse_parser_finish(raaf_sse_parser_t *parser) {
    pass_t pass = {.parser = parser};
    int rc = RAAF_OK;

    if (parser->stopped) return RAAF_STOP;
    parser->stopped = true;
    if (parser->line_len > 0 && !parser->skip_line) {
        rc = take_line(&pass, parser->line.bytes, parser->line.len);
    }
    parser->line_len = 0;
    return rc == RAAF_OK ? dispatch(&pass) : rc;
}

bool raaf_sse_parser_pending(const raaf_sse_parser_t *parser) {
    const bool bom_begun = parser->bom > 0 && parser->bom < BOM_LEN;

    return !parser->stopped &&
           (parser->line_len > 0 || parser->has_data || parser->type.len > 0 || bom_begun);
}
