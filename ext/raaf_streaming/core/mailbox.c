#include "mailbox.h"

#include "result_code.h"

int raaf_mailbox_open(raaf_mailbox_t *mailbox, bool pipe) {
    atomic_init(&mailbox->head, NULL);
    return raaf_waker_open(&mailbox->waker, pipe);
}

void raaf_mailbox_post(raaf_mailbox_t *mailbox, raaf_stream_t *stream, unsigned commands) {
    /* A stream with commands is in the stack already: its reader will see these too. */
    if (atomic_fetch_or(&stream->commands, commands) != 0) return;
    raaf_stream_retain(stream);
    raaf_stream_t *head = atomic_load(&mailbox->head);
    do {
        stream->mail_next = head;
    } while (!atomic_compare_exchange_weak(&mailbox->head, &head, stream));
    raaf_waker_wake(&mailbox->waker);
}

raaf_stream_t *raaf_mailbox_take(raaf_mailbox_t *mailbox) {
    raaf_stream_t *newest = atomic_exchange(&mailbox->head, NULL), *oldest = NULL;
    while (newest) {
        raaf_stream_t *next = newest->mail_next;
        newest->mail_next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

unsigned raaf_mailbox_commands(raaf_stream_t *stream) {
    return atomic_exchange(&stream->commands, 0);
}

void raaf_mailbox_close(raaf_mailbox_t *mailbox) {
    raaf_waker_close(&mailbox->waker);
}
