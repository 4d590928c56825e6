/* SPDX-License-Identifier: BSD-2-Clause */
/* beside MS...: how much a TCP transfer from here to here moves, again and again: for each MS, that many kB in so many ms, a line each. Its
 * other end sends as fast as it can. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char part[65536];

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int connected(pid_t *sender)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &length) < 0)
        exit(1);
    *sender = fork();
    if (*sender == 0) {
        int out = socket(AF_INET, SOCK_STREAM, 0);

        if (connect(out, (struct sockaddr *)&at, sizeof at) < 0)
            _exit(1);
        while (write(out, part, sizeof part) > 0)
            ;
        _exit(0);
    }
    return accept(listener, NULL, NULL);
}

static double moved_kb(int from, double ms)
{
    double end = now_ms() + ms, bytes = 0;

    while (now_ms() < end) {
        ssize_t n = read(from, part, sizeof part);

        if (n <= 0)
            exit(1);
        bytes += (double)n;
    }
    return bytes / 1024;
}

int main(int argc, char **argv)
{
    pid_t sender;
    int from = connected(&sender);

    moved_kb(from, 50); /* its windows are open then */
    for (int i = 1; i < argc; i++) {
        printf("%.0f\n", moved_kb(from, atof(argv[i])));
        fflush(stdout);
    }
    kill(sender, SIGKILL);
    return 0;
}
