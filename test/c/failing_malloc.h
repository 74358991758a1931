/*
 * Memory that runs out on demand, and that is counted, for a module's own allocations.
 *
 * Include this, then the module's .c file instead of linking it:
 *
 *     #include "failing_malloc.h"
 *     #include "text.c"
 *
 *     memory_runs_out_after(2);   // two allocations succeed, all further ones fail
 *     memory_is_back();
 *     memory_calls()              // allocations asked for so far, those that failed included
 */
#ifndef RAAF_TEST_FAILING_MALLOC_H
#define RAAF_TEST_FAILING_MALLOC_H

#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_long memory_left = LONG_MAX;
static atomic_long memory_asked;

__attribute__((unused)) static void memory_runs_out_after(long allocations) {
    atomic_store(&memory_left, allocations);
}

__attribute__((unused)) static void memory_is_back(void) {
    atomic_store(&memory_left, LONG_MAX);
}

__attribute__((unused)) static long memory_calls(void) {
    return atomic_load(&memory_asked);
}

/* The sanitizers end a program that asks for more than there can be, where malloc says no. */
static int memory_given(size_t size) {
    if (size > PTRDIFF_MAX) return 0;
    atomic_fetch_add(&memory_asked, 1);
    if (atomic_load(&memory_left) == LONG_MAX) return 1;
    return atomic_fetch_sub(&memory_left, 1) > 0;
}

__attribute__((unused)) static void *failing_malloc(size_t size) {
    return memory_given(size) ? malloc(size) : NULL;
}

__attribute__((unused)) static void *failing_calloc(size_t count, size_t size) {
    return memory_given(size) ? calloc(count, size) : NULL;
}

__attribute__((unused)) static void *failing_realloc(void *old, size_t size) {
    return memory_given(size) ? realloc(old, size) : NULL;
}

#define malloc(size) failing_malloc(size)
#define calloc(count, size) failing_calloc(count, size)
#define realloc(old, size) failing_realloc(old, size)

#endif
