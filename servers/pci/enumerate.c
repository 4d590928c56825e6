/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/pci/pci.h"

#include <string.h>

#include "lib/rt/log.h"

struct pci_table table;

struct function *function_at(uint16_t place)
{
    for (uint32_t i = 0; i < table.count; i++)
        if (table.function[i].place == place)
            return &table.function[i];
    return NULL;
}

uint16_t function_requester(const struct function *f)
{
    uint16_t place = f->place;

    for (uint16_t i = f->parent; i < FUNCTIONS_MAX; i = table.function[i].parent) {
        const struct function *bridge = &table.function[i];

        if (!bridge->express)
            place = bridge->place;
        else if ((config_read(bridge->place, bridge->express + EXPRESS_FLAGS, 2) & EXPRESS_TYPE) ==
                 EXPRESS_TO_PCI)
            place = (uint16_t)(bridge->secondary << 8);
    }
    return place;
}

/* ---- BARs ---- */

/* What stays of all ones: the bits that the device decodes. */
static uint32_t decoded(uint16_t place, unsigned offset)
{
    uint32_t before = config_read(place, offset, 4), mask;

    config_write(place, offset, 4, 0xffffffff);
    mask = config_read(place, offset, 4);
    config_write(place, offset, 4, before);
    return mask;
}

/* Returns the number of BARs that it takes: two when its address has 64 bits. */
static unsigned size_bar(struct function *f, unsigned n)
{
    unsigned offset = PCI_BAR + 4 * n;
    uint32_t low = config_read(f->place, offset, 4), mask = decoded(f->place, offset);
    bool is_port = low & BAR_IS_PORT,
         wide = !is_port && (low & BAR_TYPE) == BAR_IS_64 && n + 1 < BARS;
    uint64_t size = is_port ? mask & 0xfffcu : mask & 0xfffffff0u,
             physical = is_port ? low & 0xfffcu : low & 0xfffffff0u;

    if (wide) {
        physical |= (uint64_t)config_read(f->place, offset + 4, 4) << 32;
        size |= (uint64_t)decoded(f->place, offset + 4) << 32;
    }
    size &= -size; /* its lowest bit is the size */
    if (size != 0 && physical == 0) {
        log_info("%02x:%02x.%x: the firmware gave BAR %u no address", f->place >> 8,
                 f->place >> 3 & 31, f->place & 7, n);
        size = 0;
    }
    f->found.bar[n].physical = size ? physical : 0;
    f->found.bar[n].size = size;
    f->found.bar[n].is_port = is_port && size;
    return wide ? 2 : 1;
}

/* While it is asked for its sizes a BAR has a wrong address: meanwhile the device does not answer
 * to any. */
static void size_bars(struct function *f)
{
    uint32_t command = config_read(f->place, PCI_COMMAND, 2);

    config_write(f->place, PCI_COMMAND, 2, command & ~(uint32_t)(COMMAND_IO | COMMAND_MEMORY));
    for (unsigned n = 0; n < BARS;)
        n += size_bar(f, n);
    config_write(f->place, PCI_COMMAND, 2, command);
}

/* ---- functions ---- */

/* Where a virtio device has its structures; of several of a kind the first is the best. */
static void find_window(struct function *f, unsigned at)
{
    unsigned type = config_read(f->place, at + VIRTIO_TYPE, 1);
    struct rs_window *w = &f->found.window[type - 1];

    if (f->found.vendor != VENDOR_VIRTIO || type == 0 ||
        type > sizeof f->found.window / sizeof *w || w->length)
        return;
    w->bar = config_read(f->place, at + VIRTIO_BAR, 1);
    w->offset = config_read(f->place, at + VIRTIO_OFFSET, 4);
    w->length = config_read(f->place, at + VIRTIO_LENGTH, 4);
    w->multiplier = type == 2 ? config_read(f->place, at + VIRTIO_MULTIPLIER, 4) : 0;
}

static void find_capabilities(struct function *f)
{
    unsigned at = config_read(f->place, PCI_STATUS, 2) & STATUS_CAPABILITIES
                      ? config_read(f->place, PCI_CAPABILITIES, 1) & 0xfc
                      : 0;

    for (unsigned hops = 0; at >= 0x40 && hops < 48; hops++) { /* the list may be a circle */
        uint32_t header = config_read(f->place, at, 2);

        switch (header & 0xff) {
        case CAPABILITY_MSI:
            f->msi = (uint8_t)at;
            break;
        case CAPABILITY_MSIX:
            f->msix = (uint8_t)at;
            break;
        case CAPABILITY_VENDOR:
            find_window(f, at);
            break;
        case CAPABILITY_EXPRESS:
            f->express = (uint8_t)at;
            break;
        case CAPABILITY_ADVANCED:
            f->advanced = (uint8_t)at;
            break;
        }
        at = header >> 8 & 0xfc;
    }
}

/* MSI is enough: MSI-X only of those that have nothing better. */
static void find_table(struct function *f)
{
    uint32_t table_at = f->msix ? config_read(f->place, f->msix + MSIX_TABLE, 4) : 0;

    f->found.has_msi = f->msi != 0;
    f->found.has_msix = f->msix && !f->msi;
    f->found.msix_bar = table_at & MSIX_TABLE_BAR;
    f->found.msix_offset = table_at & ~(uint32_t)MSIX_TABLE_BAR;
}

static const struct function *same_in(const struct pci_table *known, const struct function *f)
{
    for (uint32_t i = 0; known && i < known->count && i < FUNCTIONS_MAX; i++) {
        const struct function *k = &known->function[i];

        if (k->place == f->place && k->found.vendor == f->found.vendor &&
            k->found.device == f->found.device)
            return k;
    }
    return NULL;
}

static void describe(struct function *f, const struct pci_table *known)
{
    const struct function *same;

    f->found.bus = f->place >> 8;
    f->found.device_function = f->place & 0xff;
    f->found.vendor = (uint16_t)config_read(f->place, PCI_VENDOR, 2);
    f->found.device = (uint16_t)config_read(f->place, PCI_DEVICE, 2);
    f->found.class_code = config_read(f->place, PCI_CLASS, 4) >> 8;
    f->pin = (uint8_t)config_read(f->place, PCI_INTERRUPT_PIN, 1);
    f->interrupt_line = (uint8_t)config_read(f->place, PCI_INTERRUPT_LINE, 1);
    f->cache_line = (uint8_t)config_read(f->place, PCI_CACHE_LINE, 1);
    find_capabilities(f);
    find_table(f);
    route(f);
    same = same_in(known, f);
    if (same) {
        memcpy(f->found.bar, same->found.bar, sizeof f->found.bar);
        f->interrupt_line = same->interrupt_line; /* its reset may have been interrupted */
        f->cache_line = same->cache_line;
        f->msi_address = same->msi_address;
        f->msi_data = same->msi_data;
        f->msix_table = same->msix_table;
    } else if (f->secondary == 0) {
        size_bars(f);
    }
}

static void scan_bus(uint8_t bus, uint16_t parent, const struct pci_table *known);

static void scan_function(uint16_t place, uint16_t parent, uint8_t header,
                          const struct pci_table *known)
{
    struct function *f = &table.function[table.count];

    if (table.count == FUNCTIONS_MAX) {
        log_info("%02x:%02x.%x: more than %d functions", place >> 8, place >> 3 & 31, place & 7,
                 FUNCTIONS_MAX);
        return;
    }
    table.count++;
    *f = (struct function){.place = place, .parent = parent};
    if ((header & ~HEADER_MANY) == HEADER_BRIDGE)
        f->secondary = (uint8_t)config_read(place, PCI_SECONDARY_BUS, 1);
    describe(f, known);
    if (f->secondary > place >> 8) /* numbers grow away from the root: so this ends */
        scan_bus(f->secondary, (uint16_t)(f - table.function), known);
}

static void scan_bus(uint8_t bus, uint16_t parent, const struct pci_table *known)
{
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned n = 0; n < 8; n++) {
            uint16_t place = (uint16_t)(bus << 8 | slot << 3 | n);
            uint8_t header;

            if (config_read(place, PCI_VENDOR, 2) == 0xffff) {
                if (n == 0)
                    break;
                continue;
            }
            header = (uint8_t)config_read(place, PCI_HEADER, 1);
            scan_function(place, parent, header, known);
            if (n == 0 && !(header & HEADER_MANY))
                break;
        }
}

void enumerate(const struct pci_table *known)
{
    table.magic = PCI_TABLE_MAGIC;
    table.count = 0;
    route_begin();
    scan_bus(0, NO_FUNCTION, known);
}
