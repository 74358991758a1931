#include "coalescer.h"

#include "clock.h"
#include "result_code.h"
#include "utf8.h"

#define KEEP_BYTES 4096

void raaf_coalescer_init(raaf_coalescer_t *coalescer, size_t size, uint64_t timeout_ns) {
    raaf_buffer_init(&coalescer->pending, SIZE_MAX);
    coalescer->size = size;
    coalescer->timeout_ns = timeout_ns;
    coalescer->chars = 0;
    coalescer->deadline = RAAF_NEVER;
}

static uint64_t deadline_from(uint64_t now, uint64_t timeout_ns) {
    return timeout_ns >= RAAF_NEVER - now ? RAAF_NEVER : now + timeout_ns;
}

int raaf_coalescer_add(raaf_coalescer_t *coalescer, const char *bytes, size_t len, uint64_t now,
                       bool *flush) {
    const bool first = coalescer->pending.len == 0;

    *flush = false;
    if (len > 0) {
        if (raaf_buffer_append(&coalescer->pending, bytes, len) != RAAF_OK) return RAAF_NO_MEMORY;
        coalescer->chars += raaf_utf8_count(bytes, len);
        if (first) coalescer->deadline = deadline_from(now, coalescer->timeout_ns);
    }
    if (coalescer->pending.len == 0) return RAAF_OK;
    *flush = coalescer->chars >= coalescer->size || raaf_coalescer_due(coalescer, now);
    return RAAF_OK;
}

bool raaf_coalescer_due(const raaf_coalescer_t *coalescer, uint64_t now) {
    return coalescer->pending.len > 0 && now >= coalescer->deadline;
}

void raaf_coalescer_flushed(raaf_coalescer_t *coalescer) {
    raaf_buffer_clear(&coalescer->pending, KEEP_BYTES);
    coalescer->chars = 0;
    coalescer->deadline = RAAF_NEVER;
}

void raaf_coalescer_free(raaf_coalescer_t *coalescer) {
    raaf_buffer_free(&coalescer->pending);
    coalescer->chars = 0;
    coalescer->deadline = RAAF_NEVER;
}
