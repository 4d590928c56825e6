/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC (Intel SDM vol. 3, ch. 11), I/O APIC (82093AA data sheet), one-shot timer. */
#include <errno.h>

#include "kernel/boot_info.h"
#include "kernel/string.h"
#include "kernel/x86_64/apic.h"
#include "kernel/x86_64/cpu.h"

#define IOAPIC_VERSION 1
#define IOAPIC_ENTRY(n) (0x10 + 2 * (n))
#define ENTRY_ACTIVE_LOW 0x2000
#define ENTRY_LEVEL 0x8000
#define ENTRY_MASKED 0x10000
#define IOAPIC_LINES 120
#define LVT_TSC_DEADLINE 0x40000

uint64_t arch_tsc_hz;
static volatile uint32_t *lapic, *ioapic;
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

uint64_t arch_clock(uint64_t tsc)
{
    return arch_scale(tsc - kernel_page.tsc_boot, 1000000000, kernel_page.tsc_hz);
}

uint64_t arch_clock_ticks(uint64_t ns)
{
    uint64_t ticks = arch_scale(ns, kernel_page.tsc_hz, 1000000000);

    return ticks >> 62 ? ~0ull : kernel_page.tsc_boot + ticks;
}

static void timer_start(void)
{
    uint32_t r[4];

    arch_tsc_hz = kernel_page.tsc_hz;
    cpuid(1, 0, r);
    tsc_deadline = r[2] >> 24 & 1;
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TSC_DEADLINE : 0));
    /* The mode before any deadline (Intel SDM vol. 3, 10.5.4.1). */
    __asm__ volatile("mfence" : : : "memory");
}

void arch_devices_start(void)
{
    paging_map_rest();
    fpu_start();
    lapic = direct(boot_info.lapic);
    ioapic = direct(boot_info.ioapic);
    arch_port_out(0x21, 1, 0xff); /* both 8259s: everything masked */
    arch_port_out(0xa1, 1, 0xff);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_LINT0, LVT_MASKED);
    lapic_write(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
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
        wrmsr(MSR_TSC_DEADLINE, when == ~0ull ? 0 : arch_clock_ticks(when));
        return;
    }
    if (when == ~0ull) {
        lapic_write(LAPIC_TIMER_INITIAL, 0);
        return;
    }
    now = arch_now();
    count = when > now ? arch_scale(when - now, boot_info.timer_hz, 1000000000) : 0;
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
    return line < 16 ? boot_info.isa_gsi[line] : line;
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
