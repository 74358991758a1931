/*
 * A delta: one thing that a provider's event says, in the words of no provider.
 *
 * A dialect makes deltas and hands them over one by one; all its pointers are borrowed and valid
 * until the receiver returns. Strings are valid UTF-8 and not NUL-terminated.
 */
#ifndef RAAF_DELTA_H
#define RAAF_DELTA_H

#include <stddef.h>
#include <stdint.h>

/* What a delta, and later a chunk, can be. The names are those of Chunk#type in Ruby. */
#define RAAF_CHUNK_TYPES(X)                                                                        \
    X(RAAF_CHUNK_CONTENT, "content")                                                               \
    X(RAAF_CHUNK_REASONING, "reasoning")                                                           \
    X(RAAF_CHUNK_REFUSAL, "refusal")                                                               \
    X(RAAF_CHUNK_TOOL_CALL_DELTA, "tool_call_delta")                                               \
    X(RAAF_CHUNK_TOOL_CALL, "tool_call")                                                           \
    X(RAAF_CHUNK_TOOL_RESULT, "tool_result")                                                       \
    X(RAAF_CHUNK_CITATION, "citation")                                                             \
    X(RAAF_CHUNK_USAGE, "usage")                                                                   \
    X(RAAF_CHUNK_STATUS, "status")                                                                 \
    X(RAAF_CHUNK_HANDOFF, "handoff")                                                               \
    X(RAAF_CHUNK_RAW, "raw")                                                                       \
    X(RAAF_CHUNK_PART, "part")                                                                     \
    X(RAAF_CHUNK_FINISH, "finish")                                                                 \
    X(RAAF_CHUNK_COMPLETE, "complete")                                                             \
    X(RAAF_CHUNK_ERROR, "error")

typedef enum raaf_chunk_type {
#define RAAF_CHUNK_TYPE_ENUM(name, text) name,
    RAAF_CHUNK_TYPES(RAAF_CHUNK_TYPE_ENUM)
#undef RAAF_CHUNK_TYPE_ENUM
        RAAF_CHUNK_TYPE_COUNT
} raaf_chunk_type_t;

/* The name of [type] as in Ruby, without a colon. */
const char *raaf_chunk_type_name(raaf_chunk_type_t type);

typedef struct raaf_slice {
    const char *bytes;
    size_t len;
} raaf_slice_t;

/* Token counts; -1 where the provider said nothing. */
typedef struct raaf_usage {
    int64_t prompt_tokens;
    int64_t completion_tokens;
    int64_t total_tokens;
    int64_t cached_tokens;      /* part of prompt_tokens read from a cache */
    int64_t cache_write_tokens; /* part of prompt_tokens written to one */
    int64_t reasoning_tokens;   /* part of completion_tokens */
    int64_t audio_prompt_tokens;
    int64_t audio_completion_tokens;
} raaf_usage_t;

#define RAAF_USAGE_UNKNOWN                                                                         \
    { -1, -1, -1, -1, -1, -1, -1, -1 }

typedef struct raaf_delta {
    raaf_chunk_type_t type;
    uint32_t choice; /* index of the choice (n > 1); 0 where the provider has none */
    /*
     * CONTENT, REASONING, REFUSAL   the new piece of text, never empty
     * TOOL_CALL_DELTA               the new piece of the arguments' JSON, may be empty
     * TOOL_CALL                     the whole of the arguments' JSON, as sent; may be empty
     * CITATION                      the source, as the provider describes it, as JSON
     * RAW                           the data of an event that the dialect does not know
     * PART                          a piece of the answer that is no text, in the provider's own
     *                               form, as JSON: kept for the next turn, which sends it back (a
     *                               signature of reasoning, an encrypted or a server tool's block)
     * FINISH                        the reason, in the provider's word ("stop", "length", …)
     * USAGE                         the provider's own usage object, as JSON
     * ERROR                         the provider's own error object, as JSON
     */
    raaf_slice_t text;
    int64_t tool_index;     /* TOOL_CALL*: as sent; where none was sent, one made by the dialect */
    raaf_slice_t tool_id;   /* TOOL_CALL*: as known so far */
    raaf_slice_t tool_name; /* TOOL_CALL*: as known so far. RAW: the event's name, may be empty */
    raaf_usage_t usage;     /* USAGE */
    raaf_slice_t error_message; /* ERROR; the fields below are empty where not sent */
    raaf_slice_t error_type;
    raaf_slice_t error_code; /* a number is given in its digits */
    raaf_slice_t error_param;
} raaf_delta_t;

/* Receives a delta. Returns RAAF_OK to go on; anything else ends the event, and is returned. */
typedef int (*raaf_delta_fn)(void *context, const raaf_delta_t *delta);

#endif
