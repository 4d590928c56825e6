/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls under a storm of signals: each is carried out once, whatever moment a signal comes at. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "cases.h"

enum { NUMBERS = 4000, STEP_US = 300 };

static volatile unsigned long signals;

static void note(int signal)
{
    (void)signal;
    signals++;
}

/* By the clock, and by a child that is told to end with SIGKILL. */
static pid_t begin(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, STEP_US}, {0, STEP_US}};
    pid_t pid;

    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    CHILD(pid)
    {
        struct timespec t = {0, 500000};

        while (getppid() != 1 && kill(getppid(), SIGUSR1) == 0)
            nanosleep(&t, NULL);
    }
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    return pid;
}

static void end(pid_t pid)
{
    struct itimerval off = {{0, 0}, {0, 0}};

    while (signals < 10) /* a fast machine is done before the storm begins */
        sched_yield();
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
    CHECK(kill(pid, SIGKILL) == 0);
    while (waitpid(pid, NULL, 0) < 0)
        ;
}

/* Both ends are in the storm. */
static void numbers_through(int in, int out)
{
    pid_t writer, storm;
    unsigned n;
    int status;

    CHILD(writer)
    {
        pid_t own = begin();

        for (n = 0; n < NUMBERS; n++)
            CHECK(write(out, &n, sizeof n) == sizeof n);
        end(own);
    }
    storm = begin();
    for (unsigned want = 0; want < NUMBERS; want++)
        CHECK(read(in, &n, sizeof n) == sizeof n && n == want);
    end(storm);
    CHECK(waitpid(writer, &status, 0) == writer && status == 0);
}

static void pipes(void)
{
    int p[2];

    CHECK(pipe(p) == 0);
    numbers_through(p[0], p[1]);
}

static void small_pipes(void)
{
    int p[2];

    CHECK(pipe(p) == 0 && fcntl(p[0], F_SETPIPE_SZ, 4096) == 4096);
    numbers_through(p[0], p[1]);
}

static void sockets(void)
{
    int s[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
    numbers_through(s[0], s[1]);
}

static void counters(void)
{
    int fd = eventfd(0, EFD_SEMAPHORE);
    pid_t storm = begin(), taker;
    uint64_t one = 1;
    int status;

    CHILD(taker)
    {
        pid_t own = begin();

        for (int i = 0; i < NUMBERS; i++)
            CHECK(read(fd, &one, sizeof one) == sizeof one);
        end(own);
    }
    for (int i = 0; i < NUMBERS; i++)
        CHECK(write(fd, &one, sizeof one) == sizeof one);
    end(storm);
    CHECK(waitpid(taker, &status, 0) == taker && status == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    FAILS(read(fd, &one, sizeof one), EAGAIN);
}

static void appends(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600);
    pid_t storm = begin();
    unsigned n;
    struct stat s;

    for (n = 0; n < NUMBERS; n++)
        CHECK(write(fd, &n, sizeof n) == sizeof n);
    CHECK(fstat(fd, &s) == 0 && s.st_size == NUMBERS * (off_t)sizeof n);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    for (unsigned want = 0; want < NUMBERS; want++)
        CHECK(read(fd, &n, sizeof n) == sizeof n && n == want);
    end(storm);
    CHECK(unlink("file") == 0);
}

static void names(void)
{
    pid_t storm = begin();

    for (int i = 0; i < NUMBERS / 4; i++) {
        CHECK(mkdir("d", 0700) == 0);
        CHECK(rename("d", "e") == 0);
        CHECK(rmdir("e") == 0);
        CHECK(symlink("x", "s") == 0);
        CHECK(unlink("s") == 0);
    }
    end(storm);
}

/* No descriptor is lost, and none is there twice. */
static void descriptors(void)
{
    pid_t storm = begin();
    int first = dup(0), fd, p[2];

    for (int i = 0; i < NUMBERS / 4; i++) {
        CHECK((fd = open("/dev/null", O_RDWR)) == first + 1);
        CHECK(dup(fd) == first + 2);
        CHECK(pipe(p) == 0 && p[0] == first + 3 && p[1] == first + 4);
        CHECK(close(p[1]) == 0);
        CHECK(close(p[0]) == 0);
        CHECK(close(first + 2) == 0);
        CHECK(close(fd) == 0);
    }
    end(storm);
}

static void children(void)
{
    pid_t storm = begin(), pid;
    int status;

    for (int i = 0; i < 100; i++) {
        CHILD(pid)
        _exit(i);
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == i);
    }
    end(storm);
}

RUN_CASES({"pipes", pipes}, {"small pipes", small_pipes}, {"sockets", sockets},
          {"counters", counters}, {"appends", appends}, {"names", names},
          {"descriptors", descriptors}, {"children", children})
