/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * greedy: takes all that there is, of each kind by processes of its own, and tries again and again.
 * Says "KIND N" for each kind when it has got no more for the first time, and how many it has then;
 * goes on until it is killed (its group, and what is in /tmp/greedy, are left to whoever did that).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 1 << 20, TRIES_US = 50000 };

/* Each takes one more of its kind: false when it can't. */
static bool socket_of_net(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0) >= 0;
}

static bool sockets_of_machine(void)
{
    int pair[2];

    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}

static bool pipes(void)
{
    static char full[65536];
    int pair[2];

    if (pipe2(pair, O_NONBLOCK))
        return false;
    while (write(pair[1], full, sizeof full) > 0)
        ;
    return true;
}

static bool descriptors(void)
{
    return open("/dev/null", O_RDONLY) >= 0;
}

static bool inodes(void)
{
    static unsigned n;
    char name[60];
    int fd;

    snprintf(name, sizeof name, "/tmp/greedy/%d-%u", getpid(), n++);
    fd = open(name, O_CREAT | O_WRONLY, 0600);
    close(fd);
    return fd >= 0;
}

static bool contents(void)
{
    static char *piece;
    char name[60];
    int fd;
    bool some;

    if (!piece)
        piece = malloc(PIECE);
    snprintf(name, sizeof name, "/tmp/greedy/%d", getpid());
    fd = open(name, O_CREAT | O_WRONLY | O_APPEND, 0600);
    some = piece && write(fd, piece, PIECE) == PIECE;
    close(fd);
    return some;
}

static bool memory(void)
{
    char *p = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);

    if (p == MAP_FAILED)
        return false;
    memset(p, 1, PIECE);
    return true;
}

static bool processes(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid > 0;
}

/* All are there from the beginning; those from LATE on take nothing until the kind before has got
 * what there is: without memory and processes nobody could take the rest. */
static const struct kind {
    const char *name;
    bool (*take)(void);
    unsigned takers;
} kinds[] = {
    {"net", socket_of_net, 5},   {"unix", sockets_of_machine, 5}, {"pipes", pipes, 5},
    {"open", descriptors, 5},    {"inodes", inodes, 2},           {"contents", contents, 2},
    {"processes", processes, 1}, {"memory", memory, 4},
};
enum { LATE = 6 };
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct progress { /* shared */
    volatile unsigned taken, full, told;
} * progress;

static void take_all(unsigned k)
{
    bool said = false;

    while (k >= LATE && !progress[k - 1].told)
        usleep(TRIES_US);
    for (;;) {
        if (kinds[k].take()) {
            __atomic_fetch_add(&progress[k].taken, 1, __ATOMIC_RELAXED);
            continue;
        }
        if (!said)
            __atomic_fetch_add(&progress[k].full, 1, __ATOMIC_RELAXED);
        said = true;
        usleep(TRIES_US);
    }
}

static pid_t start(unsigned k)
{
    pid_t pid = fork();

    if (pid == 0)
        take_all(k);
    return pid;
}

int main(void)
{
    pid_t takers[KINDS][8];

    progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
    if (progress == MAP_FAILED || setpgid(0, 0))
        return 1;
    memset(takers, -1, sizeof takers);
    for (;; usleep(TRIES_US)) {
        pid_t dead;

        /* killed for its memory: that is all there was, and another one tries, as soon as there is
         * a process to be had */
        while ((dead = waitpid(-1, NULL, WNOHANG)) > 0)
            for (unsigned k = 0; k < KINDS; k++)
                for (unsigned i = 0; i < kinds[k].takers; i++)
                    if (takers[k][i] == dead) {
                        progress[k].full++;
                        takers[k][i] = -1;
                    }
        for (unsigned k = 0; k < KINDS; k++)
            for (unsigned i = 0; i < kinds[k].takers; i++)
                if (takers[k][i] < 0)
                    takers[k][i] = start(k);
        for (unsigned k = 0; k < KINDS; k++)
            if (!progress[k].told && progress[k].full >= kinds[k].takers) {
                progress[k].told = 1;
                printf("%s %u\n", kinds[k].name, progress[k].taken);
                fflush(stdout);
            }
    }
}
