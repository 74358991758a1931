/*
 * Anthropic Messages (`POST /v1/messages`, `stream: true`). Source of the events and fields:
 * Anthropic's page "Streaming messages", its Ruby client (lib/anthropic/models/raw_*.rb and
 * lib/anthropic/helpers/streaming/message_stream.rb), and recorded streams.
 *
 * What an event is, its `type` says; its name on the SSE line counts only where that is "error".
 *
 *   message_start        usage
 *   content_block_start  index, content_block: a block of the answer begins
 *   content_block_delta  index, delta: a piece of it
 *   content_block_stop   index: it is whole
 *   message_delta        delta.stop_reason, delta.stop_details, usage
 *   message_stop         the terminal mark
 *   error                error.{type, message}: the end
 *   ping
 *
 * An event of any other type, or a piece of a type not named below, is not known, and no failure.
 * Text, thinking, a signature or arguments that are no String make an event malformed, as do a
 * block without a type, a block's event without an index, a piece of a tool's input of which no
 * block began, and a citation that is no Object: nothing of the answer is dropped in silence.
 * [DONE], which some gateways add, and an event without data mean nothing.
 *
 * Blocks, and what they become:
 *
 *   text         text_delta: CONTENT. citations_delta: CITATION, of each its `citation`. A block
 *                with citations is handed over as a PART too, text and citations in it, because
 *                some must be sent back; that takes a list of citations at its start (as the API
 *                sends it) or a citation before the first text
 *   thinking     thinking_delta: REASONING; with signature_delta, and whole, a PART
 *   tool_use     input_json_delta: TOOL_CALL_DELTA, and one with no text at the start, so that the
 *                call's name is known at once; whole, a TOOL_CALL. Without any arguments they are
 *                what stands in `input` at the start, else {}. The call's index is the block's. A
 *                call that has more to send back than id, name and input (a caller other than
 *                "direct", a toolset) is a PART too
 *   all others   (redacted_thinking, server_tool_use, web_search_tool_result, compaction …)
 *                whole, a PART: the block as it was sent, `input` joined from its pieces, and of
 *                a compaction what its delta says. One whose input is no JSON object was cut off,
 *                and is left out
 *
 * A piece of text or of thinking counts whatever block it comes in, which is over then if it is of
 * another kind, and also where none began.
 * Blocks that no content_block_stop closed are whole when the stop reason comes, or at finish() if
 * the answer was not cut off. What an answer that was cut off had open is no call and no PART.
 * The end of a block does not say that a call in it is whole: max_tokens closes it too. One whose
 * arguments are no JSON, or that has none, is handed over once another block follows or the
 * stop reason is that of a whole answer, else not at all. After a malformed event that was skipped,
 * a call that was open is none: it may have lost a piece.
 *
 * delta.stop_details.explanation of a refusal is a REFUSAL. The stop reason counts once.
 *
 * Usage: message_start's and every message_delta's are handed over, each laid over the ones before
 * (they are cumulative; null says nothing), as counts and as the object. In the counts
 * prompt_tokens are all that went in: input_tokens and those read from and written to a cache.
 *
 * The answer is FINISHED with its stop reason, SETTLED once usage came with or after that, DONE
 * with message_stop or an error.
 */
#ifndef RAAF_DIALECT_ANTHROPIC_H
#define RAAF_DIALECT_ANTHROPIC_H

#include "dialect.h"

/* The caps of a response. */
#define RAAF_ANTHROPIC_MAX_OPEN_BLOCKS 64
#define RAAF_ANTHROPIC_MAX_BLOCK ((size_t)16 << 20) /* bytes kept of one block, of each kind */
#define RAAF_ANTHROPIC_MAX_KEPT ((size_t)64 << 20)  /* bytes kept of all that are open */

extern const raaf_dialect_t raaf_dialect_anthropic;

#endif
