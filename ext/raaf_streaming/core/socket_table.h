/*
 * The sockets of a reactor, by descriptor number.
 *
 * It answers two questions. Is an epoll event that was fetched a moment ago still about the socket
 * it was fetched for, or has the number been given to another one since (generation)? And which
 * descriptors does a forked child have to close (open)? Written by the reactor thread only; a child
 * reads the copy that the fork made.
 *
 * libcurl 7.88 to 8.2.0 closes a socket that never connected without a word. So a number can be
 * another file's while it still stands here as open and watched; the inode tells them apart.
 */
#ifndef RAAF_SOCKET_TABLE_H
#define RAAF_SOCKET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct raaf_socket {
    uint64_t owner;      /* id of the stream it is connecting for; 0: none, it has connected */
    uint64_t inode;      /* which socket it is */
    uint32_t generation; /* counts the times libcurl began to watch this number */
    int what;            /* CURL_POLL_*: what libcurl watches it for */
    bool open;
    bool watched; /* in the epoll set, as libcurl has it */
} raaf_socket_t;

typedef struct raaf_socket_table {
    raaf_socket_t *volatile sockets; /* always a whole table: grown by copying */
    volatile size_t count;
} raaf_socket_table_t;

void raaf_socket_table_init(raaf_socket_table_t *table);

/* The entry of [fd], made if it is new. NULL: out of memory, or fd is negative. */
raaf_socket_t *raaf_socket_table_get(raaf_socket_table_t *table, int fd);

/* The entry of [fd] if there is one, else NULL. */
raaf_socket_t *raaf_socket_table_find(const raaf_socket_table_t *table, int fd);

/* Notes the new socket [fd], opened for stream [owner]. Returns false when out of memory. */
bool raaf_socket_table_opened(raaf_socket_table_t *table, int fd, uint64_t owner);

/* A socket of stream [owner] has connected; any others it had are given up. None is its own now. */
void raaf_socket_table_connected(raaf_socket_table_t *table, uint64_t owner);

/* [fd] is going to be closed. To be called before its number is free for another thread to get. */
void raaf_socket_table_closing(raaf_socket_table_t *table, int fd);

/* In a forked child: closes the child's copies of all open sockets. Nothing is sent. */
void raaf_socket_table_close_copies(const raaf_socket_table_t *table);

void raaf_socket_table_free(raaf_socket_table_t *table);

#endif
