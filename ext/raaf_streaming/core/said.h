/*
 * What the readers of all dialects (the files x_said) do with a value that they read: look whether
 * it is what it must be, and keep it aside in the notes. Not shared.
 */
#ifndef RAAF_SAID_H
#define RAAF_SAID_H

#include "delta_sink.h"
#include "json_reader.h"
#include "notes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether [value] is the string [text]. */
bool raaf_said_is(const raaf_json_value_t *value, const char *text);

/*
 * For a field that carries the answer, and is an object or an array: what it holds must not be
 * dropped in silence. RAAF_INVALID_EVENT for a string, a number, true or false; else RAAF_OK.
 */
int raaf_said_only_structure(const raaf_json_value_t *value);

/*
 * Each keeps [value] in place of what [range] held, as valid UTF-8; one of another type is passed
 * over. Return values: RAAF_OK, RAAF_NO_MEMORY.
 *   label           a string
 *   label_or_number a string, or a number in its digits
 */
int raaf_said_label(raaf_notes_t *notes, raaf_range_t *range, const raaf_json_value_t *value);
int raaf_said_label_or_number(raaf_notes_t *notes, raaf_range_t *range,
                              const raaf_json_value_t *value);

/* A count of tokens; one that is no whole number from 0 on is passed over. */
void raaf_said_count(int64_t *count, const raaf_json_value_t *value);

/* An error, in the notes; what was not said is empty. All zero: no error. */
typedef struct raaf_said_fault {
    bool given;        /* `error` is an object, or a string that is not empty */
    raaf_range_t json; /* the object; a dialect puts the whole event here where it is none */
    raaf_range_t message;
    raaf_range_t type;
    raaf_range_t code;
    raaf_range_t param;
} raaf_said_fault_t;

/* The field `error` itself: an object, or a string, which is the message. As for a label. */
int raaf_said_fault(raaf_notes_t *notes, raaf_said_fault_t *fault, const raaf_json_value_t *value);

/* An error's event that is no object: its start is the message. As for a label. */
int raaf_said_raw_fault(raaf_notes_t *notes, raaf_said_fault_t *fault, const char *bytes,
                        size_t len);

/* Hands the error over. Borrows the notes. Return values: as raaf_delta_sink_fault. */
int raaf_said_put_fault(const raaf_notes_t *notes, const raaf_said_fault_t *fault,
                        raaf_delta_sink_t *sink);

#endif
