/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: how they begin and end. lwIP's callbacks note what has happened and mark the socket.
 *
 * A socket lets go of its pcb as soon as both directions are closed: lwIP frees a pcb that is in
 * TIME-WAIT without telling. Names are kept in the socket, therefore.
 */
#define _GNU_SOURCE
#include <errno.h>

#include <lwip/tcp.h>

#include "servers/net/guard_tcp.h"
#include "servers/net/socket.h"

#define ORPHAN_TICKS 20 /* of half a second, between two looks */
#define ORPHAN_LOOKS 6
/* After each that ends lwIP begins its look at all connections anew (docs/bounds.md). */
#define ORPHANS_AT_ONCE 64

static void names_note(struct socket *s)
{
    s->local = name_make(&s->tcp->local_ip, s->tcp->local_port);
    s->remote = name_make(&s->tcp->remote_ip, s->tcp->remote_port);
}

/* ---- what lwIP tells ---- */

static err_t received(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct socket *s = argument;

    (void)error;
    socket_dirty(s);
    if (!p) {
        s->peer_closed = true;
        if (s->write_shut)
            tcp_release(s);
        return ERR_OK;
    }
    if (s->read_shut) { /* nobody will read it */
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
    } else {
        uint16_t length = p->tot_len;

        /* At once while there is room: the window stays the same, so that acknowledgements which
         * should be identical are. */
        if (stream_take(s, p))
            tcp_recved(pcb, length);
    }
    return ERR_OK;
}

static err_t sent(void *argument, struct tcp_pcb *pcb, u16_t length)
{
    (void)pcb;
    (void)length;
    socket_dirty(argument);
    return ERR_OK;
}

static void died(struct socket *s, int error)
{
    s->tcp = NULL;
    s->owed = 0;
    s->error = error;
    s->state = STREAM_DEAD;
    socket_dirty(s);
}

/* The pcb is gone already. */
static void failed(void *argument, err_t error)
{
    struct socket *s = argument;

    if (s->state == STREAM_CONNECTING && error == ERR_RST)
        died(s, ECONNREFUSED);
    else if (error == ERR_CLSD) /* all is said and acknowledged */
        s->tcp = NULL;
    else
        died(s, s->peer_closed && error == ERR_RST ? EPIPE : error_of(error));
    socket_dirty(s);
}

static err_t connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *s = argument;

    (void)pcb;
    (void)error; /* always ERR_OK */
    s->state = STREAM_CONNECTED;
    names_note(s);
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

/* Nobody waits for it any more: a peer that takes nothing of what is left shall not keep it for
 * ever. What is kept: the peer's last acknowledgement | looks since it was new << 32. */
static err_t orphan_look(void *argument, struct tcp_pcb *pcb)
{
    static uint32_t tick, ended; /* in this tick */
    uint64_t looks = (uintptr_t)argument >> 32;

    looks = (uint32_t)(uintptr_t)argument == pcb->lastack ? looks + 1 : 0;
    if (looks > ORPHAN_LOOKS && tick == tcp_ticks && ended == ORPHANS_AT_ONCE) {
        pcb->polltmr = ORPHAN_TICKS - 1; /* in the next one */
        return ERR_OK;
    }
    if (looks > ORPHAN_LOOKS) {
        ended = tick == tcp_ticks ? ended + 1 : 1;
        tick = tcp_ticks;
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    tcp_arg(pcb, (void *)(uintptr_t)(pcb->lastack | looks << 32));
    return ERR_OK;
}

static void detach(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, (void *)(uintptr_t)pcb->lastack);
    tcp_poll(pcb, orphan_look, ORPHAN_TICKS);
    tcp_err(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
}

void tcp_release(struct socket *s)
{
    if (s->tcp)
        detach(s->tcp);
    s->tcp = NULL;
    s->owed = 0;
}

/* What a connection inherits from the socket that listened. */
static void inherit(struct socket *new, const struct socket *s)
{
    new->receive_limit = s->receive_limit;
    new->send_limit = s->send_limit;
    new->low_water = s->low_water;
    new->linger = s->linger;
    new->linger_seconds = s->linger_seconds;
    new->receive_timeout = s->receive_timeout;
    new->send_timeout = s->send_timeout;
}

static err_t accepted(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *s = argument, *new, **end;

    if (error != ERR_OK || !pcb)
        return ERR_VAL;
    new = s->accepted_count < ACCEPT_QUEUE_MAX ? socket_new(SOCK_STREAM, IPPROTO_TCP) : NULL;
    if (!new)
        return ERR_MEM; /* lwIP resets it */
    attach(new, pcb);
    inherit(new, s);
    names_note(new);
    new->state = STREAM_CONNECTED;
    new->bound = new->connect_reported = true;
    for (end = &s->accepted; *end; end = &(*end)->next_accepted)
        ;
    *end = new;
    s->accepted_count++;
    socket_dirty(s);
    return ERR_OK;
}

bool tcp_queue_is_full(const struct tcp_pcb_listen *listener)
{
    const struct socket *s = listener->callback_arg;

    return !s || s->accepted_count >= ACCEPT_QUEUE_MAX;
}

uint32_t tcp_unread(const struct tcp_pcb *pcb)
{
    return pcb->recv == received ? ((const struct socket *)pcb->callback_arg)->in_bytes : 0;
}

endpoint_t tcp_served_by(const struct tcp_pcb *pcb)
{
    return pcb->recv == received ? ((const struct socket *)pcb->callback_arg)->served_by : 0;
}

/* ---- beginning ---- */

long tcp_open(struct socket *s)
{
    struct tcp_pcb *pcb = tcp_new();

    if (!pcb)
        return -ENOBUFS;
    attach(s, pcb);
    s->send_limit = TCP_SND_BUF;
    return 0;
}

/* A socket whose attempt failed, or whose connection is over, may try again. */
static long renew(struct socket *s)
{
    long result = tcp_open(s);

    if (result)
        return result;
    stream_drop(s);
    s->state = STREAM_FRESH;
    s->peer_closed = s->read_shut = s->write_shut = s->connect_reported = false;
    return 0;
}

/* True: *result is the answer, or LATER; false: it may begin. */
static bool connect_decided(struct socket *s, struct request *r, long *result)
{
    int error = s->error;

    switch (s->state) {
    case STREAM_FRESH:
        return false;
    case STREAM_LISTENING:
        *result = -EISCONN;
        return true;
    case STREAM_CONNECTING:
        *result = r->begun || transfer_may_wait(&r->m) ? LATER : -EALREADY;
        r->begun = true;
        return true;
    case STREAM_CONNECTED: /* the first to ask gets to know that it succeeded */
        *result = s->connect_reported ? -EISCONN : 0;
        s->connect_reported = true;
        return true;
    case STREAM_DEAD:
        break;
    }
    s->error = 0;
    if (error)
        *result = -error;
    else
        *result = r->begun ? -ECONNABORTED : renew(s);
    return *result != 0;
}

long tcp_connect_to(struct socket *s, struct request *r, const struct sockaddr_in *to)
{
    ip_addr_t ip;
    err_t error;
    long result;

    if (connect_decided(s, r, &result))
        return result;
    ip = name_destination(to);
    if (!to->sin_port)
        return -ECONNREFUSED;
    error = tcp_connect(s->tcp, &ip, lwip_ntohs(to->sin_port), connected);
    if (error == ERR_USE || error == ERR_BUF) /* the pair is in use; no port is free */
        return -EADDRNOTAVAIL;
    if (error != ERR_OK)
        return -error_of(error);
    names_note(s);
    s->bound = r->begun = true;
    s->state = STREAM_CONNECTING;
    net_output_pending();
    return LATER;
}

void tcp_connect_failed(struct socket *s, int error)
{
    struct tcp_pcb *pcb = s->tcp;

    tcp_release(s);
    tcp_abort(pcb);
    died(s, error);
}

void tcp_spoiled(struct socket *s)
{
    stream_drop(s);
    if (s->tcp)
        tcp_connect_failed(s, ECONNRESET);
    else
        died(s, ECONNRESET);
    s->peer_closed = false; /* that was no end */
}

long tcp_listen_on(struct socket *s)
{
    struct tcp_pcb *pcb;
    err_t error = ERR_OK;

    if (s->state == STREAM_LISTENING)
        return 0;
    if (s->state != STREAM_FRESH)
        return -EINVAL;
    if (!s->bound)
        error = tcp_bind(s->tcp, IP_ADDR_ANY, 0);
    pcb = error == ERR_OK ? tcp_listen_with_backlog_and_err(s->tcp, HALF_OPEN_MAX, &error) : NULL;
    if (!pcb)
        return -error_of(error);
    s->tcp = pcb; /* smaller than the one before, which is gone */
    tcp_arg(pcb, s);
    tcp_accept(pcb, accepted);
    s->local = name_make(&pcb->local_ip, pcb->local_port);
    s->bound = true;
    s->state = STREAM_LISTENING;
    return 0;
}

long tcp_accept_one(struct socket *s, struct message *m)
{
    const struct socket_address_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    struct socket *new = s->accepted;
    long result = 0;

    if (s->state != STREAM_LISTENING)
        return -EINVAL;
    if (!new)
        return LATER;
    if (r->address)
        result =
            name_write(message_caller(m), r->address, r->length, &new->remote, sizeof new->remote);
    if (result)
        return result;
    s->accepted = new->next_accepted;
    s->accepted_count--;
    new->next_accepted = NULL;
    new->served_by = message_caller(m);
    reply->node = new->node;
    return 0;
}

void tcp_accept_undo(struct socket *listener, struct socket *s)
{
    s->served_by = 0;
    s->next_accepted = listener->accepted;
    listener->accepted = s;
    listener->accepted_count++;
    socket_dirty(listener);
}

/* ---- ending ---- */

static void close_pcb(struct tcp_pcb *pcb, bool abort)
{
    detach(pcb);
    if (abort || tcp_close(pcb) != ERR_OK)
        tcp_abort(pcb);
    net_output_pending();
}

static void end_listener(struct socket *s)
{
    struct tcp_pcb *pcb = s->tcp;

    while (s->accepted) {
        struct socket *one = s->accepted;

        s->accepted = one->next_accepted;
        if (one->tcp)
            close_pcb(one->tcp, true);
        socket_free(one);
    }
    s->tcp = NULL;
    tcp_arg(pcb, NULL);
    tcp_accept(pcb, NULL);
    tcp_close(pcb);
}

/* Data that nobody has read means a reset, as in Linux; so does SO_LINGER with 0 seconds. */
void tcp_end(struct socket *s)
{
    struct tcp_pcb *pcb = s->tcp;

    if (!pcb)
        return;
    if (s->state == STREAM_LISTENING) {
        end_listener(s);
        return;
    }
    s->tcp = NULL;
    close_pcb(pcb,
              s->state == STREAM_CONNECTED && (s->in_bytes || (s->linger && !s->linger_seconds)));
}

bool tcp_lingers(const struct socket *s)
{
    return s->kind == KIND_TCP && s->linger && s->linger_seconds && !s->in_bytes && s->tcp &&
           s->state == STREAM_CONNECTED && (s->tcp->unsent || s->tcp->unacked);
}

/* As on Linux: who waits to accept gets EINVAL, who connects is refused, and it may listen again where
 * it is bound. */
static long stop_listening(struct socket *s)
{
    ip_addr_t ip = s->tcp->local_ip;
    uint16_t port = s->tcp->local_port;
    uint8_t options = s->tcp->so_options;
    uint32_t send_limit = s->send_limit;

    end_listener(s);
    s->state = tcp_open(s) == 0 ? STREAM_FRESH : STREAM_DEAD;
    s->send_limit = send_limit;
    if (s->tcp) {
        s->tcp->so_options = options;
        s->bound = tcp_bind(s->tcp, &ip, port) == ERR_OK;
    }
    socket_dirty(s);
    return 0;
}

long tcp_shut(struct socket *s, bool read, bool write)
{
    if (s->state == STREAM_LISTENING)
        return read ? stop_listening(s) : 0;
    if (s->state != STREAM_CONNECTED)
        return -ENOTCONN;
    s->read_shut |= read;
    if (write && !s->write_shut) {
        s->write_shut = true;
        if (s->tcp)
            tcp_shutdown(s->tcp, 0, 1); /* does not fail: lwIP repeats it when memory is short */
        if (s->peer_closed)
            tcp_release(s);
        net_output_pending();
    }
    socket_dirty(s);
    return 0;
}
