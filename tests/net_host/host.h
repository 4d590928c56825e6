/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole network server on the host, under ASan: servers/net and lwIP as they are built for the
 * system, a clock that the test moves, programs that are functions, and at the other end of the
 * queue a wire that the test holds in its hands. Nothing here depends on the host's speed.
 */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#define HOST_ADDRESS 0x0a00020fu /* 10.0.2.15, mask 24, gateway 10.0.2.2: e0 */
#define HOST_SECOND 0x0a00030fu /* 10.0.3.15: e1 */
#define GATEWAY 0x0a000202u
#define PEER 0x0a00024du /* 10.0.2.77 */
#define PORT_FILE 80 /* answers anything with FILE_BYTES bytes, then closes */
#define PORT_ECHO 7000
#define PORT_SINK 7100 /* takes, says nothing */
#define PORT_DEAF 7200 /* accepts, never reads */
#define PORT_BUSY 7300 /* as PORT_ECHO, while it accepts */
#define FILE_BYTES 400000u

extern const uint8_t host_mac[2][6], peer_mac[6];

/* net is started, with its programs; parameters: as in its manifest (NULL: DHCP on both). */
void host_start(uint64_t seed, const char *parameters);
/* panic() comes back here once this is set; else it ends the test. */
extern jmp_buf host_death;
extern bool host_death_awaited;
extern char host_last_words[256];

/* A frame comes in on interface n; net does its work, and its programs theirs. */
void host_frame(unsigned n, const void *bytes, size_t length);
/* Frames in a row, before net looks. */
void host_queue_frame(unsigned n, const void *bytes, size_t length);
void host_turn(void);
/* What is in the receive buffers changes, in all of them: an ill driver, or its device. */
void host_spoil(unsigned n);
/* Time passes, in steps of at most 10 ms. */
void host_pass(uint32_t ms);
uint64_t host_now_ms(void);
/* What the clock says when net is started: before host_start(); else a second. */
void host_clock(uint64_t ms);

/* What net has sent: called for each frame. */
extern void (*host_sent)(unsigned n, const uint8_t *frame, size_t length);

/* One call of a program: the result; w as in the message before and after. */
long host_call(uint64_t type, uint64_t w[6]);
/* A stream socket of a program that connects; node, or -errno. */
long host_connect(uint32_t to, uint16_t port);
/* Datagram sockets of a resolver: one that is bound to PORT_RESOLVER, one that is connected to its
 * server from PORT_RESOLVER + 1, one whose datagrams nobody reads. Again: others in their place. */
#define PORT_RESOLVER 5300
#define DATAGRAM_SOCKETS 3
void host_datagrams_open(void);
uint64_t host_datagrams(void); /* that programs have read */
/* Programs that get copies: one that pings, one with all of ICMP, two that hear what is said to all on one port; and one
 * that writes packets as they are, to ourselves. */
#define PORT_SHARED 5400
#define PING_IDENT 77
void host_copies_open(void);
void host_raw_packet(const void *bytes, size_t length);
extern bool host_accepting; /* on PORT_BUSY */
extern bool host_forks; /* each connection is served by a process of its own */
uint64_t host_connections(void); /* of the servers above */
/* A bit flips in net's memory: of what waits for a program, or for the acknowledgement of the peer that has this port.
 * False: there is no such byte. */
bool host_flip_waiting(uint64_t node, size_t at);
bool host_flip_sent(uint16_t peer_port, size_t at);
uint64_t host_node_of(uint16_t peer_port); /* the socket of a connection */
/* /proc/net's text number `table`. */
const char *host_table(unsigned table);
/* The number behind a name in the table of counters; -1: no such name. */
long host_counter(const char *name);

uint32_t host_random(void); /* the test's own, seeded */

/* ---- frames: host_frames.c ---- */
enum { TCP_F = 1, TCP_S = 2, TCP_R = 4, TCP_P = 8, TCP_A = 16 };

struct segment {
    uint32_t from, to; /* addresses; 0: PEER, HOST_ADDRESS */
    uint16_t from_port, to_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    const void *options;
    uint8_t option_bytes;
    const void *data;
    uint16_t length;
};

uint16_t frame_sum(const void *bytes, size_t length, uint32_t sum);
size_t frame_ethernet(uint8_t *frame, const uint8_t to[6], uint16_t type);
size_t frame_ip(uint8_t *frame, uint32_t from, uint32_t to, uint8_t protocol, const void *body,
                size_t length);
size_t frame_udp(uint8_t *frame, uint32_t from, uint32_t to, uint16_t from_port, uint16_t to_port,
                 const void *data, size_t length);
size_t frame_tcp(uint8_t *frame, const struct segment *s);
size_t frame_arp(uint8_t *frame, uint16_t operation, const uint8_t from_mac[6], uint32_t from,
                 const uint8_t to_mac[6], uint32_t to);
void send_tcp(const struct segment *s); /* in on interface 0 */
/* A frame that net sent, taken apart: false: it is no TCP segment of IPv4. */
struct sent_segment {
    uint32_t from, to, seq, ack;
    uint16_t from_port, to_port, window, length;
    uint8_t flags, option_bytes;
    const uint8_t *options, *data;
};
bool sent_tcp(const uint8_t *frame, size_t length, struct sent_segment *s);

#endif
