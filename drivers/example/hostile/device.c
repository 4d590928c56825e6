/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network card whose registers hold anything, rings' addresses among it: with an IOMMU it reaches
 * its queue all the same, and nothing else.
 */
#include "drivers/example/hostile/hostile.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

/* No byte of 0xfe: a device that writes to 0xfeeXXXXX raises interrupts, which an IOMMU that does
 * not remap them lets through (docs/security.md). */
static uint64_t some_value(void)
{
    const struct service_queue *q = &service_info()->queue;
    uint64_t value = bits() & 1 ? some_number() : q->physical + bits() % q->size;

    for (unsigned shift = 0; shift < 64; shift += 8)
        if ((value >> shift & 0xff) == 0xfe)
            value ^= 0x10ull << shift;
    return value;
}

static void write_register(uint64_t address, unsigned width, uint64_t value)
{
    if (width == 1)
        *(volatile uint8_t *)address = (uint8_t)value;
    else if (width == 2)
        *(volatile uint16_t *)address = (uint16_t)value;
    else
        *(volatile uint32_t *)address = (uint32_t)value;
}

void attack_device(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;
    uint64_t end = clock_now() + attack_seconds(5), writes = 0, window = 0, size = 0;

    for (unsigned i = 0; i < SERVICE_BARS; i++)
        if (!service_info()->device.bar[i].is_port && service_info()->device.bar[i].size > size) {
            window = service_info()->device.bar[i].address;
            size = service_info()->device.bar[i].size;
        }
    if (!q || !window)
        panic("no device");
    random_start();
    claim_to_drive(q);
    for (; clock_now() < end; writes++) {
        uint64_t r = bits();
        unsigned width = 1u << r % 3;

        write_register(window + (r >> 8) % (size < 256 ? size : 256) / width * width, width,
                       some_value());
        if (r >> 60 == 0)
            kernel_call6(KERNEL_IRQ_ACK, 0, 0, 0, 0, 0, 0);
        if (writes % 16 == 0)
            breathe();
    }
    log_info("registers: %llu", (unsigned long long)writes);
}
