/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/tty/screen.c servers/tty/csi.c servers/tty/sequence.c servers/tty/glyph.c
/* What a screen shows of what is written to it: as Linux's console, console_codes(4). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "servers/tty/screen.h"

static struct screen s;
static struct screen_memory memory;

static int setup(void **state)
{
    memset(&memory, 0, sizeof memory);
    screen_open(&s, &memory);
    return 0;
}

static void put(const char *text)
{
    screen_write(&s, (const uint8_t *)text, (uint32_t)strlen(text));
}

/* As the driver sees it. */
static uint16_t cell(unsigned row, unsigned column)
{
    return memory.cell[memory.state[memory.valid].line[row]][column];
}

static const char *row(unsigned y)
{
    static char text[SCREEN_COLUMNS + 1];
    unsigned n = SCREEN_COLUMNS;

    for (unsigned x = 0; x < SCREEN_COLUMNS; x++)
        text[x] = (char)cell(y, x);
    while (n > 0 && text[n - 1] == ' ')
        n--;
    text[n] = 0;
    return text;
}

static void expect_cursor(unsigned y, unsigned x)
{
    const struct screen_state *v = &memory.state[memory.valid];

    assert_int_equal(v->cursor_row, y);
    assert_int_equal(v->cursor_column, x);
}

#define EXPECT(y, text) assert_string_equal(row(y), text)

static void fill(void)
{
    for (unsigned y = 0; y < SCREEN_ROWS; y++) {
        char text[32];

        snprintf(text, sizeof text, "\033[%u;1Hrow %u", y + 1, y);
        put(text);
    }
}

static void test_text(void **state)
{
    put("Hello\r\nworld\b\b\bX\ttab");
    EXPECT(0, "Hello");
    EXPECT(1, "woXld   tab");
    expect_cursor(1, 11);
    for (int i = 0; i < 30; i++)
        put("\r\n");
    put("end");
    EXPECT(24, "end");
    EXPECT(0, "");
}

/* The last column: the cursor stays in it until another character comes. */
static void test_wrap(void **state)
{
    for (int i = 0; i < 80; i++)
        put("x");
    expect_cursor(0, 79);
    put("\r");
    put("y");
    expect_cursor(0, 1);
    put("\033[1;80Hab");
    EXPECT(1, "b");
    put("\033[?7l\033[3;79Habcd");
    assert_int_equal(row(2)[79], 'd');
    EXPECT(3, "");
}

static void test_erase(void **state)
{
    fill();
    put("\033[3;3H\033[K");
    EXPECT(2, "ro");
    put("\033[4;3H\033[1K");
    EXPECT(3, "    3");
    put("\033[5;1H\033[2K");
    EXPECT(4, "");
    put("\033[6;2H\033[2X");
    EXPECT(5, "r   5");
    put("\033[20;1H\033[J");
    EXPECT(18, "row 18");
    EXPECT(19, "");
    EXPECT(24, "");
    put("\033[2;6H\033[1J");
    EXPECT(0, "");
    EXPECT(1, "");
    put("\033[2J");
    EXPECT(10, "");
    expect_cursor(1, 5);
}

static void test_move(void **state)
{
    put("\033[10;20H");
    expect_cursor(9, 19);
    put("\033[2A\033[3C\033[B\033[D");
    expect_cursor(8, 21);
    put("\033[99;99H");
    expect_cursor(24, 79);
    put("\033[H\033[99A\033[99D");
    expect_cursor(0, 0);
    put("\033[5d\033[7G");
    expect_cursor(4, 6);
    put("\0337\033[H\0338");
    expect_cursor(4, 6);
    put("\033[s\033[H\033[u\033[E");
    expect_cursor(5, 0);
    put("\033[3g\033[1;5H\033H\r\tx");
    EXPECT(0, "    x");
}

static void test_insert_and_delete(void **state)
{
    fill();
    put("\033[1;2H\033[2@");
    EXPECT(0, "r  ow 0");
    put("\033[3P");
    EXPECT(0, "rw 0");
    put("\033[4hxy\033[4l");
    EXPECT(0, "rxyw 0");
    put("\033[2;1H\033[L");
    EXPECT(1, "");
    EXPECT(2, "row 1");
    EXPECT(24, "row 23");
    put("\033[2M");
    EXPECT(1, "row 2");
    EXPECT(23, "");
    put("\033[999M");
    EXPECT(1, "");
    put("\033[1;80H\033[99@\033[99P"); /* at the edge */
}

static void test_region(void **state)
{
    fill();
    put("\033[5;10r");
    expect_cursor(0, 0);
    put("\033[10;1H\n");
    EXPECT(3, "row 3");
    EXPECT(4, "row 5");
    EXPECT(9, "");
    EXPECT(10, "row 10");
    put("\033[5;1H\033M");
    EXPECT(4, "");
    EXPECT(5, "row 5");
    EXPECT(9, "row 9");
    put("\033[25;1H\n"); /* below it nothing scrolls */
    EXPECT(24, "row 24");
    put("\033[?6h\033[2;1Hx\033[?6l");
    assert_int_equal(row(5)[0], 'x');
    put("\033[20;10r"); /* nonsense */
    put("\033[r\033[25;1H\n");
    EXPECT(23, "row 24");
    put("\033[2S");
    EXPECT(21, "row 24");
    put("\033[T");
    EXPECT(22, "row 24");
}

static uint8_t attribute(const char *sequence)
{
    put("\033[H\033[0m");
    put(sequence);
    put("x");
    return (uint8_t)(cell(0, 0) >> 8);
}

static void test_colours(void **state)
{
    assert_int_equal(attribute(""), 0x07);
    assert_int_equal(attribute("\033[31m"), 0x04);
    assert_int_equal(attribute("\033[1;34;43m"), 0x69);
    assert_int_equal(attribute("\033[7m"), 0x70);
    assert_int_equal(attribute("\033[7m\033[27m"), 0x07);
    assert_int_equal(attribute("\033[5;91m"), 0x8c);
    assert_int_equal(attribute("\033[4m"), 0x03);
    assert_int_equal(attribute("\033[2m"), 0x08);
    assert_int_equal(attribute("\033[31;42m\033[39;49m"), 0x07);
    assert_int_equal(attribute("\033[38;5;9m"), 0x0c);
    assert_int_equal(attribute("\033[38;2;255;255;0;44m"), 0x1e);
    assert_int_equal(attribute("\033[1;4;5;7;31;41m\033[m"), 0x07);
    put("\033[44m\033[2J"); /* erased cells have the ground's colour */
    assert_int_equal(cell(3, 3), 0x1720);
    put("\033[m\033[?5h");
    assert_int_equal(cell(3, 3) >> 8, 0x71);
    assert_int_equal(attribute("\033[7m"), 0x07);
    put("\033[?5l");
}

static void test_utf8(void **state)
{
    put("\xc3\xa9\xe2\x94\x80\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_int_equal(cell(0, 0) & 0xff, 0x82);
    assert_int_equal(cell(0, 1) & 0xff, 0xc4);
    assert_int_equal(cell(0, 2) & 0xff, 'E');
    assert_int_equal(cell(0, 3) & 0xff, 0xfe);
    expect_cursor(0, 4);
    put("\r\ne\xcc\x81o"); /* an accent of its own takes no room */
    EXPECT(1, "eo");
    put("\r\n\xc3x\xff\xc0\x80\xe0\x80\x80y"); /* malformed, too long */
    EXPECT(2, "\xfex\xfe\xfe\xfe\xfey");
    put("\r\n\033%@\x82\033%G");
    assert_int_equal(cell(3, 0) & 0xff, 0xfe);
    put("\r\n\033(0lqqk\033(B\016x\017x");
    EXPECT(4, "\xda\xc4\xc4\xbf\xb3x");
}

static void expect_answer(const char *text)
{
    assert_int_equal(s.answers, strlen(text));
    assert_memory_equal(s.answer, text, s.answers);
    s.answers = 0;
}

static void test_answers(void **state)
{
    put("\033[3;5H\033[6n");
    expect_answer("\033[3;5R");
    put("\033[5n\033[c\033Z");
    expect_answer("\033[0n\033[?6c\033[?6c");
    for (int i = 0; i < 1000; i++)
        put("\033[6n");
    assert_true(s.answers <= SCREEN_ANSWERS);
}

static void test_modes(void **state)
{
    put("\033[?25l");
    assert_int_equal(memory.state[memory.valid].cursor_shown, 0);
    put("\033[?25h\033[?1h");
    assert_int_equal(memory.state[memory.valid].cursor_shown, 1);
    assert_true(s.kept.cursor_keys);
    put("\033[20hx\ny");
    EXPECT(1, "y");
    put("\033c");
    EXPECT(1, "");
    assert_false(s.kept.cursor_keys);
    put("\033#8");
    assert_int_equal(cell(24, 79) & 0xff, 'E');
}

/* What nobody knows, and what is broken off, leaves no trace. */
static void test_unknown(void **state)
{
    put("a\033]0;title\ab\033]0;title\033\\c\033P1;2|x\033\\d\033[>1;2ce\033[1$zf\033[?2004hg\033]"
        "P0ffffffh\033]Ri\033(Kj");
    put("\033[3\030k\033[12\033[ml\033[1\r\n5m");
    assert_int_equal(cell(0, 0) & 0xff, 'a');
    EXPECT(0, "abcdefghijkl");
    put("\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;99999999999m\033[99999999999Cx");
    assert_int_equal(s.kept.pen.column, 79);
}

/* ---- whoever comes after us ---- */

static void test_goes_on(void **state)
{
    fill();
    put("\033[3;20r\033[31m\033[5;5Hx\033[1;");
    screen_open(&s, &memory);
    put("1H-");
    EXPECT(0, "-ow 0");
    assert_int_equal(cell(0, 0) >> 8, 4);
    EXPECT(24, "row 24");
    put("\033[20;1H\n");
    EXPECT(2, "row 3");
}

/* The driver may have written anything there. */
static void test_garbage(void **state)
{
    uint32_t random = 7;

    for (int round = 0; round < 300; round++) {
        uint8_t *bytes = (uint8_t *)&memory;

        for (size_t i = 0; i < sizeof memory; i++) {
            random = random * 1664525 + 1013904223;
            if (round % 3 == 0 || random >> 28 == 0)
                bytes[i] = (uint8_t)(random >> 20);
        }
        if (round % 2) /* it looks well at first */
            for (int n = 0; n < 2; n++)
                memory.state[n].kept[0] = 1;
        screen_open(&s, &memory);
        for (int i = 0; i < 2000; i++) {
            static const char pieces[][8] = {"\033[",  "5",    ";", "H", "J", "\033M", "\n", "L",
                                             "\033[M", "\xe2", "x", "@", "P", "m",     "\t", "r"};

            random = random * 1664525 + 1013904223;
            put(pieces[random >> 28]);
        }
        put("\033c\030ok");
        EXPECT(0, "ok");
    }
}

/* ---- tty dies at any instruction ---- */

static uint16_t before[SCREEN_ROWS][SCREEN_COLUMNS], after[SCREEN_ROWS][SCREEN_COLUMNS];
static volatile unsigned steps, wrong;

static bool shows(uint16_t picture[SCREEN_ROWS][SCREEN_COLUMNS])
{
    const struct screen_state *v = &memory.state[memory.valid & 1];

    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        if (memcmp(memory.cell[v->line[y]], picture[y], sizeof picture[y]) != 0)
            return false;
    return true;
}

static void take_picture(uint16_t picture[SCREEN_ROWS][SCREEN_COLUMNS])
{
    for (unsigned y = 0; y < SCREEN_ROWS; y++)
        for (unsigned x = 0; x < SCREEN_COLUMNS; x++)
            picture[y][x] = cell(y, x);
}

/* After each instruction: what a successor would find is the picture of before, or of after. */
static void stepped(int number, siginfo_t *info, void *context)
{
    steps++;
    if (!shows(before) && !shows(after))
        wrong++;
}

static void single_steps(bool on)
{
    if (on)
        __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" ::: "memory", "cc");
    else
        __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

static void begin(const char *where)
{
    setup(NULL);
    fill();
    put(where);
}

static void test_dies_anywhere(void **state)
{
    static const char changes[][2][16] = {{"\033[25;1H", "\n"},      {"\033[1;1H", "\033M"},
                                          {"\033[4;3H", "\033[2@"},  {"\033[4;3H", "\033[2P"},
                                          {"\033[4;3H", "\033[L"},   {"\033[4;3H", "\033[M"},
                                          {"\033[3;9r\033[9H", "\n"}};
    struct sigaction action = {.sa_sigaction = stepped, .sa_flags = SA_SIGINFO}, old;

    sigaction(SIGTRAP, &action, &old);
    for (unsigned i = 0; i < sizeof changes / sizeof *changes; i++) {
        begin(changes[i][0]);
        put(changes[i][1]);
        take_picture(after);
        begin(changes[i][0]);
        take_picture(before);
        assert_memory_not_equal(before, after, sizeof before);
        steps = wrong = 0;
        single_steps(true);
        put(changes[i][1]);
        single_steps(false);
        assert_true(shows(after));
        assert_true(steps > 500);
        assert_int_equal(wrong, 0);
    }
    sigaction(SIGTRAP, &old, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_text, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_erase, setup),
        cmocka_unit_test_setup(test_move, setup),
        cmocka_unit_test_setup(test_insert_and_delete, setup),
        cmocka_unit_test_setup(test_region, setup),
        cmocka_unit_test_setup(test_colours, setup),
        cmocka_unit_test_setup(test_utf8, setup),
        cmocka_unit_test_setup(test_answers, setup),
        cmocka_unit_test_setup(test_modes, setup),
        cmocka_unit_test_setup(test_unknown, setup),
        cmocka_unit_test_setup(test_goes_on, setup),
        cmocka_unit_test_setup(test_garbage, setup),
        cmocka_unit_test_setup(test_dies_anywhere, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
