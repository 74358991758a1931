#include "stream_consumer.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "admission.c"

#define RUNS 24

/* Those that were granted a place after they had waited, in order. */
static raaf_stream_t *told[RUNS];
static size_t told_count;

static void note(raaf_stream_t *stream) {
    told[told_count++ % RUNS] = stream;
}

static raaf_admission_t *open_admission(void) {
    told_count = 0;
    return raaf_admission_new(note);
}

typedef struct run {
    raaf_place_t *place;
    raaf_stream_t *stream; /* its latest */
} run_t;

static raaf_stream_t *stream_new(void) {
    return raaf_stream_new(script_new(), 1, NULL);
}

static run_t run_with(raaf_admission_t *admission, const char *user, raaf_place_limits_t limits) {
    const size_t len = user ? strlen(user) : 0;

    return (run_t){raaf_place_new(admission, &limits, user, len), stream_new()};
}

/* Asks with these limits, and for as many to wait as want to. */
static run_t run_of(raaf_admission_t *admission, const char *user, size_t places, size_t per_user) {
    return run_with(admission, user, (raaf_place_limits_t){places, per_user, RAAF_NO_LIMIT});
}

static raaf_entry_t asks(run_t *run) {
    return raaf_place_enter(run->place, run->stream);
}

/* Its next request. */
static raaf_entry_t goes_on(run_t *run) {
    raaf_stream_release(run->stream);
    run->stream = stream_new();
    return asks(run);
}

static void leaves(const run_t *run) {
    raaf_place_leave(run->place, run->stream);
}

static void forget(run_t *run) {
    leaves(run);
    raaf_stream_release(run->stream);
    raaf_place_release(run->place);
}

static bool counts_are(raaf_admission_t *admission, size_t held, size_t waiting) {
    size_t found_held, found_waiting;

    raaf_admission_counts(admission, &found_held, &found_waiting);
    return CHECK_EQ_UINT(found_held, held) && CHECK_EQ_UINT(found_waiting, waiting);
}

static void close_admission(raaf_admission_t *admission) {
    counts_are(admission, 0, 0);
    raaf_admission_release(admission);
    CHECK_EQ_UINT(raaf_stream_live_count(), 0);
}

/* ---- limits ---- */

TEST(place_is_refused_where_the_process_has_none_left) {
    raaf_admission_t *admission = open_admission();
    const raaf_place_limits_t limits = {2, RAAF_NO_LIMIT, 0};
    run_t runs[3];

    for (int i = 0; i < 3; i++)
        runs[i] = run_with(admission, "ann", limits);
    CHECK_EQ_INT(asks(&runs[0]), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&runs[1]), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&runs[2]), RAAF_ENTRY_FULL);
    counts_are(admission, 2, 0);
    leaves(&runs[0]);
    CHECK_EQ_INT(asks(&runs[2]), RAAF_ENTRY_GRANTED);
    for (int i = 0; i < 3; i++)
        forget(&runs[i]);
    CHECK_EQ_UINT(told_count, 0);
    close_admission(admission);
}

TEST(place_is_refused_where_its_user_has_none_left) {
    raaf_admission_t *admission = open_admission();
    const raaf_place_limits_t limits = {10, 1, 0};
    run_t ann = run_with(admission, "ann", limits), again = run_with(admission, "ann", limits);
    run_t bob = run_with(admission, "bob", limits), empty = run_with(admission, "", limits);

    CHECK_EQ_INT(asks(&ann), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&again), RAAF_ENTRY_USER_FULL);
    CHECK_EQ_INT(asks(&bob), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&empty), RAAF_ENTRY_GRANTED);
    leaves(&ann);
    CHECK_EQ_INT(asks(&again), RAAF_ENTRY_GRANTED);
    forget(&ann);
    forget(&again);
    forget(&bob);
    forget(&empty);
    close_admission(admission);
}

TEST(place_of_nobody_knows_no_limit_of_a_user) {
    raaf_admission_t *admission = open_admission();
    run_t runs[3];

    for (int i = 0; i < 3; i++) {
        runs[i] = run_of(admission, NULL, 10, 1);
        CHECK_EQ_INT(asks(&runs[i]), RAAF_ENTRY_GRANTED);
    }
    for (int i = 0; i < 3; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(place_may_be_waited_for_by_so_many) {
    raaf_admission_t *admission = open_admission();
    const raaf_place_limits_t limits = {1, RAAF_NO_LIMIT, 2};
    run_t runs[4];

    for (int i = 0; i < 4; i++)
        runs[i] = run_with(admission, i % 2 ? "ann" : "bob", limits);
    CHECK_EQ_INT(asks(&runs[0]), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&runs[1]), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(asks(&runs[2]), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(asks(&runs[3]), RAAF_ENTRY_QUEUE_FULL);
    leaves(&runs[1]);
    CHECK_EQ_INT(asks(&runs[3]), RAAF_ENTRY_WAITS);
    for (int i = 0; i < 4; i++)
        forget(&runs[i]);
    close_admission(admission);
}

/* ---- the order ---- */

/* Gives back who holds the place until nobody waits: so the names of [runs] come in order. */
static void goes_in_order(run_t *runs, size_t count, const char *const names[], const char *order) {
    char found[256] = "";

    leaves(&runs[0]);
    for (size_t i = 0; i < told_count; i++) {
        for (size_t j = 0; j < count; j++) {
            if (runs[j].stream != told[i]) continue;
            strcat(found, names[j]);
            leaves(&runs[j]); /* grants the next */
        }
    }
    CHECK_EQ_CSTR(found, order);
}

TEST(place_goes_to_who_came_first_of_a_user) {
    raaf_admission_t *admission = open_admission();
    static const char *const names[] = {"", "1", "2", "3"};
    run_t runs[4];

    for (int i = 0; i < 4; i++) {
        runs[i] = run_of(admission, "ann", 1, RAAF_NO_LIMIT);
        CHECK_EQ_INT(asks(&runs[i]), i ? RAAF_ENTRY_WAITS : RAAF_ENTRY_GRANTED);
    }
    goes_in_order(runs, 4, names, "123");
    for (int i = 0; i < 4; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(place_goes_to_each_user_in_turn) {
    raaf_admission_t *admission = open_admission();
    static const char *const users[] = {"x", "a", "a", "a", "a", "b", "b", "c", NULL, NULL};
    static const char *const names[] = {"", "a1", "a2", "a3", "a4", "b1", "b2", "c1", "n1", "n2"};
    run_t runs[10];

    for (int i = 0; i < 10; i++) {
        runs[i] = run_of(admission, users[i], 1, RAAF_NO_LIMIT);
        asks(&runs[i]);
    }
    counts_are(admission, 1, 9);
    goes_in_order(runs, 10, names, "a1b1c1n1a2b2n2a3a4");
    for (int i = 0; i < 10; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(place_that_is_given_up_in_the_line_changes_nothing_for_the_others) {
    raaf_admission_t *admission = open_admission();
    static const char *const users[] = {"x", "a", "a", "a", "b", "c"};
    static const char *const names[] = {"", "a1", "a2", "a3", "b1", "c1"};
    run_t runs[6];

    for (int i = 0; i < 6; i++) {
        runs[i] = run_of(admission, users[i], 1, RAAF_NO_LIMIT);
        asks(&runs[i]);
    }
    leaves(&runs[2]); /* in the middle */
    leaves(&runs[4]); /* the only one */
    counts_are(admission, 1, 3);
    CHECK_EQ_UINT(told_count, 0);
    goes_in_order(runs, 6, names, "a1c1a3");
    for (int i = 0; i < 6; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(user_at_his_limit_holds_nobody_else_up) {
    raaf_admission_t *admission = open_admission();
    run_t ann = run_of(admission, "ann", 2, 1), again = run_of(admission, "ann", 2, 1);
    run_t bob = run_of(admission, "bob", 2, 1), carol = run_of(admission, "carol", 2, 1);

    CHECK_EQ_INT(asks(&ann), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&again), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(asks(&bob), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&carol), RAAF_ENTRY_WAITS);
    leaves(&bob);
    CHECK_EQ_UINT(told_count, 1);
    CHECK_EQ_PTR(told[0], carol.stream);
    leaves(&ann);
    CHECK_EQ_UINT(told_count, 2);
    CHECK_EQ_PTR(told[1], again.stream);
    forget(&ann);
    forget(&again);
    forget(&bob);
    forget(&carol);
    close_admission(admission);
}

TEST(place_is_not_taken_from_who_waits_by_who_comes) {
    raaf_admission_t *admission = open_admission();
    run_t runs[3];

    for (int i = 0; i < 3; i++)
        runs[i] = run_of(admission, i ? "bob" : "ann", 1, RAAF_NO_LIMIT);
    asks(&runs[0]);
    asks(&runs[1]);
    leaves(&runs[0]);
    CHECK_EQ_INT(asks(&runs[2]), RAAF_ENTRY_WAITS);
    CHECK_EQ_PTR(told[0], runs[1].stream);
    for (int i = 0; i < 3; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(run_is_measured_by_its_own_limits_alone) {
    raaf_admission_t *admission = open_admission();
    run_t narrow[3], wide = run_of(admission, "ann", 3, RAAF_NO_LIMIT);
    run_t wider = run_of(admission, "ann", RAAF_NO_LIMIT, RAAF_NO_LIMIT);

    for (int i = 0; i < 3; i++) {
        narrow[i] = run_of(admission, "ann", 1, RAAF_NO_LIMIT);
        CHECK_EQ_INT(asks(&narrow[i]), i ? RAAF_ENTRY_WAITS : RAAF_ENTRY_GRANTED);
    }
    CHECK_EQ_INT(asks(&wide), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(asks(&wider), RAAF_ENTRY_GRANTED);
    leaves(&narrow[0]);
    leaves(&wide);
    CHECK_EQ_UINT(told_count, 0);
    leaves(&wider);
    CHECK_EQ_UINT(told_count, 1);
    CHECK_EQ_PTR(told[0], narrow[1].stream);
    for (int i = 0; i < 3; i++)
        forget(&narrow[i]);
    forget(&wide);
    forget(&wider);
    close_admission(admission);
}

/* ---- the life of a run ---- */

TEST(run_keeps_its_place_over_all_its_streams) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 1, 1), other = run_of(admission, "bob", 1, 1);

    asks(&run);
    raaf_stream_t *before = run.stream;
    raaf_stream_retain(before);
    CHECK_EQ_INT(asks(&other), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(goes_on(&run), RAAF_ENTRY_GRANTED);
    raaf_place_leave(run.place, before); /* it is another stream's by now */
    counts_are(admission, 1, 1);
    raaf_place_leave(run.place, NULL);
    counts_are(admission, 1, 0);
    leaves(&run);
    counts_are(admission, 1, 0);
    CHECK_EQ_PTR(told[0], other.stream);
    raaf_stream_release(before);
    forget(&run);
    forget(&other);
    close_admission(admission);
}

TEST(run_that_goes_on_after_it_had_given_its_place_back_gets_one_all_the_same) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 1, 1), other = run_of(admission, "ann", 1, 1);
    run_t third = run_of(admission, "bob", 1, 1);

    asks(&run);
    asks(&other);
    leaves(&run);
    CHECK_EQ_INT(goes_on(&run), RAAF_ENTRY_GRANTED);
    counts_are(admission, 2, 0);
    asks(&third);
    leaves(&other);
    CHECK_EQ_UINT(told_count, 1); /* there was one too many */
    leaves(&run);
    CHECK_EQ_PTR(told[1], third.stream);
    forget(&run);
    forget(&other);
    forget(&third);
    close_admission(admission);
}

TEST(run_that_waits_stays_where_it_stands_with_another_stream) {
    raaf_admission_t *admission = open_admission();
    run_t runs[3];
    uint64_t since, later;

    for (int i = 0; i < 3; i++) {
        runs[i] = run_of(admission, "ann", 1, 1);
        asks(&runs[i]);
    }
    const raaf_stream_t *before = runs[1].stream;
    CHECK(!raaf_place_granted(runs[1].place, before, &since));
    CHECK_EQ_INT(goes_on(&runs[1]), RAAF_ENTRY_WAITS);
    CHECK(!raaf_place_granted(runs[1].place, runs[1].stream, &later));
    CHECK_EQ_UINT(later, since);
    counts_are(admission, 1, 2);
    leaves(&runs[0]);
    CHECK_EQ_PTR(told[0], runs[1].stream);
    CHECK(raaf_place_granted(runs[1].place, runs[1].stream, &later));
    CHECK(!raaf_place_granted(runs[1].place, before, &later));
    for (int i = 0; i < 3; i++)
        forget(&runs[i]);
    close_admission(admission);
}

TEST(run_that_waited_in_vain_asks_as_if_for_the_first_time) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 1, RAAF_NO_LIMIT), other = run_of(admission, "b", 1, 1);

    asks(&run);
    asks(&other);
    CHECK_EQ_INT(raaf_place_time_out(other.place, other.stream), RAAF_QUEUE_TIMEOUT);
    counts_are(admission, 1, 0);
    CHECK_EQ_INT(goes_on(&other), RAAF_ENTRY_WAITS);
    leaves(&run);
    CHECK_EQ_INT(raaf_place_time_out(other.place, other.stream), RAAF_OK);
    counts_are(admission, 1, 0);
    forget(&run);
    forget(&other);
    close_admission(admission);
}

TEST(run_that_was_given_up_holds_nothing_and_was_cancelled) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 1, 1), other = run_of(admission, "ann", 1, 1);
    uint64_t since;

    asks(&run);
    asks(&other);
    CHECK(raaf_place_granted(run.place, run.stream, &since));
    leaves(&other);
    leaves(&run);
    CHECK(!raaf_place_granted(run.place, run.stream, &since));
    CHECK(!raaf_place_granted(other.place, other.stream, &since));
    CHECK_EQ_INT(raaf_place_time_out(other.place, other.stream), RAAF_CANCELLED);
    counts_are(admission, 0, 0);
    forget(&run);
    forget(&other);
    close_admission(admission);
}

TEST(run_learns_whose_place_it_waited_for_in_vain) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 2, 1), other = run_of(admission, "ann", 2, 1);

    asks(&run);
    asks(&other);
    CHECK_EQ_INT(raaf_place_time_out(other.place, other.stream), RAAF_USER_QUEUE_TIMEOUT);
    forget(&run);
    forget(&other);
    close_admission(admission);
}

TEST(run_shows_how_far_it_has_come_while_it_has_a_place) {
    raaf_admission_t *admission = open_admission();
    run_t run = run_of(admission, "ann", 1, 1);
    raaf_place_facts_t facts;

    CHECK(!raaf_place_look(run.place, &facts));
    CHECK(raaf_place_stream(run.place) == NULL);
    asks(&run);
    atomic_store(&run.stream->bytes_received, 100);
    atomic_store(&run.stream->deltas, 2);
    atomic_store(&run.stream->text_bytes, 10);
    goes_on(&run);
    atomic_store(&run.stream->bytes_received, 20);
    atomic_store(&run.stream->deltas, 1);
    atomic_store(&run.stream->text_bytes, 5);
    atomic_store(&run.stream->stage, RAAF_STAGE_STREAMING);
    if (!CHECK(raaf_place_look(run.place, &facts))) return;
    CHECK_EQ_INT(facts.stage, RAAF_STAGE_STREAMING);
    CHECK_EQ_UINT(facts.bytes, 120);
    CHECK_EQ_UINT(facts.deltas, 3);
    CHECK_EQ_UINT(facts.text_bytes, 15);
    CHECK(facts.made_at <= facts.changed_at);
    const uint64_t soon = raaf_clock_now() + RAAF_MS(1);
    atomic_store(&run.stream->last_byte_at, soon);
    raaf_place_look(run.place, &facts);
    CHECK_EQ_UINT(facts.changed_at, soon);
    raaf_stream_t *stream = raaf_place_stream(run.place);
    CHECK_EQ_PTR(stream, run.stream);
    raaf_stream_release(stream);
    leaves(&run);
    CHECK(!raaf_place_look(run.place, &facts));
    forget(&run);
    close_admission(admission);
}

/* ---- many ---- */

TEST(users_are_found_among_thousands_and_forgotten) {
    raaf_admission_t *admission = open_admission();
    enum { USERS = 3000 };
    run_t *runs = calloc(2 * USERS, sizeof *runs);
    char name[16];

    for (int i = 0; i < 2 * USERS; i++) {
        const int len = snprintf(name, sizeof name, "%d", i % USERS);
        const raaf_place_limits_t limits = {RAAF_NO_LIMIT, 1, 0};
        runs[i].place = raaf_place_new(admission, &limits, name, (size_t)len);
        runs[i].stream = stream_new();
        CHECK_EQ_INT(asks(&runs[i]), i < USERS ? RAAF_ENTRY_GRANTED : RAAF_ENTRY_USER_FULL);
    }
    for (int i = 0; i < 2 * USERS; i++)
        forget(&runs[i]);
    free(runs);
    close_admission(admission); /* what is left of a user would be a leak */
}

TEST(place_says_when_there_is_no_memory) {
    raaf_admission_t *admission = open_admission();
    const raaf_place_limits_t limits = {1, 1, 1};
    run_t run = run_with(admission, "ann", limits), other = run_with(admission, "bob", limits);

    asks(&run);
    memory_runs_out_after(0);
    CHECK_EQ_INT(asks(&other), RAAF_ENTRY_NO_MEMORY);
    CHECK(raaf_place_new(admission, &limits, "ann", 3) == NULL);
    CHECK(raaf_admission_new(note) == NULL);
    memory_runs_out_after(1);
    CHECK(raaf_place_new(admission, &limits, "carol", 5) == NULL);
    memory_runs_out_after(1);
    CHECK(raaf_admission_new(note) == NULL);
    memory_is_back();
    counts_are(admission, 1, 0);
    CHECK_EQ_INT(asks(&other), RAAF_ENTRY_WAITS);
    forget(&run);
    forget(&other);
    close_admission(admission);
}

/* Fewer buckets than users is slow, and nothing worse. */
TEST(users_are_found_where_there_is_no_memory_for_more_buckets) {
    raaf_admission_t *admission = open_admission();
    enum { USERS = 2 * FIRST_BUCKETS };
    const raaf_place_limits_t limits = {RAAF_NO_LIMIT, 1, 0};
    run_t runs[USERS];
    char name[16];

    for (int i = 0; i < USERS; i++) {
        snprintf(name, sizeof name, "%d", i);
        if (i >= FIRST_BUCKETS) memory_runs_out_after(2); /* the place and its user */
        runs[i] = run_with(admission, name, limits);
        memory_is_back();
        CHECK_EQ_INT(asks(&runs[i]), RAAF_ENTRY_GRANTED);
    }
    CHECK_EQ_UINT(admission->bucket_count, FIRST_BUCKETS);
    for (int i = 0; i < USERS; i++)
        forget(&runs[i]);
    close_admission(admission);
}

/* ---- any order of things, against a reference that only counts ---- */

enum { MODEL_USERS = 4, MODEL_SETS = 6, MODEL_LINES = MODEL_USERS * MODEL_SETS, MODEL_RUNS = RUNS };

static const char *const model_users[MODEL_USERS] = {"ann", "bob", "carol", NULL};
static const raaf_place_limits_t model_sets[MODEL_SETS] = {
    {3, 2, RAAF_NO_LIMIT}, {3, 2, RAAF_NO_LIMIT},
    {3, 2, RAAF_NO_LIMIT}, /* what most have */
    {4, 1, RAAF_NO_LIMIT}, {3, 1, 8},
    {2, RAAF_NO_LIMIT, 0},
};

typedef enum model_state { MODEL_NEW, MODEL_WAITING, MODEL_HELD, MODEL_GIVEN_BACK } model_state_t;

typedef struct model_run {
    run_t run;
    size_t user;
    size_t line; /* of its user and limits */
    raaf_place_limits_t limits;
    model_state_t state;
    uint64_t asked_at; /* a count of events */
} model_run_t;

typedef struct model {
    raaf_admission_t *admission;
    model_run_t runs[MODEL_RUNS];
    size_t held;
    size_t waiting;
    size_t user_held[MODEL_USERS];
    size_t passed_by[MODEL_LINES][MODEL_LINES]; /* how often a line had a turn while one waited */
    uint64_t events;
    uint64_t random;
    size_t waited; /* places that were granted after a wait */
} model_t;

static bool model_user_full(const model_t *model, const model_run_t *run) {
    return model->user_held[run->user] >= run->limits.places_per_user;
}

static bool model_room(const model_t *model, const model_run_t *run) {
    return model->held < run->limits.places && !model_user_full(model, run);
}

/* The first of a line; NULL: nobody stands in it. */
static model_run_t *model_first(model_t *model, size_t line) {
    model_run_t *first = NULL;

    for (size_t i = 0; i < MODEL_RUNS; i++) {
        model_run_t *run = &model->runs[i];
        if (run->state != MODEL_WAITING || run->line != line) continue;
        if (!first || run->asked_at < first->asked_at) first = run;
    }
    return first;
}

static void model_hold(model_t *model, model_run_t *run) {
    if (run->state == MODEL_WAITING) model->waiting--;
    run->state = MODEL_HELD;
    model->held++;
    model->user_held[run->user]++;
}

/* Whoever stands aside, for his user's sake, or has left, begins anew behind the others. */
static void model_stand_aside(model_t *model) {
    for (size_t line = 0; line < MODEL_LINES; line++) {
        const model_run_t *first = model_first(model, line);
        if (!first || model_user_full(model, first))
            memset(model->passed_by[line], 0, sizeof model->passed_by[line]);
    }
}

/* Nobody who could have gone has had to let the same other line go twice. */
static void model_turn(model_t *model, const model_run_t *run) {
    model_stand_aside(model);
    for (size_t line = 0; line < MODEL_LINES; line++) {
        const model_run_t *first = model_first(model, line);
        if (line == run->line)
            memset(model->passed_by[line], 0, sizeof model->passed_by[line]);
        else if (first && model_room(model, first))
            CHECK(++model->passed_by[line][run->line] <= 1);
    }
}

static void model_granted(model_t *model, const raaf_stream_t *stream) {
    for (size_t i = 0; i < MODEL_RUNS; i++) {
        model_run_t *run = &model->runs[i];
        if (run->run.stream != stream) continue;
        CHECK(run->state == MODEL_WAITING && model_room(model, run));
        CHECK_EQ_PTR(model_first(model, run->line), run); /* who came first */
        model_turn(model, run);
        model_hold(model, run);
        model->waited++;
        return;
    }
    FAIL("a stream was granted a place that nobody has asked for");
}

/* After each step: the same counts, and nobody waits who could go. */
static void model_agrees(model_t *model) {
    for (size_t i = 0; i < told_count; i++)
        model_granted(model, told[i]);
    told_count = 0;
    model_stand_aside(model);
    counts_are(model->admission, model->held, model->waiting);
    for (size_t i = 0; i < MODEL_RUNS; i++)
        CHECK(model->runs[i].state != MODEL_WAITING || !model_room(model, &model->runs[i]));
}

static void model_ask(model_t *model, model_run_t *run) {
    const bool room = model_room(model, run), full = model_user_full(model, run);
    const raaf_entry_t entry = asks(&run->run);

    switch (entry) {
    case RAAF_ENTRY_GRANTED:
        CHECK(room);
        model_hold(model, run);
        break;
    case RAAF_ENTRY_WAITS:
        CHECK(!room && model->waiting < run->limits.waiting);
        run->state = MODEL_WAITING;
        run->asked_at = ++model->events;
        model->waiting++;
        break;
    case RAAF_ENTRY_QUEUE_FULL:
        CHECK(!room && run->limits.waiting > 0 && model->waiting >= run->limits.waiting);
        break;
    default:
        CHECK(!room && run->limits.waiting == 0);
        CHECK_EQ_INT(entry, full ? RAAF_ENTRY_USER_FULL : RAAF_ENTRY_FULL);
    }
}

static void model_leave(model_t *model, model_run_t *run) {
    if (run->state == MODEL_HELD) {
        run->state = MODEL_GIVEN_BACK;
        model->held--;
        model->user_held[run->user]--;
    } else if (run->state == MODEL_WAITING) {
        run->state = MODEL_NEW;
        model->waiting--;
    }
    leaves(&run->run);
}

static void model_time_out(model_t *model, model_run_t *run) {
    const bool waits = run->state == MODEL_WAITING, full = model_user_full(model, run);
    const int in_vain = full ? RAAF_USER_QUEUE_TIMEOUT : RAAF_QUEUE_TIMEOUT;
    const int settled = run->state == MODEL_HELD ? RAAF_OK : RAAF_CANCELLED;

    CHECK_EQ_INT(raaf_place_time_out(run->run.place, run->run.stream), waits ? in_vain : settled);
    if (!waits) return;
    run->state = MODEL_NEW;
    model->waiting--;
}

static void model_go_on(model_t *model, model_run_t *run) {
    const bool waits = run->state == MODEL_WAITING;

    if (run->state == MODEL_GIVEN_BACK) model_hold(model, run);
    CHECK_EQ_INT(goes_on(&run->run), waits ? RAAF_ENTRY_WAITS : RAAF_ENTRY_GRANTED);
}

static void model_renew(model_t *model, model_run_t *run) {
    const size_t user = random_below(&model->random, MODEL_USERS);
    const size_t set = random_below(&model->random, MODEL_SETS);

    if (run->run.place) forget(&run->run);
    *run = (model_run_t){.user = user, .limits = model_sets[set]};
    run->line = user * MODEL_SETS + (set < 3 ? 0 : set);
    run->run = run_with(model->admission, model_users[user], run->limits);
    if (!model_users[user]) run->limits.places_per_user = RAAF_NO_LIMIT;
}

static void model_step(model_t *model) {
    model_run_t *run = &model->runs[random_below(&model->random, MODEL_RUNS)];

    switch (random_below(&model->random, 24)) {
    case 0:
        model_time_out(model, run);
        break;
    case 1:
        if (run->state != MODEL_NEW) model_go_on(model, run);
        break;
    case 2:
        model_leave(model, run);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        if (run->state == MODEL_HELD) model_leave(model, run);
        break;
    default:
        if (run->state == MODEL_GIVEN_BACK) model_renew(model, run);
        if (run->state == MODEL_NEW) model_ask(model, run);
    }
    model_agrees(model);
}

TEST(places_are_counted_and_go_round_whatever_happens) {
    static model_t model;
    const size_t steps = CHECK_SANITIZED ? 20000 : 200000;

    model = (model_t){.admission = open_admission(), .random = 20260101};
    for (size_t i = 0; i < MODEL_RUNS; i++)
        model_renew(&model, &model.runs[i]);
    for (size_t i = 0; i < steps && atomic_load(&check_failures) == 0; i++)
        model_step(&model);
    CHECK(model.waited > steps / 100);
    for (size_t i = 0; i < MODEL_RUNS; i++) {
        model_leave(&model, &model.runs[i]);
        model_agrees(&model);
    }
    for (size_t i = 0; i < MODEL_RUNS; i++)
        forget(&model.runs[i].run);
    close_admission(model.admission);
}

/* ---- threads ---- */

enum { STORM_THREADS = 8, STORM_PLACES = 3 };

typedef struct storm {
    raaf_admission_t *admission;
    pthread_t thread;
    uint64_t random;
    size_t rounds;
} storm_t;

static atomic_size_t storm_held, storm_most;

/* Its stage is where the thread that has it learns of its place. */
static void storm_granted(raaf_stream_t *stream) {
    atomic_store(&stream->stage, RAAF_STAGE_CONNECTING);
}

static void storm_work(void) {
    const size_t now = atomic_fetch_add(&storm_held, 1) + 1;
    size_t most = atomic_load(&storm_most);

    while (now > most && !atomic_compare_exchange_weak(&storm_most, &most, now)) {}
    atomic_fetch_sub(&storm_held, 1);
}

static void storm_once(storm_t *storm) {
    static const char *const users[] = {"ann", "bob", NULL};
    run_t run = run_of(storm->admission, users[random_below(&storm->random, 3)], STORM_PLACES, 2);
    const bool impatient = random_below(&storm->random, 4) == 0;

    if (asks(&run) == RAAF_ENTRY_WAITS) {
        while (!impatient && atomic_load(&run.stream->stage) != RAAF_STAGE_CONNECTING)
            sched_yield();
        if (impatient && raaf_place_time_out(run.place, run.stream) != RAAF_OK) {
            forget(&run);
            return;
        }
    }
    storm_work();
    if (random_below(&storm->random, 4) == 0) goes_on(&run);
    forget(&run);
}

static void *storm_run(void *argument) {
    storm_t *storm = argument;

    for (size_t i = 0; i < storm->rounds; i++)
        storm_once(storm);
    return NULL;
}

TEST(places_are_never_too_many_nor_lost_between_threads) {
    storm_t storms[STORM_THREADS];
    raaf_admission_t *admission = raaf_admission_new(storm_granted);

    atomic_store(&storm_most, 0);
    for (size_t i = 0; i < STORM_THREADS; i++) {
        storms[i] = (storm_t){.admission = admission, .random = i + 1};
        storms[i].rounds = CHECK_SANITIZED ? 300 : 3000;
        pthread_create(&storms[i].thread, NULL, storm_run, &storms[i]);
    }
    for (size_t i = 0; i < STORM_THREADS; i++)
        pthread_join(storms[i].thread, NULL);
    CHECK(atomic_load(&storm_most) <= STORM_PLACES);
    close_admission(admission);
}
