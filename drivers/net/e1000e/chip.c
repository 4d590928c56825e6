/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of Intel's 82574L: lib/e1000, and what this chip has of its own ("82574 GbE Controller
 * Family Datasheet", 317694). Its rings are used as those of the 82540EM; its interrupt is an MSI.
 */
#include "drivers/net/e1000e/chip.h"

enum {
    GCR = 0x5b00, /* PCIe control */
    TXDCTL = 0x3828, /* of transmit descriptors */
    GCR_RESERVED = 1 << 22, /* must be set: 10.2.2.13 */
    TXDCTL_RESERVED = 1 << 22, /* likewise: 10.2.6.11 */
};

static void set_bits(struct net_device *d, uint32_t where, uint32_t bits)
{
    mmio_write32(d->registers, where, mmio_read32(d->registers, where) | bits);
}

/* QEMU's does not stop at its reset; unlike the 82540EM it keeps what comes while it is stopped. */
static void prepare(struct net_device *d)
{
    mmio_write32(d->registers, RCTL, 0);
    set_bits(d, GCR, GCR_RESERVED);
    set_bits(d, TXDCTL, TXDCTL_RESERVED);
}

static int e1000e_reset(struct net_device *d)
{
    static const struct e1000_kind kind = {
        .prepare = prepare, .eeprom_done = 1 << 1, .eeprom_shift = 2};

    return e1000_reset_as(d, &kind);
}

const struct net_driver e1000e_driver = {
    .name = "e1000e",
    .reset = e1000e_reset,
    E1000_VERBS,
};
