/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader for cpio archives ("newc"), several of which may follow one another (later entries
 * override earlier ones). It trusts nothing: every length is checked against the archive's size.
 *
 *     struct cpio archive = {.bytes = ..., .size = ...};
 *     struct cpio_entry entry;
 *     while ((result = cpio_next(&archive, &entry)) > 0) ...
 */
#ifndef CPIO_CPIO_H
#define CPIO_CPIO_H

#include <stddef.h>
#include <stdint.h>

struct cpio {
    const void *bytes;
    size_t size;
    size_t at; /* where the next header is looked for; start with 0 */
};

struct cpio_entry {
    /* in the archive, NUL-terminated, without leading "/" or "./"; "" is the root itself */
    const char *name;
    const void *data; /* in the archive */
    size_t size;
    uint32_t inode, mode, uid, gid, links, mtime, major, minor; /* major, minor: of a device file */
};

/* 1: *entry is the next; 0: no more; -EINVAL: damaged at archive->at. */
int cpio_next(struct cpio *archive, struct cpio_entry *entry);

/* The last entry of that name: 1 and *entry, 0 none, -EINVAL damaged before it was found. */
int cpio_find(const void *bytes, size_t size, const char *name, struct cpio_entry *entry);

#endif
