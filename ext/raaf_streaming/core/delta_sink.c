#include "delta_sink.h"

#include "result_code.h"

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

void raaf_delta_sink_init(raaf_delta_sink_t *sink, raaf_delta_fn emit, void *context) {
    sink->emit = emit;
    sink->context = context;
    raaf_buffer_init(&sink->repaired, SIZE_MAX);
}

int raaf_delta_sink_put(raaf_delta_sink_t *sink, const raaf_delta_t *delta) {
    return sink->emit(sink->context, delta);
}

static int put_text(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                    const char *bytes, size_t len) {
    const raaf_delta_t delta = {.type = type, .choice = choice, .text = {bytes, len}};

    return len == 0 ? RAAF_OK : raaf_delta_sink_put(sink, &delta);
}

int raaf_delta_sink_text(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                         raaf_utf8_carry_t *carry, const char *bytes, size_t len) {
    int rc;

    /* As it was read where it is whole and valid, which nearly every piece is. */
    if (carry->len == 0 && raaf_utf8_valid(bytes, len))
        return put_text(sink, type, choice, bytes, len);
    raaf_buffer_clear(&sink->repaired, KEEP_BYTES);
    rc = raaf_utf8_repair(carry, bytes, len, &sink->repaired);
    if (rc != RAAF_OK) return rc;
    return put_text(sink, type, choice, sink->repaired.bytes, sink->repaired.len);
}

int raaf_delta_sink_end_text(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                             raaf_utf8_carry_t *carry) {
    int rc;

    if (carry->len == 0) return RAAF_OK;
    raaf_buffer_clear(&sink->repaired, KEEP_BYTES);
    rc = raaf_utf8_finish(carry, &sink->repaired);
    if (rc != RAAF_OK) return rc;
    return put_text(sink, type, choice, sink->repaired.bytes, sink->repaired.len);
}

int raaf_delta_sink_json(raaf_delta_sink_t *sink, raaf_chunk_type_t type, uint32_t choice,
                         raaf_slice_t json) {
    return put_text(sink, type, choice, json.bytes, json.len);
}

int raaf_delta_sink_fault(raaf_delta_sink_t *sink, const raaf_fault_t *fault) {
    const raaf_delta_t delta = {
        .type = RAAF_CHUNK_ERROR,
        .text = fault->json,
        .error_message = fault->message,
        .error_type = fault->type,
        .error_code = fault->code,
        .error_param = fault->param,
    };
    const int rc = raaf_delta_sink_put(sink, &delta);

    return rc == RAAF_OK ? RAAF_PROVIDER_ERROR : rc;
}

void raaf_delta_sink_free(raaf_delta_sink_t *sink) {
    raaf_buffer_free(&sink->repaired);
}
