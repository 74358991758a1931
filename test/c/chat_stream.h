/*
 * Events of OpenAI chat for tests, and what must come of them in every split (dialect_lines.h).
 *
 *     CHECK_CHAT(DELTA("\"content\":\"a\"") FINISH("stop") "[DONE]",
 *                "content 0: a\n" STOPPED, RAAF_OK);
 */
#ifndef RAAF_TEST_CHAT_STREAM_H
#define RAAF_TEST_CHAT_STREAM_H

#include "dialect_lines.h"
#include "dialect_openai_chat.h"

#define CHAT (&raaf_dialect_openai_chat)

#define CHECK_CHAT(lines, expected, rc) CHECK_KNOWN_LINES(CHAT, lines, expected, rc)

/* The same, with the events that the dialect does not know. */
#define CHECK_CHAT_ALL(lines, expected, rc) CHECK_LINES(CHAT, lines, expected, rc)

/* One choice with this delta, and no more. */
#define DELTA(delta) "{\"choices\":[{\"index\":0,\"delta\":{" delta "}}]}\n"
#define FINISH(reason)                                                                             \
    "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n"
#define CALLS(fragments) DELTA("\"tool_calls\":[" fragments "]")
#define STOPPED "finish 0: stop\n"

#endif
