/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PIIX IDE: registers, and what is kept in memory. Sources: 82371FB (PIIX) and 82371SB (PIIX3), PCI
 * ISA IDE Xcelerator (Intel), section 2.7 for the bus master; lib/driver/ata_ports.h for the channels.
 */
#ifndef BLOCK_IDE_CHIP_H
#define BLOCK_IDE_CHIP_H

#include "lib/driver/ata.h"
#include "lib/driver/ata_ports.h"
#include "lib/driver/blockdriver.h"

extern const struct block_driver ide_driver;

enum { IDE_CHANNELS = 2, IDE_DRIVES = 2 /* of a channel: unit = 2 * channel + drive */ };

enum ide_bus_master { /* from the first port of the BAR, + 8 * channel */
                      MASTER_COMMAND = 0,
                      MASTER_STATUS = 2,
                      MASTER_TABLE = 4, /* physical address of the regions */
                      MASTER_STRIDE = 8,
                      MASTER_START = 1 << 0, /* command */
                      MASTER_TO_MEMORY = 1 << 3,
                      MASTER_ACTIVE = 1 << 0, /* status */
                      MASTER_ERROR = 1 << 1, /* write 1 to clear, as the next */
                      MASTER_INTERRUPT = 1 << 2, /* the drive has interrupted */
                      MASTER_CAPABLE = 3 << 5, /* set by the firmware: drives that do DMA */
};

struct ide_region { /* may not go beyond a multiple of 64 KB */
    uint32_t address;
    uint16_t bytes; /* 0: 64 KB */
    uint16_t flags;
};
enum { REGION_LAST = 1 << 15, REGION_MOST = 0x10000 };

/*
 * The chip's part of the queue, for each channel: what it works on, in one word, so that it is
 * there or not there for a successor; and its regions.
 */
struct ide_channel_memory {
    uint32_t order; /* ORDER_..., 0: nothing; written before the chip is told */
    uint32_t pad[1023];
    struct ide_region region[512]; /* a page of its own: it does not cross a multiple of 64 KB */
};
enum ide_order {
    ORDER_SLOT = 0x1f,
    ORDER_UNIT_SHIFT = 8, /* two bits */
    ORDER_WRITE = 1 << 16,
    ORDER_FUA = 1 << 17, /* a flush is to follow */
    ORDER_FLUSH = 1 << 18, /* it is at that, or was from the beginning */
    ORDER_GIVEN = 1 << 30,
};
_Static_assert(sizeof(struct ide_channel_memory) == 0x2000, "whole pages");
_Static_assert(IDE_CHANNELS * sizeof(struct ide_channel_memory) <= BLOCK_CHIP_SIZE, "fits");
_Static_assert(BLOCK_TRANSFER_MAX / REGION_MOST + 2 * BLOCK_SEGMENTS <= 512, "enough regions");

#endif
