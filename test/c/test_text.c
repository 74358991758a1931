#include "check.h"
#include "failing_malloc.h"
#include "random_numbers.h"
#include "text.c"

#include <pthread.h>

#define MIB ((size_t)1 << 20)

/* The byte that belongs at [place], so that any copy can be checked without a second one. */
static char byte_at(size_t place) {
    return (char)(place * 31 + place / 251);
}

static void fill(char *to, size_t place, size_t len) {
    for (size_t i = 0; i < len; i++) {
        to[i] = byte_at(place + i);
    }
}

static bool is_right(const char *bytes, size_t place, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != byte_at(place + i)) return false;
    }
    return true;
}

/* Appends the [len] bytes that come next. */
static const char *append_next(raaf_text_t *text, char *space, size_t len) {
    const size_t place = raaf_text_len(text);
    const char *stored = NULL;

    fill(space, place, len);
    if (!CHECK_EQ_INT(raaf_text_append(text, space, len, &stored), RAAF_OK)) return NULL;
    CHECK_EQ_UINT(raaf_text_len(text), place + len);
    CHECK(is_right(stored, place, len));
    return stored;
}

TEST(text_begins_empty_and_small) {
    raaf_text_t *text = raaf_text_new(100);

    CHECK_EQ_UINT(raaf_text_len(text), 0);
    CHECK(raaf_text_memory(text) <= 1024);
    raaf_text_copy(text, NULL, 0);
    raaf_text_release(text);
    raaf_text_release(NULL);
}

TEST(text_gives_back_what_was_appended) {
    raaf_text_t *text = raaf_text_new(100);
    const char *first, *second, *empty;
    char copy[12];

    CHECK_EQ_INT(raaf_text_append(text, "Hello ", 6, &first), RAAF_OK);
    CHECK_EQ_INT(raaf_text_append(text, NULL, 0, &empty), RAAF_OK);
    CHECK_EQ_INT(raaf_text_append(text, "world", 5, &second), RAAF_OK);
    CHECK_EQ_STR(first, 6, "Hello ");
    CHECK_EQ_STR(second, 5, "world");
    CHECK(empty != NULL);
    raaf_text_copy(text, copy, 11);
    CHECK_EQ_STR(copy, 11, "Hello world");
    raaf_text_copy(text, copy, 7);
    CHECK_EQ_STR(copy, 7, "Hello w");
    raaf_text_release(text);
}

TEST(text_takes_any_sizes_and_copies_any_prefix) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    char *space = malloc(4 * MIB);
    uint64_t random = 7;

    for (int i = 0; i < 400 && raaf_text_len(text) < 3 * MIB; i++) {
        const size_t largest = (size_t)1 << random_below(&random, 20);
        append_next(text, space, random_below(&random, largest));
        const size_t len = random_below(&random, raaf_text_len(text) + 1);
        raaf_text_copy(text, space, len);
        if (!CHECK(is_right(space, 0, len))) break;
    }
    free(space);
    raaf_text_release(text);
}

TEST(text_copies_every_prefix_over_the_ends_of_blocks) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    char space[5000];

    while (raaf_text_len(text) < 4900) {
        append_next(text, space, 7);
    }
    for (size_t len = 0; len <= raaf_text_len(text); len++) {
        memset(space, '?', sizeof space);
        raaf_text_copy(text, space, len);
        if (!CHECK(is_right(space, 0, len))) break;
        if (!CHECK_EQ_INT(space[len], '?')) break;
    }
    raaf_text_release(text);
}

TEST(text_never_moves_a_piece) {
    enum { PIECES = 3000 };
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    static const char *stored[PIECES];
    char space[300];
    size_t place = 0;

    for (size_t i = 0; i < PIECES; i++) {
        stored[i] = append_next(text, space, i % 300);
    }
    for (size_t i = 0; i < PIECES; i++) {
        if (!CHECK(is_right(stored[i], place, i % 300))) break;
        place += i % 300;
    }
    raaf_text_release(text);
}

TEST(text_refuses_what_passes_its_limit_and_stays_as_it_was) {
    raaf_text_t *text = raaf_text_new(5000);
    char space[5001];
    const char *stored;

    append_next(text, space, 4000);
    CHECK_EQ_INT(raaf_text_append(text, space, 1001, &stored), RAAF_TEXT_TOO_LARGE);
    CHECK_EQ_INT(raaf_text_append(text, space, SIZE_MAX, &stored), RAAF_TEXT_TOO_LARGE);
    CHECK_EQ_UINT(raaf_text_len(text), 4000);
    append_next(text, space, 1000);
    CHECK_EQ_INT(raaf_text_append(text, space, 1, &stored), RAAF_TEXT_TOO_LARGE);
    CHECK_EQ_INT(raaf_text_append(text, space, 0, &stored), RAAF_OK);
    raaf_text_copy(text, space, 5000);
    CHECK(is_right(space, 0, 5000));
    raaf_text_release(text);
}

TEST(text_with_a_limit_of_nothing_takes_nothing) {
    raaf_text_t *text = raaf_text_new(0);
    const char *stored;

    CHECK_EQ_INT(raaf_text_append(text, "", 0, &stored), RAAF_OK);
    CHECK_EQ_INT(raaf_text_append(text, "a", 1, &stored), RAAF_TEXT_TOO_LARGE);
    raaf_text_release(text);
}

TEST(text_stays_as_it_was_without_memory) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    char space[3000];
    const char *stored;

    append_next(text, space, 900);
    memory_runs_out_after(0);
    CHECK_EQ_INT(raaf_text_append(text, space, 3000, &stored), RAAF_NO_MEMORY);
    append_next(text, space, 2);
    memory_is_back();
    append_next(text, space, 3000);
    raaf_text_copy(text, space, 3000);
    CHECK(is_right(space, 0, 3000));
    raaf_text_release(text);

    memory_runs_out_after(0);
    CHECK_EQ_PTR(raaf_text_new(1), NULL);
    memory_is_back();
}

TEST(text_takes_no_piece_larger_than_any_memory) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    const char *stored;

    CHECK_EQ_INT(raaf_text_append(text, "a", SIZE_MAX, &stored), RAAF_NO_MEMORY);
    CHECK_EQ_INT(raaf_text_append(text, "a", SIZE_MAX - 1000, &stored), RAAF_NO_MEMORY);
    CHECK_EQ_UINT(raaf_text_len(text), 0);
    raaf_text_release(text);
}

TEST(text_needs_few_blocks_and_little_more_memory_than_text) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    const long before = memory_calls();
    char space[4];

    for (size_t i = 0; i < 10 * MIB / 4; i++) {
        append_next(text, space, 4);
    }
    CHECK(memory_calls() - before < 8 + 2 * 40);
    CHECK(raaf_text_memory(text) < 11 * MIB);
    raaf_text_release(text);
}

TEST(text_wastes_at_most_as_much_as_it_holds) {
    raaf_text_t *text = raaf_text_new(SIZE_MAX);
    char *space = malloc(MIB);

    for (int i = 0; i < 60; i++) {
        append_next(text, space, (size_t)140 << 10);
        append_next(text, space, (size_t)300 << 10);
        append_next(text, space, 1);
    }
    CHECK(raaf_text_memory(text) < 2 * raaf_text_len(text) + MIB);
    free(space);
    raaf_text_release(text);
}

TEST(text_takes_no_block_that_its_limit_can_never_fill) {
    raaf_text_t *text = raaf_text_new(1100);
    char space[1100];

    append_next(text, space, 900);
    append_next(text, space, 200);
    CHECK(raaf_text_memory(text) < 1500);
    raaf_text_release(text);
}

/* The writer tells lengths under a mutex, as a stream's queue does. */
typedef struct shared {
    pthread_mutex_t mutex;
    raaf_text_t *text;
    size_t told;
    bool over;
} shared_t;

static void *write_all(void *context) {
    shared_t *shared = context;
    uint64_t random = 99;
    char space[2000];

    while (raaf_text_len(shared->text) < 2 * MIB) {
        const size_t len = random_below(&random, random_below(&random, 50) == 0 ? 2000 : 40);
        append_next(shared->text, space, len);
        pthread_mutex_lock(&shared->mutex);
        shared->told = raaf_text_len(shared->text);
        pthread_mutex_unlock(&shared->mutex);
    }
    pthread_mutex_lock(&shared->mutex);
    shared->over = true;
    pthread_mutex_unlock(&shared->mutex);
    raaf_text_release(shared->text);
    return NULL;
}

static void *read_all(void *context) {
    shared_t *shared = context;
    char *space = malloc(3 * MIB);
    bool over = false;

    while (!over) {
        size_t len;
        pthread_mutex_lock(&shared->mutex);
        len = shared->told;
        over = shared->over;
        pthread_mutex_unlock(&shared->mutex);
        raaf_text_retain(shared->text);
        raaf_text_copy(shared->text, space, len);
        if (!CHECK(is_right(space, 0, len))) break;
        CHECK(raaf_text_memory(shared->text) >= len);
        raaf_text_release(shared->text);
    }
    free(space);
    raaf_text_release(shared->text);
    return NULL;
}

TEST(text_can_be_read_while_it_is_written_and_goes_with_the_last_reference) {
    enum { READERS = 2 };
    shared_t shared = {.mutex = PTHREAD_MUTEX_INITIALIZER, .text = raaf_text_new(SIZE_MAX)};
    pthread_t writer, readers[READERS];

    for (int i = 0; i < READERS; i++) {
        raaf_text_retain(shared.text);
        pthread_create(&readers[i], NULL, read_all, &shared);
    }
    pthread_create(&writer, NULL, write_all, &shared);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    pthread_join(writer, NULL);
}

/* Told one length only, so that no lock orders the blocks that are added meanwhile. */
static void *read_beginning(void *context) {
    const shared_t *shared = context;
    char space[100];
    bool more;

    do {
        more = raaf_text_memory(shared->text) < MIB / 4;
        memset(space, '?', sizeof space);
        raaf_text_copy(shared->text, space, sizeof space);
    } while (CHECK(is_right(space, 0, sizeof space)) && more);
    return NULL;
}

TEST(text_can_be_read_while_blocks_are_added_that_the_reader_was_not_told_of) {
    shared_t shared = {.text = raaf_text_new(SIZE_MAX)};
    pthread_t reader;
    char space[100];

    append_next(shared.text, space, sizeof space);
    pthread_create(&reader, NULL, read_beginning, &shared);
    while (raaf_text_len(shared.text) < MIB) {
        append_next(shared.text, space, sizeof space);
    }
    pthread_join(reader, NULL);
    raaf_text_release(shared.text);
}
