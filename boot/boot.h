/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What runs once, between the loader and the kernel: it fills boot_info and kernel_page, which the
 * kernel declares, and the tables that the kernel begins with. It lies in the low part of the
 * image, which the kernel has no longer mapped when the first process runs, so nothing of it can be
 * called then. It may call the kernel's functions for strings and ports, and kernel_panic().
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "kernel/arch.h"
#include "kernel/boot_info.h"

void boot_start(uint64_t magic, uint64_t information); /* boot.c; from entry.S */
void memory_place(void);
void acpi_read(void);
void clock_measure(void);

#endif
