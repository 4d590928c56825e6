/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams: UDP, and raw sockets (of a given protocol, with the IP header on receiving, as raw(7) says). */
#include <errno.h>
#include <lwip/raw.h>
#include <lwip/udp.h>
#include <stdlib.h>

#include "servers/net/socket.h"

enum { UDP_BYTES_MAX = 65507, RAW_BYTES_MAX = 65515 };

static void queue(struct socket *s, struct pbuf *p, const ip_addr_t *from, uint16_t port)
{
    struct datagram *d = s->in_bytes + p->tot_len <= s->receive_limit ? malloc(sizeof *d) : NULL;

    if (!d) {
        pbuf_free(p);
        return;
    }
    *d = (struct datagram){.p = p, .from = *from, .port = port};
    if (s->last_datagram)
        s->last_datagram->next = d;
    else
        s->datagrams = d;
    s->last_datagram = d;
    s->in_bytes += p->tot_len;
    socket_dirty(s);
}

static void udp_received(void *argument, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
    (void)pcb;
    queue(argument, p, from, port);
}

/* Others get it, too: a copy. */
static u8_t raw_received(void *argument, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, p);

    (void)pcb;
    if (copy)
        queue(argument, copy, from, 0);
    return 0;
}

long datagram_open(struct socket *s)
{
    if (s->type == SOCK_RAW) {
        s->raw = raw_new((u8_t)s->protocol);
        if (s->raw)
            raw_recv(s->raw, raw_received, s);
    } else {
        s->udp = udp_new();
        if (s->udp)
            udp_recv(s->udp, udp_received, s);
    }
    return s->pcb ? 0 : -ENOBUFS;
}

void datagram_close(struct socket *s)
{
    if (s->type == SOCK_RAW)
        raw_remove(s->raw);
    else
        udp_remove(s->udp);
    s->pcb = NULL;
}

long datagram_connect(struct socket *s, const ip_addr_t *address, uint16_t port)
{
    err_t error;

    if (!address) {
        if (s->type == SOCK_RAW)
            raw_disconnect(s->raw);
        else
            udp_disconnect(s->udp);
        s->connected_to = false;
        return 0;
    }
    error = s->type == SOCK_RAW ? raw_connect(s->raw, address) : udp_connect(s->udp, address, port);
    if (error != ERR_OK)
        return -error_of(error);
    s->connected_to = s->bound = true;
    return 0;
}

static long send_packet(struct socket *s, struct pbuf *p, const ip_addr_t *to, uint16_t port)
{
    err_t error;

    if (s->type == SOCK_RAW)
        error = to ? raw_sendto(s->raw, p, to) : raw_send(s->raw, p);
    else
        error = to ? udp_sendto(s->udp, p, to, port) : udp_send(s->udp, p);
    s->bound = true;
    net_output_pending();
    return error == ERR_OK ? 0 : error == ERR_VAL ? -EACCES /* broadcast without leave */ : -error_of(error);
}

long datagram_send(struct socket *s, struct transfer *t)
{
    ip_addr_t to;
    uint16_t port = 0;
    struct pbuf *p;
    long result = 0;

    if (t->length > (s->type == SOCK_RAW ? RAW_BYTES_MAX : UDP_BYTES_MAX))
        return -EMSGSIZE;
    if (t->name)
        result = name_read(t->program, t->name, t->name_length, &to, &port);
    else if (!s->connected_to)
        result = -EDESTADDRREQ;
    if (result)
        return result;
    if (t->name && s->type != SOCK_RAW && !port)
        return -EINVAL;
    p = pbuf_alloc(s->type == SOCK_RAW ? PBUF_IP : PBUF_TRANSPORT, (u16_t)t->length, PBUF_RAM);
    if (!p)
        return -ENOBUFS;
    result = transfer_get(t, p->payload, t->length);
    if (result == 0)
        result = send_packet(s, p, t->name ? &to : NULL, port);
    pbuf_free(p);
    return result ? result : (long)t->length;
}

long datagram_receive(struct socket *s, struct transfer *t)
{
    struct datagram *d = s->datagrams;
    size_t size, n, done = 0;
    struct sockaddr_in from;
    long result = 0;

    if (!d && s->error) {
        result = -s->error;
        s->error = 0;
        return result;
    }
    if (!d)
        return s->read_shut ? 0 : LATER;
    size = d->p->tot_len;
    n = size < t->length ? size : t->length;
    for (struct pbuf *p = d->p; p && done < n && result == 0; p = p->next) {
        size_t part = p->len < n - done ? p->len : n - done;

        result = transfer_put(t, p->payload, part);
        done += part;
    }
    from = name_make(&d->from, d->port);
    if (result == 0)
        result = transfer_finish(t, &from, size > n ? MSG_TRUNC : 0);
    if (!(t->flags & MSG_PEEK)) {
        s->datagrams = d->next;
        if (!d->next)
            s->last_datagram = NULL;
        s->in_bytes -= (uint32_t)size;
        pbuf_free(d->p);
        free(d);
    }
    return result ? result : (long)(t->flags & MSG_TRUNC ? size : n);
}
