/* SPDX-License-Identifier: BSD-2-Clause */
/* What boot/ tells the kernel of the machine, whichever loader started it. (What all services see of
 * it is in kernel_page.) */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <stdint.h>

#define BOOT_RANGES 64
#define BOOT_RAM_START 0x100000 /* what is below is left to firmware and start-up code */
#define BOOT_FRAME_ENTRY 12u /* bytes of the table for each frame */

struct boot_info {
    struct boot_range {
        /* physical, usable RAM; the kernel image and the archive are inside and must be left out */
        uint64_t start, end;
    } ram[BOOT_RANGES];
    unsigned ranges;
    uint32_t frames; /* of 4096 bytes, from 0 to the end of RAM */
    uint64_t table, table_size; /* physical; where the frames' table is to lie, in whole frames */
    uint64_t archive, archive_size; /* physical */
    uint64_t lapic, ioapic; /* the interrupt controllers, physical */
    uint64_t timer_hz; /* of the LAPIC's timer, divided by 1 as it is left */
    uint32_t isa_gsi[16];
};

extern struct boot_info boot_info;

#endif
