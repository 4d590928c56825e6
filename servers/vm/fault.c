/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults. The hot path of every program: one look at the region table, one kernel call.
 * Touched anonymous memory is given in blocks of up to 16 pages around the fault, because the fault
 * costs far more than the pages.
 */
#include <sys/mman.h>

#include "servers/vm/vm.h"

#define BLOCK (16 * PAGE_SIZE)

static long out_of_memory(struct space *s, uint64_t address)
{
    log_info("out of memory: fault at %lx of %s cannot be served", address,
             s->service ? s->name : "a program");
    return -ENOMEM;
}

/* Nothing is mapped at address (or so it seems). */
static long give(endpoint_t ep, struct space *s, const struct region *r, uint64_t address,
                 bool write)
{
    uint64_t flags = map_flags(r->protection), start = address & ~(BLOCK - 1), end = start + BLOCK;
    uint64_t page = address & ~(PAGE_SIZE - 1);
    long result = -EEXIST;

    if (start < r->start)
        start = r->start;
    if (end > r->end)
        end = r->end;
    if (write)
        result = memory_map(ep, start, (end - start) / PAGE_SIZE, flags, 0, 0);
    if (result == -EEXIST || (result == -ENOMEM && end - start > PAGE_SIZE))
        result = memory_map(ep, page, 1, flags, 0, 0);
    if (result == -EEXIST) /* there after all: a copy met a shared or protected page */
        result = write ? memory_cow_break(ep, page, flags) : memory_protect(ep, page, 1, flags);
    return result == -ENOMEM ? out_of_memory(s, address) : result;
}

/* Memory that may be both written and executed is one or the other at a time. */
static long toggle(endpoint_t ep, uint64_t page, bool execute)
{
    uint64_t flags = MAP_READ | (execute ? MAP_EXECUTE : MAP_WRITE);

    return execute ? memory_protect(ep, page, 1, flags) : memory_cow_break(ep, page, flags);
}

static struct region *grow_stack(struct space *s, uint64_t address)
{
    struct region *r = region_after(s->regions, address);
    uint64_t start = address & ~(BLOCK - 1);

    if (!r || !(r->flags & REGION_STACK) || r->end - start > VM_STACK_LIMIT)
        return NULL;
    if (!region_free(s->regions, start, r->start))
        return NULL;
    r->start = start;
    return r;
}

long page_fault(struct message *m)
{
    endpoint_t ep = (endpoint_t)m->w[3];
    uint64_t address = m->w[0];
    uint32_t why = (uint32_t)m->w[1];
    bool write = why & FAULT_WRITE, execute = why & FAULT_EXECUTE;
    struct space *s = space_of(ep);
    struct region *r = s ? region_find(s->regions, address) : NULL;

    if (s && !r)
        r = grow_stack(s, address);
    if (!r || !(r->protection & (write     ? PROT_WRITE
                                 : execute ? PROT_EXEC
                                           : PROT_READ | PROT_WRITE | PROT_EXEC)))
        return -EFAULT;
    if (!(why & FAULT_PRESENT))
        return give(ep, s, r, address, write);
    if ((r->protection & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC))
        return toggle(ep, address & ~(PAGE_SIZE - 1), execute);
    if (!write)
        return -EFAULT;
    return memory_cow_break(ep, address, map_flags(r->protection)) == -ENOMEM
               ? out_of_memory(s, address)
               : 0;
}
