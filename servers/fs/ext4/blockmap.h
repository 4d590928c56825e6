/* SPDX-License-Identifier: BSD-2-Clause */
/* Block maps, as ext2 and ext3 have them: read only. */
#ifndef EXT4_BLOCKMAP_H
#define EXT4_BLOCKMAP_H

#include "servers/fs/ext4/ext4.h"

/* As extent_find(). -EFBIG beyond what three levels reach. */
long blockmap_find(struct inode *i, uint32_t logical, uint32_t want, struct extent_map *out);

#endif
