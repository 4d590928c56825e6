/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration mechanism 1: an address goes to one port, data through four others (PCI 3.0,
 * section 3.2.2.3.2). */
#include "lib/driver/driver.h"
#include "servers/pci/pci.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };

static unsigned select_register(uint16_t place, unsigned offset)
{
    pio_write32(CONFIG_ADDRESS, 1u << 31 | (uint32_t)place << 8 | (offset & 0xfc));
    return CONFIG_DATA + (offset & 3);
}

uint32_t config_read(uint16_t place, unsigned offset, unsigned width)
{
    unsigned port = select_register(place, offset);

    if (width == 1)
        return pio_read8(port);
    return width == 2 ? pio_read16(port) : pio_read32(port);
}

void config_write(uint16_t place, unsigned offset, unsigned width, uint32_t value)
{
    unsigned port = select_register(place, offset);

    if (width == 1)
        pio_write8(port, (uint8_t)value);
    else if (width == 2)
        pio_write16(port, (uint16_t)value);
    else
        pio_write32(port, value);
}
