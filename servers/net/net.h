/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network server: lwIP (NO_SYS, one thread) between the programs' sockets and the drivers'
 * queues.
 *
 *     main.c        start, the loop's hooks: notifications, timers, idle work
 *     ring.c        the client's side of a queue: which buffer is where, what of it to believe
 *     interface.c   a lwIP netif on a queue: frames in, frames out
 *     acknowledge.c one acknowledgement per batch; asking the peers for what was lost
 *     resend.c resend_timer.c  what TCP sends again, when, and how much may be on the way
 *     recover.c     what happens when a driver has died or come back
 *     address.c     DHCP, static addresses
 *     guard.c cookie.c shortage.c ...   what is not let in from the wire, and is counted
 *     progress.c watch.c echo.c   does a driver that is alive move anything?
 *     memory.c checksum.c random.c sieve.c   what lwIP stands on
 *     kept.c        data that wait are what they were
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

/* Before every receive that might block: tell VFS of what became ready (NOTIFY_BIT_POLL), once for
 * many events. */
void sockets_idle(void);

/* There is an address, or another one. */
void sockets_address_changed(void);

/* ---- interfaces ---- */

/* Soon after boot, while DHCP is still at work: an unreachable network may be reachable in a
 * moment. */
bool address_coming(void);

/* lwIP has something for the loop's idle hook, which comes after this message: frames to send (to
 * ourselves, too), acknowledgements, received buffers that were given back. Cheap. interface.c says
 * it by itself when a frame goes out or a buffer comes back. */
void net_output_pending(void);

/* lwIP's memory is scarce: programs' queues should not grow. memory.c */
bool memory_short(void);
/* shortage.c. At the start, while there is memory: some of each of lwIP's pools. */
void shortage_begin(void);
void shortage_of_memory(void); /* before every receive that might block */

/* Counted per interface since boot. */
struct net_statistics {
    uint64_t received_frames, received_bytes, sent_frames, sent_bytes;
    uint64_t received_dropped; /* damaged, or no memory */
    uint64_t sent_dropped; /* no room in ring and backlog, or no link */
    uint64_t copied; /* received into ordinary memory, since programs held too many frames */
    uint64_t driver_changes, violations;
};

/* Of the lwIP interface; NULL: it has none (loopback). */
struct netif;
const struct net_statistics *net_statistics_of(const struct netif *netif);

/* lwIP's clock: ms since boot. Also the unit of its timers. */
uint32_t sys_now(void);

#endif
