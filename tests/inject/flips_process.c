/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes, signals, memory, and what /proc tells of them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flips.h"

enum { REST_US = 1500, PAGE = 4096, KEPT = 64 /* pages */, FRESH = 8, CONTROL_MS = 60 };

/* ---- processes ---- */

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void child(pid_t parent, int code, bool executes)
{
    if (getppid() != parent)
        _exit(100);
    kill(parent, SIGUSR1);
    if (executes)
        execl("/bin/true", "true", (char *)NULL);
    _exit(executes ? 101 : code);
}

static void one_child(struct progress *p, unsigned turn)
{
    bool executes = turn % 3 == 0;
    int before = signals, code = (int)chance(50), status = -1;
    pid_t self = getpid(), pid = fork();

    if (pid == 0)
        child(self, code, executes);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        p->errors++;
        return;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 101)
        p->errors++; /* exec has failed, and it was told */
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != (executes ? 0 : code))
        p->wrong++;
    if (signals != before + 1)
        p->wrong++;
}

void work_process(struct progress *p, const char *argument)
{
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    pid_t self = getpid(), parent = getppid();

    (void)argument;
    sigaction(SIGUSR1, &action, NULL);
    for (unsigned turn = 0;; turn++) {
        unit_pause(p);
        one_child(p, turn);
        if (getpid() != self || getppid() != parent || getuid() != 0 || getpgrp() < 0)
            p->wrong++;
        unit_done(p);
        usleep(REST_US);
    }
}

/* ---- memory ---- */

static uint8_t *kept;
static uint64_t versions[KEPT];

static bool is_right(const uint8_t *at, uint64_t page)
{
    static uint8_t expected[PAGE];

    pattern(expected, PAGE, page, versions[page]);
    return memcmp(at, expected, PAGE) == 0;
}

static void look_at_kept(struct progress *p)
{
    unsigned page = (unsigned)chance(KEPT);

    if (versions[page] && !is_right(kept + page * PAGE, page))
        p->wrong++;
    versions[page]++;
    pattern(kept + page * PAGE, PAGE, page, versions[page]);
}

/* Zero at first, ours then, away after that. */
static void fresh_memory(struct progress *p)
{
    uint8_t *at =
        mmap(NULL, FRESH * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (at == MAP_FAILED) {
        p->errors++;
        return;
    }
    for (unsigned page = 0; page < FRESH; page++) {
        for (unsigned i = 0; i < PAGE; i += 64)
            p->wrong += at[page * PAGE + i] != 0;
        at[page * PAGE] = (uint8_t)(page + 1);
    }
    for (unsigned page = 0; page < FRESH; page++)
        p->wrong += at[page * PAGE] != page + 1;
    if (munmap(at, FRESH * PAGE) < 0)
        p->errors++;
}

/* A child changes its copy, not ours. */
static void copy_on_write(struct progress *p)
{
    unsigned page = (unsigned)chance(KEPT);
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        bool right = !versions[page] || is_right(kept + page * PAGE, page);

        memset(kept + page * PAGE, 0x5a, PAGE);
        _exit(!right);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        p->errors++;
        return;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) ||
        (versions[page] && !is_right(kept + page * PAGE, page)))
        p->wrong++;
}

void work_memory(struct progress *p, const char *argument)
{
    (void)argument;
    kept = mmap(NULL, KEPT * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned turn = 0;; turn++) {
        unit_pause(p);
        look_at_kept(p);
        fresh_memory(p);
        if (turn % 4 == 0)
            copy_on_write(p);
        unit_done(p);
        usleep(REST_US);
    }
}

/* ---- /proc ---- */

static bool first_line(struct progress *p, const char *path, char *line, int room)
{
    FILE *file = fopen(path, "r");
    bool ok = file && fgets(line, room, file);

    if (file)
        fclose(file);
    p->errors += !ok;
    return ok;
}

static unsigned services(struct progress *p)
{
    FILE *file = fopen("/proc/bardo/services", "r");
    unsigned lines = 0;
    char line[400];

    while (file && fgets(line, sizeof line, file))
        lines++;
    p->errors += !file || ferror(file);
    if (file)
        fclose(file);
    return lines;
}

void work_proc(struct progress *p, const char *argument)
{
    unsigned before = services(p);
    double uptime, last = 0;
    char line[400];

    (void)argument;
    for (;;) {
        unit_pause(p);
        if (first_line(p, "/proc/self/stat", line, sizeof line) && atoi(line) != getpid())
            p->wrong++;
        if (first_line(p, "/proc/uptime", line, sizeof line)) {
            uptime = strtod(line, NULL);
            p->wrong += uptime < last || uptime > last + 100;
            last = uptime;
        }
        if (services(p) < before)
            p->wrong++;
        unit_done(p);
        usleep(REST_US);
    }
}

/* ---- a driver is replaced ---- */

static bool tell(const char *name)
{
    char line[80];
    int fd = open("/proc/bardo/control", O_WRONLY);
    int n = snprintf(line, sizeof line, "kill %s\n", name);
    bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;

    if (fd >= 0)
        close(fd);
    return ok;
}

static bool is_up(const char *name)
{
    FILE *file = fopen("/proc/bardo/services", "r");
    char line[400], found[32], state[32];
    bool up = false;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %*u %31s", found, state) == 2 && strcmp(found, name) == 0)
            up = strcmp(state, "up") == 0;
    if (file)
        fclose(file);
    return up;
}

void work_control(struct progress *p, const char *argument)
{
    for (;;) {
        unit_pause(p);
        p->errors += !tell(argument);
        while (!is_up(argument))
            usleep(REST_US);
        unit_done(p);
        usleep(CONTROL_MS * 1000);
    }
}
