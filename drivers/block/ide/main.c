/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of PIIX3 and PIIX4 IDE channels. All of it is chip.c; the class library does the
 * rest. */
#include "drivers/block/ide/chip.h"

int main(void)
{
    block_driver_run(&ide_driver);
}
