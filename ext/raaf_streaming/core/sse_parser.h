/*
 * Server-sent events as the WHATWG HTML standard defines them (section 9.2.6), fed in any pieces.
 *
 * Line ends are LF, CRLF or lone CR, also mixed; a BOM at the start is dropped; lines that begin
 * with a colon are comments; `data:` may have one space behind it; several data lines are joined
 * with LF; unknown fields are ignored; an `id` with a NUL is ignored; `retry` counts if it is all
 * digits. An event without data is dropped (but its id is kept), as the standard has it.
 *
 * One exception to the standard: at the end of the input an event whose blank line never came is
 * handed over, because servers leave it out.
 *
 * Not shared: one thread at a time. An event that lies whole in one feed is not copied.
 */
#ifndef RAAF_SSE_PARSER_H
#define RAAF_SSE_PARSER_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All pointers are borrowed, valid until the callback returns, never NULL; no NUL at the end. */
typedef struct raaf_sse_event {
    const char *type; /* the `event` field; length 0 where there was none ("message") */
    size_t type_len;
    const char *data;
    size_t data_len;
    const char *id; /* last event id, kept from event to event */
    size_t id_len;
    int64_t retry_ms; /* of this event's block; -1 where there was none */
} raaf_sse_event_t;

/* Returns RAAF_OK to go on; anything else ends the feed, which returns it. */
typedef int (*raaf_sse_event_fn)(void *context, const raaf_sse_event_t *event);

typedef struct raaf_sse_parser {
    raaf_sse_event_fn on_event;
    void *context;      /* borrowed */
    size_t max_line;    /* bytes; comments and unknown fields count too */
    size_t max_event;   /* bytes of joined data */
    raaf_buffer_t line; /* an unfinished line */
    raaf_buffer_t data; /* data of an unfinished event */
    raaf_buffer_t type;
    raaf_buffer_t id;
    int64_t retry_ms;
    size_t line_len; /* bytes of the unfinished line, also those not kept (a long comment) */
    uint8_t bom;     /* bytes of a BOM seen at the start; 4: past the start */
    bool skip_lf;    /* the last byte was a CR: an LF now belongs to it */
    bool has_data;   /* the event has at least one data line */
    bool skip_line;  /* the unfinished line is a comment: counted, not kept */
    bool stopped;    /* the callback or an error ended it: nothing more is handed over */
} raaf_sse_parser_t;

#define RAAF_SSE_MAX_LINE ((size_t)8 << 20)
#define RAAF_SSE_MAX_EVENT ((size_t)16 << 20)

/* [max_line], [max_event] in bytes; 0 takes the default above. Allocates nothing. */
void raaf_sse_parser_init(raaf_sse_parser_t *parser, raaf_sse_event_fn on_event, void *context,
                          size_t max_line, size_t max_event);

/*
 * Takes the next bytes of the stream and hands over each event they complete.
 *
 * Return values:
 *   RAAF_OK              all bytes were taken
 *   RAAF_LINE_TOO_LONG, RAAF_EVENT_TOO_LARGE, RAAF_NO_MEMORY   the stream is at its end
 *   anything else        what the callback returned; the rest of the bytes is dropped
 * After a value other than RAAF_OK the parser takes nothing more (it returns RAAF_STOP).
 */
int raaf_sse_parser_feed(raaf_sse_parser_t *parser, const char *bytes, size_t len);

/* The input has ended: hands over an event whose blank line is missing. Values as above. */
int raaf_sse_parser_finish(raaf_sse_parser_t *parser);

/* Whether bytes of an unfinished line or event are waiting. */
bool raaf_sse_parser_pending(const raaf_sse_parser_t *parser);

void raaf_sse_parser_free(raaf_sse_parser_t *parser);

#endif
