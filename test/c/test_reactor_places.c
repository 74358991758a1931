#include "check.h"
#include "random_numbers.h"
#include "reactor_world.h"

#define CALL                                                                                       \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\","      \
    "\"function\":{\"name\":\"look\",\"arguments\":\"{}\"}}]}}]}\n\n"
#define CALLED                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n"
#define PAUSED                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"pause_turn\"}]}\n\n"
#define ANSWER CONTENT("a") FINISH DONE

static const raaf_place_limits_t one_place = {1, RAAF_NO_LIMIT, RAAF_NO_LIMIT};

static void on_granted(raaf_stream_t *stream) {
    raaf_reactor_post(stream, RAAF_COMMAND_GRANT);
}

static size_t held_in(raaf_admission_t *admission) {
    size_t held, waiting;

    raaf_admission_counts(admission, &held, &waiting);
    return held;
}

static size_t waiting_in(raaf_admission_t *admission) {
    size_t held, waiting;

    raaf_admission_counts(admission, &held, &waiting);
    return waiting;
}

static void close_admission(raaf_admission_t *admission) {
    CHECK_SOON(held_in(admission) == 0);
    CHECK_EQ_UINT(waiting_in(admission), 0);
    raaf_admission_release(admission);
}

/* A stream of a new run; takes [request]. The place lives as long as the stream. */
static consumer_t run_new(raaf_admission_t *admission, raaf_request_t *request, const char *user,
                          raaf_place_limits_t limits) {
    consumer_t consumer = consumer_of(raaf_stream_new(request, 1, NULL));
    raaf_place_t *place = raaf_place_new(admission, &limits, user, strlen(user));

    raaf_stream_set_place(consumer.stream, place);
    raaf_place_release(place);
    return consumer;
}

/* What follows in the run of [before]. */
static consumer_t run_next(const consumer_t *before, raaf_request_t *request) {
    consumer_t consumer = consumer_of(raaf_stream_new(request, 1, NULL));

    raaf_stream_set_place(consumer.stream, before->stream->place);
    return consumer;
}

static raaf_entry_t submit(const world_t *world, const consumer_t *consumer) {
    return raaf_reactor_submit(world->reactor, consumer->stream);
}

/* As the binding does it. */
static void give_up(const consumer_t *consumer) {
    raaf_stream_ended(consumer->stream, false);
    consumer_cancel(consumer);
}

static raaf_request_t *patient(raaf_request_t *request) {
    request->limits.queue_ns = RAAF_NEVER;
    return request;
}

static raaf_request_t *script_of(const char *text, uint64_t delay_ns) {
    raaf_request_t *request = patient(script_new());

    script_add(request, delay_ns, text);
    return request;
}

/* One that holds its place until it is cancelled. */
static consumer_t holder(const world_t *world, raaf_admission_t *admission,
                         raaf_place_limits_t limits) {
    consumer_t consumer = run_new(admission, script_of(ANSWER, RAAF_MS(600000)), "holder", limits);

    CHECK_EQ_INT(submit(world, &consumer), RAAF_ENTRY_GRANTED);
    return consumer;
}

static void holder_ends(consumer_t *consumer) {
    give_up(consumer);
    consumer_ends(consumer, RAAF_CANCELLED);
    consumer_free(consumer);
}

static int stage_of(const consumer_t *consumer) {
    return atomic_load(&consumer->stream->stage);
}

WORLD_TEST(stream_waits_for_its_place_and_is_sent_when_another_has_ended) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = run_new(admission, request_here(world), "ann", one_place);
    consumer_t second = run_new(admission, patient(request_here(world)), "ann", one_place);

    CHECK_EQ_INT(submit(world, &first), RAAF_ENTRY_GRANTED);
    peer_t peer = peer_begin(world);
    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_WAITS);
    peer_event(&peer, CONTENT("a"));
    consumer_gets(&first, "a");
    CHECK_EQ_INT(stage_of(&second), RAAF_STAGE_QUEUED);
    peer_event(&peer, DONE);
    consumer_ends(&first, RAAF_OK);
    consumer_free(&first);
    peer_t next = peer_begin(world);
    CHECK_EQ_UINT(waiting_in(admission), 0);
    peer_event(&next, CONTENT("b") DONE);
    consumer_gets(&second, "b");
    consumer_ends(&second, RAAF_OK);
    CHECK_EQ_UINT(second.stream->outcome.attempts, 1);
    consumer_free(&second);
    peer_close(&peer);
    peer_close(&next);
    close_admission(admission);
}

/* Neither the limits of a request nor its delay begin before it has its place. */
static void begin_after_the_wait(world_t *world) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = holder(world, admission, one_place);
    raaf_request_t *request = script_of(ANSWER, 0);

    request->limits.total_ns = request->limits.connect_ns = RAAF_MS(100);
    request->limits.start_delay_ns = RAAF_MS(50);
    consumer_t second = run_new(admission, request, "ann", one_place);
    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_WAITS);
    usleep(200000); /* longer than both */
    CHECK_EQ_INT(stage_of(&second), RAAF_STAGE_QUEUED);
    const uint64_t ended_at = raaf_clock_now();
    holder_ends(&first);
    consumer_gets(&second, "a");
    consumer_ends(&second, RAAF_OK);
    CHECK(second.stream->outcome.started_at >= ended_at + RAAF_MS(50));
    consumer_free(&second);
    close_admission(admission);
}

TEST(stream_counts_its_time_from_when_it_has_its_place) {
    in_one_world_each(begin_after_the_wait);
}

WORLD_TEST(stream_that_has_waited_too_long_says_for_what_and_was_never_sent) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    const raaf_place_limits_t of_user = {RAAF_NO_LIMIT, 1, RAAF_NO_LIMIT};
    consumer_t first = holder(world, admission, one_place);
    raaf_request_t *requests[] = {request_here(world), request_here(world)};

    requests[0]->limits.queue_ns = requests[1]->limits.queue_ns = RAAF_MS(20);
    consumer_t second = run_new(admission, requests[0], "ann", one_place);
    consumer_t third = run_new(admission, requests[1], "holder", of_user);
    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(submit(world, &third), RAAF_ENTRY_WAITS);
    consumer_ends(&second, RAAF_QUEUE_TIMEOUT);
    consumer_ends(&third, RAAF_USER_QUEUE_TIMEOUT);
    CHECK_EQ_UINT(second.stream->outcome.attempts, 0);
    CHECK_EQ_UINT(waiting_in(admission), 0);
    consumer_free(&second);
    consumer_free(&third);
    holder_ends(&first);
    close_admission(admission);
}

WORLD_TEST(stream_that_is_given_up_while_it_waits_leaves_the_line_at_once) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = holder(world, admission, one_place);
    consumer_t second = run_new(admission, script_of(ANSWER, 0), "ann", one_place);
    consumer_t third = run_new(admission, script_of(ANSWER, 0), "ann", one_place);

    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_WAITS);
    CHECK_EQ_INT(submit(world, &third), RAAF_ENTRY_WAITS);
    give_up(&second);
    CHECK_EQ_UINT(waiting_in(admission), 1);
    consumer_ends(&second, RAAF_CANCELLED);
    holder_ends(&first);
    consumer_ends(&third, RAAF_OK);
    consumer_free(&second);
    consumer_free(&third);
    close_admission(admission);
}

WORLD_TEST(streams_that_wait_are_ended_by_a_shutdown) {
    enum { WAITING = 200 };
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = holder(world, admission, one_place), others[WAITING];

    for (int i = 0; i < WAITING; i++) {
        others[i] = run_new(admission, script_of(ANSWER, 0), i % 2 ? "ann" : "bob", one_place);
        CHECK_EQ_INT(submit(world, &others[i]), RAAF_ENTRY_WAITS);
    }
    CHECK(raaf_reactor_stop(world->reactor, RAAF_MS(CONSUMER_PATIENCE_MS)));
    consumer_ends(&first, RAAF_SHUTDOWN);
    consumer_free(&first);
    for (int i = 0; i < WAITING; i++) {
        consumer_ends(&others[i], RAAF_SHUTDOWN);
        consumer_free(&others[i]);
    }
    consumer_t late = run_new(admission, script_of(ANSWER, 0), "ann", one_place);
    submit(world, &late);
    consumer_ends(&late, RAAF_SHUTDOWN);
    consumer_free(&late);
    close_admission(admission);
}

WORLD_TEST(stream_that_is_refused_was_never_begun) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    const raaf_place_limits_t impatient = {1, 1, 0};
    consumer_t first = holder(world, admission, impatient);
    consumer_t second = run_new(admission, script_of(ANSWER, 0), "ann", impatient);
    const size_t active = raaf_stream_active_count();

    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_FULL);
    CHECK_EQ_UINT(raaf_stream_active_count(), active);
    CHECK_EQ_INT(stage_of(&second), RAAF_STAGE_NEW);
    holder_ends(&first);
    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_GRANTED);
    consumer_ends(&second, RAAF_OK);
    consumer_free(&second);
    close_admission(admission);
}

/* ---- a run of several streams ---- */

/* Whether the run still has its place once its consumer knows that this answer has ended. */
static bool keeps_place(world_t *world, raaf_admission_t *admission, raaf_request_t *request) {
    consumer_t consumer = run_new(admission, request, "ann", one_place);

    CHECK_EQ_INT(submit(world, &consumer), RAAF_ENTRY_GRANTED);
    while (consumer.terminals == 0 && consumer_next(&consumer)) {}
    const bool kept = held_in(admission) == 1;
    raaf_place_leave(consumer.stream->place, NULL);
    CHECK_EQ_UINT(held_in(admission), 0);
    consumer_free(&consumer);
    return kept;
}

WORLD_TEST(run_keeps_its_place_where_its_answer_asks_for_more) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    raaf_request_t *fails = script_of(CONTENT("a"), 0), *ends = script_of(ANSWER, 0);

    fails->limits.recovers = ends->limits.recovers = true;
    CHECK(keeps_place(world, admission, script_of(CALL CALLED DONE, 0)));
    CHECK(keeps_place(world, admission, script_of(PAUSED DONE, 0)));
    CHECK(!keeps_place(world, admission, script_of(ANSWER, 0)));
    CHECK(!keeps_place(world, admission, script_of(CALL, 0))); /* truncated */
    CHECK(keeps_place(world, admission, fails));
    CHECK(!keeps_place(world, admission, ends));
    close_admission(admission);
}

WORLD_TEST(run_goes_on_in_its_place_while_others_wait) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = run_new(admission, script_of(CALL CALLED DONE, 0), "ann", one_place);
    consumer_t other = run_new(admission, script_of(ANSWER, 0), "bob", one_place);

    CHECK_EQ_INT(submit(world, &first), RAAF_ENTRY_GRANTED);
    CHECK_EQ_INT(submit(world, &other), RAAF_ENTRY_WAITS);
    consumer_ends(&first, RAAF_OK);
    consumer_t second = run_next(&first, script_of(ANSWER, RAAF_MS(600000)));
    CHECK_EQ_INT(submit(world, &second), RAAF_ENTRY_GRANTED);
    give_up(&first); /* over long ago */
    CHECK_EQ_INT(stage_of(&other), RAAF_STAGE_QUEUED);
    CHECK_EQ_UINT(held_in(admission), 1);
    give_up(&second);
    consumer_ends(&second, RAAF_CANCELLED);
    consumer_ends(&other, RAAF_OK);
    consumer_free(&first);
    consumer_free(&second);
    consumer_free(&other);
    close_admission(admission);
}

/* As after a redirect of a stream that waits. */
WORLD_TEST(run_that_is_interrupted_while_it_waits_stays_in_its_line) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    consumer_t first = holder(world, admission, one_place);
    consumer_t second = run_new(admission, script_of(ANSWER, 0), "ann", one_place);
    consumer_t third = run_new(admission, script_of(ANSWER, RAAF_MS(600000)), "ann", one_place);

    submit(world, &second);
    submit(world, &third);
    atomic_store(&second.stream->keep_place, true);
    consumer_cancel(&second);
    consumer_ends(&second, RAAF_CANCELLED);
    CHECK_EQ_UINT(waiting_in(admission), 2);
    consumer_t instead = run_next(&second, script_of(ANSWER, 0));
    CHECK_EQ_INT(submit(world, &instead), RAAF_ENTRY_WAITS);
    holder_ends(&first);
    consumer_ends(&instead, RAAF_OK);
    CHECK_SOON(stage_of(&third) != RAAF_STAGE_QUEUED);
    give_up(&third);
    consumer_ends(&third, RAAF_CANCELLED);
    consumer_free(&second);
    consumer_free(&instead);
    consumer_free(&third);
    close_admission(admission);
}

/* ---- many at once ---- */

enum { STORM_THREADS = 6, STORM_PLACES = 4 };

typedef struct storm {
    const world_t *world;
    raaf_admission_t *admission;
    pthread_t thread;
    uint64_t random;
    size_t answered;
} storm_t;

static void storm_once(storm_t *storm) {
    static const raaf_place_limits_t limits = {STORM_PLACES, 3, RAAF_NO_LIMIT};
    static const char *const users[] = {"ann", "bob", "carol"};
    raaf_request_t *request = script_of(ANSWER, RAAF_MS(random_below(&storm->random, 2)));
    const size_t kind = random_below(&storm->random, 8);

    if (kind == 0) request->limits.queue_ns = RAAF_MS(1);
    consumer_t consumer =
        run_new(storm->admission, request, users[random_below(&storm->random, 3)], limits);
    submit(storm->world, &consumer);
    CHECK(held_in(storm->admission) <= STORM_PLACES);
    if (kind == 1) give_up(&consumer);
    while (consumer.terminals == 0 && consumer_next(&consumer)) {}
    const int code = consumer.stream->outcome.code;
    CHECK(code == RAAF_OK || (kind == 1 && code == RAAF_CANCELLED) ||
          (kind == 0 && (code == RAAF_QUEUE_TIMEOUT || code == RAAF_USER_QUEUE_TIMEOUT)));
    if (code == RAAF_OK) storm->answered++;
    consumer_free(&consumer);
}

static void *storm_run(void *argument) {
    storm_t *storm = argument;

    for (int i = 0; i < (CHECK_SANITIZED ? 40 : 200); i++)
        storm_once(storm);
    return NULL;
}

WORLD_TEST(places_are_never_too_many_and_everybody_gets_one) {
    raaf_admission_t *admission = raaf_admission_new(on_granted);
    storm_t storms[STORM_THREADS];
    size_t answered = 0;

    for (size_t i = 0; i < STORM_THREADS; i++) {
        storms[i] = (storm_t){.world = world, .admission = admission, .random = i + 1};
        pthread_create(&storms[i].thread, NULL, storm_run, &storms[i]);
    }
    for (size_t i = 0; i < STORM_THREADS; i++) {
        pthread_join(storms[i].thread, NULL);
        answered += storms[i].answered;
    }
    CHECK(answered > 0);
    close_admission(admission);
}
