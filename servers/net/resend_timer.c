/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long to wait for an acknowledgement, and what to do when none comes. Each connection waits
 * for one thing at a time, by lwIP's list of time-outs (ms), of which all of them share one.
 *
 *     REORDER  one that was sent later has arrived: a moment of patience, and it is lost
 *     PROBE    after two round trips: a new segment, or the last one again, so that the peer says
 *              what it has (tail loss probe, RFC 8985)
 *     TIMEOUT  RFC 6298: all is lost, and the window begins anew
 */
#include <lwip/priv/tcp_priv.h>
#include <lwip/timeouts.h>

#include "servers/net/kept.h"
#include "servers/net/net.h"
#include "servers/net/resend.h"

static bool armed;
static uint32_t armed_for;

uint32_t resend_now(void)
{
    return (uint32_t)(clock_now() / 1000);
}

void resend_measure(struct resend *r, uint32_t trip)
{
    uint32_t off;

    trip = LWIP_MAX(trip, 1);
    r->doubled = 0;
    if (!r->round_trip) {
        r->round_trip = r->shortest = trip;
        r->variation = trip / 2;
        return;
    }
    off = trip > r->round_trip ? trip - r->round_trip : r->round_trip - trip;
    r->variation = r->variation - r->variation / 4 + off / 4;
    r->round_trip = r->round_trip - r->round_trip / 8 + trip / 8;
    r->round_trip = LWIP_MAX(r->round_trip, 1);
    r->shortest = LWIP_MIN(r->shortest, trip);
}

static uint32_t time_out(const struct tcp_pcb *pcb)
{
    const struct resend *r = &pcb->resend;
    uint64_t delay = RESEND_FIRST;

    if (r->round_trip)
        delay = r->round_trip + LWIP_MAX((uint64_t)4 * r->variation, RESEND_LEAST);
    delay <<= LWIP_MIN(r->doubled, 10);
    return (uint32_t)LWIP_MIN(delay, RESEND_MOST);
}

/* ---- the one time-out of lwIP's ---- */

static void look(void *unused);

static void wake_by(uint32_t deadline)
{
    int32_t left = (int32_t)(deadline - resend_now());

    if (armed && TCP_SEQ_LEQ(armed_for, deadline))
        return;
    sys_untimeout(look, NULL);
    sys_timeout(left > 0 ? (uint32_t)left / 1000 + 1 : 1, look, NULL);
    armed = true;
    armed_for = deadline;
}

void resend_wait(struct tcp_pcb *pcb, enum resend_wait what, uint32_t delay)
{
    pcb->resend.waits_for = (uint8_t)what;
    pcb->resend.deadline = resend_now() + delay;
    wake_by(pcb->resend.deadline);
}

/* A probe makes sense when nothing is known to be wrong, and the peer can say what it has. A single
 * segment's acknowledgement may be delayed by the peer. */
void resend_wait_for_silence(struct tcp_pcb *pcb, uint32_t outstanding)
{
    struct resend *r = &pcb->resend;
    uint32_t most = time_out(pcb), probe;

    if (outstanding == 0) {
        r->waits_for = RESEND_NOTHING;
        return;
    }
    probe = LWIP_MAX(2 * r->round_trip, RESEND_PROBE_LEAST);
    if (outstanding <= pcb->mss)
        probe += RESEND_LEAST;
    if (r->phase != RESEND_OPEN || r->probed || r->away || !r->round_trip || probe >= most ||
        !(pcb->flags & TF_SACK))
        resend_wait(pcb, RESEND_TIMEOUT, most);
    else
        resend_wait(pcb, RESEND_PROBE, probe);
}

/* ---- silence ---- */

static void send_new(struct tcp_pcb *pcb)
{
    struct tcp_seg *seg = pcb->unsent;
    uint32_t end = seg ? lwip_ntohl(seg->tcphdr->seqno) + TCP_TCPLEN(seg) : 0;

    if (!seg || TCP_SEQ_GT(end, pcb->lastack + pcb->snd_wnd))
        return;
    if (end - pcb->lastack > resend_room(pcb)) /* room for this one, until all is counted anew */
        pcb->resend.away = end - pcb->lastack - pcb->cwnd;
    tcp_output(pcb);
}

static void probe(struct tcp_pcb *pcb)
{
    struct tcp_seg *last = NULL;
    uint32_t next = pcb->snd_nxt;

    pcb->resend.probed = true;
    send_new(pcb);
    if (pcb->snd_nxt == next) {
        for (struct tcp_seg *seg = pcb->unacked; seg; seg = seg->next)
            if (!(seg->flags & RESEND_HELD))
                last = seg;
        if (last && kept_may_be_sent(pcb, last))
            tcp_send_again(pcb, last);
    }
    resend_find_lost(pcb, pcb->lastack);
}

static void timed_out(struct tcp_pcb *pcb)
{
    uint32_t half = LWIP_MIN(pcb->snd_nxt - pcb->lastack, pcb->cwnd) / 2;

    if (pcb->state >= ESTABLISHED) {
        if (pcb->resend.phase != RESEND_TIMED_OUT)
            pcb->ssthresh = LWIP_MAX(half, 2u * pcb->mss);
        pcb->cwnd = pcb->mss;
        pcb->bytes_acked = 0;
    }
    resend_all_lost(pcb);
    if (pcb->nrtx < UINT8_MAX)
        pcb->nrtx++;
    if (pcb->resend.doubled < UINT8_MAX)
        pcb->resend.doubled++;
    tcp_output(pcb);
    resend_wait(pcb, RESEND_TIMEOUT, time_out(pcb));
}

static void expired(struct tcp_pcb *pcb)
{
    enum resend_wait what = pcb->resend.waits_for;

    pcb->resend.waits_for = RESEND_NOTHING;
    if (!pcb->unacked)
        return;
    if (what == RESEND_TIMEOUT) {
        timed_out(pcb);
        return;
    }
    if (what == RESEND_PROBE) {
        probe(pcb);
    } else {
        resend_find_lost(pcb, pcb->lastack);
        tcp_output(pcb);
    }
    if (pcb->resend.waits_for == RESEND_NOTHING)
        resend_wait(pcb, RESEND_TIMEOUT, time_out(pcb));
}

static void look(void *unused)
{
    uint32_t now = resend_now();

    (void)unused;
    armed = false;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (pcb->resend.waits_for == RESEND_NOTHING)
            continue;
        if (TCP_SEQ_LEQ(pcb->resend.deadline, now))
            expired(pcb);
        if (pcb->resend.waits_for != RESEND_NOTHING)
            wake_by(pcb->resend.deadline);
    }
}
