/*
 * A waker: something a sleeping poll can watch and another thread can write to.
 *
 * An eventfd where there is one, else a pipe; both can be asked for, so that both are tested. Any
 * number of wakes before a drain are one. Both ends do not block and are closed on exec.
 */
#ifndef RAAF_WAKER_H
#define RAAF_WAKER_H

#include <stdbool.h>

typedef struct raaf_waker {
    int read_fd;  /* watch this for readability */
    int write_fd; /* the same descriptor for an eventfd */
} raaf_waker_t;

/* Return values: RAAF_OK, RAAF_SYSTEM (errno says why). [pipe] asks for a pipe in any case. */
int raaf_waker_open(raaf_waker_t *waker, bool pipe);

/* Any thread, also in a signal handler. Keeps errno. */
void raaf_waker_wake(const raaf_waker_t *waker);

/* Forgets the wakes so far. */
void raaf_waker_drain(const raaf_waker_t *waker);

void raaf_waker_close(raaf_waker_t *waker);

/* The same for a bare descriptor, as a consumer's lease has it. */
void raaf_wake_fd(int write_fd);
void raaf_drain_fd(int read_fd);

#endif
