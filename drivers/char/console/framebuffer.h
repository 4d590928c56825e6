/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A screen of points in direct colours, as a boot loader leaves it (struct kernel_framebuffer): on machines
 * that have no VGA text mode, or where the loader has set a picture up. 80 by 25 characters of 8 by 16 points, each
 * point as many times as fit, in the middle. It has no registers, so there is nothing to adopt or to reset: a fresh
 * copy paints all once.
 */
#ifndef CONSOLE_FRAMEBUFFER_H
#define CONSOLE_FRAMEBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/kernel.h"
#include "abi/screen_queue.h"

#define FRAMEBUFFER_NO_CURSOR 0xffffu
#define FRAMEBUFFER_GLYPH_WIDTH 8u
#define FRAMEBUFFER_GLYPH_HEIGHT 16u

struct framebuffer {
    volatile uint8_t *memory;
    struct kernel_framebuffer layout;
    const uint8_t (*font)[FRAMEBUFFER_GLYPH_HEIGHT]; /* 256; bit 7 is the leftmost point */
    uint32_t scale, left, top; /* of the characters, in points */
    uint32_t colour[16]; /* as points */
    bool is_clear; /* what is around the characters is black */
    bool is_known[SCREEN_ROWS]; /* the row's `cell` is what is to be seen; but for the cursor: */
    uint16_t cursor; /* where one was painted, or FRAMEBUFFER_NO_CURSOR */
    uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS];
};

/* NULL, or why it is none to paint on: too small, or its points are of an unknown kind. `size`: bytes at
 * `memory`. */
const char *framebuffer_open(struct framebuffer *f, volatile void *memory, uint64_t size,
                             const struct kernel_framebuffer *layout,
                             const uint8_t (*font)[FRAMEBUFFER_GLYPH_HEIGHT]);

/*
 * Cells and cursor as given (abi/screen_queue.h; blinking is bright ground); writes what is not so already. false: that
 * was a part of it, to be called again, so that the driver comes back to its loop.
 */
bool framebuffer_paint(struct framebuffer *f, uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS],
                       uint16_t cursor);

#endif
