/* SPDX-License-Identifier: BSD-2-Clause */
/* Process groups that nobody controls any more: what stops in them. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "cases.h"

static volatile int *came; /* shared: signals that came */

static void note(int signal)
{
    came[signal]++;
}

static void share(void)
{
    came = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(came != MAP_FAILED);
}

static void leads_a_group(void)
{
    CHECK(setpgid(0, 0) == 0);
    FAILS(setsid(), EPERM);
}

/* One that leads a session, with a child in a group of its own, which has stopped; then it ends. */
static void hangs_up(void)
{
    pid_t leader, child;
    int status;

    share();
    signal(SIGHUP, note);
    signal(SIGCONT, note);
    CHILD(leader)
    {
        CHECK(setsid() == getpid());
        CHILD(child)
        for (int n = 0; n < 100; n++)
            sleep_ms(50);
        CHECK(setpgid(child, child) == 0 && kill(child, SIGTSTP) == 0);
        CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
        came[0] = child;
    }
    check_child(leader);
    for (int n = 0; n < 100 && !came[SIGCONT]; n++)
        sleep_ms(20);
    CHECK(came[SIGHUP] == 1 && came[SIGCONT] == 1);
    CHECK(kill(came[0], SIGKILL) == 0);
}

/* Its parent is of another session: SIGTSTP does not stop it, SIGSTOP does. */
static void does_not_stop(void)
{
    pid_t child;
    int status;

    share();
    CHILD(child)
    {
        CHECK(setsid() == getpid());
        for (int n = 0; n < 200; n++) {
            came[0] = 1;
            sleep_ms(20);
        }
    }
    while (!came[0])
        sleep_ms(5);
    CHECK(kill(child, SIGTSTP) == 0 && kill(child, SIGTTIN) == 0 && kill(child, SIGTTOU) == 0);
    sleep_ms(100);
    CHECK(waitpid(child, &status, WNOHANG | WUNTRACED) == 0);
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
}

RUN_CASES({"leads a group", leads_a_group}, {"hangs up", hangs_up},
          {"does not stop", does_not_stop})
