/* SPDX-License-Identifier: BSD-2-Clause */
/* What would end the system on a slip, and does not: signals to init, commands that reboot(2) does
 * not know. For the system alone, as root. */
#define _GNU_SOURCE
#include <sys/reboot.h>
#include <sys/syscall.h>

#include "cases.h"

static void signals(void)
{
    CHECK(kill(1, SIGKILL) == 0 && kill(1, SIGSTOP) == 0 && kill(1, SIGHUP) == 0);
    CHECK(syscall(SYS_tgkill, 1, 1, SIGKILL) == 0);
    for (int signal = 1; signal < 32; signal++) /* but those that tell init to go down */
        if (signal != SIGINT && signal != SIGTERM && signal != SIGUSR1 && signal != SIGUSR2)
            CHECK(kill(1, signal) == 0);
    CHECK(kill(1, 0) == 0);
}

static void commands(void)
{
    static const unsigned wrong[] = {100, 1, 0x1234566, 0x4321fede, 0xffffffff};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        FAILS(reboot((int)wrong[i]), EINVAL);
    FAILS(syscall(SYS_reboot, 1, 2, RB_POWER_OFF, 0), EINVAL);
}

static pid_t clone_with(unsigned long signal)
{
    pid_t pid = (pid_t)syscall(SYS_clone, signal, 0, 0, 0, 0);

    CHECK(pid >= 0);
    return pid;
}

/* A child may choose what its parent gets at its end; a number that is no signal is none. */
static void exit_signals(void)
{
    struct sigaction action = {.sa_handler = check_nothing};
    sigset_t all, pending;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (unsigned long signal = 65; signal < 256; signal += 19) {
        pid_t pid = clone_with(signal);

        if (pid == 0)
            _exit(0);
        CHECK(waitpid(pid, NULL, __WALL) == pid);
    }
    sigpending(&pending);
    for (int i = 1; i < 32; i++)
        CHECK(!sigismember(&pending, i));
    for (int last = 0; last < 2; last++) { /* the child's child is left to init */
        pid_t pid = fork();

        if (pid == 0) {
            if (clone_with(last ? SIGINT : SIGTERM) == 0)
                sleep_ms(100);
            _exit(0);
        }
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    sleep_ms(300);
}

RUN_CASES({"exit signals", exit_signals}, {"signals", signals}, {"commands", commands})
