/* SPDX-License-Identifier: BSD-2-Clause */
/* getrlimit(2), setrlimit(2), prlimit(2); what RLIMIT_NPROC and RLIMIT_CPU do. Where it can the
 * program becomes a user that nobody else is, who so has one process. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/resource.h>

#include "cases.h"

enum { NOBODY_ELSE = 43210, MOST = 40 };

static bool alone; /* the user has no process but this one */

static void become_user(void)
{
    alone = geteuid() == 0;
    CHECK(!alone || (setgid(NOBODY_ELSE) == 0 && setuid(NOBODY_ELSE) == 0));
}

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit l = {soft, hard}, now;

    CHECK(setrlimit(resource, &l) == 0 && getrlimit(resource, &now) == 0);
    CHECK(now.rlim_cur == soft && now.rlim_max == hard);
}

static void keeps_what_was_set(void)
{
    static const int all[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA,   RLIMIT_STACK,   RLIMIT_CORE,
                              RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS};
    struct rlimit l, other;
    pid_t pid;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        CHECK(getrlimit(all[i], &l) == 0 && l.rlim_cur <= l.rlim_max);
        CHECK(setrlimit(all[i], &l) == 0);
    }
    set_limit(RLIMIT_NOFILE, 100, 200);
    set_limit(RLIMIT_CPU, 1000, 2000);
    CHILD(pid)
    {
        CHECK(getrlimit(RLIMIT_NOFILE, &other) == 0 && other.rlim_cur == 100 &&
              other.rlim_max == 200);
        CHECK(getrlimit(RLIMIT_CPU, &other) == 0 && other.rlim_cur == 1000);
        set_limit(RLIMIT_NOFILE, 50, 60);
    }
    check_child(pid);
    CHECK(getrlimit(RLIMIT_NOFILE, &other) == 0 && other.rlim_cur == 100); /* its own */
}

static void refuses(void)
{
    struct rlimit l = {10, 20};

    become_user();
    set_limit(RLIMIT_NOFILE, 10, 20);
    l = (struct rlimit){21, 20};
    FAILS(setrlimit(RLIMIT_NOFILE, &l), EINVAL);
    l = (struct rlimit){10, 21};
    FAILS(setrlimit(RLIMIT_NOFILE, &l), EPERM);
    l = (struct rlimit){20, 20};
    CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0); /* up to the hard one */
    l = (struct rlimit){5, 5};
    CHECK(setrlimit(RLIMIT_NOFILE, &l) == 0);
    l = (struct rlimit){5, 6};
    FAILS(setrlimit(RLIMIT_NOFILE, &l), EPERM);
    FAILS(getrlimit(77, &l), EINVAL);
    FAILS(setrlimit(-1, &l), EINVAL);
    FAILS(prlimit(0x7ffffff, RLIMIT_CPU, NULL, &l), ESRCH);
    FAILS(prlimit(1, RLIMIT_CPU, NULL, &l), EPERM); /* somebody else's */
}

static void of_another(void)
{
    struct rlimit l = {11, 22}, before, now;
    int p[2];
    char c;
    pid_t pid;

    become_user();
    set_limit(RLIMIT_NOFILE, 33, 44);
    CHECK(pipe(p) == 0);
    CHILD(pid)
    {
        close(p[1]);
        CHECK(read(p[0], &c, 1) == 0);
        CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 11 && now.rlim_max == 22);
    }
    CHECK(prlimit(pid, RLIMIT_NOFILE, &l, &before) == 0);
    CHECK(before.rlim_cur == 33 && before.rlim_max == 44);
    CHECK(getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 33);
    CHECK(close(p[1]) == 0);
    check_child(pid);
}

/* Children that wait, until no more can be made: how many; they end when the pipe is closed. */
static int fork_all(const int hold[2])
{
    int made = 0;
    char c;

    for (; made < MOST; made++) {
        pid_t pid = fork();

        if (pid < 0) {
            if (errno != EAGAIN)
                check_failed(__FILE__, __LINE__, "fork fails otherwise");
            break;
        }
        if (pid == 0) {
            close(hold[1]);
            _exit(read(hold[0], &c, 1) != 0);
        }
    }
    return made;
}

static void processes(void)
{
    int hold[2];

    become_user();
    set_limit(RLIMIT_NPROC, 6, 10);
    for (int round = 0; round < 2; round++) { /* what has ended makes room */
        int made, status;

        CHECK(pipe(hold) == 0);
        made = fork_all(hold);
        CHECK(alone ? made == 5 : made <= 5);
        close(hold[0]);
        close(hold[1]);
        for (int i = 0; i < made; i++)
            CHECK(wait(&status) > 0 && status == 0);
    }
}

static void zombies_count(void)
{
    pid_t pid;
    siginfo_t info;

    become_user();
    set_limit(RLIMIT_NPROC, 2, 2);
    if (!alone)
        return;
    pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK(pid > 0);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    FAILS(fork(), EAGAIN);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHILD(pid)
    _exit(0);
    check_child(pid);
}

static void *thread(void *hold)
{
    char c;

    return read(*(int *)hold, &c, 1) == 0 ? hold : NULL;
}

static void threads(void)
{
    pthread_t t[MOST];
    int hold[2], made = 0, error = 0;

    become_user();
    set_limit(RLIMIT_NPROC, 4, 4);
    CHECK(pipe(hold) == 0);
    while (made < MOST && !(error = pthread_create(&t[made], NULL, thread, &hold[0])))
        made++;
    CHECK(error == EAGAIN && (alone ? made == 3 : made <= 3));
    close(hold[1]);
    for (int i = 0; i < made; i++)
        CHECK(pthread_join(t[i], NULL) == 0);
}

/* The superuser is held to no number of processes. */
static void root_is_free(void)
{
    int hold[2], made;

    if (geteuid() != 0)
        return;
    set_limit(RLIMIT_NPROC, 1, 1);
    CHECK(pipe(hold) == 0);
    made = fork_all(hold);
    close(hold[1]);
    CHECK(made == MOST);
    while (wait(NULL) > 0)
        ;
}

static volatile sig_atomic_t warned;

static void note(int signal)
{
    (void)signal;
    warned++;
}

static void spin(void)
{
    for (;;)
        ;
}

static void cpu_time(void)
{
    int p[2], status, n;
    char c[8];
    pid_t pid;

    CHECK(pipe(p) == 0);
    CHILD(pid)
    {
        signal(SIGXCPU, note);
        set_limit(RLIMIT_CPU, 1, 3);
        while (!warned)
            ;
        CHECK(write(p[1], "x", 1) == 1);
        while (warned < 2) /* it comes again, each second */
            ;
        CHECK(write(p[1], "x", 1) == 1);
        spin();
    }
    close(p[1]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    n = (int)read(p[0], c, sizeof c);
    CHECK(n == 2);
    CHILD(pid)
    {
        set_limit(RLIMIT_CPU, 1, RLIM_INFINITY);
        spin();
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
}

RUN_CASES({"keeps what was set", keeps_what_was_set}, {"refuses", refuses},
          {"of another", of_another}, {"processes", processes}, {"zombies count", zombies_count},
          {"threads", threads}, {"root is free", root_is_free}, {"cpu time", cpu_time})
