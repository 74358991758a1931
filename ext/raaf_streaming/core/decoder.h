/*
 * A decoder: bytes of a response body in, deltas out. Framing (events or lines, as its dialect has
 * them) and dialect in one.
 *
 * The reactor feeds it from a socket, a script from memory, Ruby from a test. Not shared: one
 * thread at a time.
 */
#ifndef RAAF_DECODER_H
#define RAAF_DECODER_H

#include "dialect.h"
#include "ndjson_parser.h"
#include "sse_parser.h"

#include <stdbool.h>
#include <stdint.h>

/* Must stay where it was initialized: its parser points back to it. */
typedef struct raaf_decoder {
    const raaf_dialect_t *dialect;
    raaf_delta_fn emit;
    void *context; /* of emit; borrowed */
    void *state;   /* of the dialect; owned */
    union {        /* as the dialect's framing says */
        raaf_sse_parser_t sse;
        raaf_ndjson_parser_t ndjson;
    } parser;
    uint64_t events;           /* handed to the dialect so far */
    uint64_t malformed_events; /* skipped, where skip_malformed is set */
    bool skip_malformed;       /* count a malformed event and go on, instead of failing */
    bool raw_events;           /* hand over what the dialect does not know, as RAW */
    bool finished;
    int failure; /* what feed or finish failed with; every later call returns it */
} raaf_decoder_t;

/*
 * [context] is borrowed. [max_line], [max_event]: as for raaf_sse_parser_init.
 *
 * Return values: RAAF_OK; RAAF_NO_MEMORY. After a failure there is nothing to free, and freeing
 * does no harm.
 */
int raaf_decoder_init(raaf_decoder_t *decoder, const raaf_dialect_t *dialect, raaf_delta_fn emit,
                      void *context, size_t max_line, size_t max_event);

/*
 * Takes the next bytes. Return values: RAAF_OK; RAAF_STOP once the dialect is DONE (the rest of
 * the bytes is dropped, finish() still has to be called); else why the stream is at its end.
 */
int raaf_decoder_feed(raaf_decoder_t *decoder, const char *bytes, size_t len);

/*
 * The input has ended, at its end ([eof]) or because nothing more is awaited (terminal mark, grace
 * passed). At an end of input the unfinished last event is tried first; if it is malformed, that
 * is a truncation and not a protocol error, unless the answer was already FINISHED.
 *
 * Return values: RAAF_OK the answer is whole; RAAF_TRUNCATED it is not; else as feed. Deltas that
 * were kept back have been handed over in the first two cases, and are not in any other.
 */
int raaf_decoder_finish(raaf_decoder_t *decoder, bool eof);

raaf_progress_t raaf_decoder_progress(const raaf_decoder_t *decoder);

void raaf_decoder_free(raaf_decoder_t *decoder);

#endif
