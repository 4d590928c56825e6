/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/heap.h"

#include "lib/undo/undo.h"

enum { PAGE = 4096, SMALLEST = 16 };
#define IN_USE 0x5a17u
#define UNUSED 0xf4eeu
#define BIG 0xffu /* instead of a class */

struct heap_block { /* before what the caller gets */
    uint64_t size; /* of a big one: of the mapping */
    uint32_t class, mark;
    struct heap_block *next; /* unused: here begin the caller's bytes */
    uintptr_t check; /* unused: of `next`, which would be believed at the next taking only */
};
#define HEADER offsetof(struct heap_block, next)

/* 16 32 48 64, 80 96 112 128, 160 192 224 256, ... */
static size_t class_size(unsigned class)
{
    unsigned doubling = class / 4;

    return doubling == 0 ? (class + 1) * SMALLEST
                         : ((size_t)SMALLEST << (doubling - 1)) * (5 + class % 4);
}

static unsigned class_of(size_t bytes)
{
    unsigned doubling;

    if (bytes <= 4 * SMALLEST)
        return bytes ? (unsigned)((bytes - 1) / SMALLEST) : 0;
    doubling = 63 - (unsigned)__builtin_clzll(bytes - 1) - 5; /* 65..128: 1 */
    return doubling * 4 + (unsigned)((bytes - 1) >> (doubling + 3)) - 4;
}

static void *take_big(struct heap *h, size_t bytes)
{
    size_t size = (bytes + HEADER + PAGE - 1) & ~(size_t)(PAGE - 1);
    struct heap_block *b = bytes < PTRDIFF_MAX - PAGE ? h->more(size) : NULL;

    if (!b)
        return NULL;
    b->size = size;
    b->class = BIG;
    b->mark = IN_USE;
    return (char *)b + HEADER;
}

/* Where its lists begin is right, and what a block is: else what has flipped would be stored elsewhere, too. */
static void put(struct heap *h, struct heap_block *b)
{
    undo_verify_word(&h->unused[b->class]);
    b->next = h->unused[b->class];
    b->check = ~(uintptr_t)b->next;
    h->unused[b->class] = b;
}

/* The rest of the old piece is cut into blocks of classes that fit. */
static void retire_piece(struct heap *h)
{
    while ((size_t)(h->end - h->at) >= HEADER + SMALLEST) {
        struct heap_block *b = (struct heap_block *)h->at;
        size_t room = (size_t)(h->end - h->at) - HEADER;
        unsigned class = class_of(room);

        if (class >= HEAP_CLASSES)
            class = HEAP_CLASSES - 1;
        while (class_size(class) > room)
            class --;
        *b = (struct heap_block){.class = class, .mark = UNUSED};
        put(h, b);
        h->at += HEADER + class_size(class);
    }
}

static struct heap_block *cut(struct heap *h, unsigned class)
{
    size_t need = HEADER + class_size(class);
    struct heap_block *b;

    undo_verify_word(&h->at);
    undo_verify_word(&h->end);
    if ((size_t)(h->end - h->at) < need) {
        size_t size = need > h->piece ? (need + PAGE - 1) & ~(size_t)(PAGE - 1) : h->piece;
        uint8_t *piece = h->more_piece(size);

        if (!piece)
            return NULL;
        retire_piece(h);
        h->at = piece;
        h->end = piece + size;
    }
    b = (struct heap_block *)h->at;
    h->at += need;
    b->class = class;
    return b;
}

void *heap_take(struct heap *h, size_t bytes)
{
    unsigned class;
    struct heap_block *b;

    if (bytes > HEAP_SMALL_MAX)
        return take_big(h, bytes);
    class = class_of(bytes);
    undo_verify_word(&h->unused[class]);
    b = h->unused[class];
    if (b) {
        if (b->mark != UNUSED || b->class != class || b->check != ~(uintptr_t)b->next)
            h->corrupt(b);
        h->unused[class] = b->next;
    } else {
        b = cut(h, class);
        if (!b)
            return NULL;
    }
    b->mark = IN_USE;
    return (char *)b + HEADER;
}

static struct heap_block *block_of(struct heap *h, const void *block)
{
    struct heap_block *b = (struct heap_block *)((uintptr_t)block - HEADER);

    undo_verify_word(&b->class);
    if (b->mark != IN_USE || (b->class >= HEAP_CLASSES && b->class != BIG))
        h->corrupt(block);
    return b;
}

void heap_give(struct heap *h, void *block)
{
    struct heap_block *b = block_of(h, block);

    b->mark = UNUSED;
    if (b->class == BIG) {
        h->give_back(b, b->size);
        return;
    }
    put(h, b);
}

size_t heap_room(struct heap *h, const void *block)
{
    const struct heap_block *b = block_of(h, block);

    return b->class == BIG ? b->size - HEADER : class_size(b->class);
}
