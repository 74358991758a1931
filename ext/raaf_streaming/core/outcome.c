#include "outcome.h"

#include "result_code.h"
#include "retry_after.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* Prefixes of the headers that are kept; a name that begins with one of them matters. */
static const char *const wanted[] = {
    "content-type",         "x-request-id",         "request-id",     "x-generation-id",
    "apim-request-id",      "retry-after",          "x-should-retry", "x-ratelimit-",
    "anthropic-ratelimit-", "openai-processing-ms", "openai-version", "cf-ray"};

void raaf_outcome_init(raaf_outcome_t *outcome) {
    memset(outcome, 0, sizeof *outcome);
    outcome->retry_after_ms = -1;
    outcome->usage = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
    raaf_buffer_init(&outcome->headers, RAAF_OUTCOME_MAX_HEADERS);
    raaf_buffer_init(&outcome->body, RAAF_OUTCOME_MAX_BODY);
    raaf_buffer_init(&outcome->usage_json, RAAF_OUTCOME_MAX_ERROR);
    raaf_buffer_init(&outcome->parts, RAAF_OUTCOME_MAX_PARTS);
    raaf_buffer_init(&outcome->error_message, RAAF_OUTCOME_MAX_ERROR);
    raaf_buffer_init(&outcome->error_type, RAAF_OUTCOME_MAX_ERROR);
    raaf_buffer_init(&outcome->error_code, RAAF_OUTCOME_MAX_ERROR);
    raaf_buffer_init(&outcome->error_param, RAAF_OUTCOME_MAX_ERROR);
    raaf_buffer_init(&outcome->error_json, RAAF_OUTCOME_MAX_ERROR);
}

void raaf_outcome_free(raaf_outcome_t *outcome) {
    raaf_buffer_free(&outcome->headers);
    raaf_buffer_free(&outcome->body);
    raaf_buffer_free(&outcome->usage_json);
    raaf_buffer_free(&outcome->parts);
    raaf_buffer_free(&outcome->error_message);
    raaf_buffer_free(&outcome->error_type);
    raaf_buffer_free(&outcome->error_code);
    raaf_buffer_free(&outcome->error_param);
    raaf_buffer_free(&outcome->error_json);
}

void raaf_outcome_new_attempt(raaf_outcome_t *outcome) {
    const size_t attempts = outcome->attempts;
    const uint64_t started_at = outcome->started_at;

    raaf_outcome_free(outcome);
    raaf_outcome_init(outcome);
    outcome->attempts = attempts + 1;
    outcome->started_at = started_at;
}

void raaf_outcome_new_response(raaf_outcome_t *outcome) {
    raaf_buffer_clear(&outcome->headers, RAAF_OUTCOME_MAX_HEADERS);
    outcome->retry_after_ms = -1;
}

static bool matters(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        size_t n = strlen(wanted[i]);
        if (len >= n && strncasecmp(name, wanted[i], n) == 0) return true;
    }
    return false;
}

/* retry-after-ms is the more exact of the two and wins, whichever comes first. */
static void note_retry_after(raaf_outcome_t *outcome) {
    raaf_slice_t exact = raaf_outcome_find_header(outcome, "retry-after-ms");
    int64_t ms = exact.len ? raaf_retry_after_ms_header(exact.bytes, exact.len) : -1;
    if (ms < 0) {
        raaf_slice_t plain = raaf_outcome_find_header(outcome, "retry-after");
        if (plain.len) ms = raaf_retry_after_ms(plain.bytes, plain.len, (int64_t)time(NULL));
    }
    outcome->retry_after_ms = ms;
}

/*
 * The two headers of each limit. Sources: the rate limit guides of OpenAI (durations: "6m0s") and
 * Anthropic (RFC 3339 times).
 */
static const struct {
    const char *reset;
    const char *remaining;
} rate_limits[] = {
    {"x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"},
    {"x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"},
    {"anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"},
    {"anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"},
    {"anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"},
    {"anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"},
};

/* -1: it did not come, or makes no sense (a year and more, as a point in time would be). */
static int64_t reset_ms(const raaf_outcome_t *outcome, const char *name) {
    raaf_slice_t value = raaf_outcome_find_header(outcome, name);
    if (!value.len) return -1;
    int64_t ms = raaf_duration_ms(value.bytes, value.len);
    if (ms < 0) ms = raaf_timestamp_ms(value.bytes, value.len, (int64_t)time(NULL));
    return ms < RAAF_RETRY_AFTER_MAX_MS ? ms : -1;
}

static bool is_used_up(const raaf_outcome_t *outcome, const char *remaining) {
    raaf_slice_t value = raaf_outcome_find_header(outcome, remaining);
    return value.len == 1 && value.bytes[0] == '0';
}

void raaf_outcome_rate_limits(raaf_outcome_t *outcome) {
    if (outcome->retry_after_ms >= 0) return;
    int64_t last_used_up = -1, first = -1;
    for (size_t i = 0; i < sizeof rate_limits / sizeof *rate_limits; i++) {
        int64_t ms = reset_ms(outcome, rate_limits[i].reset);
        if (ms < 0) continue;
        if (first < 0 || ms < first) first = ms;
        if (ms > last_used_up && is_used_up(outcome, rate_limits[i].remaining)) last_used_up = ms;
    }
    outcome->retry_after_ms = last_used_up >= 0 ? last_used_up : first;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

void raaf_outcome_header(raaf_outcome_t *outcome, const char *line, size_t len) {
    const char *colon = memchr(line, ':', len);
    if (!colon) return;
    size_t name_len = (size_t)(colon - line);
    if (!matters(line, name_len)) return;
    const char *value = colon + 1, *end = line + len;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    size_t before = outcome->headers.len;
    if (raaf_buffer_append(&outcome->headers, line, name_len) != RAAF_OK) return;
    for (size_t i = before; i < outcome->headers.len; i++) {
        char c = outcome->headers.bytes[i];
        if (c >= 'A' && c <= 'Z') outcome->headers.bytes[i] = (char)(c + ('a' - 'A'));
    }
    if (raaf_buffer_append(&outcome->headers, ": ", 2) != RAAF_OK ||
        raaf_buffer_append(&outcome->headers, value, (size_t)(end - value)) != RAAF_OK ||
        raaf_buffer_append(&outcome->headers, "\n", 1) != RAAF_OK)
        outcome->headers.len = before;
    if (name_len >= 11 && strncasecmp(line, "retry-after", 11) == 0) note_retry_after(outcome);
}

raaf_slice_t raaf_outcome_find_header(const raaf_outcome_t *outcome, const char *name) {
    size_t name_len = strlen(name);
    const char *at = outcome->headers.bytes, *end = at + outcome->headers.len;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)(line_end - at);
        if (len > name_len + 1 && at[name_len] == ':' && memcmp(at, name, name_len) == 0)
            return (raaf_slice_t){at + name_len + 2, len - name_len - 2};
        at = line_end + 1;
    }
    return (raaf_slice_t){NULL, 0};
}

void raaf_outcome_keep(raaf_buffer_t *buffer, raaf_slice_t slice) {
    buffer->len = 0;
    if (slice.len > buffer->limit) {
        slice.len = buffer->limit;
        while (slice.len && ((unsigned char)slice.bytes[slice.len] & 0xC0) == 0x80)
            slice.len--;
    }
    (void)raaf_buffer_append(buffer, slice.bytes, slice.len); /* without memory it stays empty */
}

void raaf_outcome_usage(raaf_outcome_t *outcome, const raaf_delta_t *delta) {
    outcome->has_usage = true;
    outcome->usage = delta->usage;
    raaf_outcome_keep(&outcome->usage_json, delta->text);
}

int raaf_outcome_part(raaf_outcome_t *outcome, const raaf_delta_t *delta, size_t at) {
    raaf_buffer_t *parts = &outcome->parts;
    char head[64];
    const int len =
        snprintf(head, sizeof head, "%s{\"at\":%zu,\"part\":", parts->len ? "," : "", at);
    size_t before = parts->len;
    int result = raaf_buffer_append(parts, head, (size_t)len);
    if (result == RAAF_OK) result = raaf_buffer_append(parts, delta->text.bytes, delta->text.len);
    if (result == RAAF_OK) result = raaf_buffer_append(parts, "}", 1);
    if (result != RAAF_OK) parts->len = before;
    return raaf_capped(result);
}

void raaf_outcome_error(raaf_outcome_t *outcome, const raaf_delta_t *delta) {
    raaf_outcome_keep(&outcome->error_json, delta->text);
    raaf_outcome_keep(&outcome->error_message, delta->error_message);
    raaf_outcome_keep(&outcome->error_type, delta->error_type);
    raaf_outcome_keep(&outcome->error_code, delta->error_code);
    raaf_outcome_keep(&outcome->error_param, delta->error_param);
}

void raaf_outcome_body(raaf_outcome_t *outcome, const char *bytes, size_t len) {
    size_t room = outcome->body.limit - outcome->body.len;
    (void)raaf_buffer_append(&outcome->body, bytes, len < room ? len : room);
}
