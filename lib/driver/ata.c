/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/driver/ata.h"

static void copy_text(char *to, const uint16_t *words, unsigned count)
{
    unsigned length = 2 * count;

    for (unsigned i = 0; i < count; i++) {
        to[2 * i] = (char)(words[i] >> 8);
        to[2 * i + 1] = (char)words[i];
    }
    while (length && (to[length - 1] == ' ' || to[length - 1] == 0))
        length--;
    to[length] = 0;
}

struct block_unit ata_unit(const uint16_t *w)
{
    struct block_unit u = {.flags = BLOCK_UNIT_PRESENT, .logical_size = 512};
    uint64_t wide =
        w[100] | (uint64_t)w[101] << 16 | (uint64_t)w[102] << 32 | (uint64_t)w[103] << 48;

    if ((w[106] & 0xd000) == 0x5000) /* logical sectors of more than 512 bytes */
        u.logical_size = 2 * (w[117] | (uint32_t)w[118] << 16);
    u.physical_size = u.logical_size;
    if ((w[106] & 0xe000) == 0x6000)
        u.physical_size <<= w[106] & 15;
    u.sectors = ata_is_wide(w) ? wide : w[60] | (uint64_t)w[61] << 16;
    u.sectors *= u.logical_size / 512;
    if (w[85] >> 5 & 1)
        u.flags |= BLOCK_UNIT_WRITE_CACHE;
    copy_text(u.model, w + 27, 20);
    copy_text(u.serial, w + 10, 10);
    return u;
}
