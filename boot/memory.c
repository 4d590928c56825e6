/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the kernel's table of frames lies: in RAM, clear of the kernel's image and the archive. */
#include "boot/boot.h"

#define FRAME 4096ull

extern char kernel_physical_start[], kernel_physical_end[]; /* kernel.ld */

static uint64_t frame_up(uint64_t address)
{
    return (address + FRAME - 1) & ~(FRAME - 1);
}

static uint64_t find_place(uint64_t bytes)
{
    uint64_t image_end = (uint64_t)kernel_physical_end,
             archive_end = boot_info.archive + boot_info.archive_size;

    for (unsigned i = 0; i < boot_info.ranges; i++) {
        uint64_t at = frame_up(boot_info.ram[i].start);

        if (at < BOOT_RAM_START)
            continue;
        if (at < image_end)
            at = frame_up(image_end);
        if (at < archive_end && at + bytes > boot_info.archive)
            at = frame_up(archive_end);
        if (at + bytes <= boot_info.ram[i].end)
            return at;
    }
    return 0;
}

void memory_place(void)
{
    uint64_t top = 0;

    for (unsigned i = 0; i < boot_info.ranges; i++)
        if (boot_info.ram[i].end > top)
            top = boot_info.ram[i].end;
    if (boot_info.archive < (uint64_t)kernel_physical_end &&
        boot_info.archive + boot_info.archive_size > (uint64_t)kernel_physical_start)
        kernel_panic("too little memory: %lu kB, and the boot archive lies over the kernel",
                     top >> 10);
    boot_info.frames = (uint32_t)(top / FRAME);
    boot_info.table_size = frame_up((uint64_t)boot_info.frames * BOOT_FRAME_ENTRY);
    boot_info.table = find_place(boot_info.table_size);
    if (!boot_info.table)
        kernel_panic("too little memory: no room for the table of %u frames", boot_info.frames);
}
