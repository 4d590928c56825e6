/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes and messages from socket to socket. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "servers/vfs/unix.h"

enum {
    MESSAGE_MAX = 212992, /* bytes: as Linux's limit of a socket's buffer */
    RECORDS_MAX = 512, /* of a queue */
};

/* ---- queues ---- */

bool queue_init(struct unix_queue *q, size_t limit, struct share *share)
{
    *q = (struct unix_queue){.end = &q->first};
    return ring_init(&q->ring, share) && ring_set_limit(&q->ring, limit);
}

static struct unix_rights *record_remove(struct unix_queue *q)
{
    struct unix_record *r = list_at(q->first);
    struct unix_rights *rights = r->rights;

    q->first = list_at(r->next);
    if (!q->first)
        q->end = &q->first;
    q->records--;
    rights_queued(rights, -1);
    share_give(r->share, SHARE_RECORDS, 1);
    free(r);
    return rights;
}

static void record_append(struct unix_queue *q, struct unix_record *r)
{
    r->next = NULL;
    *list_at(q->end) = r;
    q->end = &r->next;
    q->records++;
    rights_queued(r->rights, 1);
}

struct unix_rights *queue_empty(struct unix_queue *q)
{
    struct unix_rights *all = NULL;

    while (list_at(q->first)) {
        struct unix_rights *rights = record_remove(q);

        if (rights) {
            rights->next = all;
            all = rights;
        }
    }
    q->taken = q->put;
    ring_consume(&q->ring, ring_used(&q->ring));
    return all;
}

size_t queue_next(const struct unix_socket *s)
{
    const struct unix_queue *q = &s->queue;

    if (s->type != SOCK_DGRAM)
        return ring_used(&q->ring);
    return q->first ? (size_t)(q->first->end - q->first->start) : 0;
}

/* From the program, as much as there is room for: bytes, or -EFAULT. */
static long queue_put(struct client *c, struct unix_queue *q, struct segments *s)
{
    long done = 0;

    while (s->left) {
        uint8_t *at;
        size_t n = ring_writable(&q->ring, s->left, &at);

        if (n == 0)
            break;
        if (segments_read_vault(c, s, at, n)) {
            if (done == 0)
                return -EFAULT;
            break;
        }
        ring_produce(&q->ring, n);
        done += (long)n;
    }
    q->put += (uint64_t)done;
    return done;
}

/* To the program, n bytes, which are there: 0 or -EFAULT. They stay in the queue. */
static long queue_copy(struct client *c, const struct unix_queue *q, struct segments *s, size_t n)
{
    for (size_t done = 0; done < n;) {
        const uint8_t *at;
        size_t part = ring_readable(&q->ring, done, n - done, &at);

        if (segments_write(c, s, at, part))
            return -EFAULT;
        done += part;
    }
    return 0;
}

static void queue_consume(struct unix_queue *q, size_t n)
{
    ring_consume(&q->ring, n);
    q->taken += n;
}

/* ---- sending ---- */

/* Half of the queue is free: less would wake who waits for room too often. And there is memory for it. */
static bool has_room(struct unix_queue *q)
{
    return ring_room(&q->ring) >= q->ring.limit / 2 && q->records < RECORDS_MAX &&
           ring_reserve(&q->ring, 1);
}

bool unix_can_send(const struct unix_socket *s)
{
    return !s->listening && (!s->peer || has_room(&s->peer->queue));
}

static long stream_broken(struct client *c, struct unix_socket *s, bool quietly)
{
    int error = s->error;

    if (error) {
        s->error = 0;
        return -error;
    }
    if (!s->connected)
        return -ENOTCONN;
    if (s->peer && !s->write_shut && !s->peer->read_shut)
        return 0;
    return quietly ? -EPIPE : segments_broken(c, 0);
}

/* What there is room for. The descriptors go with the first bytes. */
static long stream_put(struct client *c, struct unix_queue *q, struct unix_transfer *t,
                       struct unix_record **record)
{
    uint64_t start = q->put;
    long n = ring_room(&q->ring) ? queue_put(c, q, &t->segments) : 0;

    if (n > 0 && *record) {
        **record = (struct unix_record){
            .start = start, .end = q->put, .rights = t->rights, .share = (*record)->share};
        record_append(q, *record);
        *record = NULL;
        t->rights = NULL;
    }
    return n;
}

static long stream_send(struct client *c, struct unix_socket *s, struct unix_transfer *t,
                        struct unix_record **record)
{
    long done = 0, result = 0;

    if (t->to)
        return s->connected ? -EISCONN : -EOPNOTSUPP;
    while (result == 0) {
        result = stream_broken(c, s, done || (t->flags & MSG_NOSIGNAL));
        if (result || t->segments.left == 0)
            break;
        result = stream_put(c, &s->peer->queue, t, record);
        if (result < 0)
            break;
        if (result)
            unix_notify(s->peer);
        done += result;
        if (t->segments.left == 0)
            break;
        result = unix_wait(c, s, &s->changed, 1, t->flags & MSG_DONTWAIT);
    }
    return done ? done : result;
}

/* The socket that the next message goes to. It is looked up again after every wait: it may
 * be gone. */
static long message_target(struct client *c, struct unix_socket *s, struct unix_transfer *t,
                           struct unix_socket **out)
{
    *out = s->peer;
    if (s->write_shut || (s->type == SOCK_SEQPACKET && s->connected && !s->peer))
        return -EPIPE;
    if (t->to && s->type == SOCK_SEQPACKET)
        return s->connected ? -EISCONN : -EOPNOTSUPP;
    if (t->to) {
        long result = unix_lookup(c, t->to, s->type, out);

        if (result)
            return result;
    }
    if (!*out && s->peer_died) {
        s->peer_died = false;
        return -ECONNREFUSED;
    }
    if (!*out)
        return -ENOTCONN;
    if (s->type == SOCK_DGRAM && (*out)->peer && (*out)->peer != s)
        return -EPERM;
    return (*out)->read_shut ? -EPIPE : 0;
}

/* All of it, or nothing. */
static long message_put(struct client *c, struct unix_socket *s, struct unix_queue *q,
                        struct unix_transfer *t, struct unix_record **record)
{
    size_t n = t->segments.left;
    uint64_t start = q->put;

    if (!ring_reserve(&q->ring, n))
        return -ENOBUFS;
    queue_put(c, q, &t->segments);
    if (t->segments.left) {
        ring_retract(&q->ring, (size_t)(q->put - start));
        q->put = start;
        return -EFAULT;
    }
    **record = (struct unix_record){.start = start,
                                    .end = q->put,
                                    .rights = t->rights,
                                    .from = s->name,
                                    .share = (*record)->share};
    record_append(q, *record);
    *record = NULL;
    t->rights = NULL;
    return (long)n;
}

static long message_send(struct client *c, struct unix_socket *s, struct unix_transfer *t,
                         struct unix_record **record)
{
    size_t n = t->segments.left;

    if (n > MESSAGE_MAX)
        return -EMSGSIZE;
    for (;;) {
        struct unix_socket *target;
        long result = message_target(c, s, t, &target);

        if (result)
            return result;
        if (ring_room(&target->queue.ring) >= n && target->queue.records < RECORDS_MAX) {
            result = message_put(c, s, &target->queue, t, record);
            if (result >= 0)
                unix_notify(target);
            return result;
        }
        result = unix_wait(c, s, &unix_room, 1, t->flags & MSG_DONTWAIT);
        if (result)
            return result;
    }
}

static long record_new(struct client *c, struct unix_record **out)
{
    struct share *share = share_of(c->uid);

    if (!share_take(share, SHARE_RECORDS, 1))
        return -ENOBUFS;
    *out = malloc(sizeof **out);
    if (*out)
        (*out)->share = share;
    else
        share_give(share, SHARE_RECORDS, 1);
    return *out ? 0 : -ENOMEM;
}

long unix_send(struct client *c, struct unix_socket *s, struct unix_transfer *t)
{
    struct unix_record *record = NULL;
    long result;

    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (s->type != SOCK_STREAM || t->rights) {
        result = record_new(c, &record);
        if (result)
            return result;
    }
    result =
        s->type == SOCK_STREAM ? stream_send(c, s, t, &record) : message_send(c, s, t, &record);
    if (record)
        share_give(record->share, SHARE_RECORDS, 1);
    free(record);
    return result;
}

/* ---- receiving ---- */

/* Whoever sends to s may go on, when it had to wait. */
static void room_again(struct unix_socket *s, bool had_room)
{
    bool has = has_room(&s->queue);

    if (s->type != SOCK_STREAM && unix_room.first)
        wake_all(&unix_room);
    if (s->type == SOCK_STREAM && s->peer)
        wake_all(&s->peer->changed);
    if (had_room || !has)
        return;
    if (s->type != SOCK_DGRAM) {
        if (s->peer && s->peer->file)
            wake_all(&s->peer->file->pollers);
        return;
    }
    for (struct unix_socket *other = unix_all(); other; other = list_at(other->next))
        if (other->peer == s && other->file)
            wake_all(&other->file->pollers);
}

/* The rights that come with the bytes now received. When only looked at they are doubled. */
static long take_rights(struct unix_queue *q, struct unix_transfer *t)
{
    struct unix_rights *rights = q->first->rights;

    if (t->flags & MSG_PEEK) {
        rights = rights ? rights_copy(rights) : NULL;
        if (q->first->rights && !rights)
            return -ENOMEM;
    } else {
        record_remove(q);
    }
    t->rights = rights;
    return 0;
}

/* Up to the end of what descriptors came with: bytes. */
static long stream_take(struct client *c, struct unix_socket *s, struct unix_transfer *t)
{
    struct unix_queue *q = &s->queue;
    size_t n = ring_used(&q->ring);
    bool had_room = has_room(q), with_rights;
    long result;

    if (q->first && q->first->end - q->taken < n)
        n = (size_t)(q->first->end - q->taken);
    n = n < t->segments.left ? n : t->segments.left;
    with_rights = q->first && q->taken + n > q->first->start;
    result = queue_copy(c, q, &t->segments, n);
    if (result == 0 && with_rights)
        result = take_rights(q, t);
    if (result)
        return result;
    if (!(t->flags & MSG_PEEK)) {
        queue_consume(q, n);
        room_again(s, had_room);
    }
    return (long)n;
}

/* 1: there is nothing, and there will be nothing. */
static long receive_over(struct unix_socket *s)
{
    int error = s->error;

    if (!error)
        return s->read_shut;
    s->error = 0;
    return -error;
}

static long stream_receive(struct client *c, struct unix_socket *s, struct unix_transfer *t)
{
    bool all = (t->flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL;
    long done = 0, result = 0;

    if (!s->connected)
        return -EINVAL;
    while (t->segments.left) {
        if (ring_used(&s->queue.ring)) {
            result = stream_take(c, s, t);
            if (result < 0)
                break;
            done += result;
            if (!all || t->rights || t->segments.left == 0)
                break;
        }
        result = done ? s->read_shut : receive_over(s);
        if (result == 0)
            result = unix_wait(c, s, &s->changed, 0, t->flags & MSG_DONTWAIT);
        if (result)
            break;
    }
    t->from = s->peer_name;
    if (done)
        return done;
    return result < 0 ? result : 0;
}

static long message_take(struct client *c, struct unix_socket *s, struct unix_transfer *t)
{
    struct unix_queue *q = &s->queue;
    size_t length = (size_t)(q->first->end - q->first->start),
           n = length < t->segments.left ? length : t->segments.left;
    bool had_room = has_room(q);
    long result = queue_copy(c, q, &t->segments, n);

    t->from = q->first->from;
    if (result == 0)
        result = take_rights(q, t);
    if (result)
        return result;
    if (n < length)
        t->result_flags |= MSG_TRUNC;
    if (!(t->flags & MSG_PEEK)) {
        queue_consume(q, length);
        room_again(s, had_room);
    }
    return (long)(t->flags & MSG_TRUNC ? length : n);
}

long unix_receive(struct client *c, struct unix_socket *s, struct unix_transfer *t)
{
    if (t->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (s->type == SOCK_STREAM)
        return stream_receive(c, s, t);
    if (s->type == SOCK_SEQPACKET && !s->connected)
        return -ENOTCONN;
    while (!list_at(s->queue.first)) {
        long result = receive_over(s);

        if (result == 0)
            result = unix_wait(c, s, &s->changed, 0, t->flags & MSG_DONTWAIT);
        if (result)
            return result < 0 ? result : 0;
    }
    return message_take(c, s, t);
}
