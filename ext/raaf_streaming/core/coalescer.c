#include "coalescer.h"

#include "clock.h"
#include "result_code.h"
#include "utf8.h"

#define KEEP_BYTES 4096

static const size_t longest[RAAF_CUT_COUNT] = {
    RAAF_COALESCER_LONGEST_CLUSTER,
    RAAF_COALESCER_LONGEST_WORD,
    RAAF_COALESCER_LONGEST_SENTENCE,
};

void raaf_coalescer_init(raaf_coalescer_t *coalescer, size_t size, uint64_t timeout_ns,
                         raaf_cut_t cut) {
    *coalescer = (raaf_coalescer_t){
        .size = size,
        .timeout_ns = timeout_ns,
        .deadline = RAAF_NEVER,
    };
    raaf_buffer_init(&coalescer->pending, SIZE_MAX);
    raaf_cutter_init(&coalescer->cutter, cut);
}

static uint64_t deadline_from(uint64_t now, uint64_t timeout_ns) {
    return timeout_ns >= RAAF_NEVER - now ? RAAF_NEVER : now + timeout_ns;
}

int raaf_coalescer_add(raaf_coalescer_t *coalescer, const char *bytes, size_t len, uint64_t now,
                       size_t *ready) {
    const size_t before = coalescer->pending.len;

    *ready = 0;
    if (len > 0) {
        if (raaf_buffer_append(&coalescer->pending, bytes, len) != RAAF_OK) return RAAF_NO_MEMORY;
        coalescer->chars += raaf_cutter_read(&coalescer->cutter, bytes, len);
        coalescer->piece = before;
        if (before == 0) coalescer->deadline = deadline_from(now, coalescer->timeout_ns);
    }
    *ready = raaf_coalescer_ready(coalescer, now);
    return RAAF_OK;
}

/* The last end of the kind that is asked for, or of a finer one where none has come for long. */
static size_t last_end(const raaf_coalescer_t *coalescer) {
    const size_t beyond = coalescer->chars - coalescer->size;

    for (int cut = (int)coalescer->cutter.cut; cut >= 0; cut--) {
        const size_t end = raaf_cutter_end(&coalescer->cutter, (raaf_cut_t)cut);
        if (end > 0) return end;
        if (beyond < longest[cut]) return 0;
    }
    return coalescer->pending.len;
}

static size_t enough(raaf_coalescer_t *coalescer) {
    if (coalescer->chars < coalescer->size) return 0;
    if (coalescer->size == 0) return coalescer->pending.len;
    const size_t end = last_end(coalescer);
    if (end > 0) coalescer->overdue = false;
    return end;
}

static size_t due(raaf_coalescer_t *coalescer, uint64_t now) {
    if (now < coalescer->deadline) return 0;
    if (coalescer->overdue || !raaf_grapheme_unfinished(&coalescer->cutter.grapheme))
        return coalescer->pending.len;
    coalescer->overdue = true;
    coalescer->deadline = deadline_from(now, coalescer->timeout_ns);
    return coalescer->cutter.ends[RAAF_CUT_GRAPHEME];
}

size_t raaf_coalescer_ready(raaf_coalescer_t *coalescer, uint64_t now) {
    if (coalescer->pending.len == 0) return 0;
    const size_t len = due(coalescer, now);
    return len > 0 ? len : enough(coalescer);
}

static void forget_all(raaf_coalescer_t *coalescer) {
    raaf_buffer_clear(&coalescer->pending, KEEP_BYTES);
    coalescer->chars = 0;
    coalescer->piece = 0;
    coalescer->deadline = RAAF_NEVER;
    coalescer->overdue = false;
}

void raaf_coalescer_taken(raaf_coalescer_t *coalescer, size_t len, uint64_t now) {
    raaf_buffer_t *pending = &coalescer->pending;

    raaf_cutter_shift(&coalescer->cutter, len);
    if (len >= pending->len) {
        forget_all(coalescer);
        return;
    }
    raaf_buffer_shift(pending, len, KEEP_BYTES);
    coalescer->chars = raaf_utf8_count(pending->bytes, pending->len);
    /* Of older pieces only the age of the oldest is known. */
    if (len >= coalescer->piece) coalescer->deadline = deadline_from(now, coalescer->timeout_ns);
    coalescer->piece = coalescer->piece > len ? coalescer->piece - len : 0;
}

void raaf_coalescer_flushed(raaf_coalescer_t *coalescer) {
    forget_all(coalescer);
    raaf_cutter_init(&coalescer->cutter, coalescer->cutter.cut);
}

void raaf_coalescer_free(raaf_coalescer_t *coalescer) {
    raaf_buffer_free(&coalescer->pending);
    raaf_coalescer_flushed(coalescer);
}
