/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: the programs' half of the network server, over lwIP's raw API. (abi/proto/file.h)
 *
 * lwIP's callbacks only note what has happened and mark the socket (socket_dirty()). A request is
 * tried as soon as it comes; what cannot be answered yet stays with its socket and is tried again
 * in sockets_idle(), when the socket has been marked: so all that a batch of frames brings goes to
 * the program with one answer.
 *
 *     socket.c           the table; requests that are answered at once
 *     socket_wait.c      requests that may wait: tried, kept, answered, taken back, timed out
 *     socket_poll.c      readiness: FILE_POLL, FILE_POLL_EVENTS
 *     socket_program.c   the program's memory: buffers, vectors, message headers, addresses
 *     socket_tcp.c       streams: life;  socket_stream.c: their data
 *     socket_datagram.c  UDP, raw and ping sockets;  socket_icmp.c: what ICMP says about others
 *     socket_name.c      bind, getsockname, getpeername
 *     socket_option.c socket_ioctl.c   getsockopt and setsockopt; interfaces
 *     socket_logic.c     what needs neither lwIP nor the kernel (tested on the host)
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <lwip/ip_addr.h>
#include <lwip/pbuf.h>

#include "abi/proto/file.h"
#include "servers/net/net.h"
#include "servers/net/socket_logic.h"

#define LATER SERVICE_NO_REPLY /* of an attempt: it must wait */

struct tcp_pcb;
struct udp_pcb;
struct raw_pcb;

enum socket_kind { KIND_TCP, KIND_UDP, KIND_RAW, KIND_PING };

struct request { /* of a program; kept while it waits */
    struct request *next;
    struct socket *socket;
    struct message m;
    uint64_t done; /* bytes of it that are done */
    uint64_t deadline; /* ns; 0: none */
    bool waited; /* this is not the first attempt */
    bool begun; /* a connect that is on its way */
    bool signal; /* SIGPIPE comes with the answer */
    bool unreachable; /* while the first address is on its way */
    bool again; /* nothing will mark the socket: to be tried from time to time */
};

struct datagram {
    struct datagram *next;
    struct pbuf *p;
    struct sockaddr_in from;
};

struct socket {
    uint64_t node; /* index | generation << 16: a stale node finds nothing */
    uint32_t type, protocol;
    enum socket_kind kind;
    enum stream_state state; /* of datagram sockets: FRESH */
    union {
        struct tcp_pcb *tcp; /* NULL: it is gone, or lwIP ends it alone */
        struct udp_pcb *udp;
        struct raw_pcb *raw; /* RAW, PING */
        struct ip_pcb *ip; /* what all have in common */
    };
    struct sockaddr_in local, remote;
    uint16_t ident; /* PING: of its echo requests */
    int error; /* SO_ERROR, positive */
    bool bound, peer_known; /* peer_known: of datagram sockets, connect() */
    bool peer_closed, read_shut, write_shut, connect_reported;

    bool linger;
    uint32_t linger_seconds, receive_timeout, send_timeout; /* ms; 0: none */
    uint32_t receive_limit, send_limit, low_water;

    struct pbuf *in, *in_last; /* TCP: what came, chained by next alone */
    uint32_t in_bytes; /* of datagrams: with an allowance for each */
    uint32_t in_room; /* behind the last, for small pieces */
    uint32_t owed; /* of in_bytes: the peer has not been given back that window */
    struct datagram *datagrams, *last_datagram;

    struct socket *accepted, *next_accepted; /* oldest first */
    uint32_t accepted_count;

    endpoint_t served_by; /* TCP: who accepted it, or used it since; 0: nobody yet */
    struct request *requests; /* in the order of arrival */
    uint32_t told; /* POLL* that VFS wants to hear of, once */
    bool is_dirty, is_ready;
    struct socket *next_dirty, *next_ready;
};

/* ---- the table: socket.c ---- */
struct socket *socket_of(uint64_t node); /* NULL: there is none */
struct socket *socket_at(unsigned index); /* 0 .. SOCKETS_MAX - 1; NULL: free */
struct socket *socket_new(uint32_t type, uint32_t protocol); /* NULL: no room */
void socket_free(struct socket *s); /* its pcb is gone or does not know it any more */
void socket_close(struct socket *s); /* ends everything; s is no more */
void socket_dirty(struct socket *s); /* something about it has changed */
int error_of(int lwip_error); /* err_t -> errno, positive */
bool caller_is_root(const struct message *m); /* asks PM */

/* ---- requests that may wait: socket_wait.c ---- */
long request_begin(struct message *m); /* the handler of all of them */
long request_cancel(struct message *m);
void request_arrived(const struct message *m); /* any other request of a program */
void requests_retry(struct socket *s); /* may end s, when it lingered */
void requests_fail(struct socket *s, long error);
bool request_keep(struct socket *s, const struct request *r);
/* To the program, or through VFS when the protocol says so; m's words 1.. are results. answer_now()
 * is for a handler's return; answer_back() goes to VFS whatever m is. */
long answer(struct message *m, long result); /* 0; < 0: it does not wait for it any more */
long answer_now(struct message *m, long result);
long answer_back(struct message *m, long result);

/* ---- readiness: socket_poll.c ---- */
uint32_t socket_events(const struct socket *s); /* POLL* now */
long poll_socket(struct socket *s, struct message *m);
long poll_events(struct message *m);
void poll_check(struct socket *s); /* something about it has changed */
void poll_forget(struct socket *s);
void poll_notify(void); /* once for all that poll_check() has found */

/* ---- the program's memory: socket_program.c ---- */
struct transfer {
    endpoint_t program;
    size_t length, at; /* bytes in all; behind us */
    uint32_t flags, open_flags; /* MSG_*, O_* */
    uint64_t name, header; /* addresses in the program; 0: none */
    uint64_t name_length; /* of a send: itself; of a receive: its address, in the program */
    unsigned count, segment;
    size_t offset; /* in the segment */
};
/* What the request wants: 0, -EFAULT, -EINVAL, -EMSGSIZE, -EDEADSRCDST. Valid until the
 * next one. */
long transfer_begin(struct transfer *t, const struct message *m);
bool transfer_may_wait(const struct message *m);
/* At most what is left: 0, -EFAULT, -EDEADSRCDST. */
long transfer_put(struct transfer *t, const void *bytes, size_t n);
long transfer_get(struct transfer *t, void *bytes, size_t n);
void transfer_skip(struct transfer *t, size_t n);
/* What a receive fills in besides bytes: the sender (NULL: none), msg_flags. */
long transfer_finish(struct transfer *t, const struct sockaddr_in *from, int flags);

long name_read(endpoint_t program, uint64_t address, uint64_t length, struct sockaddr_in *name);
long name_write(endpoint_t program, uint64_t address, uint64_t address_of_length,
                const struct sockaddr_in *name, uint32_t size);
/* -EFAULT for what the program did wrong, -EDEADSRCDST when it is no more. */
long copy_error(long result);

static inline struct sockaddr_in name_make(const ip_addr_t *ip, uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = lwip_htons(port), .sin_addr.s_addr = ip->addr};
}

/* Whom it is sent to: 0.0.0.0 is this machine. */
static inline ip_addr_t name_destination(const struct sockaddr_in *name)
{
    return (ip_addr_t){name->sin_addr.s_addr ? name->sin_addr.s_addr : lwip_htonl(INADDR_LOOPBACK)};
}

/* ---- streams: socket_tcp.c, socket_stream.c ---- */
long tcp_open(struct socket *s);
void tcp_end(struct socket *s); /* the pcb, in good order; what nobody accepted, too */
bool tcp_lingers(const struct socket *s);
long tcp_connect_to(struct socket *s, struct request *r, const struct sockaddr_in *to);
void tcp_connect_failed(struct socket *s, int error); /* ICMP says so */
void tcp_spoiled(struct socket *s); /* what came has changed, and is acknowledged: reset */
long tcp_listen_on(struct socket *s);
long tcp_accept_one(struct socket *s, struct message *m);
void tcp_accept_undo(struct socket *listener, struct socket *s);
long tcp_shut(struct socket *s, bool read, bool write);
void tcp_release(struct socket *s); /* lwIP ends the connection alone */

bool stream_take(struct socket *s, struct pbuf *p); /* from lwIP; true: window is given back */
void stream_drop(struct socket *s); /* all that waits */
size_t stream_limit(const struct socket *s); /* of what it sends, now */
/* What there must be for it to be readable: no more than it has room for, which may have become less since
 * SO_RCVLOWAT was set. */
size_t stream_low_water(const struct socket *s);
size_t stream_room(const struct socket *s);
long stream_send(struct socket *s, struct request *r, struct transfer *t);
long stream_receive(struct socket *s, struct request *r, struct transfer *t);

/* ---- datagrams: socket_datagram.c, socket_icmp.c ---- */
long datagram_open(struct socket *s);
void datagram_end(struct socket *s);
long datagram_connect(struct socket *s, const struct sockaddr_in *to); /* NULL: no more */
long datagram_send(struct socket *s, struct transfer *t);
long datagram_receive(struct socket *s, struct transfer *t);
void datagram_queue(struct socket *s, struct pbuf *p, const struct sockaddr_in *from);

bool icmp_watch(void); /* errors about our packets, from now on; false: no memory */
bool ping_fits(const struct socket *s, const struct pbuf *p, uint16_t *header); /* p is for s */
long ping_prepare(const struct socket *s, struct pbuf *p); /* 0 or -EINVAL */

/* ---- names and options ---- */
long name_bind(struct socket *s, struct message *m);
long name_get(struct socket *s, struct message *m);
long option_get(struct socket *s, struct message *m);
long option_set(struct socket *s, struct message *m);
long socket_ioctl(struct socket *s, struct message *m);
struct netif *netif_named(const char *name); /* at most IFNAMSIZ characters; NULL: none */

#endif
