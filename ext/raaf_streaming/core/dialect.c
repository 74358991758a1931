#include "dialect.h"

#include "dialect_anthropic.h"
#include "dialect_gemini.h"
#include "dialect_ollama.h"
#include "dialect_openai_chat.h"
#include "dialect_openai_responses.h"
#include "result_code.h"

#include <string.h>

static const raaf_dialect_t *const dialects[] = {
    &raaf_dialect_openai_chat, &raaf_dialect_anthropic, &raaf_dialect_openai_responses,
    &raaf_dialect_gemini,      &raaf_dialect_ollama,
};

const raaf_dialect_t *raaf_dialect_find(const char *name) {
    if (name == NULL) return NULL;
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++) {
        if (strcmp(dialects[i]->name, name) == 0) return dialects[i];
    }
    return NULL;
}

const char *raaf_dialect_name_at(size_t i) {
    return i < sizeof dialects / sizeof dialects[0] ? dialects[i]->name : NULL;
}

bool raaf_dialect_malformed(int rc) {
    return rc == RAAF_INVALID_JSON || rc == RAAF_INVALID_EVENT || rc == RAAF_TOO_DEEP;
}

bool raaf_dialect_is_named(const raaf_sse_event_t *event, const char *name) {
    return event->type_len == strlen(name) && memcmp(event->type, name, event->type_len) == 0;
}

raaf_slice_t raaf_dialect_trimmed(const raaf_sse_event_t *event) {
    const char *at = event->data, *end = at + event->data_len;

    while (at < end && memchr(" \t\r\n", *at, 4) != NULL) {
        at++;
    }
    while (at < end && memchr(" \t\r\n", end[-1], 4) != NULL) {
        end--;
    }
    return (raaf_slice_t){at, (size_t)(end - at)};
}

bool raaf_dialect_is_mark(const raaf_sse_event_t *event) {
    raaf_slice_t data;

    if (event->data_len > 0 && event->data[0] == '{') return false;
    data = raaf_dialect_trimmed(event);
    return data.len == 0 || (data.len == 6 && memcmp(data.bytes, "[DONE]", 6) == 0);
}
