/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/chardriver.c drivers/char/uart/chip.c servers/tty/selftest.c
/* The rings of characters, the class library, and the uart's half against a fake 16550; the test
 * that tty asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/char/uart/chip.h"
#include "lib/rt/log.h"
#include "servers/tty/selftest.h"

/* ---- a fake 16550 ---- */

#define UART_COM1 0x3f8

static struct {
    uint8_t ier, lcr, mcr, fcr, divisor[2];
    uint8_t in[256], out[100000];
    uint32_t in_count, in_at, out_count;
    bool stuck, empty_seen, cleared;
    /* in loopback: this comes from outside before each byte; bits of what comes back that are
     * inverted; nothing comes back; there is no such mode */
    const char *outside;
    uint8_t invert;
    bool is_deaf, has_no_loop;
    unsigned accesses, die_at; /* the driver dies at its n-th access, 0: at none */
} chip;
static jmp_buf death;
static bool may_die;

void panic(const char *format, ...)
{
    assert_true(may_die);
    longjmp(death, 1);
}

static void note_access(void)
{
    if (++chip.accesses == chip.die_at)
        longjmp(death, 1);
}

/* A byte for the receive FIFO; a full one loses it. */
static void come_in(uint8_t byte)
{
    if (chip.in_count - chip.in_at < FIFO_BYTES)
        chip.in[chip.in_count++] = byte;
}

static void loop_back(uint8_t byte)
{
    if (!chip.is_deaf)
        come_in(byte ^ chip.invert);
}

uint8_t pio_read8(unsigned port)
{
    note_access();
    switch (port - UART_COM1) {
    case RBR:
        return chip.in_at < chip.in_count ? chip.in[chip.in_at++] : 0;
    case IER:
        return chip.ier;
    case IIR: {
        uint8_t fifos = chip.fcr & FCR_ENABLE ? IIR_FIFOS : 0;

        if ((chip.ier & IER_ERBFI) && chip.in_at < chip.in_count)
            return fifos | 4;
        if ((chip.ier & IER_ETBEI) && !chip.stuck && !chip.empty_seen) {
            chip.empty_seen = true;
            return fifos | 2;
        }
        return fifos | IIR_NONE;
    }
    case LCR:
        return chip.lcr;
    case MCR:
        return chip.mcr;
    case LSR:
        return (chip.in_at < chip.in_count ? LSR_DR : 0) | (chip.stuck ? 0 : LSR_THRE | LSR_TEMT);
    default:
        fail();
        return 0;
    }
}

void pio_write8(unsigned port, uint8_t value)
{
    unsigned r = port - UART_COM1;

    note_access();
    if (r < 2 && (chip.lcr & LCR_DLAB)) {
        chip.divisor[r] = value;
    } else if (r == IER) {
        if (value & ~chip.ier & IER_ETBEI)
            chip.empty_seen = false;
        chip.ier = value;
    } else if (r == FCR) {
        chip.fcr = value;
        chip.cleared |= value & FCR_CLEAR;
        if (value & FCR_CLEAR)
            chip.in_at = chip.in_count = 0;
    } else if (r == LCR) {
        chip.lcr = value;
    } else if (r == MCR) {
        chip.mcr = chip.has_no_loop ? value & ~MCR_LOOP : value;
    } else {
        fail();
    }
}

void pio_write_bytes(unsigned port, const uint8_t *bytes, uint32_t count)
{
    note_access();
    assert_int_equal(port, UART_COM1 + THR);
    assert_true(count <= FIFO_BYTES);
    if (chip.mcr & MCR_LOOP) {
        for (const char *c = chip.outside; c && *c; c++)
            come_in((uint8_t)*c);
        for (uint32_t i = 0; i < count; i++)
            loop_back(bytes[i]);
        return;
    }
    assert_true(chip.out_count + count <= sizeof chip.out);
    memcpy(chip.out + chip.out_count, bytes, count);
    chip.out_count += count;
    chip.empty_seen = false;
}

static void type(const char *text)
{
    chip.in_at = 0;
    chip.in_count = (uint32_t)strlen(text);
    memcpy(chip.in, text, chip.in_count);
}

/* ---- a client ---- */

static struct char_queue *queue;
static struct char_device device;
static struct selftest test;

static void start(void)
{
    enum queue_driver_state state;

    char_device_open(&device, &uart_driver, UART_COM1, queue, sizeof *queue);
    assert_int_equal(char_device_start(&device, true, &state), 0);
    queue->header.driver_state = state;
}

static int setup(void **state)
{
    memset(&chip, 0, sizeof chip);
    memset(&test, 0, sizeof test);
    may_die = false;
    queue = aligned_alloc(4096, sizeof *queue);
    memset(queue, 0, sizeof *queue);
    queue->header.client_ready = 1;
    start();
    return 0;
}

static int teardown(void **state)
{
    free(queue);
    return 0;
}

static uint32_t client_write(const uint8_t *bytes, uint32_t count)
{
    uint32_t written = queue->transmit.written;
    uint32_t free_bytes =
        CHAR_TRANSMIT_SIZE -
        (uint32_t)char_ring_filled(written, queue->transmit.taken, CHAR_TRANSMIT_SIZE);

    count = count < free_bytes ? count : free_bytes;
    for (uint32_t i = 0; i < count; i++)
        queue->transmit_bytes[(written + i) % CHAR_TRANSMIT_SIZE] = bytes[i];
    queue_publish(&queue->transmit.written, written + count);
    return count;
}

static void serve(void)
{
    for (int i = 0; i < 1000; i++)
        if (!char_device_serve(&device) && char_device_settle(&device))
            return;
    fail_msg("never settles");
}

static void test_setup(void **state)
{
    assert_int_equal(queue->header.driver_state, QUEUE_DRIVER_RESET);
    assert_int_equal(chip.divisor[0], 1);
    assert_int_equal(chip.lcr, LCR_8N1);
    assert_int_equal(chip.ier, 0);
    assert_false(chip.cleared);
    start();
    assert_int_equal(queue->header.driver_state, QUEUE_DRIVER_ADOPTED);
    assert_int_equal(queue->header.resets, 1);
    assert_int_equal(queue->header.adoptions, 1);
}

static void test_receive(void **state)
{
    type("hello");
    queue->receive.taker_waits = 1;
    serve();
    assert_true(device.wake_client);
    assert_int_equal(queue->receive.taker_waits, 0);
    assert_int_equal(queue->receive.written, 5);
    assert_memory_equal(queue->receive_bytes, "hello", 5);
    assert_int_equal(chip.ier, IER_ERBFI);
}

static void test_receive_not_ready(void **state)
{
    queue->header.client_ready = 0;
    type("wait");
    serve();
    assert_int_equal(queue->receive.written, 0);
    assert_int_equal(chip.ier, 0);
    queue->header.client_ready = 1;
    serve();
    assert_int_equal(queue->receive.written, 4);
}

#define FULL (CHAR_RECEIVE_SIZE - CHAR_TEST_SIZE) /* (a test must have room, too) */

static void test_receive_full(void **state)
{
    queue->receive.written = device.receive.at = FULL - 2;
    type("abc");
    serve();
    assert_int_equal(queue->receive.written, FULL);
    assert_int_equal(chip.in_at, 2); /* the third stays in the chip */
    assert_int_equal(chip.ier, 0);
    assert_int_equal(queue->receive.writer_waits, 1);
    queue->receive.taken = 10;
    serve();
    assert_int_equal(chip.in_at, 3);
    assert_int_equal(queue->receive_bytes[FULL], 'c');
    assert_int_equal(chip.ier, IER_ERBFI);
}

static void test_send_all(void **state)
{
    static uint8_t bytes[90000];
    uint32_t done = 0;

    queue->transmit.written = queue->transmit.taken = device.transmit.at =
        0xffffff00u; /* indices wrap */
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    while (done < sizeof bytes) {
        done += client_write(bytes + done, (uint32_t)sizeof bytes - done);
        serve();
    }
    assert_int_equal(chip.out_count, sizeof bytes);
    assert_memory_equal(chip.out, bytes, sizeof bytes);
    assert_int_equal(chip.ier, IER_ERBFI);
}

static void test_send_waits_for_the_chip(void **state)
{
    chip.stuck = true;
    client_write((const uint8_t *)"abcdef", 6);
    queue->transmit.writer_waits = 1;
    serve();
    assert_int_equal(chip.out_count, 0);
    assert_int_equal(chip.ier, IER_ERBFI | IER_ETBEI);
    chip.stuck = false;
    serve();
    assert_memory_equal(chip.out, "abcdef", 6);
    assert_true(device.wake_client);
    assert_int_equal(chip.ier, IER_ERBFI);
    assert_int_equal(queue->transmit.taker_waits, 1);
}

/* Dies after the chip has been given a burst and before it is committed: the burst comes twice,
 * nothing is lost. */
static void test_death_in_send(void **state)
{
    client_write((const uint8_t *)"0123456789", 10);
    serve();
    queue->transmit.taken = 0;
    start();
    serve();
    assert_int_equal(chip.out_count, 20);
    assert_memory_equal(chip.out, "01234567890123456789", 20);
    assert_int_equal(queue->header.driver_state, QUEUE_DRIVER_ADOPTED);
}

static void test_broken_client(void **state)
{
    volatile int deaths = 0;

    may_die = true;
    queue->transmit.written = CHAR_TRANSMIT_SIZE + 1;
    if (setjmp(death) == 0)
        char_device_serve(&device);
    else
        deaths++;
    queue->transmit.written = 0;
    queue->receive.taken = 1;
    if (setjmp(death) == 0)
        char_device_serve(&device);
    else
        deaths++;
    if (setjmp(death) == 0)
        char_device_open(&device, &uart_driver, UART_COM1, queue, 4096);
    else
        deaths++;
    assert_int_equal(deaths, 3);
}

/* ---- the test that the client asks for ---- */

static enum selftest_answer ask(void)
{
    selftest_fill(&test, queue, queue->transmit.written);
    serve();
    return selftest_judge(&test, &queue->test);
}

/* What a driver believes of its ring is wrong: the chip gets other bytes than those that are in it
 * (uart 12:702 of the campaign). */
static void test_reads_elsewhere(void **state)
{
    assert_int_equal(ask(), SELFTEST_GOOD);
    device.transmit.bytes += 16;
    assert_int_equal(ask(), SELFTEST_WRONG);
    device.transmit.bytes -= 16;
    assert_int_equal(ask(), SELFTEST_GOOD);
}

/* Nothing of the test is left, or has got out; the chip works as before. */
static void assert_as_before(const char *received)
{
    size_t length = strlen(received);

    assert_int_equal(chip.mcr, MCR_ON);
    assert_int_equal(chip.ier, IER_ERBFI);
    assert_int_equal(chip.in_at, chip.in_count);
    assert_int_equal(chip.out_count, 0);
    assert_int_equal(queue->receive.written, length);
    assert_memory_equal(queue->receive_bytes, received, length);
    assert_int_equal(queue->transmit.taken, 0);
}

static void test_good(void **state)
{
    assert_true(queue->test.can_test);
    for (int i = 0; i < 1000; i++) {
        device.wake_client = false;
        assert_int_equal(ask(), SELFTEST_GOOD);
        assert_true(device.wake_client);
        chip.in_at = chip.in_count = 0; /* (the model's memory, not the chip's) */
    }
    assert_as_before("");
}

/* As much as there may be: what waits fills the chip, and before each byte of the test as much
 * comes as QEMU lets in. */
static void test_good_among_others(void **state)
{
    static const char outside[] = "from outside..";
    char all[16 + 14 * SELFTEST_BYTES + 6] = "0123456789abcdef";

    for (int i = 0; i < SELFTEST_BYTES; i++)
        strcat(all, outside);
    type("0123456789abcdef");
    chip.outside = outside;
    assert_int_equal(ask(), SELFTEST_GOOD);
    type("after");
    serve();
    strcat(all, "after");
    assert_as_before(all);
}

/* The client has taken nothing for so long that there is no room for more. */
static void test_good_when_full(void **state)
{
    queue->receive.written = device.receive.at = CHAR_RECEIVE_SIZE - CHAR_TEST_SIZE;
    type("0123456789abcdef");
    serve();
    assert_int_equal(chip.in_at, 0);
    assert_int_equal(ask(), SELFTEST_GOOD);
    assert_int_equal(queue->receive.written, CHAR_RECEIVE_SIZE - CHAR_TEST_SIZE + 16);
    assert_memory_equal(&queue->receive_bytes[CHAR_RECEIVE_SIZE - CHAR_TEST_SIZE],
                        "0123456789abcdef", 16);
    assert_int_equal(ask(), SELFTEST_BUSY);
    queue->receive.taken = 16;
    assert_int_equal(ask(), SELFTEST_GOOD);
}

static void test_not_now(void **state)
{
    chip.stuck = true;
    assert_int_equal(ask(), SELFTEST_BUSY);
    chip.stuck = false;
    chip.has_no_loop = true;
    assert_int_equal(ask(), SELFTEST_BUSY);
    chip.has_no_loop = false;
    assert_as_before("");
}

static void test_no_other_driver_is_asked(void **state)
{
    struct char_driver plain = uart_driver;

    plain.loop = NULL;
    char_device_open(&device, &plain, UART_COM1, queue, sizeof *queue);
    assert_int_equal(queue->test.can_test, 0);
    assert_int_equal(ask(), SELFTEST_NONE);
    assert_as_before("");
}

static void test_nothing_comes_back(void **state)
{
    chip.is_deaf = true;
    assert_int_equal(ask(), SELFTEST_LOST);
    assert_true(chip.cleared);
    chip.is_deaf = false;
    assert_int_equal(ask(), SELFTEST_GOOD);
    assert_as_before("");
}

static void test_others_come_back(void **state)
{
    chip.invert = 1;
    assert_int_equal(ask(), SELFTEST_WRONG);
    chip.invert = 0;
    assert_int_equal(ask(), SELFTEST_GOOD);
    assert_as_before(""); /* nobody gets what he has not been sent */
}

/* It would send all to itself, and each test would be good. */
static void test_left_in_loopback(void **state)
{
    chip.mcr |= MCR_LOOP;
    assert_int_equal(ask(), SELFTEST_LOST);
    assert_int_equal(ask(), SELFTEST_GOOD);
    assert_as_before("");
}

/* ---- drivers that are ill ---- */

static uint32_t ill_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    return count;
}

static uint32_t ill_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    uint8_t bytes[FIFO_BYTES];

    return uart_driver.receive(d, bytes, room < sizeof bytes ? room : sizeof bytes);
}

static uint32_t deaf_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    return 0;
}

static uint32_t counting_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    uint32_t n = uart_driver.receive(d, to, room);

    return n ? n - 1 : 0;
}

/* Each is found, and leaves nothing for its successor to take for input. */
static void test_ill(void **state)
{
    static const struct {
        uint32_t (*send)(struct char_device *, const uint8_t *, uint32_t);
        uint32_t (*receive)(struct char_device *, uint8_t *, uint32_t);
        enum selftest_answer answer;
    } ill[] = {{ill_send, 0, SELFTEST_LOST},
               {0, ill_receive, SELFTEST_WRONG},
               {0, deaf_receive, SELFTEST_LOST},
               {0, counting_receive, SELFTEST_LOST}};

    for (size_t i = 0; i < sizeof ill / sizeof *ill; i++) {
        struct char_driver driver = uart_driver;

        driver.send = ill[i].send ? ill[i].send : driver.send;
        driver.receive = ill[i].receive ? ill[i].receive : driver.receive;
        device.driver = &driver;
        assert_int_equal(ask(), ill[i].answer);
        start();
        assert_int_equal(ask(), SELFTEST_GOOD);
        assert_as_before("");
    }
}

static uint32_t mute_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    return 0;
}

/* It sends nothing of what waits. That the other end does not read is another thing: then the chip
 * has not sent all, and nothing is asked of it. */
static void test_something_waits(void **state)
{
    struct char_driver driver = uart_driver;

    client_write((const uint8_t *)"waits", 5);
    chip.stuck = true;
    assert_int_equal(ask(), SELFTEST_BUSY);
    assert_int_equal(queue->transmit.taken, 0);
    chip.stuck = false;
    driver.send = mute_send;
    device.driver = &driver;
    assert_int_equal(ask(), SELFTEST_LOST);
    assert_int_equal(queue->transmit.taken, 0);
    start();
    serve();
    assert_int_equal(chip.out_count, 5);
    assert_memory_equal(chip.out, "waits", 5);
    assert_int_equal(ask(), SELFTEST_GOOD);
    assert_int_equal(chip.out_count, 5);
}

/* At each access to the chip: its successor finds it in the middle of the test, sends no byte of it
 * and hands on none, and says that it was not to be. */
static void test_death_in_test(void **state)
{
    volatile unsigned n = 1, resets = 0;

    for (;; n++) {
        volatile enum selftest_answer answer = SELFTEST_NONE;

        chip.accesses = 0;
        chip.die_at = n;
        if (setjmp(death) == 0)
            answer = ask();
        chip.die_at = 0;
        if (answer != SELFTEST_NONE)
            break;
        start();
        resets += queue->header.driver_state == QUEUE_DRIVER_RESET;
        assert_int_equal(selftest_judge(&test, &queue->test), SELFTEST_BUSY);
        serve();
        assert_as_before("");
        assert_int_equal(ask(), SELFTEST_GOOD);
        assert_as_before("");
    }
    assert_in_range(n, 15, 60);
    assert_in_range(resets, 10, n);
}

static void test_flags(void **state)
{
    uint32_t flag = 0;

    assert_false(char_ring_wake(&flag));
    char_ring_wait(&flag);
    assert_true(char_ring_wake(&flag));
    assert_false(char_ring_wake(&flag));
    assert_int_equal(char_ring_filled(3, 0xfffffffe, 16), 5);
    assert_int_equal(char_ring_filled(3, 4, 16), -1);
    assert_int_equal(char_ring_piece(14, 5, 16), 2);
    assert_int_equal(char_ring_piece(16, 5, 16), 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_setup),
        TEST(test_receive),
        TEST(test_receive_not_ready),
        TEST(test_receive_full),
        TEST(test_send_all),
        TEST(test_send_waits_for_the_chip),
        TEST(test_death_in_send),
        TEST(test_broken_client),
        TEST(test_flags),
        TEST(test_good),
        TEST(test_good_among_others),
        TEST(test_good_when_full),
        TEST(test_left_in_loopback),
        TEST(test_not_now),
        TEST(test_something_waits),
        TEST(test_no_other_driver_is_asked),
        TEST(test_nothing_comes_back),
        TEST(test_others_come_back),
        TEST(test_ill),
        TEST(test_reads_elsewhere),
        TEST(test_death_in_test),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
