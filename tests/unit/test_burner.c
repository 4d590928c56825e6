/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/block/writeonce/drive.c drivers/block/writeonce/image.c drivers/block/writeonce/disc.c
// sources: lib/driver/blockdriver.c lib/driver/wait.c lib/driver/ata.c
// includes: drivers/block/writeonce/burner.c
// flags: -Itests/unit/host
/* The whole driver of the write-once disc, under its class library: with the disc in memory, and with
 * it on a disk, which is never mistaken for one another. */
#include "tests/unit/fake_ata.h"
#include "tests/unit/fake_machine.h"

#include "drivers/block/writeonce/burner.c"

#define PHYSICAL 0x10000000u
enum { BYTES = BLOCK_RAM_OFFSET + DISC_HEADER + 200 * DISC_BLOCK, MANY = 20 };

static uint8_t *memory;
static struct block_queue *queue;
static struct block_device device;

void driver_wake_in(uint64_t ns)
{
    assert_int_not_equal(ns, 0);
}

static int start(bool may_adopt, enum queue_driver_state *state)
{
    int status;

    in_memory = NULL; /* a fresh driver */
    disc = NULL;
    done = 0;
    memset(&job, 0, sizeof job);
    block_device_open(&device, &writeonce_driver, NULL, memory, PHYSICAL, BYTES);
    status = block_device_start(&device, may_adopt, state);
    if (status == 0) {
        queue->header.driver_state = *state;
        queue->header.client_ready = 1; /* its client has seen it */
    }
    return status;
}

static enum queue_driver_state starts(bool may_adopt)
{
    enum queue_driver_state state = QUEUE_DRIVER_NONE;

    assert_int_equal(start(may_adopt, &state), 0);
    return state;
}

static int machine_begins(void **state)
{
    (void)state;
    if (!memory)
        memory = aligned_alloc(4096, BYTES);
    memset(memory, 0, BYTES);
    queue = (struct block_queue *)memory;
    fake_pages_begin();
    memset(begun, 0, sizeof begun);
    memset(medium, 0, sizeof medium);
    memcpy(medium[0], "WORM", 4);
    chip_power_on();
    return 0;
}

static uint8_t *buffer(void)
{
    return memory + BLOCK_BUFFERS_OFFSET;
}

/* Blocks from `block` on, in slot 0, in two pieces that are not of whole blocks. */
static void post(uint32_t operation, uint64_t block, uint32_t blocks)
{
    struct block_request *r = &queue->request[0];
    uint32_t all = blocks * DISC_BLOCK, first = all > BLOCK_SECTOR ? BLOCK_SECTOR : all;

    memset(r, 0, sizeof *r);
    r->operation = operation;
    r->sector = block * SECTORS;
    r->sectors = blocks * SECTORS;
    if (blocks) {
        r->segments = 2;
        r->segment[0] = (struct block_segment){PHYSICAL + BLOCK_BUFFERS_OFFSET, first, 0};
        r->segment[1] =
            (struct block_segment){PHYSICAL + BLOCK_BUFFERS_OFFSET + first, all - first, 0};
    }
    queue->posted[0]++;
}

static enum block_status run(void)
{
    for (unsigned turn = 0; queue->completed[0] != queue->posted[0]; turn++) {
        assert_true(turn < 1000); /* or it hangs */
        fake_now += 1000000;
        block_device_serve(&device);
    }
    return queue->status[0];
}

static enum block_status runs(uint32_t operation, uint64_t block, uint32_t blocks)
{
    post(operation, block, blocks);
    return run();
}

static void check_burns(void)
{
    uint8_t had[MANY * DISC_BLOCK];

    for (unsigned i = 0; i < sizeof had; i++)
        had[i] = buffer()[i] = (uint8_t)(i / DISC_BLOCK + 5 * i);
    assert_int_equal(runs(BLOCK_WRITE, 0, MANY), BLOCK_OK);
    assert_int_equal(queue->unit[0].next, MANY * SECTORS);
    assert_int_equal(runs(BLOCK_FLUSH, 0, 0), BLOCK_OK);
    memset(buffer(), 0, sizeof had);
    assert_int_equal(runs(BLOCK_READ, 0, MANY), BLOCK_OK);
    assert_memory_equal(buffer(), had, sizeof had);
    memset(buffer(), 0xbb, DISC_BLOCK);
    assert_int_equal(runs(BLOCK_WRITE, 3, 1), BLOCK_ERROR);
    assert_int_equal(queue->unit[0].refused, 1);
    assert_int_equal(runs(BLOCK_READ, 3, 1), BLOCK_OK);
    assert_memory_equal(buffer(), had + 3 * DISC_BLOCK, DISC_BLOCK);
}

static void test_memory(void **state)
{
    chip.is_absent = true;
    assert_int_equal(starts(true), QUEUE_DRIVER_RESET);
    assert_string_equal(queue->unit[0].model, "write-once disc");
    assert_int_equal(queue->unit[0].sectors, 200 * SECTORS);
    check_burns();
    assert_int_equal(starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(queue->unit[0].next, MANY * SECTORS);
    queue->unit[0].sectors++;
    assert_int_equal(starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(queue->unit[0].next, MANY * SECTORS);
}

/* When a write is completed it is on the medium; and the disk is what counts, not memory. */
static void test_disk(void **state)
{
    assert_int_equal(starts(true), QUEUE_DRIVER_RESET);
    assert_string_equal(queue->unit[0].serial, "S1");
    assert_int_equal(queue->unit[0].sectors, DISK_SECTORS - FIRST_DATA);
    memset(buffer(), 0x77, DISC_BLOCK);
    assert_int_equal(runs(BLOCK_WRITE, 0, 1), BLOCK_OK);
    assert_int_equal(chip.cached, 0);
    assert_int_equal(medium[FIRST_DATA][0], 0x77);
    assert_int_equal(medium[0][offsetof(struct disc, written)], 1);
    machine_begins(state);
    starts(true);
    check_burns();
    assert_int_equal(starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(queue->unit[0].refused, 1);
    memset(memory, 0, BYTES); /* the machine is started anew */
    assert_int_equal(starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(queue->unit[0].next, MANY * SECTORS);
}

/* A disk that is gone is not followed by a blank disc in memory, and none that is not ours comes in. */
static void test_another_disc(void **state)
{
    enum queue_driver_state how;

    starts(true);
    chip.is_absent = true;
    assert_int_equal(start(true, &how), -EIO);
    assert_int_equal(start(false, &how), -EIO);
    chip.is_absent = false;
    assert_int_equal(starts(true), QUEUE_DRIVER_ADOPTED);
    memset(medium[0], 0, SECTOR);
    assert_int_equal(start(true, &how), -EOPNOTSUPP);
    memcpy(medium[0], "WORM", 4);
    medium[0][4] = 17; /* blocks */
    assert_int_equal(starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(queue->unit[0].sectors, 17 * SECTORS);
    assert_int_equal(queue->unit[0].generation, 2);
}

/* The driver dies at each of its accesses, and so does its successor: the write is lost, it goes on behind
 * the spoiled place, and no block is begun twice. */
static void test_dies_anywhere(void **state)
{
    volatile bool survived = false;

    for (volatile long n = 1; !survived; n += 7) {
        uint64_t next;

        machine_begins(state);
        starts(true);
        memset(buffer(), 0x31, DISC_BLOCK);
        assert_int_equal(runs(BLOCK_WRITE, 0, 1), BLOCK_OK);
        post(BLOCK_WRITE, 1, 3);
        fake_accesses_left = n;
        if (setjmp(fake_death) == 0) {
            run();
            fake_accesses_left = -1;
            survived = true;
            continue;
        }
        fake_accesses_left = n % 500 + 1;
        if (setjmp(fake_death) == 0)
            starts(true);
        fake_accesses_left = -1;
        assert_int_equal(queue->completed[0], queue->posted[0]); /* at once */
        assert_int_equal(queue->status[0], BLOCK_LOST);
        starts(true);
        next = queue->unit[0].next / SECTORS;
        assert_in_range(next, 1, 4);
        memset(buffer(), 0x32, DISC_BLOCK);
        assert_int_equal(runs(BLOCK_WRITE, next, 1), BLOCK_OK);
        assert_int_equal(medium[FIRST_DATA][0], 0x31);
        assert_int_equal(medium[FIRST_DATA + next * SECTORS][0], 0x32);
        for (unsigned i = FIRST_DATA; i < DISK_SECTORS; i++)
            assert_true(begun[i] <= 1);
        assert_int_equal(queue->unit[0].refused, 0);
        assert_true(n < 20000);
    }
}

#define BURNER_TEST(f) cmocka_unit_test_setup(f, machine_begins)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BURNER_TEST(test_memory),
        BURNER_TEST(test_disk),
        BURNER_TEST(test_another_disc),
        BURNER_TEST(test_dies_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
