/*
 * OpenAI Responses (`POST /v1/responses`, `stream: true`), and servers that speak it (xAI, vLLM, LM
 * Studio, gateways). Sources: the provider's API reference and recorded streams.
 *
 * An event is known by `type` in its data, else by its name on the wire. An event that says nothing
 * that is handed over (response.created, which holds the response's id; the progress of the
 * provider's own tools; keepalive) is RAAF_UNKNOWN_EVENT, also where its form is known.
 *
 * Text: output_text.delta is CONTENT, refusal.delta REFUSAL, reasoning_summary_text.delta and
 * reasoning_text.delta REASONING. Of several messages in one answer the texts follow one another
 * as they are, as in the provider's own clients; between two parts of reasoning, which have no
 * line ends of their own, an empty line ("\n\n") is handed over. output_text.annotation.added is
 * CITATION.
 *
 * Text that had come in pieces is not handed over again where it stands whole. Text that comes
 * whole only is handed over there:
 *   output_text.done, refusal.done, …, content_part.done   unless a piece of that text came
 *   output_item.done      unless a text of that kind came for that item; citations likewise
 *   the last event        unless a text of that kind came at all
 *
 * Items belong together by output_index, where there is none by item_id, else to the newest.
 * Function calls: output_item.added, or the first fragment, begins a call; its index is the
 * item's. A TOOL_CALL is handed over with output_item.done, unless the item's status says that it
 * is incomplete; at response.completed for calls without one; a call that stands in the last event
 * only, found by its call_id, there. What of the arguments had not come in pieces is handed over
 * before it; after a malformed event that was skipped, a call that was open is handed over with
 * what it is said to be as a whole, or not at all. Arguments may be an Object instead of a String.
 * Calls of a response that was cut off, failed or ended incomplete without their output_item.done
 * are not handed over.
 *
 * PART: whole items of output_item.done, for the next turn: reasoning (with its encrypted content),
 * the calls of the provider's own tools, custom tool calls, whatever else is no message and no
 * function call; messages that have a `phase`; and function calls behind another PART, because
 * there their place matters. Without any output_item.done the last event's output is taken.
 *
 * Terminal: response.completed, .incomplete, .failed, .cancelled and error; what the response's
 * own `status` says counts more than the event's name. The finish reason is "completed", or
 * incomplete_details.reason. `error: null` is none. Errors: an event `error` with its fields at the
 * top or under `error`, a failed response's `error`, an event without type and name that has
 * `error`. [DONE] means nothing.
 *
 * The provider repeats the whole answer in its last events: an answer longer than the limits of a
 * line or an event is RAAF_LINE_TOO_LONG or RAAF_EVENT_TOO_LARGE there.
 */
#ifndef RAAF_DIALECT_OPENAI_RESPONSES_H
#define RAAF_DIALECT_OPENAI_RESPONSES_H

#include "dialect.h"

extern const raaf_dialect_t raaf_dialect_openai_responses;

#endif
