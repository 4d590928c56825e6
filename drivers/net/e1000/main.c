/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Intel's 82540EM. */
#include "drivers/net/e1000/chip.h"

int main(void)
{
    net_driver_run(&e1000_driver);
}
