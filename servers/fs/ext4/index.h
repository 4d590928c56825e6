/* SPDX-License-Identifier: BSD-2-Clause */
/* The way through a hash tree: shared by index.c and listing.c. */
#ifndef EXT4_INDEX_H
#define EXT4_INDEX_H

#include "servers/fs/ext4/directory.h"

enum { LEVELS_MAX = 3 /* root and nodes */, ENTRIES_MAX = 4096 / 12 /* of a block */ };

struct index_frame {
    struct buffer *buffer;
    struct ext4_dx_entry *entries; /* the first has limit and count instead of a hash */
    uint32_t at;
};

struct index_path {
    struct index_frame frame[LEVELS_MAX];
    unsigned depth; /* frames */
    uint32_t version; /* of the hash */
};

struct entry_place { /* an entry, by its hash */
    struct hash hash;
    uint16_t at, size;
};

/* From the root to the leaf that is responsible for that hash. */
long index_probe(struct inode *d, uint32_t hash, struct index_path *p);
long index_leaf(struct inode *d, struct index_path *p, struct buffer **b);
/* To the next leaf in the order of hashes: 1, *hash is where it begins; 0: there is none. */
long index_advance(struct inode *d, struct index_path *p, uint32_t *hash);
/* The entries of a leaf in the order of their hashes: how many. */
long entries_sort(struct buffer *b, uint32_t version, struct entry_place *list, uint32_t room);

#endif
