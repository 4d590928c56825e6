/* SPDX-License-Identifier: BSD-2-Clause */
/* poll(2) and select(2), on pipes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "cases.h"

static void fill(int fd)
{
    char bytes[4096] = {0};

    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
}

static void ends_of_pipes(void)
{
    int p[2];
    char bytes[4096];

    CHECK(pipe(p) == 0);
    CHECK(ready(p[0], POLLIN) == 0 && ready(p[1], POLLOUT) == POLLOUT);
    CHECK(write(p[1], "x", 1) == 1);
    CHECK(ready(p[0], POLLIN | POLLRDNORM | POLLOUT) == (POLLIN | POLLRDNORM) &&
          ready(p[0], 0) == 0);
    fill(p[1]);
    CHECK(ready(p[1], POLLOUT) == 0);
    CHECK(read(p[0], bytes, sizeof bytes) == sizeof bytes);
    CHECK(ready(p[1], POLLOUT | POLLWRNORM) == (POLLOUT | POLLWRNORM));
    CHECK(close(p[1]) == 0);
    CHECK(ready(p[0], POLLIN) == (POLLIN | POLLHUP) && ready(p[0], 0) == POLLHUP);
    while (read(p[0], bytes, sizeof bytes) > 0)
        ;
    CHECK(ready(p[0], POLLIN) == POLLHUP);
    CHECK(pipe(p) == 0 && close(p[0]) == 0);
    CHECK(ready(p[1], POLLOUT) == (POLLOUT | POLLERR) && ready(p[1], 0) == POLLERR);
}

static void other_descriptors(void)
{
    int file = open("file", O_RDWR | O_CREAT, 0600), folder = open(".", O_RDONLY | O_DIRECTORY),
        p[2];
    struct pollfd fds[3] = {{-5, POLLIN, -1}, {77, POLLIN, 0}};

    CHECK(unlink("file") == 0 && pipe(p) == 0);
    CHECK(ready(file, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
    CHECK(ready(folder, POLLIN) == POLLIN);
    fds[2] = (struct pollfd){p[0], POLLIN, -1};
    CHECK(poll(fds, 3, -1) == 1);
    CHECK(fds[0].revents == 0 && fds[1].revents == POLLNVAL && fds[2].revents == 0);
    FAILS(poll((void *)16, 1, 0), EFAULT);
    FAILS(poll(fds, 1u << 30, 0), EINVAL);
}

static void times_out(void)
{
    int p[2];
    struct pollfd poller;
    struct timespec t = {0, 100000000}, bad = {0, 1000000000};
    unsigned begin = now_ms();

    CHECK(pipe(p) == 0);
    poller = (struct pollfd){p[0], POLLIN, 0};
    CHECK(poll(&poller, 1, 100) == 0 && now_ms() - begin >= 99);
    begin = now_ms();
    CHECK(poll(NULL, 0, 100) == 0 && now_ms() - begin >= 99);
    begin = now_ms();
    CHECK(ppoll(&poller, 1, &t, NULL) == 0 && now_ms() - begin >= 99 && now_ms() - begin < 5000);
    FAILS(ppoll(&poller, 1, &bad, NULL), EINVAL);
}

static void wakes(void)
{
    int p[2], q[2];
    struct pollfd fds[2];
    pid_t pid;

    CHECK(pipe(p) == 0 && pipe(q) == 0);
    fds[0] = (struct pollfd){p[0], POLLIN, 0};
    fds[1] = (struct pollfd){q[0], POLLIN, 0};
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(write(q[1], "x", 1) == 1);
    }
    CHECK(poll(fds, 2, -1) == 1 && fds[0].revents == 0 && fds[1].revents == POLLIN);
    check_child(pid);
    CHILD(pid)
    {
        close(p[0]);
        sleep_ms(100);
    }
    CHECK(close(p[1]) == 0);
    CHECK(poll(fds, 1, -1) == 1 && fds[0].revents == POLLHUP); /* when the child ends */
    check_child(pid);
}

static void wakes_a_writer(void)
{
    int p[2];
    struct pollfd poller;
    char bytes[4096];
    pid_t pid;

    CHECK(pipe(p) == 0);
    fill(p[1]);
    poller = (struct pollfd){p[1], POLLOUT, 0};
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(read(p[0], bytes, sizeof bytes) == sizeof bytes);
    }
    CHECK(poll(&poller, 1, -1) == 1 && poller.revents == POLLOUT);
    check_child(pid);
    CHILD(pid)
    {
        close(p[1]);
        sleep_ms(100);
    }
    fill(p[1]);
    CHECK(close(p[0]) == 0);
    CHECK(poll(&poller, 1, -1) == 1 && (poller.revents & POLLERR));
    check_child(pid);
}

static void is_interrupted(void)
{
    interrupt_after(100);
    FAILS(poll(NULL, 0, -1), EINTR);
    interrupt_after(100);
    FAILS(select(0, NULL, NULL, NULL, NULL), EINTR);
}

static bool came;

static void note(int signal)
{
    (void)signal;
    came = true;
}

/* A signal that is blocked but for the call: it is not lost, and the mask is as
 * before afterwards. */
static void masks(void)
{
    struct sigaction action = {.sa_handler = note};
    sigset_t usr2, none, now;
    struct timespec t = {5, 0};
    pid_t pid;

    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    sigemptyset(&none);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    CHECK(sigprocmask(SIG_BLOCK, &usr2, NULL) == 0);
    CHECK(raise(SIGUSR2) == 0 && !came);
    FAILS(ppoll(NULL, 0, &t, &none), EINTR);
    CHECK(came);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR2));
    came = false;
    CHILD(pid)
    {
        sleep_ms(100);
        kill(getppid(), SIGUSR2);
    }
    FAILS(pselect(0, NULL, NULL, NULL, &t, &none), EINTR);
    CHECK(came);
    check_child(pid);
}

static void selects(void)
{
    int p[2], high, n;
    fd_set in, out;
    struct timeval t = {0, 0};

    CHECK(pipe(p) == 0 && (high = fcntl(p[0], F_DUPFD, 200)) == 200);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(high, &in);
    FD_SET(p[1], &out);
    n = select(high + 1, &in, &out, NULL, &t);
    CHECK(n == 1 && !FD_ISSET(high, &in) && FD_ISSET(p[1], &out));
    CHECK(write(p[1], "x", 1) == 1);
    FD_SET(high, &in);
    n = select(high + 1, &in, &out, NULL, NULL);
    CHECK(n == 2 && FD_ISSET(high, &in) && FD_ISSET(p[1], &out));
    FD_ZERO(&out);
    FD_SET(high, &in);
    CHECK(select(high, &in, &out, NULL, &t) == 0); /* it is not among the first `high` */
    FD_ZERO(&in);
    FD_SET(high + 1, &in);
    FAILS(select(high + 2, &in, NULL, NULL, &t), EBADF);
    FAILS(select(-1, NULL, NULL, NULL, &t), EINVAL);
}

/* select() with one set: does it wait all the time, and has nothing then? */
static bool waits_in(int set, int fd)
{
    fd_set sets[3];
    struct timeval t = {0, 50000};
    unsigned begin = now_ms();
    int n;

    for (int i = 0; i < 3; i++)
        FD_ZERO(&sets[i]);
    FD_SET(fd, &sets[set]);
    n = select(fd + 1, &sets[0], &sets[1], &sets[2], &t);
    return n == 0 && now_ms() - begin >= 49;
}

/* A pipe that is broken can be read; it cannot be written, and has nothing exceptional. */
static void selects_what_counts(void)
{
    int p[2], q[2];
    struct timeval t = {0, 0};

    CHECK(pipe(p) == 0 && pipe(q) == 0 && close(p[1]) == 0 && close(q[0]) == 0);
    CHECK(ready(p[0], 0) == POLLHUP && ready(q[1], 0) == POLLERR);
    CHECK(!waits_in(0, p[0]) && waits_in(1, p[0]) && waits_in(2, p[0]));
    CHECK(!waits_in(0, q[1]) && !waits_in(1, q[1]) && waits_in(2, q[1]));
    CHECK(select(100000, NULL, NULL, NULL, &t) == 0); /* more than there can be */
}

static void selects_wait(void)
{
    int p[2];
    fd_set in;
    struct timeval t = {0, 100000};
    unsigned begin = now_ms();
    pid_t pid;

    CHECK(pipe(p) == 0);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    CHECK(select(p[0] + 1, &in, NULL, NULL, &t) == 0 && now_ms() - begin >= 99 &&
          !FD_ISSET(p[0], &in));
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(write(p[1], "x", 1) == 1);
    }
    FD_SET(p[0], &in);
    t = (struct timeval){20, 0};
    CHECK(syscall(SYS_select, p[0] + 1, &in, NULL, NULL, &t) == 1 && FD_ISSET(p[0], &in));
    CHECK(t.tv_sec < 20); /* what was left of the time */
    check_child(pid);
}

RUN_CASES({"ends of pipes", ends_of_pipes}, {"other descriptors", other_descriptors},
          {"times out", times_out}, {"wakes", wakes}, {"wakes a writer", wakes_a_writer},
          {"is interrupted", is_interrupted}, {"masks", masks}, {"selects", selects},
          {"selects what counts", selects_what_counts}, {"selects wait", selects_wait})
