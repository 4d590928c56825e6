/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/net/rtl8139/chip.c lib/driver/netdriver.c lib/driver/wait.c
// flags: -Itests/unit/host
/* The chip's half of the rtl8139 driver against a chip that behaves like QEMU's. */
#include "tests/unit/fake_net.h"

#include <errno.h>

#include "drivers/net/rtl8139/chip.h"

static struct {
    uint8_t cr, msr;
    uint16_t capr, cbr, imr, isr, cpcr; /* capr: without the 16 */
    uint32_t rbstart, rcr, tcr, tsd[4], tsad[4], turn;
} chip;
static bool is_stuck; /* in its reset */
static uint32_t sent[4096], sent_size[4096], sent_count;
static uint8_t sent_last[4096]; /* byte */

static void chip_reset(void)
{
    memset(&chip, 0, sizeof chip);
    for (int i = 0; i < 4; i++)
        chip.tsd[i] = TSD_OWN;
}

static void chip_transmit(void)
{
    while ((chip.cr & CR_TE) && !(chip.tsd[chip.turn] & TSD_OWN)) {
        uint32_t *tsd = &chip.tsd[chip.turn], size = *tsd & TSD_SIZE;

        assert_in_range(size, FRAME_MIN, NET_FRAME_MAX);
        memcpy(&sent[sent_count], fake_dma(chip.tsad[chip.turn], size), 4);
        sent_last[sent_count] = fake_dma(chip.tsad[chip.turn], size)[size - 1];
        sent_size[sent_count++] = size;
        *tsd |= TSD_OWN | 1 << 15;
        chip.isr |= CAUSE_TOK;
        chip.turn = (chip.turn + 1) % 4;
    }
}

uint32_t fake_read(uint32_t offset, unsigned width)
{
    uint32_t all = 0;

    if (offset < 6)
        return 0x10 + offset;
    if (offset >= TSD0 && offset < TSD0 + 16)
        return chip.tsd[(offset - TSD0) / 4];
    switch (offset) {
    case CR:
        return chip.cr;
    case CAPR:
        return (uint16_t)(chip.capr - 16);
    case CBR:
        return chip.cbr;
    case ISR:
        return chip.isr;
    case RBSTART:
        return chip.rbstart;
    case RCR:
        return chip.rcr;
    case TCR:
        return chip.tcr | 0x74000000 << 0;
    case MSR:
        return chip.msr;
    case CPCR:
        return chip.cpcr;
    case TSAD:
        for (int i = 0; i < 4; i++)
            all |= (chip.tsd[i] >> 13 & 1) << i | (chip.tsd[i] >> 15 & 1) << (12 + i);
        return all;
    }
    fail_msg("read of %#x, width %u", offset, width);
    return 0;
}

void fake_write(uint32_t offset, unsigned width, uint32_t value)
{
    if (offset >= TSD0 && offset < TSD0 + 16) {
        assert_int_equal(width, 4);
        chip.tsd[(offset - TSD0) / 4] = value;
        chip_transmit();
        return;
    }
    if (offset >= TSAD0 && offset < TSAD0 + 16) {
        chip.tsad[(offset - TSAD0) / 4] = value;
        return;
    }
    switch (offset) {
    case CR:
        if (value & CR_RST)
            chip_reset();
        chip.cr = is_stuck ? value : value & ~CR_RST;
        break;
    case CAPR:
        chip.capr = (uint16_t)(value + 16);
        break;
    case IMR:
        chip.imr = value;
        break;
    case ISR:
        chip.isr &= ~value;
        break;
    case RBSTART:
        chip.rbstart = value;
        break;
    case RCR:
        chip.rcr = value;
        chip.capr = chip.cbr = 0;
        break;
    case TCR:
        if (chip.cr & CR_TE)
            chip.tcr = value & TCR_MASK;
        break;
    case MAR0:
    case MAR0 + 4:
        break;
    default:
        fail_msg("write of %#x to %#x, width %u", value, offset, width);
    }
}

static void ring_write(const void *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        *fake_dma(chip.rbstart + chip.cbr++, 1) = ((const uint8_t *)data)[i];
}

/* A frame of number, number + 1... comes in; false when there is no room. */
static bool chip_receive(uint32_t number, uint16_t length)
{
    uint32_t header = HEADER_ROK | (uint32_t)(length + FCS_BYTES) << 16,
             available = (uint16_t)(chip.capr - chip.cbr), fcs = 0;
    uint8_t frame[FRAME_MAX];

    if (!(chip.cr & CR_RE) || (available != 0 && ((length + 8u + 3) & ~3u) >= available))
        return false;
    memcpy(frame, &number, 4);
    for (int i = 4; i < length; i++)
        frame[i] = (uint8_t)(number + (unsigned)i);
    ring_write(&header, 4);
    ring_write(frame, length);
    ring_write(&fcs, 4);
    chip.cbr = (uint16_t)((chip.cbr + 3) & ~3);
    chip.isr |= CAUSE_ROK;
    return true;
}

static void test_stuck(void **state)
{
    enum queue_driver_state how;
    struct net_device d;

    (void)state;
    net_device_open(&d, &rtl8139_driver, (volatile void *)(uintptr_t)FAKE_REGISTERS, fake_memory,
                    FAKE_PHYSICAL, NET_QUEUE_BYTES);
    is_stuck = true;
    FAKE_SLEEPS(10000000, assert_int_equal(net_device_start(&d, false, &how), -EIO));
    is_stuck = false;
    assert_int_equal(net_device_start(&d, false, &how), 0);
}

static void check_frame(uint32_t k, uint32_t number, uint32_t length)
{
    const struct net_entry *entry = &fake_queue->receive.entry[k % NET_RING_SIZE];

    assert_int_equal(fake_received_number(k), number);
    assert_int_equal(entry->length, length);
    assert_int_equal(entry->status, NET_FRAME_OK);
    for (uint32_t i = 4; i < length; i++)
        assert_int_equal(fake_memory[entry->offset + i], (uint8_t)(number + i));
}

static uint16_t length_of(uint32_t number)
{
    return (uint16_t)(60 + number * 331 % 1455);
}

static int setup(void **state)
{
    (void)state;
    chip_reset();
    sent_count = 0;
    fake_queue_setup(0);
    return 0;
}

static void test_receive_wraps(void **state)
{
    struct net_device d;
    uint32_t taken = 0, came = 0;

    (void)state;
    assert_int_equal(fake_start(&d, &rtl8139_driver, true), QUEUE_DRIVER_RESET);
    assert_int_equal(fake_queue->link_up, 1);
    assert_int_equal(fake_queue->mac[5], 0x15);
    fake_post_receive(NET_RING_SIZE);
    while (taken < 2000) {
        while (chip_receive(came, length_of(came)))
            came++;
        fake_serve(&d);
        for (; taken != fake_queue->receive.completed; taken++) {
            check_frame(taken, taken, length_of(taken));
            fake_post_receive(1);
        }
    }
}

static void test_no_buffers_then_some(void **state)
{
    struct net_device d;

    (void)state;
    fake_start(&d, &rtl8139_driver, true);
    fake_post_receive(3);
    for (uint32_t i = 0; i < 8; i++)
        assert_true(chip_receive(i, 100));
    fake_serve(&d);
    assert_int_equal(fake_queue->receive.completed, 3);
    fake_post_receive(5);
    fake_serve(&d); /* a notification alone must get the rest */
    assert_int_equal(fake_queue->receive.completed, 8);
    check_frame(7, 7, 100);
    assert_int_equal(chip.capr, chip.cbr);
}

static void test_transmit_order_and_padding(void **state)
{
    struct net_device d;

    (void)state;
    fake_queue_setup(0xfffffffeu);
    fake_start(&d, &rtl8139_driver, true);
    for (uint32_t i = 0; i < 200; i++)
        fake_post_transmit(i, i % 3 ? 1514 : 42);
    fake_serve(&d);
    assert_int_equal(sent_count, 200);
    for (uint32_t i = 0; i < 200; i++) {
        assert_int_equal(sent[i], i);
        assert_int_equal(sent_size[i], i % 3 ? 1514 : FRAME_MIN);
        assert_int_equal(sent_last[i],
                         i % 3 ? 0xee : 0); /* the padding is zero: nobody's old bytes leak */
    }
    assert_int_equal(fake_queue->transmit.completed, fake_queue->transmit.posted);
}

static void test_mismatch_resets(void **state)
{
    struct net_device d;

    (void)state;
    for (int what = 0; what < 9; what++) {
        setup(state);
        fake_start(&d, &rtl8139_driver, true);
        fake_post_receive(10);
        fake_post_transmit(1, 60);
        chip_receive(1, 100);
        fake_serve(&d);
        chip_receive(2, 100);
        switch (what) {
        case 0:
            chip.rbstart += 4096;
            break;
        case 1:
            chip.capr = 116;
            break; /* beyond what was read */
        case 2:
            chip.cr = CR_RE;
            break;
        case 3:
            chip.tsd[1] = 17u << TSD_TAG_SHIFT | TSD_OWN;
            break;
        case 4:
            chip.tsd[1] = 1u << TSD_TAG_SHIFT | TSD_OWN;
            break; /* as though entry 1 were sent */
        case 5:
            *(uint32_t *)fake_dma(chip.rbstart + 108, 4) = 0x12345678;
            break;
        case 6:
            ((struct rtl8139_area *)(fake_memory + QUEUE_CHIP_OFFSET))->magic = 0;
            break;
        case 7:
            ((struct rtl8139_area *)(fake_memory + QUEUE_CHIP_OFFSET))->position[0] = 0x8000;
            break;
        case 8:
            chip.cpcr = 3;
            break;
        }
        assert_int_equal(fake_start(&d, &rtl8139_driver, true), QUEUE_DRIVER_RESET);
        fake_post_transmit(2, 60);
        assert_true(chip_receive(3, 99));
        fake_serve(&d);
        check_frame(1, 3, 99);
        assert_int_equal(sent[1], 2);
    }
}

static void test_garbage_ends_the_driver(void **state)
{
    static struct net_device d;

    (void)state;
    fake_start(&d, &rtl8139_driver, true);
    fake_post_receive(10);
    fake_serve(&d);
    chip_receive(1, 100);
    chip_receive(2, 100);
    *(uint32_t *)fake_dma(chip.rbstart + 108, 4) = 0xffff0001;
    if (setjmp(fake_death) == 0) {
        fake_serve(&d);
        fail();
    }
    assert_int_equal(fake_panics, 1);
    assert_int_equal(fake_queue->receive.completed, 1); /* the good one before it */
    assert_int_equal(fake_start(&d, &rtl8139_driver, true), QUEUE_DRIVER_RESET);
}

/* One scenario, with the driver dying at its access number `at`, and again; every frame arrives
 * once, in order, both ways. */
static void die_at(long at)
{
    static struct net_device d;
    static volatile uint32_t came, taken, posted_out;
    static volatile int deaths;
    const uint32_t begin = 0xffffffc1u;

    setup(NULL);
    fake_queue_setup(begin);
    fake_start(&d, &rtl8139_driver, true);
    fake_post_receive(100);
    fake_serve(&d);
    came = taken = posted_out = 0;
    deaths = 0;
    fake_accesses_left = at;
    if (setjmp(fake_death) != 0) {
        assert_int_equal(fake_panics, 0);
        deaths++;
        fake_accesses_left = deaths < 4 ? at : -1;
        assert_int_equal(fake_start(&d, &rtl8139_driver, true), QUEUE_DRIVER_ADOPTED);
    }
    while (taken < 300) {
        for (uint32_t n = came % 37 + 1; n != 0 && came < 300; n--) {
            if (!chip_receive(came, length_of(came)))
                break;
            came++;
        }
        while (posted_out < came &&
               fake_queue->transmit.posted - fake_queue->transmit.completed < 50) {
            posted_out++;
            fake_post_transmit(posted_out - 1, posted_out % 2 ? 60 : 50);
        }
        fake_serve(&d);
        for (uint32_t k = begin + taken; k != fake_queue->receive.completed; k++) {
            check_frame(k, taken, length_of(taken));
            taken++;
            fake_post_receive(1);
        }
    }
    fake_accesses_left = -1;
    while (fake_queue->transmit.posted != fake_queue->transmit.completed)
        fake_serve(&d);
    assert_int_equal(sent_count, posted_out);
    for (uint32_t i = 0; i < sent_count; i++)
        assert_int_equal(sent[i], i);
    assert_int_equal(fake_queue->header.resets, 1); /* the first start: nothing was lost since */
}

static void test_death_anywhere(void **state)
{
    (void)state;
    for (long at = 1; at < 150; at++)
        die_at(at);
}

static void test_death_in_reset(void **state)
{
    static struct net_device d;

    for (volatile long at = 1; at < 40; at++) {
        setup(state);
        fake_accesses_left = at;
        if (setjmp(fake_death) == 0)
            fake_start(&d, &rtl8139_driver, true);
        fake_accesses_left = -1;
        fake_start(&d, &rtl8139_driver, true);
        fake_post_receive(10);
        fake_post_transmit(5, 60);
        assert_true(chip_receive(3, 60));
        fake_serve(&d);
        check_frame(0, 3, 60);
        assert_int_equal(sent[0], 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_receive_wraps, setup),
        cmocka_unit_test_setup(test_no_buffers_then_some, setup),
        cmocka_unit_test_setup(test_transmit_order_and_padding, setup),
        cmocka_unit_test_setup(test_mismatch_resets, setup),
        cmocka_unit_test_setup(test_garbage_ends_the_driver, setup),
        cmocka_unit_test_setup(test_death_anywhere, setup),
        cmocka_unit_test_setup(test_death_in_reset, setup),
        cmocka_unit_test_setup(test_stuck, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
