#include "json_quote.h"

#include "result_code.h"

#include <stdbool.h>
#include <stdio.h>

static bool is_plain(char c) {
    return (unsigned char)c >= 0x20 && c != '"' && c != '\\';
}

static int append_escape(raaf_buffer_t *out, char c) {
    char escape[7];
    int len;

    if (c == '"' || c == '\\')
        len = snprintf(escape, sizeof escape, "\\%c", c);
    else
        len = snprintf(escape, sizeof escape, "\\u%04x", (unsigned)(unsigned char)c);
    return raaf_buffer_append(out, escape, (size_t)len);
}

int raaf_json_quote_escaped(raaf_buffer_t *out, raaf_slice_t text) {
    int rc = RAAF_OK;

    for (size_t at = 0; at < text.len && rc == RAAF_OK;) {
        size_t plain = at;

        while (plain < text.len && is_plain(text.bytes[plain]))
            plain++;
        rc = raaf_buffer_append(out, text.bytes + at, plain - at);
        if (rc == RAAF_OK && plain < text.len) rc = append_escape(out, text.bytes[plain++]);
        at = plain;
    }
    return rc;
}

int raaf_json_quote_string(raaf_buffer_t *out, raaf_slice_t text) {
    int rc = raaf_buffer_append(out, "\"", 1);

    if (rc == RAAF_OK) rc = raaf_json_quote_escaped(out, text);
    return rc == RAAF_OK ? raaf_buffer_append(out, "\"", 1) : rc;
}
