/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking extents away, from the end of a file. */
#include <errno.h>
#include <sys/stat.h>

#include "servers/fs/ext4/extent.h"

static bool has_metadata(const struct inode *i)
{
    return !S_ISREG(i->raw->mode);
}

/* The path's leaf is empty: it goes, and what becomes empty above it. */
static long remove_leaf(struct inode *i, struct extent_path *p)
{
    for (unsigned n = p->depth; n > 0 && p->level[n].header->entries == 0; n--) {
        struct extent_level *l = &p->level[n], *above = &p->level[n - 1];
        long result = extent_change(i, above);

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
    struct extent_level *leaf;
    struct extent_path p;
    long result = extent_walk(i, UINT32_MAX, &p);

    if (result)
        return result;
    leaf = extent_leaf(&p);
    if (leaf->at < 0)
        return leaf->header->entries || p.depth ? -EUCLEAN : 0;
    e = &extent_list(leaf->header)[leaf->at];
    count = extent_length(e);
    if ((uint64_t)e->block + count <= from)
        return 0;
    kept = e->block < from ? from - e->block : 0;
    result = extent_change(i, leaf);
    if (result == 0)
        result = inode_change(i);
    if (result == 0)
        result = blocks_free(extent_start(e) + kept, count - kept, has_metadata(i));
    if (result)
        return result;
    inode_add_blocks(i, -(int64_t)(count - kept));
    if (kept) {
        *e = extent_make(e->block, extent_start(e), kept, extent_is_unwritten(e));
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
