/*
 * JSON texts one a line (application/x-ndjson), fed in any pieces.
 *
 * Line ends are LF or CRLF, and lone CR too: in JSON neither byte can stand inside of a string, so
 * between two values either of them ends a line. Lines that are empty or white space only are
 * passed over. At the end of the input a line whose end never came is handed over.
 *
 * A line is handed over as an event that has data only. Not shared: one thread at a time. A line
 * that lies whole in one feed is not copied.
 */
#ifndef RAAF_NDJSON_PARSER_H
#define RAAF_NDJSON_PARSER_H

#include "buffer.h"
#include "sse_parser.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct raaf_ndjson_parser {
    raaf_sse_event_fn on_event;
    void *context;      /* borrowed */
    raaf_buffer_t line; /* an unfinished line; its limit is that of a line */
    int too_long;       /* what a longer line returns */
    bool stopped;       /* the callback or an error ended it: nothing more is handed over */
} raaf_ndjson_parser_t;

/*
 * [max_line], [max_event] in bytes: a line is held to both; 0 takes the default of the SSE parser.
 * Allocates nothing.
 */
void raaf_ndjson_parser_init(raaf_ndjson_parser_t *parser, raaf_sse_event_fn on_event,
                             void *context, size_t max_line, size_t max_event);

/*
 * Takes the next bytes of the stream and hands over each line they complete.
 *
 * Return values:
 *   RAAF_OK              all bytes were taken
 *   RAAF_LINE_TOO_LONG, RAAF_EVENT_TOO_LARGE, RAAF_NO_MEMORY   the stream is at its end
 *   anything else        what the callback returned; the rest of the bytes is dropped
 * After a value other than RAAF_OK the parser takes nothing more (it returns RAAF_STOP).
 */
int raaf_ndjson_parser_feed(raaf_ndjson_parser_t *parser, const char *bytes, size_t len);

/* The input has ended: hands over a line whose end is missing. Values as above. */
int raaf_ndjson_parser_finish(raaf_ndjson_parser_t *parser);

void raaf_ndjson_parser_free(raaf_ndjson_parser_t *parser);

#endif
