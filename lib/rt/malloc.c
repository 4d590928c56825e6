/* SPDX-License-Identifier: BSD-2-Clause */
/* malloc() and its family, on lib/rt/heap.h, in place of the C library's; and what a service that keeps its
 * memory looks through when it has died of it (undo_audit() of lib/undo). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/rt/heap.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pointer.h"

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

undo_unlogged static bool poke(void *at, const void *from, size_t bytes)
{
    return undo_again(KERNEL_COPY_TO, service_info()->self, (long)at, (long)from, (long)bytes) == 0;
}

undo_unlogged static bool is_block(uint64_t at)
{
    return heap_has(at, peek);
}

/* The program's data, but for where registers are told of and for this successor's own stack, both of which have the
 * suspect, too. (A page that is not there is passed over.) */
undo_unlogged static void add_data(struct pointer_memory *m, const struct registers *r)
{
    extern char etext[], end[], undo_return_stack[], undo_return_stack_top[];
    const struct pointer_range told = {(uint64_t)r, (uint64_t)(r + 1)},
                               stack = {(uint64_t)undo_return_stack,
                                        (uint64_t)undo_return_stack_top};
    const struct pointer_range *first = told.begin < stack.begin ? &told : &stack,
                               *second = first == &told ? &stack : &told;

    m->range[0] = (struct pointer_range){(uint64_t)etext & ~7ull, first->begin};
    m->range[1] = (struct pointer_range){first->end, second->begin};
    m->range[2] = (struct pointer_range){second->end, (uint64_t)end & ~7ull};
    m->ranges = 3;
}

/* Bits 47 to 63 are the same: else no access can be made by it. */
undo_unlogged static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

undo_unlogged static unsigned mend_pointers(const struct registers *r, uint64_t fault)
{
    extern char __executable_start[], end[];
    const uint64_t suspects[] = {r->rax, r->rbx, r->rcx, r->rdx, r->rsi, r->rdi, r->rbp, r->r8,
                                 r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->rip};
    struct pointer_memory m = {.peek = peek,
                               .poke = poke,
                               .is_block = is_block,
                               .program = (uint64_t)__executable_start,
                               .program_end = (uint64_t)end};
    struct heap_piece piece;
    unsigned mended = 0;

    add_data(&m, r);
    for (const struct heap_piece *p = heap.pieces;
         p && m.ranges < POINTER_RANGES && peek(p, &piece, sizeof piece); p = piece.next)
        m.range[m.ranges++] = (struct pointer_range){(uint64_t)p, (uint64_t)p + piece.size};
    if (fault)
        return pointer_mend(&m, fault, false);
    for (unsigned i = 0; i < sizeof suspects / sizeof *suspects && !mended; i++)
        if (!is_canonical(suspects[i]))
            mended = pointer_mend(&m, suspects[i], true);
    return mended;
}

/* (What else is in blocks that are in use is their owners' business.) */
undo_unlogged unsigned undo_audit(const struct registers *dead, uint64_t fault, const char **what)
{
    unsigned mended = heap_audit(&heap, peek);

    *what = "the heap";
    if (mended)
        return mended;
    *what = "pointers";
    return mend_pointers(dead, fault);
}
#endif
