/* SPDX-License-Identifier: BSD-2-Clause */
/* The RAM disk. Its contents lie in its queue, from BLOCK_RAM_OFFSET to the end. */
#ifndef RAMDISK_MEMORY_H
#define RAMDISK_MEMORY_H

#include "lib/driver/blockdriver.h"

extern const struct block_driver ramdisk_driver;

#endif
