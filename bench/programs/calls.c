/* SPDX-License-Identifier: BSD-2-Clause */
/* calls: what a fork with its end, an exec of a program that ends, and 4 kB through a pipe take, on average. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200, PIECE = 4096 };

static unsigned long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long)t.tv_sec * 1000000000ul + (unsigned long)t.tv_nsec;
}

static void forks(const char *program)
{
    pid_t pid = fork();

    if (pid == 0) {
        if (program)
            execl(program, program, "end", (char *)NULL);
        _exit(program != NULL);
    }
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        exit(1);
}

int main(int argc, char **argv)
{
    static char data[PIECE];
    unsigned long begin, forked, executed, piped;
    int p[2];

    if (argc > 1 || pipe(p) != 0)
        return 0;
    begin = now();
    for (int i = 0; i < ROUNDS; i++)
        forks(NULL);
    forked = now();
    for (int i = 0; i < ROUNDS; i++)
        forks(argv[0]);
    executed = now();
    for (int i = 0; i < ROUNDS; i++)
        if (write(p[1], data, PIECE) != PIECE || read(p[0], data, PIECE) != PIECE)
            return 1;
    piped = now();
    printf("fork=%lu fork_and_exec=%lu pipe=%lu\n", (forked - begin) / ROUNDS,
           (executed - forked) / ROUNDS, (piped - executed) / ROUNDS);
    return 0;
}
