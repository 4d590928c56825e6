/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphans: inodes that must not stay as they are. Those without links live as long as somebody has
 * them open; others are being cut off, which takes several operations. The list of them begins in
 * the super block and goes on in their dtime, so that whoever mounts after a power failure ends
 * what was begun.
 *
 * A user may have many, so nothing goes through the list but once: which one leads to which is
 * remembered, and compared with the inodes before it is believed. A fresh incarnation goes through
 * the list in parts when it first needs to know.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/numbers.h"

enum { DELETE_EXTENTS = 24, PART_MOST = 512, PART_LEAST = 32 };

static struct numbers table; /* of nodes that are open: how often */
static bool released, wanted;

/* Of each orphan that is known, the one that leads to it (0: the head). Marked: it is in the queue. */
static struct numbers listed;
static struct known {
    bool has_begun, is_second; /* the list made no sense: once more from its head */
    uint32_t at; /* the first that is not known; 0: all are */
    uint32_t last; /* the one before it */
} known;
static struct numbers
    strays; /* the list was gone through for them: they were not what they seemed */

/* What the operation has changed, if it is committed. */
static struct change {
    uint32_t number; /* 0: nothing */
    uint32_t before, next;
    bool is_added, is_due;
} change;

/* ---- those that can go ---- */

static uint32_t *queue, queue_first, queue_end, queue_room;

static void enqueue(struct number *orphan)
{
    if (orphan->is_marked)
        return;
    if (queue_end == queue_room && queue_first > queue_room / 2) {
        queue_end -= queue_first;
        memmove(queue, queue + queue_first, queue_end * sizeof *queue);
        queue_first = 0;
    } else if (queue_end == queue_room) {
        queue_room = queue_room ? 2 * queue_room : 64;
        queue = realloc(queue, queue_room * sizeof *queue);
        if (!queue)
            panic("no memory for %u inodes that can go", queue_room);
    }
    queue[queue_end++] = (uint32_t)orphan->key;
    orphan->is_marked = true;
    wanted = work_is_wanted = true;
}

static void dequeue(void)
{
    struct number *orphan;

    if (queue_first == queue_end)
        return;
    orphan = numbers_find(&listed, queue[queue_first++]);
    if (orphan)
        orphan->is_marked = false;
    if (queue_first == queue_end)
        queue_first = queue_end = 0;
}

void orphan_can_go(uint64_t node)
{
    struct number *orphan = numbers_find(&listed, (uint32_t)node);

    if (orphan)
        enqueue(orphan);
    else if (known.at || (!known.has_begun && box->now.counters.last_orphan))
        wanted = work_is_wanted = true;
}

/* ---- who has what open ---- */

void opened(uint64_t node, int delta)
{
    struct number *o = delta > 0 ? numbers_put(&table, node) : numbers_find(&table, node);

    if (!o)
        return;
    o->value += (uint32_t)delta;
    if (o->value)
        return;
    numbers_drop(&table, node);
    orphan_can_go(node);
}

unsigned open_count(uint64_t node)
{
    const struct number *o = numbers_find(&table, node);

    return o ? o->value : 0;
}

static bool is_kept(const struct inode *i)
{
    return i->raw->links == 0 && open_count(node_of(i));
}

/* ---- what is known of the list ---- */

static void know_anew(bool is_second)
{
    numbers_clear(&listed);
    queue_first = queue_end = 0;
    known = (struct known){
        .has_begun = true, .is_second = is_second, .at = box->now.counters.last_orphan};
}

static long know_next(void)
{
    struct number *orphan;
    struct inode i;
    long result;

    if (numbers_find(&listed, known.at)) /* it goes in a circle */
        return -EUCLEAN;
    result = inode_get(known.at, &i);
    if (result)
        return result == -ESTALE ? -EUCLEAN : result;
    orphan = numbers_put(&listed, known.at);
    orphan->value = known.last;
    if (!is_kept(&i))
        enqueue(orphan);
    known.last = known.at;
    known.at = i.raw->dtime;
    return 0;
}

/* All of it: 0. A part of it for now: EXT4_MISS. */
static long know(void)
{
    if (!known.has_begun)
        know_anew(false);
    for (uint32_t n = 1; known.at; n++) {
        long result = know_next();

        if (result == -EUCLEAN && !known.is_second)
            know_anew(true);
        else if (result)
            return result;
        if (known.at && (n == PART_MOST || (n % PART_LEAST == 0 && turn_is_over())))
            return turn_wait();
    }
    known.is_second = false;
    return 0;
}

void orphans_release(void)
{
    released = wanted = work_is_wanted = true;
    known.has_begun = false;
    known.at = change.number = 0;
    numbers_clear(&listed);
    numbers_clear(&strays);
}

/* Does `number` (0: the head) lead to i? */
static long leads(uint32_t number, const struct inode *i, struct inode *before)
{
    long result;

    before->number = number;
    if (number == 0)
        return box->now.counters.last_orphan == i->number;
    result = inode_get(number, before);
    if (result)
        return result == -ESTALE ? 0 : result;
    return before->raw->dtime == i->number;
}

/* The orphan that leads to i, or the head: 1 found; 0: i is not in the list. *before: number 0 is
 * the head. Where what is remembered and the inodes contradict each other, the list is gone through
 * anew, for each inode once. */
static long find(const struct inode *i, struct inode *before)
{
    const struct number *orphan;
    long result = numbers_find(&listed, i->number) ? 0 : know();

    if (result)
        return result;
    orphan = numbers_find(&listed, i->number);
    if (orphan) {
        result = leads(orphan->value, i, before);
        if (result)
            return result;
    } else if (i->raw->dtime == 0 && known.last != i->number) {
        return 0;
    }
    if (numbers_find(&strays, i->number))
        return orphan ? -EUCLEAN : 0;
    numbers_put(&strays, i->number);
    known.has_begun = false;
    numbers_clear(&listed);
    wanted = work_is_wanted = true;
    return turn_wait();
}

static void know_added(void)
{
    struct number *next = change.next ? numbers_find(&listed, change.next) : NULL, *orphan;

    if (next)
        next->value = change.number;
    if (change.next == 0) /* it is the only one */
        known.last = change.number;
    orphan = numbers_put(&listed, change.number);
    orphan->value = 0;
    if (change.is_due)
        enqueue(orphan);
}

static void know_removed(void)
{
    struct number *next = change.next ? numbers_find(&listed, change.next) : NULL;

    if (next)
        next->value = change.before;
    if (known.last == change.number)
        known.last = change.before;
    numbers_drop(&listed, change.number);
}

void orphans_ended(bool is_committed)
{
    if (change.number && is_committed) {
        numbers_drop(&strays, change.number);
        if (!known.has_begun)
            wanted = work_is_wanted = true;
        else if (change.is_added)
            know_added();
        else
            know_removed();
    }
    change.number = 0;
}

/* ---- the list ---- */

long orphan_has(const struct inode *i)
{
    struct inode before;

    return box->now.counters.last_orphan ? find(i, &before) : 0;
}

long orphan_add(struct inode *i)
{
    long result = orphan_has(i);

    if (result == 1)
        return 0;
    if (result == 0)
        result = inode_change(i);
    if (result)
        return result;
    /* one that is being cut off is looked after by whoever does that */
    change = (struct change){.number = i->number,
                             .next = box->now.counters.last_orphan,
                             .is_added = true,
                             .is_due = i->raw->links == 0 && !is_kept(i)};
    i->raw->dtime = box->now.counters.last_orphan;
    box->now.counters.last_orphan = i->number;
    return 0;
}

long orphan_remove(struct inode *i)
{
    struct inode before;
    long result = box->now.counters.last_orphan ? find(i, &before) : 0;

    if (result <= 0)
        return result;
    result = inode_change(i);
    if (result == 0 && before.number)
        result = inode_change(&before);
    if (result)
        return result;
    change = (struct change){.number = i->number, .before = before.number, .next = i->raw->dtime};
    if (before.number)
        before.raw->dtime = i->raw->dtime;
    else
        box->now.counters.last_orphan = i->raw->dtime;
    i->raw->dtime = 0;
    return 0;
}

/* ---- deleting ---- */

/* The block of extended attributes, which several inodes may share. */
static long drop_attributes(struct inode *i)
{
    uint64_t block = i->raw->file_acl_lo | (uint64_t)i->raw->file_acl_hi << 32;
    struct ext4_xattr_header *h;
    struct buffer *b;
    long result;

    if (block == 0)
        return 0;
    result = block_get(block, KIND_XATTR, 0, &b);
    if (result)
        return result;
    h = buffer_data(b);
    if (h->magic != EXT4_XATTR_MAGIC || h->references == 0)
        return -EUCLEAN;
    i->raw->file_acl_lo = 0;
    i->raw->file_acl_hi = 0;
    if (h->references == 1)
        return blocks_free(block, 1, true);
    result = block_change(b);
    if (result == 0)
        h->references--;
    return result;
}

long inode_delete(struct inode *i)
{
    bool is_directory = S_ISDIR(i->raw->mode);
    long result = inode_change(i);

    if (result == 0 && (i->raw->flags & INODE_EXTENTS))
        result = extent_truncate(i, 0, DELETE_EXTENTS);
    else if (result == 0 && (S_ISREG(i->raw->mode) || is_directory))
        result = -EOPNOTSUPP; /* block maps */
    if (result)
        return result;
    result = drop_attributes(i);
    if (result == 0)
        result = orphan_remove(i);
    if (result == 0)
        result = inode_free(i->number, is_directory);
    if (result)
        return result;
    inode_set_size(i, 0);
    i->raw->dtime = (uint32_t)(time_now() / 1000000000u);
    i->raw->links = 0;
    i->raw->mode = 0;
    return 0;
}

/* One operation for this orphan: 1: it takes more; 0: done with it. */
static long finish(struct inode *i)
{
    uint32_t from;
    long result;

    if (i->raw->links == 0)
        return inode_delete(i);
    from = (uint32_t)((inode_size(i) + volume.block_size - 1) >> volume.block_shift);
    result = inode_change(i);
    if (result == 0)
        result = extent_truncate(i, from, DELETE_EXTENTS);
    return result ? result : orphan_remove(i);
}

/* 1: the turn is over, and it takes more; 0: it has gone, or is kept. */
static long end_one(uint32_t number)
{
    struct inode i;
    long result;

    if (!numbers_find(&listed, number)) /* somebody else has ended it */
        return 0;
    do {
        result = inode_get(number, &i);
        if (result || is_kept(&i))
            return result;
        result = change_begin();
        if (result == 0)
            result = change_end(finish(&i));
    } while (result == 1 && !turn_is_over());
    return result;
}

long orphans_step(void)
{
    long result;

    if (!wanted || !released || volume.read_only)
        return 0;
    result = know();
    if (result == EXT4_MISS)
        return result;
    if (result < 0)
        log_info("the list of orphans cannot be read: %s", error_name(result));
    while (queue_first != queue_end) {
        uint32_t number = queue[queue_first];

        result = end_one(number);
        if (result == EXT4_MISS)
            return result;
        if (result != 1)
            dequeue();
        if (result < 0) {
            log_info("inode %u, an orphan, cannot be deleted: %s", number, error_name(result));
            break;
        }
        if (turn_is_over()) { /* the rest has another */
            turn_again();
            return 0;
        }
    }
    wanted = false;
    return 0;
}
