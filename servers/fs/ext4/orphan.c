/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphans: inodes that must not stay as they are. Those without links live as long as somebody has
 * them open; others are being cut off, which takes several operations. The list of them begins in
 * the super block and goes on in their dtime, so that whoever mounts after a power failure ends
 * what was begun.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"

enum { DELETE_EXTENTS = 24, LIST_LIMIT = 1 << 20 };

/* ---- who has what open ---- */

static struct opened_node {
    uint64_t node; /* 0: unused */
    unsigned count;
} * table;
static uint32_t table_size, table_used;
static bool released, wanted;

static struct opened_node *place_of(uint64_t node)
{
    uint32_t n = (uint32_t)(node * 0x9e3779b97f4a7c15ull >> 33) & (table_size - 1);

    while (table[n].node && table[n].node != node)
        n = (n + 1) & (table_size - 1);
    return &table[n];
}

static void table_grow(void)
{
    struct opened_node *old = table;
    uint32_t old_size = table_size;

    table_size = old_size ? 2 * old_size : 64;
    table = calloc(table_size, sizeof *table);
    if (!table)
        panic("no memory for the table of open files");
    table_used = 0;
    for (uint32_t n = 0; n < old_size; n++)
        if (old[n].count) {
            *place_of(old[n].node) = old[n];
            table_used++;
        }
    free(old);
}

void opened(uint64_t node, int change)
{
    struct opened_node *o;

    if (2 * (table_used + 1) > table_size)
        table_grow();
    o = place_of(node);
    if (o->node == 0) {
        if (change < 0)
            return;
        o->node = node;
        table_used++;
    }
    if (change > 0 || o->count)
        o->count += (unsigned)change;
    if (o->count == 0)
        wanted = work_is_wanted = box->now.counters.last_orphan != 0;
}

unsigned open_count(uint64_t node)
{
    return table_size ? place_of(node)->count : 0;
}

void orphans_release(void)
{
    released = wanted = work_is_wanted = true;
}

/* ---- the list ---- */

/* The orphan that leads to i, or the head: 1 found; 0: i is not in the list. *before: number 0 is
 * the head. */
static long find(const struct inode *i, struct inode *before)
{
    uint32_t number = box->now.counters.last_orphan;

    before->number = 0;
    for (uint32_t n = 0; number && n < LIST_LIMIT; n++) {
        long result;

        if (number == i->number)
            return 1;
        result = inode_get(number, before);
        if (result)
            return result == -ESTALE ? -EUCLEAN : result;
        number = before->raw->dtime;
        if (number > volume.inodes)
            return -EUCLEAN;
    }
    return number ? -EUCLEAN : 0;
}

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
    i->raw->dtime = box->now.counters.last_orphan;
    box->now.counters.last_orphan = i->number;
    return 0;
}

long orphan_remove(struct inode *i)
{
    struct inode before;
    long result = find(i, &before);

    if (result <= 0)
        return result;
    result = inode_change(i);
    if (result == 0 && before.number)
        result = inode_change(&before);
    if (result)
        return result;
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

/* One operation for this orphan: 1: it takes more; 0: done with it, *next is the one after it. */
static long finish(uint32_t number, uint32_t *next)
{
    uint32_t from;
    struct inode i;
    long result = inode_get(number, &i);

    if (result)
        return result;
    *next = i.raw->dtime;
    if (i.raw->links == 0)
        return inode_delete(&i);
    from = (uint32_t)((inode_size(&i) + volume.block_size - 1) >> volume.block_shift);
    result = inode_change(&i);
    if (result == 0)
        result = extent_truncate(&i, from, DELETE_EXTENTS);
    return result ? result : orphan_remove(&i);
}

static long is_kept(uint32_t number, uint32_t *next)
{
    struct inode i;
    long result = inode_get(number, &i);

    if (result)
        return result;
    *next = i.raw->dtime;
    return i.raw->links == 0 && open_count(node_of(&i)) ? 1 : 0;
}

long orphans_step(void)
{
    uint32_t number = box->now.counters.last_orphan, next = 0;
    long result = 0;

    if (!wanted || !released || volume.read_only)
        return 0;
    for (uint32_t n = 0; number && n < LIST_LIMIT && result >= 0; number = next, n++) {
        result = is_kept(number, &next);
        if (result)
            continue;
        do {
            result = change_begin();
            if (result == 0)
                result = change_end(finish(number, &next));
        } while (result == 1 && !turn_is_over());
        if (result >= 0 && turn_is_over()) { /* the rest has another */
            turn_again();
            return 0;
        }
    }
    if (result == EXT4_MISS)
        return result;
    if (result < 0)
        log_info("inode %u, an orphan, cannot be deleted: %s", number, error_name(result));
    wanted = false;
    return 0;
}
