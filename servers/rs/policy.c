/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/rs/policy.h"

#define SHIFT_MAX 32

static void drop_old(struct policy *p, uint64_t now)
{
    while (p->count > 0) {
        uint64_t oldest = p->failure[(p->end + p->room - p->count) % p->room];

        if (oldest + p->limits.window > now)
            break;
        p->count--;
    }
}

struct policy_verdict policy_failure(struct policy *p, uint64_t now)
{
    struct policy_verdict verdict = {0};
    uint32_t beyond;

    drop_old(p, now);
    if (p->count == p->room)
        p->count--; /* the oldest gives way; the budget is spent in any case */
    p->failure[p->end] = now;
    p->end = (p->end + 1) % p->room;
    p->count++;
    verdict.failures = p->count;
    verdict.give_up = p->count > p->limits.budget;
    if (p->count <= p->limits.free)
        return verdict;
    beyond = p->count - p->limits.free - 1;
    verdict.delay = beyond < SHIFT_MAX ? p->limits.first << beyond : p->limits.most;
    if (verdict.delay > p->limits.most)
        verdict.delay = p->limits.most;
    return verdict;
}

void policy_forgive(struct policy *p)
{
    p->count = 0;
}

enum rung ladder_next(const struct ladder_death *d)
{
    bool soon = !d->reached_ready || d->lived < LADDER_SOON;
    enum rung next = d->rung < RUNG_BUS_RESET ? d->rung + 1 : RUNG_BUS_RESET;

    if (d->defect == DEFECT_KILLED || d->defect == DEFECT_UPDATE)
        return d->reached_ready ? RUNG_ADOPT : d->rung;
    if (soon)
        return next;
    return d->defect == DEFECT_COMPLAINT ? RUNG_RESET : RUNG_ADOPT;
}

void pulse_begin(struct pulse *p, uint64_t now)
{
    *p = (struct pulse){.alive = now};
}

static bool blocked(const struct slot_status *s)
{
    return s->state == SLOT_CALLING_STATE || s->state == SLOT_RECEIVING_ONE;
}

enum pulse_verdict pulse_check(struct pulse *p, const struct slot_status *s, uint64_t now,
                               uint64_t period)
{
    uint64_t silent, used;

    if (s->state == SLOT_RECEIVING || s->state == SLOT_STOPPED || s->receives != p->receives) {
        *p = (struct pulse){.receives = s->receives, .alive = now, .cpu_alive = s->cpu_ns};
        return PULSE_ALIVE;
    }
    if (s->state == SLOT_FAULTED) /* nobody wanted to hear of its exception */
        return PULSE_STUCK;
    silent = now - p->alive;
    used = s->cpu_ns - p->cpu_alive;
    if (silent < PULSE_PERIODS * period)
        return PULSE_WAIT;
    if (blocked(s))
        return silent < PULSE_PATIENCE * period ? PULSE_WAIT : PULSE_STUCK;
    if (used == 0) /* it was never let run: that is not its fault */
        return PULSE_WAIT;
    if (used < period / 2)
        return silent < PULSE_PATIENCE * period ? PULSE_WAIT : PULSE_STUCK;
    return PULSE_STUCK;
}

void over_begin(struct over *o, uint64_t now)
{
    *o = (struct over){.looked = now};
}

bool over_check(struct over *o, uint64_t over_budget, uint64_t now)
{
    if (now - o->looked < OVER_PERIOD)
        return false;
    o->successive = over_budget != o->seen ? o->successive + 1 : 0;
    o->seen = over_budget;
    o->looked = now;
    return o->successive >= OVER_PERIODS;
}
