#ifdef __linux__
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pipe2 */
#endif
#endif

#include "waker.h"

#include "result_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#if !defined(HAVE_SYS_EVENTFD_H) && !defined(RAAF_EXTCONF) && defined(__has_include)
#if __has_include(<sys/eventfd.h>)
#define HAVE_SYS_EVENTFD_H 1
#endif
#endif

#ifdef HAVE_SYS_EVENTFD_H
#include <sys/eventfd.h>

static int open_eventfd(raaf_waker_t *waker) {
    waker->read_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    waker->write_fd = waker->read_fd;
    return waker->read_fd < 0 ? RAAF_SYSTEM : RAAF_OK;
}
#endif

#ifdef __linux__
static int open_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}
#else
static int set_flags(int fd) {
    const int status = fcntl(fd, F_GETFL);

    if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0) return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int open_pipe(int ends[2]) {
    int saved;

    if (pipe(ends) < 0) return -1;
    if (set_flags(ends[0]) >= 0 && set_flags(ends[1]) >= 0) return 0;
    saved = errno;
    close(ends[0]);
    close(ends[1]);
    errno = saved;
    return -1;
}
#endif

int raaf_waker_open(raaf_waker_t *waker, bool pipe) {
    int ends[2];

    waker->read_fd = -1;
    waker->write_fd = -1;
#ifdef HAVE_SYS_EVENTFD_H
    if (!pipe) return open_eventfd(waker);
#else
    (void)pipe; /* there is nothing else */
#endif
    if (open_pipe(ends) < 0) return RAAF_SYSTEM;
    waker->read_fd = ends[0];
    waker->write_fd = ends[1];
    return RAAF_OK;
}

/* Nothing to do when it would block: then a wake is waiting already, and any number are one. */
void raaf_wake_fd(int write_fd) {
    const int saved = errno;
    const uint64_t one = 1;

    while (write(write_fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    errno = saved;
}

/* A read that does not fill the space has emptied either kind: no second call to learn that. */
void raaf_drain_fd(int read_fd) {
    const int saved = errno;
    char space[4096];
    ssize_t got;

    do {
        got = read(read_fd, space, sizeof space);
    } while (got == (ssize_t)sizeof space || (got < 0 && errno == EINTR));
    errno = saved;
}

void raaf_waker_wake(const raaf_waker_t *waker) {
    raaf_wake_fd(waker->write_fd);
}

void raaf_waker_drain(const raaf_waker_t *waker) {
    raaf_drain_fd(waker->read_fd);
}

void raaf_waker_close(raaf_waker_t *waker) {
    if (waker->write_fd >= 0 && waker->write_fd != waker->read_fd) close(waker->write_fd);
    if (waker->read_fd >= 0) close(waker->read_fd);
    waker->read_fd = -1;
    waker->write_fd = -1;
}
