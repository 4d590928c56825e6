/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/heap.h"

#include "lib/undo/undo.h"

enum { PAGE = 4096, SMALLEST = 16 };
#define IN_USE 0x5a17u
#define UNUSED 0xf4eeu
#define BIG 0xffu /* instead of a class */
#define HEAP_LIST_MAX 200000u /* blocks; a longer list is a circle */
#define HEAP_PIECE_MAX (1u << 24) /* bytes */

struct heap_block { /* before what the caller gets */
    uint64_t size; /* of a big one: of the mapping */
    uint32_t class, mark;
    struct heap_block *next; /* unused: here begin the caller's bytes */
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
        *b = (struct heap_block){.class = class, .mark = UNUSED, .next = h->unused[class]};
        h->unused[class] = b;
        h->at += HEADER + class_size(class);
    }
}

static struct heap_block *cut(struct heap *h, unsigned class)
{
    size_t need = HEADER + class_size(class);
    struct heap_block *b;

    if ((size_t)(h->end - h->at) < need) {
        size_t all = need + sizeof(struct heap_piece);
        size_t size = all > h->piece ? (all + PAGE - 1) & ~(size_t)(PAGE - 1) : h->piece;
        uint8_t *piece = h->more(size);

        if (!piece)
            return NULL;
        retire_piece(h);
        *(struct heap_piece *)(void *)piece = (struct heap_piece){h->pieces, size};
        h->pieces = (struct heap_piece *)(void *)piece;
        h->at = piece + sizeof(struct heap_piece);
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
    b = h->unused[class];
    if (b) {
        if (b->mark != UNUSED || b->class != class)
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
    b->next = h->unused[b->class];
    h->unused[b->class] = b;
}

size_t heap_room(struct heap *h, const void *block)
{
    const struct heap_block *b = block_of(h, block);

    return b->class == BIG ? b->size - HEADER : class_size(b->class);
}

/* (Nothing of an audit is logged: it is between two tries of a step.) */
undo_unlogged static bool is_good(const struct heap_block *b, unsigned class,
                                  bool (*peek)(const void *, void *, size_t))
{
    struct heap_block there;

    return (uintptr_t)b % SMALLEST == 0 && peek(b, &there, sizeof there) && there.mark == UNUSED &&
           there.class == class;
}

undo_unlogged bool heap_has(uint64_t block, bool (*peek)(const void *, void *, size_t))
{
    struct heap_block there;

    return block % SMALLEST == 0 && peek((const void *)(block - HEADER), &there, HEADER) &&
           there.mark == IN_USE && (there.class < HEAP_CLASSES || there.class == BIG);
}

undo_unlogged static bool mend_list(struct heap *h, unsigned class,
                                    bool (*peek)(const void *, void *, size_t))
{
    struct heap_block **link = &h->unused[class];

    for (unsigned n = 0; *link; n++, link = &(*link)->next)
        if (n == HEAP_LIST_MAX || !is_good(*link, class, peek)) {
            *link = NULL;
            return true;
        }
    return false;
}

undo_unlogged unsigned heap_audit(struct heap *h, bool (*peek)(const void *, void *, size_t))
{
    unsigned mended = 0;
    char byte;

    for (unsigned class = 0; class < HEAP_CLASSES; class ++)
        mended += mend_list(h, class, peek);
    if (h->at &&
        (h->at > h->end || (uintptr_t)h->end % PAGE || (size_t)(h->end - h->at) > HEAP_PIECE_MAX ||
         (h->at < h->end && (!peek(h->at, &byte, 1) || !peek(h->end - 1, &byte, 1))))) {
        h->at = h->end = NULL;
        mended++;
    }
    return mended;
}
