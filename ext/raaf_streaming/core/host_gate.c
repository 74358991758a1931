#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "host_gate.h"

#include "result_code.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct raaf_host {
    raaf_host_t *next; /* in the gate's list of all */
    raaf_host_t *queue_next;
    raaf_host_t *queue_previous;
    raaf_host_ticket_t waiters; /* ring, oldest first */
    raaf_host_ticket_t *leader;
    uint64_t fresh_until;
    bool queued;
    size_t len;
    char name[]; /* lower case */
};

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *name, const char *other, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (lower(name[i]) != lower(other[i])) return false;
    }
    return true;
}

/* "localhost" and all names below it never leave this machine (RFC 6761 section 6.3). */
static bool is_localhost(const char *host, size_t len) {
    static const char name[] = "localhost";
    const size_t name_len = sizeof name - 1;

    if (len > 0 && host[len - 1] == '.') len--;
    if (len < name_len || !same_name(host + len - name_len, name, name_len)) return false;
    return len == name_len || host[len - name_len - 1] == '.';
}

/* No name has a colon; every IPv6 address has one, also in brackets. */
static bool needs_lookup(const char *host, size_t len) {
    struct in_addr address;

    if (len == 0 || memchr(host, ':', len) != NULL) return false;
    return !is_localhost(host, len) && inet_pton(AF_INET, host, &address) != 1;
}

static void ring_init(raaf_host_ticket_t *ring) {
    ring->next = ring;
    ring->previous = ring;
}

static bool ring_empty(const raaf_host_ticket_t *ring) {
    return ring->next == ring;
}

static void ring_add(raaf_host_ticket_t *ring, raaf_host_ticket_t *ticket) {
    ticket->next = ring;
    ticket->previous = ring->previous;
    ring->previous->next = ticket;
    ring->previous = ticket;
}

static void ring_remove(raaf_host_ticket_t *ticket) {
    ticket->previous->next = ticket->next;
    ticket->next->previous = ticket->previous;
    ticket->next = NULL;
    ticket->previous = NULL;
}

/* Moves all of [from] to the end of [to], in order. */
static void ring_move(raaf_host_ticket_t *to, raaf_host_ticket_t *from) {
    if (ring_empty(from)) return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    ring_init(from);
}

static void ticket_clear(raaf_host_ticket_t *ticket) {
    memset(ticket, 0, sizeof *ticket);
}

static void queue_add(raaf_host_gate_t *gate, raaf_host_t *host) {
    host->queued = true;
    host->queue_next = NULL;
    host->queue_previous = gate->queue_last;
    if (gate->queue_last != NULL)
        gate->queue_last->queue_next = host;
    else
        gate->queue_first = host;
    gate->queue_last = host;
}

static void queue_remove(raaf_host_gate_t *gate, raaf_host_t *host) {
    if (host->queue_previous != NULL)
        host->queue_previous->queue_next = host->queue_next;
    else
        gate->queue_first = host->queue_next;
    if (host->queue_next != NULL)
        host->queue_next->queue_previous = host->queue_previous;
    else
        gate->queue_last = host->queue_previous;
    host->queued = false;
}

void raaf_host_gate_init(raaf_host_gate_t *gate,
                         void (*admit)(raaf_host_ticket_t *ticket, void *context), void *context) {
    memset(gate, 0, sizeof *gate);
    ring_init(&gate->ready);
    gate->admit = admit;
    gate->context = context;
}

static void send_away(raaf_host_ticket_t *ring) {
    while (!ring_empty(ring)) {
        raaf_host_ticket_t *ticket = ring->next;
        ring_remove(ticket);
        ticket_clear(ticket);
    }
}

void raaf_host_gate_free(raaf_host_gate_t *gate) {
    send_away(&gate->ready);
    while (gate->hosts != NULL) {
        raaf_host_t *host = gate->hosts;
        gate->hosts = host->next;
        if (host->leader != NULL) ticket_clear(host->leader);
        send_away(&host->waiters);
        free(host);
    }
    raaf_host_gate_init(gate, gate->admit, gate->context);
}

static bool is_idle(const raaf_host_t *host) {
    return host->leader == NULL && ring_empty(&host->waiters);
}

static void forget(raaf_host_gate_t *gate, raaf_host_t **link) {
    raaf_host_t *host = *link;

    *link = host->next;
    gate->host_count--;
    free(host);
}

static void forget_stale(raaf_host_gate_t *gate, uint64_t now) {
    raaf_host_t **link = &gate->hosts;

    while (*link != NULL) {
        if (is_idle(*link) && (*link)->fresh_until <= now)
            forget(gate, link);
        else
            link = &(*link)->next;
    }
}

static void forget_oldest(raaf_host_gate_t *gate) {
    raaf_host_t **oldest = NULL;

    for (raaf_host_t **link = &gate->hosts; *link != NULL; link = &(*link)->next) {
        if (!is_idle(*link)) continue;
        if (oldest == NULL || (*link)->fresh_until < (*oldest)->fresh_until) oldest = link;
    }
    if (oldest != NULL) forget(gate, oldest);
}

static raaf_host_t *find_host(raaf_host_gate_t *gate, const char *name, size_t len) {
    raaf_host_t *host = gate->hosts;

    while (host != NULL && !(host->len == len && same_name(host->name, name, len))) {
        host = host->next;
    }
    return host;
}

static raaf_host_t *add_host(raaf_host_gate_t *gate, const char *name, size_t len, uint64_t now) {
    raaf_host_t *host;

    if (gate->host_count >= RAAF_HOST_GATE_HOSTS) forget_stale(gate, now);
    if (gate->host_count >= RAAF_HOST_GATE_HOSTS) forget_oldest(gate);
    host = calloc(1, sizeof *host + len);
    if (host == NULL) return NULL;
    ring_init(&host->waiters);
    host->len = len;
    for (size_t i = 0; i < len; i++)
        host->name[i] = lower(name[i]);
    host->next = gate->hosts;
    gate->hosts = host;
    gate->host_count++;
    return host;
}

static void lead(raaf_host_gate_t *gate, raaf_host_t *host, raaf_host_ticket_t *ticket) {
    host->leader = ticket;
    ticket->host = host;
    ticket->leads = true;
    gate->lookups++;
}

int raaf_host_gate_enter(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket, const char *name,
                         uint64_t now) {
    const size_t len = strlen(name);
    raaf_host_t *host;

    ticket_clear(ticket);
    if (!needs_lookup(name, len)) return RAAF_OK;
    host = find_host(gate, name, len);
    if (host == NULL) host = add_host(gate, name, len, now);
    if (host == NULL) return RAAF_NO_MEMORY;
    if (now < host->fresh_until) return RAAF_OK;

    if (is_idle(host)) {
        if (gate->lookups < RAAF_HOST_GATE_LOOKUPS && gate->queue_first == NULL) {
            lead(gate, host, ticket);
            return RAAF_OK;
        }
        queue_add(gate, host);
    }
    ticket->host = host;
    ticket->waits = true;
    ring_add(&host->waiters, ticket);
    return RAAF_STOP;
}

/* The next that may go, those of known hosts first; NULL: nobody for now. */
static raaf_host_ticket_t *next_to_admit(raaf_host_gate_t *gate) {
    raaf_host_t *host = gate->queue_first;
    raaf_host_ticket_t *ticket;

    if (!ring_empty(&gate->ready)) {
        ticket = gate->ready.next;
        ring_remove(ticket);
        ticket_clear(ticket);
        return ticket;
    }
    if (host == NULL || gate->lookups >= RAAF_HOST_GATE_LOOKUPS) return NULL;
    queue_remove(gate, host);
    ticket = host->waiters.next;
    ring_remove(ticket);
    ticket_clear(ticket);
    lead(gate, host, ticket);
    return ticket;
}

/*
 * A call from inside admit() only changes the lists; the round that called admit() goes on with
 * them. Nothing is kept over the call but the gate.
 */
static void admit_all(raaf_host_gate_t *gate) {
    raaf_host_ticket_t *ticket;

    if (gate->admitting) return;
    gate->admitting = true;
    while ((ticket = next_to_admit(gate)) != NULL)
        gate->admit(ticket, gate->context);
    gate->admitting = false;
}

void raaf_host_gate_resolved(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket, uint64_t now) {
    raaf_host_t *host = ticket->host;

    if (!ticket->leads) return;
    gate->lookups--;
    host->leader = NULL;
    host->fresh_until = now + RAAF_HOST_GATE_FRESH_NS;
    ticket_clear(ticket);
    for (raaf_host_ticket_t *waiter = host->waiters.next; waiter != &host->waiters;
         waiter = waiter->next) {
        waiter->host = NULL; /* the gate may forget the host before all have gone */
    }
    ring_move(&gate->ready, &host->waiters);
    admit_all(gate);
}

void raaf_host_gate_leave(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket) {
    raaf_host_t *host = ticket->host;

    if (ticket->leads) {
        gate->lookups--;
        host->leader = NULL;
        if (!ring_empty(&host->waiters)) queue_add(gate, host);
    } else if (ticket->waits) {
        ring_remove(ticket);
        if (host != NULL && host->queued && ring_empty(&host->waiters)) queue_remove(gate, host);
    }
    ticket_clear(ticket);
    admit_all(gate);
}
