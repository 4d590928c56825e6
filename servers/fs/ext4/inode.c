/* SPDX-License-Identifier: BSD-2-Clause */
/* Inodes, where they lie: in the blocks of the inode tables. Nothing is kept beside them. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "servers/fs/ext4/ext4.h"

static uint32_t seed_of(uint32_t number, uint32_t generation)
{
    return crc32c(crc32c(volume.seed, &number, sizeof number), &generation, sizeof generation);
}

static long locate(uint32_t number, struct inode *out)
{
    uint32_t index = number - 1, group, first;
    struct group g;
    uint64_t block;
    long result;

    if (number == 0 || number > volume.inodes)
        return -ESTALE;
    group = index / volume.inodes_per_group;
    index %= volume.inodes_per_group;
    result = group_get(group, &g);
    if (result)
        return result;
    block = group_inode_table(&g) + index / volume.inodes_per_block;
    first = number - index % volume.inodes_per_block;
    result = block_get(block, KIND_INODES, first, &out->buffer);
    if (result)
        return result;
    out->number = number;
    out->raw = (void *)((uint8_t *)buffer_data(out->buffer) +
                        index % volume.inodes_per_block * volume.inode_size);
    out->seed = seed_of(number, out->raw->generation);
    return 0;
}

long inode_get(uint32_t number, struct inode *out)
{
    long result = locate(number, out);

    if (result)
        return result;
    /* without links it lives as long as it is open, on the list of orphans */
    if (out->raw->mode == 0)
        return -ESTALE;
    if (volume.inode_size > 128 &&
        (out->raw->extra_isize > volume.inode_size - 128 || out->raw->extra_isize % 4))
        return -EUCLEAN;
    return 0;
}

long inode_change(struct inode *i)
{
    return block_change(i->buffer);
}

/* The generation outlives the file: with the next one the checksums of what the former file had in
 * its blocks, which it goes into, are wrong, should any of that be taken for the new file's. */
long inode_new(uint32_t number, uint32_t mode, uint32_t uid, uint32_t gid, struct inode *out)
{
    uint64_t now = time_now();
    uint32_t generation;
    long result = locate(number, out);

    if (result == 0)
        result = inode_change(out);
    if (result)
        return result;
    generation = out->raw->generation + 1;
    memset(out->raw, 0, volume.inode_size);
    out->raw->mode = (uint16_t)mode;
    out->raw->uid_lo = (uint16_t)uid;
    out->raw->uid_hi = (uint16_t)(uid >> 16);
    out->raw->gid_lo = (uint16_t)gid;
    out->raw->gid_hi = (uint16_t)(gid >> 16);
    out->raw->generation = generation;
    if (volume.inode_size > 128)
        out->raw->extra_isize = (uint16_t)volume.want_extra_isize;
    out->seed = seed_of(number, generation);
    if (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)) {
        struct ext4_extent_header *h = (void *)out->raw->block;

        h->magic = EXT4_EXTENT_MAGIC;
        h->max = (sizeof out->raw->block - sizeof *h) / sizeof(struct ext4_extent);
        out->raw->flags = INODE_EXTENTS;
    }
    for (int t = TIME_ACCESS; t <= TIME_CREATE; t++)
        inode_set_time(out, (enum inode_time)t, now);
    return 0;
}

uint64_t inode_size(const struct inode *i)
{
    return i->raw->size_lo | (uint64_t)i->raw->size_hi << 32;
}

void inode_set_size(struct inode *i, uint64_t size)
{
    i->raw->size_lo = (uint32_t)size;
    i->raw->size_hi = (uint32_t)(size >> 32);
}

uint64_t inode_blocks(const struct inode *i)
{
    uint64_t count = i->raw->blocks_lo;

    if (volume.ro_compatible & RO_HUGE_FILE)
        count |= (uint64_t)i->raw->blocks_hi << 32;
    return i->raw->flags & INODE_HUGE_FILE ? count << (volume.block_shift - 9) : count;
}

void inode_add_blocks(struct inode *i, int64_t count)
{
    uint64_t sectors = inode_blocks(i) + (uint64_t)(count * (int64_t)(volume.block_size / 512));

    if (i->raw->flags & INODE_HUGE_FILE)
        sectors >>= volume.block_shift - 9;
    i->raw->blocks_lo = (uint32_t)sectors;
    if (volume.ro_compatible & RO_HUGE_FILE)
        i->raw->blocks_hi = (uint16_t)(sectors >> 32);
}

/* ---- times: seconds, and 30 bits of nanoseconds with 2 more of seconds ---- */

#define SECOND_NS 1000000000ull

static uint32_t *seconds_of(struct ext4_inode *i, enum inode_time which)
{
    uint32_t *const fields[] = {&i->atime, &i->ctime, &i->mtime, &i->crtime};

    return fields[which];
}

/* NULL: the inode is too small for it. */
static uint32_t *extra_of(struct ext4_inode *i, enum inode_time which)
{
    uint32_t *const fields[] = {&i->atime_extra, &i->ctime_extra, &i->mtime_extra,
                                &i->crtime_extra};
    size_t end = (size_t)((uint8_t *)(fields[which] + 1) - (uint8_t *)i);

    return volume.inode_size > 128 && 128u + i->extra_isize >= end ? fields[which] : NULL;
}

uint64_t inode_time(const struct inode *i, enum inode_time which)
{
    const uint32_t *extra = extra_of(i->raw, which);
    int64_t seconds;

    if (which == TIME_CREATE && !extra)
        return 0;
    seconds = (int32_t)*seconds_of(i->raw, which);
    if (!extra)
        return (uint64_t)seconds * SECOND_NS;
    seconds += (int64_t)(*extra & 3) << 32;
    return (uint64_t)seconds * SECOND_NS + (*extra >> 2) % SECOND_NS;
}

void inode_set_time(struct inode *i, enum inode_time which, uint64_t ns)
{
    uint64_t seconds = ns / SECOND_NS;
    uint32_t *extra = extra_of(i->raw, which);

    if (which == TIME_CREATE && !extra)
        return;
    *seconds_of(i->raw, which) = (uint32_t)seconds;
    if (extra) /* the upper bits count from the signed lower ones */
        *extra = (uint32_t)((seconds - (uint64_t)(int64_t)(int32_t)seconds) >> 32 & 3) |
                 (uint32_t)(ns % SECOND_NS) << 2;
}
