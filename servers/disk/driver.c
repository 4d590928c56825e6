/* SPDX-License-Identifier: BSD-2-Clause */
/* What RS says of the drivers. */
#include "lib/service/service.h"
#include "servers/disk/disk.h"

bool driver_is_gone(const struct adapter *a)
{
    return service_is_gone(a->place.driver);
}

bool driver_is_away(const struct adapter *a)
{
    struct rs_service s;

    return !a->is_gone && service_status(a->place.driver, &s) &&
           (s.state != RS_UP || s.incarnation != a->client.incarnation);
}
