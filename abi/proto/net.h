/* SPDX-License-Identifier: BSD-2-Clause */
/* What net tells fs/proc. Sockets are files: abi/proto/file.h. */
#ifndef ABI_PROTO_NET_H
#define ABI_PROTO_NET_H

#include "abi/message.h"

enum net_request {
    /* from fs/proc: w[0] enum net_table, w[1] our grant, w[2] its bytes, w[3] position in the text
       -> bytes written, 0: the end. The text is as in Linux's /proc/net. -EINVAL: no such table. */
    NET_TABLE = PROTOCOL_NET,
};

enum net_table { NET_DEVICES, NET_ROUTES, NET_ARP, NET_TCP, NET_UDP, NET_GUARD, NET_TABLES };
#define NET_TABLE_PIECE 4096 /* bytes that are fetched at once, at most */

#endif
