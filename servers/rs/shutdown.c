/* SPDX-License-Identifier: BSD-2-Clause */
/* Before the machine is switched off its services are told to finish: servers, then drivers. */
#include "servers/rs/rs.h"

#define SHUTDOWN_PATIENCE (300 * MS) /* for each stage */

static bool servers_are_gone;

/* Servers first, so that drivers can still bring out what those have; essential servers are not told. */
static bool tell_stage(bool drivers)
{
    bool waiting = false;

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (!s->endpoint || service_essential(s) || service_drives(s) != drivers)
            continue;
        if (!s->life.wanted_down)
            recover_asked(s, LIFE_ASKED_DOWN, false, SHUTDOWN_PATIENCE);
        waiting = true;
    }
    return waiting;
}

void shutdown_step(void)
{
    if (!servers_are_gone) {
        if (tell_stage(false))
            return;
        servers_are_gone = true;
    }
    if (!tell_stage(true))
        power_end();
}

void shutdown_begin(enum power how, int status)
{
    if (power_goes_down(how, status))
        shutdown_step();
}
