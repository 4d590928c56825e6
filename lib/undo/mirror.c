/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirrors: what the last commit has left of the data and the heap, word by word, twice (undo_mirror
 * in entry.S). Between two steps memory is the same, or it has changed by itself: a bit has flipped.
 * That is looked for when a step has killed twice, so it costs nothing before. Of the three the two that
 * are the same are right. RS gives a page of both when one is first stored to (succeed_make_room()), with
 * what its original has in it; where there is none yet, nothing has been stored, and all is zero.
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
/* A build whose stores are not logged, to measure what that costs (decision 0011), says so. */
#ifndef UNDO_HAS_NO_MIRROR
#define UNDO_HAS_NO_MIRROR false
#endif
undo_apart bool undo_has_no_mirror = UNDO_HAS_NO_MIRROR; /* or has one no more */

struct difference {
    unsigned count;
    bool is_flip; /* each of one bit, and both mirrors say so */
    uint64_t at[FLIPS_MOST], right[FLIPS_MOST];
};

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
            memcpy((void *)(UNDO_SECOND + at), (const void *)at, PAGE_SIZE);
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
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "cc", "memory");
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

static uint64_t *mirror_of(uint64_t mirror, uint64_t at)
{
    return (uint64_t *)(mirror + at);
}

enum undo_vote undo_vote(uint64_t at)
{
    const uint64_t is = *(const uint64_t *)at;
    uint64_t *first = mirror_of(UNDO_MIRROR, at), *second = mirror_of(UNDO_SECOND, at);
    uint64_t *wrong = is == *first ? second : first, was = *wrong;

    if (*first == *second)
        return UNDO_MEMORY_DIFFERS;
    if (is != *first && is != *second)
        return UNDO_ALL_DIFFER;
    *wrong = is;
    undo_say("mended in the mirror: at, was, is", (uint64_t)wrong, was, is);
    return UNDO_MIRROR_MENDED;
}

/* right: of one mirror. Where there is no page of them, there was a zero. */
static void note(struct difference *d, uint64_t at, uint64_t right, bool is_mirrored)
{
    enum undo_vote vote = UNDO_MEMORY_DIFFERS;

    if (is_apart(at))
        return;
    if (is_mirrored)
        vote = undo_vote(at);
    if (vote == UNDO_MIRROR_MENDED)
        return;
    if (d->count < FLIPS_MOST) {
        d->at[d->count] = at;
        d->right[d->count] = right;
    }
    d->count++;
    d->is_flip &= vote == UNDO_MEMORY_DIFFERS && undo_is_flip(*(const uint64_t *)at, right);
}

void undo_mirror_same(const void *at, size_t length)
{
    if ((uint64_t)at >= UNDO_MIRRORED)
        return;
    memcpy((void *)(UNDO_MIRROR + (uint64_t)at), at, length);
    memcpy((void *)(UNDO_SECOND + (uint64_t)at), at, length);
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

static void compare(struct difference *d, uint64_t mirror, uint64_t from, uint64_t to)
{
    static const uint64_t zeros[PAGE_SIZE / 8];

    for (; from < to; from += PAGE_SIZE) {
        bool is_mirrored = undo_is_there(UNDO_MIRROR + from) && undo_is_there(UNDO_SECOND + from);
        const uint64_t *page = (const uint64_t *)from,
                       *right = is_mirrored ? mirror_of(mirror, from) : zeros;

        for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
            if (page[i] != right[i])
                note(d, (uint64_t)&page[i], right[i], is_mirrored);
    }
}

/* The data first: where the heap begins and ends stands in them. */
static struct difference look(uint64_t mirror)
{
    struct difference d = {.is_flip = true};

    compare(&d, mirror, undo_mirror_begin(), (uint64_t)_end);
    if (d.count > 0)
        return d;
    undo_granted_leave_out();
    if (undo_mirror_leave_out)
        undo_mirror_leave_out();
    compare(&d, mirror, UNDO_HEAP, undo_heap_end);
    compare(&d, mirror, undo_tables_begin, undo_tables_end);
    return d;
}

unsigned undo_mirror_mend(uint64_t *at)
{
    struct difference d;

    if (undo_has_no_mirror)
        return 0;
    d = look(UNDO_MIRROR);
    if (d.count == 0 || d.count > FLIPS_MOST || !d.is_flip)
        return 0;
    for (unsigned i = 0; i < d.count; i++)
        *(uint64_t *)d.at[i] = d.right[i];
    *at = d.at[0];
    return d.count;
}

void undo_mirror_check(void)
{
    struct difference d;

    if (undo_has_no_mirror || ++checks % CHECK_EVERY)
        return;
    d = look(checks / CHECK_EVERY % 2 ? UNDO_MIRROR : UNDO_SECOND);
    for (unsigned i = 0; i < d.count && i < SAID_MOST; i++)
        undo_say("the mirror differs", d.at[i], *(const uint64_t *)d.at[i], d.right[i]);
}
