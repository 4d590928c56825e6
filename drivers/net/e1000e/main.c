/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Intel's 82574L. */
#include "drivers/net/e1000e/chip.h"

int main(void)
{
    net_driver_run(&e1000e_driver);
}
