#include "json_text.h"

#include "result_code.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool needs_escape(char byte) {
    return (unsigned char)byte < 0x20 || byte == '"' || byte == '\\';
}

static int write_escape(raaf_buffer_t *out, char byte) {
    char escape[8];

    if (byte == '"' || byte == '\\')
        snprintf(escape, sizeof escape, "\\%c", byte);
    else
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)byte);
    return raaf_buffer_append(out, escape, strlen(escape));
}

int raaf_json_text_string(raaf_buffer_t *out, raaf_slice_t text) {
    const char *at = text.len > 0 ? text.bytes : "";
    const char *end = at + text.len;
    int rc = raaf_buffer_append(out, "\"", 1);

    while (rc == RAAF_OK && at < end) {
        const char *plain = at;

        while (at < end && !needs_escape(*at))
            at++;
        rc = raaf_buffer_append(out, plain, (size_t)(at - plain));
        if (rc == RAAF_OK && at < end) rc = write_escape(out, *at++);
    }
    return rc == RAAF_OK ? raaf_buffer_append(out, "\"", 1) : rc;
}
