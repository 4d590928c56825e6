/* SPDX-License-Identifier: BSD-2-Clause */
/* deleted PROCESSES FILES [COMMAND]: processes that hold so many files open each, which they have deleted. How long it takes to delete one
 * more, by the median of some, in us, with none of them, with all (after COMMAND), and when they have ended. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 51 };

static long us_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
    return *(const long *)a > *(const long *)b ? 1 : -1;
}

static int make(const char *name)
{
    int fd = open(name, O_CREAT | O_RDWR, 0600);

    if (fd < 0) {
        perror(name);
        exit(1);
    }
    return fd;
}

/* Of one that is open as well. */
static long time_of_one(void)
{
    long times[TRIES];

    for (int n = 0; n < TRIES; n++) {
        int fd = make("one");

        times[n] = -us_now();
        if (unlink("one"))
            perror("one");
        times[n] += us_now();
        close(fd);
    }
    qsort(times, TRIES, sizeof *times, compare);
    return times[TRIES / 2];
}

static void hold(int number, int files, int ready, int gate)
{
    char name[32];

    for (int n = 0; n < files; n++) {
        snprintf(name, sizeof name, "%d-%d", number, n);
        make(name);
        if (unlink(name))
            perror(name);
    }
    if (write(ready, "", 1) != 1 || read(gate, name, 1) != 0) /* until it is closed */
        perror("pipe");
    _exit(0);
}

int main(int argc, char **argv)
{
    int processes = argc > 2 ? atoi(argv[1]) : 1, files = argc > 2 ? atoi(argv[2]) : 1, ready[2],
        gate[2];
    char byte;

    if (pipe(ready) || pipe(gate))
        return 1;
    printf("none %ld\n", time_of_one());
    for (int n = 0; n < processes; n++)
        if (fork() == 0) {
            close(gate[1]);
            hold(n, files, ready[1], gate[0]);
        }
    for (int n = 0; n < processes; n++)
        if (read(ready[0], &byte, 1) != 1)
            return 1;
    if (argc > 3 && system(argv[3]))
        return 1;
    printf("all %ld\n", time_of_one());
    close(gate[1]);
    while (wait(NULL) > 0)
        ;
    printf("ended %ld\n", time_of_one());
    return 0;
}
