/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/rs/poison.h"

#include <stddef.h>

static bool is_old(const struct suspect *s, uint64_t now)
{
    return !s->service || now - s->last >= POISON_SUSPECT;
}

const struct suspect *poison_suspect(struct suspect *all, const void *service, uint64_t sum,
                                     uint64_t took, uint64_t now)
{
    struct suspect *found = NULL;

    for (struct suspect *s = all; s < all + POISON_SUSPECTS; s++) {
        if (s->service == service && s->sum == sum) {
            found = s;
            break;
        }
        if (is_old(s, now) && (!found || s->last < found->last))
            found = s;
    }
    if (!found)
        return NULL;
    if (found->service != service || found->sum != sum || is_old(found, now))
        *found = (struct suspect){.service = service, .sum = sum};
    found->last = now;
    found->took += took;
    found->deaths++;
    return found;
}

uint64_t poison_cost(const struct suspect *s)
{
    return s->took / s->deaths + POISON_RETURN;
}

/* Do not more kinds of requests kill it than may? */
static bool is_known_kind(struct poison *p, uint64_t type, uint64_t now)
{
    unsigned free = POISON_KINDS;

    for (unsigned i = 0; i < POISON_KINDS; i++) {
        bool is_over = p->kind[i].at == 0 || now - p->kind[i].at >= POISON_WINDOW;

        if (!is_over && p->kind[i].type == type) {
            free = i;
            break;
        }
        if (is_over)
            free = i;
    }
    if (free == POISON_KINDS)
        return false;
    p->kind[free].type = type;
    p->kind[free].at = now;
    return true;
}

bool poison_count(struct poison *p, uint64_t type, uint64_t served, uint64_t now)
{
    p->death[p->next] = now;
    p->next = (p->next + 1) % POLICY_CROWD;
    p->barren = served ? 0 : p->barren + 1;
    p->is_one = is_known_kind(p, type, now);
    return p->is_one && p->barren < POISON_BARREN;
}

struct policy_verdict poison_verdict(const struct poison *p, uint32_t failures)
{
    uint64_t last = p->death[(p->next + POLICY_CROWD - 1) % POLICY_CROWD],
             first = p->death[p->next];
    bool is_crowd = first != 0 && last - first < SECOND;

    return (struct policy_verdict){.failures = failures,
                                   .delay = is_crowd ? POLICY_CROWD_DELAY : 0};
}
