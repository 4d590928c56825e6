/* SPDX-License-Identifier: BSD-2-Clause */
/* full: what is said to a user of whom there are as many open files as there may be, for each call that
 * makes one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TAKERS = 60 };

static void take(void)
{
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
}

static void say(const char *what, int result)
{
    printf("%s: %s\n", what, result < 0 ? strerror(errno) : "0");
}

int main(void)
{
    int pair[2], done[2];
    char c;

    if (pipe(done))
        return 2;
    for (int i = 0; i < TAKERS; i++)
        if (fork() == 0) {
            take();
            (void)!write(done[1], "x", 1);
            for (;;)
                pause();
        }
    for (int i = 0; i < TAKERS; i++)
        if (read(done[0], &c, 1) != 1)
            return 2;
    say("open", open("/dev/null", O_RDONLY));
    say("eventfd", eventfd(0, 0));
    say("epoll", epoll_create1(0));
    say("pipe", pipe(pair));
    say("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    say("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    say("net", socket(AF_INET, SOCK_DGRAM, 0));
    fflush(stdout);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    return 0;
}
