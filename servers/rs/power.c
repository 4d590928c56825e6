/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's end, when all that had to be finished is. */
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
