/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/char/console/framebuffer.h"

enum {
    WIDTH = SCREEN_COLUMNS * FRAMEBUFFER_GLYPH_WIDTH,
    HEIGHT = SCREEN_ROWS * FRAMEBUFFER_GLYPH_HEIGHT,
    CURSOR_FIRST_LINE = 13, /* as VGA's */
    SIDE_MAX = 16384, /* points; so that no product overflows */
    PART = 2 * SCREEN_COLUMNS /* cells that are painted in one call, and then the rest of the row */
};

static uint32_t point_bytes(const struct framebuffer *f)
{
    return (f->layout.point + 7u) / 8;
}

/* ---- what it is ---- */

static bool is_good_colour(const struct kernel_framebuffer *l)
{
    for (unsigned i = 0; i < 3; i++)
        if (l->colour[i].bits == 0 || l->colour[i].bits > 16 ||
            l->colour[i].shift + l->colour[i].bits > l->point)
            return false;
    return true;
}

static uint32_t point_of(const struct kernel_framebuffer *l, const uint8_t intensity[3])
{
    uint32_t point = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t most = (1u << l->colour[i].bits) - 1;

        point |= (intensity[i] * most + 127) / 255 << l->colour[i].shift;
    }
    return point;
}

/* The 16 colours of the CGA, as in vga.c, in 255ths. */
static void make_colours(struct framebuffer *f)
{
    for (unsigned n = 0; n < 16; n++) {
        uint8_t least = n & 8 ? 85 : 0, most = (uint8_t)(least + 170), green = n & 2 ? most : least;
        uint8_t intensity[3] = {n & 4 ? most : least, n == 6 ? 85 : green, n & 1 ? most : least};

        f->colour[n] = point_of(&f->layout, intensity);
    }
}

const char *framebuffer_open(struct framebuffer *f, volatile void *memory, uint64_t size,
                             const struct kernel_framebuffer *layout,
                             const uint8_t (*font)[FRAMEBUFFER_GLYPH_HEIGHT])
{
    *f = (struct framebuffer){
        .memory = memory, .layout = *layout, .font = font, .cursor = FRAMEBUFFER_NO_CURSOR};
    if (!memory || layout->width > SIDE_MAX || layout->height > SIDE_MAX ||
        (layout->point != 15 && layout->point != 16 && layout->point != 24 &&
         layout->point != 32) ||
        layout->pitch < layout->width * point_bytes(f) ||
        (uint64_t)layout->pitch * layout->height > size || !is_good_colour(layout))
        return "a picture that is none to paint on";
    if (layout->width < WIDTH || layout->height < HEIGHT)
        return "a picture with no room for 80 by 25 characters";
    f->scale = layout->width / WIDTH < layout->height / HEIGHT ? layout->width / WIDTH
                                                               : layout->height / HEIGHT;
    f->left = (layout->width - WIDTH * f->scale) / 2;
    f->top = (layout->height - HEIGHT * f->scale) / 2;
    make_colours(f);
    return NULL;
}

/* ---- points ---- */

static volatile uint8_t *place(const struct framebuffer *f, uint32_t x, uint32_t y)
{
    return f->memory + (uint64_t)y * f->layout.pitch + (uint64_t)x * point_bytes(f);
}

/* A loader's pitch may be any number, so a point may be anywhere. */
typedef uint32_t any_uint32 __attribute__((aligned(1)));
typedef uint16_t any_uint16 __attribute__((aligned(1)));

/* `count` points of one colour, side by side; where the next one is. */
static volatile uint8_t *put(const struct framebuffer *f, volatile uint8_t *at, uint32_t point,
                             uint32_t count)
{
    uint32_t bytes = point_bytes(f);

    for (; count; count--, at += bytes) {
        if (bytes == 4) {
            *(volatile any_uint32 *)at = point;
        } else {
            *(volatile any_uint16 *)at = (uint16_t)point;
            if (bytes == 3)
                at[2] = (uint8_t)(point >> 16);
        }
    }
    return at;
}

static void clear_around(const struct framebuffer *f)
{
    for (uint32_t y = 0; y < f->layout.height; y++) {
        bool beside = y >= f->top && y < f->top + HEIGHT * f->scale;
        uint32_t right = f->left + WIDTH * f->scale;

        put(f, place(f, 0, y), 0, beside ? f->left : f->layout.width);
        if (beside)
            put(f, place(f, right, y), 0, f->layout.width - right);
    }
}

/* ---- characters ---- */

static void paint_cell(const struct framebuffer *f, uint32_t column, uint32_t row, uint16_t cell,
                       bool with_cursor)
{
    const uint8_t *glyph = f->font[cell & 0xff];
    uint32_t front = f->colour[cell >> 8 & 15], ground = f->colour[cell >> 12];
    uint32_t x = f->left + column * FRAMEBUFFER_GLYPH_WIDTH * f->scale;
    uint32_t y = f->top + row * FRAMEBUFFER_GLYPH_HEIGHT * f->scale;

    for (uint32_t line = 0; line < FRAMEBUFFER_GLYPH_HEIGHT * f->scale; line++) {
        uint8_t points =
            with_cursor && line / f->scale >= CURSOR_FIRST_LINE ? 0xff : glyph[line / f->scale];
        volatile uint8_t *at = place(f, x, y + line);

        for (uint32_t bit = 0x80; bit; bit >>= 1)
            at = put(f, at, points & bit ? front : ground, f->scale);
    }
}

/* How many cells were painted. */
static uint32_t paint_row(struct framebuffer *f, uint32_t row, const uint16_t *cell)
{
    uint32_t painted = 0;

    for (uint32_t x = 0; x < SCREEN_COLUMNS; x++) {
        if (f->is_known[row] && f->cell[row][x] == cell[x])
            continue;
        paint_cell(f, x, row, cell[x], f->cursor == row * SCREEN_COLUMNS + x);
        f->cell[row][x] = cell[x];
        painted++;
    }
    f->is_known[row] = true;
    return painted;
}

static void repaint(struct framebuffer *f, uint16_t at, bool with_cursor)
{
    uint32_t row = at / SCREEN_COLUMNS, column = at % SCREEN_COLUMNS;

    if (at != FRAMEBUFFER_NO_CURSOR)
        paint_cell(f, column, row, f->cell[row][column], with_cursor);
}

bool framebuffer_paint(struct framebuffer *f, uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS],
                       uint16_t cursor)
{
    uint32_t painted = 0;

    if (!f->is_clear) {
        clear_around(f);
        f->is_clear = true;
        return false;
    }
    for (uint32_t row = 0; row < SCREEN_ROWS && painted < PART; row++)
        painted += paint_row(f, row, cell[row]);
    if (painted >= PART)
        return false;
    if (f->cursor != cursor) {
        repaint(f, f->cursor, false);
        f->cursor = cursor;
        repaint(f, cursor, true);
    }
    return true;
}
