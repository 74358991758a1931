/*
 * Result codes: what a function of the core returns, and how a stream ended.
 *
 * Every code stands once, here: the enum and the text both come from this table.
 * 0 is success, failures are negative. What is positive is no failure: with RAAF_STOP a callback
 * asks its caller to hand over nothing more; RAAF_UNKNOWN_EVENT is a dialect's word to its decoder.
 */
#ifndef RAAF_RESULT_CODE_H
#define RAAF_RESULT_CODE_H

#define RAAF_RESULT_CODES(X)                                                                       \
    X(RAAF_UNKNOWN_EVENT, 2, "an event that the dialect does not know")                            \
    X(RAAF_STOP, 1, "stopped by the receiver")                                                     \
    X(RAAF_OK, 0, "success")                                                                       \
    X(RAAF_NO_MEMORY, -1, "out of memory")                                                         \
    X(RAAF_SYSTEM, -2, "a system call failed")                                                     \
    X(RAAF_INVALID_REQUEST, -3, "the request cannot be sent as it stands")                         \
    X(RAAF_LINE_TOO_LONG, -10, "a line of the stream is longer than the limit")                    \
    X(RAAF_EVENT_TOO_LARGE, -11, "an event of the stream is larger than the limit")                \
    X(RAAF_HEADERS_TOO_LARGE, -12, "the response headers are larger than the limit")               \
    X(RAAF_BODY_TOO_LARGE, -13, "the response body is larger than the limit")                      \
    X(RAAF_TEXT_TOO_LARGE, -14, "the answer is larger than the limit for retained text")           \
    X(RAAF_TOO_DEEP, -15, "an event is nested deeper than the limit")                              \
    X(RAAF_INVALID_JSON, -20, "an event is not valid JSON")                                        \
    X(RAAF_INVALID_EVENT, -21, "an event is valid JSON but not what the dialect allows")           \
    X(RAAF_NOT_EVENT_STREAM, -22, "the response is not an event stream")                           \
    X(RAAF_HTTP_PROTOCOL, -23, "the response is not valid HTTP")                                   \
    X(RAAF_WHOLE_MESSAGE, -24, "the answer comes as a whole message instead of deltas")            \
    X(RAAF_HTTP_STATUS, -30, "the provider answered with an error status")                         \
    X(RAAF_PROVIDER_ERROR, -31, "the provider reported an error inside the stream")                \
    X(RAAF_TRUNCATED, -40, "the stream ended before its provider's terminal mark")                 \
    X(RAAF_RESOLVE_FAILED, -41, "the host name could not be resolved")                             \
    X(RAAF_CONNECT_FAILED, -42, "the connection could not be made")                                \
    X(RAAF_TLS_FAILED, -43, "the TLS handshake or the certificate check failed")                   \
    X(RAAF_CONNECTION_LOST, -44, "the connection broke before an answer came")                     \
    X(RAAF_CONNECT_TIMEOUT, -50, "no connection within the connect timeout")                       \
    X(RAAF_FIRST_TOKEN_TIMEOUT, -51, "no first token within the first token timeout")              \
    X(RAAF_IDLE_TIMEOUT, -52, "no byte within the idle timeout")                                   \
    X(RAAF_TOTAL_TIMEOUT, -53, "the stream took longer than the total timeout")                    \
    X(RAAF_QUEUE_TIMEOUT, -54,                                                                     \
      "no place among the streams of this process within the queue timeout")                       \
    X(RAAF_USER_QUEUE_TIMEOUT, -55, "no place among the user's streams within the queue timeout")  \
    X(RAAF_CANCELLED, -60, "the stream was cancelled")                                             \
    X(RAAF_SHUTDOWN, -61, "streaming was shut down")                                               \
    X(RAAF_SCRIPTED, -62, "the script of a mock ended with its error")

typedef enum raaf_result_code {
#define RAAF_RESULT_CODE_ENUM(name, value, text) name = (value),
    RAAF_RESULT_CODES(RAAF_RESULT_CODE_ENUM)
#undef RAAF_RESULT_CODE_ENUM
} raaf_result_code_t;

/* The name of [code] as written above ("RAAF_TRUNCATED"), or "RAAF_UNKNOWN". Any thread. */
const char *raaf_result_code_name(int code);

/* One sentence about [code], in English, without a full stop. Any thread. */
const char *raaf_result_code_text(int code);

/* [code] of a buffer whose limit is a cap of a stream: the event is too large, not the body. */
int raaf_capped(int code);

#endif
