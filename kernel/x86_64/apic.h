/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers of the local APIC (Intel SDM vol. 3, ch. 11). */
#ifndef X86_64_APIC_H
#define X86_64_APIC_H

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
#define LAPIC_ENABLE 0x100 /* of LAPIC_SPURIOUS */
#define LVT_MASKED 0x10000

#endif
