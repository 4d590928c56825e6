/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/bardo/control and program: commands to RS, and a program for one of them. */
#ifndef PROC_CONTROL_H
#define PROC_CONTROL_H

#include "lib/fs/fs.h"

/*
 * Orders (lib/fs/orders.h). Root alone. Length, or -EPERM, and what orders_run() fails with.
 */
long control_write(struct fs_transfer *t);
/* A piece of a program for RS_CONTROL_UPDATE, in order from the beginning. Root alone. Its length, or
 * -EPERM, and what RS_PROGRAM fails with. */
long program_write(struct fs_transfer *t);

#endif
