/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scrubbing of the cache: what is in it may lie there for long, and a bit that flips meanwhile would be
 * handed on, or written to the disk, as right. So of each block a code is kept, made when the hand comes
 * by after a change, and compared whenever it comes by again: a few blocks before a run of a request,
 * for a part of the time that has passed. What is asked for before its turn comes is compared then, if that
 * was not just before (cache_verify()); what has changed and has no code yet is handed on as it is.
 */
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"

/* It takes this part of the time, if there is always something to do; a block of 4 kB costs some 600
 * instructions. */
#define SHARE 64
#define CODES_MOST 8 /* of these before a run */
#define SHARE_OF_CHANGED 16 /* for codes of blocks that have changed lately; one takes some 900 */
#define LEAST_MS 1 /* from one time to the next, when nothing is due */
/* Before one run, some 20 us; what is due beyond that is done before the next ones. */
#define BLOCKS_MOST 32
#define DUE_MOST_MS 512 /* of the time that has passed: after a pause 8 ms of looking are due */

static uint64_t due, last; /* of the TSC */
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

/* What has changed has no code, and nothing tells of a flip in it until it has. */
static void give_codes(uint64_t begun, uint64_t most)
{
    struct buffer *b;

    for (unsigned n = 0;
         n < CODES_MOST && __builtin_ia32_rdtsc() - begun < most && (b = cache_next_changed()); n++)
        compare(b);
}

/* What has passed is paid for in advance. */
void cache_scrub(void)
{
    const uint64_t ms = kernel_page()->tsc_hz / 1000;
    uint64_t now = __builtin_ia32_rdtsc(), owed, begun, spent = 0;

    if ((now < due && due - now < DUE_MOST_MS * ms) || !box || op_active())
        return;
    if (last == 0 || now - last > DUE_MOST_MS * ms)
        last = last == 0 ? now : now - DUE_MOST_MS * ms;
    owed = (now - last) / SHARE;
    give_codes(now, (now - last) / SHARE_OF_CHANGED);
    begun = __builtin_ia32_rdtsc();
    for (unsigned n = 0; spent < owed && n < BLOCKS_MOST && cache_scrub_one(); n++)
        spent = __builtin_ia32_rdtsc() - begun;
    last = spent < owed ? last + spent * SHARE : now;
    due = spent < owed ? now : now + LEAST_MS * ms;
}
