/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets of the Internet: made and served by net; here they are open files of it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "servers/vfs/epoll.h"

/* ---- net's sockets as open files ---- */

static long inet_transfer(struct client *c, struct file *f, struct io *io)
{
    epoll_file_used(f, io->write ? POLLOUT | POLLWRNORM : POLLIN | POLLRDNORM);
    return remote_operations.transfer(c, f, io);
}

static long inet_ioctl(struct client *c, struct file *f, uint64_t request, uint64_t argument)
{
    return remote_operations.ioctl(c, f, request, argument);
}

static uint32_t inet_poll(struct file *f, uint32_t events, bool tell)
{
    return remote_operations.poll(f, events, tell);
}

static void inet_close(struct client *c, struct file *f)
{
    remote_operations.close(c, f);
    share_give(f->share, SHARE_NET_SOCKETS, 1);
}

static const struct file_operations inet_operations = {.name = "socket",
                                                       .transfer = inet_transfer,
                                                       .ioctl = inet_ioctl,
                                                       .poll = inet_poll,
                                                       .close = inet_close};

static struct file *file_for_socket(uint32_t type)
{
    struct share *share = share_mine();
    struct file *f = NULL;

    if (!share_take(share, SHARE_NET_SOCKETS, 1))
        return NULL;
    f = file_new(&inet_operations, O_RDWR | (type & SOCK_NONBLOCK ? O_NONBLOCK : 0),
                 S_IFSOCK | 0777);
    if (!f)
        share_give(share, SHARE_NET_SOCKETS, 1);
    return f;
}

/* A request that makes net give one more node, with its answer: a descriptor. What that needs is
 * taken before net is asked: a connection that has been accepted would be lost. */
static long socket_ask(struct client *c, struct server *net, struct message *m, uint32_t type)
{
    const struct file_open_reply *reply = message_words(m);
    long result = fd_wanted(c);
    struct file *f;

    if (result)
        return result;
    f = file_for_socket(type);
    if (!f)
        return -ENFILE;
    result = ask(c, net, m, AGAIN);
    if (result < 0) {
        share_give(f->share, SHARE_NET_SOCKETS, 1);
        file_discard(f); /* net knows nothing of it */
        return result;
    }
    f->server = net;
    f->node = f->lock_node = reply->node;
    return fd_install(c, f, 0, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
}

static long socket_new(struct client *c, uint64_t domain, uint64_t type, uint64_t protocol)
{
    struct server *net = server_find("net");
    struct message m =
        message_of(SOCKET_CREATE, (struct socket_create_request){.domain = (uint32_t)domain,
                                                                 .type = (uint32_t)type & 0xf,
                                                                 .protocol = (uint32_t)protocol});

    if ((uint32_t)type & ~(uint32_t)(0xf | SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (!net)
        return -EAFNOSUPPORT;
    return socket_ask(c, net, &m, (uint32_t)type);
}

static long sys_socket(struct client *c, const uint64_t *w)
{
    if ((uint32_t)w[0] == AF_UNIX)
        return unix_socket(c, (uint32_t)w[1], (uint32_t)w[2]);
    return socket_new(c, w[0], w[1], w[2]);
}

/* The socket behind fd; *result: why there is none. Sockets of this machine are handled
 * by unix.c. */
static struct file *socket_of(struct client *c, uint64_t fd, long *result)
{
    struct file *f = fd_file(c, fd);

    if (!f || (f->flags & O_PATH))
        *result = -EBADF;
    else
        *result = file_is_socket(f) ? 0 : -ENOTSOCK;
    return *result ? NULL : f;
}

/* What edge-triggered items of the socket look for anew after that request. */
static uint32_t events_used(uint64_t type)
{
    switch (type) {
    case SOCKET_RECEIVE:
    case SOCKET_RECEIVE_FROM:
    case SOCKET_RECEIVE_MESSAGE:
    case SOCKET_ACCEPT:
        return POLLIN | POLLRDNORM | POLLPRI;
    case SOCKET_SEND:
    case SOCKET_SEND_MESSAGE:
        return POLLOUT | POLLWRNORM;
    case SOCKET_NAME:
    case SOCKET_GET_OPTION:
    case SOCKET_SET_OPTION:
        return 0;
    default:
        return UINT32_MAX;
    }
}

/* Hand the call over, as a request whose node is still to be filled in. */
static long hand(struct client *c, const uint64_t *call, struct message m)
{
    struct file_node_request *r = message_words(&m);
    long result;
    struct file *f = socket_of(c, call[0], &result);

    if (!f)
        return result;
    if (f->operations != &inet_operations)
        return unix_call(c, f, m.type, call);
    epoll_file_used(f, events_used(m.type));
    r->node = f->node;
    return hand_over(c, f->server, &m);
}

static uint32_t flags_of(struct client *c, uint64_t fd)
{
    struct file *f = fd_file(c, fd);

    return f ? f->flags : 0;
}

static long sys_bind(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_BIND, (struct socket_address_request){.address = w[1],
                                                                        .length = (uint32_t)w[2]}));
}

static long sys_connect(struct client *c, const uint64_t *w)
{
    return hand(
        c, w,
        message_of(SOCKET_CONNECT, (struct socket_address_request){.address = w[1],
                                                                   .length = (uint32_t)w[2],
                                                                   .flags = flags_of(c, w[0])}));
}

static long sys_listen(struct client *c, const uint64_t *w)
{
    return hand(
        c, w, message_of(SOCKET_LISTEN, (struct socket_listen_request){.backlog = (uint32_t)w[1]}));
}

static long sys_getsockname(struct client *c, const uint64_t *w)
{
    return hand(
        c, w,
        message_of(SOCKET_NAME, (struct socket_address_request){.address = w[1], .length = w[2]}));
}

static long sys_getpeername(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_NAME, (struct socket_address_request){
                                            .address = w[1], .length = w[2], .peer = 1}));
}

static long sys_sendto(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_SEND,
                           (struct socket_send_request){.address = w[1],
                                                        .length = w[2],
                                                        .flags = (uint32_t)w[3],
                                                        .open_flags = flags_of(c, w[0]),
                                                        .name_length = w[4] ? (uint32_t)w[5] : 0,
                                                        .name = w[4]}));
}

static long sys_recvfrom(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_RECEIVE_FROM,
                           (struct socket_receive_from_request){.address = w[1],
                                                                .length = w[2],
                                                                .flags = (uint32_t)w[3],
                                                                .open_flags = flags_of(c, w[0]),
                                                                .name = w[4],
                                                                .name_length = w[5]}));
}

static long sys_sendmsg(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_SEND_MESSAGE,
                           (struct socket_send_message_request){.header = w[1],
                                                                .flags = (uint32_t)w[2],
                                                                .open_flags = flags_of(c, w[0])}));
}

static long sys_recvmsg(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_RECEIVE_MESSAGE,
                           (struct socket_send_message_request){.header = w[1],
                                                                .flags = (uint32_t)w[2],
                                                                .open_flags = flags_of(c, w[0])}));
}

static long sys_shutdown(struct client *c, const uint64_t *w)
{
    return hand(
        c, w, message_of(SOCKET_SHUTDOWN, (struct socket_shutdown_request){.how = (uint32_t)w[1]}));
}

static long sys_getsockopt(struct client *c, const uint64_t *w)
{
    return hand(
        c, w,
        message_of(SOCKET_GET_OPTION, (struct socket_get_option_request){.level = (uint32_t)w[1],
                                                                         .name = (uint32_t)w[2],
                                                                         .value = w[3],
                                                                         .length = w[4]}));
}

static long sys_setsockopt(struct client *c, const uint64_t *w)
{
    return hand(c, w,
                message_of(SOCKET_SET_OPTION,
                           (struct socket_get_option_request){.level = (uint32_t)w[1],
                                                              .name = (uint32_t)w[2],
                                                              .value = w[3],
                                                              .length = (uint32_t)w[4]}));
}

static long accept_do(struct client *c, const uint64_t *w, uint32_t type)
{
    long result;
    struct file *f = socket_of(c, w[0], &result);
    struct message m;

    if (!f)
        return result;
    if (type & ~(uint32_t)(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (f->operations != &inet_operations)
        return unix_accept(c, f, w, type);
    m = message_of(SOCKET_ACCEPT,
                   (struct socket_address_request){
                       .node = f->node, .address = w[1], .length = w[2], .flags = f->flags});
    epoll_file_used(f, events_used(SOCKET_ACCEPT));
    file_get(f);
    result = socket_ask(c, f->server, &m, type);
    file_put(c, f);
    return result;
}

static long sys_accept(struct client *c, const uint64_t *w)
{
    return accept_do(c, w, 0);
}

static long sys_accept4(struct client *c, const uint64_t *w)
{
    return accept_do(c, w, (uint32_t)w[3]);
}

/* From file to file without the program's memory is not possible: programs then read and write, as
 * sendfile(2) says. */
static long sys_sendfile(struct client *c, const uint64_t *w)
{
    return fd_file(c, w[0]) && fd_file(c, w[1]) ? -EINVAL : -EBADF;
}

VFS_TABLE(socket_calls, {SYS_socket, sys_socket}, {SYS_bind, sys_bind}, {SYS_connect, sys_connect},
          {SYS_listen, sys_listen}, {SYS_accept, sys_accept}, {SYS_accept4, sys_accept4},
          {SYS_getsockname, sys_getsockname}, {SYS_getpeername, sys_getpeername},
          {SYS_sendto, sys_sendto}, {SYS_recvfrom, sys_recvfrom}, {SYS_sendmsg, sys_sendmsg},
          {SYS_recvmsg, sys_recvmsg}, {SYS_shutdown, sys_shutdown},
          {SYS_getsockopt, sys_getsockopt}, {SYS_setsockopt, sys_setsockopt},
          {SYS_sendfile, sys_sendfile})
