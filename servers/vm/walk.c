/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What looks at the pages of a range one by one: mincore(2), moving by mremap(2), populating a
 * shared mapping. In steps (work.c), and with no more than a kernel call for what is empty.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "lib/service/service.h"
#include "servers/vm/vm.h"

#define STEP_LOOKS 2048 /* pages that a step looks at */
#define STEP_PAGES 512 /* or gives */
#define CALL_PAGES 64ull /* in one kernel call, in which nobody else runs */

/* Is there a page at address? Else *next is the next address where there may be one. */
static bool look(endpoint_t ep, uint64_t address, uint64_t *flags, uint64_t *next)
{
    bool there = memory_query(ep, address, flags) >= 0;

    *next = there || *flags <= address ? address + PAGE_SIZE : *flags;
    return there;
}

/* All of it lies in regions. */
static bool covered(struct space *s, uint64_t start, uint64_t end)
{
    const struct region *r;

    for (; start < end; start = r->end) {
        r = region_find(s->regions, start);
        if (!r)
            return false;
    }
    return true;
}

/* To memory of a program that may not be there yet: we are its pager. */
static long copy_out(endpoint_t ep, uint64_t to, const uint8_t *from, size_t length)
{
    for (size_t n; length; to += n, from += n, length -= n) {
        struct message fault = {.source = (uint32_t)ep,
                                .w = {to, FAULT_USER | FAULT_WRITE, 0, (uint64_t)ep}};
        size_t room = PAGE_SIZE - (to & (PAGE_SIZE - 1));

        n = length < room ? length : room;
        if (copy_to(ep, to, from, n) < 0 &&
            (page_fault_now(&fault) < 0 || copy_to(ep, to, from, n) < 0))
            return -EFAULT;
    }
    return 0;
}

/* done: bytes of the range that the vector says. */
static long mincore_step(struct work *w)
{
    static uint8_t there[PAGE_SIZE];
    uint64_t start = w->m.w[0], end = start + page_up(w->m.w[1]), at = start + w->done, flags;
    uint64_t next, looks = 0;
    size_t n = 0;

    while (at < end && n < sizeof there && looks < STEP_LOOKS) {
        bool is = look(w->ep, at, &flags, &next);

        for (looks++; at < next && at < end && n < sizeof there; at += PAGE_SIZE)
            there[n++] = is;
    }
    if (copy_out(w->ep, w->m.w[2] + w->done / PAGE_SIZE, there, n) < 0)
        return -EFAULT;
    w->done = at - start;
    return at < end ? WORK_GOES_ON : 0;
}

long sys_mincore(struct message *m)
{
    endpoint_t ep = message_caller(m);
    struct space *s = space_for_caller(ep);
    uint64_t length = page_up(m->w[1]);
    long result;

    if (!s || (m->w[0] & (PAGE_SIZE - 1)))
        return -EINVAL;
    if (!m->w[1])
        return 0;
    if (!range_good(m->w[0], length) || !covered(s, m->w[0], m->w[0] + length))
        return -ENOMEM;
    return work_again(m, &result) ? result : work_start(m, mincore_step, 0);
}

/* ---- mremap(2) ---- */

/* The pages of a run from `at`, all with the same flags; *next as look(). */
static uint64_t run_of(endpoint_t ep, uint64_t at, uint64_t end, uint64_t *flags, uint64_t *next)
{
    uint64_t pages = 1, other, after;

    if (!look(ep, at, flags, next))
        return 0;
    *flags &= MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_COW;
    for (; pages < CALL_PAGES && *next < end; pages++, *next += PAGE_SIZE)
        if (!look(ep, *next, &other, &after) ||
            (other & (MAP_READ | MAP_WRITE | MAP_EXECUTE | MAP_COW)) != *flags)
            break;
    return pages;
}

/* The pages go in any case: they are somewhere else, or must not be seen. When another thread has filled
 * the table meanwhile, so that the range cannot be cut out, it stays, empty, as on Linux. */
static long let_go(endpoint_t ep, struct space *s, uint64_t start, uint64_t end)
{
    long result = unmap_range(ep, s, start, end);

    if (result == -ENOMEM)
        return pages_gone(ep, start, end, step_end()) ? 0 : WORK_GOES_ON;
    return result;
}

/* It cannot be done (w->result says why): what has been mapped so far goes, in steps, too. */
static long take_back(struct work *w, struct space *s, uint64_t length)
{
    return s && let_go(w->ep, s, w->at, w->at + length) == WORK_GOES_ON ? WORK_GOES_ON : w->result;
}

/* The pages are at both places until all are, so that failing needs no memory. */
static long move_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    uint64_t from = w->m.w[0], length = move_length(&w->m), end = from + length;
    uint64_t at = from + w->done, flags, next, looks = 0;
    long error = 0;

    if (w->result)
        return take_back(w, s, page_up(w->m.w[2]));
    /* another thread may have unmapped the one or the other meanwhile */
    if (!s || !covered(s, at, end) || !covered(s, w->at + w->done, w->at + length))
        return -EFAULT;
    for (; at < end && looks < STEP_LOOKS && !error; at = next) {
        uint64_t pages = run_of(w->ep, at, end, &flags, &next);

        looks += pages + 1;
        if (pages && !memory_for(s, 2, MEMORY_TABLES)) /* for tables */
            error = -ENOMEM;
        else if (pages)
            error = memory_map(w->ep, w->at + (at - from), pages, flags | MAP_SHARE, w->ep, at);
    }
    if (error) {
        w->result = error == -EEXIST ? -EFAULT : error;
        return take_back(w, s, page_up(w->m.w[2]));
    }
    w->done = at - from;
    if (at < end || let_go(w->ep, s, from, end) == WORK_GOES_ON)
        return WORK_GOES_ON;
    return (long)w->at;
}

long move_next(struct work *w, uint64_t to)
{
    return work_next(w, move_step, to);
}

/* ---- shared memory, which must be there before a fork ---- */

long give_pages(endpoint_t ep, uint64_t start, uint64_t pages, uint64_t flags)
{
    uint64_t done = 0, n;
    long error = 0;

    for (; done < pages && !error; done += error ? 0 : n) {
        n = pages - done < CALL_PAGES ? pages - done : CALL_PAGES;
        error = memory_map(ep, start + done * PAGE_SIZE, n, flags, 0, 0);
    }
    if (error && done)
        memory_unmap(ep, start, done);
    return error;
}

/* As give_pages(), but some may be there: another thread has touched them. */
static long fill(endpoint_t ep, uint64_t start, uint64_t pages, uint64_t flags)
{
    long error = memory_map(ep, start, pages, flags, 0, 0);

    for (uint64_t i = 0; error == -EEXIST && i < pages; i++) {
        long one = memory_map(ep, start + i * PAGE_SIZE, 1, flags, 0, 0);

        if (one && one != -EEXIST)
            return one;
    }
    return error == -EEXIST ? 0 : error;
}

static long populate_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    uint64_t length = page_up(w->m.w[1]), start = w->at + w->done, pages = 0, n;
    uint32_t protection = (uint32_t)w->m.w[2] & 7;
    long error = 0;

    if (w->result)
        return take_back(w, s, length);
    if (!s || !covered(s, start, w->at + length))
        return -EFAULT;
    for (; w->done < length && pages < STEP_PAGES && !error; w->done += n * PAGE_SIZE, pages += n) {
        n = (length - w->done) / PAGE_SIZE;
        n = n < CALL_PAGES ? n : CALL_PAGES;
        error = memory_for(s, n, MEMORY_TOUCHED)
                    ? fill(w->ep, w->at + w->done, n, map_flags(protection))
                    : -ENOMEM;
    }
    if (error) {
        w->result = error;
        return take_back(w, s, length);
    }
    return w->done < length ? WORK_GOES_ON : (long)w->at;
}

long populate_next(struct work *w, uint64_t at)
{
    return work_next(w, populate_step, at);
}
