/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File servers. Each has a queue in which this server is what a driver is in those to the drivers:
 * lib/driver/blockdriver.c serves it, and the "chip" below it is the queue to the driver of the
 * disk. A request goes on with the same memory; its cookie names the slot that it came from, so
 * that a fresh disk server knows which requests its predecessor has passed on already.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/driver/blockdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/disk.h"

enum { VOLUMES_MAX = 16, SLOTS_LEFT = 4 /* of a driver's queue, for others */, MARK = 0xf5 };

struct volume {
    struct block_device device; /* first: the functions below get it */
    struct service_queue place;
    struct device *disk; /* NULL: not attached */
    struct partition part;
    uint32_t number; /* of the device: makedev() */
    uint32_t generation; /* of the medium that was attached */
    uint32_t done; /* slots that have ended */
    struct {
        uint64_t first, sectors; /* of the disk; 0 sectors: none */
    } write[BLOCK_SLOTS]; /* what is being written */
    bool is_started;
    bool is_copied; /* as the unit said when it was attached: the driver could change its mind */
};

static struct volume *volumes[VOLUMES_MAX];
static unsigned count;

static struct volume *volume_of(struct block_device *d)
{
    return (struct volume *)d;
}

static uint64_t cookie_of(const struct volume *v, unsigned slot)
{
    return (uint64_t)MARK << 56 | (uint64_t)v->place.number << 48 | (uint64_t)slot << 32 |
           v->device.queue->posted[slot];
}

/* ---- what a chip does ---- */

static uint32_t status_of(int error)
{
    switch (error) {
    case 0:
        return BLOCK_OK;
    case EROFS:
        return BLOCK_READ_ONLY;
    case ENXIO:
        return BLOCK_GONE;
    case EINVAL:
        return BLOCK_INVALID;
    default:
        return BLOCK_ERROR;
    }
}

/* What the raw device has in memory of what was written is forgotten, which it knows nothing of,
 * and before the file server hears of it. Not when the write begins: what is read until it has
 * ended may be the old contents. */
static void ended(struct job *job, int error)
{
    struct volume *v = job->volume;

    if (job->copy)
        copy_end(job->copy, error);
    if (v->write[job->slot].sectors)
        chunks_forget_part(v->disk->adapter, v->disk->unit, v->write[job->slot].first,
                           v->write[job->slot].sectors);
    v->write[job->slot].sectors = 0;
    v->device.status[job->slot] = status_of(error);
    v->done |= 1u << job->slot;
}

/* Those that a predecessor has passed on and that are still under way. Copied ones are passed on
 * again: whose memory is whose in the buffers is not known any more. */
static bool adopt(struct block_device *d)
{
    struct volume *v = volume_of(d);
    struct adapter *a = v->disk->adapter;

    d->issued = 0;
    for (uint32_t rest = v->is_copied ? 0 : a->orphans; rest; rest &= rest - 1) {
        int k = __builtin_ctz(rest);
        uint64_t cookie = block_request(&a->client, k)->cookie;
        unsigned slot = cookie >> 32 & 0xff;

        if (slot >= BLOCK_SLOTS || cookie != cookie_of(v, slot))
            continue;
        a->orphans &= ~(1u << k);
        a->job[k] = (struct job){.done = ended, .volume = v, .slot = slot};
        v->write[slot].first = 0; /* (it does not matter how much is forgotten, once) */
        v->write[slot].sectors = block_request(&a->client, k)->operation == BLOCK_WRITE ? ~0ull : 0;
        d->issued |= 1u << slot;
    }
    return true;
}

static int reset(struct block_device *d)
{
    (void)d; /* the driver below takes care of its own */
    return 0;
}

static void nothing(struct block_device *d)
{
    (void)d;
}

static bool is_full(const struct volume *v)
{
    struct adapter *a = v->disk->adapter;

    return __builtin_popcount(a->client.used) >= (int)BLOCK_SLOTS - SLOTS_LEFT ||
           (v->is_copied && !copy_is_possible(a));
}

/* False means that it is offered again: so what can never be done ends at once. */
static bool issue(struct block_device *d, unsigned k, const struct block_request *r)
{
    struct volume *v = volume_of(d);
    struct adapter *a = v->disk->adapter;
    struct block_request *copy;
    struct job *job;

    if (unit_is_gone(a, v->disk->unit)) {
        d->status[k] = BLOCK_GONE;
        v->done |= 1u << k;
        return true;
    }
    if (is_full(v))
        return false;
    job = adapter_begin(a, &copy);
    if (!job)
        return false;
    *copy = *r;
    copy->unit = v->disk->unit;
    copy->sector = r->sector + v->part.first;
    copy->cookie = cookie_of(v, k);
    *job = (struct job){.done = ended, .volume = v, .slot = k, .memory = &v->place};
    if (v->is_copied && r->operation != BLOCK_FLUSH) {
        job->copy = copy_begin(a, &v->place, copy);
        job->memory = NULL;
    }
    v->write[k].first = r->sector + v->part.first;
    v->write[k].sectors = r->operation == BLOCK_WRITE ? r->sectors : 0;
    adapter_post(a, job);
    return true;
}

static uint32_t finished(struct block_device *d)
{
    struct volume *v = volume_of(d);
    uint32_t done = v->done;

    v->done = 0;
    return done;
}

static const struct block_driver passing_on = {
    .name = "volume",
    .kind = "volume",
    .passes_on = true,
    .adopt = adopt,
    .reset = reset,
    .mask = nothing,
    .unmask = nothing,
    .issue = issue,
    .finished = finished,
};

/* ---- attaching ---- */

void volume_create(const struct service_queue *place)
{
    struct volume *v = calloc(1, sizeof *v);

    if (!v || count == VOLUMES_MAX || place->size < BLOCK_BUFFERS_OFFSET ||
        place->physical + place->size > UINT32_MAX) {
        log_info("no room for the file server %.16s", place->driver);
        free(v);
        return;
    }
    v->place = *place;
    block_device_open(&v->device, &passing_on, NULL, (void *)(uintptr_t)place->address,
                      place->physical, place->size);
    volumes[count++] = v;
}

/* "8:1"; 0: it is none. */
static uint32_t parse(const struct block_queue *q)
{
    char text[sizeof q->wanted + 1] = "", *end;
    unsigned long major_number, minor_number;

    memcpy(text, q->wanted, sizeof q->wanted);
    major_number = strtoul(text, &end, 10);
    if (*end != ':' || major_number > 4095)
        return 0;
    minor_number = strtoul(end + 1, &end, 10);
    return *end || minor_number > 0xfffff ? 0 : (uint32_t)makedev(major_number, minor_number);
}

static void show_unit(struct volume *v)
{
    struct block_unit unit = *device_unit(v->disk);

    unit.sectors = v->part.sectors;
    unit.logical_size = unit_logical_size(v->disk->adapter, v->disk->unit);
    unit.flags &= ~(uint32_t)BLOCK_UNIT_COPY; /* that is done here */
    block_unit_set(&v->device, 0, &unit);
}

static void notify(const struct volume *v)
{
    ipc_notify(v->device.queue->client, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
}

static void announce(struct volume *v, int error)
{
    struct block_queue *q = v->device.queue;
    const struct service_info *info = service_info();

    q->attach_error = (uint32_t)error;
    q->header.driver = info->self;
    q->header.driver_state = QUEUE_DRIVER_ADOPTED;
    q->header.ready_ns = clock_now();
    queue_publish(&q->attach_done, q->attach_wanted);
    queue_publish(&q->header.incarnation, info->incarnation); /* last: it covers the others */
    notify(v);
}

/* What the unit says now is what later looks are compared with. Requests that a predecessor has
 * passed on are found before the file server hears of us, and the answer is published last of all:
 * by it the client goes on. */
static void attach(struct volume *v)
{
    struct block_queue *q = v->device.queue;
    enum queue_driver_state state;
    struct partition part;
    struct device *disk;

    v->number = parse(q);
    disk = device_of(v->number, &part);
    if (!disk && !devices_are_known())
        return; /* it may be one of those whose partitions are not known yet */
    if (disk && !disk->is_known && !unit_is_gone(disk->adapter, disk->unit))
        return; /* it may be one that is checked */
    v->is_started = true;
    if (!disk) {
        announce(v, ENXIO);
        return;
    }
    v->disk = disk;
    v->part = part;
    v->generation = device_unit(disk)->generation;
    v->is_copied = device_unit(disk)->flags & BLOCK_UNIT_COPY;
    if (v->is_copied && !copies_are_there(disk->adapter)) {
        announce(v, ENXIO);
        v->disk = NULL;
        return;
    }
    show_unit(v);
    block_device_start(&v->device, true, &state);
    announce(v,
             q->wants_write && (device_unit(disk)->flags & (BLOCK_UNIT_READ_ONLY | BLOCK_UNIT_ONCE))
                 ? EROFS
                 : 0);
}

/* The disk was pulled, or another one was put in: the requests fail. */
static void watch(struct volume *v)
{
    const struct block_unit *u = device_unit(v->disk);
    bool is_there = (u->flags & BLOCK_UNIT_PRESENT) && u->generation == v->generation &&
                    !unit_is_gone(v->disk->adapter, v->disk->unit);

    if (!is_there)
        v->device.queue->unit[0].flags = 0;
}

void volumes_look(void)
{
    for (unsigned i = 0; i < count; i++) {
        struct volume *v = volumes[i];
        struct block_queue *q = v->device.queue;

        if (!queue_read(&q->header.client_ready))
            continue;
        if (v->is_started && q->attach_done != queue_read(&q->attach_wanted)) {
            if (v->device.issued)
                continue; /* first what the mount before has left */
            v->is_started = false;
            v->disk = NULL;
        }
        if (!v->is_started)
            attach(v);
        else if (v->disk)
            watch(v);
    }
}

/* ---- serving ---- */

bool volumes_serve(void)
{
    bool moved = false;

    for (unsigned i = 0; i < count; i++)
        if (volumes[i]->disk)
            moved |= block_device_serve(&volumes[i]->device);
    return moved;
}

bool volumes_settle(void)
{
    bool quiet = true;

    for (unsigned i = 0; i < count; i++) {
        struct volume *v = volumes[i];

        if (!v->disk)
            continue;
        quiet &= block_device_settle(&v->device) || is_full(v);
        if (!v->device.wake_client)
            continue;
        v->device.wake_client = false;
        /* completed before client_waits: the client does it the other way round */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (*(volatile uint32_t *)&v->device.queue->client_waits)
            notify(v);
    }
    return quiet;
}
