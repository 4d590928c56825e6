/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the scan codes of a PC's keyboard (set 1, what an i8042 makes of the keyboard's own; the
 * tables are in IBM's "PS/2 Hardware Interface Technical Reference") to what Linux's console sends,
 * with its US layout. Pure logic.
 */
#ifndef TTY_KEYMAP_H
#define TTY_KEYMAP_H

#include <stdbool.h>
#include <stdint.h>

#define KEYMAP_TEXT 8 /* bytes that one key sends at most */

enum keymap_lock { LOCK_SCROLL = 1, LOCK_NUMBERS = 2, LOCK_CAPITALS = 4 }; /* as the LEDs' bits */

/* What must be known of the keys before. All bytes, so that it can be kept as such; zeroed: none is
 * held, no lock is on. */
struct keymap {
    uint8_t held; /* modifiers: bits of keymap.c */
    uint8_t locks; /* bits of enum keymap_lock that are on */
    uint8_t locks_held; /* of whose keys: one that repeats toggles once */
    uint8_t prefix; /* 0xe0 or 0xe1 has come; of the latter how many codes are left, in skip */
    uint8_t skip;
};

enum keymap_event {
    KEY_NONE,
    KEY_TEXT, /* `count` bytes of `text` */
    KEY_CONSOLE, /* to console `console` */
    KEY_CONSOLE_NEXT,
    KEY_CONSOLE_PREVIOUS,
    KEY_RESTART, /* Ctrl-Alt-Delete */
};

struct keymap_result {
    enum keymap_event event;
    uint32_t count, console;
    uint8_t text[KEYMAP_TEXT];
};

/* A scan code. cursor_keys: the program wants the application's sequences of the cursor keys. */
struct keymap_result keymap_feed(struct keymap *k, uint8_t code, bool cursor_keys);

/* Keys may have been lost, so none is taken to be held any more; the locks stay. */
void keymap_release(struct keymap *k);

#endif
