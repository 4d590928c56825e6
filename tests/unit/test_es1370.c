/* SPDX-License-Identifier: BSD-2-Clause */
// sources: drivers/audio/es1370/ring.c drivers/audio/es1370/chip.c lib/driver/wait.c
// flags: -Itests/unit/host
/*
 * The sound card's driver against a fake card that reads its memory by itself and goes on while
 * nobody drives it; and the driver's death at each access to a register, ahead of it or behind it,
 * again and again: every frame is heard once, in order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/audio/es1370/chip.h"
#include "lib/rt/log.h"
#include "tests/unit/fake_clock.h"

#define PORT 0xc000u
#define PHYSICAL 0x1000000u
#define SERIAL_P2_LOOP_SEL (1u << 14) /* 1: once, not round and round */
#define HEARD 300000

static struct sound_queue *queue;
static struct sound_device device;
static struct {
    bool absent, codec_hangs;
    uint32_t control, status, page, serial, period, left, address, count, size, phantom;
    uint8_t codec[32];
    unsigned codec_writes, control_writes;
    unsigned pace; /* frames from one access to the next, at most */
    uint64_t clock; /* in frames */
    struct sound_frame heard[HEARD];
    uint32_t heard_count;
} card;
static jmp_buf death;
static bool may_panic;
static unsigned accesses, dies_at; /* 0: not */
static bool dies_behind;
static uint32_t chance = 1;

void panic(const char *format, ...)
{
    assert_true(may_panic);
    longjmp(death, 1);
}

static uint32_t random_below(uint32_t limit)
{
    chance = chance * 1664525 + 1013904223;
    return limit ? (chance >> 8) % limit : 0;
}

static uint64_t now(void)
{
    return card.clock * NS / 44100;
}

static const struct sound_frame *chip_memory(void)
{
    assert_int_equal(card.address, PHYSICAL + offsetof(struct sound_queue, chip));
    return queue->chip;
}

static void card_runs(uint32_t frames)
{
    card.clock += frames;
    if (!(card.control & CONTROL_DAC2_EN))
        return;
    assert_int_equal(card.serial & (SERIAL_P2_STEREO | SERIAL_P2_16BIT | SERIAL_P2_LOOP_SEL),
                     SERIAL_P2_STEREO | SERIAL_P2_16BIT);
    while (frames--) {
        struct sound_frame f = chip_memory()[card.count];

        if (f.left || f.right) {
            assert_true(card.heard_count < HEARD);
            card.heard[card.heard_count++] = f;
        }
        card.count = card.count == card.size ? 0 : card.count + 1;
        if (card.left-- == 0) {
            card.left = card.period;
            if (card.serial & SERIAL_P2_INTR_EN)
                card.status |= STATUS_DAC2;
        }
    }
}

static void access_begins(void)
{
    fake_now += FAKE_ACCESS_TIME;
    if (++accesses == dies_at && !dies_behind)
        longjmp(death, 2);
    card_runs(random_below(card.pace + 1));
}

static void access_ends(void)
{
    if (accesses == dies_at && dies_behind)
        longjmp(death, 2);
}

static uint32_t value_of(unsigned r)
{
    if (card.absent)
        return 0xffffffff;
    switch (r) {
    case CONTROL:
        return card.control;
    case STATUS:
        return card.status | (card.codec_hangs ? STATUS_CODEC_BUSY : 0);
    case SERIAL:
        return card.serial;
    case DAC2_FRAME_ADDRESS:
        assert_int_equal(card.page, PAGE_DAC);
        return card.address;
    case DAC2_FRAME_COUNT:
        assert_int_equal(card.page, PAGE_DAC);
        return card.count << 16 | card.size;
    default:
        fail_msg("register %#x is read", r);
        return 0;
    }
}

uint32_t pio_read32(unsigned port)
{
    uint32_t value;

    access_begins();
    value = value_of(port - PORT);
    access_ends();
    return value;
}

static void write_frame_register(unsigned r, uint32_t value)
{
    if (card.page == PAGE_ADC) {
        if (r == PHANTOM_ADDRESS)
            card.phantom = value;
        return;
    }
    assert_int_equal(card.page, PAGE_DAC);
    assert_false(card.control & CONTROL_DAC2_EN);
    if (r == DAC2_FRAME_ADDRESS) {
        card.address = value;
    } else {
        card.count = value >> 16;
        card.size = value & 0xffff;
        assert_true(card.count <= card.size);
    }
}

void pio_write32(unsigned port, uint32_t value)
{
    access_begins();
    switch (port - PORT) {
    case CONTROL:
        card.control_writes++;
        card.control = value;
        break;
    case MEMORY_PAGE:
        card.page = value;
        break;
    case SERIAL:
        if (!(value & SERIAL_P2_INTR_EN))
            card.status &= ~(uint32_t)STATUS_DAC2;
        card.serial = value;
        break;
    case DAC2_SAMPLE_COUNT:
        card.period = card.left = value & 0xffff;
        break;
    case DAC2_FRAME_ADDRESS:
    case DAC2_FRAME_COUNT:
        write_frame_register(port - PORT, value);
        break;
    default:
        fail_msg("register %#x is written", port - PORT);
    }
    access_ends();
}

void pio_write16(unsigned port, uint16_t value)
{
    access_begins();
    assert_int_equal(port, PORT + CODEC);
    assert_true(value >> 8 < 32);
    card.codec[value >> 8] = (uint8_t)value;
    card.codec_writes++;
    access_ends();
}

/* ---- the client, as servers/audio ---- */

static struct sound_frame frame_of(uint32_t k)
{
    return (struct sound_frame){(int16_t)(1 + k % 32749), (int16_t)(-1 - (int)(k / 32749))};
}

static void write_up_to(uint32_t end)
{
    for (uint32_t k = queue->written; k != end; k++)
        queue->ring[k % SOUND_RING] = frame_of(k);
    queue_publish(&queue->written, end);
}

static void command(uint32_t rate)
{
    queue->rate_asked = rate;
    queue_publish(&queue->asked, queue->asked + 1);
}

static enum queue_driver_state start(bool may_adopt)
{
    enum queue_driver_state state;

    sound_open(&device, PORT, queue, sizeof *queue, PHYSICAL);
    assert_int_equal(sound_start(&device, may_adopt, now(), &state), 0);
    queue->header.incarnation++;
    return state;
}

static void serve(void)
{
    es1370_acknowledge(&device.chip);
    sound_serve(&device, now());
}

/* Until the card has played `end` frames of the client's. */
static void play_to(uint32_t end)
{
    for (int i = 0; i < 100000 && queue->played != end; i++) {
        serve();
        card_runs(random_below(card.pace * 4 + 1));
    }
    assert_int_equal(queue->played, end);
}

static void assert_heard(uint32_t first, uint32_t end)
{
    assert_int_equal(card.heard_count, end - first);
    for (uint32_t k = first; k != end; k++) {
        struct sound_frame f = frame_of(k);

        assert_memory_equal(&card.heard[k - first], &f, sizeof f);
    }
}

static int setup(void **state)
{
    memset(&card, 0, sizeof card);
    card.control = 1;
    card.status = 0x60;
    card.pace = 3;
    accesses = dies_at = 0;
    dies_behind = may_panic = false;
    queue = aligned_alloc(4096, sizeof *queue);
    memset(queue, 0, sizeof *queue);
    queue->header.client_ready = 1;
    queue->volume = 100 | 100 << 8;
    return 0;
}

static int teardown(void **state)
{
    free(queue);
    queue = NULL;
    return 0;
}

/* ---- tests ---- */

static void test_plays(void **state)
{
    assert_int_equal(start(true), QUEUE_DRIVER_RESET);
    serve();
    assert_false(es1370_plays(&device.chip));
    assert_int_equal(card.phantom, PHYSICAL + offsetof(struct sound_queue, scratch));
    for (uint32_t end = 5000; end <= 200000; end += 5000) { /* the card goes round six times */
        write_up_to(end);
        queue->client_waits = 1;
        device.has_news = false;
        play_to(end);
        assert_true(device.has_news);
        assert_int_equal(queue->client_waits, 0);
    }
    assert_heard(0, 200000);
    while (device.plays) { /* a bit of silence, then it stands still */
        serve();
        card_runs(100);
    }
    assert_false(card.control & CONTROL_DAC2_EN);
    for (uint32_t k = 0; k < SOUND_CHIP_RING; k++)
        assert_true(queue->chip[k].left == 0 && queue->chip[k].right == 0);
}

static void test_waits_for_client(void **state)
{
    queue->header.client_ready = 0;
    start(true);
    write_up_to(100);
    serve();
    assert_int_equal(queue->taken, 0);
    assert_false(card.control & CONTROL_DAC2_EN);
}

static void test_absent(void **state)
{
    enum queue_driver_state how;

    card.absent = true;
    sound_open(&device, PORT, queue, sizeof *queue, PHYSICAL);
    assert_int_equal(sound_start(&device, true, 0, &how), -ENODEV);
    sound_open(&device, 0, queue, sizeof *queue, PHYSICAL);
    assert_int_equal(sound_start(&device, true, 0, &how), -ENODEV);
    may_panic = true;
    if (setjmp(death) == 0) {
        sound_open(&device, PORT, queue, sizeof *queue - 1, PHYSICAL);
        fail();
    }
}

static void test_rates(void **state)
{
    static const uint32_t rates[][2] = {{44100, 44100},      {22050, 22050}, {11025, 11025},
                                        {48000, 48662},      {8000, 8018},   {1, 4000},
                                        {4000000000u, 48662}};

    start(true);
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        command(rates[i][0]);
        serve();
        assert_int_equal(queue->told, queue->asked);
        assert_in_range(queue->rate, rates[i][1] - 5, rates[i][1] + 5);
        assert_int_equal(1411200 / ((card.control >> CONTROL_PCLKDIV_SHIFT) + 2), queue->rate);
    }
}

/* A command drops what is not played, whether it is in the card or not. */
static void test_command(void **state)
{
    start(true);
    write_up_to(10000);
    serve();
    card_runs(2000);
    command(44100);
    serve();
    assert_int_equal(queue->told, queue->asked);
    assert_int_equal(queue->played, 10000);
    card.heard_count = 0;
    write_up_to(12000);
    play_to(12000);
    assert_heard(10000, 12000);
}

static void test_pause(void **state)
{
    start(true);
    write_up_to(5000);
    serve();
    card_runs(1000);
    queue->is_paused = 1;
    serve();
    assert_false(card.control & CONTROL_DAC2_EN);
    assert_int_equal(queue->played, card.heard_count);
    assert_int_equal(start(true), QUEUE_DRIVER_ADOPTED);
    serve();
    assert_false(card.control & CONTROL_DAC2_EN);
    queue->is_paused = 0;
    play_to(5000);
    assert_heard(0, 5000);
}

static void test_volume(void **state)
{
    uint64_t begin, slept;

    unsigned writes;

    start(true);
    serve();
    assert_int_equal(card.codec[MASTER_LEFT], 0);
    queue->volume = 50 | 0 << 8;
    serve();
    assert_int_equal(card.codec[MASTER_LEFT], 16);
    assert_int_equal(card.codec[MASTER_LEFT + 1], CODEC_MUTE | CODEC_DARKEST);
    writes = card.codec_writes;
    serve();
    assert_int_equal(card.codec_writes, writes);
    card.codec[MASTER_LEFT] = 0; /* nobody can read what it is: a fresh copy tells it */
    start(true);
    serve();
    assert_int_equal(card.codec[MASTER_LEFT], 16);
    card.codec_hangs = true;
    queue->volume = 100;
    begin = fake_now;
    slept = fake_slept;
    serve(); /* comes back */
    assert_in_range(fake_now - begin, 200000, 1000000);
    assert_true(fake_slept - slept > 100000); /* of 200 us, each side's first 20 apart */
}

/* A program that does not keep up: silence between, nothing lost. */
static void test_runs_dry(void **state)
{
    uint32_t end = 0;

    card.pace = 1;
    start(true);
    for (int i = 0; i < 200; i++) {
        write_up_to(end += 100 + random_below(1500));
        serve();
        card_runs(random_below(3000));
        serve();
    }
    play_to(end);
    assert_heard(0, end);
    assert_true(queue->header.errors > 10);
}

static void test_adopts(void **state)
{
    unsigned writes;

    start(true);
    write_up_to(10000);
    serve();
    card_runs(3000);
    writes = card.control_writes;
    assert_int_equal(start(true), QUEUE_DRIVER_ADOPTED);
    assert_in_range(queue->played, 3000, 3100);
    serve();
    assert_int_equal(card.control_writes, writes);
    card_runs(3000);
    card.control ^= 1 << CONTROL_PCLKDIV_SHIFT; /* somebody has changed it */
    assert_int_equal(start(true), QUEUE_DRIVER_RESET);
    play_to(10000);
    assert_heard(0, 10000);
    write_up_to(20000);
    serve();
    card_runs(3000);
    assert_int_equal(start(false), QUEUE_DRIVER_RESET);
    play_to(20000);
    assert_heard(0, 20000);
}

/* It was reset from outside, or never ours: what is published is all that is known. */
static void test_no_position(void **state)
{
    start(true);
    write_up_to(10000);
    serve();
    card_runs(3000);
    serve();
    card.heard_count = queue->played; /* (what it has played since is heard again) */
    card.control = 1;
    card.address = card.size = card.count = card.serial = 0;
    assert_int_equal(start(true), QUEUE_DRIVER_RESET);
    play_to(10000);
    assert_heard(0, 10000);
}

/* Died over a copy, and the card has gone on into it: as much as was copied is played. */
static void test_dies_over_copy(void **state)
{
    start(true);
    write_up_to(2000);
    serve();
    write_up_to(3000);
    for (uint32_t k = 2000; k < 2600; k++)
        queue->chip[k % SOUND_CHIP_RING] = queue->ring[k % SOUND_RING];
    card_runs(2900);
    assert_int_equal(start(true), QUEUE_DRIVER_ADOPTED);
    assert_int_equal(queue->played, 2600);
    play_to(3000);
    assert_heard(0, 3000);
}

/* For so long without a driver that it has gone round: nothing of it is given to it once more. */
static void test_goes_round(void **state)
{
    start(true);
    write_up_to(10000);
    serve();
    card_runs(SOUND_CHIP_RING + 5000);
    assert_true(card.heard_count > 10000);
    start(true);
    assert_int_equal(queue->played, 10000);
    card.heard_count = 0;
    write_up_to(12000);
    play_to(12000);
    assert_heard(10000, 12000);
}

/* It has stood still for long, and has played for a moment only. */
static void test_was_idle(void **state)
{
    start(true);
    write_up_to(1000);
    play_to(1000);
    card_runs(10 * 44100);
    serve();
    card_runs(10 * 44100);
    write_up_to(9000);
    serve();
    card_runs(500);
    assert_int_equal(start(true), QUEUE_DRIVER_ADOPTED);
    assert_in_range(queue->played, 1500, 1600);
    play_to(9000);
    assert_heard(0, 9000);
}

/* Whatever is in the card's memory, a reset leaves nothing of it. */
static void test_reset_silences(void **state)
{
    memset(queue->chip, 0x55, sizeof queue->chip);
    assert_int_equal(start(true), QUEUE_DRIVER_RESET);
    write_up_to(500);
    play_to(500);
    card_runs(5000);
    assert_heard(0, 500);
}

static void test_client_breaks_ring(void **state)
{
    start(true);
    queue_publish(&queue->written, SOUND_RING + 1);
    may_panic = true;
    if (setjmp(death) == 0) {
        serve();
        fail();
    }
    queue_publish(&queue->written, (uint32_t)-1);
    if (setjmp(death) == 0) {
        serve();
        fail();
    }
    queue_publish(&queue->taken, 1u << 31); /* what a client has written there */
    queue_publish(&queue->written, 0);
    start(true);
    serve();
    assert_int_equal(queue->taken, 0);
}

#define FRAMES 60000u
static uint32_t restarts;

/* Plays them, and dies at that access, counted afresh for each incarnation, for so many
 * incarnations. False: it did not die. */
static bool die(unsigned at, bool behind, uint32_t away, unsigned incarnations)
{
    volatile bool died = false;
    volatile unsigned left = incarnations;

    setup(NULL);
    card.pace = 2 + at % 5;
    dies_behind = behind;
    if (setjmp(death) != 0) {
        died = true;
        dies_at = 0;
        left--;
        card_runs(random_below(away));
    }
    accesses = 0;
    dies_at = left ? at : 0;
    start(true);
    restarts++;
    for (uint32_t end = queue->written; queue->played != FRAMES;) {
        uint32_t most = queue->played + SOUND_RING;

        end += random_below(2500);
        end = (int32_t)(end - most) > 0 ? most : end;
        write_up_to(end < FRAMES ? end : FRAMES);
        serve();
        card_runs(random_below(2000));
    }
    dies_at = 0;
    assert_heard(0, FRAMES);
    teardown(NULL);
    return died;
}

static void test_death_anywhere(void **state)
{
    unsigned deaths = 0;

    for (unsigned at = 1; at < 90; at++)
        for (int behind = 0; behind < 2; behind++)
            for (uint32_t away = 10; away < 20000; away *= 11)
                deaths += die(at, behind, away, 4);
    assert_true(deaths > 600);
    assert_true(restarts > 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_for_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_volume, setup, teardown),
        cmocka_unit_test_setup_teardown(test_runs_dry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adopts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_position, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dies_over_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_round, setup, teardown),
        cmocka_unit_test_setup_teardown(test_was_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_silences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_breaks_ring, setup, teardown),
        cmocka_unit_test(test_death_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
