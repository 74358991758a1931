#include "request.h"

#include "result_code.h"

#include <stdlib.h>
#include <string.h>

raaf_request_t *raaf_request_new(const raaf_dialect_t *dialect) {
    raaf_request_t *request = calloc(1, sizeof *request);
    if (request) request->dialect = dialect;
    return request;
}

static char *copy(const char *bytes, size_t len) {
    char *to = malloc(len + 1);
    if (!to) return NULL;
    if (len) memcpy(to, bytes, len);
    to[len] = '\0';
    return to;
}

int raaf_request_set(char **field, const char *bytes, size_t len) {
    char *to = copy(bytes, len);
    if (!to) return RAAF_NO_MEMORY;
    free(*field);
    *field = to;
    return RAAF_OK;
}

int raaf_request_set_body(raaf_request_t *request, const char *bytes, size_t len) {
    int result = raaf_request_set(&request->body, bytes, len);
    if (result == RAAF_OK) request->body_len = len;
    return result;
}

int raaf_request_set_said(raaf_request_t *request, const char *bytes, size_t len) {
    int result = raaf_request_set(&request->said, bytes, len);
    if (result == RAAF_OK) request->said_len = len;
    return result;
}

int raaf_request_add_header(raaf_request_t *request, const char *bytes, size_t len) {
    size_t size = (request->header_count + 1) * sizeof *request->headers;
    char **headers = realloc(request->headers, size);
    if (!headers) return RAAF_NO_MEMORY;
    request->headers = headers;
    char *line = copy(bytes, len);
    if (!line) return RAAF_NO_MEMORY;
    headers[request->header_count++] = line;
    return RAAF_OK;
}

int raaf_request_add_step(raaf_request_t *request, uint64_t delay_ns, const char *bytes,
                          size_t len) {
    size_t size = (request->step_count + 1) * sizeof *request->steps;
    raaf_script_step_t *steps = realloc(request->steps, size);
    if (!steps) return RAAF_NO_MEMORY;
    request->steps = steps;
    char *held = copy(bytes, len);
    if (!held) return RAAF_NO_MEMORY;
    steps[request->step_count++] = (raaf_script_step_t){delay_ns, held, len};
    return RAAF_OK;
}

/* A plain memset before free is removed by the compiler. */
static void wipe(char *bytes, size_t len) {
    volatile char *at = bytes;
    while (len--)
        *at++ = 0;
}

static void wipe_string(char **field) {
    if (*field) wipe(*field, strlen(*field));
    free(*field);
    *field = NULL;
}

void raaf_request_forget(raaf_request_t *request) {
    for (size_t i = 0; i < request->header_count; i++)
        wipe_string(&request->headers[i]);
    for (size_t i = 0; i < request->step_count; i++)
        free(request->steps[i].bytes);
    if (request->body) wipe(request->body, request->body_len);
    free(request->headers);
    free(request->steps);
    free(request->body);
    free(request->said);
    wipe_string(&request->url);
    wipe_string(&request->proxy);
    wipe_string(&request->host);
    wipe_string(&request->ca_file);
    request->headers = NULL;
    request->steps = NULL;
    request->body = request->said = NULL;
    request->header_count = request->step_count = request->said_len = 0;
    request->body_len = 0; /* atomic: clang 14 does not pass its value on */
}

void raaf_request_free(raaf_request_t *request) {
    if (!request) return;
    raaf_request_forget(request);
    free(request);
}
