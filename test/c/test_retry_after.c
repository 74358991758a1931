#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* timegm */
#endif

#include "check.h"
#include "random_numbers.h"
#include "retry_after.h"

#include <time.h>

#define NOW 784111777 /* Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110 */

/* In memory of just that size, so that a read beyond it is found by the sanitizers. */
typedef int64_t (*reader_t)(const char *value, size_t len);

static int64_t at_now(const char *value, size_t len) {
    return raaf_retry_after_ms(value, len, NOW);
}

static int64_t read_bytes(reader_t reader, const char *value, size_t len) {
    char *copy = malloc(len > 0 ? len : 1);
    int64_t ms;

    memcpy(copy, value, len);
    ms = reader(copy, len);
    free(copy);
    return ms;
}

static int64_t read_with(reader_t reader, const char *value) {
    return read_bytes(reader, value, strlen(value));
}

typedef struct example {
    const char *value;
    int64_t ms;
} example_t;

static void check_examples(reader_t reader, const example_t *examples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (CHECK_EQ_INT(read_with(reader, examples[i].value), examples[i].ms)) continue;
        fprintf(stderr, "    value: \"%s\"\n", examples[i].value);
    }
}

#define CHECK_EXAMPLES(reader, examples)                                                           \
    check_examples(reader, examples, sizeof(examples) / sizeof((examples)[0]))

TEST(seconds_are_read_as_whole_and_as_decimal_numbers) {
    static const example_t examples[] = {
        {"2", 2000},       {"0", 0},         {"1.5", 1500},       {"0.25", 250},
        {"007", 7000},     {".5", 500},      {"5.", 5000},        {" 3 ", 3000},
        {"\t3\r\n", 3000}, {"1.0004", 1001}, {"0.0000001", 1},    {"1.00000000", 1000},
        {"120", 120000},   {"0.9999", 1000}, {"86400", 86400000},
    };
    CHECK_EXAMPLES(at_now, examples);
}

TEST(less_than_nothing_is_nothing_and_too_much_is_a_year) {
    static const example_t examples[] = {
        {"-1", 0},
        {"-0.5", 0},
        {"-99999999999999999999999", 0},
        {"31535999", INT64_C(31535999000)},
        {"31536000", RAAF_RETRY_AFTER_MAX_MS},
        {"31536000.5", RAAF_RETRY_AFTER_MAX_MS},
        {"31535999.99999999", RAAF_RETRY_AFTER_MAX_MS},
        {"9223372036854775807", RAAF_RETRY_AFTER_MAX_MS},
        {"18446744073709551617", RAAF_RETRY_AFTER_MAX_MS},
        {"99999999999999999999999999999999999999999999", RAAF_RETRY_AFTER_MAX_MS},
        {"Fri, 31 Dec 9999 23:59:59 GMT", RAAF_RETRY_AFTER_MAX_MS},
    };
    CHECK_EXAMPLES(at_now, examples);
}

TEST(what_is_neither_a_number_nor_a_date_is_refused) {
    static const example_t examples[] = {
        {"", -1},      {" ", -1},   {".", -1},        {"-", -1},    {"+1", -1},
        {"1e3", -1},   {"1,5", -1}, {"1 2", -1},      {"0x10", -1}, {"1.2.3", -1},
        {"--1", -1},   {"2s", -1},  {"soon", -1},     {"nan", -1},  {"inf", -1},
        {"1_000", -1}, {"- 1", -1}, {"\xd9\xa1", -1}, {"1;2", -1},  {"\"2\"", -1},
    };
    CHECK_EXAMPLES(at_now, examples);
    CHECK_EQ_INT(raaf_retry_after_ms(NULL, 0, NOW), -1);
    CHECK_EQ_INT(read_bytes(at_now, "1\0", 2), -1);
}

TEST(dates_are_read_in_their_three_forms) {
    static const example_t examples[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 1994 08:49:38 GMT", 1000},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60000},
        {"Sun Nov  6 09:49:37 1994", 3600000},
        {"Mon Nov 14 08:49:37 1994", INT64_C(8) * 86400000},
        {"Mon, 07 Nov 1994 08:49:37 GMT", 86400000},
        {"Wednesday, 09-Nov-94 08:49:37 GMT", INT64_C(3) * 86400000},
        {" Sun, 06 Nov 1994 08:49:39 GMT ", 2000},
        {"sun, 06 nov 1994 08:49:39 gmt", 2000},
    };
    CHECK_EXAMPLES(at_now, examples);
}

TEST(date_in_the_past_is_now) {
    static const example_t examples[] = {
        {"Sun, 06 Nov 1994 08:49:36 GMT", 0}, {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Sat, 01 Jan 0000 00:00:00 GMT", 0}, {"Saturday, 05-Nov-94 08:49:37 GMT", 0},
        {"Sat Nov  5 08:49:37 1994", 0},      {"Fri, 13 Dec 1901 20:45:52 GMT", 0},
    };
    CHECK_EXAMPLES(at_now, examples);
}

TEST(dates_that_cannot_be_are_refused) {
    static const example_t examples[] = {
        {"Sun, 31 Nov 1994 08:49:37 GMT", -1},    {"Sun, 00 Nov 1994 08:49:37 GMT", -1},
        {"Sun, 29 Feb 1995 08:49:37 GMT", -1},    {"Sun, 29 Feb 2100 08:49:37 GMT", -1},
        {"Sun, 06 Nov 1994 24:49:37 GMT", -1},    {"Sun, 06 Nov 1994 08:60:37 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:61 GMT", -1},    {"Sun, 06 Nov 1994 08:49:37 EST", -1},
        {"Sun, 06 Nov 1994 08:49:37 +0000", -1},  {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Xyz, 06 Nov 1994 08:49:37 GMT", -1},    {"Sun, 06 Nev 1994 08:49:37 GMT", -1},
        {"Sun, 6 Nov 1994 08:49:37 GMT", -1},     {"Sun, 06 Nov 94 08:49:37 GMT", -1},
        {"Sunday, 06-Nov-1994 08:49:37 GMT", -1}, {"Sun, 06-Nov-94 08:49:37 GMT", -1},
        {"Sunday 06-Nov-94 08:49:37 GMT", -1},    {"Sunsday, 06-Nov-94 08:49:37 GMT", -1},
        {"Sun Nov 6 08:49:37 1994", -1},          {"Sun Nov 06 08:49:37 1994 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMTx", -1},   {"Sun,  06 Nov 1994 08:49:37 GMT", -1},
        {"Sun Nov 99 08:49:37 1994", -1},         {"Sun, 06 Nov -994 08:49:37 GMT", -1},
    };
    CHECK_EXAMPLES(at_now, examples);
}

TEST(leap_seconds_and_leap_days_are_dates) {
    CHECK_EQ_INT(raaf_retry_after_ms("Sat, 31 Dec 2016 23:59:60 GMT", 29, 1483228799), 1000);
    CHECK_EQ_INT(raaf_retry_after_ms("Tue, 29 Feb 2000 00:00:01 GMT", 29, 951782400), 1000);
    CHECK_EQ_INT(raaf_retry_after_ms("Thu, 29 Feb 2024 00:00:01 GMT", 29, 1709164800), 1000);
}

TEST(two_digits_of_a_year_mean_the_one_nearest_below_fifty_years_ahead) {
    const int64_t now_2026 = 1767225600; /* Thu, 01 Jan 2026 00:00:00 GMT */

    CHECK_EQ_INT(raaf_retry_after_ms("Friday, 02-Jan-26 00:00:00 GMT", 30, now_2026), 86400000);
    CHECK_EQ_INT(raaf_retry_after_ms("Wednesday, 01-Jan-75 00:00:00 GMT", 33, now_2026),
                 RAAF_RETRY_AFTER_MAX_MS);
    CHECK_EQ_INT(raaf_retry_after_ms("Saturday, 01-Jan-77 00:00:00 GMT", 32, now_2026), 0);
    CHECK_EQ_INT(raaf_retry_after_ms("Friday, 31-Dec-99 00:00:00 GMT", 30, now_2026), 0);
    CHECK_EQ_INT(raaf_retry_after_ms("Saturday, 01-Jan-00 00:00:01 GMT", 32, 946684800), 1000);
    CHECK_EQ_INT(raaf_retry_after_ms("Friday, 01-Jan-00 00:00:01 GMT", 30, 4102444800), 1000);
}

TEST(any_time_of_day_is_taken) {
    static const char date[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    static const char old[] = "Sunday, 06-Nov-94 08:49:37 GMT";
    const int64_t nows[] = {INT64_MIN, -1, 0, 1, INT64_C(253402300799), INT64_MAX};

    for (size_t i = 0; i < sizeof nows / sizeof nows[0]; i++) {
        const int64_t expected = nows[i] > NOW ? 0 : RAAF_RETRY_AFTER_MAX_MS;
        CHECK_EQ_INT(raaf_retry_after_ms(date, sizeof date - 1, nows[i]), expected);
        CHECK(raaf_retry_after_ms(old, sizeof old - 1, nows[i]) >= 0);
    }
}

static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Form 0: IMF-fixdate, 1: RFC 850, 2: asctime. */
static void write_date(char *to, size_t size, int form, time_t when) {
    struct tm tm;
    const char *day, *month;

    gmtime_r(&when, &tm);
    day = days[tm.tm_wday];
    month = months[tm.tm_mon];
    if (form == 0) {
        snprintf(to, size, "%.3s, %02d %s %04d %02d:%02d:%02d GMT", day, tm.tm_mday, month,
                 tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    } else if (form == 1) {
        snprintf(to, size, "%s, %02d-%s-%02d %02d:%02d:%02d GMT", day, tm.tm_mday, month,
                 tm.tm_year % 100, tm.tm_hour, tm.tm_min, tm.tm_sec);
    } else {
        snprintf(to, size, "%.3s %s %2d %02d:%02d:%02d %04d", day, month, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
    }
}

TEST(dates_mean_what_the_system_calendar_says) {
    uint64_t random = 23;
    char date[100];

    for (int i = 0; i < 30000; i++) {
        const int64_t when = (int64_t)random_below(&random, 4102444800u); /* to the year 2100 */
        const int64_t ahead = (int64_t)random_below(&random, 20000000);
        write_date(date, sizeof date, i % 3, (time_t)when);
        const int64_t ms = raaf_retry_after_ms(date, strlen(date), when - ahead);
        if (CHECK_EQ_INT(ms, ahead * 1000)) continue;
        fprintf(stderr, "    value: \"%s\"\n", date);
        break;
    }
}

TEST(every_day_of_many_years_is_one_day_after_the_last) {
    char date[100];

    for (int64_t day = 0; day < 366 * 450; day += 1) {
        const int64_t when = day * 86400;
        write_date(date, sizeof date, 0, (time_t)when);
        if (!CHECK_EQ_INT(raaf_retry_after_ms(date, strlen(date), when - 1), 1000)) break;
    }
}

TEST(date_that_was_cut_off_is_refused) {
    char date[100];

    for (int form = 0; form < 3; form++) {
        write_date(date, sizeof date, form, NOW + 3600);
        CHECK_EQ_INT(read_with(at_now, date), 3600000);
        for (size_t len = 0; len < strlen(date); len++) {
            CHECK_EQ_INT(read_bytes(at_now, date, len), -1);
        }
    }
}

TEST(milliseconds_are_rounded_up) {
    static const example_t examples[] = {
        {"1500", 1500},
        {"1500.5", 1501},
        {"0", 0},
        {"0.001", 1},
        {" 20 ", 20},
        {"-5", 0},
        {"", -1},
        {"2s", -1},
        {"abc", -1},
        {"Sun, 06 Nov 1994", -1},
        {"99999999999999999999", RAAF_RETRY_AFTER_MAX_MS},
    };
    CHECK_EXAMPLES(raaf_retry_after_ms_header, examples);
}

TEST(durations_are_sums_of_numbers_with_units) {
    static const example_t examples[] = {
        {"6m0s", 360000},
        {"1h2m3.5s", 3723500},
        {"20ms", 20},
        {"1.5s", 1500},
        {"2", 2000},
        {"0.5", 500},
        {"0s", 0},
        {"1h", 3600000},
        {"24h0m0s", 86400000},
        {"2m59.56s", 179560},
        {"1s500ms", 1500},
        {"0.1m", 6000},
        {"500us", 1},
        {"500\xc2\xb5s", 1},
        {"500\xce\xbcs", 1},
        {"1000000ns", 1},
        {"1000001ns", 2},
        {" 1M ", 60000},
        {"-1s", 0},
        {"-2", 0},
        {"9999999999999999999h", RAAF_RETRY_AFTER_MAX_MS},
        {"8759h59m59s", INT64_C(31535999000)},
        {"8759h59m59s2s", RAAF_RETRY_AFTER_MAX_MS},
        {"8760h8760h8760h", RAAF_RETRY_AFTER_MAX_MS},
    };
    CHECK_EXAMPLES(raaf_duration_ms, examples);
}

TEST(what_is_no_duration_is_refused) {
    static const example_t examples[] = {
        {"", -1},      {"s", -1},     {"1x", -1},        {"1m2", -1},
        {"1 s", -1},   {"m1", -1},    {"1h-2m", -1},     {"--1s", -1},
        {"1ss", -1},   {".s", -1},    {"1s ago", -1},    {"-", -1},
        {"6m 0s", -1}, {"1\xc2", -1}, {"1\xc2\xb5", -1}, {"2026-01-01T00:00:00Z", -1},
    };
    CHECK_EXAMPLES(raaf_duration_ms, examples);
    CHECK_EQ_INT(raaf_duration_ms(NULL, 0), -1);
}

#define NEW_YEAR 1767225600 /* 2026-01-01T00:00:00Z */

static int64_t timestamp_at_new_year(const char *value, size_t len) {
    return raaf_timestamp_ms(value, len, NEW_YEAR);
}

TEST(timestamps_are_read_with_their_fractions_and_offsets) {
    static const example_t examples[] = {
        {"2026-01-01T00:00:30Z", 30000},
        {" 2026-01-01t00:00:30z ", 30000},
        {"2026-01-01 00:00:30Z", 30000},
        {"2026-01-01T00:00:00.25Z", 250},
        {"2026-01-01T00:00:01.0001Z", 1001},
        {"2026-01-01T00:00:01.123456789Z", 1124},
        {"2026-01-01T01:00:30+01:00", 30000},
        {"2025-12-31T18:30:30-05:30", 30000},
        {"2026-01-02T00:00:00Z", 86400000},
        {"2026-01-01T00:00:00Z", 0},
        {"2025-12-31T23:59:59.9Z", 0},
        {"1999-01-01T00:00:00Z", 0},
        {"2025-12-31T23:59:60Z", 0},
        {"2027-01-02T00:00:00.5Z", RAAF_RETRY_AFTER_MAX_MS},
        {"9999-12-31T23:59:59Z", RAAF_RETRY_AFTER_MAX_MS},
    };
    CHECK_EXAMPLES(timestamp_at_new_year, examples);
}

TEST(what_is_no_timestamp_is_refused) {
    static const example_t examples[] = {
        {"", -1},
        {"2026-01-01", -1},
        {"2026-01-01T00:00:30", -1},
        {"2026-01-01T00:00Z", -1},
        {"2026-01-01T00:00:30.Z", -1},
        {"2026-01-01T00:00:30Z!", -1},
        {"2026-01-01T00:00:30+0100", -1},
        {"2026-01-01T00:00:30+24:00", -1},
        {"2026-01-01T00:00:30+01:60", -1},
        {"2026-00-01T00:00:30Z", -1},
        {"2026-13-01T00:00:30Z", -1},
        {"2026-02-29T00:00:30Z", -1},
        {"2026-01-32T00:00:30Z", -1},
        {"2026-01-01T24:00:30Z", -1},
        {"2026-01-01T00:00:61Z", -1},
        {"26-01-01T00:00:30Z", -1},
        {"1767225630", -1},
        {"30", -1},
    };
    CHECK_EXAMPLES(timestamp_at_new_year, examples);
    CHECK_EQ_INT(raaf_timestamp_ms(NULL, 0, NEW_YEAR), -1);
}

TEST(whatever_comes_the_answer_is_within_bounds) {
    static const char alphabet[] = "0123456789..--  hmsunGMT,:SunNovdayTZ+\xc2\xb5";
    static const reader_t readers[] = {at_now, raaf_retry_after_ms_header, raaf_duration_ms,
                                       timestamp_at_new_year};
    uint64_t random = 31;
    char value[64];

    for (int i = 0; i < 100000; i++) {
        size_t len = random_below(&random, 40);
        if (i % 2 == 0) {
            write_date(value, sizeof value, i % 3, NOW + i);
            len = strlen(value);
            value[random_below(&random, len)] = (char)random_next(&random);
        } else {
            for (size_t n = 0; n < len; n++) {
                value[n] = alphabet[random_below(&random, sizeof alphabet - 1)];
            }
        }
        for (size_t r = 0; r < sizeof readers / sizeof readers[0]; r++) {
            const int64_t ms = read_bytes(readers[r], value, len);
            if (!CHECK(ms >= -1 && ms <= RAAF_RETRY_AFTER_MAX_MS)) return;
        }
    }
}
