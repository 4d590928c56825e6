/* SPDX-License-Identifier: BSD-2-Clause */
/* Cells: writing, erasing, moving rows. What the bytes mean is in sequence.c. */
#include "servers/tty/screen.h"

#include <string.h>

enum { BLANK = ' ', GREY = 7, BRIGHT = 8 };

/* ---- attributes ---- */

static uint8_t swap_colours(uint8_t a)
{
    return (uint8_t)((a & 0x88) | (a & 0x70) >> 4 | (a & 7) << 4);
}

/* Of blanks: they have the pen's colours, but neither its line nor its intensity. */
static uint8_t blank_attribute(const struct screen *s)
{
    const struct screen_pen *pen = &s->kept.pen;
    uint8_t a = (uint8_t)((pen->foreground & 7) | pen->background << 4);

    return s->kept.inverse ? swap_colours(a) : a;
}

/* On a screen of colours what is dim is grey, what is underlined cyan, as on Linux's. */
uint8_t screen_attribute(const struct screen *s)
{
    const struct screen_pen *pen = &s->kept.pen;
    uint8_t foreground = pen->foreground;

    if (pen->underline)
        foreground = 3;
    else if (pen->dim)
        foreground = BRIGHT;
    if (pen->bold)
        foreground |= BRIGHT;
    foreground |= (uint8_t)(pen->background << 4 | (pen->blink ? 0x80 : 0));
    return !pen->reverse != !s->kept.inverse ? swap_colours(foreground) : foreground;
}

void screen_pen_reset(struct screen_pen *pen)
{
    pen->foreground = GREY;
    pen->background = 0;
    pen->bold = pen->dim = pen->underline = pen->blink = pen->reverse = 0;
}

/* ---- cells ---- */

static uint16_t *line_of(const struct screen *s, unsigned row)
{
    return s->memory->cell[s->view.line[row]];
}

/* Stores that the compiler may neither leave out nor put together: the driver reads them. */
static void store(uint16_t *cell, uint16_t value)
{
    *(volatile uint16_t *)cell = value;
}

static uint16_t blank(const struct screen *s)
{
    return (uint16_t)(BLANK | blank_attribute(s) << 8);
}

void screen_erase(struct screen *s, unsigned row, unsigned from, unsigned to)
{
    for (unsigned x = from; x < to && x < SCREEN_COLUMNS; x++)
        store(&line_of(s, row)[x], blank(s));
}

/* The line that is not shown becomes row y, what was there is shown no more. */
static void spare_becomes(struct screen *s, unsigned y)
{
    uint8_t old = s->view.line[y];

    s->view.line[y] = s->view.spare;
    s->view.spare = old;
    screen_commit(s);
}

static void clear_spare(struct screen *s)
{
    for (unsigned x = 0; x < SCREEN_COLUMNS; x++)
        store(&s->memory->cell[s->view.spare][x], blank(s));
}

static unsigned limit(unsigned count, unsigned top, unsigned bottom)
{
    unsigned rows = bottom - top + 1;

    return count < rows ? count : rows;
}

void screen_scroll_up(struct screen *s, unsigned top, unsigned bottom, unsigned count)
{
    for (count = limit(count, top, bottom); count; count--) {
        uint8_t first = s->view.line[top];

        clear_spare(s);
        memmove(&s->view.line[top], &s->view.line[top + 1], bottom - top);
        s->view.line[bottom] = first;
        spare_becomes(s, bottom);
    }
}

void screen_scroll_down(struct screen *s, unsigned top, unsigned bottom, unsigned count)
{
    for (count = limit(count, top, bottom); count; count--) {
        uint8_t last = s->view.line[bottom];

        clear_spare(s);
        memmove(&s->view.line[top + 1], &s->view.line[top], bottom - top);
        s->view.line[top] = last;
        spare_becomes(s, top);
    }
}

void screen_shift(struct screen *s, unsigned count, bool right)
{
    unsigned row = s->kept.pen.row, x = s->kept.pen.column, rest = SCREEN_COLUMNS - x;
    const uint16_t *from = line_of(s, row);
    uint16_t *to = s->memory->cell[s->view.spare];

    count = count < rest ? count : rest;
    clear_spare(s);
    memcpy(to, from, x * sizeof *to);
    if (right)
        memcpy(to + x + count, from + x, (rest - count) * sizeof *to);
    else
        memcpy(to + x, from + x + count, (rest - count) * sizeof *to);
    spare_becomes(s, row);
}

void screen_invert(struct screen *s, bool inverse)
{
    if (!s->kept.inverse == !inverse)
        return;
    s->kept.inverse = inverse;
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        for (unsigned x = 0; x < SCREEN_COLUMNS; x++) {
            uint16_t *cell = &line_of(s, y)[x];

            store(cell, (uint16_t)((*cell & 0xff) | swap_colours(*cell >> 8) << 8));
        }
}

/* ---- the cursor ---- */

static unsigned bounded(int value, unsigned low, unsigned high)
{
    if (value < (int)low)
        return low;
    return value > (int)high ? high : (unsigned)value;
}

void screen_move(struct screen *s, int column, int row)
{
    bool region = s->kept.origin;

    s->kept.pen.column = (uint8_t)bounded(column, 0, SCREEN_COLUMNS - 1);
    s->kept.pen.row =
        (uint8_t)bounded(row, region ? s->kept.top : 0, region ? s->kept.bottom : SCREEN_ROWS - 1);
    s->kept.wrap_waits = 0;
}

void screen_line_feed(struct screen *s)
{
    if (s->kept.pen.row == s->kept.bottom)
        screen_scroll_up(s, s->kept.top, s->kept.bottom, 1);
    else if (s->kept.pen.row < SCREEN_ROWS - 1)
        s->kept.pen.row++;
    s->kept.wrap_waits = 0;
}

void screen_reverse_line_feed(struct screen *s)
{
    if (s->kept.pen.row == s->kept.top)
        screen_scroll_down(s, s->kept.top, s->kept.bottom, 1);
    else if (s->kept.pen.row > 0)
        s->kept.pen.row--;
    s->kept.wrap_waits = 0;
}

void screen_put(struct screen *s, uint8_t glyph)
{
    struct screen_pen *pen = &s->kept.pen;

    if (s->kept.wrap_waits && s->kept.wraps) {
        pen->column = 0;
        screen_line_feed(s);
    }
    s->kept.wrap_waits = 0;
    if (s->kept.inserts)
        screen_shift(s, 1, true);
    store(&line_of(s, pen->row)[pen->column], (uint16_t)(glyph | screen_attribute(s) << 8));
    if (pen->column < SCREEN_COLUMNS - 1)
        pen->column++;
    else
        s->kept.wrap_waits = 1;
}

/* ---- what is kept ---- */

void screen_commit(struct screen *s)
{
    struct screen_memory *m = s->memory;
    uint32_t next = !m->valid;
    struct screen_state *state = &m->state[next];

    s->view.cursor_column = s->kept.pen.column;
    s->view.cursor_row = s->kept.pen.row;
    *state = s->view;
    memcpy(state->kept, &s->kept, sizeof s->kept);
    queue_publish(&m->valid, next);
}

void screen_reset(struct screen *s)
{
    struct screen_kept *k = &s->kept;

    *k = (struct screen_kept){.begun = 1, .wraps = 1, .utf8 = 1, .bottom = SCREEN_ROWS - 1};
    screen_pen_reset(&k->pen);
    k->pen.charset[1] = CHARSET_GRAPHICS;
    k->saved = k->pen;
    memset(k->tab, 1, sizeof k->tab);
    s->view.cursor_shown = 1;
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        screen_erase(s, y, 0, SCREEN_COLUMNS);
    screen_commit(s);
}

static bool good_lines(const struct screen_state *v)
{
    uint32_t seen = 0;

    for (unsigned y = 0; y <= SCREEN_ROWS; y++) {
        unsigned line = y < SCREEN_ROWS ? v->line[y] : v->spare;

        if (line >= SCREEN_LINES || (seen & 1u << line))
            return false;
        seen |= 1u << line;
    }
    return true;
}

static bool good_pen(const struct screen_pen *p)
{
    return p->column < SCREEN_COLUMNS && p->row < SCREEN_ROWS && p->foreground < 16 &&
           p->background < 8 && p->charset[0] <= CHARSET_437 && p->charset[1] <= CHARSET_437 &&
           p->shift < 2;
}

/* The driver can write there, too: nothing is believed that could lead us astray. (What is left is
 * flags, and a phase that is unknown ends the sequence.) */
static bool good(const struct screen_state *v, const struct screen_kept *k)
{
    return k->begun == 1 && good_lines(v) && good_pen(&k->pen) && good_pen(&k->saved) &&
           k->top < k->bottom && k->bottom < SCREEN_ROWS && k->parameters <= SCREEN_PARAMETERS;
}

void screen_open(struct screen *s, struct screen_memory *memory)
{
    *s = (struct screen){.memory = memory};
    memory->valid &= 1;
    s->view = memory->state[memory->valid];
    memcpy(&s->kept, s->view.kept, sizeof s->kept);
    if (good(&s->view, &s->kept))
        return;
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        s->view.line[y] = (uint8_t)y;
    s->view.spare = SCREEN_ROWS;
    screen_reset(s);
}

void screen_write(struct screen *s, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        screen_byte(s, bytes[i]);
    screen_commit(s);
}
