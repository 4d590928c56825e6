/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RS has one alarm for all its times: services that wait for something, and the heartbeat: at half
 * the shortest period each service that runs is looked at. No service is asked: the kernel counts
 * how often each has come back to its loop (docs/decisions/0002).
 */
#include "servers/rs/rs.h"

#define START_PERIODS 20 /* for a start: many services wait for others at first */
#define START_LEAST (2 * SECOND)
#define START_CALLS 5 /* times that, while it waits for another service to answer */

static uint64_t alarm_at; /* what the kernel's alarm is set to; 0: not */
static uint64_t chores_at; /* 0: none */
static uint64_t beat_at,
    beat_every; /* next look, half the shortest period; 0: nobody has a heartbeat */

static void alarm_by(uint64_t when)
{
    if (alarm_at != 0 && alarm_at <= when)
        return;
    alarm_at = when;
    clock_alarm(when);
}

void timer_set(struct service *s, enum wait what, uint64_t when)
{
    s->wait = what;
    s->wake = when;
    if (when != 0)
        alarm_by(when);
}

void timer_chores(uint64_t when)
{
    if (chores_at != 0)
        return;
    chores_at = when;
    alarm_by(when);
}

void timer_watch(const struct service *s)
{
    uint64_t half = s->manifest->heartbeat_ms * MS / 2;

    if (half == 0 || (beat_every != 0 && beat_every <= half))
        return;
    beat_every = half;
    beat_at = clock_now() + half;
    alarm_by(beat_at);
}

static bool start_too_long(const struct service *s, const struct slot_status *status, uint64_t now,
                           uint64_t period)
{
    uint64_t limit = START_PERIODS * period < START_LEAST ? START_LEAST : START_PERIODS * period;

    if (service_core(s) || status->cpu_ns == 0)
        return false;
    if (status->state == SLOT_READY) /* what counts is the time that it was given */
        return status->cpu_ns >= limit;
    return now - s->started >= (status->state == SLOT_CALLING_STATE ? START_CALLS * limit : limit);
}

static void look_at(struct service *s, uint64_t now)
{
    uint64_t period = s->manifest->heartbeat_ms * MS;
    struct slot_status status;

    if (slot_status(s->endpoint, &status) < 0)
        return;
    if (s->state == RS_STARTING) {
        if (start_too_long(s, &status, now, period))
            recover_failed(s, DEFECT_HEARTBEAT, 0);
        return;
    }
    if (pulse_check(&s->pulse, &status, now, period) == PULSE_STUCK)
        recover_failed(s, DEFECT_HEARTBEAT, status.state);
    else if (s->manifest->cpu_permille && over_check(&s->over, status.over_budget, now))
        recover_failed(s, DEFECT_BUDGET, s->manifest->cpu_permille);
}

static void beat(uint64_t now)
{
    uint64_t shortest = 0;

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        uint64_t half = s->manifest ? s->manifest->heartbeat_ms * MS / 2 : 0;

        if (half == 0 || !service_runs(s))
            continue;
        if (shortest == 0 || half < shortest)
            shortest = half;
        look_at(s, now);
    }
    beat_every = shortest;
    beat_at = shortest ? now + shortest : 0;
}

void timer_expired(void)
{
    uint64_t now = clock_now(), next;

    alarm_at = 0;
    if (chores_at != 0 && now >= chores_at) {
        chores_at = 0;
        recover_chores();
    }
    if (beat_at != 0 && now >= beat_at)
        beat(now);
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].wake != 0 && services[i].wake <= now)
            recover_wake(&services[i]);
    next = beat_at != 0 && (chores_at == 0 || beat_at < chores_at) ? beat_at : chores_at;
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].wake != 0 && (next == 0 || services[i].wake < next))
            next = services[i].wake;
    if (next != 0)
        alarm_by(next);
}
