/*
 * The one way to reach the reactor from another thread.
 *
 * A lock-free stack of streams that have commands posted. The link is embedded in the stream, so
 * posting allocates nothing and takes no lock: a garbage collector may do it. The mailbox holds a
 * reference to each stream that stands in it.
 */
#ifndef RAAF_MAILBOX_H
#define RAAF_MAILBOX_H

#include "stream.h"
#include "waker.h"

#include <stdatomic.h>

typedef struct raaf_mailbox {
    _Atomic(raaf_stream_t *) head;
    raaf_waker_t waker;
} raaf_mailbox_t;

/* [pipe] asks for a pipe instead of an eventfd. Return values: RAAF_OK, RAAF_SYSTEM. */
int raaf_mailbox_open(raaf_mailbox_t *mailbox, bool pipe);

/* Posts RAAF_COMMAND_* bits for [stream] and wakes the reactor. Any thread. */
void raaf_mailbox_post(raaf_mailbox_t *mailbox, raaf_stream_t *stream, unsigned commands);

/*
 * Takes all streams that have commands, oldest first, linked by mail_next. Each comes with the
 * mailbox's reference, which is the caller's now. Read mail_next before raaf_mailbox_commands: the
 * stream may be posted again the moment its commands are read.
 */
raaf_stream_t *raaf_mailbox_take(raaf_mailbox_t *mailbox);

/* The commands of a stream that was taken; it can be posted again from now on. */
unsigned raaf_mailbox_commands(raaf_stream_t *stream);

void raaf_mailbox_close(raaf_mailbox_t *mailbox);

#endif
