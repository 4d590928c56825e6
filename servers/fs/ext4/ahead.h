/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading ahead: whoever reads a file in order finds its blocks in memory. */
#ifndef EXT4_AHEAD_H
#define EXT4_AHEAD_H

#include "servers/fs/ext4/ext4.h"

/* Bytes [offset, end) are wanted now: starts reading those that are not in memory, and what will be
 * wanted next. */
void read_ahead(struct inode *i, uint64_t offset, uint64_t end);

#endif
