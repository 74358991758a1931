/*
 * Admission: which runs may ask their models now, and who waits for that.
 *
 * A run has one place from its first request to its end, however many requests it makes in between.
 * There are so many places in the process, and so many for each user. A run carries the limits that
 * it was asked with and is measured by those alone; where they leave it no place, it is refused or
 * waits.
 *
 * Those who wait stand in lines. A line is those of one user who were asked with the same limits:
 * who came first goes first. Lines take turns, so that a user who asks for much waits for himself
 * and not for others' cost. A place that becomes free is handed on before the mutex is left: no
 * newcomer overtakes somebody who waits for the same. A user at his own limit holds nobody else up:
 * his lines stand aside until one of his places is free.
 *
 * All functions: any thread, also a garbage collector's: under the mutex there are pointer moves,
 * malloc and free, and no other lock. In a forked child all of it is given up (the mutex may be
 * locked for ever), and another admission begins.
 */
#ifndef RAAF_ADMISSION_H
#define RAAF_ADMISSION_H

#include "stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_NO_LIMIT SIZE_MAX

typedef struct raaf_admission raaf_admission_t;
typedef struct raaf_place raaf_place_t;

typedef struct raaf_place_limits {
    size_t places;          /* runs of the process at once; RAAF_NO_LIMIT: as many as come */
    size_t places_per_user; /* of them, those of this run's user */
    size_t waiting;         /* runs that may wait, of all users; 0: this one does not wait */
} raaf_place_limits_t;

typedef enum raaf_entry {
    RAAF_ENTRY_GRANTED,
    RAAF_ENTRY_WAITS,      /* its stream gets RAAF_COMMAND_GRANT, or gives up (see below) */
    RAAF_ENTRY_FULL,       /* no place in the process */
    RAAF_ENTRY_USER_FULL,  /* none for this user */
    RAAF_ENTRY_QUEUE_FULL, /* none, and as many wait as may */
    RAAF_ENTRY_NO_MEMORY
} raaf_entry_t;

/* How far a run has come, over all its streams. Times: raaf_clock_now(). */
typedef struct raaf_place_facts {
    raaf_stage_t stage;  /* of the stream that holds it */
    uint64_t made_at;    /* when the run was asked for */
    uint64_t changed_at; /* when the last byte came; before that, when it began or began to wait */
    uint64_t bytes;      /* of response bodies */
    uint64_t deltas;     /* pieces of text, reasoning, refusals and arguments */
    uint64_t text_bytes; /* of text, reasoning and refusals */
} raaf_place_facts_t;

/*
 * [granted] is told of each stream whose wait is over by a place; called without the mutex, on the
 * thread that gave the place back. NULL: out of memory. One reference.
 */
raaf_admission_t *raaf_admission_new(void (*granted)(raaf_stream_t *stream));
void raaf_admission_retain(raaf_admission_t *admission);
void raaf_admission_release(raaf_admission_t *admission);

/* Places that are held, and runs that wait for one. */
void raaf_admission_counts(raaf_admission_t *admission, size_t *held, size_t *waiting);

/*
 * What a run needs to ask for its place; it has none yet. [user]: bytes that tell one user from
 * another, copied; NULL: nobody's, which no limit per user concerns. It holds a reference to the
 * admission. NULL: out of memory. One reference.
 */
raaf_place_t *raaf_place_new(raaf_admission_t *admission, const raaf_place_limits_t *limits,
                             const char *user, size_t user_len);
void raaf_place_retain(raaf_place_t *place);
void raaf_place_release(raaf_place_t *place);

/*
 * The run goes on with [stream], which holds the place from now on, or waits for it; the place
 * holds a reference to it meanwhile. The first of a run's streams may be refused. What follows
 * never is, and never waits again: it takes the place over, stands in the line where the one before
 * stood, and where that had given the place back it gets one beyond the limits.
 */
raaf_entry_t raaf_place_enter(raaf_place_t *place, raaf_stream_t *stream);

/*
 * Whether [stream] holds the place. Else it stands in a line, and [since] gets when its run began to;
 * or it was given up, or another one has followed it, and it never gets one.
 */
bool raaf_place_granted(raaf_place_t *place, const raaf_stream_t *stream, uint64_t *since);

/*
 * [stream] waits no longer. RAAF_OK: it has been granted its place meanwhile, and holds it.
 * RAAF_QUEUE_TIMEOUT, RAAF_USER_QUEUE_TIMEOUT: it has left the line, where it waited for a place in
 * the process, or for one of its user's. RAAF_CANCELLED: it was given up, or another one has
 * followed it.
 */
int raaf_place_time_out(raaf_place_t *place, raaf_stream_t *stream);

/*
 * [stream] has ended, or is given up: gives the place back, or leaves the line. Does nothing for
 * one that another stream has followed. NULL: whichever stream holds it.
 */
void raaf_place_leave(raaf_place_t *place, const raaf_stream_t *stream);

/* The stream that holds the place or waits for it, with a reference; NULL: none. */
raaf_stream_t *raaf_place_stream(raaf_place_t *place);

/* Returns false if no stream holds it or waits for it. */
bool raaf_place_look(raaf_place_t *place, raaf_place_facts_t *facts);

#endif
