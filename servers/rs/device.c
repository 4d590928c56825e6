/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices that pci has found. What must be done to one is done by pci, which fetches it
 * (RS_DEVICE_WORK) and says when it is done (driver.c): RS waits for nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/rt/error.h"
#include "servers/rs/requests.h"

static struct device devices[DEVICES_MAX];
static unsigned device_count;

void device_work(struct device *d, enum rs_device_work work, uint64_t argument0, uint64_t argument1)
{
    if (d->works ==
        WORKS_MAX) { /* pci has been away for long: of what waits, only the latest matters */
        memmove(&d->work[1], &d->work[2], (WORKS_MAX - 2) * sizeof d->work[0]);
        d->works--;
    }
    d->work[d->works].work = work;
    d->work[d->works].arguments[0] = argument0;
    d->work[d->works++].arguments[1] = argument1;
    service_tell("pci");
}

void device_memory_changed(struct device *d)
{
    bool is_told = d->works > d->handed_over && d->work[d->works - 1].work == DEVICE_MEMORY;

    if (iommu_works() && d->enabled && !is_told)
        device_work(d, DEVICE_MEMORY, 0, 0);
}

unsigned device_number(const struct device *d)
{
    return (unsigned)(d - devices);
}

bool device_busy(const struct device *d)
{
    return d->works != 0;
}

void device_forget_handed(void)
{
    bool any = false;

    for (unsigned i = 0; i < device_count; i++) {
        devices[i].handed_over = false;
        any |= devices[i].works != 0;
    }
    if (any)
        service_tell("pci");
}

static uint64_t place_of(const struct device *d)
{
    return (uint64_t)d->found.bus << 8 | d->found.device_function;
}

struct device *device_at(uint64_t place)
{
    for (unsigned i = 0; i < device_count; i++)
        if (place_of(&devices[i]) == place)
            return &devices[i];
    return NULL;
}

struct device *device_add(const struct rs_device *found)
{
    struct device *d = &devices[device_count];

    if (device_count == DEVICES_MAX)
        return NULL;
    device_count++;
    d->found = *found;
    return d;
}

void device_work_done(struct device *d)
{
    d->works--;
    memmove(&d->work[0], &d->work[1], d->works * sizeof d->work[0]);
    d->handed_over = false;
    if (d->works != 0)
        service_tell("pci");
}

long request_device_work(struct message *m, struct service *caller)
{
    struct rs_device_work_reply *reply = message_words(m);

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    for (unsigned i = 0; i < device_count; i++) {
        struct device *d = &devices[i];

        if (d->works == 0 || d->handed_over)
            continue;
        d->handed_over = true;
        reply->place = place_of(d);
        reply->work = d->work[0].work;
        reply->arguments[0] = d->work[0].arguments[0];
        reply->arguments[1] = d->work[0].arguments[1];
        return 0;
    }
    return -ENOENT;
}

long request_devices(struct message *m, struct service *caller)
{
    const struct rs_list_request *r = message_words(m);
    uint64_t first = r->first, room = r->count ? r->count : 1, n;

    (void)caller;
    if (first >= device_count)
        return -ENOENT;
    for (n = 0; n < room && first + n < device_count; n++) {
        const struct device *d = &devices[first + n];
        struct rs_driven out = {.bus = d->found.bus,
                                .device_function = d->found.device_function,
                                .vendor = d->found.vendor,
                                .device = d->found.device,
                                .class_code = d->found.class_code};
        long error;

        if (d->owner) {
            memcpy(out.driver, d->owner->name, sizeof out.driver);
            out.state = d->owner->life.state;
        }
        error = grant_to(message_caller(m), r->grant, n * sizeof out, &out, sizeof out);
        if (error)
            return error;
    }
    return (long)n;
}

void device_mute(struct device *d)
{
    if (d->msi_vector == 0)
        return;
    d->msi_vector = 0;
    device_work(d, DEVICE_MSI, 0, 0);
}

void device_bind_irqs(struct service *s)
{
    for (uint32_t i = 0; i < s->irq_count; i++) {
        long vector = irq_bind(s->endpoint, s->irq[i].line, i, s->irq[i].flags);

        if (vector < 0)
            log_info("%s: no interrupt %u: %s", s->name, s->irq[i].line, error_name(vector));
        else if (s->irq[i].line == IRQ_MSI && s->device->msi_vector != (uint64_t)vector) {
            s->device->msi_vector = (uint64_t)vector;
            device_work(s->device, DEVICE_MSI, 0xfee00000u, (uint64_t)vector);
        }
    }
}
