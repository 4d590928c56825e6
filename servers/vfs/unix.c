/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of this machine: their beginning and end, readiness, and which call is for which part. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "servers/vfs/unix.h"

enum { QUEUE_BYTES = 256 * 1024 };

static struct unix_socket *sockets;
struct wait_queue unix_room;

struct unix_socket *unix_all(void)
{
    return list_at(sockets);
}

void unix_notify(struct unix_socket *s)
{
    wake_all(&s->changed);
    if (s->file)
        wake_all(&s->file->pollers);
}

long unix_wait(struct client *c, const struct unix_socket *s, struct wait_queue *q, int sending,
               bool at_once)
{
    uint64_t timeout = s->timeouts[sending];
    long result = -EAGAIN;

    if (!at_once)
        result = wait_on(c, q, timeout ? clock_now() + timeout : WAIT_FOREVER);
    return result == -ETIMEDOUT ? -EAGAIN : result;
}

/* ---- beginning and end ---- */

struct unix_socket *unix_new(struct client *c, int type)
{
    struct share *share = share_of(c->uid);
    struct unix_socket *s;

    if (!share_take(share, SHARE_SOCKETS, 1))
        return NULL;
    s = calloc(1, sizeof *s);
    if (!s || !queue_init(&s->queue, QUEUE_BYTES, share)) {
        free(s);
        share_give(share, SHARE_SOCKETS, 1);
        return NULL;
    }
    s->type = type;
    s->credentials = (struct unix_credentials){c->pid, c->uid, c->gid};
    s->peer_credentials = (struct unix_credentials){0, UINT32_MAX, UINT32_MAX};
    s->pending_end = &s->pending;
    list_put_linked(sockets, s, next, link);
    return s;
}

void unix_set_peer(struct unix_socket *s, struct unix_socket *peer)
{
    if (s->peer)
        s->peer->peer_of--;
    s->peer = peer;
    if (peer)
        peer->peer_of++;
}

void unix_join(struct unix_socket *a, struct unix_socket *b)
{
    unix_set_peer(a, b);
    unix_set_peer(b, a);
    a->connected = b->connected = true;
    a->peer_credentials = b->credentials;
    b->peer_credentials = a->credentials;
    a->peer_name = b->name;
    b->peer_name = a->name;
}

/* Connected ones learn of it; datagrams to it are refused from now on. */
static void leave_peers(struct unix_socket *s)
{
    struct unix_socket *peer = s->type == SOCK_DGRAM ? NULL : s->peer;

    if (peer) {
        unix_set_peer(peer, NULL);
        peer->read_shut = peer->write_shut = true;
        if (queue_next(s) || s->queue.first || !s->file)
            peer->error = ECONNRESET;
        unix_notify(peer);
    }
    unix_set_peer(s, NULL);
    for (struct unix_socket *other = unix_all(); other && s->peer_of; other = list_at(other->next))
        if (other->peer == s) {
            unix_set_peer(other, NULL);
            other->peer_died = true;
            unix_notify(other);
        }
}

void unix_end(struct client *c, struct unix_socket *s)
{
    struct unix_rights *rights;

    list_take_linked(s, next, link);
    leave_peers(s);
    while (list_at(s->pending)) {
        struct unix_socket *p = s->pending;

        s->pending = list_at(p->next_pending);
        unix_end(c, p);
    }
    rights = queue_empty(&s->queue);
    ring_free(&s->queue.ring);
    share_give(s->queue.ring.share, SHARE_SOCKETS, 1);
    free(s);
    if (unix_room.first)
        wake_all(&unix_room);
    rights_drop(c, rights);
}

static void unix_close(struct client *c, struct file *f)
{
    struct unix_socket *s = f->local;

    if (!s)
        return;
    f->local = NULL;
    unix_end(c, s);
    rights_clean(c);
}

/* ---- as an open file ---- */

static uint32_t unix_poll(struct file *f, uint32_t events, bool tell)
{
    struct unix_socket *s = f->local;
    uint32_t now = s->error ? POLLERR : 0;

    (void)tell; /* unix_notify() wakes pollers in any case */
    now |= s->read_shut ? POLLRDHUP | POLLIN | POLLRDNORM : 0;
    now |= s->read_shut && s->write_shut ? POLLHUP : 0;
    now |= s->type != SOCK_DGRAM && !s->connected && !s->listening ? POLLHUP : 0;
    now |= queue_next(s) || s->queue.first || s->pending ? POLLIN | POLLRDNORM : 0;
    now |= unix_can_send(s) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0;
    return now & (events | POLLERR | POLLHUP);
}

static long unix_ioctl(struct client *c, struct file *f, uint64_t request, uint64_t argument)
{
    struct unix_socket *s = f->local;
    int n;

    switch (request) {
    case 0x541b: /* FIONREAD */
        n = (int)queue_next(s);
        break;
    case 0x5411: /* TIOCOUTQ: sent, not yet received */
        n = s->peer ? (int)ring_used(&s->peer->queue.ring) : 0;
        break;
    default:
        return -ENOTTY;
    }
    return s->listening ? -EINVAL : user_write(c, argument, &n, sizeof n);
}

static const struct file_operations unix_operations = {.name = "socket",
                                                       .transfer = unix_transfer,
                                                       .ioctl = unix_ioctl,
                                                       .poll = unix_poll,
                                                       .is_ours = true,
                                                       .close = unix_close};

struct unix_socket *unix_of(const struct file *f)
{
    return f->operations == &unix_operations ? f->local : NULL;
}

struct file *unix_file(struct unix_socket *s, uint32_t flags)
{
    struct file *f = file_new(&unix_operations, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0),
                              S_IFSOCK | 0777);

    if (f) {
        f->local = s;
        f->lock_node = file_number();
        s->file = f;
    }
    return f;
}

/* ---- calls ---- */

static long check(uint32_t type, uint32_t protocol)
{
    uint32_t kind = type & 0xf;

    if (type & ~(uint32_t)(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (kind == SOCK_RAW) /* as Linux has it: such a socket is one of datagrams */
        kind = SOCK_DGRAM;
    if (kind != SOCK_STREAM && kind != SOCK_DGRAM && kind != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    return protocol > 1 /* PF_UNIX */ ? -EPROTONOSUPPORT : (long)kind;
}

static struct file *open_new(struct client *c, int kind, uint32_t type)
{
    struct unix_socket *s = unix_new(c, kind);
    struct file *f = s ? unix_file(s, type) : NULL;

    if (s && !f)
        unix_end(c, s);
    return f;
}

long unix_socket(struct client *c, uint32_t type, uint32_t protocol)
{
    long kind = check(type, protocol);
    struct file *f;

    if (kind < 0)
        return kind;
    f = open_new(c, (int)kind, type);
    if (!f)
        return -ENFILE;
    return fd_install(c, f, 0, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
}

static long install_pair(struct client *c, struct file *a, struct file *b, uint32_t type,
                         uint64_t address)
{
    uint32_t flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0;
    int fds[2];
    long result;

    fds[0] = (int)fd_install(c, a, 0, flags);
    if (fds[0] < 0) {
        file_put(c, b);
        return fds[0];
    }
    fds[1] = (int)fd_install(c, b, 0, flags);
    result = fds[1] < 0 ? fds[1] : user_write(c, address, fds, sizeof fds);
    if (result) {
        fd_close(c, (uint64_t)fds[0]);
        if (fds[1] >= 0)
            fd_close(c, (uint64_t)fds[1]);
    }
    return result;
}

static long sys_socketpair(struct client *c, const uint64_t *w)
{
    uint32_t type = (uint32_t)w[1];
    struct file *a, *b;
    long kind;

    if ((uint32_t)w[0] != AF_UNIX)
        return (uint32_t)w[0] == AF_INET ? -EOPNOTSUPP : -EAFNOSUPPORT;
    kind = check(type, (uint32_t)w[2]);
    if (kind < 0)
        return kind;
    a = open_new(c, (int)kind, type);
    b = a ? open_new(c, (int)kind, type) : NULL;
    if (!b) {
        if (a)
            file_put(c, a);
        return -ENFILE;
    }
    unix_join(a->local, b->local);
    return install_pair(c, a, b, type, w[3]);
}

static long name_of(struct client *c, struct unix_socket *s, const uint64_t *call)
{
    if (c->call.type == SYS_getsockname)
        return unix_name_store(c, &s->name, call[1], call[2]);
    if (!s->connected && !s->peer)
        return -ENOTCONN;
    return unix_name_store(c, s->type == SOCK_DGRAM && s->peer ? &s->peer->name : &s->peer_name,
                           call[1], call[2]);
}

static long shut(struct unix_socket *s, uint32_t how)
{
    struct unix_socket *peer = s->type == SOCK_DGRAM ? NULL : s->peer;

    if (how > SHUT_RDWR)
        return -EINVAL;
    s->read_shut = s->read_shut || how != SHUT_WR;
    s->write_shut = s->write_shut || how != SHUT_RD;
    unix_notify(s);
    if (peer) {
        peer->write_shut = peer->write_shut || how != SHUT_WR;
        peer->read_shut = peer->read_shut || how != SHUT_RD;
        unix_notify(peer);
    }
    if (unix_room.first)
        wake_all(&unix_room);
    return 0;
}

static long dispatch(struct client *c, struct file *f, uint64_t request, const uint64_t *call)
{
    struct unix_socket *s = f->local;

    switch (request) {
    case SOCKET_BIND:
        return unix_bind(c, s, call[1], (uint32_t)call[2]);
    case SOCKET_CONNECT:
        return unix_connect(c, s, call[1], (uint32_t)call[2]);
    case SOCKET_LISTEN:
        return unix_listen(c, s, (uint32_t)call[1]);
    case SOCKET_NAME:
        return name_of(c, s, call);
    case SOCKET_SEND:
        return unix_sendto(c, f, call);
    case SOCKET_RECEIVE_FROM:
        return unix_recvfrom(c, f, call);
    case SOCKET_SEND_MESSAGE:
        return unix_sendmsg(c, f, call);
    case SOCKET_RECEIVE_MESSAGE:
        return unix_recvmsg(c, f, call);
    case SOCKET_SHUTDOWN:
        return shut(s, (uint32_t)call[1]);
    case SOCKET_GET_OPTION:
        return unix_get_option(c, s, call);
    case SOCKET_SET_OPTION:
        return unix_set_option(c, s, call);
    default:
        return -EOPNOTSUPP;
    }
}

long unix_call(struct client *c, struct file *f, uint64_t request, const uint64_t *call)
{
    long result;

    if (!unix_of(f))
        return -ENOTSOCK;
    file_get(f);
    result = dispatch(c, f, request, call);
    file_put(result == SERVICE_NO_REPLY ? NULL : c, f);
    return result;
}

VFS_TABLE(pair_calls, {SYS_socketpair, sys_socketpair})
