/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/driver/chardriver.c drivers/char/printer/chip.c
/*
 * The printer's half against a fake port with a printer at it that checks the handshake; and the
 * driver's death at each access to a register: what it has said to be printed is printed, what its
 * predecessor left in the ring is not, before the client says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/char/printer/chip.h"
#include "lib/rt/log.h"

#define PORT 0x378
#define BURST 64 /* of chip.c: what may have been printed and not been told */

static struct {
    bool absent, off_line, no_paper;
    unsigned busy_for; /* looks at the status after each byte that find it busy */
    unsigned busy; /* looks still to come */
    bool strobe;
    uint8_t data, control;
    unsigned inits;
    uint8_t out[4096];
    uint32_t out_count;
} printer;
static jmp_buf death;
static bool may_die;
static unsigned accesses, dies_at; /* 0: not */

void panic(const char *format, ...)
{
    assert_true(may_die);
    longjmp(death, 1);
}

static void access_port(unsigned port)
{
    assert_in_range(port, PORT, PORT + 2);
    if (++accesses == dies_at)
        longjmp(death, 2);
}

uint8_t pio_read8(unsigned port)
{
    uint8_t status = STATUS_ERROR_N | STATUS_SELECTED | STATUS_ACK_N | STATUS_BUSY_N;

    access_port(port);
    if (printer.absent)
        return 0xff;
    if (port == PORT + DATA)
        return printer.data;
    if (port == PORT + CONTROL)
        return printer.control | 0xc0;
    if (printer.off_line)
        status &= (uint8_t) ~(STATUS_SELECTED | STATUS_BUSY_N);
    if (printer.no_paper)
        status = (uint8_t)((status | STATUS_PAPER_END) & ~(STATUS_BUSY_N | STATUS_ERROR_N));
    if (printer.strobe || printer.busy) {
        printer.busy -= printer.busy && !printer.strobe;
        status &= (uint8_t)~STATUS_BUSY_N;
    }
    return status;
}

void pio_write8(unsigned port, uint8_t value)
{
    access_port(port);
    if (port == PORT + DATA) {
        assert_false(printer.strobe); /* stable while it is active */
        printer.data = value;
        return;
    }
    assert_int_equal(port, PORT + CONTROL);
    if (!(value & CONTROL_INIT_N))
        printer.inits++;
    if ((value & CONTROL_STROBE) && !printer.strobe) {
        assert_true(!printer.absent && !printer.off_line && !printer.no_paper && !printer.busy);
        assert_true(printer.out_count < sizeof printer.out);
        printer.out[printer.out_count++] = printer.data;
        printer.busy = printer.busy_for;
    }
    printer.strobe = value & CONTROL_STROBE;
    printer.control = value & 0x3f;
}

/* ---- the client, as servers/lp ---- */

static struct char_queue *queue;
static struct char_device device;

static void start(void)
{
    enum queue_driver_state state;

    char_device_open(&device, &printer_driver, PORT, queue, sizeof *queue);
    assert_int_equal(char_device_start(&device, true, &state), 0);
    queue->header.driver_state = state;
    queue_publish(&queue->header.incarnation, queue->header.incarnation + 1);
}

/* Takes back what was not taken, and knows the driver from now on. */
static void meet(void)
{
    queue_publish(&queue->transmit.written, queue->transmit.taken);
    queue_publish(&queue->taker, queue->header.incarnation);
}

static void put(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        queue->transmit_bytes[(queue->transmit.written + i) % CHAR_TRANSMIT_SIZE] = bytes[i];
    queue_publish(&queue->transmit.written, queue->transmit.written + count);
}

/* Until it sleeps. */
static void serve(void)
{
    for (int i = 0; i < 1000; i++)
        if (!char_device_serve(&device) && char_device_settle(&device))
            return;
    fail_msg("never settles");
}

static int setup(void **state)
{
    memset(&printer, 0, sizeof printer);
    accesses = dies_at = 0;
    may_die = false;
    queue = aligned_alloc(4096, sizeof *queue);
    memset(queue, 0, sizeof *queue);
    queue->header.client_ready = 1;
    return 0;
}

static int teardown(void **state)
{
    free(queue);
    return 0;
}

/* ---- tests ---- */

static void test_setup(void **state)
{
    start();
    assert_int_equal(queue->header.driver_state, QUEUE_DRIVER_RESET);
    assert_int_equal(printer.inits, 1);
    start();
    assert_int_equal(queue->header.driver_state, QUEUE_DRIVER_ADOPTED);
    assert_int_equal(printer.inits, 1); /* or it would forget what it has in its buffer */
    char_device_open(&device, &printer_driver, PORT, queue, sizeof *queue);
    assert_int_equal(char_device_start(&device, false, &(enum queue_driver_state){0}), 0);
    assert_int_equal(printer.inits, 1);
}

static void test_absent(void **state)
{
    printer.absent = true;
    char_device_open(&device, &printer_driver, PORT, queue, sizeof *queue);
    assert_true(char_device_start(&device, true, &(enum queue_driver_state){0}) < 0);
}

static void test_prints(void **state)
{
    start();
    meet();
    printer.busy_for = 3;
    put((const uint8_t *)"a page\f", 7);
    queue->transmit.writer_waits = 1;
    serve();
    assert_int_equal(printer.out_count, 7);
    assert_memory_equal(printer.out, "a page\f", 7);
    assert_true(device.wake_client);
    assert_false(printer.control & (CONTROL_INTERRUPT | CONTROL_STROBE));
}

/* Slower than it is looked at: the interrupt is on while it is waited for, and off afterwards. */
static void test_slow(void **state)
{
    start();
    meet();
    printer.busy_for = 50;
    put((const uint8_t *)"slow", 4);
    for (int i = 0; i < 20 && queue->transmit.taken != 4; i++) {
        serve();
        if (queue->transmit.taken != 4)
            assert_true(printer.control & CONTROL_INTERRUPT);
    }
    serve();
    assert_memory_equal(printer.out, "slow", 4);
    assert_false(printer.control & CONTROL_INTERRUPT);
}

static void test_person_must_come(void **state)
{
    start();
    meet();
    printer.no_paper = true;
    put((const uint8_t *)"text", 4);
    serve();
    assert_int_equal(printer.out_count, 0);
    printer.no_paper = false;
    printer.off_line = true;
    serve();
    assert_int_equal(printer.out_count, 0);
    printer.off_line = false;
    serve();
    assert_memory_equal(printer.out, "text", 4);
}

static void test_status(void **state)
{
    start();
    queue_publish(&queue->status_asked, 7);
    printer.no_paper = true;
    serve();
    assert_int_equal(queue->status_told, 7);
    assert_true(queue->status & STATUS_PAPER_END);
    assert_true(device.wake_client);
}

/* What was left is not sent by another driver, however often it looks. */
static void test_starts_over(void **state)
{
    start();
    meet();
    printer.off_line = true;
    put((const uint8_t *)"left over", 9);
    serve();
    start();
    printer.off_line = false;
    serve();
    assert_int_equal(printer.out_count, 0);
    meet();
    put((const uint8_t *)"new", 3);
    serve();
    assert_int_equal(printer.out_count, 3);
    assert_memory_equal(printer.out, "new", 3);
}

static uint8_t text[300];

/* Prints the text and dies at that access; then the client goes on behind what is known. False: it
 * did not die. */
static bool die_once(unsigned at)
{
    volatile bool died = false;
    uint32_t known, printed;

    setup(NULL);
    printer.busy_for = 2;
    start();
    meet();
    accesses = 0;
    dies_at = at;
    if (setjmp(death) == 0) {
        put(text, sizeof text);
        serve();
    } else {
        died = true;
    }
    dies_at = 0;
    known = queue->transmit.taken;
    printed = printer.out_count;
    assert_in_range(printed, known, known + BURST);
    assert_memory_equal(printer.out, text, printed);
    if (died) {
        printer.out_count = known; /* (so that what comes now is compared with the rest) */
        start();
        assert_false(printer.strobe);
        serve();
        assert_int_equal(printer.out_count, known);
        meet();
        put(text + known, (uint32_t)sizeof text - known);
        serve();
    }
    assert_int_equal(printer.out_count, sizeof text);
    assert_memory_equal(printer.out, text, sizeof text);
    teardown(NULL);
    queue = NULL;
    return died;
}

static void test_death_anywhere(void **state)
{
    unsigned deaths = 0;

    for (unsigned i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i * 7 + 1);
    while (die_once(deaths + 1))
        deaths++;
    assert_in_range(deaths, sizeof text * 5, sizeof text * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_setup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_prints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_person_must_come, setup, teardown),
        cmocka_unit_test_setup_teardown(test_status, setup, teardown),
        cmocka_unit_test_setup_teardown(test_starts_over, setup, teardown),
        cmocka_unit_test(test_death_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
