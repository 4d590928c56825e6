/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures first writes to anonymous pages and a getpid() as a Linux program sees them, in ticks of
 * the TSC, which under `-icount shift=0` are instructions: the mean for each page of an area
 * written from end to end (a fault may bring neighbours along), the least of one fault that brings
 * what it brings, and the least of one getpid(). Calls that are not measured come first: after a
 * pause, servers look through their memory before each of some hundred steps (lib/undo/scrub.c). A
 * plain static program: it runs on Linux as well.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGES 256
#define PAGE 4096
#define CALLS_BEFORE 400
#define NO_FAULT 100 /* ticks: a write to a page that is there already takes less */

static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static void call_servers(void)
{
    for (int i = 0; i < CALLS_BEFORE; i++) {
        void *page = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (page != MAP_FAILED)
            munmap(page, PAGE);
        syscall(SYS_getpid);
    }
}

int main(void)
{
    uint64_t fault = UINT64_MAX, call = UINT64_MAX, empty = UINT64_MAX, all = 0;
    volatile char *memory =
        mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    call_servers();
    for (int i = 0; i < PAGES; i++) {
        uint64_t a = ticks(), b = ticks(), c, d;

        memory[i * PAGE] = 1;
        c = ticks();
        syscall(SYS_getpid);
        d = ticks();
        empty = b - a < empty ? b - a : empty;
        all += c - b;
        if (c - b > NO_FAULT)
            fault = c - b < fault ? c - b : fault;
        call = d - c < call ? d - c : call;
    }
    printf("BENCH page_fault ticks=%lu\nBENCH one_fault ticks=%lu\nBENCH getpid ticks=%lu\n",
           all / PAGES - empty, fault - empty, call - empty);
    return 0;
}
