/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt pins to lines of the I/O APIC. In general that is said by AML code, which we do not
 * run; of the two machines that we know the wiring is fixed. On others: what the firmware left in
 * the device's interrupt line register.
 */
#include "servers/pci/pci.h"

enum machine { MACHINE_UNKNOWN, MACHINE_Q35, MACHINE_PC };
enum {
    HOST_Q35 = 0x29c08086,
    HOST_PC = 0x12378086,
    LPC_Q35 = 0x1f << 3, /* 00:1f.0 */
    LPC_PC = 1 << 3, /* 00:01.0 */
    PIRQ_A = 0x60, /* A to D; on ICH9 E to H are at 0x68 */
    PIRQ_E = 0x68,
    PIRQ_OFF = 0x80,
};

static enum machine machine;

void route_begin(void)
{
    uint32_t host = config_read(0, PCI_VENDOR, 4);

    machine = host == HOST_PC ? MACHINE_PC : MACHINE_UNKNOWN;
    if (host == HOST_Q35)
        machine = MACHINE_Q35;
    if (machine != MACHINE_Q35)
        return;
    for (unsigned i = 0; i < 4; i++) { /* or each would also raise the line of an ISA interrupt */
        config_write(LPC_Q35, PIRQ_A + i, 1, PIRQ_OFF);
        config_write(LPC_Q35, PIRQ_E + i, 1, PIRQ_OFF);
    }
}

/* Slots 0 to 24 of ICH9's root bus share the lines E to H; those of the chip set's own devices are
 * A to D. */
static uint32_t line_q35(unsigned slot, unsigned pin)
{
    if (slot <= 24)
        return 20 + (slot + pin) % 4;
    return slot == 30 ? 20 + pin : 16 + pin;
}

static uint32_t line_pc(unsigned slot, unsigned pin)
{
    uint32_t line = config_read(LPC_PC, PIRQ_A + ((slot - 1 + pin) & 3), 1);

    return line & PIRQ_OFF ? NO_GSI : line;
}

void route(struct function *f)
{
    unsigned slot = f->place >> 3 & 31, pin = f->pin - 1;
    const struct function *at = f;

    f->found.gsi = NO_GSI;
    f->found.irq_flags = 0; /* level, active high: as the I/O APIC of both sees them */
    if (f->pin == 0 || f->pin > 4)
        return;
    for (unsigned hops = 0; at->parent < FUNCTIONS_MAX && hops < FUNCTIONS_MAX; hops++) {
        at = &table.function[at->parent];
        pin = (pin + slot) %
              4; /* as bridges wire what is behind them: PCI-to-PCI Bridge 1.2, section 9.1 */
        slot = at->place >> 3 & 31;
    }
    if (machine == MACHINE_Q35)
        f->found.gsi = line_q35(slot, pin);
    else if (machine == MACHINE_PC)
        f->found.gsi = line_pc(slot, pin);
    else if (f->interrupt_line != 0 && f->interrupt_line < 16)
        f->found.gsi = f->interrupt_line;
}
