/* SPDX-License-Identifier: BSD-2-Clause */
/* The contents of files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "servers/fs/ext4/ahead.h"
#include "servers/fs/ext4/data.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"

enum {
    PIECE_BYTES = 256 << 10, /* of a write: one operation */
    PIECE_BLOCKS = 256, /* with the smallest blocks */
};

/* ---- reading ---- */

/* Blocks whose memory lies in a row. */
struct span {
    uint8_t *memory;
    size_t length;
    struct buffer *first;
    uint32_t count;
};

/* The next bytes at `offset` as one span; memory NULL: zeros. */
static long find_span(struct inode *i, uint64_t offset, uint64_t end, struct span *out)
{
    uint32_t logical = (uint32_t)(offset >> volume.block_shift);
    uint32_t in_block = (uint32_t)(offset & (volume.block_size - 1));
    uint32_t want = (uint32_t)((end - 1) >> volume.block_shift) - logical + 1;
    struct extent_map map;
    struct buffer *b;
    long result = extent_find(i, logical, want, &map);

    if (result)
        return result;
    *out = (struct span){.length = ((size_t)map.count << volume.block_shift) - in_block};
    if (map.physical && !map.unwritten) {
        result = block_get_data(map.physical, &b);
        if (result)
            return result;
        *out =
            (struct span){(uint8_t *)buffer_data(b) + in_block, volume.block_size - in_block, b, 1};
        for (; out->count < map.count; out->count++, out->length += volume.block_size) {
            struct buffer *next;

            if (block_get_data(map.physical + out->count, &next) != 0 || next != b + out->count)
                break;
        }
    }
    if (out->length > end - offset)
        out->length = (size_t)(end - offset);
    return 0;
}

/* It has been copied: is that what was to be copied? */
static bool span_was_right(const struct span *s)
{
    bool right = true;

    for (uint32_t n = 0; n < s->count; n++)
        right &= cache_was_right(s->first + n);
    return right;
}

static long copy_zeros(endpoint_t program, uint64_t address, size_t length)
{
    static const uint8_t zeros[4096];
    long result = 0;

    for (size_t n; length && result == 0; length -= n, address += n) {
        n = length < sizeof zeros ? length : sizeof zeros;
        result = give_program(program, address, zeros, n);
    }
    return result;
}

/* As Linux's "relatime": when it would otherwise lie before a change, or is a day old. */
static void touch(struct inode *i)
{
    uint64_t was = inode_time(i, TIME_ACCESS), now = time_now();

    if (volume.read_only || volume.no_atime ||
        (was > inode_time(i, TIME_MODIFY) && was > inode_time(i, TIME_CHANGE) &&
         now - was < 86400000000000ull))
        return;
    if (change_begin() == 0) {
        long result = inode_change(i);

        if (result == 0)
            inode_set_time(i, TIME_ACCESS, now);
        change_end(result);
    }
}

/* When a block is missing all of this is run again: how far it has got is noted, so that what was
 * copied is not copied once more, and its blocks are not needed any more. Otherwise a read of more
 * than the cache has room for would never end. */
long file_read(uint64_t node, struct fs_transfer *t)
{
    uint64_t before = request_before(t->length), end, size, done = request_read(before);
    struct inode i;
    long result = data_regular(node, &i);

    if (result)
        return result;
    size = inode_size(&i);
    if (t->offset >= size || t->length == 0)
        return 0;
    if (done > t->length)
        done = t->length; /* this piece of a vector has been read */
    end = t->length > size - t->offset ? size : t->offset + t->length;
    if (done < end - t->offset)
        read_ahead(&i, t->offset + done, end);
    while (result == 0 && t->offset + done < end) {
        struct span s;

        result = find_span(&i, t->offset + done, end, &s);
        if (result)
            break;
        result = s.memory ? give_program(t->program, t->address + done, s.memory, s.length)
                          : copy_zeros(t->program, t->address + done, s.length);
        if (result == 0 && span_was_right(&s))
            done += s.length;
    }
    request_has_read(before + done);
    if (result == EXT4_MISS || (result && done == 0))
        return result;
    touch(&i);
    return (long)done;
}

/* ---- writing ---- */

/* What one operation writes. */
struct piece {
    uint64_t offset;
    size_t length;
    size_t limit; /* after -EAGAIN: no more than this can be written */
    uint32_t count; /* blocks */
    struct buffer *block[PIECE_BLOCKS];
    bool fresh[PIECE_BLOCKS]; /* they get their contents now: until then they are not valid */
};

static bool is_whole(const struct piece *p, uint32_t n)
{
    uint64_t first = (p->offset >> volume.block_shift) + n;

    return first << volume.block_shift >= p->offset &&
           (first + 1) << volume.block_shift <= p->offset + p->length;
}

/* Blocks for a hole, or what was unwritten: zeros. */
static long fill_hole(struct inode *i, uint32_t logical, const struct extent_map *map,
                      struct piece *p)
{
    uint64_t physical = map->physical, goal;
    uint32_t got = map->count;
    long result = 0;

    if (physical) {
        result = extent_written(i, logical, got);
    } else {
        result = extent_goal(i, logical, &goal);
        if (result == 0)
            result = blocks_allocate(goal, got, &physical, &got);
        if (result == 0)
            result = extent_insert(i, logical, physical, got, false);
    }
    for (uint32_t n = 0; result == 0 && n < got; n++)
        result = block_fresh_data(physical + n, &p->block[p->count++]);
    return result;
}

/* A part of it stays as it is, and gets a code with the rest. */
static long get_to_change(uint64_t block, struct buffer **out)
{
    long result;

    do
        result = block_get_data(block, out);
    while (result == 0 && !cache_was_right(*out));
    return result;
}

static long find_written(const struct extent_map *map, struct piece *p)
{
    long result = 0;

    for (uint32_t n = 0; result == 0 && n < map->count; n++, p->count++) {
        struct buffer **b = &p->block[p->count];

        result = is_whole(p, p->count) ? block_overwrite(map->physical + n, b)
                                       : get_to_change(map->physical + n, b);
        p->fresh[p->count] = result == 0 && !((*b)->state & B_VALID);
    }
    return result;
}

/* The blocks of the piece. With a full disk -EAGAIN: as many as there are. */
static long map_piece(struct inode *i, struct piece *p)
{
    uint32_t first = (uint32_t)(p->offset >> volume.block_shift);
    uint32_t total = (uint32_t)((p->offset + p->length - 1) >> volume.block_shift) - first + 1;
    long result = 0;

    p->count = 0;
    memset(p->fresh, 0, sizeof p->fresh);
    while (result == 0 && p->count < total) {
        struct extent_map map;
        uint32_t before = p->count;

        result = extent_find(i, first + before, total - before, &map);
        if (result == 0)
            result = map.physical && !map.unwritten ? find_written(&map, p)
                                                    : fill_hole(i, first + before, &map, p);
        if (result == -ENOSPC && before) {
            p->limit = (size_t)(((uint64_t)(first + before) << volume.block_shift) - p->offset);
            return -EAGAIN;
        }
    }
    return result;
}

/* From the program's memory into the blocks. Bytes, or an error when there are none. */
static long fill_piece(const struct piece *p, const struct fs_transfer *t, uint64_t address)
{
    uint32_t in_block = (uint32_t)(p->offset & (volume.block_size - 1));
    size_t done = 0;
    uint32_t n = 0;

    while (n < p->count && done < p->length) {
        size_t length = volume.block_size - in_block;
        uint32_t run = 1;
        long result;

        while (n + run < p->count && p->block[n + run] == p->block[n] + run) {
            length += volume.block_size;
            run++;
        }
        if (length > p->length - done)
            length = p->length - done;
        for (uint32_t k = n; k < n + run; k++) /* half of it may be there at a death */
            if (!p->fresh[k])
                data_dirty(p->block[k]);
        result = take_from_program(t->program, address + done,
                                   (uint8_t *)buffer_data(p->block[n]) + in_block, length);
        if (result < 0) { /* what was not valid before is not now */
            for (uint32_t k = n; k < p->count; k++)
                if (p->fresh[k])
                    cache_drop(p->block[k]);
            return done ? (long)done : result;
        }
        for (uint32_t k = n; k < n + run; k++)
            data_dirty(p->block[k]);
        n += run;
        done += length;
        in_block = 0;
    }
    return (long)done;
}

static long write_piece(struct inode *i, struct piece *p, const struct fs_transfer *t,
                        uint64_t address)
{
    uint64_t now = time_now(), end;
    long result = map_piece(i, p), written;

    if (result == 0)
        result = inode_change(i);
    if (result)
        return result;
    written = fill_piece(p, t, address);
    if (written < 0)
        return written;
    if ((size_t)written < p->length) { /* no blocks for what did not come */
        p->limit = (size_t)written;
        return -EAGAIN;
    }
    end = p->offset + (uint64_t)written;
    if (end > inode_size(i))
        inode_set_size(i, end);
    inode_set_time(i, TIME_MODIFY, now);
    inode_set_time(i, TIME_CHANGE, now);
    return written;
}

static long may_write(const struct inode *i, uint64_t end)
{
    if (i->raw->flags & INODE_IMMUTABLE)
        return -EPERM;
    if (end > data_size_limit())
        return -EFBIG;
    return i->raw->flags & INODE_EXTENTS ? 0 : -EOPNOTSUPP;
}

/* One operation: bytes, or an error. */
static long write_some(uint64_t node, const struct fs_transfer *t, uint64_t before,
                       struct progress *progress, size_t *limit)
{
    static struct piece p;
    uint64_t skip = progress->done - before;
    struct inode i;
    long result = change_begin();

    if (result)
        return result;
    result = data_regular(node, &i);
    if (result == 0 && progress->done == 0)
        progress->start = t->flags & O_APPEND ? inode_size(&i) : t->offset;
    p.offset = progress->start + progress->done;
    p.length = (size_t)(t->length - skip);
    if (p.length > PIECE_BYTES - p.offset % PIECE_BYTES)
        p.length = PIECE_BYTES - p.offset % PIECE_BYTES;
    if (p.length > ((size_t)(PIECE_BLOCKS - 1) << volume.block_shift))
        p.length = (size_t)(PIECE_BLOCKS - 1) << volume.block_shift;
    if (p.length > *limit)
        p.length = *limit;
    if (result == 0)
        result = may_write(&i, p.offset + p.length);
    if (result == 0)
        result = write_piece(&i, &p, t, t->address + skip);
    if (result > 0) {
        progress->done += (uint64_t)result;
        request_record_progress(*progress);
    }
    write_dirtied(result > 0 ? p.count : 0);
    if (result == -EAGAIN)
        *limit = p.limit;
    return change_end(result);
}

long file_write(uint64_t node, struct fs_transfer *t)
{
    uint64_t before = request_before(t->length);
    struct progress progress = request_progress();
    size_t limit = SIZE_MAX;
    long result = request_lock(node);

    if (result)
        return result;
    while (progress.done < before + t->length) {
        result = write_some(node, t, before, &progress, &limit);
        if (result == -EAGAIN)
            result = write_some(node, t, before, &progress, &limit);
        if (result <= 0)
            break;
    }
    if (result == EXT4_MISS)
        return result;
    t->position = progress.start + (progress.done < before ? before : progress.done);
    if (progress.done > before)
        return (long)(progress.done - before < t->length ? progress.done - before : t->length);
    return t->length == 0 ? 0 : result;
}
