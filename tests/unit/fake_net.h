/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network queue in memory, the client's side of it, and death at a chosen register access: for
 * the unit tests of the chips' halves. A test defines fake_read() and fake_write(): its chip.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/driver/netdriver.h"
#include "lib/rt/log.h"

#define FAKE_PHYSICAL 0x10000000u
#define FAKE_TRANSMIT_BUFFERS (QUEUE_BUFFERS_OFFSET + NET_RING_SIZE * NET_BUFFER_SIZE)

static uint8_t *fake_memory; /* NET_QUEUE_BYTES, at FAKE_PHYSICAL for the device */
static struct net_queue *fake_queue;
static jmp_buf fake_death;
static long
    fake_accesses_left; /* the driver dies before this many register accesses more; < 0: never */
static int fake_panics;

uint32_t fake_read(uint32_t offset, unsigned width);
void fake_write(uint32_t offset, unsigned width, uint32_t value);

static void fake_step(void)
{
    if (fake_accesses_left > 0)
        fake_accesses_left--;
    if (fake_accesses_left == 0)
        longjmp(fake_death, 1);
}

uint8_t mmio_read8(volatile void *base, uint32_t offset)
{
    (void)base;
    fake_step();
    return (uint8_t)fake_read(offset, 1);
}
uint16_t mmio_read16(volatile void *base, uint32_t offset)
{
    (void)base;
    fake_step();
    return (uint16_t)fake_read(offset, 2);
}
uint32_t mmio_read32(volatile void *base, uint32_t offset)
{
    (void)base;
    fake_step();
    return fake_read(offset, 4);
}
void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    (void)base;
    fake_step();
    fake_write(offset, 1, value);
}
void mmio_write16(volatile void *base, uint32_t offset, uint16_t value)
{
    (void)base;
    fake_step();
    fake_write(offset, 2, value);
}
void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    (void)base;
    fake_step();
    fake_write(offset, 4, value);
}

void log_info(const char *format, ...)
{
    (void)format;
}
void panic(const char *format, ...)
{
    (void)format;
    fake_panics++;
    longjmp(fake_death, 2);
}

/* What the device sees at a physical address; the test fails when that lies outside the queue. */
static inline uint8_t *fake_dma(uint64_t address, size_t bytes)
{
    assert_in_range(address, FAKE_PHYSICAL, FAKE_PHYSICAL + NET_QUEUE_BYTES - bytes);
    return fake_memory + (address - FAKE_PHYSICAL);
}

/* A fresh queue whose indices start at `begin`. */
static void fake_queue_setup(uint32_t begin)
{
    free(fake_memory);
    fake_memory = aligned_alloc(4096, NET_QUEUE_BYTES);
    memset(fake_memory, 0, NET_QUEUE_BYTES);
    fake_queue = (struct net_queue *)fake_memory;
    fake_queue->header.magic = NET_QUEUE_MAGIC;
    fake_queue->header.client_ready = 1;
    fake_queue->receive.posted = fake_queue->receive.completed = begin;
    fake_queue->transmit.posted = fake_queue->transmit.completed = begin;
    fake_accesses_left = -1;
    fake_panics = 0;
}

/* The client lends `count` receive buffers. */
static inline void fake_post_receive(uint32_t count)
{
    struct net_ring *ring = &fake_queue->receive;

    for (; count != 0; count--, ring->posted++) {
        uint32_t slot = ring->posted % NET_RING_SIZE;

        ring->entry[slot] =
            (struct net_entry){.offset = QUEUE_BUFFERS_OFFSET + slot * NET_BUFFER_SIZE,
                               .size = NET_BUFFER_SIZE,
                               .length = 0xdead};
    }
}

/* The client sends a frame of `size` bytes that begins with `number`. */
static inline void fake_post_transmit(uint32_t number, uint32_t size)
{
    struct net_ring *ring = &fake_queue->transmit;
    uint32_t slot = ring->posted % NET_RING_SIZE,
             offset = FAKE_TRANSMIT_BUFFERS + slot * NET_BUFFER_SIZE;

    memset(fake_memory + offset, 0xee, NET_BUFFER_SIZE);
    memcpy(fake_memory + offset, &number, sizeof number);
    ring->entry[slot] = (struct net_entry){.offset = offset, .size = size};
    ring->posted++;
}

/* The number that the received frame of entry k begins with. */
static inline uint32_t fake_received_number(uint32_t k)
{
    uint32_t number;

    memcpy(&number, fake_memory + fake_queue->receive.entry[k % NET_RING_SIZE].offset,
           sizeof number);
    return number;
}

/* A fresh incarnation begins. */
static inline enum queue_driver_state fake_start(struct net_device *d,
                                                 const struct net_driver *driver, bool may_adopt)
{
    static uint32_t registers;
    enum queue_driver_state state = QUEUE_DRIVER_NONE;

    net_device_open(d, driver, &registers, fake_memory, FAKE_PHYSICAL, NET_QUEUE_BYTES);
    assert_int_equal(net_device_start(d, may_adopt, &state), 0);
    return state;
}

/* As the loop does: until nothing moves. */
static inline void fake_serve(struct net_device *d)
{
    while (net_device_serve(d))
        ;
}

#endif
