/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs/ext4: one mounted file system.
 *
 *     box.c      what outlives the server; operations and their undoing
 *     cache.c    blocks in memory;  scrub.c code.c    bits of them that flip
 *     seal.c     checksums of metadata
 *     allocate.c extent.c truncate.c inode.c directory.c index.c    the structures on the disk
 *     journal.c replay.c    jbd2: committing; after a power failure
 *     file.c names.c xattr.c    what programs ask for;  orphan.c numbers.c    what is deleted later
 *     super.c    mounting;  io.c    the disk;  main.c    requests
 *
 * Functions return 0 or more, a negative errno, or EXT4_MISS (cache.h), which goes up to the main
 * loop unchanged. Those that change something are called within an operation (box.h). All metadata
 * is suspect: a value from the disk is checked before it is used; -EUCLEAN when it makes no sense.
 */
#ifndef EXT4_EXT4_H
#define EXT4_EXT4_H

#include "servers/fs/ext4/cache.h"
#include "servers/fs/ext4/format.h"

/* What the super block says, worked out once. */
extern struct volume {
    uint32_t block_size, block_shift;
    uint64_t blocks;
    uint32_t first_data_block, blocks_per_group, inodes_per_group, inodes, groups;
    uint32_t inode_size, inodes_per_block, inode_table_blocks; /* of a group */
    uint32_t group_size, groups_per_block; /* descriptors */
    uint32_t first_inode, want_extra_isize;
    uint32_t compatible, incompatible, ro_compatible;
    uint32_t seed; /* of metadata checksums */
    uint32_t hash_seed[4], hash_version; /* of directories; hash_version with HASH_UNSIGNED added */
    uint64_t reserved_blocks;
    uint32_t reserved_descriptors, backup_groups[2]; /* blocks; COMPAT_SPARSE_SUPER2 */
    uint64_t super_block; /* block that has the super block */
    uint32_t super_offset;
    bool has_checksums, read_only, no_atime;
} volume;

/* ---- checksums (seal.c) ---- */
uint32_t crc32c(uint32_t seed, const void *data, size_t length);
/* Before it goes to the journal: brings its checksum up to date (bitmaps: that in the group's
 * descriptor, which must be in memory and in the transaction). */
void seal(struct buffer *b);
bool seal_is_right(const struct buffer *b);

/* ---- groups (allocate.c) ---- */
struct group {
    struct buffer *buffer;
    struct ext4_group *raw;
};
long group_get(uint32_t number, struct group *out);
uint64_t group_block_bitmap(const struct group *g);
uint64_t group_inode_bitmap(const struct group *g);
uint64_t group_inode_table(const struct group *g);
/* Up to `want` blocks in a row, at or after goal if possible: *got >= 1 of them at *first. -ENOSPC.
 */
long blocks_allocate(uint64_t goal, uint32_t want, uint64_t *first, uint32_t *got);
/* Free them: op_freed() included. */
long blocks_free(uint64_t first, uint32_t count, bool is_metadata);
/* An inode near its directory (a directory: in a group with room); its contents are not touched. */
long inode_allocate(uint32_t parent, bool is_directory, uint32_t *number);
long inode_free(uint32_t number, bool is_directory);
/* Is this a block that only metadata may have: bitmaps, inode tables, super blocks? Data must not
 * point there. */
bool block_is_system(uint64_t first, uint32_t count);

/* ---- inodes (inode.c) ---- */
struct inode {
    uint32_t number, seed;
    struct buffer *buffer;
    struct ext4_inode *raw;
};
/* -ESTALE: not in use, or no such number. */
long inode_get(uint32_t number, struct inode *out);
long inode_change(struct inode *i); /* before changing *i->raw */
/* A number that inode_allocate() gave: cleared, links 0, times now. In the operation. */
long inode_new(uint32_t number, uint32_t mode, uint32_t uid, uint32_t gid, struct inode *out);
uint64_t inode_size(const struct inode *i);
void inode_set_size(struct inode *i, uint64_t size);
uint64_t inode_blocks(const struct inode *i); /* of 512 bytes */
void inode_add_blocks(struct inode *i, int64_t count); /* of the file system */
enum inode_time { TIME_ACCESS, TIME_CHANGE, TIME_MODIFY, TIME_CREATE };
uint64_t inode_time(const struct inode *i, enum inode_time which); /* ns since 1970 */
void inode_set_time(struct inode *i, enum inode_time which, uint64_t ns);
uint64_t time_now(void); /* ns since 1970 */

/* ---- where a file's blocks are (extent.c) ---- */
struct extent_map {
    uint64_t physical; /* 0: a hole */
    uint32_t count; /* blocks from the logical one that go on like this, at least 1 */
    bool unwritten; /* allocated, reads as zeros */
};
/* At most `want` blocks from `logical` on. Files with old block maps are read, too. */
long extent_find(struct inode *i, uint32_t logical, uint32_t want, struct extent_map *out);
/* Blocks just allocated, for a hole. Joins neighbours. Inode's block count is adjusted, also for
 * blocks of the tree itself. -EFBIG beyond 2^32 blocks. */
long extent_insert(struct inode *i, uint32_t logical, uint64_t physical, uint32_t count,
                   bool unwritten);
/* What is unwritten there becomes written (all of it must be unwritten). */
long extent_written(struct inode *i, uint32_t logical, uint32_t count);
/*
 * Free blocks from the end of the file down to `from`, or up to `budget` extents of them: returns 1
 * when more remain, 0 when done. So that huge files take several operations.
 */
long extent_truncate(struct inode *i, uint32_t from, uint32_t budget);
/* The goal for the next block of the file: after the one before, or in the inode's group. */
long extent_goal(struct inode *i, uint32_t logical, uint64_t *goal);

/* ---- directories (directory.c; hash trees in index.c) ---- */
/* Names are `length` bytes, 1..255, without NUL and '/'. */
/* -ENOENT. *type: enum ext4_file_type */
long directory_find(struct inode *d, const char *name, uint32_t length, uint32_t *number,
                    uint32_t *type);
/* -EEXIST; -ENOSPC. Grows the directory, makes it indexed when it outgrows one block. */
long directory_add(struct inode *d, const char *name, uint32_t length, uint32_t number,
                   uint32_t type);
long directory_remove(struct inode *d, const char *name, uint32_t length);
/* The entry of that name (".." too) points to another inode. */
long directory_set(struct inode *d, const char *name, uint32_t length, uint32_t number,
                   uint32_t type);
/* First block of a new directory, with "." and "..". */
long directory_begin(struct inode *d, uint32_t parent);
long directory_is_empty(struct inode *d); /* 1, 0 */
struct directory_entry {
    uint32_t number, type, length;
    char name[256];
    uint64_t cookie; /* where the next entry is looked for */
};
/* The entry after cookie (0: the first), without "." and "..": 1; 0: no more. Entries that stay are
 * seen once each, whatever is added or removed meanwhile; indexed: in the order of the hashes. */
long directory_next(struct inode *d, uint64_t cookie, struct directory_entry *out);

/* ---- extended attributes (xattr.c); they are only read ---- */
/* Names in full, as "user.a". The size of the value; room 0: nothing but that. -ENODATA; -ERANGE:
 * too little room; -EOPNOTSUPP: it lies in an inode of its own. */
long xattr_get(struct inode *i, const char *name, void *value, size_t room);
/* The names, each with a NUL, and those of "trusted." too: how many bytes; room 0: only that. */
long xattr_list(struct inode *i, char *list, size_t room);

#endif
