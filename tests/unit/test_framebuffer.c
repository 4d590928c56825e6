/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/char/console/framebuffer.c
/* The painting of characters into a picture of points, of all kinds and sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/char/console/framebuffer.h"

enum { BEYOND = 64, UNTOUCHED = 0xa5, TIMES_MAX = 1000 };

static uint8_t font[256][FRAMEBUFFER_GLYPH_HEIGHT], *memory;
static uint16_t cells[SCREEN_ROWS][SCREEN_COLUMNS];
static struct framebuffer picture;
static struct kernel_framebuffer layout;

static int setup(void **state)
{
    srand(1);
    for (size_t i = 0; i < sizeof font; i++)
        font[i / FRAMEBUFFER_GLYPH_HEIGHT][i % FRAMEBUFFER_GLYPH_HEIGHT] = (uint8_t)rand();
    for (size_t i = 0; i < SCREEN_ROWS * SCREEN_COLUMNS; i++)
        cells[i / SCREEN_COLUMNS][i % SCREEN_COLUMNS] = (uint16_t)rand();
    return 0;
}

static int teardown(void **state)
{
    free(memory);
    memory = NULL;
    return 0;
}

static struct kernel_framebuffer kind(uint32_t width, uint32_t height, uint8_t point, uint32_t pad)
{
    struct kernel_framebuffer l = {.physical = 1,
                                   .pitch = width * ((point + 7u) / 8) + pad,
                                   .width = width,
                                   .height = height,
                                   .point = point};
    uint8_t bits = point >= 24 ? 8 : 5, green = point == 16 ? 6 : bits;

    l.colour[0].shift = (uint8_t)(bits + green);
    l.colour[1].shift = bits;
    l.colour[0].bits = l.colour[2].bits = bits;
    l.colour[1].bits = green;
    return l;
}

static const char *open_kind(struct kernel_framebuffer l)
{
    size_t size = (size_t)l.pitch * l.height;

    free(memory);
    memory = malloc(size + BEYOND);
    memset(memory, UNTOUCHED, size + BEYOND);
    layout = l;
    return framebuffer_open(&picture, memory, size, &layout, (const uint8_t(*)[16])font);
}

static void paint(uint16_t cursor)
{
    unsigned times = 0;

    while (!framebuffer_paint(&picture, cells, cursor))
        assert_true(++times < TIMES_MAX);
}

static uint32_t point_at(uint32_t x, uint32_t y)
{
    uint32_t bytes = (layout.point + 7u) / 8, point = 0;

    memcpy(&point, memory + (size_t)y * layout.pitch + (size_t)x * bytes, bytes);
    return point;
}

/* Of a colour of the CGA, of that kind of points. */
static uint32_t colour_of(unsigned n)
{
    static const uint8_t cga[16][3] = {
        {0, 0, 0},     {0, 0, 170},    {0, 170, 0},    {0, 170, 170},
        {170, 0, 0},   {170, 0, 170},  {170, 85, 0},   {170, 170, 170},
        {85, 85, 85},  {85, 85, 255},  {85, 255, 85},  {85, 255, 255},
        {255, 85, 85}, {255, 85, 255}, {255, 255, 85}, {255, 255, 255}};
    uint32_t point = 0;

    for (unsigned i = 0; i < 3; i++)
        point |= (cga[n][i] * ((1u << layout.colour[i].bits) - 1) + 127) / 255
                 << layout.colour[i].shift;
    return point;
}

/* What should be at a point, by the definition. */
static uint32_t expected(uint32_t x, uint32_t y, uint16_t cursor)
{
    uint32_t scale = picture.scale, column, row, cell;
    bool set;

    if (x < picture.left || y < picture.top)
        return 0;
    x = (x - picture.left) / scale;
    y = (y - picture.top) / scale;
    column = x / 8;
    row = y / 16;
    if (column >= SCREEN_COLUMNS || row >= SCREEN_ROWS)
        return 0;
    cell = cells[row][column];
    set = font[cell & 0xff][y % 16] << x % 8 & 0x80;
    if (cursor == row * SCREEN_COLUMNS + column && y % 16 >= 13)
        set = true;
    return colour_of(set ? cell >> 8 & 15 : cell >> 12);
}

static void expect_picture(uint16_t cursor)
{
    uint32_t bytes = (layout.point + 7u) / 8;

    for (uint32_t y = 0; y < layout.height; y++) {
        for (uint32_t x = 0; x < layout.width; x++)
            if (point_at(x, y) != expected(x, y, cursor))
                fail_msg("%u by %u, %u bits: point %u, %u is %#x, not %#x", layout.width,
                         layout.height, layout.point, x, y, point_at(x, y), expected(x, y, cursor));
        for (uint32_t i = layout.width * bytes; i < layout.pitch; i++)
            assert_int_equal(memory[(size_t)y * layout.pitch + i], UNTOUCHED);
    }
    for (size_t i = 0; i < BEYOND; i++)
        assert_int_equal(memory[(size_t)layout.pitch * layout.height + i], UNTOUCHED);
}

static void test_kinds(void **state)
{
    static const uint8_t points[] = {15, 16, 24, 32};
    static const struct {
        uint32_t width, height, pad, scale;
    } sizes[] = {{640, 400, 0, 1},   {800, 600, 0, 1},  {1024, 768, 5, 1},
                 {1280, 800, 64, 2}, {1366, 768, 3, 1}, {1921, 1201, 7, 3}};

    for (size_t i = 0; i < sizeof points; i++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            assert_null(open_kind(kind(sizes[k].width, sizes[k].height, points[i], sizes[k].pad)));
            assert_int_equal(picture.scale, sizes[k].scale);
            paint(1234);
            expect_picture(1234);
        }
}

/* Changes of cells and of the cursor, and what is not written again. */
static void test_changes(void **state)
{
    uint16_t cursor = FRAMEBUFFER_NO_CURSOR;

    assert_null(open_kind(kind(640, 400, 32, 0)));
    paint(cursor);
    expect_picture(cursor);
    for (int i = 0; i < 40; i++) {
        for (int n = rand() % 300; n > 0; n--)
            cells[rand() % SCREEN_ROWS][rand() % SCREEN_COLUMNS] = (uint16_t)rand();
        cursor = rand() % 5 ? (uint16_t)(rand() % (SCREEN_ROWS * SCREEN_COLUMNS))
                            : FRAMEBUFFER_NO_CURSOR;
        if (cursor != FRAMEBUFFER_NO_CURSOR && rand() % 2)
            cells[cursor / SCREEN_COLUMNS][cursor % SCREEN_COLUMNS] ^=
                0x0700; /* below the cursor */
        paint(cursor);
        expect_picture(cursor);
    }
    memset(memory, UNTOUCHED, 640 * 400 * 4);
    paint(cursor);
    for (size_t i = 0; i < 640 * 400 * 4; i++)
        assert_int_equal(memory[i], UNTOUCHED);
}

/* One call paints a few rows at most. */
static void test_parts(void **state)
{
    assert_null(open_kind(kind(640, 400, 32, 0)));
    assert_false(framebuffer_paint(&picture, cells, FRAMEBUFFER_NO_CURSOR));
    for (unsigned calls = 0; calls < 12; calls++) {
        uint32_t rows = 0;

        for (uint32_t y = 0; y < SCREEN_ROWS; y++)
            rows += picture.is_known[y];
        assert_int_equal(rows, 2 * calls);
        assert_false(framebuffer_paint(&picture, cells, FRAMEBUFFER_NO_CURSOR));
    }
    assert_true(framebuffer_paint(&picture, cells, FRAMEBUFFER_NO_CURSOR));
    expect_picture(FRAMEBUFFER_NO_CURSOR);
}

static void test_none_to_paint_on(void **state)
{
    struct kernel_framebuffer l;

    assert_non_null(open_kind(kind(639, 400, 32, 0)));
    assert_non_null(open_kind(kind(640, 399, 32, 0)));
    l = kind(640, 400, 32, 0);
    l.point = 8;
    assert_non_null(open_kind(l));
    l = kind(640, 400, 32, 0);
    l.pitch--;
    assert_non_null(open_kind(l));
    l = kind(640, 400, 32, 0);
    l.colour[0].shift = 25;
    assert_non_null(open_kind(l));
    l = kind(640, 400, 32, 0);
    l.colour[2].bits = 0;
    assert_non_null(open_kind(l));
    l = kind(640, 400, 32, 0);
    assert_non_null(framebuffer_open(&picture, memory, (uint64_t)l.pitch * l.height - 1, &l,
                                     (const uint8_t(*)[16])font));
    assert_non_null(framebuffer_open(&picture, NULL, (uint64_t)l.pitch * l.height, &l,
                                     (const uint8_t(*)[16])font));
    l.width = 1u << 30; /* so that products overflow */
    l.height = 1u << 30;
    l.pitch = 0;
    assert_non_null(framebuffer_open(&picture, memory, ~0ull, &l, (const uint8_t(*)[16])font));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_kinds), TEST(test_changes), TEST(test_parts),
                                       TEST(test_none_to_paint_on)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
