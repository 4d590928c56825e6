/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For test programs that run in the system, and on Linux, which is what they are measured by. A
 * program is a table of cases; each runs in a process of its own, in an empty folder. "ok NAME" or
 * what failed goes to standard output.
 *
 *     static void reads_back(void) { CHECK(...); FAILS(open("x", 0), ENOENT); }
 *     RUN_CASES({"reads back", reads_back}, ...)
 */
#ifndef TESTS_PROGRAMS_CASES_H
#define TESTS_PROGRAMS_CASES_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CASE_SECONDS = 30, CHECK_EXIT = 99 };

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        errno = 0;                                                                                 \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition);                                          \
    } while (0)
#define FAILS(call, error) CHECK((call) == -1 && errno == (error))

static inline void check_failed(const char *file, int line, const char *what)
{
    char text[300];
    int n = snprintf(text, sizeof text, "FAILED %s:%d: %s (errno %d: %s)\n", file, line, what,
                     errno, strerror(errno));

    if (write(STDOUT_FILENO, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1) < 0)
        _exit(CHECK_EXIT - 1);
    _exit(CHECK_EXIT);
}

/* What poll(2) says at once about one descriptor; -1: it fails, or its result is not how many are
 * ready. */
static inline int ready(int fd, int events)
{
    struct pollfd p = {fd, (short)events, -1};
    int n = poll(&p, 1, 0);

    return n < 0 || n != (p.revents != 0) ? -1 : p.revents;
}

/* A child process that runs the statement after it and ends with status 0. */
#define CHILD(pid) for (bool once = ((pid) = check_fork()) == 0; once; _exit(0))

static inline pid_t check_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        check_failed(__FILE__, __LINE__, "fork");
    if (pid == 0)
        alarm(CASE_SECONDS);
    return pid;
}

/* It must end with status 0. */
static inline void check_child(pid_t pid)
{
    int status;

    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void sleep_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000l};

    while (nanosleep(&t, &t))
        ;
}

static inline unsigned now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned)(t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

static inline void check_nothing(int signal)
{
    (void)signal;
}

/* SIGUSR1, after ms, from a child: it does nothing but interrupt. */
static inline void interrupt_after(unsigned ms)
{
    struct sigaction action = {.sa_handler = check_nothing};

    sigaction(SIGUSR1, &action, NULL);
    if (check_fork() == 0) {
        sleep_ms(ms);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
}

struct check_case {
    const char *name;
    void (*run)(void);
};

static inline int check_run(const struct check_case *c)
{
    char folder[] = "/tmp/check-XXXXXX";
    pid_t pid;
    int status;

    if (!mkdtemp(folder) || chdir(folder))
        return 1;
    CHILD(pid)
    c->run();
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        printf("ok %s\n", c->name);
    else if (WIFSIGNALED(status))
        printf("FAILED %s: signal %d\n", c->name, WTERMSIG(status));
    else
        printf("FAILED %s: status %d\n", c->name, WEXITSTATUS(status));
    fflush(stdout);
    if (chdir("/") || (rmdir(folder) && status == 0)) {
        printf("FAILED %s: files are left\n", c->name);
        return 1;
    }
    return status != 0;
}

#define RUN_CASES(...)                                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        static const struct check_case cases[] = {__VA_ARGS__};                                    \
        int failed = 0;                                                                            \
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)                                  \
            if (argc < 2 || strcmp(argv[1], cases[i].name) == 0)                                   \
                failed += check_run(&cases[i]);                                                    \
        return failed != 0;                                                                        \
    }

#endif
