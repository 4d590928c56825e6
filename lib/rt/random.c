/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/random.h"

#include <cpuid.h>
#include <stdbool.h>

#define JITTER_STEPS 512

bool random_is_cheap(void)
{
    static int known; /* 1: yes, -1: no; CPUID is slow where it is emulated */
    unsigned a, b, c = 0, d;

    if (!known)
        known = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_RDRND) ? 1 : -1;
    return known > 0;
}

static uint64_t time_stamp(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* Each step takes a little longer or shorter, by caches, interrupts and what else runs; where it
 * goes in memory depends on what was there before. */
static uint64_t jitter(void)
{
    static uint8_t memory[4096];
    static uint64_t pool;

    for (int i = 0; i < JITTER_STEPS; i++) {
        pool = (pool ^ time_stamp()) * 0x9e3779b97f4a7c15u;
        pool ^= pool >> 29;
        memory[pool & (sizeof memory - 1)] += (uint8_t)(pool >> 32) + 1;
        pool += memory[pool >> 20 & (sizeof memory - 1)];
    }
    return pool;
}

uint64_t random_word(void)
{
    unsigned long word;
    unsigned char good = 0;

    for (int i = 0; i < 10 && random_is_cheap() && !good; i++)
        __asm__ volatile("rdrand %0; setc %1" : "=r"(word), "=qm"(good) : : "cc");
    return good ? word : jitter();
}
