/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio entropy devices, in the loop that all drivers have. */
#include "drivers/char/random/chip.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

static void started(void *device)
{
    struct entropy_device *d = device;

    virtqueue_unmask(&d->ring);
}

/* The interrupt is never masked at the device: it comes once for what it was given once. Taken back
 * ahead of the look, so that one that comes after it is raised again. */
static void begin(void *device, const struct driver_wake *w)
{
    (void)device;
    (void)w;
    entropy_acknowledge();
}

static unsigned serve(void *device)
{
    struct entropy_device *d = device;
    bool tells;

    entropy_serve(d);
    tells = d->wake_client;
    d->wake_client = false;
    return tells ? DRIVER_TELL : 0;
}

static void silence(void *device)
{
    struct entropy_device *d = device;

    virtqueue_mask(&d->ring);
}

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct entropy_device device;
    struct entropy_device *d = &device;
    int status;

    (void)driver;
    entropy_open(d, (void *)(uintptr_t)info->queue.address, info->queue.physical, info->queue.size);
    *start = (struct driver_start){.device = d, .header = &d->queue->header, .class = "char"};
    status = entropy_start(d, info->adopt, &start->state);
    start->mismatch = d->mismatch;
    return status;
}

int main(void)
{
    static const struct driver_class class = {.interrupts = DRIVER_INTERRUPTS_LEVEL,
                                              .turns = 1,
                                              .open = open,
                                              .started = started,
                                              .begin = begin,
                                              .serve = serve,
                                              .silence = silence};

    driver_loop_run(&class, NULL);
}
