/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/net/e1000/chip.c lib/e1000/e1000.c lib/driver/netdriver.c lib/driver/wait.c
// flags: -Itests/unit/host
/* The chip's half of the e1000 driver against a chip that behaves like QEMU's. */
#include "tests/unit/fake_net.h"

#include <errno.h>

#include "drivers/net/e1000/chip.h"

static uint32_t registers[0x6000 / 4];
static uint32_t sent[4096], sent_count, rctl_writes;

static uint32_t *reg(uint32_t offset)
{
    assert_true(offset % 4 == 0 && offset < sizeof registers);
    return &registers[offset / 4];
}

static void chip_transmit(void)
{
    while ((*reg(TCTL) & TCTL_EN) && *reg(TDH) != *reg(TDT)) {
        struct transmit_descriptor *t =
            (void *)fake_dma(*reg(TDBAL) + *reg(TDH) * sizeof *t, sizeof *t);

        assert_int_equal(t->command, TXD_COMMAND);
        memcpy(&sent[sent_count++], fake_dma(t->address, t->length), 4);
        t->status |= TXD_DD;
        *reg(TDH) = (*reg(TDH) + 1) % (*reg(TDLEN) / sizeof *t);
        *reg(ICR) |= CAUSE_TXDW;
    }
}

static bool has_eeprom, is_stuck; /* the latter: in its reset */
static uint16_t eeprom[3];

/* As the 82540EM. */
static uint32_t chip_eeprom(uint32_t value)
{
    uint32_t word = value >> 8 & 0xff;

    if (!has_eeprom || !(value & 1))
        return value;
    return (uint32_t)(word < 3 ? eeprom[word] : 0xffff) << 16 | word << 8 | 1 << 4;
}

uint32_t fake_read(uint32_t offset, unsigned width)
{
    uint32_t value = *reg(offset);

    assert_int_equal(width, 4);
    if (offset == ICR)
        *reg(ICR) = 0;
    return value;
}

void fake_write(uint32_t offset, unsigned width, uint32_t value)
{
    assert_int_equal(width, 4);
    switch (offset) {
    case IMC:
        *reg(IMS) &= ~value;
        return;
    case IMS:
        *reg(IMS) |= value;
        return;
    case CTRL:
        value &= is_stuck ? ~0u : ~(uint32_t)CTRL_RST;
        break;
    case RCTL:
        rctl_writes++;
        break;
    case EERD:
        value = chip_eeprom(value);
        break;
    }
    *reg(offset) = value;
    if (offset == TDT || offset == TCTL)
        chip_transmit();
}

/* A frame comes in: false when the chip has no buffer. */
static bool chip_receive(uint32_t number, uint16_t length)
{
    struct receive_descriptor *r;

    if (!(*reg(RCTL) & RCTL_EN) || *reg(RDH) == *reg(RDT))
        return false;
    r = (void *)fake_dma(*reg(RDBAL) + *reg(RDH) * sizeof *r, sizeof *r);
    memcpy(fake_dma(r->address, length), &number, 4);
    r->length = length;
    r->errors = 0;
    r->status = RXD_DD | RXD_EOP;
    *reg(RDH) = (*reg(RDH) + 1) % (*reg(RDLEN) / sizeof *r);
    *reg(ICR) |= CAUSE_RXT0;
    return true;
}

static int setup(void **state)
{
    (void)state;
    memset(registers, 0, sizeof registers);
    *reg(STATUS) = STATUS_LU;
    *reg(RAL0) = 0x12005452;
    *reg(RAH0) = 0x5634 | RAH_AV;
    sent_count = rctl_writes = 0;
    has_eeprom = false;
    fake_queue_setup(0);
    return 0;
}

static void test_first_start(void **state)
{
    struct net_device d;
    static const uint8_t mac[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

    (void)state;
    assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_RESET);
    assert_memory_equal(fake_queue->mac, mac, 6);
    assert_int_equal(fake_queue->link_up, 1);
    assert_int_equal(fake_queue->header.resets, 1);
    assert_int_equal(rctl_writes, 1);
    assert_false(chip_receive(1, 60)); /* no buffers yet */
    fake_post_receive(NET_RING_SIZE);
    fake_serve(&d);
    assert_int_equal(*reg(RDT), RING_SIZE - 1);
    for (uint32_t i = 0; i < 10; i++)
        assert_true(chip_receive(i, (uint16_t)(60 + i)));
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 10);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(fake_received_number(i), i);
        assert_int_equal(fake_queue->receive.entry[i].length, 60 + i);
        assert_int_equal(fake_queue->receive.entry[i].status, NET_FRAME_OK);
    }
}

static const uint8_t address[6] = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

static void give_eeprom(uint16_t first)
{
    has_eeprom = true;
    eeprom[0] = first;
    eeprom[1] = 0x1200;
    eeprom[2] = 0x5634;
}

/* An ill driver has given the card another address: a fresh one does not go on with that, and a
 * reset brings back what the EEPROM says, since the chip (QEMU's) does not. */
static void test_address_is_brought_back(void **state)
{
    struct net_device d;

    (void)state;
    give_eeprom(0x5452);
    fake_start(&d, &e1000_driver, true);
    assert_memory_equal(fake_queue->mac, address, 6);
    assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_ADOPTED);
    *reg(RAL0) ^= 0x100;
    assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_RESET);
    assert_memory_equal(fake_queue->mac, address, 6);
    assert_int_equal(*reg(RAL0), 0x12005452);
    *reg(RAH0) = 0;
    assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_RESET);
    assert_int_equal(*reg(RAH0), 0x5634 | RAH_AV);
}

/* One that does not come out of its reset, and one whose EEPROM does not answer. */
static void test_stuck(void **state)
{
    enum queue_driver_state how;
    struct net_device d;

    (void)state;
    net_device_open(&d, &e1000_driver, (volatile void *)(uintptr_t)FAKE_REGISTERS, fake_memory,
                    FAKE_PHYSICAL, NET_QUEUE_BYTES);
    is_stuck = true;
    FAKE_SLEEPS(10000000, assert_int_equal(net_device_start(&d, false, &how), -EIO));
    is_stuck = false;
    FAKE_SLEEPS(10000000, assert_int_equal(net_device_start(&d, false, &how), 0));
    assert_memory_equal(fake_queue->mac, address, 6);
}

/* A group's address is nobody's, nor is one of zeros: what the chip has is better. */
static void test_empty_eeprom(void **state)
{
    struct net_device d;

    (void)state;
    give_eeprom(0x5553);
    fake_start(&d, &e1000_driver, true);
    assert_memory_equal(fake_queue->mac, address, 6);
    memset(eeprom, 0, sizeof eeprom);
    fake_start(&d, &e1000_driver, false);
    assert_memory_equal(fake_queue->mac, address, 6);
}

static void test_no_address(void **state)
{
    enum queue_driver_state how;
    struct net_device d;

    (void)state;
    *reg(RAH0) = 0;
    net_device_open(&d, &e1000_driver, (volatile void *)(uintptr_t)FAKE_REGISTERS, fake_memory,
                    FAKE_PHYSICAL, NET_QUEUE_BYTES);
    assert_int_equal(net_device_start(&d, true, &how), -EADDRNOTAVAIL);
}

static void test_transmit(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &e1000_driver, true);
    for (uint32_t i = 0; i < NET_RING_SIZE; i++)
        fake_post_transmit(100 + i, 60);
    fake_serve(&d);
    assert_int_equal(fake_queue->transmit.completed, NET_RING_SIZE);
    assert_int_equal(sent_count, NET_RING_SIZE);
    for (uint32_t i = 0; i < NET_RING_SIZE; i++)
        assert_int_equal(sent[i], 100 + i);
}

static void test_bad_frame_gives_buffer_back(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &e1000_driver, true);
    fake_post_receive(4);
    fake_serve(&d);
    chip_receive(1, 60);
    ((struct receive_descriptor *)(fake_memory + QUEUE_CHIP_OFFSET))->errors = 1;
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 1);
    assert_int_equal(fake_queue->receive.entry[0].status, NET_FRAME_BAD);
    assert_int_equal(fake_queue->receive.entry[0].length, 0);
    assert_int_equal(fake_queue->header.errors, 1);
}

static void test_adopt_goes_on(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &e1000_driver, true);
    fake_post_receive(200);
    fake_serve(&d);
    for (uint32_t i = 0; i < 50; i++)
        chip_receive(i, 60);
    fake_serve(&d);
    for (uint32_t i = 50; i < 70; i++) /* in memory when the driver dies */
        chip_receive(i, 60);
    fake_post_transmit(7, 100);
    assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_ADOPTED);
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 70);
    for (uint32_t i = 0; i < 70; i++)
        assert_int_equal(fake_received_number(i), i);
    assert_int_equal(sent_count, 1);
    assert_int_equal(rctl_writes, 1);
    assert_int_equal(fake_queue->header.adoptions, 1);
}

/* Each way in which the rings or the registers can be wrong leads to a reset, after which frames
 * flow again. */
static void test_mismatch_resets(void **state)
{
    struct receive_descriptor *r;
    struct transmit_descriptor *t;
    struct net_device d;

    (void)state;
    for (int what = 0; what < 11; what++) {
        setup(state);
        fake_start(&d, &e1000_driver, true);
        fake_post_receive(100);
        fake_serve(&d);
        chip_receive(1, 60);
        fake_serve(&d);
        chip_receive(2, 60);
        *reg(TCTL) = TCTL_PSP;
        fake_post_transmit(9, 60);
        d.transmit.lent += e1000_driver.transmit(&d, 0, 1); /* under way */
        *reg(TCTL) = TCTL_EN | TCTL_PSP | TCTL_CT | TCTL_COLD;
        r = (void *)(fake_memory + QUEUE_CHIP_OFFSET + RECEIVE_RING);
        t = (void *)(fake_memory + QUEUE_CHIP_OFFSET + TRANSMIT_RING);
        switch (what) {
        case 0:
            *reg(RDBAL) += 0x1000;
            break;
        case 1:
            *reg(RDH) = 150;
            break;
        case 2:
            *reg(RDT) = 200;
            break;
        case 3:
            *reg(TDH) = 17;
            break;
        case 4:
            r[50].address = 0x1234;
            break;
        case 5:
            r[50].status = RXD_DD;
            break;
        case 6:
            r[1].status = 0;
            break;
        case 7:
            t[0].length = 1514;
            break;
        case 8:
            t[0].address ^= 0x1000;
            break;
        case 9:
            *reg(RCTL) |= 1 << 3;
            break;
        case 10:
            *reg(TDT) = 2;
            break;
        }
        assert_int_equal(fake_start(&d, &e1000_driver, true), QUEUE_DRIVER_RESET);
        assert_non_null(d.mismatch);
        fake_serve(&d);
        assert_true(chip_receive(77, 60));
        fake_serve(&d);
        assert_int_equal(fake_queue->receive.completed, 2);
        assert_int_equal(fake_received_number(1), 77);
        assert_int_equal(fake_queue->transmit.completed, 1);
        assert_int_equal(sent[sent_count - 1], 9);
    }
}

/* Ordered reset of a live device whose old tail lies anywhere: nothing is written outside, frames
 * flow on. */
static void test_reset_when_ordered(void **state)
{
    struct net_device d;

    for (uint32_t posted = 0; posted <= NET_RING_SIZE; posted += 32) {
        setup(state);
        fake_queue_setup(0xffffff80u); /* the indices wrap */
        fake_start(&d, &e1000_driver, true);
        fake_post_receive(posted);
        fake_serve(&d);
        chip_receive(1, 60);
        assert_int_equal(fake_start(&d, &e1000_driver, false), QUEUE_DRIVER_RESET);
        assert_int_equal(*reg(RDH), *reg(RDT));
        fake_serve(&d);
        if (posted == 0)
            continue;
        assert_true(chip_receive(2, 60));
        fake_serve(&d);
        assert_int_equal(fake_queue->receive.completed, 0xffffff81u);
        assert_int_equal(fake_received_number(0xffffff80u), 2);
    }
}

static void begin(void)
{
    setup(NULL);
}

static const struct fake_scenario scenario = {
    .driver = &e1000_driver,
    .begin = begin,
    .receive = chip_receive,
    .sent = sent,
    .sent_count = &sent_count,
};

static void test_death_anywhere(void **state)
{
    (void)state;
    for (long at = 1; at < 120; at++)
        fake_die_at(&scenario, at);
}

static void test_death_in_reset(void **state)
{
    (void)state;
    fake_die_in_reset(&scenario, 400);
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
        cmocka_unit_test_setup(test_address_is_brought_back, setup),
        cmocka_unit_test_setup(test_empty_eeprom, setup),
        cmocka_unit_test_setup(test_stuck, setup),
        cmocka_unit_test_setup(test_no_address, setup),
        cmocka_unit_test_setup(test_transmit, setup),
        cmocka_unit_test_setup(test_bad_frame_gives_buffer_back, setup),
        cmocka_unit_test_setup(test_adopt_goes_on, setup),
        cmocka_unit_test_setup(test_mismatch_resets, setup),
        cmocka_unit_test_setup(test_reset_when_ordered, setup),
        cmocka_unit_test_setup(test_death_anywhere, setup),
        cmocka_unit_test_setup(test_death_in_reset, setup),
        cmocka_unit_test_setup(test_client_breaks_the_rules, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
