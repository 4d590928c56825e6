/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kill_both DRIVER SERVER MICROSECONDS: kills both at once, again and again, until it is terminated, and says how often.
 * It takes next to no time for it (pidof takes ms), so that who measures meanwhile measures what the deaths cost. The
 * server keeps its pid, the driver's successor has one of the next.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIDS = 32768, NEAR = 64 };

static volatile sig_atomic_t ended;

static void end(int signal)
{
    (void)signal;
    ended = 1;
}

static int is(int pid, const char *name)
{
    char path[32], text[32] = "";
    int fd;

    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(fd);
    return strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '\n';
}

/* From there on; 0: there is none. */
static int find(const char *name, int from, int count)
{
    for (int pid = from; pid < from + count; pid++)
        if (is(pid, name))
            return pid;
    return 0;
}

int main(int argc, char **argv)
{
    int driver, server, next, n = 0;

    if (argc != 4 || !(driver = find(argv[1], 1, PIDS)) || !(server = find(argv[2], 1, PIDS)))
        return 2;
    signal(SIGTERM, end);
    while (!ended) {
        usleep((useconds_t)atoi(argv[3]));
        next = find(argv[1], driver, NEAR);
        if (!next && !(next = find(argv[1], 1, PIDS)))
            continue; /* 0 would be all of our group */
        driver = next;
        if (kill(driver, SIGKILL) == 0 && kill(server, SIGKILL) == 0) /* while a driver is made */
            n++;
    }
    printf("both %d\n", n);
    return 0;
}
