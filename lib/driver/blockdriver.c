/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The logic of block drivers between queue and chip (contract in blockdriver.h). It makes no kernel
 * call, so that the unit tests run it on the host.
 */
#include "lib/driver/blockdriver.h"

#include <stddef.h>
#include <string.h>

#include "lib/rt/log.h"

void block_device_open(struct block_device *d, const struct block_driver *driver,
                       volatile void *registers, void *queue, uint64_t physical, uint64_t size)
{
    *d = (struct block_device){.driver = driver,
                               .registers = registers,
                               .queue = queue,
                               .memory = queue,
                               .physical = physical,
                               .size = size};
    if (queue == 0 || size < BLOCK_BUFFERS_OFFSET || physical + size > UINT32_MAX)
        panic("no queue, or a bad one: %#lx bytes at physical %#lx", size, physical);
    if (driver->registers_size && registers == 0)
        panic("the device has no registers");
    d->chip = d->memory + BLOCK_CHIP_OFFSET;
    d->chip_physical = physical + BLOCK_CHIP_OFFSET;
}

void block_unit_set(struct block_device *d, unsigned unit, const struct block_unit *found)
{
    struct block_unit *u = &d->queue->unit[unit], fresh = *found;
    bool same = u->sectors == found->sectors && strcmp(u->model, found->model) == 0 &&
                strcmp(u->serial, found->serial) == 0 &&
                (u->flags ^ found->flags) % (2 * BLOCK_UNIT_READ_ONLY) == 0;

    fresh.generation = same ? u->generation : u->generation + 1;
    *u = fresh;
}

static void complete(struct block_device *d, unsigned k, enum block_status status)
{
    struct block_queue *q = d->queue;

    d->issued &= ~(1u << k);
    if (status != BLOCK_OK)
        q->header.errors++;
    q->status[k] = status;
    queue_publish(&q->completed[k], d->posted[k]);
    d->wake_client = true;
}

static void lose_writes(struct block_device *d)
{
    struct block_queue *q = d->queue;

    for (unsigned k = 0; k < BLOCK_SLOTS; k++) {
        d->posted[k] = queue_read(&q->posted[k]);
        if (d->posted[k] != q->completed[k] &&
            *(volatile uint32_t *)&q->request[k].operation != BLOCK_READ)
            complete(d, k, BLOCK_LOST);
    }
}

int block_device_start(struct block_device *d, bool may_adopt, enum queue_driver_state *state)
{
    struct block_queue *q = d->queue;

    /* Who was here before may have written anywhere in the queue: nothing that is in it is done until the
     * client has seen that there is a fresh driver, and has written its requests once more. */
    if (!d->driver->passes_on)
        queue_publish(&q->header.client_ready, 0);
    if (d->driver->once && q->header.driver_state != QUEUE_DRIVER_NONE)
        lose_writes(d);
    d->mismatch = "reset was ordered";
    if (may_adopt && q->header.driver_state != QUEUE_DRIVER_NONE && d->driver->adopt(d)) {
        d->mismatch = 0;
        *state = QUEUE_DRIVER_ADOPTED;
        q->header.adoptions++;
        for (unsigned k = 0; k < BLOCK_SLOTS; k++) {
            d->posted[k] = queue_read(&q->posted[k]);
            if (d->posted[k] == q->completed[k])
                d->issued &= ~(1u << k); /* nobody waits for it */
        }
        return 0;
    }
    d->issued = 0;
    *state = QUEUE_DRIVER_RESET;
    q->header.resets++;
    strncpy(q->kind, d->driver->kind, sizeof q->kind - 1);
    return d->driver->reset(d);
}

/* ---- requests ---- */

static bool inside(uint64_t address, uint64_t length, uint64_t start, uint64_t size)
{
    return address >= start && address - start <= size && length <= size - (address - start);
}

/* May the device reach this memory? */
static bool may_reach(const struct block_device *d, const struct block_unit *u,
                      const struct block_segment *s)
{
    if (inside(s->address, s->length, d->physical + BLOCK_BUFFERS_OFFSET,
               d->size - BLOCK_BUFFERS_OFFSET))
        return true;
    for (unsigned i = 0; i < d->region_count && !(u->flags & BLOCK_UNIT_COPY); i++)
        if (inside(s->address, s->length, d->regions[i].physical, d->regions[i].size))
            return true;
    return false;
}

static enum block_status check_transfer(const struct block_device *d, const struct block_request *r,
                                        const struct block_unit *u)
{
    uint64_t bytes = 0;

    if (r->sectors == 0 || r->sectors > BLOCK_TRANSFER_MAX / BLOCK_SECTOR ||
        r->sector > u->sectors || r->sectors > u->sectors - r->sector)
        return BLOCK_INVALID;
    if (u->logical_size > BLOCK_SECTOR &&
        ((r->sector | r->sectors) * BLOCK_SECTOR) % u->logical_size)
        return BLOCK_INVALID;
    for (unsigned i = 0; i < r->segments; i++) {
        const struct block_segment *s = &r->segment[i];

        if (s->length == 0 || (s->address | s->length) % BLOCK_SECTOR || !may_reach(d, u, s))
            return BLOCK_INVALID;
        bytes += s->length;
    }
    if (bytes != (uint64_t)r->sectors * BLOCK_SECTOR)
        return BLOCK_INVALID;
    return r->operation == BLOCK_WRITE && (u->flags & BLOCK_UNIT_READ_ONLY) ? BLOCK_READ_ONLY
                                                                            : BLOCK_OK;
}

/* Takes a copy, which the client cannot change any more, and checks that. */
static enum block_status take_request(const struct block_device *d, unsigned k,
                                      struct block_request *r)
{
    const struct block_request *posted = &d->queue->request[k];
    const struct block_unit *u;

    memcpy(r, posted, offsetof(struct block_request, segment));
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* what was copied is what is checked */
    if (r->flags & BLOCK_ABANDONED)
        return BLOCK_ERROR;
    if (r->segments > BLOCK_SEGMENTS)
        return BLOCK_INVALID;
    memcpy(r->segment, posted->segment, r->segments * sizeof r->segment[0]);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (r->unit >= BLOCK_UNITS || !(d->queue->unit[r->unit].flags & BLOCK_UNIT_PRESENT))
        return BLOCK_GONE;
    u = &d->queue->unit[r->unit];
    if (r->operation == BLOCK_FLUSH)
        return BLOCK_OK;
    return r->operation == BLOCK_READ || r->operation == BLOCK_WRITE ? check_transfer(d, r, u)
                                                                     : BLOCK_INVALID;
}

/* ---- a turn ---- */

static bool report_finished(struct block_device *d)
{
    uint32_t done = d->driver->finished(d) & d->issued;

    for (uint32_t rest = done; rest; rest &= rest - 1) {
        unsigned k = (unsigned)__builtin_ctz(rest);

        complete(d, k, d->status[k]);
    }
    return done != 0;
}

/* The slot that was posted first of those that wait: none is passed over for ever by a chip that
 * takes one at a time. */
static int oldest(const struct block_device *d, uint32_t waiting)
{
    int best = -1;

    for (; waiting; waiting &= waiting - 1) {
        int k = __builtin_ctz(waiting);

        if (best < 0 || (int32_t)(d->queue->posted[k] - d->queue->posted[best]) < 0)
            best = k;
    }
    return best;
}

/* In the order in which they were posted, but for each unit by itself: one that has no room holds
 * up what comes after it there, so that nothing is overtaken, and no other unit. What is refused is
 * done, too: the client waits for an answer to each. */
static bool issue_new(struct block_device *d)
{
    struct block_queue *q = d->queue;
    uint32_t waiting = 0,
             full = 0; /* full: units that take nothing now, so that all stays in order */
    bool moved = false;
    int k;

    for (unsigned i = 0; i < BLOCK_SLOTS; i++)
        if (!(d->issued >> i & 1) && queue_read(&q->posted[i]) != q->completed[i])
            waiting |= 1u << i;
    while ((k = oldest(d, waiting)) >= 0) {
        static struct block_request r;
        enum block_status status;

        waiting &= ~(1u << k);
        d->posted[k] = queue_read(&q->posted[k]);
        status = take_request(d, (unsigned)k, &r);
        if (status != BLOCK_OK) {
            complete(d, (unsigned)k, status);
        } else if (full >> r.unit & 1 || !d->driver->issue(d, (unsigned)k, &r)) {
            full |= 1u << r.unit;
            continue;
        } else {
            d->issued |= 1u << k;
        }
        moved = true;
    }
    return moved;
}

bool block_device_serve(struct block_device *d)
{
    bool moved;

    if (!queue_read(&d->queue->header.client_ready))
        return false;
    *(volatile uint32_t *)&d->queue->driver_waits = 0; /* awake: no notifications */
    moved = report_finished(d);
    return issue_new(d) || moved;
}

bool block_device_settle(struct block_device *d)
{
    struct block_queue *q = d->queue;

    *(volatile uint32_t *)&q->driver_waits = 1;
    /* driver_waits before posted: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!queue_read(&q->header.client_ready))
        return true; /* nothing that is posted counts yet */
    for (unsigned k = 0; k < BLOCK_SLOTS; k++)
        if (!(d->issued >> k & 1) && queue_read(&q->posted[k]) != q->completed[k])
            return d->issued != 0; /* it has been offered: the chip has no room */
    return true;
}

/* ---- in the loop ---- */

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct block_device device;
    const struct block_driver *chip = driver;
    struct block_device *d = &device;
    int status;

    block_device_open(d, chip, device_registers(&info->device, chip->registers_size),
                      (void *)(uintptr_t)info->queue.address, info->queue.physical,
                      info->queue.size);
    d->ports = device_ports(&info->device);
    d->regions = info->region;
    d->region_count = SERVICE_REGIONS;
    *start = (struct driver_start){.device = d, .header = &d->queue->header, .class = "block"};
    status = block_device_start(d, info->adopt, &start->state);
    start->mismatch = d->mismatch;
    return status;
}

static void started(void *device)
{
    struct block_device *d = device;

    d->driver->unmask(d);
}

static unsigned serve(void *device)
{
    struct block_device *d = device;
    unsigned turn = block_device_serve(d) ? DRIVER_MOVED : 0;

    if (!d->wake_client)
        return turn;
    d->wake_client = false;
    /* completed before client_waits: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return *(volatile uint32_t *)&d->queue->client_waits ? turn | DRIVER_TELL : turn;
}

static bool settle_queue(void *device)
{
    return block_device_settle(device);
}

static void silence(void *device)
{
    struct block_device *d = device;

    d->driver->mask(d);
}

/* IDE's interrupts are edges. (And nothing is to be had by holding others back, as from network
 * cards: what we give the chip is not done at once.) */
const struct driver_class block_class = {
    .interrupts = DRIVER_INTERRUPTS_EDGE,
    .turns = 64,
    .serves_first = true,
    .open = open,
    .started = started,
    .serve = serve,
    .settle = settle_queue,
    .silence = silence,
};
