/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/char/console/vga.c
/* The screen's driver against a fake VGA. It dies at every access to a register or to its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "drivers/char/console/vga.h"

enum { NO_DEATH = -1, FONT_BYTES = 8192 };

static struct {
    bool absent;
    uint8_t miscellaneous, index[3], sequencer[8], graphics[16], crtc[32], attribute[32];
    bool attribute_data;
    uint8_t attribute_index, font[FONT_BYTES];
    uint16_t text[SCREEN_ROWS * SCREEN_COLUMNS];
    int accesses, dies_at;
} chip;
static struct screen_queue *queue;
static struct vga vga;
static uint16_t picture[SCREEN_ROWS][SCREEN_COLUMNS];
static jmp_buf death;

static void access_register(void)
{
    if (chip.accesses++ == chip.dies_at)
        longjmp(death, 1);
}

static uint8_t *indexed(unsigned port)
{
    if (port == 0x3c5)
        return &chip.sequencer[chip.index[0] % 8];
    if (port == 0x3cf)
        return &chip.graphics[chip.index[1] % 16];
    return port == 0x3d5 ? &chip.crtc[chip.index[2] % 32] : NULL;
}

uint8_t pio_read8(unsigned port)
{
    access_register();
    if (chip.absent)
        return 0xff;
    if (port == 0x3cc)
        return chip.miscellaneous;
    if (port == 0x3da)
        chip.attribute_data = false;
    return indexed(port) ? *indexed(port) : 0;
}

static void write_attribute(uint8_t value)
{
    if (chip.attribute_data)
        chip.attribute[chip.attribute_index & 0x1f] = value;
    else
        chip.attribute_index = value;
    chip.attribute_data = !chip.attribute_data;
}

void pio_write8(unsigned port, uint8_t value)
{
    access_register();
    if (port == 0x3c4)
        chip.index[0] = value;
    else if (port == 0x3ce)
        chip.index[1] = value;
    else if (port == 0x3d4)
        chip.index[2] = value;
    else if (port == 0x3c2)
        chip.miscellaneous = value;
    else if (port == 0x3c0)
        write_attribute(value);
    else if (port == 0x3d5 && chip.index[2] < 8 && (chip.crtc[0x11] & 0x80))
        return; /* protected */
    else if (indexed(port))
        *indexed(port) = value;
}

static bool shows_font(uint32_t offset)
{
    return chip.graphics[6] == 4 && chip.sequencer[4] == 6 && offset < FONT_BYTES;
}

uint8_t mmio_read8(volatile void *base, uint32_t offset)
{
    access_register();
    return shows_font(offset) && chip.graphics[4] == 2 ? chip.font[offset] : 0xee;
}

void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    access_register();
    if (shows_font(offset) && chip.sequencer[2] == 4)
        chip.font[offset] = value;
}

void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    access_register();
    assert_in_range(offset, VGA_TEXT, VGA_TEXT + sizeof chip.text - 4);
    if (chip.graphics[6] == 0x0e && chip.sequencer[2] == 3)
        memcpy((uint8_t *)chip.text + offset - VGA_TEXT, &value, sizeof value);
}

/* ---- the driver's life, as in main.c ---- */

static int start(void)
{
    int status = 0;

    vga = (struct vga){.memory = &chip, .queue = queue};
    if (vga_mismatch(&vga))
        status = vga_reset(&vga);
    if (status == 0)
        vga_keep_font(&vga);
    return status;
}

static uint8_t glyph(uint32_t n, uint32_t y)
{
    return (uint8_t)(n * 7 + y);
}

/* As a BIOS leaves it. */
static int setup(void **state)
{
    memset(&chip, 0, sizeof chip);
    chip.dies_at = NO_DEATH;
    queue = aligned_alloc(4096, sizeof *queue);
    memset(queue, 0, sizeof *queue);
    vga = (struct vga){.memory = &chip};
    chip.miscellaneous = 1;
    assert_int_equal(vga_reset(&vga), 0);
    for (uint32_t n = 0; n < 256; n++)
        for (uint32_t y = 0; y < 16; y++)
            chip.font[n * 32 + y] = glyph(n, y);
    for (unsigned i = 0; i < SCREEN_ROWS * SCREEN_COLUMNS; i++)
        ((uint16_t *)picture)[i] = (uint16_t)(i * 31);
    return 0;
}

static int teardown(void **state)
{
    free(queue);
    return 0;
}

static void expect_font(void)
{
    for (uint32_t n = 0; n < 256; n++)
        for (uint32_t y = 0; y < 16; y++)
            assert_int_equal(chip.font[n * 32 + y], glyph(n, y));
}

static void expect_picture(uint16_t cursor)
{
    assert_memory_equal(chip.text, picture, sizeof picture);
    assert_int_equal(chip.crtc[0x0e] << 8 | chip.crtc[0x0f], cursor);
    assert_int_equal(chip.crtc[0x0a] & 0x20, 0);
    assert_null(vga_mismatch(&vga));
}

/* ---- tests ---- */

static void test_adopts(void **state)
{
    assert_null(vga_mismatch(&(struct vga){.memory = &chip}));
    assert_int_equal(start(), 0);
    assert_int_equal(queue->font_kept, 1);
    assert_int_equal(queue->font['A'][3], glyph('A', 3));
    vga_paint(&vga, picture, 81);
    expect_picture(81);
    chip.accesses = 0;
    vga_paint(&vga, picture, 81); /* nothing has changed */
    assert_int_equal(chip.accesses, 0);
    picture[3][7] ^= 1;
    vga_paint(&vga, picture, VGA_NO_CURSOR);
    assert_memory_equal(chip.text, picture, sizeof picture);
    assert_int_equal(chip.crtc[0x0a] & 0x20, 0x20);
    assert_true(chip.accesses < 8);
    expect_font();
}

static void test_none(void **state)
{
    chip.absent = true;
    assert_int_equal(start(), -ENODEV);
    chip.absent = false;
    chip.graphics[6] = 5; /* a picture of the loader's */
    assert_int_equal(start(), -EOPNOTSUPP);
    vga.memory = NULL;
    assert_int_equal(vga_reset(&vga), -ENODEV);
}

/* Whatever somebody has written into it; the CRTC may be protected. */
static void test_any_state(void **state)
{
    uint32_t random = 3;

    assert_int_equal(start(), 0);
    for (int round = 0; round < 500; round++) {
        uint8_t *bytes = chip.sequencer;

        for (size_t i = 0; i < sizeof chip.sequencer + sizeof chip.graphics + sizeof chip.crtc;
             i++) {
            random = random * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(random >> 24);
        }
        memset(chip.font, (int)random, sizeof chip.font);
        chip.graphics[6] |= 1;
        assert_int_equal(start(), 0);
        vga_paint(&vga, picture, 5);
        expect_picture(5);
        expect_font();
    }
}

static void test_deaths(void **state)
{
    for (volatile int n = 0; n < 16000; n += n < 800 ? 1 : 37) {
        volatile bool done = false;

        teardown(state);
        setup(state);
        if (n % 2) { /* somebody has drawn a picture */
            assert_int_equal(start(), 0);
            memset(chip.font, 0x55, sizeof chip.font);
            chip.graphics[6] = 5;
        }
        for (volatile int life = 0; !done; life++) {
            chip.accesses = 0;
            chip.dies_at = life < 3 ? n : NO_DEATH;
            if (setjmp(death) != 0)
                continue;
            assert_int_equal(start(), 0);
            vga_paint(&vga, picture, 1999);
            done = true;
        }
        chip.dies_at = NO_DEATH;
        expect_picture(1999);
        expect_font();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_adopts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_any_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deaths, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
