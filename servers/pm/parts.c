/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that grows with a program's memory is done in parts: giving back what was the memory of those
 * that have ended, and copying a space for fork (which VM does, while we wait). One part at a time, in
 * turn, and after each a pause that is somewhat longer: VM has work of its own, which takes half of
 * the time, and programs shall have some.
 */
#include "servers/pm/pm.h"

#define CALLS 8 /* of memory_reap() in a part: some 50 us each */
#define PAUSE_LEAST 200000ull /* ns */

static uint64_t next_at; /* when the next part is due; 0: there is none */
static bool memory_left;
static unsigned forks, next_thread;

uint64_t parts_next(void)
{
    return next_at;
}

static void plan(uint64_t spent)
{
    uint64_t pause = spent + spent / 4;

    if (pause < PAUSE_LEAST)
        pause = PAUSE_LEAST;
    next_at = memory_left || forks ? clock_now() + pause : 0;
    timer_set();
}

static void give_back(void)
{
    memory_left = true;
    for (unsigned call = 0; call < CALLS && memory_left; call++)
        memory_left = memory_reap() > 0;
}

void slot_gone(endpoint_t ep)
{
    uint64_t began = clock_now();
    bool was_left = memory_left;

    slot_end(ep);
    if (was_left)
        return; /* it has its turn */
    give_back();
    if (memory_left && !next_at)
        plan(clock_now() - began);
}

void fork_waits(struct thread *parent)
{
    parent->waits = WAIT_FORK;
    forks++;
    if (!next_at)
        plan(PAUSE_LEAST);
}

void fork_waits_no_more(struct thread *parent)
{
    parent->waits = WAIT_NONE;
    forks--;
}

static void fork_some(void)
{
    for (unsigned n = 0; n < THREADS; n++) {
        struct thread *t = &threads[(next_thread + n) % THREADS];

        if (t->process && t->waits == WAIT_FORK) {
            next_thread = (unsigned)(t - threads) + 1;
            fork_go_on(t);
            return;
        }
    }
}

void parts_alarm(void)
{
    static bool turn;
    uint64_t began = clock_now();

    if (!next_at || next_at > began)
        return;
    turn = !turn;
    if (memory_left && (turn || !forks))
        give_back();
    else if (forks)
        fork_some();
    plan(clock_now() - began);
}
