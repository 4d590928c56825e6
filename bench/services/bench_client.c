/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures a null kernel call and an IPC round trip to bench_server, each in an address space of
 * its own, and logs the least cost of many: in ticks of the TSC, which under `-icount shift=0` are
 * instructions, and in ns.
 */
#include "abi/message.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define ROUNDS 2000
#define BATCH 8 /* operations between two readings of the clock */

static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static endpoint_t server;

static void null_call(void)
{
    kernel_call6(KERNEL_NULL, 0, 0, 0, 0, 0, 0);
}
static void round_trip(void)
{
    struct message m = {.type = PROTOCOL_TEST};

    ipc_call(server, &m);
}
static void nothing(void)
{
}

/* The least number of ticks that BATCH operations took: the one that nothing disturbed. */
static uint64_t least(void (*volatile operation)(void))
{
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = ticks(), taken;

        for (int j = 0; j < BATCH; j++)
            operation();
        taken = ticks() - begin;
        if (taken < best)
            best = taken;
    }
    return best;
}

static void measure(const char *name, void (*operation)(void))
{
    uint64_t empty = least(nothing), taken = least(operation), each = (taken - empty) / BATCH;

    log_always("BENCH %s ticks=%lu ns=%lu", name, each, each * 1000000000u / kernel_page()->tsc_hz);
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    for (int tries = 0; server <= 0 && tries < 100; tries++) {
        struct message m = {0};

        server = service_retrieve("bench_server");
        if (server <= 0)
            ipc_receive(ENDPOINT_ANY, &m, 10000000);
    }
    if (server <= 0)
        panic("no bench_server");
    measure("null_call", null_call);
    measure("ipc_round_trip", round_trip);
    service_run(&(struct service_table){0});
}
