#include "reactor.h"

#include "clock.h"
#include "dispatch_queue.h"
#include "host_gate.h"
#include "mailbox.h"
#include "random_source.h"
#include "result_code.h"
#include "socket_table.h"
#include "timers.h"
#include "transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(HAVE_SYS_EPOLL_H) || (!defined(RAAF_EXTCONF) && __has_include(<sys/epoll.h>))
#define RAAF_EPOLL 1
#include <sys/epoll.h>
#else
#define RAAF_EPOLL 0
#endif

#define EVENTS_A_TURN 256
#define MAX_WAIT_NS RAAF_MS(60000)
#define LONGEST_STOP_NS RAAF_MS(86400000) /* anything longer is for ever, and must not overflow */

struct raaf_reactor {
    atomic_uint references;
    pthread_t thread;
    pid_t pid;
    raaf_backend_t backend;
    size_t idle_connections;
    raaf_mailbox_t mailbox; /* any thread */
    atomic_bool stopping;   /* any thread */

    pthread_mutex_t mutex; /* covers changes of these four, for those who wait for them */
    pthread_cond_t changed;
    atomic_bool stopped;
    atomic_uint pauses; /* asked for and not taken back */
    bool paused;

    atomic_uint_fast64_t turns; /* written by the reactor thread */
    atomic_uint_fast64_t begun;
    atomic_size_t running;

    /* reactor thread only, down to the end */
    CURLM *multi;
    int epoll_fd; /* -1: none */
    raaf_socket_table_t sockets;
    raaf_timers_t timers;
    raaf_host_gate_t gate;
    raaf_random_t random; /* of this reactor's alone: a forked child has its own */
    raaf_transfer_host_t host;
    uint64_t curl_deadline; /* when libcurl wants to be called */
    raaf_transfer_t *all;
    raaf_transfer_t *touched_first;
    raaf_transfer_t *touched_last;
    long max_connections; /* as libcurl was told last */
};

/* ---- what transfers tell us, from inside libcurl or not ---- */

static void on_touched(raaf_transfer_t *transfer, void *context) {
    raaf_reactor_t *reactor = context;
    if (transfer->touched) return;
    transfer->touched = true;
    transfer->touched_next = NULL;
    if (reactor->touched_last)
        reactor->touched_last->touched_next = transfer;
    else
        reactor->touched_first = transfer;
    reactor->touched_last = transfer;
}

/* ---- the name gate ---- */

/*
 * libcurl may be calling us when a name becomes known, and must not be called back: the transfers
 * that may go now are only marked, and begun when they are settled.
 */
static void on_admit(raaf_host_ticket_t *ticket, void *context) {
    raaf_transfer_t *transfer =
        (raaf_transfer_t *)((char *)ticket - offsetof(raaf_transfer_t, ticket));
    on_touched(transfer, context);
}

/* Over a reused connection, where nothing was looked up, the next one at the gate leads. */
static void on_connected(raaf_transfer_t *transfer, void *context) {
    raaf_reactor_t *reactor = context;
    raaf_host_gate_leave(&reactor->gate, &transfer->ticket);
    on_touched(transfer, reactor);
}

static void enter_gate(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    const raaf_request_t *request = transfer->stream->request;
    if (request->scripted) {
        raaf_transfer_start(transfer);
        return;
    }
    uint64_t now = raaf_clock_now();
    switch (raaf_host_gate_enter(&reactor->gate, &transfer->ticket, request->host, now)) {
    case RAAF_OK:
        raaf_transfer_start(transfer);
        break;
    case RAAF_STOP:
        transfer->phase = RAAF_PHASE_GATED;
        on_touched(transfer, reactor);
        break; /* its connect timeout runs */
    default:
        raaf_transfer_abort(transfer, RAAF_NO_MEMORY);
    }
}

/* ---- sockets and epoll ---- */

#if RAAF_EPOLL
static uint64_t socket_key(int fd, uint32_t generation) {
    return (uint64_t)generation << 32 | (uint32_t)fd;
}

static bool watch(raaf_reactor_t *reactor, int fd, int what) {
    raaf_socket_t *entry = raaf_socket_table_get(&reactor->sockets, fd);
    if (!entry) return false;
    struct epoll_event event = {.data.u64 = socket_key(fd, entry->generation)};
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    int operation = entry->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(reactor->epoll_fd, operation, fd, &event) != 0) return false;
    entry->watched = true;
    entry->what = what;
    return true;
}

static void unwatch(raaf_reactor_t *reactor, int fd) {
    raaf_socket_t *entry = raaf_socket_table_find(&reactor->sockets, fd);
    if (!entry) return;
    if (entry->watched) epoll_ctl(reactor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    entry->watched = false;
    entry->generation++;
}

/*
 * libcurl may have closed the socket before without a word (see socket_table.h). Then epoll has
 * forgotten the number, while libcurl takes it for watched and will not ask again.
 */
static bool watch_anew(raaf_reactor_t *reactor, int fd) {
    raaf_socket_t *entry = raaf_socket_table_find(&reactor->sockets, fd);
    if (!entry || !entry->watched) return true;
    entry->watched = false;
    entry->generation++;
    return watch(reactor, fd, entry->what);
}

/* Before libcurl closes them without a word: a moment later the numbers can be another thread's. */
static void unwatch_connecting(raaf_reactor_t *reactor, const raaf_transfer_t *transfer) {
    for (size_t fd = 0; fd < reactor->sockets.count; fd++) {
        const raaf_socket_t *entry = &reactor->sockets.sockets[fd];
        if (entry->watched && entry->owner == transfer->stream->id) unwatch(reactor, (int)fd);
    }
}
#else
static bool watch_anew(raaf_reactor_t *reactor, int fd) {
    (void)reactor, (void)fd;
    return true;
}

static void unwatch_connecting(raaf_reactor_t *reactor, const raaf_transfer_t *transfer) {
    (void)reactor, (void)transfer;
}
#endif

/* Where there is an address to connect to, the name is known. */
static void on_opened(raaf_transfer_t *transfer, int fd, void *context) {
    raaf_reactor_t *reactor = context;
    raaf_host_gate_resolved(&reactor->gate, &transfer->ticket, raaf_clock_now());
    if (!watch_anew(reactor, fd)) raaf_transfer_abort(transfer, RAAF_SYSTEM);
}

/* ---- begin and end of a transfer ---- */

/* libcurl closes idle connections over this number; those in use count towards it. */
static void set_max_connections(raaf_reactor_t *reactor) {
    size_t running = atomic_load_explicit(&reactor->running, memory_order_relaxed);
    long wanted = (long)(running + reactor->idle_connections);
    if (wanted == reactor->max_connections) return;
    reactor->max_connections = wanted;
    curl_multi_setopt(reactor->multi, CURLMOPT_MAXCONNECTS, wanted);
}

/* A stream that cannot even get a transfer still gets its end. */
static void refuse(raaf_stream_t *stream, int code) {
    raaf_delivery_t delivery;
    raaf_delivery_init(&delivery, stream);
    raaf_delivery_end(&delivery, code);
    raaf_delivery_free(&delivery);
    raaf_stream_queue_signal(&stream->queue);
    raaf_dispatch_queue_t *dispatch = atomic_load(&stream->dispatch);
    if (dispatch) raaf_dispatch_queue_ready(dispatch, stream);
}

static void begin(raaf_reactor_t *reactor, raaf_stream_t *stream) {
    size_t running = atomic_load_explicit(&reactor->running, memory_order_relaxed);
    raaf_transfer_t *transfer = NULL;
    if (raaf_timers_reserve(&reactor->timers, running + 1) == RAAF_OK)
        transfer = raaf_transfer_new(stream, &reactor->host);
    if (!transfer) {
        refuse(stream, RAAF_NO_MEMORY);
        return;
    }
    transfer->next = reactor->all;
    if (reactor->all) reactor->all->previous = transfer;
    reactor->all = transfer;
    atomic_store_explicit(&reactor->running, running + 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&reactor->begun, 1, memory_order_relaxed);
    set_max_connections(reactor);
    if (transfer->phase == RAAF_PHASE_READY) enter_gate(reactor, transfer);
}

/* What the reactor knows of an attempt that is over. */
static void let_go(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    raaf_host_gate_leave(&reactor->gate, &transfer->ticket);
    unwatch_connecting(reactor, transfer);
}

static void take_down(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    raaf_timers_cancel(&reactor->timers, &transfer->timer);
    let_go(reactor, transfer);
    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else
        reactor->all = transfer->next;
    if (transfer->next) transfer->next->previous = transfer->previous;
    atomic_fetch_sub_explicit(&reactor->running, 1, memory_order_relaxed);
    raaf_transfer_free(transfer);
}

/* ---- mailbox ---- */

static void obey(raaf_reactor_t *reactor, raaf_stream_t *stream, unsigned commands) {
    bool cancelled = commands & RAAF_COMMAND_CANCEL;
    if (commands & RAAF_COMMAND_START) {
        if (cancelled)
            refuse(stream, RAAF_CANCELLED);
        else
            begin(reactor, stream);
        return;
    }
    raaf_transfer_t *transfer = stream->transfer;
    /* It is over, and nobody has to be told; a connection that is drained may yet be of use. */
    if (!transfer || transfer->phase == RAAF_PHASE_DRAINING) return;
    if (cancelled) {
        raaf_transfer_abort(transfer, RAAF_CANCELLED);
        return;
    }
    /* A grant may come late, when the timer has found it out and the consumer has resumed already. */
    if (commands & RAAF_COMMAND_GRANT) raaf_transfer_grant(transfer);
    if (commands & RAAF_COMMAND_RESUME) raaf_transfer_resume(transfer);
}

static void read_mailbox(raaf_reactor_t *reactor) {
    raaf_stream_t *stream = raaf_mailbox_take(&reactor->mailbox);
    while (stream) {
        raaf_stream_t *next = stream->mail_next;
        obey(reactor, stream, raaf_mailbox_commands(stream));
        raaf_stream_release(stream);
        stream = next;
    }
}

/* ---- timers and finished transfers ---- */

static void run_timers(raaf_reactor_t *reactor) {
    uint64_t now = raaf_clock_now();
    raaf_timer_t *timer;
    while ((timer = raaf_timers_pop_due(&reactor->timers, now))) {
        raaf_transfer_t *transfer =
            (raaf_transfer_t *)((char *)timer - offsetof(raaf_transfer_t, timer));
        raaf_transfer_expire(transfer, now);
        on_touched(transfer, reactor); /* back into the heap when it is settled */
    }
}

static void read_finished(raaf_reactor_t *reactor) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(reactor->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        char *transfer = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        raaf_transfer_done((raaf_transfer_t *)transfer, result);
    }
}

/* ---- settling ---- */

static void wake_consumer(raaf_stream_t *stream) {
    raaf_dispatch_queue_t *dispatch = atomic_load(&stream->dispatch);
    if (!dispatch)
        raaf_stream_queue_signal(&stream->queue);
    else if (raaf_stream_queue_ready(&stream->queue))
        raaf_dispatch_queue_ready(dispatch, stream);
}

/* Only a deadline that has come nearer moves the node; a later one is found when it comes up. */
static void set_timer(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    uint64_t deadline = raaf_transfer_deadline(transfer);
    bool scheduled = transfer->timer.position != 0;
    if (scheduled ? deadline < transfer->timer.deadline : deadline != RAAF_NEVER)
        raaf_timers_schedule(&reactor->timers, &transfer->timer, deadline);
}

/* Returns false if there is nothing to begin. Whatever begins is touched by that. */
static bool go_on(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    if (transfer->phase == RAAF_PHASE_READY)
        enter_gate(reactor, transfer);
    else if (transfer->phase == RAAF_PHASE_GATED && !transfer->ticket.waits)
        raaf_transfer_start(transfer);
    else
        return false;
    return true;
}

static void settle(raaf_reactor_t *reactor, raaf_transfer_t *transfer) {
    if (go_on(reactor, transfer)) return; /* settled in the next round, over or not */
    raaf_tally_count(&transfer->delivery.tally);
    wake_consumer(transfer->stream);
    if (transfer->phase == RAAF_PHASE_OVER) {
        take_down(reactor, transfer);
        return;
    }
    if (transfer->phase == RAAF_PHASE_BACKOFF && transfer->easy) {
        let_go(reactor, transfer);
        raaf_transfer_rest(transfer);
    }
    set_timer(reactor, transfer);
}

/* Taking one down can touch others (the next at the gate), so until none is left. */
static void settle_all(raaf_reactor_t *reactor) {
    raaf_transfer_t *transfer;
    while ((transfer = reactor->touched_first)) {
        reactor->touched_first = transfer->touched_next;
        if (!reactor->touched_first) reactor->touched_last = NULL;
        if (transfer->phase != RAAF_PHASE_OVER) transfer->touched = false;
        settle(reactor, transfer);
    }
    set_max_connections(reactor);
}

/* ---- waiting ---- */

/* Rounded up, so that a timer is due when we wake for it. */
static int wait_ms(uint64_t deadline) {
    uint64_t now = raaf_clock_now();
    if (deadline <= now) return 0;
    uint64_t span = deadline - now < MAX_WAIT_NS ? deadline - now : MAX_WAIT_NS;
    return (int)((span + RAAF_MS(1) - 1) / RAAF_MS(1));
}

/*
 * Where libcurl 7.88 found no memory for its books on a socket, it does not say whose that is, and
 * crashes over what it left of them when it sees that transfer again. So all end.
 */
static bool goes_on(raaf_reactor_t *reactor, CURLMcode code) {
    if (code != CURLM_OUT_OF_MEMORY) return true;
    for (raaf_transfer_t *transfer = reactor->all; transfer; transfer = transfer->next)
        raaf_transfer_abort(transfer, RAAF_NO_MEMORY);
    return false;
}

/* ---- waiting: epoll ---- */

#if RAAF_EPOLL
#define MAILBOX_KEY UINT64_MAX

static uint64_t next_deadline(const raaf_reactor_t *reactor) {
    uint64_t timers = raaf_timers_next(&reactor->timers);
    return timers < reactor->curl_deadline ? timers : reactor->curl_deadline;
}

/* Never an error for libcurl: it would end every transfer. One that cannot be watched ends alone. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket) {
    (void)socket;
    char *transfer = NULL;
    if (what == CURL_POLL_REMOVE) {
        unwatch(context, fd);
    } else if (!watch(context, fd, what)) {
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
        if (transfer) raaf_transfer_abort((raaf_transfer_t *)transfer, RAAF_SYSTEM);
    }
    return 0;
}

/* A due timer runs in the next turn, never at once: libcurl must not be called from here. */
static int on_timer(CURLM *multi, long ms, void *context) {
    (void)multi;
    raaf_reactor_t *reactor = context;
    reactor->curl_deadline = ms < 0 ? RAAF_NEVER : raaf_clock_now() + RAAF_MS(ms);
    return 0;
}

/* Returns false if libcurl must not be called again in this turn. */
static bool on_event(raaf_reactor_t *reactor, const struct epoll_event *event) {
    if (event->data.u64 == MAILBOX_KEY) {
        raaf_waker_drain(&reactor->mailbox.waker);
        return true;
    }
    int fd = (int)(uint32_t)event->data.u64, running, action = 0;
    const raaf_socket_t *entry = raaf_socket_table_find(&reactor->sockets, fd);
    bool stale = !entry || !entry->watched || socket_key(fd, entry->generation) != event->data.u64;
    if (stale) return true; /* the number is another socket's by now */
    if (event->events & EPOLLIN) action |= CURL_CSELECT_IN;
    if (event->events & EPOLLOUT) action |= CURL_CSELECT_OUT;
    if (event->events & (EPOLLERR | EPOLLHUP)) action |= CURL_CSELECT_ERR;
    return goes_on(reactor, curl_multi_socket_action(reactor->multi, fd, action, &running));
}

static void wait_epoll(raaf_reactor_t *reactor) {
    struct epoll_event events[EVENTS_A_TURN];
    int running, timeout = wait_ms(next_deadline(reactor));
    int count = epoll_wait(reactor->epoll_fd, events, EVENTS_A_TURN, timeout);
    for (int i = 0; i < count; i++)
        if (!on_event(reactor, &events[i])) return; /* the others come again */
    if (reactor->curl_deadline <= raaf_clock_now()) {
        reactor->curl_deadline = RAAF_NEVER;
        CURLM *multi = reactor->multi;
        (void)goes_on(reactor, curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running));
    }
}

static bool open_epoll(raaf_reactor_t *reactor) {
    reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reactor->epoll_fd < 0) return false;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = MAILBOX_KEY};
    int fd = reactor->mailbox.waker.read_fd;
    if (epoll_ctl(reactor->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) return false;
    curl_multi_setopt(reactor->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(reactor->multi, CURLMOPT_SOCKETDATA, reactor);
    curl_multi_setopt(reactor->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(reactor->multi, CURLMOPT_TIMERDATA, reactor);
    return true;
}
#else
static void wait_epoll(raaf_reactor_t *reactor) {
    (void)reactor;
}

static bool open_epoll(raaf_reactor_t *reactor) {
    (void)reactor;
    return false;
}
#endif

/* ---- waiting: curl_multi_poll ---- */

static void wait_poll(raaf_reactor_t *reactor) {
    int running;
    struct curl_waitfd mailbox = {.fd = reactor->mailbox.waker.read_fd, .events = CURL_WAIT_POLLIN};
    int timeout = wait_ms(raaf_timers_next(&reactor->timers));
    curl_multi_poll(reactor->multi, &mailbox, 1, timeout, NULL);
    if (mailbox.revents) raaf_waker_drain(&reactor->mailbox.waker);
    (void)goes_on(reactor, curl_multi_perform(reactor->multi, &running));
}

/* ---- the thread ---- */

static void turn(raaf_reactor_t *reactor) {
    if (reactor->backend == RAAF_BACKEND_EPOLL)
        wait_epoll(reactor);
    else
        wait_poll(reactor);
    read_mailbox(reactor);
    run_timers(reactor);
    read_finished(reactor);
    settle_all(reactor);
    atomic_fetch_add_explicit(&reactor->turns, 1, memory_order_relaxed);
}

static void end_all(raaf_reactor_t *reactor) {
    for (raaf_transfer_t *transfer = reactor->all; transfer; transfer = transfer->next)
        raaf_transfer_abort(transfer, RAAF_SHUTDOWN);
    settle_all(reactor);
}

/* Streams that were posted too late to be begun are told so. Any thread: takes all or nothing. */
static void turn_away(raaf_reactor_t *reactor) {
    raaf_stream_t *stream = raaf_mailbox_take(&reactor->mailbox);
    while (stream) {
        raaf_stream_t *next = stream->mail_next;
        if (raaf_mailbox_commands(stream) & RAAF_COMMAND_START) refuse(stream, RAAF_SHUTDOWN);
        raaf_stream_release(stream);
        stream = next;
    }
}

static void close_all(raaf_reactor_t *reactor) {
    int epoll_fd = reactor->epoll_fd;
    curl_multi_cleanup(reactor->multi);
    reactor->epoll_fd = -1; /* before the number is free: a forked child closes what stands here */
    if (epoll_fd >= 0) close(epoll_fd);
    raaf_host_gate_free(&reactor->gate);
    raaf_timers_free(&reactor->timers);
    raaf_socket_table_free(&reactor->sockets);
}

static void name_thread(void) {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), "raaf-reactor");
#elif defined(__APPLE__)
    pthread_setname_np("raaf-reactor");
#endif
}

static void pause_for_forks(raaf_reactor_t *reactor) {
    pthread_mutex_lock(&reactor->mutex);
    reactor->paused = true;
    pthread_cond_broadcast(&reactor->changed);
    while (atomic_load(&reactor->pauses))
        pthread_cond_wait(&reactor->changed, &reactor->mutex);
    reactor->paused = false;
    pthread_mutex_unlock(&reactor->mutex);
}

static void *run(void *argument) {
    raaf_reactor_t *reactor = argument;
    name_thread();
    while (!atomic_load(&reactor->stopping)) {
        if (atomic_load(&reactor->pauses)) pause_for_forks(reactor);
        turn(reactor);
    }
    end_all(reactor);
    close_all(reactor);
    pthread_mutex_lock(&reactor->mutex);
    atomic_store(&reactor->stopped, true);
    pthread_cond_broadcast(&reactor->changed);
    pthread_mutex_unlock(&reactor->mutex);
    turn_away(reactor);
    raaf_reactor_release(reactor);
    return NULL;
}

/* ---- any thread ---- */

int raaf_reactor_global_init(void) {
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? RAAF_OK : RAAF_SYSTEM;
}

static bool choose_backend(raaf_reactor_t *reactor, raaf_backend_t wanted) {
    if (wanted == RAAF_BACKEND_EPOLL && !RAAF_EPOLL) return false;
    if (wanted == RAAF_BACKEND_DEFAULT)
        wanted = RAAF_EPOLL ? RAAF_BACKEND_EPOLL : RAAF_BACKEND_POLL;
    reactor->backend = wanted;
    return true;
}

static bool init_condition(raaf_reactor_t *reactor) {
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&reactor->mutex, NULL) != 0) return false;
    if (pthread_condattr_init(&attributes) != 0) goto fail_mutex;
#if !defined(__APPLE__)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    int failed = pthread_cond_init(&reactor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (!failed) return true;

fail_mutex:
    pthread_mutex_destroy(&reactor->mutex);
    return false;
}

/* A thread inherits the mask it is made under: no signal handler of Ruby's runs in ours. */
static bool start_thread(raaf_reactor_t *reactor) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    raaf_reactor_retain(reactor); /* the thread's */
    int failed = pthread_create(&reactor->thread, NULL, run, reactor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        errno = failed;
        return false;
    }
    pthread_detach(reactor->thread);
    return true;
}

raaf_reactor_t *raaf_reactor_start(const raaf_reactor_options_t *options, int *result) {
    int failed;
    *result = RAAF_NO_MEMORY;
    raaf_reactor_t *reactor = calloc(1, sizeof *reactor);
    if (!reactor) return NULL;
    atomic_init(&reactor->references, 1);
    reactor->pid = getpid();
    reactor->idle_connections = options->idle_connections;
    reactor->epoll_fd = -1;
    reactor->curl_deadline = RAAF_NEVER;
    raaf_random_seed(&reactor->random);
    raaf_socket_table_init(&reactor->sockets);
    raaf_timers_init(&reactor->timers);
    raaf_host_gate_init(&reactor->gate, on_admit, reactor);
    if (!choose_backend(reactor, options->backend)) {
        *result = RAAF_INVALID_REQUEST;
        goto fail;
    }
    if (!init_condition(reactor)) goto fail;
    *result = raaf_mailbox_open(&reactor->mailbox, options->pipe);
    if (*result != RAAF_OK) goto fail_condition;
    *result = RAAF_NO_MEMORY;
    reactor->multi = curl_multi_init();
    if (!reactor->multi) goto fail_mailbox;
    *result = RAAF_SYSTEM;
    reactor->host = (raaf_transfer_host_t){
        .multi = reactor->multi,
        .sockets = &reactor->sockets,
        .random = &reactor->random,
        .pid = reactor->pid,
        .touched = on_touched,
        .opened = on_opened,
        .connected = on_connected,
        .context = reactor,
    };
    if (reactor->backend == RAAF_BACKEND_EPOLL && !open_epoll(reactor)) goto fail_multi;
    if (!start_thread(reactor)) goto fail_multi;
    *result = RAAF_OK;
    return reactor;

fail_multi:
    failed = errno;
    curl_multi_cleanup(reactor->multi);
    if (reactor->epoll_fd >= 0) close(reactor->epoll_fd);
    errno = failed;
fail_mailbox:
    raaf_mailbox_close(&reactor->mailbox);
fail_condition:
    pthread_cond_destroy(&reactor->changed);
    pthread_mutex_destroy(&reactor->mutex);
fail:
    free(reactor);
    return NULL;
}

void raaf_reactor_post(raaf_stream_t *stream, unsigned commands) {
    raaf_reactor_t *reactor = stream->reactor;
    raaf_mailbox_post(&reactor->mailbox, stream, commands);
    /* After the thread's last look nobody else empties the mailbox. */
    if (atomic_load(&reactor->stopped)) turn_away(reactor);
}

/* A place may be granted to it from another thread at once: that needs the reactor. */
raaf_entry_t raaf_reactor_submit(raaf_reactor_t *reactor, raaf_stream_t *stream) {
    raaf_entry_t entry = RAAF_ENTRY_GRANTED;
    raaf_reactor_retain(reactor);
    stream->reactor = reactor;
    if (stream->place) entry = raaf_place_enter(stream->place, stream);
    if (entry == RAAF_ENTRY_WAITS) atomic_store(&stream->stage, RAAF_STAGE_QUEUED);
    if (entry != RAAF_ENTRY_GRANTED && entry != RAAF_ENTRY_WAITS) {
        stream->reactor = NULL;
        raaf_reactor_release(reactor);
        return entry;
    }
    raaf_stream_submitted(stream);
    raaf_reactor_post(stream, RAAF_COMMAND_START);
    return entry;
}

bool raaf_reactor_stopped(const raaf_reactor_t *reactor) {
    return atomic_load(&reactor->stopped);
}

static struct timespec clock_after(uint64_t span_ns) {
    struct timespec at;
    if (span_ns > LONGEST_STOP_NS) span_ns = LONGEST_STOP_NS;
#if defined(__APPLE__)
    clock_gettime(CLOCK_REALTIME, &at);
#else
    clock_gettime(CLOCK_MONOTONIC, &at);
#endif
    uint64_t ns = (uint64_t)at.tv_nsec + span_ns;
    at.tv_sec += (time_t)(ns / 1000000000u);
    at.tv_nsec = (long)(ns % 1000000000u);
    return at;
}

bool raaf_reactor_stop(raaf_reactor_t *reactor, uint64_t timeout_ns) {
    struct timespec until = clock_after(timeout_ns);
    atomic_store(&reactor->stopping, true);
    raaf_waker_wake(&reactor->mailbox.waker);
    pthread_mutex_lock(&reactor->mutex);
    int waited = 0;
    while (!atomic_load(&reactor->stopped) && waited == 0)
        waited = pthread_cond_timedwait(&reactor->changed, &reactor->mutex, &until);
    pthread_mutex_unlock(&reactor->mutex);
    return atomic_load(&reactor->stopped);
}

void raaf_reactor_abandon(raaf_reactor_t *reactor) {
    raaf_socket_table_close_copies(&reactor->sockets);
    if (reactor->epoll_fd >= 0) close(reactor->epoll_fd);
    raaf_waker_close(&reactor->mailbox.waker);
}

void raaf_reactor_pause(raaf_reactor_t *reactor, uint64_t timeout_ns) {
    struct timespec until = clock_after(timeout_ns);
    int waited = 0;
    atomic_fetch_add(&reactor->pauses, 1);
    raaf_waker_wake(&reactor->mailbox.waker);
    pthread_mutex_lock(&reactor->mutex);
    while (!reactor->paused && !atomic_load(&reactor->stopped) && waited == 0)
        waited = pthread_cond_timedwait(&reactor->changed, &reactor->mutex, &until);
    pthread_mutex_unlock(&reactor->mutex);
}

void raaf_reactor_unpause(raaf_reactor_t *reactor) {
    pthread_mutex_lock(&reactor->mutex);
    atomic_fetch_sub(&reactor->pauses, 1);
    pthread_cond_broadcast(&reactor->changed);
    pthread_mutex_unlock(&reactor->mutex);
}

raaf_reactor_stats_t raaf_reactor_stats(const raaf_reactor_t *reactor) {
    return (raaf_reactor_stats_t){
        .turns = atomic_load_explicit(&reactor->turns, memory_order_relaxed),
        .transfers = atomic_load_explicit(&reactor->begun, memory_order_relaxed),
        .running = atomic_load_explicit(&reactor->running, memory_order_relaxed),
    };
}

const char *raaf_reactor_backend_name(const raaf_reactor_t *reactor) {
    return reactor->backend == RAAF_BACKEND_EPOLL ? "epoll" : "poll";
}

void raaf_reactor_retain(raaf_reactor_t *reactor) {
    atomic_fetch_add_explicit(&reactor->references, 1, memory_order_relaxed);
}

void raaf_reactor_release(raaf_reactor_t *reactor) {
    if (atomic_fetch_sub_explicit(&reactor->references, 1, memory_order_acq_rel) != 1) return;
    raaf_mailbox_close(&reactor->mailbox);
    pthread_cond_destroy(&reactor->changed);
    pthread_mutex_destroy(&reactor->mutex);
    free(reactor);
}
