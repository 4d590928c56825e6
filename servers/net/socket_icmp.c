/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ICMP: what ping sockets send and get, and the errors that others report about our packets (lwIP
 * does not hand those on): "nobody listens there" becomes ECONNREFUSED of the socket that had
 * sent, and ends a connect().
 */
#include <errno.h>
#include <string.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip4.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "servers/net/socket.h"

#define ERROR_BYTES (8 + IP_HLEN_MAX + 8) /* of a message about a packet: all that counts */

static bool is_about(const struct socket *s, const struct icmp_error *e)
{
    if (s->remote.sin_addr.s_addr != e->destination || s->remote.sin_port != e->destination_port)
        return false;
    if (e->protocol == IPPROTO_TCP)
        return s->kind == KIND_TCP && s->state == STREAM_CONNECTING && s->tcp &&
               s->local.sin_port == e->source_port;
    return e->protocol == IPPROTO_UDP && s->kind == KIND_UDP && s->peer_known &&
           s->udp->local_port == lwip_ntohs(e->source_port);
}

static void report(const struct icmp_error *e)
{
    int error = e->type == ICMP_DUR ? unreachable_error(e->code) : 0;

    for (unsigned i = 0; error && i < SOCKETS_MAX; i++) {
        struct socket *s = socket_at(i);

        if (!s || !is_about(s, e))
            continue;
        if (s->kind == KIND_TCP)
            tcp_connect_failed(s, error);
        else
            s->error = error;
        socket_dirty(s);
    }
}

static u8_t watched(void *argument, struct raw_pcb *pcb, struct pbuf *p, const ip_addr_t *from)
{
    uint8_t bytes[ERROR_BYTES];
    uint16_t length, header = ip_current_header_tot_len();
    struct icmp_error e;

    (void)argument;
    (void)pcb;
    (void)from;
    length = pbuf_copy_partial(p, bytes, sizeof bytes, header);
    if (icmp_error_read(bytes, length, &e))
        report(&e);
    return 0; /* for lwIP and raw sockets, too */
}

bool icmp_watch(void)
{
    static struct raw_pcb *watcher;

    if (!watcher && (watcher = raw_new(IP_PROTO_ICMP)))
        raw_recv(watcher, watched, NULL);
    return watcher != NULL;
}

/* ---- ping sockets ---- */

bool ping_fits(const struct socket *s, const struct pbuf *p, uint16_t *header)
{
    struct icmp_echo_hdr echo;

    *header = ip_current_header_tot_len();
    return pbuf_copy_partial(p, &echo, sizeof echo, *header) == sizeof echo &&
           ICMPH_TYPE(&echo) == ICMP_ER && echo.id == lwip_htons(s->ident);
}

long ping_prepare(const struct socket *s, struct pbuf *p)
{
    struct icmp_echo_hdr *echo = p->payload;

    if (p->len < sizeof *echo || ICMPH_TYPE(echo) != ICMP_ECHO || ICMPH_CODE(echo) != 0)
        return -EINVAL;
    echo->id = lwip_htons(s->ident);
    echo->chksum = 0;
    echo->chksum = inet_chksum(echo, p->len);
    return 0;
}
