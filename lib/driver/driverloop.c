/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/driver/driverloop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/message.h"
#include "abi/proto/rs.h"
#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define AFTERWARDS                                                                                 \
    5000000 /* ns from the start to what neither the client nor its programs wait for */
/* Wakes one after the other in which the chip had more for us and nothing of it was found: some ms.
 * One that is in order looks once more, at most. */
#define EMPTY_MAX 2000
#define INTERRUPTS (((1ull << SERVICE_IRQS) - 1) << NOTIFY_BIT_IRQ)

struct loop {
    const struct driver_class *class;
    struct driver_start start;
    uint64_t publish_at; /* clock; 0: done */
    unsigned empty; /* wakes, so far */
};

static uint64_t alarm_at; /* clock; 0: none is set */
static uint64_t early; /* interrupts that came to us before there was a loop */

/*
 * Before main(), in every driver: while another incarnation drives the device. What is read of
 * service_info() before is that one's. Its interrupts are ours as soon as it is dead, and one of
 * them may be the first that we hear: it is kept, for it is still to be acknowledged.
 */
static __attribute__((constructor)) void stand_by(void)
{
    const volatile uint32_t *stands_by = &service_info()->stands_by;
    struct message m = {0};

    while (*stands_by)
        if (ipc_receive(ENDPOINT_ANY, &m, 0) >= 0 && m.type == MESSAGE_NOTIFY)
            early |= m.w[0] & INTERRUPTS;
}

/* ---- the alarm ---- */

static void wake_at(uint64_t when)
{
    if (alarm_at && alarm_at <= when)
        return; /* it comes soon enough */
    alarm_at = when;
    clock_alarm(when);
}

void driver_wake_in(uint64_t ns)
{
    wake_at(clock_now() + ns);
}

/* ---- the start ---- */

static void notify_client(void)
{
    const struct service_queue *q = &service_info()->queue;

    ipc_notify(q->client, NOTIFY_BIT(NOTIFY_BIT_PEER + q->number));
}

static void announce(const struct driver_start *start)
{
    struct queue_header *h = start->header;

    h->driver = service_info()->self;
    h->driver_state = start->state;
    h->ready_ns = clock_now();
    /* last: it covers the others */
    queue_publish(&h->incarnation, service_info()->incarnation);
}

static void publish(struct loop *l)
{
    char key[32];

    if (l->start.mismatch)
        log_info("device reset (%s)", l->start.mismatch);
    snprintf(key, sizeof key, "%.15s/%.15s", l->start.class, service_info()->name);
    service_publish(key);
    l->publish_at = 0;
}

static void acknowledge(uint64_t bits)
{
    for (uint64_t rest = bits & INTERRUPTS; rest; rest &= rest - 1)
        irq_ack((unsigned)__builtin_ctzll(rest) - NOTIFY_BIT_IRQ);
}

static void begin(struct loop *l)
{
    announce(&l->start);
    if (l->class->serves_first)
        l->class->serve(l->start.device);
    notify_client();
    service_ready(l->start.state == QUEUE_DRIVER_ADOPTED ? RS_READY_ADOPTED : RS_READY_RESET);
    acknowledge(early); /* ahead of the first look at what it was about */
    if (l->class->started)
        l->class->started(l->start.device);
    l->publish_at = clock_now() + AFTERWARDS;
    wake_at(l->publish_at);
}

/* ---- a wake ---- */

static bool tell(unsigned turn)
{
    if (turn & DRIVER_TELL)
        notify_client();
    return turn & DRIVER_MOVED;
}

/* True: nothing moves any more, and the client knows that it is to notify. */
static bool work(const struct loop *l, struct driver_wake *w, uint64_t bits)
{
    const struct driver_class *class = l->class;
    void *device = l->start.device;
    bool is_edge = class->interrupts == DRIVER_INTERRUPTS_EDGE;
    bool owes = is_edge ? w->interrupted : class->clear != NULL; /* what comes ahead of settle() */

    for (unsigned n = 0; n < class->turns; n++) {
        bool moved = tell(class->serve(device));

        w->moved |= moved;
        if (owes && is_edge) {
            acknowledge(bits);
            owes = false;
        } else if (owes && !moved) {
            tell(class->clear(device));
            owes = false;
        } else if (!moved) {
            if (!class->settle || class->settle(device))
                return true;
            owes = class->clear != NULL;
        }
    }
    return false;
}

/* Our own state does not fit the chip's any more. */
static void count_empty(struct loop *l, bool is_in_order)
{
    l->empty = is_in_order ? 0 : l->empty + 1;
    if (l->class->empty && l->empty > EMPTY_MAX)
        panic("%s", l->class->empty);
}

/* False: there is more to do. */
static bool wake(struct loop *l, uint64_t bits)
{
    struct driver_wake w = {.interrupted = bits & INTERRUPTS};
    bool done;

    if (l->class->begin)
        l->class->begin(l->start.device, &w);
    done = w.settled = work(l, &w, bits);
    if (l->class->rest)
        done &= l->class->rest(l->start.device, &w);
    if (w.alarm_ns)
        driver_wake_in(w.alarm_ns);
    count_empty(l, done || w.moved);
    if (l->class->interrupts == DRIVER_INTERRUPTS_LEVEL)
        acknowledge(bits);
    return done;
}

/* ---- the loop ---- */

static void alarm_went_off(struct loop *l)
{
    alarm_at = 0;
    if (!l->publish_at)
        return;
    if (clock_now() >= l->publish_at)
        publish(l);
    else
        wake_at(l->publish_at);
}

/* As long as there is work it looks for messages without waiting for one: it passes its receive all
 * the same, by which RS knows that it lives, and is told in between to end. */
void driver_loop_run(const struct driver_class *class, const void *driver)
{
    struct loop l = {.class = class};
    struct message m = {0};
    bool done;
    int status = class->open(driver, service_info(), &l.start);

    if (status < 0)
        driver_start_failed(status);
    begin(&l);
    done = wake(&l, 0);
    for (;;) {
        uint64_t bits = 0;

        if (ipc_receive(ENDPOINT_ANY, &m, done ? 0 : RECEIVE_POLL) >= 0) {
            if (m.type == MESSAGE_NOTIFY)
                bits = m.w[0];
            else
                ipc_reply_result(message_caller(&m), -ENOSYS); /* nobody may call a driver */
        }
        if (bits & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
            if (class->silence)
                class->silence(l.start.device);
            exit(0);
        }
        if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
            alarm_went_off(&l);
        if (bits || !done) /* (a call brings no work, and keeps from none) */
            done = wake(&l, bits);
    }
}
