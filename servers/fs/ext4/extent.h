/* SPDX-License-Identifier: BSD-2-Clause */
/* The way through an extent tree: shared by extent.c and truncate.c. */
#ifndef EXT4_EXTENT_H
#define EXT4_EXTENT_H

#include "servers/fs/ext4/ext4.h"

enum { DEPTH_MAX = 5 };
#define LOGICAL_END 0x100000000ull

struct extent_level {
    struct buffer *buffer; /* NULL: the root */
    struct ext4_extent_header *header;
    int at; /* the entry that leads on, or that begins at or before the block; -1: none does */
};

struct extent_path {
    struct extent_level level[DEPTH_MAX + 1];
    unsigned depth; /* level[depth] is the leaf */
};

static inline struct ext4_extent *extent_list(struct ext4_extent_header *h)
{
    return (void *)(h + 1);
}

static inline uint64_t extent_start(const struct ext4_extent *e)
{
    return e->start_lo | (uint64_t)e->start_hi << 32;
}

static inline void extent_put_start(struct ext4_extent *e, uint64_t block)
{
    e->start_lo = (uint32_t)block;
    e->start_hi = (uint16_t)(block >> 32);
}

static inline bool extent_is_unwritten(const struct ext4_extent *e)
{
    return e->length > EXT4_EXTENT_MAX;
}

static inline uint32_t extent_length(const struct ext4_extent *e)
{
    return extent_is_unwritten(e) ? e->length - EXT4_EXTENT_MAX : e->length;
}

static inline struct ext4_extent extent_make(uint32_t logical, uint64_t physical, uint32_t count,
                                             bool unwritten)
{
    struct ext4_extent e = {.block = logical,
                            .length = (uint16_t)(count + (unwritten ? EXT4_EXTENT_MAX : 0))};

    extent_put_start(&e, physical);
    return e;
}

static inline struct extent_level *extent_leaf(struct extent_path *p)
{
    return &p->level[p->depth];
}

/* From the root to the leaf that has, or would have, that block. -EUCLEAN, EXT4_MISS. */
long extent_walk(struct inode *i, uint32_t logical, struct extent_path *p);
long extent_change(struct inode *i, struct extent_level *l); /* before changing its entries */

#endif
