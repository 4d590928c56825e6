/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/block/client.c
/* The two sides of a block queue against each other, with a chip that is a piece of memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/block/client.h"
#include "lib/driver/blockdriver.h"

enum { SECTORS = 1000, QUEUE_BYTES = BLOCK_BUFFERS_OFFSET + 0x40000, PHYSICAL = 0x100000 };

static uint8_t memory[QUEUE_BYTES] __attribute__((aligned(4096))), disk[SECTORS * 512];
static struct block_device device;
static struct block_client client;
static struct block_request given[BLOCK_SLOTS]; /* to the chip */
static uint32_t in_chip, chip_room;

void panic(const char *format, ...)
{
    (void)format;
    abort();
}

static bool chip_adopt(struct block_device *d)
{
    d->issued = in_chip;
    return true;
}

static int chip_reset(struct block_device *d)
{
    in_chip = 0;
    block_unit_set(d, 0,
                   &(struct block_unit){.sectors = SECTORS,
                                        .flags = BLOCK_UNIT_PRESENT,
                                        .logical_size = 512,
                                        .model = "a disk"});
    return 0;
}

static void chip_quiet(struct block_device *d)
{
    (void)d;
}

static bool chip_issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    (void)d;
    if (chip_room == 0)
        return false;
    chip_room--;
    given[k] = *r;
    in_chip |= 1u << k;
    return true;
}

static void chip_move(const struct block_request *r)
{
    uint8_t *at = disk + r->sector * 512;

    for (unsigned i = 0; i < r->segments; i++) {
        uint8_t *m = memory + (r->segment[i].address - PHYSICAL);

        memcpy(r->operation == BLOCK_READ ? m : at, r->operation == BLOCK_READ ? at : m,
               r->segment[i].length);
        at += r->segment[i].length;
    }
}

static uint32_t chip_finished(struct block_device *d)
{
    uint32_t done = in_chip;

    for (uint32_t rest = done; rest; rest &= rest - 1) {
        unsigned k = (unsigned)__builtin_ctz(rest);

        chip_move(&given[k]);
        d->status[k] = BLOCK_OK;
        chip_room++;
    }
    in_chip = 0;
    return done;
}

static const struct block_driver chip = {.name = "chip",
                                         .kind = "sd",
                                         .adopt = chip_adopt,
                                         .reset = chip_reset,
                                         .mask = chip_quiet,
                                         .unmask = chip_quiet,
                                         .issue = chip_issue,
                                         .finished = chip_finished};

static void driver_starts_unseen(bool may_adopt)
{
    enum queue_driver_state state;

    block_device_open(&device, &chip, NULL, memory, PHYSICAL, QUEUE_BYTES);
    assert_int_equal(block_device_start(&device, may_adopt, &state), 0);
    device.queue->header.driver_state = state;
    device.queue->header.incarnation++;
}

static void driver_starts(bool may_adopt)
{
    driver_starts_unseen(may_adopt);
    block_finished(&client, 0);
}

static void client_starts(void)
{
    block_client_open(&client, &(struct service_queue){.address = (uint64_t)(uintptr_t)memory,
                                                       .physical = PHYSICAL,
                                                       .size = QUEUE_BYTES});
    block_client_ready(&client);
}

static int begin(void **state)
{
    memset(memory, 0, sizeof memory);
    chip_room = 4;
    in_chip = 0;
    driver_starts_unseen(true);
    client_starts();
    for (unsigned i = 0; i < sizeof disk; i++)
        disk[i] = (uint8_t)(i / 512 * 7 + i);
    return 0;
}

static int post(uint32_t operation, uint64_t sector, uint64_t address, uint32_t length)
{
    int k = block_slot(&client);
    struct block_request *r;

    assert_true(k >= 0);
    r = block_request(&client, k);
    memset(r, 0, sizeof *r);
    r->operation = operation;
    r->sector = sector;
    if (length)
        assert_true(block_add(r, address, length));
    block_post(&client, k, 0);
    return k;
}

static uint32_t run(void)
{
    while (block_device_serve(&device))
        ;
    return block_finished(&client, 0);
}

#define BUFFER (PHYSICAL + BLOCK_BUFFERS_OFFSET)

static void test_read_and_write(void **state)
{
    uint8_t *buffer = memory + BLOCK_BUFFERS_OFFSET;
    int k = post(BLOCK_READ, 10, BUFFER, 1024);

    assert_int_equal(run(), 1u << k);
    assert_int_equal(block_status(&client, k), BLOCK_OK);
    assert_memory_equal(buffer, disk + 10 * 512, 1024);
    block_free(&client, k);
    memset(buffer, 0x5a, 512);
    k = post(BLOCK_WRITE, SECTORS - 1, BUFFER, 512);
    assert_int_equal(run(), 1u << k);
    assert_int_equal(disk[SECTORS * 512 - 1], 0x5a);
}

/* 32 requests through a chip that takes four, none passed over. */
static void test_more_than_the_chip_takes(void **state)
{
    uint32_t done = 0;

    for (unsigned i = 0; i < BLOCK_SLOTS; i++)
        post(BLOCK_READ, i, BUFFER + i * 512, 512);
    assert_int_equal(block_slot(&client), -1);
    done = run();
    assert_int_equal(done, ~0u);
    assert_memory_equal(memory + BLOCK_BUFFERS_OFFSET, disk, BLOCK_SLOTS * 512);
}

/* What the client may not ask for does not reach the chip. */
static void test_refused(void **state)
{
    static const struct {
        uint32_t operation, status, length;
        uint64_t sector, address;
    } bad[] = {
        {BLOCK_READ, BLOCK_INVALID, 512, SECTORS, BUFFER},
        {BLOCK_READ, BLOCK_INVALID, 1024, SECTORS - 1, BUFFER},
        {BLOCK_READ, BLOCK_INVALID, 512, UINT64_MAX, BUFFER},
        {BLOCK_READ, BLOCK_INVALID, 512, 0, BUFFER + 1},
        {BLOCK_READ, BLOCK_INVALID, 512, 0, PHYSICAL},
        {BLOCK_WRITE, BLOCK_INVALID, 512, 0, PHYSICAL + BLOCK_CHIP_OFFSET},
        {BLOCK_READ, BLOCK_INVALID, 1024, 0, PHYSICAL + QUEUE_BYTES - 512},
        {BLOCK_READ, BLOCK_INVALID, 512, 0, UINT64_MAX - 511},
        {BLOCK_READ, BLOCK_INVALID, 0, 0, BUFFER},
        {77, BLOCK_INVALID, 512, 0, BUFFER},
    };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        int k = post(bad[i].operation, bad[i].sector, bad[i].address, bad[i].length);

        chip_room = 0; /* it would wait for ever if it were offered */
        assert_int_equal(run(), 1u << k);
        assert_int_equal(block_status(&client, k), bad[i].status);
        block_free(&client, k);
    }
    assert_int_equal(device.queue->header.errors, sizeof bad / sizeof *bad);
}

static void test_other_regions(void **state)
{
    static const struct service_region region = {0x4000000, 0x2000};
    int k;

    device.regions = &region;
    device.region_count = 1;
    k = post(BLOCK_READ, 0, region.physical + 0x1e00, 1024);
    assert_int_equal(run(), 1u << k);
    assert_int_equal(block_status(&client, k), BLOCK_INVALID);
    block_free(&client, k);
    post(BLOCK_READ, 0, region.physical + 0x1e00, 512);
    block_device_serve(&device);
    assert_int_equal(given[k].segment[0].address, region.physical + 0x1e00);
    in_chip = 0; /* it is not to be moved: there is no such memory here */
    block_finished(&client, 0);
    device.queue->unit[0].flags |= BLOCK_UNIT_COPY; /* such a one reaches its queue alone */
    k = post(BLOCK_READ, 0, region.physical, 512);
    assert_int_equal(run(), 1u << k);
    assert_int_equal(block_status(&client, k), BLOCK_INVALID);
}

/* When the fresh driver counts as back: with the first completion, or when nobody waits. */
static void test_back(void **state)
{
    const struct queue_header *h = &device.queue->header;
    int k;

    driver_starts_unseen(true);
    assert_int_equal(block_finished(&client, 77), 0);
    assert_int_equal(h->reintegrated_incarnation, h->incarnation);
    assert_int_equal(h->reintegrated_ns, 77);
    k = post(BLOCK_READ, 0, BUFFER, 512);
    driver_starts_unseen(true);
    assert_int_equal(block_finished(&client, 78), 0);
    assert_int_not_equal(h->reintegrated_incarnation, h->incarnation);
    while (block_device_serve(&device))
        ;
    assert_int_equal(block_finished(&client, 79), 1u << k);
    assert_int_equal(h->reintegrated_incarnation, h->incarnation);
    assert_int_equal(h->reintegrated_ns, 79);
}

/* A driver that wrote over the table: a request of the past is not done again, and the client's
 * words are there for the next one. */
static void test_nothing_of_the_past(void **state)
{
    int k = post(BLOCK_WRITE, 3, BUFFER, 512), next;

    run();
    block_free(&client, k);
    memset(disk, 0x11, sizeof disk);
    device.queue->completed[k]--;
    next = post(BLOCK_READ, 1, BUFFER + 512, 512);
    device.queue->posted[next] += 5;
    device.queue->header.magic = 0;
    driver_starts_unseen(true);
    assert_false(block_device_serve(&device));
    assert_true(block_device_settle(&device)); /* it does not spin meanwhile */
    block_finished(&client, 0);
    assert_int_equal(device.queue->header.magic, BLOCK_QUEUE_MAGIC);
    driver_starts(true);
    assert_int_equal(run() >> next & 1, 1);
    assert_int_equal(disk[3 * 512], 0x11);
}

/* A driver that wrote over a request: what the next one does is what was asked for, whether the request was begun
 * or not, and nothing of it before the client has seen that there is a next one. */
static void test_request_written_over(void **state)
{
    for (int begun = 0; begun < 2; begun++) {
        struct block_request *r;
        int k;

        begin(state);
        memset(memory + BLOCK_BUFFERS_OFFSET, 0x77, 1024);
        k = post(BLOCK_WRITE, 5, BUFFER, 1024);
        chip_room = begun ? 4 : 0;
        block_device_serve(&device);
        assert_int_equal(in_chip != 0, begun);
        in_chip = 0;
        chip_room = 4;
        r = &device.queue->request[k];
        if (begun) {
            r->sector = 9;
            r->segment[0].length = 512;
            r->sectors = 1;
        } else {
            r->operation = 283; /* as virtio-block 11:597 did */
        }
        driver_starts_unseen(false);
        assert_false(block_device_serve(&device));
        assert_int_equal(run(), 0); /* here the client looks */
        assert_int_equal(run(), 1u << k);
        assert_int_equal(block_status(&client, k), BLOCK_OK);
        for (unsigned i = 0; i < 1024; i++)
            assert_int_equal(disk[5 * 512 + i], 0x77);
        assert_int_equal(disk[9 * 512], (uint8_t)(9 * 7 + (uint8_t)(9 * 512)));
    }
}

/* The client gives up one of two: what the chip has goes on, what it would be given fails. */
static void test_abandoned(void **state)
{
    int k = post(BLOCK_READ, 0, BUFFER, 512), other = post(BLOCK_READ, 1, BUFFER + 512, 512);

    block_device_serve(&device);
    block_abandon(&client, k);
    block_device_serve(&device);
    assert_int_equal(block_finished(&client, 0) >> k & 1, 1); /* it had been begun, and ends */
    assert_int_equal(block_status(&client, k), BLOCK_OK);
    block_free(&client, k);
    run();
    block_free(&client, other);
    k = post(BLOCK_READ, 0, BUFFER, 512);
    other = post(BLOCK_READ, 1, BUFFER + 512, 512);
    chip_room = 0; /* a disk that does not answer */
    block_device_serve(&device);
    block_abandon(&client, k);
    in_chip = 0;
    chip_room = 4;
    driver_starts(false);
    assert_int_equal(run(), 1u << k | 1u << other);
    assert_int_equal(block_status(&client, k), BLOCK_ERROR);
    assert_int_equal(block_status(&client, other), BLOCK_OK);
}

static void test_no_disk(void **state)
{
    int k;

    block_unit_set(&device, 0, &(struct block_unit){0});
    k = post(BLOCK_READ, 0, BUFFER, 512);
    assert_int_equal(run(), 1u << k);
    assert_int_equal(block_status(&client, k), BLOCK_GONE);
}

/* The driver dies with requests in the chip, and with some that it has not seen: all are done. */
static void test_driver_dies(void **state)
{
    for (int adopt = 0; adopt < 2; adopt++) {
        begin(state);
        for (unsigned i = 0; i < 8; i++)
            post(BLOCK_READ, i, BUFFER + i * 512, 512);
        assert_true(block_device_serve(&device)); /* four are in the chip now */
        assert_int_equal(__builtin_popcount(in_chip), 4);
        chip_room = adopt ? 0 : 4;
        driver_starts(adopt);
        assert_int_equal(run(), 0xff);
        assert_memory_equal(memory + BLOCK_BUFFERS_OFFSET, disk, 8 * 512);
    }
}

/* The client dies: its successor finds what is under way, and no slot twice. */
static void test_client_dies(void **state)
{
    int k = post(BLOCK_READ, 3, BUFFER, 512), other;

    client_starts();
    assert_int_equal(client.used, 1u << k);
    other = post(BLOCK_READ, 4, BUFFER + 512, 512);
    assert_int_not_equal(other, k);
    assert_int_equal(run(), 1u << k | 1u << other);
    assert_memory_equal(memory + BLOCK_BUFFERS_OFFSET, disk + 3 * 512, 1024);
}

/* Of a device that is written once: what the dead driver had been given to write ends, whether it was
 * begun or not, and is given to nobody; what was to be read is read. */
static void test_written_once(void **state)
{
    struct block_driver once = chip;
    enum queue_driver_state how;
    int begun, waiting, reading;

    once.once = true;
    chip_room = 1;
    begun = post(BLOCK_WRITE, 7, BUFFER, 512);
    waiting = post(BLOCK_WRITE, 8, BUFFER, 512);
    reading = post(BLOCK_READ, 9, BUFFER + 512, 512);
    while (in_chip == 0)
        block_device_serve(&device);
    in_chip = 0; /* with its driver */
    chip_room = 4;
    memset(given, 0, sizeof given);
    block_device_open(&device, &once, NULL, memory, PHYSICAL, QUEUE_BYTES);
    assert_int_equal(block_device_start(&device, true, &how), 0);
    device.queue->header.incarnation++;
    assert_int_equal(block_finished(&client, 0), 1u << begun | 1u << waiting);
    assert_int_equal(block_status(&client, begun), BLOCK_LOST);
    assert_int_equal(block_status(&client, waiting), BLOCK_LOST);
    assert_int_equal(block_error(BLOCK_LOST), EIO);
    assert_true(run() >> reading & 1);
    assert_int_equal(block_status(&client, reading), BLOCK_OK);
    assert_int_equal(given[begun].operation, 0);
    assert_int_equal(given[waiting].operation, 0);
    /* the next one is written */
    block_free(&client, begun);
    begun = post(BLOCK_WRITE, 11, BUFFER, 512);
    assert_true(run() >> begun & 1);
    assert_int_equal(block_status(&client, begun), BLOCK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_read_and_write, begin),
        cmocka_unit_test_setup(test_more_than_the_chip_takes, begin),
        cmocka_unit_test_setup(test_refused, begin),
        cmocka_unit_test_setup(test_other_regions, begin),
        cmocka_unit_test_setup(test_back, begin),
        cmocka_unit_test_setup(test_nothing_of_the_past, begin),
        cmocka_unit_test_setup(test_request_written_over, begin),
        cmocka_unit_test_setup(test_abandoned, begin),
        cmocka_unit_test_setup(test_no_disk, begin),
        cmocka_unit_test_setup(test_driver_dies, begin),
        cmocka_unit_test_setup(test_client_dies, begin),
        cmocka_unit_test_setup(test_written_once, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
