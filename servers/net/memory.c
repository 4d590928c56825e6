/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's memory for what varies in size, pbufs with data above all: a free list per size class,
 * refilled from chunks of malloc(). Taking and giving are a few instructions; a block returns to
 * its class and never further, so there is no fragmentation between classes. Each class has its
 * own bound: programs that fill queues with one kind of packet leave memory for the others.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lwipopts.h"
#include "servers/net/net.h"

/* In the tests on the host: what is not lent, and what is behind it, must not be touched. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at))
#endif

#define CHUNK (64u * 1024)
#define LIMIT (48u * 1024 * 1024) /* all chunks and large blocks together: large ones have 7 MB */
#define HEADER 16u /* before each block: keeps it aligned */

struct block {
    uint32_t class_index, bytes;
    struct block *next; /* while free */
};
_Static_assert(sizeof(struct block) == HEADER, "blocks are aligned to 16 bytes");

/* Bytes with the header, chunks at most. 1760: a whole frame and lwIP's own struct. Larger ones
 * than the last go to malloc(). */
static const struct {
    uint32_t bytes, chunks;
} classes[] = {{64, 16},    {128, 32},  {256, 32},  {512, 32},  {1024, 32},
               {1760, 384}, {2304, 32}, {4352, 32}, {8448, 32}, {16640, 32}};
#define CLASSES (sizeof classes / sizeof *classes)

static struct block *free_blocks[CLASSES];
static uint32_t chunks_taken[CLASSES], blocks_used[CLASSES];
static unsigned short_classes; /* that have more than three quarters of what they may have in use */
static size_t taken_from_below;

static uint32_t most_blocks(uint32_t class_index)
{
    return CHUNK / classes[class_index].bytes * classes[class_index].chunks / 4 * 3;
}

bool memory_short(void)
{
    return short_classes != 0;
}

static struct block *refill(uint32_t class_index)
{
    uint32_t bytes = classes[class_index].bytes;
    uint8_t *chunk;

    if (chunks_taken[class_index] == classes[class_index].chunks ||
        taken_from_below + CHUNK > LIMIT || !(chunk = malloc(CHUNK)))
        return NULL;
    chunks_taken[class_index]++;
    taken_from_below += CHUNK;
    for (uint32_t at = 0; at + bytes <= CHUNK; at += bytes) {
        struct block *b = (struct block *)(void *)(chunk + at);

        *b = (struct block){class_index, bytes, free_blocks[class_index]};
        ASAN_POISON_MEMORY_REGION(b + 1, bytes - HEADER);
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
    while (class_index < CLASSES && classes[class_index].bytes < bytes)
        class_index++;
    if (class_index == CLASSES)
        return take_large(bytes);
    b = free_blocks[class_index];
    if (!b && !(b = refill(class_index)))
        return NULL;
    free_blocks[class_index] = b->next;
    ASAN_UNPOISON_MEMORY_REGION(b + 1, bytes - HEADER);
    if (blocks_used[class_index]++ == most_blocks(class_index))
        short_classes++;
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
    ASAN_POISON_MEMORY_REGION(b + 1, b->bytes - HEADER);
    b->next = free_blocks[b->class_index];
    free_blocks[b->class_index] = b;
    if (--blocks_used[b->class_index] == most_blocks(b->class_index))
        short_classes--;
}
