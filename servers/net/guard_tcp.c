/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments of a connection are looked at before lwIP works on them (LWIP_HOOK_TCP_INPACKET_PCB):
 * RFC 5961, and what lwIP takes on trust. A peer that has lost its way learns by an acknowledgement
 * where we are, so often and no more.
 */
#include "servers/net/guard_tcp.h"

#include "servers/net/guard.h"
#include "servers/net/net.h"

#define CHALLENGE_MS 500 /* between two of a connection, as Linux has it */

/* When the last challenge went out, plus one (lwIP's extra argument, 0 at first). */
static uint8_t challenge_id(void)
{
    static uint8_t id_plus_one;

    if (!id_plus_one)
        id_plus_one = (uint8_t)(tcp_ext_arg_alloc_id() + 1);
    return (uint8_t)(id_plus_one - 1);
}

static err_t challenge(struct tcp_pcb *pcb, enum guard_counter why)
{
    uint64_t now = sys_now(), last = (uintptr_t)tcp_ext_arg_get(pcb, challenge_id());

    guard_count(why);
    if (last && (uint32_t)(now + 1 - last) < CHALLENGE_MS) {
        guard_count(GUARD_tcp_challenge_held);
        return ERR_VAL;
    }
    tcp_ext_arg_set(pcb, challenge_id(), (void *)(uintptr_t)(now + 1));
    guard_count(GUARD_tcp_challenge);
    tcp_send_empty_ack(pcb);
    return ERR_VAL;
}

static err_t drop(enum guard_counter why)
{
    guard_count(why);
    return ERR_VAL;
}

/* RFC 5961, 3: only the very next number ends a connection; one in the window gets a challenge. */
static err_t check_reset(struct tcp_pcb *pcb, uint32_t sequence)
{
    if (sequence == pcb->rcv_nxt)
        return ERR_OK;
    if (sequence - pcb->rcv_nxt < pcb->rcv_wnd)
        return challenge(pcb, GUARD_tcp_reset_not_exact);
    return drop(GUARD_tcp_reset_not_exact);
}

/* RFC 5961, 5: not of what was never sent, and not older than the largest window. */
static bool can_be_acknowledged(const struct tcp_pcb *pcb, uint32_t number)
{
    return TCP_SEQ_LEQ(number, pcb->snd_nxt) &&
           TCP_SEQ_GEQ(number, pcb->lastack - pcb->snd_wnd_max);
}

/* ---- beginnings ---- */

static unsigned half_open(void)
{
    unsigned n = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        n += pcb->state == SYN_RCVD;
    return n;
}

/*
 * Nobody is reset for being one of many: a SYN that finds no room is dropped, and the peer sends it
 * again. A port is not closed by those who begin and never go on: beyond so many of them a SYN is
 * answered and not remembered.
 */
static err_t check_syn(const struct tcp_pcb_listen *listener, const struct tcp_hdr *header,
                       uint16_t option_bytes)
{
    if (tcp_queue_is_full(listener))
        return drop(GUARD_tcp_backlog_full);
    if (listener->accepts_pending >= listener->backlog || half_open() >= HALF_OPEN_ALL) {
        cookie_send(header, (const uint8_t *)(header + 1), option_bytes);
        return ERR_VAL;
    }
    return shortage_of_connections(listener) ? ERR_OK : drop(GUARD_tcp_refused_crowded);
}

static err_t check_listener(struct tcp_pcb_listen *listener, const struct tcp_hdr *header,
                            uint16_t option_bytes)
{
    uint8_t flags = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST);

    if (flags == TCP_SYN)
        return check_syn(listener, header, option_bytes);
    if (flags != TCP_ACK || !cookie_is_ours(header))
        return ERR_OK;
    if (tcp_queue_is_full(listener))
        return drop(GUARD_tcp_backlog_full);
    if (!shortage_of_connections(listener))
        return drop(GUARD_tcp_refused_crowded);
    return cookie_take(listener, header) ? GUARD_AGAIN : ERR_VAL;
}

/* The last step waits for the program: our answer to the SYN is sent again, and the peer's to
 * that. */
static err_t check_half_open(const struct tcp_pcb *pcb, uint8_t flags)
{
    if (flags & (TCP_RST | TCP_SYN) || !pcb->listener || !tcp_queue_is_full(pcb->listener))
        return ERR_OK;
    return drop(GUARD_tcp_backlog_full);
}

/* ---- a pair that is used again ---- */

static struct {
    uint32_t remote, floor;
    uint16_t local_port, remote_port;
    bool set;
} reused;

/* RFC 1122, 4.2.2.13: our numbers go on behind those of the connection before. */
uint32_t guard_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    uint32_t number = random_isn(local, local_port, remote, remote_port);

    if (reused.set && reused.remote == remote && reused.local_port == local_port &&
        reused.remote_port == remote_port && TCP_SEQ_LT(number, reused.floor))
        number = reused.floor;
    reused.set = false;
    return number;
}

static bool somebody_listens(const struct tcp_pcb *pcb)
{
    for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l; l = l->next)
        if (l->local_port == pcb->local_port &&
            (ip_addr_isany(&l->local_ip) || ip_addr_eq(&l->local_ip, &pcb->local_ip)))
            return true;
    return false;
}

/* TIME-WAIT is there for old segments: a SYN with a number behind all of them is none (RFC 6191).
 */
static err_t check_time_wait(struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
    uint8_t flags = TCPH_FLAGS(header) & (TCP_SYN | TCP_ACK | TCP_RST);

    if (flags & TCP_RST || !(flags & TCP_SYN))
        return ERR_OK;
    if (flags != TCP_SYN || !TCP_SEQ_GT(header->seqno, pcb->rcv_nxt) || !somebody_listens(pcb))
        return challenge(pcb, GUARD_tcp_syn_in_connection);
    reused.remote = pcb->remote_ip.addr;
    reused.local_port = pcb->local_port;
    reused.remote_port = pcb->remote_port;
    reused.floor = pcb->snd_nxt + UINT16_MAX;
    reused.set = true;
    guard_count(GUARD_tcp_pair_reused);
    tcp_abandon(pcb, 0);
    return GUARD_AGAIN;
}

/* ---- */

/* In the order of RFC 793, as RFC 5961 has it: a reset, a SYN and an acknowledgement are each
 * checked before anything that comes with them is believed. */
err_t guard_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t length,
                    uint16_t option_bytes)
{
    uint8_t flags = TCPH_FLAGS(header);
    uint32_t end = header->seqno + length + (flags & TCP_FIN ? 1u : 0u);

    if (pcb->state == LISTEN)
        return check_listener((struct tcp_pcb_listen *)pcb, header, option_bytes);
    if (pcb->state == TIME_WAIT)
        return check_time_wait(pcb, header);
    if (pcb->state == SYN_RCVD)
        return check_half_open(pcb, flags);
    if (pcb->state < ESTABLISHED)
        return ERR_OK;
    if (flags & TCP_RST)
        return check_reset(pcb, header->seqno);
    if (flags & TCP_SYN)
        return challenge(pcb, GUARD_tcp_syn_in_connection);
    if (!(flags & TCP_ACK))
        return drop(GUARD_tcp_no_acknowledgement);
    if (!can_be_acknowledged(pcb, header->ackno))
        return challenge(pcb, GUARD_tcp_acknowledgement_impossible);
    if (!TCP_SEQ_GT(header->seqno, pcb->rcv_nxt))
        return ERR_OK;
    /* What lies out of order is kept whole: no part of it may be past the edge. */
    if (TCP_SEQ_GT(end, pcb->rcv_nxt + pcb->rcv_wnd)) {
        guard_count(GUARD_tcp_beyond_window);
        tcp_send_empty_ack(pcb);
        return ERR_VAL;
    }
    shortage_of_order();
    return ERR_OK;
}
