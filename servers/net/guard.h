/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What stands between the wire and lwIP: frames that nobody honest sends are dropped before lwIP
 * sees them, and each kind is counted (/proc/net/guard).
 *
 *     guard.c      the counters; frames: addresses that cannot be, DHCP answers that make no sense
 *     guard_arp.c  who may say where an address lives
 *     guard_tcp.c  segments that do not fit their connection (RFC 5961); see guard_tcp.h
 */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name in /proc/net/guard, in the order of the text */
#define GUARD_COUNTERS(C)                                                                          \
    C(ip_malformed) /* shorter than its header */                                                  \
    C(ip_fragment_malformed) /* without a byte, not of eights, beyond the longest packet */        \
    C(ip_source_impossible) /* 127/8, 0.0.0.0, a broadcast, one of ours */                         \
    C(ip_source_elsewhere) /* of another card's network */                                         \
    C(ip_destination_elsewhere) /* another card's address, or 127/8 */                             \
    C(arp_malformed) /* or of an impossible sender */                                              \
    C(arp_unasked) /* answers to no question of ours */                                            \
    C(arp_change_held) /* an address that says it has moved, before that was checked */            \
    C(arp_conflict) /* somebody else claims our address */                                         \
    C(dhcp_malformed)                                                                              \
    C(tcp_no_acknowledgement) /* a segment of a connection without ACK */                          \
    C(tcp_acknowledgement_impossible) /* of what was never sent, or was long ago */                \
    C(tcp_syn_in_connection)                                                                       \
    C(tcp_reset_not_exact)                                                                         \
    C(tcp_challenge) /* acknowledgements in answer to one of these */                              \
    C(tcp_challenge_held) /* the same, but too soon after the last */                              \
    C(tcp_backlog_full) /* dropped: the program has not accepted those before it yet */            \
    C(tcp_cookie_sent) /* SYNs answered and forgotten: too many half open */                       \
    C(tcp_cookie_taken) /* connections that came of it */                                          \
    C(tcp_refused_crowded) /* SYNs dropped: too many connections, none of them idle */             \
    C(tcp_connection_ended) /* by us, for another: the idlest of the peer with most of them */     \
    C(tcp_order_forgotten) /* what a connection had out of order, for others */                    \
    C(tcp_stalled_ended) /* by us: held much, did not move, and memory was short */                \
    C(tcp_pair_reused) /* TIME-WAIT that a new connection ended */                                 \
    C(tcp_beyond_window) /* out of order, and past the window's edge */

enum guard_counter {
#define GUARD_ENUM(name) GUARD_##name,
    GUARD_COUNTERS(GUARD_ENUM)
#undef GUARD_ENUM
        GUARD_COUNT
};

extern uint64_t guard_counters[GUARD_COUNT];

static inline void guard_count(enum guard_counter counter)
{
    guard_counters[counter]++;
}

/* The name and number of a counter; NULL: no more. */
const char *guard_name(unsigned counter);

struct netif;
struct pbuf;

/* A frame from the wire, whole and in one piece: shall lwIP have it? */
bool guard_frame(struct netif *netif, const uint8_t *frame, size_t length);
/* LWIP_HOOK_IP4_INPUT, of what we send to ourselves, too: not 0: it was a fragment that cannot be, and is gone. */
int guard_fragment(struct pbuf *p);
/* Where the last one came from. */
extern uint8_t guard_frame_from[6];
/* What is sent goes there, and nobody is asked where it is to go; NULL: as ARP says. */
extern const uint8_t *guard_answers_to;
/* The same for ARP packets, from behind the Ethernet header. */
bool guard_arp(struct netif *netif, const uint8_t *packet, size_t length);
/* One that we send: which addresses do we ask for? */
void guard_arp_sent(const uint8_t *frame, size_t length);
/* A DHCP answer, from the BOOTP header on: can it be believed? Pure. */
bool dhcp_is_sound(const uint8_t *message, size_t length);

#endif
