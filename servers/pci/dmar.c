/* SPDX-License-Identifier: BSD-2-Clause */
/* The ACPI table DMAR (Intel VT-d 3.3, chapter 8): where the remapping units have their registers.
 * RS reads what is in the firmware's memory. */
#include <string.h>

#include "servers/pci/iommu.h"

enum {
    RSDP_SIZE = 36,
    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_XSDT = 24,
    HEADER_LENGTH = 4, /* of a table: 32 bits */
    HEADER_SIZE = 36,
    DMAR_FIRST = 48, /* its first structure: type 16, length 16 */
    DRHD_TYPE = 0,
    DRHD_SEGMENT = 6,
    DRHD_BASE = 8,
    DRHD_SIZE = 16,
    TABLE_MAX = 4096, /* longer ones are read so far */
};

static uint64_t read_number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

/* A whole table: its length, or 0. */
static uint32_t read_table(uint64_t physical, uint8_t *table)
{
    uint32_t length;

    if (!firmware_read(physical, table, HEADER_SIZE))
        return 0;
    length = (uint32_t)read_number(table + HEADER_LENGTH, 4);
    if (length < HEADER_SIZE)
        return 0;
    if (length > TABLE_MAX)
        length = TABLE_MAX;
    return firmware_read(physical, table, length) ? length : 0;
}

/* Fills in the table DMAR: its length, or 0. */
static uint32_t find_dmar(uint64_t rsdp_at, uint8_t *table)
{
    static uint8_t rsdp[RSDP_SIZE], root[TABLE_MAX];
    unsigned width;
    uint32_t length;

    if (!rsdp_at || !firmware_read(rsdp_at, rsdp, sizeof rsdp))
        return 0;
    width = rsdp[RSDP_REVISION] >= 2 && read_number(rsdp + RSDP_XSDT, 8) ? 8 : 4;
    length = read_table(read_number(rsdp + (width == 8 ? RSDP_XSDT : RSDP_RSDT), width), root);
    for (uint32_t at = HEADER_SIZE; at + width <= length; at += width) {
        uint32_t found = read_table(read_number(root + at, width), table);

        if (found && memcmp(table, "DMAR", 4) == 0)
            return found;
    }
    return 0;
}

unsigned dmar_units(uint64_t rsdp, uint64_t *base, unsigned most)
{
    static uint8_t table[TABLE_MAX];
    uint32_t length = find_dmar(rsdp, table), size;
    unsigned units = 0;

    for (uint32_t at = DMAR_FIRST; at + 4 <= length; at += size) {
        const uint8_t *s = table + at;

        size = (uint32_t)read_number(s + 2, 2);
        if (size < 4 || size > length - at)
            break;
        if (read_number(s, 2) != DRHD_TYPE || size < DRHD_SIZE || read_number(s + DRHD_SEGMENT, 2))
            continue;
        if (units < most)
            base[units] = read_number(s + DRHD_BASE, 8);
        units++;
    }
    return units;
}
