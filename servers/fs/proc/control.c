/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/proc/control.h"

#include <errno.h>

#include "lib/fs/orders.h"
#include "lib/rt/kernel.h"
#include "servers/fs/proc/process.h"

long control_write(struct fs_transfer *t)
{
    char text[ORDERS_MAX + 1];
    uint32_t uid = UINT32_MAX;
    long result;

    if (t->length > ORDERS_MAX)
        return -EINVAL;
    if (process_of(t->program, &uid) == 0 || uid != 0)
        return -EPERM;
    result = copy_from(t->program, t->address, text, t->length);
    text[t->length] = 0;
    if (result == 0)
        result = orders_run(text);
    return result < 0 ? result : (long)t->length;
}
