/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poison MB FILE: fills so much memory with a pattern, gives half of it back and takes other memory
 * for that, in turns, until FILE exists; and looks all the time whether somebody else has written
 * there. Says "intact" or "changed", and how often it has gone round. A page that anybody gives
 * back, this takes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, WORDS = CHUNK / 8, CHUNKS_MAX = 1024 };

static uint64_t *chunk[CHUNKS_MAX];

static uint64_t word_at(const uint64_t *p, unsigned round)
{
    return (uint64_t)(uintptr_t)p * 0x9e3779b97f4a7c15ull + round;
}

static void take(unsigned n, unsigned round)
{
    chunk[n] = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                    -1, 0);
    if (chunk[n] == MAP_FAILED) {
        perror("poison");
        exit(2);
    }
    for (uint64_t *p = chunk[n]; p < chunk[n] + WORDS; p++)
        *p = word_at(p, round);
}

static unsigned long changed_in(unsigned n, unsigned round)
{
    unsigned long changed = 0;

    for (const uint64_t *p = chunk[n]; p < chunk[n] + WORDS; p++)
        changed += *(const volatile uint64_t *)p != word_at(p, round);
    return changed;
}

int main(int argc, char **argv)
{
    unsigned count = argc == 3 ? (unsigned)atoi(argv[1]) : 0, rounds = 0;
    static unsigned made[CHUNKS_MAX];
    unsigned long changed = 0;
    int ends;

    if (count == 0 || count > CHUNKS_MAX)
        return 2;
    for (unsigned n = 0; n < count; n++)
        take(n, 0);
    do {
        ends = access(argv[2], F_OK) == 0;
        rounds++;
        for (unsigned n = 0; n < count; n++) {
            changed += changed_in(n, made[n]);
            if (n % 2 == rounds % 2)
                continue;
            munmap(chunk[n], CHUNK);
            made[n] = rounds;
            take(n, rounds);
        }
        usleep(20000);
    } while (!ends);
    printf("%s %u\n", changed ? "changed" : "intact", rounds);
    return changed != 0;
}
