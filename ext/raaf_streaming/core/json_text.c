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

int raaf_json_text_piece(raaf_buffer_t *out, raaf_slice_t text) {
    const char *at = text.len > 0 ? text.bytes : "";
    const char *end = at + text.len;
    int rc = RAAF_OK;

    while (rc == RAAF_OK && at < end) {
        const char *plain = at;

        while (at < end && !needs_escape(*at))
            at++;
        rc = raaf_buffer_append(out, plain, (size_t)(at - plain));
        if (rc == RAAF_OK && at < end) rc = write_escape(out, *at++);
    }
    return rc;
}

int raaf_json_text_string(raaf_buffer_t *out, raaf_slice_t text) {
    int rc = raaf_buffer_append(out, "\"", 1);

    if (rc == RAAF_OK) rc = raaf_json_text_piece(out, text);
    return rc == RAAF_OK ? raaf_buffer_append(out, "\"", 1) : rc;
}

/* ---- the members of an object ---- */

typedef struct member {
    raaf_slice_t key; /* with its quotes */
    raaf_slice_t value;
    bool used;
} member_t;

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Behind the string that begins at [at]. */
static const char *skip_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++) {
        if (*at == '\\' && at + 1 < end) at++;
    }
    return at < end ? at + 1 : end;
}

/* Behind the value that begins at [at]: at the comma or the bracket that follows it. */
static const char *skip_value(const char *at, const char *end) {
    size_t depth = 0;

    while (at < end) {
        switch (*at) {
        case '"':
            at = skip_string(at, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case ',':
            if (depth == 0) return at;
            break;
        case '}':
        case ']':
            if (depth == 0) return at;
            depth--;
            break;
        default:
            break;
        }
        at++;
    }
    return end;
}

/* The next member at or behind [at], which is then behind it. Returns false behind the last one. */
static bool next_member(const char **at, const char *end, member_t *member) {
    const char *key = *at, *value, *stop;

    while (key < end && (is_space(*key) || *key == '{' || *key == ','))
        key++;
    if (key == end || *key != '"') return false;

    member->key.bytes = key;
    value = skip_string(key, end);
    member->key.len = (size_t)(value - key);
    while (value < end && (is_space(*value) || *value == ':'))
        value++;
    *at = stop = skip_value(value, end);
    while (stop > value && is_space(stop[-1]))
        stop--;
    member->value = (raaf_slice_t){value, (size_t)(stop - value)};
    member->used = false;
    return true;
}

/* Returns how many there are; RAAF_JSON_TEXT_MAX_MEMBERS + 1: too many. */
static size_t list_members(raaf_slice_t object, member_t *members) {
    const char *at = object.bytes;
    member_t member;
    size_t count = 0;

    while (next_member(&at, object.bytes + object.len, &member)) {
        if (count == RAAF_JSON_TEXT_MAX_MEMBERS) return count + 1;
        members[count++] = member;
    }
    return count;
}

/* ---- merging ---- */

static bool is_null(raaf_slice_t value) {
    return value.len == 4 && memcmp(value.bytes, "null", 4) == 0;
}

/* The value that [members] have for [key], or NULL: of several the last one. They are used now. */
static const raaf_slice_t *use_member(member_t *members, size_t count, raaf_slice_t key) {
    const raaf_slice_t *value = NULL;

    for (size_t i = 0; i < count; i++) {
        const raaf_slice_t other = members[i].key;

        if (other.len != key.len || memcmp(other.bytes, key.bytes, key.len) != 0) continue;
        members[i].used = true;
        value = &members[i].value;
    }
    return value;
}

static int append_member(raaf_buffer_t *out, raaf_slice_t key, raaf_slice_t value, bool first) {
    int rc = raaf_buffer_append(out, first ? "{" : ",", 1);

    if (rc == RAAF_OK) rc = raaf_buffer_append(out, key.bytes, key.len);
    if (rc == RAAF_OK) rc = raaf_buffer_append(out, ":", 1);
    return rc == RAAF_OK ? raaf_buffer_append(out, value.bytes, value.len) : rc;
}

int raaf_json_text_merge(raaf_buffer_t *out, raaf_slice_t base, raaf_slice_t over) {
    member_t members[RAAF_JSON_TEXT_MAX_MEMBERS], member;
    const size_t count = list_members(over, members);
    const char *at = base.bytes;
    bool first = true;
    int rc = RAAF_OK;

    if (count > RAAF_JSON_TEXT_MAX_MEMBERS) return raaf_buffer_append(out, over.bytes, over.len);

    while (rc == RAAF_OK && next_member(&at, base.bytes + base.len, &member)) {
        const raaf_slice_t *other = use_member(members, count, member.key);

        if (other != NULL && !is_null(*other)) member.value = *other;
        rc = append_member(out, member.key, member.value, first);
        first = false;
    }
    for (size_t i = 0; i < count && rc == RAAF_OK; i++) {
        if (members[i].used) continue;
        rc = append_member(out, members[i].key, members[i].value, first);
        first = false;
    }
    if (rc == RAAF_OK && first) rc = raaf_buffer_append(out, "{", 1);
    return rc == RAAF_OK ? raaf_buffer_append(out, "}", 1) : rc;
}
