/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a step is about to use, and scrubbing (scrub.c) has not come to: compared with its mirrors where it
 * is fetched. What the step has stored itself is in its log, and may differ; all else has flipped.
 *
 * Nothing here is logged.
 */
#include "lib/undo/internal.h"

static bool overlaps(uint64_t at, uint64_t begin, uint64_t length)
{
    return at + sizeof(uint64_t) > begin && at < begin + length;
}

#define WALKED_MOST 4096 /* bytes of the log, some 250 entries */

/* This step has stored to some of the word at `at`, or has stored so much that it would take too long to find out: one that
 * goes through a list changes it, and would go through its log for each. */
static bool is_logged(uint64_t at)
{
    struct undo_log_entry e;

    if (undo_log_bytes() > WALKED_MOST)
        return true;
    for (uint64_t end = undo_log_begin + undo_log_bytes(); end > undo_log_begin; end = e.begin) {
        e = undo_log_entry_before(end);
        if (!e.is_in_vault && overlaps(at, e.at, e.length))
            return true;
    }
    return false;
}

void undo_verify_differing(const void *word)
{
    uint64_t *is = (uint64_t *)word;
    const uint64_t at = (uint64_t)is, was = *is, right = *(const uint64_t *)(UNDO_MIRROR + at);

    /* What differs by more than a bit this step has stored: so a list that it changes is gone through at once. */
    if (was == right || !undo_is_flip(was, right) || is_logged(at) || undo_is_left_out(at))
        return;
    if (undo_vote(at) == UNDO_MEMORY_DIFFERS) {
        *is = right;
        undo_say("mended when it was to be used: at, was, is", at, was, right);
    }
}

void undo_verify(const void *at, size_t length)
{
    uint64_t *word = (uint64_t *)at;
    uint64_t is = 0, right = 0; /* of all: two instructions a word */

    if (undo_has_no_mirror || (uint64_t)at >= UNDO_MIRRORED)
        return;
#pragma GCC unroll 8
    for (size_t i = 0; i < length / sizeof *word; i++) {
        is ^= word[i];
        right ^= *(const uint64_t *)(UNDO_MIRROR + (uint64_t)&word[i]);
    }
    for (size_t i = 0; is != right && i < length / sizeof *word; i++)
        undo_verify_differing(&word[i]);
}
