#include "cutter.h"

#include "utf8.h"

/* What a character is for words; of a cluster, the first one. */
enum { LETTER, SPACE, IDEOGRAPH, IDEOGRAPHIC_MARK };

/* raaf_cutter_t.sentence: what stands last. */
enum {
    WITHIN,
    DIGIT, /* a full stop behind it is that of a list's number, or of a date */
    STOP,
    MARK,       /* a mark that cannot be anything else, such as "!" */
    WIDE_MARK,  /* one that wants no white space behind it */
    STOP_SPACE, /* white space behind one of them */
    MARK_SPACE
};

const char *raaf_cut_name(raaf_cut_t cut) {
    static const char *const names[] = {"grapheme", "word", "sentence"};
    return names[cut];
}

void raaf_cutter_init(raaf_cutter_t *cutter, raaf_cut_t cut) {
    *cutter = (raaf_cutter_t){.cut = cut};
}

static bool white_space(uint32_t c) {
    if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D);
    if (c < 0x1680) return c == 0x85;
    return c == 0x1680 || (c >= 0x2000 && c <= 0x200A && c != 0x2007) || c == 0x2028 ||
           c == 0x2029 || c == 0x205F || c == 0x3000;
}

static bool line_end(uint32_t c) {
    return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/* Punctuation that no line begins with, among it. */
static bool ideographic_mark(uint32_t c) {
    return (c >= 0x3001 && c <= 0x301F) || (c >= 0xFF01 && c <= 0xFF0F) ||
           (c >= 0xFF1A && c <= 0xFF20) || (c >= 0xFF3B && c <= 0xFF40) ||
           (c >= 0xFF5B && c <= 0xFF65);
}

static bool ideograph(uint32_t c) {
    return (c >= 0x2E80 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
           (c >= 0xFF66 && c <= 0xFF9F) || (c >= 0x20000 && c <= 0x3FFFF);
}

static uint8_t kind_of(uint32_t c) {
    if (white_space(c)) return SPACE;
    if (c < 0x2E80) return LETTER;
    if (ideographic_mark(c)) return IDEOGRAPHIC_MARK;
    return ideograph(c) ? IDEOGRAPH : LETTER;
}

/* Whether a word ends between two characters. */
static bool word_ends(uint8_t last, uint8_t next) {
    if (next == SPACE || next == IDEOGRAPHIC_MARK) return false;
    return last != LETTER || next == IDEOGRAPH;
}

static bool full_stop(uint32_t c) {
    return c == '.' || c == 0x2024 || c == 0x2026 || c == 0xFF0E;
}

static bool sentence_mark(uint32_t c) {
    switch (c) {
    case '!':
    case '?':
    case 0x0589: /* Armenian */
    case 0x061F: /* Arabic */
    case 0x06D4:
    case 0x0964: /* Indic */
    case 0x0965:
    case 0x1362: /* Ethiopic */
    case 0x1367:
    case 0x17D4: /* Khmer */
    case 0x203C:
    case 0x203D:
    case 0x2047:
    case 0x2048:
    case 0x2049:
        return true;
    default:
        return false;
    }
}

static bool wide_mark(uint32_t c) {
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF61;
}

/* Closing quotes and brackets; what Markdown puts behind emphasis is like one. */
static bool closing(uint32_t c) {
    switch (c) {
    case '"':
    case '\'':
    case ')':
    case ']':
    case '}':
    case '*':
    case '_':
    case '`':
    case 0x00BB:
    case 0x2019:
    case 0x201D:
    case 0x203A:
    case 0x300B:
    case 0x300D:
    case 0x300F:
    case 0x3011:
    case 0xFF09:
        return true;
    default:
        return false;
    }
}

/* Of the alphabets that have capitals and are in wide use. */
static bool small_letter(uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF && c != 0xF7) ||
           (c >= 0x3AC && c <= 0x3CE) || (c >= 0x430 && c <= 0x45F) || (c >= 0x561 && c <= 0x587);
}

static uint8_t sign_of(uint32_t c) {
    if (c >= '0' && c <= '9') return DIGIT;
    if (full_stop(c)) return STOP;
    if (sentence_mark(c)) return MARK;
    return wide_mark(c) ? WIDE_MARK : WITHIN;
}

/* Whether a sentence ends before [c], if [last] stands there. */
static bool sentence_ends(uint8_t last, uint32_t c) {
    if (last == STOP_SPACE) return !white_space(c) && !small_letter(c);
    if (last == MARK_SPACE) return !white_space(c);
    return last == WIDE_MARK && !white_space(c) && !closing(c) && sign_of(c) < STOP;
}

static uint8_t next_in_sentence(uint8_t last, uint32_t c) {
    const uint8_t sign = sign_of(c);

    if (last == DIGIT && sign == STOP) return WITHIN;
    if (last < STOP) return sign;
    if (white_space(c)) return last == STOP || last == STOP_SPACE ? STOP_SPACE : MARK_SPACE;
    if (last >= STOP_SPACE) return sign;
    if (sign >= STOP) return sign > last ? sign : last; /* "?!", "..." */
    return closing(c) ? last : sign;
}

/* Notes that clusters, words and sentences, up to [cut], end at [at]. */
static void note_ends(raaf_cutter_t *cutter, raaf_cut_t cut, size_t at) {
    for (int i = 0; i <= (int)cut; i++)
        cutter->ends[i] = at;
}

/*
 * White space, and the punctuation that ends things. An accent may stand behind it, but makes no
 * character that anybody writes.
 */
static bool takes_nothing(uint32_t c) {
    switch (c) {
    case ' ':
    case '.':
    case ',':
    case ';':
    case ':':
    case '!':
    case '?':
    case ')':
    case ']':
    case '}':
    case '"':
    case '\'':
        return true;
    default:
        return ideographic_mark(c);
    }
}

/* Only the first character of a cluster counts: a space with an accent is a space. */
static void read_char(raaf_cutter_t *cutter, uint32_t c, size_t at) {
    const bool first = !cutter->grapheme.begun;

    cutter->settled = false;
    if (!raaf_grapheme_next(&cutter->grapheme, c) && !first) return;
    const uint8_t kind = kind_of(c);
    if (sentence_ends(cutter->sentence, c))
        note_ends(cutter, RAAF_CUT_SENTENCE, at);
    else
        note_ends(cutter, word_ends(cutter->last, kind) ? RAAF_CUT_WORD : RAAF_CUT_GRAPHEME, at);
    cutter->sentence = next_in_sentence(cutter->sentence, c);
    cutter->last = kind;
    cutter->settled = takes_nothing(c);
}

/* The end of a line is that of everything. */
static void read_line_end(raaf_cutter_t *cutter, uint32_t c, size_t end) {
    if (!line_end(c)) return;
    cutter->sentence = WITHIN;
    note_ends(cutter, RAAF_CUT_SENTENCE, end);
}

static bool plain(const char *bytes, size_t len) {
    bool other = false;

    for (size_t i = 0; i < len; i++)
        other |= (uint8_t)(bytes[i] - 0x20) >= 0x7F - 0x20;
    return !other;
}

/* Printable ASCII: a cluster ends before each character but perhaps the first. */
static void read_plain(raaf_cutter_t *cutter, const char *bytes, size_t len) {
    const bool begins = raaf_grapheme_next_plain(&cutter->grapheme);

    if (begins) cutter->ends[RAAF_CUT_GRAPHEME] = cutter->len;
    if (len > 1) {
        raaf_grapheme_next_plain(&cutter->grapheme);
        cutter->ends[RAAF_CUT_GRAPHEME] = cutter->len + len - 1;
    }
    cutter->len += len;
    cutter->settled = takes_nothing((uint8_t)bytes[len - 1]);
}

static size_t read_any(raaf_cutter_t *cutter, const char *bytes, size_t len) {
    size_t chars = 0;

    for (size_t at = 0; at < len; chars++) {
        const size_t start = at;
        const uint32_t c = raaf_utf8_next(bytes, &at);
        read_char(cutter, c, cutter->len + start);
        read_line_end(cutter, c, cutter->len + at);
    }
    cutter->len += len;
    return chars;
}

size_t raaf_cutter_read(raaf_cutter_t *cutter, const char *bytes, size_t len) {
    size_t chars = len;

    if (len == 0) return 0;
    if (cutter->cut == RAAF_CUT_GRAPHEME && plain(bytes, len))
        read_plain(cutter, bytes, len);
    else
        chars = read_any(cutter, bytes, len);
    if (chars >= RAAF_CUTTER_LARGE && (uint8_t)bytes[len - 1] < 0x80) cutter->settled = true;
    return chars;
}

size_t raaf_cutter_end(const raaf_cutter_t *cutter, raaf_cut_t cut) {
    return cut == RAAF_CUT_GRAPHEME && cutter->settled ? cutter->len : cutter->ends[cut];
}

void raaf_cutter_shift(raaf_cutter_t *cutter, size_t len) {
    cutter->len -= len;
    for (int i = 0; i < RAAF_CUT_COUNT; i++)
        cutter->ends[i] = cutter->ends[i] > len ? cutter->ends[i] - len : 0;
}
