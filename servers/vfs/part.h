/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks and their partitions: who mounts or claims the one has a claim on the other, too. */
#ifndef VFS_PART_H
#define VFS_PART_H

#include <stdbool.h>
#include <stdint.h>

struct client;

struct part { /* a disk, or a part of one; numbers as makedev() has them, 0: none */
    uint64_t device, disk; /* disk: the whole one */
};

/* Which part of which disk that device is, as its server says. */
long part_find(struct client *c, uint64_t device, struct part *out);
/* They have blocks in common. (Of two partitions that is not asked, as in Linux.) */
static inline bool parts_overlap(const struct part *a, const struct part *b)
{
    return a->device && b->device &&
           (a->device == b->device || a->device == b->disk || b->device == a->disk);
}
bool part_is_mounted(const struct part *p); /* or any of it (mount.c) */
bool part_is_claimed(const struct part *p); /* somebody has opened it, or any of it, with O_EXCL */

#endif
