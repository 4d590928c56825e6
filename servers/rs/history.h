/* SPDX-License-Identifier: BSD-2-Clause */
/* What each service did last, out of the kernel's trace. */
#ifndef RS_HISTORY_H
#define RS_HISTORY_H

#include "abi/proto/corpse.h"
#include "servers/rs/rs.h"

_Static_assert(TRACE_RING_SIZE <= UINT16_MAX, "fits struct history");

struct history {
    endpoint_t endpoint; /* whose it is: of the incarnation that did something last */
    uint32_t next; /* counts on */
    uint32_t found; /* in the trace just now, the latest first; so far before its end: */
    uint16_t back[CORPSE_EVENTS];
    struct past_event {
        uint64_t at; /* in the trace */
        struct trace_event event;
    } kept[CORPSE_EVENTS];
};

/* What the trace has got since the last time is looked through. */
void history_take(uint64_t now);

/* The last events, before position `end` of the trace, that `who`, an incarnation of s, had a part in, at most so
 * many, the latest first. How many. */
unsigned history_of(const struct service *s, endpoint_t who, uint64_t end, unsigned most,
                    void (*found)(const struct trace_event *e, void *to), void *to);

/* When the last ones happened that were written over before anybody looked (TSC; 0: none), as seen from
 * that position: of what happened before them, not all may be there. */
uint64_t history_missed(uint64_t end);

#endif
