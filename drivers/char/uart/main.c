/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a serial port. All of it is chip.c; the class library does the rest. */
#include "drivers/char/uart/chip.h"

int main(void)
{
    char_driver_run(&uart_driver);
}
