/* SPDX-License-Identifier: BSD-2-Clause */
/* The data of streams. */
#define _GNU_SOURCE
#include <errno.h>

#include <lwip/tcp.h>

#include "servers/net/kept.h"
#include "servers/net/socket.h"

#define STAGING_BYTES (UINT16_MAX / TCP_MSS * TCP_MSS) /* tcp_write() takes 16 bits */

#define SCARCE_BYTES (4 * TCP_MSS)
#define WINDOWS_AHEAD 4
#define SMALL 256u
#define GATHERED 1460u

static uint8_t staging[STAGING_BYTES];

/* ---- what waits for the program ---- */

static void cut_loose(struct pbuf *p)
{
    p->next = NULL;
    p->tot_len = p->len;
    pbuf_free(p);
}

/* When memory is short everybody has a little of it. */
static size_t scarce(size_t limit)
{
    return memory_short() && limit > SCARCE_BYTES ? SCARCE_BYTES : limit;
}

/* Small pieces that pile up are copied together: each would have a buffer of its own, and a peer
 * could fill the memory with single bytes. False: p is to be kept as it is. */
static bool gather(struct socket *s, struct pbuf *p)
{
    struct pbuf *last = s->in_last;

    if (!last || p->tot_len > SMALL || !kept_all_hold(p))
        return false;
    if (s->in_room < p->tot_len) {
        if (!(last = pbuf_alloc(PBUF_RAW, GATHERED, PBUF_RAM)))
            return false;
        last->len = last->tot_len = 0;
        kept_make(last);
        s->in_last->next = last;
        s->in_last = last;
        s->in_room = GATHERED;
    }
    pbuf_copy_partial(p, (uint8_t *)last->payload + last->len, p->tot_len, 0);
    kept_append(last, p->tot_len);
    last->len = last->tot_len = (uint16_t)(last->len + p->tot_len);
    s->in_room -= p->tot_len;
    pbuf_free(p);
    return true;
}

bool stream_take(struct socket *s, struct pbuf *p)
{
    bool fits = s->in_bytes + p->tot_len <= scarce(s->receive_limit);

    s->owed += fits ? 0 : p->tot_len;
    s->in_bytes += p->tot_len;
    if (gather(s, p))
        return fits;
    if (s->in_last)
        s->in_last->next = p;
    else
        s->in = p;
    while (p->next)
        p = p->next;
    s->in_last = p;
    s->in_room = 0;
    return fits;
}

void stream_drop(struct socket *s)
{
    while (s->in) {
        struct pbuf *p = s->in;

        s->in = p->next;
        cut_loose(p);
    }
    s->in_last = NULL;
    s->in_bytes = s->owed = s->in_room = 0;
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
        if (!s->in) {
            s->in_last = NULL;
            s->in_room = 0;
        }
        cut_loose(p);
    }
    s->owed -= owed;
    for (uint32_t part; owed && s->tcp; owed -= part) {
        part = owed < UINT16_MAX ? owed : UINT16_MAX;
        tcp_recved(s->tcp, (u16_t)part);
        net_output_pending();
    }
}

/* -EIO: it is not what it was. */
static long put_piece(struct transfer *t, struct pbuf *p, size_t n)
{
    uint64_t rest;
    long result = kept_holds(p, (uint16_t)n, &rest) ? transfer_put(t, p->payload, n) : -EIO;

    if (result == 0 && n < p->len && !(t->flags & MSG_PEEK))
        p->kept = rest; /* these n are consumed */
    return result;
}

/* Copies or throws away what is there; *taken bytes, 0 or -errno. -EIO: what comes next has changed. */
static long copy_out(struct socket *s, struct transfer *t, size_t *taken)
{
    size_t left = t->length - t->at;
    long result = 0;

    *taken = 0;
    for (struct pbuf *p = s->in; p && *taken < left && result == 0; p = p->next) {
        size_t n = p->len < left - *taken ? p->len : left - *taken;

        if (!(t->flags & MSG_TRUNC)) /* of a stream: thrown away, tcp(7) */
            result = put_piece(t, p, n);
        *taken += result == 0 ? n : 0;
    }
    return result;
}

size_t stream_low_water(const struct socket *s)
{
    size_t most = scarce(s->receive_limit) / 2;

    return s->low_water < most ? s->low_water : most;
}

/* What a receive that may wait is content with. */
static bool enough(const struct socket *s, const struct transfer *t)
{
    size_t left = t->length - t->at;

    if (t->flags & MSG_WAITALL)
        return s->in_bytes >= left || s->in_bytes >= s->receive_limit;
    return s->in_bytes >= (stream_low_water(s) < left ? stream_low_water(s) : left);
}

static long end_of_stream(struct socket *s, const struct request *r)
{
    int error = s->error;

    if (r->done || s->state != STREAM_DEAD || s->peer_closed || s->read_shut)
        return (long)r->done;
    s->error = 0;
    return error == EPIPE ? 0 : -error;
}

static long receive_now(struct socket *s, struct request *r, struct transfer *t)
{
    bool ended = s->peer_closed || s->read_shut || s->state == STREAM_DEAD, all;
    size_t taken;
    long result;

    if (t->length == 0)
        return 0;
    if (s->in_bytes == 0 && ended)
        return end_of_stream(s, r);
    all = ended || enough(s, t) || !transfer_may_wait(&r->m);
    if (s->in_bytes == 0 || (!all && (!(t->flags & MSG_WAITALL) || (t->flags & MSG_PEEK))))
        return LATER;
    result = copy_out(s, t, &taken);
    if (result == -EDEADSRCDST)
        return result;
    if (result == -EIO && taken == 0)
        tcp_spoiled(s);
    if (t->flags & MSG_PEEK)
        return taken ? (long)taken : result;
    consume(s, taken);
    r->done += taken;
    if (result)
        return r->done ? (long)r->done : result;
    return r->done < t->length && (t->flags & MSG_WAITALL) && !ended ? LATER : (long)r->done;
}

long stream_receive(struct socket *s, struct request *r, struct transfer *t)
{
    long result, finished;

    if (t->flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (t->flags & MSG_OOB)
        return -EINVAL;
    if (s->state == STREAM_FRESH || s->state == STREAM_LISTENING)
        return -ENOTCONN;
    if (s->state == STREAM_CONNECTING)
        return LATER;
    result = receive_now(s, r, t);
    if (result == LATER || result < 0)
        return result;
    finished = transfer_finish(t, NULL, 0);
    return finished ? finished : result;
}

/* ---- what the program sends ---- */

/* More than a peer will take soon need not wait here: one that closes its window holds next to
 * nothing. */
size_t stream_limit(const struct socket *s)
{
    size_t limit = scarce(s->send_limit), useful;

    useful = SCARCE_BYTES + (s->tcp ? WINDOWS_AHEAD * (size_t)s->tcp->snd_wnd : 0);
    return limit < useful ? limit : useful;
}

size_t stream_room(const struct socket *s)
{
    size_t queued, room, limit = stream_limit(s);

    if (!s->tcp || s->state != STREAM_CONNECTED || tcp_sndqueuelen(s->tcp) >= TCP_SND_QUEUELEN / 2)
        return 0;
    room = s->tcp->snd_buf; /* tcp_sndbuf() knows 16 bits */
    queued = TCP_SND_BUF - room;
    if (queued >= limit)
        return 0;
    return limit - queued < room ? limit - queued : room;
}

/* It cannot be written to any more. */
static long broken(struct socket *s, struct request *r, const struct transfer *t)
{
    int error = s->error;

    if (r->done)
        return (long)r->done;
    s->error = 0;
    if (error && error != EPIPE)
        return -error;
    r->signal = !(t->flags & MSG_NOSIGNAL);
    return -EPIPE;
}

/* As many of n staged bytes as the send queue takes. */
static size_t queue_bytes(struct tcp_pcb *pcb, size_t n, bool more)
{
    const u8_t flags = (u8_t)(TCP_WRITE_FLAG_COPY | (more ? TCP_WRITE_FLAG_MORE : 0));

    while (n && tcp_write(pcb, staging, (u16_t)n, flags) != ERR_OK)
        n = n > TCP_MSS ? n / 2 : 0;
    return n;
}

/* One piece of it: bytes queued, or -errno. */
static long send_piece(struct socket *s, struct transfer *t, size_t n)
{
    struct transfer before = *t;
    long result = transfer_get(t, staging, n);
    size_t queued;

    if (result)
        return result;
    queued = queue_bytes(s->tcp, n, t->at < t->length || (t->flags & MSG_MORE));
    if (queued < n) {
        *t = before;
        transfer_skip(t, queued);
    }
    return (long)queued;
}

/* No acknowledgement will make room: lwIP's memory is short. */
static bool is_stuck(const struct socket *s)
{
    return s->tcp && s->state == STREAM_CONNECTED && !s->tcp->unsent && !s->tcp->unacked;
}

/* What is queued counts: when an error comes behind it this call returns the bytes. Who has waited
 * goes on only for a good part of the buffer: else each acknowledgement would wake it for a few
 * bytes. */
long stream_send(struct socket *s, struct request *r, struct transfer *t)
{
    /* One that has waited goes on when it is worth it. */
    size_t least = r->waited ? stream_limit(s) / 4 : 1;
    long piece = 1;

    if (s->state == STREAM_CONNECTING)
        return LATER;
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    while (t->at < t->length) {
        size_t left = t->length - t->at, room = stream_room(s), n;

        if (s->state != STREAM_CONNECTED || s->write_shut || !s->tcp)
            return broken(s, r, t);
        if (piece == 0 || room < (least < left ? least : left))
            break;
        least = 1;
        n = left < room ? left : room;
        piece = send_piece(s, t, n < STAGING_BYTES ? n : STAGING_BYTES);
        if (piece < 0)
            break;
        r->done += (uint64_t)piece;
    }
    if (s->tcp && s->state == STREAM_CONNECTED) {
        tcp_output(s->tcp);
        net_output_pending();
    }
    r->again = t->at < t->length && is_stuck(s);
    if (piece < 0)
        return r->done && piece != -EDEADSRCDST ? (long)r->done : piece;
    return t->at == t->length ? (long)r->done : LATER;
}
