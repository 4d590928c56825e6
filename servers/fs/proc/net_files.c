/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/net: net writes the text. */
#include "abi/proto/net.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"
#include "servers/fs/proc/files.h"

#define DEADLINE_NS 1000000000ull /* net answers at once, or is not there */

static void write_table(struct text *t, enum net_table table)
{
    static char piece[NET_TABLE_PIECE];
    endpoint_t net = service_retrieve("net");
    long grant = net ? grant_make(net, piece, sizeof piece, GRANT_WRITE) : -1, n;
    uint64_t position = 0;

    if (grant < 0)
        return;
    do {
        struct message m =
            message_of(NET_TABLE, (struct net_table_request){.table = table,
                                                             .grant = (uint64_t)grant,
                                                             .room = sizeof piece,
                                                             .position = position});

        n = ipc_call_deadline(net, &m, DEADLINE_NS);
        if (n > 0 && n <= (long)sizeof piece)
            text_add_bytes(t, piece, (size_t)n);
        position += n > 0 ? (uint64_t)n : 0;
    } while (n > 0 && n <= (long)sizeof piece);
    grant_revoke(grant);
}

void write_net_dev(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_DEVICES);
}

void write_net_route(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_ROUTES);
}

void write_net_arp(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_ARP);
}

void write_net_tcp(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_TCP);
}

void write_net_udp(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_UDP);
}

void write_net_guard(struct text *t, const struct process *p)
{
    (void)p;
    write_table(t, NET_GUARD);
}

void write_net_none(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "  sl  local_address remote_address st tx_queue rx_queue\n");
}
