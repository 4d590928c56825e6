/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: connect() makes the socket that accept() will give out and appends it to the
 * listener's; from then on both ends may send. Sockets of datagrams only remember where to send.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>

#include "servers/vfs/unix.h"

enum { BACKLOG_MAX = 4096 };

long unix_listen(struct client *c, struct unix_socket *s, uint32_t backlog)
{
    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (s->connected || !s->name.length)
        return -EINVAL;
    s->backlog = backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX;
    s->listening = true;
    s->credentials = (struct unix_credentials){c->pid, c->uid, c->gid};
    if (unix_room.first)
        wake_all(&unix_room);
    return 0;
}

/* ---- connect ---- */

static long connect_datagrams(struct client *c, struct unix_socket *s, const struct unix_name *name)
{
    struct unix_socket *to;
    long result = unix_lookup(c, name, s->type, &to);

    if (result)
        return result;
    if (to->peer && to->peer != s)
        return -EPERM;
    unix_set_peer(s, to);
    s->peer_died = false;
    return 0;
}

static long disconnect(struct unix_socket *s)
{
    unix_set_peer(s, NULL);
    s->peer_died = false;
    unix_notify(s);
    return 0;
}

/* The other end, among those to be accepted. */
static long connect_to(struct client *c, struct unix_socket *s, struct unix_socket *listener)
{
    struct unix_socket *end = unix_new(c, s->type);

    if (!end)
        return -ENFILE;
    end->name = listener->name;
    end->credentials = listener->credentials;
    s->credentials = (struct unix_credentials){c->pid, c->uid, c->gid};
    unix_join(s, end);
    *list_at(listener->pending_end) = end;
    listener->pending_end = &end->next_pending;
    listener->pending_count++;
    unix_notify(listener);
    unix_notify(s);
    return 0;
}

static long connect_stream(struct client *c, struct unix_socket *s, const struct unix_name *name)
{
    for (;;) {
        struct unix_socket *listener;
        long result = unix_lookup(c, name, s->type, &listener);

        if (result)
            return result;
        if (s->connected)
            return -EISCONN;
        if (s->listening)
            return -EINVAL;
        if (!listener->listening || listener->read_shut)
            return -ECONNREFUSED;
        if (listener->pending_count <= listener->backlog)
            return connect_to(c, s, listener);
        result = unix_wait(c, s, &unix_room, 1, s->file->flags & O_NONBLOCK);
        if (result)
            return result;
    }
}

long unix_connect(struct client *c, struct unix_socket *s, uint64_t address, uint64_t length)
{
    struct unix_name name;
    sa_family_t family;
    long result;

    if (length < sizeof family)
        return -EINVAL;
    if (user_read(c, address, &family, sizeof family))
        return -EFAULT;
    if (s->type == SOCK_DGRAM && family == AF_UNSPEC)
        return disconnect(s);
    result = unix_name_fetch(c, address, length, &name);
    if (result)
        return result;
    return s->type == SOCK_DGRAM ? connect_datagrams(c, s, &name) : connect_stream(c, s, &name);
}

/* ---- accept ---- */

static struct unix_socket *pending_remove(struct unix_socket *s)
{
    struct unix_socket *end = list_at(s->pending);

    s->pending = list_at(end->next_pending);
    if (!s->pending)
        s->pending_end = &s->pending;
    s->pending_count--;
    return end;
}

/* Again the next to be accepted. */
static void pending_return(struct unix_socket *s, struct unix_socket *end)
{
    list_put(s->pending, end, next_pending);
    if (!end->next_pending)
        s->pending_end = &end->next_pending;
    s->pending_count++;
    unix_notify(s);
}

static long give_out(struct client *c, struct unix_socket *s, const uint64_t *call, uint32_t type)
{
    struct unix_socket *end = pending_remove(s);
    struct file *f = unix_file(end, type);
    long result;

    if (!f) {
        pending_return(s, end);
        return -ENFILE;
    }
    file_get(f);
    result = unix_name_store(c, &end->peer_name, call[1], call[2]);
    if (result)
        file_put(c, f);
    else
        result = fd_install(c, f, 0, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
    if (result < 0) { /* it is not lost */
        f->local = NULL;
        end->file = NULL;
        pending_return(s, end);
    } else if (unix_room.first) {
        wake_all(&unix_room);
    }
    file_put(c, f);
    return result;
}

static long accept_do(struct client *c, struct file *f, const uint64_t *call, uint32_t type)
{
    struct unix_socket *s = unix_of(f);

    if (s->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (!s->listening)
        return -EINVAL;
    while (!list_at(s->pending)) {
        long result =
            s->read_shut ? -EINVAL : unix_wait(c, s, &s->changed, 0, f->flags & O_NONBLOCK);

        if (result)
            return result;
    }
    return give_out(c, s, call, type);
}

long unix_accept(struct client *c, struct file *f, const uint64_t *call, uint32_t type)
{
    long result;

    if (!unix_of(f))
        return -ENOTSOCK;
    file_get(f);
    result = accept_do(c, f, call, type);
    file_put(c, f);
    return result;
}
