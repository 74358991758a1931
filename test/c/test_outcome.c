#include "check.h"
#include "outcome.h"
#include "result_code.h"

#include <time.h>

static void header(raaf_outcome_t *outcome, const char *line) {
    raaf_outcome_header(outcome, line, strlen(line));
}

static bool has(const raaf_outcome_t *outcome, const char *name, const char *value) {
    raaf_slice_t found = raaf_outcome_find_header(outcome, name);

    return CHECK_EQ_STR(found.bytes, found.len, value);
}

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, strlen(text)};
}

TEST(outcome_says_nothing_at_first) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    CHECK_EQ_INT(outcome.code, RAAF_OK);
    CHECK_EQ_INT(outcome.retry_after_ms, -1);
    CHECK_EQ_INT(outcome.http_status, 0);
    CHECK_EQ_INT(outcome.usage.total_tokens, -1);
    CHECK(!outcome.has_usage);
    has(&outcome, "content-type", "");
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_the_headers_that_matter) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    header(&outcome, "Content-Type: text/event-stream; charset=utf-8");
    header(&outcome, "X-Request-ID:\t req_1 \t");
    header(&outcome, "Set-Cookie: secret=1");
    header(&outcome, "X-RateLimit-Remaining-Tokens: 17");
    header(&outcome, "CF-Ray: 8a");
    header(&outcome, "Request-Id:");
    header(&outcome, "no colon at all");
    header(&outcome, ": no name");
    header(&outcome, "");
    has(&outcome, "content-type", "text/event-stream; charset=utf-8");
    has(&outcome, "x-request-id", "req_1");
    has(&outcome, "set-cookie", "");
    has(&outcome, "x-ratelimit-remaining-tokens", "17");
    has(&outcome, "cf-ray", "8a");
    has(&outcome, "request-id", "");
    has(&outcome, "x-ratelimit-remaining", "");
    has(&outcome, "content-typ", "");
    raaf_outcome_free(&outcome);
}

TEST(outcome_takes_the_first_of_a_repeated_header) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    header(&outcome, "x-request-id: one");
    header(&outcome, "X-Request-Id: two");
    has(&outcome, "x-request-id", "one");
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_headers_up_to_a_limit_and_none_by_halves) {
    raaf_outcome_t outcome;
    char line[1200];

    raaf_outcome_init(&outcome);
    for (int i = 0; i < 100; i++) {
        int len = snprintf(line, sizeof line, "x-ratelimit-%d: ", i);
        memset(line + len, 'v', 1000);
        raaf_outcome_header(&outcome, line, (size_t)len + 1000);
        CHECK(outcome.headers.len <= RAAF_OUTCOME_MAX_HEADERS);
        CHECK_EQ_INT(outcome.headers.bytes[outcome.headers.len - 1], '\n');
    }
    CHECK_EQ_UINT(raaf_outcome_find_header(&outcome, "x-ratelimit-7").len, 1000);
    has(&outcome, "x-ratelimit-8", "");
    raaf_outcome_free(&outcome);
}

TEST(outcome_forgets_a_response_when_a_later_one_comes) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    header(&outcome, "x-request-id: one");
    header(&outcome, "retry-after: 3");
    CHECK_EQ_INT(outcome.retry_after_ms, 3000);
    raaf_outcome_new_response(&outcome);
    CHECK_EQ_INT(outcome.retry_after_ms, -1);
    has(&outcome, "x-request-id", "");
    raaf_outcome_free(&outcome);
}

TEST(outcome_prefers_the_exact_time_to_retry_after) {
    static const char *const orders[][2] = {
        {"Retry-After: 7", "retry-after-ms: 1500"},
        {"retry-after-ms: 1500", "Retry-After: 7"},
    };

    for (int i = 0; i < 2; i++) {
        raaf_outcome_t outcome;
        raaf_outcome_init(&outcome);
        header(&outcome, orders[i][0]);
        header(&outcome, orders[i][1]);
        CHECK_EQ_INT(outcome.retry_after_ms, 1500);
        raaf_outcome_free(&outcome);
    }
}

TEST(outcome_ignores_a_retry_after_that_says_nothing) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    header(&outcome, "retry-after-ms: soon");
    CHECK_EQ_INT(outcome.retry_after_ms, -1);
    header(&outcome, "retry-after: 2");
    CHECK_EQ_INT(outcome.retry_after_ms, 2000);
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_the_last_usage) {
    raaf_outcome_t outcome;
    raaf_delta_t usage = {.type = RAAF_CHUNK_USAGE, .text = slice("{\"total_tokens\":5}")};

    raaf_outcome_init(&outcome);
    usage.usage = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
    usage.usage.total_tokens = 4;
    raaf_outcome_usage(&outcome, &usage);
    usage.usage.total_tokens = 5;
    raaf_outcome_usage(&outcome, &usage);
    CHECK(outcome.has_usage);
    CHECK_EQ_INT(outcome.usage.total_tokens, 5);
    CHECK_EQ_STR(outcome.usage_json.bytes, outcome.usage_json.len, "{\"total_tokens\":5}");
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_the_parts_that_the_next_turn_sends_back) {
    raaf_outcome_t outcome;
    const raaf_delta_t part = {.type = RAAF_CHUNK_PART, .text = slice("{\"signature\":\"x\"}")};

    raaf_outcome_init(&outcome);
    CHECK_EQ_INT(raaf_outcome_part(&outcome, &part, 0), RAAF_OK);
    CHECK_EQ_INT(raaf_outcome_part(&outcome, &part, 12), RAAF_OK);
    CHECK_EQ_STR(outcome.parts.bytes, outcome.parts.len,
                 "{\"at\":0,\"part\":{\"signature\":\"x\"}},"
                 "{\"at\":12,\"part\":{\"signature\":\"x\"}}");
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_no_half_of_a_part_that_is_too_large) {
    raaf_outcome_t outcome;
    raaf_delta_t part = {.type = RAAF_CHUNK_PART, .text = slice("{}")};

    raaf_outcome_init(&outcome);
    outcome.parts.limit = 20;
    CHECK_EQ_INT(raaf_outcome_part(&outcome, &part, 0), RAAF_OK);
    const size_t before = outcome.parts.len;
    CHECK_EQ_INT(raaf_outcome_part(&outcome, &part, 0), RAAF_EVENT_TOO_LARGE);
    CHECK_EQ_UINT(outcome.parts.len, before);
    raaf_outcome_free(&outcome);
}

TEST(outcome_keeps_all_parts_of_an_error) {
    raaf_outcome_t outcome;
    const raaf_delta_t error = {
        .type = RAAF_CHUNK_ERROR,
        .text = slice("{}"),
        .error_message = slice("Too fast"),
        .error_type = slice("rate_limit"),
        .error_code = slice("429"),
    };

    raaf_outcome_init(&outcome);
    raaf_outcome_error(&outcome, &error);
    CHECK_EQ_STR(outcome.error_json.bytes, outcome.error_json.len, "{}");
    CHECK_EQ_STR(outcome.error_message.bytes, outcome.error_message.len, "Too fast");
    CHECK_EQ_STR(outcome.error_type.bytes, outcome.error_type.len, "rate_limit");
    CHECK_EQ_STR(outcome.error_code.bytes, outcome.error_code.len, "429");
    CHECK_EQ_UINT(outcome.error_param.len, 0);
    raaf_outcome_free(&outcome);
}

TEST(outcome_cuts_a_long_error_between_two_characters) {
    raaf_outcome_t outcome;
    const size_t len = RAAF_OUTCOME_MAX_ERROR + 10;
    char *text = malloc(len);
    raaf_delta_t error = {.type = RAAF_CHUNK_ERROR, .error_message = {text, len}};

    raaf_outcome_init(&outcome);
    memset(text, 'a', len);
    memcpy(text + RAAF_OUTCOME_MAX_ERROR - 1, "\xE2\x82\xAC", 3); /* a Euro sign over the limit */
    raaf_outcome_error(&outcome, &error);
    CHECK_EQ_UINT(outcome.error_message.len, RAAF_OUTCOME_MAX_ERROR - 1);
    raaf_outcome_free(&outcome);
    free(text);
}

TEST(outcome_keeps_as_much_of_a_body_as_fits) {
    raaf_outcome_t outcome;
    char piece[1000];

    raaf_outcome_init(&outcome);
    memset(piece, 'b', sizeof piece);
    for (int i = 0; i < 100; i++) {
        raaf_outcome_body(&outcome, piece, sizeof piece);
    }
    CHECK_EQ_UINT(outcome.body.len, RAAF_OUTCOME_MAX_BODY);
    raaf_outcome_body(&outcome, piece, 0);
    raaf_outcome_free(&outcome);
}

TEST(outcome_of_a_new_attempt_knows_nothing_of_the_one_before) {
    raaf_outcome_t outcome;
    raaf_delta_t delta = {.text = slice("x"), .error_message = slice("y")};

    raaf_outcome_init(&outcome);
    CHECK_EQ_UINT(outcome.attempts, 0);
    raaf_outcome_new_attempt(&outcome);
    CHECK_EQ_UINT(outcome.attempts, 1);
    outcome.started_at = 7;
    outcome.connected_at = outcome.first_byte_at = 8;
    outcome.http_status = 503;
    outcome.os_error = 1;
    strcpy(outcome.detail, "detail");
    header(&outcome, "retry-after: 3");
    raaf_outcome_body(&outcome, "body", 4);
    raaf_outcome_usage(&outcome, &delta);
    CHECK_EQ_INT(raaf_outcome_part(&outcome, &delta, 0), RAAF_OK);
    raaf_outcome_error(&outcome, &delta);

    raaf_outcome_new_attempt(&outcome);
    CHECK_EQ_UINT(outcome.attempts, 2);
    CHECK_EQ_UINT(outcome.started_at, 7);
    CHECK_EQ_UINT(outcome.connected_at, 0);
    CHECK_EQ_UINT(outcome.first_byte_at, 0);
    CHECK_EQ_INT(outcome.http_status, 0);
    CHECK_EQ_INT(outcome.os_error, 0);
    CHECK_EQ_INT(outcome.retry_after_ms, -1);
    CHECK_EQ_CSTR(outcome.detail, "");
    CHECK(!outcome.has_usage);
    CHECK_EQ_UINT(outcome.headers.len + outcome.body.len + outcome.usage_json.len, 0);
    CHECK_EQ_UINT(outcome.parts.len + outcome.error_message.len + outcome.error_json.len, 0);
    raaf_outcome_free(&outcome);
}

/* ---- rate limits ---- */

static int64_t rate_limits(const char *const *lines) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    for (; *lines; lines++)
        header(&outcome, *lines);
    raaf_outcome_rate_limits(&outcome);
    const int64_t ms = outcome.retry_after_ms;
    raaf_outcome_free(&outcome);
    return ms;
}

#define RATE_LIMITS(...) rate_limits((const char *const[]){__VA_ARGS__, NULL})

TEST(outcome_takes_the_reset_of_a_rate_limit_for_a_retry_after) {
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 1s"), 1000);
    CHECK_EQ_INT(RATE_LIMITS("X-RateLimit-Reset-Tokens: 6m0s"), 360000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-tokens: 2"), 2000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-limit-requests: 7"), -1);
    CHECK_EQ_INT(RATE_LIMITS("x-request-id: 7"), -1);
}

TEST(outcome_prefers_what_the_server_asks_for_to_its_rate_limits) {
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 1s", "retry-after: 3"), 3000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 1s", "retry-after: 0"), 0);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 1s", "retry-after: soon"), 1000);
}

TEST(outcome_takes_of_several_rate_limits_the_one_that_is_used_up) {
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 7s", "x-ratelimit-remaining-requests: 5",
                             "x-ratelimit-reset-tokens: 9s", "x-ratelimit-remaining-tokens: 0"),
                 9000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 9s", "x-ratelimit-remaining-requests: 0",
                             "x-ratelimit-reset-tokens: 7s", "x-ratelimit-remaining-tokens: 0"),
                 9000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 2h", "x-ratelimit-remaining-requests: 5",
                             "x-ratelimit-reset-tokens: 7s", "x-ratelimit-remaining-tokens: 10"),
                 7000);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 2h", "x-ratelimit-reset-tokens: 7s"),
                 7000);
}

TEST(outcome_ignores_resets_that_make_no_sense) {
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: soon"), -1);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests:"), -1);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: 1767225630"), -1); /* a point in time */
    CHECK_EQ_INT(RATE_LIMITS("anthropic-ratelimit-tokens-reset: tomorrow"), -1);
    CHECK_EQ_INT(RATE_LIMITS("x-ratelimit-reset-requests: soon", "x-ratelimit-reset-tokens: 1s"),
                 1000);
}

TEST(outcome_knows_the_resets_that_are_points_in_time) {
    static const char *const names[] = {"requests", "tokens", "input-tokens", "output-tokens"};
    char line[128], time_of_day[64];
    time_t then = time(NULL) + 30;

    strftime(time_of_day, sizeof time_of_day, "%Y-%m-%dT%H:%M:%SZ", gmtime(&then));
    for (int i = 0; i < 4; i++) {
        snprintf(line, sizeof line, "anthropic-ratelimit-%s-reset: %s", names[i], time_of_day);
        const int64_t ms = RATE_LIMITS(line);
        CHECK(ms > 0 && ms <= 30000);
    }
}
