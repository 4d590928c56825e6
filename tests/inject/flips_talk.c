/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes through pipes, TCP and Unix sockets: an echo sends each message back, and it is compared. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flips.h"

enum { MESSAGE_MAX = 6000, PORT = 7007, CONNECTION = 24 /* messages */, REST_US = 900 };

static uint8_t sent[MESSAGE_MAX], received[MESSAGE_MAX];

static bool take(int fd, void *to, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = read(fd, (char *)to + done, length - done);

        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool give(int fd, const void *from, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t n = write(fd, (const char *)from + done, length - done);

        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Until the other side is gone, or something is wrong. */
static void echo(int in, int out)
{
    uint32_t length;

    while (take(in, &length, sizeof length) && length <= MESSAGE_MAX &&
           take(in, received, length) && give(out, &length, sizeof length) &&
           give(out, received, length))
        continue;
}

/* False: it came to no good end. */
static bool exchange(struct progress *p, int in, int out)
{
    static uint64_t number;
    uint32_t length = 1 + (uint32_t)chance(MESSAGE_MAX), back;

    pattern(sent, length, 77, ++number);
    if (!give(out, &length, sizeof length) || !give(out, sent, length) ||
        !take(in, &back, sizeof back)) {
        p->errors++;
        return false;
    }
    if (back != length) {
        p->wrong++;
        return false;
    }
    if (!take(in, received, length)) {
        p->errors++;
        return false;
    }
    if (memcmp(sent, received, length) != 0)
        p->wrong++;
    return true;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* ---- pipes ---- */

static pid_t pipe_echo(int *in, int *out)
{
    int there[2], back[2];
    pid_t child;

    if (pipe(there) < 0)
        return -1;
    if (pipe(back) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        echo(there[0], back[1]);
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    *in = back[0];
    *out = there[1];
    return child;
}

void work_pipe(struct progress *p, const char *argument)
{
    int in = -1, out = -1;
    pid_t child = -1;

    (void)argument;
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        unit_pause(p);
        if (child < 0 && (child = pipe_echo(&in, &out)) < 0)
            p->errors++;
        if (child > 0 && !exchange(p, in, out)) {
            close(in);
            close(out);
            end_child(child);
            child = -1;
        }
        unit_done(p);
        usleep(REST_US);
    }
}

/* ---- TCP ---- */

static void serve(int listener)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            continue;
        echo(fd, fd);
        close(fd);
    }
}

static struct sockaddr_in our_address(void)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static pid_t tcp_echo(void)
{
    struct sockaddr_in at = our_address();
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    pid_t child;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener, 4) < 0) {
        close(listener);
        return -1;
    }
    child = fork();
    if (child == 0)
        serve(listener);
    close(listener);
    return child;
}

static int tcp_connect(void)
{
    struct sockaddr_in at = our_address();
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

void work_stream(struct progress *p, const char *argument)
{
    pid_t child = -1;
    int fd = -1, left = 0;

    (void)argument;
    signal(SIGPIPE, SIG_IGN);
    while ((child = tcp_echo()) < 0)
        usleep(REST_US);
    for (;;) {
        unit_pause(p);
        if (fd < 0) {
            fd = tcp_connect();
            left = CONNECTION;
            p->errors += fd < 0;
        }
        if (fd >= 0 && (!exchange(p, fd, fd) || --left == 0)) {
            close(fd);
            fd = -1;
        }
        unit_done(p);
        usleep(REST_US);
    }
}

/* ---- a Unix socket, waited for by epoll, and a lock that nobody else has ---- */

static bool wait_readable(struct progress *p, int set)
{
    struct epoll_event event = {0};

    if (epoll_wait(set, &event, 1, -1) != 1) {
        p->errors++;
        return false;
    }
    if (event.data.u64 != 4711 || !(event.events & EPOLLIN))
        p->wrong++;
    return true;
}

static void lock(struct progress *p, int fd)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};

    if (fcntl(fd, F_SETLK, &l) < 0)
        p->errors++;
    l.l_type = F_UNLCK;
    if (fcntl(fd, F_SETLK, &l) < 0)
        p->errors++;
}

void work_local(struct progress *p, const char *argument)
{
    int pair[2], set = epoll_create1(0), file = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 4711};

    (void)argument;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || set < 0 || file < 0 ||
        epoll_ctl(set, EPOLL_CTL_ADD, pair[0], &event) < 0)
        p->errors++;
    for (uint64_t number = 1;; number++) {
        size_t length = 1 + chance(1000);

        unit_pause(p);
        pattern(sent, (unsigned)length, 78, number);
        if (!give(pair[1], sent, length) || !wait_readable(p, set) ||
            !take(pair[0], received, length))
            p->errors++;
        else if (memcmp(sent, received, length) != 0)
            p->wrong++;
        lock(p, file);
        unit_done(p);
        usleep(REST_US);
    }
}
