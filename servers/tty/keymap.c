/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/tty/keymap.h"

#include <stdio.h>
#include <string.h>

enum { /* bits of `held` */
       LEFT_SHIFT = 1 << 0,
       RIGHT_SHIFT = 1 << 1,
       LEFT_CONTROL = 1 << 2,
       RIGHT_CONTROL = 1 << 3,
       LEFT_ALT = 1 << 4,
       RIGHT_ALT = 1 << 5,
       SHIFT = LEFT_SHIFT | RIGHT_SHIFT,
       CONTROL = LEFT_CONTROL | RIGHT_CONTROL,
       ALT = LEFT_ALT | RIGHT_ALT,
};

enum { /* scan codes */
       RELEASED = 0x80,
       LOST_NONE = 0, /* an overrun: the keyboard had no room for what was pressed or released */
       LOST_ALL = 0xff,
       PREFIX = 0xe0,
       PREFIX_LONG = 0xe1, /* Pause: two more codes, in both directions */
       CODE_CONTROL = 0x1d,
       CODE_LEFT_SHIFT = 0x2a,
       CODE_RIGHT_SHIFT = 0x36,
       CODE_ALT = 0x38,
       CODE_SPACE = 0x39,
       CODE_CAPITALS = 0x3a,
       CODE_F1 = 0x3b,
       CODE_F10 = 0x44,
       CODE_NUMBERS = 0x45,
       CODE_SCROLL = 0x46,
       CODE_PAD = 0x47, /* to 0x53: the block of digits; with a prefix the keys of their own */
       CODE_PAD_LAST = 0x53,
       CODE_LEFT = 0x4b,
       CODE_RIGHT = 0x4d,
       CODE_DELETE = 0x53,
       CODE_BELOW_Z = 0x56, /* the key that keyboards with 102 keys have more */
       CODE_F11 = 0x57,
       CODE_F12 = 0x58,
       CODE_SLASH = 0x35,
       CODE_ENTER = 0x1c,
       CODE_TAB = 0x0f,
};

static const char plain[] = "\0\033"
                            "1234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033"
                              "!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

static uint8_t in(const char *table, size_t size, uint8_t code)
{
    if (code == CODE_BELOW_Z)
        return table == shifted ? '>' : '<';
    return code < size - 1 ? (uint8_t)table[code] : 0;
}

/* What Control makes of a key, as Linux's default table has it; 0x100: nothing. */
static unsigned with_control(uint8_t c)
{
    static const char
        from[] = " 2@`~3[{4\\|5]}6^7-_8?/",
        to[] = "\0\0\0\0\0\033\033\033\034\034\034\035\035\035\036\036\037\037\037\177\177\177";
    const char *at = c ? strchr(from, c) : NULL;

    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return c & 0x1f;
    if (at)
        return (uint8_t)to[at - from];
    return c == 127 ? '\b' : c;
}

static struct keymap_result text(const struct keymap *k, uint8_t c)
{
    struct keymap_result r = {.event = KEY_TEXT};

    if (k->held & ALT)
        r.text[r.count++] = '\033';
    r.text[r.count++] = c;
    return r;
}

static struct keymap_result sequence(const char *format, unsigned n)
{
    struct keymap_result r = {.event = KEY_TEXT};

    snprintf((char *)r.text, sizeof r.text, format, n);
    r.count = (uint32_t)strlen((char *)r.text);
    return r;
}

static struct keymap_result character(const struct keymap *k, uint8_t code)
{
    uint8_t c = in(k->held & SHIFT ? shifted : plain, sizeof plain, code);
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    if (c == 0)
        return (struct keymap_result){KEY_NONE, 0, 0, {0}};
    if (code == CODE_TAB && (k->held & SHIFT) && !(k->held & ALT))
        return sequence("\033\t", 0); /* kcbt of terminfo's "linux" */
    if (letter && (k->locks & LOCK_CAPITALS))
        c ^= 0x20;
    return text(k, k->held & CONTROL ? (uint8_t)with_control(c) : c);
}

/* F1..F12: 1..12. With Shift F1 is F13, and so on to F20. */
static struct keymap_result function_key(const struct keymap *k, unsigned n)
{
    static const uint8_t numbers[] = {0,  0,  0,  0,  0,  0,  17, 18, 19, 20, 21,
                                      23, 24, 25, 26, 28, 29, 31, 32, 33, 34};

    if (k->held & ALT)
        return (struct keymap_result){KEY_CONSOLE, 0, n - 1, {0}};
    if (k->held & SHIFT)
        n += 12;
    if (n >= sizeof numbers)
        return (struct keymap_result){KEY_NONE, 0, 0, {0}};
    return n <= 5 ? sequence("\033[[%c", 'A' + n - 1) : sequence("\033[%u~", numbers[n]);
}

static struct keymap_result cursor_key(const struct keymap *k, uint8_t code, bool cursor_keys)
{
    static const char keys[] = "\1A\5" /* Home, up, PgUp */
                               "\0D\0C\0" /* -, left, 5, right, + */
                               "\4B\6\2\3"; /* End, down, PgDn, Insert, Delete */
    unsigned key = (uint8_t)keys[code - CODE_PAD];

    if (code == CODE_DELETE && (k->held & CONTROL) && (k->held & ALT))
        return (struct keymap_result){KEY_RESTART, 0, 0, {0}};
    if (code == CODE_LEFT && (k->held & ALT))
        return (struct keymap_result){KEY_CONSOLE_PREVIOUS, 0, 0, {0}};
    if (code == CODE_RIGHT && (k->held & ALT))
        return (struct keymap_result){KEY_CONSOLE_NEXT, 0, 0, {0}};
    if (code == 0x4c)
        return sequence("\033[G", 0); /* the 5 in the middle of the block */
    if (key >= 'A')
        return sequence(cursor_keys ? "\033O%c" : "\033[%c", key);
    return sequence("\033[%u~", key);
}

/* The block of digits: with NumLock (or, without, with Shift) these are digits. */
static struct keymap_result pad_key(const struct keymap *k, uint8_t code, bool cursor_keys)
{
    static const char digits[] = "789-456+1230.";
    uint8_t c = (uint8_t)digits[code - CODE_PAD];
    bool numbers = !(k->locks & LOCK_NUMBERS) != !(k->held & SHIFT);

    if (c == '-' || c == '+')
        return text(k, c);
    return numbers && !(k->held & (CONTROL | ALT)) ? text(k, c) : cursor_key(k, code, cursor_keys);
}

/* A key that is pressed, and is no modifier. */
static struct keymap_result pressed(const struct keymap *k, uint8_t code, bool prefixed,
                                    bool cursor_keys)
{
    static const struct keymap_result none = {KEY_NONE, 0, 0, {0}};
    bool in_pad = code >= CODE_PAD && code <= CODE_PAD_LAST;

    if (prefixed) {
        if (code == CODE_ENTER)
            return text(k, '\r');
        if (code == CODE_SLASH)
            return text(k, '/');
        if (in_pad && code != 0x4a && code != 0x4c && code != 0x4e)
            return cursor_key(k, code, cursor_keys);
        return none;
    }
    if (in_pad)
        return pad_key(k, code, cursor_keys);
    if (code >= CODE_F1 && code <= CODE_F10)
        return function_key(k, code - CODE_F1 + 1u);
    if (code == CODE_F11 || code == CODE_F12)
        return function_key(k, code - CODE_F11 + 11u);
    return character(k, code);
}

static uint8_t modifier(uint8_t code, bool prefixed)
{
    if (code == CODE_CONTROL)
        return prefixed ? RIGHT_CONTROL : LEFT_CONTROL;
    if (code == CODE_ALT)
        return prefixed ? RIGHT_ALT : LEFT_ALT;
    if (code == CODE_LEFT_SHIFT && !prefixed) /* with one it stands for no key */
        return LEFT_SHIFT;
    return code == CODE_RIGHT_SHIFT && !prefixed ? RIGHT_SHIFT : 0;
}

static uint8_t lock(uint8_t code)
{
    if (code == CODE_CAPITALS)
        return LOCK_CAPITALS;
    if (code == CODE_NUMBERS)
        return LOCK_NUMBERS;
    return code == CODE_SCROLL ? LOCK_SCROLL : 0;
}

static void lock_key(struct keymap *k, uint8_t bit, bool released)
{
    if (released) {
        k->locks_held &= (uint8_t)~bit;
        return;
    }
    if (!(k->locks_held & bit))
        k->locks ^= bit;
    k->locks_held |= bit;
}

void keymap_release(struct keymap *k)
{
    k->held = k->locks_held = k->prefix = k->skip = 0;
}

/* Codes that belong to no key of their own go first: taken for keys, those behind Pause would be
 * Control and NumLock, and a lost release would hold a key down for good. A prefix is for the next
 * code alone. */
struct keymap_result keymap_feed(struct keymap *k, uint8_t code, bool cursor_keys)
{
    static const struct keymap_result none = {KEY_NONE, 0, 0, {0}};
    bool prefixed = k->prefix, released = code & RELEASED;
    uint8_t bit, key = code & (uint8_t)~RELEASED;

    if (code == LOST_NONE || code == LOST_ALL) {
        keymap_release(k);
        return none;
    }
    if (code == PREFIX || code == PREFIX_LONG) {
        k->prefix = code == PREFIX;
        k->skip = code == PREFIX_LONG ? 2 : 0;
        return none;
    }
    if (k->skip) {
        k->skip--;
        return none;
    }
    k->prefix = 0;
    bit = modifier(key, prefixed);
    if (bit) {
        k->held = released ? k->held & (uint8_t)~bit : k->held | bit;
        return none;
    }
    if (lock(key) && !prefixed) {
        lock_key(k, lock(key), released);
        return none;
    }
    return released ? none : pressed(k, key, prefixed, cursor_keys);
}
