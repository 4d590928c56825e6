/* SPDX-License-Identifier: BSD-2-Clause */
/* Attributes of files. */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"

enum { SHORT_LINK = 60 }; /* bytes of a symbolic link that fit into the inode, with a NUL */

long node_inode(uint64_t node, struct inode *out)
{
    long result = inode_get((uint32_t)node, out);

    if (result == 0 && out->raw->generation != (uint32_t)(node >> 32))
        result = -ESTALE;
    /* deleted, or one that mke2fs keeps for itself */
    if (result == 0 &&
        (out->raw->links == 0 ? out->raw->dtime == 0 && !open_count(node)
                              : out->number < volume.first_inode && out->number != EXT4_ROOT_INODE))
        result = -ESTALE;
    return result;
}

long change_begin(void)
{
    long result = volume.read_only ? -EROFS : commit_room();

    if (result == 0)
        result = op_room();
    if (result == 0)
        op_begin();
    return result;
}

long change_end(long result)
{
    if (result >= 0) {
        op_commit();
        changes_made();
    } else {
        op_abort();
    }
    orphans_ended(result >= 0);
    return result;
}

/* Old device numbers have 8 bits each; others lie in the second word. */
static uint64_t device_number(const struct inode *i)
{
    uint32_t old = i->raw->block[0], wide = i->raw->block[1];

    if (!S_ISCHR(i->raw->mode) && !S_ISBLK(i->raw->mode))
        return 0;
    return old ? makedev(old >> 8 & 0xff, old & 0xff)
               : makedev(wide >> 8 & 0xfff, (wide & 0xff) | (wide >> 12 & 0xfff00));
}

long file_attributes(uint64_t node, struct fs_attributes *out)
{
    struct inode i;
    long result = node_inode(node, &i);

    if (result)
        return result;
    *out = (struct fs_attributes){.size = inode_size(&i),
                                  .rdev = device_number(&i),
                                  .blocks = inode_blocks(&i),
                                  .mode = i.raw->mode,
                                  .links = i.raw->links,
                                  .uid = i.raw->uid_lo | (uint32_t)i.raw->uid_hi << 16,
                                  .gid = i.raw->gid_lo | (uint32_t)i.raw->gid_hi << 16,
                                  .atime_ns = inode_time(&i, TIME_ACCESS),
                                  .mtime_ns = inode_time(&i, TIME_MODIFY),
                                  .ctime_ns = inode_time(&i, TIME_CHANGE),
                                  .covered = is_covered(node)};
    return 0;
}

static void put_owner(struct ext4_inode *raw, uint32_t mask, const struct fs_set *set)
{
    if (mask & ATTRIBUTE_UID) {
        raw->uid_lo = (uint16_t)set->uid;
        raw->uid_hi = (uint16_t)(set->uid >> 16);
    }
    if (mask & ATTRIBUTE_GID) {
        raw->gid_lo = (uint16_t)set->gid;
        raw->gid_hi = (uint16_t)(set->gid >> 16);
    }
}

static long set_now(uint64_t node, const struct fs_set *set)
{
    struct inode i;
    long result = node_inode(node, &i);

    if (result == 0)
        result = inode_change(&i);
    if (result)
        return result;
    if (set->mask & ATTRIBUTE_MODE)
        i.raw->mode = (uint16_t)((i.raw->mode & S_IFMT) | (set->mode & 07777));
    put_owner(i.raw, (uint32_t)set->mask, set);
    if (set->mask & ATTRIBUTE_ATIME)
        inode_set_time(&i, TIME_ACCESS, set->atime_ns);
    if (set->mask & ATTRIBUTE_MTIME)
        inode_set_time(&i, TIME_MODIFY, set->mtime_ns);
    inode_set_time(&i, TIME_CHANGE, time_now());
    return 0;
}

long file_set_attributes(uint64_t node, const struct fs_set *set)
{
    long result = change_begin();

    return result ? result : change_end(set_now(node, set));
}

long file_link_text(uint64_t node, char *text, size_t room)
{
    uint64_t size;
    struct extent_map map;
    struct buffer *b;
    struct inode i;
    long result = node_inode(node, &i);

    if (result)
        return result;
    size = inode_size(&i);
    if (!S_ISLNK(i.raw->mode))
        return -EINVAL;
    if (size > room || size >= volume.block_size)
        return -EUCLEAN;
    if (size < SHORT_LINK && !(i.raw->flags & INODE_EXTENTS)) {
        memcpy(text, i.raw->block, size);
        return (long)size;
    }
    result = extent_find(&i, 0, 1, &map);
    if (result == 0 && (map.physical == 0 || map.unwritten))
        result = -EUCLEAN;
    if (result == 0)
        result = block_get(map.physical, KIND_DATA, 0, &b);
    if (result)
        return result;
    memcpy(text, buffer_data(b), size);
    return (long)size;
}
