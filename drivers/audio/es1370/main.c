/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of an ES1370, in the loop that all drivers have. */
#include "drivers/audio/es1370/chip.h"

#include <errno.h>

#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

static void serve(void *device)
{
    sound_serve(device, clock_now());
}

/* (The interrupt tells of a period; should one get lost, the second is looked after.) */
static bool wake(void *device, uint64_t bits)
{
    struct sound_device *d = device;

    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ)) {
        es1370_acknowledge(&d->chip);
        irq_ack(0);
    }
    serve(d);
    if (d->has_news)
        driver_notify_client();
    d->has_news = false;
    if (d->plays)
        driver_wake_in(2 * NS * es1370_period(d->rate) / d->rate);
    return true;
}

static void started(void *device)
{
    (void)device;
    if (service_info()->irqs)
        irq_ack(0); /* one may have come to our predecessor: it comes once more */
}

static void silence(void *device)
{
    sound_halt(device, clock_now());
}

int main(void)
{
    static const struct driver_class class = {
        .name = "char", .first = serve, .started = started, .wake = wake, .silence = silence};
    static struct sound_device device;
    const struct service_info *info = service_info();
    enum queue_driver_state state;

    sound_open(&device, device_ports(&info->device), (void *)(uintptr_t)info->queue.address,
               info->queue.size, info->queue.physical);
    if (sound_start(&device, info->adopt, clock_now(), &state) < 0)
        driver_start_failed(-ENODEV);
    driver_loop_run(&class, &device, &device.queue->header, state, NULL);
}
