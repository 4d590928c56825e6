/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of the RAM disk. All of it is memory.c; the class library does the rest. */
#include "drivers/block/ramdisk/memory.h"

int main(void)
{
    block_driver_run(&ramdisk_driver);
}
