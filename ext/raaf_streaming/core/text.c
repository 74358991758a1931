#include "text.h"

#include "result_code.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of the allocations; each leaves malloc room for its own header within a power of two. */
#define FIRST_ALLOCATION ((size_t)1024 - 16)
#define SECOND_BLOCK ((size_t)2048)
#define LARGEST_BLOCK ((size_t)256 << 10)
#define MALLOC_HEADER ((size_t)16)

typedef struct block {
    _Atomic(struct block *) next; /* released by the writer once [used] is final */
    size_t used;                  /* written by the writer while [next] is NULL; read only after */
    size_t capacity;
    char bytes[];
} block_t;

struct raaf_text {
    atomic_size_t references;
    atomic_size_t memory;
    block_t *first; /* lies behind this struct, in the same allocation */
    block_t *last;  /* these and below: writer only */
    size_t len;
    size_t limit;
    size_t next_size;
};

_Static_assert(_Alignof(block_t) <= _Alignof(raaf_text_t), "the first block follows the struct");
_Static_assert(sizeof(raaf_text_t) + sizeof(block_t) < FIRST_ALLOCATION, "room for first bytes");

static void block_init(block_t *block, size_t capacity) {
    atomic_init(&block->next, NULL);
    block->used = 0;
    block->capacity = capacity;
}

raaf_text_t *raaf_text_new(size_t limit) {
    raaf_text_t *text = malloc(FIRST_ALLOCATION);

    if (text == NULL) return NULL;
    atomic_init(&text->references, 1);
    atomic_init(&text->memory, FIRST_ALLOCATION);
    text->first = (block_t *)(text + 1);
    text->last = text->first;
    text->len = 0;
    text->limit = limit;
    text->next_size = SECOND_BLOCK;
    block_init(text->first, FIRST_ALLOCATION - sizeof(raaf_text_t) - sizeof(block_t));
    return text;
}

void raaf_text_retain(raaf_text_t *text) {
    atomic_fetch_add_explicit(&text->references, 1, memory_order_relaxed);
}

static void text_free(raaf_text_t *text) {
    block_t *block = atomic_load_explicit(&text->first->next, memory_order_relaxed);

    while (block != NULL) {
        block_t *next = atomic_load_explicit(&block->next, memory_order_relaxed);
        free(block);
        block = next;
    }
    free(text);
}

void raaf_text_release(raaf_text_t *text) {
    if (text == NULL) return;
    if (atomic_fetch_sub_explicit(&text->references, 1, memory_order_acq_rel) == 1) {
        text_free(text);
    }
}

/* A block that the limit can never fill would be memory for nothing. */
static size_t block_capacity(const raaf_text_t *text, size_t len) {
    const size_t usual = text->next_size - sizeof(block_t) - MALLOC_HEADER;
    const size_t rest = text->limit - text->len;
    const size_t wanted = usual < rest ? usual : rest;

    return len > wanted ? len : wanted;
}

static int add_block(raaf_text_t *text, size_t len) {
    const size_t capacity = block_capacity(text, len);
    block_t *block;

    if (capacity > SIZE_MAX - sizeof(block_t)) return RAAF_NO_MEMORY;
    block = malloc(sizeof(block_t) + capacity);
    if (block == NULL) return RAAF_NO_MEMORY;
    block_init(block, capacity);
    if (text->next_size < LARGEST_BLOCK) text->next_size *= 2;
    atomic_fetch_add_explicit(&text->memory, sizeof(block_t) + capacity, memory_order_relaxed);
    atomic_store_explicit(&text->last->next, block, memory_order_release);
    text->last = block;
    return RAAF_OK;
}

int raaf_text_append(raaf_text_t *text, const char *bytes, size_t len, const char **stored) {
    block_t *block = text->last;

    if (len > text->limit - text->len) return RAAF_TEXT_TOO_LARGE;
    if (len > block->capacity - block->used) {
        const int code = add_block(text, len);
        if (code != RAAF_OK) return code;
        block = text->last;
    }
    *stored = block->bytes + block->used;
    if (len > 0) memcpy(block->bytes + block->used, bytes, len);
    block->used += len;
    text->len += len;
    return RAAF_OK;
}

size_t raaf_text_len(const raaf_text_t *text) {
    return text->len;
}

/*
 * [used] of a block is read only where a next block was seen: without one, the writer may be at
 * work on it, but then all that the reader was told of lies in this block.
 */
void raaf_text_copy(const raaf_text_t *text, char *to, size_t len) {
    const block_t *block = text->first;

    while (len > 0) {
        const block_t *next = atomic_load_explicit(&block->next, memory_order_acquire);
        const size_t part = next != NULL && block->used < len ? block->used : len;

        memcpy(to, block->bytes, part);
        to += part;
        len -= part;
        block = next;
    }
}

size_t raaf_text_memory(const raaf_text_t *text) {
    return atomic_load_explicit(&text->memory, memory_order_relaxed);
}
