/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stall is; see stall.h. */
#include "servers/disk/stall.h"

#define FORGETS 1024 /* looks, roughly, until half of the slowest is forgotten */

void stall_learn(struct stall *s, enum stall_kind kind, uint64_t took)
{
    if (took >= s->slowest[kind])
        s->slowest[kind] = took + 1;
}

/* Of a kind of which none has ended yet nobody knows how long it takes. */
static bool is_overdue(const struct stall *s, const struct stall_view *v)
{
    uint64_t patience = STALL_STUCK_LOOKS * STALL_LOOK;

    for (int kind = 0; kind < STALL_KINDS; kind++) {
        if (!v->is_open[kind])
            continue;
        if (s->slowest[kind] == 0)
            return false;
        if (patience < STALL_SLOWER * s->slowest[kind])
            patience = STALL_SLOWER * s->slowest[kind];
    }
    return s->looks * STALL_LOOK >= patience;
}

enum stall_verdict stall_check(struct stall *s, const struct stall_view *v)
{
    bool is_late = v->now - s->at > 2 * STALL_LOOK, moved = v->ended != s->ended;

    s->at = v->now;
    for (int kind = 0; kind < STALL_KINDS; kind++)
        s->slowest[kind] -= s->slowest[kind] / (FORGETS * 3 / 2);
    if (moved || v->incarnation != s->incarnation ||
        !(v->is_open[STALL_TRANSFER] || v->is_open[STALL_FLUSH])) {
        s->complained &= !moved;
        s->looks = s->deaf = 0;
        s->ended = v->ended;
        s->incarnation = v->incarnation;
        return STALL_FINE;
    }
    if (is_late || s->complained)
        return STALL_FINE;
    s->looks++;
    s->deaf = v->is_asked ? s->deaf + 1 : 0;
    if (s->deaf > STALL_DEAF_LOOKS) {
        s->complained = true;
        return STALL_IS_DEAF;
    }
    if (is_overdue(s, v)) {
        s->complained = true;
        return STALL_IS_STUCK;
    }
    return s->looks == STALL_PROBE_LOOKS && !v->is_asked ? STALL_PROBE : STALL_FINE;
}
