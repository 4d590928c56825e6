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
#define ID_PATIENCE (500 * MS)

static struct virtio_memory *memory_of(const struct block_device *d)
{
    return (struct virtio_memory *)d->chip;
}

static uint64_t physical_of(const struct block_device *d, const volatile void *at)
{
    return d->chip_physical + (uint64_t)((const volatile uint8_t *)at - d->chip);
}

/* It does not change while the device is set up. */
static uint64_t chosen;

static bool has(enum virtio_block_feature f)
{
    return chosen & FEATURE(f);
}

static struct virtqueue queue;

/* ---- giving and taking heads ---- */

static void give(struct block_device *d, uint32_t head, uint32_t parts)
{
    struct virtio_memory *m = memory_of(d);

    m->queue.descriptor[head] =
        (struct virtio_descriptor){.address = physical_of(d, m->part[head]),
                                   .length = parts * (uint32_t)sizeof(struct virtio_descriptor),
                                   .flags = DESCRIPTOR_INDIRECT};
    m->command[head].result = RESULT_NONE;
    virtqueue_put(&queue, 0, head);
    m->given[head] = 1u + m->queue.available.index;
    virtqueue_give(&queue, 1);
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

    if (r->operation == BLOCK_FLUSH && !has(FEATURE_FLUSH)) {
        /* without a write cache: a read of nothing ends at once */
        n = begin(d, k, REQUEST_GET_ID, 0);
        add_part(d, k, &n, physical_of(d, memory_of(d)->id), ID_BYTES, true);
        end(d, k, n);
        return true;
    }
    n = begin(d, k, types[r->operation], r->operation == BLOCK_FLUSH ? 0 : r->sector);
    memory_of(d)->command[k].is_flushed =
        r->operation == BLOCK_WRITE && (r->flags & BLOCK_FUA) && has(FEATURE_FLUSH);
    for (uint32_t i = 0; i < r->segments && r->operation != BLOCK_FLUSH; i++)
        add_part(d, k, &n, r->segment[i].address, r->segment[i].length, r->operation == BLOCK_READ);
    end(d, k, n);
    return true;
}

static uint32_t status_of(uint8_t result)
{
    if (result == RESULT_OK)
        return BLOCK_OK;
    return result == RESULT_UNSUPPORTED ? BLOCK_INVALID : BLOCK_ERROR;
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
    uint32_t done = 0, head, written;

    virtio_acknowledge(); /* always, for it may come after what it is about was seen */
    for (unsigned n = 0; n < HEADS && virtqueue_look(&queue, &head, &written); n++) {
        done |= take(d, head, written);
        virtqueue_taken(&queue);
    }
    return done;
}

/* ---- interrupts ---- */

static void mask(struct block_device *d)
{
    (void)d;
    virtqueue_mask(&queue);
}

static void unmask(struct block_device *d)
{
    (void)d;
    virtqueue_unmask(&queue); /* what has come back is looked for after it */
    virtio_acknowledge();
}

/* ---- setting up ---- */

/* The serial number; "" when it does not answer. */
static void read_id(struct block_device *d, char serial[ID_BYTES + 1])
{
    struct virtio_memory *m = memory_of(d);
    struct driver_wait wait = {.patience = ID_PATIENCE};
    uint32_t n = begin(d, 0, REQUEST_GET_ID, 0);

    add_part(d, 0, &n, physical_of(d, m->id), ID_BYTES, true);
    end(d, 0, n);
    while (m->given[0] && driver_waits(&wait))
        (void)finished(d);
    memset(serial, 0, ID_BYTES + 1);
    if (!m->given[0] && m->command[0].result == RESULT_OK)
        memcpy(serial, m->id, ID_BYTES);
}

static void show_unit(struct block_device *d)
{
    volatile void *config = virtio_window(WINDOW_DEVICE);
    struct block_unit u = {.sectors = mmio_read32(config, CONFIG_CAPACITY) |
                                      (uint64_t)mmio_read32(config, CONFIG_CAPACITY + 4) << 32,
                           .flags = BLOCK_UNIT_PRESENT,
                           .logical_size = BLOCK_SECTOR,
                           .model = "virtio disk"};

    if (has(FEATURE_BLOCK_SIZE))
        u.logical_size = mmio_read32(config, CONFIG_BLOCK_SIZE);
    u.physical_size = u.logical_size;
    if (has(FEATURE_TOPOLOGY) && mmio_read8(config, CONFIG_PHYSICAL_EXPONENT) < 8)
        u.physical_size <<= mmio_read8(config, CONFIG_PHYSICAL_EXPONENT);
    if (has(FEATURE_READ_ONLY))
        u.flags |= BLOCK_UNIT_READ_ONLY;
    if (has(FEATURE_FLUSH))
        u.flags |= BLOCK_UNIT_WRITE_CACHE;
    read_id(d, u.serial);
    block_unit_set(d, 0, &u);
}

static void open_queue(const struct block_device *d)
{
    queue = (struct virtqueue){.memory = &memory_of(d)->queue,
                               .physical = physical_of(d, &memory_of(d)->queue),
                               .size = HEADS};
}

static int reset(struct block_device *d)
{
    const uint64_t needed = FEATURE(FEATURE_VERSION_1) | FEATURE(FEATURE_INDIRECT),
                   wanted = FEATURE(FEATURE_READ_ONLY) | FEATURE(FEATURE_BLOCK_SIZE) |
                            FEATURE(FEATURE_FLUSH) | FEATURE(FEATURE_TOPOLOGY) |
                            FEATURE(FEATURE_PLATFORM) | needed;
    int error;

    if (!virtio_has_windows())
        return -ENODEV;
    open_queue(d);
    error = virtio_stop();
    if (error == 0)
        error = virtio_negotiate(wanted, needed, &chosen);
    if (error)
        return error;
    memset(memory_of(d), 0, sizeof *memory_of(d));
    error = virtio_watch_configuration(false);
    if (error == 0)
        error = virtqueue_set_up(&queue, HEADS, 0);
    if (error)
        return error;
    mask(d);
    virtio_begin();
    show_unit(d);
    return 0;
}

static bool adopt(struct block_device *d)
{
    struct virtio_memory *m = memory_of(d);

    if (!virtio_has_windows() || !virtio_is_alive())
        return block_mismatch(d, "the device is not at work");
    chosen = virtio_chosen();
    open_queue(d);
    if (!virtqueue_is_ours(&queue) || queue.size != HEADS)
        return block_mismatch(d, "its queue is not where ours is");
    mask(d);
    d->issued = 0;
    for (uint32_t head = 0; head < HEADS; head++) {
        if (m->given[head] == 1u + m->queue.available.index)
            m->given[head] = 0; /* our predecessor died before the device could see it */
        if (m->given[head])
            d->issued |= 1u << head % BLOCK_SLOTS;
    }
    virtqueue_tell(&queue);
    return true;
}

const struct block_driver virtio_block = {
    .name = "virtio-block",
    .kind = "vd",
    .adopt = adopt,
    .reset = reset,
    .mask = mask,
    .unmask = unmask,
    .issue = issue,
    .finished = finished,
};
