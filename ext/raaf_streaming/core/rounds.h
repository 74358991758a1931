/*
 * Counts what is on its way by rounds, so that somebody can wait for all that began before a certain
 * moment while more begins: he closes the current round, and what comes then belongs to the next.
 *
 * Not thread-safe: whoever owns it locks.
 */
#ifndef RAAF_ROUNDS_H
#define RAAF_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct raaf_rounds {
    size_t *open;     /* what is on its way, by round; a ring of [capacity] places */
    size_t capacity;  /* a power of two */
    uint64_t oldest;  /* all before it are over */
    uint64_t current; /* what begins now belongs to it */
} raaf_rounds_t;

/* RAAF_OK or RAAF_NO_MEMORY. */
int raaf_rounds_init(raaf_rounds_t *rounds);

void raaf_rounds_free(raaf_rounds_t *rounds);

/* Forgets all that is on its way: the first round begins again. */
void raaf_rounds_reset(raaf_rounds_t *rounds);

/* Something begins in [round]: the current one, or one in which something is still on its way. */
void raaf_rounds_enter(raaf_rounds_t *rounds, uint64_t round);

/* Something of [round] is over. Returns whether with it the oldest round is, and is not current. */
bool raaf_rounds_leave(raaf_rounds_t *rounds, uint64_t round);

/*
 * Closes the current round and sets [*closed] to what has to be over for all that has begun so far to
 * be over; that is an earlier one where nothing has begun since. RAAF_OK or RAAF_NO_MEMORY.
 */
int raaf_rounds_close(raaf_rounds_t *rounds, uint64_t *closed);

/* Whether [round], which is closed, and all before it are over. */
bool raaf_rounds_over(const raaf_rounds_t *rounds, uint64_t round);

size_t raaf_rounds_memory(const raaf_rounds_t *rounds);

#endif
