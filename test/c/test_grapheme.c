#include "check.h"
#include "grapheme.h"
#include "utf8.h"

/* Reads a text whose clusters are given one by one, and checks that they are what is found. */
static void clusters_are(const char *const *clusters) {
    raaf_grapheme_t grapheme = {0};

    for (size_t i = 0; clusters[i]; i++) {
        const size_t len = strlen(clusters[i]);
        for (size_t at = 0; at < len;) {
            const size_t start = at;
            const bool ends = raaf_grapheme_next(&grapheme, raaf_utf8_next(clusters[i], &at));
            const bool expected = i > 0 && start == 0;
            if (ends == expected) continue;
            check_print_bytes("cluster: ", clusters[i], len);
            FAIL(ends ? "a cluster is cut" : "two clusters are joined");
        }
    }
}

#define CLUSTERS(...) clusters_are((const char *const[]){__VA_ARGS__, NULL})

static bool unfinished(const char *text) {
    raaf_grapheme_t grapheme = {0};
    const size_t len = strlen(text);

    for (size_t at = 0; at < len;)
        raaf_grapheme_next(&grapheme, raaf_utf8_next(text, &at));
    return raaf_grapheme_unfinished(&grapheme);
}

TEST(grapheme_is_one_letter_in_plain_text) {
    CLUSTERS("a", "b", " ", "c", "1", ".", "~", "\xC3\xA4", "\xD0\x96", "\xE6\x97\xA5",
             "\xE3\x81\x82");
}

TEST(grapheme_takes_its_accents) {
    CLUSTERS("e\xCC\x81", "a\xCC\x88\xCC\xA3", "x", "\xD7\xA9\xD6\xBC\xD7\x81", "\xD9\x85\xD9\x8F");
    CLUSTERS("\xE0\xB8\x81\xE0\xB8\xB3", "\xE0\xB8\x81\xE0\xB8\xB4\xE0\xB9\x88"); /* Thai */
    CLUSTERS("1\xEF\xB8\x8F\xE2\x83\xA3", "2");                                   /* a keycap */
}

TEST(grapheme_takes_vowel_signs) {
    CLUSTERS("\xE0\xA4\x95\xE0\xA4\xBF", "\xE0\xA4\xA8\xE0\xA4\xBE"); /* Devanagari ki, na */
    CLUSTERS("\xE0\xAE\xA8\xE0\xAE\xBF", "\xE0\xAE\x95");             /* Tamil ni, ka */
}

TEST(grapheme_keeps_line_ends_and_controls_apart) {
    CLUSTERS("a", "\r\n", "\r", "\r\n", "\n", "\n", "\t", "b", "\xE2\x80\xA8", "c");
    CLUSTERS("\n", "\xCC\x81", "a"); /* an accent belongs to no line end */
    CLUSTERS("\xC2\xAD", "\xCC\x81");
}

TEST(grapheme_is_a_hangul_syllable_in_either_form) {
    CLUSTERS("\xED\x95\x9C", "\xEA\xB5\xAD", "\xEC\x96\xB4");
    CLUSTERS("\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xE1\x84\x80\xE1\x85\xAE\xE1\x86\xA8");
    CLUSTERS("\xEA\xB0\x80\xE1\x86\xA8", "\xEA\xB0\x80"); /* a syllable that gets a final */
    CLUSTERS("\xED\x95\x9C\xE1\x86\xAB", "\xE1\x85\xA1"); /* and one that has one, but no vowel */
}

TEST(grapheme_is_a_flag_of_two_halves) {
    CLUSTERS("\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA", "\xF0\x9F\x87\xAB\xF0\x9F\x87\xB7",
             "\xF0\x9F\x87\xAE");
    CLUSTERS("\xF0\x9F\x87\xA9", "a", "\xF0\x9F\x87\xAA\xF0\x9F\x87\xAB", "b");
}

TEST(grapheme_is_an_emoji_with_all_that_is_joined_to_it) {
    CLUSTERS("\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD", "\xF0\x9F\x91\x8D", "\xE2\x9D\xA4\xEF\xB8\x8F");
    CLUSTERS("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7",
             "\xF0\x9F\x91\xA7");
    CLUSTERS("\xF0\x9F\x91\xA9\xF0\x9F\x8F\xBD\xE2\x80\x8D\xF0\x9F\x92\xBB", "!");
    CLUSTERS("\xF0\x9F\x8F\xB3\xEF\xB8\x8F\xE2\x80\x8D\xF0\x9F\x8C\x88", "a\xE2\x80\x8D",
             "\xF0\x9F\x8C\x88");
    CLUSTERS("\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xBF", "."); /* tags */
}

/* GB9c. Each of the virama's conjuncts is one cluster; a non-joiner parts them. */
TEST(grapheme_is_a_conjunct_of_consonants) {
    CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\xA4", "\xE0\xA4\xA4");
    CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8D\xE0\xA4\xB7");
    CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D\xE2\x80\x8C", "\xE0\xA4\xB7");
    CLUSTERS("\xE0\xA4\x95\xE0\xA4\xBE", "\xE0\xA4\xB7");
    CLUSTERS("\xE0\xA4\x95\xE0\xA5\x8D", "a", "\xE0\xA4\xB7");
}

TEST(grapheme_takes_a_prefix_in_front) {
    CLUSTERS("\xD8\x80\xD9\xA1", "\xD9\xA2", "a", "\xD8\x80\xE6\x97\xA5");
}

TEST(grapheme_is_unfinished_where_more_is_certain_to_come) {
    CHECK(unfinished("\xF0\x9F\x91\xA9\xE2\x80\x8D"));     /* a joiner */
    CHECK(unfinished("\xF0\x9F\x87\xA9"));                 /* half a flag */
    CHECK(unfinished("\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7")); /* a tag */
    CHECK(unfinished("\xE0\xA4\x95\xE0\xA5\x8D"));         /* a virama */
    CHECK(unfinished("\xE1\x84\x92"));                     /* a leading jamo */
    CHECK(unfinished("\xD8\x80"));                         /* a prefix */
    CHECK(unfinished("a\r"));
}

TEST(grapheme_is_finished_where_more_may_come_but_need_not) {
    CHECK(!unfinished(""));
    CHECK(!unfinished("a"));
    CHECK(!unfinished("a\r\n"));
    CHECK(!unfinished("e\xCC\x81"));
    CHECK(!unfinished("\xF0\x9F\x91\xA9"));
    CHECK(!unfinished("\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"));
    CHECK(!unfinished("\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xBF"));
    CHECK(!unfinished("\xED\x95\x9C"));
    CHECK(!unfinished("a\xE0\xA5\x8D")); /* a virama behind no consonant */
}

TEST(grapheme_knows_the_last_code_point_there_is) {
    CLUSTERS("a", "\xF4\x8F\xBF\xBF\xF3\xA0\x87\xAF", "b"); /* U+10FFFF, U+E01EF extends it */
}
