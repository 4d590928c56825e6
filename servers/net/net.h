/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network server: lwIP (NO_SYS, one thread) between the programs' sockets and the drivers' queues.
 *
 *     main.c       start, the loop's hooks: notifications, timers, idle work
 *     interface.c  a lwIP netif on a queue: frames in, frames out
 *     recover.c    what happens when a driver has died or come back
 *     address.c    DHCP, loopback, static addresses
 *     socket.c ... the programs' half: sockets over lwIP's raw API
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/queue.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

/* ---- the programs' half (socket.c and its parts), as main.c sees it ---- */

/* Types of messages that sockets handle, for service_run()'s table. */
extern const struct service_entry socket_entries[];
extern const size_t socket_entry_count;

/* Before every receive that might block: tell VFS of what became ready (NOTIFY_BIT_POLL), once for many events. */
void sockets_idle(void);

/* ---- interfaces ---- */

/* Earliest work is to be done by the loop's idle hook after this message: send what lwIP has put out (acknowledgements included). Cheap. */
void net_output_pending(void);

/* lwIP's clock: ms since boot. Also the unit of its timers. */
uint32_t sys_now(void);

#endif
