/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel tells about itself, and how the system ends. */
#include "kernel/boot/boot_info.h"
#include "kernel/kernel.h"

long call_info(struct slot *s, const uint64_t *a)
{
    static uint64_t realtime_boot;
    struct kernel_info info = {
        .tsc_hz = arch_tsc_hz,
        .tsc_boot = arch_tsc_boot,
        .frames_total = frames_total,
        .frames_free = frames_free,
        .slots_total = ENDPOINT_SLOTS - 1,
        .slots_used = slots_used,
        .grants_used = grants_used(),
        .unknown_calls = unknown_calls,
        .last_unknown_call = last_unknown_call,
        .rsdp = boot_info.rsdp,
        .log_end = log_end,
        .trace_end = trace_end,
        .archive_size = boot_info.archive_size,
        .context_switches = context_switches,
        .interrupts = interrupts,
        .cpus = 1,
    };

    if (!realtime_boot)
        realtime_boot = arch_realtime() - arch_now() / 1000000000;
    info.realtime_boot = realtime_boot;
    memcpy(info.command_line, boot_info.command_line, sizeof info.command_line);
    return copy_out(s, a[0], &info, sizeof info);
}

long call_power(struct slot *s, const uint64_t *a)
{
    (void)s;
    if (a[0] > POWER_PANIC)
        return -EINVAL;
    if (a[0] == POWER_PANIC) {
        log_last_words();
        kernel_log("the system stops: %s\n", s->name);
        arch_power(POWER_OFF, a[1] ? (int)a[1] : 1);
    }
    arch_power((unsigned)a[0], (int)a[1]);
}
