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
#include "reasoning_details.h"
#include "said.h"
#include "sources.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caps of a response; one event is held to them too. */
#define RAAF_CHAT_MAX_CHOICES 128
#define RAAF_CHAT_MAX_CALLS RAAF_TOOL_CALLS_MAX

/* The caps of one event. */
#define RAAF_CHAT_MAX_DETAILS 1024
#define RAAF_CHAT_MAX_EXTRAS 1024

/* Kinds of text; reasoning in the order in which one is preferred to the next. */
typedef enum raaf_chat_channel {
    RAAF_CHAT_REASONING_CONTENT,
    RAAF_CHAT_REASONING,
    RAAF_CHAT_DETAILS,
    RAAF_CHAT_THINKING,
    RAAF_CHAT_CONTENT,
    RAAF_CHAT_TRANSCRIPT, /* of speech: content too */
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
    raaf_range_t extra;     /* `extra_content`: JSON */
} raaf_chat_fragment_t;

/* An element of `reasoning_details`. */
typedef struct raaf_chat_detail {
    raaf_detail_kind_t kind;
    bool has_index;
    int64_t index;
    raaf_range_t id; /* this and all below: in the notes */
    raaf_range_t format;
    raaf_range_t signature;
    raaf_range_t text; /* as read; of one that is not joined: its JSON */
} raaf_chat_detail_t;

/* What is handed over as it is. */
typedef enum raaf_chat_extra_kind {
    RAAF_CHAT_ANNOTATION,
    RAAF_CHAT_EXECUTED_TOOL,
    RAAF_CHAT_EXTRA_CONTENT
} raaf_chat_extra_kind_t;

typedef struct raaf_chat_extra {
    raaf_chat_extra_kind_t kind;
    raaf_range_t json; /* in the notes */
} raaf_chat_extra_t;

/* Which of the elements that all choices share are one choice's. */
typedef struct raaf_chat_span {
    size_t first;
    size_t count;
} raaf_chat_span_t;

typedef struct raaf_chat_said_choice {
    uint32_t index;
    size_t slot;      /* for the dialect: where it keeps what it knows of this choice */
    bool has_delta;   /* an object, also where it says nothing */
    bool has_message; /* `message` says something: the answer, or all of it up to here */
    raaf_chat_span_t fragments;
    raaf_chat_span_t details;
    raaf_chat_span_t extras;
    raaf_range_t finish_reason; /* in the notes */
    raaf_range_t signature;     /* in the notes: of the thinking in `content` */
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

typedef struct raaf_chat_said {
    raaf_json_reader_t reader;
    raaf_buffer_t choices;                        /* of raaf_chat_said_choice_t */
    raaf_buffer_t fragments;                      /* of raaf_chat_fragment_t */
    raaf_buffer_t details;                        /* of raaf_chat_detail_t */
    raaf_buffer_t extras;                         /* of raaf_chat_extra_t */
    raaf_buffer_t texts[RAAF_CHAT_CHANNEL_COUNT]; /* as read */
    raaf_notes_t notes;   /* labels, error and usage: valid UTF-8; arguments as read */
    unsigned array_depth; /* open arrays in `content`, or in `arguments` */
    bool in_groq;
    bool is_reference; /* the part of `content` that is open */
    raaf_chat_usage_t usage;
    raaf_chat_usage_t groq_usage;
    raaf_range_t sources[RAAF_SOURCES_LIST_COUNT]; /* in the notes: lists, as read */
    raaf_chat_fault_t fault;
    raaf_said_fault_t fault_fields;
    raaf_said_fault_t root_fields;
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
const raaf_chat_detail_t *raaf_chat_said_detail(const raaf_chat_said_t *said, size_t i);
const raaf_chat_extra_t *raaf_chat_said_extra(const raaf_chat_said_t *said, size_t i);

/* Whether the event held nothing that is known here. */
bool raaf_chat_said_nothing(const raaf_chat_said_t *said);

void raaf_chat_said_free(raaf_chat_said_t *said);

#endif
