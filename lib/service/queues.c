/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/service/queues.h"

#include <errno.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/pack.h"
#include "lib/service/service.h"

static uint64_t next; /* number of the first that nobody has been handed yet */

void queues_find(void (*take)(const struct service_queue *where))
{
    struct service_queue where = {0};
    long grant = grant_make(service_info()->rs, &where, sizeof where, GRANT_WRITE);

    if (grant < 0)
        return; /* there are too many just now: at the next notification */
    for (;;) {
        struct message m = {.type = RS_QUEUE, .w = {next, (uint64_t)grant}};

        if (ipc_call(service_info()->rs, &m) < 0)
            break;
        next++;
        where.driver[sizeof where.driver - 1] = 0;
        take(&where);
    }
    grant_revoke(grant);
}

long queue_driver(const char *name)
{
    struct message m = {.type = RS_LOOKUP};

    pack_text(m.w, name, SERVICE_NAME_MAX);
    return ipc_call(service_info()->rs, &m);
}

bool queue_driver_is_gone(const char *name)
{
    long result = queue_driver(name);

    return result == -ENXIO || result == -ESRCH;
}
