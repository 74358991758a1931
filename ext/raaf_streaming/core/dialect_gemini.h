/*
 * Gemini (`POST …/models/{model}:streamGenerateContent?alt=sse`), of the Gemini API and of Vertex
 * AI. Source of the fields: Google's API reference, its official clients, and recorded streams.
 *
 * Every event is a response of its own: candidates[].content.parts[], in their order. A candidate
 * is a choice, by its index (0 where none is sent).
 *
 *   text             CONTENT; with `thought` REASONING
 *   functionCall     a tool call. As a rule it comes whole: one TOOL_CALL_DELTA with the source of
 *                    `args` ("{}" where there are none), and the TOOL_CALL at once. Its id is empty
 *                    where none was sent, its index is counted by us
 *   everything else  PART (executableCode, codeExecutionResult, inlineData, fileData, toolCall …)
 *
 * A part with a thoughtSignature is a PART besides, in its own words and behind what it says: the
 * next turn must send it back where it was. The text of such a part is in the content as well.
 *
 * On Vertex a call's arguments can be streamed (`partialArgs`, `willContinue`): see gemini_args.
 * Such a call begins with the part that names it and is whole with the first that does not say
 * `willContinue`, with the next name, or with the finish reason STOP; but not in the middle of a
 * string. With any other finish reason, or none, it was cut off and is not handed over. Its PART,
 * where it has a signature, is put together here. After a malformed event that was skipped, a call
 * that was open is never whole: it may have lost a piece.
 *
 * Sources: every entry of groundingMetadata's groundingChunks and groundingSupports, of
 * citationMetadata and of urlContextMetadata is a CITATION, once however often it is repeated.
 *
 * Usage comes with nearly every event and counts all so far. prompt_tokens are the prompt's and
 * those of the provider's own tools' results; completion_tokens are the candidates' and the
 * thoughts'. A usage without any count is passed over.
 *
 * Finish: the reason in the provider's word (STOP for tool calls too). A prompt that is blocked has
 * no candidate: the answer is then finished for choice 0, with the reason BLOCK_REASON_ and the
 * provider's word. Errors: a top-level `error`, an object or a String (not "").
 *
 * There is no terminal mark. The answer is FINISHED once every candidate that was seen has its
 * finish reason, and SETTLED once usage came with or after the last of them. Events without data,
 * and gateways' [DONE], are passed over.
 */
#ifndef RAAF_DIALECT_GEMINI_H
#define RAAF_DIALECT_GEMINI_H

#include "dialect.h"

extern const raaf_dialect_t raaf_dialect_gemini;

#endif
