/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses (ip(7)): struct sockaddr_in from and to programs; bind, getsockname, getpeername. What is ready: poll(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>
#include <poll.h>

#include "servers/net/socket.h"

long name_read(endpoint_t program, uint64_t address, uint64_t length, ip_addr_t *ip, uint16_t *port)
{
    struct sockaddr_in name;

    if (length < sizeof name)
        return -EINVAL;
    if (copy_from(program, address, &name, sizeof name) < 0)
        return -EFAULT;
    if (name.sin_family != AF_INET)
        return -EAFNOSUPPORT;
    ip->addr = name.sin_addr.s_addr;
    *port = lwip_ntohs(name.sin_port);
    return 0;
}

struct sockaddr_in name_make(const ip_addr_t *ip, uint16_t port)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = lwip_htons(port)};

    name.sin_addr.s_addr = ip->addr;
    return name;
}

long name_write(endpoint_t program, uint64_t address, uint64_t address_of_length, const struct sockaddr_in *name)
{
    uint32_t room, size = sizeof *name;

    if (copy_from(program, address_of_length, &room, sizeof room) < 0)
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (copy_to(program, address, name, room < size ? room : size) < 0)
        return -EFAULT;
    return copy_to(program, address_of_length, &size, sizeof size) < 0 ? -EFAULT : 0;
}

static bool is_ours(const ip_addr_t *ip)
{
    const struct netif *netif;

    if (ip_addr_isany(ip) || ip_addr_isloopback(ip) || ip_addr_isbroadcast(ip, netif_default))
        return true;
    NETIF_FOREACH(netif)
    {
        if (ip_addr_cmp(netif_ip_addr4(netif), ip))
            return true;
    }
    return false;
}

long name_bind(struct socket *s, struct message *m)
{
    ip_addr_t ip;
    uint16_t port;
    err_t error;
    long result = name_read(message_caller(m), m->w[1], m->w[2], &ip, &port);

    if (result)
        return result;
    if ((s->bound && s->type != SOCK_RAW) || s->state != SOCKET_FRESH)
        return -EINVAL;
    if (!is_ours(&ip))
        return -EADDRNOTAVAIL;
    error = s->type == SOCK_STREAM ? tcp_bind(s->tcp, &ip, port)
            : s->type == SOCK_RAW  ? raw_bind(s->raw, &ip)
                                   : udp_bind(s->udp, &ip, port);
    if (error != ERR_OK)
        return -error_of(error);
    s->bound = true;
    return 0;
}

long name_get(struct socket *s, struct message *m)
{
    bool peer = m->w[3] == 1;
    ip_addr_t none = {0};
    struct sockaddr_in name = name_make(&none, 0);

    if (peer && (s->type == SOCK_STREAM ? s->state != SOCKET_CONNECTED : !s->connected_to))
        return -ENOTCONN;
    if (s->type == SOCK_STREAM && s->state == SOCKET_LISTENING && s->tcp) {
        const struct tcp_pcb_listen *listener = (const struct tcp_pcb_listen *)s->tcp;

        name = name_make(&listener->local_ip, listener->local_port);
    } else if (s->type == SOCK_STREAM && s->tcp) {
        name = peer ? name_make(&s->tcp->remote_ip, s->tcp->remote_port) : name_make(&s->tcp->local_ip, s->tcp->local_port);
    } else if (s->type == SOCK_DGRAM) {
        name = peer ? name_make(&s->udp->remote_ip, s->udp->remote_port) : name_make(&s->udp->local_ip, s->udp->local_port);
    } else if (s->type == SOCK_RAW) {
        name = peer ? name_make(&s->raw->remote_ip, 0) : name_make(&s->raw->local_ip, 0);
    }
    return name_write(message_caller(m), m->w[1], m->w[2], &name);
}

static uint32_t stream_mask(const struct socket *s)
{
    uint32_t mask = 0;

    switch (s->state) {
    case SOCKET_FRESH:
        return POLLOUT | POLLHUP;
    case SOCKET_LISTENING:
        return s->accepted ? POLLIN | POLLRDNORM : 0;
    case SOCKET_CONNECTING:
        return 0;
    case SOCKET_DEAD:
        return POLLIN | POLLRDNORM | POLLOUT | POLLHUP | POLLRDHUP | (s->error ? POLLERR : 0);
    case SOCKET_CONNECTED:
        break;
    }
    if (s->in || s->peer_closed || s->read_shut)
        mask |= POLLIN | POLLRDNORM;
    if (s->peer_closed || s->read_shut)
        mask |= POLLRDHUP;
    if (s->peer_closed && s->write_shut)
        mask |= POLLHUP;
    if (s->write_shut || (s->tcp && tcp_sndbuf(s->tcp) > TCP_SNDLOWAT && tcp_sndqueuelen(s->tcp) < TCP_SNDQUEUELOWAT))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

uint32_t socket_poll_mask(const struct socket *s)
{
    if (s->type == SOCK_STREAM)
        return stream_mask(s);
    return POLLOUT | POLLWRNORM | (s->datagrams || s->read_shut ? POLLIN | POLLRDNORM : 0) | (s->error ? POLLERR : 0);
}
