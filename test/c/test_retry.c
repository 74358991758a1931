#include "check.h"
#include "clock.h"
#include "random_source.h"
#include "result_code.h"
#include "retry.h"

#include <errno.h>

static const raaf_request_limits_t limits = {
    .max_retries = 2,
    .retry_delay_ns = RAAF_MS(500),
    .max_retry_delay_ns = RAAF_MS(60000),
};

static raaf_outcome_t failed(void) {
    raaf_outcome_t outcome;

    raaf_outcome_init(&outcome);
    outcome.attempts = 1;
    return outcome;
}

static void say(raaf_buffer_t *to, const char *text) {
    raaf_buffer_append(to, text, strlen(text));
}

/* ---- what is worth another attempt ---- */

typedef struct response {
    long status;
    const char *header; /* NULL: none */
    const char *body;
    bool worth;
} response_t;

static void response_is(const response_t *one) {
    raaf_outcome_t outcome = failed();
    char reason[RAAF_RETRY_REASON], status[16];

    outcome.http_status = one->status;
    if (one->header) raaf_outcome_header(&outcome, one->header, strlen(one->header));
    if (one->body) say(&outcome.body, one->body);
    if (!CHECK_EQ_INT(raaf_retry_worth(&outcome, RAAF_HTTP_STATUS, reason), one->worth))
        fprintf(stderr, "    %ld %s\n", one->status, one->header ? one->header : "");
    snprintf(status, sizeof status, "%ld", one->status);
    CHECK_EQ_CSTR(reason, status);
    raaf_outcome_free(&outcome);
}

#define EACH(table, check)                                                                         \
    for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                                \
    check(&(table)[i])

TEST(statuses_of_passing_trouble_are_worth_it) {
    static const response_t table[] = {
        {408, NULL, NULL, true},  {409, NULL, NULL, true},  {429, NULL, NULL, true},
        {500, NULL, NULL, true},  {502, NULL, NULL, true},  {503, NULL, NULL, true},
        {504, NULL, NULL, true},  {529, NULL, NULL, true},  {599, NULL, NULL, true},
        {400, NULL, NULL, false}, {401, NULL, NULL, false}, {402, NULL, NULL, false},
        {403, NULL, NULL, false}, {404, NULL, NULL, false}, {410, NULL, NULL, false},
        {413, NULL, NULL, false}, {422, NULL, NULL, false}, {425, NULL, NULL, false},
        {302, NULL, NULL, false}, {101, NULL, NULL, false}, {600, NULL, NULL, false},
    };

    EACH(table, response_is);
}

TEST(server_decides_itself_where_it_says_so) {
    static const response_t table[] = {
        {429, "X-Should-Retry: false", NULL, false}, {503, "x-should-retry: FALSE", NULL, false},
        {422, "x-should-retry: true", NULL, true},   {402, "x-should-retry: True", NULL, true},
        {429, "x-should-retry: true", NULL, true},   {503, "x-should-retry: maybe", NULL, true},
        {503, "x-should-retry: ", NULL, true},       {503, "x-should-retry: falsehood", NULL, true},
        {422, "x-should-retry: 1", NULL, false},     {422, "x-should-retry: truee", NULL, false},
    };

    EACH(table, response_is);
}

TEST(requests_that_are_wrong_are_never_repeated) {
    static const response_t table[] = {
        {400, "x-should-retry: true", NULL, false}, {401, "x-should-retry: true", NULL, false},
        {403, "x-should-retry: true", NULL, false}, {404, "x-should-retry: true", NULL, false},
        {302, "x-should-retry: true", NULL, false}, {101, "x-should-retry: true", NULL, false},
    };

    EACH(table, response_is);
}

TEST(quota_that_is_used_up_is_not_waited_for) {
    static const char body[] = "{\"error\":{\"code\":\"insufficient_quota\"}}";
    static const response_t table[] = {
        {429, NULL, body, false},
        {429, "x-should-retry: true", body, true},
        {429, NULL, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", true},
        {429, NULL, "\"insufficient_quot", true},
        {429, NULL, "", true},
    };

    EACH(table, response_is);
}

typedef struct failure {
    int code;
    int os_error;
    const char *reason; /* NULL: not worth it */
} failure_t;

static void failure_is(const failure_t *one) {
    raaf_outcome_t outcome = failed();
    char reason[RAAF_RETRY_REASON];

    outcome.os_error = one->os_error;
    if (!CHECK_EQ_INT(raaf_retry_worth(&outcome, one->code, reason), one->reason != NULL))
        fprintf(stderr, "    %s\n", raaf_result_code_name(one->code));
    if (one->reason) CHECK_EQ_CSTR(reason, one->reason);
    raaf_outcome_free(&outcome);
}

TEST(connections_that_fail_are_worth_it_and_nothing_else_without_a_response) {
    static const failure_t table[] = {
        {RAAF_RESOLVE_FAILED, 0, "name not resolved"},
        {RAAF_CONNECT_FAILED, ECONNREFUSED, "connection refused"},
        {RAAF_CONNECT_FAILED, ENETUNREACH, "connection failed"},
        {RAAF_CONNECT_FAILED, 0, "connection failed"},
        {RAAF_CONNECT_TIMEOUT, 0, "connect timeout"},
        {RAAF_CONNECTION_LOST, 0, "connection lost"},
        {RAAF_TRUNCATED, 0, "stream ended early"},
        {RAAF_OK, 0, NULL},
        {RAAF_TLS_FAILED, 0, NULL},
        {RAAF_FIRST_TOKEN_TIMEOUT, 0, NULL},
        {RAAF_IDLE_TIMEOUT, 0, NULL},
        {RAAF_TOTAL_TIMEOUT, 0, NULL},
        {RAAF_CANCELLED, 0, NULL},
        {RAAF_SHUTDOWN, 0, NULL},
        {RAAF_NO_MEMORY, 0, NULL},
        {RAAF_SYSTEM, 0, NULL},
        {RAAF_INVALID_REQUEST, 0, NULL},
        {RAAF_NOT_EVENT_STREAM, 0, NULL},
        {RAAF_HTTP_PROTOCOL, 0, NULL},
        {RAAF_INVALID_JSON, 0, NULL},
        {RAAF_INVALID_EVENT, 0, NULL},
        {RAAF_LINE_TOO_LONG, 0, NULL},
        {RAAF_EVENT_TOO_LARGE, 0, NULL},
        {RAAF_HEADERS_TOO_LARGE, 0, NULL},
        {RAAF_TEXT_TOO_LARGE, 0, NULL},
        {RAAF_SCRIPTED, 0, NULL},
    };

    EACH(table, failure_is);
}

typedef struct report {
    const char *code;
    const char *type;
    const char *reason; /* NULL: not worth it */
} report_t;

static void report_is(const report_t *one) {
    raaf_outcome_t outcome = failed();
    char reason[RAAF_RETRY_REASON];

    outcome.http_status = 200;
    say(&outcome.error_code, one->code);
    say(&outcome.error_type, one->type);
    if (!CHECK_EQ_INT(raaf_retry_worth(&outcome, RAAF_PROVIDER_ERROR, reason), one->reason != NULL))
        fprintf(stderr, "    code %s, type %s\n", one->code, one->type);
    if (one->reason) CHECK_EQ_CSTR(reason, one->reason);
    raaf_outcome_free(&outcome);
}

TEST(errors_inside_a_stream_are_worth_it_where_the_provider_is_to_blame) {
    static const report_t table[] = {
        {"", "overloaded_error", "overloaded_error"},
        {"", "rate_limit_error", "rate_limit_error"},
        {"", "api_error", "api_error"},
        {"", "timeout_error", "timeout_error"},
        {"", "server_error", "server_error"},
        {"", "INTERNAL", "INTERNAL"},
        {"", "UNAVAILABLE", "UNAVAILABLE"},
        {"", "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED"},
        {"", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"},
        {"rate_limit_exceeded", "tokens", "rate_limit_exceeded"},
        {"server_is_overloaded", "invalid_request_error", "server_is_overloaded"},
        {"429", "", "429"},
        {"502", "whatever", "502"},
        {"529", "invalid_request_error", "529"},
        {"strange", "server_error", "server_error"},
        {"99", "server_error", "server_error"},
        {"2000", "server_error", "server_error"},
        {"", "", NULL},
        {"strange", "stranger", NULL},
        {"", "invalid_request_error", NULL},
        {"", "authentication_error", NULL},
        {"", "permission_error", NULL},
        {"", "not_found_error", NULL},
        {"", "billing_error", NULL},
        {"", "INVALID_ARGUMENT", NULL},
        {"tool_use_failed", "invalid_request_error", NULL},
        {"context_length_exceeded", "server_error", NULL},
        {"insufficient_quota", "rate_limit_error", NULL},
        {"invalid_api_key", "server_error", NULL},
        {"400", "server_error", NULL},
        {"401", "", NULL},
    };

    EACH(table, report_is);
}

/* What is quoted in a code or type may be anybody's secret. */
TEST(reason_is_a_name_and_no_sentence) {
    static const report_t table[] = {
        {"", "the server_error of sk-secret", "server_error"},
        {"overloaded: \xc3\xa4", "", "overloaded"},
        {"server_error_that_has_a_name_much_longer_than_any_name_ought_to_be_", "", "server_error"},
        {"server_error_that_has_a_name_as_long_as_any_name_is_allowed_tobe", "", "server_error"},
        {"server_error_that_has_a_name_as_long_as_any_name_is_allowed_2be", "",
         "server_error_that_has_a_name_as_long_as_any_name_is_allowed_2be"},
    };

    EACH(table, report_is);
}

/* ---- how long to wait ---- */

static uint64_t delay(int64_t asked_ms, size_t number, uint64_t random) {
    raaf_outcome_t outcome = failed();

    outcome.retry_after_ms = asked_ms;
    return raaf_retry_delay(&outcome, &limits, number, random);
}

TEST(backoff_doubles_up_to_eight_seconds_and_is_drawn_whole) {
    static const uint64_t most_ms[] = {500, 1000, 2000, 4000, 8000, 8000, 8000};

    for (size_t i = 0; i < sizeof most_ms / sizeof most_ms[0]; i++) {
        const uint64_t most = RAAF_MS(most_ms[i]);
        CHECK_EQ_UINT(delay(-1, i + 1, 0), 0);
        CHECK_EQ_UINT(delay(-1, i + 1, most), most);
        CHECK_EQ_UINT(delay(-1, i + 1, most + 1), 0);
        CHECK_EQ_UINT(delay(-1, i + 1, most / 3), most / 3);
    }
    CHECK_EQ_UINT(delay(-1, 1000, RAAF_MS(8000)), RAAF_MS(8000));
    CHECK_EQ_UINT(delay(-1, SIZE_MAX, RAAF_MS(8000)), RAAF_MS(8000));
}

TEST(backoff_is_spread_evenly) {
    raaf_random_t random = {7};
    int quarters[4] = {0};

    for (int i = 0; i < 10000; i++)
        quarters[delay(-1, 2, raaf_random_next(&random)) / RAAF_MS(251)]++;
    for (int i = 0; i < 4; i++)
        CHECK(quarters[i] > 2200 && quarters[i] < 2800);
}

TEST(server_s_time_is_kept_and_a_little_more) {
    raaf_random_t random = {7};

    CHECK_EQ_UINT(delay(1000, 1, 0), RAAF_MS(1000));
    CHECK_EQ_UINT(delay(1000, 2, RAAF_MS(250)), RAAF_MS(1250));
    CHECK_EQ_UINT(delay(1000, 2, RAAF_MS(250) + 1), RAAF_MS(1000));
    CHECK_EQ_UINT(delay(20000, 1, RAAF_MS(500)), RAAF_MS(20500));
    for (int i = 0; i < 1000; i++) {
        const uint64_t waited = delay(60000, 1, raaf_random_next(&random));
        CHECK(waited >= RAAF_MS(60000) && waited <= RAAF_MS(60500));
    }
}

TEST(server_that_asks_for_too_much_is_not_waited_for) {
    CHECK_EQ_UINT(delay(60001, 1, 0), RAAF_NEVER);
    CHECK_EQ_UINT(delay(INT64_C(31536000000), 1, 0), RAAF_NEVER);
}

/* As in the official clients: a date that has passed is no reason to come at once. */
TEST(server_that_asks_for_no_time_gets_the_usual_one) {
    CHECK_EQ_UINT(delay(0, 1, RAAF_MS(500)), RAAF_MS(500));
}

TEST(longest_delay_bounds_the_backoff_too) {
    raaf_outcome_t outcome = failed();
    raaf_request_limits_t short_ones = limits;

    short_ones.max_retry_delay_ns = RAAF_MS(300);
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 9, RAAF_MS(300)), RAAF_MS(300));
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 1, RAAF_MS(301)), RAAF_MS(1) - 1);
    short_ones.max_retry_delay_ns = 0;
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 9, 12345), 0);
    short_ones = limits;
    short_ones.retry_delay_ns = 0;
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 9, 12345), 0);
    short_ones.retry_delay_ns = short_ones.max_retry_delay_ns = RAAF_NEVER;
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 1, RAAF_MS(8000)), RAAF_MS(8000));
    outcome.retry_after_ms = 1000;
    CHECK_EQ_UINT(raaf_retry_delay(&outcome, &short_ones, 1, RAAF_MS(250)), RAAF_MS(1250));
}

/* ---- the decision ---- */

static bool plan(size_t attempts, int64_t asked_ms, uint64_t left_ns, raaf_retry_t *retry) {
    raaf_outcome_t outcome = failed();

    outcome.attempts = attempts;
    outcome.http_status = 503;
    outcome.retry_after_ms = asked_ms;
    return raaf_retry_plan(&outcome, &limits, RAAF_HTTP_STATUS, left_ns, 0, retry);
}

TEST(plan_says_everything_about_the_next_attempt) {
    raaf_retry_t retry;

    CHECK(plan(2, 30, RAAF_NEVER, &retry));
    CHECK_EQ_UINT(retry.notice.number, 2);
    CHECK_EQ_UINT(retry.notice.most, 2);
    CHECK_EQ_UINT(retry.notice.delay_ns, RAAF_MS(30));
    CHECK_EQ_INT(retry.notice.http_status, 503);
    CHECK_EQ_CSTR(retry.reason, "503");
}

TEST(attempts_are_counted) {
    raaf_retry_t retry;

    CHECK(!plan(0, -1, RAAF_NEVER, &retry)); /* not even one was made */
    CHECK(plan(1, -1, RAAF_NEVER, &retry));
    CHECK(plan(2, -1, RAAF_NEVER, &retry));
    CHECK(!plan(3, -1, RAAF_NEVER, &retry));
}

TEST(attempt_that_would_come_after_the_end_is_not_planned) {
    raaf_retry_t retry;

    CHECK(plan(1, 30, RAAF_MS(30) + 1, &retry));
    CHECK(!plan(1, 30, RAAF_MS(30), &retry));
    CHECK(!plan(1, 30, 0, &retry));
    CHECK(!plan(1, -1, 0, &retry));
    CHECK(!plan(1, 61000, RAAF_NEVER, &retry));
}
