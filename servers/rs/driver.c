/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices and who drives them: what pci finds is given to a service, with its registers, its
 * interrupt and its queue; what pci says of one later is told to that. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/rt/error.h"
#include "servers/rs/requests.h"

#define NO_GSI 0xffffffffu
#define FAULT_SETTLE (100 * MS)

static bool matches(const struct manifest *m, const struct rs_device *d)
{
    for (uint32_t i = 0; i < m->devices; i++)
        if (m->device[i].vendor == d->vendor && m->device[i].device == d->device)
            return true;
    return false;
}

/* A service for it: one that waits for such a device, or one more instance. NULL: nobody
 * drives it. */
static struct service *driver_for(const struct rs_device *d)
{
    struct service *base = NULL, *s;
    char name[SERVICE_NAME_MAX + 8];
    unsigned instance = 0;

    for (unsigned i = 0; i < service_count; i++) {
        s = &services[i];
        if (!s->manifest || !s->image || !matches(s->manifest, d))
            continue;
        if (!s->device)
            return s;
        if (s->instance == 0)
            base = s;
        if (base && s->id == base->id && s->instance >= instance)
            instance = s->instance + 1;
    }
    if (!base)
        return NULL;
    if (snprintf(name, sizeof name, "%s.%u", base->name, instance) >= SERVICE_NAME_MAX) {
        log_info("%s: its name is too long for a second device", base->name);
        return NULL;
    }
    s = service_add(name);
    return s && service_prepare_instance(s, base, instance) ? s : NULL;
}

static void take_port_bar(struct service *s, uint64_t first, uint64_t size)
{
    struct rights *r = &s->config.rights;

    for (unsigned i = 0; i < sizeof r->ports / sizeof r->ports[0]; i++)
        if (r->ports[i].last == 0) {
            r->ports[i].first = (uint16_t)first;
            r->ports[i].last = (uint16_t)(first + size - 1);
            return;
        }
    log_info("%s: no room for the ports of its device", s->name);
}

/* Not for the driver. Of a device whose registers are elsewhere for certain, that is. */
static bool holds_table_alone(const struct rs_device *d, uint32_t bar)
{
    bool is_used = d->window[0].length == 0 || !d->has_msix || d->msix_bar != bar;

    for (unsigned n = 0; n < SERVICE_WINDOWS; n++)
        is_used |= d->window[n].length != 0 && d->window[n].bar == bar;
    return !is_used;
}

static void take_bars(struct service *s, const struct rs_device *d)
{
    for (unsigned n = 0; n < SERVICE_BARS; n++) {
        uint64_t physical = d->bar[n].physical, size = d->bar[n].size,
                 offset = physical & (PAGE_SIZE - 1);
        struct service_device *known = &s->info->device;

        if (size == 0 || size > DEVICE_STRIDE || holds_table_alone(d, n) ||
            physical + size < size || (d->bar[n].is_port && physical + size > 0x10000))
            continue;
        known->bar[n].physical = physical;
        known->bar[n].size = size;
        known->bar[n].is_port = d->bar[n].is_port;
        if (d->bar[n].is_port) {
            known->bar[n].address = physical;
            take_port_bar(s, physical, size);
        } else if (s->mappings < SERVICE_MAPPINGS) {
            known->bar[n].address = DEVICE_WINDOW + n * DEVICE_STRIDE + offset;
            s->mapping[s->mappings++] = (struct mapping){
                DEVICE_WINDOW + n * DEVICE_STRIDE, (offset + size + PAGE_SIZE - 1) / PAGE_SIZE,
                MAP_READ | MAP_WRITE | MAP_PHYSICAL | MAP_UNCACHED, physical - offset};
        }
    }
}

static void take_windows(struct service *s, const struct rs_device *d)
{
    struct service_device *known = &s->info->device;

    for (unsigned n = 0; n < SERVICE_WINDOWS; n++) {
        const struct rs_window *w = &d->window[n];

        if (w->length == 0 || w->bar >= SERVICE_BARS || known->bar[w->bar].is_port ||
            known->bar[w->bar].address == 0 || w->offset > known->bar[w->bar].size ||
            w->length > known->bar[w->bar].size - w->offset)
            continue;
        known->window[n].address = known->bar[w->bar].address + w->offset;
        known->window[n].length = w->length;
        known->window[n].multiplier = w->multiplier;
    }
}

/*
 * The first entry of its MSI-X table, mapped into pci, again for each fresh copy of it: the
 * address, or 0. Without it the device goes on with its pin.
 */
static uint64_t map_table(struct service *pci, struct device *d)
{
    const struct rs_device *f = &d->found;
    uint64_t at = DEVICE_WINDOW + device_number(d) * DEVICE_STRIDE, first, offset;
    struct mapping *m = &pci->mapping[pci->mappings];

    if (f->msix_bar >= SERVICE_BARS || f->bar[f->msix_bar].is_port ||
        f->bar[f->msix_bar].size < 16 || f->msix_offset > f->bar[f->msix_bar].size - 16 ||
        pci->mappings == SERVICE_MAPPINGS)
        return 0;
    first = f->bar[f->msix_bar].physical + f->msix_offset;
    offset = first & (PAGE_SIZE - 1);
    *m =
        (struct mapping){at, 1, MAP_READ | MAP_WRITE | MAP_PHYSICAL | MAP_UNCACHED, first - offset};
    if (memory_map(pci->endpoint, m->address, m->pages, m->flags, 0, m->source) < 0)
        return 0;
    pci->mappings++;
    return at + offset;
}

static void take_device(struct service *s, struct device *d)
{
    struct service_device *known = &s->info->device;

    s->device = d;
    d->owner = s;
    known->bus = d->found.bus;
    known->device_function = d->found.device_function;
    known->vendor = d->found.vendor;
    known->device = d->found.device;
    known->has_msix = d->found.has_msix;
    take_bars(s, &d->found);
    take_windows(s, &d->found);
    if (d->found.has_msi || d->found.has_msix) {
        s->irq[s->irq_count].line = IRQ_MSI;
        s->irq[s->irq_count++].flags = IRQ_EDGE;
    } else if (d->found.gsi != NO_GSI) {
        s->irq[s->irq_count].line = d->found.gsi;
        s->irq[s->irq_count++].flags = d->found.irq_flags;
    }
    s->info->irqs = s->irq_count;
    queue_prepare(s);
    event_raise(&(struct event){.service = s, .type = LIFE_DEVICE_FOUND});
}

/* The device's interrupt is known only when its table could be mapped for pci: so that comes first,
 * and a device without goes to its driver as one that has no MSI-X. */
long request_device_found(struct message *m, struct service *caller)
{
    const struct rs_grant_request *r = message_words(m);
    struct rs_device_found_reply *reply = message_words(m);
    struct rs_device found;
    struct device *d;
    struct service *s;

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (grant_from(message_caller(m), r->grant, 0, &found, sizeof found) < 0)
        return -EFAULT;
    d = device_at((uint64_t)found.bus << 8 | found.device_function);
    if (d) { /* pci has been restarted and tells again what it told before */
        reply->msix_table = d->msix_table;
        reply->is_driven = d->owner != NULL;
        return 0;
    }
    d = device_add(&found);
    if (!d)
        return -ENOSPC;
    reply->msix_table = reply->is_driven = 0;
    s = driver_for(&found);
    if (!s || s->irq_count == SERVICE_IRQS)
        return 0;
    if (found.has_msix)
        reply->msix_table = d->msix_table = map_table(caller, d);
    d->found.has_msix = d->msix_table != 0;
    take_device(s, d);
    reply->is_driven = 1;
    return 0;
}

/* ---- what pci says of it ---- */

long request_device_done(struct message *m, struct service *caller)
{
    const struct rs_device_done_request *r = message_words(m);
    struct device *d = device_at(r->place);

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (!d || d->works == 0 || !d->handed_over || d->work[0].work != r->work)
        return -ESRCH;
    if (r->result < 0)
        log_info("device %02x:%02x.%x: work %llu failed: %s", d->found.bus,
                 d->found.device_function >> 3, d->found.device_function & 7,
                 (unsigned long long)r->work, error_name(r->result));
    /* Its driver has started meanwhile, and an MSI that came before its vector was known is lost:
     * let the driver look. */
    if (r->work == DEVICE_MSI && d->owner && d->owner->endpoint)
        ipc_notify(d->owner->endpoint, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    if (r->work == DEVICE_QUIESCE && r->result == DEVICE_WAS_RESET && d->owner)
        queue_device_reset(d->owner);
    device_work_done(d);
    if (d->owner && !device_busy(d))
        event_raise(&(struct event){.service = d->owner, .type = LIFE_DEVICE_DONE});
    return 0;
}

/* Its driver's queue, and what of others the driver is told to let it reach. */
long request_device_memory(struct message *m, struct service *caller)
{
    const struct rs_device_memory_request *r = message_words(m);
    struct rs_device_memory_reply *reply = message_words(m);
    const struct device *d = device_at(r->place);
    const struct service *s = d ? d->owner : NULL;
    uint64_t n = r->index;

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (!s || !s->queue || n > SERVICE_REGIONS)
        return -ENOENT;
    reply->physical = n == 0 ? s->queue->physical : s->info->region[n - 1].physical;
    reply->size = n == 0 ? s->queue->size : s->info->region[n - 1].size;
    return reply->size ? 0 : -ENOENT;
}

/*
 * The device of s tried to reach what is not its memory. While a fresh copy starts, and a moment
 * longer, that is what its predecessor has left; if the fresh one does it, too, it goes on.
 */
long request_device_fault(struct message *m, struct service *caller)
{
    const struct rs_device_fault_request *r = message_words(m);
    struct device *d = device_at(r->place);
    struct service *s = d ? d->owner : NULL;

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (s || r->place == RS_DEVICE_ANY)
        queue_refused(s);
    if (!s || s->life.state != RS_UP ||
        (s->incarnation > 1 && clock_now() - s->ready < FAULT_SETTLE))
        return -ESRCH;
    event_raise_failed(s, DEFECT_DMA, (uint32_t)r->reason);
    return 0;
}

long request_iommu_status(struct message *m, struct service *caller)
{
    const struct rs_iommu_status_request *r = message_words(m);
    struct rs_iommu_status_reply *reply = message_words(m);

    return queue_is_of_disks(caller) ? iommu_show(caller, r->number, &reply->registers) : -EPERM;
}
