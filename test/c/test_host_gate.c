#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "result_code.h"
#include "host_gate.c"

#define SECOND UINT64_C(1000000000)

/* What a transfer does when it is admitted. */
typedef enum plan {
    PLAN_RUN,
    PLAN_FAIL,
    PLAN_CONNECT,
    PLAN_CANCEL_NEXT,
    PLAN_ENTER_NEXT,
    PLAN_FLOOD
} plan_t;

typedef struct transfer {
    raaf_host_ticket_t ticket;
    plan_t plan;
    int admitted; /* how often */
    size_t order; /* among all that were admitted, from 1 on */
    struct transfer *next;
} transfer_t;

typedef struct world {
    raaf_host_gate_t gate;
    size_t admitted;
    size_t depth; /* of admit within admit */
    size_t deepest;
    size_t most_lookups;
} world_t;

static void host_name(char *to, size_t size, size_t number) {
    snprintf(to, size, "host-%zu.example", number);
}

/* So many names, so much later, that the gate forgets those it can. */
static void flood(raaf_host_gate_t *gate) {
    for (size_t i = 0; i < 2 * RAAF_HOST_GATE_HOSTS; i++) {
        raaf_host_ticket_t ticket;
        char name[40];
        host_name(name, sizeof name, 1000 + i);
        raaf_host_gate_enter(gate, &ticket, name, 10 * RAAF_HOST_GATE_FRESH_NS);
        raaf_host_gate_leave(gate, &ticket);
    }
}

static int enter(world_t *world, transfer_t *transfer, const char *host, uint64_t now) {
    const size_t before = world->admitted;
    const int code = raaf_host_gate_enter(&world->gate, &transfer->ticket, host, now);

    CHECK_EQ_UINT(world->admitted, before); /* admit is never called from inside enter */
    return code;
}

static void admit(raaf_host_ticket_t *ticket, void *context) {
    transfer_t *transfer = (transfer_t *)ticket; /* its first field */
    world_t *world = context;

    if (++world->depth > world->deepest) world->deepest = world->depth;
    if (world->gate.lookups > world->most_lookups) world->most_lookups = world->gate.lookups;
    CHECK(!ticket->waits);
    transfer->admitted++;
    transfer->order = ++world->admitted;
    if (transfer->plan == PLAN_FAIL) {
        raaf_host_gate_leave(&world->gate, ticket);
    } else if (transfer->plan == PLAN_CONNECT) {
        raaf_host_gate_resolved(&world->gate, ticket, SECOND);
    } else if (transfer->plan == PLAN_CANCEL_NEXT && transfer->next != NULL) {
        raaf_host_gate_leave(&world->gate, &transfer->next->ticket);
    } else if (transfer->plan == PLAN_ENTER_NEXT) {
        CHECK_EQ_INT(enter(world, transfer->next, "newcomer.example", SECOND), RAAF_STOP);
    } else if (transfer->plan == PLAN_FLOOD) {
        flood(&world->gate);
        raaf_host_gate_leave(&world->gate, &transfer->next->ticket);
    }
    world->depth--;
}

static void open_world(world_t *world) {
    memset(world, 0, sizeof *world);
    raaf_host_gate_init(&world->gate, admit, world);
}

static void resolve(world_t *world, transfer_t *transfer, uint64_t now) {
    raaf_host_gate_resolved(&world->gate, &transfer->ticket, now);
}

static void leave(world_t *world, transfer_t *transfer) {
    raaf_host_gate_leave(&world->gate, &transfer->ticket);
    CHECK(!transfer->ticket.leads && !transfer->ticket.waits);
}

static void close_world(world_t *world) {
    CHECK_EQ_UINT(world->depth, 0);
    raaf_host_gate_free(&world->gate);
}

TEST(first_transfer_leads_and_the_others_follow_in_order) {
    world_t world;
    transfer_t leader = {0}, others[5] = {0}, late = {0};

    open_world(&world);
    CHECK_EQ_INT(enter(&world, &leader, "api.example", 0), RAAF_OK);
    CHECK(leader.ticket.leads);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ_INT(enter(&world, &others[i], "api.example", 0), RAAF_STOP);
        CHECK(others[i].ticket.waits);
    }
    CHECK_EQ_UINT(world.admitted, 0);
    resolve(&world, &leader, SECOND);
    for (size_t i = 0; i < 5; i++) {
        CHECK_EQ_INT(others[i].admitted, 1);
        CHECK_EQ_UINT(others[i].order, i + 1);
        CHECK(!others[i].ticket.leads);
    }
    CHECK_EQ_UINT(world.gate.lookups, 0);
    CHECK_EQ_INT(enter(&world, &late, "api.example", SECOND), RAAF_OK);
    CHECK(!late.ticket.leads);
    close_world(&world);
}

TEST(known_name_is_looked_up_again_when_it_is_no_longer_fresh) {
    world_t world;
    transfer_t first = {0}, fresh = {0}, stale = {0}, waiting = {0};

    open_world(&world);
    enter(&world, &first, "api.example", 0);
    resolve(&world, &first, 0);
    CHECK_EQ_INT(enter(&world, &fresh, "api.example", RAAF_HOST_GATE_FRESH_NS - 1), RAAF_OK);
    CHECK(!fresh.ticket.leads);
    CHECK_EQ_INT(enter(&world, &stale, "api.example", RAAF_HOST_GATE_FRESH_NS), RAAF_OK);
    CHECK(stale.ticket.leads);
    CHECK_EQ_INT(enter(&world, &waiting, "api.example", RAAF_HOST_GATE_FRESH_NS), RAAF_STOP);
    close_world(&world);
}

TEST(addresses_and_localhost_never_wait) {
    static const char *const hosts[] = {
        "127.0.0.1",     "8.8.8.8",        "255.255.255.255",
        "::1",           "[::1]",          "[fe80::1%eth0]",
        "2001:db8::1",   "[2001:db8::1]",  "localhost",
        "LocalHost",     "localhost.",     "app.localhost",
        "a.b.LOCALHOST", "app.localhost.", "",
    };
    world_t world;

    open_world(&world);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        transfer_t transfers[3] = {0};
        for (int n = 0; n < 3; n++) {
            CHECK_EQ_INT(enter(&world, &transfers[n], hosts[i], 0), RAAF_OK);
            CHECK(!transfers[n].ticket.leads);
            resolve(&world, &transfers[n], 0);
            leave(&world, &transfers[n]);
        }
    }
    CHECK_EQ_UINT(world.gate.host_count, 0);
    CHECK_EQ_UINT(world.admitted, 0);
    close_world(&world);
}

TEST(names_that_only_look_like_addresses_wait) {
    static const char *const hosts[] = {"1.2.3.example",
                                        "256.1.1.1.example",
                                        "notlocalhost",
                                        "localhost.example",
                                        "local",
                                        "1e100.example",
                                        "."};
    world_t world;

    open_world(&world);
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        transfer_t first = {0}, second = {0};
        CHECK_EQ_INT(enter(&world, &first, hosts[i], 0), RAAF_OK);
        CHECK_EQ_INT(enter(&world, &second, hosts[i], 0), RAAF_STOP);
        leave(&world, &second);
        leave(&world, &first);
    }
    close_world(&world);
}

TEST(names_are_compared_without_regard_to_case) {
    world_t world;
    transfer_t first = {0}, second = {0}, other = {0};

    open_world(&world);
    CHECK_EQ_INT(enter(&world, &first, "API.Example", 0), RAAF_OK);
    CHECK_EQ_INT(enter(&world, &second, "api.eXample", 0), RAAF_STOP);
    CHECK_EQ_INT(enter(&world, &other, "api.example2", 0), RAAF_OK);
    CHECK_EQ_UINT(world.gate.host_count, 2);
    close_world(&world);
}

TEST(leader_that_fails_is_followed_by_the_next) {
    world_t world;
    transfer_t leader = {0}, second = {0}, third = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    enter(&world, &second, "api.example", 0);
    enter(&world, &third, "api.example", 0);
    leave(&world, &leader);
    CHECK_EQ_INT(second.admitted, 1);
    CHECK(second.ticket.leads);
    CHECK_EQ_INT(third.admitted, 0);
    CHECK_EQ_UINT(world.gate.lookups, 1);
    resolve(&world, &second, 0);
    CHECK_EQ_INT(third.admitted, 1);
    CHECK(!third.ticket.leads);
    close_world(&world);
}

TEST(last_leader_that_fails_leaves_the_place_to_the_next_that_comes) {
    world_t world;
    transfer_t first = {0}, second = {0};

    open_world(&world);
    enter(&world, &first, "api.example", 0);
    leave(&world, &first);
    leave(&world, &first);
    CHECK_EQ_UINT(world.gate.lookups, 0);
    CHECK_EQ_INT(enter(&world, &second, "api.example", 0), RAAF_OK);
    CHECK(second.ticket.leads);
    close_world(&world);
}

TEST(waiting_transfer_can_be_taken_away) {
    world_t world;
    transfer_t leader = {0}, waiters[3] = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    for (int i = 0; i < 3; i++) {
        enter(&world, &waiters[i], "api.example", 0);
    }
    leave(&world, &waiters[1]);
    resolve(&world, &leader, 0);
    CHECK_EQ_INT(waiters[0].admitted, 1);
    CHECK_EQ_INT(waiters[1].admitted, 0);
    CHECK_EQ_INT(waiters[2].admitted, 1);
    close_world(&world);
}

TEST(only_a_leader_can_make_a_name_known) {
    world_t world;
    transfer_t leader = {0}, waiter = {0}, stranger = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    enter(&world, &waiter, "api.example", 0);
    resolve(&world, &waiter, 0);
    resolve(&world, &stranger, 0);
    leave(&world, &stranger);
    CHECK(waiter.ticket.waits);
    CHECK_EQ_UINT(world.admitted, 0);
    CHECK_EQ_UINT(world.gate.lookups, 1);
    close_world(&world);
}

TEST(leaders_of_all_hosts_share_a_number_of_places_in_order) {
    enum { HOSTS = RAAF_HOST_GATE_LOOKUPS + 4 };
    world_t world;
    transfer_t leaders[HOSTS] = {0}, followers[HOSTS] = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < HOSTS; i++) {
        host_name(name, sizeof name, i);
        CHECK_EQ_INT(enter(&world, &leaders[i], name, 0),
                     i < RAAF_HOST_GATE_LOOKUPS ? RAAF_OK : RAAF_STOP);
        CHECK_EQ_INT(enter(&world, &followers[i], name, 0), RAAF_STOP);
    }
    CHECK_EQ_UINT(world.gate.lookups, RAAF_HOST_GATE_LOOKUPS);
    for (size_t i = 0; i < 4; i++) {
        resolve(&world, &leaders[i], 0);
        CHECK_EQ_INT(followers[i].admitted, 1);
        CHECK_EQ_INT(leaders[RAAF_HOST_GATE_LOOKUPS + i].admitted, 1);
        CHECK(leaders[RAAF_HOST_GATE_LOOKUPS + i].ticket.leads);
        CHECK_EQ_INT(followers[RAAF_HOST_GATE_LOOKUPS + i].admitted, 0);
    }
    for (size_t i = 4; i < HOSTS; i++) {
        resolve(&world, &leaders[i], 0);
    }
    CHECK_EQ_UINT(world.admitted, 4 + HOSTS);
    CHECK_EQ_UINT(world.gate.lookups, 0);
    CHECK_EQ_UINT(world.most_lookups, RAAF_HOST_GATE_LOOKUPS);
    close_world(&world);
}

TEST(host_whose_leader_failed_goes_behind_the_hosts_that_wait) {
    world_t world;
    transfer_t leaders[RAAF_HOST_GATE_LOOKUPS] = {0}, second = {0}, other = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < RAAF_HOST_GATE_LOOKUPS; i++) {
        host_name(name, sizeof name, i);
        enter(&world, &leaders[i], name, 0);
    }
    enter(&world, &second, "host-0.example", 0);
    enter(&world, &other, "other.example", 0);
    leave(&world, &leaders[0]);
    CHECK_EQ_INT(other.admitted, 1);
    CHECK_EQ_INT(second.admitted, 0);
    leave(&world, &leaders[1]);
    CHECK_EQ_INT(second.admitted, 1);
    close_world(&world);
}

TEST(host_that_nobody_waits_for_any_more_takes_no_place) {
    world_t world;
    transfer_t leaders[RAAF_HOST_GATE_LOOKUPS] = {0}, gone[3] = {0}, stays = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < RAAF_HOST_GATE_LOOKUPS; i++) {
        host_name(name, sizeof name, i);
        enter(&world, &leaders[i], name, 0);
    }
    enter(&world, &gone[0], "gone-0.example", 0);
    enter(&world, &gone[1], "gone-1.example", 0);
    enter(&world, &stays, "stays.example", 0);
    enter(&world, &gone[2], "gone-2.example", 0);
    leave(&world, &gone[1]);
    leave(&world, &gone[2]);
    leave(&world, &gone[0]);
    resolve(&world, &leaders[0], 0);
    CHECK_EQ_INT(stays.admitted, 1);
    CHECK_EQ_UINT(world.admitted, 1);
    CHECK_EQ_PTR(world.gate.queue_first, NULL);
    CHECK_EQ_PTR(world.gate.queue_last, NULL);
    close_world(&world);
}

TEST(a_thousand_leaders_that_fail_at_once_are_no_recursion) {
    enum { COUNT = 1001 };
    world_t world;
    static transfer_t transfers[COUNT];

    open_world(&world);
    for (size_t i = 0; i < COUNT; i++) {
        transfers[i].plan = PLAN_FAIL;
        CHECK_EQ_INT(enter(&world, &transfers[i], "api.example", 0), i == 0 ? RAAF_OK : RAAF_STOP);
    }
    leave(&world, &transfers[0]);
    for (size_t i = 1; i < COUNT; i++) {
        CHECK_EQ_INT(transfers[i].admitted, 1);
        CHECK_EQ_UINT(transfers[i].order, i);
    }
    CHECK_EQ_UINT(world.deepest, 1);
    CHECK_EQ_UINT(world.most_lookups, 1);
    CHECK_EQ_UINT(world.gate.lookups, 0);
    close_world(&world);
}

TEST(a_thousand_leaders_that_fail_one_after_the_other_lead_in_order) {
    enum { COUNT = 1001 };
    world_t world;
    static transfer_t transfers[COUNT];

    open_world(&world);
    for (size_t i = 0; i < COUNT; i++) {
        enter(&world, &transfers[i], "api.example", 0);
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK(transfers[i].ticket.leads);
        CHECK_EQ_UINT(world.admitted, i);
        leave(&world, &transfers[i]);
    }
    close_world(&world);
}

TEST(transfer_that_connects_inside_admit_lets_the_others_go) {
    world_t world;
    transfer_t transfers[4] = {0};

    open_world(&world);
    for (int i = 0; i < 4; i++) {
        transfers[i].plan = PLAN_CONNECT;
        enter(&world, &transfers[i], "api.example", 0);
    }
    leave(&world, &transfers[0]);
    for (size_t i = 1; i < 4; i++) {
        CHECK_EQ_UINT(transfers[i].order, i);
    }
    CHECK_EQ_UINT(world.deepest, 1);
    CHECK_EQ_UINT(world.gate.lookups, 0);
    close_world(&world);
}

TEST(transfer_can_be_taken_away_inside_the_admit_of_another) {
    world_t world;
    transfer_t leader = {0}, waiters[4] = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    for (int i = 0; i < 4; i++) {
        enter(&world, &waiters[i], "api.example", 0);
    }
    waiters[0].plan = PLAN_CANCEL_NEXT;
    waiters[0].next = &waiters[1];
    waiters[2].plan = PLAN_CANCEL_NEXT;
    waiters[2].next = &waiters[0]; /* has gone already */
    resolve(&world, &leader, 0);
    CHECK_EQ_INT(waiters[0].admitted, 1);
    CHECK_EQ_INT(waiters[1].admitted, 0);
    CHECK_EQ_INT(waiters[2].admitted, 1);
    CHECK_EQ_INT(waiters[3].admitted, 1);
    close_world(&world);
}

TEST(host_that_comes_inside_admit_waits_behind_those_that_waited) {
    world_t world;
    transfer_t leaders[RAAF_HOST_GATE_LOOKUPS] = {0}, follower = {0}, queued = {0}, late = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < RAAF_HOST_GATE_LOOKUPS; i++) {
        host_name(name, sizeof name, i);
        enter(&world, &leaders[i], name, 0);
    }
    follower.plan = PLAN_ENTER_NEXT;
    follower.next = &late;
    enter(&world, &follower, "host-0.example", 0);
    enter(&world, &queued, "queued.example", 0);
    resolve(&world, &leaders[0], SECOND);
    CHECK_EQ_UINT(follower.order, 1);
    CHECK_EQ_UINT(queued.order, 2);
    CHECK(queued.ticket.leads);
    CHECK_EQ_INT(late.admitted, 0);
    resolve(&world, &leaders[1], SECOND);
    CHECK_EQ_UINT(late.order, 3);
    close_world(&world);
}

TEST(host_can_be_forgotten_before_all_who_waited_for_it_have_gone) {
    world_t world;
    transfer_t leader = {0}, waiters[3] = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    for (int i = 0; i < 3; i++) {
        enter(&world, &waiters[i], "api.example", 0);
    }
    waiters[0].plan = PLAN_FLOOD;
    waiters[0].next = &waiters[1];
    resolve(&world, &leader, 0);
    CHECK_EQ_INT(waiters[0].admitted, 1);
    CHECK_EQ_INT(waiters[1].admitted, 0);
    CHECK_EQ_INT(waiters[2].admitted, 1);
    CHECK_EQ_PTR(find_host(&world.gate, "api.example", strlen("api.example")), NULL);
    close_world(&world);
}

TEST(gate_remembers_a_bounded_number_of_names) {
    world_t world;
    transfer_t transfer = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < 2000; i++) {
        host_name(name, sizeof name, i);
        CHECK_EQ_INT(enter(&world, &transfer, name, SECOND), RAAF_OK);
        if (i % 3 == 0) resolve(&world, &transfer, SECOND); /* all fresh at the same time */
        leave(&world, &transfer);
        CHECK(world.gate.host_count <= RAAF_HOST_GATE_HOSTS);
    }
    close_world(&world);
}

TEST(gate_forgets_no_name_that_somebody_waits_for) {
    enum { COUNT = 400 };
    world_t world;
    static transfer_t transfers[COUNT];
    transfer_t later = {0};
    char name[40];

    open_world(&world);
    for (size_t i = 0; i < COUNT; i++) {
        host_name(name, sizeof name, i);
        transfers[i].plan = PLAN_CONNECT;
        enter(&world, &transfers[i], name, SECOND);
    }
    CHECK_EQ_UINT(world.gate.host_count, COUNT);
    leave(&world, &transfers[0]);
    CHECK_EQ_UINT(world.admitted, COUNT - RAAF_HOST_GATE_LOOKUPS);
    for (size_t i = 1; i < RAAF_HOST_GATE_LOOKUPS; i++) {
        leave(&world, &transfers[i]);
    }
    CHECK_EQ_INT(enter(&world, &later, "later.example", 2 * RAAF_HOST_GATE_FRESH_NS), RAAF_OK);
    CHECK_EQ_UINT(world.gate.host_count, 1);
    close_world(&world);
}

TEST(gate_without_memory_says_so_and_goes_on) {
    world_t world;
    transfer_t known = {0}, refused = {0}, second = {0};

    open_world(&world);
    enter(&world, &known, "known.example", 0);
    memory_runs_out_after(0);
    CHECK_EQ_INT(enter(&world, &refused, "new.example", 0), RAAF_NO_MEMORY);
    leave(&world, &refused);
    CHECK_EQ_INT(enter(&world, &second, "known.example", 0), RAAF_STOP);
    memory_is_back();
    resolve(&world, &known, 0);
    CHECK_EQ_INT(second.admitted, 1);
    close_world(&world);
}

TEST(gate_sends_everybody_away_when_freed) {
    world_t world;
    transfer_t leader = {0}, waiter = {0};

    open_world(&world);
    enter(&world, &leader, "api.example", 0);
    enter(&world, &waiter, "api.example", 0);
    raaf_host_gate_free(&world.gate);
    leave(&world, &waiter);
    leave(&world, &leader);
    CHECK_EQ_UINT(world.admitted, 0);
    raaf_host_gate_free(&world.gate);
}

/* ---- whatever happens, in any order ---- */

enum { TRANSFERS = 200, NAMES = 40 };

static size_t count_leaders(const transfer_t *transfers) {
    size_t count = 0;

    for (size_t i = 0; i < TRANSFERS; i++) {
        if (transfers[i].ticket.leads) count++;
    }
    return count;
}

/* Nobody waits for nothing: a host with waiters has a leader, or all places are taken. */
static bool nobody_is_stuck(const world_t *world, const transfer_t *transfers) {
    for (size_t i = 0; i < TRANSFERS; i++) {
        const raaf_host_ticket_t *ticket = &transfers[i].ticket;
        if (!ticket->waits) continue;
        if (ticket->host == NULL) return false;
        if (ticket->host->leader == NULL && world->gate.lookups < RAAF_HOST_GATE_LOOKUPS) {
            return false;
        }
    }
    return true;
}

TEST(nobody_is_stuck_or_forgotten_whatever_happens) {
    world_t world;
    static transfer_t transfers[TRANSFERS];
    uint64_t random = 41, now = 0;
    char name[40];

    open_world(&world);
    for (int round = 0; round < 40000 && atomic_load(&check_failures) == 0; round++) {
        transfer_t *transfer = &transfers[random_below(&random, TRANSFERS)];
        const raaf_host_ticket_t *ticket = &transfer->ticket;
        now += random_below(&random, SECOND);
        if (ticket->leads && random_below(&random, 3) == 0) {
            resolve(&world, transfer, now);
        } else if (ticket->leads || ticket->waits) {
            if (random_below(&random, 2) == 0) leave(&world, transfer);
        } else {
            const size_t plan = random_below(&random, 12);
            transfer->plan = plan < 3 ? (plan_t)(plan + 1) : PLAN_RUN;
            transfer->next = &transfers[random_below(&random, TRANSFERS)];
            host_name(name, sizeof name, random_below(&random, NAMES));
            enter(&world, transfer, name, now);
        }
        CHECK_EQ_UINT(world.gate.lookups, count_leaders(transfers));
        CHECK(world.gate.lookups <= RAAF_HOST_GATE_LOOKUPS);
        CHECK(nobody_is_stuck(&world, transfers));
        CHECK(world.deepest <= 1);
    }
    for (size_t i = 0; i < TRANSFERS; i++) {
        leave(&world, &transfers[i]);
    }
    CHECK_EQ_UINT(world.gate.lookups, 0);
    CHECK_EQ_PTR(world.gate.queue_first, NULL);
    close_world(&world);
}
