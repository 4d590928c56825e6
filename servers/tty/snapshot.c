/* SPDX-License-Identifier: BSD-2-Clause */
/* What a successor finds in DS. */
#include <stddef.h>

#include "lib/service/service.h"
#include "servers/tty/tty.h"

#define SNAPSHOT_MAGIC 0x34595454u /* "TTY4" */
#define KEYBOARD_MAGIC 0x3144424bu /* "KBD1" */

/* One for each terminal. The index of the receive ring (of a console, that of the keyboard's) goes
 * with the line: what has come into the one is gone from the other in the same moment. */
struct snapshot {
    uint32_t magic;
    int32_t session, group;
    uint32_t taken, blank_key;
    struct keyboard_kept keyboard; /* of a console; else zeros */
    struct line_termios termios;
    struct winsize size;
    uint8_t line[LINE_KEPT_MAX];
};

struct keyboard_snapshot {
    uint32_t magic;
    struct keyboard_kept kept;
};

static const char *key_of(const struct terminal *t)
{
    static char key[] = "terminal0";

    key[sizeof key - 2] = (char)('0' + (t - terminals));
    return key;
}

static bool is_console(const struct terminal *t)
{
    return t >= &terminals[SERIALS];
}

void terminal_save(const struct terminal *t)
{
    static struct snapshot s;

    s.magic = SNAPSHOT_MAGIC;
    s.session = t->session;
    s.group = t->group;
    s.taken = t->taken;
    s.blank_key = t->blanks.key;
    s.keyboard = is_console(t) ? consoles_keep() : (struct keyboard_kept){0};
    s.termios = t->line.termios;
    s.size = t->size;
    service_save(key_of(t), &s, offsetof(struct snapshot, line) + line_keep(&t->line, s.line));
}

void keyboard_save(void)
{
    struct keyboard_snapshot s = {KEYBOARD_MAGIC, consoles_keep()};

    service_save("keyboard", &s, sizeof s);
}

static void restore(struct terminal *t)
{
    static struct snapshot s;
    long length = service_restore(key_of(t), &s, sizeof s);

    if (length < (long)offsetof(struct snapshot, line) || s.magic != SNAPSHOT_MAGIC)
        return;
    t->line.termios = s.termios;
    t->size = s.size;
    t->session = s.session;
    t->group = s.group;
    t->restored =
        line_take_over(&t->line, s.line, (size_t)length - offsetof(struct snapshot, line));
    t->taken = s.taken;
    t->blanks.key = s.blank_key;
    if (is_console(t))
        consoles_take_over(&s.keyboard);
}

void snapshots_restore(void)
{
    struct keyboard_snapshot s;

    for (unsigned i = 0; i < TERMINALS; i++)
        restore(&terminals[i]);
    if (service_restore("keyboard", &s, sizeof s) == sizeof s && s.magic == KEYBOARD_MAGIC)
        consoles_take_over(&s.kept);
}
