/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlines of calls and receives, and alarms. Those who have one are in a list, unsorted:
 * deadlines are set and dropped far more often than they pass. clock_earliest may be too early
 * (never too late): then the timer comes for nothing, once.
 */
#include "kernel/kernel.h"

#define LONGEST 1000000000u /* ns: the timer is never off, so that who spins is seen (guard.c) */

uint64_t clock_earliest;
static struct list timed = {&timed, &timed};

static void clock_watch(struct slot *s, uint64_t when)
{
    if (list_empty(&s->timed))
        list_insert(&s->timed, &timed);
    if (when < clock_earliest)
        clock_earliest = when;
}

void clock_deadline(struct slot *s, uint64_t from_now)
{
    uint64_t now;

    if (!from_now)
        return;
    now = arch_now();
    s->deadline = from_now < ~0ull - now ? now + from_now : ~0ull - 1;
    s->special |= SPECIAL_DEADLINE;
    clock_watch(s, s->deadline);
}

void clock_forget(struct slot *s, bool alarm_too)
{
    s->deadline = 0;
    s->special &= ~SPECIAL_DEADLINE;
    if (alarm_too)
        s->alarm = 0;
    if (!s->alarm)
        list_remove(&s->timed);
}

void clock_timer(void)
{
    uint64_t now = arch_now(), earliest = now + LONGEST;
    struct list *next;

    for (struct list *l = timed.next; l != &timed; l = next) {
        struct slot *s = list_entry(l, struct slot, timed);

        next = l->next;
        if (s->alarm && s->alarm <= now) {
            s->alarm = 0;
            ipc_notify(s, NOTIFY_BIT(NOTIFY_BIT_ALARM));
        }
        if (s->deadline && s->deadline <= now)
            ipc_timeout(s);
        if (s->alarm && s->alarm < earliest)
            earliest = s->alarm;
        if (s->deadline && s->deadline < earliest)
            earliest = s->deadline;
        if (!s->alarm && !s->deadline)
            list_remove(&s->timed);
    }
    clock_earliest = earliest;
}

long call_alarm(struct slot *s, const uint64_t *a)
{
    s->alarm = a[0];
    if (a[0])
        clock_watch(s, a[0]);
    else
        clock_forget(s, true);
    return 0;
}
