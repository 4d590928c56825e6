/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory-mapped registers: one access of the right width each, never merged or left out by the
 * compiler. */
#include "lib/driver/driver.h"

uint8_t mmio_read8(volatile void *base, uint32_t offset)
{
    return *(volatile uint8_t *)((volatile char *)base + offset);
}

uint16_t mmio_read16(volatile void *base, uint32_t offset)
{
    return *(volatile uint16_t *)((volatile char *)base + offset);
}

uint32_t mmio_read32(volatile void *base, uint32_t offset)
{
    return *(volatile uint32_t *)((volatile char *)base + offset);
}

void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    *(volatile uint8_t *)((volatile char *)base + offset) = value;
}

void mmio_write16(volatile void *base, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)((volatile char *)base + offset) = value;
}

void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)((volatile char *)base + offset) = value;
}
