/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets on their way in messages: what waits in one is there when it arrives. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "cases.h"

static char bytes[4096];
static int road[2], sent[2];

static void *send_it(void *argument)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {bytes, 1};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    (void)argument;
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &sent[0], sizeof(int));
    CHECK(sendmsg(road[0], &m, 0) == 1);
    return NULL;
}

/* The descriptor that comes with the next bytes; -1: none. */
static int receive_it(void)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {bytes, sizeof bytes};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control,
                       .msg_controllen = sizeof control};
    struct cmsghdr *h;
    int fd = -1;

    CHECK(recvmsg(road[1], &m, 0) > 0);
    h = CMSG_FIRSTHDR(&m);
    if (h)
        memcpy(&fd, CMSG_DATA(h), sizeof fd);
    return fd;
}

static void others_end(void)
{
    int other[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
    CHECK(close(other[0]) == 0 && close(other[1]) == 0);
}

/* The message waits for room; meanwhile its sender closes what it sends, and other sockets end. */
static void waits_to_be_sent(void)
{
    pthread_t thread;
    int fd, flags;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, road) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sent) == 0);
    CHECK(write(sent[1], "kept", 4) == 4);
    flags = fcntl(road[0], F_GETFL);
    CHECK(fcntl(road[0], F_SETFL, flags | O_NONBLOCK) == 0);
    while (write(road[0], bytes, sizeof bytes) > 0)
        ;
    CHECK(fcntl(road[0], F_SETFL, flags) == 0);
    CHECK(pthread_create(&thread, NULL, send_it, NULL) == 0);
    sleep_ms(200);
    CHECK(close(sent[0]) == 0);
    others_end();
    while ((fd = receive_it()) < 0)
        ;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(read(fd, bytes, sizeof bytes) == 4 && memcmp(bytes, "kept", 4) == 0);
    CHECK(write(fd, "x", 1) == 1 && read(sent[1], bytes, 1) == 1);
}

static void waits_to_be_received(void)
{
    int fd;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, road) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sent) == 0);
    CHECK(write(sent[1], "kept", 4) == 4);
    send_it(NULL);
    CHECK(close(sent[0]) == 0);
    others_end();
    CHECK((fd = receive_it()) >= 0);
    CHECK(read(fd, bytes, sizeof bytes) == 4 && memcmp(bytes, "kept", 4) == 0);
}

RUN_CASES({"waits to be sent", waits_to_be_sent}, {"waits to be received", waits_to_be_received})
