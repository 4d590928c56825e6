/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/proc/control.h"

#include <errno.h>

#include "abi/proto/rs.h"
#include "lib/fs/orders.h"
#include "lib/rt/kernel.h"
#include "servers/fs/proc/process.h"

static bool is_root(endpoint_t program)
{
    uint32_t uid = UINT32_MAX;

    return process_of(program, &uid) != 0 && uid == 0;
}

long control_write(struct fs_transfer *t)
{
    char text[ORDERS_MAX + 1];
    long result;

    if (t->length > ORDERS_MAX)
        return -EINVAL;
    if (!is_root(t->program))
        return -EPERM;
    result = copy_from(t->program, t->address, text, t->length);
    text[t->length] = 0;
    if (result == 0)
        result = orders_run(text);
    return result < 0 ? result : (long)t->length;
}

long program_write(struct fs_transfer *t)
{
    static char piece[RS_PROGRAM_PIECE];
    uint64_t length = t->length < sizeof piece ? t->length : sizeof piece;
    struct message m;
    long result, grant;

    if (!is_root(t->program))
        return -EPERM;
    result = copy_from(t->program, t->address, piece, length);
    if (result < 0)
        return result;
    grant = grant_make(service_info()->rs, piece, length, GRANT_READ);
    if (grant < 0)
        return grant;
    m = message_of(RS_PROGRAM, (struct rs_program_request){.offset = t->offset,
                                                           .grant = (uint64_t)grant,
                                                           .length = length});
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    return result < 0 ? result : (long)length;
}
