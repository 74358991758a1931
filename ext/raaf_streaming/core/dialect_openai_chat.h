/*
 * OpenAI chat completions (`POST /v1/chat/completions`, `stream: true`), and the family that speaks
 * it. Source of the fields: the provider's API reference and recorded streams.
 *
 * Content: choices[].delta.content as a String, or as an Array of {type: "text", text:} and
 * {type: "thinking", thinking: [{type: "text", text:}]} (Mistral). The transcript of speech
 * (delta.audio.transcript) is content too; the sound is passed over. Refusal: delta.refusal.
 * Reasoning, in its three spellings: delta.reasoning_content, delta.reasoning,
 * delta.reasoning_details[].text or .summary; where one event has the same reasoning in two of them
 * it is handed over once (the first of: reasoning_content, reasoning, reasoning_details). Content
 * or arguments of a type that is not named here make an event malformed: nothing of the answer is
 * dropped in silence.
 *
 * What the provider wants back in the next turn is handed over as PART:
 *   reasoning_details (OpenRouter): those of type reasoning.text and reasoning.summary joined, one
 *     for each index, with their signature, format and id; any other (encrypted) as it came. They
 *     are whole, and handed over, when their choice is finished
 *   thinking in content that has a signature (Mistral), joined, at the same time
 *   {"tool_call_id":…,"extra_content":{…}} and {"extra_content":{…}}: extra_content of a tool call
 *     and of a delta (Gemini's thought_signature), as it came
 *   {"executed_tool":{…}}: an element of executed_tools (Groq), as it came; nobody wants it back
 *
 * Sources are handed over as CITATION: elements of delta.annotations and parts of content of type
 * "reference", each as it comes; elements of search_results and citations (Perplexity, xAI), which
 * may be repeated in every event, each once (sources.h).
 *
 * Tool calls: fragments are joined by choice and by index; an index may be missing (then a new id,
 * or a name where the open call has one, begins a new call; else the fragment continues the last
 * one) or huge (it is a key, not a position). `function_call` (the old form) is a call with index
 * 0. Under an index that is in use, a new id together with a name begins a new call: some servers
 * give each call the same index. The id of a call stays the first one; its name may come in pieces.
 * Arguments may be an Object instead of a String: they are taken as their JSON. Whole calls
 * (TOOL_CALL) are handed over, in the order in which they began, when their choice's finish reason
 * comes, or at finish() if the answer was not cut off: each at most once. Where the reason is not
 * one of an answer that is whole ("length"), or none comes after them, only those are calls whose
 * arguments are a JSON object; the others were cut off. After a malformed event that was skipped, a
 * call that was open is none: it may have lost a piece. A TOOL_CALL_DELTA is handed over for every
 * fragment.
 *
 * choices[].message is the whole answer, or all of it up to here, beside the deltas (Perplexity): it
 * is passed over. Where one says something and no delta of its choice has, the server does not
 * stream as this dialect knows it, and whether its messages are pieces or repeat each other cannot
 * be told: the stream ends in RAAF_WHOLE_MESSAGE.
 *
 * An empty finish_reason ("" or null) counts as none. Usage may come with choices: [] or null
 * elsewhere, in the event of the finish reason, under x_groq.usage, or in every event; each
 * non-null usage is handed over, of two in one event the top-level one. Reasoning that is
 * counted beside completion_tokens (xAI, Perplexity) is counted into it. Log probabilities are not
 * read.
 *
 * Errors: an `error` at the top, in a choice or in x_groq that is an Object or a String (not ""),
 * with any event name; an object whose `object` is "error"; or an event named "error". The type is
 * error.type, or error.metadata.error_type (OpenRouter).
 *
 * An event without data, or with white space only, is passed over. One that holds neither a delta
 * nor a finish reason, usage, sources or an error is unknown (Azure's filter results), as is one
 * that has a name and holds no object.
 *
 * [DONE] is the terminal mark. Without it the answer is FINISHED once every choice that was seen
 * has its finish reason, and SETTLED once usage came with or after the last of them.
 */
#ifndef RAAF_DIALECT_OPENAI_CHAT_H
#define RAAF_DIALECT_OPENAI_CHAT_H

#include "dialect.h"

extern const raaf_dialect_t raaf_dialect_openai_chat;

#endif
