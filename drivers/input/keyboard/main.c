/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a PS/2 keyboard. All of it is chip.c; the class library does the rest. */
#include "drivers/input/keyboard/chip.h"

int main(void)
{
    char_driver_run(&keyboard_driver);
}
