/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks and inodes: which are free. The bitmaps and the groups' descriptors are the only record;
 * what a transaction has freed is free in them at once, but not given away before it has committed
 * (op_pending()).
 */
#include <errno.h>
#include <string.h>

#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/zone.h"

enum {
    RUN_ENOUGH = 512, /* blocks in a row: not worth looking for more */
    GROUPS_LOOKED = 16, /* bitmaps in which a run so long is looked for; then any will do */
    BLOCK_SIZE_MAX = 4096,
};

/* ---- descriptors ---- */

static bool is_wide(void)
{
    return volume.group_size >= 64;
}

static uint64_t wide(uint32_t lo, uint32_t hi)
{
    return lo | (is_wide() ? (uint64_t)hi << 32 : 0);
}

uint64_t group_block_bitmap(const struct group *g)
{
    return wide(g->raw->block_bitmap_lo, is_wide() ? g->raw->block_bitmap_hi : 0);
}

uint64_t group_inode_bitmap(const struct group *g)
{
    return wide(g->raw->inode_bitmap_lo, is_wide() ? g->raw->inode_bitmap_hi : 0);
}

uint64_t group_inode_table(const struct group *g)
{
    return wide(g->raw->inode_table_lo, is_wide() ? g->raw->inode_table_hi : 0);
}

static uint32_t free_blocks(const struct group *g)
{
    return g->raw->free_blocks_lo | (is_wide() ? (uint32_t)g->raw->free_blocks_hi << 16 : 0);
}

static uint32_t free_inodes(const struct group *g)
{
    return g->raw->free_inodes_lo | (is_wide() ? (uint32_t)g->raw->free_inodes_hi << 16 : 0);
}

static uint32_t unused_inodes(const struct group *g)
{
    return g->raw->itable_unused_lo | (is_wide() ? (uint32_t)g->raw->itable_unused_hi << 16 : 0);
}

static void put_free_blocks(struct group *g, uint32_t n)
{
    g->raw->free_blocks_lo = (uint16_t)n;
    if (is_wide())
        g->raw->free_blocks_hi = (uint16_t)(n >> 16);
}

static void put_free_inodes(struct group *g, uint32_t n)
{
    g->raw->free_inodes_lo = (uint16_t)n;
    if (is_wide())
        g->raw->free_inodes_hi = (uint16_t)(n >> 16);
}

static void put_unused_inodes(struct group *g, uint32_t n)
{
    g->raw->itable_unused_lo = (uint16_t)n;
    if (is_wide())
        g->raw->itable_unused_hi = (uint16_t)(n >> 16);
}

static void add_directories(struct group *g, int change)
{
    uint32_t n = g->raw->used_dirs_lo | (is_wide() ? (uint32_t)g->raw->used_dirs_hi << 16 : 0);

    n += (uint32_t)change;
    g->raw->used_dirs_lo = (uint16_t)n;
    if (is_wide())
        g->raw->used_dirs_hi = (uint16_t)(n >> 16);
}

static bool is_inside(uint64_t first, uint64_t count)
{
    return first > volume.first_data_block && first < volume.blocks &&
           count <= volume.blocks - first;
}

long group_get(uint32_t number, struct group *out)
{
    uint64_t block = volume.first_data_block + 1 + number / volume.groups_per_block;
    long result =
        number < volume.groups ? block_get(block, KIND_GROUPS, 0, &out->buffer) : -EUCLEAN;

    if (result)
        return result;
    out->raw = (void *)((uint8_t *)buffer_data(out->buffer) +
                        number % volume.groups_per_block * volume.group_size);
    return is_inside(group_block_bitmap(out), 1) && is_inside(group_inode_bitmap(out), 1) &&
                   is_inside(group_inode_table(out), volume.inode_table_blocks)
               ? 0
               : -EUCLEAN;
}

static uint64_t group_first(uint32_t number)
{
    return volume.first_data_block + (uint64_t)number * volume.blocks_per_group;
}

static uint32_t group_blocks(uint32_t number)
{
    uint64_t left = volume.blocks - group_first(number);

    return left < volume.blocks_per_group ? (uint32_t)left : volume.blocks_per_group;
}

/* ---- bits ---- */

static bool bit(const uint8_t *map, uint32_t n)
{
    return map[n / 8] >> n % 8 & 1;
}

static void set_bits(uint8_t *map, uint32_t first, uint32_t count, bool value)
{
    for (uint32_t n = first; n < first + count; n++)
        if (n % 8 == 0 && first + count - n >= 8) {
            map[n / 8] = value ? 0xff : 0;
            n += 7;
        } else if (value) {
            map[n / 8] |= (uint8_t)(1u << n % 8);
        } else {
            map[n / 8] &= (uint8_t) ~(1u << n % 8);
        }
}

/* The first bit from `from` on that is `value`; `end` when there is none. */
static uint32_t find_bit(const uint8_t *map, uint32_t from, uint32_t end, bool value)
{
    uint8_t skip = value ? 0 : 0xff;

    while (from < end && bit(map, from) != value) {
        if (from % 8 == 0)
            while (from + 8 <= end && map[from / 8] == skip)
                from += 8;
        if (from < end && bit(map, from) != value)
            from++;
    }
    return from;
}

/* ---- bitmaps ---- */

/* What a group's bitmap looks like that mke2fs has left to us: in use is what the group needs for
 * itself. */
static void fill_block_bitmap(uint8_t *map, uint32_t number, const struct group *g)
{
    uint64_t first = group_first(number),
             own[3][2] = {{group_block_bitmap(g), 1},
                          {group_inode_bitmap(g), 1},
                          {group_inode_table(g), volume.inode_table_blocks}};
    uint32_t blocks = group_blocks(number);

    set_bits(map, 0, zone_group_base(number), true);
    for (unsigned n = 0; n < 3; n++)
        for (uint64_t b = own[n][0]; b < own[n][0] + own[n][1]; b++)
            if (b >= first && b < first + blocks)
                set_bits(map, (uint32_t)(b - first), 1, true);
    set_bits(map, blocks, volume.block_size * 8 - blocks, true);
}

static long bitmap_get(uint32_t number, struct group *g, bool of_blocks, struct buffer **out)
{
    uint32_t flag = of_blocks ? GROUP_BLOCK_UNINIT : GROUP_INODE_UNINIT;
    enum kind kind = of_blocks ? KIND_BLOCK_BITMAP : KIND_INODE_BITMAP;
    uint64_t block = of_blocks ? group_block_bitmap(g) : group_inode_bitmap(g);
    long result;

    if (!(g->raw->flags & flag))
        return block_get(block, kind, number, out);
    result = block_change(g->buffer);
    if (result == 0)
        result = block_fresh(block, kind, number, out);
    if (result)
        return result;
    g->raw->flags &= (uint16_t)~flag;
    if (of_blocks)
        fill_block_bitmap(buffer_data(*out), number, g);
    else
        set_bits(buffer_data(*out), volume.inodes_per_group,
                 volume.block_size * 8 - volume.inodes_per_group, true);
    return 0;
}

/* ---- blocks ---- */

struct run {
    uint32_t first, count; /* bits in a group */
    bool waits; /* some are free, but wait for their transaction */
    bool looked; /* its bitmap was */
};

/* The group's bitmap, with those taken, too, that wait. */
static const uint8_t *usable(const uint8_t *map, uint32_t number, bool *waits)
{
    static uint8_t copy[BLOCK_SIZE_MAX];
    uint64_t base = group_first(number);
    uint32_t blocks = group_blocks(number), n = 0;
    const struct freed *f = op_pending(base, blocks, &n);

    if (!f)
        return map;
    *waits = true;
    memcpy(copy, map, volume.block_size);
    for (; f; f = op_pending(base, blocks, &n)) {
        uint64_t first = f->block < base ? base : f->block, end = f->block + f->count;

        if (end > base + blocks)
            end = base + blocks;
        set_bits(copy, (uint32_t)(first - base), (uint32_t)(end - first), true);
    }
    return copy;
}

/* At `from` when it is free; else the first run of `want`; else the longest. Count 0: none. */
static void best_run(const uint8_t *map, uint32_t from, uint32_t end, uint32_t want,
                     struct run *best)
{
    best->count = 0;
    for (uint32_t at = from; at < end;) {
        uint32_t first = find_bit(map, at, end, false), last = find_bit(map, first, end, true);

        if (last - first > best->count) {
            best->first = first;
            best->count = last - first;
        }
        if (last > first && (first == from || last - first >= want))
            break;
        at = last;
    }
}

static long take_run(uint32_t number, struct group *g, struct buffer *map, const struct run *r)
{
    long result = block_change(map);

    if (result == 0)
        result = block_change(g->buffer);
    if (result)
        return result;
    if (free_blocks(g) < r->count || box->now.counters.free_blocks < r->count)
        return -EUCLEAN;
    set_bits(buffer_data(map), r->first, r->count, true);
    put_free_blocks(g, free_blocks(g) - r->count);
    box->now.counters.free_blocks -= r->count;
    return zone_has(group_first(number) + r->first, r->count) ? -EUCLEAN : 0;
}

/* One group: 1 taken, 0 nothing there. */
static long allocate_in(uint32_t number, uint32_t from, uint32_t want, bool any, struct run *r)
{
    struct buffer *map;
    struct group g;
    long result = group_get(number, &g);

    r->count = 0;
    r->looked = false;
    if (result)
        return result;
    if (free_blocks(&g) == 0 || (!any && free_blocks(&g) < want))
        return 0;
    result = bitmap_get(number, &g, true, &map);
    if (result)
        return result;
    r->looked = true;
    best_run(usable(buffer_data(map), number, &r->waits), from, group_blocks(number), want, r);
    if (r->count == 0 || (!any && r->first != from && r->count < want))
        return 0;
    if (r->count > want)
        r->count = want;
    result = take_run(number, &g, map, r);
    return result ? result : 1;
}

/* First a run of the length that is wanted, near the goal, but not at any price: a disk in pieces
 * would have all its bitmaps read for each block. Then whatever there is. Blocks that wait for
 * their transaction are no lack of room: they are free when that has committed. */
long blocks_allocate(uint64_t goal, uint32_t want, uint64_t *first, uint32_t *got)
{
    struct run r = {0};
    unsigned looked = 0;

    if (goal < volume.first_data_block || goal >= volume.blocks)
        goal = volume.first_data_block;
    if (want > RUN_ENOUGH)
        want = RUN_ENOUGH;
    for (int pass = 0; pass < 2 && box->now.counters.free_blocks; pass++) {
        uint32_t start = (uint32_t)((goal - volume.first_data_block) / volume.blocks_per_group);
        uint32_t from = (uint32_t)((goal - volume.first_data_block) % volume.blocks_per_group);

        for (uint32_t n = 0; n <= volume.groups; n++) {
            uint32_t number = (start + n) % volume.groups;
            /* the goal's own group comes last once more, from its beginning */
            long result = allocate_in(number, n == 0 ? from : 0, want, pass == 1, &r);

            if (result < 0)
                return result;
            looked += r.looked;
            if (pass == 0 && result == 0 && looked == GROUPS_LOOKED)
                break;
            if (result == 1) {
                *first = group_first(number) + r.first;
                *got = r.count;
                return 0;
            }
        }
    }
    return r.waits ? miss_commit() : -ENOSPC;
}

static long free_in(uint32_t number, uint32_t first, uint32_t count)
{
    struct buffer *map;
    struct group g;
    long result = group_get(number, &g);

    if (result == 0)
        result = bitmap_get(number, &g, true, &map);
    if (result == 0)
        result = block_change(map);
    if (result == 0)
        result = block_change(g.buffer);
    if (result)
        return result;
    if (find_bit(buffer_data(map), first, first + count, false) != first + count)
        return -EUCLEAN;
    set_bits(buffer_data(map), first, count, false);
    put_free_blocks(&g, free_blocks(&g) + count);
    box->now.counters.free_blocks += count;
    return 0;
}

long blocks_free(uint64_t first, uint32_t count, bool is_metadata)
{
    long result = is_inside(first, count) && !block_is_system(first, count)
                      ? op_freed(first, count, is_metadata)
                      : -EUCLEAN;

    while (result == 0 && count) {
        uint64_t at = first - volume.first_data_block;
        uint32_t offset = (uint32_t)(at % volume.blocks_per_group);
        uint32_t n =
            volume.blocks_per_group - offset < count ? volume.blocks_per_group - offset : count;

        result = free_in((uint32_t)(at / volume.blocks_per_group), offset, n);
        first += n;
        count -= n;
    }
    return result;
}

bool block_is_system(uint64_t first, uint32_t count)
{
    return zone_has(first, count);
}

/* ---- inodes ---- */

static bool counts_unused(void)
{
    return volume.has_checksums;
}

/* The blocks of the inode table up to that of `index`, as far as nobody has ever used them. */
static long prepare_table(struct group *g, uint32_t number, uint32_t index)
{
    uint32_t used = volume.inodes_per_group - unused_inodes(g);
    uint32_t each = volume.inodes_per_block;

    if (!counts_unused() || unused_inodes(g) > volume.inodes_per_group || index < used)
        return 0;
    for (uint32_t block = (used + each - 1) / each; block <= index / each; block++) {
        struct buffer *b;
        long result = block_fresh(group_inode_table(g) + block, KIND_INODES,
                                  number * volume.inodes_per_group + block * each + 1, &b);

        if (result)
            return result;
    }
    put_unused_inodes(g, volume.inodes_per_group - index - 1);
    return 0;
}

/* In this group: 1, and *out; 0: it has none. */
static long inode_in(uint32_t number, bool is_directory, uint32_t *out)
{
    uint32_t reserved = number == 0 ? volume.first_inode - 1 : 0, index;
    struct buffer *map, *blocks;
    struct group g;
    long result = group_get(number, &g);

    if (result || free_inodes(&g) == 0)
        return result;
    result = bitmap_get(number, &g, false, &map);
    if (result)
        return result;
    index = find_bit(buffer_data(map), reserved, volume.inodes_per_group, false);
    if (index >= volume.inodes_per_group) /* (a small group 0 has none but reserved ones) */
        return -EUCLEAN;
    result = block_change(g.buffer);
    if (result == 0)
        result = block_change(map);
    if (result == 0 && (g.raw->flags & GROUP_BLOCK_UNINIT))
        result = bitmap_get(number, &g, true, &blocks);
    if (result == 0)
        result = prepare_table(&g, number, index);
    if (result)
        return result;
    set_bits(buffer_data(map), index, 1, true);
    put_free_inodes(&g, free_inodes(&g) - 1);
    add_directories(&g, is_directory);
    box->now.counters.free_inodes--;
    *out = number * volume.inodes_per_group + index + 1;
    return 1;
}

/* Directories are spread: to the first group from their parent's on that has no less room than most
 * have. */
static long group_for_directory(uint32_t start, uint32_t *out)
{
    uint32_t inodes = box->now.counters.free_inodes / volume.groups;
    uint64_t blocks = box->now.counters.free_blocks / volume.groups;

    *out = start;
    for (uint32_t n = 0; n < volume.groups; n++) {
        uint32_t number = (start + n) % volume.groups;
        struct group g;
        long result = group_get(number, &g);

        if (result)
            return result;
        if (free_inodes(&g) && free_inodes(&g) >= inodes && free_blocks(&g) >= blocks) {
            *out = number;
            break;
        }
    }
    return 0;
}

long inode_allocate(uint32_t parent, bool is_directory, uint32_t *number)
{
    uint32_t start = (parent - 1) / volume.inodes_per_group % volume.groups;
    long result =
        is_directory && parent == EXT4_ROOT_INODE ? group_for_directory(start, &start) : 0;

    for (uint32_t n = 0; result == 0 && n < volume.groups; n++) {
        result = inode_in((start + n) % volume.groups, is_directory, number);
        if (result == 1)
            return 0;
    }
    return result ? result : -ENOSPC;
}

long inode_free(uint32_t number, bool is_directory)
{
    uint32_t group = (number - 1) / volume.inodes_per_group;
    uint32_t index = (number - 1) % volume.inodes_per_group;
    struct buffer *map;
    struct group g;
    long result;

    if (number < volume.first_inode || number > volume.inodes)
        return -EUCLEAN;
    result = group_get(group, &g);
    if (result == 0)
        result = bitmap_get(group, &g, false, &map);
    if (result == 0)
        result = block_change(map);
    if (result == 0)
        result = block_change(g.buffer);
    if (result)
        return result;
    if (!bit(buffer_data(map), index))
        return -EUCLEAN;
    set_bits(buffer_data(map), index, 1, false);
    put_free_inodes(&g, free_inodes(&g) + 1);
    add_directories(&g, is_directory ? -1 : 0);
    box->now.counters.free_inodes++;
    return 0;
}
