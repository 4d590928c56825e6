/* SPDX-License-Identifier: BSD-2-Clause */
/* timers_beside PROGRAMS: how much a program does in a second, alone and beside so many whose timers go off every us:
 * for each way to meet the signal a line, "WAY ALONE BESIDE". */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROGRAMS_MAX = 200 };

static const char *const ways[] = {"ignored", "blocked", "handled", "nested"};

static void nothing(int signal)
{
    (void)signal;
}

static unsigned now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static unsigned work(void)
{
    unsigned end = now_ms() + 1000, done = 0;

    while (now_ms() < end) {
        for (volatile unsigned n = 0; n < 10000; n++)
            ;
        done++;
    }
    return done;
}

static void meet(const char *way)
{
    struct itimerval timer = {{0, 1}, {0, 1}};
    struct sigaction action = {.sa_handler = nothing};
    sigset_t all;

    sigfillset(&all);
    if (strcmp(way, "ignored") == 0)
        action.sa_handler = SIG_IGN;
    if (strcmp(way, "nested") == 0)
        action.sa_flags = SA_NODEFER;
    if (strcmp(way, "blocked") == 0)
        sigprocmask(SIG_BLOCK, &all, NULL);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    int programs = argc > 1 ? atoi(argv[1]) : 1;
    pid_t pids[PROGRAMS_MAX];

    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        printf("%s %u ", ways[w], work());
        fflush(stdout);
        for (int n = 0; n < programs && n < PROGRAMS_MAX; n++)
            if ((pids[n] = fork()) == 0)
                meet(ways[w]);
        printf("%u\n", work());
        fflush(stdout);
        for (int n = 0; n < programs && n < PROGRAMS_MAX; n++) {
            kill(pids[n], SIGKILL);
            waitpid(pids[n], NULL, 0);
        }
    }
    return 0;
}
