/*
 * What one event of a Gemini stream says: its fields, read and kept aside.
 *
 * An event that turns out to be malformed must hand over nothing, so nothing is handed over while
 * it is read. What it said stays here until the next event; the memory is used again.
 *
 * Part of dialect_gemini, and included by nothing else.
 */
#ifndef RAAF_GEMINI_SAID_H
#define RAAF_GEMINI_SAID_H

#include "gemini_args.h"
#include "json_reader.h"
#include "notes.h"
#include "said.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of one event. */
#define RAAF_GEMINI_MAX_CANDIDATES 128
#define RAAF_GEMINI_MAX_PARTS 4096
#define RAAF_GEMINI_MAX_PIECES 65536
#define RAAF_GEMINI_MAX_SOURCES 4096

/* One of `partialArgs`. All ranges of this file lie in the notes. */
typedef struct raaf_gemini_said_piece {
    raaf_range_t path;
    raaf_gemini_value_t type;
    raaf_range_t bytes; /* of a string as read */
    bool will_continue;
} raaf_gemini_said_piece_t;

/* One of `parts`; more than one kind of content in it is not foreseen, but does no harm. */
typedef struct raaf_gemini_part {
    bool has_text;
    bool thought;
    bool has_call;
    bool has_args;
    bool will_continue; /* the call goes on in a later part */
    raaf_range_t text;  /* as read: a character may go on in the next event */
    raaf_range_t signature;
    raaf_range_t id;
    raaf_range_t name;
    raaf_range_t args; /* an object's source, as read */
    size_t first_piece;
    size_t piece_count;
    raaf_range_t json; /* the part's source, where it is to be kept for the next turn */
} raaf_gemini_part_t;

typedef struct raaf_gemini_candidate {
    uint32_t index;
    size_t slot; /* for the dialect: where it keeps what it knows of this candidate */
    size_t first_part;
    size_t part_count;
    size_t first_source;
    size_t source_count;
    raaf_range_t finish_reason;
} raaf_gemini_candidate_t;

typedef struct raaf_gemini_said {
    raaf_json_reader_t reader;
    raaf_notes_t notes;
    raaf_buffer_t candidates; /* of raaf_gemini_candidate_t */
    raaf_buffer_t parts;      /* of raaf_gemini_part_t */
    raaf_buffer_t pieces;     /* of raaf_gemini_said_piece_t */
    raaf_buffer_t sources;    /* of raaf_range_t: what the answer is grounded in */
    bool known;               /* there was a field that the dialect knows */
    bool call_continues;      /* a part says so */
    bool has_usage;
    raaf_range_t usage_json;
    raaf_usage_t usage;
    int64_t candidate_tokens; /* these three are parts of the counts in [usage]; -1: not sent */
    int64_t thought_tokens;
    int64_t tool_tokens;
    bool detail_is_audio;
    int64_t detail_count;
    raaf_range_t block_reason;
    raaf_said_fault_t fault;
} raaf_gemini_said_t;

/* Allocates nothing. */
void raaf_gemini_said_init(raaf_gemini_said_t *said);

/*
 * Forgets the event before and reads this one. What it said counts only if all of it was read.
 *
 * Return values: RAAF_OK; RAAF_INVALID_JSON, RAAF_INVALID_EVENT, RAAF_TOO_DEEP (malformed);
 * RAAF_EVENT_TOO_LARGE (a cap); RAAF_NO_MEMORY.
 */
int raaf_gemini_said_read(raaf_gemini_said_t *said, const char *bytes, size_t len);

/* Borrowed from [said], valid until the next event. */
size_t raaf_gemini_said_count(const raaf_gemini_said_t *said); /* of candidates */
raaf_gemini_candidate_t *raaf_gemini_said_candidate(const raaf_gemini_said_t *said, size_t i);
const raaf_gemini_part_t *raaf_gemini_said_part(const raaf_gemini_said_t *said, size_t i);
raaf_gemini_piece_t raaf_gemini_said_piece(const raaf_gemini_said_t *said, size_t i);
raaf_slice_t raaf_gemini_said_source(const raaf_gemini_said_t *said, size_t i);

void raaf_gemini_said_free(raaf_gemini_said_t *said);

#endif
