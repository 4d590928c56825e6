/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What fs/proc shows in /proc/net: interfaces, routes, neighbours, connections, in Linux's format
 * (proc(5)). The text is made anew for its first piece and kept for the others.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "abi/proto/net.h"
#include "lwip/etharp.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"
#include "servers/net/guard.h"
#include "servers/net/net.h"
#include "servers/net/tables.h"

enum { ROOM = 65536, LINE = 192 };
enum { ROUTE_UP = 1, ROUTE_GATEWAY = 2, ARP_COMPLETE = 2 };

static char text[ROOM];
static size_t length;

/* What does not fit any more is left out. */
static __attribute__((format(printf, 1, 2))) void add(const char *format, ...)
{
    va_list arguments;

    if (length + LINE > ROOM)
        return;
    va_start(arguments, format);
    length += (size_t)vsnprintf(text + length, LINE, format, arguments);
    va_end(arguments);
}

static const char *name_of(const struct netif *netif)
{
    static char name[8];

    snprintf(name, sizeof name, "%c%c", netif->name[0], netif->name[1]);
    return name;
}

static void devices(void)
{
    static const struct net_statistics none;
    const struct netif *netif;

    add("Inter-|   Receive                                                |  Transmit\n");
    add(" face |bytes    packets errs drop fifo frame compressed multicast|"
        "bytes    packets errs drop fifo colls carrier compressed\n");
    NETIF_FOREACH(netif)
    {
        const struct net_statistics *s = net_statistics_of(netif);

        s = s ? s : &none;
        add("%6s: %7llu %7llu 0 %4llu 0 0 0 0 %8llu %7llu 0 %4llu 0 0 0 0\n", name_of(netif),
            (unsigned long long)s->received_bytes, (unsigned long long)s->received_frames,
            (unsigned long long)s->received_dropped, (unsigned long long)s->sent_bytes,
            (unsigned long long)s->sent_frames, (unsigned long long)s->sent_dropped);
    }
}

static void route(const struct netif *netif, uint32_t to, uint32_t gateway, uint32_t mask)
{
    add("%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0\n", name_of(netif), (unsigned)to,
        (unsigned)gateway, (unsigned)(gateway ? ROUTE_UP | ROUTE_GATEWAY : ROUTE_UP),
        (unsigned)mask);
}

static void routes(void)
{
    const struct netif *netif;

    add("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
    if (netif_default && !ip4_addr_isany(netif_ip4_gw(netif_default)))
        route(netif_default, 0, netif_ip4_gw(netif_default)->addr, 0);
    NETIF_FOREACH(netif)
    {
        uint32_t mask = netif_ip4_netmask(netif)->addr;

        if (!ip4_addr_isany(netif_ip4_addr(netif)) && (netif->flags & NETIF_FLAG_ETHARP))
            route(netif, netif_ip4_addr(netif)->addr & mask, 0, mask);
    }
}

static void neighbours(void)
{
    ip4_addr_t *ip;
    struct netif *netif;
    struct eth_addr *mac;

    add("IP address       HW type     Flags       HW address            Mask     Device\n");
    for (size_t i = 0; i < ARP_TABLE_SIZE; i++)
        if (etharp_get_entry(i, &ip, &netif, &mac))
            add("%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
                ip4addr_ntoa(ip), (unsigned)ARP_COMPLETE, mac->addr[0], mac->addr[1], mac->addr[2],
                mac->addr[3], mac->addr[4], mac->addr[5], name_of(netif));
}

static void ends(unsigned n, uint32_t local, unsigned port, uint32_t remote, unsigned remote_port,
                 unsigned state, unsigned queued)
{
    add("%4u: %08X:%04X %08X:%04X %02X %08X:00000000 00:00000000 00000000     0        0 0\n", n,
        (unsigned)local, port, (unsigned)remote, remote_port, state, queued);
}

/* Linux's numbers of lwIP's states. */
static unsigned state_of(enum tcp_state state)
{
    static const uint8_t numbers[] = {
        [CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
        [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
        [CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6,
    };

    return numbers[state];
}

/* Bytes that the peer has not acknowledged, and a FIN: one that goes with data lwIP does not count. */
static uint32_t unacknowledged(const struct tcp_pcb *p)
{
    const struct tcp_seg *const lists[] = {p->unacked, p->unsent};
    uint32_t end = p->snd_lbb;

    for (int i = 0; i < 2; i++)
        for (const struct tcp_seg *seg = lists[i]; seg; seg = seg->next)
            if (TCPH_FLAGS(seg->tcphdr) & TCP_FIN)
                end = lwip_ntohl(seg->tcphdr->seqno) + TCP_TCPLEN(seg);
    return TCP_SEQ_GT(end, p->lastack) ? end - p->lastack : 0;
}

static void tcp_ends(void)
{
    unsigned n = 0;

    add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode\n");
    for (const struct tcp_pcb_listen *p = tcp_listen_pcbs.listen_pcbs; p; p = p->next)
        ends(n++, ip_2_ip4(&p->local_ip)->addr, p->local_port, 0, 0, state_of(LISTEN), 0);
    for (int list = 0; list < 2; list++)
        for (const struct tcp_pcb *p = list ? tcp_tw_pcbs : tcp_active_pcbs; p; p = p->next)
            ends(n++, ip_2_ip4(&p->local_ip)->addr, p->local_port, ip_2_ip4(&p->remote_ip)->addr,
                 p->remote_port, state_of(p->state), unacknowledged(p));
}

static void udp_ends(void)
{
    unsigned n = 0;

    add("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout "
        "inode\n");
    for (const struct udp_pcb *p = udp_pcbs; p; p = p->next)
        ends(n++, ip_2_ip4(&p->local_ip)->addr, p->local_port, ip_2_ip4(&p->remote_ip)->addr,
             p->remote_port, state_of(CLOSED), 0);
}

/* Our own: a line for each kind of thing that was not let in. */
static void guards(void)
{
    const char *name;

    for (unsigned i = 0; (name = guard_name(i)); i++)
        add("%s %llu\n", name, (unsigned long long)guard_counters[i]);
}

long tables_request(struct message *m)
{
    static void (*const tables[NET_TABLES])(void) = {
        [NET_DEVICES] = devices, [NET_ROUTES] = routes, [NET_ARP] = neighbours,
        [NET_TCP] = tcp_ends,    [NET_UDP] = udp_ends,  [NET_GUARD] = guards,
    };
    const struct net_table_request *r = message_words(m);
    size_t n;
    long result;

    if (r->table >= NET_TABLES)
        return -EINVAL;
    if (r->position == 0) {
        length = 0;
        tables[r->table]();
    }
    if (r->position >= length)
        return 0;
    n = length - r->position < r->room ? length - r->position : r->room;
    result = grant_to(message_caller(m), r->grant, 0, text + r->position, n);
    return result < 0 ? result : (long)n;
}
