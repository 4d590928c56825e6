/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests of what keeps its memory, and of drivers: `service storm` kills at random instants, and
 * `service fuse` lets a service run into the end of its undo log (lib/undo/layout.h), so that it
 * dies of an exception at one store or another. The numbers are always the same ones: where
 * instructions are time (tools/guest --icount), so are the deaths.
 */
#include <errno.h>
#include <signal.h>

#include "servers/rs/rs.h"

#define SELF_WITHIN (10 * 1000u) /* ns of RS's own time, when it strikes itself */

_Static_assert(RS_FUSE_MAX == UNDO_WINDOW_FIRST / 16, "a store has 16 bytes of the log");

static uint64_t random_number(void)
{
    static uint64_t seed = 88172645463325252u;

    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed;
}

static void next_strike(struct service *s)
{
    s->storm_at = clock_now() + s->storm_every / 2 + random_number() % s->storm_every;
    timer_storm(s->storm_at);
}

long control_storm(struct service *s, const struct message *m)
{
    const struct rs_control_request *r = message_words(m);
    uint64_t every = r->argument;

    if (every != 0 && (every < RS_STORM_MIN_US || every > RS_STORM_MAX_US))
        return -EINVAL;
    s->storm_at = 0;
    s->storm_every = every * 1000;
    if (every != 0)
        next_strike(s);
    return 0;
}

void storm_strike(struct service *s)
{
    if (service_is_self(s))
        self_strike(random_number() % SELF_WITHIN);
    else if (service_runs(s) && s->ready != 0)
        event_raise_failed(s, DEFECT_KILLED, SIGKILL);
    next_strike(s);
}

/* The service learns of it from its next death: so it dies now. */
long control_fuse(struct service *s, const struct message *m)
{
    const struct rs_control_request *r = message_words(m);
    long error;

    if (!service_keeps_memory(s))
        return -ENOTSUP;
    if (r->argument > RS_FUSE_MAX)
        return -EINVAL;
    error = s->is_fused ? 0
                        : memory_map(s->endpoint, UNDO_FUSE, UNDO_WINDOW_FIRST / PAGE_SIZE,
                                     MAP_READ | MAP_WRITE, 0, 0);
    if (error < 0)
        return error;
    s->is_fused = true;
    s->fuse = (uint32_t)r->argument;
    event_raise_failed(s, DEFECT_KILLED, SIGKILL);
    return 0;
}
