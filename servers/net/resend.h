/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TCP sends again, and when: instead of lwIP's own rules, which know one loss per round trip
 * and a clock of half seconds. Called by lwIP through the hooks of third_party/lwip.patch.
 *
 *     resend.c        what the peer has, what is lost, how much may be on the way
 *     resend_timer.c  round trips, and what silence means
 *
 * Included by lwipopts.h: these structures lie in lwIP's own.
 */
#ifndef NET_RESEND_H
#define NET_RESEND_H

#include <stdbool.h>
#include <stdint.h>

enum {
    RESEND_LEAST = 200000, /* µs, above the round trip: time-out, at least (Linux's) */
    RESEND_FIRST = 1000000, /* before any round trip was measured: RFC 6298 */
    RESEND_MOST = 120000000,
    RESEND_PROBE_LEAST = 10000,
    RESEND_DUPLICATES = 3, /* RFC 5681 */
    RESEND_BLOCKS = 4, /* of a SACK option, at most */
};

/* With each segment: when it was sent last, and as the how manieth transmission. */
struct resend_sent {
    uint32_t at, order;
};

/* Further bits of a segment's flags. */
enum {
    RESEND_HELD = 0x20, /* the peer says that it has it (SACK) */
    RESEND_LOST = 0x40, /* to be sent again */
    RESEND_AGAIN = 0x80, /* was sent more than once */
};

enum resend_phase {
    RESEND_OPEN,
    RESEND_RECOVERY, /* something is lost; the window was halved */
    RESEND_TIMED_OUT, /* all is held to be lost; the window begins anew */
};

enum resend_wait { RESEND_NOTHING, RESEND_REORDER, RESEND_PROBE, RESEND_TIMEOUT };

/* With each connection, zero at first. Times in µs. */
struct resend {
    uint32_t round_trip, variation; /* smoothed; 0: none was measured yet */
    uint32_t shortest; /* round trip */
    uint32_t count; /* transmissions */
    uint32_t newest, newest_trip; /* of what has arrived, what was sent last: its order, its trip */
    uint32_t highest; /* end of the highest that has arrived */
    uint32_t late; /* so much later than one sent after it a segment has arrived */
    uint32_t recover; /* phase ends when this is acknowledged */
    uint32_t away; /* bytes sent that are not on the way: lost, or the peer has them */
    uint32_t duplicates; /* the same for peers without SACK: bytes that duplicates stand for */
    uint32_t deadline;
    uint16_t lost; /* segments to be sent again */
    uint8_t phase, waits_for;
    uint8_t doubled; /* time-outs since a round trip was measured (Karn's rule) */
    bool probed; /* since the last progress */
    bool at_once; /* the next goes out whatever the congestion window says */
    bool spoiled; /* kept.c: of what waits to be acknowledged a bit has flipped */
};

struct tcp_pcb;
struct tcp_seg;
struct tcp_hdr;

/* ---- the hooks ---- */

/* A segment for a connection has come: its SACK option is noted. Always ERR_OK. */
int resend_options(const struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t bytes,
                   bool whole);
/* An acknowledgement, before lwIP frees what it covers; plain: one that may be a duplicate. */
void resend_acknowledged(struct tcp_pcb *pcb, uint32_t number, bool plain);
/* A segment of the queues goes out now. */
void resend_sending(struct tcp_pcb *pcb, struct tcp_seg *segment);
/* lwIP is about to send: what is lost goes first. */
void resend_output(struct tcp_pcb *pcb);
/* Bytes behind the last acknowledged one that may be sent, as far as congestion is concerned. */
uint32_t resend_room(const struct tcp_pcb *pcb);

/* ---- for acknowledge.c ---- */

/* The oldest segment goes out again at once. */
void resend_first(struct tcp_pcb *pcb);

/* ---- between the two files ---- */

uint32_t resend_now(void);
void resend_measure(struct resend *r, uint32_t trip);
/* Waits for silence, from now on; `outstanding` bytes are sent and not acknowledged. */
void resend_wait_for_silence(struct tcp_pcb *pcb, uint32_t outstanding);
void resend_wait(struct tcp_pcb *pcb, enum resend_wait what, uint32_t delay);
void resend_find_lost(struct tcp_pcb *pcb, uint32_t from);
void resend_all_lost(struct tcp_pcb *pcb);

#endif
