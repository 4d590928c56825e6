/* SPDX-License-Identifier: BSD-2-Clause */
/* What ATA disks have in common, however they are attached. Source: ATA/ATAPI Command Set 3
 * (ACS-3). */
#ifndef DRIVER_ATA_H
#define DRIVER_ATA_H

#include "abi/block_queue.h"

enum ata_command {
    ATA_READ_EXT = 0x24, /* these two: by the processor */
    ATA_READ_DMA_EXT = 0x25,
    ATA_WRITE_EXT = 0x34,
    ATA_WRITE_DMA_EXT = 0x35,
    ATA_WRITE_DMA_FUA_EXT = 0x3d,
    ATA_READ_QUEUED = 0x60,
    ATA_WRITE_QUEUED = 0x61,
    ATA_FLUSH_EXT = 0xea,
    ATA_IDENTIFY = 0xec,
};

enum { ATA_IDENTITY_WORDS = 256 };

/* What IDENTIFY (ACS-3 7.12.7) says of size, cache and names. */
struct block_unit ata_unit(const uint16_t *words);

/* Commands with sector numbers of 48 bits. */
static inline int ata_is_wide(const uint16_t *words)
{
    return words[83] >> 10 & 1;
}

#endif
