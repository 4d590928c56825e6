/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes between the rings of a queue and a chip. Pure logic: no kernel calls but panic(). */
#include "lib/driver/chardriver.h"

#include "lib/rt/log.h"

#define TURN_BYTES 4096u /* in each direction, then the notifications are looked at */

static uint32_t to_take(const struct char_device *d)
{
    int64_t filled =
        char_ring_filled(queue_read(&d->queue->transmit.written), d->taken, CHAR_TRANSMIT_SIZE);

    if (filled < 0)
        panic("the client broke the transmit ring");
    return (uint32_t)filled;
}

static uint32_t room(const struct char_device *d)
{
    int64_t filled =
        char_ring_filled(d->written, queue_read(&d->queue->receive.taken), CHAR_RECEIVE_SIZE);

    if (filled < 0)
        panic("the client broke the receive ring");
    return CHAR_RECEIVE_SIZE - (uint32_t)filled;
}

void char_device_open(struct char_device *d, const struct char_driver *driver, unsigned ports,
                      void *queue, uint64_t size)
{
    *d = (struct char_device){.driver = driver, .queue = queue, .ports = ports};
    if (!queue || size < CHAR_QUEUE_BYTES)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)size);
    d->written = queue_read(&d->queue->receive.written);
    d->taken = queue_read(&d->queue->transmit.taken);
}

int char_device_start(struct char_device *d, bool may_adopt, enum queue_driver_state *state)
{
    int status = 0;

    if (may_adopt && d->driver->adopt(d)) {
        *state = QUEUE_DRIVER_ADOPTED;
        d->queue->header.adoptions++;
    } else {
        status = d->driver->reset(d);
        *state = QUEUE_DRIVER_RESET;
        d->queue->header.resets++;
    }
    d->driver->want(d, false, false);
    return status;
}

static bool receive(struct char_device *d)
{
    uint32_t budget = TURN_BYTES, begin = d->written, count;

    if (!queue_read(&d->queue->header.client_ready))
        return false;
    do {
        uint32_t piece = char_ring_piece(d->written, room(d), CHAR_RECEIVE_SIZE);

        count = piece ? d->driver->receive(
                            d, &d->queue->receive_bytes[d->written % CHAR_RECEIVE_SIZE], piece)
                      : 0;
        d->written += count;
        queue_publish(&d->queue->receive.written, d->written);
        budget -= count < budget ? count : budget;
    } while (count && budget);
    if (d->written != begin && char_ring_wake(&d->queue->receive.taker_waits))
        d->wake_client = true;
    return d->written != begin;
}

/* Of one that starts over: not before the client knows that we are another. */
static bool may_send(struct char_device *d)
{
    struct char_queue *q = d->queue;

    if (!d->driver->send)
        return false;
    if (!d->driver->starts_over || d->may_send)
        return true;
    if (queue_read(&q->taker) != queue_read(&q->header.incarnation))
        return false;
    d->taken = queue_read(&q->transmit.taken);
    return d->may_send = true;
}

static void tell_status(struct char_device *d)
{
    struct char_queue *q = d->queue;
    uint32_t asked = queue_read(&q->status_asked);

    if (!d->driver->status || asked == q->status_told)
        return;
    q->status = d->driver->status(d);
    queue_publish(&q->status_told, asked);
    d->wake_client = true;
}

static bool send(struct char_device *d)
{
    uint32_t budget = TURN_BYTES, begin = d->taken, count;

    if (!may_send(d))
        return false;
    do {
        uint32_t piece = char_ring_piece(d->taken, to_take(d), CHAR_TRANSMIT_SIZE);

        count = piece ? d->driver->send(d, &d->queue->transmit_bytes[d->taken % CHAR_TRANSMIT_SIZE],
                                        piece)
                      : 0;
        d->taken += count;
        queue_publish(&d->queue->transmit.taken, d->taken);
        budget -= count < budget ? count : budget;
    } while (count && budget);
    if (d->taken != begin && char_ring_wake(&d->queue->transmit.writer_waits))
        d->wake_client = true;
    return d->taken != begin;
}

bool char_device_serve(struct char_device *d)
{
    bool moved = receive(d);

    tell_status(d);
    return send(d) || moved;
}

bool char_device_settle(struct char_device *d)
{
    struct char_queue *q = d->queue;
    bool ready, wants_receive, wants_send;

    char_ring_wait(
        &q->transmit.taker_waits); /* (The client also notifies when it sets client_ready.) */
    wants_send = may_send(d) && to_take(d) != 0;
    ready = queue_read(&q->header.client_ready);
    wants_receive = ready && room(d) != 0;
    if (ready && !wants_receive) {
        char_ring_wait(&q->receive.writer_waits);
        wants_receive = room(d) != 0;
    }
    if (wants_receive != d->wants_receive || wants_send != d->wants_send) {
        d->driver->want(d, wants_receive, wants_send);
        d->wants_receive = wants_receive;
        d->wants_send = wants_send;
    }
    return !d->driver->pending(d);
}
