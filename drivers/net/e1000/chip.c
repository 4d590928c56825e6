/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's 82540EM: all of it is in lib/e1000, which has what such chips share. */
#include "drivers/net/e1000/chip.h"

static int e1000_reset(struct net_device *d)
{
    static const struct e1000_kind kind = {.eeprom_done = 1 << 4, .eeprom_shift = 8};

    return e1000_reset_as(d, &kind);
}

const struct net_driver e1000_driver = {
    .name = "e1000",
    .reset = e1000_reset,
    E1000_VERBS,
};
