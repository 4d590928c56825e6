/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a printer. All of it is chip.c; the class library does the rest. */
#include "drivers/char/printer/chip.h"

int main(void)
{
    char_driver_run(&printer_driver);
}
