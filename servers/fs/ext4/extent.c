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
#include "servers/fs/ext4/extent.h"

/* ---- entries ---- */

static struct ext4_extent_index *indices(struct ext4_extent_header *h)
{
    return (void *)(h + 1);
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

static uint32_t room_of(const struct extent_level *l)
{
    size_t bytes = l->buffer ? volume.block_size : sizeof((struct ext4_inode *)0)->block;

    return (uint32_t)((bytes - sizeof *l->header) / sizeof(struct ext4_extent));
}

static bool header_is_sound(const struct extent_level *l, unsigned depth)
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
    uint32_t n = extent_length(e);

    return n && (uint64_t)e->block + n <= LOGICAL_END &&
           extent_start(e) > volume.first_data_block && extent_start(e) < volume.blocks &&
           n <= volume.blocks - extent_start(e) && !block_is_system(extent_start(e), n);
}

/* Each node is checked before a pointer of it is followed, and the depth falls with each: a damaged
 * tree ends the walk, and leads neither round in a circle nor to the file system's own blocks. A
 * block before the first one would go to the first child. */
long extent_walk(struct inode *i, uint32_t logical, struct extent_path *p)
{
    struct extent_level *l = &p->level[0];
    unsigned depth;

    *l = (struct extent_level){.header = (void *)i->raw->block};
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
    return l->at >= 0 && !extent_is_sound(&extent_list(l->header)[l->at]) ? -EUCLEAN : 0;
}

/* Where the next extent after the path's place begins; LOGICAL_END: nowhere. */
static uint64_t next_start(const struct extent_path *p)
{
    for (int n = (int)p->depth; n >= 0; n--)
        if (p->level[n].at + 1 < p->level[n].header->entries)
            return key(p->level[n].header, p->level[n].at + 1);
    return LOGICAL_END;
}

long extent_find(struct inode *i, uint32_t logical, uint32_t want, struct extent_map *out)
{
    const struct ext4_extent *e;
    struct extent_path p;
    uint64_t next;
    long result;

    if (!(i->raw->flags & INODE_EXTENTS))
        return blockmap_find(i, logical, want, out);
    result = extent_walk(i, logical, &p);
    if (result)
        return result;
    e = &extent_list(extent_leaf(&p)->header)[extent_leaf(&p)->at];
    if (extent_leaf(&p)->at >= 0 && logical - e->block < extent_length(e)) {
        uint32_t skip = logical - e->block, left = extent_length(e) - skip;

        *out = (struct extent_map){extent_start(e) + skip, left < want ? left : want,
                                   extent_is_unwritten(e)};
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
    struct extent_path p;
    long result;

    *goal = volume.first_data_block +
            (uint64_t)((i->number - 1) / volume.inodes_per_group) * volume.blocks_per_group;
    if (!(i->raw->flags & INODE_EXTENTS))
        return 0;
    result = extent_walk(i, logical, &p);
    if (result || extent_leaf(&p)->at < 0)
        return result;
    e = &extent_list(extent_leaf(&p)->header)[extent_leaf(&p)->at];
    *goal = extent_start(e) + (logical - e->block);
    return 0;
}

/* ---- changing ---- */

long extent_change(struct inode *i, struct extent_level *l)
{
    return l->buffer ? block_change(l->buffer) : inode_change(i);
}

/* A block for the tree. */
static long new_node(struct inode *i, const struct extent_path *p, unsigned depth,
                     struct extent_level *out)
{
    struct extent_level *l = (struct extent_level *)&p->level[p->depth];
    uint64_t goal = 0, block;
    uint32_t got;
    long result;

    if (l->at >= 0)
        goal = extent_start(&extent_list(l->header)[l->at]);
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
static long grow_deeper(struct inode *i, struct extent_path *p)
{
    struct ext4_extent_header *root = p->level[0].header;
    struct extent_level node;
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

static long make_room(struct inode *i, struct extent_path *p, unsigned n, uint32_t logical,
                      uint32_t needed);

/* A node beside a full one. A leaf that is added to at its end leaves the new one to what comes;
 * else half of the entries move. */
static long split(struct inode *i, struct extent_path *p, unsigned n, uint32_t logical)
{
    struct extent_level *l = &p->level[n], *above = &p->level[n - 1], node;
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
        result = extent_change(i, l);
    if (result == 0)
        result = extent_change(i, above);
    if (result)
        return result;
    node.header->entries = (uint16_t)(entries - kept);
    memcpy(node.header + 1, extent_list(l->header) + kept,
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
static long make_room(struct inode *i, struct extent_path *p, unsigned n, uint32_t logical,
                      uint32_t needed)
{
    long result;

    if (p->level[n].header->entries + needed <= p->level[n].header->max)
        return 0;
    result = n == 0 ? grow_deeper(i, p) : split(i, p, n, logical);
    return result ? result : -EAGAIN;
}

/* The path, and room for `needed` entries in its leaf. */
static long walk_with_room(struct inode *i, uint32_t logical, uint32_t needed,
                           struct extent_path *p)
{
    for (unsigned steps = 0; steps < 4 * DEPTH_MAX; steps++) {
        long result = extent_walk(i, logical, p);

        if (result == 0)
            result = make_room(i, p, p->depth, logical, needed);
        if (result != -EAGAIN)
            return result ? result : extent_change(i, extent_leaf(p));
    }
    return -EUCLEAN;
}

/* The leaf's first entry has changed: so do the keys that lead to it. */
static long lower_keys(struct inode *i, struct extent_path *p)
{
    uint32_t first = key(extent_leaf(p)->header, 0);

    for (int n = (int)p->depth - 1; n >= 0; n--) {
        struct extent_level *l = &p->level[n];
        long result;

        if (indices(l->header)[l->at].block == first)
            break;
        result = extent_change(i, l);
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
    uint32_t n = extent_length(a) + extent_length(b);

    return extent_is_unwritten(a) == extent_is_unwritten(b) &&
           a->block + extent_length(a) == b->block &&
           extent_start(a) + extent_length(a) == extent_start(b) &&
           n <= EXT4_EXTENT_MAX - (extent_is_unwritten(a) ? 1 : 0);
}

/* Put an entry at place n of a leaf that has room; joined with its neighbours. */
static void place(struct ext4_extent_header *h, int n, struct ext4_extent e)
{
    struct ext4_extent *list = extent_list(h);

    if (n > 0 && may_join(&list[n - 1], &e)) {
        list[n - 1].length = (uint16_t)(list[n - 1].length + extent_length(&e));
        if (n < h->entries && may_join(&list[n - 1], &list[n])) {
            list[n - 1].length = (uint16_t)(list[n - 1].length + extent_length(&list[n]));
            memmove(&list[n], &list[n + 1], (size_t)(h->entries - n - 1) * sizeof *list);
            h->entries--;
        }
    } else if (n < h->entries && may_join(&e, &list[n])) {
        e.length = (uint16_t)(e.length + extent_length(&list[n]));
        list[n] = e;
    } else {
        memmove(&list[n + 1], &list[n], (size_t)(h->entries - n) * sizeof *list);
        list[n] = e;
        h->entries++;
    }
}

/* Joined with the extent before it without more room? That is what appending does. */
static long join(struct inode *i, struct extent_path *p, const struct ext4_extent *e, bool *joined)
{
    struct extent_level *l = extent_leaf(p);
    long result;

    *joined = l->at >= 0 && may_join(&extent_list(l->header)[l->at], e);
    if (!*joined)
        return 0;
    result = extent_change(i, l);
    if (result == 0)
        place(l->header, l->at + 1, *e);
    return result;
}

long extent_insert(struct inode *i, uint32_t logical, uint64_t physical, uint32_t count,
                   bool unwritten)
{
    struct ext4_extent e = extent_make(logical, physical, count, unwritten);
    struct extent_path p;
    bool joined;
    long result;

    if (!(i->raw->flags & INODE_EXTENTS))
        return -EOPNOTSUPP;
    result = inode_change(i);
    if (result == 0)
        result = extent_walk(i, logical, &p);
    if (result == 0)
        result = join(i, &p, &e, &joined);
    if (result == 0 && !joined) {
        result = walk_with_room(i, logical, 1, &p);
        if (result == 0) {
            place(extent_leaf(&p)->header, extent_leaf(&p)->at + 1, e);
            result = lower_keys(i, &p);
        }
    }
    if (result == 0)
        inode_add_blocks(i, count);
    return result;
}

/* Part of one unwritten extent, at p's place; its leaf has room for two more. */
static void write_part(struct extent_level *l, uint32_t logical, uint32_t count)
{
    struct ext4_extent *list = extent_list(l->header), whole = list[l->at];
    uint32_t before = logical - whole.block, after = extent_length(&whole) - before - count;
    int at = l->at;

    memmove(&list[at], &list[at + 1], (size_t)(l->header->entries - at - 1) * sizeof *list);
    l->header->entries--;
    if (before)
        place(l->header, at++, extent_make(whole.block, extent_start(&whole), before, true));
    if (after) /* first: it does not join what is written */
        place(l->header, at,
              extent_make(logical + count, extent_start(&whole) + before + count, after, true));
    place(l->header, at, extent_make(logical, extent_start(&whole) + before, count, false));
}

long extent_written(struct inode *i, uint32_t logical, uint32_t count)
{
    while (count) {
        const struct ext4_extent *e;
        struct extent_path p;
        uint32_t n;
        long result = walk_with_room(i, logical, 2, &p);

        if (result)
            return result;
        e = &extent_list(extent_leaf(&p)->header)[extent_leaf(&p)->at];
        if (extent_leaf(&p)->at < 0 || logical - e->block >= extent_length(e) ||
            !extent_is_unwritten(e))
            return -EUCLEAN;
        n = extent_length(e) - (logical - e->block);
        if (n > count)
            n = count;
        write_part(extent_leaf(&p), logical, n);
        logical += n;
        count -= n;
    }
    return 0;
}
