/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partition tables. MBR with logical partitions (the layout is the IBM PC's); GPT (UEFI 2.10,
 * section 5). Pure logic: it reads through a function and allocates nothing.
 */
#ifndef DISK_PARTITION_H
#define DISK_PARTITION_H

#include <stdint.h>

#define PARTITIONS_MAX 128 /* as many as a GPT has entries, commonly */

struct partition {
    uint64_t first, sectors; /* 0 sectors: none of that number */
};

/* The 512 bytes of that sector of 512: 0 or an error, which ends the search. */
typedef long (*sector_reader)(void *context, uint64_t sector, uint8_t bytes[512]);

/*
 * Fills in table[n - 1] for partition n, in sectors of 512 bytes, as `sectors` of the disk are; what
 * is on the disk counts its own blocks, of `block` bytes. Returns the reader's error, or 0: a disk
 * without a table, or with a damaged one, has no partitions. Those that reach beyond the disk are
 * left out. *beyond: how many there are with higher numbers (of logical ones: 1 for "there are
 * more").
 */
long partitions_read(sector_reader read, void *context, uint64_t sectors, uint32_t block,
                     struct partition table[PARTITIONS_MAX], unsigned *beyond);

#endif
