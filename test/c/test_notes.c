#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "notes.c"

static bool says(const raaf_notes_t *notes, raaf_range_t range, const char *text) {
    const raaf_slice_t slice = raaf_notes_get(notes, range);

    return CHECK_EQ_STR(slice.bytes, slice.len, text);
}

TEST(notes_keep_what_was_said_apart) {
    raaf_notes_t notes;
    raaf_range_t id = {0}, name = {0};

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_notes_set(&notes, &id, "call_1", 6), RAAF_OK);
    CHECK_EQ_INT(raaf_notes_set(&notes, &name, "weather", 7), RAAF_OK);
    says(&notes, id, "call_1");
    says(&notes, name, "weather");
    raaf_notes_free(&notes);
}

TEST(notes_that_were_never_set_are_empty_and_not_null) {
    raaf_notes_t notes;

    raaf_notes_init(&notes);
    CHECK(raaf_notes_get(&notes, (raaf_range_t){0}).bytes != NULL);
    CHECK_EQ_UINT(raaf_notes_get(&notes, (raaf_range_t){0}).len, 0);
    raaf_notes_free(&notes);
}

TEST(notes_set_twice_hold_the_second_and_give_the_room_back) {
    raaf_notes_t notes;
    raaf_range_t id = {0};

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_notes_set(&notes, &id, "first", 5), RAAF_OK);
    CHECK_EQ_INT(raaf_notes_set(&notes, &id, "2nd", 3), RAAF_OK);
    says(&notes, id, "2nd");
    CHECK_EQ_UINT(notes.bytes.len, 3);
    raaf_notes_free(&notes);
}

TEST(notes_are_valid_utf8_unless_they_are_kept_raw) {
    raaf_notes_t notes;
    raaf_range_t valid = {0}, raw = {0};

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_notes_set(&notes, &valid, "a\xC3", 2), RAAF_OK);
    CHECK_EQ_INT(raaf_notes_set_raw(&notes, &raw, "a\xC3", 2), RAAF_OK);
    says(&notes, valid, "a\xEF\xBF\xBD");
    says(&notes, raw, "a\xC3");
    raaf_notes_free(&notes);
}

TEST(notes_can_be_added_to) {
    raaf_notes_t notes;
    raaf_range_t text = {0};

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_notes_add_raw(&notes, &text, "Hel", 3), RAAF_OK);
    CHECK_EQ_INT(raaf_notes_add_raw(&notes, &text, "lo", 2), RAAF_OK);
    says(&notes, text, "Hello");
    raaf_notes_free(&notes);
}

TEST(notes_of_the_start_of_a_text_end_between_two_characters) {
    const char text[] = "ab\xF0\x9F\x98\x80"
                        "c";
    const size_t kept[] = {0, 1, 2, 2, 2, 2, 6, 7, 7};
    raaf_notes_t notes;

    raaf_notes_init(&notes);
    for (size_t most = 0; most < sizeof kept / sizeof kept[0]; most++) {
        raaf_range_t start = {0};

        CHECK_EQ_INT(raaf_notes_set_start(&notes, &start, text, sizeof text - 1, most), RAAF_OK);
        CHECK_EQ_UINT(start.len, kept[most]);
        CHECK_EQ_INT(memcmp(raaf_notes_get(&notes, start).bytes, text, start.len), 0);
    }
    raaf_notes_free(&notes);
}

TEST(notes_are_forgotten_with_the_event) {
    raaf_notes_t notes;
    raaf_range_t id = {0};
    char large[4096];

    memset(large, 'x', sizeof large);
    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_notes_set(&notes, &id, large, sizeof large), RAAF_OK);
    raaf_notes_forget(&notes);
    CHECK_EQ_UINT(notes.bytes.len, 0);
    CHECK(notes.bytes.capacity <= 1024); /* a silent stream holds on to little */
    raaf_notes_free(&notes);
}

TEST(notes_without_memory_say_so_and_stay_as_they_were) {
    raaf_notes_t notes;
    raaf_range_t id = {0};

    raaf_notes_init(&notes);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_notes_set_raw(&notes, &id, "call_1", 6), RAAF_NO_MEMORY);
    memory_is_back();
    says(&notes, id, "");
    raaf_notes_free(&notes);
}
