/* SPDX-License-Identifier: BSD-2-Clause */
/* See lib/driver/driver.h. */
#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

/* DS has nothing to say to who has asked nothing. (A time-out of 0 would be none.) */
void driver_pause(uint64_t ns)
{
    struct message m = {0};

    if (ns)
        ipc_receive(service_info()->ds, &m, ns);
}
