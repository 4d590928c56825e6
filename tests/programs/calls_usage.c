/* SPDX-License-Identifier: BSD-2-Clause */
/* How much of the processor a program has used, itself and by what it asked for. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>

#include "cases.h"

enum { ENOUGH_US = 100000 };

static long micros(struct timeval t)
{
    return t.tv_sec * 1000000 + t.tv_usec;
}

static long user(int who)
{
    struct rusage u;

    CHECK(getrusage(who, &u) == 0);
    return micros(u.ru_utime);
}

static long system_of(int who)
{
    struct rusage u;

    CHECK(getrusage(who, &u) == 0);
    return micros(u.ru_stime);
}

static long clock_us(clockid_t clock)
{
    struct timespec t;

    CHECK(clock_gettime(clock, &t) == 0);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Others work for us. */
static void ask(long us)
{
    static char page[4096];
    int fd = open("asked", O_RDWR | O_CREAT | O_TRUNC, 0600);
    long begin = system_of(RUSAGE_SELF);

    CHECK(fd >= 0 && unlink("asked") == 0);
    while (system_of(RUSAGE_SELF) - begin < us)
        for (int i = 0; i < 100; i++) {
            CHECK(pwrite(fd, page, sizeof page, i * (off_t)sizeof page) == sizeof page);
            CHECK(pread(fd, page, sizeof page, i * (off_t)sizeof page) == sizeof page);
        }
    close(fd);
}

static void compute(long us)
{
    for (long begin = user(RUSAGE_SELF); user(RUSAGE_SELF) - begin < us;)
        for (volatile int i = 0; i < 1000000; i++)
            ;
}

static void asking(void)
{
    struct tms t;

    ask(ENOUGH_US);
    CHECK(times(&t) != -1);
    CHECK(t.tms_stime * (1000000 / sysconf(_SC_CLK_TCK)) >= ENOUGH_US * 9 / 10);
    CHECK(system_of(RUSAGE_THREAD) >= ENOUGH_US / 2);
}

/* Whoever computes alone has it in the other column. */
static void computing(void)
{
    long u = user(RUSAGE_SELF), s = system_of(RUSAGE_SELF);

    compute(3 * ENOUGH_US);
    u = user(RUSAGE_SELF) - u;
    s = system_of(RUSAGE_SELF) - s;
    CHECK(u >= 3 * ENOUGH_US && s < u / 2);
}

static void clocks(void)
{
    long begin = clock_us(CLOCK_MONOTONIC), used = clock_us(CLOCK_PROCESS_CPUTIME_ID), both;

    ask(ENOUGH_US);
    compute(ENOUGH_US);
    both = user(RUSAGE_SELF) + system_of(RUSAGE_SELF);
    CHECK(clock_us(CLOCK_PROCESS_CPUTIME_ID) >= both - 20000);
    CHECK(clock_us(CLOCK_THREAD_CPUTIME_ID) >= both - 20000);
    used = clock_us(CLOCK_PROCESS_CPUTIME_ID) - used;
    CHECK(used >= 2 * ENOUGH_US - 20000);
    CHECK(used <= clock_us(CLOCK_MONOTONIC) - begin + 20000); /* nothing is counted twice */
}

/* The child's is the child's until somebody has waited for it. */
static void children(void)
{
    long own = system_of(RUSAGE_SELF), before = system_of(RUSAGE_CHILDREN);
    struct rusage u;
    struct tms t;
    int status;
    pid_t pid, grandchild;

    CHILD(pid)
    {
        CHILD(grandchild)
        ask(ENOUGH_US);
        check_child(grandchild);
        ask(ENOUGH_US);
    }
    CHECK(system_of(RUSAGE_CHILDREN) == before);
    CHECK(wait4(pid, &status, 0, &u) == pid && status == 0);
    CHECK(micros(u.ru_stime) >= 2 * ENOUGH_US);
    CHECK(system_of(RUSAGE_CHILDREN) - before >= 2 * ENOUGH_US);
    CHECK(times(&t) != -1);
    CHECK(t.tms_cstime * (1000000 / sysconf(_SC_CLK_TCK)) >= 2 * ENOUGH_US * 9 / 10);
    CHECK(system_of(RUSAGE_SELF) - own < ENOUGH_US);
}

/* Two at once: each pays for what it has asked itself. */
static void neighbours(void)
{
    int gate[2];
    pid_t pid;
    char c;

    CHECK(pipe(gate) == 0);
    CHILD(pid)
    {
        close(gate[1]);
        CHECK(read(gate[0], &c, 1) == 0); /* blocked in a server meanwhile */
        CHECK(system_of(RUSAGE_SELF) < ENOUGH_US);
    }
    ask(2 * ENOUGH_US);
    close(gate[1]);
    check_child(pid);
}

static void in_proc(void)
{
    unsigned long u, s;
    FILE *f;

    ask(ENOUGH_US);
    CHECK(f = fopen("/proc/self/stat", "r"));
    CHECK(fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s) ==
          2);
    CHECK(s * (1000000 / sysconf(_SC_CLK_TCK)) >= ENOUGH_US * 9 / 10);
    fclose(f);
}

RUN_CASES({"asking", asking}, {"computing", computing}, {"clocks", clocks}, {"children", children},
          {"neighbours", neighbours}, {"in proc", in_proc})
