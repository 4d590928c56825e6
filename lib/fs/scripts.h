/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy scripts that RS wants run, as /proc/bardo/scripts and, for when fs/proc is away,
 * /dev/bardo-scripts have them for the policy runner. Of the two RS tells the one that was read last.
 */
#ifndef FS_SCRIPTS_H
#define FS_SCRIPTS_H

#include "lib/fs/fs.h"

/* A read: the next script, "number deadline_ms path component defect failures parameters". There is
 * none: FS_LATER, answered when there is one; -EAGAIN with O_NONBLOCK; -EBUSY: 4 wait already. Or RS's
 * error. */
long scripts_read(struct fs_transfer *t);

/* At NOTIFY_BIT_SERVICES: answer those who wait, if there is something now. */
void scripts_notified(void);

/* 1: the program was waiting in scripts_read(), and is forgotten; 0: no. */
long scripts_cancel(endpoint_t program);

#endif
