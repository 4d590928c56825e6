/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each service did last. The kernel's trace has the latest events of all, so one that is quiet has soon
 * none in it. Here they are taken out of it now and then, when RS looks at heartbeats anyway, and the last
 * ones of each are kept, for its corpse.
 *
 * All that is stored here is not logged, and has no mirror: when a step is done again it goes on where it was,
 * and if a bit flips an event is wrong, or missing.
 */
#include "servers/rs/history.h"

#include "lib/undo/undo.h"

/* Events at a time, and when the next ones: RS keeps everybody waiting meanwhile (docs/bounds.md). */
#define PART 256
#define PART_AFTER (MS / 8)
#define PENDING (20 * MS) /* so long after a death what it left is read out of the trace itself */

undo_apart static uint64_t taken; /* of the trace: up to there */
undo_apart static uint64_t
    missed; /* TSC: what had happened before, others have written over; 0: nothing */

undo_apart static uint8_t
    wanted[ENDPOINT_SLOTS]; /* of who has that slot: events, while they are looked for */

static const struct trace_event *event_at(uint64_t at)
{
    return (const struct trace_event *)KERNEL_TRACE_RING + at % TRACE_RING_SIZE;
}

static uint64_t oldest_of(uint64_t end)
{
    return end > TRACE_RING_SIZE ? end - TRACE_RING_SIZE : 0;
}

undo_unlogged static void keep(struct history *h, endpoint_t who, uint64_t at)
{
    struct past_event *to;

    if (h->endpoint != who)
        h->next = 0;
    h->endpoint = who;
    to = &h->kept[h->next % CORPSE_EVENTS];
    to->at = at;
    to->event = *event_at(at);
    h->next++;
}

undo_unlogged static void note(endpoint_t who, uint64_t back)
{
    const struct service *s = service_at(who);
    struct history *h = s ? s->history : NULL;

    if (!h || h->found >= CORPSE_EVENTS)
        return;
    h->back[h->found++] = (uint16_t)back;
    wanted[endpoint_slot(who)]--;
}

/* Its endpoint is nobody's any more: what is still in the trace of it would be taken for nobody's. */
static bool is_pending(const struct service *s, uint64_t now)
{
    return (s->corpse || s->death.is_wanted || s->death.is_uncaught) && now - s->death.ns < PENDING;
}

/* From the latest event back: so whoever has had enough, who is busy, costs nothing but a look at a table. */
undo_unlogged static void find(uint64_t from, uint64_t end)
{
    for (uint64_t at = end; at > from;) {
        const struct trace_event *e = event_at(--at);
        bool of_to = e->to != e->from && wanted[endpoint_slot(e->to)];

        if (wanted[endpoint_slot(e->from)])
            note(e->from, end - at);
        if (of_to)
            note(e->to, end - at);
    }
}

/* Of those that are looked at now, the last ones of each service. */
undo_unlogged static void take(uint64_t from, uint64_t end)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].history && services[i].endpoint > 0) {
            services[i].history->found = 0;
            wanted[endpoint_slot(services[i].endpoint)] = CORPSE_EVENTS;
        }
    find(from, end);
    for (unsigned i = 0; i < service_count; i++) {
        struct history *h = services[i].history;

        wanted[endpoint_slot(services[i].endpoint)] = 0;
        for (; h && h->found > 0; h->found--)
            keep(h, services[i].endpoint, end - h->back[h->found - 1]);
    }
}

undo_unlogged static bool take_part(void)
{
    uint64_t end = kernel_info()->trace_end, oldest = oldest_of(end), to = end;

    if (taken < oldest) {
        taken = oldest;
        missed = event_at(oldest)->tsc;
    }
    if (taken + PART < end)
        to = taken + PART;
    if (taken < to)
        take(taken, to);
    taken = to; /* (it may have been beyond: a bit of it had flipped) */
    return to < end;
}

void history_take(uint64_t now)
{
    for (unsigned i = 0; i < service_count; i++)
        if (is_pending(&services[i], now))
            return;
    if (take_part())
        timer_history(now + PART_AFTER);
}

unsigned history_of(const struct service *s, endpoint_t who, uint64_t end, unsigned most,
                    void (*found)(const struct trace_event *e, void *to), void *to)
{
    uint64_t oldest = oldest_of(kernel_info()->trace_end),
             from = taken > oldest && taken <= end ? taken : oldest, at = end;
    const struct history *h = s->history;
    unsigned n = 0;

    while (at > from && n < most) {
        const struct trace_event *e = event_at(--at);

        if (e->from == who || e->to == who) {
            found(e, to);
            n++;
        }
    }
    if (!h || h->endpoint != who)
        return n;
    for (uint32_t back = 1; back <= CORPSE_EVENTS && back <= h->next && n < most; back++) {
        const struct past_event *p = &h->kept[(h->next - back) % CORPSE_EVENTS];

        if (p->at < from && p->at < end) {
            found(&p->event, to);
            n++;
        }
    }
    return n;
}

uint64_t history_missed(uint64_t end)
{
    uint64_t oldest = oldest_of(kernel_info()->trace_end);

    return taken < oldest && taken < end ? event_at(oldest)->tsc : missed;
}
