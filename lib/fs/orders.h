/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Orders to RS, as text: what /proc/bardo/control and /dev/bardo take. The one server says what to
 * do when the other is away. Who may give them is for the server to check.
 */
#ifndef FS_ORDERS_H
#define FS_ORDERS_H

#define ORDERS_MAX 256 /* bytes at once */

/*
 * Lines: "up NAME", "down NAME", "restart NAME [DELAY_MS]", "reset NAME [DELAY_MS]" (the fresh copy its device), "kill NAME",
 * "storm NAME US", "fuse NAME STORES", "hold NAME", "forget NAME", "done NUMBER STATUS" (a policy
 * script has ended). `text` is NUL-terminated and is changed. 0, or -EINVAL (no such order, a number that is none, words too many), and
 * RS's own: -ESRCH, -EALREADY. The first line that fails ends it.
 */
long orders_run(char *text);

/* Before every wait: an order that is about this server itself is given now, when who gave it has
 * its answer. */
void orders_late(void);

#endif
