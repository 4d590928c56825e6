/* SPDX-License-Identifier: BSD-2-Clause */
/* When files lose their set-uid and set-gid bits. */
#include <errno.h>

#include "lib/fs/fs.h"

/* As on Linux: who changes a program, or is given one, has not said that it shall run with the rights of
 * its owner. */
static uint32_t without_ids(uint32_t mode)
{
    return mode & ~(uint32_t)(mode & S_IXGRP ? S_ISUID | S_ISGID : S_ISUID);
}

long fs_drop_ids(const struct fs_operations *fs, uint64_t node, uint64_t flags)
{
    struct fs_set set = {.mask = ATTRIBUTE_MODE};
    struct fs_attributes a;
    long result;

    if (!(flags & FILE_DROPS_IDS) || !fs->set_attributes)
        return 0;
    result = fs->attributes(node, &a);
    if (result || !S_ISREG(a.mode) || without_ids(a.mode) == a.mode)
        return result;
    set.mode = without_ids(a.mode) & 07777;
    return fs->set_attributes(node, &set);
}

long fs_drop_ids_of_owner(const struct fs_operations *fs, uint64_t node, struct fs_set *set)
{
    struct fs_attributes a;
    uint32_t mode;
    long result;

    if (!(set->mask & (ATTRIBUTE_UID | ATTRIBUTE_GID)) || (set->mask & ATTRIBUTE_MODE))
        return 0;
    result = fs->attributes(node, &a);
    if (result || S_ISDIR(a.mode))
        return result;
    mode = without_ids(a.mode);
    if (mode != a.mode) {
        set->mode = mode & 07777;
        set->mask |= ATTRIBUTE_MODE;
    }
    return 0;
}
