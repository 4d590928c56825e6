/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The chip's half of the printer driver. A byte has been printed, as far as anybody can tell, when
 * the strobe was given; a driver that dies before it has said so leaves one that may or may not
 * have been. So its successor prints nothing of what was left: the program is told, and knows how
 * to go on (starts_over).
 */
#include "drivers/char/printer/chip.h"

#include <errno.h>

enum {
    BURST = 64, /* bytes at a time, at most */
    LOOKS = 20, /* at the status for each byte, before the interrupt is waited for */
    INIT_ACCESSES = 100, /* to a port of the ISA bus, each of 0.5 us and more: INIT takes 50 us */
};
#define IDLE (CONTROL_SELECT | CONTROL_INIT_N)

static uint8_t interrupt; /* CONTROL_INTERRUPT while there is something to be sent */

static uint8_t get(const struct char_device *d, enum printer_register r)
{
    return pio_read8(d->ports + r);
}

static void put(const struct char_device *d, enum printer_register r, uint8_t value)
{
    pio_write8(d->ports + r, value);
}

static bool takes_byte(uint8_t status)
{
    const uint8_t want = STATUS_BUSY_N | STATUS_SELECTED | STATUS_ERROR_N;

    return (status & (want | STATUS_PAPER_END)) == want;
}

static bool is_there(const struct char_device *d)
{
    put(d, DATA, 0x55);
    if (get(d, DATA) != 0x55)
        return false;
    put(d, DATA, 0xaa);
    return get(d, DATA) == 0xaa;
}

/* (The strobe may be active: then want() ends it.) */
static bool printer_adopt(struct char_device *d)
{
    return (get(d, CONTROL) & (IDLE | CONTROL_AUTOFEED | CONTROL_INPUT)) == IDLE;
}

/* A printer is initialised only when nobody has set up its port before: that makes it forget what it
 * has not printed yet. */
static int printer_reset(struct char_device *d)
{
    bool is_set_up = printer_adopt(d);

    put(d, CONTROL, is_set_up ? IDLE : CONTROL_SELECT);
    if (!is_there(d))
        return -ENODEV;
    for (unsigned i = 0; i < INIT_ACCESSES && !is_set_up; i++)
        (void)get(d, STATUS);
    put(d, CONTROL, IDLE);
    return 0;
}

static uint32_t printer_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    (void)d;
    (void)to;
    (void)room;
    return 0;
}

/* An access to the port takes longer than the 0.5 us that data must be stable ahead of the strobe,
 * the strobe must be active, and data stable behind it. */
static void strobe(const struct char_device *d, uint8_t byte)
{
    put(d, DATA, byte);
    put(d, CONTROL, IDLE | CONTROL_STROBE);
    put(d, CONTROL, IDLE);
}

static bool waits_for_byte(const struct char_device *d)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        uint8_t status = get(d, STATUS);

        if (takes_byte(status))
            return true;
        if ((status & STATUS_PAPER_END) || !(status & STATUS_SELECTED))
            return false; /* a person must come */
    }
    return false;
}

static uint32_t printer_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    uint32_t n = 0;

    for (; n < count && n < BURST && waits_for_byte(d); n++)
        strobe(d, from[n]);
    if (n && interrupt)
        put(d, CONTROL, IDLE | interrupt); /* what ACKs came meanwhile pending() looks at */
    return n;
}

static void printer_want(struct char_device *d, bool receive, bool send)
{
    (void)receive;
    interrupt = send ? CONTROL_INTERRUPT : 0;
    put(d, CONTROL, IDLE | interrupt);
}

static bool printer_pending(struct char_device *d)
{
    return interrupt && waits_for_byte(d);
}

static uint32_t printer_status(struct char_device *d)
{
    return get(d, STATUS);
}

const struct char_driver printer_driver = {
    .name = "printer",
    .adopt = printer_adopt,
    .reset = printer_reset,
    .receive = printer_receive,
    .send = printer_send,
    .want = printer_want,
    .pending = printer_pending,
    .status = printer_status,
    .starts_over = true,
    .look_every = 10000000,
};
