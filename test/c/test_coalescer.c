#include "check.h"
#include "clock.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "buffer.c"
#include "coalescer.c"

#define E_ACUTE "e\xCC\x81"
#define WOMAN "\xF0\x9F\x91\xA9"
#define GIRL "\xF0\x9F\x91\xA7"
#define JOINER "\xE2\x80\x8D"
#define HALF_D "\xF0\x9F\x87\xA9"
#define HALF_E "\xF0\x9F\x87\xAA"

static raaf_coalescer_t coalescer_of(size_t size, uint64_t timeout_ns, raaf_cut_t cut) {
    raaf_coalescer_t coalescer;

    raaf_coalescer_init(&coalescer, size, timeout_ns, cut);
    return coalescer;
}

static size_t add(raaf_coalescer_t *coalescer, const char *text, uint64_t now) {
    size_t ready = 1000;

    CHECK_EQ_INT(raaf_coalescer_add(coalescer, text, strlen(text), now, &ready), RAAF_OK);
    CHECK(ready <= coalescer->pending.len);
    return ready;
}

/* Adds a piece, and takes what is ready then. */
static bool gives(raaf_coalescer_t *coalescer, const char *piece, uint64_t now, const char *text) {
    const size_t ready = add(coalescer, piece, now);
    const bool right = CHECK_EQ_STR(coalescer->pending.bytes, ready, text);

    if (ready > 0) raaf_coalescer_taken(coalescer, ready, now);
    return right;
}

/* Takes what is ready without another piece. */
static bool due_is(raaf_coalescer_t *coalescer, uint64_t now, const char *text) {
    const size_t ready = raaf_coalescer_ready(coalescer, now);
    const bool right = CHECK_EQ_STR(coalescer->pending.bytes, ready, text);

    if (ready > 0) raaf_coalescer_taken(coalescer, ready, now);
    return right;
}

static bool pending_is(const raaf_coalescer_t *coalescer, const char *text) {
    return CHECK_EQ_STR(coalescer->pending.bytes, coalescer->pending.len, text);
}

/* ---- enough text ---- */

TEST(coalescer_gives_all_but_the_last_letter_when_there_are_enough) {
    raaf_coalescer_t coalescer = coalescer_of(5, RAAF_NEVER, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "ab", 0, "");
    gives(&coalescer, "cd", 1, "");
    gives(&coalescer, "efg", 2, "abcdef");
    CHECK_EQ_UINT(coalescer.chars, 1);
    gives(&coalescer, "hij", 3, "");
    gives(&coalescer, "k", 4, "ghij");
    pending_is(&coalescer, "k");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_gives_all_where_nothing_can_belong_to_the_last_character) {
    raaf_coalescer_t coalescer = coalescer_of(3, RAAF_NEVER, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "abc\n", 0, "abc\n");
    gives(&coalescer, "abc ", 0, "abc ");
    gives(&coalescer, "ab.", 0, "ab.");
    CHECK_EQ_UINT(coalescer.pending.len, 0);
    CHECK_EQ_UINT(coalescer.chars, 0);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_counts_code_points_and_not_bytes) {
    raaf_coalescer_t coalescer = coalescer_of(4, RAAF_NEVER, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "\xC3\xA4", 0, "");     /* a umlaut */
    gives(&coalescer, "\xE6\x97\xA5", 0, ""); /* a CJK sign */
    gives(&coalescer, WOMAN, 0, "");
    CHECK_EQ_UINT(coalescer.chars, 3);
    gives(&coalescer, "x", 0, "\xC3\xA4\xE6\x97\xA5" WOMAN);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_keeps_a_character_whole_that_comes_in_pieces) {
    raaf_coalescer_t coalescer = coalescer_of(1, RAAF_NEVER, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "e", 0, "");
    gives(&coalescer, "\xCC\x81", 0, "");
    gives(&coalescer, WOMAN, 0, E_ACUTE);
    gives(&coalescer, JOINER, 0, "");
    gives(&coalescer, GIRL, 0, "");
    gives(&coalescer, HALF_D, 0, WOMAN JOINER GIRL);
    gives(&coalescer, HALF_E, 0, "");
    gives(&coalescer, HALF_D, 0, HALF_D HALF_E);
    gives(&coalescer, "\r", 0, HALF_D);
    gives(&coalescer, "\n", 0, "\r\n");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_that_is_off_gives_every_piece) {
    raaf_coalescer_t coalescer = coalescer_of(0, RAAF_NEVER, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "", 0, "");
    gives(&coalescer, "a", 0, "a");
    gives(&coalescer, WOMAN JOINER, 0, WOMAN JOINER);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_cuts_words_where_asked) {
    raaf_coalescer_t coalescer = coalescer_of(1, RAAF_NEVER, RAAF_CUT_WORD);

    gives(&coalescer, "The", 0, "");
    gives(&coalescer, " qui", 0, "The ");
    gives(&coalescer, "ck", 0, "");
    gives(&coalescer, " brown fo", 0, "quick brown ");
    gives(&coalescer, "x.\n", 0, "fox.\n");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_cuts_sentences_where_asked) {
    raaf_coalescer_t coalescer = coalescer_of(5, RAAF_NEVER, RAAF_CUT_SENTENCE);

    gives(&coalescer, "So it is", 0, "");
    gives(&coalescer, ".", 0, "");
    gives(&coalescer, " And then", 0, "So it is. ");
    gives(&coalescer, "? No! We", 0, "And then? No! ");
    pending_is(&coalescer, "We");
    raaf_coalescer_free(&coalescer);
}

/* Adds so many letters, in pieces of one. Returns how many came with the first cut. */
static size_t letters_until_cut(raaf_cut_t cut, const char *letter, size_t most) {
    raaf_coalescer_t coalescer = coalescer_of(10, RAAF_NEVER, cut);
    size_t ready = 0, letters = 0;

    while (ready == 0 && letters++ < most)
        ready = add(&coalescer, letter, 0);
    raaf_coalescer_free(&coalescer);
    return letters;
}

TEST(coalescer_holds_no_text_for_ever_that_has_no_end) {
    CHECK_EQ_UINT(letters_until_cut(RAAF_CUT_GRAPHEME, "a", 5000), 10);
    CHECK_EQ_UINT(letters_until_cut(RAAF_CUT_GRAPHEME, "\xCC\x81", 5000),
                  10 + RAAF_COALESCER_LONGEST_CLUSTER);
    CHECK_EQ_UINT(letters_until_cut(RAAF_CUT_WORD, "a", 5000), 10 + RAAF_COALESCER_LONGEST_WORD);
    CHECK_EQ_UINT(letters_until_cut(RAAF_CUT_SENTENCE, "a", 5000),
                  10 + RAAF_COALESCER_LONGEST_SENTENCE);
}

TEST(coalescer_cuts_a_long_sentence_at_a_word) {
    raaf_coalescer_t coalescer = coalescer_of(1, RAAF_NEVER, RAAF_CUT_SENTENCE);
    size_t ready = 0;

    for (int i = 0; i < 300 && ready == 0; i++)
        ready = add(&coalescer, " word", 0);
    CHECK(ready > RAAF_COALESCER_LONGEST_SENTENCE - 10);
    CHECK_EQ_UINT(ready % 5, 1); /* a space, and words with one behind */
    raaf_coalescer_free(&coalescer);
}

/* ---- deadlines ---- */

TEST(coalescer_is_due_when_the_oldest_piece_has_waited) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_GRAPHEME);

    due_is(&coalescer, RAAF_NEVER, "");
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    add(&coalescer, "a", 1000);
    add(&coalescer, "b", 1040);
    CHECK_EQ_UINT(coalescer.deadline, 1050);
    due_is(&coalescer, 1049, "");
    due_is(&coalescer, 1050, "ab");
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    due_is(&coalescer, 2000, "");
    add(&coalescer, "c", 2000);
    CHECK_EQ_UINT(coalescer.deadline, 2050);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_gives_words_and_sentences_that_are_not_whole_when_they_are_due) {
    raaf_coalescer_t word = coalescer_of(1, 50, RAAF_CUT_WORD);
    raaf_coalescer_t sentence = coalescer_of(1, 50, RAAF_CUT_SENTENCE);

    gives(&word, "two wor", 0, "two ");
    due_is(&word, 50, "wor");
    gives(&sentence, "It is", 0, "");
    due_is(&sentence, 50, "It is");
    raaf_coalescer_free(&word);
    raaf_coalescer_free(&sentence);
}

TEST(coalescer_gives_what_is_due_with_the_piece_that_comes_after_the_deadline) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "a", 1000, "");
    gives(&coalescer, "b", 1050, "ab");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_with_no_time_to_wait_gives_all_at_once) {
    raaf_coalescer_t coalescer = coalescer_of(100, 0, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "a", 1000, "a");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_counts_the_time_of_what_is_left_from_the_piece_it_came_in) {
    raaf_coalescer_t coalescer = coalescer_of(4, 50, RAAF_CUT_GRAPHEME);

    add(&coalescer, "ab", 1000);
    gives(&coalescer, "cd", 1030, "abc");
    CHECK_EQ_UINT(coalescer.deadline, 1080);
    raaf_coalescer_free(&coalescer);
}

/* When the "b" came is not known any more, but it was after the "a". */
TEST(coalescer_lets_nothing_wait_too_long_that_came_in_an_older_piece) {
    raaf_coalescer_t coalescer = coalescer_of(4, 50, RAAF_CUT_GRAPHEME);

    add(&coalescer, "ab", 1000);
    add(&coalescer, "\xCC\x81", 1010);
    gives(&coalescer, "\xCC\x80", 1030, "a");
    CHECK_EQ_UINT(coalescer.deadline, 1050);
    due_is(&coalescer, 1050, "b\xCC\x81\xCC\x80");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_holds_an_unfinished_character_back_once) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "a" WOMAN JOINER, 1000, "");
    due_is(&coalescer, 1050, "a");
    CHECK_EQ_UINT(coalescer.deadline, 1100);
    due_is(&coalescer, 1099, "");
    due_is(&coalescer, 1100, WOMAN JOINER);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_waits_once_more_for_a_single_unfinished_character) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, HALF_D, 1000, "");
    due_is(&coalescer, 1050, "");
    gives(&coalescer, HALF_E, 1060, "");
    due_is(&coalescer, 1099, "");
    due_is(&coalescer, 1100, HALF_D HALF_E);
    gives(&coalescer, HALF_D, 2000, "");
    due_is(&coalescer, 2050, "");
    due_is(&coalescer, 2100, HALF_D);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_holds_the_next_unfinished_character_back_again) {
    raaf_coalescer_t coalescer = coalescer_of(3, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, "a" HALF_D, 1000, "");
    due_is(&coalescer, 1050, "a");
    gives(&coalescer, HALF_E "b" HALF_D, 1060, HALF_D HALF_E "b");
    due_is(&coalescer, 1110, "");
    due_is(&coalescer, 1160, HALF_D);
    raaf_coalescer_free(&coalescer);
}

/* What was handed over is still part of the text: the next half does not begin a flag. */
TEST(coalescer_knows_a_character_that_it_had_to_cut) {
    raaf_coalescer_t coalescer = coalescer_of(2, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, HALF_D, 1000, "");
    due_is(&coalescer, 1050, "");
    due_is(&coalescer, 1100, HALF_D);
    gives(&coalescer, HALF_E HALF_D, 1200, HALF_E);
    gives(&coalescer, HALF_E "a", 1210, HALF_D HALF_E);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_takes_what_comes_after_a_flush_for_another_text) {
    raaf_coalescer_t coalescer = coalescer_of(2, 50, RAAF_CUT_GRAPHEME);

    gives(&coalescer, HALF_D, 1000, "");
    raaf_coalescer_flushed(&coalescer);
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    gives(&coalescer, HALF_D HALF_E, 1010, "");
    gives(&coalescer, "a", 1010, HALF_D HALF_E);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_starts_no_clock_with_an_empty_piece) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_GRAPHEME);

    CHECK_EQ_UINT(add(&coalescer, "", 1000), 0);
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_waits_for_ever_where_the_time_would_overflow) {
    raaf_coalescer_t coalescer = coalescer_of(100, RAAF_NEVER - 10, RAAF_CUT_GRAPHEME);

    add(&coalescer, "a", 1000);
    CHECK_EQ_UINT(coalescer.deadline, RAAF_NEVER);
    due_is(&coalescer, RAAF_NEVER - 1, "");
    raaf_coalescer_free(&coalescer);
}

/* ---- memory ---- */

TEST(coalescer_stays_as_it_was_without_memory) {
    raaf_coalescer_t coalescer = coalescer_of(100, 50, RAAF_CUT_WORD);
    char large[5000];
    size_t ready = 1;

    memset(large, 'a', sizeof large);
    add(&coalescer, "a b", 1000);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_coalescer_add(&coalescer, large, sizeof large, 1, &ready), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_UINT(ready, 0);
    CHECK_EQ_UINT(coalescer.chars, 3);
    CHECK_EQ_UINT(coalescer.cutter.ends[RAAF_CUT_WORD], 2);
    pending_is(&coalescer, "a b");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_takes_without_memory) {
    raaf_coalescer_t coalescer = coalescer_of(1, 50, RAAF_CUT_GRAPHEME);
    char large[9000];

    memset(large, 'a', sizeof large);
    strcpy(large + sizeof large - 3, "\xC3\xA4");
    const size_t ready = add(&coalescer, large, 1000);
    CHECK_EQ_UINT(ready, sizeof large - 3);
    memory_runs_out_after(0);
    raaf_coalescer_taken(&coalescer, ready, 1000);
    memory_is_back();
    pending_is(&coalescer, "\xC3\xA4");
    raaf_coalescer_free(&coalescer);
}

TEST(coalescer_keeps_little_memory_after_a_large_piece) {
    raaf_coalescer_t coalescer = coalescer_of(1, RAAF_NEVER, RAAF_CUT_GRAPHEME);
    size_t ready;
    char *large = malloc(100000);

    memset(large, 'a', 99998);
    memcpy(large + 99998, "\xC3\xA4", 2);
    raaf_coalescer_add(&coalescer, large, 100000, 0, &ready);
    raaf_coalescer_taken(&coalescer, ready, 0);
    pending_is(&coalescer, "\xC3\xA4");
    CHECK(coalescer.pending.capacity <= 4096);
    raaf_coalescer_add(&coalescer, large, 100000, 0, &ready);
    raaf_coalescer_flushed(&coalescer);
    CHECK(coalescer.pending.capacity <= 4096);
    free(large);
    raaf_coalescer_free(&coalescer);
}

/* ---- all together ---- */

static const char *const pieces[] = {
    "a",
    "bc",
    "\xC3\xA4",
    "\xF0\x9F\x98\x80",
    "word ",
    "",
    "e",
    "\xCC\x81",
    WOMAN,
    JOINER,
    GIRL,
    HALF_D,
    HALF_E,
    ". So",
    "\r",
    "\n",
    "?! B",
    "\xE0\xA4\x95",
    "\xE0\xA5\x8D",
    "\xE0\xA4\xA4",
    "\xE3\x80\x82",
    "\xE6\x97\xA5",
};

#define PIECES 500

typedef struct record {
    char in[PIECES * 8], out[PIECES * 8];
    size_t in_len, out_len;
    size_t cuts[PIECES * 2]; /* where a text ended because there was enough */
    size_t cut_count;
} record_t;

static void take(record_t *record, raaf_coalescer_t *coalescer, size_t len, uint64_t now) {
    memcpy(record->out + record->out_len, coalescer->pending.bytes, len);
    record->out_len += len;
    raaf_coalescer_taken(coalescer, len, now);
}

static void play(record_t *record, raaf_coalescer_t *coalescer, uint64_t *random) {
    for (uint64_t now = 0; now < PIECES; now++) {
        const char *piece = pieces[random_below(random, sizeof pieces / sizeof *pieces)];
        memcpy(record->in + record->in_len, piece, strlen(piece));
        record->in_len += strlen(piece);
        const bool due = coalescer->deadline <= now;
        const size_t ready = add(coalescer, piece, now);
        if (ready == 0) continue;
        take(record, coalescer, ready, now);
        if (!due) record->cuts[record->cut_count++] = record->out_len;
    }
    take(record, coalescer, coalescer->pending.len, PIECES);
}

/* Whether a cluster of the whole text ends at [cut], or a word or its punctuation. */
static bool cluster_ends(const record_t *record, size_t cut) {
    raaf_grapheme_t grapheme = {0};
    size_t at = 0;

    if (strchr(" !", record->in[cut - 1])) return true;
    if (cut >= 3 && memcmp(record->in + cut - 3, "\xE3\x80\x82", 3) == 0) return true;

    while (at < record->in_len && at <= cut) {
        const size_t start = at;
        if (raaf_grapheme_next(&grapheme, raaf_utf8_next(record->in, &at)) && start == cut)
            return true;
    }
    return cut == record->in_len;
}

TEST(coalescer_loses_and_changes_nothing_and_cuts_no_character) {
    static record_t record;
    uint64_t random = 17;
    size_t cuts = 0;

    for (size_t round = 0; round < 60; round++) {
        const raaf_cut_t cut = (raaf_cut_t)(round % RAAF_CUT_COUNT);
        raaf_coalescer_t coalescer = coalescer_of(1 + round / 3, round % 2 ? 30 : RAAF_NEVER, cut);

        record.in_len = record.out_len = record.cut_count = 0;
        play(&record, &coalescer, &random);
        CHECK_EQ_BYTES(record.out, record.out_len, record.in, record.in_len);
        for (size_t i = 0; i < record.cut_count; i++)
            CHECK(cluster_ends(&record, record.cuts[i]));
        cuts += record.cut_count;
        raaf_coalescer_free(&coalescer);
    }
    CHECK(cuts > 1000);
}
