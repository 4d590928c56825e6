/* SPDX-License-Identifier: BSD-2-Clause */
/* A bit flips in net's memory: in data that wait there. */
#include <lwip/priv/tcp_priv.h>

#include "servers/net/socket.h"
#include "tests/net_host/host.h"

static bool flip_in(struct pbuf *p, size_t skip)
{
    for (; p; p = p->next) {
        if (skip < p->len) {
            ((uint8_t *)p->payload)[skip] ^= 0x10;
            return true;
        }
        skip -= p->len;
    }
    return false;
}

static struct tcp_pcb *connection_of(uint16_t peer_port)
{
    struct tcp_pcb *pcb = tcp_active_pcbs;

    while (pcb && pcb->remote_port != peer_port)
        pcb = pcb->next;
    return pcb;
}

uint64_t host_node_of(uint16_t peer_port)
{
    const struct tcp_pcb *pcb = connection_of(peer_port);

    return pcb ? ((const struct socket *)pcb->callback_arg)->node : 0;
}

bool host_flip_waiting(uint64_t node, size_t at)
{
    struct socket *s = socket_of(node);

    if (!s)
        return false;
    if (s->kind == KIND_TCP)
        return flip_in(s->in, at);
    return s->datagrams && flip_in(s->datagrams->p, at);
}

bool host_flip_sent(uint16_t peer_port, size_t at)
{
    const struct tcp_pcb *pcb = connection_of(peer_port);
    const struct tcp_seg *seg = pcb ? pcb->unacked : NULL;

    if (!seg || at >= seg->len)
        return false;
    ((uint8_t *)seg->tcphdr)[TCPH_HDRLEN_BYTES(seg->tcphdr) + at] ^= 0x10;
    return true;
}
