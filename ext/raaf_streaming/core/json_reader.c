/*
 * What yajl 2.1 gets wrong, and where it is put right:
 *
 * - It makes "?" of a high surrogate escape without its low half and loses the character behind
 *   it, and takes any escape behind one for the low half: copy_rewritten() leaves it no surrogate.
 * - It lets invalid UTF-8 through, with its own check too: that check is off, raaf_utf8_repair
 *   comes after it.
 * - It takes an unfinished string behind the object for nothing, and a form feed and a vertical
 *   tab for white space: read_object() looks at both itself.
 * - It does not check whether memory was given to it: all it can ask for while it reads is set
 *   aside before (reserve_arena()).
 * - Its parser lives on from call to call: each reading has a new one, so that half a value in one
 *   event cannot break the next. Made in an arena, that costs next to nothing.
 */
#include "json_reader.h"

#include "result_code.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 2048

/* Blocks of the arena, and the header before each, are aligned for any type. */
#define ALIGNMENT _Alignof(max_align_t)

/* What yajl needs whatever the text: its handle, its lexer, and 128 levels of nesting, twice. */
#define FIXED_BYTES 2048

/* yajl's text buffers begin with this size and double until the text fits. */
#define FIRST_TEXT_BYTES 2048

/* Both text buffers of yajl in their first size: enough for any text shorter than that. */
#define STACK_BYTES (FIXED_BYTES + 2 * FIRST_TEXT_BYTES)

/* A piece of an arena that came from malloc. */
typedef struct arena_part {
    _Alignas(max_align_t) struct arena_part *next;
} arena_part_t;

/* Hands out memory from the front; all of it is given back at once. */
typedef struct arena {
    char *at;
    char *end;
    char *newest; /* the last block handed out: the one that can grow where it stands */
    arena_part_t *parts;
} arena_t;

/* An open object or array. */
typedef struct frame {
    const raaf_json_field_t *rows; /* of the object's keys */
    const raaf_json_field_t *rows_end;
    size_t start; /* of the opening bracket, in the text */
    uint8_t field;
    bool is_object;
} frame_t;

/* One reading of one text. */
typedef struct walk {
    const raaf_json_reader_t *reader;
    raaf_json_value_fn on_value;
    void *context;
    yajl_handle yajl;
    const char *text;
    int rc;            /* why the reading was ended early */
    uint8_t key_field; /* of the key just read */
    bool closed;       /* the top-level object is whole */
    size_t end;        /* where it ended */
    size_t depth;
    frame_t frames[RAAF_JSON_MAX_DEPTH];
} walk_t;

/* ---- memory for yajl ---- */

static bool arena_grow(arena_t *arena, size_t size) {
    arena_part_t *part = size <= SIZE_MAX - sizeof *part ? malloc(sizeof *part + size) : NULL;

    if (part == NULL) return false;
    part->next = arena->parts;
    arena->parts = part;
    arena->at = (char *)(part + 1);
    arena->end = arena->at + size;
    return true;
}

static void arena_free_all(arena_t *arena) {
    while (arena->parts != NULL) {
        arena_part_t *next = arena->parts->next;

        free(arena->parts);
        arena->parts = next;
    }
}

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void *arena_malloc(void *context, size_t size) {
    arena_t *arena = context;
    char *block;

    if (size > SIZE_MAX / 4) return NULL;
    size = aligned(size);
    if ((size_t)(arena->end - arena->at) < ALIGNMENT + size &&
        !arena_grow(arena, ALIGNMENT + size)) {
        return NULL;
    }
    block = arena->at + ALIGNMENT;
    memcpy(arena->at, &size, sizeof size);
    arena->at = block + size;
    arena->newest = block;
    return block;
}

static void *arena_realloc(void *context, void *block, size_t size) {
    arena_t *arena = context;
    size_t old_size;
    void *moved;

    if (block == NULL) return arena_malloc(context, size);
    memcpy(&old_size, (char *)block - ALIGNMENT, sizeof old_size);
    if (size <= old_size) return block;
    if (block == arena->newest && size <= (size_t)(arena->end - arena->newest)) {
        size = aligned(size);
        memcpy((char *)block - ALIGNMENT, &size, sizeof size);
        arena->at = arena->newest + size;
        return block;
    }
    moved = arena_malloc(context, size);
    if (moved != NULL) memcpy(moved, block, old_size);
    return moved;
}

static void arena_free(void *context, void *block) {}

/*
 * Sets aside what yajl can need for a text of [len] bytes. It decodes each escaped string in one
 * buffer, and copies a token that the end of the text cuts off into another; both double from
 * their first size until they are larger than what goes in, and the first may have to move once.
 */
static bool reserve_arena(arena_t *arena, size_t len) {
    size_t size = FIRST_TEXT_BYTES;

    if (len < FIRST_TEXT_BYTES) return true;
    while (size <= len) {
        if (size > SIZE_MAX / 8) return false;
        size *= 2;
    }
    return arena_grow(arena, FIXED_BYTES + 3 * size);
}

/* ---- what yajl reports ---- */

/* The number of the value that comes now: its key's, or that of the array it stands in. */
static uint8_t current_field(const walk_t *walk) {
    const frame_t *frame = &walk->frames[walk->depth - 1];

    return frame->is_object ? walk->key_field : frame->field;
}

static int report(walk_t *walk, uint8_t field, raaf_json_type_t type, const char *bytes,
                  size_t len) {
    const raaf_json_value_t value = {.type = type, .bytes = bytes, .len = len};

    walk->rc = walk->on_value(walk->context, field, &value);
    return walk->rc == RAAF_OK;
}

static int scalar(walk_t *walk, raaf_json_type_t type, const char *bytes, size_t len) {
    const uint8_t field = current_field(walk);

    return field == RAAF_JSON_SKIP ? 1 : report(walk, field, type, bytes, len);
}

static int on_null(void *context) {
    return scalar(context, RAAF_JSON_NULL, NULL, 0);
}

static int on_boolean(void *context, int is_true) {
    return scalar(context, is_true ? RAAF_JSON_TRUE : RAAF_JSON_FALSE, NULL, 0);
}

static int on_number(void *context, const char *digits, size_t len) {
    return scalar(context, RAAF_JSON_NUMBER, digits, len);
}

static int on_string(void *context, const unsigned char *bytes, size_t len) {
    return scalar(context, RAAF_JSON_STRING, (const char *)bytes, len);
}

static void find_rows(frame_t *frame, const raaf_json_reader_t *reader) {
    const raaf_json_field_t *rows = reader->table->rows;
    const bool is_parent = frame->field <= RAAF_JSON_MAX_PARENT;

    frame->rows = is_parent ? rows + reader->first_row[frame->field] : rows;
    frame->rows_end = is_parent ? rows + reader->first_row[frame->field + 1] : rows;
}

static int open_frame(walk_t *walk, bool is_object) {
    const uint8_t field = walk->depth > 0 ? current_field(walk) : RAAF_JSON_ROOT;
    frame_t *frame;

    if (walk->depth == RAAF_JSON_MAX_DEPTH) {
        walk->rc = RAAF_TOO_DEEP;
        return 0;
    }
    frame = &walk->frames[walk->depth++];
    frame->field = field;
    frame->is_object = is_object;
    if (field == RAAF_JSON_SKIP) return 1;

    frame->start = yajl_get_bytes_consumed(walk->yajl) - 1;
    if (is_object) find_rows(frame, walk->reader);
    return report(walk, field, is_object ? RAAF_JSON_OPEN_OBJECT : RAAF_JSON_OPEN_ARRAY, NULL, 0);
}

static int close_frame(walk_t *walk) {
    const frame_t *frame = &walk->frames[--walk->depth];
    size_t end;

    if (frame->field == RAAF_JSON_SKIP) return 1;

    end = yajl_get_bytes_consumed(walk->yajl);
    if (walk->depth == 0) {
        walk->closed = true;
        walk->end = end;
    }
    /* At the end of the top-level object yajl is stopped: what follows is looked at here. */
    return report(walk, frame->field,
                  frame->is_object ? RAAF_JSON_CLOSE_OBJECT : RAAF_JSON_CLOSE_ARRAY,
                  walk->text + frame->start, end - frame->start) &&
           !walk->closed;
}

static int on_open_object(void *context) {
    return open_frame(context, true);
}

static int on_open_array(void *context) {
    return open_frame(context, false);
}

static int on_close(void *context) {
    return close_frame(context);
}

static int on_key(void *context, const unsigned char *key, size_t len) {
    walk_t *walk = context;
    const frame_t *frame = &walk->frames[walk->depth - 1];

    walk->key_field = RAAF_JSON_SKIP;
    if (frame->field == RAAF_JSON_SKIP) return 1;

    for (const raaf_json_field_t *row = frame->rows; row < frame->rows_end; row++) {
        if (row->key_len == len && (unsigned char)row->key[0] == key[0] &&
            memcmp(row->key, key, len) == 0) {
            walk->key_field = row->field;
            return 1;
        }
    }
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number, /* given this, yajl leaves every number as it is written */
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

/* ---- surrogate escapes ---- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The surrogate that the escape at [at] stands for, or 0. */
static uint32_t surrogate_at(const char *at, const char *end) {
    uint32_t code = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u') return 0;
    for (int i = 2; i < 6; i++) {
        const int digit = hex_digit(at[i]);

        if (digit < 0) return 0;
        code = code << 4 | (uint32_t)digit;
    }
    return code >= 0xD800 && code <= 0xDFFF ? code : 0;
}

/*
 * The next surrogate escape at or behind [at], or NULL. Goes from escape to escape, so that the
 * second half of an escaped backslash is not taken for the beginning of one.
 */
static const char *find_surrogate(const char *at, const char *end) {
    while (at < end && (at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (surrogate_at(at, end) != 0) return at;
        if (end - at < 2) return NULL;
        at += 2;
    }
    return NULL;
}

static size_t write_code(char *out, uint32_t code) {
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/*
 * Copies the text with each pair of surrogate escapes as the character it means, and each lone one
 * in its three-byte form. The copy is never longer than the text. Backslashes outside of strings
 * do not matter: they are an error before and after.
 */
static int copy_rewritten(raaf_buffer_t *out, const char *bytes, size_t len, const char *found) {
    const char *end = bytes + len;
    const char *at = bytes;

    if (raaf_buffer_reserve(out, len) != RAAF_OK) return RAAF_NO_MEMORY;
    for (; found != NULL; found = find_surrogate(at, end)) {
        uint32_t code = surrogate_at(found, end);
        const uint32_t low = code < 0xDC00 ? surrogate_at(found + 6, end) : 0;

        memcpy(out->bytes + out->len, at, (size_t)(found - at));
        out->len += (size_t)(found - at);
        at = found + 6;
        if (low >= 0xDC00) {
            code = 0x10000 + ((code - 0xD800) << 10 | (low - 0xDC00));
            at += 6;
        }
        out->len += write_code(out->bytes + out->len, code);
    }
    memcpy(out->bytes + out->len, at, (size_t)(end - at));
    out->len += (size_t)(end - at);
    return RAAF_OK;
}

/* ---- reading ---- */

static const char *skip_space(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static int run_yajl(walk_t *walk, size_t len) {
    _Alignas(max_align_t) char stack[STACK_BYTES];
    arena_t arena = {.at = stack, .end = stack + sizeof stack};
    yajl_alloc_funcs functions = {arena_malloc, arena_realloc, arena_free, &arena};
    int rc = RAAF_NO_MEMORY;

    if (!reserve_arena(&arena, len)) goto done;
    walk->yajl = yajl_alloc(&callbacks, &functions, walk);
    if (walk->yajl == NULL) goto done;

    yajl_config(walk->yajl, yajl_dont_validate_strings, 1);
    yajl_parse(walk->yajl, (const unsigned char *)walk->text, len);
    yajl_free(walk->yajl);
    rc = walk->rc;
    if (rc == RAAF_OK && !walk->closed) rc = RAAF_INVALID_JSON;
done:
    arena_free_all(&arena);
    return rc;
}

static int read_object(const raaf_json_reader_t *reader, const char *bytes, size_t len,
                       raaf_json_value_fn on_value, void *context) {
    walk_t walk;
    int rc;

    walk.reader = reader;
    walk.on_value = on_value;
    walk.context = context;
    walk.text = bytes;
    walk.rc = RAAF_OK;
    walk.key_field = RAAF_JSON_SKIP;
    walk.closed = false;
    walk.end = 0;
    walk.depth = 0;

    /* Allowed nowhere in JSON, but yajl sees them inside of strings only. */
    if (memchr(bytes, '\v', len) != NULL || memchr(bytes, '\f', len) != NULL) {
        return RAAF_INVALID_JSON;
    }
    if ((rc = run_yajl(&walk, len)) != RAAF_OK) return rc;
    return skip_space(bytes + walk.end, bytes + len) == bytes + len ? RAAF_OK : RAAF_INVALID_JSON;
}

/* Counts the values of a wrapped text. */
typedef struct census {
    size_t depth;
    size_t values;
    size_t len; /* of the outermost array */
} census_t;

static int count_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    census_t *census = context;

    if (field == RAAF_JSON_ROOT) return RAAF_OK;
    if (value->type == RAAF_JSON_CLOSE_OBJECT || value->type == RAAF_JSON_CLOSE_ARRAY) {
        if (--census->depth == 0) census->len = value->len;
        return RAAF_OK;
    }
    if (census->depth == 1) census->values++;
    if (value->type == RAAF_JSON_OPEN_OBJECT || value->type == RAAF_JSON_OPEN_ARRAY) {
        census->depth++;
    }
    return RAAF_OK;
}

/* Why a text that does not begin with a brace is refused: read as the one element of an array. */
static int refuse(const char *bytes, size_t len) {
    static const raaf_json_field_t rows[] = {RAAF_JSON_FIELD(RAAF_JSON_ROOT, 2, "v")};
    static const raaf_json_table_t table = {.rows = rows, .count = 1};
    raaf_json_reader_t reader;
    raaf_buffer_t wrapped;
    census_t census = {0};
    int rc;

    raaf_json_reader_init(&reader, &table);
    raaf_buffer_init(&wrapped, SIZE_MAX);
    if ((rc = raaf_buffer_append(&wrapped, "{\"v\":[", 6)) != RAAF_OK) goto done;
    if ((rc = raaf_buffer_append(&wrapped, bytes, len)) != RAAF_OK) goto done;
    if ((rc = raaf_buffer_append(&wrapped, "]}", 2)) != RAAF_OK) goto done;

    rc = read_object(&reader, wrapped.bytes, wrapped.len, count_value, &census);
    if (rc == RAAF_OK) {
        rc = census.values == 1 && census.len == len + 2 ? RAAF_INVALID_EVENT : RAAF_INVALID_JSON;
    }
done:
    raaf_buffer_free(&wrapped);
    return rc;
}

/* Where the rows of each parent begin. Returns false if the table is not as it must be. */
static bool index_rows(raaf_json_reader_t *reader, const raaf_json_table_t *table) {
    size_t row = 0;

    if (table->count > UINT8_MAX) return false;
    for (unsigned parent = 0; parent < sizeof reader->first_row; parent++) {
        reader->first_row[parent] = (uint8_t)row;
        while (row < table->count && table->rows[row].parent == parent)
            row++;
    }
    return row == table->count && reader->first_row[RAAF_JSON_MAX_PARENT + 1] == row;
}

void raaf_json_reader_init(raaf_json_reader_t *reader, const raaf_json_table_t *table) {
    reader->table = index_rows(reader, table) ? table : NULL;
    raaf_buffer_init(&reader->scratch, SIZE_MAX);
}

int raaf_json_read(raaf_json_reader_t *reader, const char *bytes, size_t len,
                   raaf_json_value_fn on_value, void *context) {
    const char *end = bytes + len;
    const char *surrogate;
    int rc;

    if (reader->table == NULL) return RAAF_INVALID_REQUEST;
    bytes = skip_space(bytes, end);
    len = (size_t)(end - bytes);
    if (len == 0) return RAAF_INVALID_JSON;
    if (*bytes != '{') return refuse(bytes, len);

    surrogate = find_surrogate(bytes, end);
    if (surrogate == NULL) return read_object(reader, bytes, len, on_value, context);

    rc = copy_rewritten(&reader->scratch, bytes, len, surrogate);
    if (rc == RAAF_OK) {
        rc = read_object(reader, reader->scratch.bytes, reader->scratch.len, on_value, context);
    }
    raaf_buffer_clear(&reader->scratch, KEEP_BYTES);
    return rc;
}

static int ignore_value(void *context, uint8_t field, const raaf_json_value_t *value) {
    return RAAF_OK;
}

int raaf_json_check(const char *bytes, size_t len) {
    /* No row is read, but one is pointed to: adding to a null pointer is undefined, even nothing. */
    static const raaf_json_field_t none[1];
    static const raaf_json_table_t nothing = {.rows = none, .count = 0};
    raaf_json_reader_t reader;
    int rc;

    raaf_json_reader_init(&reader, &nothing);
    rc = raaf_json_read(&reader, bytes, len, ignore_value, NULL);
    raaf_json_reader_free(&reader);
    return rc;
}

void raaf_json_reader_free(raaf_json_reader_t *reader) {
    raaf_buffer_free(&reader->scratch);
}

/* ---- numbers ---- */

#define MAX_EXPONENT ((int64_t)1 << 40)

/* number * 10^zeros * 10 + digit, or false where that does not fit. */
static bool push_digit(uint64_t *number, int64_t zeros, unsigned digit) {
    if (*number == 0) zeros = 0;
    for (; zeros > 0; zeros--) {
        if (*number > UINT64_MAX / 10) return false;
        *number *= 10;
    }
    if (*number > (UINT64_MAX - digit) / 10) return false;
    *number = *number * 10 + digit;
    return true;
}

/* What stands behind the "e", up to a bound that no text reaches. */
static int64_t read_exponent(const char *at, const char *end) {
    const bool negative = at < end && *at == '-';
    int64_t exponent = 0;

    if (at < end && (*at == '-' || *at == '+')) at++;
    for (; at < end; at++) {
        if (exponent < MAX_EXPONENT) exponent = exponent * 10 + (*at - '0');
    }
    return negative ? -exponent : exponent;
}

/*
 * The digits without sign and without trailing zeros; [exponent] tells by which power of ten they
 * are to be multiplied. Returns false where they do not fit.
 */
static bool read_decimal(const char *at, const char *end, uint64_t *number, int64_t *exponent) {
    int64_t zeros = 0;
    int64_t behind_point = 0;
    bool point = false;

    *number = 0;
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        behind_point += point;
        if (*at == '0') {
            zeros++;
        } else {
            if (!push_digit(number, zeros, (unsigned)(*at - '0'))) return false;
            zeros = 0;
        }
    }
    *exponent = zeros - behind_point + (at < end ? read_exponent(at + 1, end) : 0);
    return true;
}

int64_t raaf_json_integer(const raaf_json_value_t *value, int64_t otherwise) {
    const bool negative = value->len > 0 && value->bytes[0] == '-';
    const uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t number;
    int64_t exponent;

    if (value->type != RAAF_JSON_NUMBER) return otherwise;
    if (!read_decimal(value->bytes + negative, value->bytes + value->len, &number, &exponent)) {
        return otherwise;
    }
    if (number == 0) return 0;
    if (exponent < 0 || exponent > 18) return otherwise;
    for (; exponent > 0; exponent--) {
        if (number > UINT64_MAX / 10) return otherwise;
        number *= 10;
    }
    if (number > most) return otherwise;
    /* In two steps, because the smallest integer has no positive counterpart. */
    return negative ? -(int64_t)(number - 1) - 1 : (int64_t)number;
}
