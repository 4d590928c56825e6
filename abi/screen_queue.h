/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The queue between tty and the driver of a screen of characters. As with abi/queue.h, RS makes the
 * memory before the driver's first start (manifest: `queue 32K tty`), it belongs to the client, and
 * it outlives every incarnation of both sides.
 *
 * There are no requests in it: it holds what the screen shows. tty (servers/tty/screen.h) carries
 * out what programs write, here, and never waits for the driver; the driver paints what it finds.
 * So a driver that dies takes nothing along, and its successor paints everything once.
 *
 * Each of the consoles has lines of cells, one more than are shown, and says in `state[valid]` which
 * line is which row. A row is moved, or changed in more than one cell's place, by being made anew
 * in the line that is not shown; then the other state is filled in, and one store of `valid` makes
 * it the one that holds. So tty, too, may die between any two instructions.
 *
 * `changed` counts what the client has done, `painted` is the `changed` that the driver saw before
 * it began to paint what is on the screen now. A driver that reads while the client writes paints a
 * mixture; then `changed` has moved, and it paints again.
 *
 * Trust: the driver bounds every line and position that it reads, the client what it finds when it
 * begins, and `painted`.
 *
 * Waking: as in abi/char_queue.h, by char_ring_wait() and char_ring_wake(): the driver sets
 * `driver_waits` and looks at `changed` once more, the client sets `client_waits` and looks at
 * `painted`.
 */
#ifndef ABI_SCREEN_QUEUE_H
#define ABI_SCREEN_QUEUE_H

#include "abi/char_queue.h"

#define SCREEN_QUEUE_MAGIC 0x4e524353u /* "SCRN" */
#define SCREENS 4u /* virtual consoles */
#define SCREEN_COLUMNS 80u
#define SCREEN_ROWS 25u
#define SCREEN_LINES (SCREEN_ROWS + 1)
#define SCREEN_KEPT 192u /* bytes of the client's own in a state */
#define SCREEN_FONT_GLYPHS 256u
#define SCREEN_FONT_HEIGHT 16u

struct screen_state {
    uint8_t line[SCREEN_ROWS]; /* row y of the screen is cell[line[y]] */
    uint8_t spare; /* the line that is none */
    uint8_t cursor_column, cursor_row;
    uint8_t cursor_shown; /* 0 or 1 */
    uint8_t pad[3];
    uint8_t kept[SCREEN_KEPT]; /* the rest of what the client knows of that console */
};

struct screen_memory {
    _Alignas(64) uint32_t valid; /* 0 or 1: the state that holds */
    struct screen_state state[2];
    /* character (code page 437, as a VGA's font has it) | attribute << 8: colour of the character
     * (bit 3: bright), of the ground (bits 4-6), blinking (bit 7) */
    uint16_t cell[SCREEN_LINES][SCREEN_COLUMNS];
};

struct screen_queue {
    struct queue_header header;
    /* by the client */
    _Alignas(64) uint32_t shown; /* the console on the screen, 0..SCREENS-1 */
    uint32_t changed;
    uint32_t client_waits; /* set by the client, cleared by the driver */
    /* by the driver */
    _Alignas(64) uint32_t painted;
    uint32_t driver_waits; /* set by the driver, cleared by the client */
    uint32_t font_kept; /* 1: `font` is what the adapter had when it was first seen */
    _Alignas(4096) struct screen_memory screen[SCREENS];
    uint8_t font[SCREEN_FONT_GLYPHS][SCREEN_FONT_HEIGHT];
};
#define SCREEN_QUEUE_BYTES sizeof(struct screen_queue)

_Static_assert(sizeof(struct screen_queue) <= 0x8000, "fits 32K");

#endif
