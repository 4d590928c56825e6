/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block queue in memory, its client, a disk, and death at a chosen register access: for the unit
 * tests of the chips' halves. A test includes the driver's chip.c, for a fresh incarnation begins
 * with its variables zeroed, and defines its chip: the functions below. What every driver must do
 * is tested here: block_tests.
 */
#ifndef FAKE_BLOCK_H
#define FAKE_BLOCK_H

#include <setjmp.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/block/client.h"
#include "lib/driver/blockdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_machine.h"

#define FAKE_PHYSICAL 0x10000000u
#define FAKE_BYTES (BLOCK_BUFFERS_OFFSET + 0x100000u)
#define FAKE_BUFFERS (FAKE_PHYSICAL + BLOCK_BUFFERS_OFFSET)
#define FAKE_SECTORS 2048u
#define NO_SECTOR ~0ull

/* ---- the chip: by the test ---- */

uint32_t fake_read(uintptr_t at, unsigned width); /* of a register, or a port */
void fake_write(uintptr_t at, unsigned width, uint32_t value);
static void chip_power_on(void); /* a machine that begins; service_info is filled in, too */
static void chip_work(unsigned most); /* end that many commands, at most */
static void driver_forget(void); /* the driver's variables are zeroed */
static const struct block_driver *const driver; /* to be tested */

/* ---- what is here ---- */

static uint8_t *fake_memory; /* the queue, at FAKE_PHYSICAL for the device */
static uint8_t fake_disk[FAKE_SECTORS * BLOCK_SECTOR];
static uint64_t fake_bad; /* sector that cannot be read or written */
static unsigned fake_flushes; /* that the chip has done */
static uint32_t fake_block; /* bytes of a block of the disk, by which the chip counts */
static struct block_device fake_device;
static struct block_client fake_client;
static bool fake_starting; /* the driver is; commands that it then gives are done at once */
static jmp_buf fake_death;
static long
    fake_accesses_left; /* the driver dies before this many register accesses more; < 0: never */

static void fake_step(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (fake_accesses_left > 0)
        fake_accesses_left--;
    if (fake_accesses_left == 0) {
        fake_accesses_left = -1;
        longjmp(fake_death, 1);
    }
}

#define FAKE_ACCESS(name, type, width, place)                                                      \
    type name(place, uint32_t offset)                                                              \
    {                                                                                              \
        fake_step();                                                                               \
        return (type)fake_read((uintptr_t)base + offset, width);                                   \
    }
FAKE_ACCESS(mmio_read8, uint8_t, 1, volatile void *base)
FAKE_ACCESS(mmio_read16, uint16_t, 2, volatile void *base)
FAKE_ACCESS(mmio_read32, uint32_t, 4, volatile void *base)
void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    fake_step();
    fake_write((uintptr_t)base + offset, 1, value);
}
void mmio_write16(volatile void *base, uint32_t offset, uint16_t value)
{
    fake_step();
    fake_write((uintptr_t)base + offset, 2, value);
}
void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    fake_step();
    fake_write((uintptr_t)base + offset, 4, value);
}
uint8_t pio_read8(unsigned port)
{
    return mmio_read8(NULL, port);
}
uint16_t pio_read16(unsigned port)
{
    return mmio_read16(NULL, port);
}
uint32_t pio_read32(unsigned port)
{
    return mmio_read32(NULL, port);
}
void pio_write8(unsigned port, uint8_t value)
{
    mmio_write8(NULL, port, value);
}
void pio_write32(unsigned port, uint32_t value)
{
    mmio_write32(NULL, port, value);
}

void log_info(const char *format, ...)
{
    (void)format;
}
void panic(const char *format, ...)
{
    (void)format;
    abort();
}

/* What the device sees at a physical address; the test fails when that lies outside the queue. */
static inline uint8_t *fake_dma(uint64_t address, size_t bytes)
{
    assert_in_range(address, FAKE_PHYSICAL, FAKE_PHYSICAL + FAKE_BYTES - bytes);
    return fake_memory + (address - FAKE_PHYSICAL);
}

/* Bytes between the disk and memory, for a command that begins at `sector`; false: a bad sector. */
static inline bool fake_move(uint64_t sector, uint64_t address, uint32_t bytes, bool to_disk)
{
    uint64_t last = sector + bytes / BLOCK_SECTOR;
    uint8_t *memory = fake_dma(address, bytes), *disk = fake_disk + sector * BLOCK_SECTOR;

    assert_true(sector < FAKE_SECTORS && last <= FAKE_SECTORS);
    if (sector <= fake_bad && fake_bad < last)
        return false;
    memcpy(to_disk ? disk : memory, to_disk ? memory : disk, bytes);
    return true;
}

/* ---- a machine, a driver, a client ---- */

static enum queue_driver_state driver_starts(bool may_adopt)
{
    enum queue_driver_state state = QUEUE_DRIVER_NONE;

    fake_starting = true;
    driver_forget();
    block_device_open(&fake_device, driver, (volatile void *)(uintptr_t)0x1000, fake_memory,
                      FAKE_PHYSICAL, FAKE_BYTES);
    fake_device.ports = 0xc000;
    assert_int_equal(block_device_start(&fake_device, may_adopt, &state), 0);
    fake_device.queue->header.driver_state = state;
    fake_device.queue->header.incarnation++;
    fake_starting = false;
    if (fake_client.is_ready)
        block_finished(&fake_client, 0); /* it sees the fresh one */
    return state;
}

static int machine_begins(void)
{
    if (!fake_memory)
        fake_memory = aligned_alloc(4096, FAKE_BYTES);
    fake_pages_begin();
    memset(fake_memory, 0, FAKE_BYTES);
    fake_client.is_ready = false;
    fake_accesses_left = -1;
    fake_bad = NO_SECTOR;
    fake_block = BLOCK_SECTOR;
    fake_flushes = 0;
    for (unsigned i = 0; i < sizeof fake_disk; i++)
        fake_disk[i] = (uint8_t)(i / BLOCK_SECTOR * 7 + i);
    chip_power_on();
    return 0;
}

static int fake_begin(void **state)
{
    (void)state;
    machine_begins();
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    block_client_open(&fake_client,
                      &(struct service_queue){.address = (uint64_t)(uintptr_t)fake_memory,
                                              .physical = FAKE_PHYSICAL,
                                              .size = FAKE_BYTES});
    block_client_ready(&fake_client);
    driver->unmask(&fake_device);
    return 0;
}

static int post(uint32_t operation, uint32_t flags, uint64_t sector, uint32_t buffer,
                uint32_t sectors)
{
    int k = block_slot(&fake_client);
    struct block_request *r;

    assert_true(k >= 0);
    r = block_request(&fake_client, k);
    memset(r, 0, sizeof *r);
    r->operation = operation;
    r->flags = flags;
    r->sector = sector;
    for (uint32_t done = 0; done < sectors; done += 3) { /* in several segments */
        uint32_t part = sectors - done < 3 ? sectors - done : 3;

        r->segment[r->segments++] = (struct block_segment){
            FAKE_BUFFERS + buffer + done * BLOCK_SECTOR, part * BLOCK_SECTOR, 0};
    }
    r->sectors = sectors;
    block_post(&fake_client, k, 0);
    return k;
}

static uint8_t *buffer_at(uint32_t buffer)
{
    return fake_memory + BLOCK_BUFFERS_OFFSET + buffer;
}

static void serve(void)
{
    while (block_device_serve(&fake_device))
        ;
}

/* Until all is done; the chip ends `most` commands between two looks of the driver. */
static void run(unsigned most)
{
    for (unsigned turn = 0; block_finished(&fake_client, 0) != fake_client.used; turn++) {
        assert_true(turn < 500); /* or it hangs */
        chip_work(most);
        serve();
    }
}

static void assert_status(int k, enum block_status status)
{
    assert_true(block_finished(&fake_client, 0) >> k & 1);
    assert_int_equal(block_status(&fake_client, k), status);
}

/* ---- what every driver must do ---- */

static void test_units(void **state)
{
    const struct block_unit *u = &fake_device.queue->unit[0];

    assert_true(u->flags & BLOCK_UNIT_PRESENT);
    assert_true(u->flags & BLOCK_UNIT_WRITE_CACHE);
    assert_false(u->flags & BLOCK_UNIT_READ_ONLY);
    assert_int_equal(u->sectors, FAKE_SECTORS);
    assert_int_equal(u->logical_size, BLOCK_SECTOR);
    assert_string_equal(u->serial, "S123");
    assert_string_equal(fake_device.queue->kind, driver->kind);
    for (unsigned n = 1; n < BLOCK_UNITS; n++)
        assert_false(fake_device.queue->unit[n].flags & BLOCK_UNIT_PRESENT);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    assert_int_equal(u->generation, 1); /* the same disk as before */
}

static void test_transfers(void **state)
{
    int k = post(BLOCK_READ, 0, 10, 0, 7);

    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0), fake_disk + 10 * BLOCK_SECTOR, 7 * BLOCK_SECTOR);
    block_free(&fake_client, k);
    memset(buffer_at(0x10000), 0x5a, 9 * BLOCK_SECTOR);
    k = post(BLOCK_WRITE, 0, FAKE_SECTORS - 9, 0x10000, 9);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0x10000), fake_disk + (FAKE_SECTORS - 9) * BLOCK_SECTOR,
                        9 * BLOCK_SECTOR);
    assert_int_not_equal(fake_disk[(FAKE_SECTORS - 9) * BLOCK_SECTOR - 1], 0x5a);
    block_free(&fake_client, k);
    assert_int_equal(fake_flushes, 0);
    k = post(BLOCK_FLUSH, 0, 0, 0, 0);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_int_equal(fake_flushes, 1);
    block_free(&fake_client, k);
    k = post(BLOCK_WRITE, BLOCK_FUA, 5, 0x10000, 1);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_int_equal(fake_flushes, 2); /* or a command that does the same */
    assert_int_equal(fake_disk[5 * BLOCK_SECTOR], 0x5a);
}

/* As many as the queue holds, at once; they end in another order than they were given. */
static void test_many(void **state)
{
    for (unsigned round = 0; round < 5; round++) {
        int k[BLOCK_SLOTS];

        for (unsigned i = 0; i < BLOCK_SLOTS; i++)
            k[i] = post(BLOCK_READ, 0, 64 * i + round, i * 0x2000, 1 + i % 12);
        assert_int_equal(block_slot(&fake_client), -1);
        run(1 + 3 * round);
        for (unsigned i = 0; i < BLOCK_SLOTS; i++) {
            assert_status(k[i], BLOCK_OK);
            assert_memory_equal(buffer_at(i * 0x2000), fake_disk + (64 * i + round) * BLOCK_SECTOR,
                                (1 + i % 12) * BLOCK_SECTOR);
            block_free(&fake_client, k[i]);
        }
        memset(buffer_at(0), 0, 0x100000);
    }
}

/* A disk whose blocks have 4096 bytes, which it counts. */
static void test_big_blocks(void **state)
{
    const struct block_unit *u = &fake_device.queue->unit[0];
    int k;

    fake_block = 4096;
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    assert_int_equal(u->sectors, FAKE_SECTORS);
    assert_int_equal(u->logical_size, 4096);
    k = post(BLOCK_READ, 0, 40, 0, 24);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0), fake_disk + 40 * BLOCK_SECTOR, 24 * BLOCK_SECTOR);
    block_free(&fake_client, k);
    memset(buffer_at(0), 0x5b, 8 * BLOCK_SECTOR);
    k = post(BLOCK_WRITE, BLOCK_FUA, FAKE_SECTORS - 8, 0, 8);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0), fake_disk + (FAKE_SECTORS - 8) * BLOCK_SECTOR,
                        8 * BLOCK_SECTOR);
    assert_int_not_equal(fake_disk[(FAKE_SECTORS - 8) * BLOCK_SECTOR - 1], 0x5b);
    block_free(&fake_client, k);
    k = post(BLOCK_READ, 0, 41, 0, 8); /* from within a block */
    serve();
    assert_status(k, BLOCK_INVALID);
    block_free(&fake_client, k);
    k = post(BLOCK_READ, 0, 40, 0, 7);
    serve();
    assert_status(k, BLOCK_INVALID);
}

/* One fails, and takes no other along. */
static void test_bad_sector(void **state)
{
    for (unsigned guilty = 0; guilty < 8; guilty += 3) {
        int k[8];

        fake_bad = 100 * guilty + 2;
        for (unsigned i = 0; i < 8; i++)
            k[i] = post(i % 2 ? BLOCK_WRITE : BLOCK_READ, 0, 100 * i, i * 0x1000, 4);
        run(2);
        for (unsigned i = 0; i < 8; i++) {
            assert_status(k[i], i == guilty ? BLOCK_ERROR : BLOCK_OK);
            block_free(&fake_client, k[i]);
        }
    }
    fake_bad = NO_SECTOR;
    post(BLOCK_READ, 0, 300, 0, 4);
    run(1);
    assert_memory_equal(buffer_at(0), fake_disk + 300 * BLOCK_SECTOR, 4 * BLOCK_SECTOR);
}

/* ---- death ---- */

enum { MIXED = 6 };
static int mixed[MIXED];

static void post_mixed(void)
{
    for (unsigned i = 0; i < 3; i++) {
        memset(buffer_at(i * 0x4000), 0xa0 + (int)i, 0x4000);
        mixed[i] = post(BLOCK_WRITE, i == 1 ? BLOCK_FUA : 0, 200 + 50 * i, i * 0x4000, 20);
    }
    mixed[3] = post(BLOCK_READ, 0, 1000, 0x10000, 30);
    mixed[4] = post(BLOCK_FLUSH, 0, 0, 0, 0);
    mixed[5] = post(BLOCK_READ, 0, 1100, 0x20000, 1);
}

static void check_mixed(void)
{
    for (unsigned i = 0; i < MIXED; i++)
        assert_status(mixed[i], BLOCK_OK);
    for (unsigned i = 0; i < 3; i++)
        assert_memory_equal(fake_disk + (200 + 50 * i) * BLOCK_SECTOR, buffer_at(i * 0x4000),
                            20 * BLOCK_SECTOR);
    assert_memory_equal(buffer_at(0x10000), fake_disk + 1000 * BLOCK_SECTOR, 30 * BLOCK_SECTOR);
    assert_memory_equal(buffer_at(0x20000), fake_disk + 1100 * BLOCK_SECTOR, BLOCK_SECTOR);
    assert_true(fake_flushes >= 2);
}

/* The driver dies at each of its accesses to the chip, and the chip goes on, or does not, until its
 * successor comes: which takes it over as it is, and nothing is lost. */
static void test_dies_anywhere(void **state)
{
    volatile bool survived = false;

    for (volatile long n = 1; !survived; n++)
        for (volatile unsigned meanwhile = 0; meanwhile < 8; meanwhile++) {
            fake_begin(state);
            post_mixed();
            fake_accesses_left = n;
            if (setjmp(fake_death) == 0) {
                run(1);
                fake_accesses_left = -1;
                survived = true;
            } else {
                chip_work(meanwhile & 3);
                assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
                chip_work(meanwhile >> 2); /* before there are interrupts */
                driver->unmask(&fake_device);
                run(1);
            }
            check_mixed();
            assert_true(n < 5000);
        }
}

/* So do its successors, while they take over; the last one resets the device. */
static void test_dies_again_and_again(void **state)
{
    volatile bool survived = false;

    for (volatile long n = 1; !survived; n++) {
        volatile unsigned deaths = 0;

        fake_begin(state);
        post_mixed();
        setjmp(fake_death);
        fake_accesses_left = deaths++ < 9 ? n : -1;
        if (deaths > 1) {
            chip_work(deaths % 2);
            driver_starts(deaths < 9);
            driver->unmask(&fake_device);
        }
        run(1);
        fake_accesses_left = -1;
        survived = deaths == 1;
        check_mixed();
        assert_true(n < 5000);
    }
}

#define BLOCK_TEST(f) cmocka_unit_test_setup(f, fake_begin)
#define BLOCK_TESTS                                                                                \
    BLOCK_TEST(test_units), BLOCK_TEST(test_transfers), BLOCK_TEST(test_many),                     \
        BLOCK_TEST(test_big_blocks), BLOCK_TEST(test_bad_sector), BLOCK_TEST(test_dies_anywhere),  \
        BLOCK_TEST(test_dies_again_and_again)

#endif
