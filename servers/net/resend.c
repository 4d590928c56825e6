/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is lost. Of each segment on the way is known when it was sent last, and whether the peer has
 * it (SACK). One is lost when another arrived that was sent later, with some patience when the wire
 * is known to change the order (RACK, RFC 8985). So it does not matter how many are lost, nor
 * whether one is lost a second time. A peer without SACK tells by duplicate acknowledgements, one
 * hole per round trip (NewReno, RFC 6582).
 *
 * What may be sent is counted by what is on the way: the congestion window less what was sent, but
 * without what the peer has and what is lost (RFC 6675). So each duplicate lets a new segment out,
 * from the first on (limited transmit, RFC 3042).
 */
#include <lwip/priv/tcp_priv.h>

#include "servers/net/kept.h"
#include "servers/net/net.h"
#include "servers/net/resend.h"

#define OPTION_SACK 5

#define FOR_UNACKED(seg, pcb)                                                                      \
    for (struct tcp_seg *seg = (pcb)->unacked; seg != NULL; seg = seg->next)

static struct {
    uint32_t left, right;
} blocks[RESEND_BLOCKS]; /* of the segment at hand */
static unsigned block_count;

static uint32_t begin_of(const struct tcp_seg *seg)
{
    return lwip_ntohl(seg->tcphdr->seqno);
}

static uint32_t end_of(const struct tcp_seg *seg)
{
    return begin_of(seg) + TCP_TCPLEN(seg);
}

static uint32_t later_of(uint32_t a, uint32_t b)
{
    return TCP_SEQ_GT(a, b) ? a : b;
}

/* ---- the SACK option ---- */

static uint32_t word_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What cannot be is left out: that of a liar, and what tells of duplicates (RFC 2883). */
static void note_block(const struct tcp_pcb *pcb, const uint8_t *at)
{
    uint32_t left = word_at(at), right = word_at(at + 4);

    if (block_count == RESEND_BLOCKS || TCP_SEQ_LT(left, pcb->lastack) ||
        TCP_SEQ_GEQ(left, right) || TCP_SEQ_GT(right, pcb->snd_nxt))
        return;
    blocks[block_count].left = left;
    blocks[block_count].right = right;
    block_count++;
}

int resend_options(const struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t bytes,
                   bool whole)
{
    const uint8_t *at = (const uint8_t *)(header + 1), *end = at + bytes;

    block_count = 0;
    if (pcb->state < ESTABLISHED || pcb->state == TIME_WAIT || !(pcb->flags & TF_SACK) || !whole)
        return ERR_OK;
    while (at < end && *at != LWIP_TCP_OPT_EOL) {
        if (*at == LWIP_TCP_OPT_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            break;
        if (*at == OPTION_SACK)
            for (const uint8_t *block = at + 2; block + 8 <= at + at[1]; block += 8)
                note_block(pcb, block);
        at += at[1];
    }
    return ERR_OK;
}

static bool is_held(const struct tcp_seg *seg)
{
    for (unsigned i = 0; i < block_count; i++)
        if (TCP_SEQ_GEQ(begin_of(seg), blocks[i].left) && TCP_SEQ_LEQ(end_of(seg), blocks[i].right))
            return true;
    return false;
}

/* ---- what has arrived ---- */

struct news {
    uint32_t bytes, order, trip; /* of the one sent last of those that were sent once: its trip */
    uint32_t highest;
    bool measured;
};

/* It came after one that was sent later: so patient we should have been. */
static void note_late(struct resend *r, uint32_t trip)
{
    uint32_t late = trip > r->newest_trip ? trip - r->newest_trip : 0;

    late = later_of(late, r->shortest / 4);
    if (late > r->late)
        r->late = late;
}

static void arrived(struct resend *r, const struct tcp_seg *seg, struct news *news)
{
    uint32_t trip = resend_now() - seg->sent.at;
    bool again = seg->flags & RESEND_AGAIN;

    news->bytes += TCP_TCPLEN(seg);
    news->highest = later_of(news->highest, end_of(seg));
    if (again && trip < r->shortest) {
        r->late += r->shortest / 2; /* that was the first one: it was late, and not lost */
        return;
    }
    if (!again && TCP_SEQ_LT(end_of(seg), r->highest))
        note_late(r, trip);
    if (!again && (!news->measured || TCP_SEQ_GT(seg->sent.order, news->order))) {
        news->order = seg->sent.order;
        news->trip = trip;
        news->measured = true;
    }
    if (TCP_SEQ_GT(seg->sent.order, r->newest)) {
        r->newest = seg->sent.order;
        r->newest_trip = trip;
    }
}

static void look_through(struct tcp_pcb *pcb, uint32_t number, struct news *news)
{
    FOR_UNACKED (seg, pcb) {
        bool covered = TCP_SEQ_LEQ(end_of(seg), number);

        if (!covered && block_count == 0)
            break;
        if ((seg->flags & RESEND_HELD) || !(covered || is_held(seg)))
            continue;
        arrived(&pcb->resend, seg, news);
        if (!covered)
            seg->flags |= RESEND_HELD;
    }
}

/* ---- what is lost ---- */

static void mark_lost(struct tcp_pcb *pcb, struct tcp_seg *seg)
{
    seg->flags |= RESEND_LOST;
    pcb->resend.away += TCP_TCPLEN(seg);
    pcb->resend.lost++;
}

/* Something is lost: half of what was on the way is what the path carries. */
static void enter_recovery(struct tcp_pcb *pcb, uint32_t from)
{
    uint32_t half = LWIP_MIN(pcb->snd_nxt - from, pcb->cwnd) / 2;

    pcb->resend.phase = RESEND_RECOVERY;
    pcb->resend.recover = pcb->snd_nxt;
    pcb->resend.at_once = true;
    pcb->ssthresh = pcb->cwnd = LWIP_MAX(half, 2u * pcb->mss);
    pcb->bytes_acked = 0;
    tcp_set_flags(pcb, TF_INFR);
}

static uint32_t patience(const struct resend *r, unsigned held)
{
    if (!r->late && (r->phase != RESEND_OPEN || held >= RESEND_DUPLICATES))
        return 0;
    return LWIP_MIN(LWIP_MAX(r->late, r->shortest / 4), r->round_trip);
}

/* Bytes that the peer holds, and how many segments. */
static uint32_t count_held(const struct tcp_pcb *pcb, uint32_t from, unsigned *segments)
{
    uint32_t bytes = 0;

    *segments = 0;
    FOR_UNACKED (seg, pcb)
        if ((seg->flags & RESEND_HELD) && TCP_SEQ_GT(end_of(seg), from)) {
            bytes += TCP_TCPLEN(seg);
            ++*segments;
        }
    return bytes;
}

/* Everything is counted anew, from the first byte that is not acknowledged on. */
void resend_find_lost(struct tcp_pcb *pcb, uint32_t from)
{
    struct resend *r = &pcb->resend;
    uint32_t now = resend_now(), wait = 0, before = r->lost, reordering;
    unsigned held;

    r->away = count_held(pcb, from, &held) + r->duplicates;
    reordering = patience(r, held);
    r->lost = 0;
    FOR_UNACKED (seg, pcb) {
        int32_t left = (int32_t)(seg->sent.at + r->newest_trip + reordering - now);

        if (TCP_SEQ_LEQ(end_of(seg), from) || (seg->flags & RESEND_HELD))
            continue;
        if ((seg->flags & RESEND_LOST) ||
            ((pcb->flags & TF_SACK) && TCP_SEQ_LT(seg->sent.order, r->newest) && left <= 0))
            mark_lost(pcb, seg);
        else if ((pcb->flags & TF_SACK) && TCP_SEQ_LT(seg->sent.order, r->newest))
            wait = LWIP_MAX(wait, (uint32_t)left);
    }
    if (r->lost > before && r->phase == RESEND_OPEN)
        enter_recovery(pcb, from);
    if (wait)
        resend_wait(pcb, RESEND_REORDER, wait);
}

/* A time-out: what the peer has said it has is believed once, and not of the first one. */
void resend_all_lost(struct tcp_pcb *pcb)
{
    bool believed = pcb->nrtx == 0 && !(pcb->unacked->flags & RESEND_HELD);

    pcb->resend.duplicates = 0;
    FOR_UNACKED (seg, pcb) {
        if (!believed)
            seg->flags &= (uint8_t)~RESEND_HELD;
        if (!(seg->flags & RESEND_HELD))
            seg->flags |= RESEND_LOST;
    }
    pcb->resend.phase = RESEND_TIMED_OUT;
    pcb->resend.recover = pcb->snd_nxt;
    tcp_clear_flags(pcb, TF_INFR);
    resend_find_lost(pcb, pcb->lastack);
    pcb->resend.at_once = true;
}

/* Without SACK: a duplicate stands for a segment that has arrived, we know not which; `moved` bytes
 * are the one that was missing and some that duplicates have stood for. */
static void count_duplicates(struct tcp_pcb *pcb, uint32_t number, uint32_t moved, bool plain)
{
    struct resend *r = &pcb->resend;
    uint32_t others = moved > pcb->mss ? moved - pcb->mss : 0, first;
    struct tcp_seg *seg = pcb->unacked;

    while (seg && TCP_SEQ_LEQ(end_of(seg), number))
        seg = seg->next;
    r->duplicates -= LWIP_MIN(r->duplicates, others);
    if (!seg || r->phase == RESEND_TIMED_OUT) {
        r->duplicates = 0;
        return;
    }
    first = TCP_TCPLEN(seg);
    if (!moved && plain)
        r->duplicates = LWIP_MIN(r->duplicates + pcb->mss, pcb->snd_nxt - number - first);
    if (seg->flags & RESEND_LOST)
        return;
    if (r->phase == RESEND_OPEN ? r->duplicates >= RESEND_DUPLICATES * pcb->mss : moved != 0) {
        mark_lost(pcb, seg);
        r->at_once = true;
        if (r->phase == RESEND_OPEN)
            enter_recovery(pcb, number);
    }
}

/* ---- acknowledgements ---- */

/* RFC 3465; during recovery the window stays. */
static void grow(struct tcp_pcb *pcb, uint32_t moved)
{
    uint32_t more = 0, most = (pcb->resend.phase == RESEND_OPEN ? 2u : 1u) * pcb->mss;

    if (pcb->resend.phase == RESEND_RECOVERY)
        return;
    if (pcb->cwnd < pcb->ssthresh) {
        more = LWIP_MIN(moved, most);
    } else {
        pcb->bytes_acked += moved;
        if (pcb->bytes_acked >= pcb->cwnd) {
            pcb->bytes_acked -= pcb->cwnd;
            more = pcb->mss;
        }
    }
    pcb->cwnd = LWIP_MIN(pcb->cwnd + more, TCP_SND_BUF);
}

static void progress(struct tcp_pcb *pcb, uint32_t number, uint32_t moved)
{
    struct resend *r = &pcb->resend;

    pcb->nrtx = 0;
    r->probed = false;
    if (r->phase != RESEND_OPEN && TCP_SEQ_GEQ(number, r->recover)) {
        r->phase = RESEND_OPEN;
        r->duplicates = 0;
        tcp_clear_flags(pcb, TF_INFR);
    }
    grow(pcb, moved);
}

void resend_acknowledged(struct tcp_pcb *pcb, uint32_t number, bool plain)
{
    struct resend *r = &pcb->resend;
    struct news news = {.highest = r->highest};
    uint32_t moved = number - pcb->lastack;

    if (TCP_SEQ_LT(number, pcb->lastack) || TCP_SEQ_GT(number, pcb->snd_nxt))
        return;
    if (pcb->snd_wnd == 0) /* alive, and has no room for what is sent again and again */
        pcb->nrtx = 0;
    look_through(pcb, number, &news);
    r->highest = later_of(news.highest, number);
    if (news.measured)
        resend_measure(r, news.trip);
    if (moved)
        progress(pcb, number, moved);
    if (!(pcb->flags & TF_SACK))
        count_duplicates(pcb, number, moved, plain);
    if (moved || news.bytes)
        r->waits_for = RESEND_NOTHING;
    if (news.bytes || r->away || r->duplicates)
        resend_find_lost(pcb, number);
    if (r->waits_for == RESEND_NOTHING)
        resend_wait_for_silence(pcb, pcb->snd_nxt - number);
}

/* ---- sending ---- */

uint32_t resend_room(const struct tcp_pcb *pcb)
{
    return pcb->cwnd + pcb->resend.away;
}

void resend_sending(struct tcp_pcb *pcb, struct tcp_seg *seg)
{
    struct resend *r = &pcb->resend;

    if (seg->flags & RESEND_LOST) {
        seg->flags &= (uint8_t)~RESEND_LOST;
        r->lost -= r->lost != 0;
        r->away -= LWIP_MIN(r->away, TCP_TCPLEN(seg));
    }
    if (TCP_SEQ_LT(begin_of(seg), pcb->snd_nxt))
        seg->flags |= RESEND_AGAIN;
    seg->sent.at = resend_now();
    seg->sent.order = ++r->count;
    if (r->waits_for == RESEND_NOTHING || r->waits_for == RESEND_PROBE ||
        ((seg->flags & RESEND_AGAIN) && seg == pcb->unacked))
        resend_wait_for_silence(pcb, later_of(end_of(seg), pcb->snd_nxt) - pcb->lastack);
}

void resend_output(struct tcp_pcb *pcb)
{
    struct resend *r = &pcb->resend;

    for (struct tcp_seg *seg = pcb->unacked; seg && r->lost; seg = seg->next) {
        if (!(seg->flags & RESEND_LOST))
            continue;
        if (!r->at_once && pcb->snd_nxt - pcb->lastack + TCP_TCPLEN(seg) > resend_room(pcb))
            break;
        if (!kept_may_be_sent(pcb, seg) || tcp_send_again(pcb, seg) != ERR_OK)
            break;
        r->at_once = false;
    }
}

void resend_first(struct tcp_pcb *pcb)
{
    if (!pcb->unacked)
        return;
    if (!(pcb->unacked->flags & RESEND_LOST))
        mark_lost(pcb, pcb->unacked);
    pcb->resend.at_once = true;
    tcp_output(pcb);
}
