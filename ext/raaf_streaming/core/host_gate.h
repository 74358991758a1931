/*
 * Lets one transfer a host resolve its name while the others of that host wait.
 *
 * libcurl's resolver is a thread a lookup: a thousand streams to a new host would be a thousand
 * threads asking the same question. The first transfer (the leader) goes ahead; when it has its
 * connection the name is in libcurl's cache and the others follow; when it fails or is taken away,
 * the next one leads. Over all hosts at most RAAF_HOST_GATE_LOOKUPS leaders run at a time; hosts
 * wait for such a place in order, and one whose leader failed goes to the back. Names are compared
 * without regard to case. Reactor thread only.
 */
#ifndef RAAF_HOST_GATE_H
#define RAAF_HOST_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAAF_HOST_GATE_LOOKUPS 16
#define RAAF_HOST_GATE_FRESH_NS 50000000000u /* libcurl keeps a name for 60 s */
#define RAAF_HOST_GATE_HOSTS 256             /* names remembered, beside those somebody waits for */

typedef struct raaf_host raaf_host_t; /* one host name; owned by the gate */

/* Embedded in a transfer; zeroed at first. It stays where it is while it leads or waits. */
typedef struct raaf_host_ticket {
    raaf_host_t *host; /* of one that leads, or waits for its host to be known */
    struct raaf_host_ticket *next;
    struct raaf_host_ticket *previous;
    bool leads;
    bool waits; /* neither leads nor waits: it is not at the gate */
} raaf_host_ticket_t;

/* Stays where it is once initialised. The fields are the gate's own. */
typedef struct raaf_host_gate {
    raaf_host_t *hosts;
    raaf_host_t *queue_first; /* hosts that wait for a place, in order */
    raaf_host_t *queue_last;
    raaf_host_ticket_t ready; /* ring of those whose host is known, to be admitted */
    size_t lookups;           /* leaders at work */
    size_t host_count;
    bool admitting; /* admit() is being called: no second round inside it */
    void (*admit)(raaf_host_ticket_t *ticket, void *context); /* called for one that may go now */
    void *context;
} raaf_host_gate_t;

/*
 * [admit] is called from within resolved() and leave() only, never from enter(). It may call
 * enter(), resolved() and leave() for any ticket, its own (a start that failed) included: what
 * they let go is admitted after it has returned, one by one, without recursion.
 */
void raaf_host_gate_init(raaf_host_gate_t *gate,
                         void (*admit)(raaf_host_ticket_t *ticket, void *context), void *context);

/* Tickets still at the gate are sent away; leave() does nothing for them afterwards. */
void raaf_host_gate_free(raaf_host_gate_t *gate);

/*
 * A transfer to [host] (a name, or an address, which never waits; "localhost" neither) wants to
 * go. Return values: RAAF_OK it may go now; RAAF_STOP it waits, admit() will be called for it;
 * RAAF_NO_MEMORY.
 */
int raaf_host_gate_enter(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket, const char *host,
                         uint64_t now);

/*
 * The transfer has its connection, for which it looked the name up: the name is known. Admits
 * those who wait for it. Does nothing for one that does not lead. (A leader that got by with an
 * open connection knows nothing about the name: leave() is for it.)
 */
void raaf_host_gate_resolved(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket, uint64_t now);

/*
 * The transfer has ended or was taken away, wherever it stood; if it led without a result, the
 * next one is admitted as leader. Does nothing for one that is not at the gate. Must be called
 * before the ticket's memory goes.
 */
void raaf_host_gate_leave(raaf_host_gate_t *gate, raaf_host_ticket_t *ticket);

#endif
