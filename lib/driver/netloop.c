/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a network driver: start (adopt or reset), tell the client and RS, then sleep and
 * serve.
 *
 * Every kernel call and every page touched before the first frame moves lengthens the recovery:
 * what can wait (the name in DS, log lines) comes some milliseconds later.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/message.h"
#include "abi/proto/rs.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define WAKE_TURNS 64 /* turns without a look at the notifications, at most */
/* ns from the start to what nobody waits for: the client and its programs come first */
#define AFTERWARDS 5000000

static void wake_client(struct net_device *d, const struct service_info *info, bool always)
{
    if (!d->wake_client && !always)
        return;
    d->wake_client = false;
    ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void announce(struct net_device *d, const struct service_info *info,
                     enum queue_driver_state state)
{
    struct net_queue *q = d->queue;

    q->header.driver = info->self;
    q->header.driver_state = state;
    q->mtu = 1500;
    q->header.ready_ns = clock_now();
    queue_publish(&q->header.incarnation, info->incarnation); /* last: it covers the others */
}

/* Turn after turn until nothing more moves: true; or until it is time to look at
 * the notifications. */
static bool serve(struct net_device *d, const struct service_info *info)
{
    for (int turn = 0; turn < WAKE_TURNS; turn++) {
        bool moved = net_device_serve(d);

        wake_client(d, info, false);
        if (!moved)
            return true;
    }
    return false;
}

static void link_changed(struct net_device *d, const struct service_info *info)
{
    uint32_t up = d->driver->identify(d, d->queue->mac);

    if (up == d->queue->link_up)
        return;
    d->queue->link_up = up;
    wake_client(d, info, true);
    log_info("link %s", up ? "up" : "down");
}

/*
 * One wake. An interrupt arrives masked at the controller and stays so until irq_ack(). A
 * notification finds it open: then the chip's own mask keeps it quiet while we work, since sending
 * brings answers at once. False: there is more to do.
 */
static bool wake(struct net_device *d, const struct service_info *info, uint64_t bits)
{
    bool interrupted = bits & NOTIFY_BIT(NOTIFY_BIT_IRQ), done;

    if (!interrupted)
        d->driver->mask(d);
    do {
        serve(d, info);
        if (d->driver->acknowledge(d)) /* what comes from here on raises the interrupt again */
            link_changed(d, info);
        done = serve(d, info);
    } while (done && !net_device_settle(d));
    if (!interrupted ||
        d->transmit.lent != d->transmit.completed) /* then the chip must tell when it has sent */
        d->driver->unmask(d);
    if (interrupted)
        irq_ack(0);
    return done;
}

static void afterwards(const struct net_device *d, const struct service_info *info)
{
    char key[32];

    if (d->mismatch)
        log_info("device reset (%s)", d->mismatch);
    snprintf(key, sizeof key, "net/%s", info->name);
    service_publish(key);
}

static void sleep_and_serve(struct net_device *d, const struct service_info *info)
    __attribute__((noreturn));
static void sleep_and_serve(struct net_device *d, const struct service_info *info)
{
    struct message m = {0};
    bool done = wake(d, info, 0);

    for (;;) {
        if (ipc_receive(ENDPOINT_ANY, &m, done ? 0 : RECEIVE_POLL) < 0) {
            done = wake(d, info, 0);
            continue;
        }
        if (m.type != MESSAGE_NOTIFY) {
            ipc_reply_result(message_caller(&m), -ENOSYS); /* nobody may call a driver */
            continue;
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN)) {
            d->driver->mask(d);
            exit(0);
        }
        if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM))
            afterwards(d, info);
        done = wake(d, info, m.w[0]);
    }
}

void net_driver_run(const struct net_driver *driver)
{
    static struct net_device device;
    const struct service_info *info = service_info();
    struct net_device *d = &device;
    enum queue_driver_state state;
    int status;

    net_device_open(d, driver, device_registers(&info->device, driver->registers_size),
                    (void *)(uintptr_t)info->queue.address, info->queue.physical, info->queue.size);
    status = net_device_start(d, info->adopt, &state);
    if (status < 0)
        panic("the device does not answer: error %d", -status);
    announce(d, info, state);
    net_device_serve(d);
    wake_client(d, info, true);
    service_ready(state == QUEUE_DRIVER_ADOPTED ? RS_READY_ADOPTED : RS_READY_RESET);
    clock_alarm(clock_now() + AFTERWARDS);
    sleep_and_serve(d, info);
}
