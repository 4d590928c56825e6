/* SPDX-License-Identifier: BSD-2-Clause */
/* What ends in terminals, the network, /proc and the control of services. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "tests/syscalls/worst.h"

enum { SOCKETS = 600, PASSED = 200, PROCESSES = 60 };
#define LARGE (1ul << 20)
#define SHOWN 16384 /* bytes, in one part of what VFS makes of a write */

/* ---- terminals ---- */

static void repeat(char *to, size_t length, const char *text)
{
    size_t n = strlen(text);

    for (size_t i = 0; i < length; i++)
        to[i] = text[i % n];
}
static void tty_write(void)
{
    static const char *const texts[] = {"\n",
                                        "\033[65535L",
                                        "\033[65535@x",
                                        "\033[2J",
                                        "\033M",
                                        "\t",
                                        "\033[?5h",
                                        "\033[65535C",
                                        "\033[6n",
                                        "\033]0;",
                                        "\033c",
                                        "x",
                                        "\033[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m"};
    char *at = touched(LARGE);
    int shown = open("/dev/tty1", O_RDWR | O_NOCTTY | O_NONBLOCK),
        hidden = open("/dev/tty2", O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (shown < 0 || hidden < 0)
        _exit(8);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        repeat(at, SHOWN, texts[i]);
        TIMED(write, write(shown, at, SHOWN));
        TIMED(write, write(hidden, at, SHOWN));
    }
    TIMED(ioctl, ioctl(shown, TCFLSH, TCIOFLUSH));
    TIMED(ioctl, ioctl(shown, TIOCINQ, at));
    TIMED(read, read(shown, at, LARGE)); /* answers to ESC [ 6 n */
    (void)!write(shown, "\033c", 2);
}

/* ---- /proc ---- */

static char *proc_buffer;

static int proc_one(const char *path, const struct stat *s, int kind, struct FTW *f)
{
    int fd;

    (void)f;
    (void)s;
    if (kind == FTW_SL || kind == FTW_SLN) {
        TIMED(readlink, readlink(path, proc_buffer, 4096));
        return 0;
    }
    if (strstr(path, "/script") || strstr(path, "kmsg"))
        return 0; /* they wait for what may never come */
    TIMED(open, fd = open(path, O_RDONLY | O_NONBLOCK));
    if (fd < 0)
        return 0;
    if (kind == FTW_D || kind == FTW_DP)
        TIMED(getdents64, syscall(SYS_getdents64, fd, proc_buffer, LARGE));
    else
        TIMED(read, read(fd, proc_buffer, LARGE));
    close(fd);
    return 0;
}
static void proc_all(void)
{
    char own[40];

    proc_buffer = touched(LARGE);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0)
            for (;;)
                pause();
    many_regions();
    many_descriptors();
    snprintf(own, sizeof own, "/proc/%d", getpid());
    nftw(own, proc_one, 20, FTW_PHYS);
    nftw("/proc/bardo", proc_one, 20, FTW_PHYS);
    nftw("/proc/net", proc_one, 20, FTW_PHYS);
    TIMED(open, proc_one("/proc", NULL, FTW_D, NULL));
    proc_one("/proc/stat", NULL, FTW_F, NULL);
    proc_one("/proc/meminfo", NULL, FTW_F, NULL);
    proc_one("/proc/recovery", NULL, FTW_F, NULL);
    proc_one("/proc/mounts", NULL, FTW_F, NULL);
}

/* ---- the network ---- */

static struct sockaddr_in here(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}
static void net_sockets(void)
{
    static int fds[SOCKETS];
    struct sockaddr_in a;
    char *at = touched(LARGE);

    for (int i = 0; i < SOCKETS; i++) {
        a = here(10000 + i);
        fds[i] = socket(AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0);
        if (bind(fds[i], (struct sockaddr *)&a, sizeof a) == 0 && i % 2 == 0)
            listen(fds[i], INT_MAX);
    }
    TIMED(socket, socket(AF_INET, SOCK_STREAM, 0));
    TIMED(bind, bind(fds[0], (struct sockaddr *)&a, sizeof a));
    TIMED(listen, listen(fds[2], INT_MAX));
    a = here(10001);
    for (int i = 0; i < 300; i++)
        sendto(fds[3], at, 60000, MSG_DONTWAIT, (struct sockaddr *)&a, sizeof a);
    TIMED(sendto, sendto(fds[3], at, 65507, 0, (struct sockaddr *)&a, sizeof a));
    TIMED(recvfrom, recvfrom(fds[1], at, LARGE, MSG_DONTWAIT, NULL, NULL));
    TIMED(sendto, sendto(fds[3], at, LARGE, 0, (struct sockaddr *)&a, sizeof a));
    TIMED(setsockopt, setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &(int){INT_MAX}, 4));
    TIMED(getsockname, getsockname(fds[0], (struct sockaddr *)&a, &(socklen_t){sizeof a}));
    for (int i = 0; i < SOCKETS; i++)
        close(fds[i]);
}
static void net_stream(void)
{
    struct sockaddr_in a = here(9999);
    struct iovec v[1024];
    char *at = touched(LARGE);
    int l = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0), in;

    bind(l, (struct sockaddr *)&a, sizeof a);
    listen(l, 10);
    TIMED(connect, connect(out, (struct sockaddr *)&a, sizeof a));
    TIMED(accept, in = accept(l, NULL, NULL));
    for (int i = 0; i < 1024; i++)
        v[i] = (struct iovec){at + i, 60000};
    fcntl(out, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 10; i++) {
        TIMED(write, write(out, at, LARGE));
        TIMED(sendmsg, sendmsg(out, &(struct msghdr){.msg_iov = v, .msg_iovlen = 1024}, 0));
        TIMED(recvmsg,
              recvmsg(in, &(struct msghdr){.msg_iov = v, .msg_iovlen = 1024}, MSG_DONTWAIT));
        TIMED(recvfrom, recv(in, at, LARGE, MSG_DONTWAIT));
    }
    TIMED(shutdown, shutdown(out, SHUT_RDWR));
    TIMED(close, close(in));
    TIMED(close, close(out));
}

/* ---- sockets of this machine ---- */

/* Descriptors in messages in sockets, as many as there may be: all go with the last. */
static void unix_pass(void)
{
    union {
        char bytes[CMSG_SPACE(PASSED * sizeof(int))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_len = CMSG_LEN(PASSED * sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec one = {"x", 1};
    struct msghdr m = {.msg_iov = &one,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    int *fds = many_descriptors(), pair[2], n = 0;

    close(fds[0]), close(fds[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
        return;
    memcpy(CMSG_DATA(&control.header), fds + 2, PASSED * sizeof(int));
    while (n < 500 && sendmsg(pair[0], &m, 0) == 1)
        n++;
    TIMED(sendmsg, sendmsg(pair[0], &m, 0));
    m.msg_controllen = sizeof control;
    TIMED(recvmsg, recvmsg(pair[1], &m, 0));
    close(pair[0]);
    TIMED(close, close(pair[1]));
}

/* Sockets in messages in a socket, as many as a user may have, while one that stays is on its way, too:
 * to end each is to look for circles among all. They have the names that the next one without any would
 * be given, were these given in turn. */
static void unix_pass_sockets(void)
{
    union {
        char bytes[CMSG_SPACE(PASSED * sizeof(int))];
        struct cmsghdr header;
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec one = {"x", 1};
    struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &control};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int pair[2], stays[2], fds[PASSED], n = PASSED, first = socket(AF_UNIX, SOCK_DGRAM, 0);
    unsigned number = 0;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, stays) ||
        bind(first, (struct sockaddr *)&name, sizeof(sa_family_t)) ||
        getsockname(first, (struct sockaddr *)&name, &(socklen_t){sizeof name}))
        _exit(8);
    sscanf(name.sun_path + 1, "%5x", &number);
    control.header.cmsg_len = m.msg_controllen = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &first, sizeof first);
    sendmsg(stays[0], &m, 0);
    control.header.cmsg_len = m.msg_controllen = CMSG_LEN(PASSED * sizeof(int));
    while (n == PASSED) {
        for (n = 0; n < PASSED && (fds[n] = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0; n++) {
            snprintf(name.sun_path + 1, 6, "%05x", ++number & 0xfffff);
            bind(fds[n], (struct sockaddr *)&name, sizeof(sa_family_t) + 6);
        }
        memcpy(CMSG_DATA(&control.header), fds, sizeof fds);
        if (n == PASSED && sendmsg(pair[0], &m, 0) != 1)
            _exit(8);
        for (int i = 0; i < n; i++)
            close(fds[i]);
    }
    name.sun_path[0] = 0;
    first = socket(AF_UNIX, SOCK_DGRAM, 0);
    TIMED(bind, bind(first, (struct sockaddr *)&name, sizeof(sa_family_t)));
    close(pair[0]);
    TIMED(close, close(pair[1]));
}

/* ---- services ---- */

static void control_one(const char *line)
{
    int fd = open("/proc/bardo/control", O_WRONLY);

    timed_begin(SYS_write);
    (void)!write(fd, line, strlen(line));
    usleep(60000); /* what comes of it */
    timed_end();
    close(fd);
}
static void control_services(void)
{
    control_one("restart log\n");
    control_one("restart clock\n");
    control_one("restart dev\n");
    control_one("down lp\n");
    control_one("up lp\n");
    for (int i = 0; i < 20; i++)
        control_one("restart nosuch\n");
}

static const struct scenario list[] = {
    SCENARIO(tty_write, AS_ROOT),
    SCENARIO(proc_all, 0),
    SCENARIO(net_sockets, 0),
    SCENARIO(net_stream, 0),
    SCENARIO(unix_pass, 0),
    SCENARIO(unix_pass_sockets, 0),
    SCENARIO(control_services, AS_ROOT),
};
const struct scenarios scenarios_talk = {list, sizeof list / sizeof *list};
