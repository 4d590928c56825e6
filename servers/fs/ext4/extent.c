/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extent trees. The root lies in the inode, nodes and leaves in blocks. A path leads from the root
 * to the leaf that has, or would have, a logical block. Whoever changes the shape of the tree walks
 * it again afterwards.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "servers/fs/ext4/blockmap.h"
#include "servers/fs/ext4/ext4.h"

enum { DEPTH_MAX = 5 };
#define LOGICAL_END 0x100000000ull

struct level {
    struct buffer *buffer; /* NULL: the root */
    struct ext4_extent_header *header;
    int at; /* the entry that leads on, or that begins at or before the block; -1: none does */
};

struct path {
    struct level level[DEPTH_MAX + 1];
    unsigned depth; /* level[depth] is the leaf */
};

/* ---- entries ---- */

static struct ext4_extent *extents(struct ext4_extent_header *h)
{
    return (void *)(h + 1);
}

static struct ext4_extent_index *indices(struct ext4_extent_header *h)
{
    return (void *)(h + 1);
}

static uint64_t start_of(const struct ext4_extent *e)
{
    return e->start_lo | (uint64_t)e->start_hi << 32;
}

static void put_start(struct ext4_extent *e, uint64_t block)
{
    e->start_lo = (uint32_t)block;
    e->start_hi = (uint16_t)(block >> 32);
}

static bool is_unwritten(const struct ext4_extent *e)
{
    return e->length > EXT4_EXTENT_MAX;
}

static uint32_t length_of(const struct ext4_extent *e)
{
    return is_unwritten(e) ? e->length - EXT4_EXTENT_MAX : e->length;
}

static struct ext4_extent make(uint32_t logical, uint64_t physical, uint32_t count, bool unwritten)
{
    struct ext4_extent e = {.block = logical,
                            .length = (uint16_t)(count + (unwritten ? EXT4_EXTENT_MAX : 0))};

    put_start(&e, physical);
    return e;
}

static uint64_t child_of(const struct ext4_extent_index *x)
{
    return x->leaf_lo | (uint64_t)x->leaf_hi << 32;
}

static void put_child(struct ext4_extent_index *x, uint64_t block)
{
    x->leaf_lo = (uint32_t)block;
    x->leaf_hi = (uint16_t)(block >> 32);
}

/* ---- walking ---- */

static uint32_t room_of(const struct level *l)
{
    size_t bytes = l->buffer ? volume.block_size : sizeof((struct ext4_inode *)0)->block;

    return (uint32_t)((bytes - sizeof *l->header) / sizeof(struct ext4_extent));
}

static bool header_is_sound(const struct level *l, unsigned depth)
{
    const struct ext4_extent_header *h = l->header;

    return h->magic == EXT4_EXTENT_MAGIC && h->depth == depth && h->max <= room_of(l) && h->max &&
           h->entries <= h->max && (h->entries || !depth);
}

/* Both kinds of entry begin with the logical block. */
static uint32_t key(const struct ext4_extent_header *h, int n)
{
    return ((const struct ext4_extent *)(h + 1))[n].block;
}

static int search(const struct ext4_extent_header *h, uint32_t logical)
{
    int low = 0, high = h->entries;

    while (low < high) {
        int middle = (low + high) / 2;

        if (key(h, middle) <= logical)
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

static bool extent_is_sound(const struct ext4_extent *e)
{
    uint32_t n = length_of(e);

    return n && (uint64_t)e->block + n <= LOGICAL_END && start_of(e) > volume.first_data_block &&
           start_of(e) < volume.blocks && n <= volume.blocks - start_of(e) &&
           !block_is_system(start_of(e), n);
}

static long walk(struct inode *i, uint32_t logical, struct path *p)
{
    struct level *l = &p->level[0];
    unsigned depth;

    *l = (struct level){.header = (void *)i->raw->block};
    depth = l->header->depth;
    if (depth > DEPTH_MAX)
        return -EUCLEAN;
    p->depth = depth;
    for (;; l++) {
        uint64_t child;
        long result;

        if (!header_is_sound(l, depth))
            return -EUCLEAN;
        l->at = search(l->header, logical);
        if (depth-- == 0)
            break;
        if (l->at < 0)
            l->at = 0;
        child = child_of(&indices(l->header)[l->at]);
        if (block_is_system(child, 1))
            return -EUCLEAN;
        result = block_get(child, KIND_EXTENTS, i->seed, &l[1].buffer);
        if (result)
            return result;
        l[1].header = buffer_data(l[1].buffer);
    }
    return l->at >= 0 && !extent_is_sound(&extents(l->header)[l->at]) ? -EUCLEAN : 0;
}

static struct level *leaf_of(struct path *p)
{
    return &p->level[p->depth];
}

/* Where the next extent after the path's place begins; LOGICAL_END: nowhere. */
static uint64_t next_start(const struct path *p)
{
    for (int n = (int)p->depth; n >= 0; n--)
        if (p->level[n].at + 1 < p->level[n].header->entries)
            return key(p->level[n].header, p->level[n].at + 1);
    return LOGICAL_END;
}

long extent_find(struct inode *i, uint32_t logical, uint32_t want, struct extent_map *out)
{
    const struct ext4_extent *e;
    struct path p;
    uint64_t next;
    long result;

    if (!(i->raw->flags & INODE_EXTENTS))
        return blockmap_find(i, logical, want, out);
    result = walk(i, logical, &p);
    if (result)
        return result;
    e = &extents(leaf_of(&p)->header)[leaf_of(&p)->at];
    if (leaf_of(&p)->at >= 0 && logical - e->block < length_of(e)) {
        uint32_t skip = logical - e->block, left = length_of(e) - skip;

        *out = (struct extent_map){start_of(e) + skip, left < want ? left : want, is_unwritten(e)};
        return 0;
    }
    next = next_start(&p);
    if (next <= logical)
        return -EUCLEAN;
    *out = (struct extent_map){.count = next - logical < want ? (uint32_t)(next - logical) : want};
    return 0;
}

long extent_goal(struct inode *i, uint32_t logical, uint64_t *goal)
{
    const struct ext4_extent *e;
    struct path p;
    long result;

    *goal = volume.first_data_block +
            (uint64_t)((i->number - 1) / volume.inodes_per_group) * volume.blocks_per_group;
    if (!(i->raw->flags & INODE_EXTENTS))
        return 0;
    result = walk(i, logical, &p);
    if (result || leaf_of(&p)->at < 0)
        return result;
    e = &extents(leaf_of(&p)->header)[leaf_of(&p)->at];
    *goal = start_of(e) + (logical - e->block);
    return 0;
}

/* ---- changing ---- */

static long change(struct inode *i, struct level *l)
{
    return l->buffer ? block_change(l->buffer) : inode_change(i);
}

/* A block for the tree. */
static long new_node(struct inode *i, const struct path *p, unsigned depth, struct level *out)
{
    struct level *l = (struct level *)&p->level[p->depth];
    uint64_t goal = 0, block;
    uint32_t got;
    long result;

    if (l->at >= 0)
        goal = start_of(&extents(l->header)[l->at]);
    else
        result = extent_goal(i, 0, &goal);
    result = blocks_allocate(goal, 1, &block, &got);
    if (result == 0)
        result = block_fresh(block, KIND_EXTENTS, i->seed, &out->buffer);
    if (result == 0)
        result = inode_change(i);
    if (result)
        return result;
    inode_add_blocks(i, 1);
    out->header = buffer_data(out->buffer);
    *out->header = (struct ext4_extent_header){
        .magic = EXT4_EXTENT_MAGIC,
        .max = (uint16_t)((volume.block_size - sizeof *out->header) / sizeof(struct ext4_extent)),
        .depth = (uint16_t)depth};
    return 0;
}

/* The root's entries go into a node below it. */
static long grow_deeper(struct inode *i, struct path *p)
{
    struct ext4_extent_header *root = p->level[0].header;
    struct level node;
    long result;

    if (p->depth == DEPTH_MAX)
        return -EFBIG;
    result = new_node(i, p, root->depth, &node);
    if (result)
        return result;
    node.header->entries = root->entries;
    memcpy(node.header + 1, root + 1, root->entries * sizeof(struct ext4_extent));
    root->depth++;
    root->entries = 1;
    indices(root)[0].unused = 0;
    indices(root)[0].block = node.header->entries ? key(node.header, 0) : 0;
    put_child(&indices(root)[0], node.buffer->block);
    return 0;
}

static long make_room(struct inode *i, struct path *p, unsigned n, uint32_t logical,
                      uint32_t needed);

/* A node beside a full one. A leaf that is added to at its end leaves the new one to what comes;
 * else half of the entries move. */
static long split(struct inode *i, struct path *p, unsigned n, uint32_t logical)
{
    struct level *l = &p->level[n], *above = &p->level[n - 1], node;
    uint32_t entries = l->header->entries, kept = entries / 2;
    bool at_end = n == p->depth && l->at + 1 == (int)entries && next_start(p) == LOGICAL_END;
    struct ext4_extent_index *x;
    long result;

    if (above->header->entries == above->header->max)
        return make_room(i, p, n - 1, logical, 1);
    if (at_end)
        kept = entries;
    result = new_node(i, p, l->header->depth, &node);
    if (result == 0)
        result = change(i, l);
    if (result == 0)
        result = change(i, above);
    if (result)
        return result;
    node.header->entries = (uint16_t)(entries - kept);
    memcpy(node.header + 1, extents(l->header) + kept,
           (entries - kept) * sizeof(struct ext4_extent));
    l->header->entries = (uint16_t)kept;
    x = indices(above->header) + above->at + 1;
    memmove(x + 1, x, (above->header->entries++ - (unsigned)(above->at + 1)) * sizeof *x);
    x->block = at_end ? logical : key(node.header, 0);
    x->unused = 0;
    put_child(x, node.buffer->block);
    return 0;
}

/* Room for `needed` entries in that level: one step towards it; the path is stale then: -EAGAIN. */
static long make_room(struct inode *i, struct path *p, unsigned n, uint32_t logical,
                      uint32_t needed)
{
    long result;

    if (p->level[n].header->entries + needed <= p->level[n].header->max)
        return 0;
    result = n == 0 ? grow_deeper(i, p) : split(i, p, n, logical);
    return result ? result : -EAGAIN;
}

/* The path, and room for `needed` entries in its leaf. */
static long walk_with_room(struct inode *i, uint32_t logical, uint32_t needed, struct path *p)
{
    for (unsigned steps = 0; steps < 4 * DEPTH_MAX; steps++) {
        long result = walk(i, logical, p);

        if (result == 0)
            result = make_room(i, p, p->depth, logical, needed);
        if (result != -EAGAIN)
            return result ? result : change(i, leaf_of(p));
    }
    return -EUCLEAN;
}

/* The leaf's first entry has changed: so do the keys that lead to it. */
static long lower_keys(struct inode *i, struct path *p)
{
    uint32_t first = key(leaf_of(p)->header, 0);

    for (int n = (int)p->depth - 1; n >= 0; n--) {
        struct level *l = &p->level[n];
        long result;

        if (indices(l->header)[l->at].block == first)
            break;
        result = change(i, l);
        if (result)
            return result;
        indices(l->header)[l->at].block = first;
        if (l->at > 0)
            break;
    }
    return 0;
}

static bool may_join(const struct ext4_extent *a, const struct ext4_extent *b)
{
    uint32_t n = length_of(a) + length_of(b);

    return is_unwritten(a) == is_unwritten(b) && a->block + length_of(a) == b->block &&
           start_of(a) + length_of(a) == start_of(b) &&
           n <= EXT4_EXTENT_MAX - (is_unwritten(a) ? 1 : 0);
}

/* Put an entry at place n of a leaf that has room; joined with its neighbours. */
static void place(struct ext4_extent_header *h, int n, struct ext4_extent e)
{
    struct ext4_extent *list = extents(h);

    if (n > 0 && may_join(&list[n - 1], &e)) {
        list[n - 1].length = (uint16_t)(list[n - 1].length + length_of(&e));
        if (n < h->entries && may_join(&list[n - 1], &list[n])) {
            list[n - 1].length = (uint16_t)(list[n - 1].length + length_of(&list[n]));
            memmove(&list[n], &list[n + 1], (size_t)(h->entries - n - 1) * sizeof *list);
            h->entries--;
        }
    } else if (n < h->entries && may_join(&e, &list[n])) {
        e.length = (uint16_t)(e.length + length_of(&list[n]));
        list[n] = e;
    } else {
        memmove(&list[n + 1], &list[n], (size_t)(h->entries - n) * sizeof *list);
        list[n] = e;
        h->entries++;
    }
}

/* Joined with the extent before it without more room? That is what appending does. */
static long join(struct inode *i, struct path *p, const struct ext4_extent *e, bool *joined)
{
    struct level *l = leaf_of(p);
    long result;

    *joined = l->at >= 0 && may_join(&extents(l->header)[l->at], e);
    if (!*joined)
        return 0;
    result = change(i, l);
    if (result == 0)
        place(l->header, l->at + 1, *e);
    return result;
}

long extent_insert(struct inode *i, uint32_t logical, uint64_t physical, uint32_t count,
                   bool unwritten)
{
    struct ext4_extent e = make(logical, physical, count, unwritten);
    struct path p;
    bool joined;
    long result;

    if (!(i->raw->flags & INODE_EXTENTS))
        return -EOPNOTSUPP;
    result = inode_change(i);
    if (result == 0)
        result = walk(i, logical, &p);
    if (result == 0)
        result = join(i, &p, &e, &joined);
    if (result == 0 && !joined) {
        result = walk_with_room(i, logical, 1, &p);
        if (result == 0) {
            place(leaf_of(&p)->header, leaf_of(&p)->at + 1, e);
            result = lower_keys(i, &p);
        }
    }
    if (result == 0)
        inode_add_blocks(i, count);
    return result;
}

/* Part of one unwritten extent, at p's place; its leaf has room for two more. */
static void write_part(struct level *l, uint32_t logical, uint32_t count)
{
    struct ext4_extent *list = extents(l->header), whole = list[l->at];
    uint32_t before = logical - whole.block, after = length_of(&whole) - before - count;
    int at = l->at;

    memmove(&list[at], &list[at + 1], (size_t)(l->header->entries - at - 1) * sizeof *list);
    l->header->entries--;
    if (before)
        place(l->header, at++, make(whole.block, start_of(&whole), before, true));
    if (after) /* first: it does not join what is written */
        place(l->header, at, make(logical + count, start_of(&whole) + before + count, after, true));
    place(l->header, at, make(logical, start_of(&whole) + before, count, false));
}

long extent_written(struct inode *i, uint32_t logical, uint32_t count)
{
    while (count) {
        const struct ext4_extent *e;
        struct path p;
        uint32_t n;
        long result = walk_with_room(i, logical, 2, &p);

        if (result)
            return result;
        e = &extents(leaf_of(&p)->header)[leaf_of(&p)->at];
        if (leaf_of(&p)->at < 0 || logical - e->block >= length_of(e) || !is_unwritten(e))
            return -EUCLEAN;
        n = length_of(e) - (logical - e->block);
        if (n > count)
            n = count;
        write_part(leaf_of(&p), logical, n);
        logical += n;
        count -= n;
    }
    return 0;
}

/* ---- removing ---- */

static bool has_metadata(const struct inode *i)
{
    return !S_ISREG(i->raw->mode);
}

/* The path's leaf is empty: it goes, and what becomes empty above it. */
static long remove_leaf(struct inode *i, struct path *p)
{
    for (unsigned n = p->depth; n > 0 && p->level[n].header->entries == 0; n--) {
        struct level *l = &p->level[n], *above = &p->level[n - 1];
        long result = change(i, above);

        if (result == 0)
            result = blocks_free(l->buffer->block, 1, true);
        if (result)
            return result;
        inode_add_blocks(i, -1);
        above->header->entries--; /* it was the last */
    }
    if (p->level[0].header->entries == 0)
        p->level[0].header->depth = 0;
    return 0;
}

/* The last extent, as far as it lies at or after `from`: 1 when there may be more. */
static long remove_last(struct inode *i, uint32_t from)
{
    struct ext4_extent *e;
    uint32_t kept, count;
    struct level *leaf;
    struct path p;
    long result = walk(i, UINT32_MAX, &p);

    if (result)
        return result;
    leaf = leaf_of(&p);
    if (leaf->at < 0)
        return leaf->header->entries || p.depth ? -EUCLEAN : 0;
    e = &extents(leaf->header)[leaf->at];
    count = length_of(e);
    if ((uint64_t)e->block + count <= from)
        return 0;
    kept = e->block < from ? from - e->block : 0;
    result = change(i, leaf);
    if (result == 0)
        result = inode_change(i);
    if (result == 0)
        result = blocks_free(start_of(e) + kept, count - kept, has_metadata(i));
    if (result)
        return result;
    inode_add_blocks(i, -(int64_t)(count - kept));
    if (kept) {
        *e = make(e->block, start_of(e), kept, is_unwritten(e));
        return 0;
    }
    leaf->header->entries--;
    result = leaf->header->entries ? 0 : remove_leaf(i, &p);
    return result ? result : 1;
}

long extent_truncate(struct inode *i, uint32_t from, uint32_t budget)
{
    long result = 1;

    if (!(i->raw->flags & INODE_EXTENTS))
        return -EOPNOTSUPP;
    while (budget-- && result == 1)
        result = remove_last(i, from);
    return result;
}
