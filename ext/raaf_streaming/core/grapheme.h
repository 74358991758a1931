/*
 * Grapheme clusters: what a reader takes for one character, however many code points it has (an
 * emoji with its skin tone, a flag, a letter with its accents, a Hangul syllable, CR LF).
 *
 * The extended grapheme clusters of UAX #29, rule GB9c (Indic conjuncts) of Unicode 15.1 included,
 * as a state that takes one code point after another. All zero at the start of a text.
 */
#ifndef RAAF_GRAPHEME_H
#define RAAF_GRAPHEME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct raaf_grapheme {
    uint8_t last;  /* class of the last code point; 0: that of most letters */
    uint8_t emoji; /* how far the last cluster has come as an emoji that another may be joined to */
    uint8_t conjunct; /* the same for consonants */
    bool begun;       /* there was a code point */
    bool odd;         /* the last cluster is one half of a flag */
    bool tagged;      /* the last code point is a tag, and not the one that ends them */
} raaf_grapheme_t;

/* Takes the next code point. Returns whether a cluster ends before it; of the first one, false. */
bool raaf_grapheme_next(raaf_grapheme_t *grapheme, uint32_t c);

/*
 * The same for the next character of printable ASCII (which one it is makes no difference); where one
 * follows another, this takes no look at any table.
 */
static inline bool raaf_grapheme_next_plain(raaf_grapheme_t *grapheme) {
    const bool plain = grapheme->begun && grapheme->last == 0;

    if (!plain) return raaf_grapheme_next(grapheme, 'a');
    *grapheme = (raaf_grapheme_t){.begun = true};
    return true;
}

/*
 * Whether what comes next is as good as certain to belong to the last cluster: it ends in a joiner,
 * in half a flag, in tags without their end, in a virama behind a consonant, in a lone leading jamo,
 * in a prefix, or in CR. (Any other may still get an accent, or an emoji a skin tone.)
 */
bool raaf_grapheme_unfinished(const raaf_grapheme_t *grapheme);

#endif
