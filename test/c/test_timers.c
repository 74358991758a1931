#include "check.h"
#include "clock.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "timers.c"

TEST(timers_come_up_in_the_order_of_their_deadlines) {
    raaf_timers_t timers;
    raaf_timer_t a = {0}, b = {0}, c = {0};

    raaf_timers_init(&timers);
    CHECK_EQ_UINT(raaf_timers_next(&timers), RAAF_NEVER);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, RAAF_NEVER), NULL);
    CHECK_EQ_INT(raaf_timers_reserve(&timers, 3), RAAF_OK);
    raaf_timers_schedule(&timers, &a, 30);
    raaf_timers_schedule(&timers, &b, 10);
    raaf_timers_schedule(&timers, &c, 20);
    CHECK_EQ_UINT(raaf_timers_next(&timers), 10);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 9), NULL);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 10), &b);
    CHECK_EQ_UINT(b.position, 0);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 10), NULL);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 100), &c);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 100), &a);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 100), NULL);
    raaf_timers_free(&timers);
}

TEST(timers_move_a_node_that_is_scheduled_again) {
    raaf_timers_t timers;
    raaf_timer_t a = {0}, b = {0};

    raaf_timers_init(&timers);
    raaf_timers_reserve(&timers, 2);
    raaf_timers_schedule(&timers, &a, 10);
    raaf_timers_schedule(&timers, &b, 20);
    raaf_timers_schedule(&timers, &a, 30);
    CHECK_EQ_UINT(timers.count, 2);
    CHECK_EQ_PTR(raaf_timers_pop_due(&timers, 25), &b);
    raaf_timers_schedule(&timers, &a, 5);
    CHECK_EQ_UINT(raaf_timers_next(&timers), 5);
    raaf_timers_free(&timers);
}

TEST(timers_take_out_what_is_never_due_or_cancelled) {
    raaf_timers_t timers;
    raaf_timer_t a = {0}, b = {0};

    raaf_timers_init(&timers);
    raaf_timers_reserve(&timers, 2);
    raaf_timers_cancel(&timers, &a);
    raaf_timers_schedule(&timers, &a, RAAF_NEVER);
    CHECK_EQ_UINT(timers.count, 0);
    raaf_timers_schedule(&timers, &a, 1);
    raaf_timers_schedule(&timers, &b, 2);
    raaf_timers_schedule(&timers, &a, RAAF_NEVER);
    CHECK_EQ_UINT(a.position, 0);
    raaf_timers_cancel(&timers, &b);
    raaf_timers_cancel(&timers, &b);
    CHECK_EQ_UINT(raaf_timers_next(&timers), RAAF_NEVER);
    raaf_timers_free(&timers);
}

TEST(timers_let_go_of_their_nodes_when_freed) {
    raaf_timers_t timers;
    raaf_timer_t a = {0};

    raaf_timers_init(&timers);
    raaf_timers_reserve(&timers, 1);
    raaf_timers_schedule(&timers, &a, 1);
    raaf_timers_free(&timers);
    CHECK_EQ_UINT(a.position, 0);
    raaf_timers_cancel(&timers, &a);
    raaf_timers_free(&timers);
}

TEST(timers_schedule_without_memory_where_room_is_reserved) {
    enum { COUNT = 1000 };
    raaf_timers_t timers;
    static raaf_timer_t nodes[COUNT];

    raaf_timers_init(&timers);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_timers_reserve(&timers, COUNT), RAAF_NO_MEMORY);
    memory_is_back();
    CHECK_EQ_INT(raaf_timers_reserve(&timers, SIZE_MAX), RAAF_NO_MEMORY);
    CHECK_EQ_INT(raaf_timers_reserve(&timers, COUNT), RAAF_OK);
    memory_runs_out_after(0);
    for (size_t i = 0; i < COUNT; i++) {
        raaf_timers_schedule(&timers, &nodes[i], i);
    }
    CHECK_EQ_UINT(timers.count, COUNT);
    CHECK_EQ_INT(raaf_timers_reserve(&timers, COUNT), RAAF_OK);
    memory_is_back();
    raaf_timers_free(&timers);
}

enum { NODES = 100 };

/* The reference: every node is looked at. */
static uint64_t earliest(const raaf_timer_t *nodes) {
    uint64_t least = RAAF_NEVER;

    for (size_t i = 0; i < NODES; i++) {
        if (nodes[i].position > 0 && nodes[i].deadline < least) least = nodes[i].deadline;
    }
    return least;
}

static size_t scheduled(const raaf_timer_t *nodes) {
    size_t count = 0;

    for (size_t i = 0; i < NODES; i++) {
        if (nodes[i].position > 0) count++;
    }
    return count;
}

static bool is_heap(const raaf_timers_t *timers) {
    for (size_t i = 1; i <= timers->count; i++) {
        const raaf_timer_t *node = timers->heap[i - 1];
        if (node->position != i) return false;
        if (i > 1 && timers->heap[i / 2 - 1]->deadline > node->deadline) return false;
    }
    return true;
}

static void pop_and_compare(raaf_timers_t *timers, raaf_timer_t *nodes, uint64_t now) {
    const uint64_t expected = earliest(nodes);
    const raaf_timer_t *popped = raaf_timers_pop_due(timers, now);

    if (expected > now) {
        CHECK_EQ_PTR(popped, NULL);
    } else if (CHECK(popped != NULL)) {
        CHECK_EQ_UINT(popped->deadline, expected);
        CHECK_EQ_UINT(popped->position, 0);
    }
}

TEST(timers_agree_with_a_plain_list_whatever_is_done) {
    static raaf_timer_t nodes[NODES];
    uint64_t wanted[NODES]; /* RAAF_NEVER: is to be out */
    raaf_timers_t timers;
    uint64_t random = 5;

    raaf_timers_init(&timers);
    raaf_timers_reserve(&timers, NODES);
    for (size_t i = 0; i < NODES; i++) {
        wanted[i] = RAAF_NEVER;
    }
    for (int round = 0; round < 50000 && atomic_load(&check_failures) == 0; round++) {
        const size_t i = random_below(&random, NODES);
        const size_t kind = random_below(&random, 8);
        if (kind < 5) {
            wanted[i] = random_below(&random, 200); /* few values: many are equal */
            raaf_timers_schedule(&timers, &nodes[i], wanted[i]);
        } else if (kind == 5) {
            wanted[i] = RAAF_NEVER;
            raaf_timers_cancel(&timers, &nodes[i]);
        } else {
            pop_and_compare(&timers, nodes, random_below(&random, 200));
        }
        for (size_t n = 0; kind >= 6 && n < NODES; n++) {
            if (nodes[n].position == 0) wanted[n] = RAAF_NEVER;
        }
        CHECK_EQ_UINT(raaf_timers_next(&timers), earliest(nodes));
        CHECK_EQ_UINT(timers.count, scheduled(nodes));
        CHECK(is_heap(&timers));
        CHECK(nodes[i].position == 0 ? wanted[i] == RAAF_NEVER : nodes[i].deadline == wanted[i]);
    }
    raaf_timers_free(&timers);
}

TEST(timers_sort) {
    enum { COUNT = 5000 };
    static raaf_timer_t nodes[COUNT];
    const raaf_timer_t *popped;
    raaf_timers_t timers;
    uint64_t random = 11, last = 0;
    size_t count = 0;

    raaf_timers_init(&timers);
    raaf_timers_reserve(&timers, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        raaf_timers_schedule(&timers, &nodes[i], random_next(&random) >> 1);
    }
    while ((popped = raaf_timers_pop_due(&timers, RAAF_NEVER - 1)) != NULL) {
        CHECK(popped->deadline >= last);
        last = popped->deadline;
        count++;
    }
    CHECK_EQ_UINT(count, COUNT);
    raaf_timers_free(&timers);
}
