#include "random_source.h"

#include "clock.h"

#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

void raaf_random_seed(raaf_random_t *random) {
    if (getentropy(&random->state, sizeof random->state) == 0) return;
    random->state = raaf_clock_now() ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)random;
}

/* SplitMix64, by Steele, Lea and Flood: any state is a good one, 0 included. */
uint64_t raaf_random_next(raaf_random_t *random) {
    uint64_t bits = random->state += 0x9E3779B97F4A7C15u;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
    return bits ^ bits >> 31;
}
