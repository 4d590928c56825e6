/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/netdriver.c lib/driver/wait.c lib/virtio/virtio.c
// includes: drivers/net/virtio/chip.c
// flags: -Itests/unit/host
/* The chip's half of the virtio network driver against a device that behaves as VIRTIO 1.0 says. */
#include "tests/unit/fake_net.h"
#include "tests/unit/fake_virtio.h"

#include "drivers/net/virtio/chip.c"

/* ---- the device ---- */

static struct {
    bool is_down, is_slow, is_reversed; /* slow: it sends when it is told to, by chip_send() */
    uint32_t held[2], held_count; /* reversed: the second of two comes back first */
    unsigned config_reads;
} card;
static uint32_t sent[4096], sent_count;

static void chip_was_reset(void)
{
    card.held_count = 0;
}

static uint32_t chip_configuration(uint32_t offset)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

    card.config_reads++;
    if (offset == CONFIG_STATUS)
        return card.is_down ? 0 : STATUS_LINK_UP;
    assert_in_range(offset, 0, 5);
    return mac[offset];
}

uint32_t fake_read(uint32_t at, unsigned width)
{
    return chip_read(at, width);
}

void fake_write(uint32_t at, unsigned width, uint32_t value)
{
    chip_write(at, width, value);
}

static void give_back(uint32_t head, uint32_t length, unsigned side)
{
    chip_give_back(&chip.queue[side], head, length);
    chip.isr |= 1;
}

static void chip_send(void)
{
    static const uint8_t zeroes[HEADER];
    int head;

    while ((head = chip_take(&chip.queue[TRANSMIT])) >= 0) {
        const struct virtio_descriptor *t = chip_descriptor(&chip.queue[TRANSMIT], (uint32_t)head);
        const uint8_t *frame = fake_dma(t->address, t->length);

        assert_int_equal(t->flags, 0);
        assert_memory_equal(frame, zeroes, HEADER);
        memcpy(&sent[sent_count++], frame + HEADER, 4);
        give_back((uint32_t)head, 0, TRANSMIT);
    }
}

static void chip_notified(unsigned side)
{
    if (side == TRANSMIT && !card.is_slow)
        chip_send();
}

/* A frame comes in: false when there is no buffer. */
static bool chip_receive(uint32_t number, uint16_t length)
{
    int head = chip_take(&chip.queue[RECEIVE]);
    const struct virtio_descriptor *r;
    uint8_t *buffer;

    if (head < 0)
        return false;
    r = chip_descriptor(&chip.queue[RECEIVE], (uint32_t)head);
    assert_int_equal(r->flags, DESCRIPTOR_WRITE);
    assert_true(r->length >= HEADER + NET_FRAME_MAX);
    buffer = fake_dma(r->address, r->length);
    memset(buffer, 0, HEADER);
    buffer[10] = 1; /* one buffer */
    memcpy(buffer + HEADER, &number, 4);
    if (!card.is_reversed) {
        give_back((uint32_t)head, HEADER + length, RECEIVE);
        return true;
    }
    card.held[card.held_count++] = (uint32_t)head;
    for (; card.held_count == 2; card.held_count = 0)
        for (unsigned n = 2; n-- > 0;)
            give_back(card.held[n], HEADER + length, RECEIVE);
    return true;
}

static void begin(void)
{
    fake_pages_begin();
    fake_queue_setup(0);
    memset(&card, 0, sizeof card);
    sent_count = 0;
    chip_begin(FEATURE(FEATURE_MAC) | FEATURE(FEATURE_STATUS) | FEATURE(FEATURE_VERSION_1) |
                   FEATURE(FEATURE_INDIRECT) | FEATURE(29) | FEATURE(15),
               FAKE_REGISTERS);
}

static int setup(void **state)
{
    (void)state;
    begin();
    return 0;
}

static const struct fake_scenario scenario = {
    .driver = &virtio_net,
    .begin = begin,
    .receive = chip_receive,
    .sent = sent,
    .sent_count = &sent_count,
};

/* ---- tests ---- */

static void test_first_start(void **state)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};
    struct net_device d;

    (void)state;
    assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_RESET);
    assert_memory_equal(fake_queue->mac, mac, 6);
    assert_int_equal(fake_queue->link_up, 1);
    assert_int_equal(chip.accepted,
                     FEATURE(FEATURE_MAC) | FEATURE(FEATURE_STATUS) | FEATURE(FEATURE_VERSION_1));
    assert_false(chip_receive(1, 60)); /* no buffers yet */
    fake_post_receive(NET_RING_SIZE);
    fake_serve(&d);
    for (uint32_t i = 0; i < NET_RING_SIZE; i++)
        assert_true(chip_receive(i, (uint16_t)(60 + i)));
    assert_false(chip_receive(1, 60));
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, NET_RING_SIZE);
    for (uint32_t i = 0; i < NET_RING_SIZE; i++) {
        assert_int_equal(fake_received_number(i), i);
        assert_int_equal(fake_queue->receive.entry[i].length, 60 + i);
        assert_int_equal(fake_queue->receive.entry[i].status, NET_FRAME_OK);
    }
}

static int start_fails(void)
{
    enum queue_driver_state how;
    struct net_device d;

    net_device_open(&d, &virtio_net, NULL, fake_memory, FAKE_PHYSICAL, NET_QUEUE_BYTES);
    return net_device_start(&d, true, &how);
}

static void test_devices_not_for_us(void **state)
{
    chip.is_stuck = true;
    chip.status = STATUS_ALIVE;
    FAKE_SLEEPS(FAKE_STUCK, assert_int_equal(start_fails(), -EIO));
    setup(state);
    chip.is_refusing = true;
    assert_int_equal(start_fails(), -EOPNOTSUPP);
    setup(state);
    chip.offered &= ~FEATURE(FEATURE_MAC);
    assert_int_equal(start_fails(), -EOPNOTSUPP);
    setup(state);
    chip.has_no_vector = true;
    assert_int_equal(start_fails(), -EIO);
    setup(state);
    fake_info->device.window[WINDOW_DEVICE].address = 0; /* of before VIRTIO 1.0 */
    assert_int_equal(start_fails(), -ENODEV);
    setup(state);
    chip.queue_max = 8; /* hardly a queue */
    assert_int_equal(start_fails(), -EOPNOTSUPP);
}

/* Vectors for queues and configuration; by the pin what it says must be taken back. */
static void test_interrupts(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &virtio_net, true);
    assert_true(chip.queue[RECEIVE].vector == 0 && chip.queue[TRANSMIT].vector == 0);
    assert_int_equal(chip.config_vector, 0);
    virtio_net.acknowledge(&d);
    assert_int_equal(chip.isr_reads, 0);
    fake_info->device.has_msix = 0;
    assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_RESET);
    assert_int_equal(chip.queue[TRANSMIT].vector, NO_VECTOR);
    assert_int_equal(chip.config_vector, NO_VECTOR);
    virtio_net.acknowledge(&d);
    assert_int_equal(chip.isr_reads, 1);
}

static uint16_t flags_of(unsigned side)
{
    return *(uint16_t *)(void *)fake_dma(chip.queue[side].available, 2);
}

static void test_masks(void **state)
{
    struct net_device d;

    (void)state;
    card.is_slow = true;
    fake_start(&d, &virtio_net, true);
    assert_true(flags_of(RECEIVE) == AVAILABLE_QUIET && flags_of(TRANSMIT) == AVAILABLE_QUIET);
    fake_post_receive(10);
    fake_serve(&d);
    assert_true(virtio_net.unmask(&d));
    assert_true(flags_of(RECEIVE) == 0 && flags_of(TRANSMIT) == AVAILABLE_QUIET);
    virtio_net.mask(&d);
    chip_receive(1, 60); /* between the last look and the wish */
    assert_false(virtio_net.unmask(&d));
    fake_serve(&d);
    fake_post_transmit(1, 60);
    fake_serve(&d);
    fake_queue->transmit.client_waits = 1;
    assert_false(net_device_sends_quietly(&d));
    assert_true(virtio_net.unmask(&d));
    assert_true(flags_of(TRANSMIT) == 0); /* it is to say when it has sent */
    chip_send();
    assert_false(virtio_net.unmask(&d));
}

static void test_link(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &virtio_net, true);
    assert_false(virtio_net.acknowledge(&d));
    card.is_down = true;
    looked = clock_now();
    assert_false(virtio_net.acknowledge(&d)); /* it has just looked */
    looked -= LINK_LOOKS;
    assert_true(virtio_net.acknowledge(&d));
    assert_false(virtio_net.identify(&d, d.queue->mac));
    chip.offered &= ~FEATURE(FEATURE_STATUS); /* then it is always up */
    fake_start(&d, &virtio_net, false);
    assert_int_equal(fake_queue->link_up, 1);
}

/* A device with fewer descriptors than the ring has entries. */
static void test_small_queues(void **state)
{
    struct net_device d;

    (void)state;
    chip.queue_max = chip.queue[0].size = chip.queue[1].size = 32;
    fake_start(&d, &virtio_net, true);
    fake_post_receive(100);
    for (uint32_t i = 0; i < 100; i++)
        fake_post_transmit(i, 60);
    fake_serve(&d);
    assert_int_equal(sent_count, 100);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(chip_receive(i, 60));
        if (i % 32 == 31)
            assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_ADOPTED);
        if (i % 16 == 15)
            fake_serve(&d);
    }
    fake_serve(&d);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(fake_received_number(i), i);
}

/* They may come back in any order; the entries are completed in theirs. */
static void test_out_of_order(void **state)
{
    struct net_device d;

    (void)state;
    card.is_reversed = true;
    fake_start(&d, &virtio_net, true);
    fake_post_receive(200);
    fake_serve(&d);
    for (uint32_t i = 0; i < 400; i++) {
        assert_true(chip_receive(i, 60));
        if (i % 3 == 0)
            assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_ADOPTED);
        fake_serve(&d);
        assert_int_equal(fake_queue->receive.completed, (i + 1) / 2 * 2);
        assert_int_equal(fake_received_number(i / 2), i < 2 ? fake_received_number(0) : i / 2);
        if (i % 2)
            fake_post_receive(2);
    }
}

static void test_bad_lengths(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &virtio_net, true);
    fake_post_receive(4);
    fake_serve(&d);
    chip_receive(1, 0);
    chip_receive(2, 60000);
    chip_receive(3, 60);
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 3);
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(fake_queue->receive.entry[n].status, NET_FRAME_BAD);
        assert_int_equal(fake_queue->receive.entry[n].length, 0);
    }
    assert_int_equal(fake_queue->receive.entry[2].status, NET_FRAME_OK);
    assert_int_equal(fake_queue->header.errors, 2);
}

/* Heads that are none, or were not given; more than there can be: nothing is completed by them. */
static void test_lies(void **state)
{
    static const uint32_t heads[] = {5, VIRTQUEUE_MAX, 0xffffffff};
    struct net_device d;

    (void)state;
    fake_start(&d, &virtio_net, true);
    fake_post_receive(4);
    fake_serve(&d);
    for (unsigned n = 0; n < 3; n++)
        give_back(heads[n], HEADER + 60, RECEIVE);
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 0);
    chip_receive(7, 60);
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 1);
    assert_int_equal(fake_received_number(0), 7);
    memory_of(&d)->side[RECEIVE].queue.used.index += 1000;
    fake_serve(&d);
    assert_true(fake_queue->receive.completed <= 4);
}

/* Each way in which memory or registers can be wrong leads to a reset, after which frames flow
 * again. */
static void test_mismatch_resets(void **state)
{
    struct net_device d;

    for (int what = 0; what < 11; what++) {
        struct virtqueue_memory *r, *t;

        setup(state);
        card.is_slow = true;
        fake_start(&d, &virtio_net, true);
        fake_post_receive(100);
        fake_post_transmit(9, 60);
        fake_serve(&d);
        chip_receive(1, 60);
        fake_serve(&d);
        r = &memory_of(&d)->side[RECEIVE].queue;
        t = &memory_of(&d)->side[TRANSMIT].queue;
        switch (what) {
        case 0:
            chip.status |= 64; /* it wants a reset */
            break;
        case 1:
            chip.queue[RECEIVE].used += 64;
            break;
        case 2:
            chip.queue[TRANSMIT].enabled = 0;
            break;
        case 3:
            r->available.index = 150;
            break;
        case 4:
            r->start += 3;
            break;
        case 5:
            r->descriptor[50].address = 0x1234;
            break;
        case 6:
            r->descriptor[50].flags = 0;
            break;
        case 7:
            r->available.ring[7] = 8;
            break;
        case 8:
            t->descriptor[0].length = 1514;
            break;
        case 9:
            t->used.index = 7;
            break;
        case 10:
            chip.queue[RECEIVE].vector = 3;
            break;
        }
        assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_RESET);
        assert_non_null(d.mismatch);
        card.is_slow = false;
        fake_serve(&d);
        assert_true(chip_receive(77, 60));
        chip_send();
        fake_serve(&d);
        assert_int_equal(fake_queue->receive.completed, 2);
        assert_int_equal(fake_received_number(1), 77);
        assert_int_equal(fake_queue->transmit.completed, 1);
        assert_int_equal(sent[sent_count - 1], 9);
    }
}

/* It dies between marking what has come back and counting it as looked at. */
static void test_dies_while_taking(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &virtio_net, true);
    fake_post_receive(10);
    fake_serve(&d);
    chip_receive(1, 60);
    memory_of(&d)->side[RECEIVE].back[0] = 1 + HEADER + 60;
    assert_int_equal(fake_start(&d, &virtio_net, true), QUEUE_DRIVER_ADOPTED);
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 1);
    assert_int_equal(fake_queue->receive.entry[0].length, 60);
}

static void test_death_anywhere(void **state)
{
    (void)state;
    for (long at = 1; at < 80; at++)
        fake_die_at(&scenario, at);
}

static void test_death_in_reset(void **state)
{
    (void)state;
    fake_die_in_reset(&scenario, 100);
}

static void test_client_breaks_the_rules(void **state)
{
    (void)state;
    fake_break_rules(&scenario);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_start, setup),
        cmocka_unit_test_setup(test_devices_not_for_us, setup),
        cmocka_unit_test_setup(test_interrupts, setup),
        cmocka_unit_test_setup(test_masks, setup),
        cmocka_unit_test_setup(test_link, setup),
        cmocka_unit_test_setup(test_small_queues, setup),
        cmocka_unit_test_setup(test_out_of_order, setup),
        cmocka_unit_test_setup(test_bad_lengths, setup),
        cmocka_unit_test_setup(test_lies, setup),
        cmocka_unit_test_setup(test_mismatch_resets, setup),
        cmocka_unit_test_setup(test_dies_while_taking, setup),
        cmocka_unit_test_setup(test_death_anywhere, setup),
        cmocka_unit_test_setup(test_death_in_reset, setup),
        cmocka_unit_test_setup(test_client_breaks_the_rules, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
