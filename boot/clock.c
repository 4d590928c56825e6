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
#define TRIES 20

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

struct measure {
    struct sample first, last;
    uint32_t ticks; /* of the PIT, from the first to the last */
    uint64_t longest; /* of the TSC, from one sample to the next */
};

/* 8 ms of the PIT's channel 2. It goes round after 55 ms: if the host has stopped us that long,
 * ticks are missing, and the rest seems to be fast. */
static struct measure measure(void)
{
    struct measure m = {.first = sample()};

    m.last = m.first;
    do {
        struct sample s = sample();

        if (s.tsc - m.last.tsc > m.longest)
            m.longest = s.tsc - m.last.tsc;
        m.last = s;
        m.ticks = (m.first.pit - s.pit) & 0xffff;
    } while (m.ticks < CALIBRATION_TICKS);
    return m;
}

static uint64_t rate(const struct measure *m, uint64_t count)
{
    return arch_scale(count, PIT_HZ, m->ticks);
}

static uint64_t tsc_rate(const struct measure *m)
{
    return rate(m, m->last.tsc - m->first.tsc);
}

/* Each time that a whole round is missed takes 47 ms and more, of at most 63; so one that is, or
 * several, are far more than an eighth. Nobody who is not stopped comes near it: of the 8 ms a
 * sample takes 0.05. */
static bool was_stopped(const struct measure *m)
{
    return m->longest > (m->last.tsc - m->first.tsc) / 8;
}

/* Where the host stops us all the time the slowest is the one: a missed round makes it too fast. */
static struct measure measure_well(void)
{
    struct measure best = measure();

    for (unsigned n = 1; n < TRIES && was_stopped(&best); n++) {
        struct measure m = measure();

        if (tsc_rate(&m) < tsc_rate(&best) || !was_stopped(&m))
            best = m;
    }
    return best;
}

/* Counts the TSC and the LAPIC timer against the PIT (8254 data sheet), whose channel 2 goes from
 * 65535 down, again and again (mode 0). */
void clock_measure(void)
{
    struct measure m;

    arch_port_out(PIT_GATE, 1, (arch_port_in(PIT_GATE, 1) & ~2u) | 1);
    arch_port_out(PIT_COMMAND, 1, 0xb0);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    *lapic(LAPIC_SPURIOUS) = LAPIC_ENABLE | VECTOR_SPURIOUS;
    *lapic(LAPIC_LVT_TIMER) = LVT_MASKED;
    *lapic(LAPIC_TIMER_DIVIDE) = 0xb; /* by 1 */
    *lapic(LAPIC_TIMER_INITIAL) = 0xffffffff;
    m = measure_well();
    *lapic(LAPIC_TIMER_INITIAL) = 0;
    boot_info.timer_hz = rate(&m, m.first.timer - m.last.timer);
    kernel_page.tsc_hz = kernel_page.info.tsc_hz = tsc_rate(&m);
    kernel_page.tsc_boot = m.first.tsc;
}
