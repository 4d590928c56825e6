/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's half of the uart driver: 115200 baud, 8 bits, no parity, one stop bit. */
#include "drivers/char/uart/chip.h"

#include <errno.h>

static uint8_t get(const struct char_device *d, enum uart_register r)
{
    return pio_read8(d->ports + r);
}

static void put(const struct char_device *d, enum uart_register r, uint8_t value)
{
    pio_write8(d->ports + r, value);
}

static bool uart_adopt(struct char_device *d)
{
    return get(d, LCR) == LCR_8N1 && (get(d, MCR) & (MCR_ON | MCR_LOOP)) == MCR_ON &&
           (get(d, IIR) & IIR_FIFOS) == IIR_FIFOS;
}

/* Input that waits stays; but what is in a chip that sends to itself are bytes of a test that was
 * not brought to its end: no program must get them, and nobody at the other end of the line. */
static int uart_reset(struct char_device *d)
{
    uint8_t clear = get(d, MCR) & MCR_LOOP ? FCR_CLEAR : 0;

    put(d, IER, 0);
    put(d, LCR, LCR_DLAB);
    put(d, DLL, DIVISOR_115200);
    put(d, DLM, 0);
    put(d, LCR, LCR_8N1);
    put(d, FCR, FCR_ENABLE | FCR_TRIGGER_14 | clear);
    put(d, MCR, MCR_ON);
    return get(d, LCR) == LCR_8N1 ? 0 : -ENODEV;
}

static uint32_t uart_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    uint32_t n = 0;

    while (n < room && n < FIFO_BYTES) {
        uint8_t status = get(d, LSR);

        if (status != 0xff && (status & LSR_ERRORS))
            d->queue->header.errors++;
        if (status == 0xff || !(status & LSR_DR)) /* 0xff: there is no chip any more */
            break;
        to[n++] = get(d, RBR);
    }
    return n;
}

static uint32_t uart_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    if (!(get(d, LSR) & LSR_THRE))
        return 0;
    if (count > FIFO_BYTES)
        count = FIFO_BYTES;
    pio_write_bytes(d->ports + THR, from, count);
    return count;
}

/*
 * The data sheet's diagnostic mode. Meanwhile the line rests, DTR and RTS are off, and what comes
 * from outside is not heard: a character that begins in these 0.5 ms (or is on its way when they
 * begin) is lost. QEMU still lets it in, between those of the test. The chip must have sent all:
 * else the end of it would come back.
 */
static bool uart_loop(struct char_device *d, bool on)
{
    if (on && !(get(d, LSR) & LSR_TEMT))
        return false;
    put(d, MCR, on ? MCR_ON | MCR_LOOP : MCR_ON);
    return !on || (get(d, MCR) & MCR_LOOP); /* not all that call themselves 16550 can do it */
}

static void uart_want(struct char_device *d, bool receive, bool send)
{
    put(d, IER, (receive ? IER_ERBFI : 0) | (send ? IER_ETBEI : 0));
}

static bool uart_pending(struct char_device *d)
{
    return !(get(d, IIR) & IIR_NONE);
}

const struct char_driver uart_driver = {
    .name = "uart",
    .adopt = uart_adopt,
    .reset = uart_reset,
    .receive = uart_receive,
    .send = uart_send,
    .want = uart_want,
    .pending = uart_pending,
    .loop = uart_loop,
};
