/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: the programs' half of the network server, over lwIP's raw API. (abi/proto/file.h)
 *
 * A request is tried as soon as it comes. What can't be answered yet stays in its socket's queue, and is tried again in
 * sockets_idle() when lwIP has changed something about that socket: so all that a batch of frames brings goes to the program with one answer.
 *
 *     socket.c          the table; requests: tried, kept, answered, taken back
 *     socket_program.c  the program's memory: buffers, vectors, message headers
 *     socket_tcp.c  socket_datagram.c  what the kinds of sockets do
 *     socket_name.c  socket_option.c  addresses; options, ioctl
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "abi/proto/file.h"
#include "servers/net/net.h"

#define RECEIVE_BUFFER (256u * 1024) /* bytes that wait for the program, before the window closes */
#define DATAGRAM_BUFFER 212992u /* Linux's net.core.rmem_default */
#define LATER SERVICE_NO_REPLY /* of an attempt: not yet */

struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;

enum socket_state { SOCKET_FRESH, SOCKET_CONNECTING, SOCKET_CONNECTED, SOCKET_LISTENING, SOCKET_DEAD /* reset, timed out */ };

struct request { /* a program that waits */
    struct request *next;
    struct message m;
    uint64_t done; /* bytes of it that are done */
    uint32_t timer; /* sys_now() when it is given up; 0: never */
    bool begun; /* connect */
    bool unreachable; /* waits for the first address */
};

struct datagram {
    struct datagram *next;
    struct pbuf *p;
    ip_addr_t from;
    uint16_t port;
};

struct socket {
    uint64_t node; /* index | generation << 16 */
    uint32_t type, protocol; /* SOCK_* */
    enum socket_state state;
    union {
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
        struct raw_pcb *raw;
        void *pcb;
    };
    int error; /* SO_ERROR: positive */
    bool bound, peer_closed, read_shut, write_shut;
    bool reuse, broadcast, keepalive, linger, connected_to;
    uint32_t linger_seconds, receive_timeout, send_timeout; /* ms; 0: none */
    uint32_t receive_limit;

    struct pbuf *in, *in_last; /* TCP: bytes that came; chained by next alone */
    uint32_t in_bytes, owed; /* owed: of them, not yet told to the peer as taken */
    struct datagram *datagrams, *last_datagram;

    struct socket *listener, *accepted, *next_accepted; /* those nobody has accepted yet */
    uint32_t backlog, accepted_count;

    struct request *requests; /* in the order of arrival */
    uint32_t told; /* POLL* that VFS wants to hear of */
    bool is_dirty, is_ready; /* lists below */
    struct socket *next_dirty, *next_ready;
};

struct socket *socket_of(uint64_t node);
struct socket *socket_new(uint32_t type, uint32_t protocol); /* NULL: no room */
void socket_free(struct socket *s); /* its pcb is gone or has no more to do with it */
void socket_dirty(struct socket *s); /* something about it changed */
uint32_t socket_poll_mask(const struct socket *s); /* POLL* now */
int error_of(int8_t lwip); /* err_t -> errno, positive */

/* ---- the program's memory ---- */
struct transfer {
    endpoint_t program;
    size_t length, at; /* bytes in all; done */
    uint32_t flags, open_flags; /* MSG_*, O_* */
    uint64_t name, name_length, header; /* addresses in the program; 0: none. For sends name_length is the length itself. */
    unsigned count, segment;
    size_t offset;
    struct iovec *iov;
};
/* Find out what the request wants: 0, -EFAULT, -EINVAL, -EMSGSIZE. The vectors are valid until the next call. */
long transfer_begin(struct transfer *t, const struct message *m);
long transfer_put(struct transfer *t, const void *bytes, size_t n); /* to the program, at most what is left: 0, -EFAULT, -EDEADSRCDST */
long transfer_get(struct transfer *t, void *bytes, size_t n);
void transfer_skip(struct transfer *t, size_t n);
/* What a receive fills in besides bytes: the sender's address, msg_flags. */
long transfer_finish(struct transfer *t, const struct sockaddr_in *from, int flags);

/* ---- kinds ---- */
long tcp_socket_open(struct socket *s);
void tcp_socket_close(struct socket *s);
long tcp_socket_connect(struct socket *s, struct request *r, const ip_addr_t *address, uint16_t port);
long tcp_socket_listen(struct socket *s, uint32_t backlog);
long tcp_socket_send(struct socket *s, struct request *r, struct transfer *t);
long tcp_socket_receive(struct socket *s, struct request *r, struct transfer *t);
long tcp_socket_shutdown(struct socket *s, bool read, bool write);

long datagram_open(struct socket *s);
void datagram_close(struct socket *s);
long datagram_connect(struct socket *s, const ip_addr_t *address, uint16_t port); /* address NULL: no more */
long datagram_send(struct socket *s, struct transfer *t);
long datagram_receive(struct socket *s, struct transfer *t);

/* ---- names, options ---- */
long name_read(endpoint_t program, uint64_t address, uint64_t length, ip_addr_t *ip, uint16_t *port);
struct sockaddr_in name_make(const ip_addr_t *ip, uint16_t port);
long name_write(endpoint_t program, uint64_t address, uint64_t address_of_length, const struct sockaddr_in *name);
long name_bind(struct socket *s, struct message *m);
long name_get(struct socket *s, struct message *m);
long option_get(struct socket *s, struct message *m);
long option_set(struct socket *s, struct message *m);
long socket_ioctl(struct socket *s, struct message *m);

#endif
