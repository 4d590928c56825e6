/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/char/console/vga.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

enum vga_port {
    ATTRIBUTE = 0x3c0, /* index and data in turn; read STATUS to begin with an index */
    MISCELLANEOUS = 0x3c2,
    SEQUENCER = 0x3c4, /* index, data at the next port; so the following, too */
    DAC_MASK = 0x3c6,
    DAC_WRITE = 0x3c8,
    DAC_DATA = 0x3c9,
    MISCELLANEOUS_READ = 0x3cc,
    GRAPHICS = 0x3ce,
    CRTC = 0x3d4,
    STATUS = 0x3da,
};

enum {
    MISCELLANEOUS_TEXT = 0x67, /* colour ports, 28 MHz, 400 lines */
    MISCELLANEOUS_COLOUR = 1 << 0,

    SEQUENCER_RESET = 0,
    SEQUENCER_CLOCKING = 1,
    SEQUENCER_MASK = 2, /* planes that are written */
    SEQUENCER_MODE = 4,
    CLOCKING_OFF = 1 << 5,

    GRAPHICS_READ_PLANE = 4,
    GRAPHICS_MODE = 5,
    GRAPHICS_MISCELLANEOUS = 6,
    GRAPHICS_ON = 1 << 0,
    GRAPHICS_MAP = 3 << 2,
    GRAPHICS_MAP_TEXT = 3 << 2, /* 32 kB from 0xb8000 */
    GRAPHICS_MAP_FONT = 1 << 2, /* 64 kB from 0xa0000 */

    CRTC_COLUMNS = 1,
    CRTC_CURSOR_START = 0x0a,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_PROTECT = 0x11, /* bit 7: registers 0-7 are read-only */
    CURSOR_OFF = 1 << 5,
    CURSOR_FIRST_LINE = 13,

    ATTRIBUTE_SHOW = 1 << 5, /* in the index: the palette is the adapter's again */
    FONT_STRIDE = 32, /* bytes of plane 2 for a glyph, of which 16 are used */
};

/* IBM's settings of mode 3. */
static const uint8_t sequencer[] = {3, 0, 3, 0, 2};
static const uint8_t graphics[] = {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff};
static const uint8_t crtc[] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,
                               0x4f, 0x0d, 0x0e, 0,    0,    0,    0,    0x9c, 0x8e,
                               0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
/* The palette is one to one; blinking; 9 dots wide, of which line graphics have the last. */
static const uint8_t attribute[] = {0,  1,  2,  3,  4,  5,    6, 7,    8, 9, 10,
                                    11, 12, 13, 14, 15, 0x0c, 0, 0x0f, 8, 0};

static uint8_t get(enum vga_port port, uint8_t index)
{
    pio_write8(port, index);
    return pio_read8(port + 1);
}

static void put(enum vga_port port, uint8_t index, uint8_t value)
{
    pio_write8(port, index);
    pio_write8(port + 1, value);
}

/* A register that may have any value keeps what is written into it. */
static bool is_there(void)
{
    static const uint8_t tries[] = {0x55, 0x2a};
    uint8_t before = get(CRTC, CRTC_CURSOR_LOW);
    bool good = true;

    for (unsigned i = 0; i < sizeof tries; i++) {
        put(CRTC, CRTC_CURSOR_LOW, tries[i]);
        good &= get(CRTC, CRTC_CURSOR_LOW) == tries[i];
    }
    put(CRTC, CRTC_CURSOR_LOW, before);
    return good;
}

const char *vga_mismatch(const struct vga *v)
{
    if (!v->memory)
        return "no memory of a VGA";
    if (!(pio_read8(MISCELLANEOUS_READ) & MISCELLANEOUS_COLOUR) || !is_there())
        return "no registers of a VGA";
    if ((get(GRAPHICS, GRAPHICS_MISCELLANEOUS) & (GRAPHICS_ON | GRAPHICS_MAP)) != GRAPHICS_MAP_TEXT)
        return "not in text mode";
    if (get(SEQUENCER, SEQUENCER_CLOCKING) & CLOCKING_OFF)
        return "switched off";
    if (get(SEQUENCER, SEQUENCER_MASK) != sequencer[SEQUENCER_MASK] ||
        (get(SEQUENCER, SEQUENCER_MODE) & 0x0e) != sequencer[SEQUENCER_MODE])
        return "planes";
    if (get(CRTC, CRTC_COLUMNS) != crtc[CRTC_COLUMNS])
        return "not 80 columns";
    if (get(CRTC, CRTC_START_HIGH) != 0 || get(CRTC, CRTC_START_LOW) != 0)
        return "moved";
    return NULL;
}

/* ---- the font: plane 2, which in text mode is behind the cells ---- */

static void open_font(void)
{
    put(SEQUENCER, SEQUENCER_MASK, 1 << 2);
    put(SEQUENCER, SEQUENCER_MODE, 6); /* one plane after the other */
    put(GRAPHICS, GRAPHICS_READ_PLANE, 2);
    put(GRAPHICS, GRAPHICS_MODE, 0);
    put(GRAPHICS, GRAPHICS_MISCELLANEOUS, GRAPHICS_MAP_FONT);
}

static void close_font(void)
{
    put(SEQUENCER, SEQUENCER_MASK, sequencer[SEQUENCER_MASK]);
    put(SEQUENCER, SEQUENCER_MODE, sequencer[SEQUENCER_MODE]);
    put(GRAPHICS, GRAPHICS_READ_PLANE, graphics[GRAPHICS_READ_PLANE]);
    put(GRAPHICS, GRAPHICS_MODE, graphics[GRAPHICS_MODE]);
    put(GRAPHICS, GRAPHICS_MISCELLANEOUS, graphics[GRAPHICS_MISCELLANEOUS]);
}

void vga_keep_font(struct vga *v)
{
    if (!v->queue || v->queue->font_kept == 1)
        return;
    open_font();
    for (uint32_t n = 0; n < SCREEN_FONT_GLYPHS; n++)
        for (uint32_t y = 0; y < SCREEN_FONT_HEIGHT; y++)
            v->queue->font[n][y] = mmio_read8(v->memory, n * FONT_STRIDE + y);
    close_font();
    queue_publish(&v->queue->font_kept, 1);
}

static void write_font(struct vga *v)
{
    if (!v->queue || v->queue->font_kept != 1)
        return;
    open_font();
    for (uint32_t n = 0; n < SCREEN_FONT_GLYPHS; n++)
        for (uint32_t y = 0; y < SCREEN_FONT_HEIGHT; y++)
            mmio_write8(v->memory, n * FONT_STRIDE + y, v->queue->font[n][y]);
    close_font();
}

/* ---- reset ---- */

static void write_attributes(void)
{
    for (uint8_t i = 0; i < sizeof attribute; i++) {
        (void)pio_read8(STATUS);
        pio_write8(ATTRIBUTE, i);
        pio_write8(ATTRIBUTE, attribute[i]);
    }
    (void)pio_read8(STATUS);
    pio_write8(ATTRIBUTE, ATTRIBUTE_SHOW);
}

/* The 16 colours of the CGA: of each two thirds of full, the bright ones a third more; brown is
 * what would be dark yellow. In 64ths. */
static void write_colours(void)
{
    pio_write8(DAC_MASK, 0xff);
    pio_write8(DAC_WRITE, 0);
    for (unsigned n = 0; n < 16; n++) {
        unsigned least = n & 8 ? 21 : 0, most = least + 42;
        unsigned green = n & 2 ? most : least;

        pio_write8(DAC_DATA, (uint8_t)(n & 4 ? most : least));
        pio_write8(DAC_DATA, (uint8_t)(n == 6 ? 21 : green));
        pio_write8(DAC_DATA, (uint8_t)(n & 1 ? most : least));
    }
}

int vga_reset(struct vga *v)
{
    bool font_known = v->queue && v->queue->font_kept == 1;

    if (!v->memory || !(pio_read8(MISCELLANEOUS_READ) & MISCELLANEOUS_COLOUR) || !is_there())
        return -ENODEV;
    if ((get(GRAPHICS, GRAPHICS_MISCELLANEOUS) & GRAPHICS_ON) && !font_known)
        return -EOPNOTSUPP;
    put(GRAPHICS, GRAPHICS_MISCELLANEOUS,
        GRAPHICS_MAP_FONT); /* whoever comes before the end: a mismatch */
    put(SEQUENCER, SEQUENCER_RESET, 1);
    pio_write8(MISCELLANEOUS, MISCELLANEOUS_TEXT);
    for (uint8_t i = 1; i < sizeof sequencer; i++)
        put(SEQUENCER, i, sequencer[i]);
    put(SEQUENCER, SEQUENCER_RESET, sequencer[SEQUENCER_RESET]);
    put(CRTC, CRTC_PROTECT, crtc[CRTC_PROTECT] & 0x7f);
    for (uint8_t i = 0; i < sizeof crtc; i++)
        put(CRTC, i, crtc[i]);
    for (uint8_t i = 0; i < sizeof graphics; i++)
        if (i != GRAPHICS_MISCELLANEOUS)
            put(GRAPHICS, i, graphics[i]);
    write_attributes();
    write_colours();
    write_font(v);
    put(GRAPHICS, GRAPHICS_MISCELLANEOUS, graphics[GRAPHICS_MISCELLANEOUS]);
    v->is_known = false;
    return 0;
}

/* ---- painting ---- */

static void paint_row(struct vga *v, uint32_t row, const uint16_t *cell)
{
    for (uint32_t x = 0; x < SCREEN_COLUMNS; x += 2) {
        uint32_t at = (row * SCREEN_COLUMNS + x) * sizeof(uint16_t);

        if (v->is_known && v->cell[row][x] == cell[x] && v->cell[row][x + 1] == cell[x + 1])
            continue;
        mmio_write32(v->memory, VGA_TEXT + at, cell[x] | (uint32_t)cell[x + 1] << 16);
        v->cell[row][x] = cell[x];
        v->cell[row][x + 1] = cell[x + 1];
    }
}

static void paint_cursor(struct vga *v, uint16_t cursor)
{
    bool off = cursor == VGA_NO_CURSOR;

    if (v->is_known && v->cursor == cursor)
        return;
    if (!v->is_known || (v->cursor == VGA_NO_CURSOR) != off)
        put(CRTC, CRTC_CURSOR_START, CURSOR_FIRST_LINE | (off ? CURSOR_OFF : 0));
    v->cursor = cursor;
    if (off)
        return;
    put(CRTC, CRTC_CURSOR_HIGH, (uint8_t)(cursor >> 8));
    put(CRTC, CRTC_CURSOR_LOW, (uint8_t)cursor);
}

void vga_paint(struct vga *v, uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS], uint16_t cursor)
{
    for (uint32_t y = 0; y < SCREEN_ROWS; y++)
        paint_row(v, y, cell[y]);
    paint_cursor(v, cursor);
    v->is_known = true;
}
