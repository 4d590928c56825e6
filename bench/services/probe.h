/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every kernel call with the largest arguments there are: what the one that measures (probe.c) and
 * the lists of calls share.
 */
#ifndef BENCH_SERVICES_PROBE_H
#define BENCH_SERVICES_PROBE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/rt/kernel.h"

/* A case of a kernel call. */
struct probe_case {
    enum kernel_call number;
    const char *call; /* its name in abi/kernel.h, without KERNEL_ */
    const char *name;
    long (*run)(void); /* in the worker; -errno: it was not what it should be */
};
#define PROBE_CASE(call, run)                                                                      \
    {                                                                                              \
        KERNEL_##call, #call, #run, run                                                            \
    }

struct probe_list {
    const struct probe_case *cases;
    unsigned count;
};
extern const struct probe_list probe_memory, probe_talk, probe_slots;

extern endpoint_t probe_worker; /* the thread that makes the calls */

/* A thread of this address space: no stack to speak of, all rights, runs after the worker. `entry`
 * never returns. pager: 0 none; the worker looks after its exceptions. */
endpoint_t thread_start(void (*entry)(void), uint32_t service_id, endpoint_t pager);
/* A slot with an empty space, which never runs. */
endpoint_t space_new(void);
/* The worker waits, and whoever runs after it runs. */
void worker_sleep(uint64_t ns);
/* For calls that only the root task may make: in a thread with its service id. */
long as_root(long (*job)(void));
/* 0 when that is what was to come; else it, or -EPROTO when it was none of the errors. */
static inline long expect(long result, long wanted)
{
    if (result == wanted)
        return 0;
    return result < 0 ? result : -EPROTO;
}

#endif
