/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A terminal made of cells in memory: what Linux's console does with the bytes that programs write
 * to it (console_codes(4), TERM=linux), in UTF-8. Pure logic. The cells and what is known of the
 * console are in memory that outlives us (abi/screen_queue.h): whoever comes after us goes on there.
 */
#ifndef TTY_SCREEN_H
#define TTY_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/screen_queue.h"

#define SCREEN_PARAMETERS 16
#define SCREEN_ANSWERS 64 /* bytes; more than that nobody asks at a time */

/* What a program sets and may save: ESC 7, ESC 8. */
struct screen_pen {
    uint8_t column, row;
    uint8_t foreground, background; /* 0-15 and 0-7, as a VGA numbers colours */
    uint8_t bold, dim, underline, blink, reverse;
    uint8_t charset[2], shift; /* G0, G1: enum screen_charset; which of them is in use */
};

/* All bytes, so that it can be kept as such. */
struct screen_kept {
    uint8_t begun; /* 1: not as RS made it, zeroed */
    struct screen_pen pen, saved;
    uint8_t top, bottom; /* rows that scroll, the last included */
    uint8_t wraps, inserts, newline, origin, cursor_keys, inverse; /* modes */
    uint8_t wrap_waits; /* the last column is filled: the next character begins a row */
    uint8_t tab[SCREEN_COLUMNS / 8]; /* bit: a stop */
    uint8_t phase, intermediate; /* of the sequence that is being read */
    uint8_t parameters, skip;
    uint8_t utf8, utf8_left;
    uint16_t parameter[SCREEN_PARAMETERS];
    uint32_t code, code_least; /* UTF-8: so far; what so many bytes may stand for at least */
};
_Static_assert(sizeof(struct screen_kept) <= SCREEN_KEPT, "fits");

struct screen {
    struct screen_memory *memory;
    struct screen_state view; /* ours, of which `kept` is not used; screen_commit() publishes it */
    struct screen_kept kept;
    uint32_t answers; /* bytes for the program that asked, as though they were typed */
    uint8_t answer[SCREEN_ANSWERS];
};

/* Goes on with what is in the memory if that makes sense, else with an empty screen. */
void screen_open(struct screen *s, struct screen_memory *memory);

/* As after ESC c: empty, all settings as at the beginning. */
void screen_reset(struct screen *s);

/* Carries out all of it, and commits. */
void screen_write(struct screen *s, const uint8_t *bytes, uint32_t count);

/* ---- between screen.c and sequence.c ---- */

enum screen_charset { CHARSET_LATIN, CHARSET_GRAPHICS, CHARSET_437 };

void screen_commit(struct screen *s);
uint8_t screen_attribute(const struct screen *s); /* of what the pen writes */
void screen_put(struct screen *s, uint8_t glyph);
void screen_move(struct screen *s, int column,
                 int row); /* within the screen, or within the region */
void screen_scroll_up(struct screen *s, unsigned top, unsigned bottom, unsigned count);
void screen_scroll_down(struct screen *s, unsigned top, unsigned bottom, unsigned count);
void screen_erase(struct screen *s, unsigned row, unsigned from,
                  unsigned to); /* columns, `to` not included */
void screen_shift(struct screen *s, unsigned count, bool right); /* the rest of the cursor's row */
void screen_line_feed(struct screen *s);
void screen_reverse_line_feed(struct screen *s);
void screen_invert(struct screen *s, bool inverse); /* the whole screen */
void screen_pen_reset(struct screen_pen *pen); /* colours and the like */

/* ---- between csi.c and sequence.c ---- */

void screen_answer(struct screen *s, const char *text);
void screen_pen_save(struct screen *s);
void screen_pen_restore(struct screen *s);
void screen_set_tab(struct screen *s, bool set); /* where the cursor is */
void screen_control(struct screen *s, uint8_t c); /* a whole ESC [ ..., c its last byte */

/* What a byte does: sequence.c. */
void screen_byte(struct screen *s, uint8_t c);

/* ---- glyph.c ---- */

#define GLYPH_NONE 0 /* takes no room: it combines with what is before it */
/* The glyph in code page 437 of a Unicode character, or one that comes near it. */
uint8_t glyph_of(uint32_t code);
/* The glyph of 0x5f..0x7e in the VT100's character set of line graphics. */
uint8_t glyph_graphics(uint8_t c);

#endif
