/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/virtio/virtio.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"

#define MS 1000000ull
#define RESET_PATIENCE (100 * MS)
enum { ISR_CONFIGURATION = 2 };

volatile void *virtio_window(enum virtio_window w)
{
    return (volatile void *)(uintptr_t)service_info()->device.window[w].address;
}

static volatile void *common(void)
{
    return virtio_window(WINDOW_COMMON);
}

bool virtio_has_windows(void)
{
    for (unsigned w = WINDOW_COMMON; w <= WINDOW_DEVICE; w++)
        if (!virtio_window(w))
            return false;
    return true;
}

/* ---- the device ---- */

static uint8_t get_status(void)
{
    return mmio_read8(common(), COMMON_STATUS);
}

static void put_status(uint8_t status)
{
    mmio_write8(common(), COMMON_STATUS, status);
}

int virtio_stop(void)
{
    struct driver_wait wait = {.patience = RESET_PATIENCE};

    put_status(0);
    while (get_status())
        if (!driver_waits(&wait))
            return -EIO;
    return 0;
}

static uint64_t get_features(uint32_t select, uint32_t value)
{
    uint64_t low;

    mmio_write32(common(), select, 0);
    low = mmio_read32(common(), value);
    mmio_write32(common(), select, 1);
    return low | (uint64_t)mmio_read32(common(), value) << 32;
}

uint64_t virtio_chosen(void)
{
    return get_features(COMMON_DRIVER_FEATURE_SELECT, COMMON_DRIVER_FEATURE);
}

int virtio_negotiate(uint64_t wanted, uint64_t needed, uint64_t *chosen)
{
    *chosen = get_features(COMMON_DEVICE_FEATURE_SELECT, COMMON_DEVICE_FEATURE) & wanted;
    if ((*chosen & needed) != needed)
        return -EOPNOTSUPP;
    put_status(STATUS_ACKNOWLEDGE | STATUS_DRIVER);
    for (uint32_t n = 0; n < 2; n++) {
        mmio_write32(common(), COMMON_DRIVER_FEATURE_SELECT, n);
        mmio_write32(common(), COMMON_DRIVER_FEATURE, (uint32_t)(*chosen >> 32 * n));
    }
    put_status(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK);
    return get_status() & STATUS_FEATURES_OK ? 0 : -EOPNOTSUPP;
}

static uint16_t our_vector(void)
{
    return service_info()->device.has_msix ? 0 : NO_VECTOR;
}

/* Reads back NO_VECTOR when it has no room for the vector. */
static int set_vector(uint32_t where, uint16_t vector)
{
    mmio_write16(common(), where, vector);
    return mmio_read16(common(), where) == vector ? 0 : -EIO;
}

int virtio_watch_configuration(bool watch)
{
    return set_vector(COMMON_CONFIG_VECTOR, watch ? our_vector() : NO_VECTOR);
}

void virtio_begin(void)
{
    put_status(STATUS_ALIVE);
}

bool virtio_is_alive(void)
{
    return get_status() == STATUS_ALIVE;
}

bool virtio_acknowledge(void)
{
    return !service_info()->device.has_msix &&
           (mmio_read8(virtio_window(WINDOW_ISR), 0) & ISR_CONFIGURATION);
}

/* ---- a queue ---- */

static uint64_t address_of(const struct virtqueue *q, size_t offset)
{
    return q->physical + offset;
}
#define PART(q, member) address_of(q, offsetof(struct virtqueue_memory, member))

static uint64_t get_address(uint32_t offset)
{
    return mmio_read32(common(), offset) | (uint64_t)mmio_read32(common(), offset + 4) << 32;
}

static void put_address(uint32_t offset, uint64_t value)
{
    mmio_write32(common(), offset, (uint32_t)value);
    mmio_write32(common(), offset + 4, (uint32_t)(value >> 32));
}

static void find_notify(struct virtqueue *q)
{
    q->notify = mmio_read16(common(), COMMON_QUEUE_NOTIFY) *
                service_info()->device.window[WINDOW_NOTIFY].multiplier;
}

static bool is_power_of_two(unsigned n)
{
    return n && !(n & (n - 1));
}

int virtqueue_set_up(struct virtqueue *q, unsigned least, uint32_t start)
{
    uint16_t has;

    memset(q->memory, 0, sizeof *q->memory);
    q->memory->start = start;
    mmio_write16(common(), COMMON_QUEUE_SELECT, q->number);
    has = mmio_read16(common(), COMMON_QUEUE_SIZE);
    if (has < least || !is_power_of_two(has))
        return -EOPNOTSUPP;
    q->size = has < q->size ? has : q->size;
    mmio_write16(common(), COMMON_QUEUE_SIZE, q->size);
    put_address(COMMON_QUEUE_TABLE, PART(q, descriptor));
    put_address(COMMON_QUEUE_AVAILABLE, PART(q, available));
    put_address(COMMON_QUEUE_USED, PART(q, used));
    if (set_vector(COMMON_QUEUE_VECTOR, our_vector()) < 0)
        return -EIO;
    mmio_write16(common(), COMMON_QUEUE_ENABLE, 1);
    find_notify(q);
    return 0;
}

bool virtqueue_is_ours(struct virtqueue *q)
{
    uint16_t has;

    mmio_write16(common(), COMMON_QUEUE_SELECT, q->number);
    has = mmio_read16(common(), COMMON_QUEUE_SIZE);
    if (has > q->size || !is_power_of_two(has) || mmio_read16(common(), COMMON_QUEUE_ENABLE) != 1 ||
        mmio_read16(common(), COMMON_QUEUE_VECTOR) != our_vector() ||
        get_address(COMMON_QUEUE_TABLE) != PART(q, descriptor) ||
        get_address(COMMON_QUEUE_AVAILABLE) != PART(q, available) ||
        get_address(COMMON_QUEUE_USED) != PART(q, used))
        return false;
    q->size = has;
    find_notify(q);
    return true;
}

void virtqueue_give(const struct virtqueue *q, uint32_t count)
{
    struct virtqueue_memory *m = q->memory;

    dma_publish();
    *(volatile uint16_t *)&m->available.index = (uint16_t)(m->available.index + count);
    virtqueue_tell(q);
}

void virtqueue_tell(const struct virtqueue *q)
{
    /* the index before the device's wish not to be told; x86 would let the load go first */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!(*(volatile uint16_t *)&q->memory->used.flags & USED_QUIET))
        mmio_write16(virtio_window(WINDOW_NOTIFY), q->notify, q->number);
}

static bool has_more(const struct virtqueue *q)
{
    return q->memory->taken != *(volatile uint16_t *)&q->memory->used.index;
}

bool virtqueue_look(const struct virtqueue *q, uint32_t *head, uint32_t *length)
{
    struct virtqueue_memory *m = q->memory;

    if (!has_more(q))
        return false;
    dma_observe(); /* the index, then what it covers */
    *head = m->used.ring[m->taken % q->size].head;
    *length = m->used.ring[m->taken % q->size].length;
    return true;
}

void virtqueue_taken(const struct virtqueue *q)
{
    __atomic_store_n(&q->memory->taken, (uint16_t)(q->memory->taken + 1), __ATOMIC_RELEASE);
}

bool virtqueue_unmask(const struct virtqueue *q)
{
    *(volatile uint16_t *)&q->memory->available.flags = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the wish before the look: the device does it the
                                                other way round */
    return !has_more(q);
}
