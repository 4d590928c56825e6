/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's memory for what varies in size, pbufs with data above all: a free list per size class,
 * refilled from chunks of malloc(). Taking and giving are a few instructions; a block returns to
 * its class and never further, so there is no fragmentation between classes and the sum has a
 * bound.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lwipopts.h"

#define CHUNK (64u * 1024)
#define LIMIT (48u * 1024 * 1024) /* all chunks and large blocks together */
#define HEADER 16u                /* before each block: keeps it aligned */

struct block {
    uint32_t class_index, bytes;
    struct block *next; /* while free */
};
_Static_assert(sizeof(struct block) == HEADER, "blocks are aligned to 16 bytes");

/* With the header. 1760: a whole frame and lwIP's own struct. The last: larger ones go to malloc().
 */
static const uint32_t class_bytes[] = {64, 128, 256, 512, 1024, 1760, 2304, 4352, 8448, 16640};
#define CLASSES (sizeof class_bytes / sizeof *class_bytes)

static struct block *free_blocks[CLASSES];
static size_t taken_from_below;

static struct block *refill(uint32_t class_index)
{
    uint32_t bytes = class_bytes[class_index];
    uint8_t *chunk;

    if (taken_from_below + CHUNK > LIMIT || !(chunk = malloc(CHUNK)))
        return NULL;
    taken_from_below += CHUNK;
    for (uint32_t at = 0; at + bytes <= CHUNK; at += bytes) {
        struct block *b = (struct block *)(void *)(chunk + at);

        *b = (struct block){class_index, bytes, free_blocks[class_index]};
        free_blocks[class_index] = b;
    }
    return free_blocks[class_index];
}

static void *take_large(size_t bytes)
{
    struct block *b;

    if (bytes > LIMIT || taken_from_below + bytes > LIMIT || !(b = malloc(bytes)))
        return NULL;
    taken_from_below += bytes;
    *b = (struct block){CLASSES, (uint32_t)bytes, NULL};
    return b + 1;
}

void *memory_take(size_t bytes)
{
    uint32_t class_index = 0;
    struct block *b;

    if (bytes > LIMIT)
        return NULL;
    bytes += HEADER;
    while (class_index < CLASSES && class_bytes[class_index] < bytes)
        class_index++;
    if (class_index == CLASSES)
        return take_large(bytes);
    b = free_blocks[class_index];
    if (!b && !(b = refill(class_index)))
        return NULL;
    free_blocks[class_index] = b->next;
    return b + 1;
}

void *memory_take_zeroed(size_t count, size_t bytes)
{
    size_t all;
    void *block;

    if (__builtin_mul_overflow(count, bytes, &all) || !(block = memory_take(all)))
        return NULL;
    return memset(block, 0, all);
}

void memory_give(void *block)
{
    struct block *b;

    if (!block)
        return;
    b = (struct block *)block - 1;
    if (b->class_index == CLASSES) {
        taken_from_below -= b->bytes;
        free(b);
        return;
    }
    b->next = free_blocks[b->class_index];
    free_blocks[b->class_index] = b;
}
