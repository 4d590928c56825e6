/* SPDX-License-Identifier: BSD-2-Clause */
/* Intel's 82540EM: all of it is in lib/e1000, which has what such chips share. */
#include "drivers/net/e1000/chip.h"

#include <stddef.h>

static int e1000_reset(struct net_device *d)
{
    return e1000_reset_with(d, NULL);
}

const struct net_driver e1000_driver = {
    .name = "e1000",
    .reset = e1000_reset,
    E1000_VERBS,
};
