/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VGA in text mode: 80 columns, 25 rows, colours. Registers as in IBM's "PS/2 Hardware Interface
 * Technical Reference, Video Subsystem".
 */
#ifndef CONSOLE_VGA_H
#define CONSOLE_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/screen_queue.h"
#include "lib/driver/driver.h"

#define VGA_MEMORY 0xa0000u /* the registers of the manifest: the whole aperture */
#define VGA_TEXT 0x18000u /* of it: where text mode has its cells, at 0xb8000 */
#define VGA_APERTURE 0x20000u
#define VGA_NO_CURSOR 0xffffu

struct vga {
    volatile void *memory;
    struct screen_queue *queue; /* NULL in tests: the font is not kept */
    bool is_known; /* `cell` and `cursor` are what the adapter has */
    uint16_t cursor; /* cell, or VGA_NO_CURSOR */
    uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS];
};

/* Is there a VGA, in text mode as vga_reset() leaves it? Changes nothing. Else what is not so. */
const char *vga_mismatch(const struct vga *v);

/*
 * From any state to text mode. -ENODEV: there is no VGA. -EOPNOTSUPP: it is in a graphics mode, and
 * what its font was nobody has kept: the loader's picture is not for this driver.
 */
int vga_reset(struct vga *v);

/* Keeps the adapter's font in the queue, for a reset that comes after it was overwritten. */
void vga_keep_font(struct vga *v);

/* Cells and cursor as given; writes what is not so already. */
void vga_paint(struct vga *v, uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS], uint16_t cursor);

#endif
