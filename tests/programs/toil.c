/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * toil MS: works for so long. "toil PIECES": how much it got done. Under icount, where an instruction takes
 * the same time on every host, that says which part of the processor it had, also when others had it for
 * a few us at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PIECE = 20000 };

static long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    long end = now_us() + (argc > 1 ? atol(argv[1]) : 1000) * 1000, pieces = 0;

    for (; now_us() < end; pieces++)
        for (volatile int i = 0; i < PIECE; i++)
            ;
    printf("toil %ld\n", pieces);
    return 0;
}
