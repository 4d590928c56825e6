/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What follows when a service is given up (a manifest's `at-end`). The system ends in order: a
 * script asks init for it, which has the programs end and the disks unmounted. When nobody runs that,
 * or it comes to nothing, recover.c ends it all the same.
 */
#include "servers/rs/rs.h"

#define POWER_SCRIPT "/etc/bardo/policy/power.sh"
#define POWER_DEADLINE_MS 60000u /* for the script, and for init after it */

static bool is_too_early(const struct manifest *m)
{
    return m->at_end == END_REBOOT && clock_now() < m->end_uptime_s * SECOND;
}

enum manifest_end end_of(const struct service *s)
{
    return s->manifest && !is_too_early(s->manifest) ? s->manifest->at_end : END_GIVE_UP;
}

enum power end_power(const struct service *s)
{
    return s->manifest->at_end == END_REBOOT ? POWER_RESET : POWER_OFF;
}

static void ask_for_power(struct service *s, const struct policy_verdict *v, const char *why)
{
    const char *how = manifest_end_name(s->manifest->at_end);

    log_always("%s: the machine is to %s, as its manifest says ('at-end %s')", s->name, how, how);
    script_ask_at_end(s, POWER_SCRIPT, v->failures, POWER_DEADLINE_MS, why, how);
}

/* A script that starts the service again, of one that fails as it did, would go round without end. */
static void ask_script(struct service *s, const struct policy_verdict *v, const char *why)
{
    const struct manifest *m = s->manifest;

    if (s->end_asked && clock_now() - s->end_asked < m->budget_window_s * SECOND) {
        log_always("%s: its script of 'at-end' has been run less than %u s ago, and has not helped",
                   s->name, m->budget_window_s);
        return;
    }
    s->end_asked = clock_now();
    script_ask_at_end(s, m->end_script, v->failures, m->deadline_ms, why, m->end_arguments);
}

/* Whatever becomes of it now, nobody hears of it. */
void end_is_late(struct service *s, const struct life_event *e)
{
    (void)e;
    if (s->script)
        script_tell_late(s);
    script_forget(s);
}

void end_begin(struct service *s, const struct policy_verdict *v)
{
    static const char *const reasons[] = {
        [REASON_BUDGET] = "budget", [REASON_FUTILE] = "useless", [REASON_LADDER] = "ladder"};
    const struct manifest *m = s->manifest;
    const char *why = reasons[v->why];

    switch (end_of(s)) {
    case END_HOLD:
        tell_held(s);
        break;
    case END_SCRIPT:
        ask_script(s, v, why);
        break;
    case END_REBOOT:
    case END_POWEROFF:
        ask_for_power(s, v, why);
        break;
    default:
        if (is_too_early(m))
            log_always("%s: no reboot: the machine has run for less than %u s", s->name,
                       m->end_uptime_s);
    }
}
