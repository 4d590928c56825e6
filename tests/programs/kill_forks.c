/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill(-group, SIGKILL) of groups whose members fork all the time, at one moment after another:
 * nobody of the group is left, also not a child that was being made just then. By arguments: how
 * many groups, how much later (us) each is killed than the one before, how many kB its members have
 * written to (much memory is copied in parts; 0: vfork).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEMBERS_AT_ONCE = 3, LONGEST_MS = 5000 };

static long us_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Each child goes on in the place of its parent or beside it, so that there are always some. */
static void multiply(void)
{
    for (unsigned children = 0; children < MEMBERS_AT_ONCE;) {
        pid_t child = fork();

        if (child >= 0)
            children = child ? children + 1 : 0;
    }
    _exit(0);
}

static void vforks(void)
{
    for (;;)
        if (vfork() == 0)
            _exit(0);
}

/* Of its dead, too, whom init waits for. */
static int is_gone(pid_t group)
{
    long end = us_now() + LONGEST_MS * 1000l;

    while (kill(-group, 0) == 0) {
        if (us_now() > end)
            return 0;
        usleep(1000);
    }
    return 1;
}

int main(int argc, char **argv)
{
    long groups = argc == 4 ? atol(argv[1]) : 0, step = groups ? atol(argv[2]) : 0;
    long kilobytes = groups ? atol(argv[3]) : 0, left = 0;
    char *memory = malloc((size_t)kilobytes << 10);

    if (memory)
        memset(memory, 1, (size_t)kilobytes << 10);
    for (long n = 0; n < groups; n++) {
        long until;
        pid_t group = fork();

        if (group == 0) {
            setpgid(0, 0);
            if (kilobytes)
                multiply();
            vforks();
        }
        if (group < 0)
            return 1;
        setpgid(group, group);
        usleep(2000); /* it has begun */
        for (until = us_now() + n * step; us_now() < until;)
            ;
        kill(-group, SIGKILL);
        waitpid(group, NULL, 0);
        if (!is_gone(group)) {
            printf("of the group killed after %ld us somebody is left\n", n * step);
            kill(-group, SIGKILL);
            left++;
        }
    }
    printf("%ld groups, %ld of which somebody is left\n", groups, left);
    return 0;
}
