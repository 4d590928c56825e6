/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/pci/pci.h"

#include <errno.h>
#include <stddef.h>

#include "lib/driver/driver.h"
#include "lib/rt/log.h"

enum {
    BUS_RESET_MS = 2, /* PCI Local Bus 3.0: at least 1 ms */
    AFTER_RESET_MS =
        100, /* PCI Express 3.0, sections 6.6.1 and 6.6.2: before anybody speaks to it */
};

/* Writes only what changes: some devices take even the same value for news. */
static void set_command(const struct function *f, uint32_t clear, uint32_t set)
{
    uint32_t before = config_read(f->place, PCI_COMMAND, 2), after = (before & ~clear) | set;

    if (after != before)
        config_write(f->place, PCI_COMMAND, 2, after);
}

static void write_msi(const struct function *f)
{
    uint32_t flags = config_read(f->place, f->msi + MSI_CONTROL, 2) & ~(uint32_t)MSI_COUNT;

    config_write(f->place, f->msi + MSI_CONTROL, 2, flags & ~(uint32_t)MSI_ENABLE);
    if (!f->msi_address)
        return;
    config_write(f->place, f->msi + 4, 4, f->msi_address);
    if (flags & MSI_IS_64)
        config_write(f->place, f->msi + 8, 4, 0);
    config_write(f->place, f->msi + (flags & MSI_IS_64 ? 12 : 8), 2, f->msi_data);
    config_write(f->place, f->msi + MSI_CONTROL, 2, flags | MSI_ENABLE);
}

/* Its memory must be enabled. While an entry is masked what comes is kept, and sent afterwards; so
 * the table is enabled before its driver starts, and nothing is lost before the vector is known. */
static void write_msix(const struct function *f)
{
    volatile void *entry = (volatile void *)(uintptr_t)f->msix_table;

    if (!(config_read(f->place, f->msix + MSIX_CONTROL, 2) & MSIX_ENABLE))
        config_write(f->place, f->msix + MSIX_CONTROL, 2, MSIX_ENABLE);
    mmio_write32(entry, ENTRY_CONTROL, ENTRY_MASKED);
    if (!f->msi_address)
        return;
    mmio_write32(entry, ENTRY_ADDRESS, f->msi_address);
    mmio_write32(entry, ENTRY_ADDRESS_HIGH, 0);
    mmio_write32(entry, ENTRY_DATA, f->msi_data);
    mmio_write32(entry, ENTRY_CONTROL, 0);
}

static bool has_msi(const struct function *f)
{
    return f->msi || f->msix_table;
}

/* Its interrupts go by its pin no more. */
static bool msi_in_use(const struct function *f)
{
    return f->msi ? f->msi_address != 0 : f->msix_table != 0;
}

long device_msi(struct function *f, uint32_t address, uint32_t data)
{
    if (!has_msi(f))
        return -ENOTSUP;
    f->msi_address = address;
    f->msi_data = data;
    if (f->msi)
        write_msi(f);
    else
        write_msix(f);
    set_command(f, 0, COMMAND_NO_INTX);
    return 0;
}

void device_enable(const struct function *f)
{
    unsigned control = f->msi ? f->msi + MSI_CONTROL : f->msix + MSIX_CONTROL;
    uint32_t enabled = f->msi ? MSI_ENABLE : MSIX_ENABLE;
    bool was_reset = msi_in_use(f) && !(config_read(f->place, control, 2) & enabled);

    if (was_reset && f->msi)
        write_msi(f);
    for (uint16_t i = f->parent; i < FUNCTIONS_MAX;
         i = table.function[i].parent) /* the way there, too */
        set_command(&table.function[i], 0, COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER);
    set_command(f, msi_in_use(f) ? 0 : COMMAND_NO_INTX,
                COMMAND_IO | COMMAND_MEMORY | COMMAND_MASTER |
                    (msi_in_use(f) ? COMMAND_NO_INTX : 0));
    if (was_reset && !f->msi)
        write_msix(f);
}

/* ---- quiesce ---- */

static bool start_function_reset(const struct function *f)
{
    if (f->express &&
        (config_read(f->place, f->express + EXPRESS_CAPABILITIES, 4) & EXPRESS_HAS_FLR)) {
        config_write(f->place, f->express + EXPRESS_CONTROL, 2,
                     config_read(f->place, f->express + EXPRESS_CONTROL, 2) | EXPRESS_FLR);
        return true;
    }
    if (f->advanced &&
        (config_read(f->place, f->advanced + ADVANCED_CAPABILITIES, 1) & ADVANCED_HAS_FLR)) {
        config_write(f->place, f->advanced + ADVANCED_CONTROL, 1, ADVANCED_FLR);
        return true;
    }
    return false;
}

/* The bridge that it is alone behind; NULL: there is none, or others would be reset, too. */
static const struct function *own_bridge(const struct function *f)
{
    unsigned others = 0;

    for (uint32_t i = 0; i < table.count; i++)
        others += table.function[i].parent == f->parent && &table.function[i] != f;
    return f->parent < FUNCTIONS_MAX && others == 0 && f->secondary == 0
               ? &table.function[f->parent]
               : NULL;
}

static void set_bus_reset(const struct function *bridge, bool on)
{
    uint32_t flags = config_read(bridge->place, PCI_BRIDGE_CONTROL, 2) & ~(uint32_t)BRIDGE_RESET;

    config_write(bridge->place, PCI_BRIDGE_CONTROL, 2, flags | (on ? BRIDGE_RESET : 0));
}

/* A reset has cleared the configuration: addresses as they were; nothing is enabled. */
static long put_back(const struct function *f)
{
    if (config_read(f->place, PCI_VENDOR, 2) != f->found.vendor)
        return -ENODEV; /* it did not come back */
    for (unsigned n = 0; n < BARS; n++) {
        uint64_t physical = f->found.bar[n].physical;

        if (f->found.bar[n].size == 0)
            continue;
        config_write(f->place, PCI_BAR + 4 * n, 4, (uint32_t)physical);
        if (n + 1 < BARS &&
            (config_read(f->place, PCI_BAR + 4 * n, 4) & (BAR_IS_PORT | BAR_TYPE)) == BAR_IS_64)
            config_write(f->place, PCI_BAR + 4 * n + 4, 4, (uint32_t)(physical >> 32));
    }
    config_write(f->place, PCI_CACHE_LINE, 1, f->cache_line);
    config_write(f->place, PCI_INTERRUPT_LINE, 1, f->interrupt_line);
    set_command(f, COMMAND_MASTER, COMMAND_NO_INTX);
    return 0;
}

static void say_reset(const struct function *f, const char *how)
{
    log_info("%02x:%02x.%x: reset from outside, %s", f->place >> 8, f->place >> 3 & 31,
             f->place & 7, how);
}

long device_quiesce(const struct function *f, unsigned step)
{
    const struct function *bridge = own_bridge(f);

    if (step == 0) {
        set_command(f, COMMAND_MASTER,
                    COMMAND_NO_INTX); /* quiet on a line that others share, too */
        if (start_function_reset(f)) {
            say_reset(f, "by itself");
            return AFTER_RESET_MS;
        }
        if (!bridge)
            return 0; /* no reset that hits it alone: its driver resets it before its first use */
        say_reset(f, "with the bus that it is alone on");
        set_bus_reset(bridge, true);
        return BUS_RESET_MS;
    }
    if (bridge && (config_read(bridge->place, PCI_BRIDGE_CONTROL, 2) & BRIDGE_RESET)) {
        set_bus_reset(bridge, false);
        return AFTER_RESET_MS;
    }
    return put_back(f);
}
