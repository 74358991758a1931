#include "admission.h"

#include "clock.h"
#include "random_source.h"
#include "result_code.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 16

typedef struct line line_t;

typedef struct user {
    struct user *next; /* of its bucket */
    uint64_t hash;
    size_t references; /* places of his, whether held or not */
    size_t held;
    line_t *lines; /* all of his, in turn or aside */
    bool named;    /* false: everybody without a name */
    size_t len;
    char name[];
} user_t;

/* Those of one user who wait for the same. Never empty. */
struct line {
    user_t *user;
    raaf_place_limits_t limits;
    raaf_place_t *first;
    raaf_place_t *last;
    line_t *user_next;
    line_t *next; /* of those who take turns */
    line_t *previous;
    bool aside; /* its user is at his limit; it takes no turn */
};

typedef enum place_state {
    PLACE_NEW, /* never had */
    PLACE_WAITING,
    PLACE_HELD,
    PLACE_GIVEN_BACK
} place_state_t;

struct raaf_place {
    atomic_uint references;
    raaf_admission_t *admission; /* one reference */
    raaf_place_limits_t limits;
    user_t *user;
    uint64_t made_at;

    /* covered by the admission's mutex */
    place_state_t state;
    raaf_stream_t *stream; /* one reference while the state is WAITING or HELD; else NULL */
    uint64_t since;        /* when it began to wait, or got the place */
    line_t *line;          /* while it waits */
    raaf_place_t *next;
    raaf_place_t *previous;
    raaf_stream_progress_t before; /* of the streams before this one */

    /* of the thread that has granted it, until it has told so */
    raaf_place_t *granted_next;
    raaf_stream_t *granted_stream;
};

struct raaf_admission {
    atomic_uint references;
    void (*granted)(raaf_stream_t *stream);

    pthread_mutex_t mutex; /* covers all below, and users and lines */
    size_t held;
    size_t waiting;
    size_t widest; /* no line that waits has a higher limit of places */
    line_t *first; /* whose turn it is */
    line_t *last;
    user_t **buckets; /* as many as a power of two */
    size_t bucket_count;
    size_t user_count;
    uint64_t seed;
};

/* ---- users ---- */

static uint64_t hash_of(const raaf_admission_t *admission, const char *name, size_t len) {
    uint64_t hash = 14695981039346656037u ^ admission->seed; /* FNV-1a, 64 bits */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)name[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

static user_t **bucket_of(raaf_admission_t *admission, uint64_t hash) {
    return &admission->buckets[hash & (admission->bucket_count - 1)];
}

/* Without memory the buckets stay as they are, and get longer. */
static void grow(raaf_admission_t *admission) {
    size_t before = admission->bucket_count;
    if (admission->user_count < before) return;
    user_t **old = admission->buckets;
    user_t **buckets = calloc(before * 2, sizeof *buckets);
    if (!buckets) return;
    admission->buckets = buckets;
    admission->bucket_count = before * 2;
    for (size_t i = 0; i < before; i++) {
        for (user_t *user = old[i], *next; user; user = next) {
            next = user->next;
            user_t **bucket = bucket_of(admission, user->hash);
            user->next = *bucket;
            *bucket = user;
        }
    }
    free(old);
}

static user_t *find_user(raaf_admission_t *admission, uint64_t hash, const char *name, size_t len) {
    for (user_t *user = *bucket_of(admission, hash); user; user = user->next) {
        if (user->hash != hash || user->named != (name != NULL) || user->len != len) continue;
        if (len == 0 || memcmp(user->name, name, len) == 0) return user;
    }
    return NULL;
}

/* Mutex held. NULL: out of memory. */
static user_t *take_user(raaf_admission_t *admission, const char *name, size_t len) {
    uint64_t hash = hash_of(admission, name, len);
    user_t *user = find_user(admission, hash, name, len);
    if (!user) {
        user = calloc(1, sizeof *user + len);
        if (!user) return NULL;
        user->hash = hash;
        user->named = name != NULL;
        user->len = len;
        if (len) memcpy(user->name, name, len);
        grow(admission);
        user_t **bucket = bucket_of(admission, hash);
        user->next = *bucket;
        *bucket = user;
        admission->user_count++;
    }
    user->references++;
    return user;
}

/* Mutex held. */
static void drop_user(raaf_admission_t *admission, user_t *user) {
    if (--user->references) return;
    user_t **at = bucket_of(admission, user->hash);
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    admission->user_count--;
    free(user);
}

/* ---- lines; mutex held ---- */

static bool user_full(const user_t *user, const raaf_place_limits_t *limits) {
    return user->held >= limits->places_per_user;
}

static void take_turns(raaf_admission_t *admission, line_t *line) {
    line->aside = false;
    line->next = NULL;
    line->previous = admission->last;
    if (admission->last)
        admission->last->next = line;
    else
        admission->first = line;
    admission->last = line;
}

static void take_no_turns(raaf_admission_t *admission, line_t *line) {
    if (line->previous)
        line->previous->next = line->next;
    else
        admission->first = line->next;
    if (line->next)
        line->next->previous = line->previous;
    else
        admission->last = line->previous;
}

static bool same_limits(const raaf_place_limits_t *one, const raaf_place_limits_t *other) {
    return one->places == other->places && one->places_per_user == other->places_per_user;
}

/* The line for [place]; NULL: there is none. */
static line_t *find_line(const raaf_place_t *place) {
    line_t *line = place->user->lines;
    while (line && !same_limits(&line->limits, &place->limits))
        line = line->user_next;
    return line;
}

/* An empty one, for one who stands in it at once. NULL: out of memory. */
static line_t *add_line(const raaf_place_t *place) {
    raaf_admission_t *admission = place->admission;
    user_t *user = place->user;
    line_t *line = calloc(1, sizeof *line);
    if (!line) return NULL;
    line->user = user;
    line->limits = place->limits;
    line->user_next = user->lines;
    user->lines = line;
    line->aside = user_full(user, &line->limits);
    if (!line->aside) take_turns(admission, line);
    if (line->limits.places > admission->widest) admission->widest = line->limits.places;
    return line;
}

static void remove_line(raaf_admission_t *admission, line_t *line) {
    if (!line->aside) take_no_turns(admission, line);
    line_t **at = &line->user->lines;
    while (*at != line)
        at = &(*at)->user_next;
    *at = line->user_next;
    free(line);
}

static void stand_in(line_t *line, raaf_place_t *place) {
    place->line = line;
    place->next = NULL;
    place->previous = line->last;
    if (line->last)
        line->last->next = place;
    else
        line->first = place;
    line->last = place;
    place->admission->waiting++;
}

static void step_out(raaf_place_t *place) {
    raaf_admission_t *admission = place->admission;
    line_t *line = place->line;
    if (place->previous)
        place->previous->next = place->next;
    else
        line->first = place->next;
    if (place->next)
        place->next->previous = place->previous;
    else
        line->last = place->previous;
    place->line = NULL;
    if (!line->first) remove_line(admission, line);
    if (--admission->waiting == 0) admission->widest = 0;
}

/* ---- granting; mutex held ---- */

static void hold(raaf_place_t *place) {
    place->state = PLACE_HELD;
    place->since = raaf_clock_now();
    place->user->held++;
    place->admission->held++;
}

/* Takes who stands first out of [line], which goes behind the others. Returns him. */
static raaf_place_t *grant_first(raaf_admission_t *admission, line_t *line) {
    raaf_place_t *place = line->first;
    take_no_turns(admission, line);
    take_turns(admission, line);
    step_out(place); /* the line may be gone after this */
    hold(place);
    raaf_place_retain(place);
    raaf_stream_retain(place->stream);
    place->granted_stream = place->stream;
    place->granted_next = NULL;
    return place;
}

/* Lets in who can go now. Returns those to be told once the mutex is left, in order. */
static raaf_place_t *let_in(raaf_admission_t *admission) {
    raaf_place_t *granted = NULL, **end = &granted;
    line_t *line = admission->first;
    while (line && admission->held < admission->widest) {
        line_t *next = line->next;
        if (user_full(line->user, &line->limits)) {
            take_no_turns(admission, line);
            line->aside = true;
        } else if (admission->held < line->limits.places) {
            *end = grant_first(admission, line);
            end = &(*end)->granted_next;
            next = admission->first;
        }
        line = next;
    }
    return granted;
}

/* One of the user's places is free again. */
static void call_back(raaf_admission_t *admission, user_t *user) {
    for (line_t *line = user->lines; line; line = line->user_next)
        if (line->aside && !user_full(user, &line->limits)) take_turns(admission, line);
}

/* Without the mutex: who is told may come back here. */
static void tell(const raaf_admission_t *admission, raaf_place_t *granted) {
    while (granted) {
        raaf_place_t *place = granted;
        raaf_stream_t *stream = place->granted_stream;
        granted = place->granted_next;
        admission->granted(stream);
        raaf_stream_release(stream);
        raaf_place_release(place);
    }
}

/* ---- the admission ---- */

raaf_admission_t *raaf_admission_new(void (*granted)(raaf_stream_t *stream)) {
    raaf_admission_t *admission = calloc(1, sizeof *admission);
    if (!admission) return NULL;
    admission->buckets = calloc(FIRST_BUCKETS, sizeof(user_t *));
    if (!admission->buckets) goto fail;
    if (pthread_mutex_init(&admission->mutex, NULL) != 0) goto fail;
    atomic_init(&admission->references, 1);
    admission->granted = granted;
    admission->bucket_count = FIRST_BUCKETS;
    raaf_random_t random;
    raaf_random_seed(&random);
    admission->seed = raaf_random_next(&random);
    return admission;

fail:
    free(admission->buckets);
    free(admission);
    return NULL;
}

void raaf_admission_retain(raaf_admission_t *admission) {
    atomic_fetch_add_explicit(&admission->references, 1, memory_order_relaxed);
}

void raaf_admission_release(raaf_admission_t *admission) {
    if (atomic_fetch_sub_explicit(&admission->references, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_destroy(&admission->mutex);
    free(admission->buckets);
    free(admission);
}

void raaf_admission_counts(raaf_admission_t *admission, size_t *held, size_t *waiting) {
    pthread_mutex_lock(&admission->mutex);
    *held = admission->held;
    *waiting = admission->waiting;
    pthread_mutex_unlock(&admission->mutex);
}

/* ---- places ---- */

raaf_place_t *raaf_place_new(raaf_admission_t *admission, const raaf_place_limits_t *limits,
                             const char *user, size_t user_len) {
    raaf_place_t *place = calloc(1, sizeof *place);
    if (!place) return NULL;
    atomic_init(&place->references, 1);
    place->limits = *limits;
    if (!user) place->limits.places_per_user = RAAF_NO_LIMIT;
    place->made_at = raaf_clock_now();
    pthread_mutex_lock(&admission->mutex);
    place->user = take_user(admission, user, user ? user_len : 0);
    pthread_mutex_unlock(&admission->mutex);
    if (!place->user) {
        free(place);
        return NULL;
    }
    raaf_admission_retain(admission);
    place->admission = admission;
    return place;
}

void raaf_place_retain(raaf_place_t *place) {
    atomic_fetch_add_explicit(&place->references, 1, memory_order_relaxed);
}

/* Who holds or waits has a stream, which has a reference: here nobody does. */
void raaf_place_release(raaf_place_t *place) {
    if (atomic_fetch_sub_explicit(&place->references, 1, memory_order_acq_rel) != 1) return;
    raaf_admission_t *admission = place->admission;
    pthread_mutex_lock(&admission->mutex);
    drop_user(admission, place->user);
    pthread_mutex_unlock(&admission->mutex);
    free(place);
    raaf_admission_release(admission);
}

static raaf_entry_t why_not(const raaf_place_t *place) {
    return user_full(place->user, &place->limits) ? RAAF_ENTRY_USER_FULL : RAAF_ENTRY_FULL;
}

/* Mutex held. Who asks for the first time: gets a place, waits, or is refused. */
static raaf_entry_t ask(raaf_place_t *place) {
    const raaf_place_limits_t *limits = &place->limits;
    raaf_admission_t *admission = place->admission;
    line_t *line = find_line(place);
    bool room = admission->held < limits->places && !user_full(place->user, limits);
    if (room && !line) {
        hold(place);
        return RAAF_ENTRY_GRANTED;
    }
    if (limits->waiting == 0) return why_not(place);
    if (admission->waiting >= limits->waiting) return RAAF_ENTRY_QUEUE_FULL;
    if (!line && !(line = add_line(place))) return RAAF_ENTRY_NO_MEMORY;
    stand_in(line, place);
    place->state = PLACE_WAITING;
    place->since = raaf_clock_now();
    return RAAF_ENTRY_WAITS;
}

static raaf_entry_t enter(raaf_place_t *place) {
    switch (place->state) {
    case PLACE_NEW:
        return ask(place);
    case PLACE_WAITING:
        return RAAF_ENTRY_WAITS;
    case PLACE_GIVEN_BACK:
        hold(place);
        break;
    case PLACE_HELD:
        break;
    }
    return RAAF_ENTRY_GRANTED;
}

/* Mutex held. Returns the stream whose reference was the place's, if there was one. */
static raaf_stream_t *let_go(raaf_place_t *place) {
    raaf_stream_t *stream = place->stream;
    if (stream) raaf_stream_progress_add(&place->before, stream);
    place->stream = NULL;
    return stream;
}

raaf_entry_t raaf_place_enter(raaf_place_t *place, raaf_stream_t *stream) {
    raaf_stream_t *before = NULL;
    pthread_mutex_lock(&place->admission->mutex);
    raaf_entry_t entry = enter(place);
    if (entry == RAAF_ENTRY_GRANTED || entry == RAAF_ENTRY_WAITS) {
        raaf_stream_retain(stream);
        before = let_go(place);
        place->stream = stream;
    }
    pthread_mutex_unlock(&place->admission->mutex);
    if (before) raaf_stream_release(before);
    return entry;
}

bool raaf_place_granted(raaf_place_t *place, const raaf_stream_t *stream, uint64_t *since) {
    pthread_mutex_lock(&place->admission->mutex);
    bool granted = place->stream == stream && place->state == PLACE_HELD;
    *since = place->since;
    pthread_mutex_unlock(&place->admission->mutex);
    return granted;
}

int raaf_place_time_out(raaf_place_t *place, raaf_stream_t *stream) {
    int result = RAAF_OK;
    raaf_stream_t *gone = NULL;
    pthread_mutex_lock(&place->admission->mutex);
    if (place->stream != stream) {
        result = RAAF_CANCELLED;
    } else if (place->state == PLACE_WAITING) {
        bool user = why_not(place) == RAAF_ENTRY_USER_FULL;
        result = user ? RAAF_USER_QUEUE_TIMEOUT : RAAF_QUEUE_TIMEOUT;
        step_out(place);
        place->state = PLACE_NEW;
        gone = let_go(place);
    }
    pthread_mutex_unlock(&place->admission->mutex);
    if (gone) raaf_stream_release(gone);
    return result;
}

/* Mutex held. Returns those who got a place by it. */
static raaf_place_t *leave(raaf_place_t *place) {
    raaf_admission_t *admission = place->admission;
    if (place->state == PLACE_WAITING) {
        step_out(place);
        place->state = PLACE_NEW;
        return NULL;
    }
    place->state = PLACE_GIVEN_BACK;
    place->user->held--;
    admission->held--;
    call_back(admission, place->user);
    return let_in(admission);
}

void raaf_place_leave(raaf_place_t *place, const raaf_stream_t *stream) {
    raaf_admission_t *admission = place->admission;
    raaf_place_t *granted = NULL;
    raaf_stream_t *gone = NULL;
    pthread_mutex_lock(&admission->mutex);
    if (place->stream && (!stream || place->stream == stream)) {
        granted = leave(place);
        gone = let_go(place);
    }
    pthread_mutex_unlock(&admission->mutex);
    tell(admission, granted);
    if (gone) raaf_stream_release(gone);
}

raaf_stream_t *raaf_place_stream(raaf_place_t *place) {
    pthread_mutex_lock(&place->admission->mutex);
    raaf_stream_t *stream = place->stream;
    if (stream) raaf_stream_retain(stream);
    pthread_mutex_unlock(&place->admission->mutex);
    return stream;
}

bool raaf_place_look(raaf_place_t *place, raaf_place_facts_t *facts) {
    pthread_mutex_lock(&place->admission->mutex);
    const raaf_stream_t *stream = place->stream;
    if (stream) {
        raaf_stream_progress_t all = place->before;
        raaf_stream_progress_add(&all, stream);
        *facts = (raaf_place_facts_t){
            .stage = (raaf_stage_t)atomic_load(&stream->stage),
            .made_at = place->made_at,
            .changed_at = all.last_byte_at > place->since ? all.last_byte_at : place->since,
            .bytes = all.bytes,
            .deltas = all.deltas,
            .text_bytes = all.text_bytes,
        };
    }
    pthread_mutex_unlock(&place->admission->mutex);
    return stream != NULL;
}
