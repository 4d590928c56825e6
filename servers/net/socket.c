/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "servers/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <lwip/err.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/rt/log.h"

enum { SOCKETS_MAX = 4096, TICK_MS = 50 };

static struct socket *sockets[SOCKETS_MAX];
static uint32_t generations[SOCKETS_MAX];
static struct socket *dirty, *ready;
static bool tell_vfs, ticking;

/* ---- the table ---- */

struct socket *socket_of(uint64_t node)
{
    struct socket *s = sockets[node % SOCKETS_MAX];

    return s && s->node == node ? s : NULL;
}

struct socket *socket_new(uint32_t type, uint32_t protocol)
{
    static unsigned next = 1;
    struct socket *s;

    for (unsigned tries = 0; tries < SOCKETS_MAX; tries++, next++)
        if (next % SOCKETS_MAX && !sockets[next % SOCKETS_MAX])
            break;
    next %= SOCKETS_MAX;
    s = next && !sockets[next] ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->type = type;
    s->protocol = protocol;
    s->receive_limit = type == SOCK_STREAM ? RECEIVE_BUFFER : DATAGRAM_BUFFER;
    s->node = next | (uint64_t)++generations[next] << 16;
    sockets[next++] = s;
    return s;
}

static void leave_lists(struct socket *s)
{
    struct socket **link;

    if (s->is_dirty) {
        for (link = &dirty; *link != s; link = &(*link)->next_dirty)
            ;
        *link = s->next_dirty;
    }
    if (s->is_ready) {
        for (link = &ready; *link != s; link = &(*link)->next_ready)
            ;
        *link = s->next_ready;
    }
}

void socket_free(struct socket *s)
{
    leave_lists(s);
    while (s->in) {
        struct pbuf *p = s->in;

        s->in = p->next;
        p->next = NULL;
        p->tot_len = p->len;
        pbuf_free(p);
    }
    while (s->datagrams) {
        struct datagram *d = s->datagrams;

        s->datagrams = d->next;
        pbuf_free(d->p);
        free(d);
    }
    sockets[s->node % SOCKETS_MAX] = NULL;
    free(s);
}

void socket_dirty(struct socket *s)
{
    if (s->is_dirty)
        return;
    s->is_dirty = true;
    s->next_dirty = dirty;
    dirty = s;
}

int error_of(int8_t lwip)
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
                                 [-ERR_ABRT] = ETIMEDOUT,
                                 [-ERR_RST] = ECONNRESET,
                                 [-ERR_CLSD] = ENOTCONN,
                                 [-ERR_ARG] = EINVAL};
    unsigned n = (unsigned)-lwip;

    return n < sizeof errors / sizeof *errors ? errors[n] : EIO;
}

/* ---- answers ---- */

/* To the program, or by way of VFS when the request wants that; words 1.. are results. */
static void answer(struct message *m, long result)
{
    bool back = m->type == SOCKET_CREATE || m->type == SOCKET_ACCEPT || m->type == FILE_CLOSE || m->type == FILE_OPEN ||
                m->type == FILE_TRUNCATE || m->type == FILE_SET_ATTRIBUTES ||
                ((m->type == FILE_READ || m->type == FILE_WRITE || m->type == FILE_READ_VECTOR || m->type == FILE_WRITE_VECTOR ||
                  m->type == FILE_STAT || m->type == FILE_IOCTL) && (m->w[5] & FILE_BACK));
    struct message reply = *m;

    if (!back || !message_via(m)) {
        ipc_reply(message_caller(m), &reply, result);
        return;
    }
    reply.type = FILE_BACK_RESULT;
    reply.w[0] = (uint64_t)result;
    ipc_forward(message_caller(m), message_via(m), &reply);
}

/* ---- attempts: a result, or LATER ---- */

static long accept_one(struct socket *s, struct message *m)
{
    struct socket *new = s->accepted;
    struct sockaddr_in name;
    long result = 0;

    if (s->state != SOCKET_LISTENING)
        return -EINVAL;
    if (!new)
        return LATER;
    if (m->w[1] && new->tcp) {
        name = name_make(&new->tcp->remote_ip, new->tcp->remote_port);
        result = name_write(message_caller(m), m->w[1], m->w[2], &name);
        if (result == -EDEADSRCDST)
            return result;
    }
    s->accepted = new->next_accepted;
    s->accepted_count--;
    new->listener = NULL;
    if (new->tcp)
        tcp_backlog_accepted(new->tcp);
    m->w[1] = new->node;
    return 0;
}

static long connect_to(struct socket *s, struct request *r)
{
    ip_addr_t ip;
    uint16_t port;
    uint16_t family = 0;
    long result;

    if (r->begun)
        return tcp_socket_connect(s, r, NULL, 0);
    if (s->type != SOCK_STREAM && copy_from(message_caller(&r->m), r->m.w[1], &family, sizeof family) == 0 && family == AF_UNSPEC)
        return datagram_connect(s, NULL, 0);
    result = name_read(message_caller(&r->m), r->m.w[1], r->m.w[2], &ip, &port);
    if (result)
        return result;
    return s->type == SOCK_STREAM ? tcp_socket_connect(s, r, &ip, port) : datagram_connect(s, &ip, port);
}

static bool is_receive(uint64_t type)
{
    return type == FILE_READ || type == FILE_READ_VECTOR || type == SOCKET_RECEIVE || type == SOCKET_RECEIVE_FROM ||
           type == SOCKET_RECEIVE_MESSAGE;
}

static bool is_send(uint64_t type)
{
    return type == FILE_WRITE || type == FILE_WRITE_VECTOR || type == SOCKET_SEND || type == SOCKET_SEND_MESSAGE;
}

static long attempt_now(struct socket *s, struct request *r)
{
    struct transfer t;
    long result;

    if (r->m.type == SOCKET_ACCEPT)
        return accept_one(s, &r->m);
    if (r->m.type == SOCKET_CONNECT)
        return connect_to(s, r);
    result = transfer_begin(&t, &r->m);
    if (result)
        return result;
    if (is_receive(r->m.type)) {
        transfer_skip(&t, r->done);
        return s->type == SOCK_STREAM ? tcp_socket_receive(s, r, &t) : datagram_receive(s, &t);
    }
    transfer_skip(&t, r->done);
    return s->type == SOCK_STREAM ? tcp_socket_send(s, r, &t) : datagram_send(s, &t);
}

/* While the first address is on its way, what can't be reached is tried again. */
static long attempt(struct socket *s, struct request *r)
{
    long result = attempt_now(s, r);

    r->unreachable = result == -ENETUNREACH && address_coming();
    return r->unreachable ? LATER : result;
}

/* O_NONBLOCK, MSG_DONTWAIT: where the request carries them. */
static bool may_wait(const struct message *m)
{
    switch (m->type) {
    case SOCKET_RECEIVE_FROM:
        return !(m->w[3] >> 32 & O_NONBLOCK) && !(m->w[3] & MSG_DONTWAIT);
    case SOCKET_SEND:
    case SOCKET_RECEIVE:
        return !(m->w[4] & O_NONBLOCK) && !(m->w[3] & MSG_DONTWAIT);
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        return !(m->w[4] & O_NONBLOCK) && !(m->w[2] & MSG_DONTWAIT);
    default:
        return !(m->w[4] & O_NONBLOCK);
    }
}

static void tick(void *unused);

static void start_ticking(void)
{
    if (ticking)
        return;
    ticking = true;
    sys_timeout(TICK_MS, tick, NULL);
}

static void keep(struct socket *s, const struct request *r)
{
    uint32_t timeout = is_receive(r->m.type) || r->m.type == SOCKET_ACCEPT ? s->receive_timeout : s->send_timeout;
    struct request *copy = malloc(sizeof *copy), **end = &s->requests;
    struct message m = r->m;

    if (!copy) {
        answer(&m, r->done ? (long)r->done : -ENOBUFS);
        return;
    }
    *copy = *r;
    copy->next = NULL;
    copy->timer = timeout ? (sys_now() + timeout) | 1 : 0;
    if (timeout || r->unreachable)
        start_ticking();
    while (*end)
        end = &(*end)->next;
    *end = copy;
}

/* Somebody waits already for the same direction: he goes first. */
static bool must_queue(const struct socket *s, struct message *m)
{
    for (const struct request *r = s->requests; r; r = r->next)
        if (is_receive(r->m.type) == is_receive(m->type) && is_send(r->m.type) == is_send(m->type))
            return true;
    return false;
}

static long waiting_request(struct message *m)
{
    struct socket *s = socket_of(m->w[0]);
    struct request r = {.m = *m};
    long result;

    if (!s) {
        answer(&r.m, -EBADF);
        return SERVICE_NO_REPLY;
    }
    result = must_queue(s, m) ? LATER : attempt(s, &r);
    if (result != LATER)
        answer(&r.m, result);
    else if (!may_wait(m))
        answer(&r.m, r.done ? (long)r.done : r.unreachable ? -ENETUNREACH : r.begun ? -EINPROGRESS : -EAGAIN);
    else
        keep(s, &r);
    return SERVICE_NO_REPLY;
}

/* Try again what waits; of each direction the first that can't go on holds up those behind it. */
static void retry(struct socket *s)
{
    bool held[2] = {false, false};

    for (struct request **link = &s->requests, *r; (r = *link);) {
        bool direction = is_receive(r->m.type);
        long result = held[direction] ? LATER : attempt(s, r);

        if (result == LATER) {
            held[direction] = true;
            link = &r->next;
            continue;
        }
        *link = r->next;
        answer(&r->m, result);
        free(r);
    }
}

static void tick(void *unused)
{
    uint32_t now = sys_now();
    bool more = false;

    (void)unused;
    for (unsigned i = 0; i < SOCKETS_MAX; i++)
        for (struct request **link = sockets[i] ? &sockets[i]->requests : NULL, *r; link && (r = *link);) {
            if (!r->timer || (int32_t)(now - r->timer) < 0) {
                more |= r->timer != 0 || r->unreachable;
                if (r->unreachable)
                    socket_dirty(sockets[i]);
                link = &r->next;
                continue;
            }
            *link = r->next;
            answer(&r->m, r->done ? (long)r->done : r->m.type == SOCKET_CONNECT ? -EINPROGRESS : -EAGAIN);
            free(r);
        }
    ticking = false;
    if (more)
        start_ticking();
}

void sockets_address_changed(void)
{
    for (unsigned i = 0; i < SOCKETS_MAX; i++)
        if (sockets[i] && sockets[i]->requests)
            socket_dirty(sockets[i]);
}

/* ---- requests that are answered at once ---- */

static long create(struct message *m)
{
    uint32_t type = (uint32_t)m->w[1], protocol = (uint32_t)m->w[2];
    struct socket *s = NULL;
    long result = 0;

    if (m->w[0] != AF_INET)
        result = -EAFNOSUPPORT;
    else if (type == SOCK_STREAM ? protocol && protocol != IPPROTO_TCP : type == SOCK_DGRAM ? protocol && protocol != IPPROTO_UDP : false)
        result = -EPROTONOSUPPORT;
    else if (type != SOCK_STREAM && type != SOCK_DGRAM && (type != SOCK_RAW || !protocol || protocol > 255))
        result = type == SOCK_RAW ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
    if (result == 0) {
        s = socket_new(type, protocol);
        result = s ? type == SOCK_STREAM ? tcp_socket_open(s) : datagram_open(s) : -ENFILE;
    }
    if (result < 0 && s)
        socket_free(s);
    m->w[1] = result == 0 ? s->node : 0;
    answer(m, result);
    return SERVICE_NO_REPLY;
}

static long close_socket(struct message *m)
{
    struct socket *s = socket_of(m->w[0]);

    if (s) {
        while (s->requests) { /* of other threads */
            struct request *r = s->requests;

            s->requests = r->next;
            answer(&r->m, -EBADF);
            free(r);
        }
        if (s->type == SOCK_STREAM)
            tcp_socket_close(s);
        else
            datagram_close(s);
        socket_free(s);
    }
    answer(m, s ? 0 : -EBADF);
    return SERVICE_NO_REPLY;
}

static long listen_on(struct socket *s, struct message *m)
{
    return s->type == SOCK_STREAM ? tcp_socket_listen(s, (uint32_t)m->w[1]) : -EOPNOTSUPP;
}

static long shut_down(struct socket *s, struct message *m)
{
    if (m->w[1] > SHUT_RDWR)
        return -EINVAL;
    if (s->type != SOCK_STREAM)
        return s->connected_to ? 0 : -ENOTCONN;
    return tcp_socket_shutdown(s, m->w[1] != SHUT_WR, m->w[1] != SHUT_RD);
}

static long get_stat(struct socket *s, struct message *m)
{
    struct stat out = {.st_mode = S_IFSOCK | 0777, .st_ino = s->node, .st_nlink = 1, .st_blksize = 4096};

    if (m->w[5] & FILE_BACK) {
        m->w[1] = out.st_mode | 1ull << 32;
        m->w[2] = m->w[3] = m->w[4] = m->w[5] = 0;
        m->type = FILE_CLOSE; /* goes back to VFS */
        return 0;
    }
    return copy_to(message_caller(m), m->w[1], &out, sizeof out) < 0 ? -EFAULT : 0;
}

static long poll_socket(struct socket *s, struct message *m)
{
    uint32_t wanted = (uint32_t)m->w[1] | POLLERR | POLLHUP, now = socket_poll_mask(s) & wanted;

    if (m->w[2] == 1 && !now)
        s->told |= wanted;
    return now;
}

static long invalid(struct socket *s, struct message *m)
{
    (void)s;
    (void)m;
    return -EINVAL;
}

static long nothing(struct socket *s, struct message *m)
{
    (void)s;
    m->w[1] = m->w[0];
    return 0;
}

static long with_socket(struct message *m)
{
    static const struct {
        uint64_t type;
        long (*handle)(struct socket *s, struct message *m);
    } handlers[] = {
        {SOCKET_BIND, name_bind},
        {SOCKET_NAME, name_get},
        {SOCKET_GET_OPTION, option_get},
        {SOCKET_SET_OPTION, option_set},
        {FILE_IOCTL, socket_ioctl},
        {SOCKET_LISTEN, listen_on},
        {SOCKET_SHUTDOWN, shut_down},
        {FILE_STAT, get_stat},
        {FILE_POLL, poll_socket},
        {FILE_OPEN, nothing},
        {FILE_SYNC, invalid},
        {FILE_TRUNCATE, invalid},
        {FILE_SET_ATTRIBUTES, invalid},
    };
    struct socket *s = socket_of(m->w[0]);
    long result = -EBADF;

    for (unsigned i = 0; s && i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].type == m->type) {
            result = handlers[i].handle(s, m);
            break;
        }
    answer(m, result);
    return SERVICE_NO_REPLY;
}

static long poll_events(struct message *m)
{
    for (unsigned i = 0; i < MESSAGE_WORDS; i++) {
        struct socket *s = ready;

        m->w[i] = s ? s->node : 0;
        if (s) {
            ready = s->next_ready;
            s->is_ready = false;
        }
    }
    return 0;
}

/* The program's endpoint alone is known: it waits in at most one place. */
static long cancel(struct message *m)
{
    for (unsigned i = 0; i < SOCKETS_MAX; i++)
        for (struct request **link = sockets[i] ? &sockets[i]->requests : NULL, *r; link && (r = *link); link = &r->next)
            if (message_caller(&r->m) == (endpoint_t)m->w[0]) {
                *link = r->next;
                m->w[1] = r->done;
                free(r);
                return 1;
            }
    return 0;
}

/* ---- the loop ---- */

static void poll_check(struct socket *s)
{
    if (!s->told || s->is_ready || !(socket_poll_mask(s) & s->told))
        return;
    s->told = 0;
    s->is_ready = true;
    s->next_ready = ready;
    ready = s;
    tell_vfs = true;
}

void sockets_idle(void)
{
    while (dirty) {
        struct socket *s = dirty;

        dirty = s->next_dirty;
        s->is_dirty = false;
        retry(s);
        poll_check(s);
    }
    if (tell_vfs) {
        tell_vfs = false;
        ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
    }
}

const struct service_entry socket_entries[] = {
    {SOCKET_CREATE, create},
    {FILE_CLOSE, close_socket},
    {FILE_READ, waiting_request},
    {FILE_WRITE, waiting_request},
    {FILE_READ_VECTOR, waiting_request},
    {FILE_WRITE_VECTOR, waiting_request},
    {SOCKET_CONNECT, waiting_request},
    {SOCKET_ACCEPT, waiting_request},
    {SOCKET_SEND, waiting_request},
    {SOCKET_RECEIVE, waiting_request},
    {SOCKET_RECEIVE_FROM, waiting_request},
    {SOCKET_SEND_MESSAGE, waiting_request},
    {SOCKET_RECEIVE_MESSAGE, waiting_request},
    {SOCKET_BIND, with_socket},
    {SOCKET_LISTEN, with_socket},
    {SOCKET_NAME, with_socket},
    {SOCKET_SHUTDOWN, with_socket},
    {SOCKET_GET_OPTION, with_socket},
    {SOCKET_SET_OPTION, with_socket},
    {FILE_IOCTL, with_socket},
    {FILE_STAT, with_socket},
    {FILE_POLL, with_socket},
    {FILE_OPEN, with_socket},
    {FILE_SYNC, with_socket},
    {FILE_TRUNCATE, with_socket},
    {FILE_SET_ATTRIBUTES, with_socket},
    {FILE_POLL_EVENTS, poll_events},
    {FILE_CANCEL, cancel},
};
const size_t socket_entry_count = sizeof socket_entries / sizeof *socket_entries;
