/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What pci needs for an IOMMU (servers/pci/iommu.c): to read the firmware's tables, the unit's
 * registers, memory for its tables, an interrupt; and the answer to the one question that matters,
 * which memory a device may reach. RS knows that, because it made the memory; what the registers of
 * the unit mean it does not know. Who has data moved by devices may see whether the unit has kept one
 * of them from it.
 */
#include <errno.h>
#include <stddef.h>

#include "servers/rs/requests.h"

#define FIRMWARE_AT 0x170000000000ull /* in RS's space: mapped while it is read */
#define TABLES_AT (DEVICE_WINDOW + DEVICES_MAX * DEVICE_STRIDE) /* in pci's, and its units */
#define UNITS_AT (TABLES_AT + DEVICE_STRIDE)
#define TABLES_SIZE (4ull << 20)

static struct {
    uint64_t unit[IOMMU_UNITS]; /* physical; 0: none */
    void *tables; /* in RS's space, so they outlive pci; NULL: none */
    uint64_t physical;
    endpoint_t bound; /* the incarnation of pci that has the interrupt */
    uint64_t vector;
} iommu;

long request_firmware(struct message *m, struct service *caller)
{
    const struct rs_firmware_request *r = message_words(m);
    uint64_t offset = r->physical & (PAGE_SIZE - 1), length = r->length;
    uint64_t pages = (offset + length + PAGE_SIZE - 1) / PAGE_SIZE;
    static char text[PAGE_SIZE];
    long error;

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (length == 0 || length > sizeof text)
        return -EINVAL;
    error =
        memory_map(ENDPOINT_SELF, FIRMWARE_AT, pages, MAP_READ | MAP_PHYSICAL, 0,
                   r->physical - offset); /* never RAM that anybody has: the kernel sees to that */
    if (error < 0)
        return error;
    for (uint64_t i = 0; i < length; i++)
        text[i] = ((const volatile char *)FIRMWARE_AT)[offset + i];
    memory_unmap_own(FIRMWARE_AT, pages);
    return grant_to(message_caller(m), r->grant, 0, text, length);
}

/* For this incarnation of it, and for those to come. */
static long map_for_good(struct service *s, const struct mapping *map)
{
    long error;

    if (s->mappings == SERVICE_MAPPINGS)
        return -ENOSPC;
    error =
        memory_map(s->endpoint, map->address, map->pages, map->flags, ENDPOINT_SELF, map->source);
    if (error == 0)
        s->mapping[s->mappings++] = *map;
    return error;
}

static uint64_t unit_address(uint64_t n)
{
    return UNITS_AT + n * DEVICE_STRIDE;
}

static long map_unit(struct service *s, uint64_t n, uint64_t physical, uint64_t access)
{
    return map_for_good(
        s, &(struct mapping){unit_address(n), 1, access | MAP_PHYSICAL | MAP_UNCACHED, physical});
}

static long make_tables(struct service *pci)
{
    uint64_t flags;
    void *tables;
    long error;

    if (iommu.tables)
        return 0;
    tables = arena_contiguous(TABLES_SIZE);
    if (!tables)
        return -ENOMEM;
    error =
        map_for_good(pci, &(struct mapping){TABLES_AT, TABLES_SIZE / PAGE_SIZE,
                                            MAP_READ | MAP_WRITE | MAP_SHARE, (uint64_t)tables});
    if (error < 0)
        return error;
    iommu.physical = (uint64_t)memory_query(ENDPOINT_SELF, (uint64_t)tables, &flags);
    iommu.tables = tables;
    return 0;
}

static long make_unit(struct service *pci, uint64_t n, uint64_t physical)
{
    long error;

    if (iommu.unit[n] != 0)
        return iommu.unit[n] == physical ? 0 : -EINVAL;
    error = map_unit(pci, n, physical, MAP_READ | MAP_WRITE);
    if (error == 0)
        iommu.unit[n] = physical;
    return error;
}

/* Tables and registers are pci's for good: each incarnation finds them mapped. The interrupt is
 * bound to one incarnation, and goes with it, so it is bound again for the next. */
long request_iommu(struct message *m, struct service *caller)
{
    const struct rs_iommu_request *r = message_words(m);
    struct rs_iommu_reply *reply = message_words(m);
    uint64_t n = r->number;
    long error;

    if (caller->id != SERVICE_PCI)
        return -EPERM;
    if (n >= IOMMU_UNITS || r->registers == 0)
        return -EINVAL;
    error = make_tables(caller);
    if (error == 0)
        error = make_unit(caller, n, r->registers);
    if (error < 0)
        return error;
    if (iommu.bound != caller->endpoint) {
        long vector = irq_bind(caller->endpoint, IRQ_MSI, 0, IRQ_EDGE);

        iommu.vector = vector < 0 ? 0 : (uint64_t)vector;
        iommu.bound = caller->endpoint;
        /* a device's memory grows (a mount) before those run who use it */
        slot_control(caller->endpoint, SLOT_CONTROL_PRIORITY, 1);
    }
    reply->registers = unit_address(n);
    reply->tables = TABLES_AT;
    reply->physical = iommu.physical;
    reply->size = TABLES_SIZE;
    reply->vector = iommu.vector;
    return 0;
}

static bool sees_unit(const struct service *s, uint64_t n)
{
    for (unsigned i = 0; i < s->mappings; i++)
        if (s->mapping[i].address == unit_address(n))
            return true;
    return false;
}

long iommu_show(struct service *s, uint64_t n, uint64_t *address)
{
    if (n >= IOMMU_UNITS || iommu.unit[n] == 0)
        return -ENOENT;
    *address = unit_address(n);
    return sees_unit(s, n) ? 0 : map_unit(s, n, iommu.unit[n], MAP_READ);
}

bool iommu_works(void)
{
    return iommu.tables != NULL;
}
