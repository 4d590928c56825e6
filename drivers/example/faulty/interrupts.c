/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/example/faulty/interrupts.h"

#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

static bool raises; /* an interrupt leads to the next */
static bool asserts; /* a level that nobody takes away */

static void raise_interrupts(void)
{
    enum { EDU_INTERRUPT_RAISE = 0x60, AT_ONCE = 4 };

    for (int i = 0; i < AT_ONCE; i++)
        mmio_write32(device_registers(&service_info()->device, 0x100), EDU_INTERRUPT_RAISE, 1);
}

void fault_msi(void)
{
    raises = true;
    raise_interrupts();
}

void fault_pin(void)
{
    enum { CAUSE_SET = 0xc8, MASK_SET = 0xd0, LINK_CHANGE = 4 };
    volatile void *registers = device_registers(&service_info()->device, 0x100);

    asserts = true;
    mmio_write32(registers, MASK_SET, LINK_CHANGE);
    mmio_write32(registers, CAUSE_SET, LINK_CHANGE);
}

void interrupts_go_on(void)
{
    if (raises)
        raise_interrupts();
    if (asserts)
        irq_ack(0);
}
