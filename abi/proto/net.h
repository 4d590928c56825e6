/* SPDX-License-Identifier: BSD-2-Clause */
/* What net tells fs/proc. Sockets are files: abi/proto/file.h. */
#ifndef ABI_PROTO_NET_H
#define ABI_PROTO_NET_H

#include "abi/message.h"

enum net_request {
    /* from fs/proc: a text as in Linux's /proc/net to our grant -> bytes written, 0: the end.
       -EINVAL: no such table. */
    NET_TABLE = PROTOCOL_NET,
};

struct IN_MESSAGE net_table_request {
    uint64_t table; /* enum net_table */
    uint64_t grant, room; /* room: bytes */
    uint64_t position; /* in the text: bytes */
};
MESSAGE_FITS(struct net_table_request);

enum net_table { NET_DEVICES, NET_ROUTES, NET_ARP, NET_TCP, NET_UDP, NET_GUARD, NET_TABLES };
/*
 * Sockets of programs, of each kind. VFS sees to it (servers/vfs/share.c), net has room for them. A user other than root
 * has half at most: 1,100 connections among programs of one's own are 2,200 sockets, and all of that is memory that is
 * taken when it is needed.
 */
#define NET_SOCKETS 5120u
#define NET_TABLE_PIECE 4096 /* bytes that are fetched at once, at most */

#endif
