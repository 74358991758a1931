#include "retry_after.h"

#include <stdbool.h>
#include <string.h>

#define MAX_NS ((uint64_t)RAAF_RETRY_AFTER_MAX_MS * 1000000u)
#define SECOND_NS 1000000000u
#define FIFTY_YEARS 1577847600 /* in seconds, of the mean Gregorian year */
#define LAST_YEAR 9999
#define LAST_SECOND 253402300799 /* of that year */

/* What is left to be read; nothing beyond [len] is looked at. */
typedef struct cursor {
    const char *at;
    size_t len;
} cursor_t;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void skip(cursor_t *cursor, size_t count) {
    cursor->at += count;
    cursor->len -= count;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static cursor_t trimmed(const char *value, size_t len) {
    cursor_t cursor = {value, len};

    while (cursor.len > 0 && is_space(cursor.at[0]))
        skip(&cursor, 1);
    while (cursor.len > 0 && is_space(cursor.at[cursor.len - 1]))
        cursor.len--;
    return cursor;
}

/* Takes [text], which is in lower case, in any case. */
static bool take_text(cursor_t *cursor, const char *text) {
    const size_t len = strlen(text);

    if (cursor->len < len) return false;
    for (size_t i = 0; i < len; i++) {
        if (lower(cursor->at[i]) != text[i]) return false;
    }
    skip(cursor, len);
    return true;
}

/* A decimal number: whole units and millionths of one, rounded up. */
typedef struct decimal {
    uint64_t whole; /* stops at a number beyond all limits */
    uint64_t millionths;
} decimal_t;

static size_t take_whole(cursor_t *cursor, decimal_t *number) {
    size_t digits = 0;

    for (; cursor->len > 0 && is_digit(cursor->at[0]); skip(cursor, 1), digits++) {
        const uint64_t digit = (uint64_t)(*cursor->at - '0');
        if (number->whole <= MAX_NS) number->whole = number->whole * 10 + digit;
    }
    return digits;
}

static size_t take_fraction(cursor_t *cursor, decimal_t *number) {
    uint64_t worth = 100000;
    size_t digits = 0;
    bool more = false;

    for (; cursor->len > 0 && is_digit(cursor->at[0]); skip(cursor, 1), digits++) {
        const uint64_t digit = (uint64_t)(*cursor->at - '0');
        number->millionths += digit * worth;
        if (worth == 0 && digit > 0) more = true;
        worth /= 10;
    }
    if (more) number->millionths++;
    return digits;
}

static bool take_decimal(cursor_t *cursor, decimal_t *number) {
    size_t digits;

    number->whole = 0;
    number->millionths = 0;
    digits = take_whole(cursor, number);
    if (cursor->len > 0 && cursor->at[0] == '.') {
        skip(cursor, 1);
        digits += take_fraction(cursor, number);
    }
    return digits > 0;
}

static uint64_t add_ns(uint64_t sum, decimal_t number, uint64_t unit_ns) {
    uint64_t ns;

    if (number.whole > MAX_NS / unit_ns) return MAX_NS;
    ns = number.whole * unit_ns + (number.millionths * unit_ns + 999999u) / 1000000u;
    return ns > MAX_NS - sum ? MAX_NS : sum + ns;
}

/* Rounded up: never earlier than the provider asked for. */
static int64_t ms_from_ns(uint64_t ns) {
    return (int64_t)((ns + 999999u) / 1000000u);
}

/* The whole of [cursor] as one number of [unit_ns]; less than nothing is nothing. */
static int64_t number_ms(cursor_t cursor, uint64_t unit_ns) {
    const bool negative = take_text(&cursor, "-");
    decimal_t number;

    if (!take_decimal(&cursor, &number) || cursor.len > 0) return -1;
    return negative ? 0 : ms_from_ns(add_ns(0, number, unit_ns));
}

typedef struct date {
    int64_t year;
    int64_t month; /* 0 to 11 */
    int64_t day;
    int64_t hour;
    int64_t minute;
    int64_t second;
} date_t;

static const char *const MONTHS[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                     "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const DAYS[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
static const char *const DAY_ENDS[] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t days_in_month(int64_t year, int64_t month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && is_leap(year) ? 1 : 0);
}

/* Leap days from the year 0 to the end of the year before [year]. */
static int64_t leap_days_before(int64_t year) {
    if (year == 0) return 0;
    return 1 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
}

static int64_t unix_time(const date_t *date) {
    int64_t days = (date->year - 1970) * 365 + leap_days_before(date->year) -
                   leap_days_before(1970) + date->day - 1;

    for (int64_t month = 0; month < date->month; month++) {
        days += days_in_month(date->year, month);
    }
    return ((days * 24 + date->hour) * 60 + date->minute) * 60 + date->second;
}

/* Exactly [digits] digits. */
static bool take_digits(cursor_t *cursor, size_t digits, int64_t *number) {
    if (cursor->len < digits) return false;
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(cursor->at[i])) return false;
        *number = *number * 10 + (cursor->at[i] - '0');
    }
    skip(cursor, digits);
    return true;
}

static bool take_month(cursor_t *cursor, date_t *date) {
    for (date->month = 0; date->month < 12; date->month++) {
        if (take_text(cursor, MONTHS[date->month])) return true;
    }
    return false;
}

static bool take_time(cursor_t *cursor, date_t *date) {
    return take_digits(cursor, 2, &date->hour) && take_text(cursor, ":") &&
           take_digits(cursor, 2, &date->minute) && take_text(cursor, ":") &&
           take_digits(cursor, 2, &date->second);
}

/* "06 Nov 1994 08:49:37 GMT" */
static bool take_imf(cursor_t *cursor, date_t *date) {
    return take_text(cursor, " ") && take_digits(cursor, 2, &date->day) && take_text(cursor, " ") &&
           take_month(cursor, date) && take_text(cursor, " ") &&
           take_digits(cursor, 4, &date->year) && take_text(cursor, " ") &&
           take_time(cursor, date) && take_text(cursor, " gmt");
}

/* " Nov  6 08:49:37 1994"; a one-digit day has a space before it */
static bool take_asctime(cursor_t *cursor, date_t *date) {
    if (!take_text(cursor, " ") || !take_month(cursor, date) || !take_text(cursor, " ")) {
        return false;
    }
    if (!take_digits(cursor, take_text(cursor, " ") ? 1 : 2, &date->day)) return false;
    return take_text(cursor, " ") && take_time(cursor, date) && take_text(cursor, " ") &&
           take_digits(cursor, 4, &date->year);
}

/* "06-Nov-94 08:49:37 GMT", with a year within its century */
static bool take_rfc850(cursor_t *cursor, date_t *date) {
    return take_text(cursor, " ") && take_digits(cursor, 2, &date->day) && take_text(cursor, "-") &&
           take_month(cursor, date) && take_text(cursor, "-") &&
           take_digits(cursor, 2, &date->year) && take_text(cursor, " ") &&
           take_time(cursor, date) && take_text(cursor, " gmt");
}

static int64_t within(int64_t value, int64_t least, int64_t most) {
    if (value < least) return least;
    return value > most ? most : value;
}

/* RFC 9110 section 5.6.7: what would be more than 50 years ahead is the latest such past year. */
static void choose_century(date_t *date, int64_t now_unix) {
    const int64_t latest = within(now_unix, 0, LAST_SECOND) + FIFTY_YEARS;
    date_t next = *date;

    for (next.year = date->year + 1900; next.year <= LAST_YEAR; next.year += 100) {
        if (unix_time(&next) > latest) break;
        date->year = next.year;
    }
}

static bool take_date(cursor_t *cursor, date_t *date, int64_t now_unix) {
    size_t day = 0;

    while (day < 7 && !take_text(cursor, DAYS[day]))
        day++;
    if (day == 7) return false;
    if (take_text(cursor, ",")) return take_imf(cursor, date);
    if (!take_text(cursor, DAY_ENDS[day])) return take_asctime(cursor, date);
    if (!take_text(cursor, ",") || !take_rfc850(cursor, date)) return false;
    choose_century(date, now_unix);
    return true;
}

/* A second of 60 is a leap second. */
static bool date_valid(const date_t *date) {
    return date->day >= 1 && date->day <= days_in_month(date->year, date->month) &&
           date->hour <= 23 && date->minute <= 59 && date->second <= 60;
}

static int64_t until_ms(int64_t then, int64_t now_unix) {
    uint64_t seconds;

    if (then <= now_unix) return 0;
    seconds = (uint64_t)then - (uint64_t)now_unix;
    if (seconds > RAAF_RETRY_AFTER_MAX_MS / 1000) return RAAF_RETRY_AFTER_MAX_MS;
    return (int64_t)seconds * 1000;
}

static int64_t date_ms(cursor_t cursor, int64_t now_unix) {
    date_t date = {0, 0, 0, 0, 0, 0};

    if (!take_date(&cursor, &date, now_unix) || cursor.len > 0 || !date_valid(&date)) return -1;
    return until_ms(unix_time(&date), now_unix);
}

int64_t raaf_retry_after_ms(const char *value, size_t len, int64_t now_unix) {
    const cursor_t cursor = trimmed(value, len);
    const int64_t ms = number_ms(cursor, SECOND_NS);

    return ms >= 0 ? ms : date_ms(cursor, now_unix);
}

int64_t raaf_retry_after_ms_header(const char *value, size_t len) {
    return number_ms(trimmed(value, len), SECOND_NS / 1000);
}

/* Longer units first where one begins another. */
static uint64_t take_unit(cursor_t *cursor) {
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"ms", 1000000u},
        {"us", 1000u},
        {"\xc2\xb5s", 1000u},
        {"\xce\xbcs", 1000u},
        {"ns", 1u},
        {"h", 3600u * (uint64_t)SECOND_NS},
        {"m", 60u * (uint64_t)SECOND_NS},
        {"s", SECOND_NS},
    };

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (take_text(cursor, units[i].name)) return units[i].ns;
    }
    return 0;
}

int64_t raaf_duration_ms(const char *value, size_t len) {
    cursor_t cursor = trimmed(value, len);
    const int64_t seconds = number_ms(cursor, SECOND_NS);
    bool negative;
    uint64_t ns = 0;

    if (seconds >= 0 || cursor.len == 0) return seconds;
    negative = take_text(&cursor, "-");
    do {
        decimal_t number;
        uint64_t unit_ns;

        if (!take_decimal(&cursor, &number)) return -1;
        unit_ns = take_unit(&cursor);
        if (unit_ns == 0) return -1;
        ns = add_ns(ns, number, unit_ns);
    } while (cursor.len > 0);
    return negative ? 0 : ms_from_ns(ns);
}

/* "2026-01-31T14:30:00" */
static bool take_calendar_time(cursor_t *cursor, date_t *date) {
    if (!take_digits(cursor, 4, &date->year) || !take_text(cursor, "-") ||
        !take_digits(cursor, 2, &date->month) || !take_text(cursor, "-") ||
        !take_digits(cursor, 2, &date->day) || date->month < 1 || date->month > 12) {
        return false;
    }
    date->month--;
    return (take_text(cursor, "t") || take_text(cursor, " ")) && take_time(cursor, date);
}

/* "Z", or "+01:00"; [seconds] east of Greenwich. */
static bool take_offset(cursor_t *cursor, int64_t *seconds) {
    int64_t hours = 0, minutes = 0;
    const bool west = cursor->len > 0 && cursor->at[0] == '-';

    *seconds = 0;
    if (take_text(cursor, "z")) return true;
    if (!take_text(cursor, west ? "-" : "+") || !take_digits(cursor, 2, &hours) ||
        !take_text(cursor, ":") || !take_digits(cursor, 2, &minutes)) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * (west ? -60 : 60);
    return hours <= 23 && minutes <= 59;
}

int64_t raaf_timestamp_ms(const char *value, size_t len, int64_t now_unix) {
    cursor_t cursor = trimmed(value, len);
    date_t date = {0, 0, 0, 0, 0, 0};
    decimal_t fraction = {0, 0};
    int64_t offset, then, ms;

    if (!take_calendar_time(&cursor, &date)) return -1;
    if (take_text(&cursor, ".") && take_fraction(&cursor, &fraction) == 0) return -1;
    if (!take_offset(&cursor, &offset) || cursor.len > 0 || !date_valid(&date)) return -1;
    then = unix_time(&date) - offset;
    ms = until_ms(then, now_unix);
    if (then < now_unix || ms == RAAF_RETRY_AFTER_MAX_MS) return ms;
    return ms + (int64_t)(fraction.millionths + 999) / 1000;
}
