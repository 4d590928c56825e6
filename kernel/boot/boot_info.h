/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel learns from whichever loader started it (PVH or multiboot2): copied out of the
 * loader's memory before anything else. */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <stdint.h>

#define BOOT_RANGES 64

struct boot_info {
    struct boot_range {
        /* physical, usable RAM; the kernel image and the archive are inside and must be left out */
        uint64_t start, end;
    } ram[BOOT_RANGES];
    unsigned ranges;
    uint64_t archive, archive_size; /* physical; size 0: none */
    uint64_t rsdp; /* physical, 0 unknown */
    char command_line[256];
};

extern struct boot_info boot_info;

#endif
