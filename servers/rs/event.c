/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of events. In one turn of the main loop each service can end once, be struck once, and its
 * time can come once; so they never overtake one another. */
#include "servers/rs/rs.h"

#define EVENTS (5 * SERVICES_MAX)

static struct event ring[EVENTS];
static unsigned first, count;

void event_raise(const struct event *event)
{
    if (count == EVENTS)
        essential_lost("rs", "has more to do than it can note");
    ring[(first + count++) % EVENTS] = *event;
}

void event_raise_failed(struct service *s, enum rs_defect defect, uint32_t detail)
{
    event_raise(&(struct event){.service = s,
                                .type = LIFE_ENDED,
                                .endpoint = s->endpoint,
                                .defect = defect,
                                .detail = detail});
}

bool event_take(struct event *event)
{
    if (count == 0)
        return false;
    *event = ring[first];
    first = (first + 1) % EVENTS;
    count--;
    return true;
}
