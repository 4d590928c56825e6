/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550 UART with FIFOs. Register names as in National Semiconductor's data sheet PC16550D,
 * section 8. Ports are relative to the first.
 */
#ifndef UART_CHIP_H
#define UART_CHIP_H

#include "lib/driver/chardriver.h"

enum uart_register {
    RBR = 0, /* read: next byte received */
    THR = 0, /* write: next byte to send */
    DLL = 0, /* with LCR_DLAB: divisor, low and high byte */
    IER = 1, /* interrupt enable */
    DLM = 1,
    IIR = 2, /* read: what interrupts; reading it clears the interrupt of an empty transmitter */
    FCR = 2, /* write: FIFO control */
    LCR = 3, /* line control */
    MCR = 4, /* modem control */
    LSR = 5, /* line status */
};

enum {
    IER_ERBFI = 1 << 0, /* bytes received */
    IER_ETBEI = 1 << 1, /* transmitter empty */
    IIR_NONE = 1 << 0, /* no interrupt is pending */
    IIR_FIFOS = 3 << 6, /* FIFOs are on */
    FCR_ENABLE = 1 << 0,
    FCR_CLEAR = 1 << 1 | 1 << 2, /* both FIFOs, and with them input that waits */
    FCR_TRIGGER_14 = 3 << 6, /* interrupt at 14 bytes, or when the line rests */
    LCR_8N1 = 3,
    LCR_DLAB = 1 << 7,
    MCR_ON = 1 << 0 | 1 << 1 | 1 << 3, /* DTR, RTS, OUT2: lets the interrupt out */
    MCR_LOOP = 1 << 4, /* what is sent is received, and nothing else */
    LSR_DR = 1 << 0, /* a byte is there */
    LSR_ERRORS = 0xe, /* overrun, parity, framing */
    LSR_THRE = 1 << 5, /* transmit FIFO is empty */
    LSR_TEMT = 1 << 6, /* so is the transmitter: the last bit is out */
    FIFO_BYTES = 16,
    DIVISOR_115200 = 1,
};

extern const struct char_driver uart_driver;

#endif
