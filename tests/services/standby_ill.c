/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The e1000 driver, but it says whether it has stood by ("tells"); or a copy that stands by does not come
 * to where it waits: it ends, or dies of an exception, or is in a loop. Which of these, the
 * "parameters" of its manifest say.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/net/e1000/chip.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

static bool stood_by;

static __attribute__((constructor(101))) void be_ill(void)
{
    const char *how = service_info()->parameters;

    if (!service_info()->stands_by)
        return;
    stood_by = true;
    if (strcmp(how, "ends") == 0)
        exit(3);
    if (strcmp(how, "faults") == 0)
        __builtin_trap();
    while (strcmp(how, "spins") == 0)
        ;
}

int main(void)
{
    log_info(stood_by ? "has stood by" : "was made when it was needed");
    net_driver_run(&e1000_driver);
}
