/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of an ES1370, in the loop that all drivers have. */
#include "drivers/audio/es1370/chip.h"

#include <errno.h>

#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

static void begin(void *device, const struct driver_wake *w)
{
    struct sound_device *d = device;

    if (w->interrupted)
        es1370_acknowledge(&d->chip);
}

static unsigned serve(void *device)
{
    struct sound_device *d = device;
    bool tells;

    sound_serve(d, clock_now());
    tells = d->has_news;
    d->has_news = false;
    return tells ? DRIVER_TELL : 0;
}

/* (The interrupt tells of a period; should one get lost, the second is looked after.) */
static bool rest(void *device, struct driver_wake *w)
{
    const struct sound_device *d = device;

    if (d->plays)
        w->alarm_ns = 2 * NS * es1370_period(d->rate) / d->rate;
    return true;
}

static void silence(void *device)
{
    sound_halt(device, clock_now());
}

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct sound_device device;

    (void)driver;
    sound_open(&device, device_ports(&info->device), (void *)(uintptr_t)info->queue.address,
               info->queue.size, info->queue.physical);
    *start =
        (struct driver_start){.device = &device, .header = &device.queue->header, .class = "char"};
    return sound_start(&device, info->adopt, clock_now(), &start->state) < 0 ? -ENODEV : 0;
}

int main(void)
{
    static const struct driver_class class = {.interrupts = DRIVER_INTERRUPTS_LEVEL,
                                              .turns = 1,
                                              .serves_first = true,
                                              .open = open,
                                              .begin = begin,
                                              .serve = serve,
                                              .rest = rest,
                                              .silence = silence};

    driver_loop_run(&class, NULL);
}
