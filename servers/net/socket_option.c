/* SPDX-License-Identifier: BSD-2-Clause */
/* getsockopt, setsockopt (socket(7), ip(7), tcp(7)); ioctl (netdevice(7)). */
#define _GNU_SOURCE
#include <errno.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "servers/net/socket.h"

/* ---- options ---- */

union value {
    int number;
    struct timeval time;
    struct linger linger;
};

static struct timeval time_of(uint32_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

/* Of a level SOL_SOCKET option: its size, 0: unknown. */
static size_t get_socket(struct socket *s, int name, union value *v)
{
    switch (name) {
    case SO_ERROR:
        v->number = s->error;
        s->error = 0;
        return sizeof v->number;
    case SO_TYPE:
        v->number = (int)s->type;
        return sizeof v->number;
    case SO_DOMAIN:
        v->number = AF_INET;
        return sizeof v->number;
    case SO_PROTOCOL:
        v->number = s->protocol ? (int)s->protocol : s->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
        return sizeof v->number;
    case SO_ACCEPTCONN:
        v->number = s->state == SOCKET_LISTENING;
        return sizeof v->number;
    case SO_REUSEADDR:
    case SO_REUSEPORT:
        v->number = s->reuse;
        return sizeof v->number;
    case SO_KEEPALIVE:
        v->number = s->keepalive;
        return sizeof v->number;
    case SO_BROADCAST:
        v->number = s->broadcast;
        return sizeof v->number;
    case SO_RCVBUF:
        v->number = (int)s->receive_limit;
        return sizeof v->number;
    case SO_SNDBUF:
        v->number = TCP_SND_BUF;
        return sizeof v->number;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
        v->time = time_of(name == SO_RCVTIMEO ? s->receive_timeout : s->send_timeout);
        return sizeof v->time;
    case SO_LINGER:
        v->linger = (struct linger){s->linger, (int)s->linger_seconds};
        return sizeof v->linger;
    default:
        return 0;
    }
}

static void set_pcb_option(struct socket *s, u8_t option, bool on)
{
    struct ip_pcb *pcb = s->pcb;

    if (!pcb)
        return;
    if (on)
        ip_set_option(pcb, option);
    else
        ip_reset_option(pcb, option);
}

static long set_time(uint32_t *ms, const struct timeval *t)
{
    if (t->tv_sec < 0 || t->tv_usec < 0 || t->tv_usec >= 1000000)
        return -EDOM;
    *ms = t->tv_sec > 1000000 ? 1000000000 : (uint32_t)t->tv_sec * 1000 + (uint32_t)(t->tv_usec + 999) / 1000;
    return 0;
}

static long set_socket(struct socket *s, int name, const union value *v, size_t length)
{
    bool on = v->number;

    if (name == SO_RCVTIMEO || name == SO_SNDTIMEO)
        return length < sizeof v->time ? -EINVAL : set_time(name == SO_RCVTIMEO ? &s->receive_timeout : &s->send_timeout, &v->time);
    switch (name) {
    case SO_REUSEADDR:
    case SO_REUSEPORT:
        s->reuse = on;
        set_pcb_option(s, SOF_REUSEADDR, on);
        return 0;
    case SO_KEEPALIVE:
        s->keepalive = on;
        set_pcb_option(s, SOF_KEEPALIVE, on);
        return 0;
    case SO_BROADCAST:
        s->broadcast = on;
        set_pcb_option(s, SOF_BROADCAST, on);
        return 0;
    case SO_LINGER:
        if (length < sizeof v->linger)
            return -EINVAL;
        s->linger = v->linger.l_onoff;
        s->linger_seconds = (uint32_t)v->linger.l_linger;
        return 0;
    case SO_RCVBUF: /* as Linux: twice of what is asked for, within limits */
        if (v->number < 0)
            return -EINVAL;
        s->receive_limit = v->number > 2 << 20 ? 4u << 20 : v->number < 1152 ? 2304 : (uint32_t)v->number * 2;
        return 0;
    case SO_SNDBUF:
    case SO_PRIORITY:
    case SO_OOBINLINE:
    case SO_RCVLOWAT:
        return 0; /* as it is */
    default:
        return -ENOPROTOOPT;
    }
}

static size_t get_tcp(struct socket *s, int name, int *value)
{
    const struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? NULL : s->tcp;

    switch (name) {
    case TCP_NODELAY:
        *value = pcb && tcp_nagle_disabled(pcb);
        return sizeof *value;
    case TCP_MAXSEG:
        *value = pcb ? pcb->mss : TCP_MSS;
        return sizeof *value;
    case TCP_KEEPIDLE:
        *value = pcb ? (int)(pcb->keep_idle / 1000) : 0;
        return sizeof *value;
    case TCP_KEEPINTVL:
        *value = pcb ? (int)(pcb->keep_intvl / 1000) : 0;
        return sizeof *value;
    case TCP_KEEPCNT:
        *value = pcb ? (int)pcb->keep_cnt : 0;
        return sizeof *value;
    case TCP_CORK:
        *value = 0;
        return sizeof *value;
    default:
        return 0;
    }
}

static long set_tcp(struct socket *s, int name, int value)
{
    struct tcp_pcb *pcb = s->state == SOCKET_LISTENING ? NULL : s->tcp;

    if (name == TCP_CORK || name == TCP_QUICKACK || name == TCP_DEFER_ACCEPT || name == TCP_USER_TIMEOUT || name == TCP_MAXSEG)
        return 0;
    if (name != TCP_NODELAY && name != TCP_KEEPIDLE && name != TCP_KEEPINTVL && name != TCP_KEEPCNT)
        return -ENOPROTOOPT;
    if (name != TCP_NODELAY && (value < 1 || value > 32767))
        return -EINVAL;
    if (!pcb)
        return 0;
    if (name == TCP_KEEPIDLE)
        pcb->keep_idle = (u32_t)value * 1000;
    else if (name == TCP_KEEPINTVL)
        pcb->keep_intvl = (u32_t)value * 1000;
    else if (name == TCP_KEEPCNT)
        pcb->keep_cnt = (u32_t)value;
    else if (value)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
    return 0;
}

static size_t get_ip(struct socket *s, int name, int *value)
{
    const struct ip_pcb *pcb = s->pcb;

    if (name != IP_TOS && name != IP_TTL)
        return 0;
    *value = !pcb ? 0 : name == IP_TOS ? pcb->tos : pcb->ttl;
    return sizeof *value;
}

static long set_ip(struct socket *s, int name, int value)
{
    struct ip_pcb *pcb = s->pcb;

    if (name == IP_RECVERR || name == IP_MTU_DISCOVER || name == IP_PKTINFO || name == IP_RECVTTL || name == IP_OPTIONS)
        return 0;
    if (name != IP_TOS && name != IP_TTL)
        return -ENOPROTOOPT;
    if (value < (name == IP_TTL ? 1 : 0) || value > 255)
        return -EINVAL;
    if (!pcb)
        return 0;
    if (name == IP_TOS)
        pcb->tos = (u8_t)value;
    else
        pcb->ttl = (u8_t)value;
    return 0;
}

long option_get(struct socket *s, struct message *m)
{
    union value v = {0};
    int name = (int)m->w[2];
    uint32_t room, size;
    endpoint_t who = message_caller(m);

    if (copy_from(who, m->w[4], &room, sizeof room) < 0)
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    size = (uint32_t)(m->w[1] == SOL_SOCKET                                 ? get_socket(s, name, &v)
                      : m->w[1] == IPPROTO_TCP && s->type == SOCK_STREAM ? get_tcp(s, name, &v.number)
                      : m->w[1] == IPPROTO_IP                            ? get_ip(s, name, &v.number)
                                                                         : 0);
    if (!size)
        return -ENOPROTOOPT;
    size = size < room ? size : room;
    if (copy_to(who, m->w[3], &v, size) < 0 || copy_to(who, m->w[4], &size, sizeof size) < 0)
        return -EFAULT;
    return 0;
}

long option_set(struct socket *s, struct message *m)
{
    union value v = {0};
    size_t length = m->w[4] < sizeof v ? m->w[4] : sizeof v;
    int name = (int)m->w[2];

    if (length < sizeof v.number && !(m->w[1] == IPPROTO_IP && length == 1))
        return -EINVAL;
    if (copy_from(message_caller(m), m->w[3], &v, length) < 0)
        return -EFAULT;
    if (m->w[1] == SOL_SOCKET)
        return set_socket(s, name, &v, length);
    if (m->w[1] == IPPROTO_TCP && s->type == SOCK_STREAM)
        return set_tcp(s, name, v.number);
    return m->w[1] == IPPROTO_IP ? set_ip(s, name, v.number) : -ENOPROTOOPT;
}

/* ---- ioctl: what ifconfig and route ask ---- */

static void name_of(const struct netif *netif, char name[IFNAMSIZ])
{
    memset(name, 0, IFNAMSIZ);
    memcpy(name, netif->name, sizeof netif->name); /* "lo"; "e0", "e1"... */
}

static struct netif *named(const char *name)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        char own[IFNAMSIZ];

        name_of(netif, own);
        if (strncmp(own, name, IFNAMSIZ) == 0)
            return netif;
    }
    return NULL;
}

static long list_interfaces(endpoint_t who, uint64_t address)
{
    struct ifconf list;
    struct netif *netif;
    int done = 0;

    if (copy_from(who, address, &list, sizeof list) < 0)
        return -EFAULT;
    NETIF_FOREACH(netif)
    {
        struct ifreq one = {0};
        struct sockaddr_in name = name_make(netif_ip_addr4(netif), 0);

        name_of(netif, one.ifr_name);
        memcpy(&one.ifr_addr, &name, sizeof name);
        if (list.ifc_buf) {
            if (list.ifc_len - done < (int)sizeof one)
                break;
            if (copy_to(who, (uint64_t)list.ifc_buf + (uint64_t)done, &one, sizeof one) < 0)
                return -EFAULT;
        }
        done += (int)sizeof one;
    }
    list.ifc_len = done;
    return copy_to(who, address, &list, sizeof list) < 0 ? -EFAULT : 0;
}

static void put_address(struct ifreq *r, const ip4_addr_t *ip)
{
    struct sockaddr_in name = {.sin_family = AF_INET};

    name.sin_addr.s_addr = ip->addr;
    memcpy(&r->ifr_addr, &name, sizeof name);
}

static void put_broadcast(struct ifreq *r, const struct netif *netif)
{
    ip4_addr_t ip = {netif_ip4_addr(netif)->addr | ~netif_ip4_netmask(netif)->addr};

    put_address(r, &ip);
}

static short flags_of(const struct netif *netif)
{
    bool lo = netif->name[0] == 'l';

    return (short)((netif_is_up(netif) ? IFF_UP : 0) | (netif_is_link_up(netif) || lo ? IFF_RUNNING : 0) |
                   (lo ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST));
}

static long about(struct netif *netif, unsigned long request, struct ifreq *r)
{
    switch (request) {
    case SIOCGIFADDR:
        put_address(r, netif_ip4_addr(netif));
        return 0;
    case SIOCGIFNETMASK:
        put_address(r, netif_ip4_netmask(netif));
        return 0;
    case SIOCGIFBRDADDR:
        put_broadcast(r, netif);
        return 0;
    case SIOCGIFDSTADDR:
        put_address(r, netif_ip4_addr(netif));
        return 0;
    case SIOCGIFFLAGS:
        r->ifr_flags = flags_of(netif);
        return 0;
    case SIOCGIFMTU:
        r->ifr_mtu = netif->mtu ? netif->mtu : 65535;
        return 0;
    case SIOCGIFMETRIC:
        r->ifr_metric = 0;
        return 0;
    case SIOCGIFINDEX:
        r->ifr_ifindex = netif_get_index(netif);
        return 0;
    case SIOCGIFHWADDR:
        r->ifr_hwaddr.sa_family = netif->hwaddr_len ? 1 /* ARPHRD_ETHER */ : 772 /* ARPHRD_LOOPBACK */;
        memcpy(r->ifr_hwaddr.sa_data, netif->hwaddr, netif->hwaddr_len);
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

static bool is_interface_request(unsigned long request)
{
    return request >= SIOCGIFNAME && request <= SIOCSIFHWBROADCAST;
}

long socket_ioctl(struct socket *s, struct message *m)
{
    endpoint_t who = message_caller(m);
    unsigned long request = m->w[1];
    struct netif *netif;
    struct ifreq r;
    long result;

    if (request == FIONREAD) {
        int n = s->type == SOCK_STREAM ? (int)s->in_bytes : s->datagrams ? s->datagrams->p->tot_len : 0;

        return copy_to(who, m->w[2], &n, sizeof n) < 0 ? -EFAULT : 0;
    }
    if (request == SIOCGIFCONF)
        return list_interfaces(who, m->w[2]);
    if (!is_interface_request(request))
        return -ENOTTY;
    if (copy_from(who, m->w[2], &r, sizeof r) < 0)
        return -EFAULT;
    netif = request == SIOCGIFNAME ? netif_get_by_index((u8_t)r.ifr_ifindex) : named(r.ifr_name);
    if (!netif)
        return -ENODEV;
    if (request == SIOCGIFNAME) {
        name_of(netif, r.ifr_name);
        result = 0;
    } else {
        result = about(netif, request, &r);
    }
    return result ? result : copy_to(who, m->w[2], &r, sizeof r) < 0 ? -EFAULT : 0;
}
