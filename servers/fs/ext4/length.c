/* SPDX-License-Identifier: BSD-2-Clause */
/* How long files are, and which parts of them have blocks. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "servers/fs/ext4/data.h"
#include "servers/fs/ext4/file.h"

enum {
    CUT_EXTENTS = 24, /* taken off in one operation */
    FALLOC_KEEP = 1, /* FALLOC_FL_KEEP_SIZE */
};

uint64_t data_size_limit(void)
{
    return (uint64_t)UINT32_MAX << volume.block_shift;
}

long data_regular(uint64_t node, struct inode *i)
{
    long result = node_inode(node, i);

    if (result || S_ISREG(i->raw->mode))
        return result;
    return S_ISDIR(i->raw->mode) ? -EISDIR : -EINVAL;
}

void data_dirty(struct buffer *b)
{
    box_fence(); /* with what is there already; before what is still to come */
    b->state |= B_VALID | B_DIRTY;
    b->changed = true;
    cache_changed(b);
    box_fence();
}

/* What lies after the end in its last block is zeros, always. */
static long clear_tail(struct inode *i, uint64_t length)
{
    uint32_t in_block = (uint32_t)(length & (volume.block_size - 1));
    struct extent_map map;
    struct buffer *b;
    long result;

    if (in_block == 0)
        return 0;
    result = extent_find(i, (uint32_t)(length >> volume.block_shift), 1, &map);
    if (result || map.physical == 0 || map.unwritten)
        return result;
    result = block_get(map.physical, KIND_DATA, 0, &b);
    if (result)
        return result;
    data_dirty(b);
    memset((uint8_t *)buffer_data(b) + in_block, 0, volume.block_size - in_block);
    return 0;
}

/* One operation of it: 1: it goes on. */
static long cut(uint64_t node, uint64_t length)
{
    uint32_t from = (uint32_t)((length + volume.block_size - 1) >> volume.block_shift);
    uint64_t now = time_now();
    struct inode i;
    long result = data_regular(node, &i), listed = 0;
    bool shrinks;

    if (result == 0)
        result = inode_change(&i);
    if (result)
        return result;
    shrinks = length < inode_size(&i);
    listed = orphan_has(&i);
    if (listed < 0)
        return listed;
    inode_set_size(&i, length);
    inode_set_time(&i, TIME_MODIFY, now);
    inode_set_time(&i, TIME_CHANGE, now);
    if (shrinks || listed)
        result = extent_truncate(&i, from, CUT_EXTENTS);
    if (result >= 0 && shrinks) {
        long cleared = clear_tail(&i, length);

        if (cleared)
            return cleared;
    }
    if (result == 1 && !listed) {
        long added = orphan_add(&i);

        return added ? added : 1;
    }
    return result == 0 && listed && i.raw->links ? orphan_remove(&i) : result;
}

long file_truncate(uint64_t node, uint64_t length)
{
    long result = length > data_size_limit() ? -EFBIG : request_lock(node);

    if (result)
        return result;
    do {
        result = change_begin();
        if (result)
            return result;
        result = change_end(cut(node, length));
        if (result == 1 && turn_is_over())
            return turn_wait();
    } while (result == 1);
    return result;
}

/* Blocks for the first hole from *at on: *at is what comes after it. */
static long allocate_some(uint64_t node, uint32_t *at, uint32_t end)
{
    struct extent_map map;
    struct inode i;
    uint64_t goal, first;
    uint32_t got;
    long result = data_regular(node, &i);

    if (result == 0)
        result = extent_find(&i, *at, end - *at, &map);
    if (result)
        return result;
    if (map.physical) {
        *at += map.count;
        return 0;
    }
    result = extent_goal(&i, *at, &goal);
    if (result == 0)
        result = blocks_allocate(goal, map.count, &first, &got);
    if (result == 0)
        result = extent_insert(&i, *at, first, got, true);
    if (result == 0)
        *at += got;
    return result;
}

static long set_allocated_size(uint64_t node, uint64_t end)
{
    struct inode i;
    long result = data_regular(node, &i);

    if (result == 0)
        result = inode_change(&i);
    if (result)
        return result;
    if (end > inode_size(&i))
        inode_set_size(&i, end);
    inode_set_time(&i, TIME_CHANGE, time_now());
    return 0;
}

/* An operation for each piece, so that what one changes does not grow with the length; the note
 * says where to go on. The size comes last: a failure leaves blocks behind the end, which nobody
 * sees. */
long file_allocate(uint64_t node, uint32_t mode, uint64_t offset, uint64_t length)
{
    uint64_t end = offset + length, *note = request_note();
    uint32_t at = (uint32_t)(offset >> volume.block_shift);
    long result;

    if (*note > at)
        at = (uint32_t)*note;
    if (mode & ~(uint32_t)FALLOC_KEEP)
        return -EOPNOTSUPP;
    if (length == 0 || end < offset)
        return -EINVAL;
    if (end > data_size_limit())
        return -EFBIG;
    result = request_lock(node);
    while (result == 0 && at < (end + volume.block_size - 1) >> volume.block_shift) {
        result = change_begin();
        if (result == 0)
            result = change_end(allocate_some(
                node, &at, (uint32_t)((end + volume.block_size - 1) >> volume.block_shift)));
        *note = at;
        if (result == 0 && turn_is_over())
            return turn_wait();
    }
    if (result == 0 && !(mode & FALLOC_KEEP)) {
        result = change_begin();
        if (result == 0)
            result = change_end(set_allocated_size(node, end));
    }
    return result;
}

long file_seek(uint64_t node, uint64_t offset, int whence)
{
    uint64_t size, *note = request_note();
    struct inode i;
    long result = data_regular(node, &i);

    if (result)
        return result;
    size = inode_size(&i);
    if (offset >= size)
        return -ENXIO;
    for (uint64_t at = *note > offset ? *note : offset; at < size;) {
        uint32_t logical = (uint32_t)(at >> volume.block_shift);
        struct extent_map map;

        result = extent_find(&i, logical, UINT32_MAX - logical, &map);
        if (result)
            return result;
        if ((map.physical && !map.unwritten) == (whence == SEEK_DATA))
            return (long)at;
        *note = at = ((uint64_t)logical + map.count) << volume.block_shift;
        if (turn_is_over())
            return turn_wait();
    }
    return whence == SEEK_DATA ? -ENXIO : (long)size;
}
