/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of NVMe disks. All of it is chip.c; the class library does the rest. */
#include "drivers/block/nvme/chip.h"

int main(void)
{
    block_driver_run(&nvme_driver);
}
