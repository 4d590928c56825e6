/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_many BUSY IDLE ROUNDS [ADDRESS PORT]: TCP connections over the loopback interface, or to somebody who echoes.
 * Over each busy one goes, ROUNDS times, a block there and back, all at once, and is compared. An idle one carries one
 * byte, in the end; processes of their own have them, since one may not have so many descriptors. Says what is wrong;
 * for how long, at most, no byte arrived anywhere, and for how long on one of the busy ones; in ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 700, MOST = 500 };

static struct sockaddr_in peer = {.sin_family = AF_INET}; /* who echoes; port 0: we do */

static struct end {
    int fd;
    long sent, received; /* bytes */
    long last_us; /* when it received some */
} ends[2 * MOST]; /* 2n begins, 2n + 1 answers what has come */
static struct pollfd polled[2 * MOST];
static long last_us; /* when any did */
static long stall_us, gap_us;

static void fail(const char *what, int n)
{
    printf("%s of %d: %s\n", what, n, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static unsigned char byte_at(int n, long at)
{
    return (unsigned char)(at * 7 + at / 256 + n * 31);
}

/* Some bytes, at that end. What comes before the first is no stall: all that is sent at the start. */
static void came(struct end *e)
{
    struct timespec now;
    long us;

    clock_gettime(CLOCK_MONOTONIC, &now);
    us = now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (last_us && us - last_us > stall_us)
        stall_us = us - last_us;
    if (e->last_us && us - e->last_us > gap_us)
        gap_us = us - e->last_us;
    last_us = e->last_us = us;
}

static int begin(const struct sockaddr_in *to, int n)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        fail("socket", n);
    if (connect(fd, (const void *)to, sizeof *to) < 0)
        fail("connect", n);
    return fd;
}

static void connect_all(int count)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof to;
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (listening < 0 || bind(listening, (void *)&to, sizeof to) < 0 || listen(listening, 16) < 0 ||
        getsockname(listening, (void *)&to, &size) < 0)
        fail("listen", 0);
    for (int n = 0; n < count; n++) {
        ends[2 * n].fd = begin(peer.sin_port ? &peer : &to, n);
        ends[2 * n + 1].fd = peer.sin_port ? -1 : accept(listening, NULL, NULL);
        if (!peer.sin_port && ends[2 * n + 1].fd < 0)
            fail("accept", n);
    }
    close(listening);
}

/* What it may send: the beginner a block ahead of what has come back, the other what has come. */
static long allowed(int e, long total)
{
    long limit = e & 1 ? ends[e].received : ends[e].received + BLOCK;

    return (limit < total ? limit : total) - ends[e].sent;
}

static void take(int e)
{
    unsigned char data[BLOCK];
    ssize_t n = recv(ends[e].fd, data, sizeof data, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        fail(n ? "recv" : "end", e);
    for (ssize_t i = 0; i < n; i++, ends[e].received++)
        if (data[i] != byte_at(e / 2, ends[e].received)) {
            printf("wrong byte: %d at %ld\n", e, ends[e].received);
            exit(1);
        }
    if (n > 0)
        came(&ends[e]);
}

static void give(int e, long length)
{
    unsigned char data[BLOCK];
    ssize_t n;

    length = length < BLOCK ? length : BLOCK;
    for (long i = 0; i < length; i++)
        data[i] = byte_at(e / 2, ends[e].sent + i);
    n = send(ends[e].fd, data, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        fail("send", e);
    ends[e].sent += n > 0 ? n : 0;
}

static void work(int busy, long total)
{
    int left;

    do {
        left = 0;
        for (int e = 0; e < 2 * busy; e++) {
            polled[e].fd = ends[e].fd;
            if (ends[e].fd < 0)
                ends[e].sent = ends[e].received = total; /* the peer's */
            polled[e].events =
                (ends[e].received < total ? POLLIN : 0) | (allowed(e, total) > 0 ? POLLOUT : 0);
            left += ends[e].received < total || ends[e].sent < total;
        }
        if (left && poll(polled, (nfds_t)(2 * busy), 30000) <= 0)
            fail("poll", left);
        for (int e = 0; left && e < 2 * busy; e++) {
            if (polled[e].revents & (POLLERR | POLLHUP | POLLNVAL))
                fail("state", e);
            if (polled[e].revents & POLLIN)
                take(e);
            if (polled[e].revents & POLLOUT)
                give(e, allowed(e, total));
        }
    } while (left);
}

/* ---- idle ones ---- */

static void try_one(int n)
{
    int there = ends[2 * n].fd, back = ends[2 * n + 1].fd < 0 ? there : ends[2 * n + 1].fd;
    char byte = 0;

    if (send(there, "x", 1, MSG_NOSIGNAL) != 1 || recv(back, &byte, 1, 0) != 1 || byte != 'x')
        fail("idle", n);
    if (back != there &&
        (send(back, "y", 1, MSG_NOSIGNAL) != 1 || recv(there, &byte, 1, 0) != 1 || byte != 'y'))
        fail("idle, back", n);
}

static int go[2]; /* its end tells holders to try theirs */

/* A process that has so many, when this returns. */
static void hold(int count)
{
    int ready[2];
    char byte = 0;
    pid_t child;

    if (pipe(ready) || (child = fork()) < 0)
        fail("fork", 0);
    if (child) {
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
            fail("holder", count);
        close(ready[0]);
        return;
    }
    close(go[1]);
    connect_all(count);
    if (write(ready[1], "r", 1) != 1 || read(go[0], &byte, 1) != 0)
        fail("wait", 0);
    for (int n = 0; n < count; n++)
        try_one(n);
    _exit(0);
}

int main(int argc, char **argv)
{
    int busy = argc > 3 ? atoi(argv[1]) : -1, idle = argc > 3 ? atoi(argv[2]) : -1, status;

    if (busy < 0 || busy > MOST || idle < 0 || pipe(go))
        return 2;
    if (argc > 5) {
        peer.sin_addr.s_addr = inet_addr(argv[4]);
        peer.sin_port = htons((uint16_t)atoi(argv[5]));
    }
    for (int left = idle; left > 0; left -= MOST)
        hold(left < MOST ? left : MOST);
    connect_all(busy);
    work(busy, atol(argv[3]) * BLOCK);
    close(go[1]);
    while (wait(&status) > 0)
        if (status)
            fail("holder", status);
    printf("stall %ld.%03ld gap %ld.%03ld\n", stall_us / 1000, stall_us % 1000, gap_us / 1000,
           gap_us % 1000);
    return 0;
}
