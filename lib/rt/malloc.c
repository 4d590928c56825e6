/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc() and its family, on lib/rt/heap.h, in place of the C library's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/rt/heap.h"
#include "lib/rt/log.h"
#include "lib/undo/undo.h"

static void *take_pages(void *at, size_t bytes)
{
    void *pages = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static void *more(size_t bytes)
{
    return take_pages(NULL, bytes);
}

/* Of a service that keeps its memory one behind the other, where they have a mirror: beyond its end without. */
static void *more_piece(size_t bytes)
{
#ifdef UNDO
    uint8_t *piece = take_pages((void *)undo_heap_end, bytes);

    if (piece == (uint8_t *)undo_heap_end && undo_heap_end + bytes <= UNDO_MIRRORED)
        undo_heap_end += bytes;
    return piece;
#else
    return more(bytes);
#endif
}

static void give_back(void *pages, size_t bytes)
{
    munmap(pages, bytes);
}

static void corrupt(const void *block)
{
    panic("the heap is damaged at %p", block);
}

static struct heap heap = {.more = more,
                           .more_piece = more_piece,
                           .give_back = give_back,
                           .corrupt = corrupt,
                           .piece = 65536};

void *malloc(size_t bytes)
{
    void *block = heap_take(&heap, bytes);

    if (!block)
        errno = ENOMEM;
    return block;
}

void free(void *block)
{
    if (block)
        heap_give(&heap, block);
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    void *block = __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes);

    return block ? memset(block, 0, bytes) : NULL;
}

void *realloc(void *block, size_t bytes)
{
    size_t room = block ? heap_room(&heap, block) : 0;
    void *other;

    if (block && bytes <= room && (room <= 256 || bytes > room / 4))
        return block;
    other = malloc(bytes);
    if (!other)
        return NULL;
    if (block) {
        memcpy(other, block, room < bytes ? room : bytes);
        free(block);
    }
    return other;
}
