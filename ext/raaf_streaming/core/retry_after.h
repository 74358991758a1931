/*
 * When a provider wants to be asked again: the forms of Retry-After in use.
 *
 * Sources: RFC 9110 section 10.2.3 (seconds, or an HTTP date); `retry-after-ms` and
 * `x-ratelimit-reset-*` ("6m0s", "20ms", "1.5s") as providers of the OpenAI family send them;
 * `anthropic-ratelimit-*-reset` (RFC 3339).
 *
 * A value is not NUL-terminated; white space round it is ignored, and case. Results are rounded up
 * to the millisecond, so that nobody asks too early; a negative number is 0; more than
 * RAAF_RETRY_AFTER_MAX_MS is that, so that a result can be added to a clock.
 */
#ifndef RAAF_RETRY_AFTER_H
#define RAAF_RETRY_AFTER_H

#include <stddef.h>
#include <stdint.h>

#define RAAF_RETRY_AFTER_MAX_MS INT64_C(31536000000) /* a year */

/*
 * Seconds ("2", "1.5") or an HTTP date in one of its three forms, as milliseconds from [now_unix]
 * (seconds of Unix time); a past date is 0; -1: neither.
 */
int64_t raaf_retry_after_ms(const char *value, size_t len, int64_t now_unix);

/* Milliseconds ("1500", "1500.5"); -1: not a number. */
int64_t raaf_retry_after_ms_header(const char *value, size_t len);

/* A duration ("6m0s", "1h2m3.5s", "20ms", "1.5s", "2" in seconds) as milliseconds; -1: none. */
int64_t raaf_duration_ms(const char *value, size_t len);

/*
 * A time as RFC 3339 has it ("2026-01-31T14:30:00Z", "2026-01-31T15:30:00.5+01:00"), as
 * milliseconds from [now_unix]; a past one is 0; -1: none.
 */
int64_t raaf_timestamp_ms(const char *value, size_t len, int64_t now_unix);

#endif
