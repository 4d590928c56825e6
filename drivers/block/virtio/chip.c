/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the virtio block driver (contract: lib/driver/blockdriver.h). What the device
 * works on is known from memory alone: a head that was given to it, and whose place in the ring of
 * available ones the index has passed, is under way until it comes back in the ring of used ones.
 */
#include "drivers/block/virtio/chip.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define MS 1000000ull
#define RESET_PATIENCE (100 * MS)
#define ID_PATIENCE (500 * MS)

static struct virtio_memory *memory_of(const struct block_device *d)
{
    return (struct virtio_memory *)d->chip;
}

static uint64_t physical_of(const struct block_device *d, const volatile void *at)
{
    return d->chip_physical + (uint64_t)((const volatile uint8_t *)at - d->chip);
}

/* ---- registers ---- */

static volatile void *window(enum virtio_window w)
{
    return (volatile void *)(uintptr_t)service_info()->device.window[w].address;
}

static uint8_t get_status(void)
{
    return mmio_read8(window(WINDOW_COMMON), COMMON_STATUS);
}

static void put_status(uint8_t status)
{
    mmio_write8(window(WINDOW_COMMON), COMMON_STATUS, status);
}

static uint64_t get_wide(enum virtio_window w, uint32_t offset)
{
    return mmio_read32(window(w), offset) | (uint64_t)mmio_read32(window(w), offset + 4) << 32;
}

static void put_wide(uint32_t offset, uint64_t value)
{
    mmio_write32(window(WINDOW_COMMON), offset, (uint32_t)value);
    mmio_write32(window(WINDOW_COMMON), offset + 4, (uint32_t)(value >> 32));
}

static uint64_t features(uint32_t select, uint32_t value)
{
    volatile void *common = window(WINDOW_COMMON);
    uint64_t low;

    mmio_write32(common, select, 0);
    low = mmio_read32(common, value);
    mmio_write32(common, select, 1);
    return low | (uint64_t)mmio_read32(common, value) << 32;
}

static uint64_t device_features(void)
{
    return features(COMMON_DEVICE_FEATURE_SELECT, COMMON_DEVICE_FEATURE);
}

static uint64_t chosen_features(void)
{
    return features(COMMON_DRIVER_FEATURE_SELECT, COMMON_DRIVER_FEATURE);
}

static void choose_features(uint64_t chosen)
{
    volatile void *common = window(WINDOW_COMMON);

    for (uint32_t n = 0; n < 2; n++) {
        mmio_write32(common, COMMON_DRIVER_FEATURE_SELECT, n);
        mmio_write32(common, COMMON_DRIVER_FEATURE, (uint32_t)(chosen >> 32 * n));
    }
}

static bool has(uint64_t features_, enum virtio_feature f)
{
    return features_ >> f & 1;
}

/* It does not change while the device is set up. */
static uint64_t chosen;
static uint32_t notify_offset;

static void find_notify(void)
{
    notify_offset = mmio_read16(window(WINDOW_COMMON), COMMON_QUEUE_NOTIFY) *
                    service_info()->device.window[WINDOW_NOTIFY].multiplier;
}

/* Of the pin. An MSI-X has nothing to take back. */
static void take_interrupt_back(void)
{
    if (!service_info()->device.has_msix)
        (void)mmio_read8(window(WINDOW_ISR), 0);
}

/* ---- giving and taking heads ---- */

static void give(struct block_device *d, uint32_t head, uint32_t parts)
{
    struct virtio_memory *m = memory_of(d);
    uint16_t place = m->available.index;

    m->head[head] =
        (struct virtio_descriptor){.address = physical_of(d, m->part[head]),
                                   .length = parts * (uint32_t)sizeof(struct virtio_descriptor),
                                   .flags = DESCRIPTOR_INDIRECT};
    m->command[head].result = RESULT_NONE;
    m->available.ring[place % HEADS] = (uint16_t)head;
    m->given[head] = 1u + place;
    dma_publish();
    *(volatile uint16_t *)&m->available.index = (uint16_t)(place + 1);
    /* the index before the device's wish not to be told; x86 would let the load go first */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(*(volatile uint16_t *)&m->used.flags & 1))
        mmio_write16(window(WINDOW_NOTIFY), notify_offset, 0);
}

static void add_part(struct block_device *d, uint32_t head, uint32_t *n, uint64_t address,
                     uint32_t length, bool is_written)
{
    struct virtio_descriptor *p = &memory_of(d)->part[head][*n];

    if (*n)
        p[-1].flags |= DESCRIPTOR_NEXT;
    *p = (struct virtio_descriptor){.address = address,
                                    .length = length,
                                    .flags = is_written ? DESCRIPTOR_WRITE : 0,
                                    .next = (uint16_t)(*n + 1)};
    memory_of(d)->command[head].written += is_written ? length : 0;
    (*n)++;
}

static uint32_t begin(struct block_device *d, uint32_t head, uint32_t type, uint64_t sector)
{
    struct virtio_command *c = &memory_of(d)->command[head];
    uint32_t n = 0;

    *c = (struct virtio_command){.type = type, .sector = sector, .result = RESULT_NONE};
    add_part(d, head, &n, physical_of(d, c), offsetof(struct virtio_command, result), false);
    return n;
}

static void end(struct block_device *d, uint32_t head, uint32_t n)
{
    add_part(d, head, &n, physical_of(d, &memory_of(d)->command[head].result), 1, true);
    give(d, head, n);
}

static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    static const uint32_t types[] = {
        [BLOCK_READ] = REQUEST_IN, [BLOCK_WRITE] = REQUEST_OUT, [BLOCK_FLUSH] = REQUEST_FLUSH};
    uint32_t n;

    if (r->operation == BLOCK_FLUSH && !has(chosen, FEATURE_FLUSH)) {
        /* without a write cache: a read of nothing ends at once */
        n = begin(d, k, REQUEST_GET_ID, 0);
        add_part(d, k, &n, physical_of(d, memory_of(d)->id), ID_BYTES, true);
        end(d, k, n);
        return true;
    }
    n = begin(d, k, types[r->operation], r->operation == BLOCK_FLUSH ? 0 : r->sector);
    memory_of(d)->command[k].is_flushed =
        r->operation == BLOCK_WRITE && (r->flags & BLOCK_FUA) && has(chosen, FEATURE_FLUSH);
    for (uint32_t i = 0; i < r->segments && r->operation != BLOCK_FLUSH; i++)
        add_part(d, k, &n, r->segment[i].address, r->segment[i].length, r->operation == BLOCK_READ);
    end(d, k, n);
    return true;
}

static uint32_t status_of(uint8_t result)
{
    return result == RESULT_OK            ? BLOCK_OK
           : result == RESULT_UNSUPPORTED ? BLOCK_INVALID
                                          : BLOCK_ERROR;
}

/* A head has come back: the slot that is finished with it, as a set. */
static uint32_t take(struct block_device *d, uint32_t head, uint32_t written)
{
    struct virtio_memory *m = memory_of(d);
    uint32_t k = head % BLOCK_SLOTS;
    uint8_t result;

    if (head >= HEADS || !m->given[head])
        return 0; /* of a predecessor, which has taken it already; or the device lies */
    m->given[head] = 0;
    result = m->command[head].result;
    if (written < m->command[head].written && m->command[head].type == REQUEST_IN)
        result = RESULT_ERROR; /* not all that was to be read */
    if (head < BLOCK_SLOTS && m->command[head].is_flushed && result == RESULT_OK) {
        end(d, BLOCK_SLOTS + k, begin(d, BLOCK_SLOTS + k, REQUEST_FLUSH, 0));
        return 0;
    }
    d->status[k] = status_of(result);
    return 1u << k;
}

static uint32_t finished(struct block_device *d)
{
    struct virtio_memory *m = memory_of(d);
    uint32_t done = 0;

    take_interrupt_back(); /* always, for it may come after what it is about was seen */
    for (unsigned n = 0; n < HEADS && (uint16_t)m->taken != *(volatile uint16_t *)&m->used.index;
         n++) {
        uint32_t head;

        dma_observe();
        head = m->used.ring[m->taken % HEADS].head;
        done |= take(d, head, m->used.ring[m->taken % HEADS].length);
        m->taken++;
    }
    return done;
}

/* ---- interrupts ---- */

static void mask(struct block_device *d)
{
    *(volatile uint16_t *)&memory_of(d)->available.flags = AVAILABLE_QUIET;
}

static void unmask(struct block_device *d)
{
    *(volatile uint16_t *)&memory_of(d)->available.flags = 0;
    take_interrupt_back();
}

/* ---- setting up ---- */

static int stop(void)
{
    uint64_t deadline = clock_now() + RESET_PATIENCE;

    put_status(0);
    while (get_status())
        if (clock_now() > deadline)
            return -EIO;
    return 0;
}

static int negotiate(void)
{
    uint64_t offered = device_features();
    static const enum virtio_feature wanted[] = {FEATURE_READ_ONLY, FEATURE_BLOCK_SIZE,
                                                 FEATURE_FLUSH,     FEATURE_TOPOLOGY,
                                                 FEATURE_INDIRECT,  FEATURE_VERSION_1};

    chosen = 0;
    for (unsigned n = 0; n < sizeof wanted / sizeof *wanted; n++)
        chosen |= offered & 1ull << wanted[n];
    if (!has(chosen, FEATURE_VERSION_1) || !has(chosen, FEATURE_INDIRECT))
        return -EOPNOTSUPP;
    put_status(STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    choose_features(chosen);
    put_status(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return get_status() & STATUS_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

/* The queue's; changes of the configuration are not looked at. */
static uint16_t wanted_vector(void)
{
    return service_info()->device.has_msix ? 0 : NO_VECTOR;
}

static int set_up_queue(struct block_device *d)
{
    volatile void *common = window(WINDOW_COMMON);
    struct virtio_memory *m = memory_of(d);

    memset(m, 0, sizeof *m);
    mmio_write16(common, COMMON_QUEUE_SELECT, 0);
    if (mmio_read16(common, COMMON_QUEUE_SIZE) < HEADS)
        return -EOPNOTSUPP;
    mmio_write16(common, COMMON_QUEUE_SIZE, HEADS);
    put_wide(COMMON_QUEUE_TABLE, physical_of(d, m->head));
    put_wide(COMMON_QUEUE_AVAILABLE, physical_of(d, &m->available));
    put_wide(COMMON_QUEUE_USED, physical_of(d, &m->used));
    mmio_write16(common, COMMON_CONFIG_VECTOR, NO_VECTOR);
    mmio_write16(common, COMMON_QUEUE_VECTOR, wanted_vector());
    if (mmio_read16(common, COMMON_QUEUE_VECTOR) != wanted_vector())
        return -EIO; /* it has no room for the vector */
    mmio_write16(common, COMMON_QUEUE_ENABLE, 1);
    find_notify();
    return 0;
}

/* The serial number; "" when it does not answer. */
static void read_id(struct block_device *d, char serial[ID_BYTES + 1])
{
    struct virtio_memory *m = memory_of(d);
    uint64_t deadline = clock_now() + ID_PATIENCE;
    uint32_t n = begin(d, 0, REQUEST_GET_ID, 0);

    add_part(d, 0, &n, physical_of(d, m->id), ID_BYTES, true);
    end(d, 0, n);
    while (m->given[0] && clock_now() < deadline)
        (void)finished(d);
    memset(serial, 0, ID_BYTES + 1);
    if (!m->given[0] && m->command[0].result == RESULT_OK)
        memcpy(serial, m->id, ID_BYTES);
}

static void show_unit(struct block_device *d)
{
    volatile void *config = window(WINDOW_DEVICE);
    struct block_unit u = {.sectors = get_wide(WINDOW_DEVICE, CONFIG_CAPACITY),
                           .flags = BLOCK_UNIT_PRESENT,
                           .logical_size = BLOCK_SECTOR,
                           .model = "virtio disk"};

    if (has(chosen, FEATURE_BLOCK_SIZE))
        u.logical_size = mmio_read32(config, CONFIG_BLOCK_SIZE);
    u.physical_size = u.logical_size;
    if (has(chosen, FEATURE_TOPOLOGY) && mmio_read8(config, CONFIG_PHYSICAL_EXPONENT) < 8)
        u.physical_size <<= mmio_read8(config, CONFIG_PHYSICAL_EXPONENT);
    if (has(chosen, FEATURE_READ_ONLY))
        u.flags |= BLOCK_UNIT_READ_ONLY;
    if (has(chosen, FEATURE_FLUSH))
        u.flags |= BLOCK_UNIT_WRITE_CACHE;
    read_id(d, u.serial);
    block_unit_set(d, 0, &u);
}

static bool has_windows(void)
{
    for (unsigned w = WINDOW_COMMON; w <= WINDOW_DEVICE; w++)
        if (!window(w))
            return false;
    return true;
}

static int reset(struct block_device *d)
{
    int error;

    if (!has_windows())
        return -ENODEV;
    error = stop();
    if (error == 0)
        error = negotiate();
    if (error == 0)
        error = set_up_queue(d);
    if (error)
        return error;
    mask(d);
    put_status(STATUS_ALIVE);
    show_unit(d);
    return 0;
}

static bool adopt(struct block_device *d)
{
    volatile void *common = window(WINDOW_COMMON);
    struct virtio_memory *m = memory_of(d);

    if (!has_windows() || get_status() != STATUS_ALIVE)
        return block_mismatch(d, "the device is not at work");
    chosen = chosen_features();
    mmio_write16(common, COMMON_QUEUE_SELECT, 0);
    if (mmio_read16(common, COMMON_QUEUE_SIZE) != HEADS ||
        mmio_read16(common, COMMON_QUEUE_ENABLE) != 1 ||
        mmio_read16(common, COMMON_QUEUE_VECTOR) != wanted_vector() ||
        get_wide(WINDOW_COMMON, COMMON_QUEUE_TABLE) != physical_of(d, m->head) ||
        get_wide(WINDOW_COMMON, COMMON_QUEUE_AVAILABLE) != physical_of(d, &m->available) ||
        get_wide(WINDOW_COMMON, COMMON_QUEUE_USED) != physical_of(d, &m->used))
        return block_mismatch(d, "its queue is not where ours is");
    mask(d);
    find_notify();
    d->issued = 0;
    for (uint32_t head = 0; head < HEADS; head++) {
        if (m->given[head] == 1u + m->available.index)
            m->given[head] = 0; /* our predecessor died before the device could see it */
        if (m->given[head])
            d->issued |= 1u << head % BLOCK_SLOTS;
    }
    return true;
}

const struct block_driver virtio_driver = {
    .name = "virtio",
    .kind = "vd",
    .adopt = adopt,
    .reset = reset,
    .mask = mask,
    .unmask = unmask,
    .issue = issue,
    .finished = finished,
};
