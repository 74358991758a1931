/*
 * The sources of one response: each is handed over once, as a CITATION, however often it is listed.
 *
 * Servers that search list their sources in every event, and some list them twice: as objects that
 * describe each, and as mere URLs. A list that is byte by byte the one before costs a comparison.
 * Not shared.
 */
#ifndef RAAF_SOURCES_H
#define RAAF_SOURCES_H

#include "buffer.h"
#include "delta_sink.h"
#include "json_reader.h"
#include "notes.h"
#include "seen.h"

#include <stddef.h>

/* The sources that a response may have; no more than are remembered. */
#define RAAF_SOURCES_MAX 1024

/* Bytes of a list that is kept, to be compared with the next one. */
#define RAAF_SOURCES_MAX_LAST ((size_t)256 << 10)

/* The lists that a response has; each is compared with itself. */
typedef enum raaf_source_list {
    RAAF_SOURCES_RESULTS, /* objects with a url */
    RAAF_SOURCES_URLS,
    RAAF_SOURCES_LIST_COUNT
} raaf_source_list_t;

typedef struct raaf_sources {
    raaf_json_reader_t reader;
    raaf_buffer_t last[RAAF_SOURCES_LIST_COUNT]; /* each list as it came last */
    raaf_seen_t seen;                            /* sources that were handed over, by their keys */
    raaf_buffer_t wrapped;                       /* the list as an object, for the reader */
    raaf_buffer_t json;                          /* one source on its way out */
    raaf_notes_t notes;                          /* the URL of the one that is read */
    raaf_range_t url;
    raaf_delta_sink_t *sink; /* borrowed, while a list is read */
} raaf_sources_t;

/* Allocates nothing. */
void raaf_sources_init(raaf_sources_t *sources);

/*
 * Takes a list, a JSON array that was read once already, and hands over those of its sources that
 * were not seen in any list before: an object as it is, a string as {"url":…}. Two are the same if
 * they have the same URL; an object without one, if it is the same byte by byte. They are known
 * again by a hash (seen.h).
 *
 * Return values: RAAF_OK, RAAF_NO_MEMORY, RAAF_EVENT_TOO_LARGE (a cap), or what the receiver of
 * the deltas returned.
 */
int raaf_sources_take(raaf_sources_t *sources, raaf_source_list_t which, raaf_slice_t list,
                      raaf_delta_sink_t *sink);

void raaf_sources_free(raaf_sources_t *sources);

#endif
