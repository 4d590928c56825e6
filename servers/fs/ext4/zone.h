/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the file system's own structures lie: super blocks, descriptors, bitmaps, inode tables, the
 * journal. Nothing that a file's extents say may point there. Known to this incarnation alone; read
 * at its start.
 */
#ifndef EXT4_ZONE_H
#define EXT4_ZONE_H

#include <stdbool.h>
#include <stdint.h>

/* Reads all descriptors. 0, EXT4_MISS (call it again), -EUCLEAN: two overlap, -ENOMEM. */
long zones_load(void);
void zones_forget(void);
long zone_add(uint64_t first, uint64_t count); /* more of them: the journal. -ENOMEM, -EUCLEAN */
bool zone_has(uint64_t first, uint64_t count); /* any of these blocks */
/* Blocks at the beginning of a group that super block and descriptors take there. */
uint32_t zone_group_base(uint32_t group);

#endif
