/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a death leaves to do that can wait until the fresh copy is at work: the log is told, the
 * corpse is caught and completed, the dead are buried, and what the next death will need is laid in.
 */
#include "servers/rs/rs.h"

#define LATER (5 * MS)
#define SOON (MS / 5) /* the successor is at work, mostly; the trace is not yet written over */
#define AT_STEP (MS / 20) /* until the end of a step has come */
#define TELL_LATER (200 * MS) /* for a fresh copy to be ready, so that the log can say it */

void chores_later(void)
{
    timer_chores(clock_now() + LATER);
}

void chores_soon(void)
{
    timer_chores(clock_now() + SOON);
}

static bool is_being_replaced(const struct service *s)
{
    return s->untold && s->life.state == RS_STARTING && clock_now() - s->started < TELL_LATER;
}

void chores_do(void)
{
    bool is_done = true;

    for (unsigned i = 0; i < service_count; i++) {
        if (services[i].death.is_uncaught)
            corpse_catch(&services[i]);
        services[i].death.is_uncaught = false;
        if (is_being_replaced(&services[i]))
            is_done = false;
        else
            tell_death(&services[i]);
        corpse_complete(&services[i]);
        spawn_stock(&services[i]);
        is_done &= succeed_take_room(&services[i]);
    }
    corpses_tidy();
    if (!updates_try())
        timer_chores(clock_now() + AT_STEP);
    else if (!is_done)
        chores_later();
}
