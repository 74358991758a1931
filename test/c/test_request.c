#include "check.h"
#include "failing_malloc.h"
#include "request.c"

#include "dialect_openai_chat.h"
#include "result_code.h"

TEST(request_is_empty_at_first) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);

    if (!CHECK(request != NULL)) return;
    CHECK_EQ_PTR(request->dialect, &raaf_dialect_openai_chat);
    CHECK_EQ_CSTR(request->url, NULL);
    CHECK_EQ_UINT(request->body_len, 0);
    CHECK_EQ_UINT(request->header_count, 0);
    CHECK_EQ_UINT(request->step_count, 0);
    CHECK(!request->scripted);
    raaf_request_free(request);
}

TEST(request_field_is_copied_and_can_be_replaced) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);
    char url[] = "http://a.test/and more";

    CHECK_EQ_INT(raaf_request_set(&request->url, url, 13), RAAF_OK);
    memset(url, 'x', sizeof url);
    CHECK_EQ_CSTR(request->url, "http://a.test");
    CHECK_EQ_INT(raaf_request_set(&request->url, "http://b.test", 13), RAAF_OK);
    CHECK_EQ_CSTR(request->url, "http://b.test");
    CHECK_EQ_INT(raaf_request_set(&request->url, NULL, 0), RAAF_OK);
    CHECK_EQ_CSTR(request->url, "");
    raaf_request_free(request);
}

TEST(request_body_may_hold_any_byte) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);

    CHECK_EQ_INT(raaf_request_set_body(request, "a\0b", 3), RAAF_OK);
    CHECK_EQ_BYTES(request->body, request->body_len, "a\0b", 3);
    CHECK_EQ_INT(raaf_request_set_body(request, "", 0), RAAF_OK);
    CHECK_EQ_UINT(request->body_len, 0);
    CHECK_EQ_INT(raaf_request_set_said(request, "\0 said", 6), RAAF_OK);
    CHECK_EQ_BYTES(request->said, request->said_len, "\0 said", 6);
    raaf_request_free(request);
}

TEST(request_keeps_headers_and_steps_in_order) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);
    char text[32];

    for (int i = 0; i < 100; i++) {
        int len = snprintf(text, sizeof text, "X-Number: %d", i);
        CHECK_EQ_INT(raaf_request_add_header(request, text, (size_t)len), RAAF_OK);
        CHECK_EQ_INT(raaf_request_add_step(request, (uint64_t)i, text, (size_t)len), RAAF_OK);
    }
    CHECK_EQ_UINT(request->header_count, 100);
    CHECK_EQ_UINT(request->step_count, 100);
    CHECK_EQ_CSTR(request->headers[42], "X-Number: 42");
    CHECK_EQ_UINT(request->steps[99].delay_ns, 99);
    CHECK_EQ_STR(request->steps[99].bytes, request->steps[99].len, "X-Number: 99");
    raaf_request_free(request);
}

/* What a failed call leaves behind is as it was, and can be freed. */
static int build(raaf_request_t *request) {
    int result = raaf_request_set(&request->url, "http://a.test", 13);

    if (result == RAAF_OK) result = raaf_request_set(&request->url, "http://b.test", 13);
    if (result == RAAF_OK) result = raaf_request_set_body(request, "one", 3);
    if (result == RAAF_OK) result = raaf_request_set_body(request, "three", 5);
    if (result == RAAF_OK) result = raaf_request_set_said(request, "said", 4);
    for (int i = 0; i < 3 && result == RAAF_OK; i++)
        result = raaf_request_add_header(request, "Name: value", 11);
    for (int i = 0; i < 3 && result == RAAF_OK; i++)
        result = raaf_request_add_step(request, 1, "step", 4);
    return result;
}

TEST(request_survives_running_out_of_memory_anywhere) {
    long left = 0;
    int result = RAAF_NO_MEMORY;

    for (; result != RAAF_OK && left < 100; left++) {
        memory_runs_out_after(left);
        raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);
        result = request ? build(request) : RAAF_NO_MEMORY;
        memory_is_back();
        if (!request) continue;
        CHECK(result == RAAF_OK || result == RAAF_NO_MEMORY);
        CHECK(!request->body || strlen(request->body) == request->body_len);
        for (size_t i = 0; i < request->header_count; i++) {
            CHECK_EQ_CSTR(request->headers[i], "Name: value");
        }
        raaf_request_free(request);
    }
    CHECK_EQ_INT(result, RAAF_OK);
    CHECK_EQ_INT(left, 1 + 5 + 6 + 6 + 1);
}

TEST(request_forgets_all_but_its_limits) {
    raaf_request_t *request = raaf_request_new(&raaf_dialect_openai_chat);

    CHECK_EQ_INT(build(request), RAAF_OK);
    request->limits.max_text = 7;
    raaf_request_forget(request);
    CHECK_EQ_CSTR(request->url, NULL);
    CHECK_EQ_CSTR(request->body, NULL);
    CHECK_EQ_UINT(request->body_len, 0);
    CHECK_EQ_CSTR(request->said, NULL);
    CHECK_EQ_UINT(request->said_len, 0);
    CHECK_EQ_UINT(request->header_count, 0);
    CHECK_EQ_UINT(request->step_count, 0);
    CHECK_EQ_UINT(request->limits.max_text, 7);
    raaf_request_forget(request);
    raaf_request_free(request);
}

TEST(request_wipe_leaves_nothing) {
    char key[] = "Bearer sk-123";

    wipe(key, sizeof key - 1);
    for (size_t i = 0; i < sizeof key; i++) {
        CHECK_EQ_INT(key[i], 0);
    }
}

TEST(request_that_is_none_can_be_freed) {
    raaf_request_free(NULL);
}
