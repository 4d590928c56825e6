/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scrubbing of the cache: what is in it may lie there for long, and a bit that flips meanwhile would be
 * handed on, or written to the disk, as right. So of each block a code is kept, made after the request that
 * has changed it, and compared whenever the hand comes by: a few blocks before a run of a request,
 * for a part of the time that has passed. What is asked for before its turn comes is compared then, metadata if that
 * was not just before (cache_verify()), a file's data when they have been handed on (cache_was_right()). What has
 * changed and has no code yet is handed on as it is; that is so only when more changes than there is time to make codes of.
 */
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"

/* It takes this part of the time, if there is always something to do; a block of 4 kB costs some 600
 * instructions. */
#define SHARE 64
#define SHARE_OF_CHANGED 32 /* for codes of blocks that have changed lately; one takes some 1500 */
#define CREDIT_MS 32 /* of the time that has passed: so after a pause 1 ms for codes */
#define LEAST_MS 1 /* from one time to the next, when nothing is due */
/* Before one run, some 20 us; what is due beyond that is done before the next ones. */
#define BLOCKS_MOST 32
#define DUE_MOST_MS 512 /* of the time that has passed: after a pause 8 ms of looking are due */

static uint64_t due, last, paid; /* of the TSC; paid: up to then codes have had their share */
static uint32_t hand;

static void compare(struct buffer *b)
{
    if (b->has_code) {
        b->verified = 0;
        cache_verify(b);
        return;
    }
    b->code = code_of(buffer_data(b), box->block_size);
    b->has_code = true;
    b->verified = cache_moment();
}

bool cache_scrub_one(void)
{
    for (uint32_t tries = box->buffers; tries > 0; tries--) {
        struct buffer *b = &buffers[hand];

        hand = hand + 1 < box->buffers ? hand + 1 : 0;
        if (!(b->state & B_VALID) || (b->state & B_READING))
            continue;
        compare(b);
        return true;
    }
    return false;
}

/* What has changed has no code, and nothing tells of a flip in it until it has: so that is done as soon as there is time
 * for it, and there is at once unless much is written without end. */
void cache_give_codes(void)
{
    const uint64_t most = CREDIT_MS * (kernel_page()->tsc_hz / 1000);
    uint64_t now = __builtin_ia32_rdtsc(), spent = 0;
    struct buffer *b;

    if (!box || op_active())
        return;
    if (now - paid > most)
        paid = now - most;
    while (spent < (now - paid) / SHARE_OF_CHANGED && (b = cache_next_changed())) {
        compare(b);
        spent = __builtin_ia32_rdtsc() - now;
    }
    paid += spent * SHARE_OF_CHANGED;
}

/* What has passed is paid for in advance. */
void cache_scrub(void)
{
    const uint64_t ms = kernel_page()->tsc_hz / 1000;
    uint64_t now = __builtin_ia32_rdtsc(), owed, spent = 0;

    if ((now < due && due - now < DUE_MOST_MS * ms) || !box || op_active())
        return;
    if (last == 0 || now - last > DUE_MOST_MS * ms)
        last = last == 0 ? now : now - DUE_MOST_MS * ms;
    owed = (now - last) / SHARE;
    for (unsigned n = 0; spent < owed && n < BLOCKS_MOST && cache_scrub_one(); n++)
        spent = __builtin_ia32_rdtsc() - now;
    last = spent < owed ? last + spent * SHARE : now;
    due = spent < owed ? now : now + LEAST_MS * ms;
}
