/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a peer may have of us:
 *
 *     guard_tcp.c  segments that do not fit their connection; who may begin one
 *     cookie.c     beginnings that are not remembered, when there are too many
 *     shortage.c   when something is short, it is taken back from the peer that holds most of it
 */
#ifndef NET_GUARD_TCP_H
#define NET_GUARD_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include <lwip/priv/tcp_priv.h>

#define GUARD_AGAIN ERR_USE /* of the hook: who the segment is for is to be looked up again */
#define HALF_OPEN_MAX 64 /* of a listener */
#define HALF_OPEN_ALL 256u
#define PEERS_MAX 256u /* connections from the wire to one listener */
#define PEERS_ALL (MEMP_NUM_TCP_PCB / 4u * 3)
#define OUT_OF_ORDER_ALL (MEMP_NUM_TCP_SEG / 4u) /* segments that wait for what is missing */

/* In input of a SYN; its options. */
void cookie_send(const struct tcp_hdr *header, const uint8_t *option_bytes, unsigned option_length);
/* In input of an acknowledgement to a listener. */
bool cookie_is_ours(const struct tcp_hdr *header);
bool cookie_take(struct tcp_pcb_listen *listener,
                 const struct tcp_hdr *header); /* false: no room */

/* One more is about to begin; false: there is no room for it. */
bool shortage_of_connections(const struct tcp_pcb_listen *listener);
/* One more segment is about to wait for what is missing before it. */
void shortage_of_order(void);

/* ---- of the sockets: socket_tcp.c ---- */
/* The program is to accept some before there is room for more. */
bool tcp_queue_is_full(const struct tcp_pcb_listen *listener);
/* Bytes that a program has not read yet. */
uint32_t tcp_unread(const struct tcp_pcb *pcb);

#endif
