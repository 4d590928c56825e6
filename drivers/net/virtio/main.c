/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of virtio network devices. All of it is chip.c; the class library does the rest. */
#include "drivers/net/virtio/chip.h"

int main(void)
{
    net_driver_run(&virtio_net);
}
