/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The i8042 keyboard controller and a PS/2 keyboard. Names as in Intel's "8042 keyboard controller"
 * and IBM's "PS/2 Hardware Interface Technical Reference, Keyboard/Auxiliary Device Controller".
 *
 * What the driver hands on are scan codes as they come (of set 1: the controller translates), so it
 * has no state of its own: shift keys, locks and prefixes are tty's business (servers/tty/keymap.h).
 * What it is sent are states of the LEDs, a byte each, of which the last counts.
 */
#ifndef KEYBOARD_CHIP_H
#define KEYBOARD_CHIP_H

#include "lib/driver/chardriver.h"

enum keyboard_port { DATA = 0x60, STATUS = 0x64, COMMAND = 0x64 };

enum {
    STATUS_OUTPUT = 1 << 0, /* a byte for us is there */
    STATUS_INPUT = 1 << 1, /* the controller has not yet taken our last one */
    STATUS_AUXILIARY = 1 << 5, /* the byte is the mouse's */
    STATUS_NOBODY = 0xff, /* there is no controller */

    COMMAND_READ_CONFIG = 0x20,
    COMMAND_WRITE_CONFIG = 0x60,
    COMMAND_DISABLE_AUXILIARY = 0xa7,
    COMMAND_DISABLE_KEYBOARD = 0xad, /* it then keeps what is typed, up to 16 bytes */
    COMMAND_ENABLE_KEYBOARD = 0xae,

    CONFIG_INTERRUPT = 1 << 0,
    CONFIG_INTERRUPT_AUXILIARY = 1 << 1,
    CONFIG_KEYBOARD_OFF = 1 << 4,
    CONFIG_AUXILIARY_OFF = 1 << 5,
    CONFIG_TRANSLATE = 1 << 6, /* the keyboard's codes (set 2) to those of set 1 */

    KEYBOARD_LEDS = 0xed, /* a byte follows */
    KEYBOARD_ENABLE = 0xf4,
    KEYBOARD_ACK = 0xfa, /* no key's code: so it may come among those */
    KEYBOARD_AGAIN = 0xfe,
};

#define KEYBOARD_MAGIC 0x4b303432u /* "240K" */

/* Behind the rings, in memory that outlives us. */
struct keyboard_witness {
    uint32_t magic; /* the controller is set up */
    uint32_t asked; /* 1: the next byte may be the controller's answer, and no key */
};

extern const struct char_driver keyboard_driver;

#endif
