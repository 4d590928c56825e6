/* SPDX-License-Identifier: BSD-2-Clause */
/* The grant table of this process: a fixed number of entries, known to the kernel from the first
 * grant on. */
#include <errno.h>

#include "lib/rt/kernel.h"
#include "lib/service/service.h"

#define GRANTS 64

static struct grant table[GRANTS];
static int known;

long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags)
{
    long result;

    if (to <= 0)
        return -EDEADSRCDST;
    if (!known) {
        result = grant_table(table, GRANTS);
        if (result < 0)
            return result;
        known = 1;
        undo_grant_table(table, GRANTS);
    }
    for (long i = 0; i < GRANTS; i++)
        if (!table[i].to) {
            table[i] = (struct grant){to, flags, (uint64_t)address, length};
            if (flags & GRANT_WRITE) {
                undo_range(address, length);
                undo_count_grants(1);
            }
            return i;
        }
    return -ENOSPC;
}

void grants_move(endpoint_t from, endpoint_t to)
{
    for (long i = 0; i < GRANTS; i++)
        if (table[i].to == from)
            table[i].to = to;
}

void grant_revoke(long index)
{
    if (index < 0 || index >= GRANTS)
        return;
    if ((table[index].flags & GRANT_WRITE) && table[index].to)
        undo_count_grants(-1);
    table[index].to = 0;
    if (table[index].flags & GRANT_WRITE) {
        undo_input_bytes((void *)table[index].address, table[index].length);
        undo_written((void *)table[index].address, table[index].length);
    }
}
