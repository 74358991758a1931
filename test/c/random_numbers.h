/* Random numbers that are the same in every run (xorshift), so that a failure can be had again. */
#ifndef RAAF_TEST_RANDOM_NUMBERS_H
#define RAAF_TEST_RANDOM_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* [state] is any number but 0. */
static inline uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* 0 to [limit] - 1. */
static inline size_t random_below(uint64_t *state, size_t limit) {
    return (size_t)((random_next(state) >> 11) % limit);
}

#endif
