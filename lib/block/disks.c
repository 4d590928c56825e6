/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/block/disks.h"

#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/service/service.h"

enum { DISKS_MAX = 128 };
#define PATIENCE_NS 100000000ull /* it answers at once, or it is being replaced */

static struct disk_device disks[DISKS_MAX];
static unsigned count;

void disks_fetch(void)
{
    static endpoint_t server;
    struct disk_device one;
    long grant;

    if (!server)
        server = service_retrieve("blk/8");
    count = 0;
    while (server && count < DISKS_MAX) {
        struct message m = {.type = DISK_LIST};
        long result;

        grant = grant_make(server, &one, sizeof one, GRANT_WRITE);
        m.w[0] = count;
        m.w[1] = (uint64_t)grant;
        result = grant < 0 ? grant : ipc_call_deadline(server, &m, PATIENCE_NS);
        grant_revoke(grant);
        if (result == -EDEADSRCDST && count == 0) { /* there may be a fresh one */
            endpoint_t fresh = service_retrieve("blk/8");

            if (fresh == server || !fresh)
                server = 0;
            else
                server = fresh;
            continue;
        }
        if (result < 0)
            break;
        one.name[sizeof one.name - 1] = 0;
        disks[count++] = one;
    }
}

const struct disk_device *disk_at(uint64_t index)
{
    return index < count ? &disks[index] : NULL;
}

int disk_named(const char *name)
{
    disks_fetch();
    for (unsigned i = 0; i < count; i++)
        if (strcmp(disks[i].name, name) == 0)
            return (int)i;
    return -1;
}
