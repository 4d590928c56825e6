/* SPDX-License-Identifier: BSD-2-Clause */
/* How fast the TSC and the local APIC's timer run: measured against the PIT (8254 data sheet). */
#include "boot/boot.h"
#include "kernel/x86_64/apic.h"
#include "kernel/x86_64/cpu.h"

#define PIT_HZ 1193182
#define PIT_GATE 0x61 /* bit 0: channel 2 counts; bit 1: it is heard */
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define CALIBRATION_TICKS (PIT_HZ / 125) /* 8 ms */

static volatile uint32_t *lapic(enum lapic_register at)
{
    return (volatile uint32_t *)direct(boot_info.lapic + at);
}

struct sample {
    uint64_t tsc;
    uint32_t timer, pit; /* both count down */
};

/* The three clocks at one moment: of some readings the one that took the shortest, as the host may
 * stop us at any time. */
static struct sample sample(void)
{
    struct sample best = {0};

    for (uint64_t i = 0, shortest = ~0ull; i < 5; i++) {
        uint64_t start = arch_tsc(), took;
        struct sample s = {.timer = *lapic(LAPIC_TIMER_CURRENT)};

        arch_port_out(PIT_COMMAND, 1, 0x80); /* latch channel 2 */
        took = arch_tsc() - start;
        s.tsc = start + took / 2;
        s.pit = arch_port_in(PIT_CHANNEL2, 1);
        s.pit |= arch_port_in(PIT_CHANNEL2, 1) << 8;
        if (took < shortest) {
            shortest = took;
            best = s;
        }
    }
    return best;
}

/* Counts the TSC and the LAPIC timer against the PIT (8254 data sheet): 8 ms of its channel 2, mode
 * 0, from 65535 down. */
void clock_measure(void)
{
    struct sample first, last;
    uint32_t ticks;

    arch_port_out(PIT_GATE, 1, (arch_port_in(PIT_GATE, 1) & ~2u) | 1);
    arch_port_out(PIT_COMMAND, 1, 0xb0);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    *lapic(LAPIC_SPURIOUS) = LAPIC_ENABLE | VECTOR_SPURIOUS;
    *lapic(LAPIC_LVT_TIMER) = LVT_MASKED;
    *lapic(LAPIC_TIMER_DIVIDE) = 0xb; /* by 1 */
    *lapic(LAPIC_TIMER_INITIAL) = 0xffffffff;
    first = sample();
    do {
        last = sample();
        ticks = (first.pit - last.pit) & 0xffff;
    } while (ticks < CALIBRATION_TICKS);
    *lapic(LAPIC_TIMER_INITIAL) = 0;
    boot_info.timer_hz = arch_scale(first.timer - last.timer, PIT_HZ, ticks);
    kernel_page.tsc_hz = kernel_page.info.tsc_hz = arch_scale(last.tsc - first.tsc, PIT_HZ, ticks);
    kernel_page.tsc_boot = first.tsc;
}
