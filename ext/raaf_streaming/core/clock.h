/*
 * The one clock of the core: monotonic nanoseconds. Never the time of day.
 */
#ifndef RAAF_CLOCK_H
#define RAAF_CLOCK_H

#include <stdint.h>

#define RAAF_NEVER UINT64_MAX
#define RAAF_MS(ms) ((uint64_t)(ms)*1000000u)

uint64_t raaf_clock_now(void);

/* The same clock, read more cheaply where the system can: a few milliseconds late. */
uint64_t raaf_clock_coarse(void);

#endif
