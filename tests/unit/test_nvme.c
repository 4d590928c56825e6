/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/driver/wait.c lib/block/client.c
// includes: drivers/block/nvme/chip.c
// flags: -Itests/unit/host
/* The chip's half of the NVMe driver against a controller that behaves as NVMe 1.4 says. */
#include <errno.h>

#include "tests/unit/fake_block.h"

#include "drivers/block/nvme/chip.c"

static const struct block_driver *const driver = &nvme_driver;

/* ---- the controller: one namespace ---- */

enum { BASE = 0x1000, STRIDE = 1, FAKE_MOST_SHIFT = 2 /* four pages in a command */ };

static struct {
    uint32_t cc, csts, aqa, masked;
    uint64_t asq, acq;
    struct pair {
        uint64_t submitted, completed; /* addresses */
        uint32_t entries, head, tail; /* of what is submitted */
        uint32_t place, seen; /* in what is completed: where the next goes; what is read */
        bool is_odd;
    } queue[2];
    struct nvme_command pending[BLOCK_SLOTS];
    uint32_t count;
    bool is_stuck, is_small, is_mute, has_metadata, fails_feature;
    unsigned commands;
} chip;

static void driver_forget(void)
{
    stride_shift = 0;
    admin_count = 0;
}

static void chip_reset(void)
{
    memset(chip.queue, 0, sizeof chip.queue);
    chip.count = 0;
    chip.csts = chip.is_stuck ? CSTS_READY : 0;
}

static void chip_power_on(void)
{
    memset(&chip, 0, sizeof chip);
    fake_info->device.has_msix = 1;
}

static uint32_t read_register(uint32_t offset)
{
    switch (offset) {
    case CAP:
        return (chip.is_small ? 31 : 2047) | 2 << CAP_TIMEOUT_SHIFT;
    case CAP + 4:
        return STRIDE | CAP_HIGH_NVM;
    case CC:
        return chip.cc;
    case CSTS:
        return chip.csts;
    case AQA:
        return chip.aqa;
    case ASQ:
        return (uint32_t)chip.asq;
    case ACQ:
        return (uint32_t)chip.acq;
    case ASQ + 4:
    case ACQ + 4:
        return 0;
    }
    fail();
    return 0;
}

uint32_t fake_read(uintptr_t at, unsigned width)
{
    assert_int_equal(width, 4);
    return read_register((uint32_t)(at - BASE));
}

static void complete_command(unsigned n, uint16_t id, uint16_t status)
{
    struct pair *q = &chip.queue[n];
    struct nvme_completion *c = (void *)fake_dma(q->completed + 16 * q->place, 16);

    assert_int_not_equal((q->place + 1) % q->entries, q->seen); /* or it is full */
    q->is_odd ^= q->place == 0;
    *c = (struct nvme_completion){.head = (uint16_t)q->head, .queue = (uint16_t)n, .id = id};
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    c->status = (uint16_t)(status << 1 | q->is_odd);
    q->place = (q->place + 1) % q->entries;
}

static void put_identity(uint8_t *w, uint32_t what)
{
    uint64_t blocks = FAKE_SECTORS * BLOCK_SECTOR / fake_block;

    memset(w, 0, PAGE);
    if (what == IDENTIFY_CONTROLLER) {
        memset(w + CONTROLLER_SERIAL, ' ', 60);
        memcpy(w + CONTROLLER_SERIAL, "S123", 4);
        w[CONTROLLER_TRANSFER] = FAKE_MOST_SHIFT;
        w[CONTROLLER_NAMESPACES] = 3; /* of which one is there */
        w[CONTROLLER_CACHE] = 1;
        return;
    }
    memcpy(w + NAMESPACE_BLOCKS, &blocks, 8);
    w[NAMESPACE_FORMAT] = 2;
    w[NAMESPACE_FORMATS + 4 * 2 + 2] = (uint8_t)__builtin_ctz(fake_block);
    w[NAMESPACE_FORMATS + 4 * 2] = chip.has_metadata ? 8 : 0;
}

static void do_admin(const struct nvme_command *c)
{
    struct pair *q = &chip.queue[1];
    uint16_t status = 0;

    chip.commands++;
    switch (c->operation) {
    case ADMIN_IDENTIFY:
        if (c->word[0] == IDENTIFY_CONTROLLER || c->space == 1)
            put_identity(fake_dma(c->data[0], PAGE), c->word[0]);
        else
            memset(fake_dma(c->data[0], PAGE), 0, PAGE);
        break;
    case ADMIN_SET:
        assert_int_equal(c->word[0], FEATURE_QUEUES);
        status = chip.fails_feature ? 2 : 0;
        break;
    case ADMIN_CREATE_CQ:
        assert_int_equal(c->word[1], QUEUE_CONTIGUOUS | QUEUE_INTERRUPTS); /* vector 0 */
        q->completed = c->data[0];
        break;
    case ADMIN_CREATE_SQ:
        assert_true(q->completed);
        q->submitted = c->data[0];
        q->entries = (c->word[0] >> 16) + 1;
        assert_int_equal(q->entries, ENTRIES);
        break;
    default:
        fail();
    }
    complete_command(0, c->id, status);
}

static void look_at(unsigned n)
{
    struct pair *q = &chip.queue[n];

    for (; q->head != q->tail; q->head = (q->head + 1) % q->entries) {
        struct nvme_command *c = (void *)fake_dma(q->submitted + 64 * q->head, 64);

        if (n == 0) {
            if (!chip.is_mute)
                do_admin(c);
            continue;
        }
        assert_in_range(chip.count, 0, BLOCK_SLOTS - 1);
        for (uint32_t i = 0; i < chip.count; i++)
            assert_int_not_equal(chip.pending[i].id, c->id);
        chip.pending[chip.count++] = *c;
    }
}

static void write_doorbell(uint32_t offset, uint32_t value)
{
    uint32_t number = (offset - DOORBELLS) >> (2 + STRIDE);
    struct pair *q = &chip.queue[number / 2];

    assert_int_equal(offset % (4 << STRIDE), 0);
    assert_in_range(number, 0, 3);
    assert_true(q->entries && value < q->entries);
    if (number % 2) {
        q->seen = value;
        return;
    }
    q->tail = value;
    look_at(number / 2);
}

static void write_configuration(uint32_t value)
{
    if (!(value & CC_ENABLE))
        chip_reset();
    else if (!(chip.cc & CC_ENABLE)) {
        assert_int_equal(value, CC_VALUE);
        chip.queue[0] = (struct pair){
            .submitted = chip.asq, .completed = chip.acq, .entries = (chip.aqa & 0xfff) + 1};
        chip.csts = CSTS_READY;
    }
    chip.cc = value;
}

void fake_write(uintptr_t at, unsigned width, uint32_t value)
{
    uint32_t offset = (uint32_t)(at - BASE);

    assert_int_equal(width, 4);
    if (offset >= DOORBELLS) {
        write_doorbell(offset, value);
        return;
    }
    switch (offset) {
    case CC:
        write_configuration(value);
        return;
    case INTMS:
    case INTMC:
        assert_false(fake_info->device.has_msix);
        chip.masked = offset == INTMS;
        return;
    }
    assert_false(chip.cc & CC_ENABLE); /* set up before */
    if (offset == AQA)
        chip.aqa = value;
    else if (offset == ASQ || offset == ACQ)
        *(offset == ASQ ? &chip.asq : &chip.acq) = value;
    else
        assert_int_equal(value, 0);
}

/* ---- what it does ---- */

static bool transfer(const struct nvme_command *c)
{
    uint64_t sector = (c->word[0] | (uint64_t)c->word[1] << 32) * (fake_block / BLOCK_SECTOR);
    uint32_t left = ((c->word[2] & 0xffff) + 1) * fake_block;
    uint64_t page = c->data[0];
    bool is_good = true;

    assert_true(left <= PAGE << FAKE_MOST_SHIFT);
    for (uint32_t n = 0; left; n++) {
        uint32_t piece = PAGE - (uint32_t)page % PAGE;

        piece = piece < left ? piece : left;
        is_good &= fake_move(sector, page, piece, c->operation == IO_WRITE);
        sector += piece / BLOCK_SECTOR;
        left -= piece;
        if (n == 0 && left <= PAGE)
            page = c->data[1];
        else if (left)
            page = *(uint64_t *)(void *)fake_dma(c->data[1] + 8 * n, 8);
        assert_true(!left || page % PAGE == 0);
    }
    return is_good;
}

static void do_command(const struct nvme_command *c)
{
    bool is_good = true;

    assert_int_equal(c->space, 1);
    chip.commands++;
    if (c->operation == IO_FLUSH) {
        fake_flushes++;
    } else {
        assert_true(c->operation == IO_READ || c->operation == IO_WRITE);
        assert_true(c->operation == IO_WRITE || !(c->word[2] & IO_FUA));
        fake_flushes += !!(c->word[2] & IO_FUA);
        is_good = transfer(c);
    }
    complete_command(1, c->id, is_good ? 0 : 0x281);
}

/* The one that came last first. */
static void chip_work(unsigned most)
{
    for (; most && chip.count && chip.csts == CSTS_READY; most--) {
        struct nvme_command c = chip.pending[--chip.count];

        do_command(&c);
    }
}

/* ---- its own tests ---- */

static int start_fails(void)
{
    enum queue_driver_state how;

    driver_forget();
    block_device_open(&fake_device, driver, (volatile void *)(uintptr_t)BASE, fake_memory,
                      FAKE_PHYSICAL, FAKE_BYTES);
    return block_device_start(&fake_device, true, &how);
}

static void test_devices_not_for_us(void **state)
{
    machine_begins();
    chip.is_stuck = true;
    chip.csts = CSTS_READY;
    FAKE_SLEEPS(1500 * MS, assert_int_equal(start_fails(), -EIO)); /* as it says in CAP */
    machine_begins();
    chip.is_small = true;
    assert_int_equal(start_fails(), -EOPNOTSUPP);
    machine_begins();
    chip.is_mute = true;
    FAKE_SLEEPS(ADMIN_PATIENCE, assert_int_equal(start_fails(), -EIO));
    machine_begins();
    chip.fails_feature = true;
    assert_int_equal(start_fails(), -EIO);
    machine_begins();
    chip.has_metadata = true;
    assert_int_equal(start_fails(), 0);
    assert_false(fake_device.queue->unit[0].flags & BLOCK_UNIT_PRESENT);
}

static void test_not_adopted(void **state)
{
    chip.csts |= 2; /* it has failed */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.asq += 4096;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.cc |= 1 << 11;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    memory_of(&fake_device)->whole = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    memory_of(&fake_device)->most = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    memory_of(&fake_device)->slot[3].given = 1;
    memory_of(&fake_device)->slot[3].request.unit = 77;
    memory_of(&fake_device)->tail = 9;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
}

static int post_pieces(const uint32_t (*piece)[2], uint32_t count)
{
    int k = block_slot(&fake_client);
    struct block_request *r = block_request(&fake_client, k);

    memset(r, 0, sizeof *r);
    r->operation = BLOCK_READ;
    r->sector = 8;
    for (uint32_t n = 0; n < count; n++) {
        r->segment[n] = (struct block_segment){FAKE_BUFFERS + piece[n][0], piece[n][1], 0};
        r->sectors += piece[n][1] / BLOCK_SECTOR;
    }
    r->segments = count;
    block_post(&fake_client, k, 0);
    return k;
}

/* Pieces that no list of pages can tell are told by several; those that one can, by one. */
static void test_pieces(void **state)
{
    static const uint32_t apart[][2] = {{0x200, 0x400},
                                        {0x2000, 0x1000},
                                        {0x5000, 0x200},
                                        {0x7200, 0x600},
                                        {0x9000, 0x200}},
                          one[][2] = {
                              {0x800, 0x800}, {0x3000, 0x1000}, {0x2000, 0x1000}, {0x6000, 0x400}};
    unsigned before = chip.commands;
    uint64_t at = 8 * BLOCK_SECTOR;
    int k = post_pieces(one, 4);

    run(1);
    assert_status(k, BLOCK_OK);
    assert_int_equal(chip.commands - before, 1);
    for (unsigned n = 0; n < 4; at += one[n++][1])
        assert_memory_equal(buffer_at(one[n][0]), fake_disk + at, one[n][1]);
    block_free(&fake_client, k);
    k = post_pieces(apart, 5);
    before = chip.commands;
    run(1);
    assert_status(k, BLOCK_OK);
    assert_int_equal(chip.commands - before, 4); /* the second and the third meet at pages */
    at = 8 * BLOCK_SECTOR;
    for (unsigned n = 0; n < 5; at += apart[n++][1])
        assert_memory_equal(buffer_at(apart[n][0]), fake_disk + at, apart[n][1]);
}

/* A block that is in two pieces of memory cannot be told at all. */
static void test_pieces_of_a_block(void **state)
{
    static const uint32_t pieces[][2] = {{0x0, 0x1000}, {0x2200, 0x800}, {0x4000, 0x800}};
    int k;

    fake_block = 4096;
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    k = post_pieces(pieces, 3);
    run(1);
    assert_status(k, BLOCK_INVALID);
    block_free(&fake_client, k);
    k = post_pieces(pieces + 1, 2);
    run(1);
    assert_status(k, BLOCK_INVALID);
}

/* The driver dies at each point of a request of many parts. */
static void test_dies_between_parts(void **state)
{
    volatile bool survived = false;

    for (volatile long n = 1; !survived; n++) {
        volatile int k;

        fake_begin(state);
        k = post(BLOCK_READ, 0, 100, 0, 150);
        fake_accesses_left = n;
        if (setjmp(fake_death) == 0) {
            run(1);
            fake_accesses_left = -1;
            survived = true;
        } else {
            chip_work(1);
            assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
            run(1);
        }
        assert_status(k, BLOCK_OK);
        assert_memory_equal(buffer_at(0), fake_disk + 100 * BLOCK_SECTOR, 150 * BLOCK_SECTOR);
    }
}

/* It dies where no access to the chip is: each store of a part's end, and what its successor sees. */
static void test_dies_while_taking(void **state)
{
    struct nvme_memory *m = memory_of(&fake_device);
    int k = post(BLOCK_READ, 0, 100, 0, 150);

    serve();
    chip_work(1);
    m->slot[k].done = m->slot[k].end; /* but it is not noted as taken */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    serve();
    chip_work(1);
    m->slot[k].given = 0; /* nor the next given */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    serve();
    m->slot[k].given = 1 + m->tail; /* that had not been reached by the chip */
    chip.count = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_memory_equal(buffer_at(0), fake_disk + 100 * BLOCK_SECTOR, 150 * BLOCK_SECTOR);
}

/* It says that commands are done which nobody has given. */
static void test_lies(void **state)
{
    int k = post(BLOCK_READ, 0, 7, 0, 1);

    serve();
    complete_command(1, 5, 0);
    complete_command(1, 0xffff, 0);
    complete_command(1, (uint16_t)(k + BLOCK_SLOTS * 7), 0);
    serve();
    assert_int_equal(block_finished(&fake_client, 0), 0);
    run(1);
    assert_status(k, BLOCK_OK);
}

/* By its pin there is a mask in the chip. */
static void test_pin(void **state)
{
    fake_info->device.has_msix = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_true(chip.masked);
    driver->unmask(&fake_device);
    assert_false(chip.masked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TESTS,
        BLOCK_TEST(test_devices_not_for_us),
        BLOCK_TEST(test_not_adopted),
        BLOCK_TEST(test_pieces),
        BLOCK_TEST(test_pieces_of_a_block),
        BLOCK_TEST(test_dies_between_parts),
        BLOCK_TEST(test_dies_while_taking),
        BLOCK_TEST(test_lies),
        BLOCK_TEST(test_pin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
