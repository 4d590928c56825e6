/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O ports, through the kernel, which checks each against the manifest. */
#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

static uint32_t pio_read(unsigned port, unsigned width)
{
    long value = port_in(port, width);

    if (value < 0)
        panic("port %#x: read refused (%ld)", port, value);
    return (uint32_t)value;
}

static void pio_write(unsigned port, unsigned width, uint32_t value)
{
    long status = port_out(port, width, value);

    if (status < 0)
        panic("port %#x: write refused (%ld)", port, status);
}

uint8_t pio_read8(unsigned port)
{
    return (uint8_t)pio_read(port, 1);
}

uint16_t pio_read16(unsigned port)
{
    return (uint16_t)pio_read(port, 2);
}

uint32_t pio_read32(unsigned port)
{
    return pio_read(port, 4);
}

void pio_write8(unsigned port, uint8_t value)
{
    pio_write(port, 1, value);
}

void pio_write16(unsigned port, uint16_t value)
{
    pio_write(port, 2, value);
}

void pio_write32(unsigned port, uint32_t value)
{
    pio_write(port, 4, value);
}

void pio_write_bytes(unsigned port, const uint8_t *bytes, uint32_t count)
{
    long status = port_out_bytes(port, bytes, count);

    if (status < 0)
        panic("port %#x: write refused (%ld)", port, status);
}
