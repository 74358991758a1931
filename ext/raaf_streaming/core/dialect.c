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
