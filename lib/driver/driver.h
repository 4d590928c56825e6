/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every driver uses: access to the registers of its own device. Memory-mapped registers are
 * reached directly; ports through a kernel call that checks the manifest. Both are functions and
 * not macros, so that a unit test of a chip's half links fake registers in their place.
 *
 * Order: device registers are mapped uncached, so the processor keeps accesses in program order.
 * Before the register write that tells a device about memory, call dma_publish(); after reading
 * from memory that a device has written something, dma_observe().
 */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/service.h"

/* Registers in memory: `base` from device_registers(), `offset` in bytes, a multiple of
 * the width. */
uint8_t mmio_read8(volatile void *base, uint32_t offset);
uint16_t mmio_read16(volatile void *base, uint32_t offset);
uint32_t mmio_read32(volatile void *base, uint32_t offset);
void mmio_write8(volatile void *base, uint32_t offset, uint8_t value);
void mmio_write16(volatile void *base, uint32_t offset, uint16_t value);
void mmio_write32(volatile void *base, uint32_t offset, uint32_t value);

/* Ports. A port that the manifest does not list ends the driver: that is a defect of
 * the driver's. */
uint8_t pio_read8(unsigned port);
uint16_t pio_read16(unsigned port);
uint32_t pio_read32(unsigned port);
void pio_write8(unsigned port, uint8_t value);
void pio_write16(unsigned port, uint16_t value);
void pio_write32(unsigned port, uint32_t value);
/* all to the same port: a FIFO */
void pio_write_bytes(unsigned port, const uint8_t *bytes, uint32_t count);

/* The device's first memory BAR of at least `size` bytes, mapped; NULL when it has none. */
static inline volatile void *device_registers(const struct service_device *device, uint64_t size)
{
    for (int i = 0; i < SERVICE_BARS; i++)
        if (!device->bar[i].is_port && device->bar[i].address != 0 && device->bar[i].size >= size)
            return (volatile void *)(uintptr_t)device->bar[i].address;
    return 0;
}

/* The first port of the device's first I/O BAR; 0 when it has none. */
static inline unsigned device_ports(const struct service_device *device)
{
    for (int i = 0; i < SERVICE_BARS; i++)
        if (device->bar[i].is_port && device->bar[i].size != 0)
            return (unsigned)device->bar[i].address;
    return 0;
}

/*
 * Waiting for a device:
 *
 *     struct driver_wait wait = {.patience = 500 * MS};
 *
 *     while (is_busy())
 *         if (!driver_waits(&wait))
 *             return -EIO;
 *
 * False: it has been looked at after the time was over, too, however seldom we were let run. A driver
 * that looks without end takes the processor from programs, time and again if it dies in each start.
 * So it does that for DRIVER_SPIN only; from then on it sleeps between two looks, for as long as it
 * has waited by then (so no wait becomes more than twice as long) and DRIVER_SLEEP at most.
 * What comes meanwhile, a notification or the order to end, waits.
 */
struct driver_wait {
    uint64_t patience; /* ns */
    uint64_t begin; /* clock, of the first look; 0: there was none */
    bool is_over;
};
#define DRIVER_SPIN 20000ull /* ns */
#define DRIVER_SLEEP 1000000ull

bool driver_waits(struct driver_wait *wait);
void driver_delay(uint64_t ns); /* at least so long */

/* What both do: others run for `ns`. It may be over early. */
void driver_pause(uint64_t ns);

/*
 * A driver whose device could not be started ends here. -ENODEV and -EOPNOTSUPP: it is none that
 * this driver can drive, and RS starts it no more (RS_EXIT_REFUSED); anything else is a failure,
 * and the next incarnation tries again.
 */
void driver_start_failed(int status) __attribute__((noreturn));

/* x86 keeps stores in order, and loads in order: only the compiler must be held. */
static inline void dma_publish(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}
static inline void dma_observe(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}

#endif
