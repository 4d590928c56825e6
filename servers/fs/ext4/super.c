/* SPDX-License-Identifier: BSD-2-Clause */
/* What the super block says: is it one of ours, and what follows from it. */
#include "servers/fs/ext4/super.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "servers/fs/ext4/ext4.h"

struct volume volume;

enum {
    KNOWN_INCOMPATIBLE = INCOMPAT_FILETYPE | INCOMPAT_RECOVER | INCOMPAT_EXTENTS | INCOMPAT_64BIT |
                         INCOMPAT_FLEX_BG | INCOMPAT_CSUM_SEED | INCOMPAT_LARGE_DIR,
    KNOWN_RO_COMPATIBLE = RO_SPARSE_SUPER | RO_LARGE_FILE | RO_HUGE_FILE | RO_DIR_NLINK |
                          RO_EXTRA_ISIZE | RO_METADATA_CSUM,
    CHECKSUM_CRC32C = 1,
};

static long refuse(char *why, size_t room, const char *text)
{
    snprintf(why, room, "%s", text);
    return -EUCLEAN;
}

static bool is_power_of_two(uint32_t n)
{
    return n && !(n & (n - 1));
}

static long check_sizes(const struct ext4_super *s, const struct volume *v, uint64_t bytes,
                        char *why, size_t room)
{
    if (v->blocks <= v->first_data_block || v->blocks > bytes >> v->block_shift) {
        snprintf(why, room, "it says %llu blocks of %u bytes, the device has %llu bytes",
                 (unsigned long long)v->blocks, v->block_size, (unsigned long long)bytes);
        return -EUCLEAN;
    }
    if (v->first_data_block != (v->block_size == 1024))
        return refuse(why, room, "its first data block makes no sense");
    if (!is_power_of_two(v->inode_size) || v->inode_size < 128 || v->inode_size > v->block_size)
        return refuse(why, room, "its inode size makes no sense");
    if (v->blocks_per_group == 0 || v->blocks_per_group > 8 * v->block_size ||
        v->blocks_per_group % 8 || v->inodes_per_group == 0 ||
        v->inodes_per_group > 8 * v->block_size || v->inodes_per_group % 8 ||
        v->inodes_per_group % v->inodes_per_block)
        return refuse(why, room, "its groups make no sense");
    if (v->group_size < 32 || v->group_size > v->block_size || !is_power_of_two(v->group_size))
        return refuse(why, room, "the size of its group descriptors makes no sense");
    if (v->inodes != (uint64_t)v->groups * v->inodes_per_group)
        return refuse(why, room, "its number of inodes makes no sense");
    if (v->first_inode < EXT4_FIRST_INODE || v->first_inode > v->inodes)
        return refuse(why, room, "its first inode makes no sense");
    return s->rev_level == 1 ? 0 : refuse(why, room, "it is of an old revision");
}

static long check_features(const struct ext4_super *s, struct volume *v, char *why, size_t room)
{
    if (v->incompatible & ~(uint32_t)KNOWN_INCOMPATIBLE) {
        snprintf(why, room, "it has features that are not known (incompatible %#x)",
                 v->incompatible & ~(uint32_t)KNOWN_INCOMPATIBLE);
        return -EINVAL;
    }
    if ((v->ro_compatible & ~(uint32_t)KNOWN_RO_COMPATIBLE) && !v->read_only) {
        snprintf(why, room,
                 "it has features that are not known (read-only compatible %#x): it can be "
                 "mounted with -r alone",
                 v->ro_compatible & ~(uint32_t)KNOWN_RO_COMPATIBLE);
        return -EROFS;
    }
    if (!(v->incompatible & INCOMPAT_EXTENTS) && !v->read_only)
        return snprintf(why, room,
                        "it has no extents (ext2 or ext3): it can be mounted with -r alone"),
               -EROFS;
    if (!(v->compatible & COMPAT_JOURNAL) && !v->read_only)
        return snprintf(why, room, "it has no journal: it can be mounted with -r alone"), -EROFS;
    if (v->has_checksums && s->checksum_type != CHECKSUM_CRC32C)
        return refuse(why, room, "its checksums are of an unknown type");
    return 0;
}

/* What new inodes have beyond their first 128 bytes. As in Linux it is all that is known here, or
 * more should the super block want that and an inode have room for it: one that says what cannot be
 * would make inodes that inode_get() refuses. */
static uint32_t extra_size(const struct ext4_super *s)
{
    const uint32_t known = sizeof(struct ext4_inode) - 128;
    uint32_t size = known;

    if (s->inode_size <= 128)
        return 0;
    if ((s->feature_ro_compat & RO_EXTRA_ISIZE) && s->want_extra_isize > size)
        size = s->want_extra_isize;
    if ((s->feature_ro_compat & RO_EXTRA_ISIZE) && s->min_extra_isize > size)
        size = s->min_extra_isize;
    return size > s->inode_size - 128u || size % 4 ? known : size;
}

static void take(const struct ext4_super *s, struct volume *v)
{
    bool wide = s->feature_incompat & INCOMPAT_64BIT;

    v->block_shift = 10 + s->log_block_size;
    v->block_size = 1u << v->block_shift;
    v->blocks = s->blocks_count_lo | (wide ? (uint64_t)s->blocks_count_hi << 32 : 0);
    v->reserved_blocks = s->r_blocks_count_lo | (wide ? (uint64_t)s->r_blocks_count_hi << 32 : 0);
    v->reserved_descriptors = s->reserved_gdt_blocks;
    memcpy(v->backup_groups, s->backup_bgs, sizeof v->backup_groups);
    v->first_data_block = s->first_data_block;
    v->blocks_per_group = s->blocks_per_group;
    v->inodes_per_group = s->inodes_per_group;
    v->inodes = s->inodes_count;
    v->inode_size = s->inode_size;
    v->inodes_per_block = v->inode_size ? v->block_size / v->inode_size : 0;
    v->group_size = wide ? s->desc_size : 32;
    v->first_inode = s->first_ino;
    v->want_extra_isize = extra_size(s);
    v->compatible = s->feature_compat;
    v->incompatible = s->feature_incompat;
    v->ro_compatible = s->feature_ro_compat;
    v->has_checksums = s->feature_ro_compat & RO_METADATA_CSUM;
    memcpy(v->hash_seed, s->hash_seed, sizeof v->hash_seed);
    v->hash_version = s->def_hash_version + (s->flags & SUPER_UNSIGNED_HASH ? HASH_UNSIGNED : 0);
    v->super_block = v->block_size == 1024 ? 1 : 0;
    v->super_offset = v->block_size == 1024 ? 0 : EXT4_SUPER_OFFSET;
    v->seed = s->feature_incompat & INCOMPAT_CSUM_SEED ? s->checksum_seed
                                                       : crc32c(~0u, s->uuid, sizeof s->uuid);
}

long super_take(const struct ext4_super *s, uint64_t bytes, bool read_only, char *why, size_t room)
{
    struct volume *v = &volume;
    long result;

    *v = (struct volume){.read_only = read_only};
    if (s->magic != EXT4_SUPER_MAGIC)
        return snprintf(why, room, "it has no ext4 file system"), -EINVAL;
    if (s->log_block_size > 2)
        return refuse(why, room, "its block size is not 1024, 2048 or 4096");
    take(s, v);
    if (v->has_checksums && s->checksum_type == CHECKSUM_CRC32C &&
        s->checksum != crc32c(~0u, s, offsetof(struct ext4_super, checksum)))
        return refuse(why, room, "the checksum of its super block is wrong");
    if (v->inode_size == 0 || v->blocks_per_group == 0 || v->group_size == 0)
        return refuse(why, room, "its super block makes no sense");
    v->groups = (uint32_t)((v->blocks - v->first_data_block + v->blocks_per_group - 1) /
                           v->blocks_per_group);
    v->groups_per_block = v->block_size / v->group_size;
    v->inode_table_blocks = v->inodes_per_block ? v->inodes_per_group / v->inodes_per_block : 0;
    result = v->inodes_per_block ? check_sizes(s, v, bytes, why, room)
                                 : refuse(why, room, "its inode size makes no sense");
    return result ? result : check_features(s, v, why, room);
}

void super_counters(const struct ext4_super *s, struct counters *c)
{
    *c = (struct counters){.free_blocks = s->free_blocks_count_lo,
                           .free_inodes = s->free_inodes_count,
                           .last_orphan = s->last_orphan};
    if (volume.incompatible & INCOMPAT_64BIT)
        c->free_blocks |= (uint64_t)s->free_blocks_count_hi << 32;
}

void super_put_counters(struct ext4_super *s, const struct counters *c)
{
    s->free_blocks_count_lo = (uint32_t)c->free_blocks;
    if (volume.incompatible & INCOMPAT_64BIT)
        s->free_blocks_count_hi = (uint32_t)(c->free_blocks >> 32);
    s->free_inodes_count = c->free_inodes;
    s->last_orphan = c->last_orphan;
}
