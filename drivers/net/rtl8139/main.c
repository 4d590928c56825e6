/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Realtek's RTL8139. All of it is chip.c; the class library does the rest. */
#include "drivers/net/rtl8139/chip.h"

int main(void)
{
    net_driver_run(&rtl8139_driver);
}
