/* SPDX-License-Identifier: BSD-2-Clause */
/* mmap(2) and its family. Memory of programs is given on first touch, that of services at once. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "abi/proto/rs.h"
#include "abi/proto/vfs.h"
#include "lib/service/service.h"
#include "servers/vm/vm.h"

uint64_t map_flags(uint32_t protection)
{
    uint64_t flags = protection & (PROT_READ | PROT_WRITE | PROT_EXEC) ? MAP_READ : 0;

    flags |= protection & VM_PROTECTION_VAULT ? MAP_VAULT : 0;
    if (protection & PROT_WRITE)
        return flags | MAP_WRITE; /* with PROT_EXEC: executable on demand, fault.c */
    return flags | (protection & PROT_EXEC ? MAP_EXECUTE : 0);
}

static void tell_rs(endpoint_t ep)
{
    struct message m =
        message_of(RS_OVER_MEMORY, (struct rs_endpoint_request){.endpoint = (uint64_t)ep});

    ipc_call(service_info()->rs, &m);
}

/* What a service has is what its regions say: a count of its own would have to be kept right on
 * every way out. So the region is added when this is done, and must find room. */
static long populate(endpoint_t ep, const struct space *s, uint64_t start, uint64_t length,
                     uint32_t protection)
{
    enum memory_use use = protection & VM_PROTECTION_STORE ? MEMORY_STORED : MEMORY_TOUCHED;

    if (s->limit && regions_bytes(s->regions) + length > s->limit) {
        log_info("%s is over its memory limit of %lu kB", s->name, s->limit >> 10);
        tell_rs(ep);
        return -ENOMEM;
    }
    if (!memory_for(s, length / PAGE_SIZE, use)) {
        memory_relieve(s);
        return -ENOMEM;
    }
    return give_pages(ep, start, length / PAGE_SIZE, map_flags(protection));
}

bool pages_gone(endpoint_t ep, uint64_t start, uint64_t end, uint64_t until)
{
    do {
        if (memory_unmap_part(ep, &start, end) < 0)
            return true; /* it has ended */
    } while (start < end && clock_now() < until);
    return start >= end;
}

/* The pages go first: as long as the region is there nobody else gets the place, and what other
 * threads touch meanwhile is little, and goes in the end. */
long unmap_range(endpoint_t ep, struct space *s, uint64_t start, uint64_t end)
{
    int error;

    if (!region_may_remove(s->regions, start, end))
        return -ENOMEM;
    if (!pages_gone(ep, start, end, step_end()))
        return WORK_GOES_ON;
    error = region_remove(s->regions, start, end);
    if (error)
        return error;
    if (start < s->hint)
        s->hint = start;
    return 0;
}

/* Where to put it; <0: -errno. */
static long choose(endpoint_t ep, struct space *s, uint64_t address, uint64_t length,
                   uint32_t linux_flags)
{
    uint64_t low = s->service ? SERVICE_LOW : MMAP_LOW,
             high = s->service ? SERVICE_HIGH : MMAP_HIGH, at;

    if (linux_flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (!range_good(address, length) || address < ADDRESS_LOW)
            return -EINVAL;
        if (region_free(s->regions, address, address + length))
            return (long)address;
        if (linux_flags & MAP_FIXED_NOREPLACE)
            return -EEXIST;
        if (!region_may_replace(s->regions, address, address + length, 1))
            return -ENOMEM; /* and what is there stays */
        at = (uint64_t)unmap_range(ep, s, address, address + length);
        return at ? (long)at : (long)address;
    }
    address &= ~(PAGE_SIZE - 1);
    if (address >= ADDRESS_LOW && range_good(address, length) && address + length <= high &&
        region_free(s->regions, address, address + length))
        return (long)address;
    at = region_gap(s->regions, length, s->hint > low ? s->hint : low, high);
    if (!at)
        at = region_gap(s->regions, length, low, high);
    if (!at)
        return -ENOMEM;
    s->hint = at + length;
    return (long)at;
}

static uint32_t region_flags(uint32_t protection, uint32_t linux_flags)
{
    return (linux_flags & MAP_SHARED ? REGION_SHARED : 0) |
           (protection & VM_PROTECTION_FILE ? REGION_FILE : 0) |
           (protection & VM_PROTECTION_NEVER_WRITE ? REGION_NEVER_WRITE : 0) |
           (protection & VM_PROTECTION_NEVER_EXECUTE ? REGION_NEVER_EXECUTE : 0);
}

/* A program's pages come later. A service's are given at once: its memory is counted, and runs short
 * here, where the call can fail, and not at some instruction. The region is added last: what could
 * not be filled is not there; but whether there is room for it is asked first. */
long map_region(endpoint_t ep, struct space *s, uint64_t address, uint64_t length,
                uint32_t protection, uint32_t linux_flags)
{
    uint64_t replaced = 0;
    struct region new;
    long at;

    if (!length || length > USER_END)
        return -EINVAL;
    length = page_up(length);
    if (linux_flags & MAP_FIXED)
        replaced = regions_bytes_in(s->regions, address, address + length);
    if (!s->service &&
        !limits_allow(s, length, replaced, protection & PROT_WRITE && !(linux_flags & MAP_SHARED)))
        return -ENOMEM;
    at = choose(ep, s, address, length, linux_flags);
    if (at < 0)
        return at;
    new = (struct region){(uint64_t)at, (uint64_t)at + length,
                          protection & (s->service ? 7 | VM_PROTECTION_VAULT : 7),
                          region_flags(protection, linux_flags)};
    if (!region_has_room(s->regions, 1))
        return -ENOMEM;
    if (s->service) {
        long error = populate(ep, s, new.start, length, protection);

        if (error)
            return error;
    }
    region_add(s->regions, new);
    return at;
}

static long map_anonymous(endpoint_t ep, struct space *s, const struct message *m)
{
    uint32_t flags = (uint32_t)m->w[3];

    if ((flags & MAP_TYPE) == MAP_PRIVATE)
        flags &= ~(uint32_t)MAP_SHARED;
    return map_region(ep, s, m->w[0], m->w[1],
                      (uint32_t)m->w[2] & (7 | VM_PROTECTION_VAULT | VM_PROTECTION_STORE), flags);
}

static bool is_populated(const struct space *s, const struct message *m)
{
    return (m->w[3] & MAP_TYPE) != MAP_PRIVATE && !s->service;
}

/* What is there at a fixed address goes first. */
static long map_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    long result = s ? map_anonymous(w->ep, s, &w->m) : -EFAULT;

    if (result < 0 || !is_populated(s, &w->m))
        return result;
    return populate_next(w, (uint64_t)result);
}

long sys_mmap(struct message *m)
{
    endpoint_t ep = message_caller(m);
    struct space *s = space_for_caller(ep);
    uint32_t flags = (uint32_t)m->w[3], kind = flags & MAP_TYPE;
    long result;

    if (!s)
        return -ENOMEM;
    if (!m->w[1] || (kind != MAP_SHARED && kind != MAP_PRIVATE && kind != MAP_SHARED_VALIDATE))
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        m->type = VFS_MMAP;
        return s->service || ipc_forward(ep, service_info()->vfs, m) < 0 ? -EBADF
                                                                         : SERVICE_NO_REPLY;
    }
    if (!is_populated(s, m) && !(flags & MAP_FIXED))
        return map_anonymous(ep, s, m);
    return work_again(m, &result) ? result : work_start(m, map_step, 0);
}

static long unmap_step(struct work *w)
{
    struct space *s = space_of(w->ep);

    return s ? unmap_range(w->ep, s, w->m.w[0], w->m.w[0] + page_up(w->m.w[1])) : -EFAULT;
}

long sys_munmap(struct message *m)
{
    endpoint_t ep = message_caller(m);
    struct space *s = space_for_caller(ep);
    long result;

    if (!s || !range_good(m->w[0], page_up(m->w[1])))
        return -EINVAL;
    return work_again(m, &result) ? result : work_start(m, unmap_step, 0);
}

/* Regions at once, pages in steps: what is touched meanwhile gets the new protection. */
static long protect_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    uint64_t start = w->m.w[0], end = start + page_up(w->m.w[1]), at = start + w->done;
    uint64_t until = step_end();
    uint32_t protection = (uint32_t)w->m.w[2] & 7;
    int error = 0;

    if (!s)
        return -EFAULT;
    if (!w->at && !region_may_protect(s->regions, start, end, protection))
        return -EACCES;
    if (!w->at)
        error = region_protect(s->regions, start, end, protection);
    w->at = 1; /* the regions are as they shall be */
    if (error)
        return error;
    while (at < end && clock_now() < until)
        if (memory_protect_part(w->ep, &at, end, map_flags(protection)) < 0)
            return -EFAULT;
    w->done = at - start;
    return at < end ? WORK_GOES_ON : 0;
}

long sys_mprotect(struct message *m)
{
    endpoint_t ep = message_caller(m);
    struct space *s = space_for_caller(ep);
    uint64_t length = page_up(m->w[1]);
    long result;

    if (!s || (m->w[0] & (PAGE_SIZE - 1)))
        return -EINVAL;
    if (!length)
        return 0;
    if (!range_good(m->w[0], length))
        return -ENOMEM;
    return work_again(m, &result) ? result : work_start(m, protect_step, 0);
}

static long shrink_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    uint64_t want = w->m.w[0], old_end = s ? page_up(s->brk) : 0, new_end = page_up(want);
    long error = 0;

    if (!s)
        return -EFAULT;
    if (new_end < old_end) /* (not, when another thread has made it smaller still) */
        error = unmap_range(w->ep, s, new_end, old_end);
    if (error == WORK_GOES_ON)
        return error;
    if (!error)
        s->brk = want;
    return (long)s->brk;
}

/* The heap lies in regions from brk_start to brk, rounded up. The answer is always the present
 * break. */
long sys_brk(struct message *m)
{
    endpoint_t ep = message_caller(m);
    struct space *s = space_for_caller(ep);
    uint64_t want = m->w[0], old_end, new_end;
    long result;

    if (!s)
        return 0;
    old_end = page_up(s->brk);
    new_end = page_up(want);
    if (want < s->brk_start || want >= USER_END || !s->brk_start)
        return (long)s->brk;
    if (new_end > old_end) {
        struct region grown = {old_end, new_end, PROT_READ | PROT_WRITE, REGION_HEAP};

        if (!region_free(s->regions, old_end, new_end) || !region_has_room(s->regions, 1) ||
            !limits_allow(s, new_end - old_end, 0, true) ||
            (s->service && populate(ep, s, old_end, new_end - old_end, grown.protection) < 0))
            return (long)s->brk;
        region_add(s->regions, grown);
    } else if (new_end < old_end)
        return work_again(m, &result) ? result : work_start(m, shrink_step, 0);
    s->brk = want;
    return (long)s->brk;
}

uint64_t move_length(const struct message *m)
{
    uint64_t old = page_up(m->w[1]), new = page_up(m->w[2]);

    return new < old ? new : old;
}

/* Of these there are no more pages than there have been from the beginning. */
static bool may_grow(const struct region *r)
{
    return !(r->flags & (REGION_SHARED | REGION_FILE));
}

/* To a place of its own; the pages follow (walk.c). There must be room for the new region, and for
 * cutting out the old one, which can fail no more when the pages have moved. */
static long remap_move(struct work *w, struct space *s, uint64_t new, struct region r)
{
    const struct message *m = &w->m;
    uint32_t place = m->w[3] & MREMAP_FIXED ? MAP_FIXED : 0;
    uint64_t length = move_length(m);
    endpoint_t ep = w->ep;
    long at = choose(ep, s, place ? m->w[4] : 0, new, place), error = 0;

    if (at < 0)
        return at;
    if (!region_has_room(s->regions, 3))
        return -ENOMEM;
    if (s->service && new > length)
        error = populate(ep, s, (uint64_t)at + length, new - length, r.protection);
    if (error)
        return error;
    region_add(s->regions, (struct region){(uint64_t)at, (uint64_t)at + new, r.protection,
                                           r.flags & ~(uint32_t)(REGION_STACK | REGION_HEAP)});
    return move_next(w, (uint64_t)at);
}

/* The new place must be free of the old one, and what is cut off goes first; once, as another thread
 * may map something there afterwards. */
static long remap_check(struct work *w, struct space *s, uint64_t old, uint64_t new)
{
    const struct message *m = &w->m;
    uint64_t from = m->w[0], to = m->w[4];
    long result = 0;

    if (m->w[3] & MREMAP_FIXED) {
        if (!range_good(to, new) || to < ADDRESS_LOW || (to < from + old && from < to + new))
            return -EINVAL;
    } else if (new >= old)
        return 0;
    if (new < old && !w->at)
        result = unmap_range(w->ep, s, from + new, from + old);
    w->at = result == 0;
    return result;
}

/* As often as there is something that has to go first. */
static long remap_step(struct work *w)
{
    const struct message *m = &w->m;
    endpoint_t ep = w->ep;
    struct space *s = space_of(ep);
    uint64_t old = page_up(m->w[1]), new = page_up(m->w[2]), end = m->w[0] + old;
    struct region *r = s ? region_find(s->regions, m->w[0]) : NULL;
    bool fixed = m->w[3] & MREMAP_FIXED, may_move = m->w[3] & MREMAP_MAYMOVE;
    long result;

    if (!r || r->end < m->w[0] + move_length(m))
        return -EFAULT;
    if (new > old && !limits_allow(s, new - old, 0, region_is_data(r)))
        return -ENOMEM;
    result = remap_check(w, s, old, new);
    if (result || (!fixed && new <= old))
        return result ? result : (long)m->w[0];
    r = region_find(s->regions, m->w[0]); /* it may be a shorter one now */
    if (!fixed && r->end == end && range_good(m->w[0], new) &&
        region_free(s->regions, end, m->w[0] + new) && !s->service && may_grow(r))
        return region_add(s->regions, (struct region){end, m->w[0] + new, r->protection, r->flags})
                   ? -ENOMEM
                   : (long)m->w[0];
    if (!may_move || (!may_grow(r) && new > old))
        return -ENOMEM;
    return remap_move(w, s, new, *r);
}

long sys_mremap(struct message *m)
{
    struct space *s = space_for_caller(message_caller(m));
    uint64_t old = page_up(m->w[1]), new = page_up(m->w[2]);
    bool fixed = m->w[3] & MREMAP_FIXED, may_move = m->w[3] & MREMAP_MAYMOVE;
    long result;

    if (!s || !old || !range_good(m->w[0], old) || !new || new > USER_END ||
        (m->w[3] & ~(uint64_t)(MREMAP_FIXED | MREMAP_MAYMOVE)) || (fixed && !may_move))
        return -EINVAL;
    return work_again(m, &result) ? result : work_start(m, remap_step, 0);
}

/* What was written into a view of a file cannot be forgotten: the file's contents are not here. What was
 * not written is what it would be. */
static bool may_forget(const struct region *r)
{
    return !(r->flags & REGION_FILE) || !(r->protection & PROT_WRITE);
}

/* Holes among the regions are passed over, and then told of, as on Linux. */
static long forget_step(struct work *w)
{
    struct space *s = space_of(w->ep);
    uint64_t start = w->m.w[0], end = start + page_up(w->m.w[1]), until = step_end();
    uint64_t at = start + w->done;
    const struct region *r;

    if (!s)
        return -EFAULT;
    for (; (r = region_after(s->regions, at)) && r->start < end; at = r->end) {
        uint64_t from = r->start > at ? r->start : at, to = r->end < end ? r->end : end;

        w->at |= r->start > at;
        w->done = from - start;
        if (!may_forget(r))
            return -EINVAL;
        if (!(r->flags & (REGION_SHARED | REGION_FILE)) &&
            (clock_now() >= until || !pages_gone(w->ep, from, to, until)))
            return WORK_GOES_ON;
    }
    return w->at || at < end ? -ENOMEM : 0;
}

/* Advice that may be ignored. What programs rely on once it is taken (MADV_WIPEONFORK, MADV_REMOVE) is
 * refused: nothing of it would be done. */
static bool is_hint(uint64_t advice)
{
    static const uint8_t hints[] = {
        MADV_NORMAL,   MADV_RANDOM,    MADV_SEQUENTIAL,  MADV_WILLNEED, MADV_FREE,
        MADV_DOFORK,   MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE,
        MADV_DONTDUMP, MADV_DODUMP,    MADV_KEEPONFORK,  MADV_COLD,     MADV_PAGEOUT};

    return advice < 64 && memchr(hints, (int)advice, sizeof hints);
}

long sys_madvise(struct message *m)
{
    struct space *s = space_for_caller(message_caller(m));
    uint64_t length = page_up(m->w[1]), advice = (uint32_t)m->w[2];
    long result;

    if (!s || (m->w[0] & (PAGE_SIZE - 1)) || (advice != MADV_DONTNEED && !is_hint(advice)))
        return -EINVAL;
    if (!length || advice != MADV_DONTNEED || s->service)
        return 0;
    if (!range_good(m->w[0], length))
        return -EINVAL;
    return work_again(m, &result) ? result : work_start(m, forget_step, 0);
}

long sys_msync(struct message *m)
{
    uint32_t flags = (uint32_t)m->w[2];
    bool is_wrong = flags & ~(uint32_t)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) ||
                    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC);

    return m->w[0] & (PAGE_SIZE - 1) || is_wrong ? -EINVAL : 0; /* shared memory is never behind */
}
