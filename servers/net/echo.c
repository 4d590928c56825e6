/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/net/echo.h"

#include <string.h>

#include <lwip/icmp.h>
#include <lwip/inet_chksum.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip.h>

#include "lwipopts.h"

struct question {
    struct icmp_echo_hdr header; /* id and sequence: the number, in halves */
    uint32_t again; /* turned round, so that 64 bits must be right */
};

static void notice_gateway(struct echo *e, const struct netif *netif)
{
    uint32_t gateway = ip4_addr_get_u32(netif_ip4_gw(netif));

    if (e->gateway != gateway)
        *e = (struct echo){.gateway = gateway};
}

bool echo_is_possible(const struct echo *e, const struct netif *netif)
{
    return e->gateway != ip4_addr_get_u32(netif_ip4_gw(netif)) || e->best != 0 ||
           e->tries < ECHO_TRIES;
}

static uint32_t some_number(void)
{
    uint32_t number = random_next();

    return number != 0 ? number : 1;
}

static bool ask_one(uint32_t number, struct netif *netif)
{
    struct pbuf *p = pbuf_alloc(PBUF_IP, (uint16_t)(netif->mtu - IP_HLEN), PBUF_RAM);
    struct question q = {
        .header = {.type = ICMP_ECHO, .id = (uint16_t)number, .seqno = (uint16_t)(number >> 16)},
        .again = ~number};

    bool sent;

    if (!p)
        return false;
    memset(p->payload, 0, p->len); /* (of PBUF_RAM, so in one piece; zeros are nothing to a sum) */
    q.header.chksum = inet_chksum(&q, sizeof q);
    pbuf_take(p, &q, sizeof q);
    sent = ip4_output_if(p, netif_ip4_addr(netif), netif_ip4_gw(netif), ICMP_TTL, 0, IP_PROTO_ICMP,
                         netif) == ERR_OK;
    pbuf_free(p);
    return sent;
}

void echo_ask(struct echo *e, struct netif *netif, uint32_t number)
{
    notice_gateway(e, netif);
    if (number == 0) {
        e->tries++;
        e->answers = e->unsent = 0;
        memset(e->asked, 0, sizeof e->asked);
    }
    e->asked[number] = some_number();
    e->unsent += !ask_one(e->asked[number], netif);
}

static bool is_reply(const struct echo *e, const uint8_t *frame, uint32_t length)
{
    enum { TYPE = 12, PROTOCOL = 9, SOURCE = 12, PLAIN = 0x45 };
    const uint8_t *ip = frame + SIZEOF_ETH_HDR;

    return length >= SIZEOF_ETH_HDR + IP_HLEN + sizeof(struct question) &&
           frame[TYPE] == ETHTYPE_IP >> 8 && frame[TYPE + 1] == (ETHTYPE_IP & 255) &&
           ip[0] == PLAIN && ip[PROTOCOL] == IP_PROTO_ICMP && ip[IP_HLEN] == ICMP_ER &&
           memcmp(ip + SOURCE, &e->gateway, sizeof e->gateway) == 0;
}

void echo_frame(struct echo *e, const uint8_t *frame, uint32_t length)
{
    struct question q;
    uint32_t number;

    if (!is_reply(e, frame, length))
        return;
    memcpy(&q, frame + SIZEOF_ETH_HDR + IP_HLEN, sizeof q);
    number = q.header.id | (uint32_t)q.header.seqno << 16;
    for (unsigned n = 0; n < ECHO_SERIES; n++)
        if (e->asked[n] != 0 && e->asked[n] == number && q.again == ~number) {
            e->asked[n] = 0;
            e->answers++;
        }
    if (e->answers > e->best)
        e->best = e->answers;
}
