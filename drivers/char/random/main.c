/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio entropy devices, in the loop that all drivers have. */
#include "drivers/char/random/chip.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

/* The interrupt is never masked at the device: it comes once for what it was given once. */
static bool wake(void *device, uint64_t bits)
{
    struct entropy_device *d = device;

    entropy_acknowledge();
    entropy_serve(d);
    if (d->wake_client)
        driver_notify_client();
    d->wake_client = false;
    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ))
        irq_ack(0);
    return true;
}

static void started(void *device)
{
    (void)device;
    irq_ack(0); /* one may have come to our predecessor */
}

static void silence(void *device)
{
    struct entropy_device *d = device;

    virtqueue_mask(&d->ring);
}

int main(void)
{
    static const struct driver_class class = {
        .name = "char", .started = started, .wake = wake, .silence = silence};
    static struct entropy_device device;
    const struct service_info *info = service_info();
    enum queue_driver_state how;
    int status;

    entropy_open(&device, (void *)(uintptr_t)info->queue.address, info->queue.physical,
                 info->queue.size);
    status = entropy_start(&device, info->adopt, &how);
    if (status < 0)
        driver_start_failed(status);
    virtqueue_unmask(&device.ring);
    driver_loop_run(&class, &device, &device.queue->header, how, device.mismatch);
}
