/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pci/enumerate.c servers/pci/route.c servers/pci/device.c
/* The PCI server against a fake configuration space: one bridge, a few devices. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/rt/log.h"
#include "servers/pci/pci.h"

/* ---- fake hardware ---- */

#define FAKES 8

static struct fake {
    uint16_t place;
    uint8_t config[256];
    uint32_t bar_mask[BARS]; /* bits that can be written; the low ones are fixed */
    uint8_t bar_fixed[BARS];
    unsigned bar_writes, command_writes, resets;
    bool decoding_while_sized;
} fakes[FAKES];
static unsigned fake_count;

void log_info(const char *format, ...)
{
}

static uint32_t table_entry[4];
static const struct fake *table_owner;

void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    assert_ptr_equal(base, table_entry);
    assert_true(offset % 4 == 0 && offset < sizeof table_entry);
    assert_true(table_owner->config[PCI_COMMAND] & COMMAND_MEMORY);
    /* what the device would send is never half of one and half of another */
    assert_true(offset == ENTRY_CONTROL || table_entry[ENTRY_CONTROL / 4] & ENTRY_MASKED);
    table_entry[offset / 4] = value;
}

static uint32_t get(const struct fake *f, unsigned offset, unsigned width)
{
    uint32_t value = 0;

    memcpy(&value, f->config + offset, width);
    return value;
}

static void put(struct fake *f, unsigned offset, unsigned width, uint32_t value)
{
    memcpy(f->config + offset, &value, width);
}

static struct fake *fake_at(uint16_t place)
{
    for (unsigned i = 0; i < fake_count; i++)
        if (fakes[i].place == place)
            return &fakes[i];
    return NULL;
}

static void reset(struct fake *f)
{
    f->resets++;
    put(f, PCI_COMMAND, 2, 0);
    put(f, PCI_INTERRUPT_LINE, 1, 0);
    for (unsigned n = 0; n < BARS; n++)
        put(f, PCI_BAR + 4 * n, 4, f->bar_fixed[n]);
    if (get(f, PCI_CAPABILITIES, 1))
        put(f, get(f, PCI_CAPABILITIES, 1) + MSI_CONTROL, 2,
            get(f, get(f, PCI_CAPABILITIES, 1) + MSI_CONTROL, 2) & ~(uint32_t)MSI_ENABLE);
}

uint32_t config_read(uint16_t place, unsigned offset, unsigned width)
{
    struct fake *f = fake_at(place);

    assert_int_equal(offset % width, 0);
    assert_true(offset + width <= 256);
    if (f)
        return get(f, offset, width);
    return width == 4 ? 0xffffffff : (1u << 8 * width) - 1;
}

static void write_bridge(struct fake *bridge, uint32_t before, uint32_t value)
{
    if (!(before & BRIDGE_RESET) || (value & BRIDGE_RESET))
        return;
    for (unsigned i = 0; i < fake_count; i++)
        if (fakes[i].place >> 8 == get(bridge, PCI_SECONDARY_BUS, 1))
            reset(&fakes[i]);
}

void config_write(uint16_t place, unsigned offset, unsigned width, uint32_t value)
{
    struct fake *f = fake_at(place);
    unsigned n = (offset - PCI_BAR) / 4;

    assert_non_null(f);
    assert_int_equal(offset % width, 0);
    if (offset >= PCI_BAR && n < BARS) {
        assert_int_equal(get(f, PCI_HEADER, 1) & 0x7f, 0);
        f->bar_writes++;
        f->decoding_while_sized |= get(f, PCI_COMMAND, 2) & (COMMAND_IO | COMMAND_MEMORY);
        put(f, offset, 4, (value & f->bar_mask[n]) | f->bar_fixed[n]);
        return;
    }
    if (offset == PCI_BRIDGE_CONTROL && width == 2)
        write_bridge(f, get(f, offset, 2), value);
    f->command_writes += offset == PCI_COMMAND;
    put(f, offset, width, value);
    if (get(f, 0x60, 1) == CAPABILITY_EXPRESS && offset == 0x60 + EXPRESS_CONTROL &&
        (value & EXPRESS_FLR))
        reset(f);
}

static struct fake *add(uint16_t place, uint32_t id, uint8_t pin)
{
    struct fake *f = &fakes[fake_count++];

    *f = (struct fake){.place = place};
    put(f, PCI_VENDOR, 4, id);
    put(f, PCI_INTERRUPT_PIN, 1, pin);
    return f;
}

static void set_bar(struct fake *f, unsigned n, uint32_t mask, uint8_t fixed, uint32_t address)
{
    f->bar_mask[n] = mask;
    f->bar_fixed[n] = fixed;
    put(f, PCI_BAR + 4 * n, 4, address | fixed);
}

#define PLACE(bus, slot, function) ((uint16_t)((bus) << 8 | (slot) << 3 | (function)))

static struct fake *nic, *behind, *bridge;

static int setup_machine(uint32_t host, uint16_t lpc, uint32_t lpc_id)
{
    struct fake *f;

    fake_count = 0;
    add(PLACE(0, 0, 0), host, 0);
    nic = add(PLACE(0, 2, 0), 0x100e8086, 1);
    set_bar(nic, 0, 0xfffe0000, 0, 0xfeb80000);
    set_bar(nic, 1, 0xffffffc0, BAR_IS_PORT, 0xc000);
    put(nic, PCI_COMMAND, 2, COMMAND_IO | COMMAND_MEMORY);
    bridge = add(PLACE(0, 3, 0), 0x00011b36, 1);
    put(bridge, PCI_HEADER, 1, HEADER_BRIDGE);
    put(bridge, PCI_SECONDARY_BUS, 1, 1);
    behind = add(PLACE(1, 5, 0), 0x10d38086, 2);
    set_bar(behind, 2, 0xffffc000, BAR_IS_64, 0x4000);
    set_bar(behind, 3, 0xffffffff, 0, 0x80);
    put(behind, PCI_COMMAND, 2, COMMAND_MEMORY);
    put(behind, PCI_INTERRUPT_LINE, 1, 7);
    put(behind, PCI_STATUS, 2, STATUS_CAPABILITIES);
    put(behind, PCI_CAPABILITIES, 1, 0x50);
    put(behind, 0x50, 4, CAPABILITY_MSI | 0x60 << 8 | (uint32_t)(MSI_IS_64 | 2 << 4) << 16);
    put(behind, 0x60, 4, CAPABILITY_EXPRESS | 0x50 << 8); /* a circle */
    f = add(lpc, lpc_id, 0);
    for (unsigned i = 0; i < 4; i++)
        put(f, 0x60 + i, 1, 10 + i / 2);
    return 0;
}

static int setup(void **state)
{
    return setup_machine(0x29c08086, PLACE(0, 0x1f, 0), 0x29188086);
}

static void test_enumerate(void **state)
{
    const struct function *f;

    enumerate(NULL);
    assert_int_equal(table.count, 5);
    f = function_at(PLACE(0, 2, 0));
    assert_int_equal(f->found.bar[0].physical, 0xfeb80000);
    assert_int_equal(f->found.bar[0].size, 0x20000);
    assert_int_equal(f->found.bar[1].physical, 0xc000);
    assert_int_equal(f->found.bar[1].size, 0x40);
    assert_true(f->found.bar[1].is_port);
    assert_int_equal(f->found.bar[2].size, 0);
    assert_int_equal(get(nic, PCI_BAR, 4), 0xfeb80000);
    assert_int_equal(get(nic, PCI_COMMAND, 2), COMMAND_IO | COMMAND_MEMORY);
    assert_false(nic->decoding_while_sized);
    f = function_at(PLACE(1, 5, 0));
    assert_int_equal(f->found.bar[2].physical, 0x8000004000);
    assert_int_equal(f->found.bar[2].size, 0x4000);
    assert_int_equal(f->found.bar[3].size, 0);
    assert_true(f->found.has_msi);
    assert_int_equal(&table.function[f->parent] - table.function,
                     function_at(PLACE(0, 3, 0)) - table.function);
    assert_null(function_at(PLACE(0, 9, 0)));
}

/* As whom an IOMMU knows it: a conventional bridge speaks for those behind it. */
static void test_requester(void **state)
{
    enumerate(NULL);
    assert_int_equal(function_requester(function_at(PLACE(0, 2, 0))), PLACE(0, 2, 0));
    assert_int_equal(function_requester(function_at(PLACE(1, 5, 0))), PLACE(0, 3, 0));
    put(bridge, PCI_STATUS, 2, STATUS_CAPABILITIES);
    put(bridge, PCI_CAPABILITIES, 1, 0x40);
    put(bridge, 0x40, 4, CAPABILITY_EXPRESS | 0x40 << 16); /* a root port */
    enumerate(NULL);
    assert_int_equal(function_requester(function_at(PLACE(1, 5, 0))), PLACE(1, 5, 0));
    put(bridge, 0x40, 4, CAPABILITY_EXPRESS | EXPRESS_TO_PCI << 16);
    enumerate(NULL);
    assert_int_equal(function_requester(function_at(PLACE(1, 5, 0))), PLACE(1, 0, 0));
}

static void test_no_address(void **state)
{
    set_bar(nic, 0, 0xfffe0000, 0, 0);
    enumerate(NULL);
    assert_int_equal(function_at(PLACE(0, 2, 0))->found.bar[0].size, 0);
}

static void test_known_is_not_touched(void **state)
{
    struct pci_table known;
    unsigned writes;

    enumerate(NULL);
    known = table;
    writes = nic->bar_writes + nic->command_writes + behind->bar_writes + behind->command_writes;
    memset(&table, 0, sizeof table);
    enumerate(&known);
    assert_int_equal(nic->bar_writes + nic->command_writes + behind->bar_writes +
                         behind->command_writes,
                     writes);
    assert_memory_equal(&table, &known, sizeof table);
    put(nic, PCI_DEVICE, 2, 0x1234); /* another device in its place */
    enumerate(&known);
    assert_true(nic->bar_writes + nic->command_writes + behind->bar_writes +
                    behind->command_writes >
                writes);
}

static void test_routes(void **state)
{
    const struct fake *lpc = fake_at(PLACE(0, 0x1f, 0));

    enumerate(NULL);
    assert_int_equal(function_at(PLACE(0, 2, 0))->found.gsi, 22);
    assert_int_equal(function_at(PLACE(1, 5, 0))->found.gsi, 20 + (3 + (1 + 5) % 4) % 4);
    assert_int_equal(function_at(PLACE(0, 0, 0))->found.gsi, NO_GSI);
    assert_int_equal(get(lpc, 0x60, 4),
                     0x80808080); /* the same lines do not raise ISA interrupts as well */
    assert_int_equal(get(lpc, 0x68, 4), 0x80808080);
    setup_machine(0x12378086, PLACE(0, 1, 0), 0x70008086);
    enumerate(NULL);
    assert_int_equal(function_at(PLACE(0, 2, 0))->found.gsi, 10); /* PIRQ B */
    assert_int_equal(function_at(PLACE(1, 5, 0))->found.gsi, 10); /* slot 3, pin C: PIRQ A */
    put(fake_at(PLACE(0, 1, 0)), 0x61, 1, 0x80);
    enumerate(NULL);
    assert_int_equal(function_at(PLACE(0, 2, 0))->found.gsi, NO_GSI);
    setup_machine(0x12345678, PLACE(0, 1, 0), 0x70008086);
    enumerate(NULL);
    assert_int_equal(function_at(PLACE(1, 5, 0))->found.gsi, 7); /* what the firmware says */
}

static void test_enable(void **state)
{
    unsigned writes;

    enumerate(NULL);
    device_enable(function_at(PLACE(1, 5, 0)));
    assert_int_equal(get(behind, PCI_COMMAND, 2), 7);
    assert_int_equal(get(bridge, PCI_COMMAND, 2), 7);
    writes = behind->command_writes;
    device_enable(function_at(PLACE(1, 5, 0)));
    assert_int_equal(behind->command_writes, writes); /* a live device does not notice */
}

static void test_msi(void **state)
{
    struct function *f;

    enumerate(NULL);
    f = function_at(PLACE(1, 5, 0));
    device_msi(f, 0xfee00000, 0x41);
    assert_int_equal(get(behind, 0x54, 4), 0xfee00000);
    assert_int_equal(get(behind, 0x5c, 2), 0x41);
    assert_int_equal(get(behind, 0x52, 2), MSI_IS_64 | MSI_ENABLE);
    assert_true(get(behind, PCI_COMMAND, 2) & COMMAND_NO_INTX);
    reset(behind);
    device_enable(f); /* MSI is on again, too */
    assert_int_equal(get(behind, 0x52, 2), MSI_IS_64 | MSI_ENABLE);
    assert_int_equal(get(behind, PCI_COMMAND, 2), 7 | COMMAND_NO_INTX);
    device_msi(f, 0, 0); /* mute */
    assert_int_equal(get(behind, 0x52, 2), MSI_IS_64);
    assert_true(get(behind, PCI_COMMAND, 2) & COMMAND_NO_INTX);
    device_msi(f, 0xfee00000, 0x42);
    assert_int_equal(get(behind, 0x5c, 2), 0x42);
    assert_int_equal(get(behind, 0x52, 2), MSI_IS_64 | MSI_ENABLE);
}

/* A device that has MSI-X alone: the table is enabled, all masked, before its vector is known. */
static void test_msix(void **state)
{
    struct fake *disk = add(PLACE(0, 4, 0), 0x10421af4, 1);
    struct function *f;

    set_bar(disk, 1, 0xfffff000, 0, 0xfea00000);
    put(disk, PCI_STATUS, 2, STATUS_CAPABILITIES);
    put(disk, PCI_CAPABILITIES, 1, 0x98);
    put(disk, 0x98, 4, CAPABILITY_MSIX | 1 << 16);
    put(disk, 0x9c, 4, 0x800 | 1);
    memset(table_entry, 0, sizeof table_entry);
    table_entry[ENTRY_CONTROL / 4] = ENTRY_MASKED;
    table_owner = disk;
    enumerate(NULL);
    f = function_at(disk->place);
    assert_true(f->found.has_msix && !f->found.has_msi);
    assert_int_equal(f->found.msix_bar, 1);
    assert_int_equal(f->found.msix_offset, 0x800);
    device_enable(f); /* RS does not want it */
    assert_int_equal(get(disk, 0x9a, 2), 1);
    assert_int_equal(get(disk, PCI_COMMAND, 2), 7);
    assert_int_equal(device_msi(f, 0xfee00000, 0x41), -ENOTSUP);
    f->msix_table = (uintptr_t)table_entry;
    device_enable(f);
    assert_int_equal(get(disk, 0x9a, 2), MSIX_ENABLE);
    assert_true(get(disk, PCI_COMMAND, 2) & COMMAND_NO_INTX);
    assert_int_equal(table_entry[ENTRY_CONTROL / 4], ENTRY_MASKED);
    assert_int_equal(device_msi(f, 0xfee00000, 0x41), 0);
    assert_int_equal(table_entry[0], 0xfee00000);
    assert_int_equal(table_entry[ENTRY_DATA / 4], 0x41);
    assert_int_equal(table_entry[ENTRY_CONTROL / 4], 0);
    device_msi(f, 0xfee00000, 0x42); /* while it is at work */
    assert_int_equal(table_entry[ENTRY_DATA / 4], 0x42);
    device_msi(f, 0, 0); /* mute: what comes is kept */
    assert_int_equal(table_entry[ENTRY_CONTROL / 4], ENTRY_MASKED);
    device_msi(f, 0xfee00000, 0x42);
    assert_int_equal(table_entry[ENTRY_CONTROL / 4], 0);
    reset(disk);
    put(disk, 0x9a, 2, 0);
    memset(table_entry, 0, sizeof table_entry);
    table_entry[ENTRY_CONTROL / 4] = ENTRY_MASKED;
    device_enable(f);
    assert_int_equal(table_entry[ENTRY_DATA / 4], 0x42);
    assert_int_equal(table_entry[ENTRY_CONTROL / 4], 0);
    assert_int_equal(get(disk, 0x9a, 2), MSIX_ENABLE);
}

static void quiesce(struct fake *fake, unsigned steps)
{
    struct function *f;
    unsigned step = 0;
    uint8_t before[6 * 4];

    enumerate(NULL);
    f = function_at(fake->place);
    device_enable(f);
    memcpy(before, fake->config + PCI_BAR, sizeof before);
    while (device_quiesce(f, step) > 0)
        step++;
    assert_int_equal(step, steps);
    assert_false(get(fake, PCI_COMMAND, 2) & COMMAND_MASTER);
    assert_true(get(fake, PCI_COMMAND, 2) & COMMAND_NO_INTX);
    assert_memory_equal(fake->config + PCI_BAR, before, sizeof before);
    device_enable(f);
    assert_int_equal(get(fake, PCI_COMMAND, 2), 7);
}

static void test_quiesce(void **state)
{
    quiesce(nic, 0); /* on the root bus, no FLR: only bus mastering */
    assert_int_equal(nic->resets, 0);
    quiesce(behind, 2); /* through the bridge */
    assert_int_equal(behind->resets, 1);
    assert_int_equal(get(bridge, PCI_BRIDGE_CONTROL, 2), 0);
    assert_int_equal(get(behind, PCI_INTERRUPT_LINE, 1), 7);
    put(behind, 0x64, 4, EXPRESS_HAS_FLR);
    quiesce(behind, 1);
    assert_int_equal(behind->resets, 2);
    put(behind, 0x64, 4, 0);
    add(PLACE(1, 6, 0), 0x100e8086, 1); /* it is not alone behind the bridge: no reset */
    quiesce(behind, 0);
    assert_int_equal(behind->resets, 2);
}

static void test_quiesce_again(void **state)
{
    struct function *f;

    enumerate(NULL);
    f = function_at(behind->place);
    assert_true(device_quiesce(f, 0) > 0); /* and here pci died; its successor begins anew */
    assert_true(device_quiesce(f, 0) > 0);
    assert_true(device_quiesce(f, 1) > 0);
    assert_int_equal(device_quiesce(f, 2), 0);
    assert_int_equal(behind->resets, 1);
    put(behind, PCI_VENDOR, 4, 0xffffffff); /* it never comes back */
    assert_int_equal(device_quiesce(f, 2), -ENODEV);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_enumerate),  TEST(test_requester),
        TEST(test_no_address), TEST(test_known_is_not_touched),
        TEST(test_routes),     TEST(test_enable),
        TEST(test_msi),        TEST(test_msix),
        TEST(test_quiesce),    TEST(test_quiesce_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
