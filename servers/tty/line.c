/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/tty/line.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

static bool local(const struct line *l, uint32_t flag)
{
    return l->termios.local & flag;
}

/* Is c the control character `which`, and is that not disabled? */
static bool is(const struct line *l, unsigned which, uint8_t c)
{
    return c != 0 && l->termios.character[which] == c;
}

static bool is_control(uint8_t c)
{
    return c < 32 || c == 127;
}

/* A byte that shows nothing of its own: the second and later bytes of a character. */
static bool is_continuation(const struct line *l, uint8_t c)
{
    return (l->termios.input & IUTF8) && (c & 0xc0) == 0x80;
}

static uint8_t at(const struct line *l, uint32_t k)
{
    return l->byte[k % LINE_INPUT];
}

/* ---- output ---- */

/* What becomes of one byte: its length; `to` has room for LINE_EXPANSION. */
static uint32_t process(struct line *l, uint8_t c, uint8_t *to)
{
    uint32_t flags = l->termios.output, spaces = 8 - l->column % 8;

    to[0] = c;
    if (!(flags & OPOST))
        return 1;
    if (c == '\r' && (flags & ONOCR) && l->column == 0)
        return 0;
    if (c == '\r' && (flags & OCRNL))
        to[0] = c = '\n';
    if (c == '\n' && (flags & ONLCR)) {
        l->column = 0;
        memcpy(to, "\r\n", 2);
        return 2;
    }
    if (c == '\r' || (c == '\n' && (flags & ONLRET))) {
        l->column = 0;
    } else if (c == '\t') {
        l->column += spaces;
        if ((flags & TABDLY) == TAB3) {
            memset(to, ' ', spaces);
            return spaces;
        }
    } else if (c == '\b') {
        l->column -= l->column > 0;
    } else if (!is_control(c) && !is_continuation(l, c)) {
        l->column++;
    }
    return 1;
}

uint32_t line_output(struct line *l, const uint8_t *from, uint32_t count, uint8_t *to,
                     uint32_t room, uint32_t *made)
{
    uint32_t taken = 0;

    *made = 0;
    while (taken < count && room - *made >= LINE_EXPANSION)
        *made += process(l, from[taken++], to + *made);
    return taken;
}

/* ---- echo ---- */

static void echo_byte(struct line *l, uint8_t c)
{
    if (sizeof l->echo - l->echo_count >= LINE_EXPANSION)
        l->echo_count += process(l, c, l->echo + l->echo_count);
}

static bool shown_as_two(const struct line *l, uint8_t c)
{
    return is_control(c) && c != '\t' && c != '\n' && local(l, ECHOCTL);
}

static void echo_character(struct line *l, uint8_t c)
{
    if (shown_as_two(l, c)) {
        echo_byte(l, '^');
        c ^= 0x40;
    }
    echo_byte(l, c);
}

static void echo_text(struct line *l, const char *text)
{
    while (*text)
        echo_byte(l, (uint8_t)*text++);
}

/* The column where the line that is being edited ends. */
static uint32_t end_column(const struct line *l)
{
    uint32_t column = l->edit_column;

    for (uint32_t k = l->edit; k != l->tail; k++) {
        uint8_t c = at(l, k);

        if (c == '\t')
            column += 8 - column % 8;
        else if (shown_as_two(l, c))
            column += 2;
        else
            column += !is_control(c) && !is_continuation(l, c);
    }
    return column;
}

/* ---- storing and erasing ---- */

static uint32_t used(const struct line *l)
{
    return l->tail - l->head;
}

static void store(struct line *l, uint8_t c, enum line_mark mark)
{
    uint32_t limit =
        mark == MARK_NONE ? LINE_INPUT - 1 : LINE_INPUT; /* the end of a line always finds room */

    if (used(l) >= limit) {
        if (l->termios.input & IMAXBEL)
            echo_byte(l, '\a');
        return;
    }
    l->byte[l->tail % LINE_INPUT] = c;
    l->mark[l->tail % LINE_INPUT] = mark;
    l->tail++;
    if (mark != MARK_NONE) {
        l->ends++;
        l->edit = l->tail;
    }
}

static void store_shown(struct line *l, uint8_t c)
{
    if (local(l, ECHO) && used(l) < LINE_INPUT - 1) {
        if (l->tail == l->edit)
            l->edit_column = l->column;
        echo_character(l, c);
    }
    store(l, c, MARK_NONE);
}

/* The character `c`, which has just been taken from the end of the line, vanishes from
 * the screen. */
static void unshow(struct line *l, uint8_t c)
{
    if (!local(l, ECHOE)) {
        echo_character(l, l->termios.character[VERASE]);
    } else if (c == '\t') {
        for (uint32_t target = end_column(l); l->column > target;)
            echo_byte(l, '\b');
    } else if (shown_as_two(l, c)) {
        echo_text(l, "\b \b\b \b");
    } else if (!is_control(c)) {
        echo_text(l, "\b \b");
    }
}

/* Takes the last character off the line, with all its bytes. Returns the first. */
static uint8_t drop_last(struct line *l)
{
    do
        l->tail--;
    while (l->tail != l->edit && is_continuation(l, at(l, l->tail)));
    return at(l, l->tail);
}

static void erase_character(struct line *l)
{
    uint8_t c;

    if (l->tail == l->edit)
        return;
    c = drop_last(l);
    if (local(l, ECHO))
        unshow(l, c);
}

static uint8_t last(const struct line *l)
{
    uint32_t k = l->tail - 1;

    while (k != l->edit && is_continuation(l, at(l, k)))
        k--;
    return at(l, k);
}

static bool in_word(uint8_t c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

static void erase_word(struct line *l)
{
    while (l->tail != l->edit && !in_word(last(l)))
        erase_character(l);
    while (l->tail != l->edit && in_word(last(l)))
        erase_character(l);
}

static void erase_line(struct line *l)
{
    if (local(l, ECHO) && local(l, ECHOK) && local(l, ECHOKE) && local(l, ECHOE)) {
        while (l->tail != l->edit)
            erase_character(l);
        return;
    }
    l->tail = l->edit;
    if (local(l, ECHO)) {
        echo_character(l, l->termios.character[VKILL]);
        if (local(l, ECHOK))
            echo_byte(l, '\n');
    }
}

static void show_again(struct line *l)
{
    echo_character(l, l->termios.character[VREPRINT]);
    echo_byte(l, '\n');
    l->edit_column = l->column;
    for (uint32_t k = l->edit; k != l->tail; k++)
        echo_character(l, at(l, k));
}

/* ---- input ---- */

static void next_is_literal(struct line *l)
{
    l->literal = true;
    if (local(l, ECHO) && local(l, ECHOCTL))
        echo_text(l, "^\b");
}

/* One of the characters that edit the line? Then it has been carried out. */
static bool edits(struct line *l, uint8_t c)
{
    bool extended = local(l, IEXTEN);

    if (is(l, VERASE, c))
        erase_character(l);
    else if (is(l, VKILL, c))
        erase_line(l);
    else if (extended && is(l, VWERASE, c))
        erase_word(l);
    else if (extended && is(l, VLNEXT, c))
        next_is_literal(l);
    else if (extended && local(l, ECHO) && is(l, VREPRINT, c))
        show_again(l);
    else
        return false;
    return true;
}

static void canonical(struct line *l, uint8_t c)
{
    if (edits(l, c))
        return;
    if (c == '\n') {
        if (local(l, ECHO | ECHONL))
            echo_byte(l, '\n');
        store(l, c, MARK_END);
    } else if (is(l, VEOF, c)) {
        store(l, c, MARK_EOF);
    } else if (is(l, VEOL, c) || (local(l, IEXTEN) && is(l, VEOL2, c))) {
        if (local(l, ECHO))
            echo_character(l, c);
        store(l, c, MARK_END);
    } else {
        store_shown(l, c);
    }
}

static int signal_of(const struct line *l, uint8_t c)
{
    if (!local(l, ISIG))
        return 0;
    if (is(l, VINTR, c))
        return SIGINT;
    if (is(l, VQUIT, c))
        return SIGQUIT;
    return is(l, VSUSP, c) ? SIGTSTP : 0;
}

static void start_output(struct line *l)
{
    if (!l->held)
        l->stopped = false;
}

/* Stops or starts the output: then the byte is used up. */
static bool flow(struct line *l, uint8_t c)
{
    if (!(l->termios.input & IXON))
        return false;
    if (is(l, VSTOP, c) && !(is(l, VSTART, c) && l->stopped)) {
        l->stopped = true;
        return true;
    }
    if (is(l, VSTART, c) || (l->termios.input & IXANY))
        start_output(l);
    return is(l, VSTART, c);
}

/* The order is what programs rely on: what follows ^V is taken as it is, even ^S or ^C; flow
 * control and signals work without ICANON, too; carriage returns are mapped before the line is
 * edited, which knows newlines alone. */
int line_input(struct line *l, uint8_t c)
{
    uint32_t flags = l->termios.input;
    int signal;

    if (flags & ISTRIP)
        c &= 0x7f;
    if (l->literal) {
        l->literal = false;
        store_shown(l, c);
        return 0;
    }
    if (flow(l, c))
        return 0;
    signal = signal_of(l, c);
    if (signal) {
        if (!local(l, NOFLSH))
            line_flush(l);
        if (flags & IXON) /* what it ends, or the shell, shall be seen to answer */
            start_output(l);
        if (local(l, ECHO))
            echo_character(l, c);
        return signal;
    }
    if (c == '\r' && (flags & IGNCR))
        return 0;
    if (c == '\r' && (flags & ICRNL))
        c = '\n';
    else if (c == '\n' && (flags & INLCR))
        c = '\r';
    if (local(l, ICANON))
        canonical(l, c);
    else
        store_shown(l, c);
    return 0;
}

bool line_accepts(const struct line *l)
{
    return used(l) < LINE_INPUT - 1 || (local(l, ICANON) && l->ends == 0);
}

void line_flush(struct line *l)
{
    l->head = l->edit = l->tail;
    l->ends = 0;
    l->literal = false;
}

/* ---- reading ---- */

bool line_readable(const struct line *l)
{
    return local(l, ICANON) ? l->ends != 0 : l->tail != l->head;
}

uint32_t line_available(const struct line *l)
{
    uint32_t n = 0;

    if (!local(l, ICANON))
        return used(l);
    for (uint32_t k = l->head; k != l->edit; k++)
        n += l->mark[k % LINE_INPUT] != MARK_EOF;
    return n;
}

static enum line_mark take(struct line *l)
{
    enum line_mark mark = l->mark[l->head++ % LINE_INPUT];

    l->ends -= mark != MARK_NONE;
    return mark;
}

static uint32_t read_line(struct line *l, uint8_t *to, uint32_t room)
{
    uint32_t n = 0;

    while (n < room && l->ends != 0) {
        uint8_t c = at(l, l->head);
        enum line_mark mark = take(l);

        if (mark == MARK_EOF)
            return n;
        to[n++] = c;
        if (mark == MARK_END)
            return n;
    }
    if (l->ends != 0 && l->mark[l->head % LINE_INPUT] == MARK_EOF)
        take(l); /* it ended just what has been read: the next read must not find an end of file */
    return n;
}

uint32_t line_read(struct line *l, uint8_t *to, uint32_t room)
{
    uint32_t n = 0;

    if (room == 0)
        return 0;
    if (local(l, ICANON))
        return read_line(l, to, room);
    while (n < room && l->head != l->tail) {
        to[n++] = at(l, l->head);
        take(l);
    }
    return n;
}

/* ---- settings ---- */

/* All that waits becomes plain bytes. */
static void drop_marks(struct line *l)
{
    uint32_t to = l->head;

    for (uint32_t k = l->head; k != l->tail; k++) {
        if (l->mark[k % LINE_INPUT] == MARK_EOF)
            continue;
        l->byte[to % LINE_INPUT] = at(l, k);
        l->mark[to++ % LINE_INPUT] = MARK_NONE;
    }
    l->tail = l->edit = to;
    l->ends = 0;
}

void line_hold(struct line *l, bool held)
{
    if (held || l->held)
        l->stopped = held;
    l->held = held;
}

void line_configure(struct line *l, const struct line_termios *termios)
{
    bool changed = (l->termios.local ^ termios->local) & ICANON;

    l->termios = *termios;
    if (!(termios->input & IXON))
        start_output(l);
    if (!changed)
        return;
    l->literal = false;
    drop_marks(l);
    if (local(l, ICANON) && used(l) != 0) { /* what was typed before counts as a line */
        l->mark[(l->tail - 1) % LINE_INPUT] = MARK_END;
        l->ends = 1;
    }
}

void line_reset(struct line *l)
{
    *l = (struct line){
        .termios = {.input = ICRNL | IXON,
                    .output = OPOST | ONLCR,
                    .control = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
                    .local = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
                    .character = {[VINTR] = 3,
                                  [VQUIT] = 28,
                                  [VERASE] = 127,
                                  [VKILL] = 21,
                                  [VEOF] = 4,
                                  [VMIN] = 1,
                                  [VSTART] = 17,
                                  [VSTOP] = 19,
                                  [VSUSP] = 26,
                                  [VREPRINT] = 18,
                                  [VDISCARD] = 15,
                                  [VWERASE] = 23,
                                  [VLNEXT] = 22}}};
}
