/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames are looked at before lwIP sees them; see guard.h. Only those that come from the wire:
 * what we send to ourselves does not pass here, but for fragments.
 */
#include "servers/net/guard.h"

#include <string.h>

#include <lwip/netif.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/iana.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>

uint64_t guard_counters[GUARD_COUNT];
uint8_t guard_frame_from[ETH_HWADDR_LEN];
const uint8_t *guard_answers_to;

const char *guard_name(unsigned counter)
{
#define GUARD_NAME(name) #name,
    static const char *const names[] = {GUARD_COUNTERS(GUARD_NAME)};
#undef GUARD_NAME

    return counter < GUARD_COUNT ? names[counter] : NULL;
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* In host order. */
static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static bool drop(enum guard_counter why)
{
    guard_count(why);
    return false;
}

/* ---- addresses ---- */

static uint32_t address_of(const struct netif *netif)
{
    return lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(netif)));
}

static uint32_t mask_of(const struct netif *netif)
{
    return lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(netif)));
}

static bool in_network_of(const struct netif *netif, uint32_t address)
{
    return address_of(netif) && ((address ^ address_of(netif)) & mask_of(netif)) == 0;
}

/* The network itself or all of it; of networks that are large enough to have such addresses. */
static bool is_broadcast_of(const struct netif *netif, uint32_t address)
{
    uint32_t host = ~mask_of(netif);

    return in_network_of(netif, address) && host > 1 &&
           ((address & host) == host || (address & host) == 0);
}

static bool is_ours(uint32_t address)
{
    const struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (address && address_of(netif) == address)
            return true;
    }
    return false;
}

/* Another Ethernet card has it in its network, and this one has not. */
static bool is_elsewhere(const struct netif *netif, uint32_t address)
{
    const struct netif *other;

    if (in_network_of(netif, address))
        return false;
    NETIF_FOREACH(other)
    {
        if (other != netif && in_network_of(other, address))
            return true;
    }
    return false;
}

static bool is_loopback(uint32_t address)
{
    return address >> 24 == 127;
}

static bool can_be_source(const struct netif *netif, uint32_t address)
{
    return address >> 24 != 0 && !is_loopback(address) && address < 0xe0000000 &&
           !is_broadcast_of(netif, address) && !is_ours(address);
}

/* A host has its addresses on their cards and nowhere else: the strong model of RFC 1122, 3.3.4.2.
 */
static bool is_for_another_card(const struct netif *netif, uint32_t address)
{
    return is_loopback(address) || (address != address_of(netif) && is_ours(address));
}

/* ---- DHCP ---- */

#define DHCP_OPTIONS 240 /* where they begin */
#define DHCP_COOKIE 0x63825363
enum dhcp_option {
    DHCP_PAD = 0,
    DHCP_MASK = 1,
    DHCP_ROUTER = 3,
    DHCP_LEASE = 51,
    DHCP_OVERLOAD = 52,
    DHCP_TYPE = 53,
    DHCP_SERVER = 54,
    DHCP_RENEW = 58,
    DHCP_REBIND = 59,
    DHCP_END = 255
};
enum dhcp_type { DHCP_TYPE_OFFER = 2, DHCP_TYPE_ACK = 5, DHCP_TYPE_NAK = 6 };

static bool is_mask(uint32_t mask)
{
    return mask != 0 && (~mask & (~mask + 1)) == 0;
}

static bool option_is_sound(enum dhcp_option option, const uint8_t *value, unsigned length)
{
    switch (option) {
    case DHCP_TYPE:
    case DHCP_OVERLOAD:
        return length == 1;
    case DHCP_MASK:
        return length == 4 && is_mask(get32(value));
    case DHCP_LEASE:
        return length == 4 && get32(value) != 0;
    case DHCP_SERVER:
    case DHCP_RENEW:
    case DHCP_REBIND:
        return length == 4;
    case DHCP_ROUTER:
        return length >= 4 && length % 4 == 0;
    default:
        return true;
    }
}

/* All options, in one go; what lwIP takes from the fields "file" and "sname" as well is refused:
 * no server needs that for what we ask. */
static bool options_are_sound(const uint8_t *at, const uint8_t *end, uint8_t *type, bool *mask)
{
    while (at < end && *at != DHCP_END) {
        if (*at == DHCP_PAD) {
            at++;
            continue;
        }
        if (end - at < 2 || end - at - 2 < at[1] || *at == DHCP_OVERLOAD ||
            !option_is_sound(*at, at + 2, at[1]))
            return false;
        if (*at == DHCP_TYPE)
            *type = at[2];
        *mask |= *at == DHCP_MASK;
        at += 2 + at[1];
    }
    return at < end; /* it ends with its end */
}

bool dhcp_is_sound(const uint8_t *message, size_t length)
{
    uint32_t address;
    uint8_t type = 0;
    bool mask = false;

    if (length < DHCP_OPTIONS + 4 || message[0] != 2 /* reply */ ||
        get32(message + DHCP_OPTIONS - 4) != DHCP_COOKIE ||
        !options_are_sound(message + DHCP_OPTIONS, message + length, &type, &mask))
        return false;
    address = get32(message + 16); /* yiaddr */
    if (type == DHCP_TYPE_OFFER || type == DHCP_TYPE_ACK)
        return mask && address >> 24 != 0 && !is_loopback(address) && address < 0xe0000000;
    return type == DHCP_TYPE_NAK;
}

/* ---- fragments ---- */

/* lwIP puts together what fits together: one without a byte at the end makes a chain that it cannot copy, and it dies of
 * that; those that go on behind the longest packet make one of some bytes. */
static bool fragment_is_sound(const uint8_t *ip)
{
    uint32_t header = (ip[0] & 15) * 4u, length = get16(ip + 2), place = get16(ip + 6);
    uint32_t bytes = length > header ? length - header : 0;

    return bytes != 0 && ((place & IP_MF) == 0 || bytes % 8 == 0) &&
           (place & IP_OFFMASK) * 8 + bytes <= UINT16_MAX - IP_HLEN;
}

int guard_fragment(struct pbuf *p)
{
    const uint8_t *ip = p->payload;

    if (p->len < IP_HLEN || (get16(ip + 6) & (IP_MF | IP_OFFMASK)) == 0 || fragment_is_sound(ip))
        return 0;
    guard_count(GUARD_ip_fragment_malformed);
    pbuf_free(p);
    return 1;
}

/* ---- frames ---- */

/* A fragment is not looked into: no DHCP server sends any. */
static bool is_bad_dhcp(const uint8_t *ip, size_t length)
{
    size_t header = (size_t)(ip[0] & 15) * 4, bytes = get16(ip + 2);
    const uint8_t *udp = ip + header;

    if (ip[9] != IP_PROTO_UDP || bytes > length || bytes < header + 8 ||
        get16(udp + 2) != LWIP_IANA_PORT_DHCP_CLIENT)
        return false;
    return (get16(ip + 6) & 0x3fff) != 0 || get16(udp + 4) < 8 || get16(udp + 4) > bytes - header ||
           !dhcp_is_sound(udp + 8, get16(udp + 4) - 8u);
}

static bool guard_ip(struct netif *netif, const uint8_t *ip, size_t length)
{
    uint32_t from, to;

    if (length < IP_HLEN || (ip[0] & 15) < 5 || (size_t)(ip[0] & 15) * 4 > length)
        return drop(GUARD_ip_malformed);
    from = get32(ip + 12);
    to = get32(ip + 16);
    if (!can_be_source(netif, from))
        return drop(GUARD_ip_source_impossible);
    if (is_elsewhere(netif, from))
        return drop(GUARD_ip_source_elsewhere);
    if (is_for_another_card(netif, to))
        return drop(GUARD_ip_destination_elsewhere);
    if (is_bad_dhcp(ip, length))
        return drop(GUARD_dhcp_malformed);
    return true;
}

bool guard_frame(struct netif *netif, const uint8_t *frame, size_t length)
{
    const uint8_t *body = frame + SIZEOF_ETH_HDR;

    if (length < SIZEOF_ETH_HDR)
        return false;
    memcpy(guard_frame_from, frame + ETH_HWADDR_LEN, sizeof guard_frame_from);
    switch (get16(frame + 12)) {
    case ETHTYPE_IP:
        return guard_ip(netif, body, length - SIZEOF_ETH_HDR);
    case ETHTYPE_ARP:
        return guard_arp(netif, body, length - SIZEOF_ETH_HDR);
    default:
        return true;
    }
}
