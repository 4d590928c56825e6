/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log says of deaths, and of what came of them. */
#include <stdio.h>

#include "lib/rt/defect.h"
#include "servers/rs/rs.h"

static const char *cause_of(const struct service *s)
{
    static char text[8 + SERVICE_NAME_MAX + 8];

    if (!s->life.as_dependent || !s->because)
        return defect_text(s->last_defect, s->last_detail);
    snprintf(text, sizeof text, "restarted with %s", s->because->name);
    return text;
}

void tell_death(struct service *s)
{
    const char *follows = "";

    if (!s->untold)
        return;
    if (service_runs(s))
        follows = s->life.state == RS_UP ? "; replaced" : "; a fresh copy starts";
    if (s->pid == s->dead_pid && s->endpoint)
        follows = "; it goes on";
    s->untold = false;
    if (s->last_defect == DEFECT_EXCEPTION)
        log_always("%s: exception %u (error %llx) at %llx, address %llx", s->name, s->last_detail,
                   (unsigned long long)s->fault.error, (unsigned long long)s->fault.instruction,
                   (unsigned long long)s->fault.address);
    log_always("%s: %s%s (incarnation %u, pid %u)%s", s->name, cause_of(s),
               s->died_in_start ? " during its start" : "", s->dead_incarnation, s->dead_pid,
               follows);
}

void tell_essential_death(const struct service *s, enum rs_defect defect, uint32_t detail)
{
    char where[64] = "", how[128];

    if (defect == DEFECT_EXCEPTION)
        snprintf(where, sizeof where, " at %llx, address %llx",
                 (unsigned long long)s->fault.instruction, (unsigned long long)s->fault.address);
    snprintf(how, sizeof how, "died (%s%s)", defect_text(defect, detail), where);
    essential_lost(s->name, how);
}

void tell_backoff(const struct service *s, const struct policy_verdict *v)
{
    log_always("%s: %u failures in %u s; restart in %llu ms", s->name, v->failures,
               s->manifest->budget_window_s, (unsigned long long)(v->delay / MS));
}

void tell_given_up(const struct service *s, const struct policy_verdict *v)
{
    char why[96];

    if (v->why == REASON_FUTILE)
        snprintf(why, sizeof why, ": %u copies, one after the other, were of no use", FUTILE_LIVES);
    else
        snprintf(why, sizeof why, " after %u failures in %u s%s", v->failures,
                 s->manifest->budget_window_s,
                 v->why == REASON_LADDER ? ", at the end of its ladder" : "");
    log_always("%s: given up%s%s%s (last: %s); 'service up %s' starts it again", s->name, why,
               s->image == s->first ? "" : " by its alternate, ",
               s->image == s->first ? "" : alternate_program(s),
               defect_text(s->last_defect, s->last_detail), s->name);
}

void tell_held(const struct service *s)
{
    log_always(
        "%s: held for inspection: 'service corpse %s' shows it, 'service restart %s' goes on",
        s->name, s->name, s->name);
}

void tell_refused(const struct service *s)
{
    if (s->manifest->places)
        log_always("%s: there is no such device at ports %#x; 'service up %s' tries again", s->name,
                   (unsigned)s->info->device.bar[0].address, s->name);
    else
        log_always("%s: its device is none that it can drive; 'service up %s' tries again", s->name,
                   s->name);
}
