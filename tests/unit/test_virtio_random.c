/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/virtio/virtio.c lib/driver/wait.c
// includes: drivers/char/random/chip.c
// flags: -Itests/unit/host
/* The chip's half of the entropy driver against a device that behaves as VIRTIO 1.0 says, killed at
 * each of its register accesses: the client gets each request done, with bytes of the device. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/driver/driver.h"
#include "lib/rt/log.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_machine.h"

#define PHYSICAL 0x10000000u
#define BYTES 0x4000u

static uint8_t *memory; /* the queue, at PHYSICAL for the device */
static jmp_buf death;
static long accesses_left; /* the driver dies before this many register accesses more; < 0: never */

static uint8_t *fake_dma(uint64_t address, size_t bytes)
{
    assert_in_range(address, PHYSICAL, PHYSICAL + BYTES - bytes);
    return memory + (address - PHYSICAL);
}

#include "tests/unit/fake_virtio.h"

#include "drivers/char/random/chip.c"

static struct entropy_device device;
static struct {
    int head; /* that it has been given; -1: none */
    uint8_t next; /* what it fills the next buffer with */
    uint32_t length; /* of which it says that it has written it */
    unsigned filled;
} rng;

static void step(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (accesses_left > 0)
        accesses_left--;
    if (accesses_left == 0) {
        accesses_left = -1;
        longjmp(death, 1);
    }
}

#define READ(name, type, width)                                                                    \
    type name(volatile void *base, uint32_t offset)                                                \
    {                                                                                              \
        step();                                                                                    \
        return (type)chip_read((uint32_t)((uintptr_t)base + offset) - STRIDE, width);              \
    }
#define WRITE(name, type, width)                                                                   \
    void name(volatile void *base, uint32_t offset, type value)                                    \
    {                                                                                              \
        step();                                                                                    \
        chip_write((uint32_t)((uintptr_t)base + offset) - STRIDE, width, value);                   \
    }
READ(mmio_read8, uint8_t, 1)
READ(mmio_read16, uint16_t, 2)
READ(mmio_read32, uint32_t, 4)
WRITE(mmio_write8, uint8_t, 1)
WRITE(mmio_write16, uint16_t, 2)
WRITE(mmio_write32, uint32_t, 4)

void log_info(const char *format, ...)
{
    (void)format;
}

void panic(const char *format, ...)
{
    (void)format;
    longjmp(death, 2);
}

/* ---- the device ---- */

static void chip_was_reset(void)
{
    rng.head = -1;
}

static uint32_t chip_configuration(uint32_t offset)
{
    fail();
    return offset;
}

static void chip_notified(unsigned queue)
{
    int head = chip_take(&chip.queue[queue]);

    assert_int_equal(queue, 0);
    if (head < 0)
        return;
    assert_int_equal(rng.head, -1); /* one at a time */
    rng.head = head;
}

/* It gives what it has been asked for. */
static void chip_gives(void)
{
    const struct virtio_descriptor *d;

    if (rng.head < 0 || !chip_works(&chip.queue[0]))
        return;
    d = chip_descriptor(&chip.queue[0], (uint32_t)rng.head);
    assert_int_equal(d->flags, DESCRIPTOR_WRITE);
    assert_int_equal(d->length, ENTROPY_BYTES);
    memset(fake_dma(d->address, d->length), rng.next++, d->length);
    chip_give_back(&chip.queue[0], (uint32_t)rng.head, rng.length);
    rng.head = -1;
    rng.filled++;
}

/* ---- the driver and its client ---- */

static struct entropy_queue *queue(void)
{
    return (struct entropy_queue *)memory;
}

static int start(bool may_adopt, enum queue_driver_state *how)
{
    entropy_open(&device, memory, PHYSICAL, BYTES);
    return entropy_start(&device, may_adopt, how);
}

static enum queue_driver_state starts(void)
{
    enum queue_driver_state how;

    assert_int_equal(start(true, &how), 0);
    return how;
}

/* 0, or how it died. */
static int lives(bool fresh)
{
    int how = setjmp(death);

    if (how == 0 && fresh)
        starts();
    if (how == 0)
        entropy_serve(&device);
    return how;
}

static int setup(void **state)
{
    free(memory);
    memory = aligned_alloc(4096, BYTES);
    memset(memory, 0, BYTES);
    fake_pages_begin();
    chip_begin(FEATURE(FEATURE_VERSION_1) | FEATURE(FEATURE_PLATFORM), STRIDE);
    memset(&rng, 0, sizeof rng);
    rng.head = -1;
    rng.length = ENTROPY_BYTES;
    accesses_left = -1;
    queue_claim(&queue()->header, ENTROPY_QUEUE_MAGIC);
    return 0;
}

/* ---- tests ---- */

static void expect_bytes(uint8_t first)
{
    uint8_t expected[ENTROPY_BYTES];

    memset(expected, first, sizeof expected);
    assert_int_equal(queue()->length, ENTROPY_BYTES);
    assert_memory_equal(queue()->bytes, expected, sizeof expected);
}

static void test_requests(void **state)
{
    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    entropy_serve(&device);
    chip_gives();
    assert_int_equal(rng.filled, 0); /* nothing is asked for that nobody has asked for */
    for (unsigned k = 1; k < 600; k++) { /* more than the ring has entries */
        queue()->posted = k;
        entropy_serve(&device);
        entropy_serve(&device);
        assert_int_equal(queue()->completed, k - 1);
        chip_gives();
        entropy_serve(&device);
        assert_int_equal(queue()->completed, k);
        expect_bytes((uint8_t)(k - 1));
        if (k % 3 == 0)
            assert_int_equal(starts(), QUEUE_DRIVER_ADOPTED);
    }
}

/* Killed at its n-th access, and its successor at the same of its own: each request is done. */
static void test_dies_anywhere(void **state)
{
    for (long n = 1; n < 60; n++) {
        unsigned deaths = 0;

        setup(state);
        lives(true);
        for (uint32_t k = 1; k < 8; k++) {
            bool fresh = false;

            queue()->posted = k;
            for (int tries = 0; tries < 12 && queue()->completed != k; tries++) {
                accesses_left = tries < 3 ? n : -1;
                fresh = lives(fresh) != 0;
                deaths += fresh;
                if (tries % 2)
                    chip_gives();
            }
            assert_int_equal(queue()->completed, k);
            expect_bytes((uint8_t)(rng.next - 1));
            accesses_left = -1;
            if (fresh)
                assert_int_equal(lives(true), 0);
        }
        assert_true(deaths > 0 || n > 1);
    }
}

/* What the device says is bounded; what it gives back and was not given ends the driver, whose
 * successor resets it. */
static void test_device_lies(void **state)
{
    uint16_t *used;

    lives(true);
    rng.length = 0xffffffff;
    queue()->posted = 1;
    entropy_serve(&device);
    chip_gives();
    entropy_serve(&device);
    assert_int_equal(queue()->completed, 1);
    expect_bytes(0);
    used = (void *)fake_dma(chip.queue[0].used, 4);
    used[1]++;
    assert_int_equal(lives(false), 2);
    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    queue()->posted = 2;
    entropy_serve(&device);
    chip_gives();
    entropy_serve(&device);
    assert_int_equal(queue()->completed, 2);
}

static void test_not_adopted(void **state)
{
    enum queue_driver_state how;

    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    assert_int_equal(starts(), QUEUE_DRIVER_ADOPTED);
    chip.status = STATUS_ALIVE | 64; /* it wants a reset */
    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    chip.queue[0].used += 4096;
    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    ((struct virtio_descriptor *)fake_dma(chip.queue[0].table, 16))->length++;
    assert_int_equal(starts(), QUEUE_DRIVER_RESET);
    assert_int_equal(start(false, &how), 0);
    assert_int_equal(how, QUEUE_DRIVER_RESET);
}

static void test_devices_not_for_us(void **state)
{
    enum queue_driver_state how;

    chip.is_stuck = true;
    chip.status = STATUS_ALIVE;
    FAKE_SLEEPS(FAKE_STUCK, assert_int_equal(start(true, &how), -EIO));
    setup(state);
    chip.offered = 0;
    assert_int_equal(start(true, &how), -EOPNOTSUPP);
    setup(state);
    chip.has_no_vector = true;
    assert_int_equal(start(true, &how), -EIO);
    setup(state);
    fake_info->device.window[WINDOW_COMMON].address = 0;
    assert_int_equal(start(true, &how), -ENODEV);
}

/* As long as the client is not ready, and after what it has had. */
static void test_quiet(void **state)
{
    queue()->header.client_ready = 0;
    queue()->posted = 5;
    lives(true);
    assert_int_equal(rng.head, -1);
    queue()->header.client_ready = 1;
    entropy_serve(&device);
    assert_int_equal(rng.head, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_requests),    TEST(test_dies_anywhere),      TEST(test_device_lies),
        TEST(test_not_adopted), TEST(test_devices_not_for_us), TEST(test_quiet),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    free(memory);
    return failed;
}
