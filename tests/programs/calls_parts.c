/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that the system carries out in parts, as they go through much memory: what others do in
 * between must not be harmed, and signals must not end them in the middle. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "cases.h"

enum { PAGE = 4096 };
#define MB (1ul << 20)
#define MUCH (40 * MB)

static volatile sig_atomic_t signals;

static char *map(size_t length)
{
    char *p = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

static char *touched(size_t length, int byte)
{
    return memset(map(length), byte, length);
}

static void note(int signal)
{
    signals += signal == SIGALRM;
}

static void every(long us, int flags)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = flags};
    struct itimerval timer = {{0, us}, {0, us}};

    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* Each fork is one, and the child has all of it, whatever comes meanwhile. */
static void fork_under_signals(void)
{
    char *p = touched(MUCH, 3);

    every(1000, 0);
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        int status;

        CHECK(pid >= 0);
        if (pid == 0) {
            for (size_t at = 0; at < MUCH; at += PAGE)
                if (p[at] != (char)(3 + i))
                    _exit(1);
            _exit(0);
        }
        memset(p, 4 + i, MUCH); /* the child does not see it */
        while (waitpid(pid, &status, 0) < 0)
            CHECK(errno == EINTR);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK(signals > 0);
}

/* A call on memory gives no EINTR, and what it says is so. */
static void memory_under_signals(void)
{
    every(700, 0);
    for (int i = 0; i < 3; i++) {
        char *p = touched(MUCH, 1);

        CHECK(mprotect(p, MUCH, PROT_READ) == 0);
        CHECK(p[MUCH - 1] == 1);
        CHECK(mprotect(p, MUCH, PROT_READ | PROT_WRITE) == 0);
        CHECK(madvise(p, MUCH, MADV_DONTNEED) == 0);
        for (size_t at = 0; at < MUCH; at += PAGE)
            CHECK(p[at] == 0);
        memset(p, 2, MUCH);
        CHECK(mmap(p, MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
        CHECK(p[0] == 0 && p[MUCH - 1] == 0);
        CHECK(munmap(p, MUCH) == 0);
        FAILS(msync(p, PAGE, 9999), EINVAL);
    }
}

/* ---- other threads ---- */

static volatile bool done;

static void *map_small(void *broken)
{
    while (!done) {
        char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            continue;
        memset(p, 9, 8 * PAGE);
        sched_yield();
        for (size_t at = 0; at < 8 * PAGE; at += PAGE)
            if (p[at] != 9)
                *(volatile bool *)broken = true;
        munmap(p, 8 * PAGE);
    }
    return NULL;
}

/* While much is unmapped, or mapped over, another's new mapping is not taken away with it. */
static void others_map(void)
{
    static bool broken;
    pthread_t threads[2];

    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, map_small, &broken) == 0);
    for (int i = 0; i < 4; i++) {
        char *p = touched(MUCH, 1);

        CHECK(mmap(p, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                   0) == p);
        memset(p, 1, MUCH);
        CHECK(munmap(p, MUCH) == 0);
    }
    done = true;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(!broken);
}

static char *volatile wanted;

static void *map_wanted(void *broken)
{
    while (!done) {
        char *at = wanted,
             *p = mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
            continue;
        p[0] = 9;
        if (p == at)
            usleep(1500);
        if (p[0] != 9)
            *(volatile bool *)broken = true;
        munmap(p, PAGE);
    }
    return NULL;
}

/* What is cut off is free for others at once, while what is at the new place still goes. */
static void others_take(void)
{
    static bool broken;
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, map_wanted, &broken) == 0);
    for (int i = 0; i < 4; i++) {
        char *p = touched(MUCH, 1), *to = touched(MUCH, 2);

        wanted = p + MUCH - MB;
        CHECK(mremap(p, MUCH, MUCH - MB, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
        CHECK(to[0] == 1 && to[MUCH - MB] == 2);
        CHECK(munmap(to, MUCH) == 0);
    }
    done = true;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(!broken);
}

static void *fork_more(void *failed)
{
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        int status;

        if (pid == 0)
            _exit(7);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
            *(volatile bool *)failed = true;
    }
    return NULL;
}

/* Several forks of one process at a time. */
static void threads_fork(void)
{
    static bool failed;
    pthread_t threads[4];

    touched(MUCH, 1);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, fork_more, &failed) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(!failed);
}

/* It is killed, or replaced by another thread's exec, in the middle of its fork. */
static void killed_in_fork(void)
{
    for (int i = 0; i < 15; i++) {
        int ready[2], status;
        char byte;
        pid_t pid;

        CHECK(pipe(ready) == 0);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            touched(MUCH, 1);
            if (write(ready[1], "", 1) != 1)
                _exit(1);
            for (;;)
                if (fork() == 0)
                    _exit(0);
        }
        CHECK(read(ready[0], &byte, 1) == 1);
        usleep((useconds_t)(300 * i));
        if (i % 3 == 1) {
            CHECK(kill(pid, SIGSTOP) == 0);
            CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
            CHECK(kill(pid, SIGCONT) == 0);
        }
        CHECK(kill(pid, SIGKILL) == 0);
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        close(ready[0]);
        close(ready[1]);
    }
}

/* What one has had is there for the next at once. */
static void one_after_the_other(void)
{
    for (int i = 0; i < 4; i++) {
        pid_t pid;

        CHILD(pid)
        touched(2 * MUCH + MUCH / 2, 1);
        check_child(pid);
    }
}

RUN_CASES({"fork under signals", fork_under_signals},
          {"memory under signals", memory_under_signals}, {"others map", others_map},
          {"others take", others_take}, {"threads fork", threads_fork},
          {"killed in fork", killed_in_fork}, {"one after the other", one_after_the_other})
