#include "grapheme.h"

#include "grapheme_table.h"

#include <stddef.h>

#define FIRST_SYLLABLE 0xAC00
#define LAST_SYLLABLE 0xD7A3
#define TRAILING_JAMO 28 /* with none among them: every 28th syllable has no trailing one */

/* raaf_grapheme_t.emoji and .conjunct */
enum { NONE, BASE, JOINED };

static grapheme_class_t ascii_class(uint32_t c) {
    if (c >= 0x20 && c < 0x7F) return OTHER;
    if (c == '\r') return CR;
    return c == '\n' ? LF : CONTROL;
}

static grapheme_class_t listed_class(uint32_t c) {
    size_t low = 0, high = sizeof grapheme_ranges / sizeof *grapheme_ranges;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        const struct grapheme_range *range = &grapheme_ranges[middle];
        if (c < range->first)
            high = middle;
        else if (c > range->last)
            low = middle + 1;
        else
            return (grapheme_class_t)range->class;
    }
    return OTHER;
}

static grapheme_class_t class_of(uint32_t c) {
    if (c < 0x80) return ascii_class(c);
    if (c >= FIRST_SYLLABLE && c <= LAST_SYLLABLE)
        return (c - FIRST_SYLLABLE) % TRAILING_JAMO == 0 ? LV : LVT;
    return listed_class(c);
}

static bool extends(grapheme_class_t class) {
    return class == EXTEND || class == LINKER || class == ZWNJ || class == ZWJ;
}

static bool control(grapheme_class_t class) {
    return class == CR || class == LF || class == CONTROL;
}

static bool same_syllable(grapheme_class_t last, grapheme_class_t next) {
    switch (last) {
    case L:
        return next == L || next == V || next == LV || next == LVT; /* GB6 */
    case LV:
    case V:
        return next == V || next == T; /* GB7 */
    case LVT:
    case T:
        return next == T; /* GB8 */
    default:
        return false;
    }
}

/* Whether [next] belongs to the cluster that stands there; the numbers are those of UAX #29. */
static bool joins(const raaf_grapheme_t *grapheme, grapheme_class_t next) {
    const grapheme_class_t last = (grapheme_class_t)grapheme->last;

    if (last == CR && next == LF) return true;                            /* GB3 */
    if (control(last) || control(next)) return false;                     /* GB4, GB5 */
    if (same_syllable(last, next)) return true;                           /* GB6 to GB8 */
    if (extends(next) || next == SPACING || last == PREPEND) return true; /* GB9, GB9a, GB9b */
    if (next == CONSONANT && grapheme->conjunct == JOINED) return true;   /* GB9c */
    if (next == EMOJI && grapheme->emoji == JOINED && last == ZWJ) return true; /* GB11 */
    return next == REGIONAL && last == REGIONAL && grapheme->odd;               /* GB12, GB13 */
}

static uint8_t next_emoji(uint8_t before, grapheme_class_t next) {
    if (next == EMOJI) return BASE;
    if (before != BASE || !extends(next)) return NONE;
    return next == ZWJ ? JOINED : BASE;
}

/* A joiner does not part what a virama joins; a non-joiner does. */
static uint8_t next_conjunct(uint8_t before, grapheme_class_t next) {
    if (next == CONSONANT) return BASE;
    if (before == NONE || !extends(next) || next == ZWNJ) return NONE;
    return next == LINKER ? JOINED : before;
}

bool raaf_grapheme_next(raaf_grapheme_t *grapheme, uint32_t c) {
    const grapheme_class_t next = class_of(c);
    const bool ends = grapheme->begun && !joins(grapheme, next);

    grapheme->emoji = next_emoji(grapheme->emoji, next);
    grapheme->conjunct = next_conjunct(grapheme->conjunct, next);
    grapheme->odd = next == REGIONAL && (grapheme->last != REGIONAL || !grapheme->odd);
    grapheme->tagged = c >= 0xE0020 && c <= 0xE007E;
    grapheme->last = (uint8_t)next;
    grapheme->begun = true;
    return ends;
}

bool raaf_grapheme_unfinished(const raaf_grapheme_t *grapheme) {
    switch ((grapheme_class_t)grapheme->last) {
    case CR:
    case ZWJ:
    case PREPEND:
    case L:
        return true;
    case REGIONAL:
        return grapheme->odd;
    case LINKER:
        return grapheme->conjunct == JOINED;
    default:
        return grapheme->tagged;
    }
}
