/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line discipline: what happens to bytes between a terminal and the programs on it, with the
 * semantics of termios(3) as Linux has them. Pure logic. Bytes from the terminal go in with
 * line_input(), one by one; what the terminal shall show of them collects in `echo`, which the
 * caller sends and empties after each. Programs take bytes with line_read(); what they write goes
 * through line_output().
 */
#ifndef TTY_LINE_H
#define TTY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_INPUT 4096u /* as in Linux: a line has at most 4095 bytes and its end */
#define LINE_CONTROLS 19
#define LINE_EXPANSION 8 /* bytes that one byte of output becomes at most */

struct line_termios { /* as TCGETS copies it */
    uint32_t input, output, control, local; /* c_iflag c_oflag c_cflag c_lflag */
    uint8_t discipline;
    uint8_t character[LINE_CONTROLS]; /* c_cc: VINTR...; 0 disables one */
};
_Static_assert(sizeof(struct line_termios) == 36, "as the Linux kernel has it");

enum line_mark {
    MARK_NONE,
    MARK_END /* a line ends with this byte */,
    MARK_EOF /* a line ends before; the byte does not count */
};

struct line {
    struct line_termios termios;
    uint8_t byte[LINE_INPUT], mark[LINE_INPUT]; /* free-running indices, modulo LINE_INPUT */
    uint32_t head, tail; /* head: next to be read; tail: next to be stored */
    uint32_t edit; /* canonical: where the line that is being edited begins */
    uint32_t ends; /* marks between head and tail */
    uint32_t column, edit_column; /* of the cursor; where the line that is being edited begins */
    bool literal; /* the next byte stands for itself (VLNEXT) */
    bool stopped; /* output is (VSTOP) */
    bool held; /* by a program: no key starts it */
    uint32_t echo_count;
    uint8_t echo[4 * LINE_INPUT];
};

/* ---- keep.c ---- */

#define LINE_KEPT_MAX (24u + 2 * LINE_INPUT)

/* All but the settings and the echo as bytes, `to` having room for LINE_KEPT_MAX: how many. */
size_t line_keep(const struct line *l, uint8_t *to);
/* The reverse; false: these are none, l is as it was. */
bool line_take_over(struct line *l, const uint8_t *from, size_t length);

/* ---- line.c ---- */

/* Empty, with the settings that a Linux console starts with. */
void line_reset(struct line *l);

/* tcflow(): TCOOFF, TCOON. The latter does not start what a key has stopped. */
void line_hold(struct line *l, bool held);

/* New settings. Bytes that wait stay readable over a change of ICANON. */
void line_configure(struct line *l, const struct line_termios *termios);

/* May a byte come in without that any is lost? (With ICANON and no whole line there, always: else
 * the line could never end.) */
bool line_accepts(const struct line *l);

/* A byte from the terminal. Returns the signal that it sends to the foreground process group,
 * or 0. */
int line_input(struct line *l, uint8_t c);

void line_flush(struct line *l); /* forget the input that waits */

/* Is there something for read()? With ICANON: a whole line, or end of file. */
bool line_readable(const struct line *l);

/* Bytes that reads can get now. */
uint32_t line_available(const struct line *l);

/* Take bytes: with ICANON at most one line; 0: end of file. */
uint32_t line_read(struct line *l, uint8_t *to, uint32_t room);

/* Bytes from a program to the terminal: takes up to `count` of them; *made bytes are in `to`.
 * Returns how many it took: fewer when `room` is used up. */
uint32_t line_output(struct line *l, const uint8_t *from, uint32_t count, uint8_t *to,
                     uint32_t room, uint32_t *made);

#endif
