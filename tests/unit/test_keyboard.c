/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/chardriver.c lib/driver/wait.c drivers/input/keyboard/chip.c
// includes: drivers/input/keyboard/chip.c
// flags: -Itests/unit/host
/* The keyboard's driver against a fake i8042 and keyboard. It dies at every access to a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/input/keyboard/chip.c"
#include "lib/rt/log.h"
#include "tests/unit/fake_clock.h"

/* ---- a controller and a keyboard ---- */

enum { NO_DEATH = -1, KEYS_MAX = 256 };

static struct {
    bool absent, unplugged; /* controller; keyboard */
    uint8_t config, output, leds;
    bool full, full_of_answer, expects_config, expects_leds;
    int answer; /* of the controller: a byte that waits, or -1 */
    uint8_t keys[KEYS_MAX];
    uint32_t first, last; /* in the keyboard */
    int accesses, dies_at;
} chip;
static uint64_t alarm_at;
static jmp_buf death;

void panic(const char *format, ...)
{
    fail_msg("panic: %s", format);
    abort();
}

void driver_wake_in(uint64_t ns)
{
    alarm_at = fake_now + ns;
}

static void deliver(void)
{
    if (chip.full)
        return;
    if (chip.answer >= 0) {
        chip.output = (uint8_t)chip.answer;
        chip.answer = -1;
        chip.full = true;
    } else if (!(chip.config & CONFIG_KEYBOARD_OFF) && chip.first != chip.last) {
        chip.output = chip.keys[chip.first++ % KEYS_MAX];
        chip.full = true;
    }
}

static void press(uint8_t code)
{
    chip.keys[chip.last++ % KEYS_MAX] = code;
    deliver();
}

/* The keyboard's answer goes ahead of what is typed. */
static void answer_of_keyboard(uint8_t code)
{
    chip.keys[--chip.first % KEYS_MAX] = code;
    deliver();
}

static void access_port(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (chip.accesses++ == chip.dies_at)
        longjmp(death, 1);
}

uint8_t pio_read8(unsigned port)
{
    uint8_t value;

    access_port();
    if (chip.absent)
        return 0xff;
    if (port == STATUS)
        return 0x14 | chip.full;
    assert_int_equal(port, DATA);
    value = chip.output;
    chip.full = false;
    deliver();
    return value;
}

static void to_keyboard(uint8_t value)
{
    if (chip.unplugged)
        return;
    if (chip.expects_leds && value < 0x80) {
        chip.leds = value;
        chip.expects_leds = false;
        answer_of_keyboard(KEYBOARD_ACK);
    } else if (value == KEYBOARD_LEDS || value == KEYBOARD_ENABLE) {
        chip.expects_leds = value == KEYBOARD_LEDS;
        answer_of_keyboard(KEYBOARD_ACK);
    } else {
        answer_of_keyboard(KEYBOARD_AGAIN);
    }
}

void pio_write8(unsigned port, uint8_t value)
{
    access_port();
    if (chip.absent)
        return;
    if (port == DATA && chip.expects_config) {
        chip.config = value;
        chip.expects_config = false;
    } else if (port == DATA) {
        to_keyboard(value);
    } else if (value == COMMAND_READ_CONFIG) {
        chip.answer = chip.config;
    } else if (value == COMMAND_WRITE_CONFIG) {
        chip.expects_config = true;
    } else if (value == COMMAND_DISABLE_KEYBOARD) {
        chip.config |= CONFIG_KEYBOARD_OFF;
    } else if (value == COMMAND_ENABLE_KEYBOARD) {
        chip.config &= (uint8_t)~CONFIG_KEYBOARD_OFF;
    } else if (value == COMMAND_DISABLE_AUXILIARY) {
        chip.config |= CONFIG_AUXILIARY_OFF;
    } else {
        fail();
    }
    deliver();
}

/* ---- driver and client ---- */

static union {
    struct char_queue q;
    uint8_t bytes[0x10000];
} * memory;
static struct char_device device;
static uint8_t got[KEYS_MAX];
static uint32_t got_count, leds_written;
static int status_of_start, resets, adoptions;

static int setup(void **state)
{
    memset(&chip, 0, sizeof chip);
    chip.answer = -1;
    chip.first = chip.last = KEYS_MAX;
    chip.config = CONFIG_KEYBOARD_OFF | CONFIG_INTERRUPT_AUXILIARY;
    chip.dies_at = NO_DEATH;
    memory = aligned_alloc(4096, sizeof *memory);
    memset(memory, 0, sizeof *memory);
    memory->q.header.client_ready = 1;
    got_count = leds_written = 0;
    resets = adoptions = 0;
    return 0;
}

static int teardown(void **state)
{
    free(memory);
    return 0;
}

static void start(bool may_adopt)
{
    enum queue_driver_state state;

    memset(&keyboard, 0, sizeof keyboard);
    char_device_open(&device, &keyboard_driver, 0, &memory->q, sizeof *memory);
    status_of_start = char_device_start(&device, may_adopt, &state);
    resets += state == QUEUE_DRIVER_RESET;
    adoptions += state == QUEUE_DRIVER_ADOPTED;
}

static void serve(void)
{
    for (int turn = 0; turn < 100; turn++)
        if (!char_device_serve(&device) && char_device_settle(&device))
            break;
}

static void collect(void)
{
    struct char_ring *r = &memory->q.receive;

    while (r->taken != r->written) {
        assert_true(got_count < KEYS_MAX);
        got[got_count++] = memory->q.receive_bytes[r->taken++ % CHAR_RECEIVE_SIZE];
    }
}

static void show_leds(uint8_t value)
{
    memory->q.transmit_bytes[leds_written++ % CHAR_TRANSMIT_SIZE] = value;
    memory->q.transmit.written = leds_written;
}

static void expect(const uint8_t *codes, uint32_t count)
{
    collect();
    assert_int_equal(got_count, count);
    assert_memory_equal(got, codes, count);
}

/* ---- tests ---- */

static void test_first_start(void **state)
{
    static const uint8_t codes[] = {0x1e, 0x9e, 0xe0, 0x48, 0xe0, 0xc8};

    press(0x55); /* from before the boot: nobody's */
    start(true);
    assert_int_equal(status_of_start, 0);
    assert_int_equal(resets, 1);
    assert_int_equal(chip.config, CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_AUXILIARY_OFF);
    serve();
    got_count = 0;
    collect();
    got_count = 0;
    for (unsigned i = 0; i < sizeof codes; i++)
        press(codes[i]);
    serve();
    expect(codes, sizeof codes);
}

static void test_nobody(void **state)
{
    chip.absent = true;
    start(true);
    assert_int_equal(status_of_start, -ENODEV);
    teardown(state);
    setup(state);
    chip.unplugged = true; /* a keyboard may come later */
    FAKE_SLEEPS(PATIENCE, start(true));
    assert_int_equal(status_of_start, 0);
}

static void test_leds(void **state)
{
    start(true);
    show_leds(4);
    show_leds(6);
    serve();
    assert_int_equal(chip.leds, 6);
    assert_int_equal(memory->q.transmit.taken, 2);
    expect(NULL, 0); /* its answers are no keys */
    chip.unplugged = true;
    show_leds(0);
    for (int i = 0; i < 10 && memory->q.transmit.taken != 3; i++) {
        serve();
        fake_now = alarm_at;
    }
    assert_int_equal(memory->q.transmit.taken, 3); /* given up */
    assert_int_equal(memory->q.header.errors, 1);
}

/* Settings that somebody has changed are put right by who adopts. */
static void test_config(void **state)
{
    start(true);
    chip.config = 0;
    start(true);
    serve();
    assert_int_equal(adoptions, 1);
    assert_int_equal(chip.config, CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_AUXILIARY_OFF);
}

/* A full ring: the keys stay where they are, and the driver sleeps. */
static void test_full(void **state)
{
    static const uint8_t code = 0x1e;

    start(true);
    serve();
    memory->q.receive.written = device.receive.at = CHAR_RECEIVE_SIZE;
    press(code);
    serve();
    assert_true(char_device_settle(&device));
    assert_int_equal(memory->q.receive.written, CHAR_RECEIVE_SIZE);
    memory->q.receive.taken = CHAR_RECEIVE_SIZE;
    serve();
    expect(&code, 1);
}

/* Keys and LEDs, with deaths at the n-th access, again and again, for every n. */
static void deaths(int n)
{
    static const uint8_t codes[] = {0x2a, 0x1e, 0x9e, 0xaa, 0xe0, 0x53, 0xe0, 0xd3,
                                    0x3a, 0xba, 0x1c, 0x9c, 0x02, 0x82, 0x03, 0x83};
    volatile uint32_t typed = 0, deaths_left = 6;
    volatile bool is_up = true;

    start(true);
    serve();
    collect();
    got_count = 0;
    resets = adoptions = 0;
    show_leds(4);
    for (volatile int round = 0; round < 40; round++) {
        if (typed < sizeof codes)
            press(codes[typed++]);
        chip.accesses = 0;
        chip.dies_at = deaths_left && round % 3 == 2 ? n : NO_DEATH;
        if (setjmp(death) == 0) {
            if (!is_up || round % 3 == 2)
                start(true);
            is_up = true;
            serve();
        } else {
            deaths_left--;
            is_up = false;
        }
        fake_now += LEDS_PATIENCE;
    }
    chip.dies_at = NO_DEATH;
    assert_int_equal(chip.leds, 4);
    assert_int_equal(memory->q.transmit.taken, leds_written);
    assert_int_equal(chip.config, CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_AUXILIARY_OFF);
    expect(codes, sizeof codes);
}

static void test_deaths(void **state)
{
    for (int n = 0; n < 120; n++) {
        teardown(state);
        setup(state);
        deaths(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deaths, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
