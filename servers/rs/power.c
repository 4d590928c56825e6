/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the system: its services are told to finish, and then the machine is switched off; or it
 * cannot go on.
 */
#include <stdio.h>

#include "servers/rs/rs.h"

#define SHUTDOWN_PATIENCE (300 * MS) /* for each stage */
#define SWITCH_NS (500 * MS) /* the machine may take so long to do it */
#define PORT_RESET 0xcf9 /* Intel's reset control register */
#define RESET_HARD 6
#define PORT_EXIT_STATUS 0x501 /* QEMU's isa-debug-exit, where tools/guest has it */
#define SLEEP_ENABLE 0x2000 /* ACPI 6.4, 4.8.3.2 */

static enum { RUNNING, STOPPING_SERVERS, STOPPING_DRIVERS } phase;
static enum power power_how;
static int power_status;

static void power_end(void)
{
    const struct kernel_info *info = kernel_info();

    if (power_how == POWER_PANIC)
        kernel_panic(power_status ? power_status : 1);
    if (power_how == POWER_RESET)
        port_out(PORT_RESET, 1, RESET_HARD);
    if (power_status)
        port_out(PORT_EXIT_STATUS, 1, (uint32_t)power_status);
    for (unsigned i = 0; i < 2; i++)
        if (info->power_off[i])
            port_out(info->power_off[i], 2, SLEEP_ENABLE);
    for (uint64_t until = clock_now() + SWITCH_NS; clock_now() < until;)
        ; /* (the system is down: nobody waits for RS) */
    log_always("the machine does not switch itself off: it may be switched off now");
}

enum { MEMORY_SHORT_PAGES = 512 }; /* it may be the reason then */

void core_lost(const char *name, const char *how)
{
    const struct kernel_info *info = kernel_info();
    char memory[80] = "";

    if (info->frames_free < MEMORY_SHORT_PAGES)
        snprintf(memory, sizeof memory, " (too little memory: %u kB of %u MB are free)",
                 (unsigned)(info->frames_free * 4), (unsigned)(info->frames_total >> 8));
    log_always("core server %s %s: the system cannot go on%s", name, how, memory);
    kernel_panic(RS_PANIC_STATUS);
}

bool shutdown_has_begun(void)
{
    return phase != RUNNING;
}

/* Servers first, so that drivers can still bring out what those have; core servers are not told. */
static bool tell_stage(bool drivers)
{
    bool waiting = false;

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (!s->endpoint || service_core(s) || service_drives(s) != drivers)
            continue;
        if (!s->life.wanted_down)
            recover_asked(s, LIFE_ASKED_DOWN, DEFECT_NONE, SHUTDOWN_PATIENCE);
        waiting = true;
    }
    return waiting;
}

void shutdown_step(void)
{
    if (phase == STOPPING_SERVERS) {
        if (tell_stage(false))
            return;
        phase = STOPPING_DRIVERS;
    }
    if (!tell_stage(true))
        power_end();
}

void shutdown_begin(enum power how, int status)
{
    if (phase != RUNNING)
        return;
    power_how = how;
    power_status = status;
    phase = STOPPING_SERVERS;
    log_always("the system goes down");
    shutdown_step();
}
