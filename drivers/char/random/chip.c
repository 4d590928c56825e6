/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the entropy driver. The device has at most one buffer, the queue's `bytes`:
 * under way from the store of the available index until that of `taken`.
 */
#include "drivers/char/random/chip.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/driver/driver.h"
#include "lib/rt/log.h"

static struct entropy_memory *memory_of(const struct entropy_device *d)
{
    return (struct entropy_memory *)((uint8_t *)d->queue + ENTROPY_CHIP_OFFSET);
}

void entropy_open(struct entropy_device *d, void *queue, uint64_t physical, uint64_t size)
{
    if (!queue || size < ENTROPY_CHIP_OFFSET + sizeof(struct entropy_memory))
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)size);
    *d = (struct entropy_device){.queue = queue, .physical = physical};
    d->ring = (struct virtqueue){.memory = &memory_of(d)->queue,
                                 .physical = physical + ENTROPY_CHIP_OFFSET +
                                             offsetof(struct entropy_memory, queue),
                                 .size = VIRTQUEUE_MAX};
}

static struct virtio_descriptor describe(const struct entropy_device *d)
{
    return (struct virtio_descriptor){.address =
                                          d->physical + offsetof(struct entropy_queue, bytes),
                                      .length = ENTROPY_BYTES,
                                      .flags = DESCRIPTOR_WRITE};
}

/* ---- adopt or reset ---- */

static bool mismatch(struct entropy_device *d, const char *why)
{
    d->mismatch = why;
    return false;
}

static bool adopt(struct entropy_device *d)
{
    const struct virtqueue_memory *m = &memory_of(d)->queue;
    const struct virtio_descriptor has = m->descriptor[0], should = describe(d);
    uint16_t used = *(const volatile uint16_t *)&m->used.index;

    if (!virtio_has_windows() || !virtio_is_alive())
        return mismatch(d, "the device is not at work");
    if (!virtqueue_is_ours(&d->ring))
        return mismatch(d, "its queue is not where ours is");
    if (memcmp(&has, &should, sizeof has))
        return mismatch(d, "the buffer");
    if ((uint16_t)(m->available.index - m->taken) > 1 ||
        (uint16_t)(used - m->taken) > (uint16_t)(m->available.index - m->taken))
        return mismatch(d, "positions");
    virtqueue_tell(&d->ring);
    return true;
}

static int reset(struct entropy_device *d)
{
    uint64_t chosen;
    int error;

    if (!virtio_has_windows())
        return -ENODEV;
    d->ring.size = VIRTQUEUE_MAX;
    error = virtio_stop();
    if (error == 0)
        error = virtio_negotiate(FEATURE(FEATURE_VERSION_1) | FEATURE(FEATURE_PLATFORM),
                                 FEATURE(FEATURE_VERSION_1), &chosen);
    if (error == 0)
        error = virtio_watch_configuration(false);
    if (error == 0)
        error = virtqueue_set_up(&d->ring, 1, 0);
    if (error)
        return error;
    memory_of(d)->queue.descriptor[0] = describe(d);
    virtio_begin();
    return 0;
}

int entropy_start(struct entropy_device *d, bool may_adopt, enum queue_driver_state *how)
{
    *how = QUEUE_DRIVER_ADOPTED;
    if (may_adopt && adopt(d)) {
        d->queue->header.adoptions++;
        return 0;
    }
    *how = QUEUE_DRIVER_RESET;
    d->queue->header.resets++;
    return reset(d);
}

/* ---- at work ---- */

static bool is_under_way(const struct entropy_device *d)
{
    const struct virtqueue_memory *m = &memory_of(d)->queue;

    return m->available.index != m->taken;
}

/* (A head or a length that is none is the device's lie. The client is told of no byte that was not
 * lent to the device, and judges none of them.) */
static void complete(struct entropy_device *d)
{
    uint32_t head, length;

    if (!virtqueue_look(&d->ring, &head, &length))
        return;
    if (!is_under_way(d))
        panic("the device has given back what it was not given");
    d->queue->length = length < ENTROPY_BYTES ? length : ENTROPY_BYTES;
    queue_publish(&d->queue->completed, memory_of(d)->given);
    virtqueue_taken(&d->ring);
    d->wake_client = true;
}

void entropy_serve(struct entropy_device *d)
{
    uint32_t posted = queue_read(&d->queue->posted);

    if (!queue_read(&d->queue->header.client_ready))
        return;
    complete(d);
    if (is_under_way(d) || posted == d->queue->completed)
        return;
    memory_of(d)->given = posted;
    virtqueue_put(&d->ring, 0, 0);
    virtqueue_give(&d->ring, 1);
}

void entropy_acknowledge(void)
{
    virtio_acknowledge();
}
