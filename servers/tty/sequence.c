/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes from a program to a screen: characters, controls, escape sequences, as in Linux's
 * console_codes(4). What is unknown is read to its end and does nothing.
 */
#include <string.h>

#include "servers/tty/screen.h"

enum phase {
    PHASE_TEXT,
    PHASE_ESCAPE, /* ESC has come */
    PHASE_INTERMEDIATE, /* ESC and one of "( ) % # space" */
    PHASE_CONTROL, /* ESC [ */
    PHASE_STRING, /* ESC ] and the like: to BEL, or ESC \ */
    PHASE_STRING_ESCAPE,
    PHASE_PALETTE, /* ESC ] P and seven digits */
};
enum { ESC = 27, DEL = 127, CAN = 24, SUB = 26, REPLACEMENT_CODE = 0xfffd };

/* ---- tab stops ---- */

static void tab(struct screen *s)
{
    unsigned x = s->kept.pen.column;

    while (x < SCREEN_COLUMNS - 1) {
        x++;
        if (s->kept.tab[x / 8] >> x % 8 & 1)
            break;
    }
    s->kept.pen.column = (uint8_t)x;
    s->kept.wrap_waits = 0;
}

/* ---- ESC [ ... ---- */

/* A byte within ESC [ ... */
static void control_byte(struct screen *s, uint8_t c)
{
    struct screen_kept *k = &s->kept;

    if (c >= '0' && c <= '9') {
        uint16_t *p = &k->parameter[k->parameters ? k->parameters - 1 : 0];

        if (k->parameters == 0)
            k->parameters = 1;
        *p = *p < 3000 ? (uint16_t)(*p * 10 + (c - '0')) : *p;
    } else if (c == ';' || c == ':') {
        if (k->parameters == 0)
            k->parameters = 1;
        if (k->parameters < SCREEN_PARAMETERS)
            k->parameter[k->parameters++] = 0;
        else
            k->skip = 1;
    } else if (c >= '<' && c <= '?') {
        k->intermediate = c;
    } else if (c >= 0x20 && c < 0x30) {
        k->skip = 1; /* none that Linux has */
    } else {
        k->phase = PHASE_TEXT;
        if (c >= 0x40 && c < DEL)
            screen_control(s, c);
    }
}

static void control_begin(struct screen *s)
{
    struct screen_kept *k = &s->kept;

    memset(k->parameter, 0, sizeof k->parameter);
    k->parameters = k->intermediate = k->skip = 0;
    k->phase = PHASE_CONTROL;
}

/* ---- other sequences ---- */

static void fill_with_e(struct screen *s)
{
    struct screen_pen pen = s->kept.pen;
    uint8_t inserts = s->kept.inserts;

    s->kept.inserts = 0;
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        for (unsigned x = 0; x < SCREEN_COLUMNS; x++) {
            s->kept.pen.column = (uint8_t)x;
            s->kept.pen.row = (uint8_t)y;
            s->kept.wrap_waits = 0;
            screen_put(s, 'E');
        }
    s->kept.inserts = inserts;
    s->kept.pen = pen;
    s->kept.wrap_waits = 0;
}

static void after_intermediate(struct screen *s, uint8_t c)
{
    uint8_t which = s->kept.intermediate;

    s->kept.phase = PHASE_TEXT;
    if (which == '#' && c == '8')
        fill_with_e(s);
    if (which == '%' && (c == '@' || c == 'G' || c == '8'))
        s->kept.utf8 = c != '@';
    if (which != '(' && which != ')')
        return;
    if (c == '0')
        s->kept.pen.charset[which == ')'] = CHARSET_GRAPHICS;
    else if (c == 'U' || c == 'K')
        s->kept.pen.charset[which == ')'] = CHARSET_437;
    else
        s->kept.pen.charset[which == ')'] = CHARSET_LATIN;
}

static void after_escape(struct screen *s, uint8_t c)
{
    struct screen_kept *k = &s->kept;

    k->phase = PHASE_TEXT;
    switch (c) {
    case '[':
        control_begin(s);
        break;
    case ']':
    case 'P':
    case 'X':
    case '^':
    case '_':
        k->phase = PHASE_STRING;
        k->skip = c == ']'; /* its first byte may be Linux's own */
        break;
    case '(':
    case ')':
    case '*':
    case '+':
    case '%':
    case '#':
    case ' ':
        k->intermediate = c;
        k->phase = PHASE_INTERMEDIATE;
        break;
    case '7':
        screen_pen_save(s);
        break;
    case '8':
        screen_pen_restore(s);
        break;
    case 'D':
        screen_line_feed(s);
        break;
    case 'E':
        k->pen.column = 0;
        screen_line_feed(s);
        break;
    case 'H':
        screen_set_tab(s, true);
        break;
    case 'M':
        screen_reverse_line_feed(s);
        break;
    case 'Z':
        screen_answer(s, "\033[?6c");
        break;
    case 'c':
        screen_reset(s);
        break;
    default: /* '=', '>' and what nobody knows */
        break;
    }
}

/* Texts for terminals that have windows. Linux's own two have no end: ESC ] R, and ESC ] P with
 * seven digits. */
static void string_byte(struct screen *s, uint8_t c)
{
    struct screen_kept *k = &s->kept;
    bool first = k->skip;

    k->skip = 0;
    if (c == '\a' || (first && c == 'R')) {
        k->phase = PHASE_TEXT;
    } else if (first && c == 'P') {
        k->phase = PHASE_PALETTE;
        k->parameters = 0;
    } else if (c == ESC) {
        k->phase = PHASE_STRING_ESCAPE;
    }
}

/* ---- text ---- */

static void show(struct screen *s, uint32_t code)
{
    const struct screen_pen *p = &s->kept.pen;
    uint8_t set = p->charset[p->shift], glyph;

    if (set == CHARSET_GRAPHICS && code < 0x80)
        glyph = glyph_graphics((uint8_t)code);
    else if (set == CHARSET_437 && code < 0x100)
        glyph = (uint8_t)code;
    else
        glyph = glyph_of(code);
    if (glyph != GLYPH_NONE)
        screen_put(s, glyph);
}

/* A byte above 0x7f, of UTF-8 (RFC 3629): what is malformed shows as one replacement. */
static void utf8_byte(struct screen *s, uint8_t c)
{
    struct screen_kept *k = &s->kept;
    bool continues = (c & 0xc0) == 0x80;

    if (k->utf8_left && !continues) {
        k->utf8_left = 0;
        show(s, REPLACEMENT_CODE);
    } else if (k->utf8_left) {
        k->code = k->code << 6 | (c & 0x3f);
        if (--k->utf8_left == 0)
            show(s, k->code < k->code_least || k->code > 0x10ffff ? REPLACEMENT_CODE : k->code);
        return;
    }
    if (c >= 0xc2 && c < 0xe0)
        k->utf8_left = 1, k->code = c & 0x1f, k->code_least = 0x80;
    else if (c >= 0xe0 && c < 0xf0)
        k->utf8_left = 2, k->code = c & 0x0f, k->code_least = 0x800;
    else if (c >= 0xf0 && c < 0xf5)
        k->utf8_left = 3, k->code = c & 0x07, k->code_least = 0x10000;
    else
        show(s, REPLACEMENT_CODE);
}

static void text_byte(struct screen *s, uint8_t c)
{
    if (c >= 0x80 && s->kept.utf8) {
        utf8_byte(s, c);
        return;
    }
    if (s->kept.utf8_left) {
        s->kept.utf8_left = 0;
        show(s, REPLACEMENT_CODE);
    }
    show(s, c);
}

/* Controls have their effect within sequences, too. */
static void control_character(struct screen *s, uint8_t c)
{
    struct screen_pen *p = &s->kept.pen;

    switch (c) {
    case '\b':
        if (p->column > 0 && !s->kept.wrap_waits)
            p->column--;
        s->kept.wrap_waits = 0;
        break;
    case '\t':
        tab(s);
        break;
    case '\n':
    case '\v':
    case '\f':
        screen_line_feed(s);
        if (s->kept.newline)
            p->column = 0;
        break;
    case '\r':
        p->column = 0;
        s->kept.wrap_waits = 0;
        break;
    case 14:
    case 15:
        p->shift = c == 14;
        break;
    case CAN:
    case SUB:
        s->kept.phase = PHASE_TEXT;
        break;
    case ESC:
        s->kept.phase = PHASE_ESCAPE;
        break;
    default: /* no bell */
        break;
    }
}

void screen_byte(struct screen *s, uint8_t c)
{
    enum phase phase = s->kept.phase;
    bool is_string = phase == PHASE_STRING || phase == PHASE_STRING_ESCAPE;

    if (is_string && c != CAN && c != SUB) {
        if (phase == PHASE_STRING)
            string_byte(s, c);
        else if (c == '\\')
            s->kept.phase = PHASE_TEXT;
        else
            after_escape(s, c);
    } else if (c < 0x20 || (c == DEL && phase == PHASE_TEXT)) {
        control_character(s, c);
    } else if (phase == PHASE_ESCAPE) {
        after_escape(s, c);
    } else if (phase == PHASE_INTERMEDIATE) {
        after_intermediate(s, c);
    } else if (phase == PHASE_CONTROL) {
        control_byte(s, c);
    } else if (phase == PHASE_PALETTE) {
        if (++s->kept.parameters >= 7)
            s->kept.phase = PHASE_TEXT;
    } else {
        s->kept.phase = PHASE_TEXT;
        text_byte(s, c);
    }
}
