/*
 * What the partial JSON reader reported, as text, for its test and its fuzzer:
 * {"a":[1,"x",true]} is written {a:[#1 "x"t]}, in whatever pieces it came.
 *
 * Looks besides that the tokens are in an order in which they can be: [wrong] is set where not.
 */
#ifndef RAAF_TEST_PARTIAL_JSON_RECORD_H
#define RAAF_TEST_PARTIAL_JSON_RECORD_H

#include "buffer.h"
#include "partial_json.h"
#include "result_code.h"
#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct record {
    raaf_buffer_t text;
    raaf_buffer_t open; /* a bracket for each open object or array */
    size_t tokens;
    size_t values;  /* begun at the top: at most one */
    bool in_string; /* between OPEN_STRING and CLOSE_STRING */
    bool has_key;   /* a key that waits for its value */
    bool wrong;
    size_t stop_at; /* the token at which the receiver ends the reading; 0: none */
} record_t;

static inline void record_init(record_t *record) {
    memset(record, 0, sizeof *record);
    raaf_buffer_init(&record->text, (size_t)1 << 30);
    raaf_buffer_init(&record->open, RAAF_PARTIAL_JSON_MOST_DEPTH);
}

static inline void record_free(record_t *record) {
    raaf_buffer_free(&record->text);
    raaf_buffer_free(&record->open);
}

static inline char record_top(const record_t *record) {
    return record->open.len > 0 ? record->open.bytes[record->open.len - 1] : '\0';
}

static inline void record_value(record_t *record) {
    const char top = record_top(record);

    if (top == '\0' && record->values++ > 0) record->wrong = true;
    if ((top == '{') != record->has_key) record->wrong = true;
    record->has_key = false;
}

static inline void record_open(record_t *record, char bracket) {
    record_value(record);
    if (raaf_buffer_append(&record->open, &bracket, 1) != RAAF_OK) record->wrong = true;
}

static inline void record_close(record_t *record, char bracket) {
    if (record_top(record) != bracket || record->has_key)
        record->wrong = true;
    else
        record->open.len--;
}

static inline void record_order(record_t *record, const raaf_partial_json_token_t *token) {
    const bool in_string =
        token->type == RAAF_PARTIAL_JSON_STRING || token->type == RAAF_PARTIAL_JSON_CLOSE_STRING;

    if (record->in_string != in_string) record->wrong = true;
    switch (token->type) {
    case RAAF_PARTIAL_JSON_KEY:
        if (record_top(record) != '{' || record->has_key) record->wrong = true;
        record->has_key = true;
        break;
    case RAAF_PARTIAL_JSON_STRING:
        if (token->len == 0) record->wrong = true;
        break;
    case RAAF_PARTIAL_JSON_CLOSE_STRING:
        record->in_string = false;
        break;
    case RAAF_PARTIAL_JSON_OPEN_OBJECT:
        record_open(record, '{');
        break;
    case RAAF_PARTIAL_JSON_OPEN_ARRAY:
        record_open(record, '[');
        break;
    case RAAF_PARTIAL_JSON_CLOSE_OBJECT:
        record_close(record, '{');
        break;
    case RAAF_PARTIAL_JSON_CLOSE_ARRAY:
        record_close(record, '[');
        break;
    default:
        record_value(record);
        record->in_string = token->type == RAAF_PARTIAL_JSON_OPEN_STRING;
    }
}

static inline void record_bytes(record_t *record, const raaf_partial_json_token_t *token) {
    const bool has_bytes = token->type == RAAF_PARTIAL_JSON_NUMBER ||
                           token->type == RAAF_PARTIAL_JSON_KEY ||
                           token->type == RAAF_PARTIAL_JSON_STRING;

    if (has_bytes != (token->bytes != NULL) || (!has_bytes && token->len > 0)) record->wrong = true;
    if (token->bytes == NULL) return;
    if (!raaf_utf8_valid(token->bytes, token->len)) record->wrong = true;
    raaf_buffer_append(&record->text, token->bytes, token->len);
}

static inline int record_token(void *context, const raaf_partial_json_token_t *token) {
    static const char *const before[] = {"z", "f",  "t", "#", "",  "\"",
                                         "",  "\"", "{", "}", "[", "]"};
    static const char *const after[] = {"", "", "", " ", ":", "", "", "", "", "", "", ""};
    record_t *record = context;

    raaf_buffer_append(&record->text, before[token->type], strlen(before[token->type]));
    record_bytes(record, token);
    raaf_buffer_append(&record->text, after[token->type], strlen(after[token->type]));
    record_order(record, token);
    return ++record->tokens == record->stop_at ? RAAF_CANCELLED : RAAF_OK;
}

#endif
