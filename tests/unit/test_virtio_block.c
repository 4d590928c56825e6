/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/driver/wait.c lib/block/client.c lib/virtio/virtio.c
// includes: drivers/block/virtio/chip.c
// flags: -Itests/unit/host
/* The chip's half of the virtio block driver against a device that behaves as VIRTIO 1.0 says. */
#include <errno.h>

#include "tests/unit/fake_block.h"
#include "tests/unit/fake_virtio.h"

#include "drivers/block/virtio/chip.c"

static const struct block_driver *const driver = &virtio_block;

/* ---- the device ---- */

static struct {
    bool is_short;
    uint32_t pending[HEADS], count; /* heads that were taken and are not done */
} disk;

static void driver_forget(void)
{
    chosen = 0;
    queue = (struct virtqueue){0};
}

static void chip_was_reset(void)
{
    disk.count = 0;
}

static void chip_power_on(void)
{
    memset(&disk, 0, sizeof disk);
    chip_begin(FEATURE(FEATURE_FLUSH) | FEATURE(FEATURE_INDIRECT) | FEATURE(FEATURE_VERSION_1) |
                   FEATURE(FEATURE_BLOCK_SIZE) | FEATURE(29) | FEATURE(35),
               STRIDE);
}

static uint32_t chip_configuration(uint32_t offset)
{
    if (offset == CONFIG_CAPACITY)
        return FAKE_SECTORS;
    return offset == CONFIG_BLOCK_SIZE ? fake_block : 0;
}

uint32_t fake_read(uintptr_t at, unsigned width)
{
    return chip_read((uint32_t)at - STRIDE, width);
}

void fake_write(uintptr_t at, unsigned width, uint32_t value)
{
    chip_write((uint32_t)at - STRIDE, width, value);
}

/* ---- what it does ---- */

static uint8_t do_request(const struct virtio_descriptor *part, uint32_t count, uint32_t *written)
{
    struct virtio_command *c = (void *)fake_dma(part[0].address, 16);
    uint64_t sector = c->sector;

    assert_int_equal(part[0].length, 16);
    assert_false(part[0].flags & DESCRIPTOR_WRITE);
    if (c->type == REQUEST_GET_ID) {
        assert_int_equal(count, 3);
        memcpy(fake_dma(part[1].address, ID_BYTES), "S123\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", ID_BYTES);
        return RESULT_OK;
    }
    if (c->type == REQUEST_FLUSH) {
        assert_int_equal(count, 2);
        assert_true(chip.accepted >> FEATURE_FLUSH & 1);
        fake_flushes++;
        return RESULT_OK;
    }
    for (uint32_t n = 1; n < count - 1; n++) {
        assert_int_equal(!(part[n].flags & DESCRIPTOR_WRITE), c->type == REQUEST_OUT);
        if (disk.is_short)
            break;
        if (!fake_move(sector, part[n].address, part[n].length, c->type == REQUEST_OUT))
            return RESULT_ERROR;
        sector += part[n].length / BLOCK_SECTOR;
        *written += part[n].length;
    }
    return RESULT_OK;
}

static void do_head(uint32_t head)
{
    const struct virtio_descriptor *h = chip_descriptor(&chip.queue[0], head);
    const struct virtio_descriptor *part = (void *)fake_dma(h->address, h->length);
    uint32_t count = h->length / 16, written = 1;

    assert_int_equal(h->flags, DESCRIPTOR_INDIRECT);
    for (uint32_t n = 0; n + 1 < count; n++) {
        assert_true(part[n].flags & DESCRIPTOR_NEXT);
        assert_int_equal(part[n].next, n + 1);
    }
    assert_int_equal(part[count - 1].flags, DESCRIPTOR_WRITE);
    *fake_dma(part[count - 1].address, 1) = do_request(part, count, &written);
    chip_give_back(&chip.queue[0], head, written);
}

/* The one that came last first. */
static void chip_work(unsigned most)
{
    for (int head; chip.queue[0].is_told && (head = chip_take(&chip.queue[0])) >= 0;)
        disk.pending[disk.count++] = (uint32_t)head;
    for (; most && disk.count && chip_works(&chip.queue[0]); most--)
        do_head(disk.pending[--disk.count]);
}

static void chip_notified(unsigned n)
{
    assert_int_equal(n, 0);
    if (fake_starting)
        chip_work(1);
}

/* ---- its own tests ---- */

static int start_fails(void **state)
{
    enum queue_driver_state how;

    driver_forget();
    block_device_open(&fake_device, driver, NULL, fake_memory, FAKE_PHYSICAL, FAKE_BYTES);
    return block_device_start(&fake_device, true, &how);
}

static void test_devices_not_for_us(void **state)
{
    machine_begins();
    chip.is_stuck = true;
    chip.status = STATUS_ALIVE;
    FAKE_SLEEPS(FAKE_STUCK, assert_int_equal(start_fails(state), -EIO));
    machine_begins();
    chip.is_refusing = true;
    assert_int_equal(start_fails(state), -EOPNOTSUPP);
    machine_begins();
    chip.offered &= ~FEATURE(FEATURE_VERSION_1);
    assert_int_equal(start_fails(state), -EOPNOTSUPP);
    machine_begins();
    chip.queue[0].size = 32;
    /* it gets its own size back when it is reset; who it is it does not say here */
    FAKE_SLEEPS(ID_PATIENCE, assert_int_equal(start_fails(state), 0));
    machine_begins();
    chip.queue_max = 32;
    assert_int_equal(start_fails(state), -EOPNOTSUPP);
    machine_begins();
    chip.has_no_vector = true;
    assert_int_equal(start_fails(state), -EIO);
    machine_begins();
    fake_info->device.window[WINDOW_NOTIFY].address = 0;
    assert_int_equal(start_fails(state), -ENODEV);
}

static void test_vectors(void **state)
{
    assert_int_equal(chip.queue[0].vector, 0);
    assert_int_equal(chip.config_vector, NO_VECTOR);
    post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_int_equal(chip.isr_reads, 0);
    fake_info->device.has_msix = 0; /* by its pin */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(chip.queue[0].vector, NO_VECTOR);
    post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_true(chip.isr_reads > 0); /* which takes the interrupt back */
}

static void test_not_adopted(void **state)
{
    chip.status = STATUS_ALIVE | 64; /* it wants a reset */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.queue[0].used += 4096;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.queue[0].enabled = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
}

/* The driver dies between noting that it gives a head and letting the device see it. */
static void test_dies_while_giving(void **state)
{
    struct virtio_memory *m = memory_of(&fake_device);
    int k = post(BLOCK_READ, 0, 7, 0, 1);

    m->given[k] = 1u + m->queue.available.index;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    run(1);
    assert_status(k, BLOCK_OK);
}

/* It says that requests are done which nobody has given. */
static void test_lies(void **state)
{
    int k = post(BLOCK_READ, 0, 7, 0, 1);
    struct virtio_memory *m = memory_of(&fake_device);

    serve();
    for (unsigned n = 0; n < 3; n++) {
        static const uint32_t senseless[] = {5, HEADS, 0xffffffff};

        m->queue.used.ring[m->queue.used.index % HEADS].head = senseless[n];
        m->queue.used.index++;
    }
    serve();
    assert_int_equal(block_finished(&fake_client, 0), 0);
    run(1);
    assert_status(k, BLOCK_OK);
    m->queue.used.index += 1000; /* more than there can be: it ends all the same */
    serve();
}

/* It says that all is well, and has read less than it should. */
static void test_short(void **state)
{
    int k = post(BLOCK_READ, 0, 7, 0, 9);

    disk.is_short = true;
    run(1);
    assert_status(k, BLOCK_ERROR);
}

static void test_without_cache(void **state)
{
    int k;

    chip.offered &= ~FEATURE(FEATURE_FLUSH);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    assert_false(fake_device.queue->unit[0].flags & BLOCK_UNIT_WRITE_CACHE);
    k = post(BLOCK_FLUSH, 0, 0, 0, 0);
    run(1);
    assert_status(k, BLOCK_OK);
    block_free(&fake_client, k);
    k = post(BLOCK_WRITE, BLOCK_FUA, 0, 0, 1);
    run(1);
    assert_status(k, BLOCK_OK);
    assert_int_equal(fake_flushes, 0);
}

static void test_read_only(void **state)
{
    int k;

    chip.offered |= FEATURE(FEATURE_READ_ONLY);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
    k = post(BLOCK_WRITE, 0, 0, 0, 1);
    serve();
    assert_status(k, BLOCK_READ_ONLY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BLOCK_TESTS,
        BLOCK_TEST(test_devices_not_for_us),
        BLOCK_TEST(test_vectors),
        BLOCK_TEST(test_not_adopted),
        BLOCK_TEST(test_dies_while_giving),
        BLOCK_TEST(test_lies),
        BLOCK_TEST(test_short),
        BLOCK_TEST(test_without_cache),
        BLOCK_TEST(test_read_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
