/* SPDX-License-Identifier: BSD-2-Clause */
/* ioctl: bytes that wait (socket(7)), interfaces as ifconfig asks for them (netdevice(7)). */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include <lwip/netif.h>
#include <lwip/tcp.h>

#include "servers/net/socket.h"

#define LOOPBACK_MTU 65536
#define TRANSMIT_QUEUE 1000 /* what Linux says for Ethernet */

/* "lo"; "e0", "e1"... */
static void name_of(const struct netif *netif, char name[IFNAMSIZ])
{
    memset(name, 0, IFNAMSIZ);
    memcpy(name, netif->name, sizeof netif->name);
}

struct netif *netif_named(const char *name)
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

static bool is_loopback(const struct netif *netif)
{
    return netif->hwaddr_len == 0;
}

/* ---- SIOCGIFCONF ---- */

static long list_interfaces(endpoint_t who, uint64_t address)
{
    struct ifconf list;
    struct netif *netif;
    int done = 0;
    long result = copy_from(who, address, &list, sizeof list);

    if (result < 0)
        return copy_error(result);
    NETIF_FOREACH(netif)
    {
        struct ifreq one = {0};
        struct sockaddr_in name = name_make(netif_ip_addr4(netif), 0);

        name_of(netif, one.ifr_name);
        memcpy(&one.ifr_addr, &name, sizeof name);
        if (list.ifc_buf) {
            if (list.ifc_len - done < (int)sizeof one)
                break;
            result = copy_to(who, (uint64_t)list.ifc_buf + (uint64_t)done, &one, sizeof one);
            if (result < 0)
                return copy_error(result);
        }
        done += (int)sizeof one;
    }
    list.ifc_len = done;
    return copy_error(copy_to(who, address, &list, sizeof list));
}

/* ---- requests about one interface ---- */

static void put_address(struct ifreq *r, uint32_t ip)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = ip};

    memcpy(&r->ifr_addr, &name, sizeof name);
}

static void get_address(const struct netif *netif, struct ifreq *r)
{
    put_address(r, netif_ip4_addr(netif)->addr);
}

static void get_netmask(const struct netif *netif, struct ifreq *r)
{
    put_address(r, netif_ip4_netmask(netif)->addr);
}

static void get_broadcast(const struct netif *netif, struct ifreq *r)
{
    put_address(
        r, is_loopback(netif) ? 0 : netif_ip4_addr(netif)->addr | ~netif_ip4_netmask(netif)->addr);
}

static void get_flags(const struct netif *netif, struct ifreq *r)
{
    int flags = is_loopback(netif) ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST;

    if (netif_is_up(netif))
        flags |= IFF_UP;
    if (netif_is_link_up(netif) || is_loopback(netif))
        flags |= IFF_RUNNING;
    r->ifr_flags = (short)flags;
}

static void get_mtu(const struct netif *netif, struct ifreq *r)
{
    r->ifr_mtu = netif->mtu ? netif->mtu : LOOPBACK_MTU;
}

static void get_metric(const struct netif *netif, struct ifreq *r)
{
    (void)netif;
    r->ifr_metric = 0;
}

static void get_index(const struct netif *netif, struct ifreq *r)
{
    r->ifr_ifindex = netif_get_index(netif);
}

static void get_queue_length(const struct netif *netif, struct ifreq *r)
{
    r->ifr_qlen = is_loopback(netif) ? 0 : TRANSMIT_QUEUE;
}

static void get_hardware(const struct netif *netif, struct ifreq *r)
{
    memset(&r->ifr_hwaddr, 0, sizeof r->ifr_hwaddr);
    r->ifr_hwaddr.sa_family = is_loopback(netif) ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
    memcpy(r->ifr_hwaddr.sa_data, netif->hwaddr, netif->hwaddr_len);
}

static const struct {
    uint32_t request;
    void (*get)(const struct netif *netif, struct ifreq *r);
} requests[] = {
    {SIOCGIFADDR, get_address},      {SIOCGIFDSTADDR, get_address},
    {SIOCGIFNETMASK, get_netmask},   {SIOCGIFFLAGS, get_flags},
    {SIOCGIFBRDADDR, get_broadcast}, {SIOCGIFMTU, get_mtu},
    {SIOCGIFMETRIC, get_metric},     {SIOCGIFINDEX, get_index},
    {SIOCGIFHWADDR, get_hardware},   {SIOCGIFTXQLEN, get_queue_length},
};

/* 0; -ENODEV; -ENOTTY: not about interfaces; -EOPNOTSUPP: addresses are DHCP's and the boot
 * command line's business. */
static long about_interface(uint32_t request, struct ifreq *r)
{
    const struct netif *netif;

    if (request == SIOCGIFNAME) {
        netif = r->ifr_ifindex > 0 && r->ifr_ifindex <= UINT8_MAX
                    ? netif_get_by_index((u8_t)r->ifr_ifindex)
                    : NULL;
        if (netif)
            name_of(netif, r->ifr_name);
        return netif ? 0 : -ENODEV;
    }
    netif = netif_named(r->ifr_name);
    if (!netif)
        return -ENODEV;
    if (request == SIOCGIFADDR && ip4_addr_isany(netif_ip4_addr(netif)))
        return -EADDRNOTAVAIL;
    for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++)
        if (requests[i].request == request) {
            requests[i].get(netif, r);
            return 0;
        }
    return -EOPNOTSUPP;
}

/* ---- bytes ---- */

static int bytes_in(const struct socket *s)
{
    if (s->kind == KIND_TCP)
        return (int)s->in_bytes;
    return s->datagrams ? s->datagrams->p->tot_len : 0;
}

static int bytes_out(const struct socket *s)
{
    return s->kind == KIND_TCP && s->tcp && s->state == STREAM_CONNECTED
               ? (int)(TCP_SND_BUF - s->tcp->snd_buf)
               : 0;
}

long socket_ioctl(struct socket *s, struct message *m)
{
    endpoint_t who = message_caller(m);
    const struct file_ioctl_request *asked = message_words(m);
    uint32_t request = (uint32_t)asked->request;
    struct ifreq r;
    long result;
    int n;

    if (request == FIONREAD || request == TIOCOUTQ) {
        if (s->state == STREAM_LISTENING)
            return -EINVAL;
        n = request == FIONREAD ? bytes_in(s) : bytes_out(s);
        return copy_error(copy_to(who, asked->argument, &n, sizeof n));
    }
    if (request == SIOCGIFCONF)
        return list_interfaces(who, asked->argument);
    if (request < SIOCGIFNAME || request > SIOCSIFTXQLEN)
        return -ENOTTY;
    result = copy_from(who, asked->argument, &r, sizeof r);
    if (result < 0)
        return copy_error(result);
    result = about_interface(request, &r);
    return result ? result : copy_error(copy_to(who, asked->argument, &r, sizeof r));
}
