/* SPDX-License-Identifier: BSD-2-Clause */
/* What a sequence ESC [ ... does, when it is whole. */
#include <stdio.h>
#include <string.h>

#include "servers/tty/screen.h"

/* ---- for sequence.c, too ---- */

void screen_answer(struct screen *s, const char *text)
{
    size_t n = strlen(text);

    if (s->answers + n > sizeof s->answer)
        return;
    memcpy(s->answer + s->answers, text, n);
    s->answers += (uint32_t)n;
}

static void answer_position(struct screen *s)
{
    const struct screen_kept *k = &s->kept;
    char text[32];

    snprintf(text, sizeof text, "\033[%u;%uR", k->pen.row - (k->origin ? k->top : 0) + 1u,
             k->pen.column + 1u);
    screen_answer(s, text);
}

void screen_pen_save(struct screen *s)
{
    s->kept.saved = s->kept.pen;
}

void screen_pen_restore(struct screen *s)
{
    s->kept.pen = s->kept.saved;
    s->kept.wrap_waits = 0;
}

void screen_set_tab(struct screen *s, bool set)
{
    uint8_t bit = (uint8_t)(1u << s->kept.pen.column % 8),
            *at = &s->kept.tab[s->kept.pen.column / 8];

    *at = set ? *at | bit : *at & (uint8_t)~bit;
}

/* ---- the sequences ---- */

/* The parameter, `otherwise` when it is absent or 0. */
static unsigned parameter(const struct screen *s, unsigned i, unsigned otherwise)
{
    unsigned value = i < s->kept.parameters ? s->kept.parameter[i] : 0;

    return value ? value : otherwise;
}

static void erase_rows(struct screen *s, unsigned from, unsigned to)
{
    for (unsigned y = from; y < to; y++)
        screen_erase(s, y, 0, SCREEN_COLUMNS);
}

static void erase_display(struct screen *s, unsigned how)
{
    unsigned x = s->kept.pen.column, y = s->kept.pen.row;

    if (how == 0) {
        screen_erase(s, y, x, SCREEN_COLUMNS);
        erase_rows(s, y + 1, SCREEN_ROWS);
    } else if (how == 1) {
        erase_rows(s, 0, y);
        screen_erase(s, y, 0, x + 1);
    } else if (how <= 3) {
        erase_rows(s, 0, SCREEN_ROWS);
    }
    s->kept.wrap_waits = 0;
}

static void erase_line(struct screen *s, unsigned how)
{
    unsigned x = s->kept.pen.column;

    if (how <= 2)
        screen_erase(s, s->kept.pen.row, how == 0 ? x : 0, how == 1 ? x + 1 : SCREEN_COLUMNS);
    s->kept.wrap_waits = 0;
}

/* VGA numbers of the colours that programs number 0-7: red and blue are exchanged. */
static uint8_t colour(unsigned n)
{
    static const uint8_t vga[] = {0, 4, 2, 6, 1, 5, 3, 7};

    return vga[n & 7];
}

/* The nearest of 16 colours: of 256 (xterm's), of red, green, blue. */
static uint8_t nearest(unsigned r, unsigned g, unsigned b)
{
    unsigned most = r > g ? r : g, half, bright;

    most = most > b ? most : b;
    half = most / 2;
    bright = most > 0xaa ? 8 : 0;
    if (most < 0x40)
        return 0;
    return (uint8_t)(bright | (r > half ? 4u : 0) | (g > half ? 2u : 0) | (b > half ? 1u : 0));
}

static uint8_t colour_of_256(unsigned n)
{
    if (n < 16)
        return (uint8_t)(colour(n) | (n & 8));
    if (n >= 232)
        return nearest((n - 232) * 10 + 8, (n - 232) * 10 + 8, (n - 232) * 10 + 8);
    n -= 16;
    return nearest(n / 36 * 51, n / 6 % 6 * 51, n % 6 * 51);
}

/* 38;5;N and 38;2;R;G;B, from parameter i on: how many more belong to it. */
static unsigned long_colour(const struct screen *s, unsigned i, uint8_t *to)
{
    if (parameter(s, i + 1, 0) == 5) {
        *to = colour_of_256(parameter(s, i + 2, 0) & 0xff);
        return 2;
    }
    if (parameter(s, i + 1, 0) == 2) {
        *to = nearest(parameter(s, i + 2, 0), parameter(s, i + 3, 0), parameter(s, i + 4, 0));
        return 4;
    }
    return 0;
}

/* What a number sets of the pen; false: none of those. */
static bool set_style(struct screen_pen *p, unsigned n)
{
    bool on = n < 20;

    if (n == 1 || n == 22)
        p->bold = on;
    if (n == 2 || n == 22)
        p->dim = on;
    switch (n) {
    case 0:
        screen_pen_reset(p);
        return true;
    case 4:
    case 21:
    case 24:
        p->underline = n != 24;
        return true;
    case 5:
    case 25:
        p->blink = on;
        return true;
    case 7:
    case 27:
        p->reverse = on;
        return true;
    case 10: /* the font: as G0 says */
        p->charset[p->shift] = CHARSET_LATIN;
        return true;
    case 11:
    case 12:
        p->charset[p->shift] = CHARSET_437;
        return true;
    default:
        return n < 30;
    }
}

static void set_pen(struct screen *s)
{
    struct screen_pen *p = &s->kept.pen;

    for (unsigned i = 0; i == 0 || i < s->kept.parameters; i++) {
        unsigned n = parameter(s, i, 0);
        uint8_t ground = p->background;

        if (set_style(p, n))
            continue;
        if (n == 38)
            i += long_colour(s, i, &p->foreground);
        else if (n == 48)
            i += long_colour(s, i, &ground);
        else if (n == 39)
            p->foreground = 7, p->underline = 0;
        else if (n == 49)
            ground = 0;
        else if (n < 38)
            p->foreground = colour(n - 30);
        else if (n >= 40 && n < 48)
            ground = colour(n - 40);
        else if (n >= 90 && n < 98)
            p->foreground = colour(n - 90) | 8;
        else if (n >= 100 && n < 108)
            ground = colour(n - 100);
        p->background = ground & 7;
    }
}

static void home(struct screen *s)
{
    screen_move(s, 0, s->kept.origin ? s->kept.top : 0);
}

/* Of ESC [ ? n h and l. What is not here does nothing. */
static void set_private_mode(struct screen *s, unsigned n, bool on)
{
    if (n == 1)
        s->kept.cursor_keys = on;
    if (n == 5)
        screen_invert(s, on);
    if (n == 6) {
        s->kept.origin = on;
        home(s);
    }
    if (n == 7)
        s->kept.wraps = on;
    if (n == 25)
        s->view.cursor_shown = on;
}

static void set_modes(struct screen *s, bool on)
{
    for (unsigned i = 0; i < s->kept.parameters; i++) {
        unsigned n = s->kept.parameter[i];

        if (s->kept.intermediate == '?')
            set_private_mode(s, n, on);
        else if (n == 4)
            s->kept.inserts = on;
        else if (n == 20)
            s->kept.newline = on;
    }
}

static void set_region(struct screen *s)
{
    unsigned top = parameter(s, 0, 1), bottom = parameter(s, 1, SCREEN_ROWS);

    if (top >= bottom || bottom > SCREEN_ROWS)
        return;
    s->kept.top = (uint8_t)(top - 1);
    s->kept.bottom = (uint8_t)(bottom - 1);
    home(s);
}

static void report(struct screen *s)
{
    if (parameter(s, 0, 0) == 5)
        screen_answer(s, "\033[0n");
    else if (parameter(s, 0, 0) == 6)
        answer_position(s);
}

static bool in_region(const struct screen *s)
{
    return s->kept.pen.row >= s->kept.top && s->kept.pen.row <= s->kept.bottom;
}

/* Sequences that move the cursor; false: it is none. */
static bool control_move(struct screen *s, uint8_t c)
{
    int n = (int)parameter(s, 0, 1), x = s->kept.pen.column, y = s->kept.pen.row;
    int first = s->kept.origin ? s->kept.top : 0;

    switch (c) {
    case 'A':
        screen_move(s, x, y - n);
        return true;
    case 'B':
    case 'e':
        screen_move(s, x, y + n);
        return true;
    case 'C':
    case 'a':
        screen_move(s, x + n, y);
        return true;
    case 'D':
        screen_move(s, x - n, y);
        return true;
    case 'E':
        screen_move(s, 0, y + n);
        return true;
    case 'F':
        screen_move(s, 0, y - n);
        return true;
    case 'G':
    case '`':
        screen_move(s, n - 1, y);
        return true;
    case 'H':
    case 'f':
        screen_move(s, (int)parameter(s, 1, 1) - 1, first + n - 1);
        return true;
    case 'd':
        screen_move(s, x, first + n - 1);
        return true;
    default:
        return false;
    }
}

/* Sequences that change what is shown; false: it is none. */
static bool control_change(struct screen *s, uint8_t c)
{
    unsigned n = parameter(s, 0, 1), x = s->kept.pen.column, y = s->kept.pen.row;

    switch (c) {
    case '@':
    case 'P':
        screen_shift(s, n, c == '@');
        s->kept.wrap_waits = 0;
        return true;
    case 'J':
        erase_display(s, parameter(s, 0, 0));
        return true;
    case 'K':
        erase_line(s, parameter(s, 0, 0));
        return true;
    case 'L':
        if (in_region(s))
            screen_scroll_down(s, y, s->kept.bottom, n);
        return true;
    case 'M':
        if (in_region(s))
            screen_scroll_up(s, y, s->kept.bottom, n);
        return true;
    case 'S':
        screen_scroll_up(s, s->kept.top, s->kept.bottom, n);
        return true;
    case 'T':
        screen_scroll_down(s, s->kept.top, s->kept.bottom, n);
        return true;
    case 'X':
        screen_erase(s, y, x, n < SCREEN_COLUMNS - x ? x + n : SCREEN_COLUMNS);
        return true;
    default:
        return false;
    }
}

void screen_control(struct screen *s, uint8_t c)
{
    if (c == 'h' || c == 'l') {
        set_modes(s, c == 'h');
        return;
    }
    if (s->kept.intermediate || s->kept.skip || control_move(s, c) || control_change(s, c))
        return;
    if (c == 'c' && parameter(s, 0, 0) == 0)
        screen_answer(s, "\033[?6c"); /* a VT102 */
    else if (c == 'g' && parameter(s, 0, 0) == 0)
        screen_set_tab(s, false);
    else if (c == 'g' && parameter(s, 0, 0) == 3)
        memset(s->kept.tab, 0, sizeof s->kept.tab);
    else if (c == 'm')
        set_pen(s);
    else if (c == 'n')
        report(s);
    else if (c == 'r')
        set_region(s);
    else if (c == 's')
        screen_pen_save(s);
    else if (c == 'u')
        screen_pen_restore(s);
}
