/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc() and its family, on lib/rt/heap.h, in place of the C library's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/rt/heap.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

static void *more(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static void give_back(void *pages, size_t bytes)
{
    munmap(pages, bytes);
}

static void corrupt(const void *block)
{
    panic("the heap is damaged at %p", block);
}

static struct heap heap = {
    .more = more, .give_back = give_back, .corrupt = corrupt, .piece = 65536};

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

#ifdef UNDO
undo_unlogged static bool peek(const void *at, void *to, size_t bytes)
{
    return undo_again(KERNEL_COPY_FROM, service_info()->self, (long)at, (long)to, (long)bytes) == 0;
}

/* (Blocks that are in use are their owners' business.) */
undo_unlogged unsigned undo_audit(const char **what)
{
    *what = "the heap";
    return heap_audit(&heap, peek);
}
#endif
