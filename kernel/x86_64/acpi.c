/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI tables that the kernel needs (ACPI 6.4, 5.2): MADT for the interrupt controllers, FADT
 * to power off. */
#include "kernel/boot/boot_info.h"
#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

struct __attribute__((packed)) table_header {
    char signature[4];
    uint32_t length;
    uint8_t rest[28];
};

struct acpi acpi = {.lapic = 0xfee00000, .ioapic = 0xfec00000};

static uint64_t read(const void *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static void madt(const struct table_header *t)
{
    const uint8_t *at = (const uint8_t *)t + 44, *end = (const uint8_t *)t + t->length;

    acpi.lapic = read((const uint8_t *)t + 36, 4);
    for (; at + 2 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1]) {
        if (at[0] == 1 && read(at + 8, 4) == 0) /* I/O APIC; the one with GSI 0 */
            acpi.ioapic = read(at + 4, 4);
        else if (at[0] == 2 && at[3] < 16) /* interrupt source override */
            acpi.isa_gsi[at[3]] = (uint32_t)read(at + 4, 4);
    }
}

static void fadt(const struct table_header *t)
{
    acpi.pm1a_control = (uint16_t)read((const uint8_t *)t + 64, 4);
    acpi.pm1b_control = (uint16_t)read((const uint8_t *)t + 68, 4);
}

static const uint8_t *find_rsdp(void)
{
    if (boot_info.rsdp)
        return direct(boot_info.rsdp);
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
        if (!memcmp(direct(at), "RSD PTR ", 8)) {
            boot_info.rsdp = at;
            return direct(at);
        }
    return NULL;
}

void acpi_start(void)
{
    const uint8_t *rsdp = find_rsdp();
    const struct table_header *root;
    unsigned width;

    for (unsigned i = 0; i < 16; i++)
        acpi.isa_gsi[i] = i;
    if (!rsdp)
        return;
    width = rsdp[15] >= 2 && read(rsdp + 24, 8) ? 8 : 4; /* XSDT or RSDT */
    root = direct(width == 8 ? read(rsdp + 24, 8) : read(rsdp + 16, 4));
    for (uint32_t at = 36; at + width <= root->length; at += width) {
        const struct table_header *t = direct(read((const uint8_t *)root + at, width));

        if (!memcmp(t->signature, "APIC", 4))
            madt(t);
        else if (!memcmp(t->signature, "FACP", 4))
            fadt(t);
    }
}
