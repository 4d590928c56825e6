/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measures how long each kernel call with the largest arguments keeps interrupts away. One thread
 * (the worker, at a low priority) makes the calls; the other is woken by an alarm every few us and
 * looks how late it is: by as much as the kernel could not be interrupted, and the way to it. Under
 * `-icount shift=0` a ns is an instruction, and the figures are the same on every host.
 *
 * The cases are in probe_memory.c, probe_slots.c and probe_talk.c. Whoever adds a kernel call adds a
 * case: tests/system/test_bounds.py compares with abi/kernel.h.
 */
#include "bench/services/probe.h"

#include "lib/rt/log.h"
#include "lib/service/service.h"

#define QUIET_NS 3000000000ull
#define STACK 512 /* of a thread that does next to nothing */
#define CASES_MAX 100

static const struct probe_list *const lists[] = {&probe_memory, &probe_slots, &probe_talk};
static uint8_t stack[65536] __attribute__((aligned(16)));
static uint8_t stacks[ENDPOINT_SLOTS][STACK] __attribute__((aligned(16)));
static const struct rights all_rights = {.calls = ~0ull,
                                         .may_call = ~0ull,
                                         .may_forward = ~0ull,
                                         .may_notify = ~0ull,
                                         .flags = RIGHT_COPY_ANY | RIGHT_RULE_ANY,
                                         .ports = {{0x80, 0x80}}};

static struct result {
    const struct probe_case *c;
    uint64_t latest, took;
    long result;
} results[CASES_MAX + 1];
static volatile unsigned now = CASES_MAX; /* which one runs */
static volatile bool begun, done;
static unsigned count;
endpoint_t probe_worker;

static endpoint_t thread_new(void (*entry)(void), uint32_t service_id, uint32_t priority,
                             uint8_t *top, endpoint_t pager)
{
    struct slot_config c = {.name = "thread",
                            .guardian = probe_worker ? probe_worker : service_info()->rs,
                            .pager = pager,
                            .space_of = service_info()->self,
                            .service_id = service_id,
                            .priority = priority,
                            .flags = SLOT_START,
                            .entry = (uint64_t)entry,
                            .stack = (uint64_t)top - 8,
                            .rights = all_rights};

    return slot_create(&c);
}

endpoint_t thread_start(void (*entry)(void), uint32_t service_id, endpoint_t pager)
{
    static unsigned next; /* stacks are taken in turn: those of the ones before are free by then */

    return thread_new(entry, service_id, PRIORITIES - 1, stacks[next++ % ENDPOINT_SLOTS] + STACK,
                      pager);
}

endpoint_t space_new(void)
{
    struct slot_config c = {.name = "victim",
                            .guardian = service_info()->rs,
                            .service_id = service_info()->service_id,
                            .priority = PRIORITIES - 1};

    return slot_create(&c);
}

/* From one that never sends. */
void worker_sleep(uint64_t ns)
{
    static endpoint_t silent;
    struct message m = {0};

    if (!silent)
        silent = space_new();
    (void)ipc_receive(silent, &m, ns);
}

static long (*volatile root_job)(void);
static volatile long root_result;

static void root_thread(void)
{
    root_result = root_job();
    root_job = NULL;
    for (;;)
        worker_sleep(0);
}

long as_root(long (*job)(void))
{
    endpoint_t ep;

    root_job = job;
    ep = thread_start(root_thread, SERVICE_ID_ROOT, 0);
    if (ep < 0)
        return ep;
    for (unsigned ms = 0; root_job && ms < 2000; ms++)
        worker_sleep(1000000);
    slot_destroy(ep);
    return root_job ? -ETIMEDOUT : root_result;
}

static void worker(void)
{
    while (!begun)
        ;
    for (unsigned i = 0; i < count; i++) {
        uint64_t start = clock_now();

        now = i;
        results[i].result = results[i].c->run();
        now = CASES_MAX;
        results[i].took = clock_now() - start;
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

static void collect(void)
{
    for (unsigned l = 0; l < sizeof lists / sizeof *lists; l++)
        for (unsigned i = 0; i < lists[l]->count && count < CASES_MAX; i++)
            results[count++].c = &lists[l]->cases[i];
    if (count == CASES_MAX)
        panic("more cases than %u", CASES_MAX);
}

static void measure(void)
{
    for (unsigned n = 0; !done; n++) {
        uint64_t when = clock_now() + 3000 + n * 1031 % 17000;
        struct result *r;
        struct message m = {0};

        clock_alarm(when);
        if (ipc_receive(ENDPOINT_ANY, &m, 0) < 0)
            continue;
        r = &results[now];
        if (clock_now() - when > r->latest)
            r->latest = clock_now() - when;
    }
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    wait_for_quiet();
    collect();
    probe_worker =
        thread_new(worker, service_info()->service_id, PRIORITIES - 2, stack + sizeof stack, 0);
    if (probe_worker < 0)
        panic("no slot for the worker: %ld", (long)probe_worker);
    begun = true;
    measure();
    slot_destroy(probe_worker);
    for (unsigned i = 0; i < count; i++)
        log_always("PROBE %s %s late_ns=%llu took_ns=%llu result=%ld", results[i].c->call,
                   results[i].c->name, (unsigned long long)results[i].latest,
                   (unsigned long long)results[i].took, results[i].result);
    log_always("PROBE end");
    service_run(&(struct service_table){0});
}
