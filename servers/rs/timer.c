/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RS has one alarm for all its times: services that wait for something, and the beat, at half the
 * shortest heartbeat of all, when each service that runs is looked at (watch.c). What is due it raises, and calls nobody.
 */
#include "servers/rs/rs.h"

#define BEAT_MOST                                                                                  \
    (50 * MS) /* as seldom as that, whatever heartbeats there are: shares of the CPU */

static uint64_t alarm_at; /* what the kernel's alarm is set to; 0: not */
static uint64_t chores_at, history_at; /* 0: none */
static uint64_t beat_at, beat_every; /* next look, and from look to look; 0: nobody runs yet */

static void alarm_by(uint64_t when)
{
    if (alarm_at != 0 && alarm_at <= when)
        return;
    alarm_at = when;
    clock_alarm(when);
}

void timer_set(struct service *s, uint64_t when)
{
    s->wake = when;
    if (when != 0)
        alarm_by(when);
}

void timer_chores(uint64_t when)
{
    if (chores_at != 0 && chores_at <= when)
        return;
    chores_at = when;
    alarm_by(when);
}

void timer_history(uint64_t when)
{
    history_at = when;
    alarm_by(when);
}

void timer_watch(const struct service *s)
{
    uint64_t half = s->manifest->heartbeat_ms * MS / 2;

    if (half == 0 || half > BEAT_MOST)
        half = BEAT_MOST;
    if (beat_every != 0 && beat_every <= half)
        return;
    beat_every = half;
    beat_at = clock_now() + half;
    alarm_by(beat_at);
}

void timer_storm(uint64_t when)
{
    alarm_by(when);
}

static void beat(uint64_t now)
{
    uint64_t shortest = BEAT_MOST;

    event_raise(&(struct event){.what = EVENT_LOOK, .now = now, .every = beat_every});
    for (unsigned i = 0; i < service_count; i++) {
        const struct service *s = &services[i];
        uint64_t half = s->manifest ? s->manifest->heartbeat_ms * MS / 2 : 0;

        if (service_is_watched(s) && half != 0 && half < shortest)
            shortest = half;
    }
    beat_every = shortest;
    beat_at = now + shortest;
}

static void time_over(struct service *s)
{
    s->wake = 0;
    event_raise(&(struct event){.service = s, .type = LIFE_TIME, .wait = s->life.wait});
}

/* The next one is set when that is done. */
static void strike(struct service *s)
{
    s->storm_at = 0;
    event_raise(&(struct event){.what = EVENT_STRIKE, .service = s});
}

void timer_expired(void)
{
    uint64_t now = clock_now(), next;

    alarm_at = 0;
    if (beat_at != 0 && now >= beat_at)
        beat(now);
    if (chores_at != 0 && now >= chores_at) {
        chores_at = 0;
        event_raise(&(struct event){.what = EVENT_CHORES});
    }
    if (history_at != 0 && now >= history_at) {
        history_at = 0;
        event_raise(&(struct event){.what = EVENT_HISTORY, .now = now});
    }
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].wake != 0 && services[i].wake <= now)
            time_over(&services[i]);
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].storm_at != 0 && services[i].storm_at <= now)
            strike(&services[i]);
    next = beat_at != 0 && (chores_at == 0 || beat_at < chores_at) ? beat_at : chores_at;
    if (history_at != 0 && (next == 0 || history_at < next))
        next = history_at;
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].wake != 0 && (next == 0 || services[i].wake < next))
            next = services[i].wake;
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].storm_at != 0 && (next == 0 || services[i].storm_at < next))
            next = services[i].storm_at;
    if (next != 0)
        alarm_by(next);
}
