/* SPDX-License-Identifier: BSD-2-Clause */
/* fill N [WAYS]: uses up all the memory there is, in every way a program can (or the first of
 * them), until N of its children have been killed for it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 1 << 20, PIPES = 400 };

static char *piece(int kind)
{
    char *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | kind, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void touch(void)
{
    for (char *p; (p = piece(MAP_PRIVATE));)
        memset(p, 1, PIECE);
}

/* A service copies to memory that is not there yet. */
static void read_in(void)
{
    int fd = open("/dev/zero", O_RDONLY);

    for (char *p; (p = piece(MAP_PRIVATE));)
        if (read(fd, p, PIECE) != PIECE)
            usleep(1000);
}

static void share(void)
{
    while (piece(MAP_SHARED))
        ;
}

static void write_file(void)
{
    char name[64], *p = piece(MAP_PRIVATE);
    int fd;

    snprintf(name, sizeof name, "/tmp/fill-%d", getpid());
    fd = open(name, O_WRONLY | O_CREAT, 0600);
    unlink(name);
    while (p && write(fd, p, PIECE) > 0)
        ;
}

static void fill_pipes(void)
{
    char *p = piece(MAP_PRIVATE);
    int fds[2];

    for (int i = 0; i < PIPES && p && pipe2(fds, O_NONBLOCK) == 0; i++)
        while (write(fds[1], p, 65536) > 0)
            ;
}

/* Copy-on-write pages become many. */
static void multiply(void)
{
    char *p = mmap(NULL, 8 * PIECE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

    if (p == MAP_FAILED)
        return;
    memset(p, 1, 8 * PIECE);
    for (int i = 0; i < 16; i++)
        if (fork() == 0) {
            memset(p, i, 8 * PIECE);
            pause();
        }
    pause();
}

int main(int argc, char **argv)
{
    static void (*const ways[])(void) = {touch, read_in, share, write_file, fill_pipes, multiply};
    const int count = argc > 2 ? atoi(argv[2]) : (int)(sizeof ways / sizeof *ways);
    int next = 0, killed = 0, wanted = argc > 1 ? atoi(argv[1]) : 1, status;
    pid_t group;

    group = fork();
    if (group == 0) {
        setpgid(0, 0);
        for (int i = 0; i < count; i++, next++)
            if (fork() == 0) {
                ways[next % count]();
                touch();
            }
        while (killed < wanted) {
            if (waitpid(-1, &status, 0) <= 0)
                continue;
            killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
            if (fork() == 0) {
                ways[next % count]();
                touch();
            }
            next++;
        }
        printf("%d killed\n", killed);
        fflush(stdout);
        kill(0, SIGKILL);
    }
    while (waitpid(group, &status, 0) < 0)
        ;
    return 0;
}
