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

#include "abi/proto/net.h"
#include "lib/rt/kernel.h"

#define GUARD_AGAIN ERR_USE /* of the hook: who the segment is for is to be looked up again */
#define HALF_OPEN_MAX 64 /* of a listener */
#define HALF_OPEN_ALL 256u
/*
 * Connections from the wire, to one listener and in all. What one costs is a kB, and its place in each step over all of
 * them: so a server that has no process for each can have 1,100, and a crowd at its door, and all servers together leave
 * two fifths of the sockets to those who call from here.
 */
#define PEERS_MAX 1536u
#define PEERS_ALL (NET_SOCKETS / 5u * 3)
/* Processes that serve them, to one listener and in all: a server that forks has one for each, and the system has room
 * for a thousand. */
#define PROCESSES_MAX 256u
#define PROCESSES_ALL 768u
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
/* The process that has to do with it; 0: none has yet, or any more. */
endpoint_t tcp_served_by(const struct tcp_pcb *pcb);

#endif
