/*
 * Where a text that is still being written may be cut: at ends of grapheme clusters, words or
 * sentences. It reads along, and knows the last end of each that is certain, whatever comes next.
 *
 * A cluster, word or sentence is over once something begins that does not belong to it, or with the
 * end of a line. So the end of the text so far is mostly none: an accent may follow any letter. Yet
 * as far as clusters go it will do
 *
 *   behind white space and punctuation, where an accent makes no character that anybody writes;
 *   behind an ASCII character at the end of a piece that is large: one that was cut by size, and not
 *   by a tokenizer, which cuts between a letter and its accent.
 *
 * Words end where white space does, and beside ideographs and kana, which are written without. It
 * takes a dictionary to find words in Thai, Lao, Khmer or Burmese; this has none. A sentence ends
 * with its punctuation, closing quotes and brackets, and white space. A full stop behind a digit ends
 * none ("1. First"), and behind any a small letter goes on ("e.g. this one"); "Dr. Who" is cut.
 *
 * Not shared: one thread at a time.
 */
#ifndef RAAF_CUTTER_H
#define RAAF_CUTTER_H

#include "grapheme.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that make a piece large. Tokens are shorter. */
#define RAAF_CUTTER_LARGE 32

typedef enum raaf_cut {
    RAAF_CUT_GRAPHEME,
    RAAF_CUT_WORD,
    RAAF_CUT_SENTENCE,
    RAAF_CUT_COUNT
} raaf_cut_t;

typedef struct raaf_cutter {
    raaf_cut_t cut;           /* what is asked for; of coarser ends it need not know */
    raaf_grapheme_t grapheme; /* where the text stands */
    uint8_t last;             /* what the last character is for words */
    uint8_t sentence;         /* how far the end of a sentence has come */
    bool settled;             /* for clusters the end of the text will do */
    size_t len;               /* bytes read */
    size_t
        ends[RAAF_CUT_COUNT]; /* the last certain end of each, in bytes from the start; 0: none */
} raaf_cutter_t;

/* "grapheme", "word", "sentence". */
const char *raaf_cut_name(raaf_cut_t cut);

/* At the start of a text. */
void raaf_cutter_init(raaf_cutter_t *cutter, raaf_cut_t cut);

/* Reads the next piece of the text, in valid UTF-8. Returns how many characters (code points) it has. */
size_t raaf_cutter_read(raaf_cutter_t *cutter, const char *bytes, size_t len);

/* Where the text can be cut best, in bytes from the start; 0: nowhere yet. */
size_t raaf_cutter_end(const raaf_cutter_t *cutter, raaf_cut_t cut);

/* The first [len] bytes were cut off: ends are counted from there. */
void raaf_cutter_shift(raaf_cutter_t *cutter, size_t len);

#endif
