/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests that kill, of services that come back as a fresh copy. Each notes what it is at work on (struct
 * service_note); when it has died of itself RS looks there. What is counted, here without effects:
 *
 *   - Deaths of one request. After POISON_DEATHS of them the next copy does not look at it, and it
 *     fails: a third copy, since the second has a program that was looked at as a whole.
 *   - Such deaths count against no budget: else who may ask for one thing that kills could take the service
 *     from everybody. But a service that dies of all kinds of requests is broken, and they count.
 *   - They do not take the service up its ladder, where what others have is reset, what is not yet on
 *     the disk, say; unless copy after copy has died before it was of any use.
 *
 * None of that of who dies between requests: there is nobody to blame.
 */
#ifndef RS_POISON_H
#define RS_POISON_H

#include "servers/rs/policy.h"

#define POISON_DEATHS 3
#define POISON_KINDS 4 /* of requests, by their types, that may kill within: */
#define POISON_WINDOW (60 * SECOND)
#define POISON_BARREN 64 /* copies, one after the other, that have handled no request */
#define POISON_REFUSED (10 * SECOND) /* then one that comes again is tried again */
#define POISON_RETURN MS /* about so long it takes until a fresh copy is at work */
#define POISON_SUSPECTS 128 /* of all services; one gives way after: */
#define POISON_SUSPECT (10 * SECOND)

struct poison { /* of a service */
    bool is_one; /* it has died of a request, which counts against no budget */
    uint32_t barren;
    struct {
        uint64_t type, at;
    } kind[POISON_KINDS];
    uint64_t death[POLICY_CROWD]; /* the last ones: clock */
    uint32_t next;
};

struct suspect {
    const void *service; /* NULL: unused */
    uint64_t sum, last; /* last: clock, its last death */
    uint64_t took; /* ns, the work on it */
    uint32_t deaths;
};

/* One more death of that request of that service, which took so long. NULL: there is no room for another one. */
const struct suspect *poison_suspect(struct suspect *all, const void *service, uint64_t sum,
                                     uint64_t took, uint64_t now);
/* What others have lost by each of them, ns. */
uint64_t poison_cost(const struct suspect *suspect);

/* It has died of a request of that type, when it had handled `served` others. True: it stays where it
 * is on its ladder. */
bool poison_count(struct poison *p, uint64_t type, uint64_t served, uint64_t now);
/* What policy says to such a death, which was the number `failures` of its window. */
struct policy_verdict poison_verdict(const struct poison *p, uint32_t failures);

#endif
