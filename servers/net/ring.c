/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's side of a network queue; see ring.h. */
#include "servers/net/ring.h"

#include <errno.h>
#include <string.h>

#include "lib/undo/undo.h"

#define TRANSMIT_OFFSET (QUEUE_BUFFERS_OFFSET + NET_RING_SIZE * NET_BUFFER_SIZE)

static uint32_t receive_offset(unsigned buffer)
{
    return QUEUE_BUFFERS_OFFSET + buffer * NET_BUFFER_SIZE + NET_HEADROOM;
}

static uint32_t transmit_offset(uint32_t k)
{
    return TRANSMIT_OFFSET + k % NET_RING_SIZE * NET_BUFFER_SIZE + NET_HEADROOM;
}

/* A word that the driver may change at any time: read once. */
static uint32_t read_once(const uint32_t *word)
{
    return (uint32_t)undo_input(*(const volatile uint32_t *)word);
}

/* Our store to an index comes before our look at who waits; the driver does it the other way round,
 * so one of us sees the other. */
static bool waits(const uint32_t *flag)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return read_once(flag) != 0;
}

/* ---- taking over ---- */

/* The first bytes of a frame are its destination, which is never 0 (IEEE 802.3): so a buffer that
 * is lent with zeroes there, and comes back with them, is one that nobody has put a frame into. It
 * would hold an old one, and an old one looks good. */
static uint64_t *destination(const struct receive_ring *r, unsigned buffer)
{
    return (uint64_t *)receive_memory(r, buffer);
}

undo_unlogged static void fill_receive_entry(const struct receive_ring *r, uint32_t k)
{
    *destination(r, r->buffer[k % NET_RING_SIZE]) = 0;
    r->queue->receive.entry[k % NET_RING_SIZE] = (struct net_entry){
        .offset = receive_offset(r->buffer[k % NET_RING_SIZE]), .size = NET_BUFFER_ROOM};
}

undo_unlogged static void fill_transmit_entry(const struct transmit_ring *t, uint32_t k)
{
    t->queue->transmit.entry[k % NET_RING_SIZE] =
        (struct net_entry){.offset = transmit_offset(k), .size = t->size[k % NET_RING_SIZE]};
}

/* Finds out what an earlier incarnation of ours had posted: each buffer at most once. */
static bool adopt_receive(struct receive_ring *r)
{
    const struct net_ring *ring = &r->queue->receive;
    bool posted[NET_RING_SIZE] = {false};

    r->taken = r->seen = read_once(&ring->completed);
    r->posted = r->published = read_once(&ring->posted);
    if (r->posted - r->taken > NET_RING_SIZE)
        return false;
    for (uint32_t k = r->taken; k != r->posted; k++) {
        uint32_t slot = k % NET_RING_SIZE, at = ring->entry[slot].offset - receive_offset(0),
                 buffer = at / NET_BUFFER_SIZE;

        if (at % NET_BUFFER_SIZE != 0 || buffer >= NET_RING_SIZE || posted[buffer])
            return false;
        posted[buffer] = true;
        r->buffer[slot] = (uint16_t)buffer;
    }
    r->free_count = 0;
    for (unsigned i = 0; i < NET_RING_SIZE; i++)
        if (!posted[i])
            r->free[r->free_count++] = (uint16_t)i;
    return true;
}

static bool adopt_transmit(struct transmit_ring *t)
{
    const struct net_ring *ring = &t->queue->transmit;

    t->done = read_once(&ring->completed);
    t->posted = t->published = read_once(&ring->posted);
    if (t->posted - t->done > NET_RING_SIZE)
        return false;
    for (uint32_t k = t->done; k != t->posted; k++) {
        const struct net_entry *entry = &ring->entry[k % NET_RING_SIZE];

        if (entry->offset != transmit_offset(k) || entry->size > NET_FRAME_MAX)
            return false;
        t->size[k % NET_RING_SIZE] = (uint16_t)entry->size;
    }
    return true;
}

/* What only we write, so that it may be done while a driver is at work. */
undo_unlogged void ring_claim(const struct receive_ring *r, const struct transmit_ring *t)
{
    for (uint32_t k = r->taken; k != r->published; k++) {
        struct net_entry *entry = &r->queue->receive.entry[k % NET_RING_SIZE];

        entry->offset = receive_offset(r->buffer[k % NET_RING_SIZE]);
        entry->size = NET_BUFFER_ROOM;
    }
    for (uint32_t k = t->done; k != t->published; k++) {
        struct net_entry *entry = &t->queue->transmit.entry[k % NET_RING_SIZE];

        entry->offset = transmit_offset(k);
        entry->size = t->size[k % NET_RING_SIZE];
    }
    queue_publish(&r->queue->receive.posted, r->published);
    queue_publish(&t->queue->transmit.posted, t->published);
    queue_claim(&r->queue->header, NET_QUEUE_MAGIC);
}

bool ring_open(struct receive_ring *r, struct transmit_ring *t, struct net_queue *queue)
{
    bool adopted;

    *r = (struct receive_ring){.queue = queue};
    *t = (struct transmit_ring){.queue = queue};
    adopted = read_once(&queue->header.magic) == NET_QUEUE_MAGIC &&
              read_once(&queue->header.client_ready) && adopt_receive(r) && adopt_transmit(t);
    if (adopted)
        return true;
    *r = (struct receive_ring){.queue = queue, .free_count = NET_RING_SIZE};
    *t = (struct transmit_ring){.queue = queue};
    for (unsigned i = 0; i < NET_RING_SIZE; i++) /* the stack's top is buffer 0 */
        r->free[i] = (uint16_t)(NET_RING_SIZE - 1 - i);
    ring_repair(r, t);
    receive_post(r);
    receive_publish(r);
    queue_claim(&queue->header, NET_QUEUE_MAGIC); /* after all that the driver looks at then */
    return false;
}

/* Again when the step is repeated only if nobody could have seen it: then a successor of the driver
 * may be at work already. */
static void repair(const struct receive_ring *r, const struct transmit_ring *t)
{
    for (uint32_t k = r->taken; k != r->published; k++)
        fill_receive_entry(r, k);
    for (uint32_t k = t->done; k != t->published; k++)
        fill_transmit_entry(t, k);
    queue_publish(&r->queue->receive.completed, r->taken);
    queue_publish(&r->queue->receive.posted, r->published);
    queue_publish(&t->queue->transmit.completed, t->done);
    queue_publish(&t->queue->transmit.posted, t->published);
}

void ring_repair(struct receive_ring *r, const struct transmit_ring *t)
{
    r->seen = r->taken;
    if (undo_repeated())
        return;
    repair(r, t);
    undo_done();
}

/* ---- receive ---- */

int receive_look(struct receive_ring *r)
{
    uint32_t completed = (uint32_t)undo_input(queue_read(&r->queue->receive.completed));

    if (completed - r->seen > r->published - r->seen)
        return -ERANGE;
    r->seen = completed;
    return (int)(r->seen - r->taken);
}

int receive_take(struct receive_ring *r, uint32_t *length)
{
    while (r->taken != r->seen) {
        uint32_t slot = r->taken % NET_RING_SIZE;
        const struct net_entry *entry = &r->queue->receive.entry[slot];
        uint32_t bytes = read_once(&entry->length), status = read_once(&entry->status);

        if (bytes > NET_BUFFER_ROOM)
            return -EMSGSIZE;
        if (status > NET_FRAME_BAD)
            return -EPROTO;
        r->taken++;
        if (status == NET_FRAME_OK && bytes > 0 && bytes <= NET_FRAME_MAX &&
            *destination(r, r->buffer[slot]) != 0) {
            *length = bytes;
            r->queue->header.useful++;
            return r->buffer[slot];
        }
        r->bad++;
        receive_give(r, r->buffer[slot]);
    }
    return -EAGAIN;
}

void receive_give(struct receive_ring *r, unsigned buffer)
{
    r->free[r->free_count++] = (uint16_t)buffer;
}

uint8_t *receive_memory(const struct receive_ring *r, unsigned buffer)
{
    return (uint8_t *)r->queue + receive_offset(buffer);
}

uint32_t receive_held(const struct receive_ring *r)
{
    return NET_RING_SIZE - r->free_count - (r->posted - r->taken);
}

void receive_post(struct receive_ring *r)
{
    /* There are as many buffers as slots, and every posted slot has one: a free buffer, a free
     * slot. */
    while (r->free_count != 0) {
        r->buffer[r->posted++ % NET_RING_SIZE] = r->free[--r->free_count];
    }
}

/* A predecessor may have come to any point in it. What the driver knows of is its own: our index there
 * says how far that is. */
bool receive_publish(struct receive_ring *r)
{
    uint32_t known = *(const volatile uint32_t *)&r->queue->receive.posted, k = r->published;

    if (r->published == r->posted)
        return false;
    if (known - r->published <= r->posted - r->published)
        k = known;
    for (; k != r->posted; k++)
        fill_receive_entry(r, k);
    queue_publish(&r->queue->receive.posted, r->posted);
    r->published = r->posted;
    return waits(&r->queue->receive.driver_waits);
}

bool receive_wait(struct receive_ring *r, bool wait)
{
    __atomic_store_n(&r->queue->receive.client_waits, wait, __ATOMIC_RELAXED);
    if (!wait)
        return false;
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* client_waits before completed: see ring_complete() */
    return r->taken != r->seen ||
           (uint32_t)undo_input(queue_read(&r->queue->receive.completed)) != r->seen;
}

/* ---- transmit ---- */

int transmit_reap(struct transmit_ring *t)
{
    uint32_t completed = (uint32_t)undo_input(queue_read(&t->queue->transmit.completed)),
             count = completed - t->done;

    if (count > t->published - t->done)
        return -ERANGE;
    t->done = completed;
    t->queue->header.useful += count;
    return (int)count;
}

uint8_t *transmit_buffer(const struct transmit_ring *t)
{
    if (t->posted - t->done == NET_RING_SIZE)
        return NULL;
    return (uint8_t *)t->queue + transmit_offset(t->posted);
}

void transmit_add(struct transmit_ring *t, uint32_t size)
{
    t->size[t->posted % NET_RING_SIZE] = (uint16_t)size;
    fill_transmit_entry(t, t->posted++);
}

bool transmit_publish(struct transmit_ring *t)
{
    if (t->published == t->posted)
        return false;
    t->published = t->posted;
    queue_publish(&t->queue->transmit.posted, t->posted);
    return waits(&t->queue->transmit.driver_waits);
}

bool transmit_wait(struct transmit_ring *t, bool wait)
{
    __atomic_store_n(&t->queue->transmit.client_waits, wait, __ATOMIC_RELAXED);
    if (!wait)
        return false;
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* client_waits before completed: see ring_complete() */
    return (uint32_t)undo_input(queue_read(&t->queue->transmit.completed)) != t->done;
}
