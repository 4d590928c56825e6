/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Data that wait in our memory, for a program or for an acknowledgement: a bit of them may flip there.
 * So each pbuf that waits for a program has the Internet checksum of its data, and it is compared before
 * they are handed on; of a segment that has been sent lwIP has the sum as it was when the program wrote it.
 */
#ifndef NET_KEPT_H
#define NET_KEPT_H

#include <stdbool.h>
#include <stdint.h>

struct pbuf;
struct tcp_hdr;
struct tcp_pcb;
struct tcp_seg;

/* In each pbuf (LWIP_PBUF_CUSTOM_DATA): one word, so it costs one store. Of the address where the data
 * began only the low bits: headers are taken off since, but never 64 kB. 0: there is no sum. */
#define KEPT_BEGIN 0
#define KEPT_LENGTH 16
#define KEPT_SUM 32
#define KEPT_IS 48
#define KEPT_TURN 49 /* the turn of the loop in which it came */

/* A segment whose checksum was right, header in host order: what its data have follows from that. */
void kept_segment(struct pbuf *p, const struct tcp_hdr *header, uint16_t option_bytes);
void kept_make(struct pbuf *p); /* of all that it is made of, as it is now */
/* `length` more bytes stand behind the data of p, which has a sum. */
void kept_append(struct pbuf *p, uint16_t length);
/* The data of this one are what they were: its next `n` bytes are about to be handed on. What has flipped
 * is put right if there is a second copy, that in the driver's queue. `rest`: what `kept` is to be when they
 * are taken off, so that each byte is summed once more, and not with each small read. */
bool kept_holds(struct pbuf *p, uint16_t n, uint64_t *rest);
bool kept_all_hold(struct pbuf *p);

/* A segment that goes once more: false: its data have changed, and kept_settle() ends the connection. */
bool kept_may_be_sent(struct tcp_pcb *pcb, const struct tcp_seg *seg);
void kept_settle(void); /* before every receive that might block */

#endif
