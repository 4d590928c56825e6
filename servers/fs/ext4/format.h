/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ext4 on the disk: little-endian, as this machine is. Sources: the kernel's documentation
 * ("ext4 Data Structures and Algorithms"), and what mke2fs and e2fsck take for right.
 */
#ifndef EXT4_FORMAT_H
#define EXT4_FORMAT_H

#include <stdint.h>

#define EXT4_SUPER_OFFSET 1024u
#define EXT4_SUPER_MAGIC 0xef53u
#define EXT4_ROOT_INODE 2u
#define EXT4_FIRST_INODE 11u /* those before it are the file system's own */
#define EXT4_JOURNAL_INODE 8u

enum ext4_state { EXT4_STATE_CLEAN = 1, EXT4_STATE_ERROR = 2, EXT4_STATE_ORPHANS = 4 };

enum ext4_compatible {
    COMPAT_JOURNAL = 0x4,
    COMPAT_XATTR = 0x8,
    COMPAT_RESIZE_INODE = 0x10,
    COMPAT_DIR_INDEX = 0x20,
    COMPAT_SPARSE_SUPER2 = 0x200,
    COMPAT_ORPHAN_FILE = 0x1000,
};
enum ext4_incompatible {
    INCOMPAT_FILETYPE = 0x2,
    INCOMPAT_RECOVER = 0x4, /* the journal has something to replay */
    INCOMPAT_JOURNAL_DEVICE = 0x8,
    INCOMPAT_META_BG = 0x10,
    INCOMPAT_EXTENTS = 0x40,
    INCOMPAT_64BIT = 0x80,
    INCOMPAT_FLEX_BG = 0x200,
    INCOMPAT_CSUM_SEED = 0x2000,
    INCOMPAT_LARGE_DIR = 0x4000,
};
enum ext4_ro_compatible {
    RO_SPARSE_SUPER = 0x1,
    RO_LARGE_FILE = 0x2,
    RO_HUGE_FILE = 0x8,
    RO_GDT_CSUM = 0x10,
    RO_DIR_NLINK = 0x20,
    RO_EXTRA_ISIZE = 0x40,
    RO_METADATA_CSUM = 0x400,
};

struct ext4_super {
    uint32_t inodes_count, blocks_count_lo, r_blocks_count_lo, free_blocks_count_lo;
    uint32_t free_inodes_count, first_data_block, log_block_size, log_cluster_size;
    uint32_t blocks_per_group, clusters_per_group, inodes_per_group, mtime;
    uint32_t wtime;
    uint16_t mnt_count, max_mnt_count, magic, state, errors, minor_rev_level;
    uint32_t lastcheck, checkinterval, creator_os, rev_level;
    uint16_t def_resuid, def_resgid;
    uint32_t first_ino;
    uint16_t inode_size, block_group_nr;
    uint32_t feature_compat, feature_incompat, feature_ro_compat;
    uint8_t uuid[16];
    char volume_name[16], last_mounted[64];
    uint32_t algorithm_usage_bitmap;
    uint8_t prealloc_blocks, prealloc_dir_blocks;
    uint16_t reserved_gdt_blocks;
    uint8_t journal_uuid[16];
    uint32_t journal_inum, journal_dev, last_orphan;
    uint32_t hash_seed[4];
    uint8_t def_hash_version, jnl_backup_type;
    uint16_t desc_size;
    uint32_t default_mount_opts, first_meta_bg, mkfs_time, jnl_blocks[17];
    uint32_t blocks_count_hi, r_blocks_count_hi, free_blocks_count_hi;
    uint16_t min_extra_isize, want_extra_isize;
    uint32_t flags; /* enum ext4_super_flag */
    uint16_t raid_stride, mmp_interval;
    uint64_t mmp_block;
    uint32_t raid_stripe_width;
    uint8_t log_groups_per_flex, checksum_type;
    uint16_t reserved_pad;
    uint64_t kbytes_written;
    uint32_t snapshot[5];
    uint32_t error_count;
    uint8_t errors_seen[104];
    char mount_opts[64];
    uint32_t usr_quota_inum, grp_quota_inum, overhead_clusters, backup_bgs[2];
    uint8_t encrypt_algos[4], encrypt_pw_salt[16];
    uint32_t lpf_ino, prj_quota_inum, checksum_seed;
    uint8_t time_hi[8];
    uint16_t encoding, encoding_flags;
    uint32_t orphan_file_inum, reserved[94];
    uint32_t checksum; /* crc32c of all before it */
} __attribute__((packed, aligned(4)));
enum ext4_super_flag { SUPER_SIGNED_HASH = 1, SUPER_UNSIGNED_HASH = 2 };

struct ext4_group { /* 32 bytes without INCOMPAT_64BIT, else desc_size */
    uint32_t block_bitmap_lo, inode_bitmap_lo, inode_table_lo;
    uint16_t free_blocks_lo, free_inodes_lo, used_dirs_lo, flags;
    uint32_t exclude_bitmap_lo;
    uint16_t block_bitmap_csum_lo, inode_bitmap_csum_lo, itable_unused_lo, checksum;
    uint32_t block_bitmap_hi, inode_bitmap_hi, inode_table_hi;
    uint16_t free_blocks_hi, free_inodes_hi, used_dirs_hi, itable_unused_hi;
    uint32_t exclude_bitmap_hi;
    uint16_t block_bitmap_csum_hi, inode_bitmap_csum_hi;
    uint32_t reserved;
};
enum ext4_group_flag { GROUP_INODE_UNINIT = 1, GROUP_BLOCK_UNINIT = 2, GROUP_INODE_ZEROED = 4 };

struct ext4_inode {
    uint16_t mode, uid_lo;
    uint32_t size_lo, atime, ctime, mtime, dtime;
    uint16_t gid_lo, links;
    uint32_t blocks_lo, flags, version;
    uint32_t block[15]; /* extent tree root, block map or a short symbolic link */
    uint32_t generation, file_acl_lo, size_hi, obso_faddr;
    uint16_t blocks_hi, file_acl_hi, uid_hi, gid_hi, checksum_lo, reserved;
    /* from here on only with inode_size > 128, as far as extra_isize reaches */
    uint16_t extra_isize, checksum_hi;
    uint32_t ctime_extra, mtime_extra, atime_extra, crtime, crtime_extra, version_hi, projid;
};
enum ext4_inode_flag {
    INODE_SYNC = 0x8,
    INODE_IMMUTABLE = 0x10,
    INODE_APPEND = 0x20,
    INODE_INDEX = 0x1000, /* a directory with a hash tree */
    INODE_HUGE_FILE = 0x40000, /* blocks counts file system blocks */
    INODE_EXTENTS = 0x80000,
    INODE_EA_INODE = 0x200000,
    INODE_INLINE_DATA = 0x10000000,
};
#define EXT4_LINKS_MAX 65000u

/* ---- extent tree ---- */

#define EXT4_EXTENT_MAGIC 0xf30au
#define EXT4_EXTENT_MAX 32768u /* blocks of one extent; a longer length means unwritten: + this */
struct ext4_extent_header {
    uint16_t magic, entries, max, depth;
    uint32_t generation;
};
struct ext4_extent {
    uint32_t block;
    uint16_t length, start_hi;
    uint32_t start_lo;
};
struct ext4_extent_index {
    uint32_t block, leaf_lo;
    uint16_t leaf_hi, unused;
};
struct ext4_extent_tail { /* after the last possible entry of a block */
    uint32_t checksum;
};

/* ---- directories ---- */

struct ext4_dirent {
    uint32_t inode;
    uint16_t length;
    uint8_t name_length, type; /* enum ext4_file_type */
    char name[];
};
enum ext4_file_type {
    TYPE_UNKNOWN,
    TYPE_REGULAR,
    TYPE_DIRECTORY,
    TYPE_CHARACTER,
    TYPE_BLOCK,
    TYPE_FIFO,
    TYPE_SOCKET,
    TYPE_SYMLINK,
    TYPE_CHECKSUM = 0xde /* of struct ext4_dirent_tail */
};
struct ext4_dirent_tail {
    uint32_t zero1;
    uint16_t length; /* 12 */
    uint8_t zero2, type; /* TYPE_CHECKSUM */
    uint32_t checksum;
};
struct ext4_dx_entry {
    uint32_t hash, block; /* the first of a node: hash is limit | count << 16 */
};
struct ext4_dx_info { /* in the root, at byte 24 */
    uint32_t zero;
    uint8_t hash_version, info_length, levels, unused;
};
struct ext4_dx_tail {
    uint32_t reserved, checksum;
};
enum ext4_hash { HASH_LEGACY, HASH_HALF_MD4, HASH_TEA, HASH_UNSIGNED = 3 };

/* ---- extended attributes ---- */

#define EXT4_XATTR_MAGIC 0xea020000u
struct ext4_xattr_header { /* of a block of them; in an inode only the magic */
    uint32_t magic, references, blocks, hash, checksum, reserved[3];
};
struct ext4_xattr_entry {
    uint8_t name_length, name_index;
    uint16_t value_offset;
    uint32_t value_inode, value_size, hash;
    char name[];
};

/* ---- journal (jbd2): big-endian ---- */

#define JOURNAL_MAGIC 0xc03b3998u
enum journal_block {
    JOURNAL_DESCRIPTOR = 1,
    JOURNAL_COMMIT,
    JOURNAL_SUPER_V1,
    JOURNAL_SUPER,
    JOURNAL_REVOKE
};
enum journal_feature { /* incompatible ones */
                       JOURNAL_REVOKES = 1,
                       JOURNAL_64BIT = 2,
                       JOURNAL_ASYNC_COMMIT = 4,
                       JOURNAL_CSUM_V2 = 8,
                       JOURNAL_CSUM_V3 = 16,
                       JOURNAL_FAST_COMMIT = 32
};
enum journal_tag_flag { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_DELETED = 4, TAG_LAST = 8 };
struct journal_header {
    uint32_t magic, type, sequence;
};
struct journal_super {
    struct journal_header header;
    uint32_t block_size, maxlen, first;
    uint32_t sequence, start; /* start 0: empty */
    uint32_t errno_value, feature_compat, feature_incompat, feature_ro_compat;
    uint8_t uuid[16];
    uint32_t users, dynsuper, max_transaction, max_transaction_data;
    uint8_t checksum_type, padding[3];
    uint32_t fast_commit_blocks, head, padding2[40];
    uint32_t checksum;
    uint8_t user_ids[768];
};
struct journal_tag3 { /* with JOURNAL_CSUM_V3 */
    uint32_t block, flags, block_hi, checksum;
};
struct journal_tag { /* without; the last field with JOURNAL_64BIT alone */
    uint32_t block;
    uint16_t checksum, flags;
    uint32_t block_hi;
};
struct journal_revoke {
    struct journal_header header;
    uint32_t bytes; /* used in this block, header and all */
};
struct journal_commit {
    struct journal_header header;
    uint8_t checksum_type, checksum_size, padding[2];
    uint32_t checksum[8];
    uint64_t seconds;
    uint32_t nanoseconds;
};

_Static_assert(sizeof(struct ext4_super) == 1024, "super block");
_Static_assert(sizeof(struct ext4_group) == 64, "group descriptor");
_Static_assert(sizeof(struct ext4_inode) == 160, "inode");
_Static_assert(sizeof(struct journal_super) == 1024, "journal super block");

#endif
