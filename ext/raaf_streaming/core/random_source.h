/*
 * Random numbers for delays, so that many clients do not come in step. Not for secrets.
 *
 * Not shared: one thread at a time. A process that was forked must seed its own, or parent and
 * child would come in step.
 */
#ifndef RAAF_RANDOM_SOURCE_H
#define RAAF_RANDOM_SOURCE_H

#include <stdint.h>

typedef struct raaf_random {
    uint64_t state;
} raaf_random_t;

/* Starts it from the system's entropy; where there is none, from clock and process id. */
void raaf_random_seed(raaf_random_t *random);

/* The next 64 bits. */
uint64_t raaf_random_next(raaf_random_t *random);

#endif
