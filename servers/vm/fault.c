/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page faults. The hot path of every program: one look at the region table, one kernel call.
 * Touched anonymous memory is given in blocks of up to 16 pages around the fault, because the fault
 * costs far more than the pages.
 */
#include <sys/mman.h>

#include "servers/vm/vm.h"

#define BLOCK (16 * PAGE_SIZE)

/* Nothing is mapped at address (or so it seems). */
static long give(endpoint_t ep, struct space *s, const struct region *r, uint64_t address,
                 bool write, enum memory_use use)
{
    uint64_t flags = map_flags(r->protection), start = address & ~(BLOCK - 1), end = start + BLOCK;
    uint64_t page = address & ~(PAGE_SIZE - 1);
    long result = -EEXIST;

    if (start < r->start)
        start = r->start;
    if (end > r->end)
        end = r->end;
    if (!memory_for(s, write ? (end - start) / PAGE_SIZE : 1, use))
        return -ENOMEM;
    if (write)
        result = memory_map(ep, start, (end - start) / PAGE_SIZE, flags, 0, 0);
    if (result == -EEXIST || (result == -ENOMEM && end - start > PAGE_SIZE))
        result = memory_map(ep, page, 1, flags, 0, 0);
    if (result == -EEXIST) /* there after all: a copy met a shared or protected page */
        result = write ? memory_cow_break(ep, page, flags) : memory_protect(ep, page, 1, flags);
    return result;
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

    if (!r || !(r->flags & REGION_STACK) || r->end - start > s->stack_limit)
        return NULL;
    if (!region_free(s->regions, start, r->start) || !limits_allow(s, r->start - start, 0, false))
        return NULL;
    r->start = start;
    return r;
}

/* The region says what is allowed, the kernel only what it found. Memory that can be written or
 * executed can be read, as on the processor. Where a page is present two faults alone can be
 * mended: it may be both written and executed and was the other of them, or it is shared and to be
 * written. */
long page_fault_now(struct message *m)
{
    endpoint_t ep = (endpoint_t)m->w[3];
    uint64_t address = m->w[0];
    uint32_t why = (uint32_t)m->w[1];
    bool write = why & FAULT_WRITE, execute = why & FAULT_EXECUTE;
    enum memory_use use = message_caller(m) == ep ? MEMORY_TOUCHED : MEMORY_COPIED_TO;
    struct space *s = space_of(ep);
    struct region *r = s ? region_find(s->regions, address) : NULL;

    int enough = execute ? PROT_EXEC : PROT_READ | PROT_WRITE | PROT_EXEC; /* one of these */

    if (write)
        enough = PROT_WRITE;
    if (s && !r)
        r = grow_stack(s, address);
    if (!r || !(r->protection & enough) || (r->protection & VM_PROTECTION_VAULT))
        return -EFAULT;
    if (!(why & FAULT_PRESENT))
        return give(ep, s, r, address, write, use);
    if ((r->protection & (PROT_WRITE | PROT_EXEC)) == (PROT_WRITE | PROT_EXEC))
        return execute || memory_for(s, 1, use) ? toggle(ep, address & ~(PAGE_SIZE - 1), execute)
                                                : -ENOMEM;
    if (!write)
        return -EFAULT;
    if (!memory_for(s, 1, use))
        return -ENOMEM;
    /* gone meanwhile, by another thread: the instruction is repeated, and finds out */
    return memory_cow_break(ep, address, map_flags(r->protection)) == -ENOMEM ? -ENOMEM : 0;
}

/* Not enough memory: the program waits for another's end. A service that copies does not, as it
 * may be the one that the other needs to end. */
static long fault_again(struct work *w)
{
    struct message m = w->m;
    struct space *s = space_of((endpoint_t)m.w[3]);
    long result = page_fault_now(&m);

    if (result != -ENOMEM || !s)
        return result;
    return memory_relieve(s) ? WORK_WAITS : -ENOMEM;
}

long page_fault(struct message *m)
{
    static uint64_t said;
    endpoint_t ep = (endpoint_t)m->w[3];
    struct space *s = space_of(ep);
    long result = page_fault_now(m);

    if (result != -ENOMEM || !s)
        return result;
    if (message_caller(m) == ep && !s->service)
        return work_start(m, fault_again, 0);
    memory_relieve(s);
    if (clock_now() > said + 1000000000) {
        said = clock_now();
        log_info("out of memory: nothing can be copied to %lx of %s", m->w[0],
                 s->service ? s->name : "a program");
    }
    return -ENOMEM;
}
