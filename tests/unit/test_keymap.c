/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/keymap.c
/* From scan codes to what Linux's console sends: terminfo's "linux", and its default key table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "servers/tty/keymap.h"

static struct keymap k;
static char typed[256];
static struct keymap_result last;

static int setup(void **state)
{
    memset(&k, 0, sizeof k);
    return 0;
}

/* Feeds codes; what they type is in `typed`, the last event that is none of text in `last`. */
static const char *feed(const char *codes, size_t count, bool cursor_keys)
{
    size_t n = 0;

    memset(typed, 0, sizeof typed);
    memset(&last, 0, sizeof last);
    for (size_t i = 0; i < count; i++) {
        struct keymap_result r = keymap_feed(&k, (uint8_t)codes[i], cursor_keys);

        assert_true(r.count <= KEYMAP_TEXT);
        if (r.event == KEY_TEXT) {
            memcpy(typed + n, r.text, r.count);
            n += r.count;
        } else if (r.event != KEY_NONE) {
            last = r;
        }
    }
    return typed;
}
#define FEED(codes) feed(codes, sizeof codes - 1, false)
#define EXPECT(codes, text) assert_string_equal(FEED(codes), text)

static void test_characters(void **state)
{
    EXPECT("\x1e\x9e\x30\xb0\x02\x82\x39\xb9\x1c\x9c", "ab1 \r");
    EXPECT("\x2a\x1e\x9e\x02\x82\xaa\x1e", "A!a");
    EXPECT("\x36\x35\xb6\x35", "?/");
    EXPECT("\x0e\x0f\x01", "\177\t\033");
    EXPECT("\x2a\x0f\xaa", "\033\t");
    EXPECT("\x2b\x29\x28\x56", "\\`'<");
    EXPECT("\x1e\x1e\x1e\x9e", "aaa"); /* it repeats */
}

static void test_control_and_alt(void **state)
{
    EXPECT("\x1d\x2e\xae\x9d", "\003");
    EXPECT("\xe0\x1d\x20\xe0\x9d\x20", "\004d");
    EXPECT("\x1d\x1a\x2b\x1b\x0c\x0e\x9d", "\033\034\035\037\b");
    assert_int_equal(keymap_feed(&k, 0x1d, false).event, KEY_NONE);
    assert_int_equal(keymap_feed(&k, 0x39, false).count, 1); /* a NUL */
    FEED("\x9d");
    EXPECT("\x38\x1e\xb8\x1e", "\033aa");
    EXPECT("\x38\x1d\x1e\x9d\xb8", "\033\001");
}

static void test_keys_with_names(void **state)
{
    EXPECT("\xe0\x48\xe0\x50\xe0\x4d\xe0\x4b", "\033[A\033[B\033[C\033[D");
    assert_string_equal(feed("\xe0\x48\xe0\x4b", 4, true), "\033OA\033OD");
    EXPECT("\xe0\x47\xe0\x52\xe0\x53\xe0\x4f\xe0\x49\xe0\x51",
           "\033[1~\033[2~\033[3~\033[4~\033[5~\033[6~");
    EXPECT("\x3b\x3c\x3d\x3e\x3f", "\033[[A\033[[B\033[[C\033[[D\033[[E");
    EXPECT("\x40\x41\x42\x43\x44\x57\x58",
           "\033[17~\033[18~\033[19~\033[20~\033[21~\033[23~\033[24~");
    EXPECT("\x2a\x3b\x3d\x42\x43\xaa", "\033[25~\033[28~\033[34~");
    EXPECT("\xe0\x35\xe0\x1c\x37\x4a\x4e", "/\r*-+");
    EXPECT("\xe1\x1d\x45\xe1\x9d\xc5", ""); /* Pause */
    EXPECT("\xe0\x2a\xe0\x37\xe0\xb7\xe0\xaa\x1e", "a"); /* PrintScreen */
}

static void test_locks(void **state)
{
    EXPECT("\x3a\xba\x1e\x02\x2a\x1e\xaa", "A1a");
    assert_int_equal(k.locks, LOCK_CAPITALS);
    EXPECT("\x3a\x3a\x3a\xba\x1e", "a"); /* held, it repeats, and toggles once */
    EXPECT("\x47\x4c\x53", "\033[1~\033[G\033[3~");
    EXPECT("\x45\xc5\x47\x4c\x53", "75.");
    assert_int_equal(k.locks, LOCK_NUMBERS);
    EXPECT("\x2a\x48\xaa", "\033[A");
    EXPECT("\x45\xc5\x46\xc6", "");
    assert_int_equal(k.locks, LOCK_SCROLL);
}

static void test_consoles(void **state)
{
    EXPECT("\x38\x3c\xbc\xb8", "");
    assert_int_equal(last.event, KEY_CONSOLE);
    assert_int_equal(last.console, 1);
    EXPECT("\x1d\x38\x3e\xbe\xb8\x9d", "");
    assert_int_equal(last.console, 3);
    EXPECT("\x38\xe0\x4b\xb8", "");
    assert_int_equal(last.event, KEY_CONSOLE_PREVIOUS);
    EXPECT("\xe0\x38\xe0\x4d\xe0\xb8", "");
    assert_int_equal(last.event, KEY_CONSOLE_NEXT);
    EXPECT("\x1d\x38\xe0\x53\xe0\xd3\xb8\x9d", "");
    assert_int_equal(last.event, KEY_RESTART);
    EXPECT("\xe0\x4d", "\033[C"); /* none of them is held any more */
}

/* After an overrun nobody knows what was released. */
static void test_lost_keys(void **state)
{
    EXPECT("\x3a\xba\x2a\x1d\xff\x1e", "A");
    EXPECT("\x2a\xe0", "");
    keymap_release(&k);
    EXPECT("\x48\x1e", "\033[AA");
}

/* Whatever comes: no more bytes than there is room for, no state from which nothing comes back. */
static void test_anything(void **state)
{
    uint32_t random = 1;

    for (int i = 0; i < 1000000; i++) {
        struct keymap_result r;

        random = random * 1664525 + 1013904223;
        r = keymap_feed(&k, (uint8_t)(random >> 24), random & 0x100);
        assert_true(r.count <= KEYMAP_TEXT);
    }
    FEED("\xff");
    k.locks = 0;
    EXPECT("\x1e", "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_characters, setup),
        cmocka_unit_test_setup(test_control_and_alt, setup),
        cmocka_unit_test_setup(test_keys_with_names, setup),
        cmocka_unit_test_setup(test_locks, setup),
        cmocka_unit_test_setup(test_consoles, setup),
        cmocka_unit_test_setup(test_lost_keys, setup),
        cmocka_unit_test_setup(test_anything, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
