/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orphaned process groups (POSIX, 3.264): nobody of the session, outside of the group, is the parent of
 * one in it, and so nobody could make it go on when it has stopped. So who stops in a group that becomes
 * orphaned is told to hang up and goes on; and what a terminal would stop does not stop there.
 */
#include "servers/pm/pm.h"

/* One who could let p go on after a stop. (init does not.) */
static bool has_keeper(const struct process *p)
{
    const struct process *parent = p->parent;

    return parent && parent->pid != INIT_PID && parent->pgid != p->pgid && parent->sid == p->sid;
}

bool group_is_orphaned(const struct process *all, int pgid)
{
    for (const struct process *p = all; p < all + PROCESSES; p++)
        if ((p->state == PROCESS_ALIVE || p->state == PROCESS_ENDING) && p->pgid == pgid &&
            has_keeper(p))
            return false;
    return true;
}

static bool has_stopped(const struct process *all, int pgid)
{
    for (const struct process *p = all; p < all + PROCESSES; p++)
        if (p->state == PROCESS_ALIVE && p->pgid == pgid && p->stopped)
            return true;
    return false;
}

bool group_is_stuck(const struct process *all, const struct process *member,
                    const struct process *keeper)
{
    int pgid = member->pgid;

    return keeper->pgid != pgid && keeper->sid == member->sid && has_stopped(all, pgid) &&
           group_is_orphaned(all, pgid);
}
