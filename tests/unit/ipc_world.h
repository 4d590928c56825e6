/* SPDX-License-Identifier: BSD-2-Clause */
/* What the messages between processes stand on, for tests/unit/test_ipc*.c. */
#ifndef IPC_WORLD_H
#define IPC_WORLD_H

#include "kernel_world.h"

static uint64_t world_now = 1; /* ns */

uint64_t arch_clock(uint64_t tsc) /* whatever that counts */
{
    return world_now;
}

struct schedule schedule;

void sched_ready(struct slot *s)
{
    s->state = SLOT_READY;
}

void sched_remove(struct slot *s)
{
    list_remove(&s->link);
}

#endif
