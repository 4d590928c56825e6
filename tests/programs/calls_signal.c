/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that come while a process cannot be interrupted: in vfork, in exec; and those that stop. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>

#include "cases.h"

enum { TRIES = 150, STEP_US = 20, END_MS = 3000 };

static volatile int taken;

static void take(int signal)
{
    taken = signal;
}

/* It waits for its child, and takes the signal at once afterwards, whether it makes calls or not. */
static void waits_in_vfork(void)
{
    pid_t self = getpid(), child;
    int status;

    signal(SIGUSR1, take);
    child = vfork();
    if (child == 0) {
        kill(self, SIGUSR1);
        _exit(0);
    }
    CHECK(child > 0);
    for (unsigned end = now_ms() + END_MS; !taken && now_ms() < end;)
        ;
    CHECK(taken == SIGUSR1);
    CHECK(waitpid(child, &status, 0) == child);
}

static bool ends(pid_t child, int *status)
{
    for (unsigned end = now_ms() + END_MS; now_ms() < end; sleep_ms(1))
        if (waitpid(child, status, WNOHANG) == child)
            return true;
    return false;
}

/* At whatever moment of its exec. */
static void comes_in_exec(void)
{
    for (int i = 0; i < TRIES; i++) {
        pid_t child = fork();
        int status;

        CHECK(child >= 0);
        if (child == 0) {
            execl("/bin/sleep", "sleep", "100", (char *)NULL);
            _exit(CHECK_EXIT);
        }
        nanosleep(&(struct timespec){0, i * STEP_US * 1000l}, NULL);
        CHECK(kill(child, SIGTERM) == 0);
        CHECK(ends(child, &status));
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
}

static void nothing(int signal)
{
    (void)signal;
}

/* Handlers do not end an exec, however long it takes to collect its arguments. (The signal is ignored by the new program.) */
static void exec_goes_on(void)
{
    enum { ARGUMENTS = 20000 };
    static char *arguments[ARGUMENTS + 1];
    struct sigaction action = {.sa_handler = nothing};
    pid_t child, sender;

    for (int i = 0; i < ARGUMENTS; i++)
        arguments[i] = "true";
    CHILD(child)
    {
        CHECK(sigaction(SIGURG, &action, NULL) == 0);
        execv("/bin/true", arguments);
        CHECK(false);
    }
    CHILD(sender)
    while (kill(child, SIGURG) == 0)
        nanosleep(&(struct timespec){0, STEP_US * 1000l}, NULL);
    check_child(child);
    CHECK(kill(sender, SIGKILL) == 0);
}

static void *count(void *to)
{
    for (;;)
        ++*(volatile unsigned *)to;
    return NULL;
}

/* Those that are computing, too. */
static void stops_all_threads(void)
{
    unsigned *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned before[2];
    pid_t child = check_fork();
    pthread_t thread;
    int status;

    if (child == 0) {
        pthread_create(&thread, NULL, count, &counts[0]);
        count(&counts[1]);
    }
    while (!((volatile unsigned *)counts)[0] || !((volatile unsigned *)counts)[1])
        sleep_ms(1);
    CHECK(kill(child, SIGSTOP) == 0);
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    memcpy(before, counts, sizeof before);
    sleep_ms(50);
    CHECK(memcmp(before, counts, sizeof before) == 0);
    CHECK(kill(child, SIGCONT) == 0);
    while (((volatile unsigned *)counts)[0] == before[0] ||
           ((volatile unsigned *)counts)[1] == before[1])
        sleep_ms(1);
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child);
}

RUN_CASES({"waits in vfork", waits_in_vfork}, {"comes in exec", comes_in_exec},
          {"exec goes on", exec_goes_on}, {"stops all threads", stops_all_threads})
