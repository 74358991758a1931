#include "check.h"
#include "failing_malloc.h"
#include "chunk.c"

static raaf_slice_t slice(const char *text) {
    return (raaf_slice_t){text, text == NULL ? 0 : strlen(text)};
}

static raaf_delta_t tool_call(const char *id, const char *name, const char *text) {
    raaf_delta_t delta;

    memset(&delta, 0, sizeof delta);
    delta.type = RAAF_CHUNK_TOOL_CALL;
    delta.tool_index = 2000000000;
    delta.tool_id = slice(id);
    delta.tool_name = slice(name);
    delta.text = slice(text);
    delta.usage = (raaf_usage_t)RAAF_USAGE_UNKNOWN;
    return delta;
}

TEST(payload_is_a_copy_of_the_delta) {
    char id[] = "call_1", name[] = "weather", text[] = "{\"city\":\"Bonn\"}";
    raaf_delta_t delta = tool_call(id, name, text);
    raaf_chunk_payload_t *payload;

    delta.usage.total_tokens = 42;
    payload = raaf_chunk_payload_new(&delta);
    if (!CHECK(payload != NULL)) return;
    memset(id, 'x', sizeof id);
    memset(name, 'x', sizeof name);
    memset(text, 'x', sizeof text);

    CHECK_EQ_STR(payload->tool_id.bytes, payload->tool_id.len, "call_1");
    CHECK_EQ_STR(payload->tool_name.bytes, payload->tool_name.len, "weather");
    CHECK_EQ_STR(payload->text.bytes, payload->text.len, "{\"city\":\"Bonn\"}");
    CHECK_EQ_INT(payload->tool_index, 2000000000);
    CHECK_EQ_INT(payload->usage.total_tokens, 42);
    CHECK_EQ_INT(payload->usage.prompt_tokens, -1);
    free(payload);
}

TEST(payload_of_a_delta_without_strings_is_empty) {
    const raaf_delta_t delta = tool_call(NULL, NULL, NULL);
    raaf_chunk_payload_t *payload = raaf_chunk_payload_new(&delta);

    if (!CHECK(payload != NULL)) return;
    CHECK_EQ_UINT(payload->tool_id.len, 0);
    CHECK_EQ_UINT(payload->tool_name.len, 0);
    CHECK_EQ_UINT(payload->text.len, 0);
    free(payload);
}

TEST(payload_larger_than_any_memory_is_refused) {
    raaf_delta_t delta = tool_call("id", "name", "text");

    delta.text.len = SIZE_MAX - 8;
    CHECK_EQ_PTR(raaf_chunk_payload_new(&delta), NULL);
    delta.tool_name.len = SIZE_MAX - 8;
    CHECK_EQ_PTR(raaf_chunk_payload_new(&delta), NULL);
}

TEST(payload_without_memory_is_null) {
    const raaf_delta_t delta = tool_call("id", "name", "text");

    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_chunk_payload_new(&delta), NULL);
    memory_is_back();
}

TEST(chunk_knows_the_memory_it_holds) {
    const raaf_delta_t delta = tool_call("1234", "12345678", "12");
    raaf_chunk_t chunk = {.bytes = "plain", .len = 5};

    CHECK_EQ_UINT(raaf_chunk_memory(&chunk), 0);
    chunk.payload = raaf_chunk_payload_new(&delta);
    CHECK_EQ_UINT(raaf_chunk_memory(&chunk), sizeof(raaf_chunk_payload_t) + 14);
    raaf_chunk_free(&chunk);
}

TEST(payload_can_be_copied_whole) {
    const raaf_delta_t delta = tool_call("call_1", "weather", "{}");
    raaf_chunk_payload_t *payload = raaf_chunk_payload_new(&delta), *copy;

    if (!CHECK(payload != NULL)) return;
    CHECK_EQ_UINT(payload->retry.number, 0);
    payload->retry =
        (raaf_retry_notice_t){.number = 1, .most = 2, .delay_ns = 3, .http_status = 503};
    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_chunk_payload_copy(payload), NULL);
    memory_is_back();
    copy = raaf_chunk_payload_copy(payload);
    free(payload);
    if (!CHECK(copy != NULL)) return;
    CHECK_EQ_STR(copy->tool_id.bytes, copy->tool_id.len, "call_1");
    CHECK_EQ_STR(copy->tool_name.bytes, copy->tool_name.len, "weather");
    CHECK_EQ_STR(copy->text.bytes, copy->text.len, "{}");
    CHECK_EQ_INT(copy->tool_index, 2000000000);
    CHECK_EQ_INT(copy->usage.total_tokens, -1);
    CHECK_EQ_UINT(copy->retry.number, 1);
    CHECK_EQ_UINT(copy->retry.most, 2);
    CHECK_EQ_UINT(copy->retry.delay_ns, 3);
    CHECK_EQ_INT(copy->retry.http_status, 503);
    free(copy);
}

TEST(chunk_can_be_freed_twice) {
    const raaf_delta_t delta = tool_call("id", "name", "text");
    raaf_chunk_t chunk = {.seq = 1, .type = RAAF_CHUNK_TOOL_CALL};

    chunk.payload = raaf_chunk_payload_new(&delta);
    chunk.bytes = chunk.payload->text.bytes;
    chunk.len = chunk.payload->text.len;
    raaf_chunk_free(&chunk);
    raaf_chunk_free(&chunk);
    CHECK_EQ_PTR(chunk.payload, NULL);
    CHECK_EQ_PTR(chunk.bytes, NULL);
    CHECK_EQ_UINT(chunk.len, 0);
}
