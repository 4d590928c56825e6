/* SPDX-License-Identifier: BSD-2-Clause */
/* The e1000 driver, but it dies of an exception at the first interrupt when it has lived for two seconds. */
#include "drivers/net/e1000/chip.h"
#include "lib/rt/kernel.h"

#define LIFE_NS 2000000000u

static uint64_t born;

static bool acknowledge_or_die(struct net_device *d)
{
    if (clock_now() - born > LIFE_NS)
        __builtin_trap();
    return e1000_driver.acknowledge(d);
}

int main(void)
{
    struct net_driver mortal = e1000_driver;

    born = clock_now();
    mortal.acknowledge = acknowledge_or_die;
    net_driver_run(&mortal);
}
