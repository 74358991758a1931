/*
 * A block of an Anthropic answer while it is on its way: what of it must be kept until it is whole.
 *
 * Part of dialect_anthropic, and included by nothing else. Not shared.
 */
#ifndef RAAF_ANTHROPIC_BLOCK_H
#define RAAF_ANTHROPIC_BLOCK_H

#include "anthropic_said.h"
#include "buffer.h"
#include "delta_sink.h"
#include "tool_calls.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct raaf_anthropic_block {
    int64_t index;
    raaf_anthropic_kind_t kind;
    bool keeps_text; /* for the PART: thinking, and text that may have citations */
    bool has_text;   /* some was said */
    bool is_special; /* a tool call that is a PART too */
    bool stopped;    /* a tool call that is over, and that nothing has shown to be whole yet */
    raaf_utf8_carry_t open_text;
    raaf_utf8_carry_t open_piece;
    raaf_buffer_t start;  /* as it was sent: JSON */
    raaf_buffer_t text;   /* where it is kept */
    raaf_buffer_t pieces; /* JSON: citations, or a tool's input; of tool_use the one at the start */
    raaf_buffer_t members; /* JSON, without brackets: what a delta said of the block as a whole */
} raaf_anthropic_block_t;

/* Allocates nothing. */
void raaf_anthropic_block_init(raaf_anthropic_block_t *block, int64_t index,
                               raaf_anthropic_kind_t kind);

/*
 * Each of these returns RAAF_OK, RAAF_NO_MEMORY, RAAF_EVENT_TOO_LARGE (a cap), or what the receiver
 * of the deltas returned.
 */

/* Keeps what the block's start says, but for its text. */
int raaf_anthropic_block_begin(raaf_anthropic_block_t *block, const raaf_anthropic_said_t *said);

/* The same for a block whose start did not come: it is as bare as one of its kind can be. */
int raaf_anthropic_block_begin_bare(raaf_anthropic_block_t *block);

/* A piece of its text or thinking, as it was read: hands it over. */
int raaf_anthropic_block_say(raaf_anthropic_block_t *block, raaf_slice_t text,
                             raaf_delta_sink_t *sink);

/* Hands over a citation. */
int raaf_anthropic_block_cite(raaf_anthropic_block_t *block, raaf_slice_t citation,
                              raaf_delta_sink_t *sink);

/* A piece of a server tool's input, as it was read. */
int raaf_anthropic_block_input(raaf_anthropic_block_t *block, raaf_slice_t piece);

/* Keeps a signature, or what a compaction came to, in place of what was kept of it before. */
int raaf_anthropic_block_note(raaf_anthropic_block_t *block, const raaf_anthropic_said_t *said);

/* Its text is at its end. */
int raaf_anthropic_block_end_text(raaf_anthropic_block_t *block, raaf_delta_sink_t *sink);

/*
 * Whether the arguments of a tool_use are written to their end: the end of its block does not say
 * so. Return values: RAAF_OK: they are; RAAF_STOP: it depends on what follows; RAAF_NO_MEMORY.
 */
int raaf_anthropic_block_check_call(const raaf_anthropic_block_t *block,
                                    const raaf_tool_call_t *call);

/* It is whole: hands over what is left of it. [call]: of a tool_use; else NULL. */
int raaf_anthropic_block_end(raaf_anthropic_block_t *block, raaf_tool_call_t *call,
                             raaf_delta_sink_t *sink);

/* Bytes that are kept of it. */
size_t raaf_anthropic_block_kept(const raaf_anthropic_block_t *block);

void raaf_anthropic_block_free(raaf_anthropic_block_t *block);

#endif
