/*
 * What one event of an OpenAI chat stream says: its fields, read and kept aside.
 *
 * An event that turns out to be malformed must hand over nothing, so nothing is handed over while
 * it is read. What it said stays here until the next event; the memory is used again.
 *
 * Part of dialect_openai_chat, and included by nothing else.
 */
#ifndef RAAF_OPENAI_CHAT_SAID_H
#define RAAF_OPENAI_CHAT_SAID_H

#include "buffer.h"
#include "delta.h"
#include "json_reader.h"
#include "notes.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of a response; one event is held to them too. */
#define RAAF_CHAT_MAX_CHOICES 128
#define RAAF_CHAT_MAX_CALLS RAAF_TOOL_CALLS_MAX

/* Kinds of text; reasoning in the order in which one is preferred to the next. */
typedef enum raaf_chat_channel {
    RAAF_CHAT_REASONING_CONTENT,
    RAAF_CHAT_REASONING,
    RAAF_CHAT_DETAILS,
    RAAF_CHAT_THINKING,
    RAAF_CHAT_CONTENT,
    RAAF_CHAT_REFUSAL,
    RAAF_CHAT_CHANNEL_COUNT
} raaf_chat_channel_t;

/* The channels before this one are reasoning. */
#define RAAF_CHAT_REASONING_CHANNELS RAAF_CHAT_CONTENT

typedef struct raaf_chat_fragment {
    bool has_index;
    int64_t index;
    raaf_range_t id; /* this and all below: in the notes */
    raaf_range_t name;
    raaf_range_t arguments; /* not repaired yet: a character may go on in the next fragment */
} raaf_chat_fragment_t;

typedef struct raaf_chat_said_choice {
    uint32_t index;
    size_t slot; /* for the dialect: where it keeps what it knows of this choice */
    size_t first_fragment;
    size_t fragment_count;
    bool has_message;           /* `message` says something: the answer, or all of it up to here */
    raaf_range_t finish_reason; /* in the notes */
    raaf_range_t texts[RAAF_CHAT_CHANNEL_COUNT];
} raaf_chat_said_choice_t;

typedef struct raaf_chat_usage {
    bool given;
    raaf_range_t json; /* in the notes */
    raaf_usage_t counts;
} raaf_chat_usage_t;

typedef enum raaf_chat_fault {
    RAAF_CHAT_NO_FAULT,
    RAAF_CHAT_FAULT_OBJECT, /* {"error": {…}} */
    RAAF_CHAT_FAULT_STRING, /* {"error": "…"} */
    RAAF_CHAT_FAULT_ROOT    /* the event's own object is the error */
} raaf_chat_fault_t;

typedef struct raaf_chat_fault_fields {
    raaf_range_t message;
    raaf_range_t type;
    raaf_range_t code;
    raaf_range_t param;
} raaf_chat_fault_fields_t;

typedef struct raaf_chat_said {
    raaf_json_reader_t reader;
    raaf_buffer_t choices;                        /* of raaf_chat_said_choice_t */
    raaf_buffer_t fragments;                      /* of raaf_chat_fragment_t */
    raaf_buffer_t texts[RAAF_CHAT_CHANNEL_COUNT]; /* as read */
    raaf_notes_t notes;   /* labels, error and usage: valid UTF-8; arguments as read */
    unsigned array_depth; /* open arrays in `content`, or in `arguments` */
    bool in_groq;
    raaf_chat_usage_t usage;
    raaf_chat_usage_t groq_usage;
    raaf_chat_fault_t fault;
    raaf_range_t fault_json; /* in the notes */
    raaf_chat_fault_fields_t fault_fields;
    raaf_chat_fault_fields_t root_fields;
} raaf_chat_said_t;

/* Allocates nothing. */
void raaf_chat_said_init(raaf_chat_said_t *said);

/*
 * Forgets the event before and reads this one. What it said counts only if all of it was read.
 *
 * Return values: RAAF_OK; RAAF_INVALID_JSON, RAAF_INVALID_EVENT, RAAF_TOO_DEEP (malformed);
 * RAAF_EVENT_TOO_LARGE (more choices or tool calls than a response may have); RAAF_NO_MEMORY.
 */
int raaf_chat_said_read(raaf_chat_said_t *said, const char *bytes, size_t len);

void raaf_chat_said_forget(raaf_chat_said_t *said);

size_t raaf_chat_said_choice_count(const raaf_chat_said_t *said);

/* Borrowed from [said], valid until the next event. */
raaf_chat_said_choice_t *raaf_chat_said_choice(const raaf_chat_said_t *said, size_t i);
const raaf_chat_fragment_t *raaf_chat_said_fragment(const raaf_chat_said_t *said, size_t i);

void raaf_chat_said_free(raaf_chat_said_t *said);

#endif
