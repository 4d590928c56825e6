/* SPDX-License-Identifier: BSD-2-Clause */
/* What sockets decide without lwIP and without the kernel. All pure functions. */
#ifndef NET_SOCKET_LOGIC_H
#define NET_SOCKET_LOGIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#define SOCKETS_MAX 8192u /* NET_SOCKETS, and those that no program has accepted */
#define RECEIVE_BUFFER (256u * 1024) /* of a stream; beyond it the peer's window closes */
#define DATAGRAM_BUFFER 212992u /* Linux's net.core.rmem_default */
#define DATAGRAM_ALLOWANCE 256u /* what a queued datagram costs besides its bytes */
/* Connections that wait for the program to accept them. What listen() asks for is a hint, of a number
 * that was right when nobody meant harm: when 200 come at once, the next one must not be dropped, to
 * begin again a second later. */
#define ACCEPT_QUEUE_MAX 224u

enum stream_state {
    STREAM_FRESH,
    STREAM_CONNECTING,
    STREAM_CONNECTED,
    STREAM_LISTENING,
    STREAM_DEAD /* reset, timed out, refused */
};

struct stream_view { /* what readiness depends on */
    enum stream_state state;
    bool has_input, has_accepted, has_error, peer_closed, read_shut, write_shut;
    size_t room, send_limit;
};

/* Nodes: never 0, and another one at each use of an index. */
uint64_t node_make(unsigned index, uint32_t generation);
unsigned node_index(uint64_t node);

/* What socket(2) says to these: 0, or -errno. */
long socket_check(uint64_t domain, uint64_t type, uint64_t protocol);

/* POLL* events, as Linux's tcp_poll() and datagram_poll() have them. */
uint32_t stream_events(const struct stream_view *v);
uint32_t datagram_events(bool has_input, bool has_error, bool read_shut);

/* SO_RCVBUF, SO_SNDBUF: twice what is asked for, within limits; a negative number is a large one,
 * as on Linux. */
uint32_t buffer_limit(int asked, uint32_t least, uint32_t most);
uint32_t low_water_limit(int asked, uint32_t most); /* SO_RCVLOWAT: the same, not doubled */

/* SO_RCVTIMEO, SO_SNDTIMEO: ms, rounded up; 0 for never. False: not a time. */
bool timeout_from(const struct timeval *t, uint32_t *ms);
struct timeval timeout_to(uint32_t ms);

/* errno (positive) for an ICMP "destination unreachable" with that code; 0: it says
 * nothing final. */
int unreachable_error(unsigned code);

/* What an ICMP error message (from its own header on) is about: the protocol, addresses and ports
 * of the packet that we had sent, in network order. False: none of this can be read in it. */
struct icmp_error {
    uint8_t type, code, protocol;
    uint32_t source, destination;
    uint16_t source_port, destination_port;
};
bool icmp_error_read(const uint8_t *bytes, size_t length, struct icmp_error *e);

#endif
