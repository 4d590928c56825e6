/* SPDX-License-Identifier: BSD-2-Clause */
/* What directory.c, index.c and hash.c share. */
#ifndef EXT4_DIRECTORY_H
#define EXT4_DIRECTORY_H

#include "servers/fs/ext4/ext4.h"

struct name {
    const char *text;
    uint32_t length;
};

struct hash {
    uint32_t major, minor; /* the lowest bit of major is 0 */
};
/* version: enum ext4_hash, with HASH_UNSIGNED added. */
struct hash hash_name(uint32_t version, const struct name *name);

/* ---- directory.c: blocks with entries ---- */
uint32_t directory_blocks(const struct inode *d);
/* Block n of the directory. -EUCLEAN: a hole. */
long directory_block(struct inode *d, uint32_t n, struct buffer **out);
/* One more block, at the end: zeroed. *n is its number. */
long directory_grow(struct inode *d, uint32_t *n, struct buffer **out);
uint32_t entries_end(void); /* bytes of a block that entries may take */
/* The entry at byte `at`; NULL: it makes no sense. */
struct ext4_dirent *entry_at(struct buffer *b, uint32_t at);
static inline uint32_t entry_size(uint32_t name_length)
{
    return (uint32_t)((sizeof(struct ext4_dirent) + name_length + 3) & ~3u);
}
/* One empty entry as long as the block, and the tail. */
void entries_clear(struct buffer *b);
/* Where in the block the name is. -ENOENT, -EUCLEAN. */
long entries_find(struct buffer *b, const struct name *name, uint32_t *at);
/* Not ".", "..", or unused. */
bool entry_is_shown(const struct ext4_dirent *e);
/* Put it where there is room. -ENOSPC, -EUCLEAN. */
long entries_add(struct buffer *b, const struct name *name, uint32_t number, uint32_t type);

/* ---- index.c: directories with a hash tree ---- */
bool index_is_used(const struct inode *d);
long index_find(struct inode *d, const struct name *name, struct buffer **b, uint32_t *at);
long index_add(struct inode *d, const struct name *name, uint32_t number, uint32_t type);
/* A directory of one block gets a tree. */
long index_make(struct inode *d);
/* In the order of hashes; also of a directory of one block that has no tree yet. */
long index_next(struct inode *d, uint64_t cookie, struct directory_entry *out);

#endif
