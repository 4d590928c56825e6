/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash trees of directories. The root is block 0, disguised as "." and a ".." as long as the block;
 * nodes are blocks with one empty entry; leaves are blocks of entries. An entry of root or node
 * says from which hash on a block is responsible; the lowest bit of it, that names with the same
 * hash lie in the block before, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "servers/fs/ext4/index.h"

enum {
    ROOT_ENTRIES = 32, /* byte where they begin */
    NODE_ENTRIES = 8,
    INFO = 24,
    DOT_SIZE = 12,
    BLOCK_MASK = 0x0fffffff,
};

bool index_is_used(const struct inode *d)
{
    return (d->raw->flags & INODE_INDEX) && (volume.compatible & COMPAT_DIR_INDEX);
}

static struct ext4_dx_info *info_of(struct buffer *root)
{
    return (void *)((uint8_t *)buffer_data(root) + INFO);
}

static uint32_t limit_of(const struct ext4_dx_entry *e)
{
    return e[0].hash & 0xffff;
}

static uint32_t count_of(const struct ext4_dx_entry *e)
{
    return e[0].hash >> 16;
}

static void put_count(struct ext4_dx_entry *e, uint32_t limit, uint32_t count)
{
    e[0].hash = limit | count << 16;
}

static uint32_t room_of(uint32_t first)
{
    uint32_t tail = volume.has_checksums ? (uint32_t)sizeof(struct ext4_dx_tail) : 0;

    return (volume.block_size - first - tail) / (uint32_t)sizeof(struct ext4_dx_entry);
}

/* Which entry is responsible for that hash. */
static uint32_t search(const struct ext4_dx_entry *e, uint32_t hash)
{
    uint32_t low = 1, high = count_of(e);

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (e[middle].hash <= hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static long enter(struct index_frame *f, struct buffer *b, uint32_t first)
{
    const struct ext4_dx_entry *e = (void *)((uint8_t *)buffer_data(b) + first);

    f->buffer = b;
    f->entries = (struct ext4_dx_entry *)e;
    if (limit_of(e) != room_of(first) || count_of(e) == 0 || count_of(e) > limit_of(e))
        return -EUCLEAN;
    for (uint32_t n = 2; n < count_of(e); n++)
        if (e[n].hash < e[n - 1].hash)
            return -EUCLEAN;
    return 0;
}

static long enter_root(struct inode *d, struct index_path *p)
{
    const struct ext4_dx_info *info;
    struct buffer *b;
    long result = directory_block(d, 0, &b);
    unsigned levels = volume.incompatible & INCOMPAT_LARGE_DIR ? LEVELS_MAX : LEVELS_MAX - 1;

    if (result)
        return result;
    info = info_of(b);
    if (info->zero || info->info_length != 8 || info->hash_version > HASH_TEA ||
        info->levels >= levels)
        return -EUCLEAN;
    p->depth = info->levels + 1u;
    p->version = info->hash_version + (volume.hash_version >= HASH_UNSIGNED ? HASH_UNSIGNED : 0);
    return enter(&p->frame[0], b, ROOT_ENTRIES);
}

/* The block that a frame's entry leads to: any but the root. */
static long block_below(struct inode *d, const struct index_frame *f, struct buffer **b)
{
    uint32_t n = f->entries[f->at].block & BLOCK_MASK;

    return n ? directory_block(d, n, b) : -EUCLEAN;
}

static long enter_node(struct inode *d, struct index_path *p, unsigned n)
{
    struct buffer *b;
    long result = block_below(d, &p->frame[n - 1], &b);

    return result ? result : enter(&p->frame[n], b, NODE_ENTRIES);
}

long index_probe(struct inode *d, uint32_t hash, struct index_path *p)
{
    long result = enter_root(d, p);

    for (unsigned n = 0; result == 0; n++) {
        p->frame[n].at = search(p->frame[n].entries, hash);
        if (n + 1 == p->depth)
            return 0;
        result = enter_node(d, p, n + 1);
    }
    return result;
}

static struct index_frame *last_of(struct index_path *p)
{
    return &p->frame[p->depth - 1];
}

long index_leaf(struct inode *d, struct index_path *p, struct buffer **b)
{
    return block_below(d, last_of(p), b);
}

/* The next leaf in the order of hashes: 1, *hash is where it begins; 0: there is none. */
long index_advance(struct inode *d, struct index_path *p, uint32_t *hash)
{
    unsigned n = p->depth;

    while (n > 0 && p->frame[n - 1].at + 1 >= count_of(p->frame[n - 1].entries))
        n--;
    if (n == 0)
        return 0;
    p->frame[n - 1].at++;
    *hash = p->frame[n - 1].entries[p->frame[n - 1].at].hash;
    for (; n < p->depth; n++) {
        long result = enter_node(d, p, n);

        if (result)
            return result;
        p->frame[n].at = 0;
    }
    return 1;
}

long index_find(struct inode *d, const struct name *name, struct buffer **b, uint32_t *at)
{
    struct index_path p;
    struct hash h;
    long result = enter_root(d, &p);

    if (result)
        return result;
    h = hash_name(p.version, name);
    result = index_probe(d, h.major, &p);
    for (uint32_t leaves = 0; result == 0 && leaves < directory_blocks(d); leaves++) {
        uint32_t next;

        result = index_leaf(d, &p, b);
        if (result == 0)
            result = entries_find(*b, name, at);
        if (result != -ENOENT)
            return result;
        result = index_advance(d, &p, &next);
        if (result <= 0 || next != (h.major | 1))
            return result < 0 ? result : -ENOENT;
        result = 0;
    }
    return result ? result : -EUCLEAN;
}

/* ---- growing ---- */

static void add_entry(struct index_frame *f, uint32_t hash, uint32_t block)
{
    struct ext4_dx_entry *e = f->entries;
    uint32_t count = count_of(e), at = f->at + 1;

    memmove(&e[at + 1], &e[at], (count - at) * sizeof *e);
    e[at] = (struct ext4_dx_entry){hash, block};
    put_count(e, limit_of(e), count + 1);
}

static struct ext4_dx_entry *node_begin(struct buffer *b)
{
    struct ext4_dirent *disguise = buffer_data(b);

    disguise->length = (uint16_t)volume.block_size;
    return (void *)((uint8_t *)buffer_data(b) + NODE_ENTRIES);
}

/* The root's entries go into a node below it. */
static long deepen(struct inode *d, struct index_path *p)
{
    struct ext4_dx_entry *root = p->frame[0].entries, *node;
    unsigned levels = volume.incompatible & INCOMPAT_LARGE_DIR ? LEVELS_MAX : LEVELS_MAX - 1;
    struct buffer *b;
    uint32_t n, count = count_of(root);
    long result = p->depth < levels ? directory_grow(d, &n, &b) : -ENOSPC;

    if (result == 0)
        result = block_change(p->frame[0].buffer);
    if (result)
        return result;
    node = node_begin(b);
    memcpy(node, root, count * sizeof *node);
    put_count(node, room_of(NODE_ENTRIES), count);
    put_count(root, limit_of(root), 1);
    root[0].block = n;
    info_of(p->frame[0].buffer)->levels++;
    return 0;
}

/* Half of a node's entries go into a new one; the frame above has room. */
static long split_node(struct inode *d, struct index_path *p, unsigned n)
{
    struct index_frame *f = &p->frame[n], *above = &p->frame[n - 1];
    uint32_t count = count_of(f->entries), kept = count / 2, block;
    struct ext4_dx_entry *node;
    struct buffer *b;
    long result = directory_grow(d, &block, &b);

    if (result == 0)
        result = block_change(f->buffer);
    if (result == 0)
        result = block_change(above->buffer);
    if (result)
        return result;
    node = node_begin(b);
    memcpy(node, f->entries + kept, (count - kept) * sizeof *node);
    add_entry(above, f->entries[kept].hash, block);
    put_count(node, room_of(NODE_ENTRIES), count - kept);
    put_count(f->entries, limit_of(f->entries), kept);
    return 0;
}

/* Room for one more entry in the lowest frame. -EAGAIN: something was done, probe again. */
static long make_room(struct inode *d, struct index_path *p)
{
    unsigned n = p->depth;
    long result;

    while (n > 0 && count_of(p->frame[n - 1].entries) == limit_of(p->frame[n - 1].entries))
        n--;
    if (n == p->depth)
        return 0;
    result = n == 0 ? deepen(d, p) : split_node(d, p, n);
    return result ? result : -EAGAIN;
}

/* ---- leaves ---- */

static int by_hash(const void *a, const void *b)
{
    const struct entry_place *x = a, *y = b;

    if (x->hash.major != y->hash.major)
        return x->hash.major < y->hash.major ? -1 : 1;
    return (x->hash.minor > y->hash.minor) - (x->hash.minor < y->hash.minor);
}

/* Those of a block, in the order of their hashes: how many. */
long entries_sort(struct buffer *b, uint32_t version, struct entry_place *list, uint32_t room)
{
    struct ext4_dirent *e;
    uint32_t n = 0;

    for (uint32_t at = 0; at < entries_end(); at += e->length) {
        e = entry_at(b, at);
        if (!e)
            return -EUCLEAN;
        if (!e->inode || !e->name_length)
            continue;
        if (n == room)
            return -EUCLEAN;
        list[n++] =
            (struct entry_place){hash_name(version, &(struct name){e->name, e->name_length}),
                                 (uint16_t)at, (uint16_t)entry_size(e->name_length)};
    }
    qsort(list, n, sizeof *list, by_hash);
    return n;
}

/* Entries list[first .. end) of `from`, packed into block `to`. */
static void pack(struct buffer *to, const uint8_t *from, const struct entry_place *list,
                 uint32_t first, uint32_t end)
{
    struct ext4_dirent *e = NULL;
    uint32_t at = 0;

    entries_clear(to);
    for (uint32_t n = first; n < end; n++) {
        e = (void *)((uint8_t *)buffer_data(to) + at);
        memcpy(e, from + list[n].at, list[n].size);
        e->length = list[n].size;
        at += list[n].size;
    }
    if (e)
        e->length = (uint16_t)(e->length + entries_end() - at);
}

/* The upper half of a full leaf's entries goes into a new one; the lowest frame has room. A leaf
 * that is not full but in pieces is packed. */
static long split_leaf(struct inode *d, struct index_path *p, struct buffer *leaf)
{
    static struct entry_place list[ENTRIES_MAX];
    static uint8_t copy[4096];
    uint32_t kept = 0, bytes = 0, block, hash;
    struct buffer *b;
    long n = entries_sort(leaf, p->version, list, ENTRIES_MAX), result;

    if (n < 0)
        return n;
    memcpy(copy, buffer_data(leaf), volume.block_size);
    if (n < 2) {
        result = block_change(leaf);
        if (result == 0)
            pack(leaf, copy, list, 0, (uint32_t)n);
        return result;
    }
    while (kept < (uint32_t)n - 1 && bytes < entries_end() / 2)
        bytes += list[kept++].size;
    result = directory_grow(d, &block, &b);
    if (result == 0)
        result = block_change(leaf);
    if (result == 0)
        result = block_change(last_of(p)->buffer);
    if (result)
        return result;
    hash = list[kept].hash.major;
    if (hash == list[kept - 1].hash.major)
        hash |= 1;
    pack(b, copy, list, kept, (uint32_t)n);
    pack(leaf, copy, list, 0, kept);
    add_entry(last_of(p), hash, block);
    return 0;
}

long index_add(struct inode *d, const struct name *name, uint32_t number, uint32_t type)
{
    for (unsigned steps = 0; steps < 16; steps++) {
        struct buffer *leaf;
        struct index_path p;
        long result = enter_root(d, &p);

        if (result == 0)
            result = index_probe(d, hash_name(p.version, name).major, &p);
        if (result == 0)
            result = index_leaf(d, &p, &leaf);
        if (result == 0)
            result = entries_add(leaf, name, number, type);
        if (result != -ENOSPC)
            return result;
        result = make_room(d, &p);
        if (result == 0)
            result = split_leaf(d, &p, leaf);
        if (result && result != -EAGAIN)
            return result;
    }
    return -ENOSPC;
}

/* All entries go as they are to one leaf: the tree is right with that, and to split it, in the
 * order of the hashes, is what index_add() does anyway. They are copied before the root is written
 * over them. */
long index_make(struct inode *d)
{
    uint8_t *data;
    struct buffer *root, *leaf;
    struct ext4_dirent *up, *e, *last = NULL;
    struct ext4_dx_entry *entries;
    uint32_t n, to = 0;
    long result = directory_block(d, 0, &root);

    if (result == 0)
        result = directory_grow(d, &n, &leaf);
    if (result == 0)
        result = block_change(root);
    if (result)
        return result;
    data = buffer_data(root);
    up = (void *)(data + DOT_SIZE);
    if (((struct ext4_dirent *)data)->length != DOT_SIZE || up->name_length != 2)
        return -EUCLEAN;
    entries_clear(leaf);
    for (uint32_t at = DOT_SIZE + up->length; at < entries_end(); at += e->length) {
        uint32_t size;

        e = entry_at(root, at);
        if (!e)
            return -EUCLEAN;
        size = entry_size(e->name_length);
        if (!e->inode)
            continue;
        last = (void *)((uint8_t *)buffer_data(leaf) + to);
        memcpy(last, e, size);
        last->length = (uint16_t)size;
        to += size;
    }
    if (last)
        last->length = (uint16_t)(last->length + entries_end() - to);
    memset(data + INFO, 0, volume.block_size - INFO);
    up->length = (uint16_t)(volume.block_size - DOT_SIZE);
    *info_of(root) = (struct ext4_dx_info){
        .hash_version = (uint8_t)(volume.hash_version % HASH_UNSIGNED), .info_length = 8};
    entries = (void *)(data + ROOT_ENTRIES);
    put_count(entries, room_of(ROOT_ENTRIES), 1);
    entries[0].block = n;
    d->raw->flags |= INODE_INDEX;
    return 0;
}
