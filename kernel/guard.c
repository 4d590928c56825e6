/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who guards the guard. RS looks after everybody, and nobody is above it; so the root task names
 * where it goes on when it dies, and how long it may run until it says so again (KERNEL_GUARD). The
 * kernel sends it there, and knows nothing of how it finds out where it stood.
 */
#include "kernel/kernel.h"

#define DEATHS_MAX 100 /* without a word from it: nothing of it works any more */
#define AFTER_DEATH 2 /* seconds that it may run */

static uint64_t entry; /* 0: none is named yet */
static uint64_t strike_at = ~0ull; /* slot.cpu_ticks; ~0: however long it runs */
static unsigned deaths;

long call_guard(struct slot *s, const uint64_t *a)
{
    if (s->service_id != SERVICE_ID_ROOT)
        return -EPERM;
    if (a[0] >= USER_END || a[1] > GUARD_NS_MAX)
        return -EINVAL;
    entry = a[0];
    deaths = 0;
    strike_at = a[1] ? s->cpu_ticks + arch_scale(a[1], arch_tsc_hz, 1000000000) : ~0ull;
    return 0;
}

bool guard_enter(struct slot *s, uint64_t why)
{
    struct registers *r = &s->registers;

    if (s->service_id != SERVICE_ID_ROOT || !entry || ++deaths > DEATHS_MAX)
        return false;
    trace(TRACE_EXCEPTION, s->endpoint, s->endpoint, why, r->rip);
    r->rcx = r->rip;
    r->r11 = why;
    r->rip = entry;
    s->from_syscall = 0; /* rcx and r11 count */
    strike_at = s->cpu_ticks + AFTER_DEATH * arch_tsc_hz;
    return true;
}

void guard_time(struct slot *s)
{
    if (s->service_id == SERVICE_ID_ROOT && s->cpu_ticks >= strike_at)
        guard_enter(s, GUARD_TIME);
}

uint64_t guard_left(const struct slot *s)
{
    if (s->service_id != SERVICE_ID_ROOT || strike_at == ~0ull)
        return ~0ull;
    return strike_at > s->cpu_ticks ? strike_at - s->cpu_ticks : 0;
}
