#include "transfer.h"

#include "admission.h"
#include "clock.h"
#include "result_code.h"
#include "retry.h"
#include "transfer_result.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_HEADER_BYTES ((size_t)256 << 10) /* of one exchange, 1xx responses included */
#define READ_BUFFER 16384L                   /* bytes libcurl reads at a time */
#define DRAIN_BYTES ((size_t)64 << 10)
#define DRAIN_NS RAAF_MS(1000)
#define SETTLED_GRACE_NS RAAF_MS(50) /* for the terminal mark once usage has come as well */
#define NUDGE_NS RAAF_MS(250)        /* between two looks at a connection that is being made */
#define ERROR_BODY_NS RAAF_MS(5000)  /* for the body of an error status */

static void touch(raaf_transfer_t *transfer) {
    transfer->host->touched(transfer, transfer->host->context);
}

static uint64_t after(uint64_t from, uint64_t span) {
    return span >= RAAF_NEVER - from ? RAAF_NEVER : from + span;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static const raaf_request_limits_t *limits_of(const raaf_transfer_t *transfer) {
    return &transfer->stream->request->limits;
}

static uint64_t total_deadline(const raaf_transfer_t *transfer) {
    return after(transfer->stream->outcome.started_at, limits_of(transfer)->total_ns);
}

static bool attempt_over(const raaf_transfer_t *transfer) {
    return transfer->phase == RAAF_PHASE_OVER || transfer->phase == RAAF_PHASE_BACKOFF;
}

/* ---- ends ---- */

/*
 * Whether another attempt follows the one that ended with [code]; if so it has been announced. Not
 * for a script, nor once anything was delivered.
 */
static bool try_again(raaf_transfer_t *transfer, int code) {
    raaf_stream_t *stream = transfer->stream;
    const uint64_t now = raaf_clock_now(), until = total_deadline(transfer);
    const uint64_t left = until > now ? until - now : 0;
    raaf_retry_t retry;
    if (stream->request->scripted || transfer->delivery.said) return false;
    if (!raaf_retry_plan(&stream->outcome, limits_of(transfer), code, left,
                         raaf_random_next(transfer->host->random), &retry))
        return false;
    if (raaf_delivery_retry(&transfer->delivery, &retry) != RAAF_OK) return false;
    transfer->phase = RAAF_PHASE_BACKOFF;
    transfer->paused = false;
    transfer->retry_at = after(now, retry.notice.delay_ns);
    atomic_store_explicit(&stream->stage, RAAF_STAGE_CONNECTING, memory_order_relaxed);
    return true;
}

/* The decoder has handed over everything: the stream ends with [code], or another attempt follows. */
static void conclude(raaf_transfer_t *transfer, int code) {
    transfer->decoder_finished = true;
    transfer->stream->outcome.events = transfer->decoder.events;
    transfer->stream->outcome.malformed_events = transfer->decoder.malformed_events;
    if (!try_again(transfer, code)) raaf_delivery_end(&transfer->delivery, code);
    touch(transfer);
}

/*
 * Ends the answer: hands over what the decoder kept back, then the terminal chunk. [eof]: the
 * body is at its end; else nothing more of it is awaited.
 */
static void end_answer(raaf_transfer_t *transfer, bool eof) {
    if (transfer->delivery.ended) return;
    conclude(transfer, raaf_decoder_finish(&transfer->decoder, eof));
}

/* Ends it with an error; what the decoder kept back is words too, and comes first. */
static void end_failed(raaf_transfer_t *transfer, int code) {
    if (transfer->delivery.ended) return;
    if (!transfer->decoder_finished) (void)raaf_decoder_finish(&transfer->decoder, false);
    conclude(transfer, code);
}

/* One that is paused has a slow consumer and bytes nobody will take: not worth the wait. */
static void drain(raaf_transfer_t *transfer) {
    if (!transfer->delivery.ended) return;
    bool worth = transfer->easy && !transfer->paused;
    transfer->phase = worth ? RAAF_PHASE_DRAINING : RAAF_PHASE_OVER;
    transfer->drain_until = raaf_clock_now() + DRAIN_NS;
}

void raaf_transfer_abort(raaf_transfer_t *transfer, int code) {
    transfer->phase = RAAF_PHASE_OVER;
    end_failed(transfer, code);
    touch(transfer);
}

/* ---- the body ---- */

/*
 * Sets the grace when a finish reason has come, and takes it back when the answer goes on. It is
 * not put off by what comes meanwhile: a server's keep-alive comments would do so for ever.
 */
static void note_progress(raaf_transfer_t *transfer, uint64_t now) {
    uint64_t grace = limits_of(transfer)->grace_ns;
    switch (raaf_decoder_progress(&transfer->decoder)) {
    case RAAF_PROGRESS_FINISHED:
        break;
    case RAAF_PROGRESS_SETTLED:
        grace = earlier(grace, SETTLED_GRACE_NS);
        break;
    default:
        transfer->grace_until = RAAF_NEVER;
        return;
    }
    transfer->grace_until = earlier(transfer->grace_until, after(now, grace));
}

/* Returns false if the transfer has no use for more. */
static bool decode(raaf_transfer_t *transfer, const char *bytes, size_t len, uint64_t now) {
    int result = raaf_decoder_feed(&transfer->decoder, bytes, len);
    touch(transfer);
    if (result == RAAF_OK) {
        note_progress(transfer, now);
        return true;
    }
    if (result == RAAF_STOP) {
        end_answer(transfer, false);
        drain(transfer);
        return true;
    }
    raaf_transfer_abort(transfer, result);
    return false;
}

static const char *skip_space(const char *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", bytes[i])) return bytes + i;
    return NULL;
}

static bool wants_lines(const raaf_transfer_t *transfer) {
    return transfer->stream->request->dialect->framing == RAAF_FRAMING_NDJSON;
}

/* A body whose header does not call it an event stream is taken for what it looks like. */
static void guess_body(raaf_transfer_t *transfer, const char *bytes, size_t len) {
    const char *first = skip_space(bytes, len);
    if (!first) return;
    if (*first == '[' || (*first == '{' && !wants_lines(transfer)))
        transfer->body = RAAF_BODY_JSON;
    else if (*first != '<')
        transfer->body = RAAF_BODY_EVENTS;
}

/* One piece of the body. Returns false if the transfer has no use for more. */
static bool take_body(raaf_transfer_t *transfer, const char *bytes, size_t len) {
    uint64_t now = raaf_clock_now();
    raaf_stream_t *stream = transfer->stream;
    transfer->last_byte_at = now;
    atomic_store_explicit(&stream->last_byte_at, now, memory_order_relaxed);
    raaf_tally_read(&transfer->delivery.tally, now);
    if (!stream->outcome.first_byte_at) stream->outcome.first_byte_at = now;
    atomic_fetch_add_explicit(&stream->bytes_received, len, memory_order_relaxed);
    if (transfer->phase == RAAF_PHASE_SENT) transfer->phase = RAAF_PHASE_BODY;
    if (transfer->body == RAAF_BODY_UNKNOWN) guess_body(transfer, bytes, len);
    switch (transfer->body) {
    case RAAF_BODY_EVENTS:
        return decode(transfer, bytes, len, now);
    case RAAF_BODY_JSON:
    case RAAF_BODY_ERROR:
        raaf_outcome_body(&stream->outcome, bytes, len);
        if (stream->outcome.body.len < RAAF_OUTCOME_MAX_BODY) return true;
        raaf_transfer_abort(transfer, transfer->body == RAAF_BODY_ERROR ? RAAF_HTTP_STATUS
                                                                        : RAAF_NOT_EVENT_STREAM);
        return false;
    case RAAF_BODY_UNKNOWN:
        raaf_outcome_body(&stream->outcome, bytes, len);
        if (!skip_space(bytes, len) && stream->outcome.body.len < RAAF_OUTCOME_MAX_BODY)
            return true;
        raaf_transfer_abort(transfer, RAAF_NOT_EVENT_STREAM);
        return false;
    }
    return false;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *context) {
    (void)one; /* always 1 */
    raaf_transfer_t *transfer = context;
    if (transfer->phase == RAAF_PHASE_DRAINING) {
        transfer->drained += len;
        if (transfer->drained <= DRAIN_BYTES) return len;
        transfer->phase = RAAF_PHASE_OVER;
        touch(transfer);
    }
    if (attempt_over(transfer)) return 0;
    if (transfer->body == RAAF_BODY_EVENTS && raaf_stream_queue_full(&transfer->stream->queue)) {
        transfer->paused = true;
        return CURL_WRITEFUNC_PAUSE; /* libcurl hands the same bytes over again */
    }
    return take_body(transfer, bytes, len) ? len : 0;
}

/* ---- the header ---- */

static bool is_event_stream(const raaf_transfer_t *transfer) {
    const char *type = wants_lines(transfer) ? "application/x-ndjson" : "text/event-stream";
    raaf_slice_t value = raaf_outcome_find_header(&transfer->stream->outcome, "content-type");
    return value.len >= strlen(type) && strncasecmp(value.bytes, type, strlen(type)) == 0;
}

static bool is_error_status(const raaf_outcome_t *outcome) {
    return outcome->http_status && (outcome->http_status < 200 || outcome->http_status >= 300);
}

static void end_of_header(raaf_transfer_t *transfer) {
    raaf_outcome_t *outcome = &transfer->stream->outcome;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    /* 100 Continue and its kind: another header follows. After an uncalled-for 101 none does. */
    if (status < 200 && status != 101) return;
    outcome->http_status = status;
    if (is_error_status(outcome)) {
        transfer->body = RAAF_BODY_ERROR;
        transfer->error_body_until = raaf_clock_now() + ERROR_BODY_NS;
        if (status == 429) raaf_outcome_rate_limits(outcome);
        touch(transfer);
    } else if (is_event_stream(transfer)) {
        transfer->body = RAAF_BODY_EVENTS;
    }
}

static size_t on_header(char *bytes, size_t one, size_t len, void *context) {
    (void)one;
    raaf_transfer_t *transfer = context;
    raaf_outcome_t *outcome = &transfer->stream->outcome;
    if (transfer->delivery.ended) return len; /* a trailer, while draining */
    transfer->header_bytes += len;
    if (transfer->header_bytes > MAX_HEADER_BYTES) {
        raaf_transfer_abort(transfer, RAAF_HEADERS_TOO_LARGE);
        return 0;
    }
    if (transfer->phase == RAAF_PHASE_BODY) return len; /* a trailer says nothing that we want */
    size_t line = len;
    while (line && (bytes[line - 1] == '\n' || bytes[line - 1] == '\r'))
        line--;
    if (line >= 5 && strncasecmp(bytes, "HTTP/", 5) == 0)
        raaf_outcome_new_response(outcome);
    else if (line == 0 && transfer->phase == RAAF_PHASE_SENT)
        end_of_header(transfer);
    else
        raaf_outcome_header(outcome, bytes, line);
    return len;
}

/* ---- the connection ---- */

/* Called once the connection stands, fresh or reused, before the request goes out. */
static int on_connected(void *context, char *to_ip, char *from_ip, int to_port, int from_port) {
    (void)to_ip, (void)from_ip, (void)to_port, (void)from_port;
    raaf_transfer_t *transfer = context;
    raaf_socket_table_connected(transfer->host->sockets, transfer->stream->id);
    if (transfer->phase != RAAF_PHASE_CONNECTING) return CURL_PREREQFUNC_OK; /* libcurl's resend */
    transfer->phase = RAAF_PHASE_SENT;
    transfer->stream->outcome.connected_at = raaf_clock_now();
    atomic_store_explicit(&transfer->stream->stage, RAAF_STAGE_WAITING, memory_order_relaxed);
    transfer->host->connected(transfer, transfer->host->context);
    return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose,
                                    struct curl_sockaddr *address) {
    (void)purpose;
    raaf_transfer_t *transfer = context;
    const raaf_transfer_host_t *host = transfer->host;
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    int fd = socket(address->family, type, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
#ifndef SOCK_CLOEXEC
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    if (!raaf_socket_table_opened(host->sockets, fd, transfer->stream->id)) {
        close(fd);
        return CURL_SOCKET_BAD;
    }
    host->opened(transfer, fd, host->context);
    return fd;
}

/*
 * In a process that was forked meanwhile a copy of the socket keeps the connection open: only
 * shutdown tells the server. A child must not do that to its parent's connection.
 */
static int on_close_socket(void *context, curl_socket_t fd) {
    const raaf_transfer_host_t *host = context;
    raaf_socket_table_closing(host->sockets, fd);
    if (getpid() == host->pid) shutdown(fd, SHUT_RDWR);
    return close(fd);
}

/* ---- set-up ---- */

static struct curl_slist *header_list(const raaf_request_t *request) {
    /* libcurl waits up to 1 s for a 100 Continue before it sends a body over 1 MB. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; list && i < request->header_count; i++) {
        struct curl_slist *longer = curl_slist_append(list, request->headers[i]);
        if (!longer) curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

/*
 * Our own timer decides about the connect timeout; libcurl's default of 300 s must not. It must
 * know of it all the same: of several addresses each gets its part of the time.
 */
static long curl_connect_timeout(const raaf_request_limits_t *limits) {
    const uint64_t longest = 2000000000; /* ms: what a long can hold anywhere */
    uint64_t ms = limits->connect_ns / RAAF_MS(1);
    return (long)(ms < longest ? ms + 1000 : longest);
}

static CURLcode set_request(raaf_transfer_t *transfer) {
    const raaf_request_t *request = transfer->stream->request;
    CURL *easy = transfer->easy;
    CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
    if (code != CURLE_OK) return code;
    /* No getenv from this thread: Ruby has read the environment's proxy names already. */
    code = curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
    if (code != CURLE_OK) return code;
    code = curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* unset, libcurl asks for no_proxy */
    if (code != CURLE_OK) return code;
    if (request->ca_file) {
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
        if (code != CURLE_OK) return code;
    }
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, curl_connect_timeout(&request->limits));
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    /* Asks for no compression (it makes the first token wait), yet takes it from who insists. */
    return curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "identity");
}

static CURLcode set_safety(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    /* With a CApath set, OpenSSL's certificates are read anew for every connection. */
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    /* A look-up that is given up is left to its thread instead of waited for. */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 1L);
    return curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
}

static CURLcode set_callbacks(raaf_transfer_t *transfer) {
    CURL *easy = transfer->easy;
    void *host = (void *)transfer->host;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, host);
}

static bool prepare_easy(raaf_transfer_t *transfer) {
    transfer->easy = curl_easy_init();
    transfer->headers = header_list(transfer->stream->request);
    return transfer->easy && transfer->headers && set_safety(transfer->easy) == CURLE_OK &&
           set_callbacks(transfer) == CURLE_OK && set_request(transfer) == CURLE_OK;
}

/* Gives back what belongs to one attempt, as far as it is there. */
static void put_away(raaf_transfer_t *transfer) {
    if (transfer->in_multi) curl_multi_remove_handle(transfer->host->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    raaf_decoder_free(&transfer->decoder);
    transfer->in_multi = false;
    transfer->easy = NULL;
    transfer->headers = NULL;
}

/* Makes everything that belongs to one attempt. Returns false when out of memory. */
static bool prepare(raaf_transfer_t *transfer) {
    const raaf_request_t *request = transfer->stream->request;
    if (raaf_decoder_init(&transfer->decoder, request->dialect, raaf_delivery_delta,
                          &transfer->delivery, request->limits.max_line,
                          request->limits.max_event) != RAAF_OK)
        return false;
    transfer->decoder.skip_malformed = request->limits.skip_malformed;
    transfer->decoder.raw_events = request->limits.raw_events;
    if (!request->scripted && !prepare_easy(transfer)) {
        put_away(transfer);
        return false;
    }
    transfer->phase = RAAF_PHASE_READY;
    transfer->body = RAAF_BODY_UNKNOWN;
    transfer->decoder_finished = false;
    transfer->header_bytes = 0;
    transfer->step_at = transfer->grace_until = RAAF_NEVER;
    transfer->error_body_until = transfer->drain_until = RAAF_NEVER;
    transfer->attempt_at = raaf_clock_now();
    transfer->curl_error[0] = '\0';
    return true;
}

/* There is nothing yet of an attempt but a time. */
static void rest_until(raaf_transfer_t *transfer, raaf_transfer_phase_t phase, uint64_t at) {
    transfer->decoder.dialect = transfer->stream->request->dialect;
    transfer->decoder_finished = true;
    transfer->phase = phase;
    if (phase == RAAF_PHASE_QUEUED)
        transfer->queue_until = at;
    else
        transfer->attempt_at = transfer->retry_at = at;
    touch(transfer);
}

static bool prepare_or_postpone(raaf_transfer_t *transfer) {
    const uint64_t delay = limits_of(transfer)->start_delay_ns;
    if (delay == 0) return prepare(transfer);
    /* The first attempt is waited for as another one would be. */
    rest_until(transfer, RAAF_PHASE_BACKOFF, after(raaf_clock_now(), delay));
    return true;
}

/* Its time begins now, or will begin when it has waited. */
static bool set_out(raaf_transfer_t *transfer) {
    raaf_stream_t *stream = transfer->stream;
    if (!prepare_or_postpone(transfer)) return false;
    if (transfer->phase == RAAF_PHASE_READY) raaf_stream_new_attempt(stream);
    stream->outcome.started_at = transfer->attempt_at;
    atomic_store_explicit(&stream->stage, RAAF_STAGE_CONNECTING, memory_order_relaxed);
    return true;
}

static bool set_out_or_queue(raaf_transfer_t *transfer) {
    raaf_stream_t *stream = transfer->stream;
    uint64_t since = 0;
    if (!stream->place || raaf_place_granted(stream->place, stream, &since))
        return set_out(transfer);
    /* It may have been given up already: then it rests until the command says so. */
    rest_until(transfer, RAAF_PHASE_QUEUED, after(since, limits_of(transfer)->queue_ns));
    return true;
}

raaf_transfer_t *raaf_transfer_new(raaf_stream_t *stream, const raaf_transfer_host_t *host) {
    raaf_transfer_t *transfer = calloc(1, sizeof *transfer);
    if (!transfer) return NULL;
    transfer->stream = stream;
    transfer->host = host;
    raaf_delivery_init(&transfer->delivery, stream);
    if (!set_out_or_queue(transfer)) {
        raaf_delivery_free(&transfer->delivery);
        free(transfer);
        return NULL;
    }
    raaf_stream_retain(stream);
    stream->transfer = transfer;
    return transfer;
}

void raaf_transfer_grant(raaf_transfer_t *transfer) {
    uint64_t since;
    if (transfer->phase != RAAF_PHASE_QUEUED) return;
    if (!raaf_place_granted(transfer->stream->place, transfer->stream, &since)) return;
    touch(transfer);
    if (!set_out(transfer)) raaf_transfer_abort(transfer, RAAF_NO_MEMORY);
}

void raaf_transfer_rest(raaf_transfer_t *transfer) {
    put_away(transfer);
}

void raaf_transfer_free(raaf_transfer_t *transfer) {
    put_away(transfer);
    raaf_delivery_free(&transfer->delivery);
    raaf_request_forget(transfer->stream->request);
    transfer->stream->transfer = NULL;
    raaf_stream_release(transfer->stream);
    free(transfer);
}

/* ---- the script of a mock ---- */

static void schedule_step(raaf_transfer_t *transfer, uint64_t now) {
    const raaf_request_t *request = transfer->stream->request;
    bool more = transfer->step < request->step_count;
    transfer->step_at = more ? after(now, request->steps[transfer->step].delay_ns) : now;
}

static void end_script(raaf_transfer_t *transfer) {
    if (transfer->stream->request->script_fails)
        end_failed(transfer, RAAF_SCRIPTED);
    else
        end_answer(transfer, true);
    transfer->phase = RAAF_PHASE_OVER;
    touch(transfer);
}

/* Plays every step that is due, as long as there is room for what it says. */
static void play(raaf_transfer_t *transfer, uint64_t now) {
    const raaf_request_t *request = transfer->stream->request;
    while (transfer->phase == RAAF_PHASE_BODY && transfer->step_at <= now) {
        if (transfer->step == request->step_count) {
            end_script(transfer);
            return;
        }
        if (raaf_stream_queue_full(&transfer->stream->queue)) {
            transfer->paused = true;
            transfer->step_at = RAAF_NEVER;
            return;
        }
        const raaf_script_step_t *step = &request->steps[transfer->step++];
        schedule_step(transfer, now);
        (void)take_body(transfer, step->bytes, step->len); /* false: it is over */
    }
}

static void start_script(raaf_transfer_t *transfer) {
    uint64_t now = raaf_clock_now();
    transfer->phase = RAAF_PHASE_BODY;
    transfer->body = RAAF_BODY_EVENTS;
    transfer->stream->outcome.connected_at = now;
    atomic_store_explicit(&transfer->stream->stage, RAAF_STAGE_WAITING, memory_order_relaxed);
    schedule_step(transfer, now);
    play(transfer, now);
    touch(transfer);
}

/* ---- what the reactor asks for ---- */

void raaf_transfer_start(raaf_transfer_t *transfer) {
    if (!transfer->easy) {
        start_script(transfer);
        return;
    }
    transfer->phase = RAAF_PHASE_CONNECTING;
    transfer->nudge_at = raaf_clock_now() + NUDGE_NS;
    CURLMcode code = curl_multi_add_handle(transfer->host->multi, transfer->easy);
    transfer->in_multi = code == CURLM_OK;
    if (!transfer->in_multi) raaf_transfer_abort(transfer, RAAF_NO_MEMORY);
    touch(transfer);
}

/*
 * Whether this comes of curl_easy_pause because the transfer has failed in it: libcurl reports that
 * here and nowhere else. 43: it is done already, and says so elsewhere.
 */
static bool is_failure(CURLcode code) {
    return code != CURLE_OK && code != CURLE_BAD_FUNCTION_ARGUMENT;
}

void raaf_transfer_resume(raaf_transfer_t *transfer) {
    if (!transfer->paused) return;
    transfer->paused = false;
    transfer->last_byte_at = raaf_clock_now(); /* the consumer was slow, not the provider */
    raaf_tally_held_up(&transfer->delivery.tally);
    if (transfer->grace_until != RAAF_NEVER)
        transfer->grace_until = after(transfer->last_byte_at, limits_of(transfer)->grace_ns);
    touch(transfer);
    if (transfer->easy) {
        CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
        if (is_failure(code)) raaf_transfer_done(transfer, code);
    } else {
        transfer->step_at = transfer->last_byte_at;
        play(transfer, transfer->step_at);
    }
}

/* One JSON object where an event stream was asked for: an error with status 200, or nothing we know. */
static void end_json(raaf_transfer_t *transfer) {
    raaf_buffer_t *body = &transfer->stream->outcome.body;
    raaf_sse_event_t event = {.data = body->bytes, .data_len = body->len, .retry_ms = -1};
    raaf_decoder_t *decoder = &transfer->decoder;
    const char *first = skip_space(body->bytes, body->len); /* NULL: no memory for the rest */
    bool object = first && *first == '{';
    int result = object ? decoder->dialect->event(decoder->state, &event) : RAAF_OK;
    end_failed(transfer, result == RAAF_PROVIDER_ERROR ? result : RAAF_NOT_EVENT_STREAM);
}

/*
 * libcurl takes header lines up to 100 KB; before 8.6 it calls a longer one a lack of memory. While
 * a header is read there is next to nothing else that it would allocate.
 */
static bool header_line_too_long(const raaf_transfer_t *transfer, CURLcode code) {
#if LIBCURL_VERSION_NUM >= 0x080600
    if (code == CURLE_TOO_LARGE) return true;
#endif
    if (code != CURLE_OUT_OF_MEMORY || transfer->phase != RAAF_PHASE_SENT) return false;
    curl_off_t first_byte = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
    return first_byte > 0;
}

/* In libcurl's words, and the system's. */
static void keep_details(raaf_transfer_t *transfer) {
    raaf_outcome_t *outcome = &transfer->stream->outcome;
    long error = 0;
    snprintf(outcome->detail, sizeof outcome->detail, "%s", transfer->curl_error);
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
    outcome->os_error = (int)error;
}

void raaf_transfer_done(raaf_transfer_t *transfer, CURLcode code) {
    raaf_outcome_t *outcome = &transfer->stream->outcome;
    int result = raaf_transfer_result(code, outcome->connected_at != 0, transfer->curl_error);
    if (transfer->phase == RAAF_PHASE_BACKOFF) return; /* it has ended before */
    if (header_line_too_long(transfer, code)) result = RAAF_HEADERS_TOO_LARGE;
    transfer->phase = RAAF_PHASE_OVER;
    touch(transfer);
    if (transfer->delivery.ended) return;
    keep_details(transfer);
    if (is_error_status(outcome))
        end_failed(transfer, RAAF_HTTP_STATUS);
    else if (transfer->body == RAAF_BODY_JSON)
        end_json(transfer);
    else if (transfer->body == RAAF_BODY_EVENTS)
        end_answer(transfer, true);
    else if (result != RAAF_OK)
        end_failed(transfer, result);
    else
        end_failed(transfer, outcome->http_status ? RAAF_NOT_EVENT_STREAM : RAAF_CONNECTION_LOST);
}

/* When the provider has kept us waiting too long, and which timeout that is. */
static uint64_t patience(const raaf_transfer_t *transfer, int *code) {
    const raaf_request_limits_t *limits = limits_of(transfer);
    const raaf_outcome_t *outcome = &transfer->stream->outcome;
    if (transfer->paused) return RAAF_NEVER;
    if (!outcome->connected_at) {
        *code = RAAF_CONNECT_TIMEOUT;
        return after(transfer->attempt_at, limits->connect_ns);
    }
    if (!outcome->first_token_at) {
        *code = RAAF_FIRST_TOKEN_TIMEOUT;
        return after(outcome->connected_at, limits->first_token_ns);
    }
    *code = RAAF_IDLE_TIMEOUT;
    return after(transfer->last_byte_at, limits->idle_ns);
}

uint64_t raaf_transfer_deadline(const raaf_transfer_t *transfer) {
    if (transfer->phase == RAAF_PHASE_OVER) return RAAF_NEVER;
    if (transfer->phase == RAAF_PHASE_DRAINING) return transfer->drain_until;
    if (transfer->phase == RAAF_PHASE_BACKOFF) return transfer->retry_at;
    if (transfer->phase == RAAF_PHASE_QUEUED) return transfer->queue_until;
    int code = RAAF_OK;
    uint64_t at = earlier(total_deadline(transfer), patience(transfer, &code));
    if (transfer->phase == RAAF_PHASE_CONNECTING) at = earlier(at, transfer->nudge_at);
    at = earlier(at, raaf_delivery_deadline(&transfer->delivery));
    if (!transfer->paused) at = earlier(at, transfer->grace_until);
    return earlier(at, earlier(transfer->error_body_until, transfer->step_at));
}

/*
 * An answer with its finish reason is whole, whatever it still waits for; and an error status says
 * more than that its body did not come.
 */
static void time_out(raaf_transfer_t *transfer, int code) {
    if (raaf_decoder_progress(&transfer->decoder) != RAAF_PROGRESS_OPEN) {
        end_answer(transfer, false);
        drain(transfer);
        return;
    }
    raaf_transfer_abort(transfer, transfer->body == RAAF_BODY_ERROR ? RAAF_HTTP_STATUS : code);
}

/*
 * When one address of a host has failed, libcurl 7.88 notes that the next is to be tried, and waits
 * for something to happen before it does. A change of the pause state makes it look.
 */
static void nudge(raaf_transfer_t *transfer, uint64_t now) {
    transfer->nudge_at = now + NUDGE_NS;
    CURLcode code = curl_easy_pause(transfer->easy, CURLPAUSE_SEND);
    if (code == CURLE_OK) code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT);
    if (is_failure(code)) raaf_transfer_done(transfer, code);
}

/* The wait is over. The reactor takes it from here. */
static void begin_again(raaf_transfer_t *transfer) {
    if (!prepare(transfer)) {
        raaf_transfer_abort(transfer, RAAF_NO_MEMORY);
        return;
    }
    raaf_stream_new_attempt(transfer->stream);
}

/* The place may have been granted a moment ago. */
static void wait_no_longer(raaf_transfer_t *transfer) {
    raaf_stream_t *stream = transfer->stream;
    const int code = raaf_place_time_out(stream->place, stream);
    if (code == RAAF_OK)
        raaf_transfer_grant(transfer);
    else
        raaf_transfer_abort(transfer, code);
}

void raaf_transfer_expire(raaf_transfer_t *transfer, uint64_t now) {
    int code = RAAF_OK;
    touch(transfer);
    if (transfer->phase == RAAF_PHASE_QUEUED) {
        if (transfer->queue_until <= now) wait_no_longer(transfer);
        return;
    }
    if (transfer->phase == RAAF_PHASE_DRAINING) {
        if (transfer->drain_until <= now) transfer->phase = RAAF_PHASE_OVER;
        return;
    }
    if (transfer->phase == RAAF_PHASE_BACKOFF) {
        /* With the handle still there it has not been at rest, and comes again at once. */
        if (transfer->retry_at <= now && !transfer->easy) begin_again(transfer);
        return;
    }
    if (raaf_delivery_deadline(&transfer->delivery) <= now) {
        int result = raaf_delivery_due(&transfer->delivery, now);
        if (result != RAAF_OK) raaf_transfer_abort(transfer, result);
    }
    if (transfer->step_at <= now) play(transfer, now);
    if (transfer->phase == RAAF_PHASE_CONNECTING && transfer->nudge_at <= now) nudge(transfer, now);
    if (transfer->delivery.ended || attempt_over(transfer)) return;
    if (transfer->grace_until <= now && !transfer->paused) {
        time_out(transfer, RAAF_OK);
    } else if (transfer->error_body_until <= now) {
        time_out(transfer, RAAF_HTTP_STATUS);
    } else if (total_deadline(transfer) <= now) {
        time_out(transfer, RAAF_TOTAL_TIMEOUT);
    } else if (patience(transfer, &code) <= now) {
        time_out(transfer, code);
    }
}
