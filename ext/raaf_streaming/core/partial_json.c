#include "partial_json.h"

#include "result_code.h"

#include <string.h>

/* A string is reported in pieces of about this size, which bounds the memory for one. */
#define PIECE_BYTES 4096

/* Memory that a silent stream may hold on to. */
#define KEEP_BYTES 2048

#define BOM_LEN 3

static const char BOM[BOM_LEN] = {'\xEF', '\xBB', '\xBF'};

/* What comes next, in words for a message. White space may come before any of the first group. */
#define STATES(X)                                                                                  \
    X(BEFORE_ROOT, "a value")                                                                      \
    X(BEFORE_VALUE, "a value")                                                                     \
    X(BEFORE_FIRST_VALUE, "a value or ]")                                                          \
    X(BEFORE_KEY, "a key")                                                                         \
    X(BEFORE_FIRST_KEY, "a key or }")                                                              \
    X(BEFORE_COLON, "a colon")                                                                     \
    X(AFTER_VALUE, "a comma or ]") /* } in an object: see raaf_partial_json_expected */            \
    X(AFTER_ROOT, "nothing more")                                                                  \
    X(IN_BOM, "the rest of a byte order mark")                                                     \
    X(IN_QUOTES, "a quotation mark, or characters that stand for themselves")                      \
    X(IN_ESCAPE, "an escape that JSON has")                                                        \
    X(IN_CODE, "a hexadecimal digit")                                                              \
    X(IN_LITERAL, "true, false or null")                                                           \
    X(AFTER_MINUS, "a digit")                                                                      \
    X(AFTER_ZERO, "a point or the number's end")                                                   \
    X(IN_INTEGER, "a digit, a point or the number's end")                                          \
    X(AFTER_POINT, "a digit")                                                                      \
    X(IN_FRACTION, "a digit or the number's end")                                                  \
    X(AFTER_E, "a digit or a sign")                                                                \
    X(AFTER_SIGN, "a digit")                                                                       \
    X(IN_EXPONENT, "a digit or the number's end")

typedef enum state {
#define STATE_ENUM(name, text) name,
    STATES(STATE_ENUM)
#undef STATE_ENUM
        NO_STATE
} state_t;

void raaf_partial_json_init(raaf_partial_json_t *json, raaf_partial_json_fn on_token, void *context,
                            size_t max_depth, size_t max_token) {
    memset(json, 0, sizeof *json);
    json->on_token = on_token;
    json->context = context;
    json->max_depth = max_depth > 0 ? max_depth : RAAF_PARTIAL_JSON_DEPTH;
    if (json->max_depth > RAAF_PARTIAL_JSON_MOST_DEPTH) {
        json->max_depth = RAAF_PARTIAL_JSON_MOST_DEPTH;
    }
    json->max_token = max_token > 0 ? max_token : RAAF_PARTIAL_JSON_MAX_TOKEN;
    json->state = BEFORE_ROOT;
    raaf_buffer_init(&json->text, SIZE_MAX);
}

void raaf_partial_json_free(raaf_partial_json_t *json) {
    raaf_buffer_free(&json->text);
}

/* ---- reporting ---- */

static int report(raaf_partial_json_t *json, raaf_partial_json_type_t type) {
    const raaf_partial_json_token_t token = {.type = type};

    return json->on_token(json->context, &token);
}

/* What the text holds; it is empty afterwards. */
static int report_text(raaf_partial_json_t *json, raaf_partial_json_type_t type) {
    const raaf_partial_json_token_t token = {
        .type = type,
        .bytes = json->text.bytes != NULL ? json->text.bytes : "",
        .len = json->text.len,
    };
    const int rc = json->on_token(json->context, &token);

    json->text.len = 0;
    return rc;
}

/* The piece of the open string that has come since the last one. */
static int report_piece(raaf_partial_json_t *json) {
    return json->text.len > 0 ? report_text(json, RAAF_PARTIAL_JSON_STRING) : RAAF_OK;
}

static void value_ended(raaf_partial_json_t *json) {
    json->state = json->depth > 0 ? AFTER_VALUE : AFTER_ROOT;
}

static int report_value(raaf_partial_json_t *json, raaf_partial_json_type_t type) {
    value_ended(json);
    return report(json, type);
}

/* ---- objects and arrays ---- */

static bool in_object(const raaf_partial_json_t *json) {
    const size_t at = json->depth - 1;

    return json->depth > 0 && (json->objects[at / 8] >> at % 8 & 1) != 0;
}

static int open_container(raaf_partial_json_t *json, bool is_object) {
    const size_t at = json->depth;
    const uint8_t bit = (uint8_t)(1u << at % 8);

    if (at == json->max_depth) return RAAF_TOO_DEEP;
    json->depth++;
    json->objects[at / 8] =
        (uint8_t)(is_object ? json->objects[at / 8] | bit : json->objects[at / 8] & ~bit);
    json->state = is_object ? BEFORE_FIRST_KEY : BEFORE_FIRST_VALUE;
    return report(json, is_object ? RAAF_PARTIAL_JSON_OPEN_OBJECT : RAAF_PARTIAL_JSON_OPEN_ARRAY);
}

static int close_container(raaf_partial_json_t *json) {
    const bool is_object = in_object(json);

    json->depth--;
    return report_value(json,
                        is_object ? RAAF_PARTIAL_JSON_CLOSE_OBJECT : RAAF_PARTIAL_JSON_CLOSE_ARRAY);
}

/* ---- keys and strings ---- */

static int open_quotes(raaf_partial_json_t *json, bool is_key) {
    json->state = IN_QUOTES;
    json->is_key = is_key;
    json->token_start = json->offset;
    return is_key ? RAAF_OK : report(json, RAAF_PARTIAL_JSON_OPEN_STRING);
}

static int token_too_long(raaf_partial_json_t *json) {
    json->offset = json->token_start;
    return RAAF_EVENT_TOO_LARGE;
}

/* Decoded characters of a key or string; may end within one. */
static int add_characters(raaf_partial_json_t *json, const char *bytes, size_t len) {
    int rc = RAAF_OK;

    while (len > 0 && rc == RAAF_OK) {
        const size_t part = len < PIECE_BYTES ? len : PIECE_BYTES;

        rc = raaf_utf8_repair(&json->carry, bytes, part, &json->text);
        if (rc != RAAF_OK) return rc;
        if (json->is_key) {
            if (json->text.len > json->max_token) return token_too_long(json);
        } else if (json->text.len >= PIECE_BYTES) {
            rc = report_piece(json);
        }
        bytes += part;
        len -= part;
    }
    return rc;
}

static int close_quotes(raaf_partial_json_t *json) {
    int rc = raaf_utf8_finish(&json->carry, &json->text);

    if (rc != RAAF_OK) return rc;
    if (json->is_key) {
        if (json->text.len > json->max_token) return token_too_long(json);
        json->state = BEFORE_COLON;
        return report_text(json, RAAF_PARTIAL_JSON_KEY);
    }
    if ((rc = report_piece(json)) != RAAF_OK) return rc;
    return report_value(json, RAAF_PARTIAL_JSON_CLOSE_STRING);
}

static int in_quotes(raaf_partial_json_t *json, char byte) {
    if (byte == '"') return close_quotes(json);
    if (byte != '\\') return RAAF_INVALID_JSON; /* a control character: others go the short way */
    json->state = IN_ESCAPE;
    return RAAF_OK;
}

/* Bytes that stand for themselves between quotes. */
static size_t plain_run(const char *bytes, size_t len) {
    size_t n = 0;

    while (n < len && (uint8_t)bytes[n] >= 0x20 && bytes[n] != '"' && bytes[n] != '\\')
        n++;
    return n;
}

static int in_escape(raaf_partial_json_t *json, char byte) {
    static const char escapes[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (byte == 'u') {
        json->state = IN_CODE;
        json->code = 0;
        json->digits = 0;
        return RAAF_OK;
    }
    found = byte != '\0' ? strchr(escapes, byte) : NULL;
    if (found == NULL) return RAAF_INVALID_JSON;
    json->state = IN_QUOTES;
    return add_characters(json, &meanings[found - escapes], 1);
}

/* A surrogate in its three-byte form: the carry joins it with its other half. */
static int add_code(raaf_partial_json_t *json, uint32_t code) {
    const char bytes[3] = {(char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)),
                           (char)(0x80 | (code & 0x3F))};
    const char two[2] = {(char)(0xC0 | code >> 6), bytes[2]};
    const char one = (char)code;

    if (code < 0x80) return add_characters(json, &one, 1);
    if (code < 0x800) return add_characters(json, two, 2);
    return add_characters(json, bytes, 3);
}

static int in_code(raaf_partial_json_t *json, char byte) {
    const char letter = (char)(byte | 0x20);
    uint32_t digit;

    if (byte >= '0' && byte <= '9')
        digit = (uint32_t)(byte - '0');
    else if (letter >= 'a' && letter <= 'f')
        digit = (uint32_t)(letter - 'a' + 10);
    else
        return RAAF_INVALID_JSON;

    json->code = json->code << 4 | digit;
    if (++json->digits < 4) return RAAF_OK;
    json->state = IN_QUOTES;
    return add_code(json, json->code);
}

/* ---- numbers ---- */

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

static state_t after_integer(char byte) {
    if (byte == '.') return AFTER_POINT;
    return byte == 'e' || byte == 'E' ? AFTER_E : NO_STATE;
}

/* Where a number goes with [byte]; NO_STATE: the byte is none of its own. */
static state_t number_goes_on(state_t state, char byte) {
    switch (state) {
    case AFTER_MINUS:
        if (byte == '0') return AFTER_ZERO;
        return is_digit(byte) ? IN_INTEGER : NO_STATE;
    case AFTER_ZERO:
        return after_integer(byte);
    case IN_INTEGER:
        return is_digit(byte) ? IN_INTEGER : after_integer(byte);
    case AFTER_POINT:
        return is_digit(byte) ? IN_FRACTION : NO_STATE;
    case IN_FRACTION:
        if (byte == 'e' || byte == 'E') return AFTER_E;
        return is_digit(byte) ? IN_FRACTION : NO_STATE;
    case AFTER_E:
        if (byte == '+' || byte == '-') return AFTER_SIGN;
        return is_digit(byte) ? IN_EXPONENT : NO_STATE;
    default:
        return is_digit(byte) ? IN_EXPONENT : NO_STATE;
    }
}

static bool number_may_end(state_t state) {
    return state == AFTER_ZERO || state == IN_INTEGER || state == IN_FRACTION ||
           state == IN_EXPONENT;
}

static int add_to_number(raaf_partial_json_t *json, state_t next, char byte) {
    json->state = (uint8_t)next;
    if (json->text.len == json->max_token) return token_too_long(json);
    return raaf_buffer_append(&json->text, &byte, 1);
}

static int begin_number(raaf_partial_json_t *json, char byte) {
    const state_t state = byte == '-' ? AFTER_MINUS : number_goes_on(AFTER_MINUS, byte);

    if (state == NO_STATE) return RAAF_INVALID_JSON;
    json->token_start = json->offset;
    return add_to_number(json, state, byte);
}

static int end_number(raaf_partial_json_t *json) {
    value_ended(json);
    return report_text(json, RAAF_PARTIAL_JSON_NUMBER);
}

/* ---- true, false, null ---- */

static int begin_literal(raaf_partial_json_t *json, raaf_partial_json_type_t type,
                         const char *rest) {
    json->state = IN_LITERAL;
    json->literal = rest;
    json->literal_type = (uint8_t)type;
    return RAAF_OK;
}

static int in_literal(raaf_partial_json_t *json, char byte) {
    if (byte != *json->literal) return RAAF_INVALID_JSON;
    if (*++json->literal != '\0') return RAAF_OK;
    return report_value(json, (raaf_partial_json_type_t)json->literal_type);
}

/* ---- between values ---- */

static int begin_value(raaf_partial_json_t *json, char byte) {
    switch (byte) {
    case '{':
        return open_container(json, true);
    case '[':
        return open_container(json, false);
    case '"':
        return open_quotes(json, false);
    case 't':
        return begin_literal(json, RAAF_PARTIAL_JSON_TRUE, "rue");
    case 'f':
        return begin_literal(json, RAAF_PARTIAL_JSON_FALSE, "alse");
    case 'n':
        return begin_literal(json, RAAF_PARTIAL_JSON_NULL, "ull");
    default:
        return begin_number(json, byte);
    }
}

static int after_value(raaf_partial_json_t *json, char byte) {
    const bool object = in_object(json);

    if (byte == (object ? '}' : ']')) return close_container(json);
    if (byte != ',') return RAAF_INVALID_JSON;
    json->state = object ? BEFORE_KEY : BEFORE_VALUE;
    return RAAF_OK;
}

/* A byte order mark may stand at the very start. */
static int in_bom(raaf_partial_json_t *json, char byte) {
    if (byte != BOM[json->bom]) return RAAF_INVALID_JSON;
    json->bom++;
    json->state = json->bom < BOM_LEN ? IN_BOM : BEFORE_ROOT;
    return RAAF_OK;
}

static bool is_space(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* One byte outside of numbers. */
static int take_byte(raaf_partial_json_t *json, char byte) {
    if (json->state <= AFTER_ROOT && is_space(byte)) return RAAF_OK;

    switch (json->state) {
    case BEFORE_ROOT:
        return json->offset == 0 && byte == BOM[0] ? in_bom(json, byte) : begin_value(json, byte);
    case BEFORE_VALUE:
        return begin_value(json, byte);
    case BEFORE_FIRST_VALUE:
        return byte == ']' ? close_container(json) : begin_value(json, byte);
    case BEFORE_KEY:
        return byte == '"' ? open_quotes(json, true) : RAAF_INVALID_JSON;
    case BEFORE_FIRST_KEY:
        if (byte == '}') return close_container(json);
        return byte == '"' ? open_quotes(json, true) : RAAF_INVALID_JSON;
    case BEFORE_COLON:
        if (byte != ':') return RAAF_INVALID_JSON;
        json->state = BEFORE_VALUE;
        return RAAF_OK;
    case AFTER_VALUE:
        return after_value(json, byte);
    case IN_BOM:
        return in_bom(json, byte);
    case IN_QUOTES:
        return in_quotes(json, byte);
    case IN_ESCAPE:
        return in_escape(json, byte);
    case IN_CODE:
        return in_code(json, byte);
    case IN_LITERAL:
        return in_literal(json, byte);
    default:
        return RAAF_INVALID_JSON;
    }
}

/* What is not the number's own ends it, and means something itself. */
static int in_number(raaf_partial_json_t *json, char byte) {
    const state_t next = number_goes_on((state_t)json->state, byte);
    int rc;

    if (next != NO_STATE) return add_to_number(json, next, byte);
    if (!number_may_end((state_t)json->state)) return RAAF_INVALID_JSON;
    if ((rc = end_number(json)) != RAAF_OK) return rc;
    return take_byte(json, byte);
}

/* ---- feeding ---- */

static int take_all(raaf_partial_json_t *json, const char *bytes, size_t len) {
    int rc = RAAF_OK;

    for (size_t at = 0; at < len;) {
        size_t step = json->state == IN_QUOTES ? plain_run(bytes + at, len - at) : 0;

        if (step > 0) {
            rc = add_characters(json, bytes + at, step);
        } else {
            rc = json->state >= AFTER_MINUS ? in_number(json, bytes[at])
                                            : take_byte(json, bytes[at]);
            step = 1;
        }
        if (rc != RAAF_OK) return rc;
        json->offset += step;
        at += step;
    }
    return RAAF_OK;
}

/* Whether the text belongs to a string, which is reported in pieces. */
static bool string_open(const raaf_partial_json_t *json) {
    return json->state >= IN_QUOTES && json->state <= IN_CODE && !json->is_key;
}

int raaf_partial_json_feed(raaf_partial_json_t *json, const char *bytes, size_t len) {
    if (json->result != RAAF_OK) return RAAF_STOP;

    json->result = take_all(json, bytes, len);
    if (string_open(json)) {
        const int rc = report_piece(json); /* after an error too: up to there it is right */

        if (json->result == RAAF_OK) json->result = rc;
    }
    if (json->text.len == 0) raaf_buffer_clear(&json->text, KEEP_BYTES);
    return json->result;
}

int raaf_partial_json_finish(raaf_partial_json_t *json) {
    if (json->result != RAAF_OK) return RAAF_STOP;

    if (json->depth == 0 && number_may_end((state_t)json->state)) json->result = end_number(json);
    if (json->result == RAAF_OK && json->state != AFTER_ROOT) json->result = RAAF_TRUNCATED;
    return json->result;
}

bool raaf_partial_json_complete(const raaf_partial_json_t *json) {
    return json->state == AFTER_ROOT && json->result == RAAF_OK;
}

const char *raaf_partial_json_expected(const raaf_partial_json_t *json) {
    static const char *const texts[] = {
#define STATE_TEXT(name, text) text,
        STATES(STATE_TEXT)
#undef STATE_TEXT
    };

    return json->state == AFTER_VALUE && in_object(json) ? "a comma or }" : texts[json->state];
}
