/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN cookies. When too many connections are half open, a SYN is answered and forgotten: all that
 * is to be known of it is in the number that we answer with, and comes back with the peer's
 * acknowledgement. So those who begin and never go on cost nothing, and nobody has to make room.
 *
 * It is answered to where the frame came from: were ARP asked, many who forge their addresses would leave
 * no room in its table for anybody else.
 *
 *     24 bits  of a MAC over addresses, ports, the peer's number, the options below, and the time
 *      3 bits  the peer's largest segment, rounded down
 *      4 bits  its window scale; 15: it has none
 *      1 bit   it takes selective acknowledgements
 *
 * A cookie is good for 32 to 64 seconds; without one sent lately no acknowledgement is looked at.
 */
#include "servers/net/guard_tcp.h"

#include <string.h>

#include <lwip/inet_chksum.h>
#include <lwip/ip.h>

#include "servers/net/guard.h"
#include "servers/net/net.h"

#define SLOT_MS 32768u
#define NO_SCALE 15u
#define OPTIONS_MAX 12u /* of ours: segment size, window scale, selective acknowledgements */
#define CONTROL_TTL 255

static const uint16_t sizes[8] = {64, 256, 536, 1024, 1220, 1360, 1440, 1460};

static bool ever;
static uint32_t last_sent; /* slot */

/* Not by sys_now(): that begins again after 49.7 days, and its slots would with it. */
static uint32_t slot_now(void)
{
    return (uint32_t)(clock_now() / 1000000 / SLOT_MS);
}

/* ---- options ---- */

static unsigned size_index(unsigned size)
{
    unsigned i = sizeof sizes / sizeof *sizes - 1;

    while (i > 0 && sizes[i] > size)
        i--;
    return i;
}

static unsigned pack(unsigned size, unsigned scale, bool selective)
{
    return size_index(size) << 5 | scale << 1 | selective;
}

/* What a SYN offers, as eight bits. */
static unsigned options_of(const uint8_t *at, unsigned length)
{
    unsigned size = 536, scale = NO_SCALE;
    bool selective = false;

    for (unsigned i = 0; i + 1 < length && at[i] != LWIP_TCP_OPT_EOL;) {
        unsigned n = at[i] == LWIP_TCP_OPT_NOP ? 1 : at[i + 1];

        if (n == 0 || (n == 1 && at[i] != LWIP_TCP_OPT_NOP) || n > length - i)
            break;
        if (at[i] == LWIP_TCP_OPT_MSS && n == LWIP_TCP_OPT_LEN_MSS)
            size = (unsigned)at[i + 2] << 8 | at[i + 3];
        if (at[i] == LWIP_TCP_OPT_WS && n == LWIP_TCP_OPT_LEN_WS)
            scale = at[i + 2] < 14 ? at[i + 2] : 14;
        if (at[i] == LWIP_TCP_OPT_SACK_PERM && n == LWIP_TCP_OPT_LEN_SACK_PERM)
            selective = true;
        i += n;
    }
    return pack(size, scale, selective);
}

static uint32_t cookie(const struct tcp_hdr *header, uint32_t peers_number, uint32_t slot,
                       unsigned options)
{
    uint64_t addresses =
                 (uint64_t)ip4_current_src_addr()->addr << 32 | ip4_current_dest_addr()->addr,
             ports = (uint64_t)header->src << 48 | (uint64_t)header->dest << 32 | peers_number,
             all = random_mac(random_mac(addresses, ports), (uint64_t)slot << 8 | options);

    return (uint32_t)all << 8 | options;
}

/* ---- out ---- */

static unsigned put_options(uint8_t *at, unsigned options, unsigned size)
{
    static const uint8_t scale[] = {LWIP_TCP_OPT_NOP, LWIP_TCP_OPT_WS, LWIP_TCP_OPT_LEN_WS,
                                    TCP_RCV_SCALE},
                         selective[] = {LWIP_TCP_OPT_NOP, LWIP_TCP_OPT_NOP, LWIP_TCP_OPT_SACK_PERM,
                                        LWIP_TCP_OPT_LEN_SACK_PERM};
    unsigned n = 4;

    at[0] = LWIP_TCP_OPT_MSS;
    at[1] = LWIP_TCP_OPT_LEN_MSS;
    at[2] = (uint8_t)(size >> 8);
    at[3] = (uint8_t)size;
    if ((options >> 1 & 15) != NO_SCALE) {
        memcpy(at + n, scale, sizeof scale);
        n += sizeof scale;
    }
    if (options & 1) {
        memcpy(at + n, selective, sizeof selective);
        n += sizeof selective;
    }
    return n;
}

/* By hand, since there is no connection that lwIP could answer for, and none is to be kept. Our
 * number is the cookie; lwIP has the received header in the host's order by now, and in that the
 * cookie is computed, here and when it comes back. */
void cookie_send(const struct tcp_hdr *header, const uint8_t *option_bytes, unsigned option_length)
{
    const ip_addr_t *here = ip_current_dest_addr(), *there = ip_current_src_addr();
    struct netif *netif = ip_current_input_netif();
    unsigned options = options_of(option_bytes, option_length), length;
    struct pbuf *p = pbuf_alloc(PBUF_IP, TCP_HLEN + OPTIONS_MAX, PBUF_RAM);
    struct tcp_hdr *out;

    if (!p)
        return;
    out = p->payload;
    length = TCP_HLEN + put_options((uint8_t *)(out + 1), options,
                                    tcp_eff_send_mss_netif(TCP_MSS, netif, there));
    pbuf_realloc(p, (uint16_t)length);
    out->src = lwip_htons(header->dest);
    out->dest = lwip_htons(header->src);
    out->seqno = lwip_htonl(cookie(header, header->seqno, slot_now(), options));
    out->ackno = lwip_htonl(header->seqno + 1);
    TCPH_HDRLEN_FLAGS_SET(out, length / 4, TCP_SYN | TCP_ACK);
    out->wnd = lwip_htons(TCPWND_MIN16(TCP_WND));
    out->chksum = out->urgp = 0;
    out->chksum = ip_chksum_pseudo(p, IP_PROTO_TCP, p->tot_len, here, there);
    guard_answers_to = guard_frame_from;
    ip_output_if(p, here, there, CONTROL_TTL, 0, IP_PROTO_TCP, netif);
    guard_answers_to = NULL;
    pbuf_free(p);
    ever = true;
    last_sent = slot_now();
    guard_count(GUARD_tcp_cookie_sent);
}

/* ---- back ---- */

bool cookie_is_ours(const struct tcp_hdr *header)
{
    uint32_t now = slot_now(), number = header->ackno - 1;

    if (!ever || now - last_sent > 1)
        return false;
    return number == cookie(header, header->seqno - 1, now, number & 255) ||
           number == cookie(header, header->seqno - 1, now - 1, number & 255);
}

/* As it would be had it waited here since its SYN. */
static void fill_in(struct tcp_pcb *pcb, struct tcp_pcb_listen *listener,
                    const struct tcp_hdr *header)
{
    uint32_t number = header->ackno - 1;
    unsigned scale = number >> 1 & 15;

    ip_addr_copy(pcb->local_ip, *ip_current_dest_addr());
    ip_addr_copy(pcb->remote_ip, *ip_current_src_addr());
    pcb->local_port = listener->local_port;
    pcb->remote_port = header->src;
    pcb->state = SYN_RCVD;
    pcb->rcv_nxt = header->seqno;
    pcb->rcv_ann_right_edge = pcb->rcv_nxt + TCPWND_MIN16(TCP_WND);
    pcb->snd_wl1 = header->seqno - 1;
    pcb->snd_wl2 = pcb->lastack = number;
    pcb->snd_nxt = pcb->snd_lbb = number + 1;
    pcb->callback_arg = listener->callback_arg;
    pcb->listener = listener;
    pcb->so_options = listener->so_options & SOF_INHERITED;
    pcb->netif_idx = listener->netif_idx;
    pcb->mss =
        tcp_eff_send_mss_netif(sizes[number >> 5 & 7], ip_current_input_netif(), &pcb->remote_ip);
    if (number & 1)
        tcp_set_flags(pcb, TF_SACK);
    if (scale != NO_SCALE) {
        pcb->snd_scale = (uint8_t)scale;
        pcb->rcv_scale = TCP_RCV_SCALE;
        pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND;
        tcp_set_flags(pcb, TF_WND_SCALE);
    }
}

bool cookie_take(struct tcp_pcb_listen *listener, const struct tcp_hdr *header)
{
    struct tcp_pcb *pcb = tcp_new();

    if (!pcb)
        return false;
    fill_in(pcb, listener, header);
    TCP_REG_ACTIVE(pcb);
    guard_count(GUARD_tcp_cookie_taken);
    return true;
}
