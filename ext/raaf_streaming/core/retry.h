/*
 * Whether a request that failed is worth another attempt, and when.
 *
 * Decides only: no clock, no randomness, no memory of its own. What was delivered before the
 * failure is for the caller to look at: nothing is repeated after a delta was handed over.
 *
 * Sources. Statuses and `x-should-retry`: the official clients of OpenAI (openai-python,
 * _base_client.py) and Anthropic (anthropic-sdk-ruby, base_client.rb). Delays: "full jitter" as
 * AWS describes it, with those clients' 0.5 s and 8 s. Words of errors inside a stream: the error
 * lists of OpenAI and Anthropic, Gemini's google.rpc.Code.
 */
#ifndef RAAF_RETRY_H
#define RAAF_RETRY_H

#include "chunk.h"
#include "outcome.h"
#include "request.h"

#include <stdbool.h>
#include <stdint.h>

#define RAAF_RETRY_MAX_BACKOFF_NS UINT64_C(8000000000) /* where no server asks for another time */
#define RAAF_RETRY_REASON 64                           /* bytes, the NUL included */

typedef struct raaf_retry {
    raaf_retry_notice_t notice;
    char reason[RAAF_RETRY_REASON]; /* "429", "connection refused", "overloaded_error" */
} raaf_retry_t;

/*
 * Whether an attempt that ended with [code], a failure, is of a kind that may be repeated: by its
 * status, unless the server says otherwise (never 400, 401, 403, 404, whatever it says, and no
 * quota that is used up); by the connection's failure, but not by its certificate's; by what the
 * provider reports inside a stream, where that is its own fault. [reason] gets why.
 */
bool raaf_retry_worth(const raaf_outcome_t *outcome, int code, char reason[RAAF_RETRY_REASON]);

/*
 * How long to wait before retry [number] (1, 2, …): what the server asked for and up to a quarter
 * more, but no more than retry_delay_ns more; else anything from 0 to retry_delay_ns, doubled with each retry, at most
 * RAAF_RETRY_MAX_BACKOFF_NS and max_retry_delay_ns. [random]: any 64 bits.
 * RAAF_NEVER: the server asked for more than max_retry_delay_ns.
 */
uint64_t raaf_retry_delay(const raaf_outcome_t *outcome, const raaf_request_limits_t *limits,
                          size_t number, uint64_t random);

/*
 * The whole decision about an attempt that ended with [code] after outcome->attempts of them, with
 * [left_ns] left of the run's time. Returns false if the run is to end with this failure.
 */
bool raaf_retry_plan(const raaf_outcome_t *outcome, const raaf_request_limits_t *limits, int code,
                     uint64_t left_ns, uint64_t random, raaf_retry_t *retry);

#endif
