#include "check.h"
#include "cutter.h"
#include "random_numbers.h"
#include "utf8.h"

/* Where the text so far can be cut, as what stands before the cut. */
static bool cut_is(raaf_cut_t cut, const char *text, const char *before) {
    raaf_cutter_t cutter;

    raaf_cutter_init(&cutter, cut);
    raaf_cutter_read(&cutter, text, strlen(text));
    return CHECK_EQ_STR(text, raaf_cutter_end(&cutter, cut), before);
}

TEST(cutter_never_cuts_behind_the_last_letter_for_it_may_get_an_accent) {
    cut_is(RAAF_CUT_GRAPHEME, "", "");
    cut_is(RAAF_CUT_GRAPHEME, "a", "");
    cut_is(RAAF_CUT_GRAPHEME, "caf", "ca");
    cut_is(RAAF_CUT_GRAPHEME, "cafe\xCC\x81", "caf");
    cut_is(RAAF_CUT_GRAPHEME, "a \xE6\x97\xA5\xE6\x9C\xAC", "a \xE6\x97\xA5");
}

TEST(cutter_cuts_behind_the_end_of_a_line) {
    for (raaf_cut_t cut = 0; cut < RAAF_CUT_COUNT; cut++) {
        cut_is(cut, "a\n", "a\n");
        cut_is(cut, "a\r\n", "a\r\n");
        cut_is(cut, "a\xE2\x80\xA9", "a\xE2\x80\xA9");
        cut_is(cut, "\n", "\n");
    }
    cut_is(RAAF_CUT_GRAPHEME, "a\r", "a"); /* LF may follow */
}

TEST(cutter_cuts_characters_behind_space_and_punctuation) {
    cut_is(RAAF_CUT_GRAPHEME, "two ", "two ");
    cut_is(RAAF_CUT_GRAPHEME, "So.", "So.");
    cut_is(RAAF_CUT_GRAPHEME, "!", "!");
    cut_is(RAAF_CUT_GRAPHEME, "\xC3\xA4, ", "\xC3\xA4, ");
    cut_is(RAAF_CUT_GRAPHEME, "\xE6\x98\xAF\xE3\x80\x82", "\xE6\x98\xAF\xE3\x80\x82");
    cut_is(RAAF_CUT_GRAPHEME, "1#", "1");           /* with a keycap it may be an emoji */
    cut_is(RAAF_CUT_GRAPHEME, "a=", "a");           /* with a stroke it may be a sign */
    cut_is(RAAF_CUT_GRAPHEME, "a. \xCC\x81", "a."); /* where one stands, it is known */
    cut_is(RAAF_CUT_WORD, "two ", "");
}

TEST(cutter_leaves_a_large_piece_as_it_came_unless_it_ends_in_more_than_ascii) {
    cut_is(RAAF_CUT_GRAPHEME, "thirty-two letters, more or less",
           "thirty-two letters, more or less");
    cut_is(RAAF_CUT_GRAPHEME, "thirty-one letters, or somewhat", "thirty-one letters, or somewha");
    cut_is(RAAF_CUT_GRAPHEME, "thirty-two letters, \xC3\xA4 more or les\xC3\xA9",
           "thirty-two letters, \xC3\xA4 more or les");
    cut_is(RAAF_CUT_WORD, "thirty-two letters, more or less", "thirty-two letters, more or ");
}

TEST(cutter_knows_that_an_accent_belongs_to_a_large_piece) {
    raaf_cutter_t cutter;

    raaf_cutter_init(&cutter, RAAF_CUT_GRAPHEME);
    raaf_cutter_read(&cutter, "thirty-two letters, more or less", 32);
    raaf_cutter_read(&cutter, "\xCC\x81", 2);
    CHECK_EQ_UINT(raaf_cutter_end(&cutter, RAAF_CUT_GRAPHEME), 31);
}

TEST(cutter_cuts_words_where_the_next_one_begins) {
    cut_is(RAAF_CUT_WORD, "two", "");
    cut_is(RAAF_CUT_WORD, "two ", "");
    cut_is(RAAF_CUT_WORD, "two w", "two ");
    cut_is(RAAF_CUT_WORD, " two words", " two ");
    cut_is(RAAF_CUT_WORD,
           "it's 3.5\t\xC2\xA0"
           "e\xCC\x81t\xC3\xA9",
           "it's 3.5\t");
    cut_is(RAAF_CUT_WORD, "not\xC2\xA0here", ""); /* a space that holds together */
}

TEST(cutter_cuts_words_beside_ideographs_and_kana_but_before_no_mark_of_theirs) {
    cut_is(RAAF_CUT_WORD, "\xE6\x97\xA5\xE6\x9C\xAC", "\xE6\x97\xA5");
    cut_is(RAAF_CUT_WORD, "\xE6\x97\xA5\xE3\x80\x82", "");
    cut_is(RAAF_CUT_WORD, "\xE6\x97\xA5\xE3\x80\x82\xE3\x81\x82", "\xE6\x97\xA5\xE3\x80\x82");
    cut_is(RAAF_CUT_WORD, "Ruby\xE3\x81\xAF", "Ruby");
    cut_is(RAAF_CUT_WORD, "\xE3\x81\xAFRuby", "\xE3\x81\xAF");
}

TEST(cutter_does_not_cut_words_within_a_cluster) {
    cut_is(RAAF_CUT_WORD,
           "a \xCC\x81"
           "b",
           "a \xCC\x81");
    cut_is(RAAF_CUT_WORD, "a \xCC\x81", "");
}

TEST(cutter_cuts_sentences_where_the_next_one_begins) {
    cut_is(RAAF_CUT_SENTENCE, "So it is.", "");
    cut_is(RAAF_CUT_SENTENCE, "So it is. ", "");
    cut_is(RAAF_CUT_SENTENCE, "So it is. A", "So it is. ");
    cut_is(RAAF_CUT_SENTENCE, "Why?! \"Yes!\" he", "Why?! \"Yes!\" ");
    cut_is(RAAF_CUT_SENTENCE, "(Sure.)  **Done.** Next", "(Sure.)  **Done.** ");
    cut_is(RAAF_CUT_SENTENCE, "Wait... What", "Wait... ");
    cut_is(RAAF_CUT_SENTENCE, "\xD7\x9E\xD7\x94? \xD7\x9B\xD7\x9F", "\xD7\x9E\xD7\x94? ");
}

TEST(cutter_takes_no_full_stop_for_the_end_where_the_sentence_goes_on) {
    cut_is(RAAF_CUT_SENTENCE, "Pi is 3.14 or so", "");
    cut_is(RAAF_CUT_SENTENCE, "e.g. this, i.e. that", "");
    cut_is(RAAF_CUT_SENTENCE, "1. First of all", "");
    cut_is(RAAF_CUT_SENTENCE, "see example.com for More", "");
    cut_is(RAAF_CUT_SENTENCE, "Dr. Who", "Dr. "); /* it cannot know */
}

TEST(cutter_cuts_sentences_that_no_space_follows) {
    cut_is(RAAF_CUT_SENTENCE, "\xE6\x98\xAF\xE3\x80\x82", "");
    cut_is(RAAF_CUT_SENTENCE, "\xE6\x98\xAF\xE3\x80\x82\xE5\x90\xA6", "\xE6\x98\xAF\xE3\x80\x82");
    cut_is(RAAF_CUT_SENTENCE, "\xE3\x80\x8C\xE6\x98\xAF\xEF\xBC\x81\xE3\x80\x8D\xE5\x90\xA6",
           "\xE3\x80\x8C\xE6\x98\xAF\xEF\xBC\x81\xE3\x80\x8D");
    cut_is(RAAF_CUT_SENTENCE, "\xE6\x98\xAF\xEF\xBC\x9F\xEF\xBC\x81 \xE5\x90\xA6",
           "\xE6\x98\xAF\xEF\xBC\x9F\xEF\xBC\x81 ");
}

TEST(cutter_counts_on_from_where_it_was_cut) {
    raaf_cutter_t cutter;

    raaf_cutter_init(&cutter, RAAF_CUT_WORD);
    raaf_cutter_read(&cutter, "one two thr", 11);
    CHECK_EQ_UINT(cutter.ends[RAAF_CUT_WORD], 8);
    raaf_cutter_shift(&cutter, 8);
    CHECK_EQ_UINT(cutter.len, 3);
    CHECK_EQ_UINT(cutter.ends[RAAF_CUT_WORD], 0);
    CHECK_EQ_UINT(cutter.ends[RAAF_CUT_GRAPHEME], 2);
    raaf_cutter_read(&cutter, "ee four", 7);
    CHECK_EQ_UINT(cutter.ends[RAAF_CUT_WORD], 6);
}

static const char text[] =
    "One e\xCC\x81 two. Three\r\n \xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 "
    "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA\xF0\x9F\x87\xAB!? \xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82"
    "\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xA4. 3.5 e.g. \xED\x95\x9C\xE1\x86\xAB (Yes.) No\n\nEnd";

/* All ends there are up to each byte, read code point by code point. */
static void all_ends(size_t ends[sizeof text][RAAF_CUT_COUNT], raaf_cut_t cut) {
    raaf_cutter_t cutter;

    raaf_cutter_init(&cutter, cut);
    memcpy(ends[0], cutter.ends, sizeof cutter.ends);
    for (size_t at = 0; at < sizeof text - 1;) {
        const size_t start = at;
        raaf_utf8_next(text, &at);
        raaf_cutter_read(&cutter, text + start, at - start);
        for (size_t i = start + 1; i <= at; i++)
            memcpy(ends[i], cutter.ends, sizeof cutter.ends);
    }
}

TEST(cutter_finds_the_same_ends_in_any_split) {
    static size_t expected[sizeof text][RAAF_CUT_COUNT];
    uint64_t random = 23;

    for (int round = 0; round < 3000; round++) {
        const raaf_cut_t cut = (raaf_cut_t)(round % RAAF_CUT_COUNT);
        raaf_cutter_t cutter;
        size_t at = 0;

        all_ends(expected, cut);
        raaf_cutter_init(&cutter, cut);
        while (at < sizeof text - 1) {
            const size_t start = at;
            for (size_t chars = 1 + random_below(&random, 12); chars > 0 && at < sizeof text - 1;
                 chars--)
                raaf_utf8_next(text, &at);
            raaf_cutter_read(&cutter, text + start, at - start);
            CHECK_EQ_UINT(cutter.len, at);
            for (raaf_cut_t i = 0; i <= cut; i++)
                CHECK_EQ_UINT(cutter.ends[i], expected[at][i]);
        }
    }
}

/* An end is never taken back: what was cut there stays right, whatever comes. */
TEST(cutter_goes_only_forward) {
    static size_t expected[sizeof text][RAAF_CUT_COUNT];

    all_ends(expected, RAAF_CUT_SENTENCE);
    for (size_t i = 1; i < sizeof text; i++) {
        for (int cut = 0; cut < RAAF_CUT_COUNT; cut++)
            CHECK(expected[i][cut] >= expected[i - 1][cut]);
        CHECK(expected[i][RAAF_CUT_SENTENCE] <= expected[i][RAAF_CUT_WORD]);
        CHECK(expected[i][RAAF_CUT_WORD] <= expected[i][RAAF_CUT_GRAPHEME]);
    }
    CHECK_EQ_STR(text + expected[sizeof text - 1][RAAF_CUT_SENTENCE], 3, "End");
}

TEST(cutter_names_its_cuts) {
    CHECK_EQ_CSTR(raaf_cut_name(RAAF_CUT_GRAPHEME), "grapheme");
    CHECK_EQ_CSTR(raaf_cut_name(RAAF_CUT_WORD), "word");
    CHECK_EQ_CSTR(raaf_cut_name(RAAF_CUT_SENTENCE), "sentence");
}
