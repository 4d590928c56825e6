/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for checked disks: of each adapter with such a disk, that of some of its chunks. So it
 * costs nothing where there is no such disk. A run of blocks for each operation that needs some.
 */
#include <errno.h>

#include "servers/disk/operation.h"

long bounce_lend(struct adapter *a)
{
    if (a->notes)
        return 0;
    if (a->chunks <= CHUNKS_LENT)
        return -ENOMEM;
    a->notes = chunks_lend(a);
    if (!a->notes)
        return FS_LATER;
    a->bounce = a->notes + NOTES_MAX * INTEGRITY_BLOCK;
    return 0;
}

static void mark(struct adapter *a, const uint8_t *at, uint32_t blocks, bool used)
{
    size_t first = (size_t)(at - a->bounce) / INTEGRITY_BLOCK;

    for (uint32_t n = 0; n < blocks; n++)
        a->bounce_used[first + n] = used;
}

/* The first run that is long enough, or the longest. */
static uint8_t *take(struct adapter *a, uint32_t wanted, uint32_t *blocks)
{
    uint32_t best = 0, best_at = 0, length = 0;

    for (uint32_t n = 0; n < BOUNCE_MAX && best < wanted; n++) {
        length = a->bounce_used[n] ? 0 : length + 1;
        if (length > best) {
            best = length;
            best_at = n + 1 - length;
        }
    }
    *blocks = best;
    if (best == 0)
        return NULL;
    mark(a, a->bounce + best_at * INTEGRITY_BLOCK, best, true);
    return a->bounce + best_at * INTEGRITY_BLOCK;
}

bool bounce_is_needless(const struct guard_op *op, unsigned m)
{
    const struct guard_member *member = &op->guard->member[m];

    if (op->home)
        return op->home == member->adapter;
    return op->operation == BLOCK_READ &&
           !(member->adapter->unit[member->unit].flags & BLOCK_UNIT_COPY);
}

void bounce_give_back(struct guard_op *op)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        if (op->bounce[m]) {
            mark(op->bounce_of[m], op->bounce[m], op->bounced, false);
            op->bounce[m] = NULL;
        }
    op->bounced = 0;
}

bool bounce_one(struct guard_op *op, unsigned m, uint32_t most)
{
    op->bounce_of[m] = op->guard->member[m].adapter;
    op->bounce[m] = take(op->bounce_of[m], most < PORTION_MAX ? most : PORTION_MAX, &op->bounced);
    return op->bounce[m] != NULL;
}

/* All that is needed or nothing: who holds some never waits for more. */
bool bounce_take(struct guard_op *op, unsigned members)
{
    uint32_t most = op->count - op->done, got[MEMBERS] = {0};
    bool none = false;

    for (unsigned m = 0; m < MEMBERS && !none; m++) {
        if (!(members >> m & 1) || bounce_is_needless(op, m))
            continue;
        most = most < PORTION_MAX ? most : PORTION_MAX;
        op->bounce_of[m] = op->guard->member[m].adapter;
        op->bounce[m] = take(op->bounce_of[m], most, &got[m]);
        none = !op->bounce[m];
        most = got[m] < most ? got[m] : most;
    }
    for (unsigned m = 0; m < MEMBERS; m++) {
        uint32_t keep = none ? 0 : most;

        if (!op->bounce[m])
            continue;
        mark(op->bounce_of[m], op->bounce[m] + keep * INTEGRITY_BLOCK, got[m] - keep, false);
        if (none)
            op->bounce[m] = NULL;
    }
    op->bounced = op->now = most;
    return !none;
}
