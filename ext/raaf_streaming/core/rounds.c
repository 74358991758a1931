#include "rounds.h"

#include "result_code.h"

#include <stdlib.h>

#define FIRST_CAPACITY 4

static size_t *place(const raaf_rounds_t *rounds, uint64_t round) {
    return &rounds->open[round & (rounds->capacity - 1)];
}

int raaf_rounds_init(raaf_rounds_t *rounds) {
    size_t *open = calloc(FIRST_CAPACITY, sizeof *open);
    if (!open) return RAAF_NO_MEMORY;
    *rounds = (raaf_rounds_t){.open = open, .capacity = FIRST_CAPACITY, .oldest = 1, .current = 1};
    return RAAF_OK;
}

void raaf_rounds_free(raaf_rounds_t *rounds) {
    free(rounds->open);
    *rounds = (raaf_rounds_t){0};
}

void raaf_rounds_reset(raaf_rounds_t *rounds) {
    for (size_t i = 0; i < rounds->capacity; i++)
        rounds->open[i] = 0;
    rounds->oldest = rounds->current = 1;
}

void raaf_rounds_enter(raaf_rounds_t *rounds, uint64_t round) {
    ++*place(rounds, round);
}

bool raaf_rounds_leave(raaf_rounds_t *rounds, uint64_t round) {
    uint64_t before = rounds->oldest;
    --*place(rounds, round);
    while (rounds->oldest < rounds->current && *place(rounds, rounds->oldest) == 0)
        rounds->oldest++;
    return rounds->oldest != before;
}

static int grow(raaf_rounds_t *rounds) {
    size_t *open = calloc(rounds->capacity * 2, sizeof *open);
    if (!open) return RAAF_NO_MEMORY;
    for (uint64_t round = rounds->oldest; round <= rounds->current; round++)
        open[round & (rounds->capacity * 2 - 1)] = *place(rounds, round);
    free(rounds->open);
    rounds->open = open;
    rounds->capacity *= 2;
    return RAAF_OK;
}

int raaf_rounds_close(raaf_rounds_t *rounds, uint64_t *closed) {
    if (*place(rounds, rounds->current) == 0) { /* also the only way for a round without anything */
        *closed = rounds->current - 1;
        return RAAF_OK;
    }
    if (rounds->current - rounds->oldest + 1 == rounds->capacity && grow(rounds) != RAAF_OK)
        return RAAF_NO_MEMORY;
    *closed = rounds->current++;
    return RAAF_OK;
}

bool raaf_rounds_over(const raaf_rounds_t *rounds, uint64_t round) {
    return round < rounds->oldest;
}

size_t raaf_rounds_memory(const raaf_rounds_t *rounds) {
    return rounds->capacity * sizeof *rounds->open;
}
