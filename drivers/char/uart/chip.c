/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's half of the uart driver: 115200 baud, 8 bits, no parity, one stop bit. */
#include "drivers/char/uart/chip.h"

#include <errno.h>

static uint8_t get(enum uart_register r)
{
    return pio_read8(UART_COM1 + r);
}

static void put(enum uart_register r, uint8_t value)
{
    pio_write8(UART_COM1 + r, value);
}

static bool uart_adopt(struct char_device *d)
{
    (void)d;
    return get(LCR) == LCR_8N1 && (get(MCR) & MCR_ON) == MCR_ON &&
           (get(IIR) & IIR_FIFOS) == IIR_FIFOS;
}

static int uart_reset(struct char_device *d)
{
    (void)d;
    put(IER, 0);
    put(LCR, LCR_DLAB);
    put(DLL, DIVISOR_115200);
    put(DLM, 0);
    put(LCR, LCR_8N1);
    put(FCR, FCR_ENABLE | FCR_TRIGGER_14);
    put(MCR, MCR_ON);
    return get(LCR) == LCR_8N1 ? 0 : -ENODEV;
}

static uint32_t uart_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    uint32_t n = 0;

    while (n < room && n < FIFO_BYTES) {
        uint8_t status = get(LSR);

        if (status != 0xff && (status & LSR_ERRORS))
            d->queue->header.errors++;
        if (status == 0xff || !(status & LSR_DR)) /* 0xff: there is no chip any more */
            break;
        to[n++] = get(RBR);
    }
    return n;
}

static uint32_t uart_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    (void)d;
    if (!(get(LSR) & LSR_THRE))
        return 0;
    if (count > FIFO_BYTES)
        count = FIFO_BYTES;
    pio_write_bytes(UART_COM1 + THR, from, count);
    return count;
}

static void uart_want(struct char_device *d, bool receive, bool send)
{
    (void)d;
    put(IER, (receive ? IER_ERBFI : 0) | (send ? IER_ETBEI : 0));
}

static bool uart_pending(struct char_device *d)
{
    (void)d;
    return !(get(IIR) & IIR_NONE);
}

const struct char_driver uart_driver = {
    .name = "uart",
    .adopt = uart_adopt,
    .reset = uart_reset,
    .receive = uart_receive,
    .send = uart_send,
    .want = uart_want,
    .pending = uart_pending,
};
