#include "decoder.h"

#include "result_code.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

static bool is_done(const raaf_decoder_t *decoder) {
    return raaf_decoder_progress(decoder) == RAAF_PROGRESS_DONE;
}

/* An event that the dialect does not know: never a failure. */
static int hand_over_raw(raaf_decoder_t *decoder, const raaf_sse_event_t *event) {
    const raaf_delta_t delta = {.type = RAAF_CHUNK_RAW,
                                .text = {event->data, event->data_len},
                                .tool_name = {event->type, event->type_len}};

    if (!decoder->raw_events || !raaf_utf8_valid(event->data, event->data_len) ||
        !raaf_utf8_valid(event->type, event->type_len)) {
        return RAAF_OK;
    }
    return decoder->emit(decoder->context, &delta);
}

static int on_parsed_event(void *context, const raaf_sse_event_t *event) {
    raaf_decoder_t *decoder = context;
    int rc;

    decoder->events++;
    rc = decoder->dialect->event(decoder->state, event);
    if (raaf_dialect_malformed(rc) && decoder->skip_malformed) {
        decoder->malformed_events++;
        rc = RAAF_OK;
    }
    if (rc == RAAF_UNKNOWN_EVENT) rc = hand_over_raw(decoder, event);
    return rc == RAAF_OK && is_done(decoder) ? RAAF_STOP : rc;
}

/* ---- the framing ---- */

static bool reads_lines(const raaf_decoder_t *decoder) {
    return decoder->dialect->framing == RAAF_FRAMING_NDJSON;
}

static void init_parser(raaf_decoder_t *decoder, size_t max_line, size_t max_event) {
    if (reads_lines(decoder))
        raaf_ndjson_parser_init(&decoder->parser.ndjson, on_parsed_event, decoder, max_line,
                                max_event);
    else
        raaf_sse_parser_init(&decoder->parser.sse, on_parsed_event, decoder, max_line, max_event);
}

static int feed_parser(raaf_decoder_t *decoder, const char *bytes, size_t len) {
    return reads_lines(decoder) ? raaf_ndjson_parser_feed(&decoder->parser.ndjson, bytes, len)
                                : raaf_sse_parser_feed(&decoder->parser.sse, bytes, len);
}

static int finish_parser(raaf_decoder_t *decoder) {
    return reads_lines(decoder) ? raaf_ndjson_parser_finish(&decoder->parser.ndjson)
                                : raaf_sse_parser_finish(&decoder->parser.sse);
}

static void free_parser(raaf_decoder_t *decoder) {
    if (reads_lines(decoder))
        raaf_ndjson_parser_free(&decoder->parser.ndjson);
    else
        raaf_sse_parser_free(&decoder->parser.sse);
}

/* ---- what the owner calls ---- */

int raaf_decoder_init(raaf_decoder_t *decoder, const raaf_dialect_t *dialect, raaf_delta_fn emit,
                      void *context, size_t max_line, size_t max_event) {
    memset(decoder, 0, sizeof *decoder);
    decoder->dialect = dialect;
    decoder->emit = emit;
    decoder->context = context;
    init_parser(decoder, max_line, max_event);

    decoder->state = calloc(1, dialect->state_size);
    if (decoder->state == NULL) return RAAF_NO_MEMORY;
    dialect->init(decoder->state, emit, context);
    return RAAF_OK;
}

/* A stop because nothing more is to come is the dialect's doing; any other is the receiver's. */
static int note_failure(raaf_decoder_t *decoder, int rc) {
    if (rc != RAAF_OK && !(rc == RAAF_STOP && is_done(decoder))) decoder->failure = rc;
    return rc;
}

int raaf_decoder_feed(raaf_decoder_t *decoder, const char *bytes, size_t len) {
    if (decoder->failure != RAAF_OK) return decoder->failure;
    if (decoder->finished || is_done(decoder)) return RAAF_STOP;
    return note_failure(decoder, feed_parser(decoder, bytes, len));
}

/* The event that the end of the input may have cut: malformed, it says nothing, and is dropped. */
static int finish_framing(raaf_decoder_t *decoder) {
    int rc;

    if (is_done(decoder)) return RAAF_OK;
    rc = finish_parser(decoder);
    if (raaf_dialect_malformed(rc)) {
        decoder->malformed_events++;
        return RAAF_OK;
    }
    return rc == RAAF_STOP && is_done(decoder) ? RAAF_OK : rc;
}

int raaf_decoder_finish(raaf_decoder_t *decoder, bool eof) {
    int rc = RAAF_OK;

    if (decoder->failure != RAAF_OK || decoder->finished) return decoder->failure;
    decoder->finished = true;

    if (eof) rc = finish_framing(decoder);
    if (rc == RAAF_OK) rc = decoder->dialect->finish(decoder->state);
    if (rc == RAAF_OK && raaf_decoder_progress(decoder) == RAAF_PROGRESS_OPEN) rc = RAAF_TRUNCATED;
    decoder->failure = rc;
    return rc;
}

raaf_progress_t raaf_decoder_progress(const raaf_decoder_t *decoder) {
    return decoder->dialect->progress(decoder->state);
}

void raaf_decoder_free(raaf_decoder_t *decoder) {
    if (decoder->state != NULL) {
        decoder->dialect->free(decoder->state);
        free(decoder->state);
        decoder->state = NULL;
    }
    free_parser(decoder);
}
