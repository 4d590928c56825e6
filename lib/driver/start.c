/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a driver that could not start. */
#include <errno.h>
#include <stdlib.h>

#include "abi/proto/rs.h"
#include "lib/driver/driver.h"
#include "lib/rt/error.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

void driver_start_failed(int status)
{
    if (status != -ENODEV && status != -EOPNOTSUPP)
        panic("the device does not answer: %s", error_name(status));
    /* (Where an ISA device may be and is none: RS says so.) */
    if (status != -ENODEV || service_info()->device.bus != SERVICE_NO_BUS)
        log_info("not a device for this driver: %s", error_name(status));
    exit(RS_EXIT_REFUSED);
}
