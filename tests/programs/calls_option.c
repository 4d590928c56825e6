/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of sockets of the network: numbers come back as Linux gives them back, and do what they
 * say. */
#define _GNU_SOURCE
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "cases.h"

enum { WAIT_MS = 10000 };

static int number(int fd, int name)
{
    int v = -1;
    socklen_t length = sizeof v;

    CHECK(getsockopt(fd, SOL_SOCKET, name, &v, &length) == 0 && length == sizeof v);
    return v;
}

static int set(int fd, int name, int v)
{
    CHECK(setsockopt(fd, SOL_SOCKET, name, &v, sizeof v) == 0);
    return number(fd, name);
}

static void low_water(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), most;

    CHECK(fd >= 0 && number(fd, SO_RCVLOWAT) == 1);
    for (int v = 1; v < 12; v++)
        CHECK(set(fd, SO_RCVLOWAT, v) == v);
    CHECK(set(fd, SO_RCVLOWAT, 0) == 1);
    most = set(fd, SO_RCVLOWAT, INT_MAX);
    CHECK(most > 1000 && set(fd, SO_RCVLOWAT, -1) == most);
    CHECK(set(fd, SO_RCVBUF, 4096) == 8192 && set(fd, SO_RCVLOWAT, INT_MAX) == 4096);
}

static void limits_of_buffers(void)
{
    static const int names[] = {SO_RCVBUF, SO_SNDBUF};

    for (int n = 0; n < 2; n++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), least, most;

        CHECK(fd >= 0);
        least = set(fd, names[n], 0);
        most = set(fd, names[n], INT_MAX);
        CHECK(least > 1000 && most > least);
        CHECK(set(fd, names[n], -1) == most);
        CHECK(set(fd, names[n], 5001) == 10002);
    }
}

/* Two ends of a connection within the machine. */
static void connected(int end[2], bool wants_too_much)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (wants_too_much)
        CHECK(set(listener, SO_RCVBUF, INT_MAX) > 8192 &&
              set(listener, SO_RCVLOWAT, INT_MAX) > 8192 && set(listener, SO_RCVBUF, 4096) == 8192);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0 &&
          getsockname(listener, (struct sockaddr *)&at, &length) == 0);
    CHECK((end[0] = socket(AF_INET, SOCK_STREAM, 0)) >= 0 &&
          connect(end[0], (struct sockaddr *)&at, sizeof at) == 0);
    CHECK((end[1] = accept(listener, NULL, NULL)) >= 0 && close(listener) == 0);
}

static void waits_for_so_much(void)
{
    int end[2];
    struct pollfd p = {.events = POLLIN};
    char bytes[16];

    connected(end, false);
    p.fd = end[1];
    CHECK(set(end[1], SO_RCVLOWAT, 5) == 5);
    CHECK(write(end[0], "abcd", 4) == 4);
    CHECK(poll(&p, 1, 200) == 0);
    CHECK(write(end[0], "e", 1) == 1);
    CHECK(poll(&p, 1, WAIT_MS) == 1 && recv(end[1], bytes, sizeof bytes, MSG_DONTWAIT) == 5 &&
          memcmp(bytes, "abcde", 5) == 0);
}

/* As much as there is room for is enough, also when that has become less since. */
static void waits_for_too_much(void)
{
    static char much[200000], bytes[4096];
    int end[2];
    struct pollfd p = {.events = POLLIN};

    connected(end, true);
    p.fd = end[1];
    CHECK(number(end[1], SO_RCVLOWAT) > 8192);
    CHECK(write(end[0], "abcd", 4) == 4);
    CHECK(poll(&p, 1, 200) == 0);
    for (int round = 0; round < 4; round++) {
        CHECK(send(end[0], much, sizeof much, MSG_DONTWAIT) > 0 || errno == EAGAIN);
        CHECK(poll(&p, 1, WAIT_MS) == 1 && p.revents == POLLIN);
        while (recv(end[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    }
}

RUN_CASES({"low water", low_water}, {"limits of buffers", limits_of_buffers},
          {"waits for so much", waits_for_so_much}, {"waits for too much", waits_for_too_much})
