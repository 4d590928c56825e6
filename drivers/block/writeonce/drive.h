/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk that the disc may be on: an ATA drive at ISA ports that no other driver has, those of a
 * fourth channel. The processor carries each word, and nothing interrupts.
 */
#ifndef WRITEONCE_DRIVE_H
#define WRITEONCE_DRIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/block_queue.h"

enum { DRIVE_PORTS = 0x168, DRIVE_CONTROL = 0x36e }; /* as the manifest has them */

/* Ends what was under way, and says who is there. -ENODEV: no disk; -EIO: none that is in order;
 * -EOPNOTSUPP: none that we can drive. */
int drive_start(struct block_unit *unit);

/* False: the drive says so, or nothing; it has been reset then. Up to 256 sectors of 512 bytes. */
bool drive_read(uint64_t sector, unsigned sectors, void *bytes);
bool drive_write(uint64_t sector, unsigned sectors, const void *bytes);
bool drive_flush(void); /* what was written is on the medium */

#endif
