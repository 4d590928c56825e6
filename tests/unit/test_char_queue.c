/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/chardriver.c drivers/char/uart/chip.c
/* The rings of characters, the class library, and the uart's half against a fake 16550. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/char/uart/chip.h"
#include "lib/rt/log.h"

/* ---- a fake 16550 ---- */

#define UART_COM1 0x3f8

static struct {
    uint8_t ier, lcr, mcr, fcr, divisor[2];
    uint8_t in[64], out[100000];
    uint32_t in_count, in_at, out_count;
    bool stuck, empty_seen, cleared;
} chip;
static jmp_buf death;
static bool may_die;

void panic(const char *format, ...)
{
    assert_true(may_die);
    longjmp(death, 1);
}

uint8_t pio_read8(unsigned port)
{
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
        return (chip.in_at < chip.in_count ? LSR_DR : 0) | (chip.stuck ? 0 : LSR_THRE);
    default:
        fail();
        return 0;
    }
}

void pio_write8(unsigned port, uint8_t value)
{
    unsigned r = port - UART_COM1;

    if (r < 2 && (chip.lcr & LCR_DLAB)) {
        chip.divisor[r] = value;
    } else if (r == IER) {
        if (value & ~chip.ier & IER_ETBEI)
            chip.empty_seen = false;
        chip.ier = value;
    } else if (r == FCR) {
        chip.fcr = value;
        chip.cleared |= value & 6;
    } else if (r == LCR) {
        chip.lcr = value;
    } else if (r == MCR) {
        chip.mcr = value;
    } else {
        fail();
    }
}

void pio_write_bytes(unsigned port, const uint8_t *bytes, uint32_t count)
{
    assert_int_equal(port, UART_COM1 + THR);
    assert_true(count <= FIFO_BYTES);
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

static void test_receive_full(void **state)
{
    queue->receive.written = device.written = CHAR_RECEIVE_SIZE - 2;
    type("abc");
    serve();
    assert_int_equal(queue->receive.written, CHAR_RECEIVE_SIZE);
    assert_int_equal(chip.in_at, 2); /* the third stays in the chip */
    assert_int_equal(chip.ier, 0);
    assert_int_equal(queue->receive.writer_waits, 1);
    queue->receive.taken = 10;
    serve();
    assert_int_equal(chip.in_at, 3);
    assert_int_equal(queue->receive_bytes[0], 'c');
    assert_int_equal(chip.ier, IER_ERBFI);
}

static void test_send_all(void **state)
{
    static uint8_t bytes[90000];
    uint32_t done = 0;

    queue->transmit.written = queue->transmit.taken = device.taken = 0xffffff00u; /* indices wrap */
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
        TEST(test_setup),         TEST(test_receive),       TEST(test_receive_not_ready),
        TEST(test_receive_full),  TEST(test_send_all),      TEST(test_send_waits_for_the_chip),
        TEST(test_death_in_send), TEST(test_broken_client), TEST(test_flags),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
