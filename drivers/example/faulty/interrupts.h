/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices that interrupt without end, for the faults `msi` and `pin` of main.c. */
#ifndef FAULTY_INTERRUPTS_H
#define FAULTY_INTERRUPTS_H

void fault_msi(void); /* QEMU's edu: it raises more MSIs each time */
void fault_pin(void); /* a card like e1000: its line stays asserted */
void interrupts_go_on(void); /* one has come: so do more */

#endif
