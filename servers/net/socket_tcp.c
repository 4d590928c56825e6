/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams. lwIP's callbacks note what has happened and mark the socket; requests look at that. */
#define _GNU_SOURCE
#include <errno.h>
#include <lwip/tcp.h>
#include <signal.h>
#include <stdlib.h>

#include "abi/proto/pm.h"
#include "servers/net/socket.h"

#define STAGING_BYTES 65536u

static uint8_t staging[STAGING_BYTES];

/* ---- what lwIP tells ---- */

static err_t received(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct socket *s = argument;

    (void)error;
    socket_dirty(s);
    if (!p) {
        s->peer_closed = true;
        return ERR_OK;
    }
    if (s->read_shut) { /* nobody will read it */
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    if (s->in_bytes + p->tot_len <= s->receive_limit)
        tcp_recved(pcb, p->tot_len); /* the window stays the same: identical acknowledgements stay identical */
    else
        s->owed += p->tot_len;
    s->in_bytes += p->tot_len;
    if (s->in_last)
        s->in_last->next = p;
    else
        s->in = p;
    while (p->next)
        p = p->next;
    s->in_last = p;
    return ERR_OK;
}

static err_t sent(void *argument, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    (void)length;
    socket_dirty(argument);
    return ERR_OK;
}

/* The pcb is gone already. */
static void failed(void *argument, err_t error)
{
    struct socket *s = argument;

    s->tcp = NULL;
    s->error = s->state == SOCKET_CONNECTING ? error == ERR_RST ? ECONNREFUSED : ETIMEDOUT : error_of(error);
    s->state = SOCKET_DEAD;
    socket_dirty(s);
}

static err_t connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *s = argument;

    (void)pcb;
    (void)error;
    s->state = SOCKET_CONNECTED;
    socket_dirty(s);
    return ERR_OK;
}

static void attach(struct socket *s, struct tcp_pcb *pcb)
{
    s->tcp = pcb;
    tcp_arg(pcb, s);
    tcp_recv(pcb, received);
    tcp_sent(pcb, sent);
    tcp_err(pcb, failed);
}

static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *s = argument, *new, **end;

    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    new = s->accepted_count < s->backlog ? socket_new(SOCK_STREAM, s->protocol) : NULL;
    if (!new)
        return ERR_MEM; /* lwIP resets it */
    tcp_backlog_delayed(pcb);
    attach(new, pcb);
    new->state = SOCKET_CONNECTED;
    new->bound = true;
    new->listener = s;
    new->receive_limit = s->receive_limit;
    for (end = &s->accepted; *end; end = &(*end)->next_accepted)
        ;
    *end = new;
    s->accepted_count++;
    socket_dirty(s);
    return ERR_OK;
}

/* ---- life ---- */

long tcp_socket_open(struct socket *s)
{
    struct tcp_pcb *pcb = tcp_new();

    if (!pcb)
        return -ENOBUFS;
    attach(s, pcb);
    return 0;
}

static err_t close_again(void *argument, struct tcp_pcb *pcb)
{
    (void)argument;
    if (tcp_close(pcb) == ERR_OK)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

static void detach(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_err(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
}

static void close_pcb(struct tcp_pcb *pcb, bool abort)
{
    detach(pcb);
    if (abort)
        tcp_abort(pcb);
    else if (tcp_close(pcb) != ERR_OK)
        tcp_poll(pcb, close_again, 2);
    net_output_pending();
}

void tcp_socket_close(struct socket *s)
{
    while (s->accepted) {
        struct socket *one = s->accepted;

        s->accepted = one->next_accepted;
        if (one->tcp)
            close_pcb(one->tcp, true);
        socket_free(one);
    }
    if (!s->tcp)
        return;
    if (s->state == SOCKET_LISTENING) {
        tcp_arg(s->tcp, NULL);
        tcp_accept(s->tcp, NULL);
        tcp_close(s->tcp);
    } else {
        /* Data that nobody read means a reset, as in Linux; so does SO_LINGER with 0. */
        close_pcb(s->tcp, s->in_bytes || (s->linger && !s->linger_seconds));
    }
    s->tcp = NULL;
}

long tcp_socket_connect(struct socket *s, struct request *r, const ip_addr_t *address, uint16_t port)
{
    err_t error;

    if (s->state == SOCKET_DEAD && s->error) {
        long result = -s->error;

        s->error = 0;
        return result;
    }
    if (s->state == SOCKET_CONNECTED)
        return r->begun ? 0 : -EISCONN;
    if (s->state == SOCKET_CONNECTING)
        return r->begun ? LATER : -EALREADY;
    if (s->state == SOCKET_LISTENING)
        return -EISCONN;
    if (s->state == SOCKET_DEAD) { /* a socket may try again */
        long result = tcp_socket_open(s);

        if (result)
            return result;
        s->state = SOCKET_FRESH;
        s->peer_closed = false;
    }
    if (!port)
        return -ECONNREFUSED;
    error = tcp_connect(s->tcp, address, port, connected);
    if (error != ERR_OK)
        return -error_of(error);
    s->bound = true;
    s->state = SOCKET_CONNECTING;
    r->begun = true;
    net_output_pending();
    return LATER;
}

long tcp_socket_listen(struct socket *s, uint32_t backlog)
{
    struct tcp_pcb *pcb;
    err_t error = ERR_OK;

    backlog = backlog < 1 ? 1 : backlog > 128 ? 128 : backlog;
    if (s->state == SOCKET_LISTENING) {
        s->backlog = backlog;
        return 0;
    }
    if (s->state != SOCKET_FRESH)
        return -EINVAL;
    if (!s->bound)
        error = tcp_bind(s->tcp, IP_ADDR_ANY, 0);
    pcb = error == ERR_OK ? tcp_listen_with_backlog_and_err(s->tcp, (u8_t)backlog, &error) : NULL;
    if (!pcb)
        return -error_of(error);
    s->tcp = pcb;
    tcp_arg(pcb, s);
    tcp_accept(pcb, accepted);
    s->bound = true;
    s->backlog = backlog;
    s->state = SOCKET_LISTENING;
    return 0;
}

long tcp_socket_shutdown(struct socket *s, bool read, bool write)
{
    if (s->state != SOCKET_CONNECTED || !s->tcp)
        return -ENOTCONN;
    s->read_shut |= read;
    if (write && !s->write_shut) {
        s->write_shut = true;
        tcp_shutdown(s->tcp, 0, 1);
        net_output_pending();
    }
    socket_dirty(s);
    return 0;
}

/* ---- data ---- */

static long broken(struct socket *s, struct request *r, const struct transfer *t)
{
    struct message m = {.type = PM_SIGNAL, .w = {0, SIGPIPE, (uint64_t)message_caller(&r->m)}};
    int error = s->error;

    if (r->done)
        return (long)r->done;
    s->error = 0;
    if (error && error != EPIPE)
        return -error;
    if (!(t->flags & MSG_NOSIGNAL))
        ipc_call(service_info()->pm, &m);
    return -EPIPE;
}

/* As much of n staged bytes as the send queue takes. */
static size_t queue_bytes(struct tcp_pcb *pcb, size_t n, bool more)
{
    while (n) {
        err_t error = tcp_write(pcb, staging, (u16_t)n, (u8_t)(TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0)));

        if (error == ERR_OK)
            return n;
        n = n > TCP_MSS ? n / 2 : 0;
    }
    return 0;
}

long tcp_socket_send(struct socket *s, struct request *r, struct transfer *t)
{
    if (s->state == SOCKET_CONNECTING)
        return LATER;
    if (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING)
        return -ENOTCONN;
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    while (t->at < t->length) {
        size_t n = t->length - t->at, room, taken;
        struct transfer before = *t;
        long result;

        if (s->state != SOCKET_CONNECTED || s->write_shut || !s->tcp)
            return broken(s, r, t);
        room = tcp_sndbuf(s->tcp);
        n = n < room ? n : room;
        n = n < STAGING_BYTES - 1 ? n : STAGING_BYTES - 1; /* tcp_write() takes 16 bits */
        if (n == 0)
            break;
        result = transfer_get(t, staging, n);
        if (result)
            return r->done ? (long)r->done : result;
        taken = queue_bytes(s->tcp, n, t->at < t->length || (t->flags & MSG_MORE));
        if (taken < n) {
            *t = before;
            transfer_skip(t, taken);
        }
        r->done += taken;
        if (taken == 0)
            break;
    }
    if (s->tcp) {
        tcp_output(s->tcp);
        net_output_pending();
    }
    return t->at == t->length ? (long)r->done : LATER;
}

static void consume(struct socket *s, size_t n)
{
    uint32_t owed = s->owed < n ? s->owed : (uint32_t)n;

    s->in_bytes -= (uint32_t)n;
    while (n) {
        struct pbuf *p = s->in;

        if (p->len > n) {
            pbuf_remove_header(p, n);
            break;
        }
        n -= p->len;
        s->in = p->next;
        if (!s->in)
            s->in_last = NULL;
        p->next = NULL;
        p->tot_len = p->len;
        pbuf_free(p);
    }
    s->owed -= owed;
    for (uint32_t part; owed && s->tcp; owed -= part) {
        part = owed < 0xffff ? owed : 0xffff;
        tcp_recved(s->tcp, (u16_t)part);
        net_output_pending();
    }
}

long tcp_socket_receive(struct socket *s, struct request *r, struct transfer *t)
{
    size_t taken = 0, left = t->length - t->at;
    long result = 0;

    if (s->state == SOCKET_FRESH || s->state == SOCKET_LISTENING)
        return -ENOTCONN;
    if (t->flags & MSG_OOB)
        return -EINVAL;
    for (struct pbuf *p = s->in; p && taken < left && result == 0; p = p->next) {
        size_t n = p->len < left - taken ? p->len : left - taken;

        if (!(t->flags & MSG_TRUNC)) /* of a stream: bytes are thrown away */
            result = transfer_put(t, p->payload, n);
        taken += result == 0 ? n : 0;
    }
    if (taken && !(t->flags & MSG_PEEK)) {
        consume(s, taken);
        r->done += taken;
    } else if (taken) {
        return (long)taken;
    }
    if (result && !r->done)
        return result;
    if (r->done && (result || !(t->flags & MSG_WAITALL) || r->done == t->length))
        return t->header && transfer_finish(t, NULL, 0) ? -EFAULT : (long)r->done;
    if (t->length == 0 || s->peer_closed || s->read_shut)
        return (long)r->done;
    if (s->state == SOCKET_DEAD) {
        result = r->done ? (long)r->done : -s->error;
        s->error = r->done ? s->error : 0;
        return result;
    }
    return LATER;
}
