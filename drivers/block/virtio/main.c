/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio block devices. All of it is chip.c; the class library does the rest. */
#include "drivers/block/virtio/chip.h"

int main(void)
{
    block_driver_run(&virtio_block);
}
