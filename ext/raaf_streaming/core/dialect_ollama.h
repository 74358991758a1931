/*
 * Ollama (`POST /api/chat`): one JSON object a line. Source of the fields: Ollama's API reference,
 * its source (api/types.go) and recorded streams.
 *
 * message.thinking is REASONING, message.content CONTENT, in this order where a line has both.
 * Every entry of message.tool_calls is a whole call: one TOOL_CALL_DELTA with the source of
 * `arguments` (an object; a String is taken as it is; "{}" where there are none), and the TOOL_CALL
 * at once. Older servers send no id, and an index only above 0; an index that is in use is replaced
 * by one that is not.
 *
 * `done: true` is the terminal mark. The finish reason is `done_reason`, "stop" where an older
 * server sends none (the reason is "stop" for tool calls too). Usage stands in the same line:
 * prompt_eval_count and eval_count; its source are the counts and durations of that line, put
 * together here. A server that had the whole prompt in its cache may leave the first one out.
 *
 * Errors: a line with an `error`, a String (not "") or an object.
 */
#ifndef RAAF_DIALECT_OLLAMA_H
#define RAAF_DIALECT_OLLAMA_H

#include "dialect.h"

extern const raaf_dialect_t raaf_dialect_ollama;

#endif
