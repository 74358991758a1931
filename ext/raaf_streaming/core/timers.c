#include "timers.h"

#include "clock.h"
#include "result_code.h"

#include <stdlib.h>

void raaf_timers_init(raaf_timers_t *timers) {
    timers->heap = NULL;
    timers->count = 0;
    timers->capacity = 0;
}

void raaf_timers_free(raaf_timers_t *timers) {
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i]->position = 0;
    free(timers->heap);
    raaf_timers_init(timers);
}

int raaf_timers_reserve(raaf_timers_t *timers, size_t count) {
    size_t capacity = timers->capacity < 16 ? 16 : timers->capacity;
    raaf_timer_t **heap;

    if (count <= timers->capacity) return RAAF_OK;
    if (count > SIZE_MAX / 2 / sizeof *heap) return RAAF_NO_MEMORY;
    while (capacity < count)
        capacity *= 2;
    heap = realloc(timers->heap, capacity * sizeof *heap);
    if (heap == NULL) return RAAF_NO_MEMORY;
    timers->heap = heap;
    timers->capacity = capacity;
    return RAAF_OK;
}

static void place(raaf_timers_t *timers, size_t position, raaf_timer_t *timer) {
    timers->heap[position - 1] = timer;
    timer->position = position;
}

/* Puts [timer] at [position] or above it, where its deadline belongs. */
static void sift_up(raaf_timers_t *timers, size_t position, raaf_timer_t *timer) {
    while (position > 1) {
        raaf_timer_t *parent = timers->heap[position / 2 - 1];
        if (parent->deadline <= timer->deadline) break;
        place(timers, position, parent);
        position /= 2;
    }
    place(timers, position, timer);
}

/* Puts [timer] at [position] or below it, where its deadline belongs. */
static void sift_down(raaf_timers_t *timers, size_t position, raaf_timer_t *timer) {
    while (position <= timers->count / 2) {
        size_t child = position * 2;
        if (child < timers->count &&
            timers->heap[child]->deadline < timers->heap[child - 1]->deadline) {
            child++;
        }
        if (timers->heap[child - 1]->deadline >= timer->deadline) break;
        place(timers, position, timers->heap[child - 1]);
        position = child;
    }
    place(timers, position, timer);
}

/* Only one of the two moves it. */
static void settle(raaf_timers_t *timers, size_t position, raaf_timer_t *timer) {
    sift_up(timers, position, timer);
    sift_down(timers, timer->position, timer);
}

void raaf_timers_schedule(raaf_timers_t *timers, raaf_timer_t *timer, uint64_t deadline) {
    if (deadline == RAAF_NEVER) {
        raaf_timers_cancel(timers, timer);
        timer->deadline = RAAF_NEVER;
        return;
    }
    if (timer->position == 0) {
        if (raaf_timers_reserve(timers, timers->count + 1) != RAAF_OK) return;
        place(timers, ++timers->count, timer);
    }
    timer->deadline = deadline;
    settle(timers, timer->position, timer);
}

void raaf_timers_cancel(raaf_timers_t *timers, raaf_timer_t *timer) {
    const size_t position = timer->position;
    raaf_timer_t *last;

    if (position == 0) return;
    last = timers->heap[--timers->count];
    timer->position = 0;
    if (last != timer) settle(timers, position, last);
}

raaf_timer_t *raaf_timers_pop_due(raaf_timers_t *timers, uint64_t now) {
    raaf_timer_t *first;

    if (timers->count == 0 || timers->heap[0]->deadline > now) return NULL;
    first = timers->heap[0];
    raaf_timers_cancel(timers, first);
    return first;
}

uint64_t raaf_timers_next(const raaf_timers_t *timers) {
    return timers->count == 0 ? RAAF_NEVER : timers->heap[0]->deadline;
}
