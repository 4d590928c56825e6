/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll(7): on pipes, eventfds, sockets and other sets. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "cases.h"

static int control(int set, int operation, int fd, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.u64 = (uint64_t)fd << 32 | 7};

    return epoll_ctl(set, operation, fd, &e);
}

static int add(int set, int fd, uint32_t events)
{
    return control(set, EPOLL_CTL_ADD, fd, events);
}

/* Exactly this one is ready, or none (0). */
static bool only(int set, int fd, uint32_t events)
{
    struct epoll_event e[4];
    int n = epoll_wait(set, e, 4, 0);

    if (!events)
        return n == 0;
    return n == 1 && e[0].events == events && e[0].data.u64 == ((uint64_t)fd << 32 | 7);
}

static void put(int fd)
{
    CHECK(write(fd, "x", 1) == 1);
}

static void take(int fd)
{
    char c;

    CHECK(read(fd, &c, 1) == 1);
}

static void refuses(void)
{
    int set = epoll_create1(EPOLL_CLOEXEC), p[2], file = open("file", O_RDWR | O_CREAT, 0600);
    struct epoll_event e;

    CHECK(unlink("file") == 0 && pipe(p) == 0);
    CHECK(fcntl(set, F_GETFD) == FD_CLOEXEC);
    FAILS(epoll_create1(1), EINVAL);
    FAILS(syscall(SYS_epoll_create, 0), EINVAL);
    FAILS(add(set, file, EPOLLIN), EPERM);
    FAILS(add(set, 77, EPOLLIN), EBADF);
    FAILS(add(set, set, EPOLLIN), EINVAL);
    FAILS(add(p[0], p[1], EPOLLIN), EINVAL);
    CHECK(add(set, p[0], EPOLLIN) == 0);
    FAILS(add(set, p[0], EPOLLIN), EEXIST);
    FAILS(control(set, EPOLL_CTL_MOD, p[1], EPOLLIN), ENOENT);
    FAILS(control(set, EPOLL_CTL_DEL, p[1], 0), ENOENT);
    FAILS(control(set, 9, p[0], 0), EINVAL);
    FAILS(epoll_wait(set, &e, 0, 0), EINVAL);
    FAILS(epoll_wait(p[0], &e, 1, 0), EINVAL);
    FAILS(epoll_wait(77, &e, 1, 0), EBADF);
    FAILS(epoll_ctl(set, EPOLL_CTL_ADD, p[1], (void *)16), EFAULT);
    put(p[1]);
    FAILS(epoll_wait(set, (void *)16, 1, 0), EFAULT);
    CHECK(only(set, p[0], EPOLLIN));
}

static void levels(void)
{
    int set = epoll_create(1), p[2];

    CHECK(pipe(p) == 0 && add(set, p[0], EPOLLIN) == 0);
    CHECK(only(set, p[0], 0));
    put(p[1]);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], EPOLLIN));
    take(p[0]);
    CHECK(only(set, p[0], 0));
    CHECK(add(set, p[1], EPOLLOUT) == 0);
    CHECK(only(set, p[1], EPOLLOUT));
    CHECK(control(set, EPOLL_CTL_MOD, p[1], 0) == 0);
    CHECK(only(set, p[1], 0));
    CHECK(close(p[1]) == 0);
    CHECK(only(set, p[0], EPOLLHUP));
}

static void edges(void)
{
    int set = epoll_create1(0), p[2];

    CHECK(pipe(p) == 0);
    put(p[1]);
    CHECK(add(set, p[0], EPOLLIN | EPOLLET) == 0);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], 0));
    put(p[1]);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], 0));
    take(p[0]);
    CHECK(only(set, p[0], 0));
    CHECK(control(set, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET) == 0);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], 0));
    CHECK(close(p[1]) == 0);
    CHECK(only(set, p[0], EPOLLIN | EPOLLHUP) && only(set, p[0], 0));
}

static void one_shot(void)
{
    int set = epoll_create1(0), p[2];

    CHECK(pipe(p) == 0 && add(set, p[0], EPOLLIN | EPOLLONESHOT) == 0);
    put(p[1]);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], 0));
    put(p[1]);
    CHECK(only(set, p[0], 0));
    CHECK(control(set, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT) == 0);
    CHECK(only(set, p[0], EPOLLIN) && only(set, p[0], 0));
}

/* An item goes with the last descriptor of its open file. */
static void closing(void)
{
    int set = epoll_create1(0), p[2], other;

    CHECK(pipe(p) == 0 && add(set, p[0], EPOLLIN) == 0);
    other = dup(p[0]);
    CHECK(add(set, other, EPOLLIN) == 0 && control(set, EPOLL_CTL_DEL, other, 0) == 0);
    put(p[1]);
    CHECK(close(p[0]) == 0);
    CHECK(only(set, p[0], EPOLLIN));
    CHECK(close(other) == 0);
    CHECK(only(set, p[0], 0));
}

static void sets_in_sets(void)
{
    int inner = epoll_create1(0), outer = epoll_create1(0), p[2], chain[6];
    struct pollfd poller = {outer, POLLIN, 0};

    CHECK(pipe(p) == 0 && add(inner, p[0], EPOLLIN) == 0 && add(outer, inner, EPOLLIN) == 0);
    FAILS(add(inner, outer, EPOLLIN), ELOOP);
    CHECK(only(outer, inner, 0) && poll(&poller, 1, 0) == 0);
    put(p[1]);
    CHECK(poll(&poller, 1, 0) == 1 && poller.revents == POLLIN);
    CHECK(only(outer, inner, EPOLLIN) && only(inner, p[0], EPOLLIN));
    take(p[0]);
    CHECK(only(outer, inner, 0) && poll(&poller, 1, 0) == 0);
    for (int i = 0; i < 6; i++)
        CHECK((chain[i] = epoll_create1(0)) >= 0);
    for (int i = 0; i < 4; i++)
        CHECK(add(chain[i], chain[i + 1], EPOLLIN) == 0);
    FAILS(add(chain[4], chain[5], EPOLLIN), ELOOP);
}

static void times_out(void)
{
    int set = epoll_create1(0), p[2];
    struct epoll_event e;
    unsigned begin = now_ms();

    CHECK(pipe(p) == 0 && add(set, p[0], EPOLLIN) == 0);
    CHECK(epoll_wait(set, &e, 1, 120) == 0);
    CHECK(now_ms() - begin >= 119 && now_ms() - begin < 5000);
}

static void wakes(void)
{
    int set = epoll_create1(0), outer = epoll_create1(0), p[2];
    struct epoll_event e;
    pid_t pid;

    CHECK(pipe(p) == 0 && add(set, p[0], EPOLLIN) == 0 && add(outer, set, EPOLLIN) == 0);
    CHILD(pid)
    {
        sleep_ms(100);
        put(p[1]);
    }
    CHECK(epoll_wait(outer, &e, 1, -1) == 1 && e.events == EPOLLIN);
    CHECK(epoll_wait(set, &e, 1, -1) == 1 && e.events == EPOLLIN);
    check_child(pid);
}

/* Added while somebody waits. */
static void added_meanwhile(void)
{
    int set = epoll_create1(0), p[2];
    struct epoll_event e;
    pid_t pid;

    CHECK(pipe(p) == 0);
    put(p[1]);
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(add(set, p[0], EPOLLIN) == 0);
    }
    CHECK(epoll_wait(set, &e, 1, 10000) == 1 && e.events == EPOLLIN);
    check_child(pid);
}

static void is_interrupted(void)
{
    int set = epoll_create1(0);
    struct epoll_event e;

    interrupt_after(100);
    FAILS(epoll_wait(set, &e, 1, -1), EINTR);
}

/* With room for one, all have their turn. */
static void turns(void)
{
    enum { PIPES = 5 };
    int set = epoll_create1(0), p[PIPES][2], seen[PIPES] = {0};

    for (int i = 0; i < PIPES; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)i};

        CHECK(pipe(p[i]) == 0 && epoll_ctl(set, EPOLL_CTL_ADD, p[i][0], &e) == 0);
        put(p[i][1]);
    }
    for (int i = 0; i < 3 * PIPES; i++) {
        struct epoll_event e;

        CHECK(epoll_wait(set, &e, 1, 0) == 1);
        seen[e.data.u32]++;
    }
    for (int i = 0; i < PIPES; i++)
        CHECK(seen[i] == 3);
}

static void sockets_and_counters(void)
{
    int set = epoll_create1(0), s[2], counter = eventfd(0, 0);
    uint64_t one = 1;

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    CHECK(add(set, s[0], EPOLLIN | EPOLLRDHUP) == 0 && add(set, counter, EPOLLIN | EPOLLET) == 0);
    CHECK(write(counter, &one, 8) == 8);
    CHECK(only(set, counter, EPOLLIN) && only(set, counter, 0));
    CHECK(write(counter, &one, 8) == 8);
    CHECK(only(set, counter, EPOLLIN));
    put(s[1]);
    CHECK(only(set, s[0], EPOLLIN));
    take(s[0]);
    CHECK(shutdown(s[1], SHUT_WR) == 0);
    CHECK(only(set, s[0], EPOLLIN | EPOLLRDHUP));
    CHECK(close(s[1]) == 0);
    CHECK(only(set, s[0], EPOLLIN | EPOLLRDHUP | EPOLLHUP));
}

RUN_CASES({"refuses", refuses}, {"levels", levels}, {"edges", edges}, {"one shot", one_shot},
          {"closing", closing}, {"sets in sets", sets_in_sets}, {"times out", times_out},
          {"wakes", wakes}, {"added meanwhile", added_meanwhile},
          {"is interrupted", is_interrupted}, {"turns", turns},
          {"sockets and counters", sockets_and_counters})
