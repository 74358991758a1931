#include "said.h"

#include "result_code.h"

#include <string.h>

/* The most of an error that is no JSON. */
#define MAX_RAW_MESSAGE ((size_t)4 << 10)

bool raaf_said_is(const raaf_json_value_t *value, const char *text) {
    return value->type == RAAF_JSON_STRING && value->len == strlen(text) &&
           memcmp(value->bytes, text, value->len) == 0;
}

int raaf_said_only_structure(const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_FALSE:
    case RAAF_JSON_TRUE:
    case RAAF_JSON_NUMBER:
    case RAAF_JSON_STRING:
        return RAAF_INVALID_EVENT;
    default:
        return RAAF_OK;
    }
}

int raaf_said_label(raaf_notes_t *notes, raaf_range_t *range, const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING) return RAAF_OK;
    return raaf_notes_set(notes, range, value->bytes, value->len);
}

int raaf_said_label_or_number(raaf_notes_t *notes, raaf_range_t *range,
                              const raaf_json_value_t *value) {
    if (value->type != RAAF_JSON_STRING && value->type != RAAF_JSON_NUMBER) return RAAF_OK;
    return raaf_notes_set(notes, range, value->bytes, value->len);
}

void raaf_said_count(int64_t *count, const raaf_json_value_t *value) {
    const int64_t number = raaf_json_integer(value, -1);

    if (number >= 0) *count = number;
}

int raaf_said_fault(raaf_notes_t *notes, raaf_said_fault_t *fault, const raaf_json_value_t *value) {
    switch (value->type) {
    case RAAF_JSON_STRING:
        if (value->len == 0) return RAAF_OK;
        fault->given = true;
        return raaf_notes_set(notes, &fault->message, value->bytes, value->len);
    case RAAF_JSON_CLOSE_OBJECT:
        fault->given = true;
        return raaf_notes_set(notes, &fault->json, value->bytes, value->len);
    default:
        return RAAF_OK;
    }
}

int raaf_said_raw_fault(raaf_notes_t *notes, raaf_said_fault_t *fault, const char *bytes,
                        size_t len) {
    return raaf_notes_set_start(notes, &fault->message, bytes, len, MAX_RAW_MESSAGE);
}

int raaf_said_put_fault(const raaf_notes_t *notes, const raaf_said_fault_t *fault,
                        raaf_delta_sink_t *sink) {
    const raaf_fault_t said = {
        .json = raaf_notes_get(notes, fault->json),
        .message = raaf_notes_get(notes, fault->message),
        .type = raaf_notes_get(notes, fault->type),
        .code = raaf_notes_get(notes, fault->code),
        .param = raaf_notes_get(notes, fault->param),
    };

    return raaf_delta_sink_fault(sink, &said);
}
