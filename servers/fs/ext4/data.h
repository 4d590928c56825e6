/* SPDX-License-Identifier: BSD-2-Clause */
/* What data.c and length.c share. */
#ifndef EXT4_DATA_H
#define EXT4_DATA_H

#include "servers/fs/ext4/ext4.h"

uint64_t data_size_limit(void); /* bytes of the largest file */
long data_regular(uint64_t node, struct inode *i); /* -EISDIR, -EINVAL: it is no regular file */
void data_dirty(struct buffer *b); /* it has got contents that the disk does not have */

#endif
