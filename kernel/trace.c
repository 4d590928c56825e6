/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace: a ring of the latest events, for tests, tools and post mortems. Recording is inline
 * (kernel.h). */
#include "kernel/kernel.h"

struct trace_event trace_ring[TRACE_RING_SIZE] __attribute__((aligned(PAGE_SIZE)));

static const char *const kinds[] = {"none",      "call", "reply",  "forward", "notify", "fault",
                                    "exception", "irq",  "create", "destroy", "syscall"};
#define KINDS (sizeof kinds / sizeof *kinds)
#define DUMPED 64 /* events of last words */

static const char *name_of(endpoint_t e)
{
    return e > 0 ? slots[endpoint_slot(e)].name : "kernel";
}

void trace_dump(void (*line)(const char *format, ...))
{
    uint64_t end = kernel_page.info.trace_end, from = end > DUMPED ? end - DUMPED : 0;

    line("the last events (TSC, kind, from, to, type, detail):\n");
    for (uint64_t i = from; i < end; i++) {
        const struct trace_event *e = &trace_ring[i % TRACE_RING_SIZE];

        line("  %lu %s %s(%x) %s(%x) %x %lx\n", e->tsc, e->kind < KINDS ? kinds[e->kind] : "?",
             name_of(e->from), (unsigned)e->from, name_of(e->to), (unsigned)e->to, e->type,
             e->detail);
    }
}
