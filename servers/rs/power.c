/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's end, when all that had to be finished is, or when it cannot go on. */
#include <stdio.h>

#include "servers/rs/rs.h"

#define PORT_RESET 0xcf9 /* Intel's reset control register */
#define RESET_HARD 6
#define PORT_EXIT_STATUS 0x501 /* QEMU's isa-debug-exit, where tools/guest has it */
#define SLEEP_ENABLE 0x2000 /* ACPI 6.4, 4.8.3.2 */

void power_end(enum power how, int status)
{
    const struct kernel_info *info = kernel_info();

    if (how == POWER_PANIC)
        kernel_panic(status ? status : 1);
    if (how == POWER_RESET)
        port_out(PORT_RESET, 1, RESET_HARD);
    if (status)
        port_out(PORT_EXIT_STATUS, 1, (uint32_t)status);
    for (unsigned i = 0; i < 2; i++)
        if (info->power_off[i])
            port_out(info->power_off[i], 2, SLEEP_ENABLE);
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
    kernel_panic(PANIC_STATUS);
}
