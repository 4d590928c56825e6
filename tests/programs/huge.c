/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a program may do with tens of TB of memory that it never touches, timed by its own clock:
 * for `-icount shift=0`, where a ns is an instruction.
 *
 *     huge        prints the name of each call, its time in us and its result
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE (32ul << 40)

static unsigned long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (unsigned long)t.tv_sec * 1000000000 + (unsigned long)t.tv_nsec;
}

static unsigned long begun;

static void begin(void)
{
    begun = now();
}

static void end(const char *name, long result)
{
    printf("%s %lu %ld\n", name, (now() - begun) / 1000, result);
    fflush(stdout);
}

static char *area(void)
{
    char *a = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (a == MAP_FAILED)
        exit(1);
    a[0] = a[SIZE / 2] = a[SIZE - 1] = 1;
    return a;
}

int main(void)
{
    char *a = area();
    int status;
    pid_t child;

    begin();
    end("mprotect", mprotect(a, SIZE, PROT_READ));
    begin();
    end("madvise", madvise(a, SIZE, MADV_DONTNEED));
    begin();
    child = fork();
    if (!child)
        _exit(0);
    waitpid(child, &status, 0);
    end("fork", status);
    begin();
    end("munmap", munmap(a, SIZE));
    a = area();
    begin();
    end("mmap_fixed", mmap(a, SIZE, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == a
                          ? 0
                          : -1);
    return 0;
}
