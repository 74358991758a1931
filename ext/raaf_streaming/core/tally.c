#include "tally.h"

#include "result_code.h"

#include <string.h>

#define US 1000u /* nanoseconds */

void raaf_tally_init(raaf_tally_t *tally, raaf_series_t *series) {
    memset(tally, 0, sizeof *tally);
    tally->series = series;
}

void raaf_tally_large(raaf_tally_t *tally, size_t len) {
    raaf_series_measure(tally->series, RAAF_MEASURE_SIZE, len);
}

static void count_chunks(raaf_tally_t *tally, raaf_cell_t *cell) {
    for (size_t type = 0; type < RAAF_CHUNK_TYPE_COUNT; type++)
        if (tally->chunks[type]) raaf_cell_chunks(cell, type, tally->chunks[type]);
    if (tally->chunks[RAAF_CHUNK_REASONING]) tally->reasoned = true;
    raaf_cell_sizes(cell, tally->sizes, RAAF_TALLY_SIZES, tally->bytes);
}

void raaf_tally_count(raaf_tally_t *tally) {
    if (!tally->pieces) return;
    const uint64_t now = tally->read_at;
    raaf_cell_t *cell = raaf_series_cell(tally->series);
    count_chunks(tally, cell);
    if (tally->gap_from && now > tally->gap_from)
        raaf_cell_measure(cell, RAAF_MEASURE_GAP, (now - tally->gap_from) / US);
    tally->arrived_at = tally->gap_from = now;
    tally->bytes = tally->pieces = 0;
    memset(tally->chunks, 0, sizeof tally->chunks);
    memset(tally->sizes, 0, sizeof tally->sizes);
}

void raaf_tally_held_up(raaf_tally_t *tally) {
    tally->gap_from = 0;
}

void raaf_tally_first_token(raaf_tally_t *tally, const raaf_outcome_t *outcome) {
    raaf_series_measure(tally->series, RAAF_MEASURE_FIRST_TOKEN,
                        (outcome->first_token_at - outcome->started_at) / US);
}

void raaf_tally_retry(raaf_tally_t *tally) {
    raaf_series_count(tally->series, RAAF_COUNT_RETRIES, 1);
}

static void count_tokens(raaf_cell_t *cell, raaf_counter_t counter, int64_t tokens) {
    if (tokens > 0) raaf_cell_count(cell, counter, (uint64_t)tokens);
}

static void count_usage(raaf_cell_t *cell, const raaf_usage_t *usage) {
    raaf_cell_count(cell, RAAF_COUNT_CALLS_WITH_USAGE, 1);
    count_tokens(cell, RAAF_COUNT_PROMPT_TOKENS, usage->prompt_tokens);
    count_tokens(cell, RAAF_COUNT_COMPLETION_TOKENS, usage->completion_tokens);
    count_tokens(cell, RAAF_COUNT_TOTAL_TOKENS, usage->total_tokens);
    count_tokens(cell, RAAF_COUNT_CACHED_TOKENS, usage->cached_tokens);
    count_tokens(cell, RAAF_COUNT_REASONING_TOKENS, usage->reasoning_tokens);
}

/*
 * From the first token to the last arrival, in which all tokens but the first came. Tokens of
 * reasoning that was not handed over came before that.
 */
static void measure_rate(const raaf_tally_t *tally, raaf_cell_t *cell,
                         const raaf_outcome_t *outcome) {
    int64_t tokens = outcome->usage.completion_tokens;
    if (!tally->reasoned && outcome->usage.reasoning_tokens > 0)
        tokens -= outcome->usage.reasoning_tokens;
    if (tokens < 2 || tally->arrived_at <= outcome->first_token_at) return;
    const double seconds = (double)(tally->arrived_at - outcome->first_token_at) / 1e9;
    const double thousandths = (double)(tokens - 1) / seconds * 1e3;
    const bool fits = thousandths < (double)RAAF_HISTOGRAM_MAX;
    raaf_cell_measure(cell, RAAF_MEASURE_TOKEN_RATE,
                      fits ? (uint64_t)thousandths : RAAF_HISTOGRAM_MAX);
}

static raaf_counter_t counter_of(int code) {
    if (code == RAAF_OK) return RAAF_COUNT_CALLS_COMPLETED;
    const bool cancelled = code == RAAF_CANCELLED || code == RAAF_SHUTDOWN;
    return cancelled ? RAAF_COUNT_CALLS_CANCELLED : RAAF_COUNT_CALLS_FAILED;
}

void raaf_tally_ended(raaf_tally_t *tally, const raaf_outcome_t *outcome) {
    if (!tally->series) return;
    raaf_cell_t *cell = raaf_series_cell(tally->series);
    raaf_cell_count(cell, counter_of(outcome->code), 1);
    if (!outcome->has_usage) return;
    count_usage(cell, &outcome->usage);
    if (outcome->first_token_at) measure_rate(tally, cell, outcome);
}
