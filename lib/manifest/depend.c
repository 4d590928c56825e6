/* SPDX-License-Identifier: BSD-2-Clause */
/* Who depends on whom, and who is restarted with whom. */
#include <string.h>

#include "lib/manifest/manifest.h"

static bool is_listed(const struct manifest_names *names, const char *name,
                      enum manifest_class class)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (manifest_names_it(names->name[i], name, class))
            return true;
    return false;
}

/* (Whom that one may call against the order may not call it: RS takes the right away.) */
static bool calls(const struct manifest *of_d, const char *s, const struct manifest *of_s)
{
    return (is_listed(&of_d->calls, s, of_s->class) && !manifest_lists(&of_s->calls_up, of_d)) ||
           is_listed(&of_d->calls_up, s, of_s->class);
}

/* From CLASS_NET on they are drivers, on whom their clients stand. */
static bool shares_queue(const char *d, const struct manifest *of_d, const char *s,
                         const struct manifest *of_s)
{
    if (of_s->queue_size && of_s->class >= CLASS_NET && strcmp(of_s->queue_client, d) == 0)
        return true;
    return of_d->queue_size && of_d->class < CLASS_NET && strcmp(of_d->queue_client, s) == 0;
}

unsigned manifest_links(const char *d, const struct manifest *of_d, const char *s,
                        const struct manifest *of_s)
{
    unsigned links = 0;

    if (strcmp(d, s) == 0)
        return 0;
    if (calls(of_d, s, of_s))
        links |= LINK_CALLS;
    if (shares_queue(d, of_d, s, of_s))
        links |= LINK_QUEUE;
    for (uint32_t i = 0; i < of_s->dependents.count; i++)
        if (strcmp(of_s->dependents.name[i], d) == 0)
            links |= LINK_RESTARTED;
    return links;
}

bool manifest_has_rung(const struct manifest_ladder *ladder, uint32_t n, enum manifest_rung rung)
{
    for (uint32_t i = 0; i <= n && i < ladder->count; i++)
        if (ladder->rung[i] == rung)
            return true;
    return false;
}

enum manifest_strategy manifest_strategy(const struct manifest *m)
{
    if (m->strategy != STRATEGY_DEFAULT)
        return m->strategy;
    if (m->dependents.count == 0 ||
        manifest_has_rung(&m->ladder, m->ladder.count, LADDER_DEPENDENTS))
        return STRATEGY_ONE;
    return STRATEGY_ALL;
}

bool manifest_restarts(const char *s, const struct manifest *of_s, enum manifest_strategy strategy,
                       const char *d, const struct manifest *of_d, bool is_later)
{
    unsigned links;

    if (strategy == STRATEGY_ONE || (strategy == STRATEGY_REST && !is_later) || of_d->rolled_back)
        return false;
    links = manifest_links(d, of_d, s, of_s);
    return of_s->dependents.count ? links & LINK_RESTARTED : links != 0;
}
