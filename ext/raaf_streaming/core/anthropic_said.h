/*
 * What one event of an Anthropic stream says: its fields, read and kept aside.
 *
 * An event that turns out to be malformed must hand over nothing, so nothing is handed over while
 * it is read. What it said stays here until the next event; the memory is used again.
 *
 * Part of dialect_anthropic, and included by nothing else.
 */
#ifndef RAAF_ANTHROPIC_SAID_H
#define RAAF_ANTHROPIC_SAID_H

#include "delta.h"
#include "json_reader.h"
#include "notes.h"
#include "said.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum raaf_anthropic_event {
    RAAF_ANTHROPIC_UNKNOWN,
    RAAF_ANTHROPIC_PING,
    RAAF_ANTHROPIC_MESSAGE_START,
    RAAF_ANTHROPIC_BLOCK_START,
    RAAF_ANTHROPIC_BLOCK_DELTA,
    RAAF_ANTHROPIC_BLOCK_STOP,
    RAAF_ANTHROPIC_MESSAGE_DELTA,
    RAAF_ANTHROPIC_MESSAGE_STOP,
    RAAF_ANTHROPIC_ERROR
} raaf_anthropic_event_t;

typedef enum raaf_anthropic_kind {
    RAAF_ANTHROPIC_OTHER, /* a block that goes back as it came: a server tool's, an encrypted one */
    RAAF_ANTHROPIC_TEXT,
    RAAF_ANTHROPIC_THINKING,
    RAAF_ANTHROPIC_TOOL_USE
} raaf_anthropic_kind_t;

typedef enum raaf_anthropic_delta {
    RAAF_ANTHROPIC_UNKNOWN_DELTA,
    RAAF_ANTHROPIC_TEXT_DELTA,
    RAAF_ANTHROPIC_THINKING_DELTA,
    RAAF_ANTHROPIC_INPUT_JSON_DELTA,
    RAAF_ANTHROPIC_SIGNATURE_DELTA,
    RAAF_ANTHROPIC_CITATIONS_DELTA,
    RAAF_ANTHROPIC_COMPACTION_DELTA
} raaf_anthropic_delta_t;

/* Tokens as Anthropic counts them; -1 where nothing was said. */
typedef struct raaf_anthropic_counts {
    int64_t input; /* neither read from a cache nor written to one */
    int64_t output;
    int64_t cache_read;
    int64_t cache_write;
    int64_t thinking; /* part of output */
} raaf_anthropic_counts_t;

/* The ranges are in the notes. */
typedef struct raaf_anthropic_said {
    raaf_json_reader_t reader;
    raaf_notes_t notes;

    raaf_anthropic_event_t event;
    bool has_index;
    int64_t index;

    bool has_kind;
    raaf_anthropic_kind_t kind; /* of a block that starts */
    raaf_range_t block;         /* the block that starts, as JSON */
    raaf_range_t id;
    raaf_range_t name;
    raaf_range_t input;   /* as JSON */
    bool takes_citations; /* the block has a list of them */
    bool is_special;      /* a tool call of which more than id, name and input must go back */

    raaf_anthropic_delta_t delta;
    raaf_range_t text;      /* of a start or a delta; not repaired, like the next two */
    raaf_range_t thinking;  /* the same */
    raaf_range_t partial;   /* a piece of a tool's input */
    raaf_range_t signature; /* of a start or a delta */
    raaf_range_t citation;  /* as JSON */
    raaf_range_t content;   /* of a compaction */
    raaf_range_t encrypted;

    raaf_range_t stop_reason;
    raaf_range_t explanation; /* of a refusal */

    bool has_usage;
    raaf_range_t usage; /* as JSON */
    raaf_anthropic_counts_t counts;

    raaf_said_fault_t fault;   /* `error` */
    raaf_range_t root_message; /* of an event that is an error and has no `error` */

    uint32_t wrong; /* a bit a field, for those that carry the answer: not of the type they have */
} raaf_anthropic_said_t;

/* Allocates nothing. */
void raaf_anthropic_said_init(raaf_anthropic_said_t *said);

/*
 * Forgets the event before and reads this one. What it said counts only if all of it was read.
 *
 * Return values: RAAF_OK; RAAF_INVALID_JSON, RAAF_INVALID_EVENT, RAAF_TOO_DEEP (malformed);
 * RAAF_NO_MEMORY.
 */
int raaf_anthropic_said_read(raaf_anthropic_said_t *said, const char *bytes, size_t len);

/* Borrowed: valid until the next note is set. */
raaf_slice_t raaf_anthropic_said_get(const raaf_anthropic_said_t *said, raaf_range_t range);

void raaf_anthropic_said_forget(raaf_anthropic_said_t *said);
void raaf_anthropic_said_free(raaf_anthropic_said_t *said);

#endif
