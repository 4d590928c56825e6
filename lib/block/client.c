/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/block/client.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static uint32_t segments_of(const struct block_request *r)
{
    return r->segments < BLOCK_SEGMENTS ? r->segments : BLOCK_SEGMENTS;
}

static void copy_request(struct block_request *to, const struct block_request *from)
{
    memcpy(to, from,
           offsetof(struct block_request, segment) + segments_of(from) * sizeof from->segment[0]);
}

/* What only we write, once more: the driver before this one may have changed it. */
static void block_claim(struct block_client *c)
{
    if (!c->is_ready)
        return;
    for (uint32_t rest = c->used; rest; rest &= rest - 1) {
        int k = __builtin_ctz(rest);

        copy_request(&c->queue->request[k], &c->request[k]);
    }
    for (unsigned k = 0; k < BLOCK_SLOTS; k++)
        queue_publish(&c->queue->posted[k], c->sequence[k]);
    queue_claim(&c->queue->header, BLOCK_QUEUE_MAGIC);
}

void block_client_ready(struct block_client *c)
{
    c->is_ready = true;
    block_claim(c);
    c->kick = true;
}

static void note_driver(struct block_client *c)
{
    const struct queue_header *h = &c->queue->header;
    uint32_t incarnation = queue_read(&h->incarnation);

    if (incarnation == c->incarnation)
        return;
    c->incarnation = incarnation;
    c->driver = h->driver;
    block_claim(c);
    c->fresh = incarnation != h->reintegrated_incarnation;
    c->kick = true;
}

void block_client_open(struct block_client *c, const struct service_queue *where)
{
    struct block_queue *q = (void *)(uintptr_t)where->address;

    *c = (struct block_client){.queue = q, .physical = where->physical, .size = where->size};
    for (unsigned k = 0; k < BLOCK_SLOTS; k++) {
        c->sequence[k] = q->posted[k];
        if ((int32_t)(c->sequence[k] - c->last) > 0)
            c->last = c->sequence[k];
        if (q->posted[k] == queue_read(&q->completed[k]))
            continue;
        c->used |= 1u << k;
        copy_request(&c->request[k], &q->request[k]);
    }
    note_driver(c);
}

int block_slot(struct block_client *c)
{
    return c->used == ~0u ? -1 : __builtin_ctz(~c->used);
}

void block_post(struct block_client *c, int slot, uint64_t now)
{
    if (++c->last == 0)
        c->last++;
    c->used |= 1u << slot;
    c->sequence[slot] = c->last;
    c->posted_ns[slot] = now;
    copy_request(&c->queue->request[slot], &c->request[slot]);
    queue_publish(&c->queue->posted[slot], c->last);
    c->kick = true;
}

bool block_kick(struct block_client *c)
{
    note_driver(c);
    if (!c->kick || c->incarnation == 0)
        return false;
    c->kick = false;
    /* posted before driver_waits: the driver does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return *(volatile uint32_t *)&c->queue->driver_waits != 0;
}

static void note_done(struct block_client *c, uint64_t now)
{
    struct queue_header *h = &c->queue->header;

    if (!c->fresh)
        return;
    c->fresh = false;
    h->reintegrated_ns = now;
    queue_publish(&h->reintegrated_incarnation, c->incarnation); /* last: it covers the time */
}

uint32_t block_finished(struct block_client *c, uint64_t now)
{
    uint32_t done = 0;

    note_driver(c);
    if (c->used == 0)
        note_done(c, now); /* nobody has been waiting */
    for (uint32_t rest = c->used & ~c->held; rest; rest &= rest - 1) {
        int k = __builtin_ctz(rest);

        if (queue_read(&c->queue->completed[k]) == c->sequence[k])
            done |= 1u << k;
    }
    if (done)
        note_done(c, now);
    return done;
}

static void count(struct block_queue *queue, const struct block_request *r)
{
    struct block_count *n = &queue->count[r->unit % BLOCK_UNITS];

    queue->header.useful++;
    if (r->operation == BLOCK_READ) {
        n->reads++;
        n->sectors_read += r->sectors;
    } else if (r->operation == BLOCK_WRITE) {
        n->writes++;
        n->sectors_written += r->sectors;
    }
}

void block_abandon(struct block_client *c, int slot)
{
    c->request[slot].flags |= BLOCK_ABANDONED;
    *(volatile uint32_t *)&c->queue->request[slot].flags = c->request[slot].flags;
}

void block_free(struct block_client *c, int slot)
{
    /* A driver whose words say that it was never done does not do it now. */
    block_abandon(c, slot);
    c->used &= ~(1u << slot);
    if (queue_read(&c->queue->status[slot]) == BLOCK_OK)
        count(c->queue, &c->request[slot]);
}

bool block_settle(struct block_client *c)
{
    *(volatile uint32_t *)&c->queue->client_waits = 1;
    /* client_waits before completed: the driver does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t rest = c->used & ~c->held; rest; rest &= rest - 1) {
        int k = __builtin_ctz(rest);

        if (queue_read(&c->queue->completed[k]) == c->sequence[k])
            return false;
    }
    return queue_read(&c->queue->header.incarnation) == c->incarnation;
}

bool block_add(struct block_request *r, uint64_t address, uint32_t length)
{
    struct block_segment *last = &r->segment[r->segments - 1];

    if (r->segments && last->address + last->length == address) {
        last->length += length;
    } else {
        if (r->segments == BLOCK_SEGMENTS)
            return false;
        r->segment[r->segments++] = (struct block_segment){address, length, 0};
    }
    r->sectors += length / BLOCK_SECTOR;
    return true;
}

int block_error(uint32_t status)
{
    static const int errors[] = {[BLOCK_OK] = 0,           [BLOCK_ERROR] = EIO,
                                 [BLOCK_INVALID] = EINVAL, [BLOCK_READ_ONLY] = EROFS,
                                 [BLOCK_GONE] = ENXIO,     [BLOCK_LOST] = EIO};

    return status < sizeof errors / sizeof errors[0] ? errors[status] : EIO;
}
