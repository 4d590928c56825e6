/* SPDX-License-Identifier: BSD-2-Clause */
/* bind, getsockname, getpeername (ip(7)). */
#include <errno.h>

#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "servers/net/socket.h"

#define FIRST_UNPRIVILEGED_PORT 1024

/* An address of ours, or a broadcast address for those who receive datagrams. */
static bool may_bind_to(const struct socket *s, const ip_addr_t *ip)
{
    const struct netif *netif;

    if (ip_addr_isany(ip) || ip_addr_isloopback(ip))
        return true;
    NETIF_FOREACH(netif)
    {
        if (ip_addr_cmp(netif_ip_addr4(netif), ip))
            return true;
        if (s->kind != KIND_TCP && ip_addr_isbroadcast(ip, netif))
            return true;
    }
    return false;
}

static bool ident_in_use(uint16_t ident)
{
    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        const struct socket *s = socket_at(i);

        if (s && s->kind == KIND_PING && s->ident == ident)
            return true;
    }
    return false;
}

static long bind_ping(struct socket *s, const ip_addr_t *ip, uint16_t ident)
{
    if (ident && ident != s->ident && ident_in_use(ident))
        return -EADDRINUSE;
    if (ident)
        s->ident = ident;
    return -error_of(raw_bind(s->raw, ip));
}

static long bind_to(struct socket *s, const ip_addr_t *ip, uint16_t port)
{
    switch (s->kind) {
    case KIND_TCP:
        return -error_of(tcp_bind(s->tcp, ip, port));
    case KIND_UDP:
        return -error_of(udp_bind(s->udp, ip, port));
    case KIND_PING:
        return bind_ping(s, ip, port);
    case KIND_RAW:
        break;
    }
    return -error_of(raw_bind(s->raw, ip));
}

long name_bind(struct socket *s, struct message *m)
{
    const struct socket_address_request *r = message_words(m);
    struct sockaddr_in name;
    ip_addr_t ip;
    uint16_t port;
    long result = name_read(message_caller(m), r->address, r->length, &name);

    if (result)
        return result;
    ip.addr = name.sin_addr.s_addr;
    port = lwip_ntohs(name.sin_port);
    if ((s->bound && s->kind != KIND_RAW) || s->state != STREAM_FRESH)
        return -EINVAL;
    if (!may_bind_to(s, &ip))
        return -EADDRNOTAVAIL;
    if (port && port < FIRST_UNPRIVILEGED_PORT && (s->kind == KIND_TCP || s->kind == KIND_UDP) &&
        !caller_is_root(m))
        return -EACCES;
    result = bind_to(s, &ip, port);
    if (result)
        return result == -ENOBUFS ? -EADDRINUSE : result; /* no port is free */
    s->bound = true;
    if (s->kind == KIND_TCP)
        s->local = name_make(&ip, s->tcp->local_port);
    return 0;
}

/* Of a datagram socket that is connected but bound to no address: the one that packets get. */
static ip_addr_t local_address(const struct socket *s)
{
    const struct netif *netif = NULL;
    ip_addr_t ip = s->ip->local_ip, remote = {s->remote.sin_addr.s_addr};

    if (ip_addr_isany(&ip) && s->peer_known)
        netif = ip_route(&ip, &remote);
    return netif ? *netif_ip_addr4(netif) : ip;
}

long name_get(struct socket *s, struct message *m)
{
    const struct socket_address_request *r = message_words(m);
    struct sockaddr_in name = s->local;
    bool peer = r->peer == 1;

    if (peer && (s->kind == KIND_TCP ? s->state != STREAM_CONNECTED : !s->peer_known))
        return -ENOTCONN;
    if (peer) {
        name = s->remote;
    } else if (s->kind != KIND_TCP) {
        ip_addr_t ip = local_address(s);
        uint16_t port = s->kind == KIND_PING ? s->ident : 0;

        if (s->kind == KIND_UDP)
            port = s->udp->local_port;
        name = name_make(&ip, port);
    }
    return name_write(message_caller(m), r->address, r->length, &name, sizeof name);
}
