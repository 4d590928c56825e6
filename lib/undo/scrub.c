/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scrubbing: between two steps memory is compared with its mirrors (mirror.c) while nobody has died,
 * a few pages before a step, for a small part of the time that has passed, and no more than is said
 * below. A bit that has flipped, in memory or in a mirror, is put right when its page's turn comes, if
 * no step has used it before.
 *
 * One round memory is compared with the one mirror, the next with the other. Whichever of the three is
 * not as the two others are has flipped.
 *
 * Nothing here is logged: it runs before the step has stored anything.
 */
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

#define BLOCK_WORDS 16 /* of a block: compared by their sum */
#define BLOCKS (PAGE_SIZE / 8 / BLOCK_WORDS)
/* It takes this part of the time, if there is always something to do; one page costs some 1300 instructions. Several
 * servers are at work for one program, and each takes it. */
#define SHARE 1024
#define LEAST_MS 1 /* from one time to the next, when nothing is due */
/* Before one step, some 12 us; what is due beyond that is done before the next ones. */
#define PAGES_MOST 8
#define STEPS_MOST 128 /* to find them */
#define DUE_MOST_MS 1024 /* of the time that has passed: after a pause 1 ms of looking is due */
/* Tables that are empty are looked at so rarely. */
#define EMPTY_EVERY 16
#define LOOKS 8 /* so often in a row it may die in it */
#define KNOWN 512

extern char _end[];

undo_apart uint64_t undo_scrub_due; /* of the TSC; at first at once */
undo_apart static uint64_t last, place;
undo_apart static uint64_t known[KNOWN]; /* pages that have mirrors, by their number; not all */
undo_apart static unsigned rounds, scrub_tries,
    scrub_tries_inverted; /* (0 and 0 at first: they differ) */

static uint64_t fold(const uint64_t *word)
{
    uint64_t sum = 0;

#pragma GCC unroll 16
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        sum ^= word[i];
    return sum;
}

static uint64_t *known_of(uint64_t page)
{
    return &known[page / PAGE_SIZE % KNOWN];
}

/* Where it has none nothing has been stored since the start, or somebody dies of it. */
static bool has_mirror(uint64_t page)
{
    if (*known_of(page) != page &&
        (!undo_is_there(UNDO_MIRROR + page) || !undo_is_there(UNDO_SECOND + page)))
        return false;
    *known_of(page) = page;
    return true;
}

static void mend(uint64_t *is, const uint64_t *right)
{
    uint64_t was = *is;

    if (was == *right || undo_is_left_out((uint64_t)is) ||
        undo_vote((uint64_t)is) != UNDO_MEMORY_DIFFERS || !undo_is_flip(was, *right))
        return;
    *is = *right;
    undo_say("mended before it was used: at, was, is", (uint64_t)is, was, *is);
    undo_ring(0); /* it may have decided by it when to look again */
}

static void scrub_block(uint64_t *is, const uint64_t *right)
{
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        mend(&is[i], &right[i]);
}

static void scrub_page(uint64_t page)
{
    uint64_t *is = (uint64_t *)page,
             *right = (uint64_t *)((rounds % 2 ? UNDO_SECOND : UNDO_MIRROR) + page);
    bool is_mirrored = *known_of(page) == page;

    for (unsigned b = 0; b < BLOCKS; b++, is += BLOCK_WORDS, right += BLOCK_WORDS) {
        uint64_t sum = fold(is);

        if (!is_mirrored && sum == 0)
            continue;
        if (!is_mirrored && !has_mirror(page))
            return;
        is_mirrored = true;
        if (sum != fold(right))
            scrub_block(is, right);
    }
}

/* False: it was left out, which costs nearly nothing. */
static bool visit(uint64_t page)
{
    if (*known_of(page) != page && (page / PAGE_SIZE + rounds) % EMPTY_EVERY)
        return false;
    scrub_page(page);
    return true;
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
    if (undo_has_no_mirror || scrub_tries >= LOOKS) {
        if (!undo_has_no_mirror && scrub_tries == LOOKS) {
            undo_say("memory is looked through no more: it kills at", place, 0, 0);
            set_scrub_tries(LOOKS + 1);
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
    for (unsigned pages = 0, steps = 0; spent < owed && pages < most && steps < STEPS_MOST;
         steps++) {
        place = next_place(place & ~(uint64_t)(PAGE_SIZE - 1));
        pages += visit(place);
        spent = __builtin_ia32_rdtsc() - now;
        set_scrub_tries(1); /* it gets on */
    }
    set_scrub_tries(0);
    last = spent < owed ? last + spent * SHARE : now;
    undo_scrub_due = spent < owed ? now : now + LEAST_MS * ms;
}
