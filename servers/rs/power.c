/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the system: the machine is switched off, or reset; or it cannot go on. */
#include <stdio.h>

#include "servers/rs/rs.h"

#define SWITCH_NS (500 * MS) /* the machine may take so long to do it */
#define PORT_RESET 0xcf9 /* Intel's reset control register */
#define RESET_HARD 6
#define PORT_EXIT_STATUS 0x501 /* QEMU's isa-debug-exit, where tools/guest has it */
#define SLEEP_ENABLE 0x2000 /* ACPI 6.4, 4.8.3.2 */

static bool goes_down;
static enum power power_how;
static int power_status;

bool power_goes_down(enum power how, int status)
{
    if (goes_down)
        return false;
    goes_down = true;
    power_how = how;
    power_status = status;
    log_always("the system goes down");
    return true;
}

bool shutdown_has_begun(void)
{
    return goes_down;
}

void power_end(void)
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

enum { MEMORY_SHORT_PAGES = 1024 }; /* it may be the reason then */

void essential_lost(const char *name, const char *how)
{
    const struct kernel_info *info = kernel_info();
    char memory[80] = "";

    if (info->frames_free < MEMORY_SHORT_PAGES)
        snprintf(memory, sizeof memory, " (too little memory: %u kB of %u MB are free)",
                 (unsigned)(info->frames_free * 4), (unsigned)(info->frames_total >> 8));
    log_always("essential server %s %s: the system stops%s", name, how, memory);
    kernel_panic(RS_PANIC_STATUS);
}
