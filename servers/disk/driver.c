/* SPDX-License-Identifier: BSD-2-Clause */
/* What RS says of the drivers. */
#include <string.h>

#include "lib/rt/kernel.h"
#include "servers/disk/disk.h"

/* False: nothing. */
static bool find(const struct adapter *a, struct rs_service *s)
{
    long grant = grant_make(service_info()->rs, s, sizeof *s, GRANT_WRITE);
    bool found = false;

    for (uint64_t n = 0; grant >= 0 && !found; n++) {
        struct message m =
            message_of(RS_LIST, (struct rs_list_request){.first = n, .grant = (uint64_t)grant});

        if (ipc_call(service_info()->rs, &m) < 0)
            break;
        found = strncmp(s->name, a->place.driver, sizeof s->name) == 0;
    }
    grant_revoke(grant);
    return found;
}

bool driver_is_gone(const struct adapter *a)
{
    static const bool for_good[] = {
        [RS_DOWN] = true, [RS_GIVEN_UP] = true, [RS_BROKEN] = true, [RS_REFUSED] = true};
    struct rs_service s = {0};

    return find(a, &s) && s.state < sizeof for_good && for_good[s.state];
}

bool driver_is_away(const struct adapter *a)
{
    struct rs_service s = {0};

    return !a->is_gone && find(a, &s) &&
           (s.state != RS_UP || s.incarnation != a->client.incarnation);
}
