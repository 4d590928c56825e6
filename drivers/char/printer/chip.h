/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PC's parallel port with a printer at it. Register and bit names as in IBM's Personal Computer
 * Technical Reference, "IBM Printer Adapter"; the handshake is that of IEEE 1284, compatibility
 * mode. Ports are relative to the first. Signals whose names end in _N are active when the bit is 0.
 */
#ifndef PRINTER_CHIP_H
#define PRINTER_CHIP_H

#include "lib/driver/chardriver.h"

enum printer_register {
    DATA = 0,
    STATUS = 1, /* read only */
    CONTROL = 2,
};

enum {
    STATUS_ERROR_N = 1 << 3,
    STATUS_SELECTED = 1 << 4, /* on-line */
    STATUS_PAPER_END = 1 << 5,
    STATUS_ACK_N = 1 << 6,
    STATUS_BUSY_N = 1 << 7, /* 1: it takes a byte */

    CONTROL_STROBE = 1 << 0, /* the bits of STROBE, AUTOFEED and SELECT are the signal's inverse */
    CONTROL_AUTOFEED = 1 << 1, /* it adds a line feed to each carriage return */
    CONTROL_INIT_N = 1 << 2,
    CONTROL_SELECT = 1 << 3,
    CONTROL_INTERRUPT = 1 << 4, /* at the end of each ACK */
    CONTROL_INPUT = 1 << 5, /* the data lines are inputs */
};

extern const struct char_driver printer_driver;

#endif
