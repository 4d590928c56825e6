/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of a burner. All of it is burner.c; the class library does the rest. */
#include "drivers/block/writeonce/burner.h"

int main(void)
{
    block_driver_run(&writeonce_driver);
}
