/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/bardo/control: commands to RS. */
#ifndef PROC_CONTROL_H
#define PROC_CONTROL_H

#include "lib/fs/fs.h"

/*
 * Orders (lib/fs/orders.h). Root alone. Length, or -EPERM, and what orders_run() fails with.
 */
long control_write(struct fs_transfer *t);

#endif
