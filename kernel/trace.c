/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace: a ring of the latest events, for tests, tools and post mortems. Recording is inline
 * (kernel.h). */
#include "kernel/kernel.h"

struct trace_event trace_ring[TRACE_EVENTS];
uint64_t trace_end;

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
    uint64_t from = trace_end > DUMPED ? trace_end - DUMPED : 0;

    line("the last events (TSC, kind, from, to, type, detail):\n");
    for (uint64_t i = from; i < trace_end; i++) {
        const struct trace_event *e = &trace_ring[i & (TRACE_EVENTS - 1)];

        line("  %lu %s %s(%x) %s(%x) %x %lx\n", e->tsc, e->kind < KINDS ? kinds[e->kind] : "?",
             name_of(e->from), (unsigned)e->from, name_of(e->to), (unsigned)e->to, e->type,
             e->detail);
    }
}

long call_trace_read(struct slot *s, const uint64_t *a)
{
    uint64_t position = a[0], count = 0;

    if (position > trace_end)
        return -EINVAL;
    if (trace_end - position > TRACE_EVENTS)
        position = trace_end - TRACE_EVENTS;
    s->registers.rdx = position;
    for (; count < a[2] && position < trace_end; count++, position++)
        if (copy_out(s, a[1] + count * sizeof(struct trace_event),
                     &trace_ring[position & (TRACE_EVENTS - 1)], sizeof(struct trace_event)) < 0)
            return -EFAULT;
    return (long)count;
}
