/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel is told of the ACPI tables (ACPI 6.4, 5.2): of the MADT the interrupt controllers,
 * of the FADT how to power off. */
#include "boot/boot.h"
#include "kernel/string.h"

struct __attribute__((packed)) table_header {
    char signature[4];
    uint32_t length;
    uint8_t rest[28];
};

static uint64_t read(const void *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static void madt(const struct table_header *t)
{
    const uint8_t *at = (const uint8_t *)t + 44, *end = (const uint8_t *)t + t->length;

    boot_info.lapic = read((const uint8_t *)t + 36, 4);
    for (; at + 2 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1]) {
        if (at[0] == 1 && read(at + 8, 4) == 0) /* I/O APIC; the one with GSI 0 */
            boot_info.ioapic = read(at + 4, 4);
        else if (at[0] == 2 && at[3] < 16) /* interrupt source override */
            boot_info.isa_gsi[at[3]] = (uint32_t)read(at + 4, 4);
    }
}

static void fadt(const struct table_header *t)
{
    kernel_page.info.power_off[0] = (uint32_t)read((const uint8_t *)t + 64, 4);
    kernel_page.info.power_off[1] = (uint32_t)read((const uint8_t *)t + 68, 4);
}

static const uint8_t *find_rsdp(void)
{
    if (kernel_page.info.rsdp)
        return direct(kernel_page.info.rsdp);
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16)
        if (!memcmp(direct(at), "RSD PTR ", 8)) {
            kernel_page.info.rsdp = at;
            return direct(at);
        }
    return NULL;
}

void acpi_read(void)
{
    const uint8_t *rsdp = find_rsdp();
    const struct table_header *root;
    unsigned width;

    boot_info.lapic = 0xfee00000;
    boot_info.ioapic = 0xfec00000;
    for (unsigned i = 0; i < 16; i++)
        boot_info.isa_gsi[i] = i;
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
