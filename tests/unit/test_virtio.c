/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/blockdriver.c lib/block/client.c
// includes: drivers/block/virtio/chip.c
/* The chip's half of the virtio block driver against a device that behaves as VIRTIO 1.0 says. */
#include <errno.h>

#include "tests/unit/fake_block.h"

#include "drivers/block/virtio/chip.c"

static const struct block_driver *const driver = &virtio_driver;

/* ---- the device ---- */

enum { STRIDE = 0x1000, NOTIFY_AT = 3, MULTIPLIER = 4 };

static struct {
    uint64_t offered, accepted;
    uint32_t device_select, driver_select;
    uint16_t queue_size, queue_select, vector, config_vector, enabled;
    uint64_t table, available, used;
    uint16_t seen; /* of the available ring */
    uint8_t status;
    bool is_stuck, is_refusing, has_no_vector, is_short;
    unsigned notified, isr_reads;
    uint32_t pending[HEADS], count; /* heads that were taken and are not done */
} chip;

static void driver_forget(void)
{
    chosen = 0;
    notify_offset = 0;
}

static void chip_reset(void)
{
    chip.accepted = chip.table = chip.available = chip.used = 0;
    chip.queue_size = 256;
    chip.vector = chip.config_vector = NO_VECTOR;
    chip.seen = chip.enabled = 0;
    chip.count = 0;
}

static void chip_power_on(void)
{
    memset(&chip, 0, sizeof chip);
    chip_reset();
    chip.offered = 1ull << FEATURE_FLUSH | 1ull << FEATURE_INDIRECT | 1ull << FEATURE_VERSION_1 |
                   1ull << FEATURE_BLOCK_SIZE | 1ull << 29 | 1ull << 35;
    for (unsigned w = 0; w < SERVICE_WINDOWS; w++)
        fake_info->device.window[w].address = (w + 1) * STRIDE;
    fake_info->device.window[WINDOW_NOTIFY].multiplier = MULTIPLIER;
    fake_info->device.has_msix = 1;
}

static uint64_t *wide_register(uint32_t offset)
{
    return offset < COMMON_QUEUE_AVAILABLE ? &chip.table
           : offset < COMMON_QUEUE_USED    ? &chip.available
                                           : &chip.used;
}

static uint32_t read_common(uint32_t offset, unsigned width)
{
    switch (offset) {
    case COMMON_DEVICE_FEATURE:
        return (uint32_t)(chip.offered >> 32 * chip.device_select);
    case COMMON_DRIVER_FEATURE:
        return (uint32_t)(chip.accepted >> 32 * chip.driver_select);
    case COMMON_STATUS:
        assert_int_equal(width, 1);
        return chip.status;
    case COMMON_QUEUE_SIZE:
        return chip.queue_size;
    case COMMON_QUEUE_VECTOR:
        return chip.vector;
    case COMMON_QUEUE_ENABLE:
        return chip.enabled;
    case COMMON_QUEUE_NOTIFY:
        return NOTIFY_AT;
    default:
        assert_in_range(offset, COMMON_QUEUE_TABLE, COMMON_QUEUE_USED + 4);
        return (uint32_t)(*wide_register(offset) >> 8 * (offset % 8));
    }
}

uint32_t fake_read(uintptr_t at, unsigned width)
{
    uint32_t offset = at % STRIDE;

    switch (at / STRIDE - 1) {
    case WINDOW_COMMON:
        return read_common(offset, width);
    case WINDOW_ISR:
        chip.isr_reads++;
        return 0;
    case WINDOW_DEVICE:
        return offset == CONFIG_CAPACITY     ? FAKE_SECTORS
               : offset == CONFIG_BLOCK_SIZE ? BLOCK_SECTOR
                                             : 0;
    }
    fail();
    return 0;
}

static void set_status(uint8_t value)
{
    if (value == 0) {
        chip_reset();
        chip.status = chip.is_stuck ? chip.status : 0;
        return;
    }
    if ((value & STATUS_FEATURES_OK) && chip.is_refusing)
        value &= (uint8_t)~STATUS_FEATURES_OK;
    chip.status = value;
}

static void write_common(uint32_t offset, unsigned width, uint32_t value)
{
    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:
        chip.device_select = value;
        return;
    case COMMON_DRIVER_FEATURE_SELECT:
        chip.driver_select = value;
        return;
    case COMMON_DRIVER_FEATURE:
        assert_false(chip.status & STATUS_FEATURES_OK);
        chip.accepted &= ~(0xffffffffull << 32 * chip.driver_select);
        chip.accepted |= (uint64_t)value << 32 * chip.driver_select;
        assert_int_equal(chip.accepted & ~chip.offered, 0);
        return;
    case COMMON_STATUS:
        set_status((uint8_t)value);
        return;
    case COMMON_QUEUE_SELECT:
        chip.queue_select = (uint16_t)value;
        return;
    case COMMON_QUEUE_SIZE:
        chip.queue_size = (uint16_t)value;
        return;
    case COMMON_CONFIG_VECTOR:
        chip.config_vector = (uint16_t)value;
        return;
    case COMMON_QUEUE_VECTOR:
        chip.vector = chip.has_no_vector ? NO_VECTOR : (uint16_t)value;
        return;
    case COMMON_QUEUE_ENABLE:
        assert_true(chip.table && chip.available && chip.used);
        chip.enabled = 1;
        return;
    default:
        assert_int_equal(width, 4);
        assert_false(chip.enabled);
        assert_in_range(offset, COMMON_QUEUE_TABLE, COMMON_QUEUE_USED + 4);
        *wide_register(offset) &= ~(0xffffffffull << 8 * (offset % 8));
        *wide_register(offset) |= (uint64_t)value << 8 * (offset % 8);
    }
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
        if (chip.is_short)
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
    struct virtio_descriptor *h = (void *)fake_dma(chip.table + 16 * head, 16);
    const struct virtio_descriptor *part = (void *)fake_dma(h->address, h->length);
    uint32_t count = h->length / 16, written = 1;
    uint16_t *used = (void *)fake_dma(chip.used, 4), place = used[1];
    uint32_t *entry = (void *)fake_dma(chip.used + 4 + 8 * (place % chip.queue_size), 8);

    assert_int_equal(h->flags, DESCRIPTOR_INDIRECT);
    for (uint32_t n = 0; n + 1 < count; n++) {
        assert_true(part[n].flags & DESCRIPTOR_NEXT);
        assert_int_equal(part[n].next, n + 1);
    }
    assert_int_equal(part[count - 1].flags, DESCRIPTOR_WRITE);
    *fake_dma(part[count - 1].address, 1) = do_request(part, count, &written);
    entry[0] = head;
    entry[1] = written;
    used[1] = (uint16_t)(place + 1);
}

/* The one that came last first. */
static void chip_work(unsigned most)
{
    const uint16_t *available;

    if (chip.status != STATUS_ALIVE || !chip.enabled)
        return;
    available = (void *)fake_dma(chip.available, 4 + 2 * HEADS);
    for (; chip.seen != available[1]; chip.seen++)
        chip.pending[chip.count++] = available[2 + chip.seen % chip.queue_size];
    for (; most && chip.count; most--)
        do_head(chip.pending[--chip.count]);
}

void fake_write(uintptr_t at, unsigned width, uint32_t value)
{
    switch (at / STRIDE - 1) {
    case WINDOW_COMMON:
        write_common(at % STRIDE, width, value);
        return;
    case WINDOW_NOTIFY:
        assert_int_equal(at % STRIDE, NOTIFY_AT * MULTIPLIER);
        chip.notified++;
        if (fake_starting)
            chip_work(1);
        return;
    }
    fail();
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
    assert_int_equal(start_fails(state), -EIO);
    machine_begins();
    chip.is_refusing = true;
    assert_int_equal(start_fails(state), -EOPNOTSUPP);
    machine_begins();
    chip.offered &= ~(1ull << FEATURE_VERSION_1);
    assert_int_equal(start_fails(state), -EOPNOTSUPP);
    machine_begins();
    chip.queue_size = 32;
    assert_int_equal(start_fails(state), 0); /* it gets its own size back when it is reset */
    machine_begins();
    chip.has_no_vector = true;
    assert_int_equal(start_fails(state), -EIO);
    machine_begins();
    fake_info->device.window[WINDOW_NOTIFY].address = 0;
    assert_int_equal(start_fails(state), -ENODEV);
}

static void test_vectors(void **state)
{
    assert_int_equal(chip.vector, 0);
    assert_int_equal(chip.config_vector, NO_VECTOR);
    post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_int_equal(chip.isr_reads, 0);
    fake_info->device.has_msix = 0; /* by its pin */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(chip.vector, NO_VECTOR);
    post(BLOCK_READ, 0, 0, 0, 1);
    run(1);
    assert_true(chip.isr_reads > 0); /* which takes the interrupt back */
}

static void test_not_adopted(void **state)
{
    chip.status = STATUS_ALIVE | 64; /* it wants a reset */
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.used += 4096;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    chip.enabled = 0;
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_RESET);
    assert_int_equal(driver_starts(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(driver_starts(false), QUEUE_DRIVER_RESET);
}

/* The driver dies between noting that it gives a head and letting the device see it. */
static void test_dies_while_giving(void **state)
{
    struct virtio_memory *m = memory_of(&fake_device);
    int k = post(BLOCK_READ, 0, 7, 0, 1);

    m->given[k] = 1u + m->available.index;
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
        m->used.ring[m->used.index % HEADS].head = n == 0 ? 5 : n == 1 ? HEADS : 0xffffffff;
        m->used.index++;
    }
    serve();
    assert_int_equal(block_finished(&fake_client, 0), 0);
    run(1);
    assert_status(k, BLOCK_OK);
    m->used.index += 1000; /* more than there can be: it ends all the same */
    serve();
}

/* It says that all is well, and has read less than it should. */
static void test_short(void **state)
{
    int k = post(BLOCK_READ, 0, 7, 0, 9);

    chip.is_short = true;
    run(1);
    assert_status(k, BLOCK_ERROR);
}

static void test_without_cache(void **state)
{
    int k;

    chip.offered &= ~(1ull << FEATURE_FLUSH);
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

    chip.offered |= 1ull << FEATURE_READ_ONLY;
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
