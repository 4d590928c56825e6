/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scrubbing: between two steps memory is compared with its mirror (mirror.c) while nobody has died,
 * a few pages before a step, for a small part of the time that has passed, and no more than is said
 * below. A bit that has flipped is put right if its page's turn comes before a step reads it, or stores
 * to its block; what is used all the time is mostly used before that.
 *
 * Which of the two has flipped the sums tell: of each 16 words the exclusive or, as it was when both
 * were last the same. What was stored since has another in both; a flip changes it in one of them. If
 * neither is what it was, both have happened, and it stays as it is (until somebody dies of it:
 * undo_mirror_mend()).
 *
 * Nothing here is logged: it runs before the step has stored anything.
 */
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

#define WORDS 16 /* of a block, which has one sum */
#define BLOCKS (PAGE_SIZE / 8 / WORDS)
/* It takes this part of the time, if there is always something to do; one page costs some 1300 instructions. Several
 * servers are at work for one program, and each takes it. */
#define SHARE 1024
#define LEAST_MS 1 /* from one time to the next, when nothing is due */
/* Before one step, some 12 us; what is due beyond that is done before the next ones. */
#define PAGES_MOST 8
#define DUE_MOST_MS 1024 /* of the time that has passed: after a pause 1 ms of looking is due */
/* Tables that are empty are looked at so rarely. */
#define EMPTY_EVERY 16
#define TRIES 8 /* so often in a row it may die in it */

_Static_assert(WORDS == UNDO_SUMMED, "a sum is a word");

extern char _end[];

undo_apart uint64_t undo_scrub_due; /* of the TSC; at first at once */
undo_apart static uint64_t last, place, known_sums;
undo_apart static unsigned rounds, scrub_tries,
    scrub_tries_inverted; /* (0 and 0 at first: they differ) */

static uint64_t fold(const uint64_t *word)
{
    uint64_t sum = 0;

#pragma GCC unroll 16
    for (unsigned i = 0; i < WORDS; i++)
        sum ^= word[i];
    return sum;
}

/* NULL: there is none yet, so nothing has been seen but zeros. RS has nobody who gives it pages. */
static uint64_t *sums_of(uint64_t page)
{
    uint64_t sums = UNDO_SUMS + page / WORDS, there = sums & ~(uint64_t)(PAGE_SIZE - 1);

    if (there != known_sums && !undo_is_there(there) && !undo_root_give(there))
        return NULL;
    known_sums = there;
    return (uint64_t *)sums;
}

static bool is_zero(const uint64_t *sums)
{
    uint64_t any = 0;

    for (unsigned i = 0; sums && i < BLOCKS; i++)
        any |= sums[i];
    return any == 0;
}

/* The only word of a block that differs, and it does in one bit: its number. -1: none, or it is no flip. */
static int find_flip(const uint64_t *is, const uint64_t *right)
{
    int found = -1;

    for (unsigned i = 0; i < WORDS; i++) {
        uint64_t bits = is[i] ^ right[i];

        if (bits == 0 || undo_is_left_out((uint64_t)&is[i]))
            continue;
        if (found >= 0 || (bits & (bits - 1)))
            return -1;
        found = (int)i;
    }
    return found;
}

static void mend(uint64_t *is, uint64_t *right, uint64_t sum)
{
    int i = find_flip(is, right);

    if (i < 0)
        return;
    if (fold(right) == sum) {
        undo_say("mended before it was used: at, was, is", (uint64_t)&is[i], is[i], right[i]);
        is[i] = right[i];
        undo_ring(0); /* it may have decided by it when to look again */
    } else if (fold(is) == sum) {
        undo_say("mended in the mirror: at, was, is", (uint64_t)&right[i], right[i], is[i]);
        right[i] = is[i];
    }
}

/* sums: of its blocks; NULL: all are zero. */
static void scrub_page(uint64_t page, const uint64_t *sums, bool is_mirrored)
{
    uint64_t *is = (uint64_t *)page, *right = (uint64_t *)(UNDO_MIRROR + page);

    for (unsigned b = 0; b < BLOCKS; b++, is += WORDS, right += WORDS) {
        uint64_t sum = sums ? sums[b] : 0, now = fold(is);

        if (now == 0 && sum == 0)
            continue;
        if (!is_mirrored && !undo_is_there((uint64_t)right))
            return; /* nothing has been stored here since the start, or somebody dies of it */
        is_mirrored = true;
        if (now != fold(right))
            mend(is, right, sum);
        else if (now != sum)
            ((uint64_t *)(UNDO_SUMS + page / WORDS))[b] = now; /* RS gives the page */
    }
}

static void visit(uint64_t page)
{
    const uint64_t *sums = sums_of(page);
    bool is_mirrored = !is_zero(sums); /* what has a sum has been seen there */

    if (is_mirrored || (page / PAGE_SIZE + rounds) % EMPTY_EVERY == 0)
        scrub_page(page, sums, is_mirrored);
}

/* The data, the heap, and tables. */
static uint64_t next_place(uint64_t at)
{
    const struct {
        uint64_t begin, end;
    } all[] = {{undo_mirror_begin(), (uint64_t)_end},
               {UNDO_HEAP, undo_heap_end},
               {undo_tables_begin, undo_tables_end}};

    at += PAGE_SIZE;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        if (at < all[i].end && all[i].begin < all[i].end)
            return at < all[i].begin ? all[i].begin : at;
    rounds++;
    return undo_mirror_begin();
}

static void set_scrub_tries(unsigned n)
{
    scrub_tries = n;
    scrub_tries_inverted = ~n;
}

/* What has passed is paid for in advance. */
void undo_scrub(void)
{
    const uint64_t ms = kernel_page()->tsc_hz / 1000;
    uint64_t now = __builtin_ia32_rdtsc(), owed, spent = 0;
    unsigned most = PAGES_MOST;

    if (scrub_tries != ~scrub_tries_inverted) /* a bit has flipped */
        set_scrub_tries(0);
    if (undo_has_no_mirror || scrub_tries >= TRIES) {
        if (!undo_has_no_mirror && scrub_tries == TRIES) {
            undo_say("memory is looked through no more: it kills at", place, 0, 0);
            set_scrub_tries(TRIES + 1);
        }
        undo_scrub_due = now + UINT32_MAX; /* looked at again, and no more */
        return;
    }
    set_scrub_tries(scrub_tries + 1);
    if (last == 0 || now - last > DUE_MOST_MS * ms)
        last = last == 0 ? now : now - DUE_MOST_MS * ms;
    owed = (now - last) / SHARE;
    /* at one tick of the clock many have something to do */
    if (message_caller(&undo_message) == ENDPOINT_KERNEL)
        most = 1;
    for (unsigned pages = 0; spent < owed && pages < most; pages++) {
        place = next_place(place & ~(uint64_t)(PAGE_SIZE - 1));
        visit(place);
        spent = __builtin_ia32_rdtsc() - now;
        set_scrub_tries(1); /* it gets on */
    }
    set_scrub_tries(0);
    last = spent < owed ? last + spent * SHARE : now;
    undo_scrub_due = spent < owed ? now : now + LEAST_MS * ms;
}
