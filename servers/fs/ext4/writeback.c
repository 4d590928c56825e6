/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing in place: file data, and metadata that the journal has. */
#include <errno.h>

#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"

enum { ENOUGH_BYTES = 1 << 20 }; /* of dirty data: it is worth a request */

bool write_unflushed;
static int wanted = -1; /* the largest enum write_back that was asked for */
static uint32_t hand, left; /* of the round: buffers still to be looked at */
static uint32_t dirtied;
static int lost; /* errno */

void write_want(enum write_back what)
{
    if ((int)what > wanted || left == 0) {
        wanted = (int)what > wanted ? (int)what : wanted;
        left = box->buffers;
    }
    work_is_wanted = ordered_has_changed = true;
}

void write_dirtied(uint32_t blocks)
{
    dirtied += blocks;
    if (dirtied << volume.block_shift >= ENOUGH_BYTES)
        write_want(WRITE_DATA);
}

void write_forget(void)
{
    wanted = -1;
    hand = left = dirtied = 0;
    lost = 0;
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static bool is_wanted(const struct buffer *b)
{
    if (b->state & (B_READING | B_WRITING | B_RUNNING))
        return false;
    if (b->state & B_DIRTY)
        return wanted >= WRITE_DATA || (b->ordered && is_before(b->ordered, box->journal.sequence));
    return b->logged && wanted == WRITE_ALL && !is_before(box->journal.committed, b->logged);
}

/* Those around it that lie in a row on the disk and are to be written, too. */
static uint32_t gather(struct buffer *b, struct buffer *list[IO_BLOCKS_MAX])
{
    struct buffer *first = b, *other;
    uint32_t n = 0;

    while (++n < IO_BLOCKS_MAX && first->block && (other = cache_find(first->block - 1)) != NULL &&
           is_wanted(other))
        first = other;
    for (n = 0, other = first; n < IO_BLOCKS_MAX && other && is_wanted(other);) {
        list[n++] = other;
        other = cache_find(other->block + 1);
    }
    return n;
}

void write_step(void)
{
    static struct buffer *list[IO_BLOCKS_MAX];

    if (wanted < 0)
        return;
    while (left) {
        struct buffer *b = &buffers[hand < box->buffers ? hand : 0];

        while (is_wanted(b)) {
            uint32_t n = gather(b, list);

            if (io_write(list, n) == 0)
                return; /* goes on when a request has ended */
        }
        hand = hand + 1 < box->buffers ? hand + 1 : 0;
        left--;
    }
    wanted = -1;
    dirtied = 0;
}

static void data_lost(const struct buffer *b, int error)
{
    if (!lost)
        log_info("block %llu of a file could not be written: %s", (unsigned long long)b->block,
                 error_name(error));
    lost = error;
}

/* Nobody waits for it, first: not in vain. */
static void data_clean(struct buffer *b)
{
    b->ordered = 0;
    box_fence();
    b->state &= ~(uint32_t)B_DIRTY;
}

void write_has_ended(struct buffer *b, int error)
{
    bool is_data = b->state & B_DIRTY;

    b->state &= ~(uint32_t)B_WRITING;
    write_unflushed = ordered_has_changed = true;
    if ((b->state & B_VALID) && !cache_was_right(b)) { /* and so was written what is wrong */
        b->changed = true;
        changes_made();
    }
    if (!(b->state & B_VALID)) { /* it belongs to nobody any more */
        cache_drop(b);
    } else if (error && !is_data) {
        journal_failed(error);
    } else if (error) {
        data_lost(b, error);
        data_clean(b);
    } else if (is_data && !b->changed) {
        data_clean(b);
    } else if (is_data) {
        if (b->ordered && is_before(b->ordered, b->issued))
            b->ordered = 0; /* what the commit waits for is there */
        if (b->ordered && is_before(b->ordered, box->journal.sequence))
            write_want(WRITE_ORDERED); /* it was passed over, or begun too early */
    } else if (!b->changed) {
        b->logged = 0;
    }
}

bool write_has_ordered(uint32_t sequence)
{
    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].ordered && !is_before(sequence, buffers[n].ordered))
            return true;
    return false;
}

bool write_ordered_is_done(void)
{
    if (!ordered_has_changed) /* nothing has ended since it was looked at last */
        return false;
    ordered_has_changed = !write_has_ordered(box->journal.sequence - 1);
    return ordered_has_changed;
}

bool write_is_clean(void)
{
    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].logged || (buffers[n].state & (B_DIRTY | B_WRITING | B_RUNNING)))
            return false;
    return true;
}

int write_take_error(void)
{
    int error = lost;

    lost = 0;
    return error;
}
