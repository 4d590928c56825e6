/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of sockets, and the requests that are answered at once. */
#define _GNU_SOURCE
#include "abi/proto/net.h"
#include "servers/net/socket.h"
#include "servers/net/tables.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <lwip/err.h>

#include "abi/proto/pm.h"

static struct socket *sockets[SOCKETS_MAX];
static uint32_t generations[SOCKETS_MAX];
static struct socket *dirty;

/* ---- the table ---- */

struct socket *socket_at(unsigned index)
{
    return sockets[index];
}

struct socket *socket_of(uint64_t node)
{
    unsigned index = node_index(node);
    struct socket *s = index < SOCKETS_MAX ? sockets[index] : NULL;

    return s && s->node == node ? s : NULL;
}

static unsigned free_index(void)
{
    static unsigned last;

    for (unsigned tries = 0; tries < SOCKETS_MAX; tries++) {
        last = (last + 1) % SOCKETS_MAX;
        if (!sockets[last])
            return last;
    }
    return SOCKETS_MAX;
}

static enum socket_kind kind_of(uint32_t type, uint32_t protocol)
{
    if (type == SOCK_STREAM)
        return KIND_TCP;
    if (type == SOCK_RAW)
        return KIND_RAW;
    return protocol == IPPROTO_ICMP ? KIND_PING : KIND_UDP;
}

struct socket *socket_new(uint32_t type, uint32_t protocol)
{
    unsigned index = free_index();
    struct socket *s = index < SOCKETS_MAX ? calloc(1, sizeof *s) : NULL;

    if (!s)
        return NULL;
    s->type = type;
    s->kind = kind_of(type, protocol);
    s->protocol = s->kind == KIND_UDP ? IPPROTO_UDP : protocol;
    if (s->kind == KIND_TCP)
        s->protocol = IPPROTO_TCP;
    s->local.sin_family = s->remote.sin_family = AF_INET;
    s->receive_limit = s->kind == KIND_TCP ? RECEIVE_BUFFER : DATAGRAM_BUFFER;
    s->send_limit = DATAGRAM_BUFFER;
    s->low_water = 1;
    s->node = node_make(index, ++generations[index]);
    s->ident = (uint16_t)(index + 1);
    sockets[index] = s;
    return s;
}

void socket_free(struct socket *s)
{
    struct socket **link;

    for (link = &dirty; s->is_dirty && *link; link = &(*link)->next_dirty)
        if (*link == s) {
            *link = s->next_dirty;
            break;
        }
    poll_forget(s);
    stream_drop(s);
    while (s->datagrams) {
        struct datagram *d = s->datagrams;

        s->datagrams = d->next;
        pbuf_free(d->p);
        free(d);
    }
    sockets[node_index(s->node)] = NULL;
    free(s);
}

void socket_close(struct socket *s)
{
    requests_fail(s, -EBADF);
    if (s->kind == KIND_TCP)
        tcp_end(s);
    else
        datagram_end(s);
    socket_free(s);
}

void socket_dirty(struct socket *s)
{
    if (s->is_dirty)
        return;
    s->is_dirty = true;
    s->next_dirty = dirty;
    dirty = s;
}

int error_of(int lwip_error)
{
    static const int errors[] = {[ERR_OK] = 0,
                                 [-ERR_MEM] = ENOBUFS,
                                 [-ERR_BUF] = ENOBUFS,
                                 [-ERR_TIMEOUT] = ETIMEDOUT,
                                 [-ERR_RTE] = ENETUNREACH,
                                 [-ERR_INPROGRESS] = EINPROGRESS,
                                 [-ERR_VAL] = EINVAL,
                                 [-ERR_WOULDBLOCK] = EAGAIN,
                                 [-ERR_USE] = EADDRINUSE,
                                 [-ERR_ALREADY] = EALREADY,
                                 [-ERR_ISCONN] = EISCONN,
                                 [-ERR_CONN] = ENOTCONN,
                                 [-ERR_IF] = ENETDOWN,
                                 [-ERR_ABRT] = ETIMEDOUT, /* lwIP has given up */
                                 [-ERR_RST] = ECONNRESET,
                                 [-ERR_CLSD] = ENOTCONN,
                                 [-ERR_ARG] = EINVAL};
    unsigned n = (unsigned)-lwip_error;

    return n < sizeof errors / sizeof *errors ? errors[n] : EIO;
}

bool caller_is_root(const struct message *m)
{
    struct message ask = message_of(
        PM_CREDENTIALS, (struct pm_thread_request){.thread = (uint64_t)message_caller(m)});
    const struct pm_credentials_reply *who = message_words(&ask);

    return ipc_call(service_info()->pm, &ask) == 0 && who->euid == 0;
}

/* ---- requests that are answered at once: each returns the result ---- */

static long socket_open(struct message *m)
{
    const struct socket_create_request *r = message_words(m);
    struct file_open_reply *reply = message_words(m);
    struct socket *s;
    long result = socket_check(r->domain, r->type, r->protocol);

    if (result)
        return result;
    if (r->type == SOCK_RAW && !caller_is_root(m))
        return -EPERM;
    if (!icmp_watch() || !(s = socket_new((uint32_t)r->type, (uint32_t)r->protocol)))
        return -ENFILE;
    result = s->kind == KIND_TCP ? tcp_open(s) : datagram_open(s);
    if (result)
        socket_free(s);
    else
        reply->node = s->node;
    return result;
}

static long create(struct message *m)
{
    request_arrived(m);
    return answer_now(m, socket_open(m));
}

/* With SO_LINGER it waits until the peer has everything; then the socket ends with the answer. */
static long close_node(struct message *m)
{
    const struct file_node_request *of = message_words(m);
    struct socket *s = socket_of(of->node);
    struct request r = {.socket = s, .m = *m};

    request_arrived(m);
    if (s && message_via(m) && tcp_lingers(s)) {
        requests_fail(s, -EBADF);
        r.deadline = clock_now() + s->linger_seconds * 1000000000ull;
        if (request_keep(s, &r))
            return SERVICE_NO_REPLY;
    }
    if (s)
        socket_close(s);
    return answer_now(m, s ? 0 : -EBADF);
}

static long listen_on(struct socket *s, struct message *m)
{
    (void)m;
    return s->kind == KIND_TCP ? tcp_listen_on(s) : -EOPNOTSUPP;
}

static long shut_down(struct socket *s, struct message *m)
{
    const struct socket_shutdown_request *r = message_words(m);
    bool read = r->how != SHUT_WR, write = r->how != SHUT_RD;

    if (r->how > SHUT_RDWR)
        return -EINVAL;
    if (s->kind == KIND_TCP)
        return tcp_shut(s, read, write);
    if (!s->peer_known)
        return -ENOTCONN;
    s->read_shut |= read;
    s->write_shut |= write;
    socket_dirty(s);
    return 0;
}

static long get_stat(struct socket *s, struct message *m)
{
    const struct file_stat_request *r = message_words(m);
    struct file_stat_reply *reply = message_words(m);
    struct stat out = {
        .st_mode = S_IFSOCK | 0777, .st_ino = s->node, .st_nlink = 1, .st_blksize = 4096};

    if (r->back & FILE_BACK) {
        message_halves(&reply->mode, out.st_mode, 1);
        message_halves(&reply->uid, 0, 0);
        reply->size = reply->rdev = reply->mtime_ns = 0;
        return 0;
    }
    return copy_error(copy_to(message_caller(m), r->address, &out, sizeof out));
}

static long invalid(struct socket *s, struct message *m)
{
    (void)s;
    (void)m;
    return -EINVAL;
}

static long with_socket(struct message *m)
{
    static const struct {
        uint64_t type;
        long (*handle)(struct socket *s, struct message *m);
    } handlers[] = {
        {SOCKET_BIND, name_bind},        {SOCKET_NAME, name_get},
        {SOCKET_GET_OPTION, option_get}, {SOCKET_SET_OPTION, option_set},
        {FILE_IOCTL, socket_ioctl},      {SOCKET_LISTEN, listen_on},
        {SOCKET_SHUTDOWN, shut_down},    {FILE_STAT, get_stat},
        {FILE_POLL, poll_socket},        {FILE_SYNC, invalid},
        {FILE_TRUNCATE, invalid},        {FILE_SET_ATTRIBUTES, invalid},
    };
    const struct file_stat_request *r = message_words(m); /* or another: all begin with the node */
    struct socket *s = socket_of(r->node);
    bool back = r->back & FILE_BACK;
    long result = -EBADF;

    request_arrived(m);
    for (unsigned i = 0; s && i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].type == m->type) {
            result = handlers[i].handle(s, m);
            break;
        }
    return back && m->type == FILE_STAT ? answer_back(m, result) : answer_now(m, result);
}

/* ---- the loop ---- */

void sockets_idle(void)
{
    while (dirty) {
        struct socket *s = dirty;
        uint64_t node = s->node;

        dirty = s->next_dirty;
        s->is_dirty = false;
        requests_retry(s);
        if (socket_of(node) == s)
            poll_check(s);
    }
    poll_notify();
}

void sockets_address_changed(void)
{
    for (unsigned i = 0; i < SOCKETS_MAX; i++)
        if (sockets[i] && sockets[i]->requests)
            socket_dirty(sockets[i]);
}

const struct service_entry socket_entries[] = {
    {SOCKET_CREATE, create},
    {FILE_CLOSE, close_node},
    {FILE_READ, request_begin},
    {FILE_WRITE, request_begin},
    {FILE_READ_VECTOR, request_begin},
    {FILE_WRITE_VECTOR, request_begin},
    {SOCKET_CONNECT, request_begin},
    {SOCKET_ACCEPT, request_begin},
    {SOCKET_SEND, request_begin},
    {SOCKET_RECEIVE, request_begin},
    {SOCKET_RECEIVE_FROM, request_begin},
    {SOCKET_SEND_MESSAGE, request_begin},
    {SOCKET_RECEIVE_MESSAGE, request_begin},
    {SOCKET_BIND, with_socket},
    {SOCKET_LISTEN, with_socket},
    {SOCKET_NAME, with_socket},
    {SOCKET_SHUTDOWN, with_socket},
    {SOCKET_GET_OPTION, with_socket},
    {SOCKET_SET_OPTION, with_socket},
    {FILE_IOCTL, with_socket},
    {FILE_STAT, with_socket},
    {FILE_POLL, with_socket},
    {FILE_SYNC, with_socket},
    {FILE_TRUNCATE, with_socket},
    {FILE_SET_ATTRIBUTES, with_socket},
    {FILE_POLL_EVENTS, poll_events},
    {FILE_CANCEL, request_cancel},
    {NET_TABLE, tables_request},
};
const size_t socket_entry_count = sizeof socket_entries / sizeof *socket_entries;
