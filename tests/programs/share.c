/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share MS: runs without end for so long and asks for the time. "share PERMILLE PAUSE": how much of that
 * time it had the processor, and the longest time without it, ms. Time is the machine's own.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define AWAY 1000000 /* ns between two looks: somebody else has run */

static uint64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int main(int argc, char **argv)
{
    uint64_t begin = now(), last = begin, had = 0, pause = 0;
    uint64_t end = begin + (argc > 1 ? strtoull(argv[1], NULL, 10) : 1000) * 1000000;

    while (last < end) {
        uint64_t t = now();

        if (t - last < AWAY)
            had += t - last;
        else if (t - last > pause)
            pause = t - last;
        last = t;
    }
    printf("share %llu %llu\n", (unsigned long long)(had * 1000 / (last - begin)),
           (unsigned long long)(pause / 1000000));
    return 0;
}
