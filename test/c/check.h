/*
 * check.h - a small test harness for the C core. Header only, no Ruby, no dependency.
 *
 * One file is one program. Use:
 *
 *     #include "check.h"
 *     #include "buffer.h"
 *
 *     TEST(buffer_grows) {
 *         raaf_buffer_t b;
 *         CHECK_EQ_INT(raaf_buffer_init(&b, 16), RAAF_OK);
 *         if (!CHECK(b.data != NULL)) return;              // every CHECK is also a value
 *         CHECK_EQ_STR(b.data, b.len, "expected text");    // bytes, length, NUL-terminated text
 *         raaf_buffer_free(&b);
 *     }
 *
 * There is no main to write and no table to keep: TEST registers itself, check.h holds main.
 * The actual value comes first, the expected one second. A failing check prints file:line, the
 * expression and both values; the test goes on, so that one run shows everything. Checks may run
 * in any thread. `test_x -l` lists the tests, `test_x -v` names each one, `test_x part` runs those
 * whose name contains "part". The closing line is "N passed, N failed" (tests, not checks); the
 * exit status is 0 only if nothing failed and at least one test ran.
 *
 * A test that takes longer than CHECK_TIMEOUT seconds (default 120, 0: no limit; also an
 * environment variable) ends the program with the test's name, so that a hang is a failure.
 *
 * What is not for you is called harness_..., so a test file's own helpers may be called check_....
 *
 * A program that needs its own main defines CHECK_NO_MAIN first and calls check_main(argc, argv).
 *
 *     CHECK(cond)                            condition holds
 *     CHECK_EQ_INT(a, e)                     equal as long long
 *     CHECK_EQ_UINT(a, e)                    equal as unsigned long long (sizes, 64-bit values)
 *     CHECK_EQ_STR(bytes, len, "text")       len bytes equal the C string (bytes may be NULL if 0)
 *     CHECK_EQ_BYTES(a, alen, e, elen)       as above, for bytes that may contain NUL
 *     CHECK_EQ_CSTR(a, e)                    two C strings; NULL equals only NULL
 *     CHECK_EQ_PTR(a, e)                     the same address
 *     FAIL("text")                           always fails
 *     check_failures                         atomic_int: failed checks so far in the running test
 *     check_print_bytes("label", p, len)     shows bytes on stderr, escaped
 */
#ifndef RAAF_TEST_CHECK_H
#define RAAF_TEST_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* sigaction under -std=c11; the build sets it for every file anyway */
#endif

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* gcc says it with a macro of its own, clang with __has_feature */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHECK_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHECK_SANITIZED 1
#endif
#endif
#ifndef CHECK_SANITIZED
#define CHECK_SANITIZED 0
#endif

typedef struct harness_test {
    const char *name;
    void (*run)(void);
    struct harness_test *next;
} harness_test_t;

static harness_test_t *harness_first;
static harness_test_t **harness_last = &harness_first;
static atomic_int check_failures; /* failed checks in the running test */
static const char *volatile harness_running = "(none)";

/* In the order of the file: constructors of one translation unit run from top to bottom. */
__attribute__((unused)) static void harness_register(harness_test_t *test) {
    *harness_last = test;
    harness_last = &test->next;
}

#define TEST(test_name)                                                                            \
    static void test_##test_name(void);                                                            \
    __attribute__((constructor)) static void harness_add_##test_name(void) {                       \
        static harness_test_t entry = {#test_name, test_##test_name, NULL};                        \
        harness_register(&entry);                                                                  \
    }                                                                                              \
    static void test_##test_name(void)

#define CHECK(cond) harness_true((cond) ? true : false, #cond, __FILE__, __LINE__)
#define CHECK_EQ_INT(a, e) harness_int((long long)(a), (long long)(e), #a, #e, __FILE__, __LINE__)
#define CHECK_EQ_UINT(a, e)                                                                        \
    harness_uint((unsigned long long)(a), (unsigned long long)(e), #a, #e, __FILE__, __LINE__)
#define CHECK_EQ_BYTES(a, alen, e, elen)                                                           \
    harness_bytes((a), (size_t)(alen), (e), (size_t)(elen), #a, __FILE__, __LINE__)
#define CHECK_EQ_STR(bytes, len, text)                                                             \
    harness_str((bytes), (size_t)(len), (text), #bytes, __FILE__, __LINE__)
#define CHECK_EQ_CSTR(a, e) harness_cstr((a), (e), #a, __FILE__, __LINE__)
#define CHECK_EQ_PTR(a, e) harness_ptr((a), (e), #a, #e, __FILE__, __LINE__)
#define FAIL(text) harness_true(false, (text), __FILE__, __LINE__)

static inline bool harness_failed(void) {
    atomic_fetch_add(&check_failures, 1);
    return false;
}

static inline bool harness_true(bool ok, const char *expr, const char *file, int line) {
    if (ok) return true;
    fprintf(stderr, "%s:%d: in %s: CHECK failed: %s\n", file, line, harness_running, expr);
    return harness_failed();
}

static inline bool harness_int(long long a, long long e, const char *as, const char *es,
                               const char *file, int line) {
    if (a == e) return true;
    fprintf(stderr, "%s:%d: in %s: %s == %s\n    actual:   %lld\n    expected: %lld\n", file, line,
            harness_running, as, es, a, e);
    return harness_failed();
}

static inline bool harness_uint(unsigned long long a, unsigned long long e, const char *as,
                                const char *es, const char *file, int line) {
    if (a == e) return true;
    fprintf(stderr, "%s:%d: in %s: %s == %s\n    actual:   %llu\n    expected: %llu\n", file, line,
            harness_running, as, es, a, e);
    return harness_failed();
}

static inline bool harness_ptr(const void *a, const void *e, const char *as, const char *es,
                               const char *file, int line) {
    if (a == e) return true;
    fprintf(stderr, "%s:%d: in %s: %s == %s\n    actual:   %p\n    expected: %p\n", file, line,
            harness_running, as, es, a, e);
    return harness_failed();
}

/* Shows bytes so that a stray \r, NUL or broken UTF-8 can be seen; long values are cut. */
static inline void check_print_bytes(const char *label, const void *data, size_t len) {
    const unsigned char *p = data;
    const size_t shown = len > 400 ? 400 : len;

    fprintf(stderr, "    %s (%zu bytes) \"", label, len);
    for (size_t i = 0; p != NULL && i < shown; i++) {
        if (p[i] == '\n')
            fputs("\\n", stderr);
        else if (p[i] == '\r')
            fputs("\\r", stderr);
        else if (p[i] == '"' || p[i] == '\\')
            fprintf(stderr, "\\%c", p[i]);
        else if (p[i] >= 0x20 && p[i] < 0x7f)
            fputc(p[i], stderr);
        else
            fprintf(stderr, "\\x%02x", p[i]);
    }
    fputs(shown < len ? "\"...\n" : "\"\n", stderr);
}

static inline bool harness_bytes(const void *a, size_t alen, const void *e, size_t elen,
                                 const char *as, const char *file, int line) {
    if (alen == elen && (alen == 0 || (a != NULL && e != NULL && memcmp(a, e, alen) == 0))) {
        return true;
    }
    fprintf(stderr, "%s:%d: in %s: %s differs\n", file, line, harness_running, as);
    check_print_bytes("actual:  ", a, alen);
    check_print_bytes("expected:", e, elen);
    return harness_failed();
}

static inline bool harness_str(const void *a, size_t alen, const char *e, const char *as,
                               const char *file, int line) {
    return harness_bytes(a, alen, e, e ? strlen(e) : 0, as, file, line);
}

static inline bool harness_cstr(const char *a, const char *e, const char *as, const char *file,
                                int line) {
    if (a == NULL && e == NULL) return true;
    if (a != NULL && e != NULL) return harness_bytes(a, strlen(a), e, strlen(e), as, file, line);
    fprintf(stderr, "%s:%d: in %s: %s\n    actual:   %s\n    expected: %s\n", file, line,
            harness_running, as, a ? a : "NULL", e ? e : "NULL");
    return harness_failed();
}

/* Async-signal-safe: only write(2), because the hung or broken code may hold stdio's lock. */
static inline void harness_on_signal(int sig) {
    const char *what = sig == SIGALRM ? "\nTIMEOUT in test " : "\nCRASH in test ";
    const char *name = harness_running;
    ssize_t ignored = write(2, what, strlen(what));

    ignored += write(2, name, strlen(name));
    ignored += write(2, "\n0 passed, 1 failed\n", 20);
    (void)ignored;
    if (sig == SIGALRM) _exit(1);
    raise(sig); /* the handler was reset: ends with the signal, and a core where wanted */
}

static inline void harness_catch(int sig) {
    struct sigaction act;

    memset(&act, 0, sizeof act);
    act.sa_handler = harness_on_signal;
    act.sa_flags = (int)SA_RESETHAND;
    sigaction(sig, &act, NULL);
}

static inline int check_main(int argc, char **argv) {
    const char *timeout_text = getenv("CHECK_TIMEOUT");
    const unsigned timeout = timeout_text ? (unsigned)atoi(timeout_text) : 120;
    const char *filter = NULL;
    bool verbose = false, list = false;
    int passed = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-v") == 0)
            verbose = true;
        else if (strcmp(argv[i], "-l") == 0)
            list = true;
        else
            filter = argv[i];
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    harness_catch(SIGALRM);
    harness_catch(SIGABRT);
#if !CHECK_SANITIZED
    harness_catch(SIGSEGV); /* the sanitizers have their own handler, which shows more */
    harness_catch(SIGBUS);
#endif

    for (harness_test_t *t = harness_first; t != NULL; t = t->next) {
        if (filter != NULL && strstr(t->name, filter) == NULL) continue;
        if (list) {
            puts(t->name);
            continue;
        }
        atomic_store(&check_failures, 0);
        harness_running = t->name;
        if (verbose) printf("%s\n", t->name);
        alarm(timeout);
        t->run();
        alarm(0);
        if (atomic_load(&check_failures) == 0) {
            passed++;
        } else {
            failed++;
            printf("FAILED %s\n", t->name);
        }
    }
    if (list) return 0;
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}

#ifndef CHECK_NO_MAIN
int main(int argc, char **argv) {
    return check_main(argc, argv);
}
#endif

#endif
