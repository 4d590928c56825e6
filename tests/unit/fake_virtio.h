/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common half of a virtio device, as VIRTIO 1.0 says: registers, negotiation, queues. Included
 * after fake_block.h or fake_net.h. A test defines what the device does.
 */
#ifndef FAKE_VIRTIO_H
#define FAKE_VIRTIO_H

#include "lib/virtio/virtio.h"
#include "tests/unit/fake_machine.h"

enum { STRIDE = 0x1000, NOTIFY_AT = 3, MULTIPLIER = 4, FAKE_QUEUES = 2, CHIP_QUEUE_MAX = 256 };
#define FAKE_STUCK 100000000ull /* ns: so long is waited for a device that is stuck in its reset */

static struct {
    uint64_t offered, accepted;
    uint32_t device_select, driver_select;
    uint16_t queue_select, config_vector;
    struct fake_virtqueue {
        uint16_t size, vector, enabled;
        uint64_t table, available, used;
        uint16_t seen; /* of the available ring */
        bool is_told; /* that there is something, and has not yet seen that there is nothing more */
    } queue[FAKE_QUEUES];
    uint16_t queue_max; /* 0: CHIP_QUEUE_MAX */
    uint8_t status, isr;
    bool is_stuck, is_refusing, has_no_vector;
    unsigned notified, isr_reads;
} chip;

static void chip_was_reset(void); /* what is not in `chip` */
static void chip_notified(unsigned queue);
static uint32_t chip_configuration(uint32_t offset);

static void chip_reset(void)
{
    chip.accepted = 0;
    chip.config_vector = NO_VECTOR;
    for (unsigned n = 0; n < FAKE_QUEUES; n++)
        chip.queue[n] = (struct fake_virtqueue){
            .size = chip.queue_max ? chip.queue_max : CHIP_QUEUE_MAX, .vector = NO_VECTOR};
    chip_was_reset();
}

/* With MSI-X. */
static void chip_begin(uint64_t offered, uintptr_t windows)
{
    memset(&chip, 0, sizeof chip);
    chip_reset();
    chip.offered = offered;
    for (unsigned w = 0; w < SERVICE_WINDOWS; w++)
        fake_info->device.window[w].address = windows + w * STRIDE;
    fake_info->device.window[WINDOW_NOTIFY].multiplier = MULTIPLIER;
    fake_info->device.has_msix = 1;
}

/* ---- registers ---- */

static struct fake_virtqueue *selected(void)
{
    assert_in_range(chip.queue_select, 0, FAKE_QUEUES - 1);
    return &chip.queue[chip.queue_select];
}

static uint64_t *wide_register(uint32_t offset)
{
    struct fake_virtqueue *q = selected();

    assert_in_range(offset, COMMON_QUEUE_TABLE, COMMON_QUEUE_USED + 4);
    if (offset < COMMON_QUEUE_AVAILABLE)
        return &q->table;
    return offset < COMMON_QUEUE_USED ? &q->available : &q->used;
}

static uint32_t read_common(uint32_t offset, unsigned width)
{
    switch (offset) {
    case COMMON_DEVICE_FEATURE:
        return (uint32_t)(chip.offered >> 32 * chip.device_select);
    case COMMON_DRIVER_FEATURE:
        return (uint32_t)(chip.accepted >> 32 * chip.driver_select);
    case COMMON_CONFIG_VECTOR:
        return chip.config_vector;
    case COMMON_STATUS:
        assert_int_equal(width, 1);
        return chip.status;
    case COMMON_QUEUE_SIZE:
        return selected()->size;
    case COMMON_QUEUE_VECTOR:
        return selected()->vector;
    case COMMON_QUEUE_ENABLE:
        return selected()->enabled;
    case COMMON_QUEUE_NOTIFY:
        return NOTIFY_AT + chip.queue_select;
    default:
        return (uint32_t)(*wide_register(offset) >> 8 * (offset % 8));
    }
}

/* `at`: window n is at n * STRIDE. */
static uint32_t chip_read(uint32_t at, unsigned width)
{
    switch (at / STRIDE) {
    case WINDOW_COMMON:
        return read_common(at % STRIDE, width);
    case WINDOW_ISR: {
        uint8_t isr = chip.isr;

        chip.isr_reads++;
        chip.isr = 0;
        return isr;
    }
    case WINDOW_DEVICE:
        return chip_configuration(at % STRIDE);
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

static void accept_features(uint32_t value)
{
    assert_false(chip.status & STATUS_FEATURES_OK);
    chip.accepted &= ~(0xffffffffull << 32 * chip.driver_select);
    chip.accepted |= (uint64_t)value << 32 * chip.driver_select;
    assert_int_equal(chip.accepted & ~chip.offered, 0);
}

static void set_size(uint16_t value)
{
    assert_true(value && !(value & (value - 1)) && value <= selected()->size);
    selected()->size = value;
}

static void write_common(uint32_t offset, unsigned width, uint32_t value)
{
    struct fake_virtqueue *q = selected();

    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:
        chip.device_select = value;
        return;
    case COMMON_DRIVER_FEATURE_SELECT:
        chip.driver_select = value;
        return;
    case COMMON_DRIVER_FEATURE:
        accept_features(value);
        return;
    case COMMON_STATUS:
        set_status((uint8_t)value);
        return;
    case COMMON_QUEUE_SELECT:
        chip.queue_select = (uint16_t)value;
        return;
    case COMMON_QUEUE_SIZE:
        set_size((uint16_t)value);
        return;
    case COMMON_CONFIG_VECTOR:
        chip.config_vector = chip.has_no_vector ? NO_VECTOR : (uint16_t)value;
        return;
    case COMMON_QUEUE_VECTOR:
        q->vector = chip.has_no_vector ? NO_VECTOR : (uint16_t)value;
        return;
    case COMMON_QUEUE_ENABLE:
        assert_true(q->table && q->available && q->used);
        assert_true(q->table % 16 == 0 && q->available % 2 == 0 && q->used % 4 == 0);
        q->enabled = 1;
        return;
    default:
        assert_int_equal(width, 4);
        assert_false(q->enabled);
        *wide_register(offset) &= ~(0xffffffffull << 8 * (offset % 8));
        *wide_register(offset) |= (uint64_t)value << 8 * (offset % 8);
    }
}

static void chip_write(uint32_t at, unsigned width, uint32_t value)
{
    switch (at / STRIDE) {
    case WINDOW_COMMON:
        write_common(at % STRIDE, width, value);
        return;
    case WINDOW_NOTIFY:
        assert_int_equal(at % STRIDE, (NOTIFY_AT + value) * MULTIPLIER);
        chip.notified++;
        assert_in_range(value, 0, FAKE_QUEUES - 1);
        chip.queue[value].is_told = true;
        chip_notified(value);
        return;
    }
    fail();
}

/* ---- queues ---- */

static bool chip_works(const struct fake_virtqueue *q)
{
    return chip.status == STATUS_ALIVE && q->enabled;
}

/* The next head that the driver has given; -1: none. */
static int chip_take(struct fake_virtqueue *q)
{
    const uint16_t *available;

    if (!chip_works(q))
        return -1;
    available = (void *)fake_dma(q->available, 4 + 2 * q->size);
    if (q->seen == available[1]) {
        q->is_told = false;
        return -1;
    }
    return available[2 + q->seen++ % q->size];
}

static struct virtio_descriptor *chip_descriptor(const struct fake_virtqueue *q, uint32_t head)
{
    assert_in_range(head, 0, q->size - 1);
    return (void *)fake_dma(q->table + 16 * head, 16);
}

static void chip_give_back(const struct fake_virtqueue *q, uint32_t head, uint32_t length)
{
    uint16_t *used = (void *)fake_dma(q->used, 4), place = used[1];
    uint32_t *entry = (void *)fake_dma(q->used + 4 + 8 * (place % q->size), 8);

    entry[0] = head;
    entry[1] = length;
    used[1] = (uint16_t)(place + 1);
}

#endif
