/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP acknowledgements. The peer of a fast transfer waits for them: so one goes out for every
 * connection as soon as a batch of frames is worked off, and only one, whatever the number of
 * segments was. After a loss the peers are told at once, too: they send again at the third
 * duplicate.
 */
#include <lwip/priv/tcp_priv.h>

#include "servers/net/interface.h"

#define DUPLICATES 3 /* fast retransmission: RFC 5681 */

unsigned acknowledgements_due;

void acknowledge(void)
{
    /* tcp_input() moves a connection to the front of the list: the walk is short. */
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb && acknowledgements_due; pcb = pcb->next) {
        if (!(pcb->flags & TF_ACK_DELAY))
            continue;
        acknowledgements_due--;
        tcp_ack_now(pcb);
        tcp_output(pcb);
    }
    acknowledgements_due = 0; /* others went out with data meanwhile */
}

/*
 * Identical pure acknowledgements: the first may still bring something new (a window that has been
 * opened), so there are three more. A peer that has nothing on the way ignores them.
 */
static void ask_peer(struct tcp_pcb *pcb)
{
    for (int n = 0; n <= DUPLICATES; n++)
        tcp_send_empty_ack(pcb);
    if (pcb->unacked && tcp_rexmit(pcb) == ERR_OK) /* ours may be acknowledged, and that lost */
        tcp_output(pcb);
}

void acknowledge_again(const struct netif *netif)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        if (!ip_addr_cmp(&pcb->local_ip, netif_ip_addr4(netif)))
            continue;
        if (pcb->state >= ESTABLISHED)
            ask_peer(pcb);
        else if (pcb->unacked && tcp_rexmit(pcb) == ERR_OK) /* a SYN */
            tcp_output(pcb);
    }
}
