/* SPDX-License-Identifier: BSD-2-Clause */
/* Network drivers in the loop that all drivers have (driverloop.h). */
#include "lib/driver/driverloop.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#define WAKE_TURNS 64 /* turns without a look at the notifications, at most */
/* ns until what no interrupt tells of is looked after; well below net's patience */
#define SENT_LATE 20000000
/* Wakes one after the other in which the chip had more for us and nothing of it was found: some ms.
 * One that is in order looks once more, at most. */
#define EMPTY_MAX 2000

static void first(void *device)
{
    struct net_device *d = device;

    net_device_serve(d);
    d->wake_client = false;
}

static bool serve(struct net_device *d)
{
    bool moved = net_device_serve(d);

    if (d->wake_client)
        driver_notify_client();
    d->wake_client = false;
    return moved;
}

/* Turn after turn until nothing more moves: true; or until it is time to look at
 * the notifications. */
static bool serve_all(struct net_device *d)
{
    for (int turn = 0; turn < WAKE_TURNS; turn++)
        if (!serve(d))
            return true;
    return false;
}

static void link_changed(struct net_device *d)
{
    uint32_t up = d->driver->identify(d, d->queue->mac);

    if (up == d->queue->link_up)
        return;
    d->queue->link_up = up;
    driver_notify_client();
    log_info("link %s", up ? "up" : "down");
}

/* Our own state does not fit the chip's any more: frames are there, and none is found. A fresh copy
 * looks at the chip anew. */
static void count_empty(bool moved)
{
    static unsigned empty;

    empty = moved ? 0 : empty + 1;
    if (empty > EMPTY_MAX)
        panic("the chip has frames, and none of them is found");
}

/*
 * A pin's interrupt arrives masked at the controller and stays so until irq_ack(); an MSI does not.
 * A notification finds it open: then the chip's own mask keeps it quiet while we work, since
 * sending brings answers at once.
 */
static bool wake(void *device, uint64_t bits)
{
    struct net_device *d = device;
    bool interrupted = bits & NOTIFY_BIT(NOTIFY_BIT_IRQ), done;
    bool masks = !interrupted || d->driver->masks_always;
    uint32_t before = d->receive.completed + d->transmit.completed;

    if (masks)
        d->driver->mask(d);
    do {
        serve_all(d);
        if (d->driver->acknowledge(d)) /* what comes from here on raises the interrupt again */
            link_changed(d);
        done = serve_all(d);
    } while (done && !net_device_settle(d));
    if (net_device_sends_quietly(d))
        driver_wake_in(SENT_LATE);
    if (masks || d->tell_sent)
        done &= d->driver->unmask(d);
    count_empty(done || d->receive.completed + d->transmit.completed != before);
    if (interrupted)
        irq_ack(0);
    return done;
}

static void silence(void *device)
{
    struct net_device *d = device;

    d->driver->mask(d);
}

void net_driver_run(const struct net_driver *driver)
{
    static const struct driver_class class = {
        .name = "net", .first = first, .wake = wake, .silence = silence};
    static struct net_device device;
    const struct service_info *info = service_info();
    struct net_device *d = &device;
    enum queue_driver_state state;
    int status;

    net_device_open(d, driver, device_registers(&info->device, driver->registers_size),
                    (void *)(uintptr_t)info->queue.address, info->queue.physical, info->queue.size);
    status = net_device_start(d, info->adopt, &state);
    if (status < 0)
        driver_start_failed(status);
    d->queue->mtu = 1500;
    driver_loop_run(&class, d, &d->queue->header, state, d->mismatch);
}
