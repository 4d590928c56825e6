/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine for parts of the kernel that run on the host: slots that the test makes, and a trace that nobody reads. */
#ifndef KERNEL_WORLD_H
#define KERNEL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel/kernel.h"

struct slot slots[ENDPOINT_SLOTS];
unsigned slots_top = 1;
struct trace_event trace_ring[TRACE_RING_SIZE];
struct kernel_page kernel_page = {.tsc_hz = 1000000000};

/* In slot `index`, of which any earlier one is gone. */
static inline struct slot *world_slot(unsigned index, uint32_t service_id)
{
    struct slot *s = &slots[index];
    uint32_t generation = s->generation;

    *s = (struct slot){.generation = generation % (ENDPOINT_GENERATIONS - 1) + 1,
                       .service_id = service_id};
    s->endpoint = endpoint_make(index, s->generation);
    s->rights = (struct rights){.may_call = ~0ull, .may_forward = ~0ull, .may_notify = ~0ull};
    list_init(&s->callers);
    list_init(&s->link);
    list_init(&s->timed);
    s->state = SLOT_READY;
    s->payer = s;
    if (index >= slots_top)
        slots_top = index + 1;
    return s;
}

#endif
