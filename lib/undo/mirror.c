/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror: what the last commit has left of the data and the heap, word by word (undo_mirror in
 * entry.S). Between two steps memory is the same, or it has changed by itself: a bit has flipped.
 * That is looked for when a step has killed twice, so it costs nothing before. RS gives a page of it
 * when one is first stored to (succeed_make_room()), with what its original has in it; where there is
 * none yet, nothing has been stored, and all is zero.
 *
 * Nothing here is logged.
 */
#include <stdbool.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

/* What is to be mended: more than some words, or more of a word than a bit, is no flip. */
#define FLIPS_MOST 64
#define SAID_MOST 4
/* So often a commit may die in the mirror: no page is left, or an entry of its log is no address. */
#define TRIES 3
#define CHECK_EVERY 32

extern char __init_array_start[], _end[]; /* of what can be written; tools/update keeps it */
extern char undo_return_stack[], undo_return_stack_top[];
extern char __start_undo_apart[], __stop_undo_apart[];

uint64_t undo_heap_end = UNDO_HEAP, undo_tables_begin, undo_tables_end;
undo_apart static unsigned tries, checks;
undo_apart bool undo_has_no_mirror; /* or has one no more */

struct difference {
    unsigned count;
    bool is_flip; /* each of one bit */
    uint64_t at[FLIPS_MOST], right[FLIPS_MOST];
};
undo_apart static struct difference repair; /* in this step */

uint64_t undo_mirror_begin(void)
{
    return (uint64_t)__init_array_start & ~(uint64_t)(PAGE_SIZE - 1);
}

uint64_t undo_mirror_bytes(void)
{
    return (((uint64_t)_end + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1)) - undo_mirror_begin();
}

static bool is_empty(const uint64_t *page)
{
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        if (page[i])
            return false;
    return true;
}

void undo_mirror_start(void)
{
    if (undo_has_no_mirror)
        return;
    for (uint64_t at = undo_mirror_begin(); at < (uint64_t)_end; at += PAGE_SIZE)
        if (!is_empty((const uint64_t *)at)) {
            memcpy((void *)(UNDO_MIRROR + at), (const void *)at, PAGE_SIZE);
            *(uint64_t *)(UNDO_SUMS + at / UNDO_SUMMED) = 0; /* so there is a page of them */
        }
}

void undo_mirror_again(uint64_t log_end)
{
    uint64_t window =
        undo_log_begin < UNDO_LOG ? UNDO_FUSE + UNDO_WINDOW_FIRST : UNDO_LOG + UNDO_WINDOW_MAX;

    /* beyond it: the next step was to have another window, and the log of this is done */
    if (undo_has_no_mirror || log_end <= undo_log_begin || log_end > window)
        return;
    tries += undo_dead.defect == DEFECT_EXCEPTION;
    if (tries > TRIES) {
        undo_say("the mirror is lost", log_end, undo_log_begin, undo_dead.rip);
        undo_has_no_mirror = true; /* what is there is old in places */
        return;
    }
    __asm__ volatile("movq %0, %%r15\n\tcall undo_mirror"
                     :
                     : "r"(log_end)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "cc", "memory");
    tries = 0;
}

/* What of lib/undo itself is no step's. */
static bool is_apart(uint64_t at)
{
    return at - (uint64_t)__start_undo_apart <
               (uint64_t)__stop_undo_apart - (uint64_t)__start_undo_apart ||
           at - (uint64_t)undo_return_stack <
               (uint64_t)undo_return_stack_top - (uint64_t)undo_return_stack;
}

static void note(struct difference *d, uint64_t at, uint64_t is, uint64_t right)
{
    uint64_t bits = is ^ right;

    if (is_apart(at))
        return;
    if (d->count < FLIPS_MOST) {
        d->at[d->count] = at;
        d->right[d->count] = right;
    }
    d->count++;
    d->is_flip &= (bits & (bits - 1)) == 0;
}

void undo_mirror_same(const void *at, size_t length)
{
    if ((uint64_t)at < UNDO_MIRRORED)
        memcpy((void *)(UNDO_MIRROR + (uint64_t)at), at, length);
}

bool undo_is_left_out(uint64_t at)
{
    return is_apart(at) || undo_granted_leaves_out(at) ||
           (undo_mirror_leaves_out && undo_mirror_leaves_out(at));
}

bool undo_is_there(uint64_t at)
{
    char byte;

    return undo_raw_call(KERNEL_COPY_FROM, service_info()->self, (long)at, (long)&byte, 1, 0) == 0;
}

static void compare(struct difference *d, uint64_t from, uint64_t to)
{
    static const uint64_t zeros[PAGE_SIZE / 8];

    for (; from < to; from += PAGE_SIZE) {
        const uint64_t *page = (const uint64_t *)from,
                       *right = undo_is_there(UNDO_MIRROR + from)
                                    ? (const uint64_t *)(UNDO_MIRROR + from)
                                    : zeros;

        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            if (page[i] != right[i])
                note(d, (uint64_t)&page[i], page[i], right[i]);
    }
}

/* The data first: where the heap begins and ends stands in them. */
static struct difference look(void)
{
    struct difference d = {.is_flip = true};

    compare(&d, undo_mirror_begin(), (uint64_t)_end);
    if (d.count > 0)
        return d;
    undo_granted_leave_out();
    if (undo_mirror_leave_out)
        undo_mirror_leave_out();
    compare(&d, UNDO_HEAP, undo_heap_end);
    compare(&d, undo_tables_begin, undo_tables_end);
    return d;
}

/* What is in memory and what is right change places, in `repair`, too. */
static void exchange(void)
{
    for (unsigned i = 0; i < repair.count; i++) {
        uint64_t *word = (uint64_t *)repair.at[i], was = *word;

        *word = repair.right[i];
        repair.right[i] = was;
    }
}

unsigned undo_mirror_mend(uint64_t *at)
{
    struct difference d;

    if (undo_has_no_mirror)
        return 0;
    d = look();
    if (d.count == 0 || d.count > FLIPS_MOST || !d.is_flip)
        return 0;
    repair = d;
    exchange();
    *at = d.at[0];
    return d.count;
}

void undo_mirror_keep(void)
{
    repair.count = 0;
}

void undo_mirror_take_back(void)
{
    exchange();
    for (unsigned i = 0; i < repair.count; i++)
        undo_mirror_same((const void *)repair.at[i], sizeof(uint64_t));
    repair.count = 0;
}

void undo_mirror_check(void)
{
    struct difference d;

    if (undo_has_no_mirror || ++checks % CHECK_EVERY)
        return;
    d = look();
    for (unsigned i = 0; i < d.count && i < SAID_MOST; i++)
        undo_say("the mirror differs", d.at[i], *(const uint64_t *)d.at[i], d.right[i]);
}
