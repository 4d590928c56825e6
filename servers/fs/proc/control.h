/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/bardo/control (commands to RS) and /proc/bardo/scripts (policy scripts that RS
 * wants run). */
#ifndef PROC_CONTROL_H
#define PROC_CONTROL_H

#include "lib/fs/fs.h"

/*
 * Orders (lib/fs/orders.h). Root alone. Length, or -EPERM, and what orders_run() fails with.
 */
long control_write(struct fs_transfer *t);

/* The next script: "number path component defect failures parameters", waiting for
 * one: FS_LATER. */
long scripts_read(struct fs_transfer *t);

/* RS has said that something changed: answer those who wait. */
void scripts_notified(void);

/* 1: the program was waiting in scripts_read(), and is forgotten; 0: no. */
long scripts_cancel(endpoint_t program);

#endif
