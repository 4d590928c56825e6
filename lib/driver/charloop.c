/* SPDX-License-Identifier: BSD-2-Clause */
/* Character drivers in the loop that all drivers have (driverloop.h). */
#include "lib/driver/chardriver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

#define WAKE_TURNS 8 /* turns without a look at the notifications, at most */
/* ns between two looks at a device without an interrupt: while bytes move (a FIFO of 16 fills in
 * 1.4 ms at 115200 baud), and at rest */
#define LOOK_MOVING 1000000
#define LOOK_RESTING 10000000

static void wake_client(struct char_device *d)
{
    if (d->wake_client)
        driver_notify_client();
    d->wake_client = false;
}

/* Nothing moves any more, and what may come the interrupt tells; where it does not we look. */
static void look_later(struct char_device *d, bool has_moved)
{
    uint64_t every = d->driver->look_every;

    if (service_info()->irqs == 0)
        every = has_moved ? LOOK_MOVING : LOOK_RESTING;
    if (every && (d->wants_receive || d->wants_send))
        driver_wake_in(every);
}

/* The interrupt may be an edge: one that comes while it is masked is lost. So it is unmasked first,
 * and only then settle() looks at the chip for the last time. */
static bool wake(void *device, uint64_t bits)
{
    bool has_moved = false;

    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ))
        irq_ack(0);
    for (int turn = 0; turn < WAKE_TURNS; turn++) {
        bool moved = char_device_serve(device);

        has_moved |= moved;
        wake_client(device);
        if (!moved && char_device_settle(device)) {
            look_later(device, has_moved);
            return true;
        }
    }
    return false;
}

/* (The client knows of us already: it puts its own words right, should we stumble over them.) */
static void started(void *device)
{
    struct char_device *d = device;

    if (service_info()->irqs)
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
    struct driver_class class = {.name = driver->class ? driver->class : "char",
                                 .started = started,
                                 .wake = wake,
                                 .silence = silence};
    static struct char_device device;
    const struct service_info *info = service_info();
    struct char_device *d = &device;
    enum queue_driver_state state;
    int status;

    char_device_open(d, driver, device_ports(&info->device), (void *)(uintptr_t)info->queue.address,
                     info->queue.size);
    status = char_device_start(d, info->adopt, &state);
    if (status < 0)
        driver_start_failed(status);
    driver_loop_run(&class, d, &d->queue->header, state, NULL);
}
