/* SPDX-License-Identifier: BSD-2-Clause */
/* See lib/driver/driver.h. */
#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"

bool driver_waits(struct driver_wait *wait)
{
    uint64_t now = clock_now(), waited;

    if (wait->is_over)
        return false;
    if (!wait->begin)
        wait->begin = now;
    waited = now - wait->begin;
    wait->is_over = waited > wait->patience; /* one look more */
    if (!wait->is_over && waited > DRIVER_SPIN)
        driver_pause(waited < DRIVER_SLEEP ? waited : DRIVER_SLEEP);
    return true;
}

void driver_delay(uint64_t ns)
{
    uint64_t end = clock_now() + ns;

    for (uint64_t now = clock_now(); now < end; now = clock_now())
        if (end - now > DRIVER_SPIN)
            driver_pause(end - now);
}
