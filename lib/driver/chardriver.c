/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes between the rings of a queue and a chip. Pure logic: no kernel calls but panic(). */
#include "lib/driver/chardriver.h"

#include "lib/rt/log.h"

#define TURN_BYTES 4096u /* in each direction, then the notifications are looked at */
/* at the device, until the bytes of a test are back: a few us each, and a byte takes 87 us */
#define TEST_LOOKS 1000u
/* ns between two looks at a device without an interrupt: while bytes move (a FIFO of 16 fills in
 * 1.4 ms at 115200 baud), and at rest */
#define LOOK_MOVING 1000000
#define LOOK_RESTING 10000000

static uint32_t to_take(const struct char_flow *from)
{
    int64_t filled = char_ring_filled(queue_read(&from->ring->written), from->at, from->size);

    if (filled < 0)
        panic("the client broke the transmit ring");
    return (uint32_t)filled;
}

static uint32_t room_in_all(const struct char_flow *to)
{
    int64_t filled = char_ring_filled(to->at, queue_read(&to->ring->taken), to->size);

    if (filled < 0)
        panic("the client broke the receive ring");
    return to->size - (uint32_t)filled;
}

static uint32_t room(const struct char_flow *to)
{
    uint32_t all = room_in_all(to);

    return all > to->spare ? all - to->spare : 0;
}

void char_device_open(struct char_device *d, const struct char_driver *driver, unsigned ports,
                      void *queue, uint64_t size)
{
    struct char_queue *q = queue;

    *d = (struct char_device){.driver = driver, .queue = queue, .ports = ports};
    if (!queue || size < CHAR_QUEUE_BYTES)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)size);
    d->receive = (struct char_flow){.ring = &q->receive,
                                    .bytes = q->receive_bytes,
                                    .size = CHAR_RECEIVE_SIZE,
                                    .spare = driver->loop ? CHAR_TEST_SIZE : 0,
                                    .at = queue_read(&q->receive.written)};
    d->transmit = (struct char_flow){.ring = &q->transmit,
                                     .bytes = q->transmit_bytes,
                                     .size = CHAR_TRANSMIT_SIZE,
                                     .at = queue_read(&q->transmit.taken)};
    q->test.result = CHAR_TEST_BUSY; /* of one in which our predecessor has died */
    queue_publish(&q->test.told, queue_read(&q->test.asked));
    q->test.can_test = driver->loop != 0;
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

/*
 * receive(), send() and move() are what a test is to find wrong: the compiler must make no copies of
 * them, one for the test and one for all the rest.
 */
#define ONE_COPY __attribute__((noipa))

ONE_COPY static bool receive(struct char_device *d, struct char_flow *to)
{
    uint32_t budget = TURN_BYTES, begin = to->at, count;

    do {
        uint32_t piece = char_ring_piece(to->at, room(to), to->size);

        count = piece ? d->driver->receive(d, &to->bytes[to->at % to->size], piece) : 0;
        d->queue->test.dry += piece && !count;
        to->at += count;
        queue_publish(&to->ring->written, to->at);
        budget -= count < budget ? count : budget;
    } while (count && budget);
    if (to->at != begin && char_ring_wake(&to->ring->taker_waits))
        d->wake_client = true;
    return to->at != begin;
}

ONE_COPY static bool send(struct char_device *d, struct char_flow *from)
{
    uint32_t budget = TURN_BYTES, begin = from->at, count;

    do {
        uint32_t piece = char_ring_piece(from->at, to_take(from), from->size);

        count = piece ? d->driver->send(d, &from->bytes[from->at % from->size], piece) : 0;
        from->at += count;
        queue_publish(&from->ring->taken, from->at);
        budget -= count < budget ? count : budget;
    } while (count && budget);
    if (from->at != begin && char_ring_wake(&from->ring->writer_waits))
        d->wake_client = true;
    return from->at != begin;
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
    d->transmit.at = queue_read(&q->transmit.taken);
    return d->may_send = true;
}

/* All that moves bytes, also those of a test. */
ONE_COPY static bool move(struct char_device *d)
{
    bool moved = queue_read(&d->queue->header.client_ready) && receive(d, &d->receive);

    moved |= may_send(d) && send(d, &d->transmit);
    return moved;
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

/* What has come in a test. */
struct catch
{
    uint32_t found; /* bytes of the test */
    uint32_t count; /* others, from outside: the client gets them as it gets all else */
    uint8_t others[CHAR_TEST_SIZE];
};

static void sort_out(struct catch *c, const struct char_flow *came, uint32_t begin,
                     const struct char_flow *sent, uint32_t first)
{
    c->found = c->count = 0;
    for (uint32_t k = begin; k != came->at && k - begin < came->size; k++) {
        uint8_t byte = came->bytes[k % came->size];

        if (first + c->found != sent->at && byte == sent->bytes[(first + c->found) % sent->size])
            c->found++;
        else
            c->others[c->count++] = byte;
    }
}

static void hand_on(struct char_device *d, const struct catch *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        d->receive.bytes[d->receive.at++ % d->receive.size] = c->others[i];
    queue_publish(&d->receive.ring->written, d->receive.at);
}

/*
 * The bytes of the test go out one by one, each when the one before is back: so the device has room
 * for it, whatever comes from outside. (QEMU's lets 14 bytes in, and then one for each that it has
 * beyond these; it holds 16.) Only when all are back it is known what the others are; one
 * that looks like a byte of the test may then change places with it.
 */
static enum char_test_result run_test(struct char_device *d, struct char_test *t)
{
    uint32_t first = queue_read(&t->transmit.taken), begin = queue_read(&t->receive.written);
    uint32_t count = queue_read(&t->transmit.written) - first;
    struct char_ring step = {.written = first + 1};
    const struct char_flow in = d->receive, out = d->transmit;
    struct catch c = {0};

    if (d->transmit.at + to_take(&d->transmit) != first ||
        room_in_all(&d->receive) < CHAR_TEST_SIZE || count > CHAR_TEST_SIZE)
        return CHAR_TEST_BUSY;
    d->driver->want(d, false, false);
    d->wants_receive = d->wants_send = false;
    if (!d->driver->adopt(d)) { /* an earlier test, say, was not brought to its end */
        d->driver->reset(d);
        return CHAR_TEST_DONE;
    }
    if (!d->driver->loop(d, true)) {
        d->driver->loop(d, false);
        return CHAR_TEST_BUSY;
    }
    d->transmit.ring = &step; /* that they are there is known to nobody else */
    d->transmit.at = first;
    d->receive = (struct char_flow){
        .ring = &t->receive, .bytes = t->receive_bytes, .size = CHAR_TEST_SIZE, .at = begin};
    for (uint32_t looks = 0; looks < TEST_LOOKS && c.found < count; looks++) {
        move(d);
        sort_out(&c, &d->receive, begin, &d->transmit, first);
        if (c.found < count)
            step.written = first + c.found + 1;
    }
    queue_publish(&t->transmit.taken, d->transmit.at);
    d->receive = in;
    d->transmit = out;
    if (c.found < count) {
        d->driver->reset(d); /* no byte of the test may get out, or be taken for another */
        return CHAR_TEST_DONE;
    }
    d->driver->loop(d, false);
    hand_on(d, &c);
    return CHAR_TEST_DONE;
}

static void test(struct char_device *d)
{
    struct char_test *t = &d->queue->test;
    uint32_t asked = queue_read(&t->asked);

    if (!d->driver->loop || asked == t->told)
        return;
    t->result = run_test(d, t);
    t->ring_at = (uint32_t)((uint8_t *)d->receive.ring - (uint8_t *)d->queue);
    queue_publish(&t->told, asked);
    d->wake_client = true;
}

bool char_device_serve(struct char_device *d)
{
    bool moved = move(d);

    tell_status(d);
    test(d);
    return moved;
}

bool char_device_settle(struct char_device *d)
{
    struct char_queue *q = d->queue;
    bool ready, wants_receive, wants_send;

    char_ring_wait(
        &q->transmit.taker_waits); /* (The client also notifies when it sets client_ready.) */
    wants_send = may_send(d) && to_take(&d->transmit) != 0;
    ready = queue_read(&q->header.client_ready);
    wants_receive = ready && room(&d->receive) != 0;
    if (ready && !wants_receive) {
        char_ring_wait(&q->receive.writer_waits);
        wants_receive = room(&d->receive) != 0;
    }
    if (wants_receive != d->wants_receive || wants_send != d->wants_send) {
        d->driver->want(d, wants_receive, wants_send);
        d->wants_receive = wants_receive;
        d->wants_send = wants_send;
    }
    return !d->driver->pending(d);
}

/* ---- in the loop ---- */

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct char_device device;
    const struct char_driver *chip = driver;
    struct char_device *d = &device;

    char_device_open(d, chip, device_ports(&info->device), (void *)(uintptr_t)info->queue.address,
                     info->queue.size);
    d->is_polled = info->irqs == 0;
    *start = (struct driver_start){
        .device = d, .header = &d->queue->header, .class = chip->class ? chip->class : "char"};
    return char_device_start(d, info->adopt, &start->state);
}

/* (The client knows of us already: it puts its own words right, should we stumble over them.) */
static void started(void *device)
{
    struct char_device *d = device;

    d->wake_client = true; /* once more, when what is there has been served */
}

static unsigned serve(void *device)
{
    struct char_device *d = device;
    bool moved = char_device_serve(d), tells = d->wake_client;

    d->wake_client = false;
    return (moved ? DRIVER_MOVED : 0) | (tells ? DRIVER_TELL : 0);
}

static bool settle(void *device)
{
    return char_device_settle(device);
}

/* What may come the interrupt tells; where it does not we look. */
static bool rest(void *device, struct driver_wake *w)
{
    const struct char_device *d = device;
    uint64_t every = d->driver->look_every;

    if (d->is_polled)
        every = w->moved ? LOOK_MOVING : LOOK_RESTING;
    if (w->settled && (d->wants_receive || d->wants_send))
        w->alarm_ns = every;
    return true;
}

static void silence(void *device)
{
    struct char_device *d = device;

    d->driver->want(d, false, false);
}

/* A turn may be thousands of accesses to ports; ISA's interrupts are edges. */
const struct driver_class char_class = {
    .interrupts = DRIVER_INTERRUPTS_EDGE,
    .turns = 8,
    .open = open,
    .started = started,
    .serve = serve,
    .settle = settle,
    .rest = rest,
    .silence = silence,
};
