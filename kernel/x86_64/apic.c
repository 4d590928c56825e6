/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC (Intel SDM vol. 3, ch. 11), I/O APIC (82093AA data sheet), one-shot timer, TSC
 * calibrated against the PIT (8254). */
#include <errno.h>

#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

/* Offsets. */
enum lapic_register {
    LAPIC_TPR = 0x80,
    LAPIC_EOI = 0xb0,
    LAPIC_SPURIOUS = 0xf0, /* bit 8: enable */
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};
#define LVT_MASKED 0x10000
#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY(n) (0x10 + 2 * (n))
#define ENTRY_ACTIVE_LOW 0x2000
#define ENTRY_LEVEL 0x8000
#define ENTRY_MASKED 0x10000
#define IOAPIC_LINES 120
#define LVT_TSC_DEADLINE 0x40000
#define PIT_HZ 1193182
#define PIT_GATE 0x61 /* bit 0: channel 2 counts; bit 1: it is heard */
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND 0x43
#define CALIBRATION_TICKS (PIT_HZ / 125) /* 8 ms */

uint64_t arch_tsc_hz, arch_tsc_boot;
static volatile uint32_t *lapic, *ioapic;
static uint64_t timer_hz;
static bool tsc_deadline; /* the timer takes absolute TSC values */
static unsigned lines;
static uint32_t entry_low[IOAPIC_LINES]; /* what the I/O APIC holds: saves reading it back */

static void lapic_write(unsigned at, uint32_t value)
{
    lapic[at / 4] = value;
}

static uint32_t ioapic_read(unsigned n)
{
    ioapic[0] = n;
    return ioapic[4];
}

static void ioapic_write(unsigned n, uint32_t value)
{
    ioapic[0] = n;
    ioapic[4] = value;
}

uint64_t arch_now(void)
{
    return arch_scale(arch_tsc() - arch_tsc_boot, 1000000000, arch_tsc_hz);
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
        struct sample s = {.timer = lapic[LAPIC_TIMER_CURRENT / 4]};

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
static void calibrate(void)
{
    struct sample first, last;
    uint32_t ticks;

    arch_port_out(PIT_GATE, 1, (arch_port_in(PIT_GATE, 1) & ~2u) | 1);
    arch_port_out(PIT_COMMAND, 1, 0xb0);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    arch_port_out(PIT_CHANNEL2, 1, 0xff);
    lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
    lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
    first = sample();
    do {
        last = sample();
        ticks = (first.pit - last.pit) & 0xffff;
    } while (ticks < CALIBRATION_TICKS);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    timer_hz = arch_scale(first.timer - last.timer, PIT_HZ, ticks);
    arch_tsc_hz = arch_scale(last.tsc - first.tsc, PIT_HZ, ticks);
    arch_tsc_boot = first.tsc;
}

static void timer_start(void)
{
    uint32_t r[4];

    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    calibrate();
    cpuid(1, 0, r);
    tsc_deadline = r[2] >> 24 & 1;
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TSC_DEADLINE : 0));
    /* The mode before any deadline (Intel SDM vol. 3, 10.5.4.1). */
    __asm__ volatile("mfence" : : : "memory");
}

void arch_devices_start(void)
{
    fpu_start();
    acpi_start();
    lapic = direct(acpi.lapic);
    ioapic = direct(acpi.ioapic);
    arch_port_out(0x21, 1, 0xff); /* both 8259s: everything masked */
    arch_port_out(0xa1, 1, 0xff);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lines = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
    if (lines > IOAPIC_LINES)
        lines = IOAPIC_LINES;
    for (unsigned i = 0; i < lines; i++) {
        entry_low[i] = ENTRY_MASKED;
        ioapic_write(IOAPIC_ENTRY(i), ENTRY_MASKED);
    }
    timer_start();
}

void apic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void arch_timer_set(uint64_t when)
{
    uint64_t now, count;

    if (tsc_deadline) {
        count = arch_scale(when, arch_tsc_hz, 1000000000);
        count = count < ~0ull - arch_tsc_boot ? arch_tsc_boot + count : ~0ull;
        wrmsr(MSR_TSC_DEADLINE, when == ~0ull ? 0 : count);
        return;
    }
    if (when == ~0ull) {
        lapic_write(LAPIC_TIMER_INITIAL, 0);
        return;
    }
    now = arch_now();
    count = when > now ? arch_scale(when - now, timer_hz, 1000000000) : 0;
    lapic_write(LAPIC_TIMER_INITIAL, count > 0xfffffffe ? 0xffffffff : (uint32_t)count + 1);
}

unsigned arch_irq_lines(void)
{
    return lines;
}

unsigned arch_irq_vector(unsigned n)
{
    return VECTOR_IRQ + n;
}

/* The I/O APIC input of a line: ISA interrupts may be wired elsewhere. */
static unsigned pin_of(unsigned line)
{
    return line < 16 ? acpi.isa_gsi[line] : line;
}

int arch_irq_route(unsigned line, unsigned n, unsigned flags)
{
    unsigned pin = pin_of(line);

    if (pin >= lines || n >= ARCH_IRQ_VECTORS)
        return -EINVAL;
    entry_low[pin] = ENTRY_MASKED | (VECTOR_IRQ + n) | (flags & IRQ_EDGE ? 0 : ENTRY_LEVEL) |
                     (flags & IRQ_ACTIVE_LOW ? ENTRY_ACTIVE_LOW : 0);
    ioapic_write(IOAPIC_ENTRY(pin) + 1, 0); /* to CPU 0 */
    ioapic_write(IOAPIC_ENTRY(pin), entry_low[pin]);
    return 0;
}

void arch_irq_mask(unsigned line)
{
    unsigned pin = pin_of(line);

    entry_low[pin] |= ENTRY_MASKED;
    ioapic_write(IOAPIC_ENTRY(pin), entry_low[pin]);
}

void arch_irq_unmask(unsigned line)
{
    unsigned pin = pin_of(line);

    if (!(entry_low[pin] & ENTRY_MASKED))
        return;
    entry_low[pin] &= ~(uint32_t)ENTRY_MASKED;
    ioapic_write(IOAPIC_ENTRY(pin), entry_low[pin]);
}
