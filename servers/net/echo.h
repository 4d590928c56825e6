/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions to the gateway that no earlier ones are like: a series of echo requests (RFC 792), each
 * with a number that nobody can guess. What is answered of them is what we have sent just now. An
 * answer to a question of ARP says less: a card that sends old frames again is answered, too. It
 * takes several, because such a card may send one half of what it is given, in turns; and one at a
 * time, because among frames that wait together it may only change the order; and they are as long
 * as can be, because short ones get through where the length is another frame's.
 *
 * That a gateway answers echo requests is not taken for granted, nor how many of them: what it has
 * answered of a series at most is what counts.
 */
#ifndef NET_ECHO_H
#define NET_ECHO_H

#include <stdbool.h>
#include <stdint.h>

struct netif;

enum {
    ECHO_SERIES = 8,
    ECHO_TRIES = 4, /* series without any answer, of a gateway that has never answered one */
};

struct echo {
    uint32_t gateway; /* which was asked, in network order; 0: none yet */
    uint32_t tries; /* series, until one is answered */
    uint32_t asked[ECHO_SERIES]; /* the latest one; 0: it is answered, or not asked yet */
    uint32_t answers; /* to the latest one */
    uint32_t unsent; /* of it, since memory was short: no driver's fault */
    uint32_t best; /* answers to any, of this gateway */
};

void echo_ask(struct echo *e, struct netif *netif, uint32_t number); /* of the series, from 0 */
/* Looks at a frame that came, `length` bytes from its Ethernet header on. */
void echo_frame(struct echo *e, const uint8_t *frame, uint32_t length);
/* The gateway answers; or it has not been asked often enough to know. */
bool echo_is_possible(const struct echo *e, const struct netif *netif);

#endif
