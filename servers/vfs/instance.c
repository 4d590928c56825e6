/* SPDX-License-Identifier: BSD-2-Clause */
/* File servers that are started for a mount, and stopped after it, by RS. */
#include <stdio.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/pack.h"
#include "servers/vfs/vfs.h"

long instance_start(const char *base, const char *parameters, char name[16], endpoint_t *out)
{
    struct rs_instance wanted = {0};
    struct message m;
    const struct rs_instance_reply *reply = message_words(&m);
    long grant = grant_make(service_info()->rs, &wanted, sizeof wanted, GRANT_READ | GRANT_WRITE);
    long result;

    if (grant < 0)
        return grant;
    snprintf(wanted.base, sizeof wanted.base, "%s", base);
    snprintf(wanted.parameters, sizeof wanted.parameters, "%s", parameters);
    m = message_of(RS_INSTANCE, (struct rs_grant_request){.grant = (uint64_t)grant});
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    if (result < 0)
        return result == -ESRCH || result == -EPERM ? -ENODEV : result;
    memcpy(name, wanted.name, sizeof wanted.name);
    name[sizeof wanted.name - 1] = 0;
    *out = (endpoint_t)reply->endpoint;
    return 0;
}

void instance_stop(const char *name)
{
    struct message m =
        message_of(RS_CONTROL, (struct rs_control_request){.control = RS_CONTROL_DOWN});
    struct rs_control_request *r = message_words(&m);

    pack_text(r->name, name, 16);
    ipc_call(service_info()->rs, &m);
}
