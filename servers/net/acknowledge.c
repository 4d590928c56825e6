/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP acknowledgements. The peer of a fast transfer waits for them: so one goes out for every
 * connection as soon as a batch of frames is worked off, and only one, whatever the number of
 * segments was.
 *
 * After frames have been lost with a driver, the peers are asked for them: a peer sends one segment
 * again at the third duplicate acknowledgement. Whether there is another hole shows when that one
 * has arrived: at once, when later segments are here already, else by silence. So these connections
 * are looked after every two milliseconds, until they flow again or are quiet.
 */
#include <lwip/priv/tcp_priv.h>
#include <lwip/timeouts.h>

#include "servers/net/interface.h"

#define DUPLICATES 3 /* fast retransmission: RFC 5681 */
#define LOOK_AFTER 2 /* ms */
#define ROUNDS 500 /* of looking after, at most, since the loss */
#define FLOWS (8 * TCP_MSS) /* that much between two looks: no help needed */
#define QUIET 4 /* looks without anything new: nothing is missing */
#define QUIET_HOLE 64 /* the same, when something is known to be missing */

unsigned acknowledgements_due;
static unsigned rounds_left;

/*
 * What is kept with a connection (lwIP's extra argument, zero at first): position | looks without
 * anything new << 32 | WATCHED.
 */
#define WATCHED (1ull << 63)

static uint8_t watch_id(void)
{
    static uint8_t id_plus_one;

    if (!id_plus_one)
        id_plus_one = (uint8_t)(tcp_ext_arg_alloc_id() + 1);
    return (uint8_t)(id_plus_one - 1);
}

static void watch(struct tcp_pcb *pcb, uint64_t quiet)
{
    tcp_ext_arg_set(pcb, watch_id(), (void *)(pcb->rcv_nxt | quiet << 32 | WATCHED));
}

static bool watched(const struct tcp_pcb *pcb)
{
    return (uintptr_t)tcp_ext_arg_get(pcb, watch_id()) & WATCHED;
}

/*
 * First an acknowledgement with a smaller window, so that every peer begins to count anew (4.4BSD
 * goes on counting after a partial acknowledgement, and never comes by three again). Whether that
 * window counts or not, the next one may still be news; the three after it are duplicates. A peer
 * that has nothing on the way ignores them.
 */
static void ask_peer(struct tcp_pcb *pcb)
{
    tcpwnd_size_t window = pcb->rcv_ann_wnd, unit = (tcpwnd_size_t)1 << pcb->rcv_scale;

    if (window > unit) {
        pcb->rcv_ann_wnd = window - unit;
        tcp_send_empty_ack(pcb);
        pcb->rcv_ann_wnd = window;
    }
    for (int n = 0; n <= DUPLICATES; n++)
        tcp_send_empty_ack(pcb);
}

void acknowledge(void)
{
    /* tcp_input() moves a connection to the front of the list: the walk is short. */
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb && acknowledgements_due; pcb = pcb->next) {
        if (!(pcb->flags & TF_ACK_DELAY))
            continue;
        acknowledgements_due--;
        tcp_ack_now(pcb);
        tcp_output(pcb);
        if (rounds_left && pcb->ooseq && watched(pcb))
            ask_peer(pcb); /* one hole is closed, and there is another */
    }
    acknowledgements_due = 0; /* others went out with data meanwhile */
}

/* True: it is to be looked after further. */
static bool look_after(struct tcp_pcb *pcb)
{
    uint64_t kept = (uintptr_t)tcp_ext_arg_get(pcb, watch_id()), quiet = kept >> 32 & 0xff;
    uint32_t moved = pcb->rcv_nxt - (uint32_t)kept;

    if (!watched(pcb))
        return false;
    quiet = moved ? 0 : quiet + 1;
    if ((moved >= FLOWS && !pcb->ooseq) || quiet > (pcb->ooseq ? QUIET_HOLE : QUIET)) {
        tcp_ext_arg_set(pcb, watch_id(), NULL);
        return false;
    }
    if (quiet % QUIET == 0)
        ask_peer(pcb);
    watch(pcb, quiet);
    return true;
}

static void look_after_all(void *unused)
{
    bool more = false;

    (void)unused;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        more |= look_after(pcb);
    rounds_left = more ? rounds_left - 1 : 0;
    if (rounds_left)
        sys_timeout(LOOK_AFTER, look_after_all, NULL);
}

void acknowledge_again(const struct netif *netif)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (!ip_addr_cmp(&pcb->local_ip, netif_ip_addr4(netif)))
            continue;
        if (pcb->state >= ESTABLISHED) {
            ask_peer(pcb);
            watch(pcb, 0);
        }
        resend_first(pcb); /* ours: it or its acknowledgement is lost */
    }
    rounds_left = ROUNDS;
    sys_untimeout(look_after_all, NULL);
    sys_timeout(LOOK_AFTER, look_after_all, NULL);
}
