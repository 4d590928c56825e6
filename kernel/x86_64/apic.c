/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC (Intel SDM vol. 3, ch. 11), I/O APIC (82093AA data sheet), one-shot timer, TSC calibrated against the PIT (8254). */
#include <errno.h>

#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

enum lapic_register { /* offsets */
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
#define CALIBRATION_HZ 200 /* 5 ms */

uint64_t arch_tsc_hz, arch_tsc_boot;
static volatile uint32_t *lapic, *ioapic;
static uint64_t timer_hz;
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

uint64_t arch_tsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

uint64_t arch_now(void)
{
    return arch_scale(arch_tsc() - arch_tsc_boot, 1000000000, arch_tsc_hz);
}

/* Count 5 ms of the PIT's channel 2 (gated by port 0x61) with the TSC and the LAPIC timer. */
static void calibrate(void)
{
    const uint32_t count = 1193182 / CALIBRATION_HZ;
    uint64_t start, ticks;

    arch_port_out(0x61, 1, (arch_port_in(0x61, 1) & ~2u) & ~1u);
    arch_port_out(0x43, 1, 0xb0); /* channel 2, both bytes, mode 0 */
    arch_port_out(0x42, 1, count & 0xff);
    arch_port_out(0x42, 1, count >> 8);
    lapic_write(LAPIC_TIMER_DIVIDE, 0xb); /* by 1 */
    lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
    start = arch_tsc();
    arch_port_out(0x61, 1, arch_port_in(0x61, 1) | 1);
    while (!(arch_port_in(0x61, 1) & 0x20))
        ;
    ticks = arch_tsc() - start;
    timer_hz = (uint64_t)(0xffffffffu - lapic[LAPIC_TIMER_CURRENT / 4]) * CALIBRATION_HZ;
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    arch_tsc_hz = ticks * CALIBRATION_HZ;
    arch_tsc_boot = start;
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
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    calibrate();
}

void apic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

void arch_timer_set(uint64_t when)
{
    uint64_t now, count;

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
