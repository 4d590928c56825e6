/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures how long each kernel call with the largest arguments keeps interrupts away. One thread
 * (the worker, at a low priority) makes the calls; the other is woken by an alarm every few us and
 * looks how late it is: by as much as the kernel could not be interrupted, and the way to it. Under
 * `-icount shift=0` a ns is an instruction, and the figures are the same on every host.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define MEGABYTES 32
#define PAGES (MEGABYTES * 256ull)
#define PLACE 0x10000000ull
#define ALL_PAGES (USER_END / PAGE_SIZE - 2)
#define BIG (8u << 20) /* bytes that are copied */

static endpoint_t victim, twin, worker_slot;
static uint8_t stack[65536] __attribute__((aligned(16)));
static uint8_t from[BIG], to[BIG];
static struct grant grants[GRANT_MAX];
static struct rights rights = {.calls = ~0ull, .ports = {{0x80, 0x80}}};

static endpoint_t space_new(void)
{
    struct slot_config c = {.name = "victim",
                            .guardian = service_info()->rs,
                            .service_id = service_info()->service_id,
                            .priority = PRIORITIES - 1};

    return slot_create(&c);
}

static void fill(endpoint_t ep)
{
    memory_map(ep, PLACE, PAGES, MAP_READ | MAP_WRITE, 0, 0);
}

/* One page in each 2 MB, as far apart as tables can be. */
static void scatter(endpoint_t ep, uint64_t apart)
{
    for (uint64_t i = 0; i < 200; i++)
        memory_map(ep, PLACE + i * apart, 1, MAP_READ | MAP_WRITE, 0, 0);
}

static long nothing(void)
{
    for (volatile int i = 0; i < 200000; i++)
        ;
    return 0;
}
static long map(void)
{
    return memory_map(victim, PLACE, PAGES, MAP_READ | MAP_WRITE, 0, 0);
}
static long map_shared(void)
{
    return memory_map(twin, PLACE, PAGES, MAP_READ | MAP_SHARE, victim, PLACE);
}
static long unmap_shared(void)
{
    return memory_unmap(twin, 0, ALL_PAGES);
}
static long map_copy(void)
{
    return memory_map(twin, PLACE, PAGES, MAP_READ | MAP_COPY, victim, PLACE);
}
static long destroy(void)
{
    long result = slot_destroy(twin);

    twin = space_new();
    return result;
}
static long protect(void)
{
    return memory_protect(victim, 0, ALL_PAGES, MAP_READ);
}
static long clone(void)
{
    return kernel_call6(KERNEL_CLONE, victim, twin, 0, ALL_PAGES, MAP_COW, 0);
}
static long unmap(void)
{
    return memory_unmap(victim, 0, ALL_PAGES);
}
static long scattered(void)
{
    scatter(victim, 0x200000);
    scatter(victim, 0x40000000);
    scatter(victim, 0x8000000000);
    return 0;
}
static long protect_empty(void)
{
    return memory_protect(victim, 0, ALL_PAGES, MAP_READ);
}
static long copy_in_parts(void)
{
    grants[0] = (struct grant){worker_slot, GRANT_READ, (uint64_t)from, BIG};
    return grant_from(service_info()->self, 0, 0, to, BIG);
}
static long log_write(void)
{
    memset(from, '-', LOG_RECORD_MAX);
    return kernel_log((char *)from, LOG_RECORD_MAX);
}
static long ports(void)
{
    return port_out_bytes(0x80, from, 65536);
}
static long slots_all(void)
{
    static endpoint_t made[ENDPOINT_SLOTS];
    unsigned n = 0;

    while (n < ENDPOINT_SLOTS && (made[n] = space_new()) > 0)
        n++;
    for (unsigned i = 0; i < n; i++)
        slot_destroy(made[i]);
    return n > 500 ? 0 : -ENOMEM;
}

static const struct test {
    const char *name;
    long (*run)(void);
} tests[] = {{"nothing", nothing},
             {"map", map},
             {"map_shared", map_shared},
             {"unmap_shared", unmap_shared},
             {"map_copy", map_copy},
             {"destroy", destroy},
             {"protect", protect},
             {"clone_cow", clone},
             {"unmap", unmap},
             {"destroy_last", destroy},
             {"unmap_nothing", unmap},
             {"protect_nothing", protect_empty},
             {"clone_nothing", clone},
             {"map_scattered", scattered},
             {"protect_scattered", protect},
             {"clone_scattered", clone},
             {"unmap_scattered", unmap},
             {"destroy_scattered", destroy},
             {"copy", copy_in_parts},
             {"log", log_write},
             {"port_out_bytes", ports},
             {"slots", slots_all}};
#define QUIET_NS 3000000000ull
#define TESTS (sizeof tests / sizeof *tests)
static volatile unsigned now = TESTS; /* which one runs */
static volatile bool begun, done;
static uint64_t latest[TESTS + 1], took[TESTS];
static long results[TESTS];

static void worker(void)
{
    while (!begun)
        ;
    for (unsigned i = 0; i < TESTS; i++) {
        uint64_t start = clock_now();

        now = i;
        results[i] = tests[i].run();
        now = TESTS;
        took[i] = clock_now() - start;
    }
    done = true;
    for (;;)
        kernel_call6(KERNEL_NULL, 0, 0, 0, 0, 0, 0);
}

/* Drivers that start, and what the system does at first, have better priorities, and would be
 * measured, too. */
static void wait_for_quiet(void)
{
    struct message m = {0};

    clock_alarm(clock_now() + QUIET_NS);
    do
        (void)ipc_receive(ENDPOINT_ANY, &m, 0);
    while (m.type != MESSAGE_NOTIFY || !(m.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM)));
}

int main(void)
{
    struct slot_config c = {.name = "worker",
                            .guardian = service_info()->rs,
                            .space_of = service_info()->self,
                            .service_id = service_info()->service_id,
                            .priority = PRIORITIES - 2,
                            .flags = SLOT_START,
                            .entry = (uint64_t)worker,
                            .stack = (uint64_t)stack + sizeof stack - 8,
                            .rights = rights};

    service_ready(RS_READY_FRESH);
    wait_for_quiet();
    grant_table(grants, GRANT_MAX);
    victim = space_new();
    twin = space_new();
    fill(twin);
    slot_destroy(twin);
    twin = space_new();
    worker_slot = slot_create(&c);
    if (victim < 0 || twin < 0 || worker_slot < 0)
        panic("no slots");
    begun = true;
    for (unsigned n = 0; !done; n++) {
        uint64_t when = clock_now() + 3000 + n * 1031 % 17000;
        struct message m;

        clock_alarm(when);
        if (ipc_receive(ENDPOINT_ANY, &m, 0) == 0 && clock_now() - when > latest[now])
            latest[now] = clock_now() - when;
    }
    slot_destroy(worker_slot);
    slot_destroy(victim);
    slot_destroy(twin);
    for (unsigned i = 0; i < TESTS; i++)
        log_always("PROBE %s late_ns=%llu took_ns=%llu result=%ld", tests[i].name,
                   (unsigned long long)latest[i], (unsigned long long)took[i], results[i]);
    log_always("PROBE end");
    service_run(&(struct service_table){0});
}
