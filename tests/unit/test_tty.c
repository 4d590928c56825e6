/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/line.c servers/tty/keep.c
/* The line discipline. What is expected is what Linux does. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include <cmocka.h>

#include "servers/tty/line.h"

static struct line l;
static char shown[65536]; /* echo so far */
static uint32_t shown_count;

static int setup(void **state)
{
    line_reset(&l);
    shown_count = 0;
    return 0;
}

static int type_byte(uint8_t c)
{
    int signal = line_input(&l, c);

    memcpy(shown + shown_count, l.echo, l.echo_count);
    shown_count += l.echo_count;
    l.echo_count = 0;
    return signal;
}

static int type(const char *text)
{
    int signal = 0;

    for (; *text; text++)
        signal |= type_byte((uint8_t)*text);
    return signal;
}

static void expect_shown(const char *text)
{
    shown[shown_count] = 0;
    assert_string_equal(shown, text);
    shown_count = 0;
}

static void expect_read(const char *text, uint32_t room)
{
    uint8_t bytes[8192];
    uint32_t n = line_read(&l, bytes, room);

    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, n);
}

static void set(uint32_t local_off, uint32_t local_on)
{
    struct line_termios t = l.termios;

    t.local = (t.local & ~local_off) | local_on;
    line_configure(&l, &t);
}

static void test_line(void **state)
{
    type("ls");
    assert_false(line_readable(&l));
    assert_int_equal(line_available(&l), 0);
    type("\r");
    assert_true(line_readable(&l));
    assert_int_equal(line_available(&l), 3);
    expect_shown("ls\r\n");
    type("next\nthird");
    expect_read("ls\n", 100);
    expect_read("ne", 2);
    expect_read("xt\n", 3);
    assert_false(line_readable(&l));
}

static void test_erase(void **state)
{
    type("ab\177c\n");
    expect_shown("ab\b \bc\r\n");
    expect_read("ac\n", 100);
    type("\177\177x\n"); /* nothing to erase; never into the line before */
    expect_shown("x\r\n");
    type("y\n\177z\n");
    expect_read("x\n", 100);
    expect_read("y\n", 100);
    expect_read("z\n", 100);
}

static void test_erase_wide(void **state)
{
    type("\001\177");
    expect_shown("^A\b \b\b \b");
    type("ab\t\177");
    expect_shown("ab\t\b\b\b\b\b\b");
    l.termios.input |= IUTF8;
    type("\303\244\177\n");
    expect_shown("\303\244\b \b\r\n");
    expect_read("ab\n", 100);
}

static void test_tab_after_prompt(void **state)
{
    uint8_t out[64];
    uint32_t made;

    line_output(&l, (const uint8_t *)"$ ", 2, out, sizeof out, &made);
    type("abc\t\177");
    expect_shown("abc\t\b\b\b"); /* from column 8 back to 5 */
}

static void test_erase_word_and_line(void **state)
{
    type("one two  \027");
    expect_shown("one two  \b \b\b \b\b \b\b \b\b \b");
    type("x\025");
    shown_count = 0;
    type("y\n");
    expect_read("y\n", 100);
    shown_count = 0;
    set(ECHOKE, 0);
    type("ab\025c\n");
    expect_shown("ab^U\r\nc\r\n");
    expect_read("c\n", 100);
}

static void test_end_of_file(void **state)
{
    type("\004");
    assert_true(line_readable(&l));
    expect_read("", 100);
    assert_false(line_readable(&l));
    type("abc\004");
    assert_int_equal(line_available(&l), 3);
    expect_read("abc", 100);
    assert_false(line_readable(&l));
    type("abc\004def\n");
    expect_read("abc", 3); /* just as many as there are: no end of file after it */
    expect_read("def\n", 100);
    expect_shown("abcabcdef\r\n");
}

static void test_signals(void **state)
{
    assert_int_equal(type("abc\003"), SIGINT);
    expect_shown("abc^C");
    assert_int_equal(type("\034"), SIGQUIT);
    assert_int_equal(type("\032"), SIGTSTP);
    type("x\n");
    expect_read("x\n", 100); /* what was typed before is gone */
    set(0, NOFLSH);
    assert_int_equal(type("abc\003"), SIGINT);
    type("d\n");
    expect_read("abcd\n", 100);
    set(ISIG, 0);
    assert_int_equal(type("\003\n"), 0);
    expect_read("\003\n", 100);
    set(0, ISIG);
    l.termios.character[VINTR] = 0;
    assert_int_equal(type("\003"), 0);
}

static void test_literal(void **state)
{
    assert_int_equal(type("\026\003\026\177\n"), 0);
    expect_read("\003\177\n", 100);
    expect_shown("^\b^C^\b^?\r\n");
}

static void test_no_echo(void **state)
{
    set(ECHO, 0);
    type("secret\177\025more\n");
    expect_shown("");
    expect_read("more\n", 100);
    set(0, ECHONL);
    type("x\n");
    expect_shown("\r\n");
}

static void test_raw(void **state)
{
    set(ICANON | ECHO | ISIG | IEXTEN, 0);
    l.termios.input = 0;
    assert_int_equal(type("a\r\003\004\177"), 0);
    assert_int_equal(line_available(&l), 5);
    expect_read("a\r", 2);
    expect_read("\003\004\177", 100);
    expect_shown("");
}

static void test_mode_change(void **state)
{
    type("one\ntwo\004thr");
    set(ICANON, 0);
    assert_int_equal(line_available(&l), 10);
    expect_read("one\ntwo", 7);
    set(0, ICANON);
    assert_true(line_readable(&l));
    type("ee\n");
    expect_read("thr", 100);
    expect_read("ee\n", 100);
}

static void test_input_flags(void **state)
{
    l.termios.input = INLCR | IGNCR;
    type("a\rb\n");
    assert_false(line_readable(&l));
    l.termios.input = ISTRIP | ICRNL;
    type_byte(0x8d);
    expect_read("ab\r\n", 100);
}

static void test_flow(void **state)
{
    type("a\023b");
    assert_true(l.stopped);
    type("\021");
    assert_false(l.stopped);
    type("\023");
    l.termios.input |= IXANY;
    type("c\n");
    assert_false(l.stopped);
    expect_read("abc\n", 100);
}

/* A key that makes a signal starts what ^S has stopped, but where ^S stops nothing. */
static void test_signals_start_output(void **state)
{
    static const char keys[] = {'\003', '\034', '\032'};

    for (unsigned n = 0; n < sizeof keys; n++) {
        type("\023");
        assert_true(l.stopped);
        assert_int_not_equal(type_byte((uint8_t)keys[n]), 0);
        assert_false(l.stopped);
    }
    set(0, NOFLSH);
    type("\023\003");
    assert_false(l.stopped);
    set(ISIG, 0);
    type("\023\003");
    assert_true(l.stopped);
}

/* tcflow(TCOOFF): only a program starts it again. tcflow(TCOON): not what a key has stopped. */
static void test_held_output(void **state)
{
    struct line_termios t = l.termios;
    uint8_t kept[LINE_KEPT_MAX];
    size_t length;

    line_hold(&l, true);
    l.termios.input |= IXANY;
    type("\021\003a");
    assert_true(l.stopped);
    t.input &= ~(uint32_t)IXON;
    line_configure(&l, &t);
    assert_true(l.stopped);
    length = line_keep(&l, kept);
    line_reset(&l);
    assert_true(line_take_over(&l, kept, length));
    type("\021");
    assert_true(l.stopped);
    line_hold(&l, false);
    assert_false(l.stopped);
    type("\023");
    line_hold(&l, false);
    assert_true(l.stopped);
    type("\021");
    assert_false(l.stopped);
}

static void test_output(void **state)
{
    uint8_t out[64];
    uint32_t made;

    assert_int_equal(line_output(&l, (const uint8_t *)"ab\ncd", 5, out, sizeof out, &made), 5);
    assert_int_equal(made, 6);
    assert_memory_equal(out, "ab\r\ncd", 6);
    assert_int_equal(l.column, 2);
    l.termios.output |= TAB3;
    line_output(&l, (const uint8_t *)"\tx", 2, out, sizeof out, &made);
    assert_int_equal(made, 7);
    assert_memory_equal(out, "      x", 7);
    assert_int_equal(line_output(&l, (const uint8_t *)"abcdef", 6, out, 9, &made),
                     2); /* 8 must be left */
    assert_int_equal(made, 2);
    l.termios.output = 0;
    line_output(&l, (const uint8_t *)"\n\t", 2, out, sizeof out, &made);
    assert_int_equal(made, 2);
}

static void test_overflow(void **state)
{
    for (int i = 0; i < 6000; i++) {
        assert_true(line_accepts(&l)); /* a line must be able to end */
        type_byte('x');
    }
    type("\n");
    assert_true(line_readable(&l));
    assert_int_equal(line_available(&l), LINE_INPUT);
    assert_false(line_accepts(&l));
    line_flush(&l);
    set(ICANON, 0);
    for (uint32_t i = 0; i < LINE_INPUT - 1; i++) {
        assert_true(line_accepts(&l));
        type_byte('y');
    }
    assert_false(line_accepts(&l));
    type_byte('z');
    assert_int_equal(line_available(&l), LINE_INPUT - 1);
}

static void test_reprint(void **state)
{
    type("abc\022d\n");
    expect_shown("abc^R\r\nabcd\r\n");
    expect_read("abcd\n", 100);
}

/* Whatever comes, in whatever mode: indices stay in order and nothing is read that was
 * not there. */
static void test_random(void **state)
{
    uint8_t bytes[300];

    srand(1);
    for (int i = 0; i < 300000; i++) {
        struct line_termios t = l.termios;

        type_byte((uint8_t)(rand() % 3 ? rand() % 40 : rand()));
        shown_count = 0;
        if (rand() % 50 == 0)
            assert_true(line_read(&l, bytes, (uint32_t)rand() % sizeof bytes) <= sizeof bytes);
        if (rand() % 500 == 0) {
            t.local = (uint32_t)rand();
            t.input = (uint32_t)rand();
            t.output = (uint32_t)rand();
            line_configure(&l, &t);
        }
        assert_true(l.tail - l.head <= LINE_INPUT);
        assert_true(l.ends <= l.tail - l.head);
        if (l.termios.local & ICANON)
            assert_true(l.edit - l.head <= l.tail - l.head);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_line),
        TEST(test_erase),
        TEST(test_erase_wide),
        TEST(test_tab_after_prompt),
        TEST(test_erase_word_and_line),
        TEST(test_end_of_file),
        TEST(test_signals),
        TEST(test_literal),
        TEST(test_no_echo),
        TEST(test_raw),
        TEST(test_mode_change),
        TEST(test_flow),
        TEST(test_signals_start_output),
        TEST(test_held_output),
        TEST(test_output),
        TEST(test_input_flags),
        TEST(test_overflow),
        TEST(test_reprint),
        TEST(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
