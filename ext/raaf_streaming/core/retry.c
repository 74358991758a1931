#include "retry.h"

#include "clock.h"
#include "result_code.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/*
 * What providers call their errors, in their codes and types: a word within it decides, the first
 * that is found. Anything else is not known to be the provider's fault, and not repeated.
 */
static const struct {
    const char *word; /* in lower case */
    bool worth;
} words[] = {
    {"insufficient_quota", false}, {"context_length", false},   {"context_window", false},
    {"rate_limit", true},          {"ratelimit", true},         {"too_many_requests", true},
    {"resource_exhausted", true},  {"overloaded", true},        {"unavailable", true},
    {"slow_down", true},           {"authentication", false},   {"invalid_api_key", false},
    {"permission", false},         {"billing", false},          {"not_found", false},
    {"invalid_request", false},    {"invalid_argument", false}, {"server_error", true},
    {"api_error", true},           {"internal", true},          {"timeout", true},
    {"deadline_exceeded", true},
};

typedef enum verdict { UNKNOWN, WORTH, NOT_WORTH } verdict_t;

static void give_reason(char *reason, const char *text) {
    snprintf(reason, RAAF_RETRY_REASON, "%s", text);
}

/* ---- statuses ---- */

static bool status_worth(long status) {
    return status == 408 || status == 409 || status == 429 || (status >= 500 && status <= 599);
}

/* The request itself is wrong, or the key: no server's word makes the same request right. */
static bool status_final(long status) {
    return status < 400 || status == 400 || status == 401 || status == 403 || status == 404;
}

static bool equals(raaf_slice_t slice, const char *text) {
    return slice.len == strlen(text) && strncasecmp(slice.bytes, text, slice.len) == 0;
}

/* OpenAI's word for an account without credit, under the status of a rate limit. */
static bool quota_used_up(const raaf_outcome_t *outcome) {
    static const char word[] = "\"insufficient_quota\"";
    const size_t len = sizeof word - 1;

    for (size_t at = 0; at + len <= outcome->body.len; at++) {
        if (memcmp(outcome->body.bytes + at, word, len) == 0) return true;
    }
    return false;
}

static bool response_worth(const raaf_outcome_t *outcome, char *reason) {
    const raaf_slice_t said = raaf_outcome_find_header(outcome, "x-should-retry");

    snprintf(reason, RAAF_RETRY_REASON, "%ld", outcome->http_status);
    if (status_final(outcome->http_status) || equals(said, "false")) return false;
    if (equals(said, "true")) return true;
    return status_worth(outcome->http_status) && !quota_used_up(outcome);
}

/* ---- errors inside a stream ---- */

static bool contains(raaf_slice_t text, const char *word) {
    const size_t len = strlen(word);

    for (size_t at = 0; at + len <= text.len; at++) {
        if (strncasecmp(text.bytes + at, word, len) == 0) return true;
    }
    return false;
}

/* Whether it is the kind of word that a code or type is: not a sentence, nothing quoted. */
static bool is_name(raaf_slice_t text) {
    if (text.len == 0 || text.len >= RAAF_RETRY_REASON) return false;
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.bytes[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && c != '_' && !(c >= '0' && c <= '9')) return false;
    }
    return true;
}

/* -1: not a number of three digits, as statuses are. */
static long status_in(raaf_slice_t text) {
    long status = 0;

    if (text.len != 3) return -1;
    for (size_t i = 0; i < 3; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return -1;
        status = status * 10 + (text.bytes[i] - '0');
    }
    return status;
}

static verdict_t word_verdict(const raaf_buffer_t *said, char *reason) {
    const raaf_slice_t text = {said->bytes, said->len};
    const long status = status_in(text);

    if (status >= 400) {
        snprintf(reason, RAAF_RETRY_REASON, "%ld", status);
        return status_worth(status) ? WORTH : NOT_WORTH;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!contains(text, words[i].word)) continue;
        give_reason(reason, words[i].word);
        if (is_name(text)) snprintf(reason, RAAF_RETRY_REASON, "%.*s", (int)text.len, text.bytes);
        return words[i].worth ? WORTH : NOT_WORTH;
    }
    return UNKNOWN;
}

/* The code says more than the type, where both say something. */
static bool report_worth(const raaf_outcome_t *outcome, char *reason) {
    verdict_t verdict = word_verdict(&outcome->error_code, reason);

    if (verdict == UNKNOWN) verdict = word_verdict(&outcome->error_type, reason);
    return verdict == WORTH;
}

/* ---- the decision ---- */

bool raaf_retry_worth(const raaf_outcome_t *outcome, int code, char reason[RAAF_RETRY_REASON]) {
    reason[0] = '\0';
    switch (code) {
    case RAAF_HTTP_STATUS:
        return response_worth(outcome, reason);
    case RAAF_PROVIDER_ERROR:
        return report_worth(outcome, reason);
    case RAAF_RESOLVE_FAILED:
        give_reason(reason, "name not resolved");
        return true;
    case RAAF_CONNECT_FAILED:
        give_reason(reason,
                    outcome->os_error == ECONNREFUSED ? "connection refused" : "connection failed");
        return true;
    case RAAF_CONNECT_TIMEOUT:
        give_reason(reason, "connect timeout");
        return true;
    case RAAF_CONNECTION_LOST:
        give_reason(reason, "connection lost");
        return true;
    case RAAF_TRUNCATED:
        give_reason(reason, "stream ended early");
        return true;
    default:
        return false;
    }
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* 0 to [most]. */
static uint64_t any_up_to(uint64_t most, uint64_t random) {
    return most == UINT64_MAX ? random : random % (most + 1);
}

static uint64_t backoff(uint64_t first, size_t number, uint64_t most) {
    uint64_t ceiling = first;

    for (size_t i = 1; i < number && ceiling < most; i++)
        ceiling = ceiling > most / 2 ? most : ceiling * 2;
    return smaller(ceiling, most);
}

uint64_t raaf_retry_delay(const raaf_outcome_t *outcome, const raaf_request_limits_t *limits,
                          size_t number, uint64_t random) {
    const uint64_t longest = limits->max_retry_delay_ns, first = limits->retry_delay_ns;

    if (outcome->retry_after_ms > 0) {
        const uint64_t asked = RAAF_MS(outcome->retry_after_ms);
        if (asked > longest) return RAAF_NEVER;
        return asked + any_up_to(smaller(asked / 4, first), random);
    }
    return any_up_to(backoff(first, number, smaller(RAAF_RETRY_MAX_BACKOFF_NS, longest)), random);
}

bool raaf_retry_plan(const raaf_outcome_t *outcome, const raaf_request_limits_t *limits, int code,
                     uint64_t left_ns, uint64_t random, raaf_retry_t *retry) {
    const size_t number = outcome->attempts; /* as many retries as attempts before them */

    if (number == 0 || number > limits->max_retries) return false;
    if (!raaf_retry_worth(outcome, code, retry->reason)) return false;
    retry->notice = (raaf_retry_notice_t){
        .number = number,
        .most = limits->max_retries,
        .delay_ns = raaf_retry_delay(outcome, limits, number, random),
        .http_status = outcome->http_status,
    };
    return retry->notice.delay_ns < left_ns;
}
