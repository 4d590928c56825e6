/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the virtio network driver (verbs: lib/driver/netdriver.h).
 *
 * Entry k has descriptor k modulo the queue's size, and place k - `start` in the ring of available
 * ones. So all positions follow from what is in memory: `lent` from the available index; what has
 * come back, from marks that are made before it counts as looked at.
 */
#include "drivers/net/virtio/chip.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"

#define LENGTH_MAX 0xffffu /* longer ones are lies */
#define LINK_LOOKS 10000000 /* ns between two looks at the link */

static struct virtqueue queue[SIDES];
static uint64_t chosen; /* features */
static uint64_t looked; /* at the link: when */

static struct virtio_net_memory *memory_of(const struct net_device *d)
{
    return (struct virtio_net_memory *)d->chip;
}

static struct net_position *position_of(struct net_device *d, unsigned side)
{
    return side == RECEIVE ? &d->receive : &d->transmit;
}

static uint32_t head_of(unsigned side, uint32_t k)
{
    return k % queue[side].size;
}

static volatile struct virtio_descriptor *descriptor_of(unsigned side, uint32_t k)
{
    return &queue[side].memory->descriptor[head_of(side, k)];
}

/* Of the entry that has it. */
static uint32_t *back_of(const struct net_device *d, unsigned side, uint32_t k)
{
    return &memory_of(d)->side[side].back[head_of(side, k)];
}

/* Header and frame, one after the other. */
static struct virtio_descriptor describe(const struct net_device *d, unsigned side, uint32_t k)
{
    uint32_t size, offset;

    if (side == RECEIVE)
        offset = net_buffer(d, net_receive_entry(d, k), NET_FRAME_MAX, UINT32_MAX, &size);
    else
        offset = net_buffer(d, net_transmit_entry(d, k), 1, NET_FRAME_MAX, &size);
    return (struct virtio_descriptor){.address = d->physical + offset - HEADER,
                                      .length = HEADER + size,
                                      .flags = side == RECEIVE ? DESCRIPTOR_WRITE : 0};
}

static void open_queues(const struct net_device *d)
{
    for (unsigned side = 0; side < SIDES; side++) {
        struct virtqueue_memory *m = &memory_of(d)->side[side].queue;

        queue[side] =
            (struct virtqueue){.memory = m,
                               .physical = d->chip_physical + (uint32_t)((uint8_t *)m - d->chip),
                               .number = (uint16_t)side,
                               .size = VIRTQUEUE_MAX};
    }
}

/* ---- adopt ---- */

static bool entry_agrees(const struct net_device *d, unsigned side, uint32_t k)
{
    const volatile struct virtio_descriptor *has = descriptor_of(side, k);
    struct virtio_descriptor should = describe(d, side, k);
    const struct virtqueue_memory *m = queue[side].memory;

    return has->address == should.address && has->length == should.length &&
           has->flags == should.flags &&
           m->available.ring[head_of(side, k - m->start)] == head_of(side, k);
}

static bool adopt_side(struct net_device *d, unsigned side)
{
    struct net_position *at = position_of(d, side);
    const struct virtqueue_memory *m = queue[side].memory;
    uint16_t lent = (uint16_t)(m->start + m->available.index - at->completed),
             used = *(const volatile uint16_t *)&m->used.index;

    if (lent > at->posted - at->completed || lent > queue[side].size)
        return net_mismatch(d, side == RECEIVE ? "receive positions" : "transmit positions");
    if ((uint16_t)(m->available.index - used) > lent || (uint16_t)(used - m->taken) > lent)
        return net_mismatch(d, side == RECEIVE ? "received" : "transmitted");
    for (uint32_t k = at->completed; k != at->completed + lent; k++)
        if (!entry_agrees(d, side, k))
            return net_mismatch(d, side == RECEIVE ? "receive buffer" : "transmit buffer");
    at->lent = at->completed + lent;
    return true;
}

static void mask(struct net_device *d)
{
    (void)d;
    virtqueue_mask(&queue[RECEIVE]);
    virtqueue_mask(&queue[TRANSMIT]);
}

static bool virtio_net_adopt(struct net_device *d)
{
    if (!virtio_has_windows() || !virtio_is_alive())
        return net_mismatch(d, "the device is not at work");
    open_queues(d);
    if (!virtqueue_is_ours(&queue[RECEIVE]) || !virtqueue_is_ours(&queue[TRANSMIT]))
        return net_mismatch(d, "its queues are not where ours are");
    mask(d);
    chosen = virtio_chosen();
    if (!adopt_side(d, RECEIVE) || !adopt_side(d, TRANSMIT))
        return false;
    virtqueue_tell(&queue[RECEIVE]);
    virtqueue_tell(&queue[TRANSMIT]);
    return true;
}

/* ---- reset ---- */

static int virtio_net_reset(struct net_device *d)
{
    const uint64_t needed = FEATURE(FEATURE_VERSION_1) | FEATURE(FEATURE_MAC),
                   wanted = needed | FEATURE(FEATURE_STATUS) | FEATURE(FEATURE_PLATFORM);
    int error;

    if (!virtio_has_windows())
        return -ENODEV;
    open_queues(d);
    error = virtio_stop();
    if (error == 0)
        error = virtio_negotiate(wanted, needed, &chosen);
    if (error == 0)
        error = virtio_watch_configuration(true);
    if (error)
        return error;
    memset(memory_of(d), 0, sizeof *memory_of(d));
    for (unsigned side = 0; side < SIDES && error == 0; side++)
        error = virtqueue_set_up(&queue[side], QUEUE_LEAST, position_of(d, side)->completed);
    if (error)
        return error;
    mask(d);
    virtio_begin();
    return 0;
}

static bool link_is_up(void)
{
    return !(chosen & FEATURE(FEATURE_STATUS)) ||
           (mmio_read16(virtio_window(WINDOW_DEVICE), CONFIG_STATUS) & STATUS_LINK_UP);
}

static bool identify(struct net_device *d, uint8_t mac[6])
{
    (void)d;
    for (unsigned i = 0; i < 6; i++)
        mac[i] = mmio_read8(virtio_window(WINDOW_DEVICE), CONFIG_MAC + i);
    return link_is_up();
}

/* ---- interrupts ---- */

static bool unmask(struct net_device *d)
{
    bool quiet = virtqueue_unmask(&queue[RECEIVE]);

    if (d->tell_sent)
        quiet &= virtqueue_unmask(&queue[TRANSMIT]);
    return quiet;
}

/*
 * A change raises the same interrupt as a frame, and to read a register on every wake is dear. One
 * that comes within some ms of the last look is seen on the next wake: by then, when the line is
 * quiet, somebody wants to send.
 */
static bool acknowledge(struct net_device *d)
{
    uint64_t now = clock_now();

    virtio_acknowledge(); /* what it tells is known by a look, with MSI-X, too */
    if (now - looked < LINK_LOOKS)
        return false;
    looked = now;
    return link_is_up() != d->queue->link_up;
}

/* ---- frames ---- */

static uint32_t give(struct net_device *d, unsigned side, uint32_t first, uint32_t end)
{
    const struct net_position *at = position_of(d, side);

    if (end - at->completed > queue[side].size)
        end = at->completed + queue[side].size;
    for (uint32_t k = first; k != end; k++) {
        struct virtio_descriptor should = describe(d, side, k);

        if (side == TRANSMIT)
            memset((uint8_t *)d->queue + (should.address - d->physical), 0, HEADER);
        *descriptor_of(side, k) = should;
        *back_of(d, side, k) = 0;
        virtqueue_put(&queue[side], k - first, head_of(side, k));
    }
    if (first != end)
        virtqueue_give(&queue[side], end - first);
    return end - first;
}

static uint32_t lend(struct net_device *d, uint32_t first, uint32_t end)
{
    return give(d, RECEIVE, first, end);
}

static uint32_t transmit(struct net_device *d, uint32_t first, uint32_t end)
{
    return give(d, TRANSMIT, first, end);
}

/* Marks what has come back. */
static void look(struct net_device *d, unsigned side)
{
    const struct net_position *at = position_of(d, side);
    const struct virtqueue *q = &queue[side];
    uint32_t head, length;

    for (unsigned n = 0; n < q->size && virtqueue_look(q, &head, &length); n++) {
        bool is_lent =
            head < q->size && (head - at->completed) % q->size < at->lent - at->completed;

        if (is_lent) /* or the device lies */
            *back_of(d, side, head) = 1 + (length < LENGTH_MAX ? length : LENGTH_MAX);
        virtqueue_taken(q);
    }
}

static uint32_t receive(struct net_device *d)
{
    uint32_t k = d->receive.completed, back;

    look(d, RECEIVE);
    for (; k != d->receive.lent && (back = *back_of(d, RECEIVE, k)); k++) {
        struct net_entry *entry = net_receive_entry(d, k);
        uint32_t length = back - 1;
        bool good = length > HEADER && length <= descriptor_of(RECEIVE, k)->length;

        entry->length = good ? length - HEADER : 0;
        entry->status = good ? NET_FRAME_OK : NET_FRAME_BAD;
        d->queue->header.errors += !good;
    }
    return k - d->receive.completed;
}

static uint32_t transmitted(struct net_device *d)
{
    uint32_t k = d->transmit.completed;

    look(d, TRANSMIT);
    for (; k != d->transmit.lent && *back_of(d, TRANSMIT, k); k++) {
        struct net_entry *entry = net_transmit_entry(d, k);

        entry->length = 0;
        entry->status = NET_FRAME_OK;
    }
    return k - d->transmit.completed;
}

const struct net_driver virtio_net = {
    .name = "virtio-net",
    .masks_always = true,
    .tells_late = true,
    .adopt = virtio_net_adopt,
    .reset = virtio_net_reset,
    .identify = identify,
    .mask = mask,
    .unmask = unmask,
    .acknowledge = acknowledge,
    .receive = receive,
    .lend = lend,
    .transmit = transmit,
    .transmitted = transmitted,
};
