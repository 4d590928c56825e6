/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/netdriver.c
// flags: -Itests/unit/host
/* The network drivers' class library with a chip that is nothing but counters. */
#include "tests/unit/fake_net.h"

#include <errno.h>

static uint32_t arrived,
    accepts; /* frames that wait in the chip; transmit entries it takes at a time */
static bool adoptable, dead;
static uint32_t lent_first, lent_end, transmitted_entries;

uint32_t fake_read(uint32_t offset, unsigned width)
{
    (void)width;
    return offset;
}
void fake_write(uint32_t offset, unsigned width, uint32_t value)
{
    (void)offset, (void)width, (void)value;
}

static bool counter_adopt(struct net_device *d)
{
    return adoptable || net_mismatch(d, "not adoptable");
}
static int counter_reset(struct net_device *d)
{
    assert_int_equal(d->receive.lent, d->receive.completed);
    assert_int_equal(d->transmit.lent, d->transmit.completed);
    return dead ? -EIO : 0;
}
static bool counter_identify(struct net_device *d, uint8_t mac[6])
{
    (void)d;
    memset(mac, 0x42, 6);
    return true;
}
static void counter_mask(struct net_device *d)
{
    (void)d;
}
static bool counter_unmask(struct net_device *d)
{
    (void)d;
    return true;
}
static bool counter_acknowledge(struct net_device *d)
{
    (void)d;
    return false;
}
static uint32_t counter_receive(struct net_device *d)
{
    uint32_t n = d->receive.lent - d->receive.completed;

    n = n < arrived ? n : arrived;
    arrived -= n;
    return n;
}
static uint32_t counter_lend(struct net_device *d, uint32_t first, uint32_t end)
{
    assert_int_equal(first, d->receive.lent);
    assert_int_equal(d->queue->receive.completed,
                     d->receive.completed); /* published before a descriptor is used again */
    lent_first = first;
    lent_end = end;
    return end - first;
}
static uint32_t counter_transmit(struct net_device *d, uint32_t first, uint32_t end)
{
    uint32_t room = accepts - (first - d->transmit.completed);

    return end - first < room ? end - first : room;
}
static uint32_t counter_transmitted(struct net_device *d)
{
    transmitted_entries += d->transmit.lent - d->transmit.completed;
    return d->transmit.lent - d->transmit.completed;
}

static const struct net_driver counter = {
    .name = "counter",
    .registers_size = 16,
    .adopt = counter_adopt,
    .reset = counter_reset,
    .identify = counter_identify,
    .mask = counter_mask,
    .unmask = counter_unmask,
    .acknowledge = counter_acknowledge,
    .receive = counter_receive,
    .lend = counter_lend,
    .transmit = counter_transmit,
    .transmitted = counter_transmitted,
};

static int setup(void **state)
{
    (void)state;
    arrived = transmitted_entries = 0;
    accepts = NET_RING_SIZE;
    adoptable = dead = false;
    fake_queue_setup(0xfffffff0u);
    return 0;
}

static void test_adopt_or_reset(void **state)
{
    struct net_device d;

    (void)state;
    assert_int_equal(fake_start(&d, &counter, true), QUEUE_DRIVER_RESET);
    assert_string_equal(d.mismatch, "not adoptable");
    adoptable = true;
    assert_int_equal(fake_start(&d, &counter, true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(fake_start(&d, &counter, false), QUEUE_DRIVER_RESET);
    assert_int_equal(fake_queue->header.resets, 2);
    assert_int_equal(fake_queue->header.adoptions, 1);
}

static void test_dead_device(void **state)
{
    struct net_device d;
    enum queue_driver_state how;
    int registers;

    (void)state;
    dead = true;
    net_device_open(&d, &counter, &registers, fake_memory, FAKE_PHYSICAL, NET_QUEUE_BYTES);
    assert_int_equal(net_device_start(&d, true, &how), -EIO);
}

static void test_nothing_before_client_is_ready(void **state)
{
    struct net_device d;

    (void)state;
    fake_queue->header.client_ready = 0;
    fake_start(&d, &counter, true);
    arrived = 5;
    fake_post_receive(10);
    assert_false(net_device_serve(&d));
    assert_int_equal(d.receive.lent, 0xfffffff0u);
    assert_true(net_device_settle(&d)); /* it does not spin for what it may not touch */
    fake_queue->header.client_ready = 1;
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 0xfffffff5u);
}

static void test_slow_chip_gets_everything(void **state)
{
    struct net_device d;

    (void)state;
    accepts = 4;
    fake_start(&d, &counter, true);
    for (uint32_t i = 0; i < NET_RING_SIZE; i++)
        fake_post_transmit(i, 60);
    fake_serve(&d);
    assert_int_equal(transmitted_entries, NET_RING_SIZE);
    assert_int_equal(fake_queue->transmit.completed, fake_queue->transmit.posted);
}

static void test_wakes_client_only_when_it_waits(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &counter, true);
    fake_post_receive(20);
    arrived = 3;
    fake_serve(&d);
    assert_false(d.wake_client);
    fake_queue->receive.client_waits = 1;
    fake_serve(&d);
    assert_false(d.wake_client); /* nothing new */
    arrived = 1;
    fake_serve(&d);
    assert_true(d.wake_client);
}

static void test_settle(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &counter, true);
    fake_post_receive(NET_RING_SIZE);
    fake_serve(&d);
    assert_true(net_device_settle(&d));
    assert_int_equal(fake_queue->transmit.driver_waits, 1);
    assert_int_equal(fake_queue->receive.driver_waits, 0); /* enough buffers */
    arrived = NET_RING_SIZE / 2 + 1;
    fake_serve(&d);
    assert_int_equal(fake_queue->transmit.driver_waits, 0); /* awake */
    assert_true(net_device_settle(&d));
    assert_int_equal(fake_queue->receive.driver_waits, 1);
    fake_post_receive(1);
    assert_false(net_device_settle(&d));
    fake_serve(&d);
    fake_post_transmit(1, 60);
    assert_false(net_device_settle(&d));
}

static void test_bad_queues(void **state)
{
    static struct net_device d;
    int registers;

    for (volatile int what = 0; what < 5; what++) {
        setup(state);
        if (what == 3)
            fake_queue->receive.posted += NET_RING_SIZE + 1;
        if (what == 4)
            fake_queue->transmit.posted -= 1;
        if (setjmp(fake_death) == 0) {
            net_device_open(&d, &counter, what == 0 ? NULL : &registers, fake_memory,
                            what == 1 ? 0xfff00000u : FAKE_PHYSICAL,
                            what == 2 ? 0x1000 : NET_QUEUE_BYTES);
            fail();
        }
        assert_int_equal(fake_panics, 1);
    }
}

/* A chip that tells late: an interrupt only when somebody waits, or much is on its way. */
static void test_tells_late(void **state)
{
    struct net_driver late = counter;
    struct net_device d;

    (void)state;
    late.tells_late = true;
    net_device_open(&d, &counter, fake_memory, fake_memory, FAKE_PHYSICAL, NET_QUEUE_BYTES);
    assert_false(net_device_sends_quietly(&d));
    assert_false(d.tell_sent);
    d.transmit.lent = d.transmit.posted = d.transmit.completed + 5;
    assert_false(net_device_sends_quietly(&d));
    assert_true(d.tell_sent);
    d.driver = &late;
    assert_true(net_device_sends_quietly(&d));
    assert_false(d.tell_sent);
    d.transmit.posted++; /* it had no room for one */
    assert_false(net_device_sends_quietly(&d));
    assert_true(d.tell_sent);
    d.transmit.posted--;
    fake_queue->transmit.client_waits = 1;
    assert_false(net_device_sends_quietly(&d));
    fake_queue->transmit.client_waits = 0;
    d.transmit.lent = d.transmit.posted = d.transmit.completed + NET_RING_SIZE / 2 + 1;
    assert_false(net_device_sends_quietly(&d));
    assert_true(d.tell_sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tells_late, setup),
        cmocka_unit_test_setup(test_adopt_or_reset, setup),
        cmocka_unit_test_setup(test_dead_device, setup),
        cmocka_unit_test_setup(test_nothing_before_client_is_ready, setup),
        cmocka_unit_test_setup(test_slow_chip_gets_everything, setup),
        cmocka_unit_test_setup(test_wakes_client_only_when_it_waits, setup),
        cmocka_unit_test_setup(test_settle, setup),
        cmocka_unit_test_setup(test_bad_queues, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
