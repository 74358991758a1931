#include "check.h"
#include "failing_malloc.h"
#include "socket_table.c"

#include <fcntl.h>
#include <sys/socket.h>

TEST(table_is_empty_at_first) {
    raaf_socket_table_t table;

    raaf_socket_table_init(&table);
    CHECK_EQ_PTR(raaf_socket_table_find(&table, 0), NULL);
    CHECK_EQ_PTR(raaf_socket_table_find(&table, -1), NULL);
    CHECK_EQ_PTR(raaf_socket_table_get(&table, -1), NULL);
    raaf_socket_table_close_copies(&table);
    raaf_socket_table_free(&table);
}

TEST(table_grows_to_any_number_and_keeps_what_it_has) {
    raaf_socket_table_t table;

    raaf_socket_table_init(&table);
    for (int fd = 0; fd < 5000; fd += 7) {
        raaf_socket_t *entry = raaf_socket_table_get(&table, fd);
        if (!CHECK(entry != NULL)) break;
        CHECK(!entry->open && !entry->watched);
        CHECK_EQ_UINT(entry->generation, 0);
        entry->generation = (uint32_t)fd;
        entry->watched = true;
    }
    for (int fd = 0; fd < 5000; fd++) {
        const raaf_socket_t *entry = raaf_socket_table_find(&table, fd);
        if (!CHECK(entry != NULL)) break;
        CHECK_EQ_UINT(entry->generation, fd % 7 ? 0 : fd);
        CHECK_EQ_INT(entry->watched, fd % 7 == 0);
    }
    CHECK_EQ_PTR(raaf_socket_table_find(&table, 1 << 20), NULL);
    raaf_socket_table_free(&table);
    CHECK_EQ_PTR(raaf_socket_table_find(&table, 0), NULL);
}

TEST(table_knows_for_whom_sockets_are_connecting) {
    raaf_socket_table_t table;

    raaf_socket_table_init(&table);
    CHECK(raaf_socket_table_opened(&table, 3, 7));
    CHECK(raaf_socket_table_opened(&table, 4, 8));
    CHECK(raaf_socket_table_opened(&table, 5, 7));
    raaf_socket_table_connected(&table, 7);
    CHECK_EQ_UINT(raaf_socket_table_find(&table, 3)->owner, 0);
    CHECK_EQ_UINT(raaf_socket_table_find(&table, 4)->owner, 8);
    CHECK_EQ_UINT(raaf_socket_table_find(&table, 5)->owner, 0);
    CHECK(raaf_socket_table_opened(&table, 3, 7)); /* another one */
    CHECK_EQ_UINT(raaf_socket_table_find(&table, 3)->owner, 7);
    raaf_socket_table_free(&table);
}

TEST(table_stays_whole_without_memory) {
    raaf_socket_table_t table;

    raaf_socket_table_init(&table);
    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_socket_table_get(&table, 3), NULL);
    memory_is_back();
    CHECK_EQ_UINT(table.count, 0);
    raaf_socket_table_get(&table, 3)->generation = 7;
    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_socket_table_get(&table, 100000), NULL);
    CHECK(!raaf_socket_table_opened(&table, 100000, 1));
    CHECK_EQ_UINT(raaf_socket_table_get(&table, 3)->generation, 7);
    memory_is_back();
    raaf_socket_table_free(&table);
}

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) >= 0;
}

static int socket_new(void) {
    return socket(AF_INET, SOCK_STREAM, 0);
}

TEST(table_closes_the_open_ones_only) {
    raaf_socket_table_t table;
    int watched = socket_new(), open = socket_new(), closed = socket_new();

    raaf_socket_table_init(&table);
    raaf_socket_table_get(&table, watched)->watched = true;
    CHECK(raaf_socket_table_opened(&table, open, 1));
    CHECK(raaf_socket_table_opened(&table, closed, 2));
    CHECK_EQ_UINT(raaf_socket_table_find(&table, closed)->owner, 2);
    raaf_socket_table_closing(&table, closed);
    raaf_socket_table_closing(&table, 100000);
    raaf_socket_table_close_copies(&table);
    CHECK(is_open(watched));
    CHECK(!is_open(open));
    CHECK(is_open(closed));
    close(watched);
    close(closed);
    raaf_socket_table_free(&table);
}

/* Closed without a word, and the number given to somebody else. */
TEST(table_does_not_close_what_has_only_the_number) {
    raaf_socket_table_t table;
    int first = socket_new(), second = socket_new(), third = socket_new();
    int other = socket_new(), file = open("/dev/null", O_RDONLY);

    raaf_socket_table_init(&table);
    raaf_socket_table_opened(&table, first, 1);
    raaf_socket_table_opened(&table, second, 1);
    raaf_socket_table_opened(&table, third, 1);
    dup2(other, first);
    dup2(file, second);
    close(third);
    raaf_socket_table_close_copies(&table);
    CHECK(is_open(first));
    CHECK(is_open(second));
    close(first);
    close(second);
    close(other);
    close(file);
    raaf_socket_table_free(&table);
}

/* What a forked child could see in the middle of a free() is the table before or an empty one. */
TEST(table_can_be_freed_twice) {
    raaf_socket_table_t table;

    raaf_socket_table_init(&table);
    raaf_socket_table_get(&table, 3)->open = true;
    raaf_socket_table_free(&table);
    raaf_socket_table_close_copies(&table);
    raaf_socket_table_free(&table);
}
