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
#include "tests/unit/fake_clock.h"

#define FAKE_PHYSICAL 0x10000000u
#define FAKE_REGISTERS 0x1000000u
#define FAKE_RECEIVE_BUFFERS (QUEUE_BUFFERS_OFFSET + NET_HEADROOM)
#define FAKE_TRANSMIT_BUFFERS (FAKE_RECEIVE_BUFFERS + NET_RING_SIZE * NET_BUFFER_SIZE)

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
    fake_now += FAKE_ACCESS_TIME;
    if (fake_accesses_left > 0)
        fake_accesses_left--;
    if (fake_accesses_left == 0)
        longjmp(fake_death, 1);
}

/* Of registers in a BAR: their offset. A test that has windows puts them behind FAKE_REGISTERS. */
static uint32_t fake_place(volatile void *base, uint32_t offset)
{
    return (uint32_t)((uintptr_t)base - FAKE_REGISTERS) + offset;
}

uint8_t mmio_read8(volatile void *base, uint32_t offset)
{
    fake_step();
    return (uint8_t)fake_read(fake_place(base, offset), 1);
}
uint16_t mmio_read16(volatile void *base, uint32_t offset)
{
    fake_step();
    return (uint16_t)fake_read(fake_place(base, offset), 2);
}
uint32_t mmio_read32(volatile void *base, uint32_t offset)
{
    fake_step();
    return fake_read(fake_place(base, offset), 4);
}
void mmio_write8(volatile void *base, uint32_t offset, uint8_t value)
{
    fake_step();
    fake_write(fake_place(base, offset), 1, value);
}
void mmio_write16(volatile void *base, uint32_t offset, uint16_t value)
{
    fake_step();
    fake_write(fake_place(base, offset), 2, value);
}
void mmio_write32(volatile void *base, uint32_t offset, uint32_t value)
{
    fake_step();
    fake_write(fake_place(base, offset), 4, value);
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
            (struct net_entry){.offset = FAKE_RECEIVE_BUFFERS + slot * NET_BUFFER_SIZE,
                               .size = NET_BUFFER_ROOM,
                               .length = 0xdead};
    }
}

/* The client sends a frame of `size` bytes that begins with `number`. */
static inline void fake_post_transmit(uint32_t number, uint32_t size)
{
    struct net_ring *ring = &fake_queue->transmit;
    uint32_t slot = ring->posted % NET_RING_SIZE,
             offset = FAKE_TRANSMIT_BUFFERS + slot * NET_BUFFER_SIZE;

    memset(fake_memory + offset - NET_HEADROOM, 0xee, NET_BUFFER_SIZE);
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
    enum queue_driver_state state = QUEUE_DRIVER_NONE;

    net_device_open(d, driver, (volatile void *)(uintptr_t)FAKE_REGISTERS, fake_memory,
                    FAKE_PHYSICAL, NET_QUEUE_BYTES);
    assert_int_equal(net_device_start(d, may_adopt, &state), 0);
    return state;
}

/* As the loop does: until nothing moves. */
static inline void fake_serve(struct net_device *d)
{
    while (net_device_serve(d))
        ;
}

/* ---- a driver that dies ---- */

struct fake_scenario {
    const struct net_driver *driver;
    void (*begin)(void); /* a machine that begins */
    bool (*receive)(uint32_t number, uint16_t length); /* a frame comes in: is there a buffer? */
    const uint32_t *sent, *sent_count; /* the numbers of the frames that went out */
};

enum { FAKE_FRAMES = 600, FAKE_BEGIN = 0xffffffc0u /* so the indices wrap */ };

/* It dies at its access number `at`, and again; every frame arrives once, in order, both ways. */
static inline void fake_die_at(const struct fake_scenario *s, long at)
{
    static struct net_device d;
    static volatile uint32_t came, taken, posted_out;
    volatile int deaths = 0;

    s->begin();
    fake_queue_setup(FAKE_BEGIN);
    fake_start(&d, s->driver, true);
    fake_post_receive(NET_RING_SIZE);
    fake_serve(&d);
    came = taken = posted_out = 0;
    fake_accesses_left = at;
    if (setjmp(fake_death) != 0) {
        assert_int_equal(fake_panics, 0);
        deaths++;
        fake_accesses_left = deaths < 4 ? at : -1;
        assert_int_equal(fake_start(&d, s->driver, true), QUEUE_DRIVER_ADOPTED);
    }
    while (taken < FAKE_FRAMES) {
        for (uint32_t n = came % 37 + 1; n != 0 && came < FAKE_FRAMES; n--) {
            if (!s->receive(came, 60))
                break;
            came++;
        }
        while (posted_out < came &&
               fake_queue->transmit.posted - fake_queue->transmit.completed < 200) {
            posted_out++;
            fake_post_transmit(posted_out - 1, 60);
        }
        fake_serve(&d);
        for (uint32_t k = FAKE_BEGIN + taken; k != fake_queue->receive.completed; k++) {
            assert_int_equal(fake_received_number(k), taken);
            taken++;
            fake_post_receive(1);
        }
    }
    fake_accesses_left = -1;
    while (fake_queue->transmit.posted != fake_queue->transmit.completed)
        fake_serve(&d);
    assert_int_equal(*s->sent_count, posted_out);
    for (uint32_t i = 0; i < posted_out; i++)
        assert_int_equal(s->sent[i], i);
    assert_int_equal(fake_queue->header.resets, 1); /* the first start: nothing was lost since */
}

/* A death within reset() itself: the next one must not take the half-made device for a good one. */
static inline void fake_die_in_reset(const struct fake_scenario *s, long most)
{
    static struct net_device d;

    for (volatile long at = 1; at < most; at++) {
        s->begin();
        fake_accesses_left = at;
        if (setjmp(fake_death) == 0)
            fake_start(&d, s->driver, true);
        fake_accesses_left = -1;
        fake_start(&d, s->driver, true);
        fake_post_receive(10);
        fake_post_transmit(5, 60);
        fake_serve(&d);
        assert_true(s->receive(3, 60));
        fake_serve(&d);
        assert_int_equal(fake_received_number(0), 3);
        assert_int_equal(s->sent[0], 5);
    }
}

/* What a client may not post, at the place where a start has set up the device. */
static inline void fake_break_rules(const struct fake_scenario *s)
{
    static struct net_device d;

    for (volatile int what = 0; what < 6; what++) {
        s->begin();
        fake_start(&d, s->driver, true);
        fake_post_receive(2);
        fake_post_transmit(1, 60);
        switch (what) {
        case 0:
            fake_queue->receive.entry[1].offset = NET_QUEUE_BYTES - 100;
            break;
        case 1:
            fake_queue->receive.entry[1].offset = 0x100;
            break;
        case 2:
            fake_queue->receive.entry[1].size = 100;
            break;
        case 3:
            fake_queue->transmit.entry[0].size = 1515;
            break;
        case 4:
            fake_queue->receive.posted += 300;
            break;
        case 5:
            fake_queue->transmit.entry[0].offset = QUEUE_BUFFERS_OFFSET; /* without its headroom */
            break;
        }
        if (setjmp(fake_death) == 0) {
            fake_serve(&d);
            fail();
        }
        assert_int_equal(fake_panics, 1);
    }
}

#endif
