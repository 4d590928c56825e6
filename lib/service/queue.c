/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client asks RS about its queues, and about the drivers at their other ends. */
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"

bool service_queue(uint32_t number, struct service_queue *queue)
{
    long grant = grant_make(service_info()->rs, queue, sizeof *queue, GRANT_WRITE), result;
    struct message m =
        message_of(RS_QUEUE, (struct rs_queue_request){.number = number, .grant = (uint64_t)grant});

    if (grant < 0)
        return false;
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
#ifndef UNDO
    if (result >= 0)
        attend_queue(queue);
#endif
    return result >= 0;
}

static bool find(const char *name, struct rs_service *s)
{
    long grant = grant_make(service_info()->rs, s, sizeof *s, GRANT_WRITE);
    bool found = false;

    for (uint64_t n = 0; grant >= 0 && !found; n++) {
        struct message m =
            message_of(RS_LIST, (struct rs_list_request){.first = n, .grant = (uint64_t)grant});

        if (ipc_call(service_info()->rs, &m) < 0)
            break;
        found = strncmp(s->name, name, sizeof s->name) == 0;
    }
    if (grant >= 0)
        grant_revoke(grant);
    return found;
}

bool service_status(const char *name, struct rs_service *status)
{
    *status = (struct rs_service){0};
    return find(name, status);
}

bool service_is_gone(const char *name)
{
    static const bool for_good[] = {[RS_DOWN] = true,
                                    [RS_GIVEN_UP] = true,
                                    [RS_NO_DEVICE] = true,
                                    [RS_BROKEN] = true,
                                    [RS_REFUSED] = true};
    struct rs_service s;

    return service_status(name, &s) && s.state < sizeof for_good && for_good[s.state];
}
