/* SPDX-License-Identifier: BSD-2-Clause */
/* unix(7): sockets of one machine. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#include "cases.h"

#define NAME "socket"
enum { BIG = 300000, FDS_MAX = 253 };

static char data[BIG], buffer[BIG];

static struct sockaddr_un address(const char *name, socklen_t *length) /* "@name": abstract */
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    strcpy(a.sun_path, name);
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + (name[0] != '@'));
    if (name[0] == '@')
        a.sun_path[0] = 0;
    return a;
}

static int bind_to(int fd, const char *name)
{
    socklen_t length;
    struct sockaddr_un a = address(name, &length);

    return bind(fd, (struct sockaddr *)&a, length);
}

static int connect_to(int fd, const char *name)
{
    socklen_t length;
    struct sockaddr_un a = address(name, &length);

    return connect(fd, (struct sockaddr *)&a, length);
}

static ssize_t send_to(int fd, const char *name, const char *text)
{
    socklen_t length;
    struct sockaddr_un a = address(name, &length);

    return sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, length);
}

static socklen_t length_of_name(int fd, int (*get)(int, struct sockaddr *, socklen_t *),
                                struct sockaddr_un *a)
{
    socklen_t length = sizeof *a;

    return get(fd, (struct sockaddr *)a, &length) == 0 ? length : 0;
}

static int option(int fd, int name)
{
    socklen_t length = sizeof(int);
    int value = -1;

    return getsockopt(fd, SOL_SOCKET, name, &value, &length) == 0 ? value : -1;
}

/* ---- streams ---- */

static void fill(void)
{
    for (int i = 0; i < BIG; i++)
        data[i] = (char)(i * 7);
}

static void pairs(void)
{
    int s[2], none[2], n;
    struct stat st;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    CHECK(fcntl(s[0], F_GETFD) == FD_CLOEXEC);
    CHECK(fstat(s[0], &st) == 0 && S_ISSOCK(st.st_mode));
    FAILS(socketpair(AF_INET, SOCK_STREAM, 0, none), EOPNOTSUPP);
    FAILS(socketpair(AF_UNIX, SOCK_STREAM, 99, none), EPROTONOSUPPORT);
    FAILS(socketpair(AF_UNIX, 77, 0, none), EINVAL);
    FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 8), EFAULT);
    CHECK(write(s[0], "hello", 5) == 5);
    CHECK(ioctl(s[1], FIONREAD, &n) == 0 && n == 5);
    CHECK(recv(s[1], buffer, 2, MSG_PEEK) == 2 && memcmp(buffer, "he", 2) == 0);
    CHECK(read(s[1], buffer, 100) == 5 && memcmp(buffer, "hello", 5) == 0);
    FAILS(recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(ready(s[1], POLLIN | POLLOUT) == POLLOUT);
    CHECK(write(s[1], "x", 1) == 1);
    CHECK(ready(s[0], POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    CHECK(read(s[0], buffer, 1) == 1);
    setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 30000}, sizeof(struct timeval));
    FAILS(read(s[0], buffer, 1), EAGAIN);
    close(s[0]);
    close(s[1]);
}

static void read_big(int fd)
{
    for (ssize_t at = 0, n; at < BIG; at += n) {
        n = read(fd, buffer + at, (size_t)(BIG - at));
        CHECK(n > 0);
    }
    CHECK(memcmp(buffer, data, BIG) == 0);
}

static void many_bytes(void)
{
    int s[2], total = 0;
    pid_t other;
    ssize_t n;

    fill();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHILD(other)
    read_big(s[1]);
    CHECK(write(s[0], data, BIG) == BIG);
    check_child(other);
    CHILD(other)
    {
        CHECK(write(s[1], "abc", 3) == 3);
        sleep_ms(20);
        CHECK(write(s[1], "def", 3) == 3);
    }
    CHECK(recv(s[0], buffer, 6, MSG_WAITALL) == 6 && memcmp(buffer, "abcdef", 6) == 0);
    check_child(other);
    while ((n = send(s[0], data, 10000, MSG_DONTWAIT)) > 0)
        total += (int)n;
    CHECK(total >= 100000 && ready(s[0], POLLOUT) == 0);
    while (total > 0 && (n = read(s[1], buffer, BIG)) > 0)
        total -= (int)n;
    CHECK(total == 0 && ready(s[0], POLLOUT) == POLLOUT);
    close(s[0]);
    close(s[1]);
}

static void ends(void)
{
    int s[2], status;
    pid_t other;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(write(s[0], "z", 1) == 1 && shutdown(s[0], SHUT_WR) == 0);
    FAILS(send(s[0], "a", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(ready(s[1], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP));
    CHECK(read(s[1], buffer, 9) == 1 && read(s[1], buffer, 9) == 0);
    CHECK(write(s[1], "back", 4) == 4 && read(s[0], buffer, 9) == 4);
    FAILS(shutdown(s[0], 7), EINVAL);
    close(s[0]);
    CHECK(ready(s[1], 0) == POLLHUP);
    signal(SIGPIPE, SIG_IGN);
    FAILS(write(s[1], "a", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    CHILD(other)
    CHECK(write(s[1], "a", 1) == 0);
    CHECK(waitpid(other, &status, 0) == other && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGPIPE);
    close(s[1]);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(write(s[0], "a", 1) == 1);
    close(s[1]); /* with something that was not read */
    CHECK(ready(s[0], POLLIN) == (POLLIN | POLLHUP | POLLERR));
    FAILS(read(s[0], buffer, 1), ECONNRESET);
    CHECK(read(s[0], buffer, 1) == 0);
    close(s[0]);
}

/* ---- descriptors in messages: by the calls' numbers, since libraries limit the control
 * part ---- */

static long send_fds(int fd, const char *text, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 300)] = {0};
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *h = (struct cmsghdr *)control;

    m.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * count);
    return syscall(SYS_sendmsg, fd, &m, 0);
}

static int received_flags;

static long receive_fds(int fd, size_t room, int *fds, size_t count, int flags)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 300)] = {0};
    struct iovec v = {buffer, room};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control};
    struct cmsghdr *h = (struct cmsghdr *)control;
    long result;

    m.msg_controllen = count ? CMSG_LEN(sizeof(int) * count) : 0;
    result = syscall(SYS_recvmsg, fd, &m, flags);
    received_flags = m.msg_flags;
    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    if (result >= 0 && m.msg_controllen && h->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0));
    return result;
}

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

static void descriptors(void)
{
    int s[2], p[2], f[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(pipe(p) == 0);
    CHECK(send_fds(s[0], "ab", p, 2) == 2 && write(s[0], "cd", 2) == 2);
    close_all(p, 2);
    CHECK(receive_fds(s[1], 100, f, 2, MSG_CMSG_CLOEXEC) == 2); /* and not what comes after them */
    CHECK(fcntl(f[0], F_GETFD) == FD_CLOEXEC);
    CHECK(write(f[1], "q", 1) == 1 && read(f[0], buffer, 1) == 1);
    CHECK(read(s[1], buffer, 9) == 2);
    close_all(f, 2);
    CHECK(pipe(p) == 0);
    CHECK(write(s[0], "12", 2) == 2 && send_fds(s[0], "34", p, 2) == 2 &&
          write(s[0], "56", 2) == 2);
    CHECK(receive_fds(s[1], 100, f, 1, 0) == 4 && f[0] >= 0 && (received_flags & MSG_CTRUNC));
    close(f[0]);
    CHECK(receive_fds(s[1], 100, f, 1, 0) == 2 && f[0] == -1 && received_flags == 0);
    CHECK(send_fds(s[0], "34", p, 1) == 2 && read(s[1], buffer, 1) == 1); /* read() drops them */
    CHECK(receive_fds(s[1], 100, f, 1, 0) == 1 && f[0] == -1);
    CHECK(send_fds(s[0], "x", p, 1) == 1);
    CHECK(receive_fds(s[1], 100, f, 1, MSG_PEEK) == 1 && f[0] >= 0);
    close(f[0]);
    CHECK(receive_fds(s[1], 100, f, 1, 0) == 1 && f[0] >= 0);
    close(f[0]);
    CHECK(send_fds(s[0], "x", p, 1) == 1);
    close_all(s, 2); /* with it on its way */
    close(p[0]);
    CHECK(ready(p[1], 0) == POLLERR); /* nobody has it any more */
    close(p[1]);
}

static void descriptors_at_the_limits(void)
{
    int s[2], fds[FDS_MAX + 1] = {0}, before;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    FAILS(send_fds(s[0], "x", (int[]){99}, 1), EBADF);
    FAILS(send_fds(s[0], "x", fds, FDS_MAX + 1), EINVAL);
    CHECK(send_fds(s[0], "x", fds, FDS_MAX) == 1);
    CHECK(receive_fds(s[1], 100, fds, FDS_MAX, 0) == 1 && fds[FDS_MAX - 1] > 0);
    close_all(fds, FDS_MAX);
    close_all(s, 2);
    for (int i = 0; i < 100; i++) { /* circles: each is on its way to the other */
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
        CHECK(send_fds(s[0], "x", &s[1], 1) == 1);
        CHECK(send_fds(s[1], "x", &s[0], 1) == 1);
        close_all(s, 2);
    }
    before = open("/dev/null", O_RDONLY);
    for (int i = 0; i < 1000; i++) { /* a chain: each is on its way to the next */
        CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0);
        CHECK(send_fds(s[0], "x", &before, 1) == 1);
        close(before);
        close(s[0]);
        before = s[1];
    }
    close(before);
}

/* ---- messages ---- */

static void messages(int type)
{
    int s[2], n, fds[1], more = 0;
    pid_t other;

    fill();
    CHECK(socketpair(AF_UNIX, type, 0, s) == 0);
    CHECK(write(s[0], "one", 3) == 3 && write(s[0], "", 0) == 0 && write(s[0], "three", 5) == 5);
    CHECK(recv(s[1], buffer, 2, MSG_PEEK | MSG_TRUNC) == 3);
    CHECK(ioctl(s[1], FIONREAD, &n) == 0 && n == (type == SOCK_DGRAM ? 3 : 8));
    CHECK(read(s[1], buffer, 100) == 3 && read(s[1], buffer, 100) == 0);
    CHECK(receive_fds(s[1], 2, fds, 0, 0) == 2 && received_flags == MSG_TRUNC);
    FAILS(recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(write(s[0], data, 260000), EMSGSIZE);
    while (send(s[0], data, 200000, MSG_DONTWAIT) == 200000)
        more++;
    CHECK(more >= 1 && more < 4);
    while (more--)
        CHECK(read(s[1], buffer, BIG) == 200000 && memcmp(buffer, data, 200000) == 0);
    FAILS(write(s[0], (void *)8, 100), EFAULT);
    CHECK(ready(s[1], POLLIN) == 0); /* nothing of it */
    CHILD(other)
    {
        sleep_ms(20);
        CHECK(write(s[0], "hey", 3) == 3);
    }
    CHECK(read(s[1], buffer, 9) == 3);
    check_child(other);
    CHECK(send_fds(s[0], "f", (int[]){1}, 1) == 1 && receive_fds(s[1], 9, fds, 1, 0) == 1 &&
          fds[0] > 0);
    close_all(fds, 1);
    close(s[1]);
    if (type == SOCK_DGRAM) {
        FAILS(write(s[0], "x", 1), ECONNREFUSED);
        FAILS(write(s[0], "x", 1), ENOTCONN);
    } else {
        CHECK(read(s[0], buffer, 1) == 0);
        FAILS(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
        CHECK(ready(s[0], 0) == POLLHUP);
    }
    close(s[0]);
}

/* ---- names, connections ---- */

static void before_connections(int listener)
{
    int c = socket(AF_UNIX, SOCK_STREAM, 0);
    struct stat st;

    FAILS(listen(listener, 5), EINVAL);
    CHECK(ready(listener, POLLOUT) == (POLLOUT | POLLHUP));
    FAILS(connect_to(c, NAME), ENOENT);
    CHECK(bind_to(listener, NAME) == 0);
    CHECK(stat(NAME, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0755);
    FAILS(bind_to(listener, NAME "2"), EINVAL);
    FAILS(bind_to(c, NAME), EADDRINUSE);
    FAILS(bind_to(c, "no-folder/x"), ENOENT);
    FAILS(bind(c, (void *)8, 20), EFAULT);
    FAILS(connect_to(c, NAME), ECONNREFUSED);
    FAILS(connect_to(c, "/etc"), ECONNREFUSED);
    FAILS(open(NAME, O_RDWR), ENXIO);
    FAILS(read(c, buffer, 1), EINVAL);
    FAILS(send(c, buffer, 1, MSG_NOSIGNAL), ENOTCONN);
    FAILS(accept(listener, NULL, NULL), EINVAL);
    FAILS(bind(0, (void *)buffer, 2), ENOTSOCK);
    FAILS(listen(77, 2), EBADF);
    close(c);
}

static void connections(int listener)
{
    int c = socket(AF_UNIX, SOCK_STREAM, 0), a;
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    struct ucred credentials;

    CHECK(listen(listener, 2) == 0 && option(listener, SO_ACCEPTCONN) == 1);
    CHECK(option(c, SO_TYPE) == SOCK_STREAM && option(c, SO_DOMAIN) == AF_UNIX);
    CHECK(ready(listener, POLLIN | POLLOUT) == 0);
    CHECK(connect_to(c, NAME) == 0);
    CHECK(ready(listener, POLLIN) == POLLIN);
    CHECK(write(c, "early", 5) == 5);
    FAILS(connect_to(c, NAME), EISCONN);
    FAILS(listen(c, 1), EINVAL);
    a = accept(listener, (struct sockaddr *)&name, &length);
    CHECK(a >= 0 && length == sizeof(sa_family_t) && name.sun_family == AF_UNIX);
    CHECK(read(a, buffer, 9) == 5);
    CHECK(length_of_name(c, getpeername, &name) == sizeof NAME + 2 &&
          strcmp(name.sun_path, NAME) == 0);
    CHECK(length_of_name(a, getsockname, &name) == sizeof NAME + 2);
    CHECK(length_of_name(listener, getpeername, &name) == 0);
    length = sizeof credentials;
    CHECK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0);
    CHECK(credentials.pid == getpid() && credentials.uid == getuid());
    FAILS(getsockopt(c, SOL_SOCKET, 999, &credentials, &length), ENOPROTOOPT);
    close(a);
    CHECK(read(c, buffer, 1) == 0);
    close(c);
}

static void backlog(int listener)
{
    pid_t other;
    int c[4];

    for (int i = 0; i < 4; i++)
        c[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    for (int i = 0; i < 3; i++)
        CHECK(connect_to(c[i], NAME) == 0);
    FAILS(connect_to(c[3], NAME), EAGAIN);
    fcntl(c[3], F_SETFL, 0);
    CHILD(other)
    {
        sleep_ms(20);
        CHECK(accept(listener, NULL, NULL) >= 0);
    }
    CHECK(connect_to(c[3], NAME) == 0);
    check_child(other);
    close(listener);
    FAILS(read(c[3], buffer, 1), ECONNRESET);
    close_all(c, 4);
    c[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect_to(c[0], NAME), ECONNREFUSED);
    close(c[0]);
    CHECK(unlink(NAME) == 0);
}

static void datagrams_by_name(void)
{
    int l = socket(AF_UNIX, SOCK_DGRAM, 0), c = socket(AF_UNIX, SOCK_DGRAM, 0),
        other = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;

    CHECK(bind_to(l, "@here") == 0);
    FAILS(bind_to(c, "@here"), EADDRINUSE);
    FAILS(connect_to(other, "@nowhere"), ECONNREFUSED);
    CHECK(bind(c, (struct sockaddr *)&name, sizeof(sa_family_t)) == 0); /* any name */
    CHECK(length_of_name(c, getsockname, &name) == 8 && name.sun_path[0] == 0);
    FAILS(write(c, "x", 1), ENOTCONN);
    CHECK(send_to(c, "@here", "datagram") == 8);
    CHECK(recvfrom(l, buffer, 99, 0, (struct sockaddr *)&name, &length) == 8 && length == 8);
    CHECK(sendto(l, "reply", 5, 0, (struct sockaddr *)&name, length) == 5 &&
          read(c, buffer, 9) == 5);
    CHECK(connect_to(c, "@here") == 0 && write(c, "x", 1) == 1 && read(l, buffer, 9) == 1);
    close(l);
    FAILS(write(c, "x", 1), ECONNREFUSED);
    close(c);
    close(other);
}

static void packets_by_name(void)
{
    int l = socket(AF_UNIX, SOCK_SEQPACKET, 0), c = socket(AF_UNIX, SOCK_SEQPACKET, 0), a;

    CHECK(bind_to(l, "@packets") == 0 && listen(l, 1) == 0 && connect_to(c, "@packets") == 0);
    a = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(a >= 0 && (fcntl(a, F_GETFL) & O_NONBLOCK) && fcntl(a, F_GETFD) == FD_CLOEXEC);
    FAILS(read(a, buffer, 1), EAGAIN);
    CHECK(write(c, "ab", 2) == 2 && write(c, "cd", 2) == 2);
    CHECK(read(a, buffer, 9) == 2 && read(a, buffer, 9) == 2);
    close(a);
    close(c);
    close(l);
}

static void edges(void)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP}, out;
    int s[2], set = epoll_create1(0);

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    epoll_ctl(set, EPOLL_CTL_ADD, s[0], &e);
    CHECK(epoll_wait(set, &out, 1, 0) == 1 && out.events == EPOLLOUT);
    CHECK(epoll_wait(set, &out, 1, 0) == 0);
    CHECK(write(s[1], "ab", 2) == 2);
    CHECK(epoll_wait(set, &out, 1, 0) == 1 && out.events == (EPOLLIN | EPOLLOUT));
    CHECK(read(s[0], buffer, 1) == 1 && write(s[0], "x", 1) == 1);
    CHECK(epoll_wait(set, &out, 1, 0) == 0); /* what it did itself is no news */
    CHECK(read(s[1], buffer, 1) == 1);
    close(s[1]);
    CHECK(epoll_wait(set, &out, 1, 0) == 1 && (out.events & EPOLLHUP) && (out.events & EPOLLRDHUP));
    close(s[0]);
    close(set);
}

static void connecting(void)
{
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    umask(022);
    before_connections(listener);
    connections(listener);
    backlog(listener);
}

static void datagrams(void)
{
    messages(SOCK_DGRAM);
}

static void packets(void)
{
    messages(SOCK_SEQPACKET);
}

RUN_CASES({"pairs", pairs}, {"many bytes", many_bytes}, {"ends", ends},
          {"descriptors", descriptors}, {"descriptors at the limits", descriptors_at_the_limits},
          {"datagrams", datagrams}, {"packets", packets}, {"connecting", connecting},
          {"datagrams by name", datagrams_by_name}, {"packets by name", packets_by_name},
          {"edges", edges})
