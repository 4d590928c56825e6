/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/block/disks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/service/service.h"

enum { AT_ONCE = 32 /* that are asked for with one call */ };
#define PATIENCE_NS 100000000ull /* it answers at once, or it is being replaced */

static struct disk_device *disks; /* with room for AT_ONCE more than there are */
static unsigned count;

/* The next ones, from `count` on: how many, or -errno. */
static long fetch(endpoint_t server)
{
    struct disk_device *more = realloc(disks, (count + AT_ONCE) * sizeof *disks);
    struct message m;
    long grant, result;

    if (!more)
        return -ENOMEM;
    disks = more;
    grant = grant_make(server, disks + count, AT_ONCE * sizeof *disks, GRANT_WRITE);
    if (grant < 0)
        return grant;
    m = message_of(DISK_LIST, (struct disk_list_request){
                                  .first = count, .grant = (uint64_t)grant, .count = AT_ONCE});
    result = ipc_call_deadline(server, &m, PATIENCE_NS);
    grant_revoke(grant);
    return result;
}

void disks_fetch(void)
{
    static endpoint_t server;

    if (!server)
        server = service_retrieve("blk/8");
    count = 0;
    while (server) {
        long result = fetch(server);

        if (result == -EDEADSRCDST && count == 0) { /* there may be a fresh one */
            endpoint_t fresh = service_retrieve("blk/8");

            server = fresh == server ? 0 : fresh;
            continue;
        }
        if (result <= 0)
            break;
        for (long n = 0; n < result && n < AT_ONCE; n++, count++)
            disks[count].name[sizeof disks[count].name - 1] = 0;
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
