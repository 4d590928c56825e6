/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disc on a disk (drive.h), which is an image file of the host's as a rule: as it is in memory,
 * struct disc and then the blocks. So it outlives the system, and the host can look at it.
 *
 * Only a disk that begins with DISC_MAGIC is one. That mark is the host's to make; so no disk with
 * something else on it is ever taken for a blank disc. `blocks` is 0 until the first is written.
 */
#ifndef WRITEONCE_IMAGE_H
#define WRITEONCE_IMAGE_H

#include "abi/block_queue.h"
#include "drivers/block/writeonce/disc.h"

/* The disk is started, and its header read. NULL: there is none, or none of ours, and *error says
 * which: -ENODEV: no disk; -EIO; -EOPNOTSUPP: a disk that is to be left alone. The disc that is returned may
 * be looked at, not written. `disk`: what it says of itself. */
const struct disc *image_open(struct block_unit *disk, int *error);

/* False: it was written before and nothing has been done, or it has gone wrong. Afterwards the mark is
 * on the medium in any case, the block only after image_flush(). */
bool image_write(uint32_t block, const uint8_t bytes[DISC_BLOCK]);
bool image_read(uint32_t block, uint8_t bytes[DISC_BLOCK]);
bool image_flush(void);

#endif
