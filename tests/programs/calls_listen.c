/* SPDX-License-Identifier: BSD-2-Clause */
/* shutdown() of a socket that listens: how programs end a thread that accepts. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "cases.h"

static int listener;
static struct sockaddr_in at;

static void begin(void)
{
    socklen_t length = sizeof at;

    at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&at, length) == 0);
    CHECK(listen(listener, 4) == 0 && getsockname(listener, (struct sockaddr *)&at, &length) == 0);
}

static int connected(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    CHECK(close(fd) == 0);
    return -1;
}

static void *accept_none(void *argument)
{
    (void)argument;
    FAILS(accept(listener, NULL, NULL), EINVAL);
    return NULL;
}

static void ends_who_accepts(void)
{
    pthread_t thread;

    begin();
    CHECK(pthread_create(&thread, NULL, accept_none, NULL) == 0);
    sleep_ms(100);
    CHECK(shutdown(listener, SHUT_RDWR) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    FAILS(accept(listener, NULL, NULL), EINVAL);
    FAILS(shutdown(listener, SHUT_RD), ENOTCONN);
}

static void refuses(void)
{
    char byte;
    int waiting;

    begin();
    CHECK((waiting = connected()) >= 0);
    CHECK(shutdown(listener, SHUT_WR) == 0); /* it does not write: nothing changes */
    CHECK(close(connected()) == 0);
    CHECK(shutdown(listener, SHUT_RD) == 0);
    CHECK(connected() == -1);
    FAILS(read(waiting, &byte, 1), ECONNRESET); /* nobody will accept it */
    CHECK(ready(listener, POLLIN | POLLOUT) & POLLHUP);
}

static void listens_again(void)
{
    socklen_t length = sizeof at;
    int fd;

    begin();
    CHECK(shutdown(listener, SHUT_RD) == 0 && connected() == -1);
    CHECK(listen(listener, 4) == 0 && getsockname(listener, (struct sockaddr *)&at, &length) == 0);
    CHECK((fd = connected()) >= 0 && accept(listener, NULL, NULL) >= 0 && write(fd, "x", 1) == 1);
}

RUN_CASES({"ends who accepts", ends_who_accepts}, {"refuses", refuses},
          {"listens again", listens_again})
