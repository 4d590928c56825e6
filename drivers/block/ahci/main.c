/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of AHCI host adapters. All of it is chip.c; the class library
 * does the rest. */
#include "drivers/block/ahci/chip.h"

int main(void)
{
    block_driver_run(&ahci_driver);
}
