/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logic of network drivers between queue and chip (contract in netdriver.h). It makes no kernel
 * call, so that the unit tests run it on the host.
 */
#include "lib/driver/netdriver.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/log.h"

/* Below this many lent buffers the driver wants to hear of new ones; above, it finds them when it
 * next wakes. */
#define RECEIVE_LOW (NET_RING_SIZE / 2)
/* Above this many frames that are being sent the client may be about to run out of room. */
#define SENDING_HIGH (NET_RING_SIZE / 2)
/* ns until what no interrupt tells of is looked after; well below net's patience */
#define SENT_LATE 20000000

uint32_t net_buffer(const struct net_device *d, const struct net_entry *entry, uint32_t least,
                    uint32_t most, uint32_t *size)
{
    uint32_t offset = *(const volatile uint32_t *)&entry->offset;
    uint32_t bytes = *(const volatile uint32_t *)&entry->size;

    if (bytes < least || bytes > most || offset % 4 != 0 ||
        offset < QUEUE_BUFFERS_OFFSET + NET_HEADROOM || offset > d->size ||
        bytes > d->size - offset)
        panic("client posted a bad buffer: offset %#x, size %u", offset, bytes);
    *size = bytes;
    return offset;
}

/* The client's `posted`, in bounds. */
static uint32_t ring_posted(const struct net_ring *ring, uint32_t completed)
{
    uint32_t posted = queue_read(&ring->posted);

    if (posted - completed > NET_RING_SIZE)
        panic("client posted %u entries, the ring has %u", posted - completed, NET_RING_SIZE);
    return posted;
}

static void ring_complete(struct net_device *d, struct net_ring *ring, struct net_position *at,
                          uint32_t count)
{
    at->completed += count;
    queue_publish(&ring->completed, at->completed);
    /* completed before client_waits: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (*(volatile uint32_t *)&ring->client_waits)
        d->wake_client = true;
}

static void position_open(struct net_position *at, const struct net_ring *ring)
{
    at->completed = ring->completed;
    at->lent = at->completed;
    at->posted = ring_posted(ring, at->completed);
}

void net_device_open(struct net_device *d, const struct net_driver *driver,
                     volatile void *registers, void *queue, uint64_t physical, uint64_t size)
{
    *d =
        (struct net_device){.driver = driver, .registers = registers, .queue = queue, .size = size};
    if (queue == 0 || size < NET_QUEUE_BYTES || physical + size > UINT32_MAX)
        panic("no queue, or a bad one: %#lx bytes at physical %#lx", size, physical);
    if (driver->registers_size && registers == 0)
        panic("the device has no registers");
    d->physical = (uint32_t)physical;
    d->chip = (uint8_t *)queue + QUEUE_CHIP_OFFSET;
    d->chip_physical = d->physical + QUEUE_CHIP_OFFSET;
    position_open(&d->receive, &d->queue->receive);
    position_open(&d->transmit, &d->queue->transmit);
}

/* A card to which an ill driver has given another address takes in what is for that: it is not
 * adopted. */
static bool goes_on(struct net_device *d)
{
    struct net_queue *q = d->queue;
    uint8_t mac[6];
    bool up;

    if (!d->driver->adopt(d))
        return false;
    up = d->driver->identify(d, mac);
    if (memcmp(mac, q->mac, sizeof mac) != 0)
        return net_mismatch(d, "station address");
    q->link_up = up;
    return true;
}

int net_device_start(struct net_device *d, bool may_adopt, enum queue_driver_state *state)
{
    struct net_queue *q = d->queue;
    int status;

    d->mismatch = "reset was ordered";
    if (may_adopt && goes_on(d)) {
        d->mismatch = 0;
        *state = QUEUE_DRIVER_ADOPTED;
        q->header.adoptions++;
        return 0;
    }
    d->receive.lent = d->receive.completed;
    d->transmit.lent = d->transmit.completed;
    *state = QUEUE_DRIVER_RESET;
    q->header.resets++;
    status = d->driver->reset(d);
    if (status == 0)
        q->link_up = d->driver->identify(d, q->mac);
    return status;
}

static bool serve_transmit(struct net_device *d)
{
    struct net_ring *ring = &d->queue->transmit;
    struct net_position *at = &d->transmit;
    uint32_t begin = at->completed, done;

    at->posted = ring_posted(ring, at->completed);
    while (at->posted != at->completed) {
        if (at->posted != at->lent)
            at->lent += d->driver->transmit(d, at->lent, at->posted);
        done = d->driver->transmitted(d);
        if (done == 0)
            break;
        ring_complete(d, ring, at, done);
    }
    return at->completed != begin;
}

static bool serve_receive(struct net_device *d)
{
    struct net_ring *ring = &d->queue->receive;
    struct net_position *at = &d->receive;
    uint32_t done;

    at->posted = ring_posted(ring, at->completed);
    if (at->posted != at->lent)
        at->lent += d->driver->lend(d, at->lent, at->posted);
    done = d->driver->receive(d);
    if (done != 0)
        ring_complete(d, ring, at,
                      done); /* and so before the next lend(), which uses the descriptors again */
    return done != 0;
}

bool net_device_serve(struct net_device *d)
{
    bool moved;

    if (!queue_read(&d->queue->header.client_ready))
        return false;
    *(volatile uint32_t *)&d->queue->receive.driver_waits = 0; /* awake: no notifications */
    *(volatile uint32_t *)&d->queue->transmit.driver_waits = 0;
    moved = serve_transmit(d); /* first: the answer to what we send may be there at once */
    return serve_receive(d) || moved;
}

bool net_device_settle(struct net_device *d)
{
    struct net_ring *receive = &d->queue->receive, *transmit = &d->queue->transmit;
    bool low = d->receive.lent - d->receive.completed < RECEIVE_LOW;

    *(volatile uint32_t *)&receive->driver_waits = low;
    *(volatile uint32_t *)&transmit->driver_waits = 1;
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* driver_waits before posted: the client does it the other way round */
    if (!queue_read(&d->queue->header.client_ready))
        return true; /* nothing that is posted counts yet */
    return (!low || queue_read(&receive->posted) == d->receive.posted) &&
           queue_read(&transmit->posted) == d->transmit.posted;
}

bool net_device_sends_quietly(struct net_device *d)
{
    const struct net_position *at = &d->transmit;
    uint32_t sending = at->lent - at->completed;
    bool is_urgent = *(volatile uint32_t *)&d->queue->transmit.client_waits ||
                     at->posted != at->lent || sending > SENDING_HIGH;

    d->tell_sent = sending && (!d->driver->tells_late || is_urgent);
    return sending && !d->tell_sent;
}

/* ---- in the loop ---- */

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct net_device device;
    const struct net_driver *chip = driver;
    struct net_device *d = &device;
    int status;

    net_device_open(d, chip, device_registers(&info->device, chip->registers_size),
                    (void *)(uintptr_t)info->queue.address, info->queue.physical, info->queue.size);
    *start = (struct driver_start){.device = d, .header = &d->queue->header, .class = "net"};
    status = net_device_start(d, info->adopt, &start->state);
    start->mismatch = d->mismatch;
    d->queue->mtu = 1500;
    return status;
}

/* A pin's interrupt arrives masked at the controller, an MSI does not; a notification finds it
 * open. Then the chip's own mask keeps it quiet while we work: sending brings answers at once. */
static bool masks(const struct net_device *d, const struct driver_wake *w)
{
    return !w->interrupted || d->driver->masks_always;
}

static void begin(void *device, const struct driver_wake *w)
{
    struct net_device *d = device;

    if (masks(d, w))
        d->driver->mask(d);
}

static unsigned serve(void *device)
{
    struct net_device *d = device;
    bool moved = net_device_serve(d), tells = d->wake_client;

    d->wake_client = false;
    return (moved ? DRIVER_MOVED : 0) | (tells ? DRIVER_TELL : 0);
}

static unsigned clear(void *device)
{
    struct net_device *d = device;
    uint8_t mac[6]; /* is known, and does not change */
    uint32_t up;

    if (!d->driver->acknowledge(d))
        return 0;
    up = d->driver->identify(d, mac);
    if (up == d->queue->link_up)
        return 0;
    d->queue->link_up = up;
    log_info("link %s", up ? "up" : "down");
    return DRIVER_TELL;
}

static bool settle(void *device)
{
    return net_device_settle(device);
}

static bool rest(void *device, struct driver_wake *w)
{
    struct net_device *d = device;

    if (net_device_sends_quietly(d))
        w->alarm_ns = SENT_LATE;
    return !(masks(d, w) || d->tell_sent) || d->driver->unmask(d);
}

static void silence(void *device)
{
    struct net_device *d = device;

    d->driver->mask(d);
}

const struct driver_class net_class = {
    .interrupts = DRIVER_INTERRUPTS_LEVEL,
    .turns = 64,
    .serves_first = true,
    .empty = "the chip has frames, and none of them is found",
    .open = open,
    .begin = begin,
    .serve = serve,
    .clear = clear,
    .settle = settle,
    .rest = rest,
    .silence = silence,
};
