/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARP believes everybody. We believe whom we have asked: an answer counts for some seconds after
 * our question. Who asks for us may say where he is, as long as nobody else is known there. That an
 * address we know has moved is believed when whoever had it does not answer any more: its first
 * such claim makes us ask, and one that comes later, after silence of the old one, is taken.
 *
 * To a claim to our own address we answer with ours, at most every ten seconds, and keep it
 * (RFC 5227, section 2.4 b).
 */
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/prot/ethernet.h>

#include "servers/net/guard.h"
#include "servers/net/net.h"

#define QUESTIONS 256 /* that are remembered, the last ones */
#define CLAIMS 16
#define ANSWER_MS 3000
#define SILENCE_MS 500 /* in which the old one has not answered */
#define CLAIM_MS 10000 /* after it the claim is forgotten */
#define DEFEND_MS 10000
#define PACKET 28

enum { REQUEST = 1, REPLY = 2 };

static struct question {
    uint32_t address; /* network order; 0: none */
    uint32_t asked; /* sys_now() */
} questions[QUESTIONS];
static unsigned asked; /* free-running */

static struct claim { /* that an address has moved */
    uint32_t address;
    uint32_t made;
} claims[CLAIMS];

static uint32_t word(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return value;
}

static struct claim *claim_of(uint32_t address)
{
    return &claims[(lwip_ntohl(address) * 2654435761u >> 16) % CLAIMS];
}

/* ---- what we ask ---- */

void guard_arp_sent(const uint8_t *frame, size_t length)
{
    const uint8_t *packet = frame + SIZEOF_ETH_HDR;

    if (length < SIZEOF_ETH_HDR + PACKET || frame[12] != 8 || frame[13] != 6 ||
        packet[7] != REQUEST)
        return;
    questions[asked++ % QUESTIONS] = (struct question){word(packet + 24), sys_now()};
}

static bool was_asked(uint32_t address)
{
    uint32_t now = sys_now();

    for (unsigned i = 0; i < QUESTIONS; i++)
        if (questions[i].address == address && now - questions[i].asked < ANSWER_MS)
            return true;
    return false;
}

/* ---- who says he is somewhere else ---- */

/* Known at another place than `mac`. */
static bool moves(struct netif *netif, uint32_t address, const uint8_t *mac)
{
    ip4_addr_t ip = {address};
    const ip4_addr_t *found;
    struct eth_addr *known;

    return etharp_find_addr(netif, &ip, &known, &found) >= 0 &&
           memcmp(known->addr, mac, sizeof known->addr) != 0;
}

static bool move_is_believed(struct netif *netif, uint32_t address)
{
    struct claim *c = claim_of(address);
    uint32_t age = sys_now() - c->made;
    ip4_addr_t ip = {address};

    if (c->address == address && age >= SILENCE_MS && age < CLAIM_MS) {
        c->address = 0;
        return true;
    }
    if (c->address != address || age >= CLAIM_MS) {
        *c = (struct claim){address, sys_now()};
        etharp_request(netif, &ip);
    }
    return false;
}

/* The one that is known has spoken: whoever says he is elsewhere is not. */
static void stays(uint32_t address)
{
    struct claim *c = claim_of(address);

    if (c->address == address)
        c->address = 0;
}

/* ---- our own ---- */

static bool conflict(struct netif *netif)
{
    static uint32_t defended;
    static bool ever;

    guard_count(GUARD_arp_conflict);
    if (!ever || sys_now() - defended >= DEFEND_MS) {
        ever = true;
        defended = sys_now();
        etharp_gratuitous(netif);
    }
    return false;
}

/* Who asks for us gets his answer, whatever we think of where he is. */
static void answer(struct netif *netif, const uint8_t *packet)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, SIZEOF_ETH_HDR + PACKET, PBUF_RAM);
    uint8_t *frame, *out;

    if (!p)
        return;
    frame = p->payload;
    out = frame + SIZEOF_ETH_HDR;
    memcpy(frame, packet + 8, ETH_HWADDR_LEN);
    memcpy(frame + 6, netif->hwaddr, ETH_HWADDR_LEN);
    frame[12] = 8;
    frame[13] = 6;
    memcpy(out, packet, 6);
    out[6] = 0;
    out[7] = REPLY;
    memcpy(out + 8, netif->hwaddr, ETH_HWADDR_LEN);
    memcpy(out + 14, packet + 24, 4);
    memcpy(out + 18, packet + 8, 10);
    netif->linkoutput(netif, p);
    pbuf_free(p);
}

/* ---- */

static bool is_sound(struct netif *netif, const uint8_t *packet, size_t length)
{
    static const uint8_t start[6] = {0, 1, 8, 0, 6, 4}; /* Ethernet and IPv4 */
    ip4_addr_t from;

    if (length < PACKET || memcmp(packet, start, sizeof start) != 0 || packet[6] != 0 ||
        (packet[7] != REQUEST && packet[7] != REPLY) || packet[8] & 1)
        return false;
    from.addr = word(packet + 14);
    /* 0.0.0.0: a probe (RFC 5227); it is nobody yet */
    return ip4_addr_isany_val(from) ||
           (ip4_addr_net_eq(&from, netif_ip4_addr(netif), netif_ip4_netmask(netif)) &&
            !ip4_addr_isbroadcast(&from, netif));
}

/* Claims to our own address come first: nobody else is ever learned for it. Who says that he has
 * moved and asks for us is answered, though he is not believed yet: when it is true he has to reach
 * us. */
bool guard_arp(struct netif *netif, const uint8_t *packet, size_t length)
{
    uint32_t ours = netif_ip4_addr(netif)->addr, from, to;
    const uint8_t *mac = packet + 8;

    if (ours == 0)
        return false; /* there is nothing to say or to learn yet */
    if (!is_sound(netif, packet, length)) {
        guard_count(GUARD_arp_malformed);
        return false;
    }
    from = word(packet + 14);
    to = word(packet + 24);
    if (from == ours)
        return memcmp(mac, netif->hwaddr, ETH_HWADDR_LEN) == 0 ? false : conflict(netif);
    if (from && moves(netif, from, mac)) {
        if (move_is_believed(netif, from))
            return true;
        guard_count(GUARD_arp_change_held);
        if (packet[7] == REQUEST && to == ours)
            answer(netif, packet);
        return false;
    }
    stays(from);
    if (packet[7] == REPLY && !was_asked(from)) {
        guard_count(GUARD_arp_unasked);
        return false;
    }
    return true;
}
