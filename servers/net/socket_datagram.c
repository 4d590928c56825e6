/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams: UDP; raw sockets of a protocol, which get the IP header with each packet (raw(7));
 * ping sockets, SOCK_DGRAM of ICMP, for echo requests and their replies (icmp(7)).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include <lwip/raw.h>
#include <lwip/udp.h>

#include "servers/net/kept.h"
#include "servers/net/socket.h"

enum { UDP_BYTES_MAX = 65507, RAW_BYTES_MAX = 65515 };

/* ---- what comes in ---- */

static uint32_t cost(const struct pbuf *p)
{
    return p->tot_len + DATAGRAM_ALLOWANCE;
}

void datagram_queue(struct socket *s, struct pbuf *p, const struct sockaddr_in *from)
{
    bool fits = !s->read_shut && !memory_short() && s->in_bytes + cost(p) <= s->receive_limit;
    struct datagram *d = fits ? malloc(sizeof *d) : NULL;

    if (!d) {
        pbuf_free(p);
        return;
    }
    *d = (struct datagram){.p = p, .from = *from};
    kept_make(p);
    if (s->last_datagram)
        s->last_datagram->next = d;
    else
        s->datagrams = d;
    s->last_datagram = d;
    s->in_bytes += cost(p);
    socket_dirty(s);
}

static void udp_received(void *argument, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *ip,
                         u16_t port)
{
    struct sockaddr_in from = name_make(ip, port);

    (void)pcb;
    datagram_queue(argument, p, &from);
}

/* lwIP and other sockets see the packet, too: this one gets a copy. */
static u8_t raw_received(void *argument, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *ip)
{
    struct socket *s = argument;
    struct sockaddr_in from = name_make(ip, 0);
    uint16_t header = 0;
    struct pbuf *copy;

    (void)pcb;
    if (s->kind == KIND_PING && !ping_fits(s, p, &header))
        return 0;
    copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
    if (!copy)
        return 0;
    pbuf_remove_header(copy, header);
    datagram_queue(s, copy, &from);
    return 0;
}

/* ---- life ---- */

long datagram_open(struct socket *s)
{
    if (s->kind == KIND_UDP) {
        s->udp = udp_new();
        if (s->udp)
            udp_recv(s->udp, udp_received, s);
    } else {
        s->raw = raw_new((u8_t)s->protocol);
        if (s->raw)
            raw_recv(s->raw, raw_received, s);
        if (s->raw && s->protocol == IPPROTO_RAW)
            raw_set_flags(s->raw, RAW_FLAGS_HDRINCL);
    }
    return s->ip ? 0 : -ENOBUFS;
}

void datagram_end(struct socket *s)
{
    if (s->kind == KIND_UDP)
        udp_remove(s->udp);
    else
        raw_remove(s->raw);
    s->ip = NULL;
}

static void disconnect(struct socket *s)
{
    if (s->kind == KIND_UDP)
        udp_disconnect(s->udp);
    else
        raw_disconnect(s->raw);
    s->peer_known = false;
}

long datagram_connect(struct socket *s, const struct sockaddr_in *to)
{
    ip_addr_t ip;
    err_t error;

    if (!to) {
        disconnect(s);
        return 0;
    }
    ip = name_destination(to);
    if (!ip_route(&s->ip->local_ip, &ip))
        return -ENETUNREACH;
    error = s->kind == KIND_UDP ? udp_connect(s->udp, &ip, lwip_ntohs(to->sin_port))
                                : raw_connect(s->raw, &ip);
    if (error != ERR_OK)
        return error == ERR_BUF || error == ERR_USE ? -EAGAIN : -error_of(error);
    s->remote = name_make(&ip, s->kind == KIND_UDP ? lwip_ntohs(to->sin_port) : 0);
    s->peer_known = s->bound = true;
    s->error = 0;
    return 0;
}

/* ---- what goes out ---- */

static long send_packet(struct socket *s, struct pbuf *p, const struct sockaddr_in *to)
{
    ip_addr_t ip = to ? name_destination(to) : *IP_ADDR_ANY;
    err_t error;

    if (s->kind == KIND_UDP)
        error = to ? udp_sendto(s->udp, p, &ip, lwip_ntohs(to->sin_port)) : udp_send(s->udp, p);
    else
        error = to ? raw_sendto(s->raw, p, &ip) : raw_send(s->raw, p);
    net_output_pending();
    if (s->kind == KIND_UDP && s->udp->local_port)
        s->bound = true;
    return error == ERR_VAL ? -EACCES /* broadcast without leave */ : -error_of(error);
}

/* The destination: *to is set or NULL for the peer of connect(). */
static long destination(const struct socket *s, const struct transfer *t, struct sockaddr_in *name,
                        const struct sockaddr_in **to)
{
    long result;

    *to = NULL;
    if (!t->name || !t->name_length)
        return s->peer_known ? 0 : -EDESTADDRREQ;
    result = name_read(t->program, t->name, t->name_length, name);
    if (result)
        return result;
    *to = name;
    return s->kind == KIND_UDP && !name->sin_port ? -EINVAL : 0;
}

static struct pbuf *fetch(const struct socket *s, struct transfer *t, long *result)
{
    struct pbuf *p =
        pbuf_alloc(s->kind == KIND_UDP ? PBUF_TRANSPORT : PBUF_IP, (u16_t)t->length, PBUF_RAM);

    *result = p ? transfer_get(t, p->payload, t->length) : -ENOBUFS;
    if (*result == 0 && s->kind == KIND_PING)
        *result = ping_prepare(s, p);
    if (*result == 0 || !p)
        return p;
    pbuf_free(p);
    return NULL;
}

long datagram_send(struct socket *s, struct transfer *t)
{
    struct sockaddr_in name;
    const struct sockaddr_in *to;
    struct pbuf *p;
    long result;

    if (s->error) {
        result = -s->error;
        s->error = 0;
        return result;
    }
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (s->write_shut)
        return -EPIPE;
    if (t->length > (s->kind == KIND_UDP ? UDP_BYTES_MAX : RAW_BYTES_MAX))
        return -EMSGSIZE;
    result = destination(s, t, &name, &to);
    if (result)
        return result;
    p = fetch(s, t, &result);
    if (!p)
        return result;
    result = send_packet(s, p, to);
    pbuf_free(p);
    return result ? result : (long)t->length;
}

/* ---- what the program gets ---- */

static long copy_out(const struct datagram *d, struct transfer *t, size_t n)
{
    long result = 0;

    for (const struct pbuf *p = d->p; p && n && result == 0; p = p->next) {
        size_t part = p->len < n ? p->len : n;

        result = transfer_put(t, p->payload, part);
        n -= part;
    }
    return result;
}

static void drop_first(struct socket *s)
{
    struct datagram *d = s->datagrams;

    s->datagrams = d->next;
    if (!d->next)
        s->last_datagram = NULL;
    s->in_bytes -= cost(d->p);
    pbuf_free(d->p);
    free(d);
}

long datagram_receive(struct socket *s, struct transfer *t)
{
    const struct datagram *d;
    size_t size, n;
    long result;

    if (t->flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (s->error) {
        result = -s->error;
        s->error = 0;
        return result;
    }
    while (s->datagrams && !kept_all_hold(s->datagrams->p))
        drop_first(s); /* as good as lost on its way */
    if (!(d = s->datagrams))
        return s->read_shut ? 0 : LATER;
    size = d->p->tot_len;
    n = size < t->length ? size : t->length;
    result = copy_out(d, t, n);
    if (result == 0)
        result = transfer_finish(t, &d->from, size > n ? MSG_TRUNC : 0);
    if (result == -EDEADSRCDST)
        return result;
    if (!(t->flags & MSG_PEEK))
        drop_first(s);
    if (result)
        return result;
    return (long)(t->flags & MSG_TRUNC ? size : n);
}
