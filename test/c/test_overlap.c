#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "result_code.h"

#include "buffer.c"
#include "overlap.c"

/* What comes out if [text] comes in pieces whose sizes [sizes] tells, one after another. */
typedef size_t sizes_fn(void *state, size_t left);

static size_t whole(void *state, size_t left) {
    return left;
}

static size_t bytewise(void *state, size_t left) {
    return 1;
}

static size_t at_random(void *state, size_t left) {
    size_t size = 1 + random_below(state, 5);

    return size < left ? size : left;
}

static void add_slice(raaf_buffer_t *all, raaf_slice_t slice) {
    CHECK_EQ_INT(raaf_buffer_append(all, slice.bytes, slice.len), RAAF_OK);
}

static raaf_buffer_t pass(const char *said, const char *text, sizes_fn *sizes, void *state) {
    raaf_overlap_t overlap;
    raaf_buffer_t all;
    raaf_slice_t out;
    size_t left = strlen(text);

    raaf_buffer_init(&all, SIZE_MAX);
    raaf_overlap_init(&overlap, said, strlen(said));
    while (left) {
        const size_t size = sizes(state, left);
        const raaf_slice_t piece = {text, size};

        CHECK_EQ_INT(raaf_overlap_add(&overlap, piece, &out), RAAF_OK);
        add_slice(&all, out);
        text += size;
        left -= size;
    }
    raaf_overlap_finish(&overlap, &out);
    add_slice(&all, out);
    raaf_overlap_finish(&overlap, &out);
    CHECK_EQ_UINT(out.len, 0);
    raaf_overlap_free(&overlap);
    return all;
}

static bool leaves(const char *said, const char *text, const char *expected) {
    uint64_t state = 7;
    sizes_fn *const ways[] = {whole, bytewise, at_random, at_random, at_random};
    bool same = true;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        raaf_buffer_t all = pass(said, text, ways[i], &state);

        same = CHECK_EQ_STR(all.bytes, all.len, expected) && same;
        raaf_buffer_free(&all);
    }
    return same;
}

TEST(overlap_leaves_what_repeats_nothing) {
    leaves("", "Hello", "Hello");
    leaves("The capital of France", " is Paris.", " is Paris.");
    leaves("Once", "", "");
    leaves("a longer text than", "one", "one");
}

TEST(overlap_cuts_a_sentence_that_is_said_again) {
    leaves("We go. The capital of France", "The capital of France is Paris.", " is Paris.");
    leaves("We go. The capital of France", "capital of France is", " is");
    leaves("In \xC5\x81\xC3\xB3\x64\xC5\xBA it rains a lot", "rains a lot, and", ", and");
    leaves("In \xC5\x81\xC3\xB3\x64\xC5\xBA it rains a lot",
           "\xC5\x81\xC3\xB3\x64\xC5\xBA it rains a lot, and", ", and");
}

TEST(overlap_cuts_the_longest_one) {
    leaves("one two three four one two three four", "one two three four one two three four five",
           " five");
    leaves("x one two three four one two three four", "one two three four five", " five");
}

TEST(overlap_leaves_short_repetitions_which_may_be_meant) {
    leaves("He laughed: ha, ha", ", ha, ha!", ", ha, ha!");
    leaves("merrily, merrily,", " merrily, life", " merrily, life");
    leaves("        end\n      end\n", "      end\n    end\n", "      end\n    end\n");
    leaves("A paragraph.\n", "\nAnother", "\nAnother");
    leaves("ha", "ha", "ha");
    leaves("| yes | yes ", "| yes |", "| yes |");
    leaves("| yes | ", "yes | no", "yes | no");
    leaves("a</div>", "</div>", "</div>");
    leaves("  end\n", "  end\nend", "  end\nend");
    leaves("0.5 0.5", " 0.5", " 0.5");
}

TEST(overlap_counts_characters_and_not_bytes) {
    leaves("x \xC3\xA4,\xC3\xB6,\xC3\xBC,\xC3\xA4,\xC3\xB6,", "\xC3\xA4,\xC3\xB6, y",
           "\xC3\xA4,\xC3\xB6, y");
    leaves("x: \xC3\xA4,\xC3\xB6,\xC3\xBC,\xC3\xA4,", "\xC3\xA4,\xC3\xB6,\xC3\xBC,\xC3\xA4, y",
           "\xC3\xA4,\xC3\xB6,\xC3\xBC,\xC3\xA4, y");
    leaves("x twelve, ones", "twelve, ones!", "twelve, ones!"); /* eleven that are not blank */
    leaves("x twelve, onesX", "twelve, onesX!", "!");
}

TEST(overlap_cuts_an_answer_that_begins_again) {
    leaves("Hello, ", "Hello, world", "world");
    leaves("A, ", "A, B", "A, B");
    leaves("1. 2", "1. 2. 3", "1. 2. 3");
    leaves("1. 2. 3", "1. 2. 3. 4", ". 4");
}

TEST(overlap_cuts_words_that_are_said_again) {
    leaves("because air ", "air scatters", "scatters");
    leaves("because air", " air scatters", " scatters");
    leaves("because air ", " air scatters", "scatters");
    leaves("It was cold and", "cold and bright", " bright");
    leaves("he had", " had it", " it");
    leaves("The", "The end", " end");
}

TEST(overlap_cuts_a_word_that_is_begun_again) {
    leaves("Here is the capit", "capital of France", "al of France");
    leaves("Here is the recapit", "capital", "capital");
    leaves("So I ate ap", "apples", "apples");
    leaves("set my_vari2", "my_vari2able", "able");
    leaves("set my_vari2", "my_vari2 = 1", "my_vari2 = 1");
}

TEST(overlap_cuts_blanks_where_nothing_else_was_said) {
    leaves(" ", " world", "world");
    leaves(" ", "world", "world");
    leaves("\n", "\n\nNext", "\nNext");
    leaves("\n\n", "\nNext", "Next");
    leaves("  ", "   x", " x");
}

/* The end of the answer may be the end of the repetition. */
TEST(overlap_may_be_all_there_is) {
    leaves("It was a bright cold day", "a bright cold day", "");
    leaves("It was a bright cold day", "a bright cold", "a bright cold");
}

TEST(overlap_looks_at_the_end_of_a_long_text_only) {
    static char said[RAAF_OVERLAP_MAX + 100], repeated[RAAF_OVERLAP_MAX + 101];

    memset(said, 'x', sizeof said - 1);
    memcpy(said, "begin", 5);
    memcpy(said + sizeof said - 1 - 20, "twenty bytes at last", 20);
    leaves(said, "twenty bytes at last!", "!");
    memcpy(repeated, said, sizeof said - 1);
    memcpy(repeated + sizeof said - 1, "!", 2);
    leaves(said, repeated, repeated);
}

/* Nothing is held back for longer than it has to be. */
TEST(overlap_lets_go_at_the_first_piece_that_differs) {
    const char *said = "The quick brown fox";
    raaf_overlap_t overlap;
    raaf_slice_t out;

    raaf_overlap_init(&overlap, said, strlen(said));
    raaf_overlap_add(&overlap, (raaf_slice_t){"br", 2}, &out);
    CHECK_EQ_UINT(out.len, 0);
    raaf_overlap_add(&overlap, (raaf_slice_t){"ave", 3}, &out);
    CHECK_EQ_STR(out.bytes, out.len, "brave");
    raaf_overlap_add(&overlap, (raaf_slice_t){"The quick", 9}, &out);
    CHECK_EQ_STR(out.bytes, out.len, "The quick");
    raaf_overlap_free(&overlap);
}

/* The rule again, without a thought for speed or pieces. "1" is the one digit here. */
static size_t cut_by_the_rule(const char *said, const char *text) {
    const size_t said_len = strlen(said), len = strlen(text);

    for (size_t k = said_len < len ? said_len : len; k; k--) {
        size_t characters = 0, letters = 0, spaces = 0, digits = 0;

        if (memcmp(said + said_len - k, text, k) != 0) continue;
        for (size_t i = 0; i < k; i++) {
            characters += !strchr(" \n", text[i]);
            letters += text[i] == 'a' || text[i] == 'b';
            digits += text[i] == '1';
            spaces += text[i] == ' ';
        }
        const bool begins =
            strchr(" \n,", text[0]) || k == said_len || strchr(" \n,", said[said_len - k - 1]);
        const bool words = letters + spaces == k;
        const bool name = letters + digits == k && k < len && !strchr(" \n,", text[k]);
        if (characters >= 12 || (k == said_len && characters >= 4) ||
            (begins && characters >= 3 && (words || name)) || strspn(said, " \n") == said_len)
            return k;
    }
    return 0;
}

TEST(overlap_is_cut_by_its_rule_however_it_comes) {
    static const char letters[] = "ab ,1\n";
    uint64_t state = 20250101;

    for (int i = 0; i < 20000; i++) {
        char said[40] = "", text[60] = "";
        const size_t said_len = random_below(&state, 30);
        const size_t from = said_len ? random_below(&state, said_len) : 0;
        size_t len = 0;

        for (size_t j = 0; j < said_len; j++)
            said[j] = letters[random_below(&state, random_below(&state, 2) ? 3 : 6)];
        if (random_below(&state, 3)) {
            len = said_len - from;
            memcpy(text, said + from, len);
        }
        for (size_t more = random_below(&state, 20); more; more--)
            text[len++] = letters[random_below(&state, random_below(&state, 2) ? 3 : 6)];
        if (!leaves(said, text, text + cut_by_the_rule(said, text))) return;
    }
}

TEST(overlap_says_that_there_is_no_memory) {
    raaf_overlap_t overlap;
    raaf_slice_t out;

    raaf_overlap_init(&overlap, "Once", 4);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_overlap_add(&overlap, (raaf_slice_t){"O", 1}, &out), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_overlap_free(&overlap);
}
