#include "check.h"
#include "result_code.h"
#include "waker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>

#ifdef HAVE_SYS_EVENTFD_H
#define HAS_EVENTFD 1
#else
#define HAS_EVENTFD 0
#endif

static bool is_awake(const raaf_waker_t *waker) {
    struct pollfd watched = {.fd = waker->read_fd, .events = POLLIN};

    return poll(&watched, 1, 0) == 1;
}

static bool comes_awake(const raaf_waker_t *waker) {
    struct pollfd watched = {.fd = waker->read_fd, .events = POLLIN};

    return poll(&watched, 1, 30000) == 1;
}

/* Runs a test for both kinds. */
static void with_both(void (*test)(raaf_waker_t *waker)) {
    for (int pipe = 0; pipe <= 1; pipe++) {
        raaf_waker_t waker;
        if (!CHECK_EQ_INT(raaf_waker_open(&waker, pipe), RAAF_OK)) return;
        CHECK_EQ_INT(waker.read_fd == waker.write_fd, HAS_EVENTFD && !pipe);
        test(&waker);
        raaf_waker_close(&waker);
    }
}

static void wake_and_drain(raaf_waker_t *waker) {
    CHECK(!is_awake(waker));
    raaf_waker_wake(waker);
    CHECK(is_awake(waker));
    raaf_waker_wake(waker);
    raaf_waker_drain(waker);
    CHECK(!is_awake(waker));
    raaf_waker_drain(waker);
    CHECK(!is_awake(waker));
}

TEST(waker_is_readable_from_a_wake_to_the_drain) {
    with_both(wake_and_drain);
}

static void wake_and_drain_fd(raaf_waker_t *waker) {
    raaf_wake_fd(waker->write_fd);
    CHECK(is_awake(waker));
    raaf_drain_fd(waker->read_fd);
    CHECK(!is_awake(waker));
}

TEST(waker_works_by_bare_descriptors) {
    with_both(wake_and_drain_fd);
}

/* More than a pipe holds: the last ones cannot be written, and nothing is lost by it. */
static void wake_often(raaf_waker_t *waker) {
    for (int i = 0; i < 20000; i++) {
        raaf_waker_wake(waker);
    }
    CHECK(is_awake(waker));
    raaf_waker_drain(waker);
    CHECK(!is_awake(waker));
    raaf_waker_wake(waker);
    CHECK(is_awake(waker));
}

TEST(waker_takes_any_number_of_wakes_for_one) {
    with_both(wake_often);
}

/* Filled to the point where a write fails. */
static void keep_errno(raaf_waker_t *waker) {
    errno = ENOTTY;
    for (int i = 0; i < 20000; i++) {
        raaf_waker_wake(waker);
    }
    CHECK_EQ_INT(errno, ENOTTY);
    raaf_waker_drain(waker);
    raaf_waker_drain(waker);
    CHECK_EQ_INT(errno, ENOTTY);
    raaf_wake_fd(-1);
    raaf_drain_fd(-1);
    CHECK_EQ_INT(errno, ENOTTY);
}

TEST(waker_keeps_errno) {
    with_both(keep_errno);
}

static void check_flags(raaf_waker_t *waker) {
    CHECK(fcntl(waker->read_fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(waker->write_fd, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(waker->read_fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(waker->write_fd, F_GETFD) & FD_CLOEXEC);
}

TEST(waker_does_not_block_and_is_closed_on_exec) {
    with_both(check_flags);
}

TEST(waker_says_why_it_cannot_be_opened) {
    struct rlimit usual, none;

    getrlimit(RLIMIT_NOFILE, &usual);
    none = usual;
    none.rlim_cur = 0;
    for (int pipe = 0; pipe <= 1; pipe++) {
        raaf_waker_t waker;
        int code;

        setrlimit(RLIMIT_NOFILE, &none);
        errno = 0;
        code = raaf_waker_open(&waker, pipe);
        setrlimit(RLIMIT_NOFILE, &usual);
        CHECK_EQ_INT(code, RAAF_SYSTEM);
        CHECK_EQ_INT(errno, EMFILE);
        CHECK_EQ_INT(waker.read_fd, -1);
        CHECK_EQ_INT(waker.write_fd, -1);
        raaf_waker_close(&waker);
    }
}

static void close_twice(raaf_waker_t *waker) {
    const int fd = waker->read_fd;

    raaf_waker_close(waker);
    CHECK_EQ_INT(fcntl(fd, F_GETFD), -1);
    CHECK_EQ_INT(waker->read_fd, -1);
    CHECK_EQ_INT(waker->write_fd, -1);
}

TEST(waker_can_be_closed_twice) {
    with_both(close_twice);
}

static raaf_waker_t *woken_by_signal;

static void on_signal(int number) {
    raaf_waker_wake(woken_by_signal);
}

static void wake_from_handler(raaf_waker_t *waker) {
    struct sigaction action, before;

    woken_by_signal = waker;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, &before);
    errno = ENOTTY;
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    CHECK_EQ_INT(errno, ENOTTY);
    CHECK(is_awake(waker));
}

TEST(waker_can_be_woken_from_a_signal_handler) {
    with_both(wake_from_handler);
}

enum { ROUNDS = 5000, THREADS = 3 };

typedef struct shared {
    raaf_waker_t *waker;
    atomic_int work;
} shared_t;

static void *give_work(void *context) {
    shared_t *shared = context;

    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&shared->work, 1);
        raaf_waker_wake(shared->waker);
    }
    return NULL;
}

/* Drain first, then look: what comes after the look wakes again. */
static void no_wake_is_lost(raaf_waker_t *waker) {
    shared_t shared = {.waker = waker};
    pthread_t threads[THREADS];
    int done = 0;

    for (int i = 0; i < THREADS; i++) {
        pthread_create(&threads[i], NULL, give_work, &shared);
    }
    while (done < ROUNDS * THREADS) {
        if (!CHECK(comes_awake(waker))) break;
        raaf_waker_drain(waker);
        done += atomic_exchange(&shared.work, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_EQ_INT(done, ROUNDS * THREADS);
}

TEST(waker_loses_no_wake_of_many_threads) {
    with_both(no_wake_is_lost);
}
