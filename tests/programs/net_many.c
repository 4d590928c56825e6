/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * net_many BUSY IDLE ROUNDS: TCP connections over the loopback interface. Over each busy one goes, ROUNDS times,
 * a block there and back, all at once, and is compared. An idle one carries one byte, in the end. Says what is
 * wrong; and for how long, at most, no byte arrived anywhere, in ms.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 2000, MOST = 500 };

static struct end {
    int fd;
    long sent, received; /* bytes */
} ends[2 * MOST]; /* 2n begins, 2n + 1 answers what has come */
static struct pollfd polled[2 * MOST];
static struct timespec last;
static long stall_us;

static void fail(const char *what, int n)
{
    printf("%s of %d: %s\n", what, n, strerror(errno));
    exit(1);
}

static unsigned char byte_at(int n, long at)
{
    return (unsigned char)(at * 7 + at / 256 + n * 31);
}

static void came(void)
{
    struct timespec now;
    long us;

    clock_gettime(CLOCK_MONOTONIC, &now);
    us = (now.tv_sec - last.tv_sec) * 1000000 + (now.tv_nsec - last.tv_nsec) / 1000;
    stall_us = us > stall_us ? us : stall_us;
    last = now;
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
        ends[2 * n].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (ends[2 * n].fd < 0 || connect(ends[2 * n].fd, (void *)&to, sizeof to) < 0)
            fail("connect", n);
        ends[2 * n + 1].fd = accept(listening, NULL, NULL);
        if (ends[2 * n + 1].fd < 0)
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
        came();
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

    clock_gettime(CLOCK_MONOTONIC, &last);
    do {
        left = 0;
        for (int e = 0; e < 2 * busy; e++) {
            polled[e].fd = ends[e].fd;
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

int main(int argc, char **argv)
{
    int busy = argc > 3 ? atoi(argv[1]) : -1, idle = argc > 3 ? atoi(argv[2]) : -1;

    if (busy < 0 || idle < 0 || busy + idle > MOST)
        return 2;
    connect_all(busy + idle);
    work(busy, atol(argv[3]) * BLOCK);
    for (int n = busy; n < busy + idle; n++) {
        char byte = 0;

        if (send(ends[2 * n].fd, "x", 1, MSG_NOSIGNAL) != 1 ||
            recv(ends[2 * n + 1].fd, &byte, 1, 0) != 1 || byte != 'x')
            fail("idle", n);
    }
    printf("stall %ld.%03ld\n", stall_us / 1000, stall_us % 1000);
    return 0;
}
