#include "socket_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_COUNT 64

void raaf_socket_table_init(raaf_socket_table_t *table) {
    table->sockets = NULL;
    table->count = 0;
}

/*
 * Never realloc: a fork in the middle of one would leave the child a table that is already gone.
 * The count is raised after the larger table stands, so that both are right at any moment.
 */
static bool grow(raaf_socket_table_t *table, size_t least) {
    size_t count = table->count ? table->count : FIRST_COUNT;
    while (count < least)
        count *= 2;
    raaf_socket_t *sockets = calloc(count, sizeof *sockets), *old = table->sockets;
    if (!sockets) return false;
    if (old) memcpy(sockets, old, table->count * sizeof *sockets);
    table->sockets = sockets;
    table->count = count;
    free(old);
    return true;
}

raaf_socket_t *raaf_socket_table_get(raaf_socket_table_t *table, int fd) {
    if (fd < 0) return NULL;
    if ((size_t)fd >= table->count && !grow(table, (size_t)fd + 1)) return NULL;
    return &table->sockets[fd];
}

raaf_socket_t *raaf_socket_table_find(const raaf_socket_table_t *table, int fd) {
    return fd >= 0 && (size_t)fd < table->count ? &table->sockets[fd] : NULL;
}

/* 0: it is no socket. */
static uint64_t socket_inode(int fd) {
    struct stat status;
    bool socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    return socket ? (uint64_t)status.st_ino : 0;
}

bool raaf_socket_table_opened(raaf_socket_table_t *table, int fd, uint64_t owner) {
    raaf_socket_t *entry = raaf_socket_table_get(table, fd);
    if (!entry) return false;
    entry->owner = owner;
    entry->inode = socket_inode(fd);
    entry->open = true;
    return true;
}

void raaf_socket_table_connected(raaf_socket_table_t *table, uint64_t owner) {
    for (size_t fd = 0; fd < table->count; fd++) {
        if (table->sockets[fd].owner == owner) table->sockets[fd].owner = 0;
    }
}

void raaf_socket_table_closing(raaf_socket_table_t *table, int fd) {
    raaf_socket_t *entry = raaf_socket_table_find(table, fd);
    if (entry) entry->open = false;
}

void raaf_socket_table_close_copies(const raaf_socket_table_t *table) {
    for (size_t fd = 0; fd < table->count; fd++) {
        const raaf_socket_t *entry = &table->sockets[fd];
        if (entry->open && socket_inode((int)fd) == entry->inode) close((int)fd);
    }
}

/* A fork in the middle of it leaves the child an empty table, never one that is already gone. */
void raaf_socket_table_free(raaf_socket_table_t *table) {
    raaf_socket_t *sockets = table->sockets;
    table->count = 0;
    table->sockets = NULL;
    free(sockets);
}
