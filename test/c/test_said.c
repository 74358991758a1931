#include "check.h"
#include "failing_malloc.h"
#include "buffer.c"
#include "notes.c"
#include "said.h"
#include "transcript.h"

static raaf_json_value_t value_of(raaf_json_type_t type, const char *text) {
    return (raaf_json_value_t){.type = type, .bytes = text, .len = strlen(text)};
}

static bool notes_say(const raaf_notes_t *notes, raaf_range_t range, const char *text) {
    const raaf_slice_t slice = raaf_notes_get(notes, range);

    return CHECK_EQ_STR(slice.bytes, slice.len, text);
}

TEST(said_string_is_told_from_another_and_from_what_is_none) {
    const raaf_json_value_t string = value_of(RAAF_JSON_STRING, "error");
    const raaf_json_value_t number = value_of(RAAF_JSON_NUMBER, "5");

    CHECK(raaf_said_is(&string, "error"));
    CHECK(!raaf_said_is(&string, "erro"));
    CHECK(!raaf_said_is(&string, "errors"));
    CHECK(!raaf_said_is(&number, "5"));
}

TEST(said_structure_is_an_object_an_array_or_null) {
    static const raaf_json_type_t structures[] = {RAAF_JSON_NULL, RAAF_JSON_OPEN_OBJECT,
                                                  RAAF_JSON_CLOSE_OBJECT, RAAF_JSON_OPEN_ARRAY,
                                                  RAAF_JSON_CLOSE_ARRAY};
    static const raaf_json_type_t others[] = {RAAF_JSON_FALSE, RAAF_JSON_TRUE, RAAF_JSON_NUMBER,
                                              RAAF_JSON_STRING};

    for (size_t i = 0; i < sizeof structures / sizeof structures[0]; i++) {
        const raaf_json_value_t value = value_of(structures[i], "");

        CHECK_EQ_INT(raaf_said_only_structure(&value), RAAF_OK);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        const raaf_json_value_t value = value_of(others[i], "");

        CHECK_EQ_INT(raaf_said_only_structure(&value), RAAF_INVALID_EVENT);
    }
}

TEST(said_label_is_a_string_and_may_be_a_number_where_allowed) {
    const raaf_json_value_t string = value_of(RAAF_JSON_STRING, "a\xFF");
    const raaf_json_value_t number = value_of(RAAF_JSON_NUMBER, "429");
    const raaf_json_value_t object = value_of(RAAF_JSON_CLOSE_OBJECT, "{}");
    raaf_range_t label = {0}, code = {0};
    raaf_notes_t notes;

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_said_label(&notes, &label, &string), RAAF_OK);
    CHECK_EQ_INT(raaf_said_label(&notes, &label, &number), RAAF_OK);
    CHECK_EQ_INT(raaf_said_label_or_number(&notes, &code, &string), RAAF_OK);
    CHECK_EQ_INT(raaf_said_label_or_number(&notes, &code, &number), RAAF_OK);
    CHECK_EQ_INT(raaf_said_label_or_number(&notes, &code, &object), RAAF_OK);
    notes_say(&notes, label, "a\xEF\xBF\xBD");
    notes_say(&notes, code, "429");
    raaf_notes_free(&notes);
}

TEST(said_count_is_a_whole_number_from_0_on) {
    static const struct {
        raaf_json_type_t type;
        const char *text;
        int64_t count;
    } values[] = {
        {RAAF_JSON_NUMBER, "0", 0},    {RAAF_JSON_NUMBER, "12.0", 12}, {RAAF_JSON_NUMBER, "-1", 7},
        {RAAF_JSON_NUMBER, "1.5", 7},  {RAAF_JSON_STRING, "3", 7},     {RAAF_JSON_NULL, "", 7},
        {RAAF_JSON_NUMBER, "1e99", 7},
    };

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const raaf_json_value_t value = value_of(values[i].type, values[i].text);
        int64_t count = 7;

        raaf_said_count(&count, &value);
        CHECK_EQ_INT(count, values[i].count);
    }
}

/* [fault] as it is handed over; returns what the hand-over returned. */
static int handed_over(const raaf_notes_t *notes, const raaf_said_fault_t *fault,
                       transcript_t *transcript) {
    raaf_delta_sink_t sink;
    int rc;

    raaf_delta_sink_init(&sink, transcript_delta, transcript);
    rc = raaf_said_put_fault(notes, fault, &sink);
    raaf_delta_sink_free(&sink);
    return rc;
}

TEST(said_fault_is_an_object_or_a_string_that_is_not_empty) {
    const raaf_json_value_t object = value_of(RAAF_JSON_CLOSE_OBJECT, "{\"x\":1}");
    const raaf_json_value_t string = value_of(RAAF_JSON_STRING, "Slow down");
    const raaf_json_value_t empty = value_of(RAAF_JSON_STRING, "");
    const raaf_json_value_t null = value_of(RAAF_JSON_NULL, "");
    raaf_said_fault_t first = {0}, second = {0}, none = {0};
    raaf_notes_t notes;

    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_said_fault(&notes, &first, &object), RAAF_OK);
    CHECK_EQ_INT(raaf_said_fault(&notes, &second, &string), RAAF_OK);
    CHECK_EQ_INT(raaf_said_fault(&notes, &none, &empty), RAAF_OK);
    CHECK_EQ_INT(raaf_said_fault(&notes, &none, &null), RAAF_OK);
    CHECK(first.given && second.given && !none.given);
    notes_say(&notes, first.json, "{\"x\":1}");
    notes_say(&notes, second.message, "Slow down");
    CHECK_EQ_UINT(second.json.len, 0);
    raaf_notes_free(&notes);
}

TEST(said_fault_is_handed_over_with_all_its_fields) {
    raaf_said_fault_t fault = {0};
    raaf_notes_t notes;
    transcript_t transcript;

    raaf_notes_init(&notes);
    transcript_init(&transcript);
    raaf_notes_set(&notes, &fault.json, "{}", 2);
    raaf_notes_set(&notes, &fault.message, "m", 1);
    raaf_notes_set(&notes, &fault.type, "t", 1);
    raaf_notes_set(&notes, &fault.code, "c", 1);
    raaf_notes_set(&notes, &fault.param, "p", 1);
    CHECK_EQ_INT(handed_over(&notes, &fault, &transcript), RAAF_PROVIDER_ERROR);
    CHECK_EQ_STR(transcript.text.bytes, transcript.text.len,
                 "error message=m type=t code=c param=p: {}\n");
    transcript.stop_after = 2;
    CHECK_EQ_INT(handed_over(&notes, &fault, &transcript), RAAF_STOP);
    transcript_free(&transcript);
    raaf_notes_free(&notes);
}

TEST(said_raw_fault_is_the_start_of_what_was_sent) {
    char large[5000];
    raaf_said_fault_t fault = {0};
    raaf_notes_t notes;

    memset(large, 'x', sizeof large);
    raaf_notes_init(&notes);
    CHECK_EQ_INT(raaf_said_raw_fault(&notes, &fault, large, sizeof large), RAAF_OK);
    CHECK_EQ_UINT(fault.message.len, 4096);
    CHECK_EQ_INT(raaf_said_raw_fault(&notes, &fault, "no", 2), RAAF_OK);
    notes_say(&notes, fault.message, "no");
    raaf_notes_free(&notes);
}

TEST(said_reports_that_memory_ran_out) {
    const raaf_json_value_t string = value_of(RAAF_JSON_STRING, "a");
    raaf_said_fault_t fault = {0};
    raaf_range_t label = {0};
    raaf_notes_t notes;

    raaf_notes_init(&notes);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_said_label(&notes, &label, &string), RAAF_NO_MEMORY);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_said_label_or_number(&notes, &label, &string), RAAF_NO_MEMORY);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_said_fault(&notes, &fault, &string), RAAF_NO_MEMORY);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_said_raw_fault(&notes, &fault, "a", 1), RAAF_NO_MEMORY);
    memory_is_back();
    raaf_notes_free(&notes);
}
