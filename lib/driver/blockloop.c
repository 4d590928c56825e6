/* SPDX-License-Identifier: BSD-2-Clause */
/* Block drivers in the loop that all drivers have (driverloop.h). */
#include "lib/driver/blockdriver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

#define WAKE_TURNS 64 /* turns without a look at the notifications, at most */

static void first(void *device)
{
    struct block_device *d = device;

    block_device_serve(d);
    d->wake_client = false;
}

static bool serve(struct block_device *d)
{
    bool moved = block_device_serve(d);

    if (!d->wake_client)
        return moved;
    d->wake_client = false;
    /* completed before client_waits: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (*(volatile uint32_t *)&d->queue->client_waits)
        driver_notify_client();
    return moved;
}

/* The interrupt may be an edge (MSI): it is unmasked first, and only then finished() clears the
 * causes and looks at the chip. */
static bool wake(void *device, uint64_t bits)
{
    for (unsigned i = 0; i < service_info()->irqs; i++)
        if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ + i))
            irq_ack(i);
    for (int turn = 0; turn < WAKE_TURNS; turn++)
        if (!serve(device) && block_device_settle(device))
            return true;
    return false;
}

static void started(void *device)
{
    struct block_device *d = device;

    d->driver->unmask(d);
}

static void silence(void *device)
{
    struct block_device *d = device;

    d->driver->mask(d);
}

void block_driver_run(const struct block_driver *driver)
{
    static const struct driver_class class = {
        .name = "block", .first = first, .started = started, .wake = wake, .silence = silence};
    static struct block_device device;
    const struct service_info *info = service_info();
    struct block_device *d = &device;
    enum queue_driver_state state;
    int status;

    block_device_open(d, driver, device_registers(&info->device, driver->registers_size),
                      (void *)(uintptr_t)info->queue.address, info->queue.physical,
                      info->queue.size);
    d->ports = device_ports(&info->device);
    d->regions = info->region;
    d->region_count = SERVICE_REGIONS;
    status = block_device_start(d, info->adopt, &state);
    if (status < 0)
        driver_start_failed(status);
    driver_loop_run(&class, d, &d->queue->header, state, d->mismatch);
}
