#include "tool_calls.h"

#include "json_reader.h"
#include "result_code.h"

#include <string.h>

static raaf_slice_t slice_of(const raaf_buffer_t *buffer) {
    return (raaf_slice_t){buffer->bytes != NULL ? buffer->bytes : "", buffer->len};
}

static bool same(const raaf_buffer_t *buffer, raaf_slice_t slice) {
    return buffer->len == slice.len &&
           (slice.len == 0 || memcmp(buffer->bytes, slice.bytes, slice.len) == 0);
}

void raaf_tool_calls_init(raaf_tool_calls_t *calls) {
    raaf_buffer_init(&calls->list, RAAF_TOOL_CALLS_MAX * sizeof(raaf_tool_call_t));
    calls->open = 0;
}

size_t raaf_tool_calls_count(const raaf_tool_calls_t *calls) {
    return calls->list.len / sizeof(raaf_tool_call_t);
}

raaf_tool_call_t *raaf_tool_calls_at(const raaf_tool_calls_t *calls, size_t i) {
    return (raaf_tool_call_t *)(void *)calls->list.bytes + i;
}

raaf_tool_call_t *raaf_tool_calls_by_index(const raaf_tool_calls_t *calls, uint32_t choice,
                                           int64_t index) {
    for (size_t i = raaf_tool_calls_count(calls); i > 0; i--) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i - 1);

        if (call->choice == choice && call->index == index) return call;
    }
    return NULL;
}

raaf_tool_call_t *raaf_tool_calls_by_id(const raaf_tool_calls_t *calls, uint32_t choice,
                                        raaf_slice_t id) {
    for (size_t i = raaf_tool_calls_count(calls); i > 0; i--) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i - 1);

        if (call->choice == choice && same(&call->id, id)) return call;
    }
    return NULL;
}

int64_t raaf_tool_calls_free_index(const raaf_tool_calls_t *calls, uint32_t choice) {
    int64_t index = 0;

    for (size_t i = 0; i < raaf_tool_calls_count(calls); i++) {
        if (raaf_tool_calls_at(calls, i)->choice == choice) index++;
    }
    while (raaf_tool_calls_by_index(calls, choice, index) != NULL) {
        index++;
    }
    return index;
}

int raaf_tool_calls_begin(raaf_tool_calls_t *calls, uint32_t choice, int64_t index,
                          raaf_tool_call_t **begun) {
    raaf_tool_call_t call = {.calls = calls, .choice = choice, .index = index};
    int rc;

    raaf_buffer_init(&call.id, RAAF_TOOL_CALLS_MAX_LABEL);
    raaf_buffer_init(&call.name, RAAF_TOOL_CALLS_MAX_LABEL);
    raaf_buffer_init(&call.arguments, RAAF_TOOL_CALLS_MAX_ARGUMENTS);
    rc = raaf_buffer_push(&calls->list, &call, sizeof call);
    if (rc == RAAF_OK) *begun = raaf_tool_calls_at(calls, raaf_tool_calls_count(calls) - 1);
    return rc;
}

int raaf_tool_call_label(raaf_tool_call_t *call, raaf_slice_t id, raaf_slice_t name) {
    int rc = RAAF_OK;

    if (call->id.len == 0) rc = raaf_capped(raaf_buffer_append(&call->id, id.bytes, id.len));
    if (rc == RAAF_OK && !same(&call->name, name)) {
        rc = raaf_capped(raaf_buffer_append(&call->name, name.bytes, name.len));
    }
    return rc;
}

static int put(raaf_delta_sink_t *sink, raaf_chunk_type_t type, const raaf_tool_call_t *call,
               raaf_slice_t text) {
    const raaf_delta_t delta = {
        .type = type,
        .choice = call->choice,
        .text = text,
        .tool_index = call->index,
        .tool_id = slice_of(&call->id),
        .tool_name = slice_of(&call->name),
    };
    return raaf_delta_sink_put(sink, &delta);
}

/* The arguments from [start] on. */
static int put_fragment(raaf_delta_sink_t *sink, const raaf_tool_call_t *call, size_t start) {
    const raaf_slice_t all = slice_of(&call->arguments);

    return put(sink, RAAF_CHUNK_TOOL_CALL_DELTA, call,
               (raaf_slice_t){all.bytes + start, all.len - start});
}

int raaf_tool_call_add(raaf_tool_call_t *call, raaf_slice_t arguments, raaf_delta_sink_t *sink) {
    const size_t start = call->arguments.len;
    const int rc = raaf_capped(
        raaf_utf8_repair(&call->open, arguments.bytes, arguments.len, &call->arguments));

    call->calls->open += call->arguments.len - start;
    if (rc != RAAF_OK) return rc;
    if (call->calls->open > RAAF_TOOL_CALLS_MAX_OPEN) return RAAF_EVENT_TOO_LARGE;
    return put_fragment(sink, call, start);
}

static void forget_arguments(raaf_tool_call_t *call) {
    call->calls->open -= call->arguments.len;
    raaf_buffer_free(&call->arguments);
}

int raaf_tool_call_close(raaf_tool_call_t *call, raaf_delta_sink_t *sink) {
    const size_t start = call->arguments.len;
    int rc;

    if (call->whole || call->torn) return RAAF_OK;
    rc = raaf_capped(raaf_utf8_finish(&call->open, &call->arguments));
    call->calls->open += call->arguments.len - start;
    if (rc == RAAF_OK && call->arguments.len > start) rc = put_fragment(sink, call, start);
    if (rc != RAAF_OK) return rc;
    call->whole = true;
    rc = put(sink, RAAF_CHUNK_TOOL_CALL, call, slice_of(&call->arguments));
    forget_arguments(call);
    return rc;
}

int raaf_tool_calls_close(raaf_tool_calls_t *calls, uint32_t choice, raaf_delta_sink_t *sink) {
    int rc = RAAF_OK;

    for (size_t i = 0; i < raaf_tool_calls_count(calls) && rc == RAAF_OK; i++) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i);

        if (call->choice == choice) rc = raaf_tool_call_close(call, sink);
    }
    return rc;
}

void raaf_tool_calls_tear(raaf_tool_calls_t *calls) {
    for (size_t i = 0; i < raaf_tool_calls_count(calls); i++) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i);

        call->torn = call->torn || !call->whole;
    }
}

int raaf_tool_calls_tear_cut_off(raaf_tool_calls_t *calls, uint32_t choice) {
    for (size_t i = 0; i < raaf_tool_calls_count(calls); i++) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i);
        int rc;

        if (call->choice != choice || call->whole || call->torn) continue;
        rc = raaf_json_check(slice_of(&call->arguments).bytes, call->arguments.len);
        if (rc == RAAF_NO_MEMORY) return rc;
        call->torn = rc != RAAF_OK;
    }
    return RAAF_OK;
}

int raaf_tool_call_mend(raaf_tool_call_t *call, raaf_slice_t arguments) {
    int rc;

    forget_arguments(call);
    call->torn = false;
    call->open = (raaf_utf8_carry_t){0};
    rc = raaf_capped(raaf_buffer_append(&call->arguments, arguments.bytes, arguments.len));
    call->calls->open += call->arguments.len;
    return rc;
}

void raaf_tool_calls_free(raaf_tool_calls_t *calls) {
    for (size_t i = 0; i < raaf_tool_calls_count(calls); i++) {
        raaf_tool_call_t *call = raaf_tool_calls_at(calls, i);

        raaf_buffer_free(&call->id);
        raaf_buffer_free(&call->name);
        raaf_buffer_free(&call->arguments);
    }
    raaf_buffer_free(&calls->list);
}
