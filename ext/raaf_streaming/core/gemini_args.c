#include "gemini_args.h"

#include "json_text.h"
#include "result_code.h"
#include "seen.h"

#include <stdint.h>
#include <string.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 1024

/* One step of a path: into an object by a name, or into an array by an index. */
typedef struct step {
    bool is_index;
    uint64_t id; /* the index, or the name's hash */
} step_t;

/* A name that was used in the object at that depth. */
typedef struct name {
    size_t depth;
    uint64_t hash;
} name_t;

void raaf_gemini_args_init(raaf_gemini_args_t *args) {
    memset(args, 0, sizeof *args);
    raaf_buffer_init(&args->steps, RAAF_GEMINI_ARGS_MAX_DEPTH * sizeof(step_t));
    raaf_buffer_init(&args->names, RAAF_GEMINI_ARGS_MAX_NAMES * sizeof(name_t));
}

void raaf_gemini_args_free(raaf_gemini_args_t *args) {
    raaf_buffer_free(&args->steps);
    raaf_buffer_free(&args->names);
}

void raaf_gemini_args_reset(raaf_gemini_args_t *args) {
    raaf_buffer_clear(&args->steps, KEEP_BYTES);
    raaf_buffer_clear(&args->names, KEEP_BYTES);
    args->in_string = false;
    args->whole = false;
}

int raaf_gemini_args_copy(raaf_gemini_args_t *copy, const raaf_gemini_args_t *args) {
    int rc;

    raaf_gemini_args_reset(copy);
    copy->in_string = args->in_string;
    copy->whole = args->whole;
    rc = raaf_buffer_append(&copy->steps, args->steps.bytes, args->steps.len);
    if (rc != RAAF_OK) return rc;
    return raaf_buffer_append(&copy->names, args->names.bytes, args->names.len);
}

static size_t depth_of(const raaf_gemini_args_t *args) {
    return args->steps.len / sizeof(step_t);
}

static const step_t *step_at(const raaf_gemini_args_t *args, size_t i) {
    return (const step_t *)(const void *)args->steps.bytes + i;
}

static int put(raaf_buffer_t *json, char c) {
    return raaf_buffer_append(json, &c, 1);
}

/* ---- reading a path ---- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* A name behind a dot, up to what begins the next step. */
static int read_plain_name(raaf_slice_t path, size_t *at, raaf_buffer_t *name) {
    const size_t start = *at;

    while (*at < path.len && path.bytes[*at] != '.' && path.bytes[*at] != '[')
        ++*at;
    if (*at == start) return RAAF_INVALID_EVENT;
    return raaf_buffer_append(name, path.bytes + start, *at - start);
}

/* A name in quotes, and the bracket behind it. Of escapes only those of a character by itself. */
static int read_quoted_name(raaf_slice_t path, size_t *at, raaf_buffer_t *name) {
    const char quote = path.bytes[(*at)++];
    int rc = RAAF_OK;

    while (*at < path.len && path.bytes[*at] != quote && rc == RAAF_OK) {
        if (path.bytes[*at] == '\\') {
            if (++*at == path.len || !memchr("\\\"'/", path.bytes[*at], 4)) {
                return RAAF_INVALID_EVENT;
            }
        }
        rc = put(name, path.bytes[(*at)++]);
    }
    if (rc != RAAF_OK) return rc;
    if (path.len - *at < 2 || path.bytes[*at + 1] != ']') return RAAF_INVALID_EVENT;
    *at += 2;
    return RAAF_OK;
}

static int read_index(raaf_slice_t path, size_t *at, uint64_t *index) {
    const size_t start = *at;

    *index = 0;
    while (*at < path.len && is_digit(path.bytes[*at]) && *at - start < 10)
        *index = *index * 10 + (uint64_t)(path.bytes[(*at)++] - '0');
    if (*at == start || *at == path.len || path.bytes[*at] != ']') return RAAF_INVALID_EVENT;
    ++*at;
    return RAAF_OK;
}

/* The step that begins at [at], which moves behind it; a name stands in [name] afterwards. */
static int read_step(raaf_slice_t path, size_t *at, step_t *step, raaf_buffer_t *name) {
    const char first = path.bytes[(*at)++];
    int rc;

    name->len = 0;
    step->is_index = first == '[' && *at < path.len && is_digit(path.bytes[*at]);
    if (step->is_index) return read_index(path, at, &step->id);

    if (first == '.')
        rc = read_plain_name(path, at, name);
    else if (first == '[' && *at < path.len && memchr("'\"", path.bytes[*at], 2))
        rc = read_quoted_name(path, at, name);
    else
        rc = RAAF_INVALID_EVENT;
    step->id = raaf_hash(RAAF_HASH_START, name->bytes, name->len);
    return rc;
}

/* ---- writing ---- */

/* Closes what is open below [depth]. The newest value itself has no bracket. */
static int close_to(raaf_gemini_args_t *args, size_t depth, raaf_buffer_t *json) {
    const name_t *names = (const name_t *)(const void *)args->names.bytes;
    size_t count = args->names.len / sizeof *names;
    int rc = RAAF_OK;

    if (args->in_string) rc = put(json, '"');
    args->in_string = false;
    for (size_t at = depth_of(args); at > depth + 1 && rc == RAAF_OK; at--) {
        rc = put(json, step_at(args, at - 1)->is_index ? ']' : '}');
    }
    while (count > 0 && names[count - 1].depth > depth)
        count--;
    args->names.len = count * sizeof *names;
    return rc;
}

static int note_name(raaf_gemini_args_t *args, size_t depth, uint64_t hash) {
    const name_t name = {.depth = depth, .hash = hash};
    const name_t *names = (const name_t *)(const void *)args->names.bytes;

    for (size_t i = args->names.len / sizeof *names; i > 0 && names[i - 1].depth == depth; i--) {
        if (names[i - 1].hash == hash) return RAAF_INVALID_EVENT;
    }
    return raaf_buffer_append(&args->names, (const char *)&name, sizeof name);
}

/* Writes the step at [depth], which is not open; [first]: nothing stands before it there. */
static int open_step(raaf_gemini_args_t *args, size_t depth, bool first, const step_t *step,
                     const raaf_buffer_t *name, raaf_buffer_t *json) {
    const char opening = step->is_index ? '[' : '{';
    int rc = put(json, first ? opening : ',');

    if (rc == RAAF_OK && !step->is_index) {
        rc = note_name(args, depth, step->id);
        if (rc == RAAF_OK) {
            rc = raaf_json_text_string(json, (raaf_slice_t){name->bytes, name->len});
        }
        if (rc == RAAF_OK) rc = put(json, ':');
    }
    if (rc != RAAF_OK) return rc;
    args->steps.len = depth * sizeof *step;
    rc = raaf_buffer_append(&args->steps, (const char *)step, sizeof *step);
    return rc == RAAF_BODY_TOO_LARGE ? RAAF_TOO_DEEP : rc;
}

/* Where the path leaves the one to the newest value, the step must be the next in its array, or go
 * by a name as its neighbours do. */
static int leave_at(raaf_gemini_args_t *args, size_t depth, const step_t *step,
                    raaf_buffer_t *json) {
    const step_t *neighbour = step_at(args, depth);

    if (neighbour->is_index != step->is_index) return RAAF_INVALID_EVENT;
    if (step->is_index && step->id != neighbour->id + 1) return RAAF_INVALID_EVENT;
    return close_to(args, depth, json);
}

static bool same_step(const step_t *a, const step_t *b) {
    return a->is_index == b->is_index && a->id == b->id;
}

/* Goes to the place. [stayed]: it is that of the newest value. */
static int go_to(raaf_gemini_args_t *args, raaf_slice_t path, raaf_buffer_t *name,
                 raaf_buffer_t *json, bool *stayed) {
    const size_t old_depth = depth_of(args);
    size_t at = 1, depth = 0;
    bool left = old_depth == 0;

    if (path.len < 2 || path.bytes[0] != '$') return RAAF_INVALID_EVENT;
    for (; at < path.len; depth++) {
        step_t step = {0};
        bool first;
        int rc = read_step(path, &at, &step, name);

        if (rc != RAAF_OK) return rc;
        if (!left && depth == old_depth) return RAAF_INVALID_EVENT; /* inside of a value */
        if (!left && same_step(&step, step_at(args, depth))) continue;

        first = left;
        if (!left && (rc = leave_at(args, depth, &step, json)) != RAAF_OK) return rc;
        left = true;
        if (first && (depth == 0 ? step.is_index : step.is_index && step.id != 0)) {
            return RAAF_INVALID_EVENT;
        }
        if ((rc = open_step(args, depth, first, &step, name, json)) != RAAF_OK) return rc;
    }
    *stayed = !left;
    return left || depth == old_depth ? RAAF_OK : RAAF_INVALID_EVENT; /* an object, not a value */
}

static int write_string(raaf_gemini_args_t *args, const raaf_gemini_piece_t *piece,
                        raaf_buffer_t *json) {
    int rc = args->in_string ? RAAF_OK : put(json, '"');

    if (rc == RAAF_OK) rc = raaf_json_text_piece(json, piece->bytes);
    args->in_string = piece->will_continue;
    return rc == RAAF_OK && !piece->will_continue ? put(json, '"') : rc;
}

int raaf_gemini_args_add(raaf_gemini_args_t *args, const raaf_gemini_piece_t *piece,
                         raaf_buffer_t *json) {
    const bool goes_on = args->in_string && piece->type == RAAF_GEMINI_STRING;
    raaf_buffer_t name;
    bool stayed = false;
    int rc;

    if (args->whole || piece->type == RAAF_GEMINI_NO_VALUE) return RAAF_INVALID_EVENT;
    raaf_buffer_init(&name, SIZE_MAX);
    rc = go_to(args, piece->path, &name, json, &stayed);
    raaf_buffer_free(&name);
    if (rc != RAAF_OK) return rc;
    if (stayed && !goes_on) return RAAF_INVALID_EVENT; /* the value is there already */
    if (piece->type == RAAF_GEMINI_STRING) return write_string(args, piece, json);
    return raaf_buffer_append(json, piece->bytes.bytes, piece->bytes.len);
}

int raaf_gemini_args_set(raaf_gemini_args_t *args, raaf_slice_t object, raaf_buffer_t *json) {
    if (args->whole || depth_of(args) > 0) return RAAF_INVALID_EVENT;
    args->whole = true;
    return raaf_buffer_append(json, object.bytes, object.len);
}

int raaf_gemini_args_end(raaf_gemini_args_t *args, raaf_buffer_t *json) {
    int rc = RAAF_OK;

    if (!args->whole && depth_of(args) == 0) {
        rc = raaf_buffer_append(json, "{}", 2);
    } else if (!args->whole) {
        rc = close_to(args, 0, json);
        if (rc == RAAF_OK) rc = put(json, '}');
    }
    raaf_gemini_args_reset(args);
    return rc;
}
