/* SPDX-License-Identifier: BSD-2-Clause */
/* Character drivers in the loop that all drivers have (driverloop.h). */
#include "lib/driver/chardriver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

#define WAKE_TURNS 8 /* turns without a look at the notifications, at most */

static void wake_client(struct char_device *d)
{
    if (d->wake_client)
        driver_notify_client();
    d->wake_client = false;
}

/* The interrupt may be an edge: one that comes while it is masked is lost. So it is unmasked first,
 * and only then settle() looks at the chip for the last time. */
static bool wake(void *device, uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ))
        irq_ack(0);
    for (int turn = 0; turn < WAKE_TURNS; turn++) {
        bool moved = char_device_serve(device);

        wake_client(device);
        if (!moved && char_device_settle(device))
            return true;
    }
    return false;
}

/* (The client knows of us already: it puts its own words right, should we stumble over them.) */
static void started(void *device)
{
    struct char_device *d = device;

    irq_ack(0); /* one may have come to our predecessor */
    d->wake_client = true; /* once more, when what is there has been served */
}

static void silence(void *device)
{
    struct char_device *d = device;

    d->driver->want(d, false, false);
}

void char_driver_run(const struct char_driver *driver)
{
    static const struct driver_class class = {
        .name = "char", .started = started, .wake = wake, .silence = silence};
    static struct char_device device;
    const struct service_info *info = service_info();
    struct char_device *d = &device;
    enum queue_driver_state state;
    int status;

    char_device_open(d, driver, (void *)(uintptr_t)info->queue.address, info->queue.size);
    status = char_device_start(d, info->adopt, &state);
    if (status < 0)
        driver_start_failed(status);
    driver_loop_run(&class, d, &d->queue->header, state, NULL);
}
