/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of disks and partitions, as the disk server lists them: for fs/dev and fs/proc. */
#ifndef BLOCK_DISKS_H
#define BLOCK_DISKS_H

#include "abi/proto/disk.h"

void disks_fetch(void); /* ask the disk server anew */
const struct disk_device *disk_at(uint64_t index); /* as fetched last; NULL: past the end */
int disk_named(const char *name); /* its index, asking anew; -1: none */

#endif
